"""Windows that slide along the last axes of a tensor, as loops of primitives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.codegen.layout import ONE, Access, Buffer, Extent, View, Window, loops_over
from engine.expression import Apply
from engine.ops.windows import Slide

if TYPE_CHECKING:
    from engine.codegen.lowering.lower import Lowering

ZERO = "T(0)"


class Sliding:
    """Loops over the axes before the windows, over the windows, and over what each one holds.

    lead: the lengths of the axes before.  places: how many windows there are along each axis.
    extents: those of a tensor with a place for each window.  space: the lengths of the loops.
    elements: the loops within a window.
    """

    def __init__(
        self, lead: Sequence[Extent], places: Sequence[Extent], slides: Sequence[Slide]
    ) -> None:
        within = [ONE if s.window == 1 else Extent(s.window, literal=True) for s in slides]
        numbers, self.space = loops_over([*lead, *places, *within])
        self.extents = (*lead, *places)
        self._slides = slides
        self._lead = numbers[: len(lead)]
        self._places = numbers[len(lead) : -len(slides)]
        self._elements = numbers[-len(slides) :]
        self.elements = frozenset(k for k in self._elements if k is not None)

    def element(self, wide: View) -> Access:
        """The element of a window, in a tensor that is padded."""
        loops = zip(self._slides, self._places, self._elements, strict=True)
        windows = {
            len(self._lead) + axis: Window(0, s.step, place, s.spacing, element)
            for axis, (s, place, element) in enumerate(loops)
        }
        return wide.through(self._lead, windows)

    def place(self, view: View) -> Access:
        """The element that belongs to a window, in a tensor with an axis for their places."""
        return view.along([*self._lead, *self._places][-len(view.extents) :])

    @property
    def order(self) -> tuple[int, ...]:
        """The loops, those over windows innermost: they meet different elements of a tensor."""
        inner = {k for k in self._places if k is not None}
        return tuple(sorted(range(len(self.space)), key=lambda k: (k in inner, k)))


def padded(low: Lowering, node: Apply, view: View, slides: Sequence[Slide], text: str) -> View:
    """The tensor with the value of a formula put at the ends of its last axes."""
    if not any(s.before or s.after for s in slides):
        return view
    wide, inner = blank(low, node, view.dtype, view.extents, slides, text)
    low.copy(node, view, inner)
    return wide


def blank(
    low: Lowering,
    node: Apply,
    dtype: str,
    extents: Sequence[Extent],
    slides: Sequence[Slide],
    text: str | None = ZERO,
) -> tuple[View, View]:
    """A new tensor with what is put at the ends of its last axes, and the part between them.

    text: the formula that all of it is filled with, if any.
    """
    lead = len(extents) - len(slides)
    wide = list(extents)
    for axis, s in enumerate(slides, lead):
        if s.before or s.after or wide[axis] is ONE:
            wide[axis] = Extent(s.padded(extents[axis].length))
    whole = View.whole(Buffer.new(dtype, wide), wide)
    if text is not None:
        low.write(node, text, {}, dtype, whole)
    inner = whole
    for axis, (s, extent) in enumerate(zip(slides, extents[lead:], strict=True), lead):
        if wide[axis] is not extent:
            part = Extent(1) if extent is ONE else extent
            inner = inner.sliced(axis, s.before, 1, part)
    return whole, inner
