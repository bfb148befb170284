"""Loops as expressions: `scan` applies a function again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.errors import ParameterError, ShapeError
from engine.graph import OPS, Block, Constant, Variable, as_variable, substitute, walk
from engine.types import TensorType

Outputs = Variable | list[Variable] | None


def scan(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
) -> tuple[Outputs, dict[Variable, Variable]]:
    """Apply `fn` once for each step; give what it returned at each step, stacked along axis 0.

    fn gets the step's element of each sequence, then the last value of each result that has
    first value in `outputs_info`, then the `non_sequences`; it returns one expression or a list.
    outputs_info has one entry for each result: its first value, or None where it is not fed back.
    Without n_steps the shortest sequence gives the number of steps.

    Returns (results, updates): one variable of shape (steps, ...) or a list of them, and an
    empty dict of updates.  Raises TypeMismatchError where a result changes its type from step to
    step, and ShapeError where there is nothing to count the steps by.
    """
    walked = [as_variable(v) for v in _listed(sequences)]
    constant = [as_variable(v) for v in _listed(non_sequences)]
    first = [None if v is None else as_variable(v) for v in _listed(outputs_info)]
    steps = _step_count(walked, n_steps)

    elements = [Variable(_element(v)) for v in walked]
    states = [None if v is None else Variable(v.type) for v in first]
    inner = [Variable(v.type, name=v.name) for v in constant]
    returned = fn(*elements, *(v for v in states if v is not None), *inner)
    single = not isinstance(returned, list | tuple)
    results = [as_variable(v) for v in ([returned] if single else returned)]
    if not first:
        first = states = [None] * len(results)
    if len(first) != len(results):
        raise ParameterError(
            f"The loop's function returned {len(results)} results, but outputs_info has "
            f"{len(first)} entries.",
            node="scan",
            port="outputs_info",
            expected=str(len(results)),
            got=str(len(first)),
        )

    fed = [i for i, v in enumerate(first) if v is not None]
    order = fed + [i for i, v in enumerate(first) if v is None]
    placeholders = [*elements, *(states[i] for i in fed), *inner]
    outer, captured = _captured(results, [v for v in placeholders if v is not None])
    results = substitute(results, dict(zip(outer, captured, strict=True)))
    block = Block(
        tuple(v for v in (*placeholders, *captured) if v is not None),
        tuple(results[i] for i in order),
    )
    inputs = [*walked, *(first[i] for i in fed), *constant, *outer]
    traces = OPS["scan"].each(steps, inputs, block, len(walked), len(fed))
    ordered = [traces[order.index(i)] for i in range(len(results))]
    return (ordered[0] if single or len(ordered) == 1 else ordered), {}


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _step_count(walked: Sequence[Variable], n_steps: Any) -> Variable:
    if n_steps is not None:
        return as_variable(n_steps)
    if not walked:
        raise ShapeError(
            "Nothing says how many steps the loop takes.",
            node="scan",
            expected="n_steps, or a sequence to walk through",
        )
    count: Variable = OPS["shape"](walked[0])[0]
    for v in walked[1:]:
        count = OPS["minimum"](count, OPS["shape"](v)[0])
    return count


def _element(v: Variable) -> TensorType:
    if v.ndim == 0:
        raise ShapeError(
            f"{v!r} has no axis to walk along.", node="scan", expected="a vector or more"
        )
    return TensorType(v.dtype, v.type.shape[1:], v.broadcastable[1:])


def _captured(
    results: Sequence[Variable], placeholders: Sequence[Variable]
) -> tuple[list[Variable], list[Variable]]:
    """What the body takes from outside without being given it, and the inner names for that.

    An expression that does not depend on the step is computed once, outside.
    """
    inside = set(placeholders)
    order = walk(results)
    for node in order:
        if any(v in inside for v in node.inputs):
            inside.update(node.outputs)
    read = [v for node in order if node.outputs[0] in inside for v in node.inputs] + list(results)
    outer = [v for v in dict.fromkeys(read) if v not in inside and not isinstance(v, Constant)]
    return outer, [Variable(v.type, name=v.name) for v in outer]
