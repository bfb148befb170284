"""Graphs as plain NetworkX graphs, to be drawn, searched, stored, and read back.

What `Graph.to_networkx` gives has nothing of the engine's in it: names, numbers, lists.  A node is
one of these, by its attribute `kind`:

    input, variable   a leaf that is given from outside, and one that nothing gives
    constant, shared  a leaf with a `value`
    op                an `op` by its name, with `params`
    output            where a result is read

Leaves and what ops compute have `dtype`, `shape` (None for an unknown length), `broadcastable`
and, if they are called anything, `name`; of an op with several results these stand in a list,
`results`.  `origins` are ids of canvas nodes, `line` the line of a program, `position` counts
inputs and outputs.  An edge runs from what computes a value to what reads it; its key is the
number of the reader's port, its attribute `result` the number of the source's result.

`value` is a number or a nested list, or `{"base64", "shape"}` with the bytes of a little-endian
array in C order where a list would be long or JSON could not hold it.  In `params` a float that
JSON lacks is `{"float": "nan"}`, a graph `{"graph": …}` with what `networkx.node_link_data` makes
of it.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np

from engine.errors import EngineError, GraphError, ShapeError, TypeMismatchError
from engine.expression import OPS, Apply, Block, Constant, Line, Variable
from engine.graph import Graph
from engine.known import known_value
from engine.op import Op, Param, frozen
from engine.random import RandomState
from engine.shared import SharedVariable
from engine.types import DTYPES, TensorType, shape_text

Attributes = dict[str, Any]
Network = Any
"""A `networkx.MultiDiGraph`, which has no types."""

LISTED = 1000
"""Elements of the largest value that is written as a list."""
EXACT = 2**53
"""From here on not every reader of JSON keeps integers exact."""
NESTED = 40
"""How deep graphs in graphs may be."""

SHARED = {"plain": SharedVariable, "random": RandomState}
"""The sorts of shared variables."""


# Writing.


def to_networkx(graph: Graph, with_variables: bool = False) -> Network:
    """See `Graph.to_networkx`."""
    return _Writer(with_variables, 0).written(graph)


class _Writer:
    def __init__(self, with_variables: bool, depth: int) -> None:
        self.with_variables = with_variables
        self.depth = depth
        self.network: Network = nx.MultiDiGraph()
        self._numbers = itertools.count()
        self._ids: dict[Variable | Apply, str] = {}

    def written(self, graph: Graph) -> Network:
        for position, v in enumerate(graph.inputs):
            self._leaf(v, "input", position)
        for node in graph.toposort():
            for v in node.inputs:
                self._reach(v)
            self._ids[node] = self._add(node.op.name, self._apply(node))
            for port, v in enumerate(node.inputs):
                self._wire(v, self._ids[node], port)
        for position, v in enumerate(graph.outputs):
            self._reach(v)
            self._wire(v, self._add("output", {"kind": "output", "position": position}), 0)
        return self.network

    def _add(self, word: str, attributes: Attributes) -> str:
        id = f"{word}_{next(self._numbers)}"
        self.network.add_node(id, **attributes)
        return id

    def _wire(self, v: Variable, reader: str, port: int) -> None:
        leaf = v in self._ids or v.owner is None
        source = self._ids[v if leaf else v.owner]  # type: ignore[index]
        self.network.add_edge(source, reader, key=port, result=0 if leaf else v.index)

    def _reach(self, v: Variable) -> None:
        if v.owner is None and v not in self._ids:
            self._leaf(v, "variable")

    def _leaf(self, v: Variable, kind: str, position: int | None = None) -> None:
        own: Attributes = {}
        match v:
            case Constant():
                kind, own = "constant", {"value": _written_value(v.data)}
            case SharedVariable():
                kind, own = "shared", self._shared(v)
        if position is not None:
            own["position"] = position
        if self.with_variables and kind != "constant":
            own["variable"] = v
        self._ids[v] = self._add(kind, {"kind": kind, **_typed(v), **own, **_born(v.origins)})

    def _shared(self, v: SharedVariable) -> Attributes:
        own: Attributes = (
            {} if self.with_variables else {"value": _written_value(v.get_value(True))}
        )
        own["sort"] = "random" if isinstance(v, RandomState) else "plain"
        own["strict"] = v.strict
        if v.allow_downcast is not None:
            own["allow_downcast"] = v.allow_downcast
        return own

    def _apply(self, node: Apply) -> Attributes:
        results = [_result(v) for v in node.outputs]
        return {
            "kind": "op",
            "op": node.op.name,
            "params": {p.name: self._param(node.params[p.name]) for p in node.op.params},
            **(results[0] if len(results) == 1 else {"results": results}),
            **_born(node.origins),
            **({} if node.line is None else {"line": list(node.line)}),
        }

    def _param(self, value: Any) -> Any:
        match value:
            case tuple() | list():
                return [self._param(v) for v in value]
            case Block():
                if self.depth == NESTED:
                    raise GraphError(f"More than {NESTED} graphs lie in one another.")
                graph = Graph(value.inputs, value.outputs)
                inner = _Writer(with_variables=False, depth=self.depth + 1).written(graph)
                return {"graph": nx.node_link_data(inner, edges="edges")}
            case float() if not math.isfinite(value):
                return {"float": str(float(value))}
            case np.integer():
                return int(value)
            case None | bool() | int() | str() | float():
                return value
            case _:
                raise GraphError(
                    "A parameter is no plain value.",
                    expected="numbers, texts, graphs, and tuples of them",
                    got=_shown(value),
                )


def _typed(v: Variable) -> Attributes:
    return {
        "dtype": v.dtype,
        "shape": list(v.type.shape),
        "broadcastable": list(v.broadcastable),
        **({} if v.name is None else {"name": v.name}),
    }


def _result(v: Variable) -> Attributes:
    own = v.owner is not None and v.origins != v.owner.origins
    return {**_typed(v), **({"result_origins": sorted(v.origins)} if own else {})}


def _born(origins: frozenset[str]) -> Attributes:
    return {"origins": sorted(origins)} if origins else {}


def _written_value(value: np.ndarray[Any, Any]) -> Any:
    plain = 0 < value.size <= LISTED
    match value.dtype.kind:
        case "f":
            plain = plain and bool(np.isfinite(value).all())
        case "i" | "u":
            plain = plain and max(-int(value.min()), int(value.max())) < EXACT
        case "c":
            plain = False
    if plain:
        return value.tolist()
    little = value.astype(value.dtype.newbyteorder("<"), copy=False)
    return {
        "base64": base64.b64encode(little.tobytes()).decode("ascii"),
        "shape": list(value.shape),
    }


# Reading.


def from_networkx(network: Network) -> Graph:
    """See `Graph.from_networkx`."""
    return _Reader(network, 0).graph()


class _Reader:
    def __init__(self, network: Network, depth: int) -> None:
        if not isinstance(network, nx.MultiDiGraph):
            raise GraphError(
                "This is no NetworkX graph whose edges are directed and may be parallel.",
                expected="a networkx.MultiDiGraph",
                got=type(network).__name__,
            )
        self.network: Network = network
        self.depth = depth
        self._values: dict[Any, Sequence[Variable]] = {}
        self._inputs: dict[int, Variable] = {}
        self._outputs: dict[int, Variable] = {}

    def graph(self) -> Graph:
        for id in self._order():
            try:
                self._node(id, self.network.nodes[id])
            except EngineError as error:
                error.node = str(id)
                raise error.of(str(id)) from None
        for kind, found in (("input", self._inputs), ("output", self._outputs)):
            lacking = next((k for k in range(len(found)) if k not in found), None)
            if lacking is not None:
                raise GraphError(
                    f"There is no {kind} at position {lacking}.",
                    expected=f"positions 0 to {len(found) - 1}",
                    got=", ".join(map(str, sorted(found))),
                )
        inputs, outputs = (
            [found[k] for k in range(len(found))] for found in (self._inputs, self._outputs)
        )
        return Graph(inputs, outputs)

    def _order(self) -> list[Any]:
        try:
            return list(nx.topological_sort(self.network))
        except nx.NetworkXUnfeasible:
            first, second, *_ = next(iter(nx.find_cycle(self.network)))
            raise GraphError(
                f"{first} and {second} lie on a cycle: a value would depend on itself.",
                node=str(second),
                expected="no cycle",
                got="a cycle",
                hint="A loop is an op, scan, with a graph of its own.",
            ) from None

    def _node(self, id: Any, node: Attributes) -> None:
        kind = node.get("kind")
        match kind:
            case "op":
                self._values[id] = self._apply(id, node)
            case "output":
                self._output(id, node)
            case "input" | "variable" | "constant" | "shared":
                self._values[id] = [self._leaf(id, node, kind)]
            case _:
                raise _wrong(node, "kind", "input, variable, constant, shared, op or output")

    # Wires.

    def _wires(self, id: Any, ports: Sequence[str], variadic: bool = False) -> list[Variable]:
        """What is read at each port."""

        def name(port: int) -> str:
            last = len(ports) - 1
            return f"{ports[-1]}.{port - last}" if variadic and port >= last else ports[port]

        given: dict[int, Variable] = {}
        for source, _, port, wire in self.network.in_edges(id, keys=True, data=True):
            if type(port) is not int or port < 0 or (port >= len(ports) and not variadic):
                raise GraphError(
                    f"It has no port {port!r}.",
                    port=str(port),
                    expected="the number of a port as the edge's key: "
                    + (", ".join(f"{k} {p}" for k, p in enumerate(ports)) or "it has none"),
                    got=f"an edge from {source} with the key {port!r}",
                )
            if port in given:
                raise GraphError(
                    f"Two wires lead to its port {name(port)}.",
                    port=name(port),
                    expected="one wire",
                    got=f"another one from {source}",
                )
            results = self._values.get(source, ())
            number = wire.get("result", 0)
            if type(number) is not int or not 0 <= number < len(results):
                raise GraphError(
                    f"{source} has no result {number!r} to be read.",
                    port=name(port),
                    expected=f"a result from 0 to {len(results) - 1}" if results else "a value",
                    got=repr(number) if results else f"an output, {source}",
                )
            given[port] = results[number]
        for port in range(max(len(given), len(ports) - variadic)):
            if port not in given:
                raise GraphError(
                    f"Nothing leads to its port {name(port)}.",
                    port=name(port),
                    expected="a wire",
                    got="nothing",
                )
        return [given[port] for port in range(len(given))]

    def _take(self, found: dict[int, Variable], node: Attributes, v: Variable) -> None:
        position = node.get("position")
        if type(position) is not int or position < 0:
            raise _wrong(node, "position", "a whole number from 0")
        if position in found:
            raise GraphError(
                f"There are two at position {position}.",
                port="position",
                expected="a position of its own",
                got=str(position),
            )
        found[position] = v

    # Nodes.

    def _output(self, id: Any, node: Attributes) -> None:
        (value,) = self._wires(id, ["value"])
        self._take(self._outputs, node, value)

    def _leaf(self, id: Any, node: Attributes, kind: str) -> Variable:
        self._wires(id, [])
        v = _leaf_of(node, kind)
        if kind == "input" or "position" in node:
            self._take(self._inputs, node, v)
        return v

    def _apply(self, id: Any, node: Attributes) -> Sequence[Variable]:
        op = OPS.get(node["op"]) if isinstance(node.get("op"), str) else None
        if op is None:
            raise _wrong(node, "op", "the name of an op that is declared")
        inputs = self._wires(id, [p.name for p in op.ports], op.variadic)
        params = self._params(op, node)
        types = _inferred(op, inputs, params)
        results = node.get("results", [node] if len(types) == 1 else [{}] * len(types))
        if not isinstance(results, list) or len(results) != len(types):
            raise _wrong(node, "results", f"a list of {len(types)}")
        own = [_narrowed(_mapping(r), t) for r, t in zip(results, types, strict=True)]
        apply = Apply(op, inputs, params, own, _origins(node), _line(node))
        for v, result in zip(apply.outputs, results, strict=True):
            v.name = _name(result)
            v.origins = _origins(result, "result_origins", apply.origins)
        return apply.outputs

    def _params(self, op: Op, node: Attributes) -> dict[str, Any]:
        given = node.get("params", {})
        if not isinstance(given, Mapping):
            raise _wrong(node, "params", "the parameters by their names")
        known = {p.name: p for p in op.params}
        for name in given:
            if name not in known:
                raise GraphError(
                    f"{op.name} has no parameter {name!r}.",
                    port=str(name),
                    expected=", ".join(known) or "no parameter",
                    got=str(name),
                )
        return {
            name: self._param(p, given[name]) if name in given else frozen(p, p.default)
            for name, p in known.items()
        }

    def _param(self, param: Param, value: Any) -> Any:
        read = self._plain(value)
        if not _fits(param, read):
            raise GraphError(
                f"{param.name} cannot be {_shown(value)}.",
                port=param.name,
                expected=param.type,
                got=_shown(value),
            )
        return frozen(param, read)

    def _plain(self, value: Any) -> Any:
        """What was written as JSON can hold it."""
        match value:
            case list() | tuple():
                return tuple(self._plain(v) for v in value)
            case {"float": "nan" | "inf" | "-inf" as text, **rest} if not rest:
                return float(text)
            case {"graph": Mapping() as data, **rest} if not rest:
                return self._block(data)
            case _:
                return value

    def _block(self, data: Mapping[str, Any]) -> Block:
        if self.depth == NESTED:
            raise GraphError(f"More than {NESTED} graphs lie in one another.")
        try:
            network = nx.node_link_graph(dict(data), edges="edges")
        except (nx.NetworkXError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise GraphError(
                "A graph inside a node cannot be read.",
                port="graph",
                expected="what networkx.node_link_data gives",
                got=f"{type(error).__name__}: {error}",
            ) from None
        try:
            graph = _Reader(network, self.depth + 1).graph()
        except EngineError as error:
            raise error.of("In its graph") from None
        return Block(tuple(graph.inputs), tuple(graph.outputs))


def _inferred(op: Op, inputs: list[Variable], params: Attributes) -> tuple[TensorType, ...]:
    known = [known_value(v) for v in inputs] if op.reads_values else ()
    try:
        return op.types([v.type for v in inputs], params, known)
    except EngineError as error:
        raise error.within(op.name, [v.name or str(v.type) for v in inputs]) from None
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        raise GraphError(
            f"{op.name} cannot have these parameters: {error}",
            port="params",
            expected=", ".join(f"{p.name}: {p.type}" for p in op.params),
            got=_shown(params),
        ) from None


def _leaf_of(node: Attributes, kind: str) -> Variable:
    type = _type(node)
    given = node.get("variable")
    if given is not None:
        if not isinstance(given, Variable) or given.type != type:
            raise _wrong(node, "variable", f"a variable of type {type}")
        return given
    name = _name(node)
    v: Variable
    match kind:
        case "constant":
            v = Constant(_value(node, type, name), type.dtype, name)
            if v.type != type:
                raise _wrong(node, "broadcastable", str(list(v.broadcastable)))
        case "shared":
            sort = SHARED.get(node.get("sort", "plain"))
            if sort is None:
                raise _wrong(node, "sort", " or ".join(SHARED))
            strict, allow = node.get("strict", False), node.get("allow_downcast")
            if not isinstance(strict, bool) or not isinstance(allow, bool | None):
                raise _wrong(node, "strict", "true or false, as for allow_downcast")
            v = sort(type, _value(node, type, name), name, strict, allow)
        case _:
            v = Variable(type, name=name)
    v.origins = _origins(node)
    return v


# Attributes.


def _wrong(node: Attributes, attribute: str, expected: str) -> GraphError:
    got = _shown(node.get(attribute))
    return GraphError(
        f"Its {attribute} cannot be {got}." if attribute in node else f"It has no {attribute}.",
        port=attribute,
        expected=expected,
        got=got if attribute in node else "nothing",
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _mapping(result: Any) -> Attributes:
    if not isinstance(result, dict):
        raise _wrong({"results": result}, "results", "a record for each result")
    return result


def _type(node: Attributes) -> TensorType:
    for attribute in ("dtype", "shape"):
        if attribute not in node:
            raise _wrong(node, attribute, "what is known of the tensor")
    if node["dtype"] not in DTYPES:
        raise _wrong(node, "dtype", ", ".join(DTYPES))
    lengths = _listed(node, "shape")
    if not all(n is None or (type(n) is int and n >= 0) for n in lengths):
        raise _wrong(node, "shape", "a length for each axis, None where it is unknown")
    pattern = [n == 1 for n in lengths]
    if "broadcastable" in node:
        pattern = _listed(node, "broadcastable")
    fits = len(pattern) == len(lengths) and all(
        type(b) is bool and (not b or n in (1, None))
        for b, n in zip(pattern, lengths, strict=False)
    )
    if not fits:
        raise _wrong(node, "broadcastable", "for each axis whether it stretches")
    return TensorType(node["dtype"], lengths, pattern)


def _narrowed(node: Attributes, inferred: TensorType) -> TensorType:
    """The type that a node states for a result, which must be one of what its op computes."""
    if "dtype" not in node:
        return inferred
    stated = _type(node)
    if (stated.dtype, stated.ndim) != (inferred.dtype, inferred.ndim):
        raise TypeMismatchError(
            f"It computes {inferred}, not {stated}.", expected=str(inferred), got=str(stated)
        )
    if stated.broadcastable != inferred.broadcastable:
        raise TypeMismatchError(
            "It does not compute something that stretches along these axes.",
            expected=f"broadcastable: {list(inferred.broadcastable)}",
            got=f"broadcastable: {list(stated.broadcastable)}",
        )
    pairs = zip(stated.shape, inferred.shape, strict=True)
    if any(a is not None and b is not None and a != b for a, b in pairs):
        raise ShapeError(
            f"It computes something of the shape {shape_text(inferred.shape)}.",
            expected=shape_text(inferred.shape),
            got=shape_text(stated.shape),
        )
    return stated


def _listed(node: Attributes, attribute: str) -> list[Any]:
    value = node[attribute]
    if not isinstance(value, list | tuple):
        raise _wrong(node, attribute, "a list")
    return list(value)


def _name(node: Attributes) -> str | None:
    name = node.get("name")
    if name is not None and not isinstance(name, str):
        raise _wrong(node, "name", "a text")
    return name


def _origins(
    node: Attributes, attribute: str = "origins", default: frozenset[str] = frozenset()
) -> frozenset[str]:
    if attribute not in node:
        return default
    origins = _listed(node, attribute)
    if not all(isinstance(o, str) for o in origins):
        raise _wrong(node, attribute, "a list of texts")
    return frozenset(origins)


def _line(node: Attributes) -> Line | None:
    match node.get("line"):
        case None:
            return None
        case [str() as file, int() as number]:
            return file, number
        case _:
            raise _wrong(node, "line", "a file and a number")


def _value(node: Attributes, type: TensorType, name: str | None) -> np.ndarray[Any, Any]:
    value = node.get("value")
    match value:
        case {"base64": str() as text, "shape": list() | tuple() as lengths, **rest} if not rest:
            return type.filter(_decoded(node, type.dtype, text, list(lengths)), name)
        case bool() | int() | float() | complex() | list() | tuple() | np.ndarray() | np.generic():
            # Filled in without loss, whatever floatX is.
            return np.array(type.filter(value, name, allow_downcast=False))
        case _:
            raise _wrong(node, "value", f"a value of type {type}")


def _flat(value: Any) -> Iterator[Any]:
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, list | tuple):
            stack.extend(part)
        else:
            yield part


def _decoded(node: Attributes, dtype: str, text: str, lengths: list[Any]) -> np.ndarray[Any, Any]:
    stored = np.dtype(dtype).newbyteorder("<")
    try:
        content = base64.b64decode(text, validate=True)
        fits = all(type(n) is int and n >= 0 for n in lengths)
        if fits and math.prod(lengths) * stored.itemsize == len(content):
            return np.frombuffer(content, stored).reshape(lengths).astype(dtype)
    except (binascii.Error, ValueError):
        pass
    raise _wrong(node, "value", f"the bytes of {dtype} {shape_text(lengths)} in base64")


def _fits(param: Param, value: Any) -> bool:
    """Whether a parameter's value is of the plain type that it has in applies."""
    if value is None:
        return True
    match param.type:
        case "int":
            return type(value) is int
        case "float":
            return type(value) in (int, float)
        case "bool":
            return type(value) is bool
        case "string":
            return type(value) is str
        case "dtype":
            return value in DTYPES
        case "axis":
            return type(value) is int or _are_ints(value)
        case "ints":
            return _are_ints(value)
        case "shape":
            return isinstance(value, tuple) and all(v is None or type(v) is int for v in value)
        case "index":
            plain = (int, str, type(None))
            return isinstance(value, tuple) and all(type(v) in plain for v in _flat(value))
        case "graph":
            return isinstance(value, Block) or (
                isinstance(value, tuple) and all(type(v) is int for v in _flat(value))
            )


def _are_ints(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(v) is int for v in value)


Graph.written = to_networkx
Graph.read = from_networkx
