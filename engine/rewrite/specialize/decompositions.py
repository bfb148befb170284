"""Decompositions of what was decomposed already, or of which only numbers are read."""

from __future__ import annotations

from collections.abc import Sequence

from engine.expression import OPS, Apply, Variable
from engine.ops.decompositions import cholesky, singular_values, svd
from engine.ops.eigenvalues import eig, eigh, eigvals, eigvalsh
from engine.ops.matrices import triangle
from engine.ops.products import dot
from engine.rewrite.canonicalize.matrix_inverses import REGULAR
from engine.rewrite.phases import specialize
from engine.rewrite.rule import SHOWS_NAN
from engine.rewrite.structure import are_transposes
from engine.rewrite.view import View
from engine.types import COMPLEX

SOME = {"x": REGULAR}


@specialize.computed(
    ["cholesky"], example=lambda x: cholesky(dot(cholesky(x), cholesky(x).T)), given=SOME
)
def factor_of_its_own_square(node: Apply, view: View) -> Variable | None:
    """A triangle with a positive diagonal times its transpose has that triangle as its factor."""
    x = node.inputs[0]
    if x.owner is None or x.owner.op is not dot or x.ndim != 2 or x.dtype in COMPLEX:
        return None
    left, right = x.owner.inputs
    if not are_transposes(left, right) or left.dtype != node.out.dtype:
        return None
    known = view.structures.of(left)
    if not (known.lower and known.positive and view.structures.is_square(left)):
        return None
    return left if node.params["lower"] else right


@specialize.computed(["svd"], example=lambda x: svd.each(x)[1], given=SOME)
def singular_values_alone(node: Apply, view: View) -> Sequence[Variable] | None:
    """Without the vectors that belong to them, singular values take a fraction of the time."""
    u, _, v = node.outputs
    return _values_alone(view, u, singular_values(node.inputs[0]), v)


@specialize.computed(["eigh"], example=lambda x: eigh.each(x)[0], given=SOME)
def eigenvalues_of_symmetric_alone(node: Apply, view: View) -> Sequence[Variable] | None:
    """Without the vectors that belong to them, eigenvalues take a fraction of the time."""
    lower = node.params["UPLO"] == "L"
    return _values_alone(view, eigvalsh(node.inputs[0], lower), node.outputs[1])


@specialize.computed(["eig"], example=lambda x: OPS["sum"](eig.each(x)[0]), given=SOME)
def eigenvalues_alone(node: Apply, view: View) -> Sequence[Variable] | None:
    """Without the vectors that belong to them, eigenvalues take a fraction of the time."""
    return _values_alone(view, eigvals(node.inputs[0]), node.outputs[1])


def _values_alone(view: View, *results: Variable) -> Sequence[Variable] | None:
    """The results, if those that are kept as they were are not read."""
    kept = [v for v in results if v.owner is not None and len(v.owner.outputs) > 1]
    return None if any(view.readers(v) for v in kept) else results


@specialize.computed(
    ["triangle"], example=lambda x: triangle(cholesky(x), True, 0), given=SOME, tags=[SHOWS_NAN]
)
def triangle_of_triangle(node: Apply, view: View) -> Variable | None:
    """Where there are zeros already nothing has to be put to zero."""
    x = node.inputs[0]
    known = view.structures.of(x)
    p = node.params
    return x if p["offset"] <= 0 and (known.lower if p["lower"] else known.upper) else None
