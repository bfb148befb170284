"""Products of several matrices, in the order that takes the fewest multiplications.

Another order changes the last digits.  It may be taken all the same, because no order is the more
exact one: the error of each has the same bound, as many roundings as there are terms (Higham 2002,
Accuracy and Stability of Numerical Algorithms, section 3.5).  It is taken only where it is no
worse whatever the unknown lengths turn out to be, from two on; with all lengths known it is the
best there is.
"""

from __future__ import annotations

from collections import Counter
from itertools import product as choices
from math import prod

from engine.expression import Apply, Variable
from engine.ops.products import dot
from engine.rewrite.lengths import FIRST
from engine.rewrite.phases import INEXACT, specialize
from engine.rewrite.rule import REASSOCIATES, Given
from engine.rewrite.view import View

LONGEST = 24
"""Matrices of a chain whose order is looked for, which takes the cube of their number."""

USUAL = 64
"""What an unknown length is taken for where an order is looked for."""

LEAST = 2
"""What it is taken for at least where it is decided whether the order is better."""

Cost = Counter[tuple[int, ...]]
"""Sums of products of lengths, each product by its lengths in rising order."""


@specialize.computed(
    ["dot"],
    example=lambda x, y, z: dot(dot(x, y), z),
    given={"x": Given((3, 4)), "y": Given((4, 5)), "z": Given((5,))},
    tags=[REASSOCIATES],
)
def multiply_in_cheapest_order(node: Apply, view: View) -> Variable | None:
    """A(Bv) walks along two axes, (AB)v along three; only the last digits may change."""
    if node.out.dtype not in INEXACT or _goes_on(node, view):
        return None
    chain, now = _chain(node, view)
    if not 3 <= len(chain) <= LONGEST:
        return None
    ends = [1 if chain[0].ndim == 1 else view.lengths.of(chain[0])[0]]
    for v in chain:
        ends.append(1 if v is chain[-1] and v.ndim == 1 else view.lengths.of(v)[-1])
    splits = _best_splits(ends)
    best, cost = _built(chain, ends, splits)
    return best if _is_certainly_less(cost, _cost_of(now, ends)) else None


def _goes_on(node: Apply, view: View) -> bool:
    """Whether the product is only a part of a longer chain."""
    readers = view.readers(node.out)
    return len(readers) == 1 and any(
        isinstance(reader, Apply) and _takes(reader, port) for reader, port in readers
    )


def _takes(node: Apply, port: int) -> bool:
    """Whether a product in place of this operand makes one chain with the other one."""
    if node.op is not dot or not all(1 <= v.ndim <= 2 for v in node.inputs):
        return False
    inner = node.inputs[port].owner
    if inner is None or inner.op is not dot or inner.out.dtype != node.out.dtype:
        return False
    # A vector in the middle is a column on its left, but a row on its right.
    x, y = inner.inputs
    return y.ndim == 2 and x.ndim > 0 if port == 0 else x.ndim == 2 and y.ndim > 0


def _chain(node: Apply, view: View) -> tuple[list[Variable], list[tuple[int, int, int]]]:
    """The matrices of a chain, and of each product where its operands begin, meet and end."""
    chain: list[Variable] = []
    products: list[tuple[int, int, int]] = []
    # Operands from the left to the right; what is done after one is marked by its beginnings.
    todo: list[tuple[str, Apply | Variable, list[int]]] = [("open", node, [])]
    while todo and len(chain) <= LONGEST:
        what, part, marks = todo.pop()
        if what == "mark":
            marks.append(len(chain))
        elif what == "close":
            products.append((marks[0], marks[1], len(chain)))
        elif isinstance(part, Apply):
            marks = [len(chain)]
            todo.append(("close", part, marks))
            for port in (1, 0):
                v = part.inputs[port]
                opens = _takes(part, port) and not view.is_shared(v) and v.owner is not None
                todo.append(("open", v.owner if opens and v.owner else v, []))
                if port == 1:
                    todo.append(("mark", part, marks))
        else:
            chain.append(part)
    return chain, products


def _cost_of(products: list[tuple[int, int, int]], ends: list[int]) -> Cost:
    return Counter(tuple(sorted((ends[i], ends[k], ends[j]))) for i, k, j in products)


def _best_splits(ends: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each part of a chain; Godbole 1973, the matrix chain by its parts."""
    sizes = [USUAL if n >= FIRST else n for n in ends]
    count = len(ends) - 1
    least = {(i, i + 1): 0 for i in range(count)}
    splits: dict[tuple[int, int], int] = {}
    for width in range(2, count + 1):
        for i in range(count - width + 1):
            j = i + width
            least[i, j], splits[i, j] = min(
                (least[i, k] + least[k, j] + sizes[i] * sizes[k] * sizes[j], k)
                for k in range(i + 1, j)
            )
    return splits


def _built(
    chain: list[Variable], ends: list[int], splits: dict[tuple[int, int], int]
) -> tuple[Variable, Cost]:
    """The chain multiplied in the order of the splits, and what that costs."""
    cost: Cost = Counter()
    built = {(i, i + 1): v for i, v in enumerate(chain)}
    todo = [(0, len(chain))]
    while todo:
        i, j = todo[-1]
        if (i, j) in built:
            todo.pop()
            continue
        k = splits[i, j]
        if (i, k) in built and (k, j) in built:
            built[i, j] = dot(built[i, k], built[k, j])
            cost[tuple(sorted((ends[i], ends[k], ends[j])))] += 1
        else:
            todo += [(i, k), (k, j)]
    return built[0, len(chain)], cost


def _is_certainly_less(new: Cost, old: Cost) -> bool:
    """Whether a cost is less, and stays so however much longer than two unknown axes are.

    With 2 + t for each unknown length no coefficient of the difference may be negative.
    """
    difference = old.copy()
    difference.subtract(new)
    terms: Counter[tuple[int, ...]] = Counter()
    for lengths, times in difference.items():
        known = times * prod(n for n in lengths if n < FIRST)
        unknown = [n for n in lengths if n >= FIRST]
        for kept in choices((False, True), repeat=len(unknown)):
            symbols = tuple(n for n, k in zip(unknown, kept, strict=True) if k)
            terms[symbols] += known * LEAST ** (len(unknown) - len(symbols))
    return terms[()] > 0 and all(n >= 0 for n in terms.values())
