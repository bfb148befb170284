"""A mode that checks the engine while it runs: every rewrite, every op, every kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.codegen import compile_graph
from engine.codegen.numpy import Interpreter, Memory, Step
from engine.errors import (
    BadDestroyMap,
    BadKernelOutput,
    BadOptimization,
    CompileError,
    EngineError,
    InvalidValueError,
)
from engine.expression import Apply, Constant, Variable, walk
from engine.graph import Graph
from engine.modes.mode import Mode
from engine.rewrite import DROPS_ROWS, RULES, Film, Frozen, Place, RewriteStep, Wire
from engine.tiers import Rewritten, Runner
from engine.types import DISCRETE, TensorType, shape_text

Array = np.ndarray[Any, Any]

SLACK = 1000
"""How many times the rounding error of the largest number may add up."""


class DebugMode(Mode):
    """Runs in NumPy and checks, with the values of every call:

    * each rewrite of the film: what it put in place has the value of what was there
      (BadOptimization names the rule);
    * each op: it leaves its inputs alone (BadDestroyMap), and its results have the shapes that
      its record says (InvalidValueError);
    * each native kernel: it gives what NumPy gives (BadKernelOutput names the op).

    Values may differ by as much as rounding explains.  A rewrite may turn NaN and infinity into
    numbers, which is what stabilizing means, but no number into NaN or infinity.

    check_c_code: whether kernels are compiled and checked; the slow part.
    linker: for Theano's sake; the mode has its own.
    """

    def __init__(
        self,
        optimizer: str | None = "default",
        check_c_code: bool = True,
        linker: str | None = None,
    ) -> None:
        super().__init__("numpy", optimizer)
        self.check_c_code = check_c_code

    def runner(self, work: Rewritten) -> Runner:
        """What runs the graph and checks everything."""
        return _Checked(work, check_kernels=self.check_c_code)


class _Checked(Runner):
    """A runner that checks rewrites before, ops during, and kernels after each run."""

    def __init__(self, work: Rewritten, *, check_kernels: bool) -> None:
        super().__init__(work, watch=_checked_step)
        self._rewrites = _Rewrites(work.film)
        self._check_kernels = check_kernels

    def interpret(self, values: Sequence[Array]) -> list[Array]:
        """The values of the outputs, found to be right."""
        given = dict(zip(self.graph.inputs, values, strict=True))
        self._rewrites.check(given)
        outputs = super().interpret(values)
        if self._check_kernels:
            _check_kernels(self.graph, given, outputs)
        return outputs


class _Values:
    """What all applies that some variables need compute, each by itself.

    errors: why some variables have no value; it may be in a branch that nobody takes.
    """

    def __init__(self, outputs: Iterable[Variable], given: Mapping[Variable, Any]) -> None:
        outputs = list(outputs)
        self.arrays = dict(given)
        self.errors: dict[Variable, EngineError] = {}
        for node in walk(outputs, stop=given.__contains__):
            self._compute(node)

    def _compute(self, node: Apply) -> None:
        needed = node.inputs
        for v in needed:
            if isinstance(v, Constant):
                self.arrays[v] = v.data
        if node.op.lazy is not None and needed[0] in self.arrays:
            chosen = node.op.lazy(self.arrays[needed[0]], **node.params)
            needed = (needed[0], needed[chosen])
        error = next((self.errors[v] for v in needed if v in self.errors), None)
        if error is None:
            try:
                inputs = [self.arrays.get(v) for v in node.inputs]
                results = Interpreter(node.inputs, node.outputs)(inputs)
                self.arrays.update(zip(node.outputs, results, strict=True))
            except EngineError as raised:
                error = raised
        if error is not None:
            self.errors.update((v, error) for v in node.outputs)

    def largest(self, variables: Iterable[Variable] | None = None) -> float:
        """The largest finite number in the values of some variables, or of all."""
        most = 0.0
        for v in self.arrays if variables is None else variables:
            if v in self.arrays:
                sizes = np.abs(np.asarray(self.arrays[v]).astype(complex))
                most = max(most, float(np.max(sizes, where=np.isfinite(sizes), initial=0.0)))
        return most


# Rewrites.


class _Rewrites:
    """Every apply that was ever in a film, and for each step what is to be equal.

    That is what was replaced and its replacement; where rows are dropped, what is read of them.

    An apply goes on reading what it read when it came, so each step is checked by itself: both
    sides are computed from the same values.
    """

    def __init__(self, film: Film) -> None:
        self._nodes: dict[int, Apply] = {}
        for node in film.frame(0).nodes.values():
            self._enter(node)
        self._steps: list[tuple[RewriteStep, Variable, Variable]] = []
        for step in film:
            for node in step.nodes:
                self._enter(node)
            sides = [self._variable(source) for source in (step.old, step.new)]
            rule = RULES.get(step.rule)
            if rule is not None and DROPS_ROWS in rule.tags:
                pairs = [pair for wire in step.wires for pair in self._read(wire, sides)]
            else:
                pairs = [(sides[0], sides[1])]
            self._steps += [(step, old, new) for old, new in pairs]

    def _enter(self, node: Frozen) -> None:
        inputs = [self._variable(source) for source in node.inputs]
        self._nodes[node.id] = Apply(node.op, inputs, node.params, node.types, node.origins)

    def _variable(self, source: Place | Variable) -> Variable:
        if isinstance(source, Variable):
            return source
        return self._nodes[source.node].outputs[source.index]

    def _read(self, wire: Wire, sides: Sequence[Variable]) -> Iterable[tuple[Variable, ...]]:
        """What a reader makes of one side, and of the other."""
        if wire.reader is None:
            return [tuple(sides)]
        reader = self._nodes[wire.reader]
        types = [v.type for v in reader.outputs]
        made: list[Sequence[Variable]] = []
        for side in sides:
            inputs = [*reader.inputs[: wire.port], side, *reader.inputs[wire.port + 1 :]]
            made.append(Apply(reader.op, inputs, reader.params, types).outputs)
        return zip(*made, strict=True)

    def check(self, given: Mapping[Variable, Array]) -> None:
        """Raise BadOptimization for the first step that changes a value."""
        values = _Values((v for _, old, new in self._steps for v in (old, new)), given)
        for step, old, new in self._steps:
            if old in values.errors:
                continue  # in a branch that is not taken, or the function will raise it
            if new in values.errors:
                why = values.errors[new].message
                raise self._error(step, f"its replacement cannot be computed: {why}")
            nodes = [self._nodes[id] for id in (*step.removed, *step.added)]
            near = [v for node in nodes for v in (*node.inputs, *node.outputs)]
            before, after = (_value(v, values.arrays) for v in (old, new))
            eps = _rounding([old, *near])
            if _difference(before, after, eps):
                found = _difference(before, after, eps, values.largest(near))
                if found:
                    raise self._error(step, found)

    def _error(self, step: RewriteStep, what: str) -> BadOptimization:
        nodes = [self._nodes[id] for id in step.removed]
        origins = frozenset[str]().union(*(node.origins for node in nodes))
        return BadOptimization(
            f"The rule {step.rule} of the phase {step.phase} replaced {step.before} by "
            f"{step.after}, which is not the same: {what}",
            node=min(origins, default=None),
            expected=step.before,
            got=step.after,
            hint=f"To leave the rule out: mode.excluding({step.rule!r}).",
            details=step.why,
        )


def _value(v: Variable, arrays: Mapping[Variable, Any]) -> Any:
    return v.data if isinstance(v, Constant) else arrays[v]


# Ops.


def _checked_step(step: Step, memory: Memory) -> None:
    """Run a step; raise BadDestroyMap or InvalidValueError where the op breaks its promises."""
    node = step.node
    read = step.needed(memory)
    before = [np.asarray(memory[slot]).tobytes() for slot in read]
    step.run(memory)
    for slot, old in zip(read, before, strict=True):
        if np.asarray(memory[slot]).tobytes() != old:
            changed = node.inputs[step.inputs.index(slot)]
            raise node.located(
                BadDestroyMap(
                    f"The op changed its input {changed!r}.",
                    hint="The `numpy` of an op leaves its inputs alone: let it work on a copy.",
                )
            )
    for expected, slot in zip(_expected(step, memory), step.outputs, strict=True):
        shape = np.shape(memory[slot])
        if not expected.accepts(TensorType(expected.dtype, shape)):
            raise node.located(
                InvalidValueError(
                    f"The result has the shape {shape_text(shape)}, but the op's record says "
                    f"{shape_text(expected.shape)}.",
                    expected=shape_text(expected.shape),
                    got=shape_text(shape),
                    hint="The `infer` and the `numpy` of an op have to agree.",
                )
            )


def _expected(step: Step, memory: Memory) -> Sequence[TensorType]:
    """The types of the results, by the record, for inputs of these shapes."""
    node = step.node
    if node.op.lazy:
        return [v.type for v in node.outputs]
    given = [np.asarray(memory[slot]) for slot in step.inputs]
    types = [v.type.of_shape(value.shape) for v, value in zip(node.inputs, given, strict=True)]
    known = [value if value.dtype.name in DISCRETE else None for value in given]
    return node.op.types(types, node.params, known)


# Kernels.


def _check_kernels(graph: Graph, given: Mapping[Variable, Array], outputs: Sequence[Array]) -> None:
    """Raise BadKernelOutput where the graph, compiled, gives something else than `outputs`.

    If it does, every op is compiled by itself, to find the one to blame.
    """
    native = _natively(graph, given)
    if native is None:
        return
    order = graph.toposort()
    eps = _rounding([*graph.outputs, *(v for node in order for v in node.inputs)])
    pairs = list(zip(graph.outputs, outputs, native, strict=True))
    if not any(_difference(expected, got, eps) for _, expected, got in pairs):
        return
    values = _Values(graph.outputs, given)
    for node in order:
        _check_kernel(node, values)
    for v, expected, got in pairs:
        found = _difference(expected, got, eps, values.largest())
        if found:
            raise BadKernelOutput(
                f"The kernels together do not give {v!r}, though each op by itself is right: "
                f"{found}",
                hint="Until that is mended, make the function with mode='NUMPY'.",
            )


def _check_kernel(node: Apply, values: _Values) -> None:
    """Compile one op alone, and compare."""
    if any(v not in values.arrays for v in (*node.inputs, *node.outputs)):
        return
    leaves = {v: v if isinstance(v, Constant) else Variable(v.type) for v in node.inputs}
    inputs = [leaves[v] for v in node.inputs]
    alone = Apply(node.op, inputs, node.params, [v.type for v in node.outputs])
    given = {
        leaf: np.asarray(values.arrays[v])
        for v, leaf in leaves.items()
        if not isinstance(leaf, Constant)
    }
    near = (*node.inputs, *node.outputs)
    expected = [values.arrays[v] for v in node.outputs]
    native = _natively(Graph(list(given), alone.outputs), given) or expected
    for value, got in zip(expected, native, strict=True):
        found = _difference(value, got, _rounding(near), values.largest(near))
        if found:
            raise node.located(
                BadKernelOutput(
                    f"The kernel does not give what NumPy gives: {found}",
                    expected="numpy",
                    got="cpu",
                    hint="What an op's record says for kernels and its `numpy` have to agree.",
                )
            )


def _natively(graph: Graph, given: Mapping[Variable, Array]) -> list[Array] | None:
    """The outputs of the graph from kernels, None if it has to stay in NumPy."""
    try:
        native = compile_graph(graph, {v: value.shape for v, value in given.items()})
    except CompileError:
        return None
    for v, value in given.items():
        native.inputs[v][...] = value
    native.call()
    return [value.copy() for value in native.outputs]


# Comparing.


def _rounding(variables: Iterable[Variable]) -> float:
    """The error, relative to 1, of a number in the narrowest of the float dtypes."""
    dtypes = {v.dtype for v in variables} - DISCRETE
    return max((float(np.finfo(dtype).eps) for dtype in dtypes), default=0.0)


def _difference(expected: Any, got: Any, eps: float, largest: float | None = None) -> str | None:
    """How a value differs from the one expected by more than rounding explains; None if not.

    eps: the relative error of a number.  largest: the largest number on the way to either value;
    the error is relative to that, and not to the result, where large numbers cancel.
    """
    a, b = np.asarray(expected), np.asarray(got)
    if a.shape != b.shape:
        return f"the shape was {shape_text(a.shape)} and is {shape_text(b.shape)}."
    with np.errstate(all="ignore"):
        if a.dtype.name in DISCRETE:
            wrong = a != b
            size = np.abs(a.astype(float) - b.astype(float))
        else:
            share = np.sqrt(eps)
            size = np.where(np.isfinite(b), np.abs(a - b), np.inf)
            allowed = share * np.maximum(np.abs(a), share)
            if largest is not None:
                allowed = np.maximum(allowed, SLACK * eps * largest)
            wrong = np.isfinite(a) & (size > allowed)
    if not wrong.any():
        return None
    at = np.unravel_index(int(np.argmax(np.where(wrong, size, -1.0))), size.shape)
    where = f" at {[int(i) for i in at]}" if at else ""
    return f"the value{where} was {a[at]} and is {b[at]}."
