"""PyTorch on the CPU: eager with autograd, and `torch.compile`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import inputs
from inputs import Array
from measure import Bench, growth, timed, workloads


def started() -> Any:
    """The library, once its compiler has begun to work."""
    import torch

    torch.compile(lambda a, b: a * b)(torch.tensor(1.5), torch.tensor(2.5))
    return torch


def leaves(arrays: Sequence[Array]) -> list[Any]:
    """Tensors with gradients."""
    import torch

    return [torch.tensor(a, requires_grad=True) for a in arrays]


def product(bench: Bench) -> None:
    import torch

    a, b = torch.tensor(1.5, dtype=torch.float64), torch.tensor(2.5, dtype=torch.float64)
    bench.report("eager", {"out": a * b}, lambda: a * b)
    f = torch.compile(lambda a, b: a * b)
    out, seconds = timed(lambda: f(a, b))
    bench.report("torch.compile", {"out": out}, lambda: f(a, b), compile=seconds)


def xnor_cost(weights: Sequence[Any], x: Any, truth: Any) -> Any:
    import torch

    w1, w2, w3, b1, b2 = weights
    a1 = torch.sigmoid(x @ w1 + b1)
    a2 = torch.sigmoid(x @ w2 + b1)
    a3 = torch.sigmoid(torch.stack([a1, a2], dim=1) @ w3 + b2)
    return -(truth * torch.log(a3) + (1 - truth) * torch.log(1 - a3)).sum()


def xnor(bench: Bench) -> None:
    torch = started()
    values, table, start = inputs.xnor()
    x, truth = torch.tensor(values), torch.tensor(table)

    def eager() -> list[float]:
        weights = leaves(start)
        optimiser, costs = torch.optim.SGD(weights, lr=inputs.XNOR_RATE), []
        for _ in range(inputs.XNOR_STEPS):
            optimiser.zero_grad()
            cost = xnor_cost(weights, x, truth)
            cost.backward()
            optimiser.step()
            costs.append(cost.item())
        return costs

    costs = eager()
    bench.report("eager, optim.SGD", {"first": costs[0], "last": costs[-1]}, eager)

    def step(weights: Any) -> Any:
        g, cost = torch.func.grad_and_value(lambda w: xnor_cost(w, x, truth))(weights)
        return [w - inputs.XNOR_RATE * d for w, d in zip(weights, g, strict=True)], cost

    fast = torch.compile(step, fullgraph=True)

    def loop(steps: int = inputs.XNOR_STEPS) -> list[float]:
        weights, costs = [torch.tensor(w) for w in start], []
        for _ in range(steps):
            weights, cost = fast(weights)
            costs.append(cost.item())
        return costs

    _, seconds = timed(lambda: loop(2))
    costs = loop()
    check = {"first": costs[0], "last": costs[-1]}
    bench.report("torch.compile, Python loop", check, loop, compile=seconds)


def start(bench: Bench) -> None:
    begun = time.monotonic()
    import torch

    imported = time.monotonic()
    x, truth, start = inputs.xnor()
    weights = leaves(start)
    optimiser = torch.optim.SGD(weights, lr=inputs.XNOR_RATE)
    cost = xnor_cost(weights, torch.tensor(x), torch.tensor(truth))
    cost.backward()
    optimiser.step()
    stages = {
        "interpreter": begun - bench.started,
        "import": imported - begun,
        "first step": time.monotonic() - imported,
    }
    bench.report("eager", {"first": cost.item()}, stages=stages)


def mlp_loss(w: Sequence[Any], x: Any, y: Any) -> Any:
    import torch
    import torch.nn.functional as F

    h = F.relu(torch.addmm(w[1], x, w[0]))
    h = F.relu(torch.addmm(w[3], h, w[2]))
    return F.cross_entropy(torch.addmm(w[5], h, w[4]), y)


def mlp(bench: Bench) -> None:
    torch = started()
    rows, labels, start = inputs.mlp()
    x, y, n = torch.from_numpy(rows), torch.from_numpy(labels), inputs.MLP_BATCH

    def epoch(loss_of: Any, steps: int = inputs.MLP_STEPS) -> list[float]:
        weights = leaves(start)
        rate, momentum = inputs.MLP_RATE, inputs.MLP_MOMENTUM
        optimiser, losses = torch.optim.SGD(weights, lr=rate, momentum=momentum), []
        for i in range(steps):
            optimiser.zero_grad()
            loss = loss_of(weights, x[i * n : i * n + n], y[i * n : i * n + n])
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses

    for variant, loss_of in (("eager", mlp_loss), ("torch.compile", torch.compile(mlp_loss))):
        _, seconds = timed(partial(epoch, loss_of, 2))
        bench.report(
            f"{variant}, optim.SGD",
            {"mean": sum(epoch(loss_of)) / inputs.MLP_STEPS},
            partial(epoch, loss_of),
            compile=seconds if variant != "eager" else 0.0,
            peak=growth(partial(epoch, loss_of, 3)),
        )


def chain(bench: Bench) -> None:
    torch = started()
    x, y = leaves(inputs.chain())

    def total(x: Any, y: Any) -> Any:
        return (torch.tanh(x) * y + torch.exp(-x * x) - torch.sigmoid(y) * x).sum()

    def call(f: Any) -> Any:
        x.grad = y.grad = None
        out = f(x, y)
        out.backward()
        return out

    for variant, f in (("eager", total), ("torch.compile", torch.compile(total))):
        out, seconds = timed(partial(call, f))
        gx, gy = x.grad, y.grad
        check = {"out": out, "gx": gx.abs().mean(), "gy": gy.abs().mean()}
        check |= {"gx7": gx[7], "gy7": gy[7]}
        compiling = seconds if variant != "eager" else 0.0
        bench.report(variant, check, partial(call, f), compile=compiling)


def conv(bench: Bench) -> None:
    torch = started()
    import torch.nn.functional as F

    images, labels, start = inputs.conv()
    x, y = torch.from_numpy(images), torch.from_numpy(labels)

    def loss(w: Sequence[Any]) -> Any:
        h = F.max_pool2d(F.relu(F.conv2d(x, w[0], w[1])), 2)
        h = F.max_pool2d(F.relu(F.conv2d(h, w[2], w[3])), 2)
        return F.cross_entropy(torch.addmm(w[5], h.flatten(1), w[4]), y)

    def training(loss_of: Any) -> Callable[[], Any]:
        weights = leaves(start)
        optimiser = torch.optim.SGD(weights, lr=inputs.CONV_RATE)

        def step() -> Any:
            optimiser.zero_grad()
            value = loss_of(weights)
            value.backward()
            optimiser.step()
            return value

        return step

    def steps(loss_of: Any, count: int) -> Any:
        step = training(loss_of)
        return [step() for _ in range(count)][-1]

    for variant, loss_of in (("eager", loss), ("torch.compile", torch.compile(loss))):
        _, seconds = timed(partial(steps, loss_of, 1))
        bench.report(
            variant,
            {"tenth": steps(loss_of, 10)},
            training(loss_of),
            compile=seconds if variant != "eager" else 0.0,
            peak=growth(partial(steps, loss_of, 3)),
        )


def rnn(bench: Bench) -> None:
    torch = started()
    sequences, targets, start = inputs.rnn()
    x, y, weights = torch.from_numpy(sequences), torch.from_numpy(targets), leaves(start)
    wx, wh, b, wo = weights

    def loss() -> Any:
        h, hidden = torch.zeros(x.shape[1], wh.shape[0]), []
        for xt in x:
            h = torch.tanh(xt @ wx + h @ wh + b)
            hidden.append(h)
        return ((torch.stack(hidden) @ wo - y) ** 2).mean()

    cell = torch.nn.RNN(x.shape[2], wh.shape[0])
    with torch.no_grad():
        cell.weight_ih_l0.copy_(wx.T)
        cell.weight_hh_l0.copy_(wh.T)
        cell.bias_ih_l0.copy_(b)
        cell.bias_hh_l0.zero_()

    def built_in() -> Any:
        return ((cell(x)[0] @ wo - y) ** 2).mean()

    def call(f: Any) -> Any:
        for w in (*weights, *cell.parameters()):
            w.grad = None
        value = f()
        value.backward()
        return value

    ours, theirs = (wx, wh), (cell.weight_ih_l0, cell.weight_hh_l0)
    ways: list[tuple[str, Any, Any]] = [
        ("eager, Python loop over time", loss, ours),
        ("nn.RNN", built_in, theirs),
        ("torch.compile, unrolls time", torch.compile(loss), ours),
    ]
    for variant, f, kept in ways:
        value, seconds = timed(partial(call, f))
        gwx, gwh = (w.grad.abs().sum() for w in kept)
        check = {"loss": value, "gwx": gwx, "gwh": gwh}
        compiling = seconds if "compile" in variant else 0.0
        bench.report(variant, check, partial(call, f), compile=compiling)


def deep(nodes: int, bench: Bench) -> None:
    torch = started()
    leaf = leaves(inputs.deep())

    def loss(x: Any, w: Any, a: Any) -> Any:
        h = inputs.deep_chain(nodes, x, w, a, torch.tanh, torch.sigmoid, torch.matmul)
        return (h * h).mean()

    def call(f: Any) -> Any:
        for v in leaf:
            v.grad = None
        value = f(*leaf)
        value.backward()
        return value

    for variant, f in (("eager", loss), ("torch.compile", torch.compile(loss))):
        value, seconds = timed(partial(call, f))
        check = {"loss": value, "gx": leaf[0].grad.abs().sum(), "gw": leaf[1].grad.abs().sum()}
        compiling = seconds if variant != "eager" else 0.0
        bench.report(variant, check, partial(call, f), compile=compiling)


def over_rows(name: str, bench: Bench) -> None:
    torch = started()
    import torch.nn.functional as F

    values, cotangent, scale, offset = inputs.rows()
    g, (x, s, b) = torch.from_numpy(cotangent), leaves([values, scale, offset])
    losses: dict[str, Callable[[], Any]] = {
        "softmax": lambda: (torch.softmax(x, -1) * g).sum(),
        "logsumexp": lambda: (torch.logsumexp(x, -1) * g[:, 0]).sum(),
        "layernorm": lambda: (F.layer_norm(x, x.shape[1:], s, b, inputs.EPSILON) * g).sum(),
    }

    def call(f: Any) -> None:
        x.grad = s.grad = b.grad = None
        f().backward()

    loss = losses[name]
    for variant, f in (("eager", loss), ("torch.compile", torch.compile(loss))):
        _, seconds = timed(partial(call, f))
        check = {"gx": x.grad.abs().mean(), "gx77": x.grad[7, 7]}
        compiling = seconds if variant != "eager" else 0.0
        bench.report(variant, check, partial(call, f), compile=compiling)


WORKLOADS = workloads(
    W1=product, start=start, W2=xnor, W3=mlp, W4=chain, W5=conv, W6=rnn, W7=deep, W8=over_rows
)
