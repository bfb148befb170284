"""Twenty expressions rewritten and compiled: here and by PyTensor, held against mpmath.

    python tests/bench/beside_pytensor.py [--peers PYTHON] [--repeat N]

PYTHON is an interpreter that has pytensor.  Each library runs in a process of its own on the same
numbers.  Prints for each expression the ops that are left (those inside of a fused loop are
counted one by one), the worst relative error at numbers where the formula as written loses its
digits or overflows, and the median time of a call on large arrays.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HARD = [-1e3, -40.0, -3.0, -1e-12, 1e-12, 0.5, 7.0, 40.0, 1e3]
POSITIVE = [1e-14, 1e-9, 0.1, 2.0, 30.0, 900.0]
PAIRS = [(-1e3, -1e3 + 1), (0.0, 1.0), (1e3, 1e3 - 2), (3.0, -800.0)]
ROWS = [[1e3, 1e3 + 1, 0.0], [-1e3, -1e3 - 2, -1e3 - 1], [0.1, 0.2, 0.3]]
OFFSET = [[1e8 + 1, 1e8 + 2, 1e8 + 4], [1e7, 1e7 + 3, 1e7 + 5]]
HILBERT = [[1 / (i + j + 1) for j in range(7)] for i in range(7)]


@dataclass(frozen=True)
class Case:
    """An expression.

    build: makes it, of a library's names and one variable for each kind in `kinds`
    ("v" a vector, "m" a matrix).  points: the values at which the error is taken.  exact: the
    same in mpmath, of those values as lists.  large: the shapes that are timed.
    """

    text: str
    kinds: str
    build: Callable[..., Any]
    points: tuple[Any, ...]
    exact: Callable[..., Any]
    large: tuple[tuple[int, ...], ...]


VECTOR, MATRIX = (100_000,), (1000, 100)


def each(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numbers on lists of them."""
    return lambda *lists: [function(*numbers) for numbers in zip(*lists, strict=True)]


