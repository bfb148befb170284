"""What kernels may call besides `math`: casts by dtype, and functions that Numba lacks."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def names() -> dict[str, Any]:
    """The names that a kernel's text can use."""
    from numba.core import types
    from numba.extending import intrinsic

    def rounding(name: str) -> Any:
        """floor and ceil of a float as a float; those of `math` make an int64 of it."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            (x,) = arguments
            declared = builder.module.declare_intrinsic(f"llvm.{name}", [x.type])
            return builder.call(declared, [x])

        @intrinsic
        def rounded(typing: Any, x: Any) -> Any:
            return x(x), generate

        return rounded

    casts = ("boolean", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    scalars = {name: getattr(types, name) for name in (*casts, "float32", "float64")}
    return {**scalars, "floor": rounding("floor"), "ceil": rounding("ceil")}
