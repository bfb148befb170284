"""From the shapes of what goes into a graph to the types of everything inside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import EngineError
from engine.graph import Apply, Graph, Variable, walk
from engine.op import known_value, value_from_shapes, value_from_values
from engine.types import TensorType


def infer_types(
    graph: Graph, shapes: Mapping[Variable, tuple[int, ...]]
) -> dict[Variable, TensorType]:
    """The type of every variable of the graph once the lengths of its leaves are known.

    `shapes` has the shape of each input and shared variable.  A length stays None where it
    depends on values.  Which axes stretch does not change: a matrix that happens to have one row
    is still no row.  Raises what the ops raise (ShapeError, IndexOutOfRangeError, ...), except
    in branches that may never be taken, which keep what was known of them.
    """
    types: dict[Variable, TensorType] = {}
    values: dict[Variable, Any] = {}
    for v in graph.leaves():
        types[v] = TensorType(v.dtype, shapes.get(v, v.type.shape), v.broadcastable)
        values[v] = known_value(v)
    certain = set(walk_certain(graph))
    for node in graph.toposort():
        given = [types[v] for v in node.inputs]
        known = [values.get(v) for v in node.inputs]
        try:
            results = node.op.types(given, node.params, known)
        except EngineError as error:
            if node in certain:
                raise node.located(error) from None
            results = tuple(v.type for v in node.outputs)
        for v, t in zip(node.outputs, results, strict=True):
            types[v] = TensorType(t.dtype, t.shape, v.broadcastable)
        if node.op.from_shape:
            values[node.out] = value_from_shapes(node, given)
        else:
            for v in node.outputs[:1]:
                values[v] = value_from_values(node, known, types[v])
    return types


def walk_certain(graph: Graph) -> list[Apply]:
    """The applies that every run computes: those not only inside branches of lazy ops."""
    reached = list(graph.outputs)
    order: dict[Apply, None] = {}
    while reached:
        for node in walk(
            reached, stop=lambda v: v.owner is not None and v.owner.op.lazy is not None
        ):
            order[node] = None
        lazy = [v.owner for v in _reads(reached, order) if v.owner is not None and v.owner.op.lazy]
        reached = []
        for node in dict.fromkeys(lazy):
            if node not in order:
                order[node] = None
                reached.append(node.inputs[0])
    return list(order)


def _reads(outputs: list[Variable], order: dict[Apply, None]) -> list[Variable]:
    return [*outputs, *(v for node in order if not node.op.lazy for v in node.inputs)]
