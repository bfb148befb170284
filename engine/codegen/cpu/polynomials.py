"""Elementary functions of our own, for computers whose C library has no vector versions of them.

They have neither branches nor tables nor calls, so that LLVM takes as many elements at once as
the processor can, wherever they stand in a loop; and every element gets the same bits, wherever
it stands in a tensor.  A function is a module of LLVM IR, whose code is copied to where it is
called.

An argument is first reduced to a short interval, without loss: by multiples of ln 2, which is kept
as the sum of two numbers, or by powers of two.  There a polynomial is enough.  The coefficients
are those of least greatest error, found by Remez' exchange at 200 bits and then rounded:

======================================  ==================  ===================  ==================
function                                interval            float64              float32
======================================  ==================  ===================  ==================
(exp r - 1 - r) / r²                    ±ln 2 / 2           degree 9, 2^-57.8    degree 4, 2^-28.1
(2 artanh s - 2 s) / s³, in z = s²      0 ≤ z ≤ 0.0295      degree 6, 2^-59.4    degree 2, 2^-30.2
======================================  ==================  ===================  ==================

The error is that of exp r, whose value is about 1, and that of 2 artanh s in proportion to it.
The greatest errors found among millions of numbers, rounding included, in units in the last place:

========  =======  =======
function  float64  float32
========  =======  =======
exp       0.77     0.78
expm1     1.12     1.11
log       0.84     0.82
log1p     0.87     0.91
tanh      1.33     1.35
========  =======  =======

That is where a processor multiplies and adds with one rounding; elsewhere expm1 may be off by 1.2.
0, -0, infinities, NaN, and results too large or too small are as in the C library.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import inf, nan
from typing import Any, NamedTuple

from llvmlite import ir

from engine.codegen.cpu import operations


class Format(NamedTuple):
    """What the functions must know of a dtype.

    fraction: the bits behind the point.  bias: what is added to exponents.
    ln2: its two parts; any multiple of the first by an exponent is exact.
    exp, artanh: the coefficients, from the constant one up.
    least, greatest: from where on exp is 0, and infinite.
    minus_one, one: from where on expm1 is -1, and tanh is 1.
    root: the bits of √½.
    """

    dtype: str
    fraction: int
    bias: int
    ln2: tuple[float, float]
    exp: tuple[float, ...]
    artanh: tuple[float, ...]
    least: float
    greatest: float
    minus_one: float
    one: float
    root: int


FLOAT64 = Format(
    dtype="float64",
    fraction=52,
    bias=1023,
    ln2=(0.6931471805598903, 5.497923018708371e-14),
    exp=(
        0.500000000000001, 0.16666666666666696, 0.04166666666653068, 0.008333333333308811,
        0.001388888894357233, 0.00019841269914395662, 2.480149310467472e-05,
        2.7557218657114926e-06, 2.763025947983357e-07, 2.5117189588725793e-08,
    ),
    artanh=(
        0.6666666666666734, 0.399999999994143, 0.2857142874247919, 0.22222198563109455,
        0.18183564884170222, 0.15314035419558877, 0.1479610940499432,
    ),
    least=-746.0,
    greatest=710.0,
    minus_one=-40.0,
    one=20.0,
    root=0x3FE6A09E667F3BCD,
)  # fmt: skip
FLOAT32 = Format(
    dtype="float32",
    fraction=23,
    bias=127,
    ln2=(0.693145751953125, 1.428606765330187e-06),
    exp=(
        0.5, 0.1666652113199234, 0.04166621342301369, 0.008368728682398796,
        0.0013950130669400096,
    ),
    artanh=(0.6666677594184875, 0.39977535605430603, 0.2987186312675476),
    least=-104.0,
    greatest=89.0,
    minus_one=-18.0,
    one=10.0,
    root=0x3F3504F3,
)  # fmt: skip

INTEGERS = {"float64": ir.IntType(64), "float32": ir.IntType(32)}
"""As what the bits of a float are seen."""


class Number:
    """A number in a function that is being written: to compute with it adds instructions.

    It is a float of the format, an integer as wide, or a bool.
    """

    def __init__(self, builder: Any, register: Any, format: Format) -> None:
        self.builder = builder
        self.register = register
        self.format = format

    def _made(self, register: Any) -> Number:
        return Number(self.builder, register, self.format)

    def _of(self, y: Number | float) -> Any:
        return y.register if isinstance(y, Number) else self.register.type(y)

    def _arithmetic(self, name: str, x: Number | float, y: Number | float) -> Number:
        floating = not isinstance(self.register.type, ir.IntType)
        code = getattr(self.builder, f"f{name}" if floating else name)
        return self._made(code(self._of(x), self._of(y)))

    def __add__(self, y: Number | float) -> Number:
        return self._arithmetic("add", self, y)

    def __radd__(self, x: float) -> Number:
        return self._arithmetic("add", x, self)

    def __sub__(self, y: Number | float) -> Number:
        return self._arithmetic("sub", self, y)

    def __rsub__(self, x: float) -> Number:
        return self._arithmetic("sub", x, self)

    def __mul__(self, y: Number | float) -> Number:
        return self._arithmetic("mul", self, y)

    def __truediv__(self, y: Number) -> Number:
        return self._arithmetic("div", self, y)

    def __lt__(self, y: float) -> Number:
        return self._made(self.builder.fcmp_ordered("<", self.register, self._of(y)))

    def __gt__(self, y: float) -> Number:
        return self._made(self.builder.fcmp_ordered(">", self.register, self._of(y)))

    def equals(self, y: float) -> Number:
        return self._made(self.builder.fcmp_ordered("==", self.register, self._of(y)))

    def times_plus(self, y: Number | float, z: Number | float) -> Number:
        """self * y + z, rounded once where the processor does so faster."""
        return self._called("fmuladd", y, z)

    def size(self) -> Number:
        return self._called("fabs")

    def with_sign_of(self, y: Number) -> Number:
        return self._called("copysign", y)

    def _called(self, name: str, *rest: Number | float) -> Number:
        code = operations.intrinsic(name)
        arguments = (self.register, *map(self._of, rest))
        return self._made(code(self.builder, self.format.dtype, *arguments))

    def where(self, condition: Number, other: Number | float) -> Number:
        """The number itself where the condition holds, and the other elsewhere."""
        return self._made(self.builder.select(condition.register, self.register, self._of(other)))

    def unless(self, condition: Number, other: Number | float) -> Number:
        """The other number where the condition holds, and this one elsewhere."""
        return self._made(self.builder.select(condition.register, self._of(other), self.register))

    # Bits.

    def as_integer(self) -> Number:
        """The integer that has these bits."""
        return self._made(self.builder.bitcast(self.register, INTEGERS[self.format.dtype]))

    def as_float(self) -> Number:
        """The float that has these bits."""
        type = operations.TYPES[self.format.dtype]
        return self._made(self.builder.bitcast(self.register, type))

    def up(self, places: int) -> Number:
        return self._made(self.builder.shl(self.register, self._of(places)))

    def down(self, places: int) -> Number:
        """Moved down by so many places, zeros from above."""
        return self._made(self.builder.lshr(self.register, self._of(places)))

    def __and__(self, mask: int) -> Number:
        return self._made(self.builder.and_(self.register, self._of(mask)))

    def __or__(self, mask: int) -> Number:
        return self._made(self.builder.or_(self.register, self._of(mask)))


def _polynomial(x: Number, coefficients: tuple[float, ...]) -> Number:
    """By Horner's rule."""
    *rest, last, first = coefficients
    total = x.times_plus(first, last)
    for c in reversed(rest):
        total = total.times_plus(x, c)
    return total


