"""When an apply is needed: always, or only if certain branches of lazy ops are taken.

A gradient that flows out of a branch which is not taken is zero, whatever the formulas there
would give: they are not computed, so neither their errors nor their infinities matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.expression import OPS, Apply, Constant, Variable
from engine.makers import zero_gradient

Branch = tuple[int, int]
"""An input of a lazy apply: the place of the apply in execution order, and the input's number."""
Need = frozenset[Branch]
"""The branches of which one must be taken; empty for what is always needed."""
ALWAYS: Need = frozenset()


class Needs:
    """For each of some applies, given in execution order, when `outputs` need it."""

    def __init__(self, order: Sequence[Apply], outputs: Iterable[Variable]) -> None:
        self._place = {node: place for place, node in enumerate(order)}
        self._order = order
        self._needs: dict[Apply, Need] = {}
        self._taken: dict[Branch, Variable] = {}
        for v in outputs:
            if v.owner is not None:
                self._needs[v.owner] = ALWAYS
        for place in reversed(range(len(order))):
            node = order[place]
            if node.op.lazy is not None:
                self._choose(node, place)
            for port, v in enumerate(node.inputs):
                if v.owner in self._place:
                    self._add(v.owner, self._for_input(node, port))

    def guarded(self, gradient: Variable, node: Apply, port: int) -> Variable:
        """What flows from an apply to one of its inputs: zeros if the apply is not needed."""
        v = node.inputs[port]
        need = self._for_input(node, port)
        if need == (self._needs.get(v.owner, ALWAYS) if v.owner is not None else ALWAYS):
            return gradient
        place, chosen = min(need)
        lazy = self._order[place]
        zeros = zero_gradient(v)
        if len(need) > 1 or self._needs[lazy] != ALWAYS:
            return lazy.op(self._any(need), gradient, zeros)
        condition, *others = lazy.inputs
        ports = range(1, len(others) + 1)
        return lazy.op(condition, *(gradient if port == chosen else zeros for port in ports))

    def _any(self, need: Need) -> Variable:
        """Whether one of some branches is taken."""
        first, *more = (self._taken[branch] for branch in sorted(need))
        for one in more:
            first = OPS["or_"](first, one)
        return first

    def _for_input(self, node: Apply, port: int) -> Need:
        if node.op.lazy is None or port == 0:
            return self._needs[node]
        return frozenset({(self._place[node], port)})

    def _choose(self, node: Apply, place: int) -> None:
        """State, as an expression for each branch, whether it is taken."""
        condition, *branches = node.inputs
        ports = range(1, len(branches) + 1)
        outer = self._needs[node]
        needed = self._any(outer) if outer != ALWAYS else None
        for port in ports:
            taken = node.op(condition, *(Constant(other == port) for other in ports))
            if needed is not None:
                taken = node.op(needed, taken, Constant(False))
            self._taken[place, port] = taken

    def _add(self, node: Apply, need: Need) -> None:
        known = self._needs.get(node)
        if known == ALWAYS or need == ALWAYS:
            self._needs[node] = ALWAYS
            return
        together = need | (known or frozenset())
        self._needs[node] = frozenset(b for b in together if not self._follows(b, together))

    def _follows(self, branch: Branch, need: Need) -> bool:
        """Whether what needs the branch is itself only needed where the others are."""
        own = self._needs[self._order[branch[0]]]
        return bool(own) and own <= need - {branch}
