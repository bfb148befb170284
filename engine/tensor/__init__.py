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

import engine.ops  # noqa: F401 -- declares the ops
from engine.config import config
from engine.errors import ShapeError
from engine.expression import OPS, Variable
from engine.grad import grad
from engine.jacobian import Lop, Rop, hessian, hessian_vector_product, jacobian
from engine.numeric_grad import numeric_grad, verify_grad
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
    cov,
    empty,
    flatten,
    full,
    horizontal_stack,
    identity,
    join,
    mgrid,
    ogrid,
    ones,
    split,
    stacklists,
    tensor,
    vertical_stack,
    zeros,
)
from engine.tensor.var import TensorConstant, TensorVariable
from engine.types import KINDS, PREFIXES, TensorType, shape_text

__all__ = [
    "Lop",
    "Rop",
    "TensorConstant",
    "TensorType",
    "TensorVariable",
    "as_tensor",
    "as_tensor_variable",
    "broadcast_arrays",
    "broadcast_shape",
    "choose",
    "concatenate",
    "constant",
    "cov",
    "empty",
    "flatten",
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
    "numeric_grad",
    "ogrid",
    "ones",
    "ravel_multi_index",
    "set_subtensor",
    "split",
    "stacklists",
    "tensor",
    "to_one_hot",
    "unravel_index",
    "verify_grad",
    "vertical_stack",
    "zeros",
]


def _untyped(kind: str) -> Callable[..., Variable]:
    """`matrix` and the like: makers of variables that have no dtype in their name."""

    def make(
        name: str | None = None, dtype: str | None = None, shape: Sequence[int | None] | None = None
    ) -> Variable:
        lengths = KINDS[kind] if shape is None else tuple(shape)
        if len(lengths) != len(KINDS[kind]):
            raise ShapeError(
                f"A {kind} has rank {len(KINDS[kind])}, not {len(lengths)}.",
                port="shape",
                expected=shape_text(KINDS[kind]),
                got=shape_text(lengths),
            )
        return Variable(TensorType(dtype or config.floatX, lengths), name=name)

    make.__name__ = kind
    make.__doc__ = f"A new {kind}, of floatX as it is now unless a dtype is given."
    return make


def _maker(name: str) -> Callable[..., Variable] | None:
    """What a constructor is: the type `dmatrix`, or the maker `matrix`."""
    if name in KINDS:
        return _untyped(name)
    if name[:1] in PREFIXES and name[1:] in KINDS:
        return TensorType(PREFIXES[name[0]], KINDS[name[1:]])
    return None


def _several(make: Callable[..., Variable]) -> Callable[..., list[Variable]]:
    def made(*names: Any) -> list[Variable]:
        if len(names) == 1 and isinstance(names[0], int):
            return [make() for _ in range(names[0])]
        # One text names a variable by each letter, as in `x, y = T.matrices("xy")`.
        return [make(str(name)) for name in (names[0] if len(names) == 1 else names)]

    return made


def __getattr__(name: str) -> Any:
    make = _maker(name)
    if make is not None:
        return make
    singular = name[:-3] + "x" if name.endswith("matrices") else name[:-1]
    if name.endswith("s") and (make := _maker(singular)) is not None:
        return _several(make)
    if name in OPS:
        return OPS[name]
    raise AttributeError(f"engine.tensor has no {name!r}.")


def __dir__() -> list[str]:
    kinds = {*KINDS, *(prefix + kind for prefix in PREFIXES for kind in KINDS)}
    several = {f"{kind[:-1]}ces" if kind.endswith("matrix") else f"{kind}s" for kind in kinds}
    return sorted({*__all__, *OPS, *kinds, *several})


for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

del globals()["var"]  # imported as a module, but T.var is the variance

# `from engine.tensor import *` brings all of it, as in Theano; but abs(-3) stays Python's.
__all__ = [name for name in __dir__() if name != "abs"]
