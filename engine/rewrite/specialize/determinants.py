"""Determinants of products, and of what has its determinant on the diagonal."""

from __future__ import annotations

from collections.abc import Sequence

from engine.expression import OPS, Apply, Variable
from engine.ops.arithmetic import abs, inv, sgn, sqr
from engine.ops.decompositions import cholesky
from engine.ops.determinants import det, slogdet
from engine.ops.diagonals import alloc_diag, extract_diag, tril
from engine.ops.exponential import log
from engine.ops.inverses import matrix_inverse
from engine.ops.products import dot
from engine.ops.reductions import prod, sum
from engine.rewrite.canonicalize.matrices import is_product, is_transposed, transpose_of
from engine.rewrite.canonicalize.matrix_inverses import REGULAR
from engine.rewrite.phases import specialize
from engine.rewrite.rule import ERASES_NAN, HIDES_ERROR
from engine.rewrite.scalars import constant
from engine.rewrite.specialize.equations import factor_of
from engine.rewrite.structure import are_transposes
from engine.rewrite.view import View
from engine.types import FLOATS


def diagonal_of(x: Variable) -> Variable:
    """The diagonal of each matrix."""
    if x.owner is not None and x.owner.op is alloc_diag and x.ndim == 2:
        return x.owner.inputs[0]
    return extract_diag(x, axis1=-2, axis2=-1)


def _inexact(node: Apply) -> bool:
    return node.inputs[0].dtype in FLOATS


@specialize.computed(
    ["det"],
    example=lambda x: det(tril(x)),
    given={"x": REGULAR},
    tags=[ERASES_NAN, HIDES_ERROR],
)
def determinant_of_triangle(node: Apply, view: View) -> Variable | None:
    """The determinant of a triangle is the product of its diagonal."""
    x = node.inputs[0]
    if not _inexact(node) or not view.structures.of(x).triangular:
        return None
    return prod(diagonal_of(x), axis=-1)


@specialize.computed(
    ["slogdet"],
    example=lambda x: slogdet.each(tril(x))[1],
    given={"x": REGULAR},
    tags=[ERASES_NAN, HIDES_ERROR],
)
def logarithm_of_determinant_of_triangle(node: Apply, view: View) -> Sequence[Variable] | None:
    """The logarithm of a triangle's determinant is the sum of those of its diagonal."""
    x = node.inputs[0]
    known = view.structures.of(x)
    if not _inexact(node) or not known.triangular:
        return None
    diagonal = diagonal_of(x)
    size = diagonal if known.positive else abs(diagonal)
    return prod(sgn(diagonal), axis=-1), sum(log(size), axis=-1)


@specialize.computed(["det"], example=lambda x: det(x.T), given={"x": REGULAR})
def determinant_of_transpose(node: Apply, view: View) -> Variable | None:
    """Rows and columns count alike in a determinant."""
    x = node.inputs[0]
    return det(transpose_of(x)) if is_transposed(x) else None


@specialize.computed(
    ["det"], example=lambda x: det(dot(x, x)), given={"x": REGULAR}, tags=[HIDES_ERROR]
)
def determinant_of_product(node: Apply, view: View) -> Variable | None:
    """The determinant of a product of square matrices is the product of theirs."""
    factors = _square_factors(node, view)
    return None if factors is None else det(factors[0]) * det(factors[1])


@specialize.computed(
    ["slogdet"],
    example=lambda x: slogdet.each(dot(tril(dot(x, x)), tril(dot(x, x)).T))[1],
    given={"x": REGULAR},
)
def logarithm_of_determinant_of_square(node: Apply, view: View) -> Sequence[Variable] | None:
    """The determinant of a square matrix times its transpose is the square of its own."""
    factors = _square_factors(node, view)
    if factors is None or not are_transposes(*factors):
        return None
    sign, logdet = slogdet.each(
        transpose_of(factors[0]) if is_transposed(factors[0]) else factors[0]
    )
    return sqr(sign), logdet * constant(2, logdet.dtype)


def _square_factors(node: Apply, view: View) -> tuple[Variable, Variable] | None:
    """The two square matrices that a matrix, which nobody else reads, is the product of."""
    x = node.inputs[0]
    if not _inexact(node) or x.ndim != 2 or not is_product(x) or view.is_shared(x):
        return None
    assert x.owner is not None
    left, right = x.owner.inputs
    if not left.dtype == right.dtype == x.dtype or left.ndim != right.ndim:
        return None
    square = view.structures.is_square(x) and view.structures.is_square(left)
    return (left, right) if square else None


@specialize.computed(
    ["det"], example=lambda x: det(matrix_inverse(x)), given={"x": REGULAR}, tags=[HIDES_ERROR]
)
def determinant_of_inverse(node: Apply, view: View) -> Variable | None:
    """The determinant of the inverse is one over that of the matrix."""
    inverse = node.inputs[0].owner
    if inverse is None or inverse.op is not matrix_inverse or view.is_shared(inverse.out):
        return None
    x = inverse.inputs[0]
    return inv(det(x)) if x.dtype in FLOATS else None


@specialize.computed(
    ["slogdet"],
    example=lambda x: slogdet.each(x + x.T)[1] + cholesky(x + x.T),
    given={"x": REGULAR},
)
def determinant_from_factor_that_is_there(node: Apply, view: View) -> Sequence[Variable] | None:
    """The determinant is the square of that of the Cholesky factor, which is needed anyhow."""
    factor = factor_of(node.inputs[0], view)
    if factor is None or not _inexact(node):
        return None
    total = sum(log(diagonal_of(factor)), axis=-1)
    return OPS["fill"](total, constant(1, total.dtype)), constant(2, total.dtype) * total
