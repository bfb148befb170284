"""Choices and loops."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import ShapeError, TypeMismatchError
from engine.graph import OPS, Block
from engine.op import Example, Op, Param, Port
from engine.types import DISCRETE, TensorType, upcast

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
        None,
        ifelse(condition, g, OPS["zeros_like"](g)),
        ifelse(condition, OPS["zeros_like"](g), g),
    ],
)


# scan: inputs are the number of steps, then sequences, first states, and non-sequences

Interpreter = Callable[[Block, Sequence[Any]], list[Any]]


def _scan_type(
    steps: TensorType, *inputs: TensorType, block: Block, sequences: int, states: int
) -> tuple[TensorType, ...]:
    if steps.ndim or steps.dtype not in DISCRETE:
        raise TypeMismatchError(
            "The number of steps must be a whole number.",
            port="steps",
            expected="an integer scalar",
            got=str(steps),
        )
    for first, out in zip(inputs[sequences : sequences + states], block.outputs, strict=False):
        if (first.dtype, first.ndim) != (out.dtype, out.ndim):
            raise TypeMismatchError(
                f"A state starts as {first} but becomes {out.type} after a step.",
                expected=str(first),
                got=str(out.type),
                hint="Cast the first state or the step's result.",
            )
    return tuple(
        TensorType(v.dtype, (None, *v.type.shape), (False, *v.broadcastable)) for v in block.outputs
    )


def _scan_value(
    interpret: Interpreter, steps: Any, *inputs: Any, block: Block, sequences: int, states: int
) -> Any:
    walked = inputs[:sequences]
    state = list(inputs[sequences : sequences + states])
    constant = inputs[sequences + states :]
    count = int(steps)
    if count < 0 or any(len(s) < count for s in walked):
        shortest = min((len(s) for s in walked), default=0)
        raise ShapeError(
            f"scan cannot take {count} steps.",
            node="scan",
            port="steps",
            expected=f"0 to {shortest}",
            got=str(count),
        )
    traces: list[list[Any]] = [[] for _ in block.outputs]
    for t in range(count):
        results = interpret(block, [*(s[t] for s in walked), *state, *constant])
        state = results[:states]
        for trace, value in zip(traces, results, strict=True):
            trace.append(value)
    stacked = tuple(
        np.stack(trace) if trace else np.zeros((0, *(n or 0 for n in v.type.shape)), v.dtype)
        for trace, v in zip(traces, block.outputs, strict=True)
    )
    return stacked if len(stacked) > 1 else stacked[0]


scan = Op(
    name="scan",
    symbol="⟳",
    category=CATEGORY,
    method=False,
    hidden=True,
    doc="A loop: a block applied again and again, each time to its own last results.",
    ports=(Port("steps"), Port("inputs", "sequences, first states, constants", variadic=True)),
    params=(
        Param("block", "graph", None, "the body of the loop"),
        Param("sequences", "int", 0, "how many inputs are walked through"),
        Param("states", "int", 0, "how many results are fed back"),
    ),
    infer=_scan_type,
    numpy=_scan_value,
    higher_order=True,
    no_grad="the gradient of a loop is not there yet",
)
