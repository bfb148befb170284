"""The applies of a graph by what they compute, kept up to date while the graph changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from engine.expression import Apply, Constant, Variable, walk

Key = tuple[Any, ...]


class Equals:
    """Finds the apply that computes the same as another.

    Two applies compute the same if they have the same op and parameters and read the same, where
    constants of equal value and dtype are the same.
    """

    def __init__(self, applies: Iterable[Apply]) -> None:
        self._keys: dict[Apply, Key | None] = {}
        self._first: dict[Key, Apply] = {}
        # An apply with very many inputs may change as often before anybody asks for its equal.
        self._changed: dict[str, dict[Apply, None]] = defaultdict(dict)
        for node in applies:
            self.enter(node)

    def __contains__(self, node: Apply | None) -> bool:
        return node in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def enter(self, node: Apply) -> None:
        """Take note of an apply, new or with changed inputs."""
        if node in self._keys:
            self.forget(node)
        self._keys[node] = None
        self._changed[node.op.name][node] = None

    def forget(self, node: Apply) -> None:
        """Take note that an apply is gone."""
        key = self._keys.pop(node)
        if key is None:
            del self._changed[node.op.name][node]
        elif self._first.get(key) is node:
            del self._first[key]

    def twin(self, node: Apply) -> Apply | None:
        """Another apply of the graph that computes the same."""
        self._settle(node.op.name)
        key = self._keys[node]
        assert key is not None
        first = self._first.setdefault(key, node)
        return None if first is node else first

    def shared(self, v: Variable) -> Variable:
        """The expression with every part replaced that the graph computes already.

        Its own applies must be new ones: their inputs are changed.
        """
        known: dict[Variable, Variable] = {}
        for node in walk([v], stop=lambda x: x.owner in self._keys):
            node.inputs = tuple(known.get(x, x) for x in node.inputs)
            self._settle(node.op.name)
            first = self._first.get(_key(node))
            if first is not None:
                known.update(zip(node.outputs, first.outputs, strict=True))
        return known.get(v, v)

    def _settle(self, name: str) -> None:
        """Enter under their keys the changed applies of an op."""
        for node in self._changed.pop(name, ()):
            key = self._keys[node] = _key(node)
            self._first.setdefault(key, node)


def _key(node: Apply) -> Key:
    inputs: list[Any] = [v.identity if isinstance(v, Constant) else v.serial for v in node.inputs]
    if node.op.commutative and len(inputs) == 2:
        x, y = inputs
        # Constants come last, variables in the order in which they were made.
        if isinstance(x, tuple) or (not isinstance(y, tuple) and y < x):
            inputs = [y, x]
    return (node.op.name, *(node.params[p.name] for p in node.op.params), *inputs)
