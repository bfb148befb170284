"""Logarithms of determinants."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.ops.arithmetic import abs
from engine.ops.determinants import det, slogdet
from engine.ops.exponential import log
from engine.ops.inverses import dominant
from engine.ops.logic import lt, switch
from engine.rewrite.phases import stabilize
from engine.rewrite.rule import Given
from engine.rewrite.scalars import constant
from engine.rewrite.view import View
from engine.types import FLOATS

REGULAR = Given((3, 3), draw=lambda rng: dominant(3)(rng)[0])


def _determined(v: Variable, view: View) -> Variable | None:
    """The matrix whose determinant this is, if only the logarithm is wanted."""
    node = v.owner
    if node is None or node.op is not det or view.is_shared(v) or v.dtype not in FLOATS:
        return None
    return node.inputs[0]


@stabilize.computed(["log"], example=lambda x: log(abs(det(x))), given={"x": REGULAR})
def log_of_size_of_determinant(node: Apply, view: View) -> Variable | None:
    """A determinant overflows where its logarithm is a number like any other."""
    size = node.inputs[0].owner
    if size is None or size.op is not abs or view.is_shared(size.out):
        return None
    x = _determined(size.inputs[0], view)
    return None if x is None else slogdet.each(x)[1]


@stabilize.computed(["log"], example=lambda x: log(det(x)), given={"x": REGULAR})
def log_of_determinant(node: Apply, view: View) -> Variable | None:
    """A determinant overflows where its logarithm is a number like any other, or NaN below 0."""
    x = _determined(node.inputs[0], view)
    if x is None:
        return None
    sign, logdet = slogdet.each(x)
    known = view.structures.of(x)
    if known.positive and known.triangular:
        return logdet
    return switch(lt(sign, constant(0, sign.dtype)), constant_nan(logdet.dtype), logdet)


def constant_nan(dtype: str) -> Variable:
    """Not a number, of a dtype."""
    return constant(float("nan"), dtype)
