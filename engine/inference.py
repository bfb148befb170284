"""From the shapes of what goes into a graph to the types of everything inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import EngineError
from engine.expression import Apply, Block, Constant, Variable, certain
from engine.graph import Graph
from engine.known import known_value, value_from_shapes, value_from_values
from engine.types import TensorType


def infer_types(
    graph: Graph, shapes: Mapping[Variable, tuple[int, ...]], regular: bool = False
) -> dict[Variable, TensorType]:
    """The type of every variable of the graph once the lengths of its leaves are known.

    `shapes` has the shape of each input and shared variable.  A length stays None where it
    depends on values.  Which axes stretch does not change: a matrix that happens to have one row
    is still no row.  regular: whether slices are taken to lie on their axes as a whole, so that
    the length of `x[i:i + 20]` is known.  Raises what the ops raise (ShapeError,
    IndexOutOfRangeError, ...), except in branches that may never be taken, which keep what was
    known of them.
    """
    types: dict[Variable, TensorType] = {}
    values: dict[Variable, Any] = {}
    for v in graph.leaves():
        types[v] = TensorType(v.dtype, shapes.get(v, v.type.shape), v.broadcastable)
        values[v] = known_value(v)
    _infer(graph.toposort(), certain(graph.outputs, graph.is_given), types, values, regular)
    return types


def infer_block(
    block: Block, types: Sequence[TensorType], known: Sequence[Any] = ()
) -> list[TensorType]:
    """The types of what a block computes, given those of its inputs and, where known, values."""
    inferred = infer_inside(block, types, known)
    return [inferred[v] for v in block.outputs]


def infer_inside(
    block: Block, types: Sequence[TensorType], known: Sequence[Any] = ()
) -> dict[Variable, TensorType]:
    """The type of every variable in a block, given what `infer_block` is given."""
    inferred = {
        v: TensorType(t.dtype, t.shape, v.broadcastable)
        for v, t in zip(block.inputs, types, strict=True)
    }
    values = dict(zip(block.inputs, known, strict=False))
    order = block.applies()
    for v in (*(v for node in order for v in node.inputs), *block.outputs):
        if isinstance(v, Constant) and v not in inferred:
            inferred[v] = v.type
            values[v] = known_value(v)
    given = set(block.inputs)
    _infer(order, certain(block.outputs, given.__contains__), inferred, values)
    return inferred


def _infer(
    order: Sequence[Apply],
    needed: set[Apply],
    types: dict[Variable, TensorType],
    values: dict[Variable, Any],
    regular: bool = False,
) -> None:
    """Fill in the types, and small integer values, of what the applies compute."""
    for node in order:
        given = [types[v] for v in node.inputs]
        known = [values.get(v) for v in node.inputs]
        try:
            results = node.op.types(given, node.params, known)
            if regular and node.op.regular is not None and None in results[0].shape:
                results = (node.op.regular(node.inputs, given, values.get, **node.params),)
        except EngineError as error:
            if node in needed:
                raise node.located(error) from None
            results = tuple(v.type for v in node.outputs)
        for v, t in zip(node.outputs, results, strict=True):
            types[v] = TensorType(t.dtype, t.shape, v.broadcastable)
        if node.op.from_shape:
            values[node.out] = value_from_shapes(node, given)
        else:
            for v in node.outputs[:1]:
                values[v] = value_from_values(node, known, types[v])
