"""The makers of op records: they fill in what elementwise ops, reductions, composed ops share."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.config import config
from engine.dtype_rules import DtypeRule, upcasting
from engine.errors import OpError
from engine.expression import OPS, Constant, Variable, as_variable
from engine.op import Example, Fold, Gradients, Op, Param, Port, grouped
from engine.types import DISCRETE, Shape, TensorType, broadcast, normalize_axes


def elementwise(
    name: str,
    *,
    doc: str,
    category: str,
    numpy: Callable[..., Any],
    scalar: str | None,
    grad: Callable[..., Gradients] | None = None,
    rule: DtypeRule = upcasting,
    examples: tuple[Example, ...] = (),
    **facts: Any,
) -> Op:
    """An op on each element, with broadcasting.

    The ports are the parameters of `numpy`.  The gradients may have the broadcast shape; they
    are summed back to the shape of each input here.  Without a text for `scalar` native code
    calls `numpy`.  Unless examples are given, there are some of all the ways to stretch.
    """
    ports = tuple(Port(p) for p in inspect.signature(numpy).parameters)
    used = set(re.findall(r"\{(\w+)\}", scalar or ""))
    if not used <= {p.name for p in ports}:
        raise OpError(f"The kernel text of {name!r} uses {used - {p.name for p in ports}}.")

    def infer(*types: TensorType) -> TensorType:
        return broadcast(types).with_dtype(rule([t.dtype for t in types])[1])

    def summed_grad(g: Variable, y: Variable, *inputs: Variable) -> Gradients:
        assert grad is not None
        if y.dtype in DISCRETE:
            return [zero_gradient(x) for x in inputs]
        return [
            unbroadcast(gx, x) if isinstance(gx, Variable) else gx
            for gx, x in zip(grad(g, y, *inputs), inputs, strict=True)
        ]

    def slopes(y: Variable, *inputs: Variable) -> Gradients:
        assert grad is not None
        return grad(Constant(1, y.dtype), y, *inputs)

    return Op(
        name=name,
        doc=doc,
        category=category,
        ports=ports,
        infer=infer,
        numpy=numpy,
        scalar=scalar,
        grad=summed_grad if grad else None,
        slopes=slopes if grad else None,
        rule=rule,
        examples=examples or tuple(map(Example, stretched_shapes(len(ports)))),
        **facts,
    )


def stretched_shapes(count: int) -> list[tuple[tuple[int, ...], ...]]:
    """Shapes for so many inputs: all alike, one without axes, and two that stretch both ways."""
    return [
        ((2, 3),) * count,
        ((), *((3,),) * (count - 1)),
        ((1, 3), *((2, 1),) * (count - 1)),
    ]


def zero_gradient(x: Variable) -> Variable:
    """Zeros of x's shape, in the float dtype that gradients of x have."""
    dtype = x.dtype if x.dtype not in DISCRETE else config.floatX
    zero = as_variable(np.zeros((), dtype))
    return zero if x.ndim == 0 else OPS["fill"](x, zero)


def constant_like(value: float, x: Variable) -> Variable:
    """The number in the dtype of x, so that a float32 gradient stays float32."""
    return Constant(value, x.dtype if x.dtype not in DISCRETE else config.floatX)


def cast_to(x: Variable, dtype: str) -> Variable:
    """x in a dtype; x itself where it has that already."""
    return x if x.dtype == dtype else OPS["cast"](x, dtype)


def unbroadcast(g: Variable, x: Variable) -> Variable:
    """Sum the gradient `g` over the axes along which x was stretched to g's shape."""
    lead = g.ndim - x.ndim
    if lead:
        g = OPS["sum"](g, axis=tuple(range(lead)))
    axes = tuple(
        i
        for i, (bx, bg) in enumerate(zip(x.broadcastable, g.broadcastable, strict=True))
        if bx and not bg
    )
    return OPS["sum"](g, axis=axes, keepdims=True) if axes else g


