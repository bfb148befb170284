"""Values that are known before anything runs: those of constants, of lengths, and what follows.

The shape of `zeros((x.shape[0], 3))` depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import EngineError
from engine.expression import Apply, Constant, Variable
from engine.types import DISCRETE, TensorType

KNOWN_SIZE = 64
"""The most elements of a value that is followed through a graph before it runs."""


def known_value(v: Variable, depth: int = 12) -> Any:
    """What a small variable holds, as an array, where constants and known lengths say so.

    Beyond constants only integers are followed.
    """
    if isinstance(v, Constant):
        return v.data if v.data.size <= KNOWN_SIZE else None
    node = v.owner
    if node is None or not depth or v.dtype not in DISCRETE:
        return None
    if node.op.from_shape:
        return value_from_shapes(node, [t.type for t in node.inputs])
    if len(node.inputs) > 4:
        return None
    shape = node.inputs[0].owner if node.op.name == "subtensor" else None
    if shape is not None and shape.op.name == "shape" and len(node.inputs) == 1:
        return _known_lengths(shape.inputs[0].type, node)
    values = [known_value(t, depth - 1) for t in node.inputs]
    return value_from_values(node, values, v.type)


def _known_lengths(x: TensorType, part: Apply) -> Any:
    """Of `x.shape[i]`, for which the lengths of the other axes need not be known."""
    lengths = np.asarray(part.op.evaluate(np.array(x.shape, dtype=object), **part.params))
    return None if None in lengths.ravel().tolist() else lengths.astype("int64")


def value_from_shapes(node: Apply, types: Sequence[TensorType]) -> Any:
    """The value of an op that reads only shapes; None where they are not all known."""
    if any(None in t.shape for t in types):
        return None
    shapes = [tuple(n or 0 for n in t.shape) for t in types]
    stand_ins = [
        np.broadcast_to(np.zeros((), t.dtype), s) for t, s in zip(types, shapes, strict=True)
    ]
    value = np.asarray(node.op.evaluate(*stand_ins, **node.params))
    return value if value.size <= KNOWN_SIZE else None


def value_from_values(node: Apply, values: Sequence[Any], type: TensorType) -> Any:
    """The value, of the given type, of an integer expression.

    None where one of its inputs is not known, or where it is not small.
    """
    op = node.op
    computable = op.numpy is not None and not op.higher_order and len(node.outputs) == 1
    if not computable or not values or any(v is None for v in values):
        return None
    if type.dtype not in DISCRETE or math.prod(n or 1 for n in type.shape) > KNOWN_SIZE:
        return None
    try:
        value = np.asarray(op.evaluate(*values, **node.params)).astype(node.out.dtype)
    except (EngineError, ValueError, IndexError, ArithmeticError):
        return None  # it will be an error when it runs, if it ever does
    return value if value.size <= KNOWN_SIZE else None
