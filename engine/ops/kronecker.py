"""Kronecker's product."""

import numpy as np

from engine.errors import ShapeError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Op, Port
from engine.ops.products import CATEGORY
from engine.types import EVERY, TensorType


def _merged_type(x: TensorType) -> TensorType:
    if x.ndim % 2:
        raise ShapeError("There must be pairs of axes.", expected="an even rank", got=str(x))
    pairs = [(x.shape[k], x.shape[k + 1]) for k in range(0, x.ndim, 2)]
    return TensorType(
        x.dtype,
        [None if a is None or b is None else a * b for a, b in pairs],
        [a and b for a, b in zip(x.broadcastable[::2], x.broadcastable[1::2], strict=True)],
    )


merged: Op = Op(
    name="merge_axes",
    symbol="⬚",
    category="Shape",
    hidden=True,
    method=False,
    doc="The same elements, with each pair of neighbouring axes made one.",
    ports=(Port("x"),),
    examples=(Example(((2, 3, 4, 5),)), Example(((2, 3),))),
    infer=_merged_type,
    numpy=lambda x: np.reshape(x, [x.shape[k] * x.shape[k + 1] for k in range(0, x.ndim, 2)]),
    conjugates=False,
    grad=lambda g, y, x: [OPS["reshape_like"](g, x)],
    dtypes=EVERY,
)


def _kron(x: Variable, y: Variable) -> Variable:
    rank = max(x.ndim, y.ndim)
    left: list[int | str] = ["x"] * (2 * rank)
    right: list[int | str] = ["x"] * (2 * rank)
    for own, t, first in ((left, x, 0), (right, y, 1)):
        for k in range(t.ndim):
            own[2 * (rank - t.ndim + k) + first] = k
    return merged(x.dimshuffle(*left) * y.dimshuffle(*right))


kron = composed(
    "kron",
    symbol="⊗ₖ",
    category=CATEGORY,
    method=False,
    doc="Kronecker's product: every element of x in turn, multiplied with all of y.",
    examples=(Example(((2, 3), (4, 2))), Example(((2,), (3, 2))), Example(((2, 1, 3), (2, 2)))),
    body=_kron,
    dtypes=EVERY,
)
