"""Theano's `tensor.nnet.nnet`: activations and costs that are called otherwise than their ops."""

from __future__ import annotations

from typing import Any

from engine.errors import TypeMismatchError
from engine.expression import OPS, Variable, as_variable
from engine.ops.random_bits import next_state
from engine.random import RandomStreams

__all__ = [
    "confusion_matrix",
    "crossentropy_softmax_1hot_with_bias",
    "crossentropy_softmax_argmax_1hot_with_bias",
    "crossentropy_softmax_max_and_argmax_1hot",
    "crossentropy_softmax_max_and_argmax_1hot_with_bias",
    "dropout",
    "prepend_0_to_each_row",
    "prepend_1_to_each_row",
    "prepend_scalar_to_each_row",
    "relu",
    "softmax_graph",
]


def relu(x: Any, alpha: Any = 0) -> Variable:
    """x for positive numbers, alpha times x for negative ones; alpha may be a tensor.

    The slope at 0 is half way between the two, as in Theano.
    """
    if isinstance(alpha, int | float):
        return OPS["leaky_relu"](x, alpha) if alpha else OPS["relu"](x)
    v, slope = as_variable(x), as_variable(alpha)
    return v * ((1 + slope) * 0.5) + abs(v) * ((1 - slope) * 0.5)


def softmax_graph(c: Any) -> Variable:
    """The softmax of each row written out: exp(c) / sum(exp(c)); a rewrite makes it stable."""
    powers = OPS["exp"](c)
    return powers / OPS["sum"](powers, axis=-1, keepdims=True)


def crossentropy_softmax_1hot_with_bias(
    x: Any, b: Any, y_idx: Any, **_options: Any
) -> list[Variable]:
    """The cost and the softmax of x plus a bias for each column; y_idx are the true classes."""
    return OPS["crossentropy_softmax_1hot"].each(as_variable(x) + b, y_idx)


def crossentropy_softmax_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> list[Variable]:
    """The cost, the softmax and the most likely class of x plus a bias."""
    cost, softmax = crossentropy_softmax_1hot_with_bias(x, b, y_idx)
    return [cost, softmax, OPS["argmax"](softmax, axis=-1)]


def crossentropy_softmax_max_and_argmax_1hot_with_bias(
    x: Any, b: Any, y_idx: Any, **_options: Any
) -> list[Variable]:
    """The cost, the softmax, its largest element and the most likely class of x plus a bias."""
    cost, softmax, best = crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx)
    return [cost, softmax, OPS["max"](softmax, axis=-1), best]


def crossentropy_softmax_max_and_argmax_1hot(x: Any, y_idx: Any, **_options: Any) -> list[Variable]:
    """The cost, the softmax, its largest element and the most likely class."""
    return crossentropy_softmax_max_and_argmax_1hot_with_bias(x, 0, y_idx)


def prepend_scalar_to_each_row(val: Any, m: Any) -> Variable:
    """A matrix with a column of the given number in front."""
    matrix = as_variable(m)
    column = OPS["alloc"](OPS["cast"](val, matrix.dtype), OPS["shape"](matrix)[0], 1)
    return OPS["join"]([column, matrix], axis=1)


def prepend_0_to_each_row(m: Any) -> Variable:
    """A matrix with a column of zeros in front."""
    return prepend_scalar_to_each_row(0, m)


def prepend_1_to_each_row(m: Any) -> Variable:
    """A matrix with a column of ones in front."""
    return prepend_scalar_to_each_row(1, m)


def confusion_matrix(actual: Any, pred: Any) -> list[Variable]:
    """How often each class (a row) was taken for each other one (a column), and their order.

    actual, pred: vectors of classes; the order is that of all classes that occur, rising.
    """
    truth, guess = as_variable(actual), as_variable(pred)
    for name, v in (("actual", truth), ("pred", guess)):
        if v.ndim != 1:
            raise TypeMismatchError(
                f"{name} must be a vector of classes.",
                port=name,
                expected="a vector",
                got=str(v.type),
            )
    order = OPS["unique"](OPS["join"]([truth, guess], axis=0))
    rows = OPS["cast"](OPS["eq"](truth.dimshuffle(0, "x"), order), "int64")
    columns = OPS["cast"](OPS["eq"](guess.dimshuffle(0, "x"), order), "int64")
    return [OPS["dot"](rows.T, columns), order]


def dropout(x: Any, p: float = 0.5, srng: RandomStreams | None = None) -> Variable:
    """Elements set to 0 with the chance p, the others scaled by 1 / (1 - p), anew in each call."""
    streams = RandomStreams() if srng is None else srng
    return streams.gen(
        lambda state, v: (next_state(state), OPS["dropout"](state, v, p)), as_variable(x)
    )
