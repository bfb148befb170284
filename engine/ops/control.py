"""Choices."""

from engine.errors import TypeMismatchError
from engine.makers import alike, zero_gradient
from engine.op import Example, Op, Port
from engine.types import TensorType, upcast

CATEGORY = "Control"


def _ifelse_type(condition: TensorType, then: TensorType, other: TensorType) -> TensorType:
    if condition.ndim:
        raise TypeMismatchError(
            "A condition must be a scalar.",
            port="condition",
            expected="a scalar",
            got=str(condition),
            hint="Use switch to choose element by element.",
        )
    if then.ndim != other.ndim:
        raise TypeMismatchError(
            "Both branches must have the same number of axes.",
            port="other",
            expected=str(then),
            got=str(other),
        )
    shape = [a if a == b else None for a, b in zip(then.shape, other.shape, strict=True)]
    pattern = [a and b for a, b in zip(then.broadcastable, other.broadcastable, strict=True)]
    return TensorType(upcast(then.dtype, other.dtype), shape, pattern)


ifelse: Op = Op(
    name="ifelse",
    symbol="if",
    category=CATEGORY,
    method=False,
    tex=r"\begin{{cases}} {then} & {condition} \\ {other} & \text{{else}} \end{{cases}}",
    doc="One of two tensors by a condition; the other is not computed.",
    examples=(Example(((), (2,), (2,))),),
    ports=(Port("condition", "a scalar, true if not 0"), Port("then"), Port("other")),
    infer=_ifelse_type,
    numpy=None,
    selects=True,
    lazy=lambda condition: 1 if condition else 2,
    grad=lambda g, y, condition, then, other: [
        zero_gradient(condition),
        alike(g, then),
        alike(g, other),
    ],
    conjugates=False,
)
