"""Activations and costs of neural networks."""

from typing import Any

import numpy as np

from engine.graph import OPS, Variable
from engine.op import Example, Op, Param, Port, composed, elementwise, floating
from engine.types import TensorType, normalize_axis, to_float

ACTIVATIONS = "Activations"
COSTS = "Costs"


def _sigmoid_value(x: Any) -> Any:
    # exp of a negative number only: it cannot overflow.
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype)


sigmoid = elementwise(
    "sigmoid",
    symbol="σ",
    category=ACTIVATIONS,
    tex=r"\sigma\left({x}\right)",
    rule=floating,
    doc="Squeezes every number between 0 and 1: 1 / (1 + exp(-x)).",
    aliases=("logistic",),
    numpy=_sigmoid_value,
    scalar="(T(1) if {x} >= T(0) else math.exp(-abs({x}))) / (T(1) + math.exp(-abs({x})))",
    grad=lambda g, y, x: [g * y * (1 - y)],
)

softplus = elementwise(
    "softplus",
    symbol="ζ",
    category=ACTIVATIONS,
    tex=r"\ln\left(1+e^{{{x}}}\right)",
    rule=floating,
    domain=(-30.0, 30.0),
    doc="Smooth relu: like x on the right, like exp(x) on the left.",
    numpy=lambda x: np.logaddexp(0, x).astype(x.dtype),
    scalar="({x} if {x} > T(0) else T(0)) + math.log1p(math.exp(-abs({x})))",
    grad=lambda g, y, x: [g * sigmoid(x)],
)

relu = composed(
    "relu",
    symbol="⟋",
    category=ACTIVATIONS,
    tex=r"\max\left({x}, 0\right)",
    doc="Zero for negative numbers, x otherwise.",
    body=lambda x: OPS["switch"](x > 0, x, 0),
)

silu = composed(
    "silu",
    symbol="xσ",
    category=ACTIVATIONS,
    aliases=("swish",),
    doc="x times its own sigmoid.",
    body=lambda x: x * sigmoid(x),
)

AXIS = Param("axis", "int", -1, "the axis whose elements are weighed against each other")


def _softmax_type(x: TensorType, axis: int) -> TensorType:
    normalize_axis(axis, x.ndim)
    return x.with_dtype(to_float(x.dtype))


def _softmax_value(x: Any, axis: int) -> Any:
    x = x.astype(to_float(x.dtype.name), copy=False)
    e = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
    return e / np.sum(e, axis=axis, keepdims=True)


def _softmax_expansion(x: Variable, axis: int) -> Variable:
    x = OPS["cast"](x, to_float(x.dtype))
    e = OPS["exp"](x - OPS["max"](x, axis=axis, keepdims=True))
    return e / OPS["sum"](e, axis=axis, keepdims=True)


def _softmax_grad(g: Variable, y: Variable, x: Variable, axis: int) -> list[Variable | None]:
    weighed = g * y
    return [weighed - y * OPS["sum"](weighed, axis=axis, keepdims=True)]


softmax = Op(
    name="softmax",
    symbol="σᵢ",
    category=ACTIVATIONS,
    tex=r"\operatorname{{softmax}}\left({x}\right)",
    doc="Positive numbers that sum to 1 along the axis, larger where x is larger.",
    examples=(Example(((2, 3),)), Example(((2, 3),), {"axis": 0}), Example(((4,),))),
    ports=(Port("x"),),
    params=(AXIS,),
    infer=_softmax_type,
    numpy=_softmax_value,
    expand=_softmax_expansion,
    grad=_softmax_grad,
)


def _logsoftmax_value(x: Any, axis: int) -> Any:
    x = x.astype(to_float(x.dtype.name), copy=False)
    shifted = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _logsoftmax_expansion(x: Variable, axis: int) -> Variable:
    x = OPS["cast"](x, to_float(x.dtype))
    shifted = x - OPS["max"](x, axis=axis, keepdims=True)
    return shifted - OPS["log"](OPS["sum"](OPS["exp"](shifted), axis=axis, keepdims=True))


logsoftmax = Op(
    name="logsoftmax",
    symbol="ln σᵢ",
    category=ACTIVATIONS,
    aliases=("log_softmax",),
    tex=r"\ln\operatorname{{softmax}}\left({x}\right)",
    doc="The logarithm of softmax, exact also where softmax is nearly 0.",
    examples=(Example(((2, 3),)), Example(((2, 3),), {"axis": 0})),
    ports=(Port("x"),),
    params=(AXIS,),
    infer=_softmax_type,
    numpy=_logsoftmax_value,
    expand=_logsoftmax_expansion,
    grad=lambda g, y, x, axis: [g - OPS["exp"](y) * OPS["sum"](g, axis=axis, keepdims=True)],
)

binary_crossentropy = composed(
    "binary_crossentropy",
    symbol="H₂",
    domain=(0.1, 0.9),
    category=COSTS,
    tex=r"-{truth} \ln {predicted} - (1-{truth}) \ln (1-{predicted})",
    doc="How surprised a prediction between 0 and 1 is by a truth of 0 or 1, for each element.",
    body=lambda predicted, truth: (
        -(truth * OPS["log"](predicted) + (1 - truth) * OPS["log"](1 - predicted))
    ),
)

categorical_crossentropy = composed(
    "categorical_crossentropy",
    symbol="H",
    domain=(0.1, 0.9),
    category=COSTS,
    doc="How surprised each row of predicted probabilities is by a row of true ones.",
    body=lambda predicted, truth: -OPS["sum"](truth * OPS["log"](predicted), axis=-1),
)

squared_error = composed(
    "squared_error",
    symbol="(ŷ−y)²",
    category=COSTS,
    tex="({predicted} - {truth})^2",
    doc="The squared distance of each prediction from the truth.",
    body=lambda predicted, truth: OPS["sqr"](predicted - truth),
)
