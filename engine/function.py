"""From expressions to something that can be called."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.codegen import compile_graph
from engine.codegen.numpy import Interpreter
from engine.config import config
from engine.errors import (
    CompileError,
    MissingInputError,
    ParameterError,
    TypeMismatchError,
    UnusedInputError,
)
from engine.graph import OPS, Graph, Variable, as_variable, leaves, substitute
from engine.inference import infer_types
from engine.rewrite import Film, optimize
from engine.shared import SharedVariable
from engine.types import upcast

if TYPE_CHECKING:
    from engine.codegen.native import KernelInfo, Native

Array = np.ndarray[Any, Any]
Pairs = Mapping[Any, Any] | Iterable[Sequence[Any]] | None
Shapes = tuple[tuple[int, ...], ...]
SHAPES_KEPT = 8
"""How many combinations of input shapes a function stays ready for."""

MODES = ("FAST_RUN", "FAST_COMPILE", "NUMPY", "NUMBA")


def function(
    inputs: Sequence[Variable],
    outputs: Variable | Sequence[Variable] | Mapping[str, Variable] | None = None,
    updates: Pairs = None,
    givens: Pairs = None,
    *,
    mode: str | None = None,
    name: str | None = None,
    no_default_updates: bool = False,
    on_unused_input: str | None = None,
    allow_input_downcast: bool | None = None,
) -> Function:
    """A callable that computes `outputs` from `inputs` and then applies `updates`.

    outputs: one variable (a call gives its value), a list (a list), a dict (a dict) or None.
    updates: pairs (shared variable, expression of its next value).  All are computed from the
        old values, as the outputs are, and take effect together at the end of the call.
    givens: pairs (variable, expression to use in its place).
    mode: "FAST_RUN" runs in NumPy and compiles its kernels once it was called
        `config.compile_after` times; "FAST_COMPILE" and "NUMPY" never compile; "NUMBA" compiles
        at the first call.  The rewrites are the same in all of them.

    Raises UnusedInputError, MissingInputError, and TypeMismatchError for an update of another
    type than its shared variable.
    """
    return Function(
        inputs,
        outputs,
        updates,
        givens,
        mode=mode or "FAST_RUN",
        name=name,
        no_default_updates=no_default_updates,
        on_unused_input=on_unused_input or config.on_unused_input,
        allow_input_downcast=allow_input_downcast,
    )


class Function:
    """A compiled function; made by `function`.

    graph: the optimised graph, first the outputs, then the next values of shared variables.
    film: the rewrites that led to it, step by step.
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Variable | Sequence[Variable] | Mapping[str, Variable] | None,
        updates: Pairs,
        givens: Pairs,
        *,
        mode: str,
        name: str | None,
        no_default_updates: bool,
        on_unused_input: str,
        allow_input_downcast: bool | None,
    ) -> None:
        if mode not in MODES:
            raise ParameterError(f"There is no mode {mode!r}.", expected=" or ".join(MODES))
        self.name = name
        self.mode = mode
        self.allow_input_downcast = allow_input_downcast
        self.inputs = list(inputs)
        _check_inputs(self.inputs)
        self._form, results = _listed(outputs)
        assigned = _updates(updates)
        replaced = _givens(givens)
        if not no_default_updates:
            _add_default_updates(assigned, [*results, *assigned.values(), *replaced.values()])
        self.updated = list(assigned)
        computed = substitute([*results, *assigned.values()], replaced)
        self.shared = [v for v in leaves(computed) if isinstance(v, SharedVariable)]
        self.shared += [v for v in self.updated if v not in self.shared]
        self._written = Graph([*self.inputs, *self.shared], computed)
        _check_use(self.inputs, self._written, on_unused_input)
        self._written.check_inputs(lambda v: isinstance(v, SharedVariable))
        self.graph = Graph([*self.inputs, *self.shared], computed)
        self.film: Film = optimize(self.graph)
        self._results = len(results)
        self._tiers: OrderedDict[Shapes, _Tiers] = OrderedDict()
        self._names = {v.name: i for i, v in enumerate(self.inputs) if v.name}

    def __repr__(self) -> str:
        label = self.name or "function"
        return f"<{label}({', '.join(map(repr, self.inputs))})>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs and apply the updates.

        Arguments go by position or by the name of the input.  Raises TypeMismatchError for a
        value that does not fit its input and ShapeError where shapes clash; nothing is updated
        then.
        """
        values = self._arguments(args, kwargs)
        values += [v.get_value(borrow=True) for v in self.shared]
        computed = self._for_shapes(tuple(v.shape for v in values)).run(values)
        outputs = computed[: self._results]
        for v, value in zip(self.updated, computed[self._results :], strict=True):
            v.take(value)
        match self._form:
            case "one":
                return outputs[0]
            case list() as keys:
                return dict(zip(keys, outputs, strict=True))
            case _:
                return outputs

    def _for_shapes(self, shapes: Shapes) -> _Tiers:
        tiers = self._tiers.get(shapes)
        if tiers is None:
            # On the graph as it was written: no rewrite may hide shapes that clash.
            infer_types(self._written, dict(zip(self._written.inputs, shapes, strict=True)))
            patience = {"FAST_RUN": config.compile_after, "NUMBA": 0}.get(self.mode)
            tiers = self._tiers[shapes] = _Tiers(self.graph, shapes, patience)
            if len(self._tiers) > SHAPES_KEPT:
                self._tiers.popitem(last=False)
        return tiers

    @property
    def kernels(self) -> list[KernelInfo]:
        """The native kernels of the newest shapes, none while the function runs in NumPy."""
        newest = next(reversed(self._tiers.values()), None)
        return newest.native.kernels if newest and newest.native else []

    def _arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Array]:
        if len(args) > len(self.inputs):
            raise TypeMismatchError(
                f"{self!r} takes {len(self.inputs)} arguments, but {len(args)} were given.",
                expected=str(len(self.inputs)),
                got=str(len(args)),
            )
        given: list[Any] = [*args, *[_MISSING] * (len(self.inputs) - len(args))]
        for name, value in kwargs.items():
            i = self._names.get(name)
            if i is None or given[i] is not _MISSING:
                raise TypeMismatchError(
                    f"{self!r} was given {name!r} "
                    + ("twice." if i is not None else "but has no such input."),
                    node=name,
                    expected=", ".join(self._names),
                    got=name,
                )
            given[i] = value
        for v, value in zip(self.inputs, given, strict=True):
            if value is _MISSING:
                raise TypeMismatchError(
                    f"{self!r} needs a value for {v!r}.", node=v.name, expected=v.type.name
                )
        return [
            v.type.filter(value, v.name or f"argument {i}", self.allow_input_downcast)
            for i, (v, value) in enumerate(zip(self.inputs, given, strict=True))
        ]


class _Tiers:
    """A graph for inputs of certain shapes: in NumPy at first, natively once it pays.

    patience: how many calls go by before it is compiled, a number and no time, so that the same
    calls always give the same bits; None for never.
    """

    def __init__(self, graph: Graph, shapes: Shapes, patience: int | None) -> None:
        self.graph = graph
        self.shapes = dict(zip(graph.inputs, shapes, strict=True))
        self.patience = patience
        self.interpreter = Interpreter(graph.inputs, graph.outputs)
        self.native: Native | None = None
        self.lock = Lock()

    def run(self, values: Sequence[Array]) -> list[Array]:
        """The values of the graph's outputs, in memory that nobody else uses."""
        if self.native is None:
            if self.patience is None or self.patience > 0:
                self.patience = None if self.patience is None else self.patience - 1
                return self._interpreted(values)
            try:
                self.native = compile_graph(self.graph, self.shapes)
            except CompileError:
                self.patience = None
                return self._interpreted(values)
        native = self.native
        with self.lock:  # its buffers serve one call at a time
            for v, value in zip(self.graph.inputs, values, strict=True):
                native.inputs[v][...] = value
            native.call()
            return [a.copy() for a in native.outputs]

    def _interpreted(self, values: Sequence[Array]) -> list[Array]:
        return [_own(v, values) for v in self.interpreter(values)]


