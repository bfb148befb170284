"""Theano's `tensor.nnet.abstract_conv`: convolutions with its signatures, and their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from engine.config import config
from engine.errors import ParameterError, ShapeError
from engine.expression import OPS, Constant, Variable, as_variable
from engine.ops.filtering import Convolution
from engine.ops.shape import lengths_of
from engine.ops.windows import differ
from engine.tensor.nnet.conv_shapes import (
    Border,
    Lengths,
    border_mode_to_pad,
    check_conv_gradinputs_shape,
    get_conv_gradinputs_shape,
    get_conv_gradinputs_shape_1axis,
    get_conv_gradweights_shape,
    get_conv_gradweights_shape_1axis,
    get_conv_output_shape,
    get_conv_shape_1axis,
    known_lengths,
)
from engine.types import Shape, shape_text

__all__ = [
    "AbstractConv2d",
    "AbstractConv2d_gradInputs",
    "AbstractConv2d_gradWeights",
    "AbstractConv3d",
    "AbstractConv3d_gradInputs",
    "AbstractConv3d_gradWeights",
    "bilinear_kernel_1D",
    "bilinear_kernel_2D",
    "bilinear_upsampling",
    "border_mode_to_pad",
    "causal_conv1d",
    "check_conv_gradinputs_shape",
    "conv1d",
    "conv2d",
    "conv2d_grad_wrt_inputs",
    "conv2d_grad_wrt_weights",
    "conv2d_transpose",
    "conv3d",
    "conv3d_grad_wrt_inputs",
    "conv3d_grad_wrt_weights",
    "frac_bilinear_upsampling",
    "get_conv_gradinputs_shape",
    "get_conv_gradinputs_shape_1axis",
    "get_conv_gradweights_shape",
    "get_conv_gradweights_shape_1axis",
    "get_conv_output_shape",
    "get_conv_shape_1axis",
    "separable_conv2d",
    "separable_conv3d",
]

# Convolutions.  Each gives the record's op, with the border as its two parameters.


def conv1d(
    input: Any,
    filters: Any,
    input_shape: Lengths | None = None,
    filter_shape: Lengths | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1,),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1,),
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """Convolve (batch, channels, steps) with (filters, channels, steps); as conv2d."""
    params = _params(1, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return _convolved(1, input, filters, input_shape, filter_shape, params)


def conv2d(
    input: Any,
    filters: Any,
    input_shape: Lengths | None = None,
    filter_shape: Lengths | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """Convolve (batch, channels, rows, columns) with (filters, channels, rows, columns).

    input_shape, filter_shape: checked against what is known of the two.
    border_mode: 'valid'; 'half', of a filter at each end; 'full'; zeros for all axes, for each
        axis, or as pairs for the two ends of each axis.
    subsample: the stride.  filter_flip: False correlates.  num_groups: parts of the channels
        with filters of their own, which then have channels / num_groups.
    unshared: filters are (filters, output rows, output columns, channels, rows, columns).

    Raises ShapeError where the two do not fit, TypeMismatchError where one has too few axes.
    """
    params = _params(2, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return _convolved(2, input, filters, input_shape, filter_shape, params)


def conv3d(
    input: Any,
    filters: Any,
    input_shape: Lengths | None = None,
    filter_shape: Lengths | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1, 1, 1),
    num_groups: int = 1,
) -> Variable:
    """Convolve (batch, channels, depth, rows, columns) with filters of as many axes."""
    params = _params(3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _convolved(3, input, filters, input_shape, filter_shape, params)


def separable_conv2d(
    input: Any,
    depthwise_filters: Any,
    pointwise_filters: Any,
    num_channels: int,
    input_shape: Lengths | None = None,
    depthwise_filter_shape: Lengths | None = None,
    pointwise_filter_shape: Lengths | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1, 1),
) -> Variable:
    """Convolve every channel by itself, then mix the channels at each place."""
    deep = conv2d(
        input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample,
        filter_flip, filter_dilation, num_channels,
    )  # fmt: skip
    return conv2d(deep, pointwise_filters, None, pointwise_filter_shape, filter_flip=filter_flip)


def separable_conv3d(
    input: Any,
    depthwise_filters: Any,
    pointwise_filters: Any,
    num_channels: int,
    input_shape: Lengths | None = None,
    depthwise_filter_shape: Lengths | None = None,
    pointwise_filter_shape: Lengths | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1, 1, 1),
) -> Variable:
    """Convolve every channel by itself, then mix the channels at each place."""
    deep = conv3d(
        input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample,
        filter_flip, filter_dilation, num_channels,
    )  # fmt: skip
    return conv3d(deep, pointwise_filters, None, pointwise_filter_shape, filter_flip=filter_flip)


def causal_conv1d(
    input: Any,
    filters: Any,
    filter_shape: Lengths,
    input_shape: Lengths | None = None,
    subsample: int = 1,
    filter_flip: bool = True,
    filter_dilation: int = 1,
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """Convolve (batch, channels, steps) so that each step depends on it and those before it.

    filter_shape: of which the last one must be known: so many steps are padded before the first.
    """
    steps = None if len(filter_shape) != 3 else known_lengths(filter_shape)[2]
    if steps is None:
        raise ParameterError(
            f"The filter_shape of a causal convolution cannot be {tuple(filter_shape)}.",
            port="filter_shape",
            expected="(filters, channels, steps), the steps known",
            got=str(tuple(filter_shape)),
        )
    before = (steps - 1) * filter_dilation
    return conv1d(
        input, filters, input_shape, filter_shape, ((before, 0),), (subsample,), filter_flip,
        (filter_dilation,), num_groups, unshared,
    )  # fmt: skip


# Gradients and transposed convolutions.


def conv2d_grad_wrt_inputs(
    output_grad: Any,
    filters: Any,
    input_shape: Lengths,
    filter_shape: Lengths | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """The gradient of conv2d by its input, given that by its output.

    input_shape: (batch, channels, rows, columns); rows and columns must be numbers or integer
        scalars of the graph, the others may be None.
    """
    params = _params(2, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return _by_inputs(2, output_grad, filters, input_shape, filter_shape, params)


def conv3d_grad_wrt_inputs(
    output_grad: Any,
    filters: Any,
    input_shape: Lengths,
    filter_shape: Lengths | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1, 1, 1),
    num_groups: int = 1,
) -> Variable:
    """The gradient of conv3d by its input, given that by its output."""
    params = _params(3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _by_inputs(3, output_grad, filters, input_shape, filter_shape, params)


def conv2d_grad_wrt_weights(
    input: Any,
    output_grad: Any,
    filter_shape: Lengths,
    input_shape: Lengths | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """The gradient of conv2d by its filters, given that by its output.

    filter_shape: of which rows and columns must be numbers or integer scalars of the graph.
    """
    params = _params(2, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return _by_weights(2, input, output_grad, filter_shape, input_shape, params)


def conv3d_grad_wrt_weights(
    input: Any,
    output_grad: Any,
    filter_shape: Lengths,
    input_shape: Lengths | None = None,
    border_mode: Border = "valid",
    subsample: Sequence[int] = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1, 1, 1),
    num_groups: int = 1,
) -> Variable:
    """The gradient of conv3d by its filters, given that by its output."""
    params = _params(3, border_mode, subsample, filter_flip, filter_dilation, num_groups)
    return _by_weights(3, input, output_grad, filter_shape, input_shape, params)


def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Lengths,
    filter_shape: Lengths | None = None,
    border_mode: Border = "valid",
    input_dilation: Sequence[int] = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Variable:
    """The transpose of conv2d: what was padding crops, what was stride (input_dilation) spreads.

    input: (batch, filters, rows, columns).  filters: as those of the conv2d that it transposes.
    """
    return conv2d_grad_wrt_inputs(
        input, filters, output_shape, filter_shape, border_mode, input_dilation, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip


def _convolved(
    rank: int,
    input: Any,
    filters: Any,
    input_shape: Lengths | None,
    filter_shape: Lengths | None,
    params: dict[str, Any],
) -> Variable:
    x, w = as_variable(input), as_variable(filters)
    out: Variable = OPS[f"conv{rank}d"](x, w, **params)
    image, kernel = _told("input", x, input_shape), _told("filters", w, filter_shape)
    Convolution(rank, **params).output(image, kernel)
    return out


def _by_inputs(
    rank: int,
    output_grad: Any,
    filters: Any,
    input_shape: Lengths,
    filter_shape: Lengths | None,
    params: dict[str, Any],
) -> Variable:
    t, w = as_variable(output_grad), as_variable(filters)
    lengths = as_variable(list(input_shape[-rank:]))
    out: Variable = OPS[f"conv{rank}d_grad_wrt_inputs"](t, w, lengths, **params)
    _told("filters", w, filter_shape)
    _told("input_shape", out, input_shape)
    return out


def _by_weights(
    rank: int,
    input: Any,
    output_grad: Any,
    filter_shape: Lengths,
    input_shape: Lengths | None,
    params: dict[str, Any],
) -> Variable:
    x, t = as_variable(input), as_variable(output_grad)
    lengths = as_variable(list(filter_shape[-rank:]))
    out: Variable = OPS[f"conv{rank}d_grad_wrt_weights"](x, t, lengths, **params)
    _told("input", x, input_shape)
    _told("filter_shape", out, filter_shape)
    return out


def _params(
    rank: int,
    border_mode: Border,
    subsample: Sequence[int],
    filter_flip: bool,
    filter_dilation: Sequence[int],
    num_groups: int,
    unshared: bool = False,
) -> dict[str, Any]:
    """The parameters of the records."""
    named = isinstance(border_mode, str)
    return {
        "border_mode": border_mode if named else "valid",
        "pad": None if named else _flat(border_mode_to_pad(border_mode, rank, ())),
        "subsample": tuple(subsample),
        "filter_flip": filter_flip,
        "filter_dilation": tuple(filter_dilation),
        "num_groups": num_groups,
        "unshared": unshared,
    }


def _flat(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(n for pair in pairs for n in pair)


def _told(name: str, v: Variable, shape: Lengths | None) -> Shape:
    """What is known and what is told of the shape of a variable; ShapeError if these differ."""
    if shape is None:
        return v.type.shape
    told = known_lengths(shape)
    if differ(told, v.type.shape):
        raise ShapeError(
            f"The shape {shape_text(told)} that is told of {name} is not the one that it has, "
            f"{shape_text(v.type.shape)}.",
            port=name,
            expected=shape_text(v.type.shape),
            got=shape_text(told),
        )
    return tuple(b if a is None else a for a, b in zip(told, v.type.shape, strict=True))


# Theano's classes of these ops: made with the parameters, then called on variables.


class _AbstractConv:
    """A convolution of some rank with its parameters, which are those of conv2d."""

    rank: ClassVar[int]

    def __init__(
        self,
        imshp: Lengths | None = None,
        kshp: Lengths | None = None,
        border_mode: Border = "valid",
        subsample: Sequence[int] | None = None,
        filter_flip: bool = True,
        filter_dilation: Sequence[int] | None = None,
        num_groups: int = 1,
        unshared: bool = False,
    ) -> None:
        ones = (1,) * self.rank
        strides, dilation = subsample or ones, filter_dilation or ones
        self.imshp, self.kshp = imshp, kshp
        self.params = _params(
            self.rank, border_mode, strides, filter_flip, dilation, num_groups, unshared
        )

    def _whole(self, told: Lengths | None, shape: Any) -> Lengths:
        """The shape whose last lengths are given, as one vector or one by one."""
        return (*(told or (None,) * (2 + self.rank))[: -self.rank], *lengths_of(shape, self.rank))


class AbstractConv2d(_AbstractConv):
    """conv2d with its parameters."""

    rank = 2

    def __call__(self, img: Any, kern: Any) -> Variable:
        """The convolution of images with filters."""
        return _convolved(self.rank, img, kern, self.imshp, self.kshp, self.params)


class AbstractConv3d(AbstractConv2d):
    """conv3d with its parameters."""

    rank = 3


class AbstractConv2d_gradInputs(_AbstractConv):  # noqa: N801 -- Theano's
    """conv2d_grad_wrt_inputs with its parameters."""

    rank = 2

    def __call__(self, kern: Any, topgrad: Any, shape: Any) -> Variable:
        """The gradient by the images, of which `shape` has the lengths of the last axes."""
        whole = self._whole(self.imshp, shape)
        return _by_inputs(self.rank, topgrad, kern, whole, self.kshp, self.params)


class AbstractConv3d_gradInputs(AbstractConv2d_gradInputs):  # noqa: N801 -- Theano's
    """conv3d_grad_wrt_inputs with its parameters."""

    rank = 3


class AbstractConv2d_gradWeights(_AbstractConv):  # noqa: N801 -- Theano's
    """conv2d_grad_wrt_weights with its parameters."""

    rank = 2

    def __call__(self, img: Any, topgrad: Any, shape: Any) -> Variable:
        """The gradient by the filters, of which `shape` has the lengths of the last axes."""
        whole = self._whole(self.kshp, shape)
        return _by_weights(self.rank, img, topgrad, whole, self.imshp, self.params)


class AbstractConv3d_gradWeights(AbstractConv2d_gradWeights):  # noqa: N801 -- Theano's
    """conv3d_grad_wrt_weights with its parameters."""

    rank = 3


# Upsampling.


def bilinear_kernel_1D(ratio: int, normalize: bool = True) -> Variable:  # noqa: N802 -- Theano's
    """The filter, of floatX, whose transposed convolution puts straight lines between numbers."""
    rise = np.arange(1, ratio + 1, dtype=config.floatX)
    kernel = np.concatenate([rise, rise[-2::-1]])
    return Constant(kernel / kernel.dtype.type(ratio) if normalize else kernel)


def bilinear_kernel_2D(  # noqa: N802 -- Theano's
    ratio: int | tuple[int, int], normalize: bool = True
) -> Variable:
    """The product of two bilinear_kernel_1D; a pair of ratios is for rows and columns."""
    rows, columns = ratio if isinstance(ratio, tuple) else (ratio, ratio)
    vertical = bilinear_kernel_1D(rows, normalize).dimshuffle(0, "x")
    return vertical * bilinear_kernel_1D(columns, normalize).dimshuffle("x", 0)


def bilinear_upsampling(
    input: Any,
    ratio: int | None = None,
    frac_ratio: tuple[Any, Any] | None = None,
    batch_size: int | None = None,
    num_input_channels: int | None = None,
    use_1D_kernel: bool = True,
) -> Variable:
    """Images with `ratio` times as many rows and columns, on straight lines between the old ones.

    frac_ratio: instead, (numerator, denominator), or two such pairs for rows and columns.
    The other arguments only told Theano how to compute it.
    """
    if (ratio is None) == (frac_ratio is None):
        raise ParameterError(
            "Upsampling needs either a ratio or a frac_ratio.",
            port="ratio",
            expected="one of them",
            got="both" if ratio else "none",
        )
    if frac_ratio is not None:
        return frac_bilinear_upsampling(input, frac_ratio)
    return OPS["bilinear_upsampling"](input, (ratio, ratio))


def frac_bilinear_upsampling(input: Any, frac_ratio: tuple[Any, Any]) -> Variable:
    """Images with a fraction as many rows and columns: (3, 2) is 1.5 times as many of each."""
    pair = frac_ratio if isinstance(frac_ratio[0], tuple) else (frac_ratio, frac_ratio)
    (rows, per_rows), (columns, per_columns) = pair
    return OPS["bilinear_upsampling"](input, (rows, columns), (per_rows, per_columns))
