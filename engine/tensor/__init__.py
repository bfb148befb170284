"""Theano's `tensor`: typed constructors, and every op under its name.

`dmatrix("x")`, `dmatrices("x", "y")`, `scalar("a")`, `TensorType("float32", (None, 3))("t")`;
the ops come from the records in `engine/ops/`, under their names and aliases.  Theano's
submodules (`T.nnet`, `T.signal.pool`, ...) are the modules in this folder, found by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import engine.ops  # noqa: F401 -- declares the ops
from engine.config import config
from engine.grad import Lop, Rop, grad, hessian, hessian_vector_product, jacobian
from engine.graph import OPS, Variable
from engine.numeric_grad import verify_grad
from engine.ops.changing import inc_subtensor, set_subtensor
from engine.ops.places import ravel_multi_index, unravel_index
from engine.ops.selection import choose, nonzero, to_one_hot
from engine.tensor.basic import (
    as_tensor,
    as_tensor_variable,
    broadcast_arrays,
    broadcast_shape,
    concatenate,
    constant,
    empty,
    full,
    horizontal_stack,
    identity,
    join,
    mgrid,
    ogrid,
    ones,
    split,
    stacklists,
    vertical_stack,
    zeros,
)
from engine.types import KINDS, PREFIXES, TensorType

__all__ = [
    "Lop",
    "Rop",
    "TensorType",
    "as_tensor",
    "as_tensor_variable",
    "broadcast_arrays",
    "broadcast_shape",
    "choose",
    "concatenate",
    "constant",
    "empty",
    "full",
    "grad",
    "hessian",
    "hessian_vector_product",
    "horizontal_stack",
    "identity",
    "inc_subtensor",
    "jacobian",
    "join",
    "mgrid",
    "nonzero",
    "ogrid",
    "ones",
    "ravel_multi_index",
    "set_subtensor",
    "split",
    "stacklists",
    "to_one_hot",
    "unravel_index",
    "verify_grad",
    "vertical_stack",
    "zeros",
]


def _type_named(name: str) -> TensorType | None:
    """The type that a constructor makes: `dmatrix`, or `matrix` for floatX."""
    if name in KINDS:
        return TensorType(config.floatX, KINDS[name])
    if name[:1] in PREFIXES and name[1:] in KINDS:
        return TensorType(PREFIXES[name[0]], KINDS[name[1:]])
    return None


def _several(kind: TensorType) -> Callable[..., list[Variable]]:
    def make(*names: str | int) -> list[Variable]:
        if len(names) == 1 and isinstance(names[0], int):
            return [Variable(kind) for _ in range(names[0])]
        return [Variable(kind, name=str(name)) for name in names]

    return make


def __getattr__(name: str) -> Any:
    kind = _type_named(name)
    if kind is not None:
        return kind
    singular = name[:-3] + "x" if name.endswith("matrices") else name[:-1]
    if name.endswith("s") and (kind := _type_named(singular)) is not None:
        return _several(kind)
    if name in OPS:
        return OPS[name]
    raise AttributeError(f"engine.tensor has no {name!r}.")


def __dir__() -> list[str]:
    return sorted({*__all__, *OPS, *KINDS, *(p + k for p in PREFIXES for k in KINDS)})


for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