_MISSING = object()


def _own(value: Array, inputs: Sequence[Array]) -> Array:
    """The value in memory of its own, so that no later change of an input shows in it."""
    if value.base is not None or not value.flags.writeable or any(value is v for v in inputs):
        return value.copy()
    return value


def _listed(outputs: Any) -> tuple[str | list[str], list[Variable]]:
    if outputs is None:
        return "list", []
    if isinstance(outputs, Mapping):
        return list(outputs), [as_variable(v) for v in outputs.values()]
    if isinstance(outputs, list | tuple):
        return "list", [as_variable(v) for v in outputs]
    return "one", [as_variable(outputs)]


def _pairs(pairs: Pairs) -> list[tuple[Any, Any]]:
    if pairs is None:
        return []
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return [(old, new) for old, new in items]


def _check_inputs(inputs: Sequence[Variable]) -> None:
    for v in inputs:
        if isinstance(v, SharedVariable):
            raise TypeMismatchError(
                f"The shared variable {v!r} cannot be an input.",
                node=v.name,
                hint="Its value is always there; to replace it in this function use givens.",
            )
        if not isinstance(v, Variable):
            raise TypeMismatchError(f"{v!r} is no variable.", expected="a variable", got=repr(v))
    if len(set(inputs)) != len(inputs):
        raise ParameterError("An input is listed twice.", got=repr(list(inputs)))


