"""The film of a rewriting: every step with its law and reason, and every frame in between.

A film keeps the graph as it was at first and what each step added, removed and rewired.  Frames,
texts and costs are made from that when they are asked for, without running any rule again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from engine.errors import RewriteError
from engine.expression import Apply, Line, Variable
from engine.graph import Graph, Sink
from engine.op import Op
from engine.printing.formula import CUT, pp
from engine.rewrite.cost import cost
from engine.rewrite.explain import explain
from engine.types import TensorType

SHOWN = 12
DEPTH = 3
"""An expression of more applies than SHOWN is printed down to DEPTH; an ellipsis is the rest."""


@dataclass(frozen=True)
class Place:
    """A result of an apply of the film: the id of the apply and which of its results."""

    node: int
    index: int = 0


Source = Place | Variable
"""Where a value comes from: an apply, or a leaf."""


@dataclass(frozen=True)
class Frozen:
    """An apply as it was at one moment."""

    id: int
    op: Op
    params: Mapping[str, Any]
    inputs: tuple[Source, ...]
    types: tuple[TensorType, ...]
    names: tuple[str | None, ...]
    origins: frozenset[str]
    line: Line | None = None


@dataclass(frozen=True)
class Wire:
    """An input that was connected anew: of an apply by its id, or of the graph's output."""

    reader: int | None
    port: int
    source: Source


@dataclass
class Frame:
    """The graph between two steps: its applies by id, and where its outputs come from."""

    nodes: dict[int, Frozen]
    outputs: list[Source]


@dataclass(frozen=True, eq=False)
class RewriteStep:
    """One law applied once.

    phase, rule, why, tags: which law, for what reason, and what it may hide.
    removed, added: ids of the applies that went and came.
    nodes_before, nodes_after: how many applies the graph had.  seconds: how long it took.
    old, new: what was replaced, and by what.  nodes: the applies that came.
    wires: the inputs that read `new` from then on.
    inside: the film of the block of a loop or the like, where the step is that it was rewritten.
    position: of the step on its film.
    """

    phase: str
    rule: str
    why: str
    tags: frozenset[str]
    removed: tuple[int, ...]
    added: tuple[int, ...]
    nodes_before: int
    nodes_after: int
    seconds: float
    old: Source
    new: Source
    nodes: tuple[Frozen, ...] = field(repr=False)
    wires: tuple[Wire, ...] = field(repr=False)
    film: Film = field(repr=False)
    position: int
    inside: Film | None = field(default=None, repr=False)

    @property
    def before(self) -> str:
        """The expression that was replaced."""
        return self.film.text(self.position, self.old)

    @property
    def after(self) -> str:
        """What it was replaced by."""
        return self.film.text(self.position + 1, self.new)

    @property
    def before_tex(self) -> str:
        """The expression that was replaced, as TeX."""
        return self.film.text(self.position, self.old, tex=True)

    @property
    def after_tex(self) -> str:
        """What it was replaced by, as TeX."""
        return self.film.text(self.position + 1, self.new, tex=True)

    @property
    def cost_before(self) -> int:
        """The estimated cost of the graph before the step."""
        return self.film.cost(self.position)

    @property
    def cost_after(self) -> int:
        """The estimated cost of the graph after the step."""
        return self.film.cost(self.position + 1)

    def __str__(self) -> str:
        return f"{self.phase}: {self.rule}: {self.before}  →  {self.after}"


