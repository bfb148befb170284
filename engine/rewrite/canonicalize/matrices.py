"""Products of matrices: transposes, factors, sums and what is trivial in them."""

from __future__ import annotations

from engine.expression import OPS, Apply, Constant, Variable
from engine.ops.axes import dimshuffle
from engine.ops.creation import alloc
from engine.ops.diagonals import extract_diag, eye
from engine.ops.logic import cast, fill
from engine.ops.matrices import swapped
from engine.ops.products import batched_matmul, dot, inner_axes
from engine.ops.reductions import sum
from engine.ops.shape import length
from engine.rewrite.canonicalize.reductions import states_dtype
from engine.rewrite.phases import INEXACT, canonicalize
from engine.rewrite.product import Product
from engine.rewrite.rule import ERASES_NAN, HIDES_ERROR, Given
from engine.rewrite.scalars import constant, number_of
from engine.rewrite.shapes import length_source
from engine.rewrite.structure import are_transposes, is_transpose
from engine.rewrite.sum import FAMILY as SUMS
from engine.rewrite.sum import Term
from engine.rewrite.view import View
from engine.types import normalize_axes

FITTING = {"x": Given((3, 4)), "y": Given((4, 2))}
SQUARE = {name: Given((3, 3)) for name in "xyz"}


def is_product(v: Variable) -> bool:
    """Whether the variable is a product of matrices, of a matrix and a vector, or of stacks."""
    if v.owner is None:
        return False
    if v.owner.op is dot:
        return all(1 <= x.ndim <= 2 for x in v.owner.inputs)
    return v.owner.op is batched_matmul


def is_transposed(v: Variable) -> bool:
    """Whether rows and columns of another matrix are exchanged."""
    return is_transpose(v.owner)


def transpose_of(v: Variable) -> Variable:
    """The transpose of each matrix, which may be there already; a vector as it is."""
    if v.ndim < 2:
        return v
    if is_transposed(v) and v.owner is not None:
        return v.owner.inputs[0]
    return swapped(v)


@canonicalize.computed(["dot"], example=lambda x, y: dot(sum(x), y))
def product_with_number(node: Apply, view: View) -> Variable | None:
    """A number times a matrix is a product of elements."""
    x, y = node.inputs
    if (x.ndim and y.ndim) or node.out.dtype == "bool":
        return None
    return x * y


@canonicalize.computed(
    ["dimshuffle"], example=lambda x, y: dimshuffle(dot(x.T, y), (1, 0)), given=SQUARE
)
def transpose_before_multiplying(node: Apply, view: View) -> Variable | None:
    """The transpose of a product is that of the transposes in reverse, where transposes meet."""
    x = node.inputs[0]
    if not is_transpose(node) or not is_product(x) or x.owner is None or view.is_shared(x):
        return None
    left, right = x.owner.inputs
    if not (is_transposed(left) or is_transposed(right)) or left.ndim != right.ndim:
        return None
    return x.owner.op(transpose_of(right), transpose_of(left))


def is_zero(v: Variable) -> bool:
    """Whether every element is the number 0."""
    while v.owner is not None and v.owner.op.name in {"fill", "alloc", "cast", "dimshuffle"}:
        v = v.owner.inputs[1 if v.owner.op is fill else 0]
    if isinstance(v, Constant) and v.data.size <= LARGEST:
        return bool(v.data.size) and not v.data.any()
    return number_of(v) == 0


LARGEST = 4096
"""Elements of a constant up to which it is looked at."""


@canonicalize.computed(
    ["dot"],
    example=lambda x, y: dot(fill(x, constant(0, x.dtype)), y),
    given=FITTING,
    tags=[ERASES_NAN, HIDES_ERROR],
)
def product_with_zeros(node: Apply, view: View) -> Variable | None:
    """Nothing times a matrix is nothing, if all its numbers are finite."""
    x, y = node.inputs
    axes = inner_axes(x.ndim, y.ndim)
    if axes is None or not (is_zero(x) or is_zero(y)):
        return None
    kept = [
        length(*length_source(v, i, view))
        for v, over in ((x, axes[0]), (y, axes[1]))
        for i in range(v.ndim)
        if i != over
    ]
    zero = constant(0, node.out.dtype)
    out = alloc(zero, *kept) if kept else zero
    return out if out.broadcastable == node.out.broadcastable else None


@canonicalize.computed(
    ["dot", "batched_matmul"],
    example=lambda x, y: dot(eye(x.shape[1], dtype=x.dtype), y),
    given=SQUARE,
    tags=[ERASES_NAN, HIDES_ERROR],
)
def product_with_identity(node: Apply, view: View) -> Variable | None:
    """The identity times a matrix is the matrix."""
    for one, other in (node.inputs, node.inputs[::-1]):
        fits = other.broadcastable == node.out.broadcastable
        if fits and view.structures.of(one).identity:
            return cast(other, node.out.dtype)
    return None


