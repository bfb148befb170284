"""The film of a rewriting: every step with its law and reason, and every frame in between.

A film keeps the graph as it was at first and what each step added, removed and rewired.  Frames
and texts are made from that, without running any rule again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from engine.expression import Apply, Variable
from engine.graph import Graph, Sink
from engine.op import Op
from engine.printing.formula import pp
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

    phase, rule, why: which law and for what reason.  removed, added: ids of the applies that went
    and came.  nodes_before, nodes_after: how many applies the graph had.  seconds: how long it
    took.  before, after: the expression that was replaced and its replacement, as text.
    """

    phase: str
    rule: str
    why: str
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

    @property
    def before(self) -> str:
        """The expression that was replaced."""
        return self.film.text(self.position, self.old)

    @property
    def after(self) -> str:
        """What it was replaced by."""
        return self.film.text(self.position + 1, self.new)

    def __str__(self) -> str:
        return f"{self.phase}: {self.rule}: {self.before}  →  {self.after}"


class Film(Sequence[RewriteStep]):
    """The steps of a rewriting in order.

    warnings: rules that failed and were left out, phases that were cut short; usually empty.
    """

    def __init__(self, graph: Graph) -> None:
        self._start = Frame(
            {node.id: freeze(node) for node in graph.applies}, [place(v) for v in graph.outputs]
        )
        self._steps: list[RewriteStep] = []
        self._frame = self._start
        self._position = -1
        self.warnings: list[str] = []

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

    def frame(self, position: int) -> Frame:
        """The graph before the step at `position`; after the last one for `len(film)`."""
        frame = self._at(position)
        return Frame(dict(frame.nodes), list(frame.outputs))

    def text(self, position: int, source: Source) -> str:
        """An expression of the frame at `position`, cut short where it goes deep."""
        return pp(_expression(self._at(position), source))

    def explain(self) -> str:
        """The film as text: a line for each step, its reason, and what happened."""
        if not self._steps:
            return "Nothing to rewrite."
        lines: list[str] = []
        for i, step in enumerate(self._steps, 1):
            lines += [
                f"{i}. {step.phase}: {step.rule}",
                f"   {step.before}",
                f"   → {step.after}",
                f"   {step.why}",
            ]
        first, last = self._steps[0].nodes_before, self._steps[-1].nodes_after
        lines += self.warnings
        return "\n".join([*lines, f"{first} nodes became {last}."])

    def _at(self, position: int) -> Frame:
        """The frame at a position, reached from the last one asked for if that lies before."""
        if not 0 <= position <= len(self._steps):
            raise IndexError(f"The film has frames 0 to {len(self._steps)}.")
        if position < self._position or self._position < 0:
            self._frame = Frame(dict(self._start.nodes), list(self._start.outputs))
            self._position = 0
        for step in self._steps[self._position : position]:
            _advance(self._frame, step)
        self._position = position
        return self._frame


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
    )


def wires(readers: Iterable[tuple[Apply | Sink, int]], source: Source) -> tuple[Wire, ...]:
    """The readers as they are once they read `source`."""
    return tuple(
        Wire(r.id, port, source) if isinstance(r, Apply) else Wire(None, r.position, source)
        for r, port in readers
    )


def _advance(frame: Frame, step: RewriteStep) -> None:
    for node in step.nodes:
        frame.nodes[node.id] = node
    for wire in step.wires:
        if wire.reader is None:
            frame.outputs[wire.port] = wire.source
            continue
        node = frame.nodes[wire.reader]
        inputs = (*node.inputs[: wire.port], wire.source, *node.inputs[wire.port + 1 :])
        frame.nodes[wire.reader] = Frozen(
            node.id, node.op, node.params, inputs, node.types, node.names, node.origins
        )
    for id in step.removed:
        del frame.nodes[id]


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
    node = branch.node
    if node is None:
        types = frame.nodes[branch.place.node].types
        return Variable(types[branch.place.index], name="…")
    inputs = [
        s if isinstance(s, Variable) else branch.below[port].made
        for port, s in enumerate(node.inputs)
    ]
    apply = Apply(node.op, inputs, node.params, node.types)
    for v, name in zip(apply.outputs, node.names, strict=True):
        v.name = name
    return apply.outputs[branch.place.index]


class _Branch:
    """One occurrence of an apply in a printed tree."""

    __slots__ = ("below", "depth", "made", "node", "place")

    def __init__(self, place: Place, depth: int = 0) -> None:
        self.place = place
        self.depth = depth
        self.node: Frozen | None = None
        self.below: dict[int, _Branch] = {}
        self.made: Variable
