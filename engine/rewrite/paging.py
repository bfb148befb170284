"""A film as JSON for machines, page by page, so that a browser can draw every frame of it.

A page is made of plain values that any JSON can hold.  It is complete by itself: it tells of every
variable that its frame and its steps speak of.

    format, version   which form this is
    path              where the film is: [] for the whole graph's, [12] for what is inside of its
                      step 12, the rewriting of a loop's body
    length, total     how many steps the film has, and how many with those inside of them
    start, next       the position of the first step of this page, and of the next page or null
    frame             the graph before the first step, or null
    leaves            the variables that are not computed: inputs, shared variables, constants
    steps             what happened, in order
    warnings          rules that failed, phases that were cut short

A *source* is where a value comes from: {"leaf": id} or {"node": id, "result": number}.
A *frame* has `nodes`, and the sources of the graph's `outputs`.
A *node* has an id, op, params, inputs (sources), types, names, origins (ids of canvas nodes), cost.
A *step* takes away the nodes that `removed` names after it has put in those of `added` and laid
the `wires`: the port of a reader, a node or null for an output of the graph, to a source.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import ParameterError
from engine.expression import Block, Constant, Variable
from engine.rewrite.explain import accounts
from engine.rewrite.film import Film, Frozen, Place, RewriteStep, Source, Wire
from engine.types import TensorType

FORMAT = "wiregrad-film"
VERSION = 1

ELEMENTS = 16
"""Elements of a constant that are told; a larger one has no data."""

ROOM = 5_000
"""How many nodes and wires the steps of a page may have; one that has more is a page by itself."""

Json = dict[str, Any]


def page(
    film: Film,
    start: int = 0,
    count: int = 50,
    *,
    path: Sequence[int] = (),
    frame: bool = True,
) -> Json:
    """Up to `count` steps of a film from the one at `start`, fewer where they are very large.

    path: the positions of the steps inside of which the film is that is meant.
    frame: whether the graph before the first of them is told too.

    Raises ParameterError where there is no such film or position, and RewriteError for a film
    that was not kept.
    """
    part = film_at(film, path)
    if not 0 <= start <= len(part) or count < 0:
        raise ParameterError(
            f"There is no step {start} in a film of {len(part)}.",
            expected=f"a position from 0 to {len(part)}",
            got=str(start),
        )
    end, room = start, ROOM
    for step in part[start : start + count]:
        room -= len(step.nodes) + len(step.wires)
        if room < 0 and end > start:
            break
        end += 1
    return _page(part, path, start, end, frame)


def pages(film: Film) -> list[Json]:
    """The whole film, and after it each film inside of one of its steps, a page for each."""
    return [_page(part, path, 0, len(part), True) for path, part in film.films()]


def _page(film: Film, path: Sequence[int], start: int, end: int, frame: bool) -> Json:
    writer = _Writer(film)
    return {
        "format": FORMAT,
        "version": VERSION,
        "path": list(path),
        "length": len(film),
        "total": film.total,
        "start": start,
        "next": end if end < len(film) else None,
        "frame": writer.frame(start) if frame else None,
        "steps": [writer.step(step) for step in film[start:end]],
        "leaves": writer.leaves(),
        "warnings": list(film.warnings),
    }


def laws(film: Film) -> list[Json]:
    """What each law did, in the order in which they were first applied; see Account."""
    return [
        {
            "phase": account.phase,
            "rule": account.rule,
            "why": account.why,
            "tags": sorted(account.tags),
            "steps": account.steps,
            "nodes": account.nodes,
            "cost": whole(account.cost),
            "seconds": account.seconds,
        }
        for account in accounts(film)
    ]


def film_at(film: Film, path: Sequence[int]) -> Film:
    """The film inside of the step at each position of the path; ParameterError if there is none."""
    for position in path:
        inside = film[position].inside if 0 <= position < len(film) else None
        if inside is None:
            raise ParameterError(
                f"There is no film inside of step {position}.", got=str(list(path))
            )
        film = inside
    return film


class _Writer:
    """Writes parts of a film and notes the leaves that they speak of."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._leaves: dict[Variable, None] = {}

    def leaves(self) -> list[Json]:
        """The leaves spoken of, in the order of their ids."""
        ids = {v: self._film.leaf_id(v) for v in self._leaves}
        return [self._leaf(v, ids[v]) for v in sorted(ids, key=ids.__getitem__)]

    def frame(self, position: int) -> Json:
        """The graph before a step."""
        frame = self._film.frame(position)
        return {
            "nodes": [self._node(frame.nodes[id]) for id in sorted(frame.nodes)],
            "outputs": list(map(self._source, frame.outputs)),
        }

    def step(self, step: RewriteStep) -> Json:
        """One step."""
        before, before_tex = step.before, step.before_tex
        return {
            "position": step.position,
            "phase": step.phase,
            "rule": step.rule,
            "why": step.why,
            "tags": sorted(step.tags),
            "before": before,
            "after": step.after,
            "before_tex": before_tex,
            "after_tex": step.after_tex,
            "old": self._source(step.old),
            "new": self._source(step.new),
            "removed": list(step.removed),
            "added": list(map(self._node, step.nodes)),
            "wires": list(map(self._wire, step.wires)),
            "nodes_before": step.nodes_before,
            "nodes_after": step.nodes_after,
            "cost_before": whole(step.cost_before),
            "cost_after": whole(step.cost_after),
            "seconds": step.seconds,
            "inside": step.inside.total if step.inside is not None else 0,
        }

    def _node(self, node: Frozen) -> Json:
        return {
            "id": node.id,
            "op": node.op.name,
            "params": plain(node.params),
            "inputs": list(map(self._source, node.inputs)),
            "types": list(map(_type, node.types)),
            "names": list(node.names),
            "origins": sorted(node.origins),
            "cost": whole(self._film.cost_of(node.id)),
        }

    def _wire(self, wire: Wire) -> Json:
        return {"reader": wire.reader, "port": wire.port, "source": self._source(wire.source)}

    def _source(self, source: Source) -> Json:
        if isinstance(source, Place):
            return {"node": source.node, "result": source.index}
        self._leaves[source] = None
        return {"leaf": self._film.leaf_id(source)}

    def _leaf(self, v: Variable, id: int) -> Json:
        constant = isinstance(v, Constant)
        return {
            "id": id,
            "kind": "constant" if constant else "input" if v in self._film.inputs else "shared",
            "name": v.name,
            "type": _type(v.type),
            "data": plain(v.data.tolist())
            if isinstance(v, Constant) and v.data.size <= ELEMENTS
            else None,
            "origins": sorted(v.origins),
        }


def _type(type: TensorType) -> Json:
    return {"dtype": type.dtype, "shape": list(type.shape), "text": str(type)}


SAFE = 2**53
"""Whole numbers from here on are not exact in every JSON reader: they are told as text."""


def plain(value: Any) -> Any:
    """A parameter, or the elements of a constant, as JSON can hold them: no text is cut, NaN and
    infinity are words, and of a graph inside of an op it says how large it is."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -SAFE < value < SAFE else str(value)
        case float():
            return value if math.isfinite(value) else _word(value)
        case complex():
            return {"re": plain(value.real), "im": plain(value.imag)}
        case np.generic():
            return plain(value.item())
        case Block():
            return {"inputs": len(value.inputs), "nodes": len(value.applies())}
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case Iterable():
            return list(map(plain, value))
        case _:
            return type(value).__name__


def _word(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def whole(cost: int) -> int:
    """A cost as a number that is exact in every JSON reader; no graph that runs is so costly."""
    return max(1 - SAFE, min(cost, SAFE - 1))
