"""The dtypes that ops compute in and give, by the dtypes that they get."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.config import config
from engine.errors import TypeMismatchError
from engine.types import COMPLEX, DISCRETE, FLOATS, INTEGERS, to_float, upcast

DtypeRule = Callable[[Sequence[str]], tuple[str | tuple[str, ...], str]]
"""From the inputs' dtypes to the dtype computed in and the dtype of the result.

The former may be several, one for each input, where not all are cast to the same.  The last one
is what `T` in a kernel's text stands for.
"""


def upcasting(dtypes: Sequence[str]) -> tuple[str, str]:
    """Computed in and returned as the dtype that holds all inputs."""
    dtype = upcast(*dtypes)
    return dtype, dtype


def floating(dtypes: Sequence[str]) -> tuple[str, str]:
    """As upcasting, but ints become floats: 8 and 16 bits float32, more float64."""
    dtype = to_float(upcast(*dtypes))
    return dtype, dtype


def comparing(dtypes: Sequence[str]) -> tuple[str, str]:
    """Compared in the dtype that holds all inputs; the result is bool."""
    return upcast(*dtypes), "bool"


def dividing(dtypes: Sequence[str]) -> tuple[str, str]:
    """Integers divide to floatX, anything else as upcasting."""
    dtype = config.floatX if all(d in DISCRETE for d in dtypes) else upcast(*dtypes)
    return dtype, dtype


def arithmetic(dtypes: Sequence[str]) -> tuple[str, str]:
    """As upcasting; bools alone are refused."""
    if all(d == "bool" for d in dtypes):
        raise TypeMismatchError(
            "bool has no arithmetic of this kind.",
            expected="a number",
            got="bool",
            hint="Use and_, or_, xor, invert, or cast to an integer first.",
        )
    return upcasting(dtypes)


def of_reals(rule: DtypeRule) -> DtypeRule:
    """The rule, where complex numbers are refused."""

    def checked(dtypes: Sequence[str]) -> tuple[str | tuple[str, ...], str]:
        for dtype in dtypes:
            if dtype in COMPLEX:
                raise TypeMismatchError(
                    "This is not defined for complex numbers.",
                    expected="real numbers",
                    got=dtype,
                    hint="Take the real part, the imaginary part or the absolute value first.",
                )
        return rule(dtypes)

    return checked


def sum_dtype(dtype: str) -> str:
    """Sums and products of small integers are 64 bits wide."""
    if config.cast_policy == "simple":
        return upcast("int64" if dtype == "bool" else dtype)
    if dtype in INTEGERS or dtype == "bool":
        return "uint64" if dtype.startswith("uint") else "int64"
    return dtype


def accumulator(dtype: str) -> str:
    """The dtype in which a sum is kept: float16 and float32 in float64."""
    if dtype in COMPLEX:
        return "complex128"
    return "float64" if dtype in FLOATS else sum_dtype(dtype)
