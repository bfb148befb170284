"""Integer arithmetic in kernels, settled for every pair of numbers: nothing traps.

Each function adds instructions to a block of LLVM IR; x and y are of one width.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir


def quotient(builder: Any, signed: bool, x: Any, y: Any) -> Any:
    """x // y, rounded down; 0 where y is 0.  The least number over -1 is itself."""
    zero, one = x.type(0), x.type(1)
    none = builder.icmp_unsigned("==", y, zero)
    if not signed:
        return builder.select(none, zero, builder.udiv(x, builder.select(none, one, y)))
    minus = builder.icmp_signed("==", y, x.type(-1))
    divisor = builder.select(builder.or_(none, minus), one, y)
    cut = builder.sdiv(x, divisor)
    rest = builder.sub(x, builder.mul(cut, divisor))
    floored = builder.select(_misses(builder, rest, divisor), builder.sub(cut, one), cut)
    return builder.select(none, zero, builder.select(minus, builder.neg(x), floored))


def remainder(builder: Any, signed: bool, x: Any, y: Any) -> Any:
    """x % y with the sign of y; 0 where y is 0."""
    one = x.type(1)
    none = builder.icmp_unsigned("==", y, x.type(0))
    if not signed:
        return builder.urem(x, builder.select(none, one, y))
    minus = builder.icmp_signed("==", y, x.type(-1))
    divisor = builder.select(builder.or_(none, minus), one, y)
    rest = builder.srem(x, divisor)
    return builder.select(_misses(builder, rest, divisor), builder.add(rest, divisor), rest)


def _misses(builder: Any, rest: Any, divisor: Any) -> Any:
    """Whether a quotient that was cut off has to go down by one."""
    uneven = builder.icmp_signed("!=", rest, rest.type(0))
    below = builder.icmp_signed("<", builder.xor(rest, divisor), rest.type(0))
    return builder.and_(uneven, below)


def power(builder: Any, signed: bool, x: Any, y: Any) -> Any:
    """x ** y by repeated squaring, wrapped around; 0 where y is negative, unless x is 1 or -1."""
    name = f"power.{'s' if signed else 'u'}{x.type.width}"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(x.type, [x.type] * 2), name)
        function.linkage = "internal"
        _squaring(function, signed)
    return builder.call(function, [x, y])


def _squaring(function: Any, signed: bool) -> None:
    first, turn, last = (function.append_basic_block() for _ in range(3))
    x, y = function.args
    zero, one, minus = (x.type(n) for n in (0, 1, -1))
    builder = ir.IRBuilder(first)
    odd = builder.icmp_unsigned("!=", builder.and_(y, one), zero)
    unit = builder.icmp_unsigned("==", x, one)
    inverse = builder.select(unit, one, zero)
    negative = ir.IntType(1)(0)
    if signed:
        turned = builder.icmp_unsigned("==", x, minus)
        inverse = builder.select(turned, builder.select(odd, minus, one), inverse)
        negative = builder.icmp_signed("<", y, zero)
    none = builder.or_(negative, builder.icmp_unsigned("==", y, zero))
    start = builder.select(negative, inverse, one)
    builder.cbranch(none, last, turn)
    builder.position_at_end(turn)
    result, base, exponent = (builder.phi(x.type) for _ in range(3))
    odd = builder.icmp_unsigned("!=", builder.and_(exponent, one), zero)
    grown = builder.select(odd, builder.mul(result, base), result)
    rest = builder.lshr(exponent, one)
    for phi, begun, gone_on in (
        (result, one, grown),
        (base, x, builder.mul(base, base)),
        (exponent, y, rest),
    ):
        phi.add_incoming(begun, first)
        phi.add_incoming(gone_on, turn)
    builder.cbranch(builder.icmp_unsigned("==", rest, zero), last, turn)
    builder.position_at_end(last)
    value = builder.phi(x.type)
    value.add_incoming(start, first)
    value.add_incoming(grown, turn)
    builder.ret(value)


def shifted(builder: Any, signed: bool, x: Any, y: Any, up: bool) -> Any:
    """The bits of x moved by y places.

    Where y is negative or beyond the width, nothing is left but the sign of what moves down.
    """
    width = x.type.width
    inside = builder.icmp_unsigned("<", y, y.type(width))
    if up:
        return builder.select(inside, builder.shl(x, y), x.type(0))
    if not signed:
        return builder.select(inside, builder.lshr(x, y), x.type(0))
    # All places beyond are copies of the sign, as those of the last one are.
    return builder.ashr(x, builder.select(inside, y, y.type(width - 1)))
