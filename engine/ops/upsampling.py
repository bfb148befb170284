"""Images made larger: new rows and columns between the old ones."""

from collections.abc import Sequence
from math import gcd
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.op import Example, Op, Param, Port
from engine.ops.windows import Array, differ, lengths_in, lengths_of
from engine.types import COMPLEX, DISCRETE, FLOATS, Shape, TensorType, shape_text, to_float


class Upsampling:
    """How the rows and columns of an image are multiplied, checked.

    ratio, divisor: for the rows and for the columns; they become ratio / divisor times as many.
    """

    def __init__(self, ratio: Sequence[int], divisor: Sequence[int]) -> None:
        for name, values in (("ratio", ratio), ("divisor", divisor)):
            if len(values) != 2 or min(values) < 1:
                raise ParameterError(
                    f"{name} cannot be {tuple(values)}.",
                    port=name,
                    expected="two numbers of 1 or more, for the rows and the columns",
                    got=str(tuple(values)),
                )
        common = [gcd(p, q) for p, q in zip(ratio, divisor, strict=True)]
        self.ratio = [p // n for p, n in zip(ratio, common, strict=True)]
        self.divisor = [q // n for q, n in zip(divisor, common, strict=True)]

    def length(self, axis: int, length: int | None) -> int | None:
        """How many rows (axis 0) or columns (1) so many become."""
        return None if length is None else -(-length * self.ratio[axis] // self.divisor[axis])

    def matrix(self, axis: int, length: int, dtype: str) -> Array:
        """What each new row is of the old ones: on the straight line between its two neighbours.

        The old row k is the new row k * ratio + (ratio - 1) // 2, as in Theano; beyond the first
        and the last one there are more of these.
        """
        p, q = self.ratio[axis], self.divisor[axis]
        count = self.length(axis, length) or 0
        before, part = np.divmod(np.arange(count) * q - (p - 1) // 2, p)
        matrix = np.zeros((count, length))
        at = np.arange(count)
        for neighbour, weight in ((before, 1 - part / p), (before + 1, part / p)):
            matrix[at, np.clip(neighbour, 0, length - 1)] += weight
        return matrix.astype(dtype)

    def value(self, x: Array) -> Array:
        """The images, larger."""
        working = _working(x.dtype.name)
        rows, columns = (self.matrix(axis, x.shape[axis - 2], working) for axis in (0, 1))
        larger: Array = rows @ x.astype(working, copy=False) @ columns.T
        return larger.astype(to_float(x.dtype.name), copy=False)

    def spread(self, g: Array, shape: Sequence[int]) -> Array:
        """The transpose of `value`: each element of g given to those that it is made of."""
        working = _working(g.dtype.name)
        rows, columns = (self.matrix(axis, int(n), working) for axis, n in enumerate(shape))
        smaller: Array = rows.T @ g.astype(working, copy=False) @ columns
        return smaller.astype(to_float(g.dtype.name), copy=False)

    def check_output(self, image: Shape, output: Shape) -> None:
        """Raise ShapeError unless images of such a shape become as large as `output`."""
        inner = zip((0, 1), image[-2:], strict=True)
        shape = (*image[:-2], *(self.length(axis, n) for axis, n in inner))
        if differ(shape, output):
            raise ShapeError(
                f"Images of shape {shape_text(image)} become {shape_text(shape)}, but output_grad "
                f"has the shape {shape_text(output)}.",
                port="output_grad",
                expected=shape_text(shape),
                got=shape_text(output),
            )


def _working(dtype: str) -> str:
    return "float32" if dtype == "float16" else to_float(dtype)


def _check_images(t: TensorType, port: str) -> None:
    if t.ndim < 2:
        raise TypeMismatchError(
            f"Images have rows and columns as their last two axes, but {port} is {t}.",
            port=port,
            expected="2 axes or more",
            got=f"{t.ndim} axes",
        )


def _larger_type(input: TensorType, **params: Any) -> TensorType:
    up = Upsampling(**params)
    _check_images(input, "input")
    lengths = (up.length(axis, n) for axis, n in enumerate(input.shape[-2:]))
    pattern = (*input.broadcastable[:-2], False, False)
    return TensorType(to_float(input.dtype), (*input.shape[:-2], *lengths), pattern)


def _smaller_type(
    output_grad: TensorType, shape: TensorType, *, known: Sequence[Any], **params: Any
) -> TensorType:
    _check_images(output_grad, "output_grad")
    image = (*output_grad.shape[:-2], *lengths_of(shape, known[1], 2))
    Upsampling(**params).check_output(image, output_grad.shape)
    pattern = (*output_grad.broadcastable[:-2], False, False)
    return TensorType(to_float(output_grad.dtype), image, pattern)


def _smaller_value(output_grad: Any, shape: Any, **params: Any) -> Any:
    up, lengths = Upsampling(**params), lengths_in(shape, 2)
    up.check_output((*output_grad.shape[:-2], *lengths), output_grad.shape)
    return up.spread(output_grad, lengths)


def _larger_grad(g: Variable, y: Variable, x: Variable, **params: Any) -> list[Variable | None]:
    return [bilinear_upsampling_grad(g, x.shape[-2:], **params)]


def _smaller_grad(
    g: Variable, y: Variable, t: Variable, shape: Variable, **params: Any
) -> list[Variable | None]:
    return [bilinear_upsampling(g, **params), None]


PARAMS = (
    Param("ratio", "ints", (2, 2), "how many times as many rows and columns", min=1),
    Param("divisor", "ints", (1, 1), "what the ratio is divided by: 3 by 2 is 1.5 times", min=1),
)
_HALF_MORE = {"ratio": (3, 4), "divisor": (2, 6)}

bilinear_upsampling: Op = Op(
    name="bilinear_upsampling",
    symbol="⤢",
    category="Convolution",
    doc="Images with more rows and columns, the new ones on straight lines between the old ones.",
    ports=(Port("input", "images: (..., rows, columns)"),),
    params=PARAMS,
    infer=_larger_type,
    numpy=lambda input, **params: Upsampling(**params).value(input),
    grad=_larger_grad,
    dtypes=DISCRETE | FLOATS | COMPLEX,
    method=False,
    examples=(Example(((2, 3, 4, 5),)), Example(((4, 5),), _HALF_MORE)),
)

bilinear_upsampling_grad: Op = Op(
    name="bilinear_upsampling_grad",
    symbol="⤢∂x",
    category="Convolution",
    hidden=True,
    doc="The gradient of bilinear_upsampling: each element of output_grad given to those that it "
    "is made of.",
    ports=(
        Port("output_grad", "the gradient by the larger images"),
        Port("shape", "the numbers of rows and columns of the images"),
    ),
    params=PARAMS,
    infer=_smaller_type,
    reads_values=True,
    numpy=_smaller_value,
    grad=_smaller_grad,
    dtypes=DISCRETE | FLOATS | COMPLEX,
    method=False,
    examples=(
        Example(draw=lambda rng: [rng.uniform(-2, 2, (3, 8, 10)), np.array([4, 5], "int64")]),
        Example(
            draw=lambda rng: [rng.uniform(-2, 2, (6, 4)), np.array([4, 5], "int64")],
            params=_HALF_MORE,
        ),
    ),
)
