"""Convolutions and their gradients: as loops, or as products of filters and patches of images.

For products every patch of an image becomes a column of a matrix, one image at a time, so that
the matrix stays in the cache and large batches need no more memory than small ones.
K. Chellapilla, S. Puri, P. Simard: High performance convolutional neural networks for document
processing, 2006.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from engine.codegen.layout import (
    ONE,
    Access,
    Buffer,
    Extent,
    View,
    Window,
    loops_over,
    united,
)
from engine.codegen.lowering.products import MULTIPLY_ADD, batched, parts_of
from engine.codegen.lowering.windows import ZERO, blank, padded
from engine.codegen.primitives import IDENTITY, SUM, Fold, Map, Matrix, Product, Task
from engine.expression import Apply
from engine.ops.filtering import Convolution
from engine.ops.windows import AXES, Slide
from engine.types import FLOATS

if TYPE_CHECKING:
    from engine.codegen.lowering.lower import Lowering

PATCH_WORK = 1024
"""Multiplications from which on an image is worth a matrix of its patches."""
PATCHES = 1 << 23
"""Elements that the patches take for all images which are done at the same time."""
FEW = 32
"""Elements of a filter up to which one channel is convolved faster by loops than by products."""


def forward(low: Lowering, node: Apply) -> None:
    """The convolution of images with filters."""
    x, w = (low.views[v] for v in node.inputs)
    fresh = low.fresh(node.out)
    y = low.views[node.out] = View.whole(Buffer.new(node.out.dtype, fresh), fresh)
    loops = _Loops.of(node, x.extents, w.extents, fresh)
    wide = padded(low, node, x, loops.slides, ZERO)
    if loops.fit_blas and not (loops.sizes[3] == 1 and loops.window <= FEW):
        work = _Products(low, loops, wide, low.dense(node, w, y.dtype), y)
        space = work.count, work.patch, loops.area
        product = Product(node, work.filters, work.patches, work.outputs, space)
        work.do(*work.gathered, product)
        return
    operands = {"x": loops.image(wide), "y": loops.filter(w)}
    low.tasks.append(loops.fold(operands, loops.output(y), {loops.channel, *loops.elements}))


def by_inputs(low: Lowering, node: Apply) -> None:
    """The gradient by the images: what each output's gradient gives is added under its filter."""
    y, w = (low.views[v] for v in node.inputs[:2])
    dtype = node.out.dtype
    fresh = low.fresh(node.out)
    loops = _Loops.of(node, fresh, w.extents, y.extents)
    fill = None if loops.fit_blas else ZERO
    wide, inner = blank(low, node, dtype, fresh, loops.slides, fill)
    low.views[node.out] = inner
    if loops.fit_blas:
        w, y = (low.dense(node, v, dtype) for v in (w, y))
        work = _Products(low, loops, wide, w, y)
        space = work.patch, work.count, loops.area
        product = Product(node, work.filters.transposed, work.outputs, work.patches, space)
        work.do(product, *work.spread)
        return
    target = loops.image(wide)
    operands = {"x": loops.filter(w), "y": loops.output(y), "total": target}
    low.tasks.append(loops.map("{total} + {x} * {y}", operands, target))


