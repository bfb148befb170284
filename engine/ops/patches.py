"""Convolutions as products of matrices: every patch of an image becomes a column.

K. Chellapilla, S. Puri, P. Simard: High performance convolutional neural networks for document
processing, 2006.  Columns are made a block at a time, so that they are still in the cache when
they are multiplied, and so that large images need no large matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from engine.ops.windows import Array, Slide, padded, padded_shape, part_of, unpadded

Block = tuple[slice, slice]
"""Some samples of a batch, and of their windows some along the first axis that they slide on."""

CACHE = 1 << 20
"""Bytes of columns that are made at a time."""


class Patches:
    """The patches of a batch of images under a filter, laid out as columns of matrices.

    Images are (batch, groups, channels, *lengths), padded; what comes of them is
    (batch, groups, filters, *counts).  For a product of matrices they become
    (groups, places, channels * window, columns) and (groups, places, filters, columns), with
    every patch a column at the only place; or, where each place has filters of its own
    (unshared), with every sample a column.
    """

    def __init__(self, lengths: Sequence[int], slides: Sequence[Slide], unshared: bool) -> None:
        self.slides = tuple(slides)
        self.unshared = unshared
        self.window = tuple(s.window for s in slides)
        self.counts = tuple(s.count(n) for s, n in zip(slides, lengths, strict=True))
        n = len(self.slides)
        places, window = tuple(range(3, 3 + n)), tuple(range(3 + n, 3 + 2 * n))
        if unshared:
            self._column_order = (1, *places, 2, *window, 0)
            self._result_order = (1, *places, 2, 0)
        else:
            self._column_order = (1, 2, *window, 0, *places)
            self._result_order = (1, 2, 0, *places)

    def blocks(self, images: Array) -> Iterator[Block]:
        """Parts of a batch whose columns stay in the cache, one after the other."""
        batch, groups, channels = images.shape[:3]
        rows, *others = self.counts
        row = groups * channels * prod(self.window) * prod(others) * images.itemsize
        fit = max(1, CACHE // max(1, row))
        samples, some = (max(1, fit // max(1, rows)), rows) if fit >= rows else (1, fit)
        for i in range(0, batch, samples):
            for k in range(0, rows, max(1, some)):
                yield slice(i, min(i + samples, batch)), slice(k, min(k + some, rows))

    def windows(self, images: Array) -> Array:
        """A view of the images through every window: the axes of these come last."""
        spans = tuple(s.span for s in self.slides)
        view = sliding_window_view(images, spans, tuple(range(3, images.ndim)))
        steps = (slice(None, None, s.step) for s in self.slides)
        spacings = (slice(None, None, s.spacing) for s in self.slides)
        return part_of(view, (..., *steps, *spacings))

    def columns(self, windows: Array, block: Block) -> Array:
        """The patches of a block, as columns."""
        samples, rows = block
        part = windows[samples, :, :, rows]
        return self._matrices(part.transpose(self._column_order), part.shape, prod(self.window))

    def add(self, images: Array, block: Block, columns: Array) -> None:
        """Add columns to the elements of the images that such columns are read from."""
        samples, rows = block
        groups, channels = images.shape[1:3]
        places = (rows, *(slice(0, n) for n in self.counts[1:]))
        shape = (samples.stop - samples.start, groups, channels, *_lengths(places), *self.window)
        patches = self._restored(columns, shape, self._column_order)
        for at in np.ndindex(self.window):
            read = map(Slide.elements, self.slides, at, places)
            part = part_of(images, (samples, slice(None), slice(None), *read))
            part += patches[(..., *at)]

    def results(self, values: Array, block: Block) -> Array:
        """What came of the patches of a block, in columns."""
        samples, rows = block
        part = values[samples, :, :, rows]
        return self._matrices(part.transpose(self._result_order), part.shape, 1)

    def put(self, values: Array, block: Block, results: Array) -> None:
        """Keep what came of the patches of a block."""
        samples, rows = block
        part = values[samples, :, :, rows]
        part[...] = self._restored(results, part.shape, self._result_order)

    def filters(self, filters: Array, groups: int) -> Array:
        """Filters as matrices: (groups, rows of places, other places, filters, channels * window).

        They come as (filters, channels, *window), or with the places after the filters.
        """
        n, count = len(self.counts), len(filters) // groups
        inner = prod(filters.shape[-1 - n :])
        if not self.unshared:
            return filters.reshape(groups, 1, 1, count, inner)
        split = filters.reshape(groups, count, *filters.shape[1:])
        moved = split.transpose(0, *range(2, 2 + n), 1, *range(2 + n, split.ndim))
        return moved.reshape(groups, self.counts[0], prod(self.counts[1:]), count, inner)

    def of_block(self, matrices: Array, block: Block) -> Array:
        """A view of the matrices that a block needs."""
        return matrices[:, block[1]] if self.unshared else matrices

    def _matrices(self, moved: Array, shape: Sequence[int], window: int) -> Array:
        batch, groups, channels, *counts = shape[: 3 + len(self.slides)]
        places = prod(counts)
        split = (places, batch) if self.unshared else (1, batch * places)
        return moved.reshape(groups, split[0], channels * window, split[1])

    @staticmethod
    def _restored(matrices: Array, shape: Sequence[int], order: Sequence[int]) -> Array:
        moved = matrices.reshape([shape[axis] for axis in order])
        return moved.transpose(np.argsort(order))


def _lengths(parts: Sequence[slice]) -> tuple[int, ...]:
    return tuple(part.stop - part.start for part in parts)


def correlate(
    images: Array, filters: Array, slides: Sequence[Slide], groups: int, unshared: bool
) -> Array:
    """Each filter laid over each image at every place, multiplied and summed.

    images: (batch, channels, *lengths).  filters: (filters, channels / groups, *window), with
    the places after the filters where they are unshared.  Gives (batch, filters, *counts).
    """
    patches = Patches(images.shape[2:], slides, unshared)
    batch, count = len(images), len(filters)
    windows = patches.windows(_grouped(padded(images, slides), groups))
    out = np.zeros((batch, groups, count // groups, *patches.counts), images.dtype)
    matrices = patches.filters(filters, groups)
    for block in patches.blocks(windows):
        columns = patches.columns(windows, block)
        patches.put(out, block, _flat(patches.of_block(matrices, block)) @ columns)
    return out.reshape(batch, count, *patches.counts)


def spread(
    values: Array,
    filters: Array,
    lengths: Sequence[int],
    slides: Sequence[Slide],
    groups: int,
    unshared: bool,
) -> Array:
    """The transpose of `correlate` as a map of images: each value spread under its filter.

    values: what `correlate` gives.  lengths: those of the images, which are the result.
    """
    patches = Patches(lengths, slides, unshared)
    channels = filters.shape[1 + len(slides) if unshared else 1]
    shape = padded_shape((len(values), groups, channels, *lengths), slides)
    images = np.zeros(shape, values.dtype)
    grouped = _grouped(values, groups)
    matrices = patches.filters(filters, groups).swapaxes(-1, -2)
    for block in patches.blocks(images):
        results = patches.results(grouped, block)
        patches.add(images, block, _flat(patches.of_block(matrices, block)) @ results)
    inner = unpadded(images, slides)
    return inner.reshape(len(values), groups * channels, *lengths)


def correlate_filters(
    images: Array, values: Array, slides: Sequence[Slide], groups: int, unshared: bool
) -> Array:
    """The transpose of `correlate` as a map of filters: the patches weighed by the values.

    values: what `correlate` gives.  The windows of the slides are the lengths of the filters.
    """
    patches = Patches(images.shape[2:], slides, unshared)
    windows = patches.windows(_grouped(padded(images, slides), groups))
    results = _grouped(values, groups)
    channels, count = windows.shape[2], results.shape[2]
    places = (patches.counts[0], prod(patches.counts[1:])) if unshared else (1, 1)
    out = np.zeros((groups, *places, count, channels * prod(patches.window)), images.dtype)
    for block in patches.blocks(windows):
        columns = patches.columns(windows, block)
        product = patches.results(results, block) @ columns.swapaxes(-1, -2)
        part = patches.of_block(out, block)
        part += product.reshape(part.shape)
    if unshared:
        moved = np.moveaxis(out, 3, 1)
        return moved.reshape(groups * count, *patches.counts, channels, *patches.window)
    return out.reshape(groups * count, channels, *patches.window)


def _grouped(x: Array, groups: int) -> Array:
    """The channels of each group by themselves."""
    return x.reshape(len(x), groups, x.shape[1] // groups, *x.shape[2:])


def _flat(matrices: Array) -> Array:
    """The two axes of places as one."""
    groups, rows, others, n, m = matrices.shape
    return matrices.reshape(groups, rows * others, n, m)
