"""From ops to primitives: every apply of a graph as formulas over loops, folds and products."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from engine.codegen.cpu.blas import COLUMN, INNER, ROW, is_readable
from engine.codegen.layout import ONE, Access, Buffer, Extent, Index, View
from engine.codegen.primitives import Count, Fold, Literal, Map, Operand, Primitive, Product
from engine.errors import CompileError, ShapeError
from engine.graph import OPS, Apply, Constant, Graph, Variable, walk
from engine.op import Op
from engine.types import DISCRETE, FLOATS, TensorType, normalize_axes, normalize_axis

BLAS_WORK = 1024
"""Multiplications from which on a product is worth a call of BLAS."""
NATIVE = DISCRETE | {"float32", "float64"}
RADIX = 1 << 48
IDENTITY = "{x}"
MULTIPLY_ADD = "accumulate({acc}, {x} * {y})"


class Lowering:
    """The primitives of a graph, in an order in which they can run one after the other.

    given: leaves besides those that the graph reads.  views: where each variable lies.
    primitives: what computes them.
    """

    def __init__(
        self, graph: Graph, types: Mapping[Variable, TensorType], given: Iterable[Variable] = ()
    ) -> None:
        self.types = dict(types)
        self.views: dict[Variable, View] = {}
        self.primitives: list[Primitive | Product] = []
        self._literals: dict[View, Literal] = {}
        self._constants: dict[Hashable, View] = {}
        self.leaves: list[Variable] = []
        for v in dict.fromkeys([*graph.leaves(), *given]):
            self._leaf(v)
        for node in graph.toposort():
            self._apply(node)

    # Values that are there from the start.

    def _leaf(self, v: Variable) -> None:
        if isinstance(v, Constant):
            if v.identity not in self._constants:
                self._constants[v.identity] = self._constant(v.data, v.broadcastable)
            self.views[v] = self._constants[v.identity]
            return
        known = self.types[v]
        self._check_dtype(v, None)
        extents = [
            ONE if b else Extent(self._length(n, v), literal=declared is not None)
            for n, b, declared in zip(known.shape, v.broadcastable, v.type.shape, strict=True)
        ]
        self.views[v] = View.whole(Buffer.new(v.dtype, extents, given=True, kept=True), extents)
        self.leaves.append(v)

    def _constant(self, value: Any, broadcastable: Sequence[bool], inline: bool = True) -> View:
        value = np.ascontiguousarray(value).reshape(np.shape(value))
        extents = [
            ONE if b else Extent(n, literal=True)
            for n, b in zip(value.shape, broadcastable, strict=True)
        ]
        view = View.whole(Buffer.new(value.dtype.name, extents, given=True, value=value), extents)
        if inline and value.size == 1 and _is_plain(value):
            self._literals[view] = Literal(value.item())
        return view

    # Applies.

    def _apply(self, node: Apply) -> None:
        for v in (*node.inputs, *node.outputs):
            self._check_dtype(v, node)
        op = node.op
        if op.from_shape or self._is_constant(node):
            self._evaluate(node)
        elif op.expand is not None:
            self._expand(node)
        elif op.scalar is not None:
            self._elementwise(node)
        elif op.fold is not None:
            self._reduction(node)
        elif op.view is not None:
            self.views[node.out] = self._viewed(node)
        elif op.name in _RULES:
            _RULES[op.name](self, node)
        else:
            raise node.located(
                CompileError(f"{op.name} has no native kernel; it runs in NumPy.", got=op.name)
            )

    @staticmethod
    def _length(n: int | None, v: Variable) -> int:
        if n is None:
            raise CompileError(
                f"The shape of {v!r} is not known before it runs; it runs in NumPy.", node=v.name
            )
        return n

    def _check_dtype(self, v: Variable, node: Apply | None) -> None:
        if v.dtype not in NATIVE:
            error = CompileError(
                f"There are no native kernels for {v.dtype}; it runs in NumPy.",
                expected=", ".join(sorted(NATIVE)),
                got=v.dtype,
                node=None if node else v.name,
            )
            raise node.located(error) if node else error

    def _is_constant(self, node: Apply) -> bool:
        known = all(self.views[v].buffer.storage.value is not None for v in node.inputs)
        return bool(node.inputs) and known and node.op.numpy is not None

    def _evaluate(self, node: Apply) -> None:
        """Compute at once what no run will change: it follows from shapes and constants."""
        values = [
            _array(self.views[v])
            if self.views[v].buffer.storage.value is not None
            else np.broadcast_to(np.zeros((), v.dtype), self.views[v].shape)
            for v in node.inputs
        ]
        value = np.asarray(node.op.evaluate(*values, **node.params)).astype(node.out.dtype)
        inline = all(isinstance(v, Constant) for v in node.inputs)
        self.views[node.out] = self._constant(value, node.out.broadcastable, inline)

    def _expand(self, node: Apply) -> None:
        """Lower, in place of the op, the expression of simpler ops that computes the same."""
        assert node.op.expand is not None
        given = []
        for v in node.inputs:
            leaf = Variable(self.types[v])
            self.views[leaf] = self.views[v]
            self.types[leaf] = self.types[v]
            given.append(leaf)
        result = node.op.expand(*given, **node.params)
        for inner in walk([result]):
            inner.origins = node.origins
            for v in inner.inputs:
                if v not in self.views:
                    self.types[v] = v.type
                    self._leaf(v)
            for v in inner.outputs:
                self.types[v] = v.type
            self._apply(inner)
        self.views[node.out] = self.views[result]

    def _elementwise(self, node: Apply) -> None:
        assert node.op.rule is not None
        assert node.op.scalar is not None
        working, _ = node.op.rule([v.dtype for v in node.inputs])
        views = {p.name: self.views[v] for p, v in zip(node.op.ports, node.inputs, strict=True)}
        text = node.op.scalar
        self.map(node, text, views, working, node.out.dtype, node.out.ndim)

    def map(
        self, node: Apply, text: str, views: Mapping[str, View], working: str, dtype: str, ndim: int
    ) -> None:
        """Compute the only output of `node` element by element."""
        extents = _broadcast(list(views.values()), ndim)
        target = View.whole(Buffer.new(dtype, extents), extents)
        self.views[node.out] = target
        self.write(node, text, views, working, target)

    def write(
        self, node: Apply | None, text: str, views: Mapping[str, View], working: str, target: View
    ) -> None:
        """Compute the elements of `target`, to which the operands are stretched."""
        loops, space = _loops(target.extents)
        operands = {
            name: self._operand(view, loops[len(loops) - len(view.extents) :])
            for name, view in views.items()
            if "{" + name + "}" in text
        }
        self.primitives.append(Map(node, space, text, operands, working, target.along(loops)))

    def _operand(self, view: View, loops: Sequence[int | None]) -> Operand:
        if view in self._literals:
            return self._literals[view]
        return view.along(
            [None if e is ONE else k for e, k in zip(view.extents, loops, strict=True)]
        )

    def copy(self, node: Apply | None, source: View, target: View) -> None:
        """Put the elements of `source`, stretched if need be, where `target` is."""
        for own, other in zip(reversed(source.extents), reversed(target.extents), strict=False):
            if own is not ONE:
                other.unify(own)
        self.write(node, IDENTITY, {"x": source}, source.dtype, target)

    def dense(self, node: Apply, view: View) -> View:
        """The same elements in a buffer of their own, in C order."""
        if view.is_whole:
            return view
        fresh = View.whole(Buffer.new(view.dtype, view.extents), view.extents)
        self.copy(node, view, fresh)
        return fresh

    def _reduction(self, node: Apply) -> None:
        fold = node.op.fold
        assert fold is not None
        (x,) = node.inputs
        axes = normalize_axes(node.params["axis"], x.ndim)
        dtype = fold.accumulator(x.dtype)
        total = self._fold(node, axes, fold.step, fold.start, dtype)
        count = Count(tuple(self.views[x].extents[k] for k in axes))
        loops, space = _loops(total.extents)
        text = fold.finish.replace("{n}", "{count}").replace("{acc}", "{x}")
        result = View.whole(Buffer.new(node.out.dtype, total.extents), total.extents)
        if text == IDENTITY and result.dtype == dtype:
            result = total
        else:
            operands: dict[str, Operand] = {"x": total.along(loops)}
            if "{count}" in text:
                operands["count"] = count
            self.primitives.append(Map(node, space, text, operands, dtype, result.along(loops)))
        self.views[node.out] = _restored(result, axes, x.ndim, node.params["keepdims"])

    def _fold(
        self,
        node: Apply,
        axes: Sequence[int],
        step: str,
        start: str,
        dtype: str,
        where: bool = False,
    ) -> View:
        """Fold `axes` of the only input away; gives the accumulators, without those axes."""
        (x,) = node.inputs
        view = self.views[x]
        kept = [k for k in range(x.ndim) if k not in axes]
        extents = tuple(view.extents[k] for k in kept)
        loops, space = _loops(view.extents)
        reduced = frozenset(k for a in axes if (k := loops[a]) is not None)
        self._check_not_empty(node, space, reduced)
        total = View.whole(Buffer.new("int64" if where else dtype, extents), extents)
        target = total.along([loops[k] for k in kept])
        order = _memory_order(view.along(loops), size=len(space))
        if where:
            order = (*sorted(set(order) - reduced), *sorted(reduced))
        operand = {"x": self._operand(view, loops)}
        working = x.dtype if dtype == "bool" else dtype
        self.primitives.append(
            Fold(node, space, step, operand, working, target, reduced, start, where, order=order)
        )
        return total

    def _check_not_empty(
        self, node: Apply, space: Sequence[Extent], reduced: frozenset[int]
    ) -> None:
        fold = node.op.fold
        if fold is not None and fold.start not in {"LOWEST", "HIGHEST"}:
            return
        empty = any(space[k].length == 0 for k in reduced)
        if empty and all(e.length for k, e in enumerate(space) if k not in reduced):
            raise node.located(
                ShapeError(
                    f"There is no {node.op.name} of nothing.",
                    expected="one element or more along the reduced axes",
                    got="an empty axis",
                )
            )

    # Ops that move no data.

    def _viewed(self, node: Apply) -> View:
        x = self.views[node.inputs[0]]
        moved = self.moved(node.op, x, node.params)
        if moved is not None:
            return moved
        if len(node.inputs) > 1:
            raise node.located(
                CompileError(f"{node.op.name} at a computed place has no native kernel yet.")
            )
        return self.reshaped(node, x, node.out)

    @staticmethod
    def moved(op: Op, x: View, params: Mapping[str, Any]) -> View | None:
        """The view of x that an op is; None where it must be copied."""
        assert op.view is not None
        strides = tuple(RADIX ** (k + 1) for k in range(len(x.extents)))
        layout = op.view(x.shape, strides, **params)
        return None if layout is None else x.moved(layout, RADIX)

    def reshaped(self, node: Apply, x: View, like: Variable) -> View:
        """The elements of x, in C order, in the shape of another variable."""
        dense = self.dense(node, x)
        model = self.views.get(like)
        if model is not None:
            extents = model.extents
        else:
            shape = self.types[like].shape
            extents = tuple(
                ONE if b else Extent(self._length(n, like))
                for n, b in zip(shape, like.broadcastable, strict=True)
            )
        axes = tuple(e for e in extents if e is not ONE)
        return View.whole(Buffer(dense.buffer.storage, axes), extents)


def _is_plain(value: np.ndarray[Any, Any]) -> bool:
    """Whether a constant is one of those that belong to a formula, such as 1 or 0.5.

    Others, a learning rate say, are arguments, so that to change them compiles nothing.
    """
    return bool(np.isfinite(value).all()) and float(value.item()) * 2 in range(-32, 33)


def _array(view: View) -> np.ndarray[Any, Any]:
    """The values of a view on constant data."""
    storage = view.buffer.storage
    assert storage.value is not None
    flat = storage.value.reshape(-1)[view.offset :]
    strides = [s * storage.itemsize for s in view.strides]
    return np.lib.stride_tricks.as_strided(flat, view.shape, strides)


def _loops(extents: Sequence[Extent]) -> tuple[list[int | None], tuple[Extent, ...]]:
    """A loop for every axis that needs one: their numbers by axis, and their lengths."""
    space = tuple(e for e in extents if e is not ONE)
    numbers = iter(range(len(space)))
    return [None if e is ONE else next(numbers) for e in extents], space


def _broadcast(views: Sequence[View], ndim: int) -> tuple[Extent, ...]:
    """The lengths of the result of an elementwise op; those that must be equal become one."""
    result: list[Extent] = [ONE] * ndim
    for view in views:
        for k, extent in enumerate(view.extents, ndim - len(view.extents)):
            if extent is ONE:
                continue
            if result[k] is ONE:
                result[k] = extent
            result[k].unify(extent)
    return tuple(result)


def _restored(view: View, axes: Sequence[int], ndim: int, keepdims: bool) -> View:
    """The result of a fold, with the folded axes back as axes of length 1 if they are kept."""
    if not keepdims:
        return view
    rest = iter(range(len(view.extents)))
    return view.permuted([None if k in axes else next(rest) for k in range(ndim)])


def _memory_order(*operands: Access, size: int) -> tuple[int, ...]:
    """The order of loops in which the operands are walked through as they lie in memory."""
    before: dict[int, set[int]] = {k: set() for k in range(size)}
    for access in operands:
        walked = [i.axis for i in access.indices if i.axis is not None]
        for outer, inner in pairwise(walked):
            before[inner].add(outer)
    order: list[int] = []
    while len(order) < size:
        waiting = [k for k in range(size) if k not in order]
        free = [k for k in waiting if before[k] <= set(order)]
        order.append(min(free or waiting))
    return tuple(order)


# Ops with a rule of their own.

_Rule = Callable[[Lowering, Apply], None]


def _cast(low: Lowering, node: Apply) -> None:
    (x,) = node.inputs
    if x.dtype == node.out.dtype:
        low.views[node.out] = low.views[x]
        return
    text = "{x} != 0" if node.out.dtype == "bool" else IDENTITY
    low.map(node, text, {"x": low.views[x]}, x.dtype, node.out.dtype, x.ndim)


def _dot(low: Lowering, node: Apply) -> None:
    x, y = (low.views[v] for v in node.inputs)
    for own, other in ((x.extents[-1], y.extents[0]),):
        if ONE not in (own, other):
            own.unify(other)
    inner = y.extents[0] if x.extents[-1] is ONE else x.extents[-1]
    rows, columns = x.extents[:-1], y.extents[1:]
    result = View.whole(Buffer.new(node.out.dtype, rows + columns), rows + columns)
    low.views[node.out] = result
    space = ((*rows, ONE)[0], inner, (*columns, ONE)[0])
    if _is_large(space, x.dtype, y.dtype):
        x, y = (_readable(low, node, v) for v in (x, y))
    row, column = ([ROW] if rows else []), ([COLUMN] if columns else [])
    left = x.along(_bound([*row, INNER], x))
    right = y.along(_bound([INNER, *column], y))
    target = result.along(_bound([*row, *column], result))
    if _is_large(space, x.dtype, y.dtype):
        low.primitives.append(Product(node, left, right, target, space))
        return
    numbers, lengths = _loops(space)
    place = {k: n for k, n in enumerate(numbers) if n is not None}
    left, right, target = (_renumbered(a, place) for a in (left, right, target))
    dtype = node.out.dtype
    reduced = frozenset({place[INNER]} if INNER in place else ())
    order = _memory_order(left, right, size=len(lengths))
    step, start = ("{acc} or {x} and {y}", "False") if dtype == "bool" else (MULTIPLY_ADD, "T(0)")
    operands = {"x": left, "y": right}
    low.primitives.append(
        Fold(node, lengths, step, operands, dtype, target, reduced, start, order=order)
    )


def _is_large(space: Sequence[Extent], *dtypes: str) -> bool:
    """Whether BLAS is to compute a product: a real one, of matrices of one dtype."""
    rows, inner, columns = space
    work = rows.length * inner.length * columns.length
    alike = len(set(dtypes)) == 1 and dtypes[0] in FLOATS
    return alike and inner is not ONE and (rows, columns) != (ONE, ONE) and work >= BLAS_WORK


def _readable(low: Lowering, node: Apply, view: View) -> View:
    """An operand of a product as BLAS can read it, copied if need be."""
    loops = [k for k, e in enumerate(view.extents) if e is not ONE]
    access = view.along([k if e is not ONE else None for k, e in enumerate(view.extents)])
    return view if is_readable(access, loops) else low.dense(node, view)


def _bound(loops: Sequence[int], view: View) -> list[int | None]:
    return [None if e is ONE else k for k, e in zip(loops, view.extents, strict=True)]


def _renumbered(access: Access, place: Mapping[int, int]) -> Access:
    indices = tuple(
        i if i.axis is None else Index(i.start, i.step, place[i.axis]) for i in access.indices
    )
    return Access(access.buffer, indices)


def _stack(low: Lowering, node: Apply) -> None:
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    parts = [low.views[v] for v in node.inputs]
    extents = list(_broadcast(parts, node.out.ndim - 1))
    extents.insert(axis, Extent(len(parts), literal=True))
    result = View.whole(Buffer.new(node.out.dtype, extents), extents)
    low.views[node.out] = result
    for k, part in enumerate(parts):
        low.copy(node, part, result.picked(axis, k))


def _join(low: Lowering, node: Apply) -> None:
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    parts = [low.views[v] for v in node.inputs]
    shape = low.types[node.out].shape
    extents = []
    for k in range(node.out.ndim):
        own = [p.extents[k] for p in parts if p.extents[k] is not ONE]
        if k == axis:
            extents.append(Extent(shape[k] or 0))
        else:
            extents.append(own[0] if own else ONE)
            for e in own:
                extents[-1].unify(e)
    result = View.whole(Buffer.new(node.out.dtype, extents), extents)
    low.views[node.out] = result
    start = 0
    for part in parts:
        length = part.extents[axis]
        place = result.sliced(axis, start, 1, Extent(1) if length is ONE else length)
        low.copy(node, part, place)
        start += length.length


def _join_part(low: Lowering, node: Apply) -> None:
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    position = node.params["position"]
    joined, *parts = (low.views[v] for v in node.inputs)
    start = sum(p.extents[axis].length for p in parts[:position])
    low.views[node.out] = joined.sliced(axis, start, 1, parts[position].extents[axis])


def _reshape_like(low: Lowering, node: Apply) -> None:
    x, model = node.inputs
    low.views[node.out] = low.reshaped(node, low.views[x], model)


def _full(low: Lowering, node: Apply) -> None:
    known = low.types[node.out]
    extents = [
        ONE if b else Extent(n or 0) for n, b in zip(known.shape, known.broadcastable, strict=True)
    ]
    result = View.whole(Buffer.new(node.out.dtype, extents), extents)
    low.views[node.out] = result
    low.copy(node, low.views[node.inputs[0]], result)


def _changed(text: str) -> _Rule:
    """A copy of x in which the elements at an index are computed anew."""

    def rule(low: Lowering, node: Apply) -> None:
        x, value, *given = node.inputs
        if given:
            raise node.located(
                CompileError(f"{node.op.name} at a computed place has no native kernel yet.")
            )
        view = low.views[x]
        result = View.whole(Buffer.new(x.dtype, view.extents), view.extents)
        low.views[node.out] = result
        low.copy(node, view, result)
        index = low.moved(OPS["subtensor"], result, node.params)
        assert index is not None
        new = low.views[value]
        for own, other in zip(reversed(new.extents), reversed(index.extents), strict=False):
            if own is not ONE:
                other.unify(own)
        low.write(node, text, {"x": index, "value": new}, x.dtype, index)

    return rule


def _argmax(low: Lowering, node: Apply) -> None:
    (x,) = node.inputs
    axis = node.params["axis"]
    axes = normalize_axes(axis, x.ndim)
    leads = "{x} > {acc} or ({x} != {x} and {acc} == {acc})"
    result = low._fold(node, axes, leads, "LOWEST", x.dtype, where=True)
    low.views[node.out] = _restored(result, axes, x.ndim, node.params["keepdims"])


_RULES: dict[str, _Rule] = {
    "argmax": _argmax,
    "assign_at": _changed("{value}"),
    "cast": _cast,
    "dot": _dot,
    "full": _full,
    "increase_at": _changed("{x} + {value}"),
    "join": _join,
    "join_part": _join_part,
    "reshape_like": _reshape_like,
    "stack": _stack,
}
