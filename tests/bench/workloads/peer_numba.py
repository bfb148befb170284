"""Numba by hand: the limit that a generator of kernels could reach.

Gradients are derived on paper, loops fused and spread over threads by hand, exp and tanh those of
glibc's vector library.  The seconds to compile include Numba's inference of types.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import inputs
import numba
import numpy as np
from libmvec import exp, tanh
from measure import Bench, timed, workloads
from numba import prange

f32 = np.float32
FAST = {"reassoc", "contract", "nsz", "arcp"}  # NaN and infinity keep their meaning


def jit(**options: Any) -> Any:
    return numba.njit(error_model="numpy", **options)


def started() -> None:
    """The compiler has begun to work."""
    jit()(lambda a: a * a)(1.5)


def product(bench: Bench) -> None:
    f = jit()(lambda a, b: a * b)
    out, seconds = timed(lambda: f(1.5, 2.5))
    bench.report("floats", {"out": out}, lambda: f(1.5, 2.5), compile=seconds)


@jit()  # type: ignore[untyped-decorator]
def sigmoid(v: Any) -> Any:
    return 1.0 / (1.0 + math.exp(-v))


@jit()  # type: ignore[untyped-decorator]
def xnor_loop(x: Any, y: Any, w1: Any, w2: Any, w3: Any, b: Any, rate: Any, costs: Any) -> None:
    for step in range(costs.size):
        g1 = g2 = g3 = g4 = h1 = h2 = gb1 = gb2 = cost = 0.0
        for i in range(x.shape[0]):
            p = sigmoid(x[i, 0] * w1[0] + x[i, 1] * w1[1] + b[0])
            q = sigmoid(x[i, 0] * w2[0] + x[i, 1] * w2[1] + b[0])
            r = sigmoid(p * w3[0] + q * w3[1] + b[1])
            cost -= y[i] * math.log(r) + (1 - y[i]) * math.log(1 - r)
            d = r - y[i]
            dp, dq = d * w3[0] * p * (1 - p), d * w3[1] * q * (1 - q)
            h1 += d * p
            h2 += d * q
            gb1 += dp + dq
            gb2 += d
            g1 += dp * x[i, 0]
            g2 += dp * x[i, 1]
            g3 += dq * x[i, 0]
            g4 += dq * x[i, 1]
        w1[0] -= rate * g1
        w1[1] -= rate * g2
        w2[0] -= rate * g3
        w2[1] -= rate * g4
        w3[0] -= rate * h1
        w3[1] -= rate * h2
        b[0] -= rate * gb1
        b[1] -= rate * gb2
        costs[step] = cost


def xnor(bench: Bench) -> None:
    started()
    x, truth, start = inputs.xnor()

    def run(steps: int = inputs.XNOR_STEPS) -> Any:
        costs = np.empty(steps)
        weights = [w.copy() for w in start[:3]]
        xnor_loop(x, truth, *weights, np.array(start[3:]), inputs.XNOR_RATE, costs)
        return costs

    _, seconds = timed(partial(run, 1))
    costs = run()
    bench.report("whole loop", {"first": costs[0], "last": costs[-1]}, run, compile=seconds)


@jit(fastmath=FAST)  # type: ignore[untyped-decorator]
def softmax_loss(z: Any, y: Any) -> Any:
    """The mean cross-entropy of the logits, which become its gradient."""
    loss, share = f32(0), f32(1.0 / z.shape[0])
    for i in range(z.shape[0]):
        top, total = z[i].max(), f32(0)
        picked = z[i, y[i]] - top
        for j in range(z.shape[1]):
            z[i, j] = math.exp(z[i, j] - top)
            total += z[i, j]
        for j in range(z.shape[1]):
            z[i, j] *= share / total
        z[i, y[i]] -= share
        loss += math.log(total) - picked
    return loss * share


@jit(fastmath=FAST)  # type: ignore[untyped-decorator]
def layer(x: Any, w: Any, b: Any, low: Any, out: Any) -> None:
    np.dot(x, w, out)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = max(out[i, j] + b[0, j], low)


@jit(fastmath=FAST)  # type: ignore[untyped-decorator]
def layer_gradient(d: Any, w: Any, h: Any, out: Any) -> None:
    np.dot(d, w.T, out)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = out[i, j] if h[i, j] > f32(0) else f32(0)


@jit(fastmath=FAST)  # type: ignore[untyped-decorator]
def descend(w: Any, v: Any, g: Any, momentum: Any, rate: Any) -> None:
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            v[i, j] = momentum * v[i, j] + g[i, j]
            w[i, j] -= rate * v[i, j]


@jit(fastmath=FAST)  # type: ignore[untyped-decorator]
def sum_rows(d: Any, out: Any) -> None:
    out[:] = 0
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            out[0, j] += d[i, j]


@jit()  # type: ignore[untyped-decorator]
def mlp_epoch(
    rows: Any, labels: Any, w: Any, v: Any, g: Any, h1: Any, h2: Any, z: Any, d1: Any, d2: Any,
    momentum: Any, rate: Any, losses: Any,
) -> None:  # fmt: skip
    n = h1.shape[0]
    for step in range(losses.size):
        x, y = rows[step * n : step * n + n], labels[step * n : step * n + n]
        layer(x, w[0], w[1], f32(0), h1)
        layer(h1, w[2], w[3], f32(0), h2)
        layer(h2, w[4], w[5], f32(-np.inf), z)
        losses[step] = softmax_loss(z, y)
        layer_gradient(z, w[4], h2, d2)
        layer_gradient(d2, w[2], h1, d1)
        np.dot(x.T, d1, g[0])
        sum_rows(d1, g[1])
        np.dot(h1.T, d2, g[2])
        sum_rows(d2, g[3])
        np.dot(h2.T, z, g[4])
        sum_rows(z, g[5])
        for k in range(len(w)):
            descend(w[k], v[k], g[k], momentum, rate)


def mlp(bench: Bench) -> None:
    started()
    rows, labels, start = inputs.mlp()
    _, *widths = inputs.MLP_SIZES

    def run(steps: int = inputs.MLP_STEPS) -> Any:
        w = tuple(np.atleast_2d(a).copy() for a in start)
        v, g = (tuple(np.zeros_like(a) for a in w) for _ in range(2))
        work = [np.empty((inputs.MLP_BATCH, m), "float32") for m in (*widths, *widths[:2])]
        losses = np.empty(steps, "float32")
        settings = f32(inputs.MLP_MOMENTUM), f32(inputs.MLP_RATE)
        mlp_epoch(rows, labels, w, v, g, *work, *settings, losses)
        return losses

    _, seconds = timed(partial(run, 1))
    bench.report("whole epoch", {"mean": run().mean()}, run, compile=seconds)


@jit(parallel=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def chain_kernel(x: Any, y: Any, gx: Any, gy: Any, partial: Any) -> None:
    size = x.size // partial.size
    for k in prange(partial.size):
        low = k * size
        high = x.size if k == partial.size - 1 else low + size
        # Slices are counted from 0: an index that could be negative is no vector's.
        xs, ys, dx, dy, total = x[low:high], y[low:high], gx[low:high], gy[low:high], f32(0)
        for i in range(xs.size):
            t, e, s = tanh(xs[i]), exp(-xs[i] * xs[i]), f32(1) / (f32(1) + exp(-ys[i]))
            total += t * ys[i] + e - s * xs[i]
            dx[i] = (f32(1) - t * t) * ys[i] - f32(2) * xs[i] * e - s
            dy[i] = t - s * (f32(1) - s) * xs[i]
        partial[k] = total


def chain(bench: Bench) -> None:
    started()
    x, y = inputs.chain()
    gx, gy, parts = np.empty_like(x), np.empty_like(y), np.empty(1024, "float32")
    call = lambda: chain_kernel(x, y, gx, gy, parts)
    _, seconds = timed(call)
    check = {"out": parts.sum(dtype="float64"), "gx7": gx[7], "gy7": gy[7]}
    check |= {"gx": abs(gx).mean(), "gy": abs(gy).mean()}
    bench.report("", check, call, compile=seconds)


@jit(fastmath=FAST)  # type: ignore[untyped-decorator]
def rnn_pass(
    x: Any, y: Any, wx: Any, wh: Any, b: Any, wo: Any, hs: Any, zs: Any, out: Any,
    gwx: Any, gwh: Any, gb: Any, gwo: Any,
) -> Any:  # fmt: skip
    """hs is (steps + 1, batch, hidden) and begins with zeros; zs has x·wx, then the deltas."""
    steps, batch, features = x.shape
    hidden, n_out = wo.shape
    flat_h = hs[1:].reshape(steps * batch, hidden)
    flat_z = zs.reshape(steps * batch, hidden)
    flat_x = x.reshape(steps * batch, features)
    np.dot(flat_x, wx, flat_z)
    work = np.empty((batch, hidden), np.float32)
    for t in range(steps):
        np.dot(hs[t], wh, work)
        for i in range(batch):
            for j in range(hidden):
                hs[t + 1, i, j] = tanh(zs[t, i, j] + work[i, j] + b[j])
    np.dot(flat_h, wo, out)
    loss, scale = f32(0), f32(2.0 / out.size)
    flat_y = y.reshape(out.shape)
    for i in range(out.shape[0]):
        for j in range(n_out):
            d = out[i, j] - flat_y[i, j]
            loss += d * d
            out[i, j] = scale * d
    np.dot(flat_h.T, out, gwo)
    np.dot(out, wo.T, flat_z)
    gb[:] = 0
    work[:] = 0
    for t in range(steps - 1, -1, -1):
        for i in range(batch):
            for j in range(hidden):
                h = hs[t + 1, i, j]
                zs[t, i, j] = (zs[t, i, j] + work[i, j]) * (f32(1) - h * h)
                gb[j] += zs[t, i, j]
        np.dot(zs[t], wh.T, work)
    np.dot(flat_x.T, flat_z, gwx)
    np.dot(hs[:-1].reshape(steps * batch, hidden).T, flat_z, gwh)
    return loss / f32(out.size)


def rnn(bench: Bench) -> None:
    started()
    x, y, weights = inputs.rnn()
    steps, batch, _ = x.shape
    hidden, n_out = weights[3].shape
    hs = np.zeros((steps + 1, batch, hidden), "float32")
    zs = np.empty((steps, batch, hidden), "float32")
    out = np.empty((steps * batch, n_out), "float32")
    gwx, gwh, gb, gwo = (np.empty_like(w) for w in weights)
    call = lambda: rnn_pass(x, y, *weights, hs, zs, out, gwx, gwh, gb, gwo)
    loss, seconds = timed(call)
    check = {"loss": loss, "gwx": abs(gwx).sum(), "gwh": abs(gwh).sum()}
    bench.report("whole pass", check, call, compile=seconds)


@jit(parallel=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def softmax(x: Any, g: Any, dx: Any, partial: Any) -> None:
    for i in prange(x.shape[0]):
        top, total, dot = x[i, 0], f32(0), f32(0)
        for j in range(x.shape[1]):
            top = max(top, x[i, j])
        for j in range(x.shape[1]):
            e = exp(x[i, j] - top)
            dx[i, j] = e
            total += e
            dot += e * g[i, j]
        inverse = f32(1) / total
        dot *= inverse
        for j in range(x.shape[1]):
            dx[i, j] = dx[i, j] * inverse * (g[i, j] - dot)
        partial[i] = dot


@jit(parallel=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def logsumexp(x: Any, g: Any, dx: Any, partial: Any) -> None:
    for i in prange(x.shape[0]):
        top, total = x[i, 0], f32(0)
        for j in range(x.shape[1]):
            top = max(top, x[i, j])
        for j in range(x.shape[1]):
            dx[i, j] = exp(x[i, j] - top)
            total += dx[i, j]
        scale = g[i, 0] / total
        for j in range(x.shape[1]):
            dx[i, j] *= scale
        partial[i] = (math.log(total) + top) * g[i, 0]


@jit(parallel=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def layernorm(
    x: Any, gamma: Any, beta: Any, epsilon: Any, g: Any, dx: Any, dgamma: Any, dbeta: Any,
    partial: Any,
) -> None:  # fmt: skip
    """dgamma and dbeta have a row for each chunk of rows, to be summed."""
    chunks, columns = dgamma.shape
    size, share = x.shape[0] // chunks, f32(1.0 / columns)
    for k in prange(chunks):
        dgamma[k] = 0
        dbeta[k] = 0
        for i in range(k * size, (k + 1) * size):
            mean, variance, loss, s1, s2 = f32(0), f32(0), f32(0), f32(0), f32(0)
            for j in range(columns):
                mean += x[i, j]
            mean *= share
            for j in range(columns):
                variance += (x[i, j] - mean) * (x[i, j] - mean)
            r = f32(1) / np.sqrt(variance * share + epsilon)
            for j in range(columns):
                n = (x[i, j] - mean) * r
                q = g[i, j] * gamma[j]
                loss += n * q + beta[j] * g[i, j]
                s1 += q
                s2 += q * n
                dgamma[k, j] += g[i, j] * n
                dbeta[k, j] += g[i, j]
            s1 *= share
            s2 *= share
            for j in range(columns):
                dx[i, j] = r * (g[i, j] * gamma[j] - s1 - (x[i, j] - mean) * r * s2)
            partial[i] = loss


def over_rows(name: str, bench: Bench) -> None:
    started()
    x, g, gamma, beta = inputs.rows()
    dx, parts = np.empty_like(x), np.empty(len(x), "float32")
    dgamma, dbeta = (np.empty((16, x.shape[1]), "float32") for _ in range(2))

    def norm() -> tuple[Any, Any]:
        layernorm(x, gamma, beta, f32(inputs.EPSILON), g, dx, dgamma, dbeta, parts)
        return dgamma.sum(axis=0), dbeta.sum(axis=0)

    calls: dict[str, Callable[[], Any]] = {
        "softmax": lambda: softmax(x, g, dx, parts),
        "logsumexp": lambda: logsumexp(x, g, dx, parts),
        "layernorm": norm,
    }
    _, seconds = timed(calls[name])
    check = {"gx": abs(dx).mean(), "gx77": dx[7, 7]}
    bench.report("", check, calls[name], compile=seconds)


WORKLOADS = workloads(W1=product, W2=xnor, W3=mlp, W4=chain, W6=rnn, W8=over_rows)
