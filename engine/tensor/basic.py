"""Theano's `tensor.basic`: what makes tensors and puts them together, where it is no op.

Everything here is in `engine.tensor` too.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from engine.config import config
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Constant, Variable, as_variable
from engine.ops.joining import split
from engine.ops.shape import length, lengths_of
from engine.types import TensorType, broadcast, is_literal, lone_dtype

__all__ = [
    "as_tensor",
    "as_tensor_variable",
    "broadcast_arrays",
    "broadcast_shape",
    "concatenate",
    "constant",
    "cov",
    "empty",
    "flatten",
    "full",
    "horizontal_stack",
    "identity",
    "join",
    "mgrid",
    "ogrid",
    "ones",
    "split",
    "stacklists",
    "tensor",
    "vertical_stack",
    "zeros",
]


# Constants


def constant(
    x: Any, name: str | None = None, ndim: int | None = None, dtype: str | None = None
) -> Variable:
    """A constant; with new axes in front, which stretch, if `ndim` asks for more than it has."""
    return _padded(Constant(x, dtype, name), ndim)


def as_tensor_variable(x: Any, name: str | None = None, ndim: int | None = None) -> Variable:
    """The variable itself, a constant of a number, list or array, a stack of several.

    With new axes in front, which stretch, if `ndim` asks for more than it has.
    """
    return _padded(as_variable(x, name), ndim)


as_tensor = as_tensor_variable


def _padded(v: Variable, ndim: int | None) -> Variable:
    if ndim is None or ndim == v.ndim:
        return v
    if ndim < v.ndim:
        raise ShapeError(
            f"{v!r} has {v.ndim} axes, more than {ndim}.",
            expected=f"at most {ndim} axes",
            got=str(v.type),
        )
    return OPS["shape_padleft"](v, ndim - v.ndim)


# The same value everywhere


def full(shape: Any, fill_value: Any, dtype: str | None = None) -> Variable:
    """A tensor of the given shape with the value everywhere.

    shape: an int or integer scalar, a list in which both may be mixed, or a vector.
    """
    value = as_variable(fill_value)
    if is_literal(fill_value):
        value = Constant(fill_value, dtype or lone_dtype(fill_value))
    elif dtype is not None:
        value = Constant(value.data, dtype) if isinstance(value, Constant) else value.astype(dtype)
    lengths = lengths_of(shape)
    fixed = tuple(int(n.data) for n in lengths if isinstance(n, Constant))
    if len(fixed) == len(lengths) and value.ndim == 0:
        return OPS["full"](value, fixed)
    return OPS["alloc"](value, *lengths)


def zeros(shape: Any, dtype: str | None = None) -> Variable:
    """Zeros of the given shape, of floatX unless a dtype is given; shape as that of `full`."""
    return full(shape, 0, dtype or config.floatX)


def ones(shape: Any, dtype: str | None = None) -> Variable:
    """Ones of the given shape, of floatX unless a dtype is given; shape as that of `full`."""
    return full(shape, 1, dtype or config.floatX)


def empty(shape: Any, dtype: str | None = None) -> Variable:
    """Zeros: nothing is ever left to chance."""
    return zeros(shape, dtype)


def identity(n: Any, dtype: str | None = None) -> Variable:
    """A square matrix with ones on the diagonal and zeros elsewhere."""
    return OPS["eye"](n, dtype=dtype)


# Stretched against each other


def broadcast_shape(*tensors: Any) -> tuple[Variable, ...]:
    """The lengths that the result of an elementwise op on the tensors has."""
    given = [as_variable(v) for v in tensors]
    known = broadcast([v.type for v in given])
    found: list[Variable] = [Constant(1, "int64")] * known.ndim
    for v in given:
        for axis, stretches in enumerate(v.broadcastable, known.ndim - v.ndim):
            if not stretches:
                found[axis] = length(v, axis - (known.ndim - v.ndim))
    return tuple(found)


def broadcast_arrays(*tensors: Any) -> list[Variable]:
    """Each of the tensors stretched to the shape that they have together."""
    shape = broadcast_shape(*tensors)
    return [OPS["alloc"](v, *shape) for v in tensors]


# In another shape


def flatten(x: Any, ndim: int | None = None, outdim: int | None = None) -> Variable:
    """All elements in one row; or only the last axes put together, so that ndim are left.

    outdim: an older name of ndim.
    """
    if outdim is not None:
        if ndim is not None:
            raise ParameterError(
                "ndim was given twice, once as outdim.",
                port="ndim",
                expected="ndim",
                got="ndim and outdim",
            )
        warnings.warn("outdim is now called ndim.", DeprecationWarning, stacklevel=2)
        ndim = outdim
    return OPS["flatten"](x, 1 if ndim is None else ndim)


# Put together


def join(axis: int, *tensors: Any) -> Variable:
    """Tensors put together along an existing axis; Theano has the axis first."""
    return concatenate(tensors, axis)


def concatenate(tensor_list: Any, axis: int = 0) -> Variable:
    """Tensors put together along an existing axis; NumPy has the axis last."""
    if isinstance(tensor_list, Variable):
        raise TypeMismatchError(
            "The tensors to be put together must be a list.",
            expected="a list of tensors",
            got=repr(tensor_list),
            hint="Put brackets around them: concatenate([x, y]).",
        )
    tensors = [as_variable(v) for v in tensor_list]
    return tensors[0] if len(tensors) == 1 else OPS["join"](tensors, axis)


def horizontal_stack(*matrices: Any) -> Variable:
    """Matrices side by side."""
    return OPS["join"](_matrices(matrices), 1)


def vertical_stack(*matrices: Any) -> Variable:
    """Matrices one below the other."""
    return OPS["join"](_matrices(matrices), 0)


def _matrices(given: Sequence[Any]) -> list[Variable]:
    found = [as_variable(v) for v in given]
    if len(found) < 2 or any(v.ndim != 2 for v in found):
        raise TypeMismatchError(
            "Two matrices or more can be stacked so.",
            expected="matrices",
            got=" and ".join(str(v.type) for v in found) or "nothing",
            hint="Use stack for vectors, join for tensors of more axes.",
        )
    return found


def stacklists(arg: Any) -> Any:
    """Nested lists of tensors as one tensor, with an axis for each level of nesting."""
    return OPS["stack"](list(map(stacklists, arg))) if isinstance(arg, list | tuple) else arg


# Grids


class _Grid:
    """Coordinates by indexing, as `mgrid[0:5, 0:3]`: a tensor for each axis.

    The ends may be variables.  An imaginary step is a number of points, both ends included.
    """

    def __init__(self, sparse: bool) -> None:
        self.sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return _points(key)
        ranges = [_points(part) for part in key]
        axes = range(len(ranges))
        grids = [r.dimshuffle(*(0 if i == k else "x" for i in axes)) for k, r in enumerate(ranges)]
        if self.sparse:
            return grids
        lengths = [r.size for r in ranges]
        return [OPS["alloc"](grid, *lengths) for grid in grids]

    def __iter__(self) -> Iterator[Any]:
        raise TypeMismatchError("A grid is indexed.", hint="Write mgrid[0:5, 0:3].")


def _points(part: slice) -> Variable:
    if isinstance(part.step, complex):
        return OPS["linspace"](part.start or 0, part.stop, int(abs(part.step)))
    step = 1 if part.step is None else part.step
    return OPS["arange"](0 if part.start is None else part.start, part.stop, step)


mgrid = _Grid(sparse=False)
ogrid = _Grid(sparse=True)


def tensor(
    dtype: str,
    shape: Sequence[int | bool | None] = (),
    name: str | None = None,
    broadcastable: Sequence[bool] | None = None,
) -> Variable:
    """A variable of a type that has no name: `tensor("uint8", (None, 3))`.

    As in TensorType, an axis is known by its length, None or Theano's broadcast pattern, which
    may be given alone as well: `tensor("uint8", broadcastable=(False, True))`.
    """
    made: Variable = TensorType(dtype, shape or broadcastable or ())(name)
    return made


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
) -> Variable:
    """The covariances of the variables in m, and of those in y if it is given."""
    parts = [as_variable(v) for v in ((m,) if y is None else (m, y))]
    if len(parts) == 2:
        parts = [v.dimshuffle("x", 0) if v.ndim == 1 else v if rowvar else v.T for v in parts]
        parts, rowvar = [OPS["join"](parts, 0)], True
    return OPS["cov"](parts[0], rowvar, bias, ddof)