def rows(function: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """A function of a row on all rows."""
    return lambda matrix: [function(row) for row in matrix]


def elementwise(text: str, build: Any, exact: Any, points: Any = (HARD,)) -> Case:
    """A case of vectors."""
    kinds = "v" * len(points)
    return Case(text, kinds, build, points, each(exact), (VECTOR,) * len(points))


def cases(mp: Any) -> list[Case]:
    """All of them; mp is mpmath, or anything where only `build` is wanted."""
    pairs = tuple(map(list, zip(*PAIRS, strict=True)))

    def softmax(row: list[Any]) -> list[Any]:
        weights = [mp.exp(v) for v in row]
        return [w / mp.fsum(weights) for w in weights]

    def log_sum(row: list[Any]) -> Any:
        return mp.log(mp.fsum(mp.exp(v) for v in row))

    def variance(row: list[Any]) -> Any:
        mean = mp.fsum(row) / len(row)
        return mp.fsum((v - mean) ** 2 for v in row) / len(row)

    def spread(row: list[Any]) -> list[Any]:
        return [v - log_sum(row) for v in row]

    def cost(x: Any, t: Any) -> Any:
        return -(t * -mp.log1p(mp.exp(-x)) + (1 - t) * -mp.log1p(mp.exp(x)))

    return [
        elementwise("(x + y) + (x + y)", lambda T, x, y: (x + y) + (x + y),
                    lambda x, y: 2 * (x + y), pairs),
        elementwise("2x + 3x", lambda T, x: 2 * x + 3 * x, lambda x: 5 * x),
        elementwise("xy + yx", lambda T, x, y: x * y + y * x, lambda x, y: 2 * x * y, pairs),
        elementwise("log(1 + x)", lambda T, x: T.log(1 + x), lambda x: mp.log1p(x), (POSITIVE,)),
        elementwise("exp(x) - 1", lambda T, x: T.exp(x) - 1, lambda x: mp.expm1(x),
                    ([-1e-14, 1e-12, 1e-6, 0.5, -40.0, 600.0],)),
        elementwise("log(1 + exp(x))", lambda T, x: T.log(1 + T.exp(x)),
                    lambda x: mp.log1p(mp.exp(x))),
        elementwise("1 / (1 + exp(-x))", lambda T, x: 1 / (1 + T.exp(-x)),
                    lambda x: 1 / (1 + mp.exp(-x)), ([-700.0, -40.0, 0.0, 3.0, 1e3],)),
        elementwise("log(sigmoid(x))", lambda T, x: T.log(T.sigmoid(x)),
                    lambda x: -mp.log1p(mp.exp(-x))),
        elementwise("log(1 - sigmoid(x))", lambda T, x: T.log(1 - T.sigmoid(x)),
                    lambda x: -mp.log1p(mp.exp(x))),
        elementwise("log(exp(x) + exp(y))", lambda T, x, y: T.log(T.exp(x) + T.exp(y)),
                    lambda x, y: mp.log(mp.exp(x) + mp.exp(y)), pairs),
        elementwise("log(exp(x) - 1)", lambda T, x: T.log(T.exp(x) - 1),
                    lambda x: mp.log(mp.expm1(x)), ([1e-12, 0.5, 3.0, 900.0],)),
        elementwise("1 - erf(x)", lambda T, x: 1 - T.erf(x), lambda x: mp.erfc(x),
                    ([-3.0, 0.5, 5.0, 8.0, 20.0],)),
        elementwise("log(erfc(x))", lambda T, x: T.log(T.erfc(x)), lambda x: mp.log(mp.erfc(x)),
                    ([-3.0, 1.0, 20.0, 40.0, 100.0],)),
        elementwise("-(t log(σ(x)) + (1 - t) log(1 - σ(x)))",
                    lambda T, x, t: -(t * T.log(T.sigmoid(x)) + (1 - t) * T.log(1 - T.sigmoid(x))),
                    cost, ([-900.0, 900.0, 2.0, -50.0], [1.0, 0.0, 0.5, 1.0])),
        Case("exp(x) / sum(exp(x), axis=1)", "m",
             lambda T, x: T.exp(x) / T.exp(x).sum(axis=1, keepdims=True),
             (ROWS,), rows(softmax), (MATRIX,)),
        Case("log(exp(x) / sum(exp(x), axis=1))", "m",
             lambda T, x: T.log(T.exp(x) / T.exp(x).sum(axis=1, keepdims=True)),
             (ROWS,), rows(spread), (MATRIX,)),
        Case("log(sum(exp(x), axis=1))", "m", lambda T, x: T.log(T.exp(x).sum(axis=1)),
             (ROWS,), rows(log_sum), (MATRIX,)),
        Case("mean(x²) - mean(x)²", "m",
             lambda T, x: (x**2).mean(axis=1) - x.mean(axis=1) ** 2,
             (OFFSET,), rows(variance), (MATRIX,)),
        Case("A B v", "mmv", lambda T, a, b, v: T.dot(T.dot(a, b), v),
             (HILBERT, HILBERT, [1.0] * 7),
             lambda a, b, v: list(mp.matrix(a) * (mp.matrix(b) * mp.matrix(v))),
             ((400, 400), (400, 400), (400,))),
        Case("A⁻¹ v", "mv", lambda T, a, v: T.dot(T.inverse(a), v), (HILBERT, [1.0] * 7),
             lambda a, v: list(mp.lu_solve(mp.matrix(a), mp.matrix(v))),
             ((300, 300), (300,))),
    ]  # fmt: skip


class Names:
    """What the cases call things, in one library."""

    def __init__(self, **names: Any) -> None:
        self.__dict__.update(names)


def wiregrad() -> tuple[str, Callable[..., Any], Names]:
    """This project: its name and version, how a case is compiled, and its names."""
    import engine
    import engine.tensor as T
    from engine.modes import Mode

    def compiled(case: Case) -> tuple[Callable[..., Any], int]:
        inputs = variables(case, T)
        f = engine.function(inputs, case.build(names, *inputs), mode=Mode("numba"))
        return f, len(f.graph)

    names = Names(exp=T.exp, log=T.log, sigmoid=T.nnet.sigmoid, erf=T.erf, erfc=T.erfc, dot=T.dot,
                  inverse=T.nlinalg.matrix_inverse)  # fmt: skip
    return "Wiregrad", compiled, names


def pytensor() -> tuple[str, Callable[..., Any], Names]:
    """PyTensor, in its default mode."""
    import pytensor
    import pytensor.tensor as T

    def compiled(case: Case) -> tuple[Callable[..., Any], int]:
        inputs = variables(case, T)
        f = pytensor.function(inputs, case.build(names, *inputs))
        applies = f.maker.fgraph.toposort()
        return f, sum(map(inner_ops, applies))

    def inner_ops(apply: Any) -> int:
        scalar = getattr(apply.op, "scalar_op", None)
        inner = getattr(scalar, "fgraph", None)
        return len(inner.apply_nodes) if inner is not None else 1

    names = Names(exp=T.exp, log=T.log, sigmoid=T.sigmoid, erf=T.erf, erfc=T.erfc, dot=T.dot,
                  inverse=T.linalg.inv)  # fmt: skip
    return f"PyTensor {pytensor.__version__}", compiled, names


LIBRARIES = {f.__name__: f for f in (wiregrad, pytensor)}


def variables(case: Case, T: Any) -> list[Any]:
    """The inputs of a case."""
    make = {"v": T.dvector, "m": T.dmatrix}
    return [make[kind](f"x{i}") for i, kind in enumerate(case.kinds)]


def measured(library: str, repeat: int) -> dict[str, Any]:
    """All cases in one library: ops, values at the hard points, and seconds."""
    name, compiled, _ = LIBRARIES[library]()
    random = np.random.default_rng(1)
    found: dict[str, Any] = {"name": name, "cases": {}}
    for case in cases(None):
        f, ops = compiled(case)
        with np.errstate(all="ignore"):
            value = np.asarray(f(*map(np.array, case.points)))
        large = [random.uniform(0.1, 2, shape) for shape in case.large]
        f(*large)
        seconds = []
        for _ in range(repeat):
            began = time.perf_counter()
            f(*large)
            seconds.append(time.perf_counter() - began)
        texts = [float(v).hex() for v in value.ravel()]
        found["cases"][case.text] = {"ops": ops, "value": texts, "seconds": seconds}
    return found


def run(python: str, library: str, repeat: int) -> dict[str, Any] | None:
    """One library in a process of its own; None where it is missing."""
    done = subprocess.run(
        [python, __file__, "--library", library, "--repeat", str(repeat)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"{library}: {done.stderr}", file=sys.stderr)
        return None
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def worst_error(case: Case, texts: list[str], mp: Any) -> float:
    """The largest relative error of the values, infinite where one is no number."""
    exact = np.array(case.exact(*([*map(_exactly, p)] for p in case.points)), dtype=object).ravel()
    worst = 0.0
    for text, true in zip(texts, exact, strict=True):
        value = float.fromhex(text)
        if not math.isfinite(value):
            return math.inf
        worst = max(worst, float(abs(mp.mpf(value) - true) / max(abs(true), mp.mpf(2) ** -1022)))
    return worst


def _exactly(value: Any) -> Any:
    import mpmath

    return [*map(_exactly, value)] if isinstance(value, list) else mpmath.mpf(value)


def main() -> None:
    """Run both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", default=sys.executable, help="an interpreter with pytensor")
    parser.add_argument("--repeat", type=int, default=15, help="calls of which the median is shown")
    parser.add_argument("--library", choices=LIBRARIES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.library:
        print(json.dumps(measured(options.library, options.repeat)))
        return
    import mpmath as mp

    mp.mp.dps = 400  # what exp(1000) + 1 needs
    pythons = {"wiregrad": sys.executable, "pytensor": options.peers}
    found = [r for name, python in pythons.items() if (r := run(python, name, options.repeat))]
    print("| expression | " + " | ".join(f"{r['name']}: ops | error | ms" for r in found) + " |")
    print("|---|" + "---|" * 3 * len(found))
    for case in cases(mp):
        cells = []
        for result in found:
            row = result["cases"][case.text]
            error = worst_error(case, row["value"], mp)
            shown = "∞" if math.isinf(error) else "0" if not error else f"{error:.0e}"
            cells += [str(row["ops"]), shown, f"{1e3 * statistics.median(row['seconds']):.2f}"]
        print(f"| {case.text} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
