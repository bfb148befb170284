"""Which wires may be drawn: the answer for every port while one end is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.document.kinds import KINDS
from engine.errors import DisconnectedInputError, EngineError, ParameterError
from engine.graph import Variable, as_variable
from engine.op import Op, Port
from engine.ops.random_bits import STATE
from engine.program.checks import (
    check_cost,
    check_rate,
    check_update,
    not_shared,
    op_of,
    op_params,
)
from engine.program.expressions import Expressions
from engine.program.order import End
from engine.types import TensorType

Verdicts = dict[str, dict[str, str | None]]

GUESSES = 4
"""Up to which rank a type is guessed for a port that nothing is wired into."""


class Wiring:
    """The wires of a document and the questions that are asked of them."""

    def __init__(self, built: Expressions) -> None:
        self.built = built
        self._sources: dict[str, list[str]] = {}
        self._readers: dict[str, list[str]] = {}
        for node, wires in built.wires.items():
            self._sources[node] = [source for source, _ in wires.values()]
            for source in self._sources[node]:
                self._readers.setdefault(source, []).append(node)
        self._above: dict[str, set[str]] = {}
        self._below: dict[str, set[str]] = {}

    def above(self, node: str) -> set[str]:
        """The nodes on which this one depends, itself included."""
        if node not in self._above:
            self._above[node] = _reached(node, self._sources)
        return self._above[node]

    def below(self, node: str) -> set[str]:
        """The nodes that depend on this one, itself included."""
        if node not in self._below:
            self._below[node] = _reached(node, self._readers)
        return self._below[node]

    def targets(self, source: End) -> Verdicts:
        """For every in-port: None where the out-port may be wired into it, or why not."""
        verdicts: Verdicts = {}
        for node, record in self.built.document.nodes.items():
            ports = in_ports(record, self.built.wires.get(node, {}))
            if ports and node in self.above(source[0]):
                verdicts[node] = dict.fromkeys(ports, self._loop(source[0], node))
            elif ports:
                verdicts[node] = {port: self._verdict(source, (node, port)) for port in ports}
        return verdicts

    def sources(self, target: End) -> Verdicts:
        """For every out-port: None where it may be wired into the in-port, or why not."""
        verdicts: Verdicts = {}
        for node, record in self.built.document.nodes.items():
            ports = out_ports(record)
            if ports and node in self.below(target[0]):
                verdicts[node] = dict.fromkeys(ports, self._loop(node, target[0]))
            elif ports:
                verdicts[node] = {port: self._verdict((node, port), target) for port in ports}
        return verdicts

    def _loop(self, source: str, target: str) -> str:
        if source == target:
            return "A node cannot read itself."
        source, target = self.built.label(source), self.built.label(target)
        return f"This would close a loop: {source} depends on {target}."

    def _verdict(self, source: End, target: End) -> str | None:
        variable = self.built.variables.get(source)
        record = self.built.document.nodes[target[0]]
        try:
            if record["kind"] != "op":
                self._check_kind(record["kind"], source, target, variable)
            elif variable is not None:
                _check_op(self.built, record, target, variable)
        except EngineError as error:
            return " ".join(text for text in (error.message, error.hint) if text)
        except Exception:  # the op itself fails on the types; the node's own error will say so
            return None
        return None

    def _check_kind(self, kind: str, source: End, target: End, variable: Variable | None) -> None:
        built = self.built
        node, port = target
        wires = built.wires.get(node, {})
        if port == "target" or port.startswith("parameters."):
            if source[0] not in built.shared:
                raise not_shared(built.label(source[0]), port)
            value = built.variables.get(wires.get("value", ("", "")))
            if port == "target" and variable is not None and value is not None:
                check_update(variable.type, value.type, built.label(source[0]))
            return
        cost, wrt = wires.get("cost", ("",))[0], wires.get("wrt", ("",))[0]
        if port == "wrt" and cost and source[0] not in self.above(cost):
            raise _unrelated(built, cost, source[0])
        if port == "cost" and wrt and source[0] not in self.below(wrt):
            raise _unrelated(built, source[0], wrt)
        if variable is None:
            return
        if port == "cost":
            check_cost(variable.type)
        elif port == "learning_rate":
            check_rate(variable.type)
        elif kind == "update" and "target" in wires:
            old = built.shared.get(wires["target"][0])
            if old is not None:
                check_update(old.type, variable.type, built.label(wires["target"][0]))


def _unrelated(built: Expressions, cost: str, wrt: str) -> EngineError:
    return DisconnectedInputError(f"{built.label(cost)} does not depend on {built.label(wrt)}.")


def in_ports(record: Mapping[str, Any], wires: Mapping[str, End]) -> list[str]:
    """The in-ports of a node; a variadic one with the slots in use and the next free one."""
    names: list[str] = []
    for port in _ports(record):
        if not port.variadic:
            names.append(port.name)
            continue
        used = [int(w.partition(".")[2] or 0) for w in wires if w.startswith(f"{port.name}.")]
        names += [f"{port.name}.{i}" for i in sorted({*used, max(used, default=-1) + 1})]
    return names


def out_ports(record: Mapping[str, Any]) -> list[str]:
    """The out-ports of a node; none where its op is unknown."""
    op = _op(record)
    if op is not None:
        return list(op.results)
    kind = KINDS.get(record["kind"])
    return [p.name for p in kind.outputs] if kind else []


def _ports(record: Mapping[str, Any]) -> Sequence[Port]:
    op = _op(record)
    if op is not None:
        return op.wired
    kind = KINDS.get(record["kind"])
    return kind.inputs if kind else ()


def _op(record: Mapping[str, Any]) -> Op | None:
    try:
        return op_of(record["op"]) if record["kind"] == "op" else None
    except EngineError:
        return None


def _reached(start: str, neighbours: Mapping[str, Sequence[str]]) -> set[str]:
    reached = {start}
    stack = [start]
    while stack:
        for node in neighbours.get(stack.pop(), ()):
            if node not in reached:
                reached.add(node)
                stack.append(node)
    return reached


def _check_op(
    built: Expressions, record: Mapping[str, Any], target: End, variable: Variable
) -> None:
    """Ask the op whether it takes the types; open ports may have any type that makes it say yes."""
    node, port = target
    op = op_of(record["op"])
    try:
        typed = op_params(op, record.get("params", {}))
        given = {p.name: typed[p.name] for p in op.params if p.name in typed}
        _, params = op.bind([[] if p.variadic else variable for p in op.ports], given)
    except EngineError:
        return
    wires = {**built.wires.get(node, {}), port: None}
    open_types = _open_types(op, typed)
    types: list[TensorType | None] = [STATE] if op.draws else []
    for name in _slots(op, wires):
        found = variable if name == port else built.variables.get(wires.get(name) or ("", ""))
        if found is not None:
            types.append(found.type)
        else:
            types.append(None if wires.get(name) else open_types.get(name))
    refusal: EngineError | None = None
    for guess in _guesses(variable.dtype, None in types):
        try:
            guessed = [guess if t is None else t for t in types]
            op.types([t for t in guessed if t is not None], params)
            return
        except ParameterError:  # which can be changed after the wire is drawn
            return
        except EngineError as error:
            refusal = error
    if refusal is not None:
        raise refusal


def _open_types(op: Op, typed: Mapping[str, Any]) -> dict[str, TensorType]:
    """The types of what ports read that may be left open."""
    return {
        p.name: as_variable(typed.get(p.name, p.default)).type
        for p in op.wired
        if p.default is not None
    }


def _slots(op: Op, wires: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    for port in op.wired:
        if port.variadic:
            slots = sorted(int(w[len(port.name) + 1 :]) for w in wires
                           if w.startswith(port.name + "."))  # fmt: skip
            names += [f"{port.name}.{i}" for i in slots]
        else:
            names.append(port.name)
    return names


def _guesses(dtype: str, needed: bool) -> Iterator[TensorType | None]:
    if not needed:
        yield None
        return
    for rank in range(GUESSES + 1):
        yield TensorType(dtype, (None,) * rank)
    yield TensorType("int64")
