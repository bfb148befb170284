"""JAX on the CPU: a jitted step in a Python loop, and `lax.scan` over all steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import inputs
from measure import Bench, growth, timed, workloads


def compiled(f: Any, *values: Any) -> tuple[Any, Any, float]:
    """A jitted function that waits for its results, its first result, and the seconds to that."""
    import jax

    fast = jax.jit(f)

    def call(*values: Any) -> Any:
        return jax.block_until_ready(fast(*values))

    out, seconds = timed(partial(call, *values))
    return call, out, seconds


def started(double: bool = False) -> Any:
    """`jax.numpy`, once the compiler has begun to work."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", double)
    jax.jit(lambda a: a * a)(1.5).block_until_ready()
    return jnp


def product(bench: Bench) -> None:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    f, out, seconds = compiled(lambda a, b: a * b, 1.5, 2.5)
    bench.report("numbers", {"out": out}, lambda: f(1.5, 2.5), compile=seconds)
    a, b = jnp.float64(1.5), jnp.float64(2.5)
    bench.report("scalars of the device", {"out": out}, lambda: f(a, b), compile=seconds)


def xnor_step(x: Any, truth: Any) -> Callable[[Any], Any]:
    """From the weights to the next ones and the cost."""
    import jax
    import jax.numpy as jnp

    def cost(weights: Sequence[Any]) -> Any:
        w1, w2, w3, b1, b2 = weights
        a1 = jax.nn.sigmoid(x @ w1 + b1)
        a2 = jax.nn.sigmoid(x @ w2 + b1)
        a3 = jax.nn.sigmoid(jnp.stack([a1, a2], axis=1) @ w3 + b2)
        return -(truth * jnp.log(a3) + (1 - truth) * jnp.log(1 - a3)).sum()

    def step(weights: Sequence[Any]) -> Any:
        value, gradients = jax.value_and_grad(cost)(weights)
        rate = inputs.XNOR_RATE
        return [w - rate * g for w, g in zip(weights, gradients, strict=True)], value

    return step


def xnor(bench: Bench) -> None:
    jnp = started(double=True)
    import jax

    x, truth, start = inputs.xnor()
    step, first = xnor_step(x, truth), [jnp.asarray(w) for w in start]

    def all_steps(weights: Any) -> Any:
        return jax.lax.scan(lambda w, _: step(w), weights, length=inputs.XNOR_STEPS)[1]

    scan, costs, seconds = compiled(all_steps, first)
    check = {"first": costs[0], "last": costs[-1]}
    bench.report("lax.scan", check, lambda: scan(first), compile=seconds)
    f, _, seconds = compiled(step, first)

    def loop() -> list[float]:
        weights, costs = first, []
        for _ in range(inputs.XNOR_STEPS):
            weights, cost = f(weights)
            costs.append(float(cost))
        return costs

    costs = loop()
    check = {"first": costs[0], "last": costs[-1]}
    bench.report("jitted step in a Python loop", check, loop, compile=seconds)


def start(bench: Bench) -> None:
    begun = time.monotonic()
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    imported = time.monotonic()
    x, truth, start = inputs.xnor()
    step = xnor_step(x, truth)
    _, (_, cost), _ = compiled(step, [jnp.asarray(w) for w in start])
    stages = {
        "interpreter": begun - bench.started,
        "import": imported - begun,
        "first compiled step": time.monotonic() - imported,
    }
    bench.report("", {"first": cost}, stages=stages)


