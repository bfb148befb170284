"""Diagonals and triangles of matrices: a diagonal is a loop along two axes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.codegen.layout import ONE, Buffer, Extent, Index, View, loops_over
from engine.codegen.primitives import Literal, Map, Operand, Position
from engine.expression import Apply
from engine.types import normalize_axis

if TYPE_CHECKING:
    from engine.codegen.lowering.lower import Lowering


def extracted(low: Lowering, node: Apply) -> None:
    """A diagonal, where it lies."""
    (x,) = node.inputs
    n = low.types[node.out].shape[-1]
    low.views[node.out] = _diagonal(low.views[x], node, Extent(n or 0))


def laid_out(low: Lowering, node: Apply) -> None:
    """Zeros with what is given on a diagonal."""
    x = low.views[node.inputs[0]]
    known = low.types[node.out].shape
    if len(node.inputs) == 2:
        extents = list(low.views[node.inputs[1]].extents)
    else:
        extents = list(x.extents[:-1])
        plane = [normalize_axis(node.params[k], node.out.ndim) for k in ("axis1", "axis2")]
        side = Extent(known[plane[0]] or 0)
        for axis in sorted(plane):
            extents.insert(axis, side)
    result = View.whole(Buffer.new(node.out.dtype, extents), extents)
    low.views[node.out] = result
    low.write(node, "T(0)", {}, node.out.dtype, result)
    last = x.extents[-1]
    low.copy(node, x, _diagonal(result, node, Extent(1) if last is ONE else last))


def _diagonal(view: View, node: Apply, extent: Extent) -> View:
    """The diagonal of a matrix in a view, as a last axis in place of the two."""
    ndim = len(view.extents)
    rows, columns = (normalize_axis(node.params[k], ndim) for k in ("axis1", "axis2"))
    offset = node.params["offset"]
    for axis, start in ((rows, max(-offset, 0)), (columns, max(offset, 0))):
        if view.extents[axis].length == extent.length and view.extents[axis] is not ONE:
            extent = view.extents[axis]
        view = view.sliced(axis, start, 1, extent)
    kept = [k for k in range(ndim) if k not in (rows, columns)]
    place = {k: new for new, k in enumerate(kept)} | dict.fromkeys((rows, columns), len(kept))
    indices = tuple(
        i if i.axis is None else Index(i.start, i.step, place[i.axis]) for i in view.indices
    )
    return View(view.buffer, (*(view.extents[k] for k in kept), extent), indices)


def triangle(low: Lowering, node: Apply) -> None:
    """One triangle of a matrix, told by the numbers of row and column."""
    (x,) = node.inputs
    view = low.views[x]
    loops, space = loops_over(view.extents)
    result = View.whole(Buffer.new(x.dtype, view.extents), view.extents)
    low.views[node.out] = result
    operands: dict[str, Operand] = {"x": low.operand(view, loops)}
    for name, loop in zip(("row", "column"), loops[-2:], strict=True):
        operands[name] = Literal(0) if loop is None else Position(loop)
    offset = node.params["offset"]
    kept = f"<= {-offset}" if node.params["lower"] else f">= {offset}"
    text = f"{{x}} if {{column}} - {{row}} {kept} else T(0)"
    casts = dict.fromkeys(("row", "column"), "int64")
    low.tasks.append(Map(node, space, text, operands, x.dtype, result.along(loops), casts=casts))
