"""Plain NumPy, with gradients derived by hand."""

from __future__ import annotations

from typing import Any

import inputs
import numpy as np
from inputs import Array
from measure import Bench, workloads

f32 = np.float32


def product(bench: Bench) -> None:
    a, b, out = np.array(1.5), np.array(2.5), np.zeros(())
    np.multiply(a, b, out=out)
    bench.report("np.multiply(a, b, out=out)", {"out": out}, lambda: np.multiply(a, b, out=out))


def sigmoid(v: Array) -> Any:
    return 1 / (1 + np.exp(-v))


def xnor(bench: Bench) -> None:
    x, truth, start = inputs.xnor()
    rate = inputs.XNOR_RATE

    def loop() -> list[Any]:
        w1, w2, w3, b1, b2 = start
        costs = []
        for _ in range(inputs.XNOR_STEPS):
            h = np.stack([sigmoid(x @ w1 + b1), sigmoid(x @ w2 + b1)], axis=1)
            a3 = sigmoid(h @ w3 + b2)
            costs.append(-(truth * np.log(a3) + (1 - truth) * np.log(1 - a3)).sum())
            d3 = a3 - truth
            d = np.outer(d3, w3) * h * (1 - h)
            w3 = w3 - rate * (h.T @ d3)
            w1 = w1 - rate * (x.T @ d[:, 0])
            w2 = w2 - rate * (x.T @ d[:, 1])
            b1 = b1 - rate * d.sum()
            b2 = b2 - rate * d3.sum()
        return costs

    costs = loop()
    bench.report("Python loop", {"first": costs[0], "last": costs[-1]}, loop)


def cross_entropy(z: Array, y: Array) -> tuple[Any, Array]:
    """The mean loss and its gradient by the logits."""
    at = np.arange(len(y))
    z = z - z.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    loss = (np.log(total[:, 0]) - z[at, y]).mean()
    d = e / total
    d[at, y] -= 1
    return loss, d * f32(1 / len(y))


def mlp(bench: Bench) -> None:
    rows, labels, start = inputs.mlp()
    n = inputs.MLP_BATCH

    def epoch() -> list[Any]:
        w = [a.copy() for a in start]
        velocities = [np.zeros_like(a) for a in start]
        losses = []
        for i in range(inputs.MLP_STEPS):
            x, y = rows[i * n : i * n + n], labels[i * n : i * n + n]
            h1 = np.maximum(x @ w[0] + w[1], f32(0))
            h2 = np.maximum(h1 @ w[2] + w[3], f32(0))
            loss, d3 = cross_entropy(h2 @ w[4] + w[5], y)
            losses.append(loss)
            d2 = (d3 @ w[4].T) * (h2 > 0)
            d1 = (d2 @ w[2].T) * (h1 > 0)
            g = [x.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ d3, d3.sum(0)]
            for k, v in enumerate(velocities):
                v *= f32(inputs.MLP_MOMENTUM)
                v += g[k]
                w[k] -= f32(inputs.MLP_RATE) * v
        return losses

    bench.report("Python loop", {"mean": np.mean(epoch())}, epoch)


def chain(bench: Bench) -> None:
    x, y = inputs.chain()

    def call() -> tuple[Any, Array, Array]:
        t, e, s = np.tanh(x), np.exp(-x * x), 1 / (1 + np.exp(-y))
        out = np.sum(t * y + e - s * x)
        return out, (1 - t * t) * y - 2 * x * e - s, t - s * (1 - s) * x

    out, gx, gy = call()
    check = {"out": out, "gx": abs(gx).mean(), "gy": abs(gy).mean(), "gx7": gx[7], "gy7": gy[7]}
    bench.report("", check, call)


def rnn(bench: Bench) -> None:
    x, y, (wx, wh, b, wo) = inputs.rnn()
    steps, batch, features = x.shape
    width = wh.shape[0]

    def call() -> tuple[Any, ...]:
        hidden = np.zeros((steps + 1, batch, width), "float32")
        into = x @ wx + b
        for t in range(steps):
            hidden[t + 1] = np.tanh(into[t] + hidden[t] @ wh)
        error = hidden[1:] @ wo - y
        d = error * f32(2 / error.size)
        dz = d @ wo.T
        carry = np.zeros((batch, width), "float32")
        for t in range(steps - 1, -1, -1):
            dz[t] = (dz[t] + carry) * (1 - hidden[t + 1] * hidden[t + 1])
            carry = dz[t] @ wh.T
        flat = dz.reshape(-1, width)
        gwx = x.reshape(-1, features).T @ flat
        gwh = hidden[:-1].reshape(-1, width).T @ flat
        gwo = hidden[1:].reshape(-1, width).T @ d.reshape(-1, d.shape[2])
        return (error * error).mean(), gwx, gwh, flat.sum(0), gwo

    loss, gwx, gwh, *_ = call()
    check = {"loss": loss, "gwx": abs(gwx).sum(), "gwh": abs(gwh).sum()}
    bench.report("Python loop over time", check, call)


def over_rows(name: str, bench: Bench) -> None:
    x, g, scale, offset = inputs.rows()

    def softmax() -> tuple[Any, ...]:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        s = e / e.sum(axis=1, keepdims=True)
        dot = (s * g).sum(axis=1, keepdims=True)
        return dot.sum(), s * (g - dot)

    def logsumexp() -> tuple[Any, ...]:
        top = x.max(axis=1, keepdims=True)
        e = np.exp(x - top)
        total = e.sum(axis=1, keepdims=True)
        return ((np.log(total) + top) * g[:, :1]).sum(), e * (g[:, :1] / total)

    def layernorm() -> tuple[Any, ...]:
        d = x - x.mean(axis=1, keepdims=True)
        r = 1 / np.sqrt((d * d).mean(axis=1, keepdims=True) + f32(inputs.EPSILON))
        n, q = d * r, g * scale
        dx = r * (q - q.mean(axis=1, keepdims=True) - n * (q * n).mean(axis=1, keepdims=True))
        return (n * q + offset * g).sum(), dx, (g * n).sum(axis=0), g.sum(axis=0)

    call = {"softmax": softmax, "logsumexp": logsumexp, "layernorm": layernorm}[name]
    gx = call()[1]
    bench.report("", {"gx": abs(gx).mean(), "gx77": gx[7, 7]}, call)


WORKLOADS = workloads(W1=product, W2=xnor, W3=mlp, W4=chain, W6=rnn, W8=over_rows)
