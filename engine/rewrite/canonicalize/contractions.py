"""Products of tensors, summed over axes, as products of matrices."""

from __future__ import annotations

from collections.abc import Sequence

from engine.expression import Apply, Variable
from engine.ops.axes import dimshuffle
from engine.ops.einsum import LETTERS, einsum, parse
from engine.ops.products import batched_matmul, dot
from engine.ops.reductions import sum
from engine.rewrite.canonicalize.reductions import states_dtype
from engine.rewrite.phases import INEXACT, canonicalize
from engine.rewrite.product import FAMILY as PRODUCTS
from engine.rewrite.rule import Given
from engine.rewrite.view import View
from engine.types import normalize_axes

FITTING = {"x": Given((3, 4)), "y": Given((4, 2))}


@canonicalize.computed(["batched_matmul"], example=lambda x, y: batched_matmul(x, y), given=FITTING)
def product_of_two_matrices(node: Apply, view: View) -> Variable | None:
    """Stacks of a single matrix are multiplied by the routine for two matrices."""
    x, y = node.inputs
    return dot(x, y) if x.ndim == y.ndim == 2 else None


@canonicalize.computed(["einsum"], example=lambda x, y: einsum([x, y], "ij,jk->ki"), given=FITTING)
def contract_as_matrices(node: Apply, view: View) -> Variable | None:
    """Two tensors that meet in one axis are matrices, for whose product there is a fast routine."""
    if len(node.inputs) != 2 or node.out.dtype not in INEXACT:
        return None
    if any(v.dtype != node.out.dtype for v in node.inputs):
        return None
    axes = parse(node.params["subscripts"], tuple(v.ndim for v in node.inputs))
    return contracted(list(zip(axes.operands, node.inputs, strict=True)), axes.out)


def contracted(terms: Sequence[tuple[str, Variable]], out: str) -> Variable | None:
    """The product of two tensors with a letter for each axis; None where it is none of matrices.

    What has one letter in common is a product of matrices, what has none of elements; a letter
    on both sides and in the result counts a stack.
    """
    (left, x), (right, y) = terms
    if any(len(set(letters)) < len(letters) for letters, _ in terms):
        return None
    shared = [c for c in left if c in right]
    if any(x.broadcastable[left.index(c)] != y.broadcastable[right.index(c)] for c in shared):
        return None
    left, x = _summed(left, x, right + out)
    right, y = _summed(right, y, left + out)
    met = [c for c in shared if c not in out]
    stack = [c for c in out if c in shared]
    rows = [c for c in left if c not in shared]
    columns = [c for c in right if c not in shared]
    if not met:
        return _placed(x, left, out) * _placed(y, right, out)
    if len(met) > 1 or len(rows) > 1 or len(columns) > 1:
        return None
    if out == "".join(columns + rows) and not stack:
        (left, x), (right, y), rows, columns = (right, y), (left, x), columns, rows
    if not stack:
        found = dot(_placed(x, left, [*rows, *met]), _placed(y, right, [*met, *columns]))
    else:
        # A vector is a matrix of one row, or one column.
        x = _placed(x, left, [*stack, *(rows or "x"), *met])
        y = _placed(y, right, [*stack, *met, *(columns or "x")])
        found = batched_matmul(x, y)
    have = [*stack, *(rows or ["x"] * bool(stack)), *(columns or ["x"] * bool(stack))]
    pattern = tuple(have.index(c) for c in out)
    return found if pattern == tuple(range(found.ndim)) else dimshuffle(found, pattern)


def _summed(letters: str, x: Variable, elsewhere: str) -> tuple[str, Variable]:
    """The operand summed over what occurs nowhere else."""
    alone = tuple(i for i, c in enumerate(letters) if c not in elsewhere)
    if not alone:
        return letters, x
    return "".join(c for c in letters if c in elsewhere), sum(x, axis=alone)


def _placed(x: Variable, letters: str, order: Sequence[str]) -> Variable:
    """The operand with its axes in an order of letters; it stretches along all others."""
    pattern = tuple(letters.index(c) if c in letters else None for c in order)
    return x if pattern == tuple(range(x.ndim)) else dimshuffle(x, pattern)


@canonicalize.computed(
    ["sum"],
    example=lambda x, y: sum(x.dimshuffle(0, 1, "x") * y.dimshuffle("x", 0, 1), axis=1),
    given=FITTING,
)
def multiply_matrices_without_stretching(node: Apply, view: View) -> Variable | None:
    """A sum of products of what is stretched is a product of matrices, with no larger tensor."""
    x = node.inputs[0]
    if x.dtype not in INEXACT or x.owner is None or x.owner.op.name not in PRODUCTS:
        return None
    if states_dtype(node) or x.ndim < 3 or view.is_shared(x) or node.params["keepdims"]:
        return None
    form = view.product(x)
    number = form.number()
    if number is None or form.cancelled or not form.is_sound() or not 2 <= len(form.factors) <= 8:
        return None
    groups: dict[frozenset[int], list[tuple[Variable, int]]] = {}
    for v, e in form.factors.items():
        groups.setdefault(_walked(v, x.ndim), []).append((v, e))
    largest = sorted(groups, key=len, reverse=True)[:2]
    if len(largest) < 2 or any(not any(g <= top for top in largest) for g in groups):
        return None
    axes = frozenset(normalize_axes(node.params["axis"], x.ndim))
    first, second = largest
    everything = frozenset(range(x.ndim))
    if first | second != everything or everything in largest or not first & second & axes:
        return None
    terms = []
    for top in largest:
        part = form.copy()
        part.coefficient = number if top is first else 1
        part.divisor = 1
        order = sorted(top)
        mine = [g for g in groups if g <= top and (top is first or not g <= first)]
        part.factors = {
            _without_new_axes(v, [a - x.ndim + v.ndim for a in order]): e
            for g in mine
            for v, e in groups[g]
        }
        built = part.build()
        if built is None or built.ndim != len(order):
            return None
        terms.append(("".join(LETTERS[a] for a in order), built))
    return contracted(terms, "".join(LETTERS[a] for a in range(x.ndim) if a not in axes))


def _without_new_axes(v: Variable, kept: Sequence[int]) -> Variable:
    """Some axes of a variable, as far as it has them, the others being of length 1."""
    own = [a for a in kept if a >= 0]
    pattern: tuple[int | None, ...] = tuple(own)
    if v.owner is not None and v.owner.op is dimshuffle:
        pattern, v = tuple(v.owner.params["pattern"][a] for a in own), v.owner.inputs[0]
    return v if pattern == tuple(range(v.ndim)) else dimshuffle(v, pattern)


def _walked(v: Variable, ndim: int) -> frozenset[int]:
    """The axes of the whole along which a factor is not the same everywhere."""
    lead = ndim - v.ndim
    return frozenset(lead + i for i, stretches in enumerate(v.broadcastable) if not stretches)
