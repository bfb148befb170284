"""This project: functions called from Python, and the native training loop."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import inputs
import numpy as np
from inputs import Array
from measure import Bench, growth, threads, timed, workloads

if TYPE_CHECKING:
    from engine.training import TrainingSpec


def written(work: Callable[[], Any]) -> tuple[Any, float]:
    """An expression and the seconds to write it down; the library is loaded before."""
    import engine.tensor.signal.pool
    import engine.training  # noqa: F401
    from engine.config import config

    config.threads = threads()
    return timed(work)


def compiled(variables: Any, outputs: Any, *values: Any, **more: Any) -> tuple[Any, Any, float]:
    """A function, its first result, and the seconds from the expression to that."""
    import engine

    def make() -> Any:
        f = engine.function(variables, outputs, mode="NUMBA", **more)
        return f, f(*values)

    (f, out), seconds = timed(make)
    return f, out, seconds


def trained(spec: TrainingSpec, steps: int) -> tuple[Callable[[], Array], float]:
    """A function that takes the next steps and gives their costs, and the seconds to compile."""
    from engine.training import Ring, Trainer

    trainer = Trainer(spec, steps=sys.maxsize)
    ring = Ring.of(steps)
    trainer.attach(trainer.control, ring)
    _, seconds = timed(trainer.compile)

    def run() -> Array:
        trainer.run(steps)
        return ring.drain()[1]

    return run, seconds


def product(bench: Bench) -> None:
    import engine.tensor as T

    (a, b), build = written(lambda: T.dscalars("a", "b"))
    f, out, seconds = compiled([a, b], a * b, 1.5, 2.5)
    call = lambda: f(1.5, 2.5)
    bench.report("arguments checked", {"out": out}, call, build=build, compile=seconds)
    f.trust_input = True
    x, y = np.asarray(1.5), np.asarray(2.5)
    bench.report("trust_input", {"out": out}, lambda: f(x, y), build=build, compile=seconds)


def xnor_cost(x: Any, truth: Any, weights: Sequence[Any]) -> Any:
    import engine.tensor as T

    w1, w2, w3, b1, b2 = weights
    a1 = T.nnet.sigmoid(T.dot(x, w1) + b1)
    a2 = T.nnet.sigmoid(T.dot(x, w2) + b1)
    a3 = T.nnet.sigmoid(T.dot(T.stack([a1, a2], axis=1), w3) + b2)
    return -(truth * T.log(a3) + (1 - truth) * T.log(1 - a3)).sum()


def descent(cost: Any, weights: Sequence[Any], rate: float) -> dict[Any, Any]:
    """Plain gradient descent."""
    import engine.tensor as T

    gradients = T.grad(cost, list(weights))
    step = np.asarray(rate, weights[0].dtype)
    return {w: w - step * g for w, g in zip(weights, gradients, strict=True)}


def leaf(value: Array) -> Any:
    """A variable that may have such values."""
    import engine.tensor as T

    return T.TensorType(value.dtype.name, (False,) * value.ndim)()


def xnor_training() -> TrainingSpec:
    """The network as the training loop takes it."""
    import engine.tensor as T
    from engine.training import TrainingSpec

    x, truth, start = inputs.xnor()
    variables = T.dmatrix("x"), T.dvector("truth")
    weights = [leaf(w) for w in start]
    cost = xnor_cost(*variables, weights)
    return TrainingSpec(
        inputs=dict(zip(variables, (x, truth), strict=True)),
        state=dict(zip(weights, start, strict=True)),
        updates=descent(cost, weights, inputs.XNOR_RATE),
        outputs={"cost": cost},
        cost="cost",
    )


def xnor(bench: Bench) -> None:
    import engine.tensor as T
    from engine import shared

    spec, build = written(xnor_training)
    run, seconds = trained(spec, inputs.XNOR_STEPS)
    costs = run()
    check = {"first": costs[0], "last": costs[-1]}
    bench.report("native loop", check, run, build=build, compile=seconds)

    x, truth, start = inputs.xnor()
    weights = [shared(w) for w in start]
    variables = T.dmatrix("x"), T.dvector("truth")
    cost, build = timed(lambda: xnor_cost(*variables, weights))
    updates = descent(cost, weights, inputs.XNOR_RATE)
    f, _, seconds = compiled(variables, cost, x, truth, updates=updates)

    def loop() -> list[float]:
        for w, value in zip(weights, start, strict=True):
            w.set_value(value)
        return [float(f(x, truth)) for _ in range(inputs.XNOR_STEPS)]

    looped = loop()
    check = {"first": looped[0], "last": looped[-1]}
    bench.report("function in a Python loop", check, loop, build=build, compile=seconds)


def start(bench: Bench) -> None:
    begun = time.monotonic()
    import engine
    import engine.tensor as T
    from engine.training import Trainer

    imported = time.monotonic()
    spec = xnor_training()
    built = time.monotonic()
    weights = {leaf: engine.shared(value) for leaf, value in spec.state.items()}
    updates = [(weights[leaf], new) for leaf, new in spec.updates.items()]
    f = engine.function(list(spec.inputs), spec.outputs["cost"], updates=updates, givens=weights)
    rewritten = time.monotonic()
    first = f(*spec.inputs.values())
    interpreted = time.monotonic()
    trainer = Trainer(spec, steps=1)
    trainer.run(1)
    done = time.monotonic()
    assert trainer.tier == 1, trainer.reason
    assert T
    bench.report(
        "",
        {"first": first},
        stages={
            "interpreter": begun - bench.started,
            "import": imported - begun,
            "build": built - imported,
            "rewrite": rewritten - built,
            "first step": interpreted - rewritten,
            "first compiled step": done - interpreted,
        },
    )


def relu(v: Any) -> Any:
    import engine.tensor as T

    return T.maximum(v, np.float32(0))


def cross_entropy(logits: Any, labels: Any) -> Any:
    import engine.tensor as T

    return T.nnet.categorical_crossentropy(T.nnet.softmax(logits), labels).mean()


def mlp_updates(loss: Any, weights: Sequence[Any], velocities: Sequence[Any]) -> dict[Any, Any]:
    import engine.tensor as T

    updates = {}
    gradients = T.grad(loss, list(weights))
    for w, v, g in zip(weights, velocities, gradients, strict=True):
        updates[v] = np.float32(inputs.MLP_MOMENTUM) * v + g
        updates[w] = w - np.float32(inputs.MLP_RATE) * updates[v]
    return updates


def mlp_loss(x: Any, y: Any, weights: Sequence[Any]) -> Any:
    import engine.tensor as T

    w = weights
    h = relu(T.dot(x, w[0]) + w[1])
    h = relu(T.dot(h, w[2]) + w[3])
    return cross_entropy(T.dot(h, w[4]) + w[5], y)


def mlp(bench: Bench) -> None:
    import engine.tensor as T
    from engine import shared
    from engine.training import Minibatch, TrainingSpec

    rows, labels, start = inputs.mlp()
    n, zeros = inputs.MLP_BATCH, [np.zeros_like(w) for w in start]

    def write(make: Callable[[Array], Any] = shared) -> Any:
        x, y = T.fmatrix("x"), T.lvector("y")
        weights, velocities = [make(w) for w in start], [make(v) for v in zeros]
        loss = mlp_loss(x, y, weights)
        return x, y, weights, velocities, loss, mlp_updates(loss, weights, velocities)

    (x, y, weights, velocities, loss, updates), build = written(lambda: write(leaf))
    spec = TrainingSpec(
        inputs={x: rows, y: labels},
        state=dict(zip([*weights, *velocities], [*start, *zeros], strict=True)),
        updates=updates,
        outputs={"loss": loss},
        cost="loss",
        batch=Minibatch(n, (x, y), shuffle=False),
    )
    run, seconds = trained(spec, inputs.MLP_STEPS)
    check = {"mean": run().mean()}
    bench.report("native loop, minibatches", check, run, build=build, compile=seconds)

    (x, y, weights, velocities, loss, updates), build = written(write)
    f, _, seconds = compiled([x, y], loss, rows[:n], labels[:n], updates=updates)

    def epoch() -> list[float]:
        for variable, value in zip([*weights, *velocities], [*start, *zeros], strict=True):
            variable.set_value(value)
        return [
            float(f(rows[i * n : i * n + n], labels[i * n : i * n + n]))
            for i in range(inputs.MLP_STEPS)
        ]

    costs = epoch()
    bench.report(
        "function in a Python loop",
        {"mean": np.mean(costs)},
        epoch,
        build=build,
        compile=seconds,
        **memory(f, lambda: rerun(write, rows[:n], labels[:n])),
    )


def rerun(write: Callable[[], Any], *batch: Array) -> None:
    """Some steps of a network written anew, as its memory is measured."""
    x, y, *_, loss, updates = write()
    f, _, _ = compiled([x, y], loss, *batch, updates=updates)
    for _ in range(3):
        f(*batch)


def memory(f: Any, work: Callable[[], Any]) -> dict[str, int]:
    """What was planned for a function, and what doing the same anew takes."""
    native = next(iter(f._runner._ready.values())).native
    return {"planned": native.peak_bytes, "peak": growth(work)}


def chain(bench: Bench) -> None:
    import engine.tensor as T

    def write() -> Any:
        x, y = T.fvector("x"), T.fvector("y")
        out = T.sum(T.tanh(x) * y + T.exp(-x * x) - T.nnet.sigmoid(y) * x)
        return [x, y], [out, *T.grad(out, [x, y])]

    values = inputs.chain()
    (variables, outputs), build = written(write)
    f, (out, gx, gy), seconds = compiled(variables, outputs, *values)
    check = {"out": out, "gx": abs(gx).mean(), "gy": abs(gy).mean(), "gx7": gx[7], "gy7": gy[7]}
    bench.report("", check, lambda: f(*values), build=build, compile=seconds)


def conv_block(h: Any, kernel: Any, bias: Any) -> Any:
    import engine.tensor as T
    from engine.tensor.signal import pool

    h = relu(T.nnet.conv2d(h, kernel, filter_flip=False) + bias.dimshuffle("x", 0, "x", "x"))
    return pool.pool_2d(h, (2, 2), ignore_border=True)


def conv(bench: Bench) -> None:
    import engine.tensor as T
    from engine import shared

    images, labels, start = inputs.conv()

    def write() -> Any:
        x, y = T.ftensor4("x"), T.lvector("y")
        w = [shared(value) for value in start]
        h = conv_block(conv_block(x, w[0], w[1]), w[2], w[3])
        loss = cross_entropy(T.dot(h.flatten(2), w[4]) + w[5], y)
        return x, y, loss, descent(loss, w, inputs.CONV_RATE)

    (x, y, loss, updates), build = written(write)
    f, _, seconds = compiled([x, y], loss, images, labels, updates=updates)
    for _ in range(9):
        last = f(images, labels)
    bench.report(
        "",
        {"tenth": last},
        lambda: f(images, labels),
        build=build,
        compile=seconds,
        **memory(f, lambda: rerun(write, images, labels)),
    )


def rnn(bench: Bench) -> None:
    import engine
    import engine.tensor as T

    sequences, targets, start = inputs.rnn()

    def write() -> Any:
        x, y = T.ftensor3("x"), T.ftensor3("y")
        wx, wh, b, wo = [engine.shared(value) for value in start]
        first = T.zeros((sequences.shape[1], start[1].shape[0]), dtype="float32")
        hidden, _ = engine.scan(
            lambda xt, h, wx, wh, b: T.tanh(T.dot(xt, wx) + T.dot(h, wh) + b),
            sequences=[x],
            outputs_info=[first],
            non_sequences=[wx, wh, b],
            strict=True,
        )
        loss = ((T.dot(hidden, wo) - y) ** 2).mean()
        return [x, y], [loss, *T.grad(loss, [wx, wh, b, wo])]

    (variables, outputs), build = written(write)
    f, (loss, gwx, gwh, *_), seconds = compiled(variables, outputs, sequences, targets)
    check = {"loss": loss, "gwx": abs(gwx).sum(), "gwh": abs(gwh).sum()}
    bench.report("", check, lambda: f(sequences, targets), build=build, compile=seconds)


def deep(nodes: int, bench: Bench) -> None:
    import engine.tensor as T

    values = inputs.deep()

    def write() -> Any:
        x, w, a = variables = [T.fmatrix("x"), T.fmatrix("w"), T.fvector("a")]
        h = inputs.deep_chain(nodes, x, w, a, T.tanh, T.nnet.sigmoid, T.dot)
        loss = (h * h).mean()
        return variables, [loss, *T.grad(loss, variables)]

    (variables, outputs), build = written(write)
    f, (loss, gx, gw, _), seconds = compiled(variables, outputs, *values)
    check = {"loss": loss, "gx": abs(gx).sum(), "gw": abs(gw).sum()}
    bench.report("", check, lambda: f(*values), build=build, compile=seconds)


def over_rows(name: str, bench: Bench) -> None:
    import engine.tensor as T
    from engine import shared

    values, cotangent, scale, offset = inputs.rows()

    def write() -> Any:
        x, g = T.fmatrix("x"), shared(cotangent)
        if name == "softmax":
            loss, variables = (T.nnet.softmax(x) * g).sum(), [x]
        elif name == "logsumexp":
            loss, variables = (T.log(T.exp(x).sum(axis=1)) * g[:, 0]).sum(), [x]
        else:
            s, b = T.fvector("s"), T.fvector("b")
            d = x - x.mean(axis=-1, keepdims=True)
            variance = (d * d).mean(axis=-1, keepdims=True)
            normed = d / T.sqrt(variance + np.float32(inputs.EPSILON)) * s + b
            loss, variables = (normed * g).sum(), [x, s, b]
        return variables, [loss, *T.grad(loss, variables)]

    (variables, outputs), build = written(write)
    given = (values, scale, offset)[: len(variables)]
    f, (_, gx, *_), seconds = compiled(variables, outputs, *given)
    check = {"gx": abs(gx).mean(), "gx77": gx[7, 7]}
    bench.report("", check, lambda: f(*given), build=build, compile=seconds)


WORKLOADS = workloads(
    W1=product, start=start, W2=xnor, W3=mlp, W4=chain, W5=conv, W6=rnn, W7=deep, W8=over_rows
)
