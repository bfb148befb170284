"""Training the XNOR network for 30,000 steps: here, in JAX and in PyTorch, in one run.

    python tests/bench/xnor.py [--peers PYTHON] [--repeat N]

PYTHON is an interpreter that has jax or torch; peers that it lacks are left out.  Every way of
training runs in a process of its own, from the same weights, and must end at the same cost.
Prints a table of medians, and how many times longer each takes than our native loop.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = 30_000
RATE = 0.05
TRUTH_TABLE = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
EQUAL = [1.0, 0.0, 0.0, 1.0]
START = ([0.9, 0.4], [0.1, 0.8], [0.6, 0.3], 1.0, 1.0)

Result = dict[str, Any]


def timed(work: Callable[[], Any], repeat: int) -> tuple[list[float], Any]:
    """The seconds of each of several runs, and what the last one gave."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        out = work()
        seconds.append(time.perf_counter() - began)
    return seconds, out


def wiregrad(repeat: int) -> Result:
    """Our native loop."""
    import numpy as np

    import engine.tensor as T
    from engine.grad import grad
    from engine.training import Trainer, TrainingSpec

    x, truth = T.matrix("x"), T.vector("truth")
    w1, w2, w3 = (T.vector(name) for name in ("w1", "w2", "w3"))
    b1, b2 = T.scalar("b1"), T.scalar("b2")
    a1 = 1 / (1 + T.exp(-T.dot(x, w1) - b1))
    a2 = 1 / (1 + T.exp(-T.dot(x, w2) - b1))
    a3 = 1 / (1 + T.exp(-T.dot(T.stack([a1, a2], axis=1), w3) - b2))
    cost = -(truth * T.log(a3) + (1 - truth) * T.log(1 - a3)).sum()
    weights = [w1, w2, w3, b1, b2]
    spec = TrainingSpec(
        inputs={x: np.array(TRUTH_TABLE), truth: np.array(EQUAL)},
        state={v: np.array(a) for v, a in zip(weights, START, strict=True)},
        updates={v: v - RATE * g for v, g in zip(weights, grad(cost, weights), strict=True)},
        outputs={"cost": cost},
        cost="cost",
        steps=STEPS,
    )
    compile_seconds, _ = timed(Trainer(spec).compile, 1)
    trainers = []
    for _ in range(repeat):
        trainers.append(Trainer(spec))
        trainers[-1].compile()
    waiting = iter(trainers)
    seconds, _ = timed(lambda: next(waiting).run(STEPS), repeat)
    numba = "numba" in sys.modules
    cost_now = trainers[-1].cost
    return {"compile": compile_seconds[0], "run": seconds, "cost": cost_now, "numba": numba}


def jax_loop(repeat: int) -> Result:
    """A jitted step, called from a Python loop."""
    step, start = _jax_step()

    def train() -> Any:
        state = start
        for _ in range(STEPS):
            cost, state = step(state)
        return float(cost)

    compile_seconds, _ = timed(lambda: step(start)[0].block_until_ready(), 1)
    seconds, cost = timed(train, repeat)
    return {"compile": compile_seconds[0], "run": seconds, "cost": cost}


def jax_scan(repeat: int) -> Result:
    """The whole loop jitted, as a scan."""
    import jax

    step, start = _jax_step()

    def body(state: Any, _: Any) -> Any:
        cost, state = step(state)
        return state, cost

    scan = jax.jit(lambda state: jax.lax.scan(body, state, None, length=STEPS))
    compile_seconds, _ = timed(lambda: scan.lower(start).compile(), 1)
    scan(start)[1].block_until_ready()
    seconds, costs = timed(lambda: scan(start)[1].block_until_ready(), repeat)
    return {"compile": compile_seconds[0], "run": seconds, "cost": float(costs[-1])}


