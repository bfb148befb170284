"""Running a graph: in NumPy at first, for each shape of its inputs natively once that pays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock, RLock, get_ident
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.codegen import compile_graph
from engine.codegen.numpy import Interpreter, Step, Watch
from engine.errors import CompileError, UnforeseenError
from engine.graph import Graph
from engine.inference import infer_types
from engine.profile import ProfileStats
from engine.rewrite import Film

if TYPE_CHECKING:
    from engine.codegen.exchange import Exchange
    from engine.codegen.native import KernelInfo, Native

Array = np.ndarray[Any, Any]
Shapes = tuple[tuple[int, ...], ...]

SHAPES_KEPT = 8
"""For how many combinations of input shapes a graph stays ready."""


@dataclass(frozen=True)
class Rewritten:
    """What a function computes, ready for a mode to say how.

    graph: as it was rewritten.  written: as it was before.  film: the steps in between.
    borrowed: for each output whether it may be memory that the next call uses again.
    stats: takes note of times, if there is to be a profile.
    """

    graph: Graph
    written: Graph
    film: Film
    borrowed: tuple[bool, ...]
    stats: ProfileStats | None = None


class Runner:
    """A graph made ready to be run for inputs of any shapes.

    patience: how many calls go by before it is compiled, a number and no time, so that the same
        calls always give the same bits; None for never.
    watch: runs every step in NumPy; then patience is None.
    """

    def __init__(
        self, work: Rewritten, patience: int | None = None, watch: Watch | None = None
    ) -> None:
        self.work = work
        self.graph = work.graph
        self.patience = patience
        self.interpreter = Interpreter(self.graph.inputs, self.graph.outputs)
        stats = work.stats
        self._watch = stats.timing(watch or Step.run) if stats else watch
        self._ready: OrderedDict[Shapes, _Shaped] = OrderedDict()
        self._lock = RLock()
        numbers = all(v.ndim == 0 for v in self.graph.inputs)
        self._shapes: Shapes = ((),) * len(self.graph.inputs) if numbers else ()

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        """The values of the graph's outputs, in memory that nobody else uses.

        Raises what the ops raise, also where shapes clash in a part that was rewritten away.
        """
        shapes = self._shapes or tuple([v.shape for v in values])
        shaped = self._ready.get(shapes) or self._for(shapes)
        return shaped.run(values)

    @property
    def kernels(self) -> list[KernelInfo]:
        """The native kernels of the newest shapes, none while the graph runs in NumPy."""
        newest = next(reversed(self._ready.values()), None)
        return newest.native.kernels if newest and newest.native else []

    def free(self) -> None:
        """Give back the memory that is kept from call to call."""
        self._ready.clear()

    def interpret(self, values: Sequence[Array]) -> list[Array]:
        """The values of the outputs, computed in NumPy."""
        seen = {id(v) for v in values}
        outputs = []
        for value in self.interpreter(values, self._watch):
            # An input, a constant, a view of either, or another output: nobody else may see it.
            if id(value) in seen or value.base is not None or not value.flags.writeable:
                value = value.copy()
            seen.add(id(value))
            outputs.append(value)
        return outputs

    def _for(self, shapes: Shapes) -> _Shaped:
        written = self.work.written  # no rewrite may hide shapes that clash
        with self._lock:
            infer_types(written, dict(zip(written.inputs, shapes, strict=True)))
            shaped = self._ready[shapes] = _Shaped(self, shapes)
            while len(self._ready) > SHAPES_KEPT:
                self._ready.popitem(last=False)
        return shaped


class _Shaped:
    """A graph for inputs of certain shapes."""

    def __init__(self, runner: Runner, shapes: Shapes) -> None:
        self._runner = runner
        self._shapes = dict(zip(runner.graph.inputs, shapes, strict=True))
        self._patience = runner.patience
        self._stats = runner.work.stats
        self._exchange: Exchange | None = None
        self._watching = False
        self._lock = Lock()
        self._thread = 0

    @property
    def native(self) -> Native | None:
        """The kernels, once there are any."""
        return self._exchange.native if self._exchange else None

    def run(self, values: Sequence[Array]) -> list[Array]:
        """The values of the outputs, from the kernels once there are any."""
        exchange = self._exchange
        if exchange is None:
            return self._before(values)
        if self._watching and self._thread == get_ident():
            # An op of the very call that is running has called again.
            return self._runner.interpret(values)
        with self._lock:  # its buffers serve one call at a time
            try:
                return self._watched(exchange, values) if self._watching else exchange(values)
            except UnforeseenError:
                return self._runner.interpret(values)

    def _before(self, values: Sequence[Array]) -> list[Array]:
        """The values as long as there are no kernels, which is when they may be compiled."""
        if self._patience is None or self._patience > 0:
            if self._patience is not None:
                self._patience -= 1
            return self._runner.interpret(values)
        with self._lock:
            compiled = self._exchange or self._compiled()
        return self.run(values) if compiled else self._runner.interpret(values)

    def _watched(self, exchange: Exchange, values: Sequence[Array]) -> list[Array]:
        """The values from kernels that call ops of NumPy, or are to be timed."""
        self._thread = get_ident()
        try:
            exchange.give(values)
            if self._stats:
                native = exchange.native
                self._stats.passed(self._runner.graph, native.kernels, native.call_timed())
            else:
                exchange.native.call()
            return exchange.take()
        finally:
            self._thread = 0

    def _compiled(self) -> Exchange | None:
        from engine.codegen.exchange import Exchange

        work = self._runner.work
        started = perf_counter()
        try:
            native = compile_graph(work.graph, self._shapes, lending=True)
            self._exchange = Exchange(native, work.graph.inputs, work.borrowed)
            self._watching = native.calls_back or self._stats is not None
        except CompileError:
            self._patience = None
        if self._stats:
            self._stats.compiled(perf_counter() - started)
        return self._exchange
