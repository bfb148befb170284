"""Distributions of single numbers that are made of one word each, a record for each of them.

They are ordinary expressions, mostly the inverse of the distribution function, so that gradients
by their parameters flow.  Parameters are those of NumPy and, where it has none, of scipy.stats.
"""

import math
from typing import Any

import numpy as np

from engine.errors import ParameterError
from engine.expression import OPS, Constant, Variable
from engine.op import Example, Op, Port
from engine.ops.random import BITS, CHANCE, WHOLE, Draw, cast, check_parameter, distribution
from engine.ops.random_bits import (
    CATEGORY,
    integers_of_bits,
    no_path,
    normal_of_bits,
    truncated_normal_of_bits,
)
from engine.types import FLOATS, TensorType, broadcast

LOC = Port("loc", "where it is centred or starts", default=0.0)
SCALE = Port("scale", "how wide it is", default=1.0)
AVG = Port("avg", "the mean", default=0.0)
STD = Port("std", "the standard deviation", default=1.0)


# Uniform


def _uniform(draw: Draw, low: Variable, high: Variable) -> Variable:
    """From low up to, not including, high: where rounding would reach it, low comes instead."""
    x = low + (high - low) * draw.unit(low.dtype)
    return x if _stays_below(low, high) else OPS["switch"](OPS["lt"](x, high), x, low)


def _stays_below(low: Variable, high: Variable) -> bool:
    """Whether the bounds are known, and the largest number below 1 does not lead up to high."""
    if not isinstance(low, Constant) or not isinstance(high, Constant):
        return False
    if np.any(low.data > high.data):
        raise ParameterError(
            "The lower bound is above the upper one.",
            port="high",
            expected=f"{low!r} or more",
            got=repr(high),
        )
    largest = low.data.dtype.type(1 - 2.0 ** -BITS[low.dtype])
    with np.errstate(over="ignore"):
        return bool(np.all(low.data + (high.data - low.data) * largest < high.data))


random_uniform = distribution(
    "random_uniform",
    symbol="U",
    tex=r"\mathcal{{U}}\left({low}, {high}\right)",
    doc="Random numbers from low up to, not including, high, all equally likely.",
    aliases=("random_sample",),
    parameters=(
        Port("low", "the lower bound, which may come", default=0.0),
        Port("high", "the upper bound, which never comes", default=1.0),
    ),
    values=(-1.0, 2.0),
    body=_uniform,
)


random_integers = distribution(
    "random_integers",
    symbol="⚄",
    tex=r"\left\{{{low}, \dots, {high}\right\}}",
    doc="Random whole numbers from low to high, both included, all equally likely.",
    parameters=(
        Port("low", "the smallest that may come", default=0),
        Port("high", "the largest that may come", default=1),
    ),
    dtype=WHOLE,
    values=(-3, 3),
    body=lambda draw, low, high: integers_of_bits(draw.bits, low, high),
)


# Normal and its relatives


def _normal(draw: Draw, dtype: str) -> Variable:
    return cast(normal_of_bits(draw.bits), dtype)


random_normal = distribution(
    "random_normal",
    symbol="N",
    tex=r"\mathcal{{N}}\left({avg}, {std}^2\right)",
    doc="Random numbers of the normal distribution: a bell of the given mean and width.",
    aliases=("random_gaussian",),
    parameters=(AVG, STD),
    values=(0.5, 2.0),
    body=lambda draw, avg, std: avg + std * _normal(draw, avg.dtype),
)

random_truncated_normal = distribution(
    "random_truncated_normal",
    symbol="N₂",
    doc="Random numbers of the normal distribution, none further than 2 std from avg.",
    parameters=(AVG, Port("std", "that of the whole bell", default=1.0)),
    values=(0.5, 2.0),
    body=lambda draw, avg, std: avg + std * cast(truncated_normal_of_bits(draw.bits), avg.dtype),
)

random_halfnormal = distribution(
    "random_halfnormal",
    symbol="|N|",
    doc="Random numbers of the upper half of a normal distribution.",
    parameters=(LOC, SCALE),
    values=(0.5, 2.0),
    body=lambda draw, loc, scale: loc + scale * abs(_normal(draw, loc.dtype)),
)

