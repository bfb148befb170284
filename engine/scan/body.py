"""The body of a loop: a block of what its function has built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engine.errors import ParameterError, TypeMismatchError
from engine.expression import OPS, Block, Constant, Variable, certain, leaves, substitute, walk
from engine.op import untested
from engine.ops.loop import Loop
from engine.scan.arguments import Returned, State, Walked
from engine.shared import SharedVariable
from engine.types import TensorType
from engine.updates import next_value


class Body:
    """The body of a loop while it is put together.

    walked: its sequences.  states: what is fed back.  given: what it gets in every step.
    """

    def __init__(self, walked: list[Walked], states: list[State], given: list[Variable]) -> None:
        self.walked = walked
        self.states = states
        self.given = given
        # What is made from here on is made by the function of the loop.
        self.began = Variable(TensorType("bool")).serial

    def is_outside(self, v: Variable) -> bool:
        """Whether a variable was made before the function of the loop was called."""
        return v.serial < self.began

    def arguments(self) -> list[Variable]:
        """What the function of the loop gets."""
        return [*self._placeholders(), *self.given]

    def _placeholders(self) -> list[Variable]:
        past = [v for state in self.states for v in state.by_tap]
        return [*(w.element for w in self.walked), *past]

    def loop(
        self, is_fed: Sequence[bool], returned: Returned, strict: bool
    ) -> tuple[Loop, list[Variable], list[SharedVariable]]:
        """The loop of what the function returned, its inputs, and the shared variables it updates.

        is_fed: which of the results are fed back.  strict: take no shared variable from outside
        that is not given.  The results of the loop are first those that are fed back, then the
        values of the shared variables, then the others.
        """
        updates = self._stepped(returned)
        results = list(zip(returned.results, is_fed, strict=True))
        outputs = [v for v, fed in results if fed]
        outputs += updates.values()
        outputs += [v for v, fed in results if not fed]
        if returned.condition is not None:
            outputs.append(returned.condition)
        self.states += map(State.of_shared, updates)
        captured = self._captured(outputs, updates)
        if strict:
            self._refuse_shared(captured)
        inner = [Variable(v.type, name=v.name) for v in captured]
        known: dict[Variable, Variable] = dict(zip(captured, inner, strict=True))
        known |= {s.shared: s.by_tap[0] for s in self.states if s.shared is not None}
        with untested():
            outputs = self._settled(substitute(outputs, known))
        loop = Loop(
            Block((*self._placeholders(), *inner), tuple(outputs)),
            sequences=len(self.walked),
            taps=tuple(state.taps for state in self.states),
            until=returned.condition is not None,
        )
        inputs = [*(w.rows for w in self.walked), *(s.rows for s in self.states), *captured]
        return loop, inputs, list(updates)

    # Shared variables that change from step to step.

    def _stepped(self, returned: Returned) -> dict[SharedVariable, Variable]:
        """The updates that were returned, and those of what the function uses by themselves."""
        kind = "shared variable"
        updates = {s: next_value(s, v, kind) for s, v in returned.updates.items()}
        expressions = [*returned.results, *updates.values()]
        if returned.condition is not None:
            expressions.append(returned.condition)
        made = walk(expressions, stop=self.is_outside)
        waiting = [*(v for node in made for v in node.inputs), *expressions]
        while waiting:
            v = waiting.pop()
            if isinstance(v, SharedVariable) and v.default_update is not None and v not in updates:
                updates[v] = next_value(v, v.default_update, kind)
                waiting += leaves([v.default_update])
        return updates

    # What is taken from outside.

    def _captured(
        self, outputs: Sequence[Variable], updates: Mapping[SharedVariable, Variable]
    ) -> list[Variable]:
        """What the body reads that is not computed in it: it is computed once, before the loop.

        Also what the function computes without regard to the step.  But what only a branch of a
        lazy op reads stays in the body, where it is computed only if the branch is taken.
        """
        placeholders = set(self._placeholders())
        passed = {v for v in self.given if not isinstance(v, Constant | SharedVariable)}
        ends = placeholders | passed
        order = walk(outputs, stop=ends.__contains__)
        inside = set(walk(outputs, stop=self.is_outside)) | set(walk(updates.values()))
        varying: set[Variable] = placeholders | set(updates)
        for node in order:
            if node in inside and any(v in varying for v in node.inputs):
                varying.update(node.outputs)
        needed = certain(outputs, stop=ends.__contains__)
        once = {v for v in outputs if v not in varying}
        for node in order:
            if node in needed and node.outputs[0] in varying:
                read = node.inputs[:1] if node.op.lazy is not None else node.inputs
                once.update(v for v in read if v not in varying)
        ends |= once
        body = walk(outputs, stop=ends.__contains__)
        read_by_body = dict.fromkeys([*(v for node in body for v in node.inputs), *outputs])
        held = placeholders | set(updates)
        return [
            v
            for v in read_by_body
            if (v.owner is None or v in ends) and v not in held and not isinstance(v, Constant)
        ]

    def _refuse_shared(self, captured: Sequence[Variable]) -> None:
        allowed = set(leaves([*self.given, *(s.rows for s in self.walked)]))
        for v in leaves(captured):
            if isinstance(v, SharedVariable) and v not in allowed:
                raise ParameterError(
                    f"The loop's function uses the shared variable {v!r}, which is not among the "
                    "non_sequences.",
                    node=v.name or "scan",
                    port="non_sequences",
                    expected="every shared variable that is used, since strict=True",
                    got=repr(v),
                    hint="Add it to non_sequences, or leave strict out.",
                )

    # States that keep their type.

    def _settled(self, outputs: list[Variable]) -> list[Variable]:
        """The outputs, each state's next row of the same type as the rows before.

        A state that starts with length 1 on an axis that stretches need not stay so: then it is
        a state with an axis of length 1 that does not.
        """
        while True:
            changed: dict[Variable, Variable] = {}
            for i, state in enumerate(self.states):
                rows = state.by_tap[0].type
                outputs[i] = row = _fitted(outputs[i], rows)
                pattern = [
                    a and b for a, b in zip(rows.broadcastable, row.broadcastable, strict=True)
                ]
                if list(rows.broadcastable) != pattern:
                    kind = TensorType(rows.dtype, rows.shape, pattern)
                    for tap, v in enumerate(state.by_tap):
                        changed[v] = state.by_tap[tap] = Variable(kind, name=v.name)
            if not changed:
                return outputs
            outputs = substitute(outputs, changed)


def _fitted(new: Variable, old: TensorType) -> Variable:
    """The next row of a state, in the dtype that it has from the start."""
    if new.ndim == old.ndim and new.dtype == old.dtype:
        return new
    if new.ndim == old.ndim and np.can_cast(new.dtype, old.dtype, "safe"):
        return OPS["cast"](new, old.dtype)
    raise TypeMismatchError(
        f"A state of the loop starts as {old} but becomes {new.type} after a step.",
        node="scan",
        expected=str(old),
        got=str(new.type),
        hint=f"Start with an array of {new.dtype}, or cast what the step gives to {old.dtype}."
        if new.ndim == old.ndim
        else "A state before the first step has the shape that it has after each step.",
    )
