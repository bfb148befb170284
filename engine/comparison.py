"""Whether expressions compute the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.clone import clone
from engine.expression import Constant, Variable, walk


def equal_computations(
    xs: Sequence[Variable],
    ys: Sequence[Variable],
    in_xs: Sequence[Variable] = (),
    in_ys: Sequence[Variable] = (),
) -> bool:
    """Whether two lists of expressions apply the same ops to the same variables.

    Constants of equal value and dtype are the same, and it makes no difference whether a part
    that is used twice was built twice.  No laws are used: x + y and y + x differ.
    in_xs, in_ys: variables of one side that stand for those of the other, if their types agree.
    """
    numbers: dict[Any, int] = {}
    return _numbered(xs, in_xs, numbers) == _numbered(ys, in_ys, numbers)


def is_same_graph(
    var1: Variable,
    var2: Variable,
    givens: Mapping[Variable, Any] | Iterable[Sequence[Any]] | None = None,
    debug: bool = False,
) -> bool:
    """Whether two expressions apply the same ops to the same variables.

    givens: what variables of both are replaced by beforehand.  debug: for Theano's sake.
    """
    first, second = clone([var1, var2], givens)
    return equal_computations([first], [second])


def _numbered(
    outputs: Sequence[Variable], inputs: Sequence[Variable], numbers: dict[Any, int]
) -> list[int]:
    """The numbers of expressions: equal ones have the same, new ones get the next."""

    def number(key: Any) -> int:
        return numbers.setdefault(key, len(numbers))

    found = {v: number((i, v.type)) for i, v in enumerate(inputs)}

    def number_of(v: Variable) -> int:
        if v not in found:
            found[v] = number(v.identity if isinstance(v, Constant) else v)
        return found[v]

    for node in walk(outputs, stop=lambda v: v in found):
        params = (node.params[p.name] for p in node.op.params)
        computed = (node.op.name, *params, *map(number_of, node.inputs))
        for v in node.outputs:
            found.setdefault(v, number((computed, v.index)))
    return list(map(number_of, outputs))
