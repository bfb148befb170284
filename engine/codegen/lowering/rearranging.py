"""Elements put to other places that the graph knows: copies of slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.codegen.layout import ONE, Buffer, Extent, View
from engine.expression import Apply
from engine.types import normalize_axes, normalize_axis

if TYPE_CHECKING:
    from engine.codegen.lowering.lower import Lowering


def shifted(low: Lowering, node: Apply) -> None:
    """Elements moved along an axis, with a number in the places that become free."""
    view = low.views[node.inputs[0]]
    axis = normalize_axis(node.params["axis"], len(view.extents))
    extents = view.extents
    n = extents[axis].length
    by = max(-n, min(n, node.params["by"]))
    result = View.whole(Buffer.new(view.dtype, extents), extents)
    low.views[node.out] = result
    value = f"T({node.params['value']})"
    if extents[axis] is ONE:
        if by:
            low.write(node, value, {}, view.dtype, result)
        else:
            low.views[node.out] = view
        return
    stay, free = Extent(n - abs(by)), Extent(abs(by))
    low.copy(
        node,
        view.sliced(axis, max(-by, 0), 1, stay),
        result.sliced(axis, max(by, 0), 1, stay),
    )
    freed = result.sliced(axis, 0 if by > 0 else n + by, 1, free)
    low.write(node, value, {}, view.dtype, freed)


def rolled(low: Lowering, node: Apply) -> None:
    """Elements moved along axes, with what leaves at the end put to the front."""
    view = low.views[node.inputs[0]]
    steps = low.value(node.inputs[1])
    axis = node.params["axis"]
    if steps is None or (axis is None and len(view.extents) != 1):
        low.call(node)
        return
    axes = normalize_axes(0 if axis is None else axis, len(view.extents))
    if len(set(axes)) < len(axes):
        low.call(node)
        return
    for k, by in zip(axes, np.broadcast_to(steps, len(axes)).tolist(), strict=True):
        extent = view.extents[k]
        by = by % extent.length if extent.length else 0
        if extent is ONE or not by:
            continue
        result = View.whole(Buffer.new(view.dtype, view.extents), view.extents)
        stay, turned = Extent(extent.length - by), Extent(by)
        low.copy(node, view.sliced(k, 0, 1, stay), result.sliced(k, by, 1, stay))
        low.copy(node, view.sliced(k, stay.length, 1, turned), result.sliced(k, 0, 1, turned))
        view = result
    low.views[node.out] = view


def merged(low: Lowering, node: Apply) -> None:
    """Each pair of neighbouring axes as one."""
    low.views[node.out] = low.reshaped(node, low.views[node.inputs[0]], node.out)
