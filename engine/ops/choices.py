"""Draws of choices among several, and of numbers that depend on each other."""

import math
from typing import Any

import numpy as np

from engine.errors import ParameterError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.ops.random import (
    CHANCES,
    SIZE,
    WHOLE,
    Draw,
    by_numpy,
    cast,
    check_parameter,
    distribution,
    lengths_of,
)
from engine.ops.random_bits import (
    CATEGORY,
    EXAMPLE_STATE,
    RNG,
    integers_of_bits,
    no_path,
    normal_of_bits,
)
from engine.ops.rejection import REJECTS
from engine.types import FLOATS, INTEGERS, TensorType, broadcast

NUMBER = Port("n", "how many", default=10)
COUNT = Port("count", "how many are chosen", default=1)
ALPHAS = Port("alphas", "the larger, the larger is a share on average")
TOLERANCE = 1e-3
"""How far from 1 chances may sum up, having been computed in a short dtype; they are scaled."""


def _shares(p: Any) -> Any:
    """Chances as float64 that sum up to 1; ParameterError where these are none."""
    p = np.asarray(p, np.float64)
    total = p.sum(axis=-1, keepdims=True)
    if not np.all(p >= 0) or not np.all(np.abs(total - 1) <= TOLERANCE):
        raise ParameterError(
            "The chances must not be negative, and must sum up to 1.",
            port="p",
            expected="0 or more, 1 together",
            got=f"{p.min():g} to {p.max():g}, {total.min():g} to {total.max():g} together"
            if p.size
            else "no chances",
        )
    return p / total


# One of several


def _category(u: Any, p: Any) -> Any:
    """The first place up to which the chances sum up to more than u; u is in [0, 1)."""
    ends = np.cumsum(_shares(p), axis=-1)
    # Rounding must not leave a gap at the end, into which only u near 1 would fall.
    ends /= ends[..., -1:]
    return (ends <= np.asarray(u)[..., None]).sum(axis=-1)


def _category_type(u: TensorType, p: TensorType) -> TensorType:
    check_parameter(CHANCES, p)
    first = TensorType(u.dtype, p.shape[:-1], p.broadcastable[:-1])
    return broadcast((u, first)).with_dtype("int64")


category_of_uniform = Op(
    name="category_of_uniform",
    doc="The number in [0, 1) as one of several that have the chances p.",
    category=CATEGORY,
    hidden=True,
    method=False,
    ports=(Port("u"), CHANCES),
    infer=_category_type,
    numpy=_category,
    grad=no_path,
    dtypes=FLOATS,
    examples=(Example(draw=lambda rng: [np.array([0.1, 0.7]), np.array([0.2, 0.3, 0.5])]),),
)

random_categorical = distribution(
    "random_categorical",
    symbol="1 of",
    doc="Random whole numbers from 0, each as likely as p says at its place.",
    parameters=(CHANCES,),
    trailing=(1,),
    dtype=WHOLE,
    values=(np.array([0.2, 0.3, 0.5]),),
    body=lambda draw, p: category_of_uniform(draw.unit(), p),
)


# Counts and shares

draw_multinomial = by_numpy(
    "draw_multinomial",
    "Random counts of n choices of several with the chances p.",
    (NUMBER, CHANCES),
    lambda generator, n, p, size: generator.multinomial(n, _shares(p), size),
    (6, np.array([0.2, 0.3, 0.5])),
    whole=True,
    trailing=(0, 1),
    added=lambda types, known: types[1].shape[-1:],
)

random_multinomial = distribution(
    "random_multinomial",
    symbol="Mult",
    doc="Random counts: how often each of several comes among n choices with the chances p.",
    parameters=(Port("n", "how many choices", default=1), CHANCES),
    trailing=(0, 1),
    dtype=WHOLE,
    values=(6, np.array([0.2, 0.3, 0.5])),
    body=lambda draw, n, p: draw.by(draw_multinomial, n, p),
)