random_lognormal = distribution(
    "random_lognormal",
    symbol="eᴺ",
    doc="Random numbers whose logarithms are normal.",
    parameters=(
        Port("mean", "that of the logarithms", default=0.0),
        Port("sigma", "the standard deviation of the logarithms", default=1.0),
    ),
    values=(0.5, 0.7),
    body=lambda draw, mean, sigma: OPS["exp"](mean + sigma * _normal(draw, mean.dtype)),
)


# By inverting the distribution function.  v is in (0, 1).


def _laplace(draw: Draw, loc: Variable, scale: Variable) -> Variable:
    v = draw.open_unit
    side = OPS["sgn"](v - 0.5)
    return loc - scale * cast(side * OPS["log"](2 * OPS["minimum"](v, 1 - v)), loc.dtype)


def _cauchy(draw: Draw, loc: Variable, scale: Variable) -> Variable:
    v = draw.open_unit
    angle = math.pi * OPS["minimum"](v, 1 - v)
    size = OPS["cos"](angle) / OPS["sin"](angle)
    return loc + scale * cast(OPS["sgn"](v - 0.5) * size, loc.dtype)


def _halfcauchy(draw: Draw, loc: Variable, scale: Variable) -> Variable:
    angle = math.pi / 2 * draw.open_unit
    return loc + scale * cast(OPS["cos"](angle) / OPS["sin"](angle), loc.dtype)


def _logistic(draw: Draw, loc: Variable, scale: Variable) -> Variable:
    v = draw.open_unit
    return loc + scale * cast(OPS["log"](v) - OPS["log1p"](-v), loc.dtype)


def _triangular(draw: Draw, left: Variable, mode: Variable, right: Variable) -> Variable:
    v = draw.open_unit
    rising = OPS["lt"](v * (right - left), mode - left)
    # One root of what is positive on either side, so that no gradient is 0/0.
    inner = OPS["switch"](rising, v * (mode - left), (1 - v) * (right - mode))
    root = OPS["sqrt"](inner * (right - left))
    return OPS["switch"](rising, left + root, right - root)


random_exponential = distribution(
    "random_exponential",
    symbol="Exp",
    doc="Random waiting times: numbers above 0, ever less likely, with the mean scale.",
    parameters=(Port("scale", "the mean", default=1.0),),
    values=(2.0,),
    body=lambda draw, scale: scale * cast(draw.standard_exponential, scale.dtype),
)

random_laplace = distribution(
    "random_laplace",
    symbol="Lap",
    doc="Random numbers of the Laplace distribution: exponential to both sides of loc.",
    parameters=(LOC, SCALE),
    values=(0.5, 2.0),
    body=_laplace,
)

random_logistic = distribution(
    "random_logistic",
    symbol="Lgst",
    doc="Random numbers of the logistic distribution, whose distribution function is a sigmoid.",
    parameters=(LOC, SCALE),
    values=(0.5, 2.0),
    body=_logistic,
)

random_cauchy = distribution(
    "random_cauchy",
    symbol="Cau",
    doc="Random numbers of the Cauchy distribution, which has no mean: some are very large.",
    parameters=(LOC, SCALE),
    values=(0.5, 2.0),
    body=_cauchy,
)

random_halfcauchy = distribution(
    "random_halfcauchy",
    symbol="|Cau|",
    doc="Random numbers of the upper half of a Cauchy distribution.",
    parameters=(LOC, SCALE),
    values=(0.5, 2.0),
    body=_halfcauchy,
)

random_gumbel = distribution(
    "random_gumbel",
    symbol="Gum",
    doc="Random numbers of the Gumbel distribution, that of the largest of many.",
    parameters=(LOC, SCALE),
    values=(0.5, 2.0),
    body=lambda draw, loc, scale: (
        loc - scale * cast(OPS["log"](draw.standard_exponential), loc.dtype)
    ),
)

random_weibull = distribution(
    "random_weibull",
    symbol="Wei",
    doc="Random numbers of the Weibull distribution with scale 1.",
    parameters=(Port("shape", "1 is exponential, more is less spread", default=1.0),),
    values=(1.5,),
    body=lambda draw, shape: draw.standard_exponential ** (1 / shape),
)

random_pareto = distribution(
    "random_pareto",
    symbol="Par",
    doc="Random numbers from scale upwards whose chance falls as a power.",
    parameters=(
        Port("b", "the exponent: the larger, the fewer are far up", default=1.0),
        Port("scale", "the smallest that may come", default=1.0),
    ),
    values=(3.0, 2.0),
    body=lambda draw, b, scale: scale * OPS["exp"](draw.standard_exponential / b),
)

