"""Activations of neural networks: what neurons do to their sums."""

from math import inf
from typing import Any

import numpy as np

from engine.dtype_rules import floating, of_reals, upcasting
from engine.expression import OPS, Variable
from engine.makers import composed, elementwise
from engine.op import Example, Op, Param, Port
from engine.types import TensorType, check_ordered, normalize_axis, to_float

CATEGORY = "Activations"


def _sigmoid_value(x: Any) -> Any:
    # exp of a negative number only: it cannot overflow.
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype)


sigmoid = elementwise(
    "sigmoid",
    symbol="σ",
    category=CATEGORY,
    tex=r"\sigma\left({x}\right)",
    rule=of_reals(floating),
    doc="Squeezes every number between 0 and 1: 1 / (1 + exp(-x)).",
    bounds=(0, 1),
    aliases=("logistic", "expit"),
    numpy=_sigmoid_value,
    scalar="(T(1) if {x} >= T(0) else math.exp(-abs({x}))) / (T(1) + math.exp(-abs({x})))",
    grad=lambda g, y, x: [g * y * (1 - y)],
)

softplus = elementwise(
    "softplus",
    symbol="ζ",
    category=CATEGORY,
    tex=r"\ln\left(1+e^{{{x}}}\right)",
    rule=of_reals(floating),
    domain=(-30.0, 30.0),
    doc="Smooth relu: like x on the right, like exp(x) on the left.",
    bounds=(0, inf),
    aliases=("log1pexp",),
    numpy=lambda x: np.logaddexp(0, x).astype(x.dtype),
    scalar="({x} if {x} > T(0) else T(0)) + math.log1p(math.exp(-abs({x})))",
    grad=lambda g, y, x: [g * sigmoid(x)],
)

log_sigmoid = composed(
    "log_sigmoid",
    symbol="ln σ",
    category=CATEGORY,
    tex=r"\ln\sigma\left({x}\right)",
    doc="The logarithm of the sigmoid, exact also where the sigmoid is nearly 0.",
    body=lambda x: -softplus(-x),
)

relu = elementwise(
    "relu",
    symbol="ReLU",
    category=CATEGORY,
    tex=r"\max\left({x}, 0\right)",
    rule=of_reals(upcasting),
    doc="Zero for negative numbers, x otherwise; its slope at 0 is taken as one half.",
    bounds=(0, inf),
    aliases=("rectify",),
    numpy=lambda x: np.maximum(x, np.zeros((), x.dtype)),
    scalar="{x} if {x} > T(0) or {x} != {x} else T(0)",
    grad=lambda g, y, x: [g * _step(x)],
)


def _step(x: Variable) -> Variable:
    """0, one half or 1 by the sign of x."""
    return (OPS["sgn"](x) + 1) * _number(x, 0.5)


def _number(x: Variable, value: float) -> Variable:
    """A number in the float dtype of x, so that float32 stays float32."""
    return OPS["cast"](value, to_float(x.dtype))


leaky_relu = composed(
    "leaky_relu",
    symbol="LReLU",
    category=CATEGORY,
    tex=r"\max\left({x}, \alpha {x}\right)",
    doc="x for positive numbers, x times a small slope for negative ones.",
    params=(Param("alpha", "float", 0.01, "the slope for negative numbers"),),
    body=lambda x, alpha: relu(x) - relu(-x) * _number(x, alpha),
)

elu = composed(
    "elu",
    symbol="ELU",
    category=CATEGORY,
    doc="x for positive numbers, a curve down to -alpha for negative ones.",
    params=(Param("alpha", "float", 1.0, "how far down the curve goes"),),
    body=lambda x, alpha: OPS["switch"](
        x > 0, x, OPS["expm1"](OPS["minimum"](x, 0)) * _number(x, alpha)
    ),
)