@canonicalize.computed(
    ["dot", "batched_matmul"],
    example=lambda x: dot(OPS["eigh"].each(x)[1].T, OPS["eigh"].each(x)[1]),
    given={"x": Given((3, 3))},
    tags=[ERASES_NAN, HIDES_ERROR],
)
def product_of_rotation_and_back(node: Apply, view: View) -> Variable | None:
    """A rotation and the way back is no rotation at all, but for rounding."""
    x, y = node.inputs
    if not are_transposes(x, y) or not view.structures.of(x).orthogonal or x.ndim != 2:
        return None
    n = length(*length_source(x, 1, view))
    out = eye(n, n, dtype=node.out.dtype)
    return out if out.broadcastable == node.out.broadcastable else None


@canonicalize.computed(
    ["dot"],
    example=lambda x, y: dot(x.dimshuffle(0, "x"), y.dimshuffle("x", 0)),
    given={"x": Given((3,)), "y": Given((4,))},
)
def product_of_column_and_row(node: Apply, view: View) -> Variable | None:
    """Where nothing is summed, each element is one product, which fuses with what follows."""
    x, y = node.inputs
    if x.ndim != 2 or y.ndim != 2 or node.out.dtype == "bool":
        return None
    return x * y if x.broadcastable[1] and y.broadcastable[0] else None


# Factors


@canonicalize.computed(["dot"], example=lambda x, y, z: dot(x * sum(z), y / 3), given=FITTING)
def scale_after_multiplying(node: Apply, view: View) -> Variable | None:
    """A factor that is the same for all that is summed is taken in once, after the sum."""
    if node.out.dtype not in INEXACT or not is_product(node.out):
        return None
    if any(isinstance(r, Apply) and r.op is dot for r, _ in view.readers(node.out)):
        return None  # that product takes the factors of this one along with its own
    chain = [node]
    for part in chain:
        chain += [v.owner for v in part.inputs if v.owner is not None and _is_link(v, node, view)]
        if len(chain) > LONGEST:
            break
    outside = Product(node.out.dtype)
    rebuilt: dict[Variable, Variable] = {}
    for part in reversed(chain):
        inside = list(part.inputs)
        for place, v in enumerate(part.inputs):
            rest = _without_factors(part, place, outside, view, top=part is node)
            inside[place] = rebuilt.get(v, v) if rest is None else rest
        if any(v is not w for v, w in zip(inside, part.inputs, strict=True)):
            rebuilt[part.out] = dot(*inside)
    if node.out not in rebuilt:
        return None
    outside.multiply(rebuilt[node.out], 1)
    return outside.build() if outside.is_sound() else None


LONGEST = 24
"""Products of a chain whose factors are looked for at once."""


def _is_link(v: Variable, node: Apply, view: View) -> bool:
    """Whether a product serves only the one that reads it, and in the same dtype."""
    same = v.owner is not None and v.owner.op is dot and v.dtype == node.out.dtype
    return same and is_product(v) and not view.is_shared(v)


def _without_factors(
    node: Apply, place: int, outside: Product, view: View, *, top: bool
) -> Variable | None:
    """One operand without the factors that go through the product, which go `outside`.

    top: whether the product is the result itself, so that a factor may stand beside its rows.
    """
    x, other = node.inputs[place], node.inputs[1 - place]
    turned = is_transposed(x) and not view.is_shared(x)
    if turned:
        x, top = transpose_of(x), False
    name = x.owner.op.name if x.owner is not None else ""
    if name not in {"mul", "true_div", "neg"} or x.dtype != outside.dtype or view.is_shared(x):
        return None
    if 0 < _elements(x) < _elements(node.out):
        return None
    form = view.product(x).copy()
    if form.cancelled or not form.is_sound():
        return None
    found = Product(form.dtype, form.coefficient, form.divisor)
    form.coefficient = form.divisor = 1
    inner = x.ndim - 1 if place == 0 else max(0, x.ndim - 2)
    for v, e in list(form.factors.items()):
        axis = inner - (x.ndim - v.ndim)
        plain = all(v.broadcastable)
        # What differs from row to row is less work only on a vector of results.
        passes = plain or (top and other.ndim == 1 and (axis < 0 or v.broadcastable[axis]))
        if passes and len(form.factors) > 1:
            form.multiply(v, -e)
            found.multiply(_beside(v, axis, plain, other), e)
    nothing = not found.factors and found.coefficient == found.divisor
    rest = None if nothing else form.build()
    if rest is None or rest.broadcastable != x.broadcastable:
        return None
    outside.coefficient *= found.coefficient
    outside.divisor *= found.divisor
    for v, e in found.factors.items():
        outside.multiply(v, e)
    return swapped(rest) if turned else rest


