"""Normalisations: activations brought to mean 0 and variance 1 over some of their axes."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import ShapeError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Param, Port
from engine.types import to_float

CATEGORY = "Normalisation"
EPSILON = Param("epsilon", "float", 1e-5, "what is added to the variance, so that none is 0", min=0)
SCALE = Port("gamma", "what the normalised values are multiplied by")
SHIFT = Port("beta", "what is added to them then")


def _number(x: Variable, value: float) -> Variable:
    return OPS["cast"](value, to_float(x.dtype))


def moments(x: Variable, axes: Sequence[int]) -> tuple[Variable, Variable]:
    """Mean and variance over some axes, which are kept with length 1."""
    mean = OPS["mean"](x, axis=tuple(axes), keepdims=True)
    return mean, OPS["mean"](OPS["sqr"](x - mean), axis=tuple(axes), keepdims=True)


def standardized(x: Variable, axes: Sequence[int], epsilon: float) -> Variable:
    """x with mean 0 and variance 1 over some axes."""
    mean, variance = moments(x, axes)
    return (x - mean) / OPS["sqrt"](variance + _number(x, epsilon))


batch_normalization = composed(
    "batch_normalization",
    symbol="BN",
    category=CATEGORY,
    doc="x less a mean, over a standard deviation, times gamma, plus beta.",
    ports=(Port("x"), SCALE, SHIFT, Port("mean"), Port("std", "the standard deviation")),
    domain=((-3.0, 3.0), (0.5, 2.0), (-1.0, 1.0), (-1.0, 1.0), (0.5, 2.0)),
    examples=(Example(((4, 3), *(((3,),) * 4))),),
    body=lambda x, gamma, beta, mean, std: (x - mean) * (gamma / std) + beta,
)


def _batch_standardization(
    x: Variable, gamma: Variable, beta: Variable, epsilon: float
) -> Variable:
    axes = [0, *range(2, x.ndim)]
    return standardized(x, axes, epsilon) * _along(gamma, x, 1) + _along(beta, x, 1)


def _along(v: Variable, x: Variable, axis: int) -> Variable:
    """A vector along one axis of x, stretched along all others."""
    if v.ndim == 0:
        return v
    if v.ndim != 1:
        raise ShapeError(
            f"There is one number for each channel, so {v!r} must be a vector.",
            expected="a vector",
            got=str(v.type),
        )
    return v.dimshuffle(*(0 if i == axis else "x" for i in range(x.ndim)))


batch_norm = composed(
    "batch_norm",
    symbol="BN₁",
    category=CATEGORY,
    doc="Each channel (axis 1) brought to mean 0 and variance 1 over the batch, scaled and moved.",
    ports=(Port("x", "a batch: rows, or images as (batch, channels, rows, columns)"), SCALE, SHIFT),
    params=(EPSILON,),
    examples=(Example(((4, 3), (3,), (3,))), Example(((2, 3, 2, 2), (3,), (3,)))),
    body=_batch_standardization,
)


def _layer(
    x: Variable, gamma: Variable, beta: Variable, axis: Sequence[int], epsilon: float
) -> Variable:
    return standardized(x, axis, epsilon) * gamma + beta


layer_norm = composed(
    "layer_norm",
    symbol="LN",
    category=CATEGORY,
    aliases=("layer_normalization",),
    doc="Each example brought to mean 0 and variance 1 over its last axes, scaled and moved.",
    ports=(Port("x"), SCALE, SHIFT),
    params=(Param("axis", "ints", (-1,), "the axes to normalise over"), EPSILON),
    examples=(
        Example(((2, 4), (4,), (4,))),
        Example(((2, 3, 2), (3, 2), (3, 2)), {"axis": (-2, -1)}),
    ),
    body=_layer,
)


def _group(x: Variable, gamma: Variable, beta: Variable, groups: int, epsilon: float) -> Variable:
    channels = x.type.shape[1] if x.ndim > 1 else None
    if x.ndim < 2 or (channels is not None and channels % groups):
        raise ShapeError(
            f"The channels of {x.type} (axis 1) cannot be put into {groups} groups of one size.",
            port="x",
            expected=f"(batch, channels, …) with a multiple of {groups} channels",
            got=str(x.type),
        )
    shape = OPS["shape"](x)
    split = OPS["stack"]([shape[0], OPS["cast"](groups, "int64"), OPS["cast"](-1, "int64")])
    grouped = OPS["reshape"](x, split, ndim=3)
    normal = OPS["reshape"](standardized(grouped, [2], epsilon), shape, ndim=x.ndim)
    return normal * _along(gamma, x, 1) + _along(beta, x, 1)


group_norm = composed(
    "group_norm",
    symbol="GN",
    category=CATEGORY,
    aliases=("group_normalization",),
    doc="Groups of channels (axis 1) brought to mean 0 and variance 1, scaled and moved.",
    # Wu and He, Group Normalization, 2018.  One group is layer, as many as channels instance norm.
    ports=(Port("x", "(batch, channels, …)"), SCALE, SHIFT),
    params=(Param("groups", "int", 1, "how many groups the channels form", min=1), EPSILON),
    examples=(Example(((2, 4, 3), (4,), (4,)), {"groups": 2}),),
    body=_group,
)

rms_norm = composed(
    "rms_norm",
    symbol="RMS",
    category=CATEGORY,
    doc="x over the root of its mean square along the last axis, scaled.",
    # Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.
    ports=(Port("x"), SCALE),
    params=(EPSILON,),
    examples=(Example(((2, 4), (4,))),),
    body=lambda x, gamma, epsilon: (
        x
        / OPS["sqrt"](OPS["mean"](OPS["sqr"](x), axis=-1, keepdims=True) + _number(x, epsilon))
        * gamma
    ),
)
