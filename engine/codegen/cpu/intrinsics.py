"""What kernels may call besides `math`, for Numba: casts by dtype, and functions that it lacks."""

from __future__ import annotations

from functools import cache
from typing import Any

from engine.codegen.cpu import operations
from engine.codegen.cpu.operations import Code
from engine.types import DISCRETE


@cache
def names() -> dict[str, Any]:
    """The names that a kernel's text can use."""
    from numba.core import types

    return {
        **{d: getattr(types, d) for d in (*DISCRETE - {"bool"}, "float32", "float64")},
        "boolean": types.boolean,
        **{name: _of_one(code) for name, code in operations.OF_ONE.items()},
        **{name: _of_two(code) for name, code in operations.OF_TWO.items()},
        **{name: _saturated(dtype) for name, dtype in operations.SATURATED.items()},
    }


def _of_one(code: Code) -> Any:
    from numba.extending import intrinsic

    @intrinsic
    def function(typing: Any, x: Any) -> Any:
        return x(x), _generator(code, x)

    return function


def _of_two(code: Code) -> Any:
    from numba.extending import intrinsic

    @intrinsic
    def function(typing: Any, x: Any, y: Any) -> Any:
        return x(x, x), _generator(code, x)

    return function


def _saturated(dtype: str) -> Any:
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def cast(typing: Any, x: Any) -> Any:
        return getattr(types, dtype)(x), _generator(operations.saturated, x, dtype)

    return cast


def _generator(code: Code, type: Any, *facts: str) -> Any:
    """The code as Numba calls it; it names dtypes as NumPy does."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return code(builder, str(type), *arguments, *facts)

    return generate