selu = composed(
    "selu",
    symbol="SELU",
    category=CATEGORY,
    doc="The elu whose scale keeps mean 0 and variance 1 from layer to layer.",
    # Klambauer et al., Self-Normalizing Neural Networks, 2017.
    body=lambda x: elu(x, 1.6732632423543772) * _number(x, 1.0507009873554805),
)

softsign = composed(
    "softsign",
    symbol="x/(1+|x|)",
    category=CATEGORY,
    tex=r"\frac{{{x}}}{{1+\left|{x}\right|}}",
    doc="Squeezes every number between -1 and 1, more gently than tanh.",
    body=lambda x: x / (1 + abs(x)),
)

hard_sigmoid = composed(
    "hard_sigmoid",
    symbol="σ_",
    category=CATEGORY,
    doc="The sigmoid as three straight lines: x / 5 + 1/2, held between 0 and 1.",
    body=lambda x: OPS["clip"](x * _number(x, 0.2) + _number(x, 0.5), 0, 1),
)


def _ultra_fast_sigmoid(x: Variable) -> Variable:
    half = abs(x) * _number(x, 0.5)
    near = half * _number(x, 1.5) / (1 + half)
    far = (half - _number(x, 1.7)) * _number(x, 0.0458812946797165) + _number(x, 0.935409070603099)
    far = OPS["minimum"](far, _number(x, 0.99505475368673))
    size = OPS["switch"](half < _number(x, 1.7), near, far)
    return (OPS["sgn"](x) * size + 1) * _number(x, 0.5)


ultra_fast_sigmoid = composed(
    "ultra_fast_sigmoid",
    symbol="σ~",
    category=CATEGORY,
    doc="Theano's rough sigmoid without an exponential, off by at most 0.06.",
    body=_ultra_fast_sigmoid,
)

silu = composed(
    "silu",
    symbol="xσ",
    category=CATEGORY,
    aliases=("swish",),
    doc="x times its own sigmoid.",
    body=lambda x: x * sigmoid(x),
)


def _gelu(x: Variable) -> Variable:
    x = OPS["cast"](x, to_float(x.dtype))
    return x * _number(x, 0.5) * (1 + OPS["erf"](x * _number(x, 0.5**0.5)))


gelu = composed(
    "gelu",
    symbol="xΦ",
    category=CATEGORY,
    doc="x times the share of a normal distribution below x.",
    body=_gelu,
)

mish = composed(
    "mish",
    symbol="x tanh ζ",
    category=CATEGORY,
    doc="x times tanh(softplus(x)).",
    body=lambda x: x * OPS["tanh"](softplus(x)),
)

AXIS = Param("axis", "int", -1, "the axis whose elements are weighed against each other")


def _softmax_type(x: TensorType, axis: int) -> TensorType:
    check_ordered(x)
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
    category=CATEGORY,
    tex=r"\operatorname{{softmax}}\left({x}\right)",
    doc="Positive numbers that sum to 1 along the axis, larger where x is larger.",
    bounds=(0, 1),
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
    category=CATEGORY,
    aliases=("log_softmax",),
    tex=r"\ln\operatorname{{softmax}}\left({x}\right)",
    doc="The logarithm of softmax, exact also where softmax is nearly 0.",
    bounds=(-inf, 0),
    examples=(Example(((2, 3),)), Example(((2, 3),), {"axis": 0})),
    ports=(Port("x"),),
    params=(AXIS,),
    infer=_softmax_type,
    numpy=_logsoftmax_value,
    expand=_logsoftmax_expansion,
    grad=lambda g, y, x, axis: [g - OPS["exp"](y) * OPS["sum"](g, axis=axis, keepdims=True)],
)

softmax_with_bias = composed(
    "softmax_with_bias",
    symbol="σᵢ+b",
    category=CATEGORY,
    doc="The softmax of x plus a bias for each column.",
    ports=(Port("x"), Port("b", "the bias, a vector")),
    examples=(Example(((2, 3), (3,))),),
    body=lambda x, b: softmax(x + b, -1),
)
