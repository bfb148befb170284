"""Expressions computed by every target, held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.expression import Variable
from engine.graph import Graph

Array = np.ndarray[Any, Any]


def computed(
    outputs: Variable | Sequence[Variable], values: Mapping[Variable, Any], *, native: bool = True
) -> Any:
    """What NumPy gives, and kernels too; native: whether the shapes follow from the inputs'."""
    several = not isinstance(outputs, Variable)
    wanted = list(outputs) if not isinstance(outputs, Variable) else [outputs]
    arrays = {v: np.asarray(a, v.dtype) for v, a in values.items()}
    found = interpret(wanted, arrays)
    if native:
        compiled = compile_graph(
            Graph(list(arrays), wanted), {v: a.shape for v, a in arrays.items()}
        )
        for v, array in arrays.items():
            compiled.inputs[v][...] = array
        compiled.call()
        for value, other in zip(found, compiled.outputs, strict=True):
            assert (value.dtype, value.shape) == (other.dtype, other.shape)
            close = 2e-6 if value.dtype in (np.float32, np.complex64) else 1e-13
            np.testing.assert_allclose(other, value, rtol=close, atol=close)
    for v, value in zip(wanted, found, strict=True):
        assert (value.dtype, value.ndim) == (v.dtype, v.ndim)
    return found if several else found[0]
