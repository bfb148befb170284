"""Costs: how far predictions are from the truth, for training to lower."""

from typing import Any

import numpy as np

from engine.dtype_rules import floating, of_reals
from engine.errors import TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import composed, elementwise
from engine.op import Example, Param, Port
from engine.ops.activations import logsoftmax, sigmoid, softmax
from engine.types import DISCRETE, FLOATS

CATEGORY = "Costs"


def _of_logits(x: Any, truth: Any) -> Any:
    return np.log1p(np.exp(-np.abs(x))) + x * ((x > 0) - truth)


sigmoid_binary_crossentropy = elementwise(
    "sigmoid_binary_crossentropy",
    symbol="H₂σ",
    category=CATEGORY,
    rule=of_reals(floating),
    domain=((-6.0, 6.0), (0.0, 1.0)),
    doc="The binary crossentropy of sigmoid(x) and a truth between 0 and 1, exact for every x.",
    numpy=_of_logits,
    scalar="math.log1p(math.exp(-abs({x}))) + {x} * (T({x} > T(0)) - {truth})",
    grad=lambda g, y, x, truth: [g * (sigmoid(x) - truth), -g * x],
)

binary_crossentropy = composed(
    "binary_crossentropy",
    symbol="H₂",
    domain=(0.1, 0.9),
    category=CATEGORY,
    tex=r"-{truth} \ln {predicted} - (1-{truth}) \ln (1-{predicted})",
    doc="How surprised a prediction between 0 and 1 is by a truth of 0 or 1, for each element.",
    body=lambda predicted, truth: (
        -(truth * OPS["log"](predicted) + (1 - truth) * OPS["log"](1 - predicted))
    ),
)


def _labelled(v: Variable, labels: Variable) -> Variable:
    """The element of each row that its label names."""
    if labels.dtype not in DISCRETE:
        raise TypeMismatchError(
            f"Labels are the numbers of classes, not {labels.dtype}.",
            port="truth",
            expected="integers, or probabilities with as many axes as the prediction",
            got=str(labels.type),
        )
    if v.ndim == 2:
        return v[OPS["positions"](v), labels]
    picked = OPS["take_along_axis"](v, OPS["shape_padright"](labels), axis=-1)
    return picked[(..., 0)]


def _categorical(predicted: Variable, truth: Variable) -> Variable:
    if truth.ndim == predicted.ndim:
        return -OPS["sum"](truth * OPS["log"](predicted), axis=-1)
    if truth.ndim == predicted.ndim - 1:
        # The logarithm first: so that of a softmax is found to be a logsoftmax.
        return -_labelled(OPS["log"](predicted), truth)
    raise TypeMismatchError(
        f"A truth of {truth.type} cannot be held against a prediction of {predicted.type}.",
        port="truth",
        expected="probabilities with as many axes, or labels with one axis less",
        got=str(truth.type),
    )


def _distributions(rng: np.random.Generator) -> list[Any]:
    return [rng.uniform(0.1, 0.9, (2, 3)), rng.uniform(0.1, 0.9, (2, 3))]


def _probabilities_and_labels(rng: np.random.Generator) -> list[Any]:
    return [rng.uniform(0.1, 0.9, (4, 3)), np.array([0, 2, 1, 2])]


def _logits_and_labels(rng: np.random.Generator) -> list[Any]:
    return [rng.normal(size=(4, 3)), np.array([0, 2, 1, 2])]


TRUTH = Port("truth", "probabilities like those predicted, or the number of the class of each row")
LABELS = Port("labels", "the number of the true class of each row, from 0")

categorical_crossentropy = composed(
    "categorical_crossentropy",
    symbol="H",
    category=CATEGORY,
    doc="How surprised each row of predicted probabilities is by true ones, or by a class.",
    ports=(Port("predicted", "probabilities, a row for each example"), TRUTH),
    dtypes=FLOATS,
    examples=(Example(draw=_distributions), Example(draw=_probabilities_and_labels)),
    body=_categorical,
)

crossentropy_categorical_1hot = composed(
    "crossentropy_categorical_1hot",
    symbol="H₁",
    category=CATEGORY,
    hidden=True,
    doc="How surprised each row of predicted probabilities is by a class.",
    ports=(Port("predicted", "probabilities, a row for each example"), LABELS),
    dtypes=FLOATS,
    examples=(Example(draw=_probabilities_and_labels),),
    body=lambda predicted, labels: -_labelled(OPS["log"](predicted), labels),
)

crossentropy_softmax_1hot = composed(
    "crossentropy_softmax_1hot",
    symbol="Hσ",
    category=CATEGORY,
    aliases=("softmax_crossentropy",),
    doc="How surprised the softmax of each row is by a class, exact for every x; and the softmax.",
    ports=(Port("x", "before the softmax, a row for each example"), LABELS),
    results=("cost", "softmax"),
    dtypes=FLOATS,
    examples=(Example(draw=_logits_and_labels),),
    body=lambda x, labels: [-_labelled(logsoftmax(x), labels), softmax(x)],
)

squared_error = composed(
    "squared_error",
    symbol="(ŷ−y)²",
    category=CATEGORY,
    tex="({predicted} - {truth})^2",
    doc="The squared distance of each prediction from the truth.",
    body=lambda predicted, truth: OPS["sqr"](predicted - truth),
)

absolute_error = composed(
    "absolute_error",
    symbol="|ŷ−y|",
    category=CATEGORY,
    tex=r"\left|{predicted} - {truth}\right|",
    doc="The distance of each prediction from the truth.",
    body=lambda predicted, truth: abs(predicted - truth),
)


def _huber(predicted: Variable, truth: Variable, delta: float) -> Variable:
    apart = abs(predicted - truth)
    bound = OPS["cast"](delta, apart.dtype)
    near = OPS["minimum"](apart, bound)
    return near * (apart - near * OPS["cast"](0.5, apart.dtype))


huber = composed(
    "huber",
    symbol="⌣",
    category=CATEGORY,
    doc="Half the squared error up to a distance of delta, and from there on a straight line.",
    params=(Param("delta", "float", 1.0, "where the line begins", min=0.0),),
    body=_huber,
)

hinge = composed(
    "hinge",
    symbol="⌊1−ŷy⌋",
    category=CATEGORY,
    doc="How far a prediction is on the wrong side of the margin; the truth is -1 or 1.",
    body=lambda predicted, truth: OPS["relu"](1 - predicted * truth),
)

kl_divergence = composed(
    "kl_divergence",
    symbol="D",
    category=CATEGORY,
    domain=(0.1, 0.9),
    tex=r"\sum {truth} \ln \frac{{{truth}}}{{{predicted}}}",
    doc="How many nats are lost where each row of predicted probabilities stands for the true one.",
    body=lambda predicted, truth: OPS["sum"](
        OPS["xlogy0"](truth, truth) - truth * OPS["log"](predicted), axis=-1
    ),
)
