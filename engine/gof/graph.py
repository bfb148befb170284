"""Theano's `gof.graph`: expressions taken apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from engine.comparison import is_same_graph
from engine.expression import Apply, Constant, Variable, walk

__all__ = [
    "Apply",
    "Constant",
    "Variable",
    "ancestors",
    "inputs",
    "io_toposort",
    "is_same_graph",
]


def ancestors(
    variable_list: Iterable[Variable], blockers: Collection[Variable] | None = None
) -> list[Variable]:
    """The variables and all that they are computed from, each once.

    In Theano's order: from the last of the list down to its leaves, along first inputs first.
    blockers: variables behind which nothing is looked for.
    """
    stops = set(blockers or ())
    found: dict[Variable, None] = {}
    stack = list(variable_list)
    while stack:
        v = stack.pop()
        if v in found:
            continue
        found[v] = None
        if v.owner is not None and v not in stops:
            stack.extend(reversed(v.owner.inputs))
    return list(found)


def inputs(
    variable_list: Iterable[Variable], blockers: Collection[Variable] | None = None
) -> list[Variable]:
    """The leaves among the ancestors, in the same order: inputs, shared variables, constants."""
    return [v for v in ancestors(variable_list, blockers) if v.owner is None]


def io_toposort(inputs: Iterable[Variable], outputs: Iterable[Variable]) -> list[Apply]:
    """The applies that lead from inputs to outputs, in an order in which they can be computed."""
    given = set(inputs)
    return walk(outputs, stop=lambda v: v in given)
