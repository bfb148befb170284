"""What kernels compute with, as LLVM IR: casts, operators, and the functions they call by name.

Each adds instructions to a block; a value's dtype says what its bits mean.  Nothing traps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from engine.codegen.cpu import integers
from engine.types import FLOATS, INTEGERS

TYPES: dict[str, Any] = {
    "bool": ir.IntType(1),
    **{d: ir.IntType(int(d.lstrip("uint"))) for d in sorted(INTEGERS)},
    "float32": ir.FloatType(),
    "float64": ir.DoubleType(),
}
"""How values of each dtype are held in registers."""

Code = Callable[..., Any]
"""From a builder, the dtype of the arguments, and these, to a value."""


def is_signed(dtype: str) -> bool:
    """Whether numbers of the dtype are integers that can be negative."""
    return dtype.startswith("int")


def cast(builder: Any, x: Any, dtype: str, target: str) -> Any:
    """A number in another dtype, cut off or wrapped around where it does not fit."""
    if dtype == target:
        return x
    if target == "bool":
        unequal = builder.fcmp_unordered if dtype in FLOATS else builder.icmp_unsigned
        return unequal("!=", x, x.type(0))
    type = TYPES[target]
    if dtype in FLOATS:
        if target in FLOATS:
            return (builder.fpext if target == "float64" else builder.fptrunc)(x, type)
        return (builder.fptosi if is_signed(target) else builder.fptoui)(x, type)
    if target in FLOATS:
        return (builder.sitofp if is_signed(dtype) else builder.uitofp)(x, type)
    if type.width <= x.type.width:
        return builder.trunc(x, type)
    return (builder.sext if is_signed(dtype) else builder.zext)(x, type)


# Operators.


def negative(builder: Any, dtype: str, x: Any) -> Any:
    """-x."""
    return builder.fneg(x) if dtype in FLOATS else builder.neg(x)


def absolute(builder: Any, dtype: str, x: Any) -> Any:
    """The absolute value; that of the least integer is itself."""
    if dtype in FLOATS:
        return intrinsic("fabs")(builder, dtype, x)
    if not is_signed(dtype):
        return x
    return builder.select(builder.icmp_signed("<", x, x.type(0)), builder.neg(x), x)


def compared(sign: str) -> Code:
    """Whether x and y are so; nothing but != holds of NaN."""

    def code(builder: Any, dtype: str, x: Any, y: Any) -> Any:
        if dtype in FLOATS:
            compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
        else:
            compare = builder.icmp_signed if is_signed(dtype) else builder.icmp_unsigned
        return compare(sign, x, y)

    return code


def _arithmetic(of_integers: str, of_floats: str) -> Code:
    def code(builder: Any, dtype: str, x: Any, y: Any) -> Any:
        return getattr(builder, of_floats if dtype in FLOATS else of_integers)(x, y)

    return code


def remainder(builder: Any, dtype: str, x: Any, y: Any) -> Any:
    """x % y with the sign of y; of integers 0 where y is 0."""
    if dtype not in FLOATS:
        return integers.remainder(builder, is_signed(dtype), x, y)
    zero, minus_zero = x.type(0.0), x.type(-0.0)
    rest = builder.frem(x, y)
    below = builder.fcmp_ordered("<", y, zero)
    apart = builder.xor(below, builder.fcmp_ordered("<", rest, zero))
    moved = builder.select(apart, builder.fadd(rest, y), rest)
    even = builder.fcmp_ordered("==", rest, zero)
    return builder.select(even, builder.select(below, minus_zero, zero), moved)


OPERATORS: dict[str, Code] = {
    "Add": _arithmetic("add", "fadd"),
    "Sub": _arithmetic("sub", "fsub"),
    "Mult": _arithmetic("mul", "fmul"),
    "Div": lambda builder, dtype, x, y: builder.fdiv(x, y),
    "Mod": remainder,
}
"""Arithmetic, by the names of Python's syntax, on two numbers of one dtype; `Div` is of floats."""

BITWISE: dict[str, Code] = {
    "BitAnd": lambda builder, dtype, x, y: builder.and_(x, y),
    "BitOr": lambda builder, dtype, x, y: builder.or_(x, y),
    "BitXor": lambda builder, dtype, x, y: builder.xor(x, y),
}
"""Operators on the bits of two integers or bools of one dtype."""


# Functions of the C library and of LLVM.


def intrinsic(name: str) -> Code:
    """A function that LLVM itself knows, for floats."""

    def code(builder: Any, dtype: str, *arguments: Any) -> Any:
        type = arguments[0].type
        form = ir.FunctionType(type, [type] * len(arguments))
        return builder.call(
            builder.module.declare_intrinsic(f"llvm.{name}", [type], form), arguments
        )

    return code


def library(name: str, wide: bool = False) -> Code:
    """A function of the C library, for floats; wide: whether it computes in float64 only."""

    def code(builder: Any, dtype: str, *arguments: Any) -> Any:
        narrow = dtype == "float32"
        if narrow and wide:
            given = [cast(builder, x, dtype, "float64") for x in arguments]
            return cast(builder, code(builder, "float64", *given), "float64", dtype)
        type = arguments[0].type
        form = ir.FunctionType(type, [type] * len(arguments))
        function = _declared(builder, f"{name}f" if narrow else name, form)
        return builder.call(function, arguments)

    return code