def _updates(pairs: Pairs) -> dict[SharedVariable, Variable]:
    assigned: dict[SharedVariable, Variable] = {}
    for target, value in _pairs(pairs):
        if not isinstance(target, SharedVariable):
            raise TypeMismatchError(
                f"{target!r} cannot be updated: it is not shared.", expected="a shared variable"
            )
        if target in assigned:
            raise ParameterError(f"{target!r} has two updates.", node=target.name)
        assigned[target] = _same_type(target, as_variable(value))
    return assigned


def _same_type(target: SharedVariable, value: Variable) -> Variable:
    if (value.dtype, value.ndim) == (target.dtype, target.ndim):
        return value
    if value.ndim == target.ndim and upcast(value.dtype, target.dtype) == target.dtype:
        return OPS["cast"](value, target.dtype)
    raise TypeMismatchError(
        f"An update must have the same type as its shared variable: {target!r} is {target.type}, "
        f"but its update is {value.type}.",
        node=target.name,
        expected=str(target.type),
        got=str(value.type),
        hint=f"Make the shared variable {value.dtype}, or cast the update to {target.dtype}.",
    )


def _givens(pairs: Pairs) -> dict[Variable, Variable]:
    replaced: dict[Variable, Variable] = {}
    for old, value in _pairs(pairs):
        new = as_variable(value)
        if (new.dtype, new.ndim) != (old.dtype, old.ndim):
            raise TypeMismatchError(
                f"{old!r} cannot be given as {new!r}: they differ in type.",
                node=old.name,
                expected=str(old.type),
                got=str(new.type),
            )
        replaced[old] = new
    return replaced


def _add_default_updates(
    assigned: dict[SharedVariable, Variable], expressions: Sequence[Variable]
) -> None:
    """Let shared variables advance by themselves, also those that only such updates use."""
    waiting = leaves(expressions)
    while waiting:
        v = waiting.pop()
        if isinstance(v, SharedVariable) and v.default_update is not None and v not in assigned:
            assigned[v] = _same_type(v, v.default_update)
            waiting += leaves([v.default_update])


def _check_use(inputs: Sequence[Variable], graph: Graph, on_unused_input: str) -> None:
    used = set(graph.leaves())
    for i, v in enumerate(inputs):
        if v in used or on_unused_input == "ignore":
            continue
        message = f"Nothing depends on the input {v!r} (number {i})."
        if on_unused_input == "warn":
            warnings.warn(message, stacklevel=4)
            continue
        raise UnusedInputError(
            message, node=v.name, hint="Leave it out, or pass on_unused_input='ignore'."
        )


def evaluated(variable: Variable, values: dict[Variable | str, Any]) -> Any:
    """The value of an expression; its function is made once and kept on the variable."""
    by_name = {v.name: v for v in leaves([variable]) if v.name}
    resolved: dict[Variable, Any] = {}
    for key, value in values.items():
        v = by_name.get(key) if isinstance(key, str) else key
        if v is None:
            raise MissingInputError(f"The expression has no variable {key!r}.", node=str(key))
        resolved[v] = value
    inputs = list(resolved)
    cached = variable.cached
    if not isinstance(cached, Function) or cached.inputs != inputs:
        cached = variable.cached = function(inputs, variable, on_unused_input="ignore")
    return cached(*resolved.values())


Variable.evaluated = evaluated
