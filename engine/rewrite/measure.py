"""What every rule lowers: the work that a graph does, and the ways in which it can go wrong.

The measure of a graph is the sum of the weights of its applies, a natural number.  Each step of
the driver lowers it, which is why rewriting comes to an end whatever rules there are.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import cache
from math import prod

from engine.expression import Apply, Variable
from engine.op import Op
from engine.ops.loop import Loop
from engine.ops.products import subscripts_of
from engine.rewrite.hazards import ARRANGING, RESHAPING, VIEWS, hazard, is_one_of, is_triangular
from engine.rewrite.ranges import Ranges
from engine.rewrite.scalars import number_of
from engine.rewrite.shapes import is_layout
from engine.types import DISCRETE

HAZARD = 10_000
"""One way to overflow or lose all digits weighs more than any work saved."""


def measure(applies: Iterable[Apply], ranges: Ranges) -> int:
    """The weight of all the applies together."""
    return sum(weight(node, ranges) for node in applies)


def weight(node: Apply, ranges: Ranges) -> int:
    """The work of one apply on each element, times its extent, and its hazards.

    The extent is one more than the number of axes that are walked along, those after the second
    counted twice, a stand-in for sizes that are not known yet.  Each variable that is read adds
    1, so that s + s weighs more than 2s, one that is computed 2, because it has to be waited for,
    and each detour 1.  A number costs nothing to read, but what is inside of an op knows it
    better than to be given it.  Products count their multiplications as well, by which orders of
    a chain differ.
    """
    number = int(node.op.higher_order)
    read = sum(
        number if number_of(v) is not None else 1 if v.owner is None else 2 for v in node.inputs
    )
    own = _work_of(node) * _extent(node) + read + _detour(node) + HAZARD * hazard(node, ranges)
    own += _multiplications(node)
    return own + _inside(node, ranges) if node.op.higher_order else own


PRODUCTS = {"dot": 5, "batched_matmul": 5, "einsum": 10}
"""The work of one multiplication of those that are summed."""

ALGEBRA = {
    "cholesky": 5,
    "det": 6,
    "slogdet": 24,
    "solve": 12,
    "matrix_inverse": 18,
    "qr": 24,
    "eigvalsh": 30,
    "singular_values": 48,
    "eigh": 60,
    "svd": 120,
    "eigvals": 120,
    "eig": 240,
}
"""The work on one element where there is as much of it as in products of such matrices."""


def _work_of(node: Apply) -> int:
    if node.op.name == "solve" and is_triangular(node):
        return work(node.op) // 3  # nothing has to be eliminated first
    further = len(node.inputs) - 1 if node.op.name in JOINING else 0
    return work(node.op) + ANY * further


def _multiplications(node: Apply) -> int:
    """How often a product multiplies."""
    return prod(_walked(node)) if node.op.name in PRODUCTS else 0


def _walked(node: Apply) -> list[int]:
    """The lengths of the axes of a product, summed over or not; an unknown one counts as 2."""
    axes = subscripts_of(node)
    if axes is None:
        return []
    lengths: dict[str, int] = {}
    for term, v in zip(axes.operands, node.inputs, strict=True):
        for letter, n, stretches in zip(term, v.type.shape, v.broadcastable, strict=True):
            own = 1 if stretches else 2 if n is None else n
            lengths[letter] = max(own, lengths.get(letter, 1))
    return list(lengths.values())


OFTEN = 8
"""What is inside of a loop is done so much more often."""

STEPS = 64
"""The weight of any number of steps; of a known one it is that of its digits in binary."""


def _inside(node: Apply, ranges: Ranges) -> int:
    """The weight of what is in an op; of a loop also that of its steps, states and kept rows."""
    applies = node.params["block"].applies()
    total = OFTEN * measure(applies, ranges)
    if node.op.name == "scan":
        loop = Loop(**node.params)
        rows = {v for own in (loop.elements, *loop.past) for v in own}
        hidden = [n for n in applies if not hazard(n, ranges) and _may_cancel(n, rows)]
        total += OFTEN * (HAZARD * len(hidden) + sum(map(len, loop.past)))
        total += sum(min(k, OFTEN - 1) or OFTEN for k in map(loop.kept, range(len(node.outputs))))
        most = ranges.of(node.inputs[0]).high
        total += int(most).bit_length() if 0 <= most < 2 ** (STEPS - 1) else STEPS
    return total


def _may_cancel(node: Apply, rows: Container[Variable]) -> bool:
    """Whether rows, which are computed elsewhere, are added up."""
    added = node.op.name in {"add", "sub"} and node.out.dtype not in DISCRETE
    return added and any(v in rows for v in node.inputs)


def _detour(node: Apply) -> int:
    """What could be said more directly at the same cost, or computed where it is needed only."""
    if node.op.name == "subtensor":
        return _unread(node)
    if node.op.name == "increase_at":
        return 1  # what is 0 need not be read
    if node.op.name == "dimshuffle":
        return int(_is_computed(node))
    if node.op.name in RESHAPING:  # which may have to copy
        return 2 + RESHAPING.index(node.op.name) + int(_is_computed(node))
    if node.op.name == "sub":
        return 1  # -a - b is -(a + b)
    if node.op.name in {"multiply_no_nan", "batched_matmul"}:
        return 1
    if node.op.name in {"mul", "true_div", "neg"}:
        # What is 0 somewhere, whatever it meets, is multiplied with all factors at once.
        return int(any(is_one_of(v, "multiply_no_nan") for v in node.inputs))
    if node.op.name == "dot":
        # A factor in front of a product meets the other factors there, transposed or not.
        return 2 * sum(_is_scaled(v) for v in node.inputs)
    if node.op.from_shape:
        return int(_is_computed(node)) + WAITING * _waits(node)
    return int(node.op.name == "fill" and _is_computed(node))


WAITING = 50
"""Lengths are worked out of those that are there, even if it takes a few steps, before anything."""


def _waits(node: Apply) -> int:
    """How many of the tensors of which an apply needs the shape are computed."""
    count = 0
    for v in node.inputs:
        owner = v.owner
        for _ in range(VIEWS):
            if owner is None or not is_layout(owner):
                break
            owner = owner.inputs[0].owner
        count += owner is not None
    return count


def _is_computed(node: Apply) -> bool:
    """Whether there is something further up from which it could have its elements, or shape."""
    first = node.inputs[0].owner if node.inputs else None
    further = {"subtensor", *ARRANGING}
    return first is not None and (first.op.is_elementwise or first.op.name in further)


FOR_EACH = 4
"""A part of what is computed could be computed of parts of as many tensors as that reads."""

OF_LAYOUT = 16
"""A part of another layout, in which the same part could be found further up."""


def _unread(node: Apply) -> int:
    """More for a part of what is computed on each element, or row, for the part as well."""
    x = node.inputs[0].owner
    if x is None:
        return 0
    if x.op.name == "subtensor" or x.op.name in ARRANGING:
        return OF_LAYOUT
    by_part = x.op.is_elementwise or x.op.name in BY_PART or x.op.fold is not None
    return FOR_EACH * len(x.inputs) if by_part else 0


BY_PART = frozenset({"cast", "dot", "softmax", "logsoftmax", "cumsum", "cumprod", "sort"})
"""Ops, besides those on each element and folds, of which a part can be computed by itself."""


JOINING = frozenset({"join", "stack"})
"""Ops that are done part by part, while what reads them waits."""

COPYING = frozenset({"cast", "join", "stack", "alloc", "full", "extract_diag"})
"""Ops that do no more than to write down each element once."""


def _is_scaled(v: Variable) -> bool:
    """Whether the variable is a multiple of another one."""
    if v.owner is None or not v.ndim or v.owner.op.name not in {"neg", "mul", "true_div"}:
        return False
    return v.owner.op.name == "neg" or any(all(x.broadcastable) for x in v.owner.inputs)


ANY = 20
"""The work of an op of which nothing else is known."""


@cache
def work(op: Op) -> int:
    """The work on one element, counted in the text of the op's kernel."""
    if op.name == "fill":
        return 1  # it is stretched where it is read
    if op.scalar is not None:
        text = op.scalar
        calls, powers = text.count("math."), text.count("power(")
        read = sum(f"{{{port.name}}}" in text for port in op.ports)
        return 1 + read + 8 * calls + 20 * powers + 4 * text.count("/")
    if op.name in COPYING:
        return 2
    if op.name in PRODUCTS or op.name in ALGEBRA:
        return PRODUCTS.get(op.name) or ALGEBRA[op.name]
    if op.view is not None or op.from_shape or op.name in RESHAPING:
        return 1
    return 4 if op.fold is not None else ANY


def _extent(node: Apply) -> int:
    if node.op.view is not None or node.op.from_shape or node.op.name in RESHAPING:
        return 1
    if node.op.name in PRODUCTS:
        return _extent_of(sum(n > 1 for n in _walked(node)))
    axes = 0
    for v in (*node.inputs, *node.outputs):
        axes = max(axes, v.ndim - sum(v.broadcastable))
    return _extent_of(axes)


def _extent_of(axes: int) -> int:
    """What stands for the number of elements; a third axis is worth a detour by matrices."""
    return 1 + axes + max(0, axes - 2)