def _declared(builder: Any, name: str, form: Any) -> Any:
    module = builder.module
    return module.globals.get(name) or ir.Function(module, form, name)


def isinf(builder: Any, dtype: str, x: Any) -> Any:
    """Whether x is infinite."""
    size = intrinsic("fabs")(builder, dtype, x)
    return builder.fcmp_ordered("==", size, x.type(float("inf")))


def isfinite(builder: Any, dtype: str, x: Any) -> Any:
    """Whether x is neither infinite nor NaN."""
    size = intrinsic("fabs")(builder, dtype, x)
    return builder.fcmp_ordered("<", size, x.type(float("inf")))


# Functions that Python's `math` lacks.


def accumulate(builder: Any, dtype: str, total: Any, x: Any) -> Any:
    """total + x, where the processor may add up several elements at once in any order.

    It is the same order in every run, so that sums are too.
    """
    if dtype in FLOATS:
        return builder.fadd(total, x, flags=["reassoc"])
    return builder.add(total, x)


def _extreme(name: str, sign: str) -> Code:
    """The larger or the smaller of the two, NaN if either is NaN."""

    def code(builder: Any, dtype: str, total: Any, x: Any) -> Any:
        if dtype in FLOATS:
            return intrinsic(name)(builder, dtype, total, x)
        return builder.select(compared(sign)(builder, dtype, total, x), total, x)

    return code


def floor_divide(builder: Any, dtype: str, x: Any, y: Any) -> Any:
    """x // y; of integers 0 where y is 0, and the least one over -1 is itself."""
    if dtype not in FLOATS:
        return integers.quotient(builder, is_signed(dtype), x, y)
    zero, one = x.type(0.0), x.type(1.0)
    rest = builder.frem(x, y)
    ratio = builder.fdiv(builder.fsub(x, rest), y)
    below = builder.fcmp_ordered("<", y, zero)
    apart = builder.xor(below, builder.fcmp_ordered("<", rest, zero))
    uneven = builder.fcmp_unordered("!=", rest, zero)
    ratio = builder.select(builder.and_(uneven, apart), builder.fsub(ratio, one), ratio)
    floored = intrinsic("floor")(builder, dtype, ratio)
    short = builder.fcmp_ordered(">", builder.fsub(ratio, floored), x.type(0.5))
    nearest = builder.select(short, builder.fadd(floored, one), floored)
    # A quotient of 0 has the sign of the true one.
    signed = builder.fdiv(builder.fmul(builder.fmul(ratio, ratio), x), y)
    nearest = builder.select(builder.fcmp_ordered("!=", ratio, zero), nearest, signed)
    none = builder.fcmp_ordered("==", y, zero)
    return builder.select(none, builder.fdiv(x, y), nearest)


def power(builder: Any, dtype: str, x: Any, y: Any) -> Any:
    """x ** y; of an integer 0 where y is negative, unless x is 1 or -1."""
    if dtype in FLOATS:
        return library("pow")(builder, dtype, x, y)
    return integers.power(builder, is_signed(dtype), x, y)


def left_shift(builder: Any, dtype: str, x: Any, y: Any) -> Any:
    """The bits of x moved up by y places, 0 where y is negative or beyond the width."""
    return integers.shifted(builder, is_signed(dtype), x, y, up=True)


def right_shift(builder: Any, dtype: str, x: Any, y: Any) -> Any:
    """The bits of x moved down by y places, its sign kept."""
    return integers.shifted(builder, is_signed(dtype), x, y, up=False)


def _rounding(name: str) -> Code:
    """A rounding of floats to floats, those of `math` give an int64; integers stay as they are."""

    def code(builder: Any, dtype: str, x: Any) -> Any:
        return intrinsic(name)(builder, dtype, x) if dtype in FLOATS else x

    return code


OF_ONE: dict[str, Code] = {
    "floor": _rounding("floor"),
    "ceil": _rounding("ceil"),
    "trunc": _rounding("trunc"),
    "rint": _rounding("rint"),
    "round_away": _rounding("round"),
    "cbrt": library("cbrt"),
    "tgamma": library("tgamma"),
    # Not every library has these for float32.
    **{name: library(name, wide=True) for name in ("j0", "j1", "y0", "y1")},
}
"""Functions of one number; the result has its dtype."""

OF_TWO: dict[str, Code] = {
    "accumulate": accumulate,
    "greatest": _extreme("maximum", ">"),
    "least": _extreme("minimum", "<"),
    "floor_divide": floor_divide,
    "power": power,
    "left_shift": left_shift,
    "right_shift": right_shift,
}
"""Functions of two numbers, the second in the dtype of the first, which the result has too."""


def saturated(builder: Any, dtype: str, x: Any, target: str) -> Any:
    """A float as an integer: NaN becomes 0, what is too large the largest one."""
    letter = "s" if is_signed(target) else "u"
    type = TYPES[target]
    name = f"llvm.fpto{letter}i.sat.{type.intrinsic_name}.{x.type.intrinsic_name}"
    return builder.call(_declared(builder, name, ir.FunctionType(type, [x.type])), [x])


SATURATED = {f"saturated_{dtype}": dtype for dtype in sorted(INTEGERS)}
"""Names of the casts of floats to integers that mind what does not fit."""
