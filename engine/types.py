"""dtypes, promotion, shapes and broadcasting: what is known of a tensor before it has a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, TypeGuard

import numpy as np

from engine.config import config
from engine.errors import ShapeError, TypeMismatchError

DTYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)
EVERY = frozenset(DTYPES)
PREFIXES = {
    "b": "int8",
    "w": "int16",
    "i": "int32",
    "l": "int64",
    "f": "float32",
    "d": "float64",
    "c": "complex64",
    "z": "complex128",
}
KINDS: dict[str, tuple[int | None, ...]] = {
    "scalar": (),
    "vector": (None,),
    "row": (1, None),
    "col": (None, 1),
    "matrix": (None, None),
    "tensor3": (None,) * 3,
    "tensor4": (None,) * 4,
    "tensor5": (None,) * 5,
    "tensor6": (None,) * 6,
    "tensor7": (None,) * 7,
}
INTEGERS = frozenset(d for d in DTYPES if d.startswith(("int", "uint")))
DISCRETE = INTEGERS | {"bool"}
FLOATS = frozenset({"float16", "float32", "float64"})
COMPLEX = frozenset({"complex64", "complex128"})
WIDEST = frozenset({"float64", "complex128"})
"""What nobody gets without asking who works in float32."""

Shape = tuple[int | None, ...]
LONGEST = 10**150
"""Beyond all memory; a bound for what is only inferred, such as the outer product of products."""


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape as text, unknown lengths as `?`: `(?, 3)`, `(2,)`, `()`."""
    inner = ", ".join("?" if n is None else str(n) for n in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


@dataclass(frozen=True)
class TensorType:
    """What is known of a tensor: dtype, rank, known lengths, and which axes may be stretched.

    `shape` has an int for each known length and None for each unknown one; booleans are
    Theano's broadcast pattern (True is a known length of 1).  `broadcastable` tells which axes
    of length 1 stretch against longer ones; it is `length == 1` unless given.  An axis not
    marked so is never stretched, even if it has length 1 when the graph runs.  Who gives nothing
    but a pattern has said the shape with it.  `name` is taken for Theano's sake and not kept.
    """

    dtype: str
    shape: Shape
    broadcastable: tuple[bool, ...]
    variable: ClassVar[Callable[[TensorType, str | None], Any]]
    """Makes a variable of a type; filled in by the floor that knows variables."""

    def __init__(
        self,
        dtype: Any,
        shape: Sequence[int | bool | None] | None = None,
        broadcastable: Sequence[bool] | None = None,
        name: str | None = None,
    ) -> None:
        if isinstance(dtype, str) and dtype == "floatX":
            dtype = config.floatX
        name = dtype if isinstance(dtype, str) and dtype in EVERY else np.dtype(dtype).name
        if name not in EVERY:
            raise TypeMismatchError(
                f"There is no tensor of dtype {name}.", expected=", ".join(DTYPES), got=name
            )
        given = broadcastable if shape is None else shape
        lengths = tuple(_length(n) for n in given or ())
        object.__setattr__(self, "dtype", name)
        object.__setattr__(self, "shape", lengths)
        pattern = (n == 1 for n in lengths) if broadcastable is None else broadcastable
        object.__setattr__(self, "broadcastable", tuple(bool(b) for b in pattern))

    @property
    def ndim(self) -> int:
        """The rank: how many axes."""
        return len(self.shape)

    @property
    def name(self) -> str:
        """Theano's name of the type (`dmatrix`) where there is one, else `float64 (?, 3)`."""
        pattern = tuple(1 if b else None for b in self.broadcastable)
        for letter, dtype in PREFIXES.items():
            for kind, shape in KINDS.items():
                if dtype == self.dtype and shape == pattern:
                    return letter + kind
        return str(self)

    def __str__(self) -> str:
        return f"{self.dtype} {shape_text(self.shape)}"

    def __repr__(self) -> str:
        # As Theano has it: TensorType(float64, matrix).
        kind = self.name[1:] if self.name != str(self) else shape_text(self.shape)
        return f"TensorType({self.dtype}, {kind})"

    def __call__(self, name: str | None = None) -> Any:
        """A new variable of this type, as in `TensorType("float32", (False,) * 5)("x")`."""
        return TensorType.variable(self, name)

    def of_shape(self, shape: Sequence[int | None]) -> TensorType:
        """The same dtype and pattern with other lengths."""
        return TensorType(self.dtype, shape, self.broadcastable)

    def with_dtype(self, dtype: str) -> TensorType:
        """The same shape and pattern with another dtype."""
        return TensorType(dtype, self.shape, self.broadcastable)

    def filter(
        self,
        value: Any,
        name: str | None = None,
        allow_downcast: bool | None = None,
        strict: bool = False,
    ) -> np.ndarray[Any, Any]:
        """The value as an array of exactly this type.

        Only conversions that keep every value are done: an array's dtype is widened; numbers and
        lists go where nothing of them is lost, and a Python float also where it is rounded to
        floatX.  `allow_downcast` True permits every conversion, False no
        rounding either.  `strict` permits none: it takes an array of this dtype or nothing.
        Raises TypeMismatchError that names the dtype or rank that was expected.
        """
        label = f"{name} " if name else ""
        try:
            array = np.asarray(value)
        except ValueError:  # rows of several lengths
            array = np.empty((), object)
        if array.dtype != self.dtype or (strict and not isinstance(value, np.ndarray)):
            array = self._converted(value, array, label, name, allow_downcast, strict)
        if array.ndim != self.ndim:
            raise TypeMismatchError(
                f"{label}has {array.ndim} dimension{'s' * (array.ndim != 1)} with shape "
                f"{shape_text(array.shape)}, but {self.name} has {self.ndim}.",
                node=name,
                expected=self.name,
                got=f"{array.ndim} dimensions",
            )
        for axis, (n, known) in enumerate(zip(array.shape, self.shape, strict=True)):
            if known is not None and n != known:
                raise TypeMismatchError(
                    f"{label}has length {n} on axis {axis}, but {self.name} has {known}.",
                    node=name,
                    expected=shape_text(self.shape),
                    got=shape_text(array.shape),
                )
        return array

    def _converted(
        self,
        value: Any,
        array: np.ndarray[Any, Any],
        label: str,
        name: str | None,
        allow_downcast: bool | None,
        strict: bool,
    ) -> np.ndarray[Any, Any]:
        if array.dtype.kind not in "biufc":
            raise TypeMismatchError(
                f"{label}takes an array of numbers, and this {type(value).__name__} is none.",
                node=name,
                expected=self.name,
                got=type(value).__name__,
                hint="All rows of a list must be equally long." if array.dtype == object else None,
            )
        if strict:
            raise TypeMismatchError(
                f"{label}takes nothing but an array of {self.dtype}: it is strict.",
                node=name,
                expected=f"an array of {self.dtype}",
                got=f"{type(value).__name__} of {array.dtype.name}",
            )
        losing = array.dtype.kind == "c" and self.dtype not in COMPLEX
        if not losing:
            with np.errstate(all="ignore"):
                converted = array.astype(self.dtype)
            if allow_downcast or np.can_cast(array.dtype, self.dtype, "safe"):
                return converted
            if allow_downcast is None and type(value) is float and self.dtype == config.floatX:
                return converted
            if not isinstance(value, np.ndarray) and np.array_equal(converted, array, True):
                return converted
        raise TypeMismatchError(
            f"{label}cannot hold {array.dtype.name} values in {self.dtype} without loss.",
            node=name,
            expected=self.dtype,
            got=array.dtype.name,
            hint="Give its real or imaginary part."
            if losing
            else f"Convert it yourself with numpy.asarray(value, dtype={self.dtype!r}), or pass "
            "allow_input_downcast=True.",
        )

    def accepts(self, other: TensorType) -> bool:
        """Whether every value of `other` is a value of this type."""
        return (
            self.dtype == other.dtype
            and self.ndim == other.ndim
            and all(a is None or a == b for a, b in zip(self.shape, other.shape, strict=True))
        )


def _length(n: int | bool | None) -> int | None:
    if isinstance(n, bool | np.bool_):
        return 1 if n else None
    if n is None:
        return None
    if n < 0:
        raise ShapeError(f"An axis cannot have length {n}.", expected="0 or more", got=str(n))
    if n > LONGEST:
        raise ShapeError(
            "An axis cannot be as long as that: no memory holds it.",
            expected="a length of less than 20 digits",
            got=f"a length of {len(str(n))} digits",
        )
    return int(n)


def upcast(*dtypes: str) -> str:
    """The dtype of what is computed from `dtypes`, whatever the values are.

    By default the one that holds them all, NumPy's promotion; with config.cast_policy
    "numpy+floatX" ints widen no float beyond floatX; with "simple" bool, int64, floatX, or the
    complex dtype as wide as floatX.
    """
    dtype = promoted(*dtypes)
    if config.cast_policy == "simple":
        return _simple(dtype)
    if config.cast_policy == "numpy+floatX" and dtype in FLOATS:
        widest = promoted(config.floatX, *(d for d in dtypes if d in FLOATS))
        return min(dtype, widest, key=lambda d: np.dtype(d).itemsize)
    return dtype


@cache
def promoted(*dtypes: str) -> str:
    """The smallest dtype that holds all of `dtypes`, by NumPy's promotion."""
    return str(np.result_type(*(np.dtype(d) for d in dtypes)))


def _simple(dtype: str) -> str:
    if dtype in FLOATS:
        return config.floatX
    if dtype in COMPLEX:
        return complex_dtype(config.floatX)
    return "int64" if dtype in INTEGERS else dtype


def to_float(dtype: str) -> str:
    """The dtype in which a function like exp is computed: 8 and 16 bits give float32."""
    if config.cast_policy == "simple":
        return _simple(dtype if dtype in COMPLEX else config.floatX)
    if dtype in FLOATS or dtype in COMPLEX:
        return dtype
    return "float32" if dtype in {"bool", "int8", "int16", "uint8", "uint16"} else "float64"


def check_ordered(t: TensorType) -> None:
    """Raise TypeMismatchError for complex numbers, of which none is less than another."""
    if t.dtype in COMPLEX:
        raise TypeMismatchError(
            "Complex numbers have no order.",
            expected="real numbers",
            got=str(t),
            hint="Take abs, real or imag first.",
        )


def real_dtype(dtype: str) -> str:
    """The dtype of the real part: half as wide as a complex one, else the dtype itself."""
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def complex_dtype(dtype: str) -> str:
    """The complex dtype whose parts hold a float of this dtype."""
    return "complex128" if dtype in {"float64", "complex128"} else "complex64"


def is_literal(value: Any) -> TypeGuard[bool | int | float | complex]:
    """Whether it is one of Python's own numbers; NumPy's have a dtype that somebody chose."""
    plain = isinstance(value, bool | int | float | complex)
    return plain and not isinstance(value, np.generic)


SMALL = ("int8", "int16", "int32")
LARGE = ("int64", "uint64")


def literal_dtype(value: bool | int | float | complex) -> str:
    """Theano's dtype of a Python number: the smallest int that holds it, float32 if exact.

    1 is int8, 300 int16, 1.5 float32, 1.1 float64 (floatX where that is narrower).  Unless
    config.cast_policy is "custom", whole numbers are int64 and floats floatX.
    """
    if isinstance(value, bool):
        return "bool"
    custom = config.cast_policy == "custom"
    if isinstance(value, int):
        for dtype in (*SMALL, *LARGE) if custom else LARGE:
            bounds = np.iinfo(dtype)
            if bounds.min <= value <= bounds.max:
                return dtype
        raise TypeMismatchError(
            f"{value} does not fit into 64 bits.", hint="Write it as a float, for example 1e20."
        )
    if isinstance(value, complex):
        return complex_dtype(config.floatX)
    with np.errstate(over="ignore"):
        exact = float(np.float32(value)) == value or value != value
    return "float32" if custom and exact and config.floatX == "float64" else config.floatX


def lone_dtype(value: bool | int | float | complex) -> str:
    """The dtype of a Python number that is the value of a whole tensor: int64 or floatX.

    Beside no other tensor there is no narrow dtype to be kept.
    """
    dtype = literal_dtype(value)
    return "int64" if dtype in SMALL else config.floatX if dtype in FLOATS else dtype


def widens_silently(inputs: Sequence[str], result: str) -> bool:
    """Whether a result is twice as wide as anybody asked for.

    True where it is float64 or complex128 though no input is, and though somebody works in
    less: an input is a narrower float, or floatX is.  Numbers that are constants take no part:
    leave them out of `inputs`.  int32 * float32 is such a case, and exp of an int32 where
    floatX is float32; int32 / int32 is none where floatX is float64.
    """
    if result not in WIDEST or not inputs or any(d in WIDEST for d in inputs):
        return False
    return config.floatX != "float64" or any(d in FLOATS or d in COMPLEX for d in inputs)


def broadcast(types: Sequence[TensorType], names: Sequence[str | None] = ()) -> TensorType:
    """The type of an elementwise result, dtype of the first.

    Shapes are aligned on the right.  An axis stretches only where it is marked broadcastable or
    missing; two known lengths that differ are a ShapeError naming both shapes and the axis.
    """
    ndim = max(t.ndim for t in types)
    shape: list[int | None] = []
    pattern: list[bool] = []
    for axis in range(ndim):
        length: int | None = None
        stretches = True
        for t in types:
            i = axis - (ndim - t.ndim)
            if i < 0 or t.broadcastable[i]:
                continue
            stretches = False
            n = t.shape[i]
            if n is not None and length is not None and n != length:
                raise ShapeError(
                    f"Shapes {_shapes(types, names)} do not fit together on axis {axis}: "
                    f"{length} against {n}.",
                    expected=f"equal lengths on axis {axis}",
                    got=f"{length} and {n}",
                    hint="Only an axis declared broadcastable (a row, a col, a 1) stretches.",
                )
            length = n if length is None else length
        shape.append(1 if stretches else length)
        pattern.append(stretches)
    return TensorType(types[0].dtype, shape, pattern)


def _shapes(types: Iterable[TensorType], names: Sequence[str | None]) -> str:
    texts = [shape_text(t.shape) for t in types]
    for i, name in enumerate(names):
        if name:
            texts[i] += f" of {name}"
    return " and ".join(texts)


def normalize_axis(axis: int, ndim: int) -> int:
    """The axis counted from the front; raises ShapeError where there is no such axis."""
    if not -ndim <= axis < ndim:
        raise ShapeError(
            f"There is no axis {axis} in a tensor of {ndim} dimension{'s' * (ndim != 1)}.",
            expected=f"{-ndim} to {ndim - 1}" if ndim else "no axis",
            got=str(axis),
        )
    return axis + ndim if axis < 0 else axis


def normalize_axes(axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Sorted axes counted from the front; None stands for all of them."""
    if axis is None:
        return tuple(range(ndim))
    axes = [axis] if isinstance(axis, int | np.integer) else list(axis)
    return tuple(sorted({normalize_axis(int(a), ndim) for a in axes}))
