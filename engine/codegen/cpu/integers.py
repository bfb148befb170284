"""Integer arithmetic in kernels, settled for every pair of numbers: nothing traps.

Each function gives code for Numba: from the arguments' LLVM values to that of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Code = Callable[[Any, Any, Any, Any], Any]


def quotient(signed: bool) -> Code:
    """x // y, rounded down; 0 where y is 0.  The least number over -1 is itself."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, y = arguments
        zero, one = x.type(0), x.type(1)
        if not signed:
            none = builder.icmp_unsigned("==", y, zero)
            return builder.select(none, zero, builder.udiv(x, builder.select(none, one, y)))
        none = builder.icmp_signed("==", y, zero)
        minus = builder.icmp_signed("==", y, x.type(-1))
        divisor = builder.select(builder.or_(none, minus), one, y)
        cut = builder.sdiv(x, divisor)
        rest = builder.sub(x, builder.mul(cut, divisor))
        below = builder.icmp_signed("<", builder.xor(rest, divisor), zero)
        uneven = builder.icmp_signed("!=", rest, zero)
        floored = builder.select(builder.and_(uneven, below), builder.sub(cut, one), cut)
        return builder.select(none, zero, builder.select(minus, builder.neg(x), floored))

    return generate


def power(kind: Any) -> Code:
    """x ** y by repeated squaring, wrapped around; 0 where y is negative, unless x is 1 or -1."""
    zero, one = kind(0), kind(1)

    def repeated(x: Any, y: Any) -> Any:
        if y < zero:
            if x == one or x == kind(zero - one):
                return x if y & one else one
            return zero
        result = one
        while y > zero:
            if y & one:
                result = kind(result * x)
            x = kind(x * x)
            y = kind(y >> one)
        return result

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.compile_internal(builder, repeated, signature, arguments)

    return generate


def shifted(kind: Any, up: bool) -> Code:
    """The bits of x moved by y places.

    Where y is negative or beyond the width, nothing is left but the sign of what moves down.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, y = arguments
        inside = builder.icmp_unsigned("<", y, y.type(kind.bitwidth))
        if up:
            return builder.select(inside, builder.shl(x, y), x.type(0))
        if not kind.signed:
            return builder.select(inside, builder.lshr(x, y), x.type(0))
        # All places beyond are copies of the sign, as those of the last one are.
        return builder.ashr(x, builder.select(inside, y, y.type(kind.bitwidth - 1)))

    return generate