def _dirichlet(generator: np.random.Generator, alphas: Any, size: tuple[int, ...]) -> Any:
    """Gamma numbers, divided by their sum.

    A gamma number of shape a is one of shape a + 1 times U to the power of 1 / a; in logarithms
    it does not become 0 where a is small.
    """
    alphas = np.asarray(alphas, np.float64)
    if not np.all(alphas > 0):
        raise ParameterError(
            "The alphas must be above 0.",
            port="alphas",
            expected="above 0",
            got=f"{np.min(alphas)} to {np.max(alphas)}",
        )
    shape = (*size, alphas.shape[-1])
    logs = np.log(generator.standard_gamma(alphas + 1, shape))
    logs += np.log1p(-generator.random(shape)) / alphas
    shares = np.exp(logs - logs.max(axis=-1, keepdims=True, initial=-np.inf))
    return shares / shares.sum(axis=-1, keepdims=True)


draw_dirichlet = by_numpy(
    "draw_dirichlet",
    "Random shares of the Dirichlet distribution.",
    (ALPHAS,),
    _dirichlet,
    (np.array([1.5, 2.5, 0.5]),),
    whole=False,
    trailing=(1,),
    added=lambda types, known: types[0].shape[-1:],
    no_grad=REJECTS,
)

random_dirichlet = distribution(
    "random_dirichlet",
    symbol="Dir",
    doc="Random shares that sum up to 1 along the last axis.",
    parameters=(ALPHAS,),
    trailing=(1,),
    values=(np.array([1.5, 2.5, 0.5]),),
    body=lambda draw, alphas: draw.by(draw_dirichlet, alphas),
    no_grad=REJECTS,
)


def _correlated(z: Any, cov: Any) -> Any:
    try:
        root = np.linalg.cholesky(np.asarray(cov, np.float64))
    except np.linalg.LinAlgError:
        raise ParameterError(
            "The covariance is not positive definite.",
            port="cov",
            expected="a symmetric matrix whose eigenvalues are above 0",
            got=np.array2string(np.asarray(cov), threshold=9),
        ) from None
    return (root @ np.asarray(z, np.float64)[..., None])[..., 0]


def _correlated_type(z: TensorType, cov: TensorType) -> TensorType:
    if z.ndim < 1 or cov.ndim < 2 or not {z.dtype, cov.dtype} <= FLOATS:
        raise TypeMismatchError(
            "A covariance is a matrix of floats, for a vector of them.",
            port="cov",
            expected="a float dtype and two axes or more",
            got=str(cov),
        )
    row = TensorType(cov.dtype, cov.shape[:-1], cov.broadcastable[:-1])
    return broadcast((z, row)).with_dtype("float64")


correlated = Op(
    name="correlated",
    doc="Independent numbers of variance 1 made to have a covariance, by its Cholesky factor.",
    category=CATEGORY,
    hidden=True,
    method=False,
    ports=(Port("z"), Port("cov")),
    infer=_correlated_type,
    numpy=_correlated,
    no_grad="the Cholesky factor of a covariance is not followed back",
    dtypes=FLOATS,
    examples=(
        Example(draw=lambda rng: [rng.normal(size=(4, 2)), np.array([[2.0, 0.5], [0.5, 1.0]])]),
    ),
)


def _multivariate_normal(draw: Draw, mean: Variable, cov: Variable) -> Variable:
    wide = Draw(draw.rng, [*draw.lengths, OPS["shape"](mean)[mean.ndim - 1]])
    return mean + cast(correlated(normal_of_bits(wide.bits), cov), mean.dtype)


random_multivariate_normal = distribution(
    "random_multivariate_normal",
    symbol="Nₖ",
    doc="Random vectors of normal numbers with a covariance, along the last axis.",
    parameters=(
        Port("mean", "the means, along the last axis"),
        Port("cov", "the covariance, along the last two axes"),
    ),
    trailing=(1, 2),
    values=(np.array([1.0, -1.0]), np.array([[2.0, 0.5], [0.5, 1.0]])),
    body=_multivariate_normal,
    no_grad="it flows by the mean only",
)


