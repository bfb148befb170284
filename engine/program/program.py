"""A graph document made to run: types, values and errors of every node, calls, and training."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine.document import Document
from engine.errors import EngineError, MissingInputError, ProgramError
from engine.expression import Constant, Variable, leaves
from engine.graph import Graph
from engine.philox import first_state
from engine.program.builder import build
from engine.program.evaluation import Evaluator, Values
from engine.program.expressions import VALUE
from engine.program.order import End
from engine.program.report import report
from engine.program.values import Array, initial
from engine.program.wiring import Fits, Verdicts, Wiring
from engine.training.spec import Minibatch, TrainingSpec
from engine.types import TensorType

State = dict[str, Array]
"""The values that are kept between calls, by the id of their node, of an optimiser's memory
(`node/velocity/parameter`) or of a random node's stream (`node/state`)."""

REPORT_SECONDS = 2.0
"""How long a report computes values before it leaves the rest out."""


@dataclass(frozen=True)
class _Plan:
    """What training computes: the outputs by node, one of them the cost, and the updates."""

    cost: str
    outputs: dict[str, Variable]
    updates: dict[Variable, Variable]

    @property
    def wanted(self) -> list[Variable]:
        return [*self.outputs.values(), *self.updates.values()]


class Program:
    """What a document computes.

    Building one never fails: what is wrong with a node is told by `report`, and everything that
    does not depend on it works.  Values are computed in NumPy.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._built = build(document)
        self._evaluators: dict[str, Evaluator] = {}
        self._refuse_conflicts()

    # Functions.

    @cached_property
    def functions(self) -> dict[str, dict[str, list[str]]]:
        """The members of each function by role; "main" with everything where none is declared."""
        declared = self.document.data["functions"]
        roles = ("inputs", "outputs", "updates")
        if declared:
            return {n: {role: list(f.get(role, ())) for role in roles} for n, f in declared.items()}
        kinds = {"input": "inputs", "output": "outputs", "update": "updates",
                 "optimiser": "updates"}  # fmt: skip
        main: dict[str, list[str]] = {role: [] for role in roles}
        for node, record in self.document.nodes.items():
            if record["kind"] in kinds:
                main[kinds[record["kind"]]].append(node)
        return {"main": main}

    @property
    def strict(self) -> bool | None:
        """Whether the document wants only rewrites that hide nothing; None where it is silent."""
        strict: bool | None = self.document.data.get("training", {}).get("strict")
        return strict

    @property
    def outputs_by_name(self) -> dict[str, Variable]:
        """The expression of every output node that has one, by its name."""
        return {
            str(record["name"]): self._built.variables[node, VALUE]
            for node, record in self.document.nodes.items()
            if record["kind"] == "output" and (node, VALUE) in self._built.variables
        }

    def chosen(self, function: str | None = None) -> str:
        """The function of that name; without one, that which is trained, or the main one.

        Raises ProgramError where there is none of the name.
        """
        if function is None:
            training: Mapping[str, Any] = self.document.data.get("training", {})
            preferred = (training.get("function"), "main", min(self.functions))
            return next(name for name in preferred if name in self.functions)
        if function not in self.functions:
            raise ProgramError(
                f"There is no function {function!r}.",
                expected=" or ".join(self.functions), got=function,
                hint=f"There is {' and '.join(self.functions)}.",
            )  # fmt: skip
        return function

    def _member(self, node: str) -> Variable:
        """The expression of an output, update or optimiser; raises the error that it waits for."""
        root = self._built.root(node)
        if root in self._built.errors:
            raise copy.copy(self._built.errors[root])
        return self._built.variables[node, VALUE]

    def _updates(self, function: str, outputs: Iterable[Variable]) -> dict[Variable, Variable]:
        """The next values of a function's shared leaves, memories and streams, as expressions.

        A stream goes on if the outputs or another update draw on it.
        """
        updates: dict[Variable, Variable] = {}
        for node in self.functions[function]["updates"]:
            self._member(node)
            updates |= self._built.updates[node]
        used = set(leaves([*outputs, *updates.values()]))
        streams = self._built.streams.values()
        return updates | {s.state: s.following for s in streams if s.state in used}

    def _refuse_conflicts(self) -> None:
        """Give an error to every update of what an earlier one of the same function updates."""
        for name, members in self.functions.items():
            seen: set[Variable] = set()
            for node in members["updates"]:
                targets = self._built.updates.get(node, {})
                twice = next((v for v in targets if v in seen), None)
                if twice is not None:
                    self._built.errors[node] = ProgramError(
                        f"{twice!r} is updated twice by the function {name}.",
                        node=node, expected="one update", got="two updates",
                        hint="Remove one of them, or take it out of the function.",
                    )  # fmt: skip
                seen.update(targets)

    # State.

    @property
    def _keys(self) -> list[str]:
        built = self._built
        return [*built.shared, *built.memories, *built.streams]

    def initial_state(self, seed: int | None = None) -> State:
        """The first value of every shared node, optimiser's memory and random node's stream.

        Drawn values depend on the seed (the document's, if none is given), on the node's own
        seed and on its id, and on nothing else.
        """
        if seed is None:
            seed = int(self.document.data.get("training", {}).get("seed", 0))
        return {key: self._first_value(key, seed) for key in self._keys}

    def _first_value(self, key: str, seed: int) -> Array:
        type = self._built.leaf(key).type
        if key in self._built.memories:
            return np.zeros([n or 0 for n in type.shape], type.dtype)
        if key in self._built.streams:
            node = key.partition("/")[0]
            return first_state([seed, self._built.streams[key].seed, *node.encode()])
        if key in self._built.data:
            return self._built.data[key].copy()
        params = self.document.nodes[key].get("params", {})
        seeds = (seed, params.get("seed", 0))
        return initial(params["initialiser"], type, params.get("scale", 1.0), seeds, key)

    def fitted_state(self, state: Mapping[str, Array] | None = None) -> State:
        """The held state where it still fits the document, first values for the rest."""
        known = set(self._keys)
        held = {
            key: value
            for key, value in (state or {}).items()
            if key in known
            if self._built.leaf(key).type.accepts(TensorType(value.dtype, value.shape))
        }
        seed = int(self.document.data.get("training", {}).get("seed", 0))
        return {
            key: held[key] if key in held else self._first_value(key, seed) for key in self._keys
        }

    def _given(self, state: Mapping[str, Array]) -> dict[Variable, Array]:
        built = self._built
        given = {v: built.data[node] for node, v in built.inputs.items() if node in built.data}
        return given | {built.leaf(key): value for key, value in state.items()}

    # Calls.

    def call(
        self, function: str | None = None, state: Mapping[str, Array] | None = None
    ) -> tuple[dict[str, Array], State]:
        """The outputs of a function by name, computed from the held state, and the next state.

        All updates are computed from the old values.  Raises the error of the first node that
        keeps an output or update from being computed.
        """
        function = self.chosen(function)
        held = self.fitted_state(state)
        outputs = {
            str(self.document.nodes[node]["name"]): self._member(node)
            for node in self.functions[function]["outputs"]
        }
        updates = self._updates(function, outputs.values())
        wanted = [*outputs.values(), *updates.values()]
        self._require_values(wanted)
        if function not in self._evaluators:
            self._evaluators[function] = Evaluator(wanted)
        values = self._evaluators[function].run(self._given(held))
        results = {name: np.array(self._value(values, v)) for name, v in outputs.items()}
        keys = {self._built.leaf(key): key for key in held}
        following = {keys[v]: self._value(values, new) for v, new in updates.items()}
        for key, value in following.items():
            self._check_next(key, held[key], value)
        return results, {**held, **{key: np.array(value) for key, value in following.items()}}

    def graph(self, function: str | None = None) -> Graph:
        """What a function computes, as a graph of its own: its outputs, then what it updates.

        Without a name, the function that is trained, or the main one.  The cost is an output of
        the function that is trained, even where it is not listed.  Values may be missing.
        Raises ProgramError where there is nothing to compute, and the error of the first node
        that keeps an output or update from being computed.
        """
        function = self.chosen(function)
        nodes = dict.fromkeys(self.functions[function]["outputs"])
        cost = self.document.data.get("training", {}).get("cost")
        if cost is not None and function == self.chosen(None):
            nodes.setdefault(cost)
        outputs = list(map(self._member, nodes))
        wanted = [*outputs, *self._updates(function, outputs).values()]
        if not wanted:
            raise ProgramError(
                f"The function {function} computes nothing.",
                expected="an output or an update", got="neither",
                hint="Add an output and wire what is to be computed into it.",
            )  # fmt: skip
        given = [v for v in leaves(wanted) if not isinstance(v, Constant)]
        return Graph(given, wanted)

    def _require_values(self, wanted: Iterable[Variable]) -> None:
        nodes = {v: node for node, v in self._built.inputs.items()}
        for v in leaves(wanted):
            node = nodes.get(v) or next(iter(v.origins), "")
            if node in self._built.errors:
                raise copy.copy(self._built.errors[node])
            if v in nodes and node not in self._built.data:
                raise MissingInputError(
                    f"{v!r} has no value.",
                    node=node, port="value", expected=str(v.type), got="nothing",
                    hint=f"Type a value for {v!r}.",
                )  # fmt: skip

    def _value(self, values: Values, variable: Variable) -> Array:
        if variable in values.arrays:
            return values.arrays[variable]
        raise values.failure(variable) or ProgramError(f"{variable!r} has no value.")

    def _check_next(self, key: str, old: Array, new: Array) -> None:
        if old.shape != new.shape:
            raise ProgramError(
                f"{self._built.leaf(key)!r} has the shape {old.shape}; its update has {new.shape}.",
                node=key.partition("/")[0], expected=str(old.shape), got=str(new.shape),
                hint="An update keeps the shape.",
            )  # fmt: skip

    # Training.

    @cached_property
    def training(self) -> TrainingSpec:
        """Everything that a training loop needs; EngineError saying what is missing."""
        plan = self._plan
        built = self._built
        leaf_of = {built.leaf(key): key for key in self._keys}
        used = {*leaves(plan.wanted), *plan.updates}
        state = self.initial_state()
        inputs = self._trained_inputs
        settings = self.document.data["training"]
        return TrainingSpec(
            inputs={v: built.data[node] for v, node in inputs.items()},
            state={v: state[key] for v, key in leaf_of.items() if v in used},
            updates=plan.updates,
            outputs=plan.outputs,
            cost=plan.cost,
            steps=int(settings.get("steps", 1000)),
            seed=int(settings.get("seed", 0)),
            batch=self._batch,
            strict=self.strict,
            names={v.name or node: v for v, node in inputs.items() if v.ndim == 0},
            ids=inputs | {v: key for v, key in leaf_of.items() if v in used},
        )

    @cached_property
    def _plan(self) -> _Plan:
        """What is trained, checked to be complete."""
        function, cost = self._trained()
        outputs = {n: self._member(n) for n in self.functions[function]["outputs"]}
        outputs.setdefault(cost, self._member(cost))
        plan = _Plan(cost, outputs, self._updates(function, outputs.values()))
        self._require_values(plan.wanted)
        return plan

    @cached_property
    def _trained_inputs(self) -> dict[Variable, str]:
        """The inputs that training reads, and all scalars, which may be set in between: nodes."""
        built, plan = self._built, self._plan
        used = {*leaves(plan.wanted), *plan.updates}
        return {
            v: node
            for node, v in built.inputs.items()
            if node in built.data and (v in used or v.ndim == 0)
        }

    @cached_property
    def _batch(self) -> Minibatch | None:
        """The minibatches that the document asks for, checked: of all inputs that have rows."""
        nodes = self._trained_inputs
        settings = self.document.data["training"].get("batch")
        if settings is None:
            return None
        chosen = settings.get("inputs")
        for node in chosen or ():
            if node not in nodes.values():
                raise ProgramError(
                    f"Training does not read {self._built.label(node)}, "
                    "so there are no batches of it.",
                    node=node, port="batch", expected="an input that the cost depends on",
                    got=node, hint="Take it out of the inputs of the batch.",
                )  # fmt: skip
        inputs = [v for v, node in nodes.items() if (v.ndim if chosen is None else node in chosen)]
        batch = Minibatch(settings["size"], tuple(inputs), settings.get("shuffle", True))
        batch.check({v: self._built.data[node] for v, node in nodes.items()}, nodes)
        return batch

    def _trained(self) -> tuple[str, str]:
        """The function that is trained and the output that is its cost."""
        settings = self.document.data.get("training")
        if settings is None:
            raise ProgramError(
                "The graph does not say how it is trained.",
                expected="a cost and a number of steps", got="nothing",
                hint="Choose an output as the cost.",
            )  # fmt: skip
        function = self.chosen(None)
        if not self.functions[function]["updates"]:
            raise ProgramError(
                f"Nothing would change in training: the function {function} has no updates.",
                expected="an update or an optimiser", got="none",
                hint="Add an optimiser and wire the cost and the shared variables into it.",
            )  # fmt: skip
        cost = settings.get("cost") or self._only_scalar(function)
        type = self._member(cost).type
        if type.ndim or type.dtype.startswith("complex"):
            raise ProgramError(
                f"The cost {self._built.label(cost)} must be a real scalar, not {type}.",
                node=cost, port=VALUE, expected="a real scalar", got=str(type),
                hint="Reduce it first, for example with sum or mean.",
            )  # fmt: skip
        return function, cost

    def _only_scalar(self, function: str) -> str:
        outputs = self.functions[function]["outputs"]
        scalars = [n for n in outputs if (v := self._built.variables.get((n, VALUE))) is not None
                   and v.ndim == 0]  # fmt: skip
        if len(scalars) != 1:
            raise ProgramError(
                "The graph does not say which output is the cost.",
                expected="one output as the cost", got=f"{len(scalars)} scalar outputs",
                hint="Choose an output as the cost.",
            )  # fmt: skip
        return scalars[0]

    # What the canvas shows.

    def wire_check(
        self, source: Iterable[str] | None = None, target: Iterable[str] | None = None
    ) -> Verdicts:
        """Verdicts on the wires that may start at an out-port or end at an in-port.

        Give one end as (node, port); for every possible other end there is None where the wire
        is fine, or a sentence that says why not.  A port that is taken is fine: it is rewired.
        """
        check = self._wiring.targets if source else self._wiring.sources
        return check(self._held(source or target))

    def card_check(
        self, source: Iterable[str] | None = None, target: Iterable[str] | None = None
    ) -> Fits:
        """By card: the port of a new node that the wire would join, None where there is none.

        Give one end as in `wire_check`.
        """
        check = self._wiring.takers if source else self._wiring.givers
        return check(self._held(source or target))

    @cached_property
    def _wiring(self) -> Wiring:
        return Wiring(self._built)

    def _held(self, end: Iterable[str] | None) -> End:
        held = tuple(map(str, end or ()))
        if len(held) != 2 or held[0] not in self.document.nodes:
            raise ProgramError(
                "A wire is checked from one end: a node of the graph and one of its ports.",
                expected="[node, port]", got=str(list(held))[:80],
            )  # fmt: skip
        return held[0], held[1]

    @cached_property
    def _evaluator(self) -> Evaluator:
        built = self._built
        updates = [v for node in built.updates.values() for v in node.values()]
        return Evaluator([*built.variables.values(), *updates])

    def report(self, state: Mapping[str, Array] | None = None) -> dict[str, Any]:
        """Types, values, errors and warnings of every node, as plain JSON values.

        Never raises for what is wrong with the graph.
        """
        started = time.perf_counter()
        held = self.fitted_state(state)
        values = self._evaluator.run(self._given(held), REPORT_SECONDS)
        nodes = report(self._built, values)
        problem = self._problem()
        functions = {
            name: {"ready": self._ready(name, nodes, values.late)} for name in self.functions
        }
        return {
            "nodes": nodes,
            "functions": functions,
            "trainable": problem is None,
            "problem": problem,
            "milliseconds": (time.perf_counter() - started) * 1000,
        }

    def _problem(self) -> str | None:
        try:
            self._batch  # noqa: B018  (asked for what it raises, and the plan before it)
        except EngineError as error:
            return error.message
        return None

    def _ready(self, function: str, nodes: Mapping[str, Any], late: bool) -> bool:
        members = self.functions[function]
        called = [nodes[n] for n in members["outputs"] + members["updates"]]
        return bool(called) and all(
            n["error"] is None and n["types"] and (late or n["values"]) for n in called
        )
