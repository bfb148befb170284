"""A graph as one op: kept together for its name, for a gradient of its own, or to be run anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from engine.errors import EngineError, NullGradientError
from engine.expression import OPS, Apply, Block, Variable, certain, leaves
from engine.inference import infer_block
from engine.makers import zero_gradient
from engine.op import Op, Param, Port, untested
from engine.types import DISCRETE, TensorType

CATEGORY = "Control"
Pullback = Callable[[Mapping[Variable, Variable], Sequence[Variable]], list[Variable | None]]


def _block_type(
    *inputs: TensorType, block: Block, known: Sequence[Any], **params: Any
) -> tuple[TensorType, ...]:
    return tuple(infer_block(block, inputs, known))


def _block_value(
    ready: Callable[[Block], Callable[[Sequence[Any]], Sequence[Any]]],
    *inputs: Any,
    block: Block,
    **params: Any,
) -> Any:
    results = tuple(ready(block)(inputs))
    return results if len(results) > 1 else results[0]


def _block_gradient(
    op: str,
    pullback: Pullback,
    wanted: Sequence[bool],
    gs: Sequence[Variable | None],
    ys: Sequence[Variable],
    *inputs: Variable,
    block: Block,
    **params: Any,
) -> list[Variable | None]:
    """The gradient as another op of the kind, which computes what it needs of the graph anew."""
    facts = {k: v for k, v in params.items() if k == "inline"}
    facts["name"] = f"grad_of_{params['name']}" if params["name"] else None
    given = params.get("gradient")
    if given is not None:
        for i in params["undefined"]:
            if wanted[i]:
                raise NullGradientError(
                    f"There is no gradient by {block.inputs[i]!r}: it was overridden as undefined.",
                    node=params["name"],
                    hint="Keep this op out of the cost, or list its result in consider_constant.",
                )
        flows = [zero_gradient(y) if g is None else g for g, y in zip(gs, ys, strict=True)]
        own = OPS[op].each([*inputs, *flows], block=given, **facts)
        found = dict(zip(params["through"], own, strict=True))
        return [found.get(i) for i in range(len(inputs))]
    seeds: dict[Variable, Variable] = {}
    arguments = dict(zip(block.inputs, inputs, strict=True))
    sources = [v for v, want in zip(block.inputs, wanted, strict=True) if want]
    with untested():
        for v, g in zip(block.outputs, gs, strict=True):
            if g is not None and v.dtype not in DISCRETE:
                slope = Variable(g.type)
                arguments[slope] = g
                seeds[v] = seeds[v] + slope if v in seeds else slope
        slopes = dict(zip(sources, pullback(seeds, sources), strict=True))
    outputs = {v: g for v, g in slopes.items() if g is not None}
    if not outputs:
        return [None] * len(inputs)
    used = leaves(outputs.values())
    read = [v for v in arguments if v in used]
    backward = Block(tuple(read), tuple(outputs.values()))
    own = OPS[op].each([arguments[v] for v in read], block=backward, **facts)
    results = dict(zip(outputs, own, strict=True))
    return [results.get(v) for v in block.inputs]


def _expanded(*inputs: Variable, block: Block, **params: Any) -> list[Variable]:
    needed = certain(block.outputs, set(block.inputs).__contains__)
    new = dict(zip(block.inputs, inputs, strict=True))
    for node in block.applies():
        arguments = [new.get(v, v) for v in node.inputs]
        try:
            copy = node.op.apply(arguments, node.params)
        except EngineError:
            if node in needed:
                raise
            # In a branch that may never be taken.
            copy = Apply(node.op, arguments, node.params, [v.type for v in node.outputs])
        new.update(zip(node.outputs, copy.outputs, strict=True))
    return [new.get(v, v) for v in block.outputs]


PORTS = (Port("inputs", "what the graph is of", variadic=True),)
BLOCK = Param("block", "graph", None, "the graph")
NAME = Param("name", "string", None, "what people call it")
SHARED: dict[str, Any] = {
    "category": CATEGORY,
    "method": False,
    "hidden": True,
    "ports": PORTS,
    "infer": _block_type,
    "numpy": _block_value,
    "reads_values": True,
    "higher_order": True,
    "conjugates": False,
}

op_from_graph = Op(
    name="op_from_graph",
    symbol="▣",
    doc="A graph as one op, which may have a gradient of its own.",
    params=(
        BLOCK,
        Param("gradient", "graph", None, "of the inputs and the results' gradients: the inputs'"),
        Param("through", "ints", (), "the numbers of the inputs to which that gradient leads"),
        Param("undefined", "ints", (), "the numbers of the inputs by which there is no gradient"),
        Param("inline", "bool", False, "whether it is replaced by its graph when it is compiled"),
        NAME,
    ),
    grad=partial(_block_gradient, "op_from_graph"),
    expand=_expanded,
    **SHARED,
)

checkpoint = Op(
    name="checkpoint",
    symbol="⚑",
    doc="A graph of which only the results are kept; its gradient computes the rest once more.",
    params=(BLOCK, NAME),
    grad=partial(_block_gradient, "checkpoint"),
    **SHARED,
)