# Orders and choices without repetition


def _count(known: Any) -> tuple[int | None]:
    return (None if known is None else int(known),)


draw_permutation = by_numpy(
    "draw_permutation",
    "Random orders of the integers below n.",
    (NUMBER,),
    lambda generator, n, size: generator.permuted(
        np.broadcast_to(np.arange(int(n)), (*size, int(n))), axis=-1
    ),
    (),
    whole=True,
    added=lambda types, known: _count(known[0]),
)

random_permutation = distribution(
    "random_permutation",
    symbol="⤮",
    doc="The whole numbers below n in a random order, along the last axis.",
    parameters=(NUMBER,),
    dtype=WHOLE,
    values=(),
    body=lambda draw, n: draw.by(draw_permutation, _scalar(n, "n")),
)


def _distinct(generator: np.random.Generator, p: Any, count: Any, size: tuple[int, ...]) -> Any:
    """An exponential race: waiting times with the rates p; the first ones are chosen.

    It is as if one was chosen after the other, those left over keeping their proportions.
    """
    shares = _shares(p)
    if not 0 <= count <= np.count_nonzero(shares, axis=-1).min(initial=int(count)):
        raise ParameterError(
            f"{count} different ones cannot be chosen: too few have a chance.",
            port="count",
            expected=f"at most {np.count_nonzero(shares, axis=-1).min(initial=0)}",
            got=str(count),
        )
    with np.errstate(divide="ignore"):
        times = generator.standard_exponential((*size, shares.shape[-1])) / shares
    return np.argsort(times, axis=-1)[..., : int(count)]


draw_distinct = by_numpy(
    "draw_distinct",
    "Different choices among several with the chances p.",
    (CHANCES, COUNT),
    _distinct,
    (np.array([0.2, 0.3, 0.5]),),
    whole=True,
    trailing=(1, 0),
    added=lambda types, known: _count(known[1]),
)

random_distinct = distribution(
    "random_distinct",
    symbol="k of",
    doc="Different whole numbers along the last axis, chosen one after the other, each of those "
    "left over as likely as p says at its place.",
    parameters=(CHANCES, COUNT),
    trailing=(1, 0),
    dtype=WHOLE,
    values=(np.array([0.2, 0.3, 0.5]),),
    body=lambda draw, p, count: draw.by(draw_distinct, p, _scalar(count, "count")),
)

draw_sample = by_numpy(
    "draw_sample",
    "Different integers below n.",
    (NUMBER,),
    lambda generator, n, size: generator.choice(int(n), size, replace=False),
    (5,),
    whole=True,
)

draw_weighted_sample = by_numpy(
    "draw_weighted_sample",
    "Different choices among several with the chances p.",
    (CHANCES,),
    lambda generator, p, size: _distinct(generator, p, math.prod(size), ()).reshape(size),
    (np.array([0.2, 0.3, 0.5]),),
    whole=True,
    trailing=(1,),
)


def _gathered_type(x: TensorType, places: TensorType) -> TensorType:
    pattern = (*places.broadcastable, *x.broadcastable[1:])
    return TensorType(x.dtype, (*places.shape, *x.shape[1:]), pattern)


def _scattered(x: Any, places: Any, g: Any) -> Any:
    out = np.zeros(x.shape, g.dtype)
    np.add.at(out, places, g)
    return out


gathered: Op = Op(
    name="gathered",
    doc="The parts of x at places along its first axis.",
    category=CATEGORY,
    hidden=True,
    method=False,
    ports=(Port("x"), Port("places")),
    infer=_gathered_type,
    numpy=lambda x, places: np.asarray(np.take(x, places, axis=0)),
    grad=lambda g, y, x, places: [scattered(x, places, g), None],
    conjugates=False,
    examples=(Example(draw=lambda rng: [rng.normal(size=(4, 2)), np.array([[0, 3], [3, 1]])]),),
)

