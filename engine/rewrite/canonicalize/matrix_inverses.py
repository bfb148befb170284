"""Inverses: the solution of equations in place of most of them."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.arithmetic import inv
from engine.ops.decompositions import qr
from engine.ops.diagonals import alloc_diag, extract_diag
from engine.ops.inverses import dominant, matrix_inverse
from engine.ops.logic import cast
from engine.ops.matrices import columns_scaled, swapped
from engine.ops.products import dot
from engine.ops.solving import solve
from engine.rewrite.canonicalize.matrices import is_product, is_transposed, transpose_of
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import INEXACT, canonicalize
from engine.rewrite.rule import ERASES_NAN, HIDES_ERROR, SHOWS_NAN, Given
from engine.rewrite.view import View

REGULAR = Given((3, 3), draw=lambda rng: dominant(3)(rng)[0])


@canonicalize(tags=[HIDES_ERROR], only=INEXACT, given={"x": REGULAR}, holds="x is regular")
def invert_matrix_twice(x: Variable) -> Sides:
    """The inverse of the inverse is the matrix itself, if it has one."""
    return matrix_inverse(matrix_inverse(x)), x


@canonicalize.computed(
    ["dimshuffle"],
    example=lambda x: swapped(matrix_inverse(swapped(x))),
    given={"x": REGULAR},
)
def transpose_before_inverting(node: Apply, view: View) -> Variable | None:
    """The transpose of an inverse is the inverse of the transpose, where two transposes meet."""
    x = node.inputs[0]
    inverse = x.owner
    if inverse is None or inverse.op is not matrix_inverse or not is_transposed(node.out):
        return None
    if view.is_shared(x) or not is_transposed(inverse.inputs[0]):
        return None
    return matrix_inverse(transpose_of(inverse.inputs[0]))


@canonicalize.computed(
    ["matrix_inverse"],
    example=lambda x: matrix_inverse(qr.each(x, mode="complete")[0]),
    given={"x": REGULAR},
    tags=[HIDES_ERROR],
)
def invert_by_structure(node: Apply, view: View) -> Variable | None:
    """A rotation is undone by its transpose, a diagonal matrix by one over its elements."""
    x = node.inputs[0]
    if x.dtype != node.out.dtype:
        return None
    known = view.structures.of(x)
    if known.identity:
        return x
    if known.orthogonal:
        return transpose_of(x)
    diagonal = x.owner is not None and x.owner.op is alloc_diag and x.ndim == 2
    if known.diagonal and diagonal and x.owner is not None:
        return alloc_diag(inv(x.owner.inputs[0]), **x.owner.params)
    return None


def _inverted(v: Variable, view: View) -> tuple[Variable, bool] | None:
    """The matrix whose inverse this is, and whether that is transposed afterwards."""
    turned = is_transposed(v)
    inner = transpose_of(v) if turned else v
    if view.is_shared(v) or view.is_shared(inner):
        return None
    if inner.owner is None or inner.owner.op is not matrix_inverse:
        return None
    x = inner.owner.inputs[0]
    if is_transposed(x):
        return transpose_of(x), not turned
    return x, turned


@canonicalize.computed(
    ["dot", "batched_matmul"],
    example=lambda x, y: dot(matrix_inverse(x), y),
    given={"x": REGULAR, "y": Given((3, 2))},
    tags=[SHOWS_NAN],
)
def solve_instead_of_inverting(node: Apply, view: View) -> Variable | None:
    """x⁻¹ y solves equations: that takes less time than the inverse, and is more exact."""
    if not is_product(node.out):
        return None
    left, right = node.inputs
    found = _inverted(left, view)
    if found is None or right.ndim not in (1, left.ndim):
        return None
    return _alike(solve(found[0], right, "general", found[1]), node.out)


@canonicalize.computed(
    ["dot", "batched_matmul"],
    example=lambda x, y: dot(y, matrix_inverse(x)),
    given={"x": REGULAR, "y": Given((2, 3))},
    tags=[SHOWS_NAN],
)
def solve_transposed_instead_of_inverting(node: Apply, view: View) -> Variable | None:
    """y x⁻¹ solves the equations of the transpose, for the rows of y."""
    if not is_product(node.out):
        return None
    left, right = node.inputs
    found = _inverted(right, view)
    if found is None or left.ndim not in (1, right.ndim):
        return None
    solved = solve(found[0], transpose_of(left), "general", not found[1])
    return _alike(transpose_of(solved), node.out)


def _alike(found: Variable, model: Variable) -> Variable | None:
    if found.dtype != model.dtype or found.broadcastable != model.broadcastable:
        return None
    return found


@canonicalize.computed(
    ["solve"],
    example=lambda x, y: solve(swapped(x), y),
    given={"x": REGULAR, "y": Given((3, 2))},
)
def solve_with_matrix_as_it_is(node: Apply, view: View) -> Variable | None:
    """The equations of a transpose are solved without transposing."""
    a, b = node.inputs
    if not is_transposed(a):
        return None
    structure = node.params["structure"]
    if structure in {"symmetric", "hermitian", "positive_definite"}:
        return None  # of these the other triangle would be read
    turned = {"lower_triangular": "upper_triangular", "upper_triangular": "lower_triangular"}
    facts = {**node.params, "structure": turned.get(structure, structure)}
    return solve(transpose_of(a), b, **{**facts, "transposed": not node.params["transposed"]})


@canonicalize.computed(
    ["solve"],
    example=lambda x, y: solve(alloc_diag(x), y),
    given={"x": Given((3,), draw=lambda rng: rng.uniform(1, 2, 3)), "y": Given((3, 2))},
    tags=[ERASES_NAN, HIDES_ERROR],
)
def solve_without_elimination(node: Apply, view: View) -> Variable | None:
    """Equations with one unknown each are divided, those of a rotation are turned back."""
    a, b = node.inputs
    p = node.params
    known = view.structures.of(a)
    if a.ndim != 2 or b.ndim > 2 or p["structure"] != "general" or p["unit_diagonal"]:
        return None
    if known.identity:
        return _alike(cast(b, node.out.dtype), node.out)
    if known.diagonal:
        diagonal = extract_diag(a)
        return _alike(b / (diagonal if b.ndim == 1 else diagonal.dimshuffle(0, "x")), node.out)
    if known.orthogonal:
        return _alike(dot(a if p["transposed"] else transpose_of(a), b), node.out)
    return None


@canonicalize(given={"x": Given((3,))})
def diagonal_of_diagonal_matrix(x: Variable) -> Sides:
    """The diagonal of a matrix is the vector that was put there."""
    return extract_diag(alloc_diag(x)), x


@canonicalize.computed(
    ["dot"],
    example=lambda x, y: dot(x, alloc_diag(y)),
    given={"x": Given((4, 3)), "y": Given((3,))},
    tags=[ERASES_NAN],
)
def product_with_diagonal_matrix(node: Apply, view: View) -> Variable | None:
    """A diagonal matrix scales the rows or columns of another one."""
    x, y = node.inputs
    left, right = (_on_diagonal(v) for v in (x, y))
    # Beside the diagonal an axis of length 1 would stretch, which in a product it does not.
    if right is not None and not x.broadcastable[-1]:
        return _alike(x * right if x.ndim == 1 else columns_scaled(x, right), node.out)
    if left is not None and not y.broadcastable[0]:
        scale = left if y.ndim == 1 else left.dimshuffle(0, "x")
        return _alike(scale * y, node.out)
    return None


def _on_diagonal(v: Variable) -> Variable | None:
    """The vector on the diagonal of a matrix that has nothing else."""
    node = v.owner
    if node is None or node.op is not alloc_diag or v.ndim != 2 or node.params["offset"]:
        return None
    x = node.inputs[0]
    return None if x.broadcastable[0] or v.dtype not in INEXACT else x