def by_weights(low: Lowering, node: Apply) -> None:
    """The gradient by the filters: the patches of the images, weighed by the output's gradient."""
    x, y = (low.views[v] for v in node.inputs[:2])
    dtype = node.out.dtype
    fresh = low.fresh(node.out)
    w = low.views[node.out] = View.whole(Buffer.new(dtype, fresh), fresh)
    loops = _Loops.of(node, x.extents, fresh, y.extents)
    wide = padded(low, node, x, loops.slides, ZERO)
    if loops.fit_blas:
        # Each part of the batch has a sum of its own.
        parts = Extent(min(loops.parts, max(1, x.buffer.storage.length // w.buffer.storage.length)))
        extents = (parts, *fresh)
        sums = View.whole(Buffer.new(dtype, extents), extents)
        low.write(node, ZERO, {}, dtype, sums)
        work = _Products(low, loops, wide, sums.picked(0, 0), low.dense(node, y, dtype), parts)
        space = work.count, loops.area, work.patch
        patches = work.patches.transposed
        product = Product(node, work.outputs, patches, work.filters, space, adds=True)
        work.do(*work.gathered, product)
        numbers, lengths = loops_over(extents)
        source, target = sums.along(numbers), w.along(numbers[1:])
        operands = {"x": source}
        low.tasks.append(Fold(node, lengths, SUM, operands, dtype, target, frozenset({0}), ZERO))
        return
    operands = {"x": loops.image(wide), "y": loops.output(y)}
    places = () if loops.conv.unshared else loops.places
    low.tasks.append(loops.fold(operands, loops.filter(w), {loops.batch, *places}))


@dataclass(frozen=True)
class _Loops:
    """The loops of a convolution, numbered from the outermost; None where there is just one turn.

    batch, group, count, channel: over the images, over groups of channels, and in each of those
    over filters and channels.  places, elements: over the windows, and over what is in one.
    extents: the lengths of all, in this order.  space: without those that have no loop.
    """

    node: Apply
    conv: Convolution
    extents: tuple[Extent, ...]
    space: tuple[Extent, ...]
    batch: int | None
    group: int | None
    count: int | None
    channel: int | None
    places: tuple[int | None, ...]
    elements: tuple[int | None, ...]

    @classmethod
    def of(
        cls,
        node: Apply,
        images: Sequence[Extent],
        filters: Sequence[Extent],
        outputs: Sequence[Extent],
    ) -> _Loops:
        """The loops for tensors of these lengths."""
        rank = len(images) - 2
        conv = Convolution(rank, **node.params)
        (batch,) = united([images[:1], outputs[:1]], 1)
        own = filters[1 : 1 + rank] if conv.unshared else ()
        places = united([outputs[2:], own], rank)
        if conv.groups == 1:
            (count,) = united([filters[:1], outputs[1:2]], 1)
            (channel,) = united([filters[-rank - 1 : -rank], images[1:2]], 1)
            group = ONE
        else:
            count, channel = Extent(filters[0].length // conv.groups), filters[-rank - 1]
            group = Extent(conv.groups, literal=True)
        # Lengths of filters may stand in the text: they do not change from run to run.
        channel = ONE if channel.length == 1 else channel
        window = [e.length for e in filters[-rank:]]
        elements = [ONE if n == 1 else Extent(n, literal=True) for n in window]
        extents = (batch, group, count, channel, *places, *elements)
        return cls.over(node, conv, extents)

    @classmethod
    def over(cls, node: Apply, conv: Convolution, extents: tuple[Extent, ...]) -> _Loops:
        """The loops of these lengths."""
        numbers, space = loops_over(extents)
        batch, group, count, channel, *ends = numbers
        places, elements = tuple(ends[: conv.rank]), tuple(ends[conv.rank :])
        return cls(node, conv, extents, space, batch, group, count, channel, places, elements)

    @property
    def slides(self) -> tuple[Slide, ...]:
        """How filters slide."""
        return self.conv.slides([e.length for e in self.extents[-self.conv.rank :]])

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many images, groups, filters and channels there are."""
        return tuple(e.length for e in self.extents[:4])

    @property
    def window(self) -> int:
        """How many elements a filter has for each channel."""
        return prod(s.window for s in self.slides)

    @property
    def area(self) -> int:
        """How many windows an image has."""
        return prod(e.length for e in self.extents[4 : 4 + self.conv.rank])

    @property
    def fit_blas(self) -> bool:
        """Whether the product for an image and a group is worth a call of BLAS."""
        _, _, count, channels = self.sizes
        work = count * channels * self.window * self.area
        return self.node.out.dtype in FLOATS and not self.conv.unshared and work >= PATCH_WORK

    @property
    def parts(self) -> int:
        """In how many parts the images are done."""
        batch, groups, count, channels = self.sizes
        patches = channels * self.window * self.area
        fit = PATCHES // max(1, patches)
        return max(1, min(fit, parts_of(batch, groups * count * patches)))

    @property
    def pointwise(self) -> bool:
        """Whether patches are single elements side by side."""
        ones = (1, 1, 0, 0)
        return all((s.window, s.step, s.before, s.after) == ones for s in self.slides)

    def image(self, wide: View) -> Access:
        """The element of a padded image."""
        _, groups, _, channels = self.sizes
        windows = {}
        if groups > 1:
            windows[1] = Window(0, channels, self.group, 1, self.channel)
        loops = zip(self.slides, self.places, self.elements, strict=True)
        for axis, (s, place, element) in enumerate(loops, 2):
            first, spacing = (s.span - 1, -s.spacing) if self.conv.filter_flip else (0, s.spacing)
            windows[axis] = Window(first, s.step, place, spacing, element)
        return wide.through((self.batch, self.channel, *self.places), windows)

    def filter(self, view: View) -> Access:
        """The element of a filter."""
        own = self.places if self.conv.unshared else ()
        return view.through((self.count, *own, self.channel, *self.elements), self._counted(0))

    def output(self, view: View) -> Access:
        """What a filter gives at a place."""
        return view.through((self.batch, self.count, *self.places), self._counted(1))

    def _counted(self, axis: int) -> dict[int, Window]:
        """The axis of all filters, which are those of one group after the other."""
        _, groups, count, _ = self.sizes
        return {axis: Window(0, count, self.group, 1, self.count)} if groups > 1 else {}

    def fold(
        self, operands: Mapping[str, Access], target: Access, inner: Collection[int | None]
    ) -> Fold:
        """The sum of products over some loops."""
        reduced = frozenset(k for k in inner if k is not None)
        task = (self.node, self.space, MULTIPLY_ADD, operands, self.node.out.dtype, target)
        return Fold(*task, reduced, ZERO, order=self._order(reduced))

    def map(self, text: str, operands: Mapping[str, Access], target: Access) -> Map:
        """A formula at each point; loops over places, which meet different elements, innermost."""
        task = (self.node, self.space, text, operands, self.node.out.dtype, target)
        return Map(*task, order=self._order(self.places))

    def _order(self, inner: Collection[int | None]) -> tuple[int, ...]:
        return tuple(sorted(range(len(self.space)), key=lambda k: (k in inner, k)))

    def single(self) -> _Loops:
        """Those over the patches of one image and one group, for one filter."""
        return self.over(self.node, self.conv, (ONE, ONE, ONE, *self.extents[3:]))


class _Products:
    """A convolution as products of matrices, for one image and one group after the other.

    The three tensors are dense; images are padded.
    filters, outputs, patches: as matrices, those of the first image and group.
    count: how many filters there are.  patch: how many elements each has.
    gathered, spread: what makes patches of an image, and an image of patches.
    """

    def __init__(
        self,
        low: Lowering,
        loops: _Loops,
        images: View,
        w: View,
        y: View,
        parts: Extent | None = None,
    ) -> None:
        self._low, self._loops = low, loops
        self._parts = parts or Extent(loops.parts)
        self._apart = {w.buffer.storage: w.buffer.strides[0]} if parts else {}
        _, _, self.count, channels = loops.sizes
        self.patch = channels * loops.window
        self._views = images, w, y
        self.filters = _matrix(w, self.patch)
        self.outputs = _matrix(y, loops.area)
        self.gathered: tuple[Task, ...] = ()
        self.spread: tuple[Task, ...] = ()
        if loops.pointwise and images.is_whole and images.dtype == y.dtype:
            self.patches = _matrix(images, loops.area)
            return
        single = loops.single()
        rank = loops.conv.rank
        extents = (single.extents[3], *single.extents[-rank:], *single.extents[4:-rank])
        own = (self._parts, *extents)
        columns = View.whole(Buffer.new(y.dtype, own), own).picked(0, 0)
        self._apart[columns.buffer.storage] = columns.buffer.strides[0]
        self.patches = _matrix(columns, loops.area)
        column = columns.along((single.channel, *single.elements, *single.places))
        element = single.image(images)
        self.gathered = (single.map(IDENTITY, {"x": element}, column),)
        add = single.map("{total} + {x}", {"x": column, "total": element}, element)
        self.spread = (self._cleared(images, single.extents[3]), add)

    def _cleared(self, images: View, channel: Extent) -> Task:
        """The first image and group set to 0."""
        loops, space = loops_over((channel, *images.extents[2:]))
        first = images.sliced(1, 0, 1, channel).along((None, *loops))
        return Map(self._loops.node, space, ZERO, {}, images.dtype, first)

    def do(self, *tasks: Task) -> None:
        """Do the tasks for all images and groups."""
        batch, groups, count, channels = self._loops.sizes
        images, w, y = (v.buffer.storage for v in self._views)
        down, across, *_ = self._views[0].strides
        area = self._loops.area
        axes = [(batch, {images: down, y: groups * count * area})]
        if groups > 1:
            filters = count * self.patch
            axes.append((groups, {images: channels * across, w: filters, y: count * area}))
        parts = self._parts.length, self._apart
        self._low.tasks += batched(self._loops.node, tasks, axes, *parts)


def _matrix(dense: View, columns: int) -> Matrix:
    return Matrix(dense.buffer.storage, dense.offset, columns, 1)


RULES = {
    f"conv{rank}d{suffix}": rule
    for rank in AXES
    for suffix, rule in (
        ("", forward),
        ("_grad_wrt_inputs", by_inputs),
        ("_grad_wrt_weights", by_weights),
    )
}