def cross_entropy(logits: Any, labels: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def mlp_step(state: Any, x: Any, y: Any) -> Any:
    import jax

    def loss(w: Sequence[Any]) -> Any:
        h = jax.nn.relu(x @ w[0] + w[1])
        h = jax.nn.relu(h @ w[2] + w[3])
        return cross_entropy(h @ w[4] + w[5], y)

    weights, velocities = state
    value, gradients = jax.value_and_grad(loss)(weights)
    velocities = [inputs.MLP_MOMENTUM * v + g for v, g in zip(velocities, gradients, strict=True)]
    weights = [w - inputs.MLP_RATE * v for w, v in zip(weights, velocities, strict=True)]
    return (weights, velocities), value


def mlp(bench: Bench) -> None:
    jnp = started()
    import jax

    rows, labels, start = inputs.mlp()
    labels = labels.astype("int32")
    n = inputs.MLP_BATCH

    def first() -> Any:
        weights = [jnp.asarray(w) for w in start]
        return weights, [jnp.zeros_like(w) for w in weights]

    f, _, seconds = compiled(mlp_step, first(), rows[:n], labels[:n])

    def epoch(steps: int = inputs.MLP_STEPS) -> Any:
        state, losses = first(), []
        for i in range(steps):
            state, loss = f(state, rows[i * n : i * n + n], labels[i * n : i * n + n])
            losses.append(float(loss))
        return losses

    check = {"mean": sum(epoch()) / inputs.MLP_STEPS}
    peak = growth(lambda: epoch(3))
    bench.report("jitted step in a Python loop", check, epoch, compile=seconds, peak=peak)

    xs = jnp.asarray(rows).reshape(inputs.MLP_STEPS, n, -1)
    ys = jnp.asarray(labels).reshape(inputs.MLP_STEPS, n)
    state = first()

    def all_steps(state: Any, xs: Any, ys: Any) -> Any:
        return jax.lax.scan(lambda s, xy: mlp_step(s, *xy), state, (xs, ys))

    scan, (_, losses), seconds = compiled(all_steps, state, xs, ys)
    check = {"mean": losses.mean()}
    bench.report("lax.scan", check, lambda: scan(state, xs, ys), compile=seconds)


def chain(bench: Bench) -> None:
    jnp = started()
    import jax

    x, y = map(jnp.asarray, inputs.chain())

    def total(x: Any, y: Any) -> Any:
        return jnp.sum(jnp.tanh(x) * y + jnp.exp(-x * x) - jax.nn.sigmoid(y) * x)

    f, (out, (gx, gy)), seconds = compiled(jax.value_and_grad(total, argnums=(0, 1)), x, y)
    check = {"out": out, "gx": abs(gx).mean(), "gy": abs(gy).mean(), "gx7": gx[7], "gy7": gy[7]}
    bench.report("", check, lambda: f(x, y), compile=seconds)


def conv_block(h: Any, kernel: Any, bias: Any) -> Any:
    import jax
    import jax.numpy as jnp
    from jax import lax

    layout = ("NCHW", "OIHW", "NCHW")
    h = lax.conv_general_dilated(h, kernel, (1, 1), "VALID", dimension_numbers=layout)
    h = jax.nn.relu(h + bias[:, None, None])
    window = (1, 1, 2, 2)
    return lax.reduce_window(h, -jnp.inf, lax.max, window, window, "VALID")


def conv(bench: Bench) -> None:
    jnp = started()
    import jax

    images, labels, start = inputs.conv()
    labels = labels.astype("int32")

    def loss(w: Sequence[Any], x: Any, y: Any) -> Any:
        h = conv_block(conv_block(x, w[0], w[1]), w[2], w[3])
        return cross_entropy(h.reshape(h.shape[0], -1) @ w[4] + w[5], y)

    def step(weights: Sequence[Any], x: Any, y: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(weights, x, y)
        rate = inputs.CONV_RATE
        return [w - rate * g for w, g in zip(weights, gradients, strict=True)], value

    first = [jnp.asarray(w) for w in start]
    f, _, seconds = compiled(step, first, images, labels)

    def steps(count: int) -> Any:
        weights = first
        for _ in range(count):
            weights, value = f(weights, images, labels)
        return value

    check, peak = {"tenth": steps(10)}, growth(lambda: steps(3))
    bench.report("", check, lambda: f(first, images, labels), compile=seconds, peak=peak)


def rnn(bench: Bench) -> None:
    jnp = started()
    import jax

    x, y, start = inputs.rnn()
    x, y, weights = jnp.asarray(x), jnp.asarray(y), [jnp.asarray(w) for w in start]

    def loss(weights: Sequence[Any], x: Any, y: Any) -> Any:
        wx, wh, b, wo = weights

        def cell(h: Any, xt: Any) -> Any:
            h = jnp.tanh(xt @ wx + h @ wh + b)
            return h, h

        _, hidden = jax.lax.scan(cell, jnp.zeros((x.shape[1], wh.shape[0]), x.dtype), x)
        return ((hidden @ wo - y) ** 2).mean()

    f, (value, (gwx, gwh, *_)), seconds = compiled(jax.value_and_grad(loss), weights, x, y)
    check = {"loss": value, "gwx": abs(gwx).sum(), "gwh": abs(gwh).sum()}
    bench.report("", check, lambda: f(weights, x, y), compile=seconds)


def deep(nodes: int, bench: Bench) -> None:
    jnp = started()
    import jax

    values = [jnp.asarray(v) for v in inputs.deep()]

    def loss(x: Any, w: Any, a: Any) -> Any:
        h = inputs.deep_chain(nodes, x, w, a, jnp.tanh, jax.nn.sigmoid, jnp.dot)
        return (h * h).mean()

    f, (value, (gx, gw, _)), seconds = compiled(
        jax.value_and_grad(loss, argnums=(0, 1, 2)), *values
    )
    check = {"loss": value, "gx": abs(gx).sum(), "gw": abs(gw).sum()}
    bench.report("", check, lambda: f(*values), compile=seconds)


def over_rows(name: str, bench: Bench) -> None:
    jnp = started()
    import jax

    x, g, scale, offset = (jnp.asarray(v) for v in inputs.rows())

    def layernorm(x: Any, s: Any, b: Any) -> Any:
        d = x - x.mean(-1, keepdims=True)
        return d * jax.lax.rsqrt((d * d).mean(-1, keepdims=True) + inputs.EPSILON) * s + b

    losses: dict[str, Callable[..., Any]] = {
        "softmax": lambda x: (jax.nn.softmax(x) * g).sum(),
        "logsumexp": lambda x: (jax.nn.logsumexp(x, -1) * g[:, 0]).sum(),
        "layernorm": lambda x, s, b: (layernorm(x, s, b) * g).sum(),
    }
    given = (x, scale, offset) if name == "layernorm" else (x,)
    both = jax.value_and_grad(losses[name], argnums=tuple(range(len(given))))
    f, (_, (gx, *_)), seconds = compiled(both, *given)
    check = {"gx": abs(gx).mean(), "gx77": gx[7, 7]}
    bench.report("", check, lambda: f(*given), compile=seconds)


WORKLOADS = workloads(
    W1=product, start=start, W2=xnor, W3=mlp, W4=chain, W5=conv, W6=rnn, W7=deep, W8=over_rows
)
