"""What an expression means: its value at 800 digits, by an interpreter of ops in mpmath."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np

from engine.codegen.numpy import interpret
from engine.expression import Constant, Variable, walk
from engine.types import FLOATS

Array = np.ndarray[Any, Any]

DIGITS = 800
"""Enough for 1 + exp(-745) to differ from 1."""

mp: Any = mpmath.mp.clone()
mp.dps = DIGITS


def exact(values: Any) -> Array:
    """An array of numbers of 800 digits."""
    found = np.asarray(np.frompyfunc(lambda x: mp.mpf(float(x)), 1, 1)(np.asarray(values)))
    return found if found.dtype == object else found.astype(object)


def _tail(x: Any) -> Any:
    """log Φ(x)."""
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "true_div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "abs": abs,
    "inv": lambda x: 1 / x,
    "sqr": lambda x: x * x,
    "pow": lambda x, y: x**y,
    "sqrt": mp.sqrt,
    "exp": mp.exp,
    "exp2": lambda x: mp.mpf(2) ** x,
    "expm1": mp.expm1,
    "log": lambda x: mp.log(x) if x else -mp.inf,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "log1p": lambda x: mp.log(1 + x) if x != -1 else -mp.inf,
    "log1mexp": lambda x: mp.log(1 - mp.exp(x)),
    "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "logit": lambda x: mp.log(x / (1 - x)),
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "xlogy0": lambda x, y: x * mp.log(y) if x else mp.mpf(0),
    "multiply_no_nan": lambda x, y: x * y if x else mp.mpf(0),
    "erf": mp.erf,
    "erfc": mp.erfc,
    "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x),
    "log_ndtr": _tail,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "sin": mp.sin,
    "cos": mp.cos,
    "arctanh": mp.atanh,
    "arcsinh": mp.asinh,
    "arccosh": mp.acosh,
    "cast": lambda x: x,
    "fill": lambda model, x: x,
    "maximum": lambda x, y: y if y > x else x,
    "minimum": lambda x, y: y if y < x else x,
    "switch": lambda condition, x, y: x if condition else y,
    "sigmoid_binary_crossentropy": lambda x, t: mp.log(1 + mp.exp(x)) - t * x,
    "eq": lambda x, y: x == y,
    "ge": lambda x, y: x >= y,
    "lt": lambda x, y: x < y,
}
"""The ops on each element, as mathematics has them."""


def _exponentials(x: Array) -> Array:
    return np.asarray(np.frompyfunc(mp.exp, 1, 1)(x))


def _softmax(x: Array, axis: int) -> Array:
    e = _exponentials(x)
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _log(x: Any) -> Array:
    return np.asarray(np.frompyfunc(mp.log, 1, 1)(x))


def _fold(function: Callable[..., Any]) -> Callable[..., Array]:
    def folded(x: Array, axis: Any, keepdims: bool, **rest: Any) -> Array:
        axes = tuple(range(x.ndim)) if axis is None else axis
        found = function(x, axis=axes, keepdims=keepdims)
        return np.asarray(found, dtype=object)

    return folded


def _mean(x: Array, axis: Any, keepdims: bool) -> Any:
    total = np.sum(x, axis=axis, keepdims=keepdims)
    return total / mp.mpf(x.size // np.size(total))


def _product(x: Array, axis: Any, keepdims: bool) -> Array:
    """Of object arrays NumPy multiplies along one axis only."""
    for a in sorted(np.atleast_1d(np.asarray(axis)), reverse=True):
        x = np.multiply.reduce(x, axis=int(a), keepdims=keepdims)
    return np.asarray(x)


def _determinant(x: Array) -> Array:
    return np.asarray(mp.det(mp.matrix(x.tolist())), dtype=object)


OTHERS: dict[str, Callable[..., Array]] = {
    "sum": _fold(np.sum),
    "mean": _fold(_mean),
    "prod": _fold(_product),
    "max": _fold(np.max),
    "min": _fold(np.min),
    "argmax": _fold(np.argmax),
    "softmax": _softmax,
    "logsoftmax": lambda x, axis: _log(_softmax(x, axis)),
    "det": _determinant,
    "logsumexp": lambda x, axis, keepdims: _log(
        _fold(np.sum)(_exponentials(x), axis=axis, keepdims=keepdims)
    ),
}
"""Folds over axes, and what is made of them."""


def meaning(outputs: Sequence[Variable], values: Mapping[Variable, Any]) -> list[Array]:
    """The value of each expression at 800 digits, for numbers that are taken as exact."""
    known: dict[Variable, Array] = {}

    def value(v: Variable) -> Array:
        if v not in known:
            given = v.data if isinstance(v, Constant) else np.asarray(values[v], v.dtype)
            known[v] = exact(given) if v.dtype in FLOATS else given
        return known[v]

    for node in walk(outputs):
        read = [value(v) for v in node.inputs]
        of_floats = any(a.dtype == object for a in read)
        name = node.op.name
        if name in ELEMENTWISE and (of_floats or node.out.dtype in FLOATS):
            read = [a if a.dtype in (object, bool) else exact(a) for a in read]
            found = np.asarray(np.frompyfunc(ELEMENTWISE[name], len(read), 1)(*read))
            if node.out.dtype not in FLOATS:
                found = found.astype(node.out.dtype)
            elif found.dtype != object:
                found = found.astype(object)
        elif name in OTHERS and of_floats:
            found = OTHERS[name](*read, **node.params)
        elif of_floats:
            assert node.op.numpy is not None, f"{name} has no meaning here"
            found = np.asarray(node.op.numpy(*read, **node.params))
        else:
            (found,) = interpret([node.out], dict(zip(node.inputs, read, strict=True)))
            found = exact(found) if node.out.dtype in FLOATS else found
        known[node.out] = found
    return [value(v) for v in outputs]


def errors_in_ulp(found: Array, right: Array, *, beside: float = 0.0) -> float:
    """The largest distance from what is right, in units of the last place; infinite for NaN.

    beside: the size of the numbers of which a small result is what is left, if any.
    """
    worst = 0.0
    for a, b in zip(found.ravel(), right.ravel(), strict=True):
        nearest = np.array(float(b)).astype(found.dtype)[()]
        if a == nearest:
            continue
        if not np.isfinite(a) or not np.isfinite(nearest):
            return float("inf")
        size = np.array(max(abs(float(b)), beside)).astype(found.dtype)
        worst = max(worst, float(abs(mp.mpf(float(a)) - b) / mp.mpf(float(np.spacing(size)))))
    return worst
