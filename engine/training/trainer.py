"""Training: a graph's updates applied again and again, natively where they can be compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np

from engine.codegen import compile_graph
from engine.codegen.minibatches import Batches
from engine.codegen.numpy import Interpreter, interpret
from engine.errors import (
    CompileError,
    ParameterError,
    ShapeError,
    TypeMismatchError,
    UnforeseenError,
)
from engine.expression import Variable
from engine.graph import Graph
from engine.inference import infer_types
from engine.rewrite import Film, optimize
from engine.training.ring import Ring
from engine.training.spec import TrainingSpec

Array = np.ndarray[Any, Any]
Progress = Callable[[int, int], None]


class Program(Protocol):
    """Something that can be trained, such as a graph document made to run."""

    @property
    def training(self) -> TrainingSpec:
        """What the training loop needs."""

    def initial_state(self, seed: int | None = None) -> Mapping[str, Array]:
        """The first value of each shared variable, by the id of its canvas node."""


class Trainer:
    """A training run: it takes steps, and can be looked at and adjusted between them.

    Step k computes the outputs from the state as it was and then the updates, all from old
    values; so the cost recorded for step 1 is that of the initial state.  The same graph, data
    and seed give the same numbers, bit for bit, on the same machine.  With minibatches the number
    of a step decides which rows it sees; the data is read where it lies, so leave it as it is.

    step: how many steps were taken.  steps: how many there are to take.  tier: 1 where steps run
    in native code, 0 where they run in NumPy; reason: why they can't run natively.
    film: how much was rewritten; the steps are not kept, `optimize` on the program's graph shows
    them.
    """

    def __init__(
        self,
        program: TrainingSpec | Program,
        *,
        steps: int | None = None,
        seed: int | None = None,
        device: str = "cpu",
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepare a run; nothing is compiled yet.

        steps, seed: in place of those of the program.  overrides: values for inputs, by name.

        Raises EngineError for a device other than "cpu", and ParameterError for an input that
        there is none of, or a value that does not fit it.
        """
        if device != "cpu":
            raise ParameterError(
                f"There is no device {device!r} to train on.",
                port="device",
                expected="cpu",
                got=device,
            )
        spec = program if isinstance(program, TrainingSpec) else program.training
        self.spec = spec
        self.step = 0
        self.steps = spec.steps if steps is None else steps
        self.seed = spec.seed if seed is None else seed
        self.tier = 0
        self.reason: str | None = None
        self.film: Film | None = None
        self.control: Array = np.zeros(1, np.int64)
        self.ring: Ring | None = None
        self._state = {v: np.array(a, v.dtype) for v, a in spec.state.items()}
        if seed is not None and not isinstance(program, TrainingSpec):
            initial = program.initial_state(seed)
            self._state = {v: np.array(initial[spec.ids[v]], v.dtype) for v in self._state}
        self._batches = _batches(spec, self.seed)
        self._inputs = {v: self._first_value(v) for v in spec.inputs}
        self._engine: _Native | _Interpreted | None = None
        self._moved = False
        for name, value in (overrides or {}).items():
            self.set(name, value)

    @property
    def compiled(self) -> bool:
        """Whether it is ready to take steps."""
        return self._engine is not None

    @property
    def cost(self) -> float | None:
        """The cost of the last step, that is, before its updates; None before the first."""
        return float(self.outputs()[self.spec.cost]) if self._moved else None

    def attach(self, control: Array, ring: Ring | None) -> None:
        """Let a run be told to stop by a word, and have its costs recorded.

        control: int64 array of one word or more; run() comes back as soon as it is not 0.
        """
        if control.dtype != np.int64 or control.size < 1 or not control.flags.c_contiguous:
            raise ParameterError(
                "The control word must be an int64.", expected="an int64 array", got=str(control)
            )
        self.control = control
        self.ring = ring

    def compile(self, progress: Progress | None = None) -> None:
        """Make native code of the graph, or make it ready to run in NumPy where that can't be.

        progress: is told how many of how many kernels are ready.  Raises what the graph's ops
        raise for shapes that do not fit together.
        """
        if self._engine is not None:
            return
        spec = self.spec
        leaves = [*spec.inputs, *spec.state]
        results = [*spec.outputs.values(), *spec.updates.values()]
        graph = Graph(leaves, results)
        graph.check_inputs(lambda v: False)
        # On the graph as it was written: no rewrite may hide shapes that clash.
        infer_types(graph, {v: a.shape for v, a in {**self._inputs, **self._state}.items()})
        self.film = optimize(graph, strict=spec.strict, film=False)
        updates = {v: len(spec.outputs) + i for i, v in enumerate(spec.updates)}
        values = {**self._inputs, **self._state}
        record = list(spec.outputs).index(spec.cost)
        try:
            self._engine = _Native(graph, values, updates, record, self._batches, progress)
            self.tier = 1
        except CompileError as error:
            self.reason = str(error)
            copies = {v: a.copy() for v, a in values.items()}
            self._engine = _Interpreted(graph, copies, updates, record, self._batches)

    def run(self, max_steps: int) -> int:
        """Take up to `max_steps` steps; returns how many were taken.

        It comes back early when the control word is not 0, when the ring is full, and when all
        steps were taken.
        """
        self.compile()
        assert self._engine is not None
        most = min(max_steps, self.steps - self.step)
        if most <= 0:
            return 0
        done = self._engine.run(most, self.control, self.ring, self.step + 1)
        self.step += done
        self._moved = self._moved or done > 0
        return done

    def restore(self, step: int, state: Mapping[str, Any]) -> None:
        """Go on from where another run was: the state that it had after so many steps.

        state: as `state()` gives it.  The steps that follow are those of that run, bit for bit,
        and see the same minibatches.  Raises ParameterError where a variable lacks its value, and
        TypeMismatchError or ShapeError where one does not fit.
        """
        held = self._held(self._state)
        values = {}
        for v, now in held.items():
            name = self._id(v)
            if name not in state:
                raise ParameterError(
                    f"The state to go on from has no value of {v!r}.",
                    node=name,
                    expected=str(v.type),
                    got=" and ".join(state) or "nothing",
                )
            values[v] = _fitted(name, state[name], now)
        for v, value in values.items():
            held[v][...] = value
        self.step = step
        self._moved = False
        if self._batches is not None:
            self._batches.gather(step + 1, self._held(self._inputs))

    def state(self) -> dict[str, Array]:
        """A copy of the shared variables' values now, by the id of their canvas node."""
        return {self._id(v): a.copy() for v, a in self._held(self._state).items()}

    def outputs(self) -> dict[str, Array]:
        """The values of the last step's outputs, computed before its updates, by node id.

        Before the first step, what the outputs are for the initial state.
        """
        spec = self.spec
        if self._engine is not None and self._moved:
            arrays = self._engine.outputs
        else:
            values = {**self._held(self._inputs), **self._held(self._state)}
            arrays = interpret(list(spec.outputs.values()), values)
        return {name: a.copy() for name, a in zip(spec.outputs, arrays, strict=False)}

    def set(self, name: str, value: Any) -> None:
        """Give an input another value, from the next step on.

        Raises ParameterError where there is no such input, and TypeMismatchError or ShapeError
        where the value does not fit it.
        """
        variable = self.spec.names.get(name)
        if variable is None or variable not in self._inputs:
            raise ParameterError(
                f"There is no input {name!r} to set.",
                port=name,
                expected=" or ".join(self.spec.names) or "a graph with scalar inputs",
                got=name,
            )
        self._held(self._inputs)[variable][...] = _fitted(name, value, self._inputs[variable])

    def _first_value(self, v: Variable) -> Array:
        """An input for the first step: its value, or as many rows of it as a batch has."""
        value = self.spec.inputs[v]
        if self._batches is None or v not in self._batches.data:
            return np.array(value, v.dtype)
        return self._batches.data[v][self._batches.rows(1)]

    def _held(self, start: dict[Variable, Array]) -> dict[Variable, Array]:
        """Where the values are now: as they were given, and in the engine once there is one."""
        if self._engine is None:
            return start
        return {v: self._engine.inputs[v] for v in start}

    def _id(self, v: Variable) -> str:
        return self.spec.ids.get(v) or v.name or repr(v)


