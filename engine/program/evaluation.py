"""Values of a whole graph at once: what can be computed is, and each failure stays where it is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.codegen.numpy import Interpreter, what_was_given
from engine.errors import EngineError, ProgramError
from engine.expression import Apply, Constant, Variable, walk
from engine.program.values import MAX_TOTAL_BYTES, Array, bytes_text, check_size
from engine.types import TensorType, broadcast


@dataclass
class Values:
    """What an evaluation found.

    arrays: the value of each variable that has one.  failures: by apply, why it has none.
    causes: by apply without value, the apply whose failure it suffers from.
    late: whether time ran out before everything was computed.
    """

    arrays: dict[Variable, Array]
    failures: dict[Apply, EngineError] = field(default_factory=dict)
    causes: dict[Apply, Apply] = field(default_factory=dict)
    late: bool = False

    def failure(self, variable: Variable) -> EngineError | None:
        """Why the variable has no value; None where one of its leaves has none."""
        if variable.owner is None:
            return None
        cause = self.causes.get(variable.owner)
        return self.failures[cause] if cause is not None else None


class Evaluator:
    """The applies that some variables need, made ready to be run one by one in NumPy."""

    def __init__(self, outputs: Iterable[Variable]) -> None:
        outputs = list(outputs)
        self.steps = [(node, Interpreter(node.inputs, node.outputs)) for node in walk(outputs)]
        read = [v for node, _ in self.steps for v in node.inputs] + outputs
        self.constants: dict[Variable, Array] = {v: v.data for v in read if isinstance(v, Constant)}

    def run(self, given: Mapping[Variable, Array], seconds: float | None = None) -> Values:
        """Compute everything that follows from the given values.

        Sizes are known before anything is allocated; what would be over the limits fails.
        After `seconds` nothing further is begun.
        """
        end = None if seconds is None else time.monotonic() + seconds
        values = Values({**self.constants, **given})
        arrays = values.arrays
        total = sum(a.nbytes for a in arrays.values())
        for node, run in self.steps:
            blocking = _blocking(node, arrays)
            if blocking is not None:
                if blocking.owner in values.causes:
                    values.causes[node] = values.causes[blocking.owner]
                continue
            if end is not None and time.monotonic() > end:
                values.late = True
                break
            inputs = [arrays.get(v) for v in node.inputs]
            try:
                total += _needed(node, inputs)
                if total > MAX_TOTAL_BYTES:
                    raise ProgramError(
                        "The values of this graph together take too much memory.",
                        expected=f"at most {bytes_text(MAX_TOTAL_BYTES)}", got=bytes_text(total),
                        hint="Make the largest tensors smaller.",
                    )  # fmt: skip
                results = run(inputs)
            except EngineError as error:
                if error.details is None and not any(a is None for a in inputs):
                    error.details = what_was_given(node, inputs)
                values.failures[node] = node.located(error)
                values.causes[node] = node
            except Exception as error:  # what an op throws is an error of its node
                values.failures[node] = node.located(
                    ProgramError(f"{type(error).__name__}: {error}.")
                )
                values.causes[node] = node
            else:
                arrays.update(zip(node.outputs, results, strict=True))
        return values


def _blocking(node: Apply, arrays: Mapping[Variable, Array]) -> Variable | None:
    """An input without which the apply cannot run; a lazy op needs only the branch it takes."""
    inputs = node.inputs
    if node.op.lazy is not None:
        if inputs[0] not in arrays:
            return inputs[0]
        inputs = (inputs[node.op.lazy(arrays[inputs[0]], **node.params)],)
    return next((v for v in inputs if v not in arrays), None)


def _needed(node: Apply, inputs: list[Array | None]) -> int:
    """The bytes that the results take; raises what the op says to shapes that do not fit."""
    types = [
        v.type if a is None else TensorType(v.dtype, a.shape, v.broadcastable)
        for v, a in zip(node.inputs, inputs, strict=True)
    ]
    try:
        results = node.op.types(types, node.params, inputs)
    except EngineError as error:
        error.port = error.port or _port_at_fault(node, types)
        raise
    needed = 0
    for t in results:
        if None not in t.shape:
            shape = tuple(n or 0 for n in t.shape)
            needed += check_size(t.dtype, shape)
    return needed


def _port_at_fault(node: Apply, types: list[TensorType]) -> str | None:
    """The first port whose shape does not fit those before it."""
    if node.op.is_elementwise:
        for i in range(2, len(types) + 1):
            try:
                broadcast(types[:i])
            except EngineError:
                return node.op.ports[i - 1].name
    return node.op.ports[0].name if len(node.op.ports) == 1 else None
