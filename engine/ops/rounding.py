"""Rounding to whole numbers."""

from typing import Any

import numpy as np

from engine.dtype_rules import floating, of_reals, upcasting
from engine.expression import OPS, Variable
from engine.makers import composed, elementwise, zero_gradient
from engine.op import Gradients, Param

CATEGORY = "Arithmetic"


def _no_slope(g: Variable, y: Variable, x: Variable) -> Gradients:
    return [zero_gradient(x)]


floor = elementwise(
    "floor",
    symbol="⌊x⌋",
    category=CATEGORY,
    tex=r"\lfloor {x} \rfloor",
    doc="The largest integer not above each element, as a float.",
    rule=of_reals(floating),
    numpy=lambda x: np.floor(x),
    scalar="floor({x})",
    grad=_no_slope,
)

ceil = elementwise(
    "ceil",
    symbol="⌈x⌉",
    category=CATEGORY,
    tex=r"\lceil {x} \rceil",
    doc="The smallest integer not below each element, as a float.",
    rule=of_reals(floating),
    numpy=lambda x: np.ceil(x),
    scalar="ceil({x})",
    grad=_no_slope,
)

trunc = elementwise(
    "trunc",
    symbol="x.",
    category=CATEGORY,
    doc="Each element without its fraction, rounded towards zero; integers stay as they are.",
    aliases=("fix",),
    rule=of_reals(upcasting),
    numpy=lambda x: np.trunc(x) if x.dtype.kind == "f" else x,
    scalar="trunc({x})",
    grad=_no_slope,
)

round_half_to_even = elementwise(
    "round_half_to_even",
    symbol="[x]",
    category=CATEGORY,
    doc="The nearest integer, of two equally near ones the even one: 0.5 gives 0 and 1.5 gives 2.",
    aliases=("rint",),
    rule=of_reals(upcasting),
    numpy=lambda x: np.rint(x) if x.dtype.kind == "f" else x,
    scalar="rint({x})",
    grad=_no_slope,
)


def _away_from_zero(x: Any) -> Any:
    if x.dtype.kind != "f":
        return x
    # The fraction is exact; x + 0.5 would round 0.49999999999999994 up.
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.copysign(np.ones((), x.dtype), x), whole)


round_half_away_from_zero = elementwise(
    "round_half_away_from_zero",
    symbol="[x]½",
    category=CATEGORY,
    doc="The nearest integer, of two equally near ones the larger in size: 0.5 gives 1.",
    rule=of_reals(upcasting),
    numpy=_away_from_zero,
    scalar="round_away({x})",
    grad=_no_slope,
)

ROUNDINGS = {"half_to_even": round_half_to_even, "half_away_from_zero": round_half_away_from_zero}
MODE = Param(
    "mode",
    "string",
    "half_to_even",
    "which of two equally near integers",
    choices=tuple(ROUNDINGS),
)


def _round(x: Variable, mode: str | None = None) -> Variable:
    return ROUNDINGS[mode or "half_to_even"](x)


round = composed(
    "round",
    symbol="[x]",
    category=CATEGORY,
    params=(MODE,),
    doc="The nearest integer, as a float; the mode says which of two equally near ones.",
    body=_round,
)

iround = composed(
    "iround",
    symbol="[x]ℤ",
    category=CATEGORY,
    params=(MODE,),
    doc="The nearest integer, as an int64; the mode says which of two equally near ones.",
    body=lambda x, mode=None: OPS["cast"](_round(x, mode), "int64"),
)
