"""Which wires may be drawn: the answer for every port, and every card, while one end is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from engine.document.cards import palette
from engine.document.kinds import KINDS, VARIABLES
from engine.errors import DisconnectedInputError, EngineError, ParameterError
from engine.expression import Variable, as_variable
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
Fits = dict[str, str | None]

GUESSES = 5
"""Up to which rank a type is guessed for ports that nothing is wired into."""
MIXED = 2
"""For how many such ports types are guessed that differ from each other."""
NEW = ""
"""Stands for the id of a node that is yet to be made."""


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
                variable = self.built.variables.get(source)
                verdicts[node] = {
                    port: self._verdict(source, (node, port), variable) for port in ports
                }
        return verdicts

    def sources(self, target: End) -> Verdicts:
        """For every out-port: None where it may be wired into the in-port, or why not."""
        verdicts: Verdicts = {}
        for node, record in self.built.document.nodes.items():
            ports = out_ports(record)
            if ports and node in self.below(target[0]):
                verdicts[node] = dict.fromkeys(ports, self._loop(node, target[0]))
            elif ports:
                given = self.built.variables
                verdicts[node] = {
                    port: self._verdict((node, port), target, given.get((node, port)))
                    for port in ports
                }
        return verdicts

    def takers(self, source: End) -> Fits:
        """For every card: the in-port of a new node that the out-port may be wired into."""
        variable = self.built.variables.get(source)
        return {card["id"]: self._taking(card, source, variable) for card in _offered()}

    def givers(self, target: End) -> Fits:
        """For every card: the out-port of a new node that may be wired into the in-port."""
        return {card["id"]: self._giving(card, target) for card in _offered()}

    def _taking(
        self, card: Mapping[str, Any], source: End, variable: Variable | None
    ) -> str | None:
        if card["op"] and variable is not None:
            return _port_for(op_of(card["op"]), variable.type)
        ports = in_ports(card, {})
        return next((p for p in ports if self._joins(card["kind"], source, p, variable)), None)

    def _joins(self, kind: str, source: End, port: str, variable: Variable | None) -> bool:
        try:
            if kind != "op":
                self._check_kind(kind, source, (NEW, port), variable)
        except EngineError:
            return False
        return True

    def _giving(self, card: Mapping[str, Any], target: End) -> str | None:
        ports = out_ports(card)
        if not ports:
            return None
        if card["kind"] == "shared" and _wants_shared(target[1]):
            return ports[0]
        # The general cards can be given any type; those that are called after one have it.
        typed = card["category"] == VARIABLES and card["id"] != card["kind"]
        preset = card["preset"]
        variable = Variable(TensorType(preset["dtype"], preset["shape"])) if typed else None
        return None if self._verdict((NEW, ports[0]), target, variable) else ports[0]

    def _loop(self, source: str, target: str) -> str:
        if source == target:
            return "A node cannot read itself."
        source, target = self.built.label(source), self.built.label(target)
        return f"This would close a loop: {source} depends on {target}."

    def _verdict(self, source: End, target: End, variable: Variable | None) -> str | None:
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
        if _wants_shared(port):
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


def _wants_shared(port: str) -> bool:
    return port == "target" or port.startswith("parameters.")


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


def _offered() -> list[dict[str, Any]]:
    return [card for card in palette()["cards"] if not card["hidden"]]


@lru_cache(maxsize=100_000)
def _port_for(op: Op, type: TensorType) -> str | None:
    """The first port of a new node that takes the type; None where there is none."""
    for port in in_ports({"kind": "op", "op": op.name}, {}):
        try:
            _check_types(op, {}, _types_at(op, {port: type}, {}), type)
        except EngineError:
            continue
        except Exception:  # the op itself fails on the types
            continue
        return port
    return None


def _check_op(
    built: Expressions, record: Mapping[str, Any], target: End, variable: Variable
) -> None:
    """Ask the op whether it takes the types; open ports may have any type that makes it say yes."""
    node, port = target
    op = op_of(record["op"])
    try:
        typed = op_params(op, record.get("params", {}))
    except EngineError:
        return
    known: dict[str, TensorType | None] = {}
    for name, end in built.wires.get(node, {}).items():
        found = built.variables.get(end)
        known[name] = found.type if found is not None else None
    known[port] = variable.type
    _check_types(op, typed, _types_at(op, known, typed), variable.type)


def _types_at(
    op: Op, known: Mapping[str, TensorType | None], typed: Mapping[str, Any]
) -> list[TensorType | None]:
    """The type at each port and slot, None where any type may come."""
    types: list[TensorType | None] = [STATE] if op.draws else []
    for name in _slots(op, known):
        types.append(known[name] if name in known else _open_type(op, name, typed))
    return types


def _open_type(op: Op, name: str, typed: Mapping[str, Any]) -> TensorType | None:
    """The type of what a port reads that is left open; None where it may not be."""
    default = next(p.default for p in op.wired if p.name == name)
    return None if default is None else as_variable(typed.get(name, default)).type


def _slots(op: Op, wired: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    for port in op.wired:
        if port.variadic:
            slots = sorted(int(w[len(port.name) + 1 :]) for w in wired
                           if w.startswith(port.name + "."))  # fmt: skip
            names += [f"{port.name}.{i}" for i in slots]
        else:
            names.append(port.name)
    return names


def _check_types(
    op: Op, typed: Mapping[str, Any], types: Sequence[TensorType | None], like: TensorType
) -> None:
    """Raise what the op says where it takes no types that agree with the known ones."""
    given = {p.name: typed[p.name] for p in op.params if p.name in typed}
    try:
        _, params = op.bind([[] if p.variadic else Variable(like) for p in op.ports], given)
    except EngineError:
        return
    refusal: EngineError | None = None
    for guess in _guesses(like, types.count(None)):
        guessed = iter(guess)
        try:
            op.types([next(guessed) if t is None else t for t in types], params)
            return
        except ParameterError:  # which can be changed after the wire is drawn
            return
        except EngineError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal


def _guesses(like: TensorType, missing: int) -> Iterator[tuple[TensorType, ...]]:
    """Types for the ports that have none: first all of one type, then mixed ones if they are few.

    The first is the one that speaks where no guess will do, so it is the likeliest.
    """
    if not missing:
        yield ()
        return
    own = TensorType(like.dtype, (None,) * like.ndim)
    ranks = [TensorType(like.dtype, (None,) * rank) for rank in range(GUESSES + 1)]
    counts = [TensorType("int64"), TensorType("int64", (None,))]
    for type in [own, *ranks, *counts]:
        yield (type,) * missing
    if 1 < missing <= MIXED:
        scalars = [TensorType(like.dtype), TensorType("bool")]
        yield from product([own, *scalars, *counts], repeat=missing)