class Film(Sequence[RewriteStep]):
    """The steps of a rewriting in order.

    inputs: the variables that the graph is given.  kept: whether the steps are there to be seen.
    taken: how many there were; total: those inside of loops and the like counted too.
    warnings: rules that failed and were left out, phases that were cut short; usually empty.

    Raises RewriteError where a frame is asked for and the film was not kept.
    """

    def __init__(self, graph: Graph, *, kept: bool = True) -> None:
        self.inputs = list(graph.inputs)
        self.kept = kept
        self.taken = 0
        self.total = 0
        self.warnings: list[str] = []
        self._start = Frame({}, [])
        if kept:
            nodes = {node.id: freeze(node) for node in graph.applies}
            self._start = Frame(nodes, [place(v) for v in graph.outputs])
        self._steps: list[RewriteStep] = []
        self._screen = _Screen(self._start)
        self._cast = _Cast(self)

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, position: int) -> RewriteStep: ...
    @overload
    def __getitem__(self, position: slice) -> list[RewriteStep]: ...
    def __getitem__(self, position: int | slice) -> RewriteStep | list[RewriteStep]:
        return self._steps[position]

    def __iter__(self) -> Iterator[RewriteStep]:
        return iter(self._steps)

    def add(self, step: RewriteStep) -> None:
        """Put a step at the end."""
        self._steps.append(step)

    def films(self) -> Iterator[tuple[tuple[int, ...], Film]]:
        """This film and those inside of its steps, each with the positions that lead there."""
        waiting: list[tuple[tuple[int, ...], Film]] = [((), self)]
        while waiting:
            path, film = waiting.pop()
            yield path, film
            waiting += [
                ((*path, step.position), step.inside)
                for step in reversed(film._steps)
                if step.inside is not None
            ]

    def frame(self, position: int) -> Frame:
        """The graph before the step at `position`; after the last one for `len(film)`."""
        frame = self._at(position)
        return Frame(dict(frame.nodes), list(frame.outputs))

    def graph(self, position: int) -> Graph:
        """The frame at `position` as a graph that can be run, drawn or rewritten on its own.

        Its inputs are those of the graph that was rewritten; its applies get ids of their own.
        """
        frame = self._at(position)
        return Graph(self.inputs, _built(frame))

    def text(self, position: int, source: Source, *, tex: bool = False) -> str:
        """An expression of the frame at `position`, cut short where it goes deep.

        tex: as TeX, for a formula.
        """
        return pp(_expression(self._at(position), source), tex=tex)

    def cost(self, position: int) -> int:
        """The estimated cost of the frame at `position`, in elementary operations (see cost.py).

        Each apply is estimated once, as it was when it came into the graph.
        """
        self._at(position)
        return self._cast.costs[position]

    def cost_of(self, id: int) -> int:
        """The estimated cost of an apply of the film by its id."""
        return self._cast.cost_of[id]

    def leaf_id(self, leaf: Variable) -> int:
        """A number for a variable that is not computed: inputs first, then in order of use."""
        return self._cast.leaves[leaf]

    def explain(self) -> str:
        """The film as text for people: each step with what happened and why, and a summary."""
        return explain(self)

    def _at(self, position: int) -> Frame:
        """The frame at a position, reached from the one asked for last."""
        if not self.kept:
            raise RewriteError(
                "The film was not kept.", hint="Rewrite once more: optimize(graph, film=True)."
            )
        if not 0 <= position <= len(self._steps):
            raise IndexError(f"The film has frames 0 to {len(self._steps)}.")
        return self._screen.show(self._steps, position)


def place(v: Variable) -> Source:
    """Where a variable of a graph comes from."""
    return v if v.owner is None or v.owner.id < 0 else Place(v.owner.id, v.index)


def freeze(node: Apply) -> Frozen:
    """An apply as it is now."""
    return Frozen(
        node.id,
        node.op,
        node.params,
        tuple(map(place, node.inputs)),
        tuple(v.type for v in node.outputs),
        tuple(v.name for v in node.outputs),
        node.origins,
        node.line,
    )


def wires(readers: Iterable[tuple[Apply | Sink, int]], source: Source) -> tuple[Wire, ...]:
    """The readers as they are once they read `source`."""
    return tuple(
        Wire(r.id, port, source) if isinstance(r, Apply) else Wire(None, r.position, source)
        for r, port in readers
    )


class _Screen:
    """One frame of a film, wound forwards and backwards."""

    def __init__(self, start: Frame) -> None:
        self._frame = Frame(dict(start.nodes), list(start.outputs))
        self._undo: list[tuple[dict[int, Frozen | None], dict[int, Source]]] = []

    def show(self, steps: Sequence[RewriteStep], position: int) -> Frame:
        """The frame before the step at a position."""
        while len(self._undo) > position:
            self._back()
        for step in steps[len(self._undo) : position]:
            self._advance(step)
        return self._frame

    def _advance(self, step: RewriteStep) -> None:
        nodes, outputs = self._frame.nodes, self._frame.outputs
        were: dict[int, Frozen | None] = {}
        read: dict[int, Source] = {}
        for node in step.nodes:
            were[node.id] = None
            nodes[node.id] = node
        for wire in step.wires:
            if wire.reader is None:
                read.setdefault(wire.port, outputs[wire.port])
                outputs[wire.port] = wire.source
                continue
            node = nodes[wire.reader]
            were.setdefault(node.id, node)
            inputs = (*node.inputs[: wire.port], wire.source, *node.inputs[wire.port + 1 :])
            nodes[node.id] = replace(node, inputs=inputs)
        for id in step.removed:
            were.setdefault(id, nodes[id])
            del nodes[id]
        self._undo.append((were, read))

    def _back(self) -> None:
        were, read = self._undo.pop()
        for id, node in were.items():
            if node is None:
                self._frame.nodes.pop(id, None)
            else:
                self._frame.nodes[id] = node
        for port, source in read.items():
            self._frame.outputs[port] = source