def _batches(spec: TrainingSpec, seed: int) -> Batches | None:
    """The minibatches that are asked for; the data stays where it is if it can be read there."""
    batch = spec.batch
    if batch is None:
        return None
    batch.check(spec.inputs, spec.ids)
    data = {v: np.ascontiguousarray(spec.inputs[v], v.dtype) for v in batch.inputs}
    if batch.shuffle:
        return Batches.shuffled(data, batch.size, seed)
    return Batches(data, batch.size, None)


def _fitted(name: str, value: Any, model: Array) -> Array:
    try:
        array = np.asarray(value)
        fits = np.can_cast(array.dtype, model.dtype, "same_kind") or (
            array.dtype.kind in "iu" and model.dtype.kind in "iu"
        )
        if not fits:
            raise TypeError
        array = array.astype(model.dtype)
    except (TypeError, ValueError):
        raise TypeMismatchError(
            f"{name} cannot be {value!r}.",
            port=name,
            expected=model.dtype.name,
            got=type(value).__name__,
        ) from None
    if array.shape != model.shape:
        raise ShapeError(
            f"{name} has the shape {model.shape}, not {array.shape}.",
            port=name,
            expected=str(model.shape),
            got=str(array.shape),
        )
    return array


class _Native:
    """Steps in native code."""

    def __init__(
        self,
        graph: Graph,
        values: Mapping[Variable, Array],
        updates: Mapping[Variable, int],
        record: int,
        batches: Batches | None,
        progress: Progress | None,
    ) -> None:
        shapes = {v: a.shape for v, a in values.items()}
        native = compile_graph(
            graph, shapes, updates=updates, record=record, progress=progress, batches=batches
        )
        for v, array in values.items():
            native.inputs[v][...] = array
        self.native = native
        self.inputs = native.inputs
        self.outputs = native.outputs
        self._by_numpy = partial(_Interpreted, graph, self.inputs, updates, record, batches)

    def run(self, steps: int, control: Array, ring: Ring | None, first: int) -> int:
        address = 0 if ring is None else ring.address
        try:
            done = self.native.run(steps, control.ctypes.data, address, first)
        except UnforeseenError:
            engine = self._by_numpy()
            done, self.outputs = engine.run(1, control, ring, first), engine.outputs
            return done
        if done:
            self.outputs = self.native.outputs
        return done


class _Interpreted:
    """The same steps in NumPy, for graphs that can't be compiled."""

    def __init__(
        self,
        graph: Graph,
        inputs: Mapping[Variable, Array],
        updates: Mapping[Variable, int],
        record: int,
        batches: Batches | None,
    ) -> None:
        """Steps that change the arrays of `inputs`."""
        self.inputs = inputs
        self.outputs: list[Array] = []
        self._order = list(inputs)
        self._interpreter = Interpreter(self._order, graph.outputs)
        self._updates = updates
        self._record = record
        self._batches = batches

    def run(self, steps: int, control: Array, ring: Ring | None, first: int) -> int:
        for done in range(steps):
            if control[0] or (ring is not None and len(ring) >= ring.capacity):
                return done
            if self._batches is not None:
                self._batches.gather(first + done, self.inputs)
            # Copies: an output may be a view of a shared variable's value.
            results = self._interpreter([self.inputs[v] for v in self._order])
            self.outputs = [a.copy() for a in results]
            for v, i in self._updates.items():
                self.inputs[v][...] = self.outputs[i]
            if ring is not None:
                ring.append(first + done, float(self.outputs[self._record]))
        return steps
