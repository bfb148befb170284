"""What a convolution of any rank does: its parameters, shapes and values, and its misfits.

Shapes: V. Dumoulin, F. Visin, A guide to convolution arithmetic for deep learning, 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from engine.dtype_rules import arithmetic
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.ops.patches import correlate, correlate_filters, spread
from engine.ops.windows import AXES, Slide, differ, lengths_in
from engine.types import Shape, TensorType, shape_text

BORDERS = ("valid", "half", "full", "same")

Role = Literal["input", "filters", "output_grad"]


class Convolution:
    """A convolution with its parameters, checked: its shapes, values and those of its gradients.

    rank: along how many axes the filters slide.  The parameters are those of the ops.
    Shapes may have unknown lengths, None.
    """

    def __init__(
        self,
        rank: int,
        *,
        border_mode: str = "valid",
        pad: Sequence[int] | None = None,
        subsample: Sequence[int],
        filter_flip: bool = True,
        filter_dilation: Sequence[int],
        num_groups: int = 1,
        unshared: bool = False,
    ) -> None:
        self.rank = rank
        self.axes = AXES[rank]
        self.border_mode = border_mode
        self.ends = None if pad is None else self._pairs(pad)
        self.subsample = self._steps("subsample", subsample)
        self.filter_dilation = self._steps("filter_dilation", filter_dilation)
        self.filter_flip = filter_flip
        self.groups = num_groups
        self.unshared = unshared
        if num_groups < 1:
            raise ParameterError(
                f"There cannot be {num_groups} groups of channels.",
                port="num_groups",
                expected="1 or more",
                got=str(num_groups),
            )

    # Parameters.

    def _steps(self, name: str, values: Sequence[int]) -> tuple[int, ...]:
        if len(values) != self.rank or min(values) < 1:
            raise ParameterError(
                f"{name} cannot be {tuple(values)}.",
                port=name,
                expected=f"{self.rank} of 1 or more: along the {' and '.join(self.axes)}",
                got=str(tuple(values)),
            )
        return tuple(values)

    def _pairs(self, pad: Sequence[int]) -> tuple[tuple[int, int], ...]:
        if len(pad) not in (self.rank, 2 * self.rank) or min(pad) < 0:
            raise ParameterError(
                f"pad cannot be {tuple(pad)}.",
                port="pad",
                expected=f"{self.rank} of 0 or more, or {2 * self.rank} where the ends differ",
                got=str(tuple(pad)),
                hint=f"Give the zeros at both ends of the {' and '.join(self.axes)}, or for each "
                "axis those before it and those after it.",
            )
        if len(pad) == self.rank:
            return tuple((p, p) for p in pad)
        return tuple(zip(pad[::2], pad[1::2], strict=True))

    def slides(self, window: Sequence[int]) -> tuple[Slide, ...]:
        """How filters of these lengths slide."""
        return tuple(self._slide(axis, n) for axis, n in enumerate(window))

    def _slide(self, axis: int, window: int) -> Slide:
        spacing = self.filter_dilation[axis]
        span = (window - 1) * spacing + 1
        before, after = self._border(span) if self.ends is None else self.ends[axis]
        return Slide(window, self.subsample[axis], spacing, before, after)

    def _border(self, span: Any) -> tuple[Any, Any]:
        """The zeros that border_mode asks for, by how much a filter covers: an int or several."""
        match self.border_mode:
            case "half":
                return span // 2, span // 2
            case "full":
                return span - 1, span - 1
            case "same":
                # SciPy's centre: one more before than after where the span is even.
                return span // 2, (span - 1) // 2
            case _:
                return span * 0, span * 0

    # Shapes.

    def layout(self, role: Role) -> str:
        """What the axes of an image, of filters or of an output are."""
        match role:
            case "input":
                names: Sequence[str] = ("batch", "channels", *self.axes)
            case "output_grad":
                names = ("batch", "filters", *self.axes)
            case _ if self.unshared:
                own = (f"output {axis}" for axis in self.axes)
                names = ("filters", *own, self._channels, *(f"filter {axis}" for axis in self.axes))
            case _:
                names = ("filters", self._channels, *self.axes)
        return f"({', '.join(names)})"

    @property
    def _channels(self) -> str:
        return "channels" if self.groups == 1 else "channels / num_groups"

    def check_rank(self, role: Role, t: TensorType, port: str | None = None) -> None:
        """Raise TypeMismatchError unless the tensor at a port has the axes of its role."""
        expected = 2 + self.rank * (2 if self.unshared and role == "filters" else 1)
        if t.ndim != expected:
            missing = ", ".join(["'x'"] * (expected - t.ndim) + [str(i) for i in range(t.ndim)])
            raise TypeMismatchError(
                f"The {port or role} must have {expected} axes, {self.layout(role)}, not "
                f"{t.ndim} as {t}.",
                port=port or role,
                expected=f"{expected} axes",
                got=f"{t.ndim} axes",
                hint=f"Add the missing axes, for example with dimshuffle({missing})."
                if t.ndim < expected
                else "Join or index the axes that are too many.",
            )

    def output(self, image: Shape, filters: Shape) -> Shape:
        """The shape of the convolution; ShapeError where the image and the filters do not fit."""

        def misfit(axis: int, reason: str) -> ShapeError:
            return self._misfit(image, filters, axis, reason)

        groups, count = self.groups, filters[0]
        channels, inner = image[1], filters[1 + self.rank if self.unshared else 1]
        if channels is not None and channels % groups:
            raise misfit(1, f"{channels} channels cannot be parted into {groups} groups")
        if count is not None and count % groups:
            raise misfit(0, f"{count} filters cannot be parted into {groups} groups")
        if channels is not None and inner is not None and channels != inner * groups:
            each = f", {channels // groups} a group," if groups > 1 else ""
            raise misfit(1, f"the input has {channels} channels{each} but the filters {inner}")
        lengths = [self._length(axis, image, filters) for axis in range(self.rank)]
        if self.unshared:
            for axis, (n, own) in enumerate(zip(lengths, filters[1:], strict=False)):
                if n is not None and own is not None and n != own:
                    name = self.axes[axis]
                    raise misfit(
                        2 + axis, f"there are filters for {own} {name}, but the output has {n}"
                    )
                lengths[axis] = own if n is None else n
        return (image[0], count, *lengths)

    def _length(self, axis: int, image: Shape, filters: Shape) -> int | None:
        """How many places a filter has along an axis."""
        name, length, window = self.axes[axis], image[2 + axis], filters[axis - self.rank]
        if window == 0:
            raise self._misfit(image, filters, 2 + axis, f"the filters have no {name}")
        if length is None or window is None:
            return None
        slide = self._slide(axis, window)
        if slide.span > slide.padded(length):
            margin = slide.before + slide.after
            wide = f" with {margin} of padding" if margin else ""
            apart = f", dilated to {slide.span}" if slide.spacing > 1 else ""
            raise self._misfit(
                image, filters, 2 + axis,
                f"the filters have {window} {name}{apart}, but the input has {length}{wide}",
                "Use smaller filters, less dilation, or more padding: border_mode 'half' or "
                "'full', or pad.",
            )  # fmt: skip
        return slide.count(length)

    def _misfit(
        self, image: Shape, filters: Shape, axis: int, reason: str, hint: str | None = None
    ) -> ShapeError:
        return ShapeError(
            f"An input of shape {shape_text(image)} and filters of shape {shape_text(filters)} "
            f"do not fit together on axis {axis}: {reason}.",
            port="filters",
            expected=f"input {self.layout('input')}, filters {self.layout('filters')}",
            got=f"{shape_text(image)} and {shape_text(filters)}",
            hint=hint
            or f"The input is {self.layout('input')}, the filters are {self.layout('filters')}.",
        )

    def check_output(self, image: Shape, filters: Shape, output: Shape) -> None:
        """Raise ShapeError unless the convolution of the two may have the shape `output`."""
        if None not in (filters[0], output[1]) and filters[0] != output[1]:
            raise ShapeError(
                f"There are {filters[0]} filters in the shape {shape_text(filters)}, but results "
                f"of {output[1]} on axis 1 of {shape_text(output)}.",
                port="filters",
                expected=f"{output[1]} filters",
                got=str(filters[0]),
                hint=f"The filters are {self.layout('filters')}, what they give is "
                f"{self.layout('output_grad')}.",
            )
        shape = self.output(image, filters)
        if differ(shape, output):
            raise ShapeError(
                f"An input of shape {shape_text(image)} and filters of shape "
                f"{shape_text(filters)} give an output of shape {shape_text(shape)}, but "
                f"output_grad has {shape_text(output)}.",
                port="output_grad",
                expected=shape_text(shape),
                got=shape_text(output),
                hint="Give the shape, padding, steps and dilation of the convolution whose "
                "gradient it is.",
            )

    def image_shape(self, output: Shape, filters: Shape, lengths: Shape) -> Shape:
        """The shape of the image that filters and an output stem from."""
        inner = filters[1 + self.rank if self.unshared else 1]
        image = (output[0], None if inner is None else inner * self.groups, *lengths)
        self.check_output(image, filters, output)
        return image

    def filter_shape(self, image: Shape, output: Shape, lengths: Shape) -> Shape:
        """The shape of the filters that an image and an output stem from."""
        inner = None if image[1] is None else image[1] // self.groups
        own = output[2:] if self.unshared else ()
        filters = (output[1], *own, inner, *lengths)
        self.check_output(image, filters, output)
        return filters

    def smallest_image(self, places: Variable, window: Variable) -> Variable:
        """The least lengths of an image in which filters of such lengths have so many places."""
        span = (window - 1) * np.array(self.filter_dilation) + 1
        ends = self.ends
        margin = sum(self._border(span)) if ends is None else np.array([sum(e) for e in ends])
        return (places - 1) * np.array(self.subsample) + span - margin

    # Values.

    def _flipped(self, filters: Any) -> Any:
        if not self.filter_flip:
            return filters
        return filters[(..., *(slice(None, None, -1),) * self.rank)]

    def value(self, x: Any, w: Any) -> Any:
        """The convolution."""
        self.output(x.shape, w.shape)
        x, w, dtype = _working(x, w)
        slides = self.slides(w.shape[-self.rank :])
        y = correlate(x, self._flipped(w), slides, self.groups, self.unshared)
        return y.astype(dtype, copy=False)

    def by_inputs(self, t: Any, w: Any, lengths: Any) -> Any:
        """The gradient by the input, from the gradient by the output."""
        lengths = lengths_in(lengths, self.rank)
        self.image_shape(t.shape, w.shape, lengths)
        t, w, dtype = _working(t, w)
        slides = self.slides(w.shape[-self.rank :])
        x = spread(t, self._flipped(w), lengths, slides, self.groups, self.unshared)
        return x.astype(dtype, order="C", copy=False)

    def by_weights(self, x: Any, t: Any, lengths: Any) -> Any:
        """The gradient by the filters, from the gradient by the output."""
        lengths = lengths_in(lengths, self.rank)
        self.filter_shape(x.shape, t.shape, lengths)
        x, t, dtype = _working(x, t)
        w = correlate_filters(x, t, self.slides(lengths), self.groups, self.unshared)
        return self._flipped(w).astype(dtype, order="C", copy=False)


def _working(a: Any, b: Any) -> tuple[Any, Any, str]:
    """Both in the dtype to compute in, and the dtype of the result."""
    dtype, _ = arithmetic([a.dtype.name, b.dtype.name])
    working = "float32" if dtype == "float16" else dtype
    return a.astype(working, copy=False), b.astype(working, copy=False), dtype
