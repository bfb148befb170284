"""Convolutions along one, two and three axes, their gradients, and transposed convolutions.

Each rank has three ops, of which each has the other two as its gradients: the convolution, what
gives the image (`..._grad_wrt_inputs`), and what gives the filters (`..._grad_wrt_weights`).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from engine.dtype_rules import arithmetic
from engine.expression import OPS, Variable
from engine.makers import composed, zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.filtering import BORDERS, Convolution
from engine.ops.windows import AXES, lengths_of
from engine.types import COMPLEX, DISCRETE, FLOATS, Shape, TensorType

CATEGORY = "Convolution"
NUMBERS = (DISCRETE - {"bool"}) | FLOATS | COMPLEX


# Types.  The rank is that of the op; the gradients know it from their tensors.


def _typed(inputs: Sequence[TensorType], shape: Shape, *pattern: bool) -> TensorType:
    """The type of a result, whose later axes do not stretch."""
    dtype, _ = arithmetic([t.dtype for t in inputs])
    return TensorType(dtype, shape, (*pattern, *(False,) * (len(shape) - len(pattern))))


def _forward_type(rank: int, input: TensorType, filters: TensorType, **params: Any) -> TensorType:
    conv = Convolution(rank, **params)
    conv.check_rank("input", input)
    conv.check_rank("filters", filters)
    shape = conv.output(input.shape, filters.shape)
    return _typed((input, filters), shape, input.broadcastable[0], filters.broadcastable[0])


def _image_type(
    rank: int,
    output_grad: TensorType,
    filters: TensorType,
    shape: TensorType,
    *,
    known: Sequence[Any],
    **params: Any,
) -> TensorType:
    conv = Convolution(rank, **params)
    conv.check_rank("output_grad", output_grad)
    conv.check_rank("filters", filters)
    lengths = lengths_of(shape, known[2], rank)
    image = conv.image_shape(output_grad.shape, filters.shape, lengths)
    single = filters.broadcastable[1 + rank if conv.unshared else 1] and conv.groups == 1
    return _typed((output_grad, filters), image, output_grad.broadcastable[0], single)


def _filter_type(
    rank: int,
    input: TensorType,
    output_grad: TensorType,
    shape: TensorType,
    *,
    known: Sequence[Any],
    **params: Any,
) -> TensorType:
    conv = Convolution(rank, **params)
    conv.check_rank("input", input)
    conv.check_rank("output_grad", output_grad)
    lengths = lengths_of(shape, known[2], rank)
    filters = conv.filter_shape(input.shape, output_grad.shape, lengths)
    own = (False,) * rank if conv.unshared else ()
    single = input.broadcastable[1] and conv.groups == 1
    return _typed((input, output_grad), filters, output_grad.broadcastable[1], *own, single)


# Values.


def _forward_value(input: Any, filters: Any, **params: Any) -> Any:
    return Convolution(input.ndim - 2, **params).value(input, filters)


def _image_value(output_grad: Any, filters: Any, shape: Any, **params: Any) -> Any:
    return Convolution(output_grad.ndim - 2, **params).by_inputs(output_grad, filters, shape)


def _filter_value(input: Any, output_grad: Any, shape: Any, **params: Any) -> Any:
    return Convolution(input.ndim - 2, **params).by_weights(input, output_grad, shape)


# Gradients.  With two of image, filters and output given, the third one is linear in each.


def _conv(input: Variable, filters: Variable, **params: Any) -> Variable:
    return OPS[f"conv{input.ndim - 2}d"](input, filters, **params)


def _image_like(x: Variable, output_grad: Variable, filters: Variable, **params: Any) -> Variable:
    op = OPS[f"conv{x.ndim - 2}d_grad_wrt_inputs"]
    return op(output_grad, filters, x.shape[2:], **params)


def _filters_like(w: Variable, input: Variable, output_grad: Variable, **params: Any) -> Variable:
    rank = input.ndim - 2
    op = OPS[f"conv{rank}d_grad_wrt_weights"]
    return op(input, output_grad, w.shape[-rank:], **params)


def _forward_grad(
    g: Variable, y: Variable, x: Variable, w: Variable, **params: Any
) -> list[Variable | None]:
    if y.dtype in DISCRETE:
        return [zero_gradient(x), zero_gradient(w)]
    return [_image_like(x, g, w, **params), _filters_like(w, x, g, **params)]


def _image_grad(
    g: Variable, y: Variable, t: Variable, w: Variable, shape: Variable, **params: Any
) -> list[Variable | None]:
    if y.dtype in DISCRETE:
        return [zero_gradient(t), zero_gradient(w), None]
    return [_conv(g, w, **params), _filters_like(w, g, t, **params), None]


def _filter_grad(
    g: Variable, y: Variable, x: Variable, t: Variable, shape: Variable, **params: Any
) -> list[Variable | None]:
    if y.dtype in DISCRETE:
        return [zero_gradient(x), zero_gradient(t), None]
    return [_image_like(x, t, g, **params), _conv(x, g, **params), None]


# The ops.


def _params(rank: int, step: str, step_doc: str) -> tuple[Param, ...]:
    ones = (1,) * rank
    return (
        Param("border_mode", "string", "valid", "zeros around the images: none, half a filter, "
              "all that a filter reaches, or as many as keep the lengths", choices=BORDERS),
        Param("pad", "ints", None, f"zeros around the {' and '.join(AXES[rank])}, instead of "
              "border_mode; two numbers an axis where its ends differ", min=0),
        Param(step, "ints", ones, step_doc, min=1),
        Param("filter_flip", "bool", True, "turn the filters around: convolve, not correlate"),
        Param("filter_dilation", "ints", ones, "how far apart the elements of a filter lie", min=1),
        Param("num_groups", "int", 1, "parts of the channels with filters of their own", min=1),
        Param("unshared", "bool", False, "whether each place has filters of its own"),
    )  # fmt: skip


def _drawn(
    *shapes: tuple[int, ...], last: tuple[int, ...]
) -> Callable[[np.random.Generator], list[Any]]:
    """Draws tensors of the shapes, and has integers as last input."""
    return lambda rng: [*(rng.uniform(-2, 2, s) for s in shapes), np.array(last, "int64")]


def _declare(rank: int) -> None:
    """The convolution along so many axes, its two gradients, and the transposed one."""
    axes = AXES[rank]
    along, layout = " and ".join(axes), ", ".join(axes)
    name, symbol = f"conv{rank}d", f"∗{'¹²³'[rank - 1]}"
    input = Port("input", f"images: (batch, channels, {layout})")
    filters = Port("filters", f"(filters, channels, {layout})")
    output = Port("output_grad", f"the gradient by the output: (batch, filters, {layout})")
    params = _params(rank, "subsample", "how far a filter moves from place to place (stride)")

    # Few terms in a sum, so that single precision tells right from wrong.
    lengths, window = {1: ((6,), (3,)), 2: ((6, 5), (3, 2)), 3: ((4, 3, 3), (2, 2, 1))}[rank]
    places = tuple(n - k + 1 for n, k in zip(lengths, window, strict=True))
    halved = tuple((n - k % 2) // 2 + 1 for n, k in zip(lengths, window, strict=True))
    images, plain, parted = (2, 4, *lengths), (3, 4, *window), (6, 2, *window)
    unshared = (3, *places, 4, *window)
    grouping = {"border_mode": "half", "subsample": (2,) * rank, "num_groups": 2}
    padding = {
        "pad": tuple(range(1, 2 * rank + 1)),
        "filter_dilation": (2,) * rank,
        "filter_flip": False,
    }
    own = {"unshared": True}

    Op(
        name=name,
        symbol=symbol,
        tex=r"{input} \ast {filters}",
        category=CATEGORY,
        doc=f"Every filter slid over every image along {along}, multiplied and summed at each "
        "place.",
        aliases=("convolution",) if rank == 2 else (),
        ports=(input, filters),
        params=params,
        infer=partial(_forward_type, rank),
        numpy=_forward_value,
        grad=_forward_grad,
        dtypes=NUMBERS,
        method=False,
        examples=(
            Example((images, plain)),
            Example((images, parted), grouping),
            Example((images, plain), padding),
            Example((images, unshared), own),
        ),
    )
    Op(
        name=f"{name}_grad_wrt_inputs",
        symbol=f"{symbol}∂x",
        category=CATEGORY,
        hidden=True,
        doc=f"The gradient of {name} by its input: each element of output_grad spread under its "
        "filter.",
        ports=(output, filters, Port("shape", f"the numbers of {along} of the images")),
        params=params,
        infer=partial(_image_type, rank),
        reads_values=True,
        numpy=_image_value,
        grad=_image_grad,
        dtypes=NUMBERS,
        method=False,
        examples=(
            Example(draw=_drawn((2, 3, *places), plain, last=lengths)),
            Example(draw=_drawn((2, 6, *halved), parted, last=lengths), params=grouping),
            Example(draw=_drawn((2, 3, *places), unshared, last=lengths), params=own),
        ),
    )
    Op(
        name=f"{name}_grad_wrt_weights",
        symbol=f"{symbol}∂w",
        category=CATEGORY,
        hidden=True,
        doc=f"The gradient of {name} by its filters: the patches of the images weighed by "
        "output_grad.",
        ports=(input, output, Port("shape", f"the numbers of {along} of a filter")),
        params=params,
        infer=partial(_filter_type, rank),
        reads_values=True,
        numpy=_filter_value,
        grad=_filter_grad,
        dtypes=NUMBERS,
        method=False,
        examples=(
            Example(draw=_drawn(images, (2, 3, *places), last=window)),
            Example(draw=_drawn(images, (2, 6, *halved), last=window), params=grouping),
            Example(draw=_drawn(images, (2, 3, *places), last=window), params=own),
        ),
    )
    composed(
        f"{name}_transpose",
        symbol=f"{symbol}ᵀ",
        category=CATEGORY,
        aliases=(f"deconv{rank}d",),
        doc=f"The transpose of {name}: every element of the input spread under its filter. It "
        f"makes images larger where {name} makes them smaller.",
        ports=(
            Port("input", f"images: (batch, filters, {layout})"),
            Port("filters", f"as those of {name}: (filters, channels, {layout})"),
        ),
        params=(
            Param(
                "output_shape",
                "ints",
                None,
                f"the numbers of {along} of the result; none means the smallest that there can be",
                min=1,
            ),
            *_params(rank, "input_dilation", "how far apart the input is spread (stride)"),
        ),
        body=partial(_transposed, rank),
        dtypes=NUMBERS,
        method=False,
        examples=(
            Example(((2, 3, *places), plain)),
            Example(
                ((2, 3, *places), plain), {"input_dilation": (2,) * rank, "border_mode": "half"}
            ),
            Example(((2, 3, *places), plain), {"output_shape": lengths}),
        ),
    )


def _transposed(
    rank: int,
    input: Variable,
    filters: Variable,
    output_shape: Sequence[int] | None,
    input_dilation: Sequence[int],
    **params: Any,
) -> Variable:
    params["subsample"] = tuple(input_dilation)
    conv = Convolution(rank, **params)
    conv.check_rank("output_grad", input.type, "input")
    conv.check_rank("filters", filters.type)
    shape = output_shape or conv.smallest_image(input.shape[2:], filters.shape[-rank:])
    return OPS[f"conv{rank}d_grad_wrt_inputs"](input, filters, shape, **params)


for _rank in AXES:
    _declare(_rank)