def _jax_step() -> Any:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    x, truth = jnp.array(TRUTH_TABLE), jnp.array(EQUAL)

    def cost(state: Any) -> Any:
        w1, w2, w3, b1, b2 = state
        a1 = jax.nn.sigmoid(x @ w1 + b1)
        a2 = jax.nn.sigmoid(x @ w2 + b1)
        a3 = jax.nn.sigmoid(jnp.stack([a1, a2], axis=1) @ w3 + b2)
        return -(truth * jnp.log(a3) + (1 - truth) * jnp.log(1 - a3)).sum()

    @jax.jit
    def step(state: Any) -> Any:
        value, gradients = jax.value_and_grad(cost)(state)
        return value, [v - RATE * g for v, g in zip(state, gradients, strict=True)]

    return step, [jnp.array(v) for v in START]


def torch_eager(repeat: int) -> Result:
    """Eager mode with torch.optim.SGD."""
    import torch

    torch.set_default_dtype(torch.float64)
    x, truth = torch.tensor(TRUTH_TABLE), torch.tensor(EQUAL)

    def train() -> float:
        state = [torch.tensor(v, requires_grad=True) for v in START]
        w1, w2, w3, b1, b2 = state
        optimiser = torch.optim.SGD(state, lr=RATE)
        for _ in range(STEPS):
            optimiser.zero_grad()
            a1 = torch.sigmoid(x @ w1 + b1)
            a2 = torch.sigmoid(x @ w2 + b1)
            a3 = torch.sigmoid(torch.stack([a1, a2], dim=1) @ w3 + b2)
            cost = -(truth * torch.log(a3) + (1 - truth) * torch.log(1 - a3)).sum()
            cost.backward()
            optimiser.step()
        return float(cost)

    seconds, cost = timed(train, min(repeat, 3))
    return {"compile": 0.0, "run": seconds, "cost": cost}


WAYS = {f.__name__: f for f in (wiregrad, jax_loop, jax_scan, torch_eager)}
LABELS = {
    "jax_loop": "JAX, jitted step in a Python loop",
    "jax_scan": "JAX, lax.scan over all steps",
    "torch_eager": "PyTorch, eager, optim.SGD",
}


def run(python: str, way: str, repeat: int, **environment: str) -> Result | None:
    """One way of training in a process of its own; None where its library is missing."""
    began = time.perf_counter()
    done = subprocess.run(
        [python, __file__, "--way", way, "--repeat", str(repeat)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        missing = "ModuleNotFoundError" in done.stderr
        print(f"{way}: {'not installed' if missing else done.stderr}", file=sys.stderr)
        return None
    result: Result = json.loads(done.stdout.splitlines()[-1])
    result["process"] = time.perf_counter() - began
    return result


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", default=sys.executable, help="an interpreter with jax or torch")
    parser.add_argument("--repeat", type=int, default=7, help="runs of which the median is shown")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(WAYS[options.way](options.repeat)))
        return
    with tempfile.TemporaryDirectory() as folder:
        results = {
            label: run(sys.executable, "wiregrad", options.repeat, WIREGRAD_CACHE=folder)
            for label in ("Wiregrad, first start ever", "Wiregrad, kernels on disk")
        }
    for way, label in LABELS.items():
        results[label] = run(options.peers, way, options.repeat)
    ours = results["Wiregrad, kernels on disk"]
    first = results["Wiregrad, first start ever"]
    assert first is not None
    assert ours is not None
    assert not first["numba"], "no start needs Numba"
    base = statistics.median(ours["run"])
    print(f"XNOR, {STEPS:,} steps; medians, float64\n")
    print(f"{'':36}{'compile':>10}{'train':>12}{'ratio':>9}{'process':>10}  final cost")
    for label, result in results.items():
        if result:
            middle = statistics.median(result["run"])
            print(
                f"{label:36}{result['compile']:>8.2f} s{middle * 1e3:>9.1f} ms"
                f"{middle / base:>9.1f}{result['process']:>8.1f} s  {result['cost']:.6f}"
            )


if __name__ == "__main__":
    main()
