"""Running sums and products: each element from the one before it, in the order of the axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.codegen.layout import ONE, Buffer, Extent, View, loops_over
from engine.codegen.primitives import Map
from engine.dtype_rules import accumulator
from engine.expression import Apply
from engine.types import normalize_axis

if TYPE_CHECKING:
    from engine.codegen.lowering.lower import Lowering


def running(start: str, step: str) -> Callable[[Lowering, Apply], None]:
    """The totals lie behind a first one of nothing, so that all are made alike."""

    def rule(low: Lowering, node: Apply) -> None:
        (x,) = node.inputs
        view = low.views[x]
        axis = node.params["axis"]
        if axis is None:
            view, axis = low.reshaped(node, view, node.out), 0
        axis = normalize_axis(axis, len(view.extents))
        dtype = accumulator(x.dtype)
        extent = view.extents[axis]
        if extent is ONE:
            low.map(node, "{x}", {"x": view}, dtype, node.out.dtype, node.out.ndim)
            return
        extents = [*view.extents]
        extents[axis] = Extent(extent.length + 1)
        totals = View.whole(Buffer.new(dtype, extents), extents)
        n = extent.length
        if node.params["reverse"]:
            view = view.sliced(axis, n - 1, -1, extent)
            first, before = totals.picked(axis, n), totals.sliced(axis, n, -1, extent)
            after, result = totals.sliced(axis, n - 1, -1, extent), (axis, 0, 1, extent)
        else:
            first, before = totals.picked(axis, 0), totals.sliced(axis, 0, 1, extent)
            after, result = totals.sliced(axis, 1, 1, extent), (axis, 1, 1, extent)
        low.write(node, start, {}, dtype, first)
        loops, space = loops_over(view.extents)
        operands = {"before": before.along(loops), "x": low.operand(view, loops)}
        low.tasks.append(Map(node, space, step, operands, dtype, after.along(loops)))
        low.views[node.out] = totals.sliced(*result)
        if dtype != node.out.dtype:
            made = {"x": low.views[node.out]}
            low.map(node, "{x}", made, dtype, node.out.dtype, node.out.ndim)

    return rule
