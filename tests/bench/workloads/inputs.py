"""The workloads, and the numbers that every peer starts from.

W1  `f(1.5, 2.5)`, a product of two numbers, called from Python.
W2  the XNOR network (two neurons and one), 30,000 steps of gradient descent in float64, each
    step's cost kept.
W3  a perceptron of 784-256-128-10 in float32, one epoch of 469 batches of 128 with momentum.
W4  sum(tanh(x) y + exp(-x²) - sigmoid(y) x) and both gradients, 10 million float32.
W5  two convolutions with pooling and a layer on 64 images of 28x28, one step.
W6  a recurrent network over 100 steps in a scan, the loss and its gradients.
W7  a chain of N products and elementwise ops on 32x32, with gradient: how long it compiles.
W8  softmax, logsumexp and layer norm over 4096 rows of 1024 float32, with gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

TITLES = {
    "W1": "a product of two numbers, called from Python",
    "W2": "the XNOR network, 30,000 steps",
    "W2-start": "the XNOR network, from nothing to the first steps",
    "W3": "a perceptron of 784-256-128-10, one epoch of 469 batches of 128",
    "W4": "a chain of elementwise ops with its gradient, 10 million numbers",
    "W5": "a convolutional network, one step on 64 images",
    "W6": "a recurrent network by scan, forward and backward",
    "W7-100": "a graph of 100 nodes with its gradient",
    "W7-1000": "a graph of 1,000 nodes with its gradient",
    "W7-5000": "a graph of 5,000 nodes with its gradient",
    "W8-softmax": "softmax with its gradient, 4096 x 1024",
    "W8-logsumexp": "logsumexp with its gradient, 4096 x 1024",
    "W8-layernorm": "layer norm with its gradients, 4096 x 1024",
}

XNOR_STEPS, XNOR_RATE = 30_000, 0.01
MLP_SIZES = (784, 256, 128, 10)
MLP_BATCH, MLP_STEPS = 128, 469
MLP_RATE, MLP_MOMENTUM = 0.01, 0.9
CHAIN = 10_000_000
CONV_RATE = 0.01
EPSILON = 1e-5


def normal(r: np.random.RandomState, *shape: int, scale: float = 1.0) -> Array:
    """Normal numbers in float32."""
    return np.asarray(r.standard_normal(shape) * scale, "float32")


def xnor() -> tuple[Array, Array, list[Array]]:
    """The truth table and the first weights."""
    r = np.random.RandomState(0)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float64")
    weights = [r.random_sample(2) for _ in range(3)]
    return x, np.array([1.0, 0, 0, 1]), [*weights, np.array(1.0), np.array(1.0)]


def mlp() -> tuple[Array, Array, list[Array]]:
    """All rows of the epoch, their labels, and weights and biases in turn."""
    r = np.random.RandomState(1)
    x = r.random_sample((MLP_BATCH * MLP_STEPS, MLP_SIZES[0])).astype("float32")
    teacher = normal(r, MLP_SIZES[0], MLP_SIZES[-1])
    y = np.argmax((x - 0.5) @ teacher, axis=1).astype("int64")
    weights: list[Array] = []
    for fan_in, fan_out in pairwise(MLP_SIZES):
        weights.append(normal(r, fan_in, fan_out, scale=(2 / fan_in) ** 0.5))
        weights.append(np.zeros(fan_out, "float32"))
    return x, y, weights


def chain() -> tuple[Array, Array]:
    """x and y."""
    r = np.random.RandomState(2)
    return normal(r, CHAIN), normal(r, CHAIN)


def conv() -> tuple[Array, Array, list[Array]]:
    """Images as (image, channel, row, column), labels, and the weights."""
    r = np.random.RandomState(3)
    x = r.random_sample((64, 1, 28, 28)).astype("float32")
    y = r.randint(0, 10, 64).astype("int64")
    shapes = ((16, 1, 3, 3), (16,), (32, 16, 3, 3), (32,), (800, 10), (10,))
    scales = (0.3, 0.1, 0.1, 0.1, 0.03, 0.1)
    return x, y, [normal(r, *s, scale=c) for s, c in zip(shapes, scales, strict=True)]


def rnn() -> tuple[Array, Array, list[Array]]:
    """Sequences as (time, batch, feature), targets, and Wx, Wh, b, Wo."""
    r = np.random.RandomState(4)
    x, y = normal(r, 100, 32, 32), normal(r, 100, 32, 8)
    return x, y, [normal(r, *s, scale=0.1) for s in ((32, 64), (64, 64), (64,), (64, 8))]


def deep() -> tuple[Array, Array, Array]:
    """x, W and a of the chain."""
    r = np.random.RandomState(5)
    return normal(r, 32, 32), normal(r, 32, 32, scale=32**-0.5), normal(r, 32, scale=0.2) + 1


def deep_chain(
    nodes: int, x: Any, w: Any, a: Any, tanh: Callable[..., Any], sigmoid: Any, dot: Any
) -> Any:
    """The chain, of a peer's own functions."""
    h = x
    for i in range(nodes):
        match i % 5:
            case 0:
                h = tanh(h)
            case 1:
                h = dot(h, w)
            case 2:
                h = h * a
            case 3:
                h = h + x
            case _:
                h = sigmoid(h)
    return h


def rows() -> tuple[Array, Array, Array, Array]:
    """x, the cotangent, and the scale and offset of the layer norm."""
    r = np.random.RandomState(6)
    x, cotangent = normal(r, 4096, 1024), normal(r, 4096, 1024)
    return x, cotangent, normal(r, 1024, scale=0.1) + 1, normal(r, 1024, scale=0.1)