def alike(g: Variable, v: Variable) -> Variable:
    """The gradient `g` of v's shape with the same axes marked as stretching as v has."""
    return g if g.broadcastable == v.broadcastable else OPS["reshape_like"](g, v)


AXIS = Param("axis", "axis", None, "the axis or axes to reduce; none means all")
KEEPDIMS = Param("keepdims", "bool", False, "keep reduced axes with length 1")


def reduction(
    name: str,
    *,
    doc: str,
    numpy: Callable[..., Any],
    fold: Fold | None,
    result: Callable[[str], str] = lambda dtype: dtype,
    category: str = "Reductions",
    **facts: Any,
) -> Op:
    """An op that folds axes away.  `result` gives the dtype; `numpy` takes (x, axis, keepdims)."""

    def infer(x: TensorType, axis: Any, keepdims: bool) -> TensorType:
        return reduced(x, axis, keepdims).with_dtype(result(x.dtype))

    def evaluate(x: Any, axis: Any, keepdims: bool) -> Any:
        x = np.asarray(x)
        axes = normalize_axes(axis, x.ndim)
        out = numpy(x, axis=axes, keepdims=keepdims)
        return np.asarray(out).astype(result(x.dtype.name), copy=False)

    return Op(
        name=name,
        doc=doc,
        category=category,
        ports=(Port("x"),),
        params=(AXIS, KEEPDIMS),
        infer=infer,
        numpy=evaluate,
        fold=fold,
        examples=(
            Example(((2, 3),), {"axis": None}),
            Example(((2, 3),), {"axis": (1,), "keepdims": True}),
            Example(((2, 3, 2),), {"axis": (0, 2)}),
        ),
        **facts,
    )


def reduced(x: TensorType, axis: Any, keepdims: bool) -> TensorType:
    """The type after folding the axes away."""
    axes = normalize_axes(axis, x.ndim)
    shape: list[int | None] = []
    pattern: list[bool] = []
    for i, n in enumerate(x.shape):
        if i not in axes:
            shape.append(n)
            pattern.append(x.broadcastable[i])
        elif keepdims:
            shape.append(1)
            pattern.append(True)
    return TensorType(x.dtype, shape, pattern)


def restore_axes(y: Variable, x: Variable, axis: Any, keepdims: bool) -> Variable:
    """Give a reduced tensor its lost axes back with length 1, so that it stretches against x."""
    if keepdims or x.ndim == y.ndim == 0:
        return y
    axes = normalize_axes(axis, x.ndim)
    kept = iter(range(y.ndim))
    return OPS["dimshuffle"](y, tuple(None if i in axes else next(kept) for i in range(x.ndim)))


def composed(
    name: str,
    *,
    doc: str,
    category: str,
    body: Callable[..., Variable | Sequence[Variable]],
    **facts: Any,
) -> Op:
    """An op made of others: it expands where it is called and needs no kernel and no gradient.

    Its ports are the parameters of `body` that are not among `params`, unless `ports` says
    otherwise.
    """
    params: tuple[Param, ...] = facts.pop("params", ())
    known = {p.name for p in params}
    ports = facts.pop("ports", None) or tuple(
        Port(p) for p in inspect.signature(body).parameters if p not in known
    )

    def infer(*types: TensorType, known: Any = (), **values: Any) -> tuple[TensorType, ...]:
        results = OPS[name].each(*grouped(ports, [Variable(t) for t in types]), **values)
        return tuple(v.type for v in results)

    facts.setdefault("examples", (Example(((2, 3),) * len(ports)),))
    return Op(
        name=name,
        doc=doc,
        category=category,
        ports=ports,
        params=params,
        infer=infer,
        numpy=None,
        body=body,
        **facts,
    )


def no_shape(ndim: int) -> Shape:
    """A shape of which only the rank is known."""
    return (None,) * ndim
