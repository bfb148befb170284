"""How rewriting grows with the graph: seconds for graphs of 100 to 50,000 nodes.

    python tests/bench/rewriting.py [--sizes N,N,...] [--families NAME,...] [--json]

Each family is a shape of graph that is long, wide, shared or real; its graphs are rewritten by all
phases.  Prints a table: nodes before and after, steps, seconds of the processor (the median of
several runs where one is short), microseconds for each node, and the share of networkx.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import networkx  # noqa: E402

import engine.tensor as T  # noqa: E402
from engine import grad, scan  # noqa: E402
from engine.expression import Variable  # noqa: E402
from engine.graph import Graph  # noqa: E402
from engine.rewrite import Film, optimize  # noqa: E402

SIZES = (100, 1_000, 10_000, 50_000)
SHORT = 2.0
"""Seconds below which a rewriting is repeated."""
REPEATS = 3
LIMIT = 600.0

Outputs = list[Variable]


def chain(n: int) -> Outputs:
    """tanh of tanh of tanh ..."""
    y = T.dvector("x")
    for _ in range(n):
        y = T.tanh(y)
    return [y]


def idle_sum(n: int) -> Outputs:
    """Nothing added and once multiplied, again and again."""
    y = T.dvector("x")
    for _ in range(n // 3):
        y = T.tanh(y + 0) * 1
    return [y]


def wide(n: int) -> Outputs:
    """A sum of n / 2 different terms."""
    x = T.dvector("x")
    total = x
    for i in range(n // 2):
        total = total + T.tanh(x * i) if i % 2 else total + T.dvector(f"v{i}")
    return [total]


def fan(n: int) -> Outputs:
    """n results that read one variable."""
    x = T.dvector("x")
    shared = T.exp(x)
    return [T.tanh(shared * float(i)) for i in range(n // 2)]


def shared(n: int) -> Outputs:
    """x + x * x of x + x * x ..., each read three times."""
    y = T.dvector("x")
    for _ in range(n // 2):
        y = y + y * y
    return [y]


def equal(n: int) -> Outputs:
    """Half of the nodes are equal to another one."""
    x, y = T.dvectors("x", "y")
    for _ in range(n // 4):
        x = T.tanh(x + y) * T.tanh(x + y)
    return [x]


def constants(n: int) -> Outputs:
    """A sum of products of constants."""
    total = T.dvector("x")
    for i in range(n // 3):
        total = total + (T.constant(float(i)) * T.constant(0.5))
        total = T.tanh(total) if i % 100 == 0 else total
    return [total]


def factors(n: int) -> Outputs:
    """A product of n factors, each of them twice."""
    variables = [T.dvector(f"v{i}") for i in range(max(1, n // 4))]
    y = variables[0]
    for v in [*variables[1:], *variables]:
        y = y * v
    return [y]


def trap(n: int) -> Outputs:
    """Products over sums, which explode where they are distributed: Theano#4797."""
    y, z = T.dvectors("y", "z")
    x = z
    for _ in range(n // 4):
        x = (z / y + x) * y + x
    return [x]


def sums_multiplied(n: int) -> Outputs:
    """A product of sums, and its gradient."""
    x, w = T.dvectors("x", "w")
    cost = x
    for i in range(n // 12):
        cost = cost * (x + w * float(i + 2))
    total = T.sum(cost)
    return [total, *grad(total, [x, w])]


def deep_net(n: int) -> Outputs:
    """A deep tanh network with a softmax and its cost, and the gradient by every weight."""
    x, y = T.dmatrix("x"), T.lvector("y")
    layers = max(1, n // 11)
    weights = [(T.dmatrix(f"w{i}"), T.dvector(f"b{i}")) for i in range(layers)]
    h = x
    for w, b in weights:
        h = T.tanh(T.dot(h, w) + b)
    cost = -T.mean(T.log(T.nnet.softmax(h))[T.arange(y.shape[0]), y])
    return [cost, *grad(cost, [v for pair in weights for v in pair])]


def training(n: int) -> Outputs:
    """The gradient of a chain of x * w + b, by x only."""
    x, w, b = T.dvectors("x", "w", "b")
    h = x
    for _ in range(n // 9):
        h = T.tanh(h * w + b)
    return [grad(T.sum(T.sqr(h)), x)]


def likelihoods(n: int) -> Outputs:
    """Many log-likelihoods of normal and Bernoulli observations added up, and their gradient."""
    mu, sigma, slope = T.dscalar("mu"), T.dscalar("sigma"), T.dscalar("slope")
    total = T.constant(0.0)
    for i in range(max(1, n // 34)):
        x = T.dscalar(f"x{i}")
        total = total - T.sqr((x - mu) / sigma) / 2 - T.log(sigma)
        total = total + T.log(1 / (1 + T.exp(-slope * x)))
    return [total, *grad(total, [mu, sigma, slope])]


def loops(n: int) -> Outputs:
    """Recurrences whose step is a long expression, one after the other, and their gradient."""
    x, w = T.dmatrix("x"), T.dvector("w")

    def step(row: Variable, last: Variable) -> Variable:
        for _ in range(5):
            last = T.tanh(row * w + last) + 0
        return last

    states = x
    for _ in range(max(1, n // 60)):
        states, _ = scan(step, sequences=states, outputs_info=T.zeros_like(w))
    cost = T.sum(states)
    return [cost, grad(cost, w)]


FAMILIES: dict[str, Callable[[int], Outputs]] = {
    f.__name__: f
    for f in (
        chain, idle_sum, wide, fan, shared, equal, constants, factors, trap, sums_multiplied,
        deep_net, training, likelihoods, loops,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One rewriting."""

    family: str
    nodes: int
    after: int
    steps: int
    seconds: float
    networkx: float
    warnings: int


def measured(family: str, size: int, repeats: int) -> Row:
    """Rewrite a graph of a family."""
    outputs = FAMILIES[family](size)
    times: list[float] = []
    while len(times) < repeats and (not times or times[0] < SHORT):
        graph = Graph([], outputs)
        nodes = len(graph)
        began = process_time()
        film = optimize(graph, seconds=LIMIT)
        times.append(process_time() - began)
    return Row(
        family, nodes, len(graph), len(film), statistics.median(times),
        share_in_networkx(outputs), len(film.warnings),
    )  # fmt: skip


def share_in_networkx(outputs: Sequence[Variable]) -> float:
    """The share of a rewriting's time that is spent in networkx and in what it calls."""
    graph = Graph([], outputs)
    profile = cProfile.Profile()
    profile.runcall(rewrite, graph)
    rows = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    inside = str(Path(networkx.__file__).parent)
    total = sum(own for _, _, own, _, _ in rows.values())
    own = sum(row[2] for (file, _, _), row in rows.items() if file.startswith(inside))
    return float(own / total) if total else 0.0


def rewrite(graph: Graph) -> Film:
    """Rewrite a graph by all phases."""
    return optimize(graph, seconds=LIMIT)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    if not options.json:
        print("family            nodes   after    steps   seconds   µs/node  networkx")
    optimize(Graph([], chain(3)))
    for family in options.families.split(","):
        for size in map(int, options.sizes.split(",")):
            row = measured(family, size, options.repeats)
            rows.append(row)
            if not options.json:
                each = 1e6 * row.seconds / row.nodes
                cut = "  cut short" if row.warnings else ""
                print(
                    f"{row.family:15} {row.nodes:7} {row.after:7} {row.steps:8} "
                    f"{row.seconds:9.3f} {each:9.1f} {row.networkx:8.0%}{cut}",
                    flush=True,
                )
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
