"""The cost of sequences whose alignment is not known: connectionist temporal classification.

Graves et al., Connectionist Temporal Classification, 2006: the cost is minus the logarithm of the
probability of all paths that read as the labels once repeats and blanks are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import IndexOutOfRangeError, ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.op import Example, Op, Port
from engine.types import DISCRETE, FLOATS, TensorType, shape_text

Array = np.ndarray[Any, Any]

BLANK = 0
"""The class that stands for nothing."""

PORTS = (
    Port("activations", "(time, batch, classes), before the softmax; class 0 is the blank"),
    Port("labels", "(batch, longest label), negative where a label has ended"),
    Port("lengths", "(batch,): how many steps of time each example has"),
)


def _check(activations: TensorType, labels: TensorType, lengths: TensorType) -> None:
    ranks = (activations.ndim, labels.ndim, lengths.ndim)
    if ranks != (3, 2, 1) or activations.dtype not in FLOATS:
        raise TypeMismatchError(
            f"CTC is of activations, labels and lengths with 3, 2 and 1 axes, not {ranks}.",
            expected="float (time, batch, classes), (batch, label), (batch,)",
            got=f"{activations}, {labels}, {lengths}",
        )
    for name, whole in (("labels", labels), ("lengths", lengths)):
        if whole.dtype not in DISCRETE:
            raise TypeMismatchError(
                f"The {name} must be integers.", port=name, expected="int32", got=whole.dtype
            )
    batch = {activations.shape[1], labels.shape[0], lengths.shape[0]} - {None}
    if len(batch) > 1:
        shapes = " and ".join(shape_text(t.shape) for t in (activations, labels, lengths))
        raise ShapeError(
            f"Shapes {shapes} are not of one batch.",
            expected="equal lengths on the batch axes",
            got=shapes,
        )


def _cost_type(activations: TensorType, labels: TensorType, lengths: TensorType) -> TensorType:
    _check(activations, labels, lengths)
    return TensorType(activations.dtype, (activations.shape[1],), (False,))


def _slope_type(activations: TensorType, labels: TensorType, lengths: TensorType) -> TensorType:
    _check(activations, labels, lengths)
    return activations


def _paths(scores: Array, label: Array) -> tuple[float, Array]:
    """For one example: the cost, and the gradient by the activations, (time, classes)."""
    steps, classes = scores.shape
    label = label[label >= 0]
    if label.size and label.max() >= classes:
        raise IndexOutOfRangeError(
            f"Label {label.max()} is not among the {classes} classes.",
            port="labels",
            expected=f"1 to {classes - 1}",
            got=str(label.max()),
        )
    states = np.full(2 * len(label) + 1, BLANK)
    states[1::2] = label
    emitted = scores[:, states]
    skips = np.zeros(len(states), bool)
    skips[2:] = (states[2:] != BLANK) & (states[2:] != states[:-2])
    forward = _sweep(emitted, skips)
    backward = _sweep(emitted[::-1, ::-1], np.concatenate([[False] * 2, skips[2:][::-1]]))[
        ::-1, ::-1
    ]
    ends = forward[-1, -2:]
    total = np.logaddexp.reduce(ends)
    if not np.isfinite(total):
        return np.inf, np.zeros_like(scores)
    posterior = np.zeros((steps, classes))
    np.add.at(posterior.T, states, np.exp(forward + backward - emitted - total).T)
    return -total, np.exp(scores) - posterior


def _sweep(emitted: Array, skips: Array) -> Array:
    """The logarithms of the probabilities of all ways to each state, step by step."""
    reached = np.full(emitted.shape, -np.inf)
    reached[0, :2] = emitted[0, :2]
    for t in range(1, len(emitted)):
        before = reached[t - 1]
        ways = before.copy()
        ways[1:] = np.logaddexp(ways[1:], before[:-1])
        ways[2:] = np.where(skips[2:], np.logaddexp(ways[2:], before[:-2]), ways[2:])
        reached[t] = ways + emitted[t]
    return reached


def _each(activations: Any, labels: Any, lengths: Any) -> tuple[Array, Array]:
    """Costs and gradients of a batch."""
    steps, batch, classes = activations.shape
    costs, slopes = np.zeros(batch), np.zeros((steps, batch, classes))
    shifted = activations.astype("float64")
    shifted = shifted - shifted.max(axis=2, keepdims=True, initial=-np.inf)
    scores = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))
    for i, length in enumerate(lengths):
        if not 0 < length <= steps:
            raise IndexOutOfRangeError(
                f"Example {i} cannot have {length} steps of {steps}.",
                port="lengths",
                expected=f"1 to {steps}",
                got=str(length),
            )
        costs[i], slopes[:length, i] = _paths(scores[:length, i], np.asarray(labels[i]))
    return costs.astype(activations.dtype), slopes.astype(activations.dtype)


def _example(rng: np.random.Generator) -> list[Array]:
    labels = np.array([[1, 2, 2], [3, -1, -1]], "int32")
    return [rng.normal(size=(6, 2, 4)), labels, np.array([6, 4], "int32")]


ctc_gradient = Op(
    name="ctc_gradient",
    symbol="∂CTC",
    category="Costs",
    hidden=True,
    doc="The gradients of the CTC costs of a batch by the activations.",
    ports=PORTS,
    examples=(Example(draw=_example),),
    infer=_slope_type,
    numpy=lambda activations, labels, lengths: _each(activations, labels, lengths)[1],
    no_grad="CTC is differentiated once only",
)


def _gradient(
    g: Variable, y: Variable, activations: Variable, labels: Variable, lengths: Variable
) -> list[Variable | None]:
    slopes = ctc_gradient(activations, labels, lengths)
    return [slopes * g.dimshuffle("x", 0, "x"), None, None]


ctc = Op(
    name="ctc",
    symbol="CTC",
    category="Costs",
    doc="The cost of label sequences whose alignment with the activations is not known.",
    ports=PORTS,
    examples=(Example(draw=_example),),
    infer=_cost_type,
    numpy=lambda activations, labels, lengths: _each(activations, labels, lengths)[0],
    grad=_gradient,
)
