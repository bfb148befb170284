"""Pooling: each window of the last axes becomes its greatest element, its sum or its average."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from engine.dtype_rules import sum_dtype
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import composed, zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.windows import (
    AXES,
    Array,
    Slide,
    differ,
    lengths_in,
    lengths_of,
    padded,
    part_of,
    unpadded,
)
from engine.types import COMPLEX, DISCRETE, Shape, TensorType, shape_text, to_float

CATEGORY = "Pooling"
AVERAGES = ("average_inc_pad", "average_exc_pad")
MODES = ("max", "sum", *AVERAGES)


class Pooling:
    """A pooling with its parameters, checked: its windows, values and those of its gradients.

    ws: the lengths of a window, one for each of the last axes.  stride: how far it is from
    window to window, a window if None.  pad: how many elements are put at both ends of an axis,
    never greatest and 0 in a sum; none if None.  ignore_border: whether windows that reach over
    the end are left out, or else cut.
    """

    def __init__(
        self,
        *,
        ws: Sequence[int],
        ignore_border: bool,
        stride: Sequence[int] | None,
        pad: Sequence[int] | None,
        mode: str = "max",
    ) -> None:
        self.rank = len(ws)
        self.ignore_border = ignore_border
        self.mode = mode
        self.ws = self._numbers("ws", ws, 1)
        self.stride = self.ws if stride is None else self._numbers("stride", stride, 1)
        self.pad = (0,) * self.rank if pad is None else self._numbers("pad", pad, 0)
        if any(self.pad) and not ignore_border:
            raise ParameterError(
                "Windows that are cut at the end cannot be padded.",
                port="pad",
                expected="no pad, or ignore_border",
                got=str(self.pad),
                hint="Set ignore_border to True.",
            )
        if any(p >= w for p, w in zip(self.pad, self.ws, strict=True)):
            raise ParameterError(
                f"With windows of {self.ws} and a pad of {self.pad} some windows hold nothing "
                "but padding.",
                port="pad",
                expected="less than a window",
                got=str(self.pad),
            )

    def _numbers(self, name: str, values: Sequence[int], least: int) -> tuple[int, ...]:
        if len(values) != self.rank or min(values, default=0) < least:
            raise ParameterError(
                f"{name} cannot be {tuple(values)}.",
                port=name,
                expected=f"{self.rank or 'some'} of {least} or more, one for each pooled axis",
                got=str(tuple(values)),
            )
        return tuple(values)

    # Shapes.

    def count(self, axis: int, length: int | None) -> int | None:
        """How many windows there are along one of the pooled axes; none where it is empty."""
        if not length:
            return length
        window, stride = self.ws[axis], self.stride[axis]
        if self.ignore_border:
            return max(0, (length + 2 * self.pad[axis] - window) // stride + 1)
        # The last window is the first one that reaches the end, if there is such a one.
        last = length - 1 if stride >= window else max(0, length - 1 - window + stride)
        return last // stride + 1

    def shape(self, shape: Shape) -> Shape:
        """The shape after pooling."""
        lead = len(shape) - self.rank
        counts = (self.count(axis, n) for axis, n in enumerate(shape[lead:]))
        return (*shape[:lead], *counts)

    def check_output(self, image: Shape, output: Shape) -> None:
        """Raise ShapeError unless pooling an image may give the shape `output`."""
        shape = self.shape(image)
        if differ(shape, output):
            raise ShapeError(
                f"Pooling an input of shape {shape_text(image)} gives {shape_text(shape)}, but "
                f"output_grad has the shape {shape_text(output)}.",
                port="output_grad",
                expected=shape_text(shape),
                got=shape_text(output),
                hint="Give the windows, stride and padding of the pooling whose gradient it is.",
            )

    def slides(self, lengths: Sequence[int]) -> tuple[Slide, ...]:
        """How windows slide; what they lack at the end is put there."""
        slides = []
        for axis, n in enumerate(lengths):
            window, stride, pad = self.ws[axis], self.stride[axis], self.pad[axis]
            end = ((self.count(axis, n) or 0) - 1) * stride + window
            slides.append(Slide(window, stride, 1, pad, max(0, end - pad - n)))
        return tuple(slides)

    def sizes(self, lengths: Sequence[int]) -> Array:
        """How many elements each window has an average of."""
        sizes: Array = np.ones(())
        for axis, n in enumerate(lengths):
            pad = self.pad[axis]
            counted = pad if self.mode == "average_inc_pad" else 0
            first = np.arange(self.count(axis, n) or 0) * self.stride[axis] - pad
            end = np.minimum(first + self.ws[axis], n + counted)
            sizes = np.multiply.outer(sizes, end - np.maximum(first, -counted))
        return sizes

    # Values.

    def value(self, x: Array) -> Array:
        """What pooling makes of a tensor."""
        lengths = x.shape[x.ndim - self.rank :]
        slides = self.slides(lengths)
        if self.mode == "max":
            return _folded(padded(x, slides, least(x.dtype)), slides, np.maximum)
        dtype = pooled_dtype(self.mode, x.dtype.name)
        total = _folded(padded(x.astype(_working(dtype)), slides), slides, np.add)
        if self.mode in AVERAGES:
            total /= self.sizes(lengths)
        return total.astype(dtype, copy=False)

    def spread(self, g: Array, lengths: Sequence[int]) -> Array:
        """The transpose of a sum or average: each element of g given to all of its window."""
        lengths = lengths_in(lengths, self.rank)
        self.check_output((*g.shape[: g.ndim - self.rank], *lengths), g.shape)
        slides = self.slides(lengths)
        dtype = to_float(g.dtype.name)
        x = g.astype(_working(dtype))
        if self.mode in AVERAGES:
            x /= self.sizes(lengths)
        for axis, slide, n in zip(range(-self.rank, 0), slides, lengths, strict=True):
            shape = list(x.shape)
            shape[axis] = slide.padded(n)
            wide = np.zeros(shape, x.dtype)
            for k in range(slide.window):
                part = _along(wide, axis, slide.elements(k, slice(0, x.shape[axis])))
                part += x
            x = wide
        return unpadded(x, slides).astype(dtype, order="C", copy=False)

    def to_maxima(self, x: Array, g: Array) -> Array:
        """Each element of g added to all places where its window of x has its greatest element."""
        self.check_output(x.shape, g.shape)
        slides = self.slides(x.shape[x.ndim - self.rank :])
        wide = padded(x, slides, least(x.dtype))
        greatest = _folded(wide, slides, np.maximum)
        out = np.zeros(wide.shape, _working(g.dtype.name))
        for at in self._elements(slides, greatest.shape):
            out[at] += np.where(wide[at] == greatest, g, g.dtype.type())
        return unpadded(out, slides).astype(g.dtype, order="C", copy=False)

    def at_maxima(self, x: Array, v: Array) -> Array:
        """The sum of v over all places where a window of x has its greatest element."""
        _check_alike(x.shape, v.shape)
        slides = self.slides(x.shape[x.ndim - self.rank :])
        wide, values = padded(x, slides, least(x.dtype)), padded(v, slides)
        greatest = _folded(wide, slides, np.maximum)
        out = np.zeros(greatest.shape, _working(v.dtype.name))
        for at in self._elements(slides, greatest.shape):
            out += np.where(wide[at] == greatest, values[at], v.dtype.type())
        return out.astype(v.dtype, copy=False)

    def _elements(self, slides: Sequence[Slide], shape: Sequence[int]) -> Iterator[Any]:
        """For each element of a window, where all windows have theirs."""
        windows = [slice(0, n) for n in shape[len(shape) - self.rank :]]
        for at in np.ndindex(self.ws):
            yield (..., *map(Slide.elements, slides, at, windows))


def _folded(x: Array, slides: Sequence[Slide], fold: np.ufunc) -> Array:
    """The elements of each window folded into one, along one axis after the other."""
    for axis, slide in zip(range(-len(slides), 0), slides, strict=True):
        windows = slice(0, Slide(slide.window, slide.step).count(x.shape[axis]))
        out = _along(x, axis, slide.elements(0, windows)).copy()
        for k in range(1, slide.window):
            fold(out, _along(x, axis, slide.elements(k, windows)), out=out)
        x = out
    return x


def _along(x: Array, axis: int, part: slice) -> Array:
    """A view of part of an axis, which is counted from the back."""
    return part_of(x, (..., part, *(slice(None),) * (-axis - 1)))


def least(dtype: np.dtype[Any]) -> Any:
    """What no number of the dtype is less than."""
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min


def _working(dtype: str) -> str:
    return "float32" if dtype == "float16" else dtype


def pooled_dtype(mode: str, dtype: str) -> str:
    """The dtype after pooling: that of max, sum or mean."""
    return dtype if mode == "max" else sum_dtype(dtype) if mode == "sum" else to_float(dtype)


# Types.


def _pooled_type(rank: int | None, input: TensorType, **params: Any) -> TensorType:
    """The type after pooling along so many axes, or as many as a window has lengths."""
    pool = Pooling(**params)
    if rank not in (None, pool.rank):
        raise ParameterError(
            f"A window along {rank} axes has {rank} lengths, not {pool.rank}.",
            port="ws",
            expected=f"{rank} lengths",
            got=str(pool.ws),
        )
    if input.ndim < pool.rank:
        raise TypeMismatchError(
            f"There are {pool.rank} axes to pool along, but the input has {input.ndim} as {input}.",
            port="input",
            expected=f"{pool.rank} axes or more",
            got=f"{input.ndim} axes",
        )
    if input.dtype in COMPLEX and pool.mode == "max":
        raise TypeMismatchError(
            "Complex numbers have no greatest one.",
            port="input",
            expected="real numbers",
            got=input.dtype,
            hint="Pool their abs, or take the sum or an average.",
        )
    kept = input.broadcastable[: input.ndim - pool.rank]
    dtype = pooled_dtype(pool.mode, input.dtype)
    return TensorType(dtype, pool.shape(input.shape), (*kept, *(False,) * pool.rank))


def _to_maxima_type(input: TensorType, output_grad: TensorType, **params: Any) -> TensorType:
    _pooled_type(None, input, **params)
    Pooling(**params).check_output(input.shape, output_grad.shape)
    return input.with_dtype(output_grad.dtype)


def _check_alike(image: Shape, direction: Shape) -> None:
    if differ(image, direction):
        raise ShapeError(
            f"A direction of shape {shape_text(direction)} does not fit an input of shape "
            f"{shape_text(image)}.",
            port="direction",
            expected=shape_text(image),
            got=shape_text(direction),
        )


def _at_maxima_type(input: TensorType, direction: TensorType, **params: Any) -> TensorType:
    pooled = _pooled_type(None, input, **params)
    _check_alike(input.shape, direction.shape)
    return pooled.with_dtype(direction.dtype)


def _spread_type(
    output_grad: TensorType, shape: TensorType, *, known: Sequence[Any], **params: Any
) -> TensorType:
    pool = Pooling(**params)
    lengths = lengths_of(shape, known[1], pool.rank)
    kept = output_grad.ndim - pool.rank
    image = TensorType(
        to_float(output_grad.dtype),
        (*output_grad.shape[:kept], *lengths),
        (*output_grad.broadcastable[:kept], *(False,) * pool.rank),
    )
    pool.check_output(image.shape, output_grad.shape)
    return image


# Gradients.  Where several elements of a window are greatest, each one gets the whole gradient.


def _pool_grad(g: Variable, y: Variable, x: Variable, **params: Any) -> list[Variable | None]:
    if y.dtype in DISCRETE:
        return [zero_gradient(x)]
    if params["mode"] == "max":
        return [max_pool_grad(x, g, **_windows(params))]
    return [average_pool_grad(g, x.shape[x.ndim - len(params["ws"]) :], **params)]


def _windows(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "mode"}


# The ops.


def _params(rank: int) -> tuple[Param, ...]:
    return (
        Param("ws", "ints", (2,) * rank, f"the {' and '.join(AXES[rank])} of a window", min=1),
        Param("ignore_border", "bool", False, "leave out windows that reach over the end, "
              "rather than cut them"),
        Param("stride", "ints", None, "from window to window; none means side by side", min=1),
        Param("pad", "ints", None, "how many elements are put at both ends of each axis", min=0),
    )  # fmt: skip


def _mode(*choices: str) -> Param:
    text = "what a window becomes; an average counts its padding (inc) or does not (exc)"
    return Param("mode", "string", choices[0], text, choices=choices)


def _declare(rank: int) -> None:
    """Pooling along so many axes, the last ones."""
    shape = (2, 3, *(7, 5, 4)[:rank])
    cut = {"ws": (3, 2, 2)[:rank], "stride": (2, 3, 1)[:rank]}
    wide = {**cut, "ignore_border": True, "pad": (1,) * rank}
    Op(
        name=f"pool_{rank}d",
        symbol=f"▦{'¹²³'[rank - 1]}",
        category=CATEGORY,
        aliases=(f"max_pool_{rank}d",),
        doc="The greatest element, the sum or the average of each window that slides along the "
        f"{' and '.join(AXES[rank])}.",
        ports=(Port("input", f"images: (..., {', '.join(AXES[rank])})"),),
        params=(*_params(rank), _mode(*MODES)),
        infer=partial(_pooled_type, rank),
        numpy=lambda input, **params: Pooling(**params).value(input),
        grad=_pool_grad,
        method=False,
        examples=(
            Example((shape,)),
            Example((shape,), cut),
            Example((shape,), wide),
            *(Example((shape,), {**cut, "mode": mode}) for mode in MODES[1:]),
            *(Example((shape,), {**wide, "mode": mode}) for mode in MODES[1:]),
        ),
    )


for _rank in AXES:
    _declare(_rank)


def _gradient_of(shape: tuple[int, ...]) -> Callable[[np.random.Generator], list[Any]]:
    """Draws a gradient of such a shape, for images of 5 rows and 4 columns."""
    return lambda rng: [rng.uniform(-2, 2, shape), np.array([5, 4], "int64")]


_WINDOWS = _params(2)
_CUT = {"ws": (2, 2)}
_WIDE = {"ws": (3, 2), "ignore_border": True, "stride": (2, 2), "pad": (1, 1)}

max_pool_grad: Op = Op(
    name="max_pool_grad",
    symbol="▦∂x",
    category=CATEGORY,
    hidden=True,
    doc="The gradient of max pooling: each element of output_grad, added to all places where its "
    "window of the input has its greatest element.",
    ports=(Port("input"), Port("output_grad", "the gradient by the output of the pooling")),
    params=_WINDOWS,
    infer=_to_maxima_type,
    numpy=lambda input, output_grad, **params: Pooling(**params).to_maxima(input, output_grad),
    grad=lambda g, y, x, t, **params: [zero_gradient(x), max_pool_rop(x, g, **params)],
    method=False,
    examples=(
        Example(((2, 3, 5, 4), (2, 3, 3, 2)), _CUT),
        Example(((3, 5, 4), (3, 3, 3)), _WIDE),
    ),
)

max_pool_rop: Op = Op(
    name="max_pool_rop",
    symbol="▦∂v",
    category=CATEGORY,
    hidden=True,
    doc="How max pooling changes as its input moves in a direction: the sum of the direction over "
    "all places where a window of the input has its greatest element.",
    ports=(Port("input"), Port("direction", "a tensor of the shape of the input")),
    params=_WINDOWS,
    infer=_at_maxima_type,
    numpy=lambda input, direction, **params: Pooling(**params).at_maxima(input, direction),
    grad=lambda g, y, x, v, **params: [zero_gradient(x), max_pool_grad(x, g, **params)],
    method=False,
    examples=(
        Example(((2, 3, 5, 4), (2, 3, 5, 4)), _CUT),
        Example(((3, 5, 4), (3, 5, 4)), _WIDE),
    ),
)

average_pool_grad: Op = Op(
    name="average_pool_grad",
    symbol="▦∂x̄",
    category=CATEGORY,
    hidden=True,
    doc="The gradient of sum and average pooling: each element of output_grad given to all of "
    "its window.",
    ports=(
        Port("output_grad", "the gradient by the output of the pooling"),
        Port("shape", "the lengths of the pooled axes before pooling"),
    ),
    params=(*_WINDOWS, _mode(*MODES[1:])),
    infer=_spread_type,
    reads_values=True,
    numpy=lambda output_grad, shape, **params: Pooling(**params).spread(output_grad, shape),
    grad=lambda g, y, t, shape, **params: [OPS[f"pool_{len(params['ws'])}d"](g, **params), None],
    method=False,
    examples=(
        *(Example(draw=_gradient_of((2, 3, 3, 2)), params={**_CUT, "mode": m}) for m in MODES[1:]),
        *(Example(draw=_gradient_of((3, 3, 3)), params={**_WIDE, "mode": m}) for m in MODES[1:]),
    ),
)

max_pool_2d_same_size = composed(
    "max_pool_2d_same_size",
    symbol="▦₌",
    category=CATEGORY,
    doc="The greatest element of each patch, where it is; all others become 0.",
    params=(Param("patch_size", "ints", (2, 2), "the rows and columns of a patch", min=1),),
    body=lambda input, patch_size: max_pool_grad(
        input, OPS["pool_2d"](input, patch_size, True), patch_size, True
    ),
    method=False,
    examples=(Example(((2, 3, 5, 4),)), Example(((4, 6),), {"patch_size": (2, 3)})),
)
