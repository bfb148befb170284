"""Systems of equations whose matrix is known to have a structure, or a factor."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.decompositions import cholesky
from engine.ops.diagonals import tril
from engine.ops.solving import cho_solve, solve
from engine.rewrite.canonicalize.matrix_inverses import REGULAR
from engine.rewrite.phases import specialize
from engine.rewrite.rule import ERASES_NAN, Given
from engine.rewrite.view import View
from engine.types import COMPLEX


@specialize.computed(
    ["solve"],
    example=lambda x, y: solve(tril(x), y),
    given={"x": REGULAR, "y": Given((3, 2))},
    tags=[ERASES_NAN],
)
def substitute_in_triangle(node: Apply, view: View) -> Variable | None:
    """The equations of a triangle are solved one after the other, with nothing to eliminate."""
    a, b = node.inputs
    known = view.structures.of(a)
    if node.params["structure"] != "general" or not known.triangular:
        return None
    structure = "lower_triangular" if known.lower else "upper_triangular"
    return solve(a, b, **{**node.params, "structure": structure})


def factor_of(x: Variable, view: View) -> Variable | None:
    """The Cholesky factor of a symmetric matrix, where the graph computes it anyhow."""
    if x.dtype in COMPLEX or not view.structures.of(x).symmetric:
        return None
    for reader, _ in view.readers(x):
        if isinstance(reader, Apply) and reader.op is cholesky:
            return reader.out if reader.params["on_error"] == "raise" else None
    return None


@specialize.computed(
    ["solve"],
    example=lambda x, y: solve(x + x.T, y) + cholesky(x + x.T),
    given={"x": REGULAR, "y": Given((3, 3))},
)
def solve_with_factor_that_is_there(node: Apply, view: View) -> Variable | None:
    """Of a matrix whose Cholesky factor is needed anyhow only two triangles are left to solve."""
    a, b = node.inputs
    factor = factor_of(a, view)
    if factor is None or factor.owner is None or node.params["structure"] in TRIANGLES:
        return None
    if node.params["unit_diagonal"]:
        return None
    return cho_solve(factor, b, factor.owner.params["lower"])


TRIANGLES = {"lower_triangular", "upper_triangular"}