random_power = distribution(
    "random_power",
    symbol="vᵃ",
    doc="Random numbers between 0 and 1 whose chance rises as a power.",
    parameters=(Port("a", "the exponent plus 1; 1 is uniform", default=1.0),),
    values=(2.5,),
    body=lambda draw, a: draw.open_unit ** (1 / a),
)

random_rayleigh = distribution(
    "random_rayleigh",
    symbol="Ray",
    doc="Random lengths of vectors in the plane whose coordinates are normal.",
    parameters=(Port("scale", "the standard deviation of a coordinate", default=1.0),),
    values=(2.0,),
    body=lambda draw, scale: scale * OPS["sqrt"](2 * draw.standard_exponential),
)

random_triangular = distribution(
    "random_triangular",
    symbol="△",
    doc="Random numbers from left to right whose chance rises to mode and then falls.",
    parameters=(
        Port("left", "the lower bound", default=0.0),
        Port("mode", "where most come", default=0.5),
        Port("right", "the upper bound", default=1.0),
    ),
    values=(-1.0, 0.5, 3.0),
    body=_triangular,
)

random_truncexpon = distribution(
    "random_truncexpon",
    symbol="Exp₍",
    doc="Random numbers of an exponential distribution, from loc to loc + b scale.",
    parameters=(Port("b", "how many scales it is long", default=1.0), LOC, SCALE),
    values=(1.5, 0.5, 2.0),
    body=lambda draw, b, loc, scale: loc - scale * OPS["log1p"](draw.open_unit * OPS["expm1"](-b)),
)


# Counts of single words


def _of_chance(x: TensorType, p: TensorType, dtype: str) -> TensorType:
    check_parameter(CHANCE, p)
    return broadcast((x, p)).with_dtype(dtype)


below_chance = Op(
    name="below_chance",
    doc="Whether a number in [0, 1) is below the chance p: never for 0, always for 1.",
    category=CATEGORY,
    hidden=True,
    method=False,
    ports=(Port("u"), CHANCE),
    infer=lambda u, p: _of_chance(u, p, "bool"),
    numpy=lambda u, p: np.asarray(u < p),
    rule=lambda dtypes: ("float64", "bool"),
    scalar="{u} < {p}",
    grad=no_path,
    dtypes=FLOATS,
    domain=(0.0, 1.0),
    examples=(Example(((2, 3), (3,))),),
)


def _geometric(v: Any, p: Any) -> Any:
    """The first success of trials with the chance p, by inverting its distribution function."""
    p = np.asarray(p, np.float64)
    if not np.all((p > 0) & (p <= 1)):
        raise ParameterError(
            "The chance of success must be above 0.",
            port="p",
            expected="above 0, at most 1",
            got=f"{np.min(p)} to {np.max(p)}",
        )
    with np.errstate(divide="ignore"):
        trials = np.ceil(np.log(v) / np.log1p(-p))
    return np.asarray(np.clip(trials, 1, 2.0**62)).astype(np.int64)


geometric_of_uniform = Op(
    name="geometric_of_uniform",
    doc="Numbers in (0, 1) as numbers of trials up to the first success, with the chance p.",
    category=CATEGORY,
    hidden=True,
    method=False,
    ports=(Port("v"), CHANCE),
    infer=lambda v, p: _of_chance(v, p, "int64"),
    numpy=_geometric,
    grad=no_path,
    dtypes=FLOATS,
    domain=(0.1, 0.9),
    examples=(Example(((2, 3), (3,))),),
)

random_bernoulli = distribution(
    "random_bernoulli",
    symbol="0|1",
    doc="Random zeros and ones: each is 1 with the chance p.",
    parameters=(CHANCE,),
    dtype=WHOLE,
    values=(0.4,),
    body=lambda draw, p: below_chance(draw.unit(), p),
)

random_geometric = distribution(
    "random_geometric",
    symbol="Geo",
    doc="Random numbers of trials up to the first success.",
    parameters=(CHANCE,),
    dtype=WHOLE,
    values=(0.4,),
    body=lambda draw, p: geometric_of_uniform(draw.open_unit, p),
)
