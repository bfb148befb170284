"""From ops to tasks: every apply of a graph as formulas over loops, folds, products, callbacks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from engine.codegen.layout import (
    ONE,
    Access,
    Buffer,
    Extent,
    View,
    loops_over,
    memory_order,
    restored,
    stretched,
)
from engine.codegen.lowering.intervals import interval
from engine.codegen.lowering.rules import RULES
from engine.codegen.numpy import Interpreter, Lazily
from engine.codegen.primitives import (
    IDENTITY,
    Callback,
    Count,
    Fold,
    Guard,
    Literal,
    Map,
    Operand,
    Task,
)
from engine.errors import CompileError
from engine.expression import Apply, Block, Constant, Variable, certain, walk
from engine.graph import Graph
from engine.op import Op
from engine.types import DISCRETE, TensorType, normalize_axes

NATIVE = DISCRETE | {"float32", "float64"}
"""The dtypes that kernels compute in; tensors of others are left to NumPy, between kernels."""
RADIX = 1 << 48
"""Larger than any length: strides that are powers of it can be told apart."""


class UncheckedError(Exception):
    """Something would have to be checked where that cannot be done."""


class Lowering:
    """The tasks of a graph, in an order in which they can be done one after the other.

    given: leaves besides those that the graph reads.  views: where each variable lies.
    tasks: what computes them.
    """

    def __init__(
        self, graph: Graph, types: Mapping[Variable, TensorType], given: Iterable[Variable] = ()
    ) -> None:
        self.types = dict(types)
        self.views: dict[Variable, View] = {}
        self.tasks: list[Task] = []
        self._literals: dict[View, Literal] = {}
        self._constants: dict[Hashable, View] = {}
        self._checks: list[tuple[Fold, bool]] = []
        self._outermost = self.tasks
        self.leaves: list[Variable] = []
        for v in dict.fromkeys([*graph.leaves(), *given]):
            self._leaf(v)
        self._lower(graph.toposort(), certain(graph.outputs, graph.is_given))
        # What can be checked before anything runs is, so that all the rest need not be split.
        self.tasks[:0] = self._guarded([fold for fold, early in self._checks if early])
        self.tasks += self._guarded([fold for fold, early in self._checks if not early])

    # Values that are there from the start.

    def _leaf(self, v: Variable) -> None:
        if isinstance(v, Constant):
            if v.identity not in self._constants:
                self._constants[v.identity] = self.constant(v.data, v.type)
            self.views[v] = self._constants[v.identity]
            return
        known = self.types[v]
        extents = [
            ONE if b else Extent(self.length(n, v), literal=declared is not None)
            for n, b, declared in zip(known.shape, v.broadcastable, v.type.shape, strict=True)
        ]
        self.views[v] = View.whole(Buffer.new(v.dtype, extents, given=True, kept=True), extents)
        self.leaves.append(v)

    def constant(self, value: Any, type: TensorType, inline: bool = True) -> View:
        """A value that no run changes; one number that is simple goes into the text, if inline."""
        value = np.ascontiguousarray(value).reshape(np.shape(value))
        extents = [
            ONE if b else Extent(n, literal=inline or declared is not None)
            for n, b, declared in zip(value.shape, type.broadcastable, type.shape, strict=True)
        ]
        view = View.whole(Buffer.new(value.dtype.name, extents, given=True, value=value), extents)
        if inline and value.size == 1 and _is_plain(value):
            self._literals[view] = Literal(value.item())
        return view

    # Applies.

    def _lower(self, order: Sequence[Apply], needed: set[Apply]) -> None:
        """Tasks for applies; those that only branches of lazy ops need wait to be asked for."""
        branches = Lazily(order, needed)
        for node in order:
            if node not in needed:
                continue
            if node.op.lazy is not None:
                self._choice(node, branches)
            else:
                self._apply(node)

    def _choice(self, node: Apply, branches: Lazily) -> None:
        """A choice of what is there anyway is made in a kernel, any other one by NumPy."""
        if node.op.name in RULES and all(v in self.views for v in node.inputs):
            shapes = {self.views[v].shape for v in node.inputs[1:]}
            if len(shapes) == 1 and _is_native(node):
                RULES[node.op.name](self, node)
                return
        sources, function = branches.choosing(node)
        self.call(node, sources, function)

    def _apply(self, node: Apply) -> None:
        op = node.op
        if op.from_shape or self._is_constant(node):
            self._evaluate(node)
        elif op.view is not None:
            self._viewed(node)
        elif not _is_native(node):
            self.call(node)
        elif op.expand is not None:
            self._expand(node)
        elif op.scalar is not None:
            self._elementwise(node)
        elif op.fold is not None:
            self._reduction(node)
        elif op.name in RULES:
            self._by_rule(node)
        else:
            self.call(node)

    def _by_rule(self, node: Apply) -> None:
        try:
            RULES[node.op.name](self, node)
        except UncheckedError:
            self.call(node)

    @staticmethod
    def length(n: int | None, v: Variable) -> int:
        """The length of an axis of v; raises CompileError where that is not known."""
        if n is None:
            raise CompileError(
                f"The shape of {v!r} is not known before it runs; it runs in NumPy.",
                node=_address(v),
            )
        return n

    def fresh(self, v: Variable) -> tuple[Extent, ...]:
        """Lengths for the axes of a variable, as no other tensor has them."""
        return tuple(
            ONE if b else Extent(self.length(n, v))
            for n, b in zip(self.types[v].shape, v.broadcastable, strict=True)
        )

    def call(
        self,
        node: Apply,
        given: Sequence[Variable] | None = None,
        function: Callable[[Sequence[Any]], Sequence[Any]] | None = None,
    ) -> None:
        """Let NumPy compute the results, between the kernels.

        function: what does so, from the values of `given`, in place of the op's own.
        """
        for v in node.outputs:
            extents = self.fresh(v)
            self.views[v] = View.whole(Buffer.new(v.dtype, extents), extents)
        sources = tuple(self.views[v] for v in (node.inputs if given is None else given))
        targets = tuple(self.views[v] for v in node.outputs)
        run = function or Interpreter(node.inputs, node.outputs)
        self.tasks.append(Callback(node, run, sources, targets))

    def _is_constant(self, node: Apply) -> bool:
        views = [self.views[v] for v in node.inputs]
        known = all(x.buffer.storage.value is not None and not x.is_stretched for x in views)
        computable = node.op.numpy is not None and not node.op.higher_order
        return bool(node.inputs) and known and computable and len(node.outputs) == 1

    def _evaluate(self, node: Apply) -> None:
        """Compute at once what no run will change: it follows from shapes and constants."""
        values = [
            _array(self.views[v])
            if self.views[v].buffer.storage.value is not None
            else np.broadcast_to(np.zeros((), v.dtype), self.views[v].shape)
            for v in node.inputs
        ]
        value = np.asarray(node.op.evaluate(*values, **node.params)).astype(node.out.dtype)
        inline = all(
            isinstance(v, Constant) or self.views[v] in self._literals for v in node.inputs
        )
        self.views[node.out] = self.constant(value, node.out.type, inline)

    def _expand(self, node: Apply) -> None:
        """Lower, in place of the op, the expression of simpler ops that computes the same."""
        assert node.op.expand is not None
        given = []
        for v in node.inputs:
            leaf = Variable(self.types[v])
            self.views[leaf] = self.views[v]
            self.types[leaf] = self.types[v]
            given.append(leaf)
        built = node.op.expand(*given, **node.params)
        results = [built] if isinstance(built, Variable) else list(built)
        order = walk(results)
        for inner in order:
            inner.origins = node.origins
            for v in inner.inputs:
                self._enter(v)
            for v in inner.outputs:
                self.types[v] = v.type
        for v in results:
            self._enter(v)
        self._lower(order, certain(results))
        for v, result in zip(node.outputs, results, strict=True):
            self.views[v] = self.views[result]

    @contextmanager
    def apart(self) -> Iterator[list[Task]]:
        """Meanwhile tasks go into a list of their own, and not among those of the graph."""
        tasks, self.tasks = self.tasks, []
        try:
            yield self.tasks
        finally:
            self.tasks = tasks

    def inside(
        self, block: Block, types: Mapping[Variable, TensorType], views: Mapping[Variable, View]
    ) -> list[View]:
        """Where the results of a block lie, given where its inputs do; types: of all in it."""
        self.types.update(types)
        self.views.update(views)
        order = block.applies()
        for v in (*(v for inner in order for v in inner.inputs), *block.outputs):
            self._enter(v)
        self._lower(order, certain(block.outputs, views.__contains__))
        return [self.views[v] for v in block.outputs]

    def _enter(self, v: Variable) -> None:
        """Take in a leaf of an expression that is not one of the graph."""
        if v.owner is None and v not in self.views:
            self.types[v] = v.type
            self._leaf(v)

    def _elementwise(self, node: Apply) -> None:
        assert node.op.scalar is not None
        names = [p.name for p in node.op.ports]
        views = {name: self.views[v] for name, v in zip(names, node.inputs, strict=True)}
        working = node.op.working([v.dtype for v in node.inputs])
        casts = dict(zip(names, working, strict=True))
        extents = stretched(list(views.values()), node.out.ndim)
        for name, view in views.items():
            if node.op.scalar == "{" + name + "}" and view.dtype == node.out.dtype:
                self.views[node.out] = self.stretch(view, extents)
                return
        target = View.whole(Buffer.new(node.out.dtype, extents), extents)
        self.views[node.out] = target
        self.write(node, node.op.scalar, views, working[-1], target, casts)

    def stretch(self, view: View, extents: Sequence[Extent]) -> View:
        """The view itself, read again and again: memory is filled only where it must be."""
        lead = len(extents) - len(view.extents)
        padded = view.permuted([*(None,) * lead, *range(len(view.extents))])
        longer = View(view.buffer, tuple(extents), padded.indices)
        if view in self._literals:
            self._literals[longer] = self._literals[view]
        return longer

    def map(
        self, node: Apply, text: str, views: Mapping[str, View], working: str, dtype: str, ndim: int
    ) -> None:
        """Compute the only output of `node` element by element."""
        extents = stretched(list(views.values()), ndim)
        target = View.whole(Buffer.new(dtype, extents), extents)
        self.views[node.out] = target
        self.write(node, text, views, working, target)

    def write(
        self,
        node: Apply | None,
        text: str,
        views: Mapping[str, View],
        working: str,
        target: View,
        casts: Mapping[str, str] | None = None,
        origins: frozenset[str] = frozenset(),
    ) -> None:
        """Compute the elements of `target`, to which the operands are stretched.

        casts: the dtypes of operands that are not cast to `working`.
        origins: ids of the canvas nodes that this is for, where there is no `node`.
        """
        if not {working, target.dtype, *(v.dtype for v in views.values())} <= NATIVE:
            assert text == IDENTITY
            moved = Callback(node, lambda a: a, (views["x"],), (target,), origins=origins)
            self.tasks.append(moved)
            return
        loops, space = loops_over(target.extents)
        operands = {
            name: self.operand(view, loops[len(loops) - len(view.extents) :])
            for name, view in views.items()
            if "{" + name + "}" in text
        }
        place = target.along(loops)
        facts: dict[str, Any] = {"casts": casts or {}, "origins": origins}
        self.tasks.append(Map(node, space, text, operands, working, place, **facts))

    def operand(self, view: View, loops: Sequence[int | None]) -> Operand:
        """What a formula reads where axis k of the view runs along loop `loops[k]`."""
        if view in self._literals:
            return self._literals[view]
        return view.along(
            [None if e is ONE else k for e, k in zip(view.extents, loops, strict=True)]
        )

    def copy(
        self,
        node: Apply | None,
        source: View,
        target: View,
        origins: frozenset[str] = frozenset(),
    ) -> None:
        """Put the elements of `source`, stretched if need be, where `target` is."""
        for own, other in zip(reversed(source.extents), reversed(target.extents), strict=False):
            if own is not ONE:
                other.unify(own)
        self.write(node, IDENTITY, {"x": source}, source.dtype, target, origins=origins)

    def dense(self, node: Apply, view: View, dtype: str | None = None) -> View:
        """The same elements in C order, in a buffer of their own if need be; cast to a dtype."""
        dtype = dtype or view.dtype
        if view.is_whole and view.dtype == dtype:
            return view
        fresh = View.whole(Buffer.new(dtype, view.extents), view.extents)
        self.copy(node, view, fresh)
        return fresh

    def _reduction(self, node: Apply) -> None:
        fold = node.op.fold
        assert fold is not None
        (x,) = node.inputs
        axes = normalize_axes(node.params["axis"], x.ndim)
        dtype = node.params.get("acc_dtype") or fold.accumulator(x.dtype)
        total = self.fold(node, axes, fold.step, fold.start, dtype)
        count = Count(tuple(self.views[x].extents[k] for k in axes))
        loops, space = loops_over(total.extents)
        text = fold.finish.replace("{n}", "{count}").replace("{acc}", "{x}")
        if node.out.dtype == "bool" != dtype:
            text = f"({text}) != 0"
        result = View.whole(Buffer.new(node.out.dtype, total.extents), total.extents)
        if text == IDENTITY and result.dtype == dtype:
            result = total
        else:
            operands: dict[str, Operand] = {"x": total.along(loops)}
            if "{count}" in text:
                operands["count"] = count
            self.tasks.append(Map(node, space, text, operands, dtype, result.along(loops)))
        self.views[node.out] = restored(result, axes, x.ndim, node.params["keepdims"])

    def fold(
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
        loops, space = loops_over(view.extents)
        reduced = frozenset(k for a in axes if (k := loops[a]) is not None)
        total = View.whole(Buffer.new("int64" if where else dtype, extents), extents)
        target = total.along([loops[k] for k in kept])
        order = memory_order(view.along(loops), size=len(space))
        if where:
            order = (*sorted(set(order) - reduced), *sorted(reduced))
        operand = {"x": self.operand(view, loops)}
        working = x.dtype if dtype == "bool" else dtype
        self.tasks.append(
            Fold(node, space, step, operand, working, target, reduced, start, where, order=order)
        )
        return total

    # Errors.

    def interval(self, v: Variable) -> tuple[int, int]:
        """Between which integers the values of a variable lie."""
        value = self.value(v)
        if value is not None and value.size:
            return int(value.min()), int(value.max())
        return interval(v, lambda t: self.types.get(t, t.type))

    def check(
        self, node: Apply, text: str, views: Mapping[str, View], working: str, **facts: Operand
    ) -> bool:
        """Have the run end if a condition holds for any elements of the views.

        The views are stretched to each other.  facts: further operands of the text.
        Returns whether the run ends before anything that is lowered here or later has begun.
        The error is then the one that NumPy has for the same values.

        Raises UncheckedError where tasks are not those of the graph but of a step that is done
        again and again: then NumPy has to do what is to be checked.
        """
        if self.tasks is not self._outermost:
            raise UncheckedError
        extents = stretched(list(views.values()), max(len(v.extents) for v in views.values()))
        loops, space = loops_over(extents)
        operands = {
            name: self.operand(view, loops[len(loops) - len(view.extents) :])
            for name, view in views.items()
        }
        found = View.whole(Buffer.new("bool", ()), ()).along(())
        reduced = frozenset(range(len(space)))
        text = f"{{acc}} | ({text})"
        fold = Fold(node, space, text, {**operands, **facts}, working, found, reduced, "False")
        early = all(v.buffer.storage.given for v in views.values())
        self._checks.append((fold, early))
        return early

    def _guarded(self, folds: Sequence[Fold]) -> list[Task]:
        """The folds, and a guard that ends the run if any of them finds something."""
        folds = list({_meaning(fold): fold for fold in folds}.values())
        if not folds:
            return []
        flag = View.whole(Buffer.new("bool", ()), ())
        found: dict[str, Operand] = {f"x{k}": fold.target for k, fold in enumerate(folds)}
        text = " | ".join(f"{{{name}}}" for name in found)
        origins = frozenset().union(*(fold.origins for fold in folds))
        either = Map(None, (), text, found, "bool", flag.along(()), origins=origins)
        return [*folds, either, Guard(flag, origins=origins)]

    # Ops that move no data.

    def _viewed(self, node: Apply) -> None:
        x = self.views[node.inputs[0]]
        moved = self.moved(node.op, x, self.facts(node))
        if moved is not None:
            self.views[node.out] = moved
        elif node.op.name in RULES and _is_native(node):
            self._by_rule(node)
        elif len(node.inputs) > 1:
            self.call(node)
        else:
            self.views[node.out] = self.reshaped(node, x, node.out)

    def facts(self, node: Apply) -> dict[str, Any]:
        """The parameters, and what `known` is for an op that reads values."""
        if not node.op.reads_values:
            return node.params
        return {**node.params, "known": tuple(map(self.value, node.inputs))}

    def value(self, v: Variable) -> np.ndarray[Any, Any] | None:
        """What a variable holds, where no run will change that."""
        view = self.views[v]
        return None if view.buffer.storage.value is None else _array(view)

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
        extents = model.extents if model is not None else self.fresh(like)
        axes = tuple(e for e in extents if e is not ONE)
        return View.whole(Buffer(dense.buffer.storage, axes), extents)


def _meaning(fold: Fold) -> Hashable:
    """What a fold computes: the same of two that are alike."""

    def operand(o: Operand) -> Hashable:
        if isinstance(o, Access):
            return o.storage, o.indices
        return tuple(e.root() for e in o.extents) if isinstance(o, Count) else o

    space = tuple(e.root() for e in fold.space)
    return fold.text, fold.working, space, tuple(map(operand, fold.operands.values()))


def _is_native(node: Apply) -> bool:
    """Whether kernels can compute in the dtypes of an apply."""
    op = node.op
    working = set(op.working([v.dtype for v in node.inputs]) if op.is_elementwise else ())
    working.add(node.params.get("acc_dtype") or "bool")
    return working | {v.dtype for v in (*node.inputs, *node.outputs)} <= NATIVE


def _address(v: Variable) -> str | None:
    """The canvas node or the name by which a variable is found."""
    return min(v.owner.origins, default=v.name) if v.owner is not None else v.name


def _is_plain(value: np.ndarray[Any, Any]) -> bool:
    """Whether a constant is one of those that belong to a formula, such as 1 or 0.5.

    Others, a learning rate say, are arguments, so that to change them compiles nothing.
    """
    if value.dtype.name not in NATIVE or not np.isfinite(value).all():
        return False
    return float(value.item()) * 2 in range(-32, 33)


def _array(view: View) -> np.ndarray[Any, Any]:
    """The values of a view on constant data."""
    storage = view.buffer.storage
    assert storage.value is not None
    flat = storage.value.reshape(-1)[view.offset :]
    strides = [s * storage.itemsize for s in view.strides]
    return np.lib.stride_tricks.as_strided(flat, view.shape, strides)
