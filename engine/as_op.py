"""A Python function of arrays as an op."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import OpError, ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS
from engine.op import Example, Op, Port
from engine.types import TensorType, shape_text

CATEGORY = "Your own"

Shapes = Sequence[tuple[int, ...]]


def as_op(
    itypes: TensorType | Sequence[TensorType],
    otypes: TensorType | Sequence[TensorType],
    infer_shape: Callable[[Shapes], Shapes] | None = None,
) -> Callable[[Callable[..., Any]], Op]:
    """Decorate a function of arrays to make it an op, with the given types in and out.

    infer_shape: from the shapes of the inputs to those of the results; without it lengths are
    known only when the graph runs.  The op has no gradient.  To decorate another function of the
    same name replaces the op.

        @as_op(itypes=[T.dmatrix, T.dmatrix], otypes=[T.dmatrix])
        def kronecker(a, b):
            return np.kron(a, b)
    """
    takes = _types(itypes)
    gives = _types(otypes)

    def declare(function: Callable[..., Any]) -> Op:
        name = function.__name__
        known = OPS.get(name)
        if known is not None:
            if known.category != CATEGORY:
                raise OpError(
                    f"There is an op called {name!r} already.", hint="Name the function otherwise."
                )
            del OPS[name]
        doc = inspect.getdoc(function) or f"The function {name} of yours."
        return Op(
            name=name,
            doc=doc if doc.endswith(".") else doc + ".",
            category=CATEGORY,
            ports=_ports(function, len(takes)),
            results=("out",) if len(gives) == 1 else tuple(f"out{i}" for i in range(len(gives))),
            infer=lambda *types: _inferred(takes, gives, types, infer_shape),
            numpy=lambda *arrays: _checked(function(*arrays), gives),
            no_grad="it is a Python function, of which only values are known",
            examples=(Example(tuple(_shape(t) for t in takes), {}, tuple(t.dtype for t in takes)),),
            method=False,
            hidden=True,
        )

    return declare


def _types(types: TensorType | Sequence[TensorType]) -> tuple[TensorType, ...]:
    return (types,) if isinstance(types, TensorType) else tuple(types)


def _shape(type: TensorType) -> tuple[int, ...]:
    return tuple(2 if n is None else n for n in type.shape)


def _ports(function: Callable[..., Any], count: int) -> tuple[Port, ...]:
    names = list(inspect.signature(function).parameters)
    if len(names) != count:
        raise ParameterError(
            f"{function.__name__} takes {len(names)} arguments, but {count} types are given.",
            port="itypes",
            expected=str(len(names)),
            got=str(count),
        )
    return tuple(Port(name) for name in names)


def _inferred(
    takes: Sequence[TensorType],
    gives: Sequence[TensorType],
    types: Sequence[TensorType],
    infer_shape: Callable[[Shapes], Shapes] | None,
) -> tuple[TensorType, ...]:
    for i, (wanted, given) in enumerate(zip(takes, types, strict=True)):
        if (wanted.dtype, wanted.ndim) != (given.dtype, given.ndim):
            raise TypeMismatchError(
                f"Argument {i} must be {wanted.name}, not {given.name}.",
                expected=wanted.name,
                got=given.name,
                hint="Cast it first.",
            )
    if infer_shape is None or any(None in t.shape for t in types):
        return tuple(gives)
    shapes = infer_shape([tuple(n or 0 for n in t.shape) for t in types])
    return tuple(t.of_shape(shape) for t, shape in zip(gives, shapes, strict=True))


def _checked(results: Any, gives: Sequence[TensorType]) -> Any:
    """The results as arrays of exactly the types that were promised."""
    listed = [results] if len(gives) == 1 else list(results)
    arrays = []
    for value, wanted in zip(listed, gives, strict=True):
        array = np.asarray(value)
        if array.ndim != wanted.ndim:
            raise ShapeError(
                f"The function gave the shape {shape_text(array.shape)} in place of {wanted.name}.",
                expected=wanted.name,
                got=shape_text(array.shape),
            )
        arrays.append(array.astype(wanted.dtype, copy=False))
    return arrays[0] if len(gives) == 1 else tuple(arrays)
