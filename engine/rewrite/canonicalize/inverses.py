"""What is done and undone again."""

from __future__ import annotations

from engine.expression import Variable
from engine.ops.special import erf, erfinv
from engine.ops.trigonometry import (
    arccos,
    arcsin,
    arcsinh,
    arctanh,
    cos,
    deg2rad,
    rad2deg,
    sin,
    sinh,
    tanh,
)
from engine.rewrite.pattern import Sides
from engine.rewrite.phases import canonicalize
from engine.rewrite.view import View
from engine.types import FLOATS


def is_a_cosine(x: Variable, view: View) -> bool:
    """Whether every element is NaN or from -1 to 1."""
    known = view.ranges.of(x)
    return known.low >= -1 and known.high <= 1


def cosine_of(x: Variable) -> list[Variable]:
    """What lies between -1 and 1, to draw a law with."""
    return [cos(x)]


@canonicalize(only=FLOATS)
def sinh_of_arcsinh(x: Variable) -> Sides:
    """Both together are a long way back to x."""
    return sinh(arcsinh(x)), x


@canonicalize(only=FLOATS, domain=(0.0, 3.0), when=is_a_cosine, example=cosine_of)
def tanh_of_arctanh(x: Variable) -> Sides:
    """Both together are a long way back to x."""
    return tanh(arctanh(x)), x


@canonicalize(only=FLOATS, when=is_a_cosine, example=cosine_of)
def sine_of_arcsine(x: Variable) -> Sides:
    """Both together are a long way back to x."""
    return sin(arcsin(x)), x


@canonicalize(only=FLOATS, when=is_a_cosine, example=cosine_of)
def cosine_of_arccosine(x: Variable) -> Sides:
    """arccos(x) has lost the digits of a small x; x has all."""
    return cos(arccos(x)), x


@canonicalize(only=FLOATS, domain=(0.1, 3.0), when=is_a_cosine, example=cosine_of)
def erf_of_erfinv(x: Variable) -> Sides:
    """Both together are a long way back to x."""
    return erf(erfinv(x)), x


@canonicalize(only=FLOATS)
def to_degrees_and_back(x: Variable) -> Sides:
    """An angle is what it was before it was told in degrees."""
    return deg2rad(rad2deg(x)), x


@canonicalize(only=FLOATS)
def to_radians_and_back(x: Variable) -> Sides:
    """An angle is what it was before it was told in radians."""
    return rad2deg(deg2rad(x)), x
