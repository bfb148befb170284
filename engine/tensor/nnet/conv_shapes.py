"""The shapes of convolutions and of what their gradients are by, as Theano's functions.

Lengths are numbers or integer scalars of the graph; None is one that is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import ParameterError
from engine.expression import Constant, Variable
from engine.ops.windows import differ
from engine.types import Shape

Border = str | int | Sequence[int | Sequence[int]]
"""'valid', 'half', 'full', 'same', or zeros: for all axes, for each, or for each end of each."""
Lengths = Sequence[Any]
"""A shape that is told: a length for each axis, None where it is not known."""


def known_lengths(shape: Lengths) -> Shape:
    """The lengths that are numbers or constants."""
    plain = (n.data if isinstance(n, Constant) else n for n in shape)
    return tuple(None if n is None or isinstance(n, Variable) else int(n) for n in plain)


def border_mode_to_pad(
    mode: Border, convdim: int, kshp: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """The zeros before and after each axis, for filters that cover `kshp`."""
    match mode:
        case "valid":
            return ((0, 0),) * convdim
        case "half":
            return tuple((n // 2, n // 2) for n in kshp)
        case "full":
            return tuple((n - 1, n - 1) for n in kshp)
        case int():
            return ((_zeros(mode, mode),) * 2,) * convdim
        case tuple() | list() if len(mode) == convdim:
            ends = [m if isinstance(m, tuple | list) else (m, m) for m in mode]
            if all(len(pair) == 2 for pair in ends):
                return tuple((_zeros(a, mode), _zeros(b, mode)) for a, b in ends)
    raise _no_border(mode, convdim)


def _zeros(n: Any, mode: Border) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise _no_border(mode)
    return int(n)


def _no_border(mode: Border, convdim: int | None = None) -> ParameterError:
    axes = f"each of the {convdim} axes" if convdim else "each axis"
    return ParameterError(
        f"border_mode cannot be {mode!r}.",
        port="border_mode",
        expected="a name, a number, or a tuple",
        got=repr(mode),
        hint="It is 'valid', 'half', 'full' or 'same', a number of zeros, or a tuple that has for "
        f"{axes} a number, or a pair of numbers where its ends differ.",
    )


def get_conv_output_shape(
    image_shape: Lengths,
    kernel_shape: Lengths,
    border_mode: Border,
    subsample: Sequence[int],
    filter_dilation: Sequence[int] | None = None,
) -> tuple[Any, ...]:
    """The shape of a convolution."""
    axes = _axes(image_shape, kernel_shape, border_mode, subsample, filter_dilation)
    return (image_shape[0], kernel_shape[0], *(get_conv_shape_1axis(*axis) for axis in axes))


def get_conv_shape_1axis(
    image_shape: Any, kernel_shape: Any, border_mode: Any, subsample: Any, dilation: Any = 1
) -> Any:
    """The length of a convolution along one axis."""
    if any(n is None for n in (image_shape, kernel_shape, border_mode, subsample, dilation)):
        return None
    span = (kernel_shape - 1) * dilation + 1
    return (image_shape - span + _margin(border_mode, span)) // subsample + 1


def get_conv_gradinputs_shape(
    kernel_shape: Lengths,
    top_shape: Lengths,
    border_mode: Border,
    subsample: Sequence[int],
    filter_dilation: Sequence[int] | None = None,
    num_groups: int = 1,
) -> tuple[Any, ...]:
    """The shape of the image of a convolution; None along an axis where several would do."""
    axes = _axes(top_shape, kernel_shape, border_mode, subsample, filter_dilation)
    lengths = (get_conv_gradinputs_shape_1axis(k, top, *rest) for top, k, *rest in axes)
    channels = kernel_shape[1 - len(top_shape)]
    return (top_shape[0], None if channels is None else channels * num_groups, *lengths)


def get_conv_gradinputs_shape_1axis(
    kernel_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, dilation: Any
) -> Any:
    """The length of the image along one axis; None where several would do."""
    if any(n is None for n in (kernel_shape, top_shape, border_mode, dilation)) or subsample != 1:
        return None
    span = (kernel_shape - 1) * dilation + 1
    return top_shape + span - 1 - _margin(border_mode, span)


def get_conv_gradweights_shape(
    image_shape: Lengths,
    top_shape: Lengths,
    border_mode: Border,
    subsample: Sequence[int],
    filter_dilation: Sequence[int] | None = None,
    num_groups: int = 1,
    unshared: bool = False,
) -> tuple[Any, ...]:
    """The shape of the filters of a convolution; None along an axis where several would do."""
    axes = _axes(image_shape, top_shape, border_mode, subsample, filter_dilation)
    lengths = (get_conv_gradweights_shape_1axis(*axis) for axis in axes)
    channels = None if image_shape[1] is None else image_shape[1] // num_groups
    own = top_shape[2:] if unshared else ()
    return (top_shape[1], *own, channels, *lengths)


def get_conv_gradweights_shape_1axis(
    image_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, dilation: Any
) -> Any:
    """The length of the filters along one axis; None where several would do."""
    if any(n is None for n in (image_shape, top_shape, border_mode, dilation)):
        return None
    if subsample != 1 or border_mode in ("half", "same"):
        return None
    if border_mode == "full":
        return (top_shape - image_shape) // dilation + 1
    return (image_shape + _margin(border_mode, 0) - top_shape) // dilation + 1


def check_conv_gradinputs_shape(
    image_shape: Lengths,
    kernel_shape: Lengths,
    output_shape: Lengths,
    border_mode: Border,
    subsample: Sequence[int],
    filter_dilation: Sequence[int] | None = None,
) -> bool:
    """Whether a convolution of such shapes may give such an output, as far as is known."""
    shapes = (image_shape, kernel_shape, output_shape)
    if len({*map(len, shapes), len(subsample) + 2}) > 1:
        return False
    image, kernel, output = map(known_lengths, shapes)
    found = get_conv_output_shape(image, kernel, border_mode, subsample, filter_dilation)
    return not differ(found, output)


def _axes(
    first: Lengths,
    second: Lengths,
    border_mode: Border,
    subsample: Sequence[int],
    filter_dilation: Sequence[int] | None,
) -> list[tuple[Any, ...]]:
    """For each axis that filters slide along: two lengths, border, step and dilation."""
    rank = len(first) - 2
    borders = [border_mode] * rank if isinstance(border_mode, str | int) else border_mode
    gaps = filter_dilation or (1,) * rank
    return list(zip(first[2:], second[-rank:], borders, subsample, gaps, strict=True))


def _margin(border: Any, span: Any) -> Any:
    """All zeros along one axis."""
    if border == "same":
        return span - 1
    ((before, after),) = border_mode_to_pad(
        border if isinstance(border, str | int) else (border,), 1, (span,)
    )
    return before + after
