"""Graphs: expressions held in a `networkx.MultiDiGraph`.

A `Graph` is a private copy of an expression, and is what rewrites change and code generators read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import networkx as nx

from engine.errors import MissingInputError, TypeMismatchError
from engine.expression import Apply, Constant, Reference, Variable, references, referred, walk


def _graph(
    applies: Sequence[Apply], inputs: Iterable[Reference], outputs: Iterable[Reference]
) -> Graph:
    return Graph(referred(inputs), referred(outputs))


class Sink:
    """The place in a Graph where one of its outputs is read.

    origins: ids of the canvas nodes that the output stems from, also if it becomes a constant.
    """

    __slots__ = ("origins", "position")

    def __init__(self, position: int, origins: frozenset[str]) -> None:
        self.position = position
        self.origins = origins

    def __repr__(self) -> str:
        return f"output {self.position}"


class Graph:
    """A copy of the expressions of `outputs`, held in a networkx multigraph to be rewritten.

    Nodes of `network` are the Applies, the leaf Variables and a Sink per output.  An edge runs
    from what computes a variable to what reads it; its key is the reader's port and its
    `variable` attribute the variable that is read.

    inputs: the leaf variables that are given from outside, not copied.
    outputs: the variables that are computed, in order.
    """

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        self.inputs = list(inputs)
        self.network: nx.MultiDiGraph[Any] = nx.MultiDiGraph()
        self._ids = itertools.count()
        self._sinks = [Sink(i, v.born) for i, v in enumerate(outputs)]
        copies: dict[Variable, Variable] = {v: v for v in self.inputs}
        self.network.add_nodes_from(self.inputs)
        for node in walk(outputs, stop=lambda v: v in copies):
            fresh = Apply(
                node.op,
                [copies.get(v, v) for v in node.inputs],
                node.params,
                [v.type for v in node.outputs],
                node.origins,
                node.line,
            )
            for old, new in zip(node.outputs, fresh.outputs, strict=True):
                new.name = old.name
                new.origins = old.origins
                copies.setdefault(old, new)
            self._insert(fresh)
        for sink, v in zip(self._sinks, outputs, strict=True):
            self._connect(copies.get(v, v), sink, 0)

    def __reduce__(self) -> tuple[Any, ...]:
        inputs, outputs = self.inputs, self.outputs
        applies = walk([*inputs, *outputs])
        return _graph, (applies, references(inputs), references(outputs))

    # Reading.

    @property
    def outputs(self) -> list[Variable]:
        """The variables that the graph computes, in order."""
        return [self._read(sink, 0) for sink in self._sinks]

    @property
    def origins(self) -> list[frozenset[str]]:
        """For each output the ids of the canvas nodes that it stems from."""
        return [s.origins | v.born for s, v in zip(self._sinks, self.outputs, strict=True)]

    @property
    def applies(self) -> list[Apply]:
        """The applies in the order in which they entered the graph."""
        return [n for n in self.network if isinstance(n, Apply)]

    def __len__(self) -> int:
        return sum(isinstance(n, Apply) for n in self.network)

    def toposort(self) -> list[Apply]:
        """The applies in execution order, which depends only on the structure."""
        return walk(self.outputs, stop=self.is_given)

    def is_given(self, variable: Variable) -> bool:
        """Whether a variable that could be computed is an input all the same."""
        return variable.owner is not None and variable in self.network

    def leaves(self) -> list[Variable]:
        """The leaf variables in use: inputs, shared variables and constants."""
        return [n for n in self.network if isinstance(n, Variable) and self.network.out_degree(n)]

    def clients(self, variable: Variable) -> list[tuple[Apply | Sink, int]]:
        """Who reads the variable, with the port."""
        source: Any = variable if variable.owner is None else variable.owner
        if source not in self.network:
            return []
        return [
            (reader, port)
            for reader in self.network.successors(source)
            for port, edge in self.network.get_edge_data(source, reader).items()
            if edge["variable"] is variable
        ]

    def readers(self, variable: Variable) -> Iterator[Apply]:
        """The applies that read the variable, lazily and in no particular number of ports."""
        source: Any = variable if variable.owner is None else variable.owner
        for reader in self.network.successors(source) if source in self.network else ():
            wires = self.network.get_edge_data(source, reader).values()
            if isinstance(reader, Apply) and any(w["variable"] is variable for w in wires):
                yield reader

    def is_shared(self, variable: Variable) -> bool:
        """Whether the variable is read in more than one place; quick also where in very many."""
        source: Any = variable if variable.owner is None else variable.owner
        if source not in self.network:
            return False
        if variable.owner is not None and len(variable.owner.outputs) > 1:
            return len(self.clients(variable)) > 1
        some = list(itertools.islice(self.network.successors(source), 2))
        return len(some) > 1 or any(self.network.number_of_edges(source, r) > 1 for r in some)

    def left_unread(self, new: Mapping[Variable, Variable]) -> list[Apply]:
        """The applies that nothing would read any more if results of one became expressions.

        new: these, by the result in whose place each would come.
        """
        fresh = walk(list(new.values()), stop=self._held)
        kept = {v.owner for n in fresh for v in n.inputs} | {v.owner for v in new.values()}
        dead: dict[Apply, None] = {}
        owner = next(iter(new)).owner
        if owner is None or any(v not in new and self.clients(v) for v in owner.outputs):
            return []
        stack = [owner]
        while stack:
            node = stack.pop()
            if node in kept or node in dead or node not in self.network:
                continue
            if node is owner or all(r in dead for r in self.network.successors(node)):
                dead[node] = None
                stack.extend(v.owner for v in node.inputs if v.owner is not None)
        return list(dead)

    def check_inputs(self, is_given: Callable[[Variable], bool]) -> None:
        """Raise MissingInputError where a leaf is neither an input nor `is_given`."""
        known = set(self.inputs)
        for v in self.leaves():
            if v not in known and not isinstance(v, Constant) and not is_given(v):
                reader = self.clients(v)[0][0]
                where = f" to compute {reader!r}" if isinstance(reader, Apply) else ""
                raise MissingInputError(
                    f"{v!r} is needed{where}, but it is not among the inputs.",
                    node=v.name,
                    expected=f"{v.type.name} {v.name or ''}".strip(),
                    got="no value",
                    hint="Add it to the inputs, give it a value with givens, or make it shared.",
                )

    # Changing.

    def replace(self, old: Variable, new: Variable) -> tuple[list[Apply], list[Apply]]:
        """Let everything that read `old` read `new`.

        `new` may be an expression over variables of this graph; its applies are taken in.
        Returns the applies that were removed because nothing reads them any more, and those
        that were added.  Raises TypeMismatchError if dtype or rank would change.
        """
        if (old.dtype, old.ndim) != (new.dtype, new.ndim):
            raise TypeMismatchError(
                f"{old!r} cannot become {new!r}: its type would change.",
                expected=str(old.type),
                got=str(new.type),
            )
        if old is new:
            return [], []
        readers = self.clients(old)
        added = walk([new], stop=self._held)
        for node in added:
            self._insert(node)
        if new.name is None:
            new.name = old.name
        for reader, port in readers:
            self._disconnect(reader, port)
            if isinstance(reader, Apply):
                inputs = list(reader.inputs)
                inputs[port] = new
                reader.inputs = tuple(inputs)
            self._connect(new, reader, port)
        if old.owner is not None:
            for node in added:
                node.line = old.owner.line
        removed = self._prune(old)
        born = old.born.union(*(n.origins for n in removed))
        for node in added:
            node.origins |= born
        return removed, [n for n in added if n in self.network]

    # To NetworkX and back; filled in by the floor that knows all leaves.

    def to_networkx(self, *, with_variables: bool = False) -> nx.MultiDiGraph[Any]:
        """A plain graph for NetworkX's own functions, whose attributes JSON can hold.

        with_variables: keep the inputs and shared variables themselves, as the attribute
            `variable` of their nodes, and not the values of the shared ones.

        What nodes and edges look like is told in `engine.network`.

        >>> import networkx as nx
        >>> import engine.tensor as T
        >>> x = T.dscalar("x")
        >>> graph = Graph([x], [T.exp(x) + x]).to_networkx()
        >>> nx.dag_longest_path(graph)
        ['input_0', 'exp_1', 'add_2', 'output_3']
        >>> Graph.from_networkx(graph).outputs
        [<float64 ()>]
        """
        return Graph.written(self, with_variables)

    @classmethod
    def from_networkx(cls, network: nx.MultiDiGraph[Any]) -> Graph:
        """The graph that `to_networkx` gave, or that somebody else wrote in the same form.

        Everything is checked, and nothing is run.  Nodes may be called anything; attributes that
        are not known are the caller's own.  What does not lead to an output is left out.  Shared
        variables and inputs are new ones, unless a node has its `variable`.

        Raises GraphError, TypeMismatchError, ShapeError or ParameterError, naming node and port.
        """
        return Graph.read(network)

    written: ClassVar[Callable[[Graph, bool], nx.MultiDiGraph[Any]]]
    read: ClassVar[Callable[[nx.MultiDiGraph[Any]], Graph]]

    # The multigraph; nobody else touches it.

    def _held(self, variable: Variable) -> bool:
        return variable in self.network or variable.owner in self.network

    def _insert(self, node: Apply) -> None:
        node.id = next(self._ids)
        self.network.add_node(node)
        for port, v in enumerate(node.inputs):
            self._connect(v, node, port)

    def _connect(self, variable: Variable, reader: Apply | Sink, port: int) -> None:
        self.network.add_edge(self._source(variable), reader, key=port, variable=variable)

    def _source(self, variable: Variable) -> Any:
        # A computed variable that is itself an input of the graph is a leaf here.
        leaf = variable.owner is None or variable in self.network
        return variable if leaf else variable.owner

    def _edge_into(self, reader: Apply | Sink, port: int) -> tuple[Any, Variable]:
        for source in self.network.predecessors(reader):
            edge = self.network.get_edge_data(source, reader, port)
            if edge is not None:
                return source, edge["variable"]
        raise KeyError(port)

    def _read(self, reader: Apply | Sink, port: int) -> Variable:
        return self._edge_into(reader, port)[1]

    def _disconnect(self, reader: Apply | Sink, port: int) -> None:
        if isinstance(reader, Apply):
            source = self._source(reader.inputs[port])
        else:
            source, _ = self._edge_into(reader, port)
        self.network.remove_edge(source, reader, key=port)

    def _prune(self, variable: Variable) -> list[Apply]:
        removed: list[Apply] = []
        stack: list[Any] = [variable if variable.owner is None else variable.owner]
        given = set(self.inputs)
        while stack:
            node = stack.pop()
            # Whether there is a reader, not how many: a leaf may have very many.
            if node not in self.network or node in given:
                continue
            if next(self.network.successors(node), None) is not None:
                continue
            if isinstance(node, Apply):
                removed.append(node)
                sources = list(self.network.predecessors(node))
            else:
                sources = []
            self.network.remove_node(node)
            stack.extend(sources)
        return removed