def _reduced(x: Number) -> tuple[Number, Number, Number]:
    """n, as an integer, for which x - n ln 2 is closest to 0; that, and what rounding took of it.

    x / ln 2 is rounded by being added to a number that has no room for what is behind the point.
    """
    format = x.format
    above = 1.5 * 2.0**format.fraction
    exponent = (format.bias + format.fraction) << format.fraction
    shifted = x.times_plus(1 / sum(format.ln2), above)
    n = shifted - above
    high, low = format.ln2
    most, rest = n.times_plus(-high, x), n * low
    r = most - rest
    return shifted.as_integer() - (exponent + (1 << (format.fraction - 1))), r, (most - r) - rest


def _power(exponent: Number) -> Number:
    """2 to the power of an exponent that has been biased."""
    return exponent.up(exponent.format.fraction).as_float()


def exp(x: Number) -> Number:
    """e^x = 2^n e^r.  The power is multiplied in by halves, so that only the result can round."""
    format = x.format
    x = x.unless(x < format.least, format.least)
    x = x.unless(x > format.greatest, format.greatest)
    n, r, missing = _reduced(x)
    total = 1.0 + r
    missing = missing + (r - (total - 1.0))
    value = total + (r * r).times_plus(_polynomial(r, format.exp), missing)
    biased = n + 2 * format.bias
    half = biased.down(1)
    return value * _power(half) * _power(biased - half)


def expm1(x: Number) -> Number:
    """e^x - 1."""
    format = x.format
    inside = x.unless(x < format.minus_one, format.minus_one)
    inside = inside.unless(x > format.greatest, format.greatest)
    half, rest = _half_expm1(inside)
    half = half + rest
    return (half + half).unless(x.size() < 2.0 ** -(format.fraction + 2), x)


