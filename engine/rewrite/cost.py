"""What a graph costs to run, estimated: a number for people, where the measure is one for rules.

Its unit is the elementary operation, about one element read from or written to memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from math import prod

from engine.expression import Apply, Variable
from engine.op import Op
from engine.ops.products import subscripts_of
from engine.rewrite.scalars import number_of
from engine.types import TensorType

TYPICAL = 100
"""The length of an axis, and the number of steps of a loop, that is not known before it runs."""


def cost(node: Apply) -> int:
    """The elementary operations of one apply.

    Of elementwise ops, for each element: 1 for the result, 1 for each input that is read, 4 for a
    division, 8 for a call such as exp, 20 for a power; additions come along with reading.
    Of products and convolutions 2 for each multiplication with its addition; in linear algebra
    as many for each element as its longest axis is long.  Of all other ops, for each element of
    what is largest, 2 where elements are moved, 4 where they are summed up, else 20; what moves
    none costs 1.  A loop costs what its body does, times its steps; of two branches both count.
    """
    op, results = node.op, [v.type for v in node.outputs]
    if op.view is not None or op.lazy is not None:
        return 1
    if op.higher_order:
        return _steps(node) * total(node.params["block"].applies())
    if op.from_shape:
        return sum(map(elements, results))
    subscripts = subscripts_of(node)
    if subscripts is not None:
        lengths: dict[str, int] = {}
        for letters, v in zip(subscripts.operands, node.inputs, strict=True):
            lengths.update(zip(letters, map(_length, v.type.shape), strict=True))
        return 2 * prod(lengths.values())
    if op.name.startswith(CONVOLUTIONS):
        return 2 * _slid(node)
    types = [*(v.type for v in node.inputs), *results]
    most = max(map(elements, types), default=1)
    if op.category == "Linear algebra":
        return most * max((_length(n) for type in types for n in type.shape), default=1)
    return operations(op) * most


def total(applies: Iterable[Apply]) -> int:
    """The elementary operations of all the applies together."""
    return sum(map(cost, applies))


BY_CATEGORY = {
    "Shape": 2,
    "Indexing": 2,
    "Creation": 2,
    "Products": 2,
    "Results": 2,
    "Complex numbers": 2,
    "Reductions": 4,
}
"""The elementary operations for one element of ops that have no text for it."""


@cache
def operations(op: Op) -> int:
    """The elementary operations of an op for one element."""
    text = op.scalar
    if text is None:
        return 4 if op.fold is not None else BY_CATEGORY.get(op.category, 20)
    read = sum(f"{{{port.name}}}" in text for port in op.ports)
    calls = _calls(text)
    powers = sum(call.startswith("power") for call in calls)
    return 1 + read + 4 * text.count("/") + 8 * (len(calls) - powers) + 20 * powers


def _calls(text: str) -> set[str]:
    """The different calls in the text of a kernel; the same call is made once."""
    found: set[str] = set()
    for start in re.finditer(r"(math\.\w+|power)\(", text):
        end, depth = start.end(), 1
        while depth:
            depth += (text[end] == "(") - (text[end] == ")")
            end += 1
        found.add(text[start.start() : end])
    return found


def elements(type: TensorType) -> int:
    """How many elements a tensor has, as far as that is known."""
    return prod(map(_length, type.shape))


def _length(n: int | None) -> int:
    return TYPICAL if n is None else n


def _steps(node: Apply) -> int:
    if node.op.name != "scan":
        return 1
    number = number_of(node.inputs[0])
    return int(number) if isinstance(number, int) else TYPICAL


CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")


def _slid(node: Apply) -> int:
    """The multiplications of a convolution or of one of its gradients: for each element of what
    a convolution gives, as many as one of its filters has elements."""
    first, second, out = node.inputs[0], node.inputs[1], node.out
    result, filters = {
        "inputs": (first, second),
        "weights": (second, out),
    }.get(node.op.name.rpartition("_")[2], (out, second))
    return elements(result.type) * _inside(filters)


def _inside(filters: Variable) -> int:
    return prod(map(_length, filters.type.shape[1:]))
