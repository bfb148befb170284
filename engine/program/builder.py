"""From the nodes and wires of a document to typed expressions, error by error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import engine.ops  # noqa: F401  (fills OPS)
from engine.config import config
from engine.document import Document
from engine.document.kinds import KINDS, SEED
from engine.errors import (
    DisconnectedInputError,
    EngineError,
    MissingInputError,
    ParameterError,
    ProgramError,
)
from engine.expression import OPS, Apply, Constant, Variable, as_variable, walk
from engine.grad import grad
from engine.op import Port
from engine.ops.random_bits import STATE, next_state
from engine.program.checks import (
    check_cost,
    check_initialiser,
    check_rate,
    check_update,
    not_shared,
    op_of,
    op_params,
)
from engine.program.expressions import VALUE, Expressions, Stream
from engine.program.order import End, loops, sort
from engine.program.values import (
    MAX_TOTAL_BYTES,
    bytes_text,
    check_size,
    typed_in,
)
from engine.training.optimisers import RULES, settings
from engine.types import DISCRETE, TensorType, promoted, real_dtype, widens_silently


class WaitingError(Exception):
    """A node cannot be built because another one has an error; `node` is that other one."""

    def __init__(self, node: str) -> None:
        self.node = node


def build(document: Document) -> Expressions:
    """The expressions of a document; never raises for what is wrong with the graph."""
    return _Builder(document).run()


class _Builder:
    def __init__(self, document: Document) -> None:
        self.nodes = document.nodes
        self.out = Expressions(document)
        self.claimed: set[Apply] = set()
        self.reserved = 0
        self.names: dict[tuple[str, str], str] = {}
        self.gradients: dict[str, Variable | EngineError] = {}
        self.makers: dict[str, Callable[[str], None]] = {
            "input": self._input,
            "constant": self._constant,
            "shared": self._shared,
            "op": self._op,
            "gradient": self._gradient,
            "update": self._update,
            "optimiser": self._optimiser,
            "output": self._named_result,
            "probe": self._result,
        }

    def run(self) -> Expressions:
        out = self.out
        for edge in out.document.edges:
            out.wires.setdefault(edge.target, {})[edge.port] = (edge.source, edge.out)
        out.order, stuck = sort(self.nodes, out.wires)
        self._refuse_loops(stuck)
        for node in out.order:
            try:
                self.makers[self.nodes[node]["kind"]](node)
            except WaitingError as cause:
                out.waiting[node] = cause.node
            except EngineError as error:
                out.errors[node] = self._addressed(error, node)
            except RecursionError:
                raise
            except (
                Exception
            ) as error:  # what an op throws is an error of its node, not of the graph
                reason = f"{type(error).__name__}: {error}"
                out.errors[node] = ProgramError(
                    f"{out.label(node)} cannot be built: {reason}.", node=node
                )
        return out

    def _addressed(self, error: EngineError, node: str) -> EngineError:
        """The error with this node's address; ops that it is made of may have other ports."""
        error.node = node
        foreign = error.port and not isinstance(error, ProgramError | ParameterError)
        if foreign and str(error.port).partition(".")[0] not in _known_ports(self.nodes[node]):
            error.port = None
        return error

    def _refuse_loops(self, stuck: Mapping[str, Sequence[str]]) -> None:
        """Give the nodes of each loop an error, and let what depends on them wait."""
        out = self.out
        out.waiting.update((node, reads[0]) for node, reads in stuck.items())
        for loop in loops(stuck):
            shown = [out.label(n) for n in loop[:6]] + ["…"] * (len(loop) > 6)
            for node in loop:
                out.waiting.pop(node)
                out.errors[node] = ProgramError(
                    f"The wires run in a loop: {' → '.join([*shown, shown[0]])}.",
                    node=node,
                    expected="wires that lead from inputs to outputs",
                    got="a loop",
                    hint="Remove one of these wires. Shared variables keep values between calls.",
                )

    # What a node reads.

    def _reads(
        self, node: str, ports: Sequence[Port], typed: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """The variable at each port, a list for a variadic one; raises where one is missing.

        typed: what ports that may be left open are set to.
        """
        wires = self.out.wires.get(node, {})
        known = {p.name: p for p in ports}
        for wired in wires:
            name, _, slot = wired.partition(".")
            if name not in known or known[name].variadic != bool(slot):
                raise ProgramError(
                    f"{self.out.label(node)} has no port {wired!r}.",
                    port=wired, expected=" or ".join(known) or "no wire", got=wired,
                    hint="Remove the wire.",
                )  # fmt: skip
        found: list[Any] = []
        for port in ports:
            if port.variadic:
                slots = sorted((int(w[len(port.name) + 1 :]), w) for w in wires
                               if w.startswith(port.name + "."))  # fmt: skip
                found.append([self._read(node, wires[w], w) for _, w in slots])
            elif port.name not in wires and port.default is not None:
                found.append(as_variable((typed or {}).get(port.name, port.default)))
            elif port.name not in wires:
                raise MissingInputError(
                    f"{self.out.label(node)} has nothing at {port.name}.",
                    port=port.name, expected=port.doc or "a wire", got="nothing",
                    hint=f"Draw a wire into {port.name}.",
                )  # fmt: skip
            else:
                found.append(self._read(node, wires[port.name], port.name))
        return found

    def _read(self, node: str, end: End, port: str) -> Variable:
        variable = self.out.variables.get(end)
        if variable is not None:
            return variable
        source, out = end
        if source in self.out.errors or source in self.out.waiting:
            raise WaitingError(source)
        if not _out_ports(self.nodes[source]):
            raise ProgramError(
                f"{self.out.label(source)} gives no value to read.",
                port=port, expected="a node with a value", got=self.out.label(source),
            )  # fmt: skip
        raise ProgramError(
            f"{self.out.label(source)} has no out port {out!r}.",
            port=port, expected="a port that is there", got=out, hint="Draw the wire anew.",
        )  # fmt: skip

    def _claim(self, node: str, made: Iterable[Variable]) -> None:
        """Mark everything new that leads to `made` as born from the node."""
        origin = frozenset({node})
        for apply in walk(made, stop=lambda v: v.owner in self.claimed):
            apply.origins = origin
            self.claimed.add(apply)
            for v in apply.outputs:
                v.origins = origin

    # Leaves.

    def _name(self, node: str, space: str) -> str:
        """The node's name, which no other node of the same space may bear."""
        name = self.nodes[node].get("name")
        if name is None:
            self.out.warn(node, f"It has no name; results call it by its id, {node}.")
            return node
        other = self.names.setdefault((space, name), node)
        if other != node:
            raise ProgramError(
                f"There are two nodes called {name}.",
                port="name", expected="a name of its own", got=name, hint="Rename one of them.",
            )  # fmt: skip
        return str(name)

    def _leaf(self, node: str, variable: Variable) -> None:
        variable.origins = frozenset({node})
        self.out.variables[node, "out"] = variable

    def _input(self, node: str) -> None:
        params = self._settings(node)
        type = TensorType(params["dtype"], params["shape"])
        variable = Variable(type, name=self._name(node, "leaf"))
        self.out.inputs[node] = variable
        self._leaf(node, variable)
        if params["value"] is None:
            self.out.warn(node, "It has no value yet.")
        else:
            self.out.data[node] = typed_in(params["value"], type)

    def _constant(self, node: str) -> None:
        params = self._settings(node)
        rank = _rank(params["value"])
        array = typed_in(params["value"], TensorType(params["dtype"], (None,) * rank))
        self._leaf(node, Constant(array))

    def _shared(self, node: str) -> None:
        params = self._settings(node)
        name = self._name(node, "leaf")
        if params["initialiser"] is not None:
            type = TensorType(params["dtype"], params["shape"])
            check_initialiser(params["initialiser"], type.dtype)
        elif params["value"] is None:
            raise MissingInputError(
                f"{name} has no value to start with.",
                port="value", expected="a value or an initialiser", got="neither",
                hint="Type a value, or choose an initialiser and a shape.",
            )  # fmt: skip
        else:
            rank = _rank(params["value"])
            array = typed_in(params["value"], TensorType(params["dtype"], (None,) * rank))
            self.out.data[node] = array
            type = TensorType(array.dtype, array.shape)
        self._reserve(type)
        self.out.shared[node] = Variable(type, name=name)
        self._leaf(node, self.out.shared[node])

    def _reserve(self, type: TensorType) -> None:
        """Count what is kept between calls; ProgramError where it is too much."""
        self.reserved += check_size(type.dtype, [n or 0 for n in type.shape])
        if self.reserved > MAX_TOTAL_BYTES:
            raise ProgramError(
                "The shared variables of this graph together take too much memory.",
                expected=f"at most {bytes_text(MAX_TOTAL_BYTES)}",
                got=bytes_text(self.reserved),
                hint="Make the largest of them smaller.",
            )

    def _settings(self, node: str) -> dict[str, Any]:
        record = self.nodes[node]
        defaults = {s.name: s.default for s in KINDS[record["kind"]].settings}
        params: dict[str, Any] = {**defaults, **record.get("params", {})}
        if params.get("dtype") == "floatX":
            params["dtype"] = config.floatX
        return params

    # Ops.

    def _op(self, node: str) -> None:
        record = self.nodes[node]
        op = op_of(record["op"])
        given = op_params(op, record.get("params", {}))
        arguments = self._reads(node, op.wired, given)
        if op.draws:
            arguments.insert(0, self._stream(node, given.get(SEED.name, SEED.default)))
        params = {p.name: given[p.name] for p in op.params if p.name in given}
        outputs = op.each(*arguments, **params)
        self._claim(node, outputs)
        name = record.get("name")
        for port, variable in zip(op.results, outputs, strict=True):
            self.out.variables[node, port] = variable
            if name and variable.owner is not None and node in variable.owner.origins:
                variable.name = name
        if not any(p.type == "dtype" for p in op.params):
            self._tell_widening(node, arguments, dict(zip(op.results, outputs, strict=True)))

    def _tell_widening(
        self, node: str, arguments: Sequence[Any], results: Mapping[str, Variable]
    ) -> None:
        """Warn of results that are wider than anybody asked for; numbers ask for nothing."""
        given = [v for a in arguments for v in (a if isinstance(a, list) else [a])]
        dtypes = [v.dtype for v in given if not isinstance(v, Constant)]
        wide = {port: v.dtype for port, v in results.items() if widens_silently(dtypes, v.dtype)}
        self.out.widened.update((node, port) for port in wide)
        if wide:
            came = sorted(set(dtypes))
            whole = [d for d in came if d in DISCRETE]
            floats = [d for d in came if d not in DISCRETE]
            narrow = real_dtype(promoted(*floats)) if floats else config.floatX
            remedy = f"Cast {' and '.join(whole)} to {narrow} first" if whole else "Cast the result"
            self.out.warn(
                node,
                f"{' and '.join(came)} make{'s' * (len(came) == 1)} {min(wide.values())} here. "
                f"{remedy}, to stay narrower.",
            )

    def _stream(self, node: str, seed: int) -> Variable:
        """The state that a random node draws on, which goes on with every call."""
        self._reserve(STATE)
        state = Variable(STATE, name=f"state of {self.out.label(node)}")
        state.origins = frozenset({node})
        following = next_state(state)
        self._claim(node, [following])
        self.out.streams[f"{node}/state"] = Stream(state, following, seed)
        return state

    # Derivatives and updates.

    def _gradient(self, node: str) -> None:
        cost, _ = self._reads(node, KINDS["gradient"].inputs)
        check_cost(cost.type)
        if node not in self.gradients:
            self._sweep(cost, node)
        found = self.gradients[node]
        if isinstance(found, EngineError):
            raise found
        self.out.variables[node, "out"] = found

    def _sweep(self, cost: Variable, first: str) -> None:
        """One reverse sweep for all gradient nodes of the same cost, which share its steps."""
        group: dict[str, Variable] = {}
        source = self.out.wires[first]["cost"]
        for node, record in self.nodes.items():
            wires = self.out.wires.get(node, {})
            wrt = self.out.variables.get(wires["wrt"]) if "wrt" in wires else None
            if record["kind"] == "gradient" and wires.get("cost") == source and wrt is not None:
                group[node] = wrt
        try:
            found = dict(zip(group, grad(cost, list(group.values())), strict=True))
        except EngineError:
            found = {}
            for node, wrt in group.items():
                try:
                    found[node] = grad(cost, wrt)
                except EngineError as error:
                    if isinstance(error, DisconnectedInputError):
                        error.port, error.hint = "wrt", "Use it in the cost, or wire another one."
                    self.gradients[node] = error
        self.gradients.update(found)
        new = {node: walk([g], stop=lambda v: v.owner in self.claimed) for node, g in found.items()}
        for node, applies in new.items():
            self.claimed.update(applies)
            for apply in applies:
                apply.origins |= {node}
                for v in apply.outputs:
                    v.origins = apply.origins

    def _update(self, node: str) -> None:
        target, value = self._reads(node, KINDS["update"].inputs)
        shared = self._shared_at(node, "target")
        check_update(target.type, value.type, self.out.label(shared))
        if value.dtype != target.dtype:
            value = OPS["cast"](value, target.dtype)
            self._claim(node, [value])
        self.out.updates[node] = {target: value}
        self.out.variables[node, VALUE] = value

    def _optimiser(self, node: str) -> None:
        cost, rate, parameters = self._reads(node, KINDS["optimiser"].inputs)
        check_cost(cost.type)
        check_rate(rate.type)
        if not parameters:
            raise MissingInputError(
                f"{self.out.label(node)} has no parameters to move.",
                port="parameters.0", expected="shared variables", got="nothing",
                hint="Draw a wire from a shared variable into parameters.0.",
            )  # fmt: skip
        ids: dict[Variable, str] = {}
        for port in (p for p in self.out.wires[node] if p.startswith("parameters.")):
            shared = self._shared_at(node, port)
            ids[self.out.shared[shared]] = shared
        params = self._settings(node)
        rule = params["rule"]
        chosen = {name: params[name] for name in settings(rule)}
        step = RULES[rule](cost, list(dict.fromkeys(parameters)), rate, **chosen)
        for memory in step.memories:
            self._reserve(memory.variable.type)
        self._claim(node, step.updates.values())
        for memory in step.memories:
            owner = f"/{ids[memory.parameter]}" if memory.parameter is not None else ""
            self.out.memories[f"{node}/{memory.name}{owner}"] = memory
            memory.variable.origins = frozenset({node})
        self.out.updates[node] = step.updates
        self.out.variables[node, VALUE] = cost

    def _shared_at(self, node: str, port: str) -> str:
        source, _ = self.out.wires[node][port]
        if source not in self.out.shared:
            raise not_shared(self.out.label(source), port)
        return source

    # Results.

    def _result(self, node: str) -> None:
        (value,) = self._reads(node, KINDS["output"].inputs)
        self.out.variables[node, VALUE] = value

    def _named_result(self, node: str) -> None:
        self._name(node, "output")
        self._result(node)


def _known_ports(record: Mapping[str, Any]) -> set[str]:
    """The names that an error of this node may point at: in-ports, parameters, the name."""
    if record["kind"] == "op":
        op = op_of(record["op"])
        return {*(p.name for p in op.ports), *(p.name for p in op.params)}
    kind = KINDS[record["kind"]]
    return {*(p.name for p in kind.inputs), *(s.name for s in kind.settings), "name"}


def _out_ports(record: Mapping[str, Any]) -> tuple[str, ...]:
    if record["kind"] == "op":
        return op_of(record["op"]).results
    return tuple(p.name for p in KINDS[record["kind"]].outputs)


def _rank(value: Any) -> int:
    rank = 0
    while isinstance(value, list):
        rank += 1
        value = value[0] if value else None
    return rank