scattered: Op = Op(
    name="scattered",
    doc="Zeros in the shape of x, to which the parts of g are added at places.",
    category=CATEGORY,
    hidden=True,
    method=False,
    ports=(Port("x"), Port("places"), Port("g")),
    infer=lambda x, places, g: x.with_dtype(g.dtype),
    numpy=_scattered,
    grad=lambda dy, y, x, places, g: [None, None, gathered(dy, places)],
    conjugates=False,
    dtypes=FLOATS,
    examples=(Example(draw=lambda rng: [np.zeros(4), np.array([0, 3, 3]), rng.normal(size=3)]),),
)


def _ordered(x: Any, orders: Any, back: bool) -> Any:
    if not back:
        return np.take_along_axis(x, orders, axis=-1)
    out = np.empty_like(x)
    np.put_along_axis(out, orders, x, axis=-1)
    return out


ordered: Op = Op(
    name="ordered",
    doc="Each row of x, along the last axis, in an order of its own; or back from that order.",
    category=CATEGORY,
    hidden=True,
    method=False,
    ports=(Port("x"), Port("orders")),
    params=(Param("back", "bool", False, "whether x is in that order already"),),
    infer=lambda x, orders, back: x,
    numpy=_ordered,
    grad=lambda g, y, x, orders, back: [ordered(g, orders, not back), None],
    conjugates=False,
    examples=(
        Example(draw=lambda rng: [rng.normal(size=(2, 3)), np.array([[1, 2, 0], [0, 2, 1]])]),
        Example(
            draw=lambda rng: [rng.normal(size=(2, 3)), np.array([[1, 2, 0], [0, 2, 1]])],
            params={"back": True},
        ),
    ),
)


def chosen(
    rng: Variable, a: Variable, p: Variable | None, size: Variable, replace: bool, dtype: str | None
) -> Variable:
    """Elements of the vector a, or whole numbers below the number a.

    p: the chance of each, a vector; all are equally likely without it.
    replace: whether one may be chosen again.
    dtype: that of the result; without it that of a vector, int64 for a number.

    Raises TypeMismatchError where a or p is no such thing.
    """
    if a.ndim > 1 or (a.ndim == 0 and a.dtype not in INTEGERS):
        raise TypeMismatchError(
            "A choice is made among the elements of a vector, or the integers below a number.",
            port="a",
            expected="a vector or an integer",
            got=str(a.type),
        )
    if p is not None and p.ndim != 1:
        raise TypeMismatchError(
            "The chances of a choice are a vector.", port="p", expected="a vector", got=str(p.type)
        )
    draw = Draw(rng, lengths_of(size, []))
    count = cast(OPS["shape"](a)[0] if a.ndim else a, "int64")
    if p is not None and replace:
        places = category_of_uniform(draw.unit(), p)
    elif p is not None:
        places = draw.by(draw_weighted_sample, p)
    elif replace:
        places = integers_of_bits(draw.bits, 0, count - 1)
    else:
        places = draw.by(draw_sample, count)
    found = gathered(a, places) if a.ndim else places
    return cast(found, dtype or found.dtype)


random_choice = composed(
    "random_choice",
    symbol="∈",
    category=CATEGORY,
    method=False,
    draws=True,
    doc="Random elements of the vector a, or whole numbers below the number a.",
    ports=(RNG, Port("a", "a vector, or a whole number", default=2), SIZE),
    params=(
        Param("replace", "bool", True, "whether one may be chosen again"),
        Param("dtype", "dtype", None, "the dtype of every element; that of a if none"),
    ),
    body=lambda rng, a, size, replace, dtype: chosen(rng, a, None, size, replace, dtype),
    dtypes=FLOATS,
    examples=(Example(draw=lambda rng: [EXAMPLE_STATE, np.array(5)]),),
)


def _scalar(v: Variable, port: str) -> Variable:
    if v.ndim:
        raise TypeMismatchError(
            f"{port} must be one number.", port=port, expected="a scalar", got=str(v.type)
        )
    return v
