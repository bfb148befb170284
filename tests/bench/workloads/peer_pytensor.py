"""PyTensor, in the mode that its flags name: through Numba, or through C."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import inputs
import numpy as np
from measure import Bench, timed, workloads

sys.setrecursionlimit(100_000)


def started() -> Any:
    """`pytensor.tensor`, once the compiler has begun to work."""
    import pytensor
    import pytensor.tensor as pt

    a = pt.dscalar("a")
    pytensor.function([a], a * a)(1.5)
    return pt


def compiled(variables: Any, outputs: Any, *values: Any, **more: Any) -> tuple[Any, Any, float]:
    """A function, its first result, and the seconds from the expression to that."""
    import pytensor

    def make() -> Any:
        f = pytensor.function(variables, outputs, **more)
        f.trust_input = True
        return f, f(*values)

    (f, out), seconds = timed(make)
    return f, out, seconds


def descent(cost: Any, weights: Sequence[Any], rate: float) -> dict[Any, Any]:
    import pytensor

    gradients = pytensor.grad(cost, list(weights))
    step = np.asarray(rate, weights[0].dtype)
    return {w: w - step * g for w, g in zip(weights, gradients, strict=True)}


def product(bench: Bench) -> None:
    import pytensor.tensor as pt

    (a, b), build = timed(lambda: pt.dscalars("a", "b"))
    x, y = np.asarray(1.5), np.asarray(2.5)
    f, out, seconds = compiled([a, b], a * b, x, y)
    bench.report("trust_input", {"out": out}, lambda: f(x, y), build=build, compile=seconds)
    f.trust_input = False
    call = lambda: f(1.5, 2.5)
    bench.report("arguments checked", {"out": out}, call, build=build, compile=seconds)


def xnor_cost(x: Any, truth: Any, weights: Sequence[Any]) -> Any:
    import pytensor.tensor as pt

    w1, w2, w3, b1, b2 = weights
    a1 = pt.sigmoid(x @ w1 + b1)
    a2 = pt.sigmoid(x @ w2 + b1)
    a3 = pt.sigmoid(pt.stack([a1, a2], axis=1) @ w3 + b2)
    return -(truth * pt.log(a3) + (1 - truth) * pt.log(1 - a3)).sum()


def xnor(bench: Bench) -> None:
    pt = started()
    import pytensor

    x, truth, start = inputs.xnor()

    def write() -> Any:
        weights = [pytensor.shared(w) for w in start]
        variables = x, truth = [pt.dmatrix("x"), pt.dvector("truth")]
        cost = xnor_cost(x, truth, weights)
        return variables, weights, cost, descent(cost, weights, inputs.XNOR_RATE)

    (variables, weights, cost, updates), build = timed(write)
    f, _, seconds = compiled(variables, cost, x, truth, updates=updates)

    def loop() -> list[float]:
        for w, value in zip(weights, start, strict=True):
            w.set_value(value)
        return [float(f(x, truth)) for _ in range(inputs.XNOR_STEPS)]

    costs = loop()
    check = {"first": costs[0], "last": costs[-1]}
    bench.report("function in a Python loop", check, loop, build=build, compile=seconds)

    def step(*weights: Any) -> list[Any]:
        cost = xnor_cost(pt.constant(x), pt.constant(truth), weights)
        return [*descent(cost, weights, inputs.XNOR_RATE).values(), cost]

    def write_scan() -> Any:
        first = [pt.TensorType("float64", w.shape)() for w in start]
        scanned = pytensor.scan(
            step, outputs_info=[*first, None], n_steps=inputs.XNOR_STEPS, return_updates=False
        )
        return first, scanned[-1]

    (first, out), build = timed(write_scan)
    scan, costs, seconds = compiled(first, out, *start)
    check = {"first": costs[0], "last": costs[-1]}
    bench.report("scan", check, lambda: scan(*start), build=build, compile=seconds)


def start(bench: Bench) -> None:
    begun = time.monotonic()
    import pytensor
    import pytensor.tensor as pt

    imported = time.monotonic()
    values, table, start = inputs.xnor()
    weights = [pytensor.shared(w) for w in start]
    x, truth = pt.dmatrix("x"), pt.dvector("truth")
    cost = xnor_cost(x, truth, weights)
    updates = descent(cost, weights, inputs.XNOR_RATE)
    built = time.monotonic()
    _, first, _ = compiled([x, truth], cost, values, table, updates=updates)
    stages = {
        "interpreter": begun - bench.started,
        "import": imported - begun,
        "build": built - imported,
        "first compiled step": time.monotonic() - built,
    }
    bench.report("", {"first": first}, stages=stages)


def relu(v: Any) -> Any:
    import pytensor.tensor as pt

    return pt.maximum(v, np.float32(0))


def cross_entropy(logits: Any, labels: Any) -> Any:
    import pytensor.tensor as pt
    from pytensor.tensor.special import log_softmax

    return -log_softmax(logits, axis=-1)[pt.arange(labels.shape[0]), labels].mean()


def mlp(bench: Bench) -> None:
    pt = started()
    import pytensor

    rows, labels, start = inputs.mlp()
    n = inputs.MLP_BATCH
    weights = [pytensor.shared(w) for w in start]
    velocities = [pytensor.shared(np.zeros_like(w)) for w in start]

    def write() -> Any:
        x, y = pt.fmatrix("x"), pt.lvector("y")
        h = relu(x @ weights[0] + weights[1])
        h = relu(h @ weights[2] + weights[3])
        loss = cross_entropy(h @ weights[4] + weights[5], y)
        updates = {}
        gradients = pytensor.grad(loss, weights)
        for w, v, g in zip(weights, velocities, gradients, strict=True):
            updates[v] = np.float32(inputs.MLP_MOMENTUM) * v + g
            updates[w] = w - np.float32(inputs.MLP_RATE) * updates[v]
        return [x, y], loss, updates

    (variables, loss, updates), build = timed(write)
    f, _, seconds = compiled(variables, loss, rows[:n], labels[:n], updates=updates)

    def epoch() -> list[float]:
        for w, v, value in zip(weights, velocities, start, strict=True):
            w.set_value(value)
            v.set_value(np.zeros_like(value))
        return [
            float(f(rows[i * n : i * n + n], labels[i * n : i * n + n]))
            for i in range(inputs.MLP_STEPS)
        ]

    check = {"mean": np.mean(epoch())}
    bench.report("function in a Python loop", check, epoch, build=build, compile=seconds)


def chain(bench: Bench) -> None:
    pt = started()
    import pytensor

    values = inputs.chain()

    def write() -> Any:
        x, y = pt.fvector("x"), pt.fvector("y")
        out = pt.sum(pt.tanh(x) * y + pt.exp(-x * x) - pt.sigmoid(y) * x)
        return [x, y], [out, *pytensor.grad(out, [x, y])]

    (variables, outputs), build = timed(write)
    f, (out, gx, gy), seconds = compiled(variables, outputs, *values)
    check = {"out": out, "gx": abs(gx).mean(), "gy": abs(gy).mean(), "gx7": gx[7], "gy7": gy[7]}
    bench.report("", check, lambda: f(*values), build=build, compile=seconds)


def conv_block(h: Any, kernel: Any, bias: Any, channels: int, size: int) -> Any:
    """Nine shifted slices and a product: PyTensor has no pooling, and no such convolution."""
    import pytensor.tensor as pt

    out, half = size - 2, (size - 2) // 2
    slices = [h[:, :, i : i + out, j : j + out] for i in range(3) for j in range(3)]
    columns = pt.concatenate(slices, axis=1).dimshuffle(0, 2, 3, 1).reshape((-1, 9 * channels))
    kernel = kernel.dimshuffle(2, 3, 1, 0).reshape((9 * channels, -1))
    h = relu(columns @ kernel + bias).reshape((-1, out, out, bias.shape[0]))
    h = h.dimshuffle(0, 3, 1, 2)[:, :, : 2 * half, : 2 * half]
    return h.reshape((h.shape[0], h.shape[1], half, 2, half, 2)).max(axis=(3, 5))


def conv(bench: Bench) -> None:
    pt = started()
    import pytensor

    images, labels, start = inputs.conv()

    def write() -> Any:
        x, y = pt.ftensor4("x"), pt.lvector("y")
        w = [pytensor.shared(value) for value in start]
        h = conv_block(conv_block(x, w[0], w[1], 1, 28), w[2], w[3], 16, 13)
        loss = cross_entropy(h.reshape((h.shape[0], -1)) @ w[4] + w[5], y)
        return [x, y], loss, descent(loss, w, inputs.CONV_RATE)

    (variables, loss, updates), build = timed(write)
    f, _, seconds = compiled(variables, loss, images, labels, updates=updates)
    for _ in range(9):
        last = f(images, labels)
    call = lambda: f(images, labels)
    bench.report("im2col by hand", {"tenth": last}, call, build=build, compile=seconds)


def rnn(bench: Bench) -> None:
    pt = started()
    import pytensor

    sequences, targets, start = inputs.rnn()

    def write() -> Any:
        x, y = pt.ftensor3("x"), pt.ftensor3("y")
        wx, wh, b, wo = weights = [pytensor.shared(value) for value in start]
        first = pt.zeros((sequences.shape[1], start[1].shape[0]), dtype="float32")
        hidden = pytensor.scan(
            lambda xt, h, wx, wh, b: pt.tanh(xt @ wx + h @ wh + b),
            sequences=[x],
            outputs_info=[first],
            non_sequences=[wx, wh, b],
            strict=True,
            return_updates=False,
        )
        loss = ((hidden @ wo - y) ** 2).mean()
        return [x, y], [loss, *pytensor.grad(loss, weights)]

    (variables, outputs), build = timed(write)
    f, (loss, gwx, gwh, *_), seconds = compiled(variables, outputs, sequences, targets)
    check = {"loss": loss, "gwx": abs(gwx).sum(), "gwh": abs(gwh).sum()}
    bench.report("", check, lambda: f(sequences, targets), build=build, compile=seconds)


def deep(nodes: int, bench: Bench) -> None:
    pt = started()
    import pytensor

    values = inputs.deep()

    def write() -> Any:
        x, w, a = variables = [pt.fmatrix("x"), pt.fmatrix("w"), pt.fvector("a")]
        h = inputs.deep_chain(nodes, x, w, a, pt.tanh, pt.sigmoid, pt.dot)
        loss = (h * h).mean()
        return variables, [loss, *pytensor.grad(loss, variables)]

    (variables, outputs), build = timed(write)
    f, (loss, gx, gw, _), seconds = compiled(variables, outputs, *values)
    check = {"loss": loss, "gx": abs(gx).sum(), "gw": abs(gw).sum()}
    bench.report("", check, lambda: f(*values), build=build, compile=seconds)


def over_rows(name: str, bench: Bench) -> None:
    pt = started()
    import pytensor
    from pytensor.tensor.special import softmax

    values, cotangent, scale, offset = inputs.rows()

    def write() -> Any:
        x, g = pt.fmatrix("x"), pytensor.shared(cotangent)
        if name == "softmax":
            loss, variables = (softmax(x, axis=-1) * g).sum(), [x]
        elif name == "logsumexp":
            loss, variables = (pt.logsumexp(x, axis=-1) * g[:, 0]).sum(), [x]
        else:
            s, b = pt.fvector("s"), pt.fvector("b")
            d = x - x.mean(axis=-1, keepdims=True)
            variance = (d * d).mean(axis=-1, keepdims=True)
            normed = d / pt.sqrt(variance + np.float32(inputs.EPSILON)) * s + b
            loss, variables = (normed * g).sum(), [x, s, b]
        return variables, [loss, *pytensor.grad(loss, variables)]

    (variables, outputs), build = timed(write)
    given = (values, scale, offset)[: len(variables)]
    f, (_, gx, *_), seconds = compiled(variables, outputs, *given)
    check = {"gx": abs(gx).mean(), "gx77": gx[7, 7]}
    bench.report("", check, lambda: f(*given), build=build, compile=seconds)


WORKLOADS = workloads(
    W1=product, start=start, W2=xnor, W3=mlp, W4=chain, W5=conv, W6=rnn, W7=deep, W8=over_rows
)