def _beside(v: Variable, axis: int, plain: bool, other: Variable) -> Variable:
    """A factor as it stands beside the result: without the axis that was summed over."""
    if plain:
        return v.dimshuffle() if v.ndim else v
    if axis < 0:
        return v
    return dimshuffle(v, tuple(k for k in range(v.ndim) if k != axis))


def _elements(v: Variable) -> int:
    """How many elements there are for certain, where all lengths are known; else 0."""
    n = 1
    for known, stretches in zip(v.type.shape, v.broadcastable, strict=True):
        n *= 1 if stretches else known or 0
    return n


@canonicalize.computed(SUMS, example=lambda x, y, z: dot(x, y) - dot(x, z), given=SQUARE)
def add_before_multiplying(node: Apply, view: View) -> Variable | None:
    """xy + xz is x(y + z): one product in place of two."""
    if node.out.dtype not in INEXACT or view.is_part_of(node.out, SUMS):
        return None
    form = view.sum(node.out)
    if not form.is_sound() or form.cancelled:
        return None
    seen: dict[tuple[Variable, int], tuple[object, Term, Variable]] = {}
    for key, term in form.terms.items():
        v = term.base()
        if v is None or v.owner is None or not is_product(v) or v.owner.op is not dot:
            continue
        if term.coefficient not in (1, -1) or v.dtype != form.dtype or view.is_shared(v):
            continue
        for place in (0, 1):
            other = seen.setdefault((v.owner.inputs[place], place), (key, term, v))
            joined = None if other[1] is term else _joined(other[2], other[1], v, term, place)
            if joined is None:
                continue
            changed = form.copy()
            del changed.terms[other[0]]
            changed.terms[key] = Term(1, Product(form.dtype, factors={joined: 1}), joined)
            return changed.build()
    return None


def _joined(v: Variable, one: Term, w: Variable, two: Term, place: int) -> Variable | None:
    """Two products that have an operand in common as one."""
    assert v.owner is not None
    assert w.owner is not None
    common, x, y = v.owner.inputs[place], v.owner.inputs[1 - place], w.owner.inputs[1 - place]
    if (x.dtype, x.broadcastable) != (y.dtype, y.broadcastable):
        return None
    if one.coefficient == two.coefficient:
        rest = x + y if one.coefficient == 1 else -(x + y)
    else:
        rest = x - y if one.coefficient == 1 else y - x
    return dot(common, rest) if place == 0 else dot(rest, common)


# Sums


@canonicalize.computed(["sum"], example=lambda x, y: sum(dot(x, y)), given=FITTING)
def sum_before_multiplying(node: Apply, view: View) -> Variable | None:
    """The sum of all elements of a product needs no matrix: sum first, then multiply vectors."""
    x = node.inputs[0]
    if not is_product(x) or x.owner is None or x.owner.op is not dot or view.is_shared(x):
        return None
    if x.dtype not in INEXACT or states_dtype(node):
        return None
    left, right = x.owner.inputs
    if not left.dtype == right.dtype == x.dtype:
        return None
    axes = normalize_axes(node.params["axis"], x.ndim)
    keepdims = node.params["keepdims"]
    if left.ndim == 2 and 0 in axes:
        left = sum(left, axis=0, keepdims=keepdims)
    if right.ndim == 2 and x.ndim - 1 in axes:
        right = sum(right, axis=1, keepdims=keepdims)
    out = dot(left, right)
    return out if out.broadcastable == node.out.broadcastable else None


@canonicalize.computed(
    ["extract_diag"],
    example=lambda x: extract_diag(dot(x, x.T)),
    given=SQUARE,
    tags=[HIDES_ERROR],
)
def diagonal_of_product(node: Apply, view: View) -> Variable | None:
    """Of a square product the diagonal needs the sums of one row with one column each."""
    x = node.inputs[0]
    if x.ndim != 2 or not is_product(x) or x.owner is None or view.is_shared(x):
        return None
    p = node.params
    if p["offset"] or {p["axis1"] % 2, p["axis2"] % 2} != {0, 1} or x.dtype not in INEXACT:
        return None
    left, right = x.owner.inputs
    patterns = (left.broadcastable, right.broadcastable[::-1])
    if patterns[0] != patterns[1] or not view.structures.is_square(x):
        return None
    return sum(left * transpose_of(right), axis=1)