def _half_expm1(x: Number) -> tuple[Number, Number]:
    """Half of 2^n (e^r - 1) + 2^n - 1, and what it lacks: the rest, with what rounding took.

    Half of it, because 2^n itself may be infinite.
    """
    format = x.format
    n, r, missing = _reduced(x)
    small = (r * r).times_plus(_polynomial(r, format.exp), missing.times_plus(r, missing))
    power = _power(n + (format.bias - 1))
    total, missing = _sum(power - 0.5, power * r)
    return total, power.times_plus(small, missing)


def _sum(x: Number | float, y: Number) -> tuple[Number, Number]:
    """x + y and what it lacks by rounding (Knuth's two-sum)."""
    total = x + y
    added = total - x
    return total, (y - added) + (x - (total - added))


def log(x: Number) -> Number:
    """log x = k ln 2 + log m."""
    format = x.format
    tiny = x < 2.0 ** (1 - format.bias)
    raised = format.fraction + 2
    biased, m = _split((x * 2.0**raised).where(tiny, x))
    k = _exponent(biased)
    return _limited(_logarithm((k - float(raised)).where(tiny, k), m - 1.0), x, 0.0)


def log1p(x: Number) -> Number:
    """log(1 + x) = k ln 2 + log(m + c 2^-k), where c is what 1 + x lacks by rounding.

    For small x that is log(1 + x) with 1 + x never rounded.
    """
    format = x.format
    total, missing = _sum(1.0, x)
    biased, m = _split(total)
    # Of a large number, nothing is missing that counts.
    missing = (missing * _power(2 * format.bias - biased)).where(
        total < 2.0 ** (2 * format.fraction), 0.0
    )
    f = (m - 1.0) + missing
    missing = missing - (f - (m - 1.0))
    result = _limited(_logarithm(_exponent(biased), f, missing), x, -1.0)
    return result.unless(x.size() < 2.0 ** -(format.fraction + 2), x)


def _split(x: Number) -> tuple[Number, Number]:
    """k and m, for which x = 2^k m and m lies between √½ and √2; k is biased."""
    format = x.format
    one = format.bias << format.fraction
    moved = x.as_integer() + (one - format.root)
    m = ((moved & ((1 << format.fraction) - 1)) + format.root).as_float()
    return moved.down(format.fraction), m


def _exponent(biased: Number) -> Number:
    """The exponent as a float: there is no instruction for it everywhere."""
    format = biased.format
    above = 2.0**format.fraction
    exponent = (format.bias + format.fraction) << format.fraction
    return (biased | exponent).as_float() - (above + format.bias)


def _logarithm(k: Number, f: Number, missing: Number | None = None) -> Number:
    """k ln 2 + log(1 + f + missing), as fdlibm sums it up.

    With s = f / (2 + f), log(1 + f) is 2 artanh s, and 2 s is f - f²/2 + s f²/2.
    """
    format = f.format
    high, low = format.ln2
    s = f / (f + 2.0)
    z = s * s
    square = f * f * 0.5
    rest = k * low if missing is None else k.times_plus(low, missing)
    rest = s.times_plus(z.times_plus(_polynomial(z, format.artanh), square), rest)
    return k.times_plus(high, f - (square - rest))


def _limited(result: Number, x: Number, pole: float) -> Number:
    """A logarithm of x where it has one; -∞ at the pole, and NaN below."""
    result = result.where(x < inf, x)
    return result.unless(x < pole, nan).unless(x.equals(pole), -inf)


def tanh(x: Number) -> Number:
    """t = h / (h + 1), where h is half of e^2|x| - 1.

    What h and h + 1 lack is made up for; the derivative of t by h is (1 - t) / (h + 1).
    """
    format = x.format
    size = x.size()
    inside = size.unless(size > format.one, format.one)
    total, rest = _half_expm1(inside + inside)
    h = total + rest
    rest = rest - (h - total)
    below, missing = _sum(1.0, h)
    t = h / below
    t = t + (rest - t * (missing + rest)) * (1.0 - t)
    return t.with_sign_of(x).unless(size < 2.0 ** -(format.fraction // 2 + 1), x)


FUNCTIONS: dict[str, Callable[[Number], Number]] = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "tanh": tanh,
}


@cache
def module(name: str) -> tuple[str, str]:
    """A function, and the module that defines it; named as that of the C library that it is for.

    float32 has an f behind, so that `expf` is exp there.
    """
    format = FLOAT64 if name in FUNCTIONS else FLOAT32
    function = FUNCTIONS[name if name in FUNCTIONS else name.removesuffix("f")]
    type = operations.TYPES[format.dtype]
    defined = ir.Function(ir.Module(), ir.FunctionType(type, [type]), f"polynomial_{name}")
    defined.attributes.add("alwaysinline")
    builder = ir.IRBuilder(defined.append_basic_block())
    builder.ret(function(Number(builder, defined.args[0], format)).register)
    return defined.name, str(defined.module)
