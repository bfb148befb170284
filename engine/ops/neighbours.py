"""Neighbourhoods of images as rows of a matrix, and images put together from such rows."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.op import Example, Op, Param, Port
from engine.ops.windows import (
    AXES,
    Array,
    Slide,
    differ,
    lengths_in,
    lengths_of,
    padded,
    padded_shape,
    unpadded,
)
from engine.types import COMPLEX, DISCRETE, FLOATS, Shape, TensorType, shape_text

CATEGORY = "Convolution"
MODES = ("valid", "ignore_borders", "wrap_centered", "half", "full")


class Neighbourhoods:
    """The neighbourhoods in images: how they slide, checked, and what they hold.

    neib_shape: their rows and columns.  neib_step: from one to the next, side by side if None.
    """

    def __init__(
        self, neib_shape: Sequence[int], neib_step: Sequence[int] | None, mode: str
    ) -> None:
        self.window = _pair("neib_shape", neib_shape)
        self.step = self.window if neib_step is None else _pair("neib_step", neib_step)
        self.mode = mode
        if mode == "wrap_centered" and not all(n % 2 for n in self.window):
            raise ParameterError(
                f"Neighbourhoods of {self.window} rows and columns have no centre.",
                port="neib_shape",
                expected="odd numbers",
                got=str(self.window),
                hint="Use odd numbers, or another mode.",
            )

    def slide(self, axis: int) -> Slide:
        """How neighbourhoods slide along the rows (0) or the columns (1)."""
        n = self.window[axis]
        margin = {"half": n // 2, "full": n - 1}.get(self.mode, 0)
        return Slide(n, self.step[axis], before=margin, after=margin)

    def count(self, axis: int, length: int | None) -> int | None:
        """How many neighbourhoods there are along an axis; ShapeError where they do not fit."""
        if length is None:
            return None
        slide, name = self.slide(axis), AXES[2][axis]
        if self.mode != "ignore_borders" and length < slide.window:
            raise ShapeError(
                f"Neighbourhoods of {slide.window} {name} do not fit into the {length} {name} of "
                "an image.",
                expected=f"at least {slide.window} {name}",
                got=str(length),
                hint="Only the mode 'ignore_borders' takes images as small as that.",
            )
        if self.mode == "wrap_centered":
            return -(-length // slide.step)
        rest = (slide.padded(length) - slide.window) % slide.step
        if rest and self.mode != "ignore_borders":
            raise ShapeError(
                f"Neighbourhoods of {slide.window} {name}, {slide.step} apart, leave {rest} of the "
                f"{slide.padded(length)} {name} over that an image has in mode {self.mode!r}.",
                expected=f"a multiple of {slide.step} more than {slide.window}",
                got=str(slide.padded(length)),
                hint="Leave them out with the mode 'ignore_borders'.",
            )
        return slide.count(length)

    def rows(self, image: Shape) -> int | None:
        """How many neighbourhoods there are in all images of such a shape."""
        counts = (*image[:2], *(self.count(axis, image[2 + axis]) for axis in (0, 1)))
        return None if None in counts else prod(n or 0 for n in counts)

    def value(self, images: Array) -> Array:
        """Every neighbourhood as a row."""
        count = self.rows(images.shape)
        rows, columns = (self._places(axis, images.shape[2 + axis]) for axis in (0, 1))
        wide = padded(images, (self.slide(0), self.slide(1)))
        patches = wide[:, :, rows[:, np.newaxis, :, np.newaxis], columns[:, np.newaxis, :]]
        return patches.reshape(count or 0, prod(self.window))

    def added(self, neibs: Array, shape: Sequence[int]) -> Array:
        """The transpose of `value`: the rows added up where they are read from."""
        rows, columns = (self._places(axis, shape[2 + axis]) for axis in (0, 1))
        patches = neibs.reshape(*shape[:2], len(rows), len(columns), *self.window)
        slides = (self.slide(0), self.slide(1))
        working = "float32" if neibs.dtype == "float16" else neibs.dtype
        wide = np.zeros(padded_shape(shape, slides), working)
        for i, j in np.ndindex(self.window):
            wide[:, :, rows[:, i, np.newaxis], columns[:, j]] += patches[..., i, j]
        return unpadded(wide, slides).astype(neibs.dtype, order="C", copy=False)

    def _places(self, axis: int, length: int) -> Array:
        """Where each neighbourhood has its elements along an axis that is padded."""
        window, step = self.window[axis], self.step[axis]
        places = np.arange(self.count(axis, length) or 0)[:, np.newaxis] * step + np.arange(window)
        return (places - window // 2) % length if self.mode == "wrap_centered" else places

    def check_neibs(self, neibs: Shape, image: Shape) -> None:
        """Raise ShapeError unless images of such a shape may have these neighbourhoods."""
        expected = (self.rows(image), prod(self.window))
        if differ(expected, neibs):
            raise ShapeError(
                f"Images of shape {shape_text(image)} have neighbourhoods of shape "
                f"{shape_text(expected)}, but these have {shape_text(neibs)}.",
                port="neibs",
                expected=shape_text(expected),
                got=shape_text(neibs),
            )


def _pair(name: str, values: Sequence[int]) -> tuple[int, int]:
    if len(values) != 2 or min(values) < 1:
        raise ParameterError(
            f"{name} cannot be {tuple(values)}.",
            port=name,
            expected="two numbers of 1 or more, along the rows and the columns",
            got=str(tuple(values)),
        )
    return values[0], values[1]


def _neibs_type(ten4: TensorType, **params: Any) -> TensorType:
    found = Neighbourhoods(**params)
    if ten4.ndim != 4:
        raise TypeMismatchError(
            f"Images have 4 axes, (batch, channels, rows, columns), not {ten4.ndim} as {ten4}.",
            port="ten4",
            expected="4 axes",
            got=f"{ten4.ndim} axes",
            hint="Add axes of length 1 with dimshuffle, for example "
            "x.dimshuffle('x', 'x', 0, 1) to a single image.",
        )
    return TensorType(ten4.dtype, (found.rows(ten4.shape), prod(found.window)), (False, False))


def _images_type(
    neibs: TensorType, original_shape: TensorType, *, known: Sequence[Any], **params: Any
) -> TensorType:
    found = Neighbourhoods(**params)
    if neibs.ndim != 2:
        raise TypeMismatchError(
            f"Neighbourhoods are the rows of a matrix, not of {neibs}.",
            port="neibs",
            expected="a matrix",
            got=str(neibs),
        )
    image = lengths_of(original_shape, known[1], 4, "original_shape")
    found.check_neibs(neibs.shape, image)
    return TensorType(neibs.dtype, image, (False,) * 4)


def _images_value(neibs: Any, original_shape: Any, **params: Any) -> Any:
    found, image = Neighbourhoods(**params), lengths_in(original_shape, 4, "original_shape")
    found.check_neibs(neibs.shape, image)
    return found.added(neibs, image)


def _images_grad(
    g: Variable, y: Variable, neibs: Variable, original_shape: Variable, **params: Any
) -> list[Variable | None]:
    return [images2neibs(g, **params), None]


PARAMS = (
    Param("neib_shape", "ints", (2, 2), "the rows and columns of a neighbourhood", min=1),
    Param("neib_step", "ints", None, "from one to the next; none means side by side", min=1),
    Param("mode", "string", "valid", "at the borders: all must fit, leave out what does not, go "
          "around, or put zeros around the images (half or nearly all of a neighbourhood)",
          choices=MODES),
)  # fmt: skip


def _neibs_of(*image: int, rows: int) -> Callable[[np.random.Generator], list[Any]]:
    """Draws neighbourhoods of four elements, and gives the shape of the images."""
    return lambda rng: [rng.uniform(-2, 2, (rows, 4)), np.array(image, "int64")]


images2neibs: Op = Op(
    name="images2neibs",
    symbol="▦→",
    category=CATEGORY,
    aliases=("im2col", "unfold"),
    doc="Every neighbourhood of every image as a row of a matrix.",
    ports=(Port("ten4", "images: (batch, channels, rows, columns)"),),
    params=PARAMS,
    infer=_neibs_type,
    numpy=lambda ten4, **params: Neighbourhoods(**params).value(ten4),
    grad=lambda g, y, x, **params: [neibs2images(g, x.shape, **params)],
    conjugates=False,
    dtypes=DISCRETE | FLOATS | COMPLEX,
    method=False,
    examples=(
        Example(((2, 3, 4, 6),)),
        Example(((2, 3, 5, 7),), {"neib_shape": (3, 2), "mode": "ignore_borders"}),
        Example(((1, 2, 5, 6),), {"neib_shape": (3, 2), "neib_step": (2, 1)}),
        Example(((2, 1, 5, 4),), {"neib_shape": (3, 3), "neib_step": (2, 1), "mode": "half"}),
        Example(((2, 1, 5, 4),), {"neib_shape": (3, 2), "neib_step": (2, 1), "mode": "full"}),
        Example(((1, 2, 4, 5),), {"neib_shape": (3, 5), "neib_step": (2, 1), "mode": MODES[2]}),
    ),
)

neibs2images: Op = Op(
    name="neibs2images",
    symbol="→▦",
    category=CATEGORY,
    aliases=("col2im", "fold"),
    doc="Images put together from their neighbourhoods, the rows of a matrix; where these "
    "overlap, they are added up.",
    ports=(
        Port("neibs", "a neighbourhood a row"),
        Port("original_shape", "the shape of the images: (batch, channels, rows, columns)"),
    ),
    params=PARAMS,
    infer=_images_type,
    reads_values=True,
    numpy=_images_value,
    grad=_images_grad,
    conjugates=False,
    dtypes=DISCRETE | FLOATS | COMPLEX,
    method=False,
    examples=(
        Example(draw=_neibs_of(2, 1, 4, 6, rows=12)),
        Example(draw=_neibs_of(1, 2, 5, 5, rows=8), params={"mode": "ignore_borders"}),
        Example(draw=_neibs_of(1, 2, 3, 3, rows=8), params={"neib_step": (1, 1)}),
        Example(draw=_neibs_of(1, 1, 3, 2, rows=12), params={"neib_step": (1, 1), "mode": "full"}),
    ),
)
