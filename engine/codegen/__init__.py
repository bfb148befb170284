"""From graphs to machines: one folder per target.

`numpy` is the reference and runs at once; `cpu` compiles a graph to native kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine import collector
from engine.errors import CompileError, EngineError
from engine.expression import Variable
from engine.graph import Graph
from engine.inference import infer_types
from engine.types import TensorType

if TYPE_CHECKING:
    from engine.codegen.minibatches import Batches
    from engine.codegen.native import Native, Progress


@collector.waiting()
def compile_graph(
    graph: Graph,
    shapes: Mapping[Variable, tuple[int, ...]],
    *,
    updates: Mapping[Variable, int] | None = None,
    record: int | None = None,
    progress: Progress | None = None,
    lending: bool = False,
    batches: Batches | None = None,
) -> Native:
    """Compile a graph for inputs of the given shapes.

    shapes: the shape of every input and shared variable.  updates: for leaves that change with
    each pass, the number of the output that is the next value.  record: the number of the
    output whose value a Ring gets after each pass.  progress: is told how many of how many
    kernels are ready.  lending: whether large inputs and outputs lie in memory that is named before
    each pass: see `engine.codegen.exchange`.  batches: inputs that get other rows of their data
    before each pass of `Native.run`; their shapes are those of a batch.

    Raises ShapeError where shapes do not fit together, and CompileError, naming the op and its
    canvas node, where something has no native kernel; then `engine.codegen.numpy` runs it.
    """
    from engine.codegen.native import Native

    types = infer_types(graph, shapes)
    if any(v.owner and v.owner.op.regular and None in t.shape for v, t in types.items()):
        try:
            types = infer_types(graph, shapes, regular=True)
        except EngineError as error:
            raise CompileError(
                f"The length of a slice is not known before it runs; it runs in NumPy: {error}",
                node=error.node,
            ) from error
    for v in (*graph.inputs, *(updates or {})):  # also those that nothing depends on
        types.setdefault(v, TensorType(v.dtype, shapes.get(v, v.type.shape), v.broadcastable))
    return Native(graph, types, updates or {}, record, progress, lending, batches)
