"""Pooling and its gradients: each window is folded, or each of its elements is added to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.codegen.layout import Buffer, Extent, View, united
from engine.codegen.lowering.windows import ZERO, Sliding, blank, padded
from engine.codegen.primitives import SUM, Fold, Map, Operand
from engine.expression import OPS, Apply
from engine.ops.pooling import AVERAGES, Pooling
from engine.ops.windows import AXES, Slide
from engine.types import FLOATS, TensorType

if TYPE_CHECKING:
    from engine.codegen.lowering.lower import Lowering

CHOSEN = "({g} if {x} == {greatest} else T(0))"
"""What an element of a window gets if it is the greatest one there."""


def pool(low: Lowering, node: Apply) -> None:
    """Each window folded, in one pass."""
    pooling = Pooling(**node.params)
    x = low.views[node.inputs[0]]
    lead = x.extents[: -pooling.rank]
    places = low.fresh(node.out)[-pooling.rank :]
    slides = pooling.slides(x.shape[-pooling.rank :])
    windows = Sliding(lead, places, slides)
    if pooling.mode == "max":
        wide = padded(low, node, x, slides, _least(x.dtype))
        low.views[node.out] = _greatest(low, node, windows, wide)
        return
    dtype = node.out.dtype
    wide = padded(low, node, x, slides, ZERO)
    total = _folded(low, node, windows, SUM, ZERO, {"x": windows.element(wide)}, dtype)
    low.views[node.out] = total
    if pooling.mode in AVERAGES:
        views = {"x": total, "n": _sizes(low, pooling, x.shape, dtype)}
        low.map(node, "{x} / {n}", views, dtype, dtype, node.out.ndim)


def to_maxima(low: Lowering, node: Apply) -> None:
    """The gradient of max pooling: a window gives to all of its greatest elements."""
    x, g = (low.views[v] for v in node.inputs)
    windows, slides = _sliding(Pooling(**node.params), x, g)
    wide = padded(low, node, x, slides, _least(x.dtype))
    operands = {
        "x": windows.element(wide),
        "greatest": windows.place(_greatest(low, node, windows, wide)),
        "g": windows.place(g),
    }
    casts = dict.fromkeys(("x", "greatest"), x.dtype)
    _spread(low, node, windows, slides, x.extents, CHOSEN, operands, casts)


def at_maxima(low: Lowering, node: Apply) -> None:
    """The sum of a direction over the greatest elements of each window."""
    x, direction = (low.views[v] for v in node.inputs)
    pooling = Pooling(**node.params)
    lead = united(
        [v.extents[: -pooling.rank] for v in (x, direction)], node.out.ndim - pooling.rank
    )
    places = low.fresh(node.out)[-pooling.rank :]
    slides = pooling.slides(x.shape[-pooling.rank :])
    windows = Sliding(lead, places, slides)
    wide = padded(low, node, x, slides, _least(x.dtype))
    operands = {
        "x": windows.element(wide),
        "greatest": windows.place(_greatest(low, node, windows, wide)),
        "g": windows.element(padded(low, node, direction, slides, ZERO)),
    }
    casts = dict.fromkeys(("x", "greatest"), x.dtype)
    dtype = node.out.dtype
    step = f"{{acc}} or {CHOSEN}" if dtype == "bool" else SUM.replace("{x}", CHOSEN)
    start = "False" if dtype == "bool" else ZERO
    low.views[node.out] = _folded(low, node, windows, step, start, operands, dtype, casts)


def from_averages(low: Lowering, node: Apply) -> None:
    """The gradient of a sum or an average: a window gives to all of its elements."""
    pooling = Pooling(**node.params)
    g = low.views[node.inputs[0]]
    dtype = node.out.dtype
    extents = (*g.extents[: -pooling.rank], *low.fresh(node.out)[-pooling.rank :])
    slides = pooling.slides([e.length for e in extents[-pooling.rank :]])
    windows = Sliding(extents[: -pooling.rank], g.extents[-pooling.rank :], slides)
    operands = {"g": windows.place(g)}
    text = "{g}"
    if pooling.mode in AVERAGES:
        sizes = _sizes(low, pooling, [e.length for e in extents], dtype)
        operands["n"] = windows.place(sizes)
        text = "{g} / {n}"
    _spread(low, node, windows, slides, extents, text, operands, {})


def _sliding(pooling: Pooling, x: View, pooled: View) -> tuple[Sliding, Sequence[Slide]]:
    """The windows of a tensor, of which there is one for each element of another."""
    lead = len(x.extents) - pooling.rank
    extents = united([v.extents[:lead] for v in (x, pooled)], lead)
    slides = pooling.slides(x.shape[lead:])
    return Sliding(extents, pooled.extents[lead:], slides), slides


def _folded(
    low: Lowering,
    node: Apply,
    windows: Sliding,
    step: str,
    start: str,
    operands: Mapping[str, Operand],
    dtype: str,
    casts: Mapping[str, str] | None = None,
) -> View:
    """Each window as one number."""
    total = View.whole(Buffer.new(dtype, windows.extents), windows.extents)
    target = windows.place(total)
    low.tasks.append(
        Fold(
            node, windows.space, step, operands, dtype, target, windows.elements, start,
            casts=casts or {},
        )
    )  # fmt: skip
    return total


def _greatest(low: Lowering, node: Apply, windows: Sliding, wide: View) -> View:
    fold = OPS["max"].fold
    assert fold is not None
    operands = {"x": windows.element(wide)}
    return _folded(low, node, windows, fold.step, fold.start, operands, wide.dtype)


def _spread(
    low: Lowering,
    node: Apply,
    windows: Sliding,
    slides: Sequence[Slide],
    extents: Sequence[Extent],
    text: str,
    operands: Mapping[str, Operand],
    casts: Mapping[str, str],
) -> None:
    """Give the value of a formula to each element of each window."""
    dtype = node.out.dtype
    apart = all(s.window <= s.step for s in slides)
    lengths = [e.length for e in extents[-len(slides) :]]
    covered = apart and all(
        s.window == s.step and s.count(n) * s.step == s.padded(n)
        for s, n in zip(slides, lengths, strict=True)
    )
    wide, inner = blank(low, node, dtype, extents, slides, None if covered else ZERO)
    target = windows.element(wide)
    if not apart:
        text, operands = f"{{total}} + {text}", {**operands, "total": target}
    order = windows.order if not apart else ()
    low.tasks.append(
        Map(node, windows.space, text, operands, dtype, target, casts=casts, order=order)
    )
    low.views[node.out] = inner


def _sizes(low: Lowering, pooling: Pooling, shape: Sequence[int], dtype: str) -> View:
    """How many elements each window has an average of."""
    sizes = pooling.sizes(shape[-pooling.rank :]).astype(dtype)
    alike = sizes.size and bool((sizes == sizes.flat[0]).all())
    value = sizes.flat[0].reshape((1,) * sizes.ndim) if alike else sizes
    type = TensorType(dtype, (None,) * sizes.ndim, (bool(alike),) * sizes.ndim)
    return low.constant(value, type, inline=bool(alike))


def _least(dtype: str) -> str:
    """What no number of the dtype is less than, as a formula."""
    if dtype in FLOATS:
        return "T(-math.inf)"
    return "False" if dtype == "bool" else f"T({np.iinfo(dtype).min})"


RULES = {
    **{f"pool_{rank}d": pool for rank in AXES},
    "max_pool_grad": to_maxima,
    "max_pool_rop": at_maxima,
}
