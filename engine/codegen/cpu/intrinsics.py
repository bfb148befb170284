"""What kernels may call besides `math`: casts by dtype, and functions that Numba lacks."""

from __future__ import annotations

from functools import cache
from typing import Any

from engine.types import DISCRETE


@cache
def names() -> dict[str, Any]:
    """The names that a kernel's text can use."""
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def floor(typing: Any, x: Any) -> Any:
        """The largest integer not above x, as a float; that of `math` makes an int64 of it."""
        return x(x), _called("floor")

    @intrinsic
    def ceil(typing: Any, x: Any) -> Any:
        """The smallest integer not below x, as a float."""
        return x(x), _called("ceil")

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

    numbers = {d: getattr(types, d) for d in (*DISCRETE - {"bool"}, "float32", "float64")}
    return {
        **numbers,
        "boolean": types.boolean,
        "floor": floor,
        "ceil": ceil,
        "accumulate": accumulate,
        "greatest": greatest,
        "least": least,
    }


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
