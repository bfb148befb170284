"""Casts."""

from __future__ import annotations

import numpy as np

from engine.expression import Apply, Variable
from engine.ops.logic import cast
from engine.rewrite.phases import canonicalize
from engine.rewrite.view import View


@canonicalize.computed(["cast"], example=lambda x: cast(x, "float64"))
def cast_to_own_dtype(node: Apply, view: View) -> Variable | None:
    """What has the dtype already needs no cast."""
    return node.inputs[0] if node.inputs[0].dtype == node.out.dtype else None


@canonicalize.computed(["cast"], example=lambda x: cast(cast(x, "complex128"), "complex64"))
def cast_once(node: Apply, view: View) -> Variable | None:
    """A cast to a dtype that holds every value changes nothing before the next cast."""
    inner = node.inputs[0].owner
    if inner is None or inner.op is not cast:
        return None
    x = inner.inputs[0]
    return cast(x, node.out.dtype) if np.can_cast(x.dtype, inner.out.dtype, "safe") else None
