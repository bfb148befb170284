"""Random numbers: words that a native step draws, and the numbers that kernels make of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from engine.codegen.layout import ONE, Buffer, Extent, View, stretched
from engine.codegen.primitives import Words
from engine.expression import Apply
from engine.ops.random_bits import length
from engine.ops.special import scipy_special

if TYPE_CHECKING:
    from engine.codegen.lowering.lower import Lowering

PART = "T(4294967295)"
"""The lower half of a word."""


def words(low: Lowering, node: Apply) -> None:
    """The words of a draw whose lengths are known."""
    state, *lengths = node.inputs
    known = [low.value(v) for v in lengths]
    if any(n is None for n in known):
        low.call(node)
        return
    extents = [
        ONE if stretches else Extent(length(n))
        for n, stretches in zip(known, node.out.broadcastable, strict=True)
    ]
    result = View.whole(Buffer.new(node.out.dtype, extents), extents)
    low.views[node.out] = result
    low.tasks.append(Words(node, low.dense(node, low.views[state]), result))


def integers(low: Lowering, node: Apply) -> None:
    """Words as integers from low to high: the upper half of the product of word and count."""
    bits, least, greatest = (low.views[v] for v in node.inputs)
    if "uint64" in (least.dtype, greatest.dtype):
        low.call(node)
        return
    low.check(node, "{low} > {high}", {"low": least, "high": greatest}, "int64")
    made = {"bits": bits, "low": least, "high": greatest}

    def let(name: str, text: str) -> None:
        made[name] = _computed(low, node, text, made, "uint64", "uint64")

    let("count", "{high} - {low} + T(1)")
    let(
        "middle",
        f"({{bits}} >> T(32)) * ({{count}} & {PART})"
        f" + (({{bits}} & {PART}) * ({{count}} & {PART}) >> T(32))",
    )
    let(
        "scaled",
        "({bits} >> T(32)) * ({count} >> T(32)) + ({middle} >> T(32))"
        f" + (({{middle}} & {PART}) + ({{bits}} & {PART}) * ({{count}} >> T(32)) >> T(32))",
    )
    text = "{low} + ({bits} if {count} == T(0) else {scaled})"  # all 2⁶⁴ of them count as 0
    low.map(node, text, made, "uint64", "int64", node.out.ndim)


def normal(bound: float | None = None) -> Callable[[Lowering, Apply], None]:
    """Words as normal numbers, no further than `bound` from the middle.

    Wichura, "Algorithm AS 241: the percentage points of the normal distribution", 1988.
    """

    def rule(low: Lowering, node: Apply) -> None:
        outside = 0.0 if bound is None else float(scipy_special().ndtr(-bound))
        bits = low.views[node.inputs[0]]
        made = {"bits": bits}

        def let(name: str, text: str, working: str = "float64") -> None:
            made[name] = _computed(low, node, text, made, working, "float64")

        near = "{bits} ^ T(18446744073709551615) if {bits} >> T(63) != T(0) else {bits}"
        scale = 2.0**-63 * (0.5 - outside)
        let("z", f"(float64({near}) + 0.5) * {scale!r} + {outside!r}", "uint64")
        let("q", "{z} - T(0.5)")
        let("r", "T(0.180625) - {q} * {q}")
        let("middle", f"{_ratio(MIDDLE, '{r}')} * {{q}}")
        let("root", "math.sqrt(-math.log({z}))")
        let("near", "{root} - T(1.6)")
        let("far", "{root} - T(5)")
        tails = f"{_ratio(NEAR, '{near}')} if {{root}} <= T(5) else {_ratio(FAR, '{far}')}"
        let("tail", tails)
        x = "{middle} if {q} >= T(-0.425) else -{tail}"
        let("x", x if bound is None else f"greatest({x}, T({-bound!r}))")
        let("upper", "float64({bits} >> T(63))", "uint64")
        low.map(node, "-{x} if {upper} != T(0) else {x}", made, "float64", "float64", node.out.ndim)

    return rule


def _computed(
    low: Lowering, node: Apply, text: str, views: Mapping[str, View], working: str, dtype: str
) -> View:
    """A step on the way to the elements of the result."""
    used = {name: view for name, view in views.items() if "{" + name + "}" in text}
    extents = stretched(list(used.values()), max(len(v.extents) for v in used.values()))
    target = View.whole(Buffer.new(dtype, extents), extents)
    low.write(node, text, used, working, target)
    return target


Ratio = tuple[tuple[float, ...], tuple[float, ...]]


def _ratio(ratio: Ratio, x: str) -> str:
    over, under = (_polynomial(coefficients, x) for coefficients in ratio)
    return f"({over} / {under})"


def _polynomial(coefficients: tuple[float, ...], x: str) -> str:
    """By Horner's rule, from the highest power on."""
    text = f"T({coefficients[0]!r})"
    for c in coefficients[1:]:
        text = f"({text} * {x} + T({c!r}))"
    return text


MIDDLE: Ratio = (
    (
        2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
        4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
        1.3314166789178437745e2, 3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
        2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
        4.2313330701600911252e1, 1.0,
    ),
)  # fmt: skip
NEAR: Ratio = (
    (
        7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
        1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
        4.63033784615654529590e0, 1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
        1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
        2.05319162663775882187e0, 1.0,
    ),
)  # fmt: skip
FAR: Ratio = (
    (
        2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
        2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
        5.46378491116411436990e0, 6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
        7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
        5.99832206555887937690e-1, 1.0,
    ),
)  # fmt: skip
