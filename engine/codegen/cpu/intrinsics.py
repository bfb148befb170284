"""What kernels may call besides `math`: casts by dtype, and functions that Numba lacks."""

from __future__ import annotations

import operator
from functools import cache
from typing import Any

from engine.codegen.cpu import integers
from engine.types import DISCRETE, INTEGERS


@cache
def names() -> dict[str, Any]:
    """The names that a kernel's text can use."""
    from numba.extending import intrinsic

    types = _types()

    @intrinsic
    def accumulate(typing: Any, total: Any, x: Any) -> Any:
        """total + x, where the processor may add up several elements at once in any order.

        It is the same order in every run, so that sums are too.
        """

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            if isinstance(total, types.Float):
                return builder.fadd(*arguments, flags=["reassoc"])
            return builder.add(*arguments)

        return total(total, total), generate

    @intrinsic
    def greatest(typing: Any, total: Any, x: Any) -> Any:
        """The larger of the two, NaN if either is NaN."""
        return total(total, total), _extreme(total, "maximum", ">")

    @intrinsic
    def least(typing: Any, total: Any, x: Any) -> Any:
        """The smaller of the two, NaN if either is NaN."""
        return total(total, total), _extreme(total, "minimum", "<")

    @intrinsic
    def floor_divide(typing: Any, x: Any, y: Any) -> Any:
        """x // y; of integers 0 where y is 0, and the least one over -1 is itself."""
        if isinstance(x, types.Integer):
            return x(x, x), integers.quotient(x.signed)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return context.get_function(operator.floordiv, signature)(builder, arguments)

        return x(x, x), generate

    @intrinsic
    def power(typing: Any, x: Any, y: Any) -> Any:
        """x ** y; of an integer 0 where y is negative, unless x is 1 or -1."""
        return x(x, x), integers.power(x) if isinstance(x, types.Integer) else _called("pow")

    @intrinsic
    def left_shift(typing: Any, x: Any, y: Any) -> Any:
        """The bits of x moved up by y places, 0 where y is negative or beyond the width."""
        return x(x, x), integers.shifted(x, up=True)

    @intrinsic
    def right_shift(typing: Any, x: Any, y: Any) -> Any:
        """The bits of x moved down by y places, its sign kept."""
        return x(x, x), integers.shifted(x, up=False)

    return {
        **{d: getattr(types, d) for d in (*DISCRETE - {"bool"}, "float32", "float64")},
        **{name: _rounding(function) for name, function in ROUNDINGS.items()},
        **{name: _function(name, wide) for name, wide in FUNCTIONS.items()},
        **{f"saturated_{dtype}": _saturated(dtype) for dtype in INTEGERS},
        "boolean": types.boolean,
        "accumulate": accumulate,
        "greatest": greatest,
        "least": least,
        "floor_divide": floor_divide,
        "power": power,
        "left_shift": left_shift,
        "right_shift": right_shift,
    }


def _types() -> Any:
    from numba.core import types

    return types


def _declared(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """A function outside the kernel, by its name and LLVM types."""
    from llvmlite import ir
    from numba.core import cgutils

    form = ir.FunctionType(result, arguments)
    return cgutils.get_or_insert_function(builder.module, form, name)  # type: ignore[no-untyped-call]


def _called(name: str) -> Any:
    """Code that calls a function which LLVM itself knows."""
    from llvmlite import ir

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        type = arguments[0].type
        form = ir.FunctionType(type, [type] * len(arguments))
        declared = builder.module.declare_intrinsic(f"llvm.{name}", [type], form)
        return builder.call(declared, arguments)

    return generate


def _extreme(type: Any, name: str, sign: str) -> Any:
    if type.name.startswith("float"):
        return _called(name)
    signed = type.name.startswith("int")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        compare = builder.icmp_signed if signed else builder.icmp_unsigned
        return builder.select(compare(sign, *arguments), *arguments)

    return generate


ROUNDINGS = {
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "rint": "rint",
    "round_away": "round",
}
"""Roundings of floats to floats, those of `math` give an int64; integers stay as they are."""


def _rounding(name: str) -> Any:
    from numba.extending import intrinsic

    types = _types()

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return arguments[0]

    @intrinsic
    def rounded(typing: Any, x: Any) -> Any:
        return x(x), _called(name) if isinstance(x, types.Float) else generate

    return rounded


FUNCTIONS = {"cbrt": False, "tgamma": False, "j0": True, "j1": True, "y0": True, "y1": True}
"""Functions of the C library that `math` lacks, and whether float32 is computed in float64:
not every library has one of its own for it."""


def _function(name: str, wide: bool) -> Any:
    from llvmlite import ir
    from numba.extending import intrinsic

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (x,) = arguments
        own, double = x.type, ir.DoubleType()
        type = double if wide else own
        declared = _declared(builder, name if type == double else f"{name}f", type, type)
        if type == own:
            return builder.call(declared, [x])
        return builder.fptrunc(builder.call(declared, [builder.fpext(x, double)]), own)

    @intrinsic
    def function(typing: Any, x: Any) -> Any:
        return x(x), generate

    return function


def _saturated(dtype: str) -> Any:
    """A cast of floats to integers: NaN becomes 0, what is too large the largest one."""
    from llvmlite import ir
    from numba.extending import intrinsic

    target = getattr(_types(), dtype)
    letter = "s" if target.signed else "u"

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (x,) = arguments
        bits = target.bitwidth
        width = 64 if x.type == ir.DoubleType() else 32
        name = f"llvm.fpto{letter}i.sat.i{bits}.f{width}"
        return builder.call(_declared(builder, name, ir.IntType(bits), x.type), [x])

    @intrinsic
    def cast(typing: Any, x: Any) -> Any:
        return target(x), generate

    return cast