class _Cast:
    """All that a film ever shows: what each apply and frame costs, and numbers of the leaves."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._types: dict[int, tuple[TensorType, ...]] = {}
        self._cost_of: dict[int, int] = {}
        self._costs: list[int] = []
        self._leaves = {v: i for i, v in enumerate(film.inputs)}

    @property
    def leaves(self) -> dict[Variable, int]:
        """The numbers of the leaves."""
        self._look()
        return self._leaves

    @property
    def costs(self) -> list[int]:
        """The cost of each frame."""
        self._look()
        return self._costs

    @property
    def cost_of(self) -> dict[int, int]:
        """The cost of each apply by its id."""
        self._look()
        return self._cost_of

    def _look(self) -> None:
        """Take in the steps that are new."""
        if not self._costs:
            start = self._film._start
            self._costs.append(self._enter(start.nodes.values()))
            self._number(start.outputs)
        for step in self._film._steps[len(self._costs) - 1 :]:
            more = self._enter(step.nodes)
            less = sum(self._cost_of[id] for id in step.removed)
            self._number((step.old, step.new))
            self._costs.append(self._costs[-1] + more - less)

    def _enter(self, nodes: Iterable[Frozen]) -> int:
        nodes = list(nodes)
        self._types.update((node.id, node.types) for node in nodes)
        for node in nodes:
            self._number(node.inputs)
            self._cost_of[node.id] = cost(_apply(node, list(map(self._leaf, node.inputs))))
        return sum(self._cost_of[node.id] for node in nodes)

    def _number(self, sources: Iterable[Source]) -> None:
        for source in sources:
            if isinstance(source, Variable):
                self._leaves.setdefault(source, len(self._leaves))

    def _leaf(self, source: Source) -> Variable:
        if isinstance(source, Variable):
            return source
        return Variable(self._types[source.node][source.index])


def _apply(node: Frozen, inputs: Sequence[Variable]) -> Apply:
    apply = Apply(node.op, inputs, node.params, node.types, node.origins, node.line)
    for v, name in zip(apply.outputs, node.names, strict=True):
        v.name = name
    return apply


def _built(frame: Frame) -> list[Variable]:
    """The outputs of a frame as expressions."""
    made: dict[int, Apply] = {}

    def variable(source: Source) -> Variable:
        return source if isinstance(source, Variable) else made[source.node].outputs[source.index]

    stack = [s.node for s in frame.outputs if isinstance(s, Place)]
    while stack:
        node = frame.nodes[stack[-1]]
        lacking = [s.node for s in node.inputs if isinstance(s, Place) and s.node not in made]
        if node.id in made or not lacking:
            stack.pop()
        if node.id not in made and not lacking:
            made[node.id] = _apply(node, list(map(variable, node.inputs)))
        stack += lacking
    return list(map(variable, frame.outputs))


def _expression(frame: Frame, source: Source) -> Variable:
    """A free expression of what lies near `source`, for printing.

    It is a tree: a part that is read twice is there twice, so that nothing printed is too long.
    """
    if isinstance(source, Variable):
        return source
    tree = [_Branch(source)]
    for branch in tree:
        if len(tree) > SHOWN and branch.depth > DEPTH:
            continue
        node = frame.nodes[branch.place.node]
        for port, s in enumerate(node.inputs):
            if isinstance(s, Place):
                branch.below[port] = _Branch(s, branch.depth + 1)
                tree.append(branch.below[port])
        branch.node = node
    for branch in reversed(tree):
        branch.made = _made(frame, branch)
    return tree[0].made


def _made(frame: Frame, branch: _Branch) -> Variable:
    place, node = branch.place, branch.node
    if node is None:  # what is not shown is called by its name, if it has one
        hidden = frame.nodes[place.node]
        return Variable(hidden.types[place.index], name=hidden.names[place.index] or CUT)
    inputs = [
        s if isinstance(s, Variable) else branch.below[port].made
        for port, s in enumerate(node.inputs)
    ]
    return _apply(node, inputs).outputs[place.index]


class _Branch:
    """One occurrence of an apply in a printed tree."""

    __slots__ = ("below", "depth", "made", "node", "place")

    def __init__(self, place: Place, depth: int = 0) -> None:
        self.place = place
        self.depth = depth
        self.node: Frozen | None = None
        self.below: dict[int, _Branch] = {}
        self.made: Variable
