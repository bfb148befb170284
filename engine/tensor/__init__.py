"""Theano's `tensor`: typed constructors, and every op under its name.

`dmatrix("x")`, `dmatrices("x", "y")`, `scalar("a")`, `TensorType("float32", (None, 3))("t")`;
the ops come from the records in `engine/ops/`, under their names and aliases.  Theano's
submodules (`T.nnet`, `T.signal.pool`, ...) are the modules in this folder, found by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np

import engine.ops  # noqa: F401 -- declares the ops
from engine.config import config
from engine.grad import Lop, Rop, grad, hessian, hessian_vector_product, jacobian
from engine.graph import OPS, Constant, Variable, as_variable
from engine.numeric_grad import verify_grad
from engine.ops.changing import inc_subtensor, set_subtensor
from engine.ops.places import ravel_multi_index, unravel_index
from engine.ops.selection import choose, nonzero, to_one_hot
from engine.types import KINDS, PREFIXES, TensorType

__all__ = [
    "Lop",
    "Rop",
    "TensorType",
    "as_tensor_variable",
    "choose",
    "concatenate",
    "constant",
    "grad",
    "hessian",
    "hessian_vector_product",
    "inc_subtensor",
    "jacobian",
    "join",
    "nonzero",
    "ones",
    "ravel_multi_index",
    "set_subtensor",
    "to_one_hot",
    "unravel_index",
    "verify_grad",
    "zeros",
]

as_tensor_variable = as_variable


def constant(value: Any, name: str | None = None, dtype: str | None = None) -> Variable:
    """A constant."""
    return Constant(value, dtype, name)


def join(axis: int, *tensors: Any) -> Variable:
    """Tensors put together along an existing axis; Theano has the axis first."""
    return OPS["join"](list(tensors), axis)


def concatenate(tensors: Sequence[Any], axis: int = 0) -> Variable:
    """Tensors put together along an existing axis; NumPy has the axis last."""
    return OPS["join"](tensors, axis)


def zeros(shape: int | Sequence[int], dtype: str | None = None) -> Variable:
    """Zeros of the given shape, of floatX unless a dtype is given."""
    return _filled(0, shape, dtype)


def ones(shape: int | Sequence[int], dtype: str | None = None) -> Variable:
    """Ones of the given shape, of floatX unless a dtype is given."""
    return _filled(1, shape, dtype)


def _filled(value: int, shape: int | Sequence[int], dtype: str | None) -> Variable:
    lengths = (int(shape),) if isinstance(shape, int | np.integer) else tuple(shape)
    return OPS["full"](Constant(value, dtype or config.floatX), lengths)


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
