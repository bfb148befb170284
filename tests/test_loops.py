"""Rewritten loops: random ones keep what they compute; each law leaves what it promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine.tensor as T
from engine import grad, scan
from engine.codegen.numpy import interpret
from engine.errors import EngineError
from engine.expression import Variable
from engine.graph import Graph
from engine.rewrite import optimize
from engine.scan_module import until
from engine.types import FLOATS, TensorType

Array = np.ndarray[Any, Any]

# Random loops.

STEPS = (0, 1, 2, 5)
WIDTH = 2
"""Rows are square, so that products of all of them fit."""

COMBINED: dict[str, Callable[[Variable, Variable], Variable]] = {
    "add": T.add, "sub": T.sub, "mul": T.mul, "maximum": T.maximum, "dot": T.dot,
    "outer": lambda x, y: T.sum(T.outer(x, y), axis=0) if x.ndim == y.ndim == 1 else x * y,
}  # fmt: skip
CHANGED: dict[str, Callable[[Variable], Variable]] = {
    "neg": T.neg, "tanh": T.tanh, "exp of": lambda x: T.exp(-T.sqr(x)), "transpose": lambda x: x.T,
    "sum": T.sum, "first": lambda x: x[0] if x.ndim else x, "reversed": lambda x: x[::-1],
    "softmax": lambda x: T.softmax(x, axis=-1), "double": lambda x: x + x,
}  # fmt: skip
READ: dict[str, Callable[[Variable], Variable]] = {
    "all": lambda rows: rows, "last": lambda rows: rows[-1], "first": lambda rows: rows[0],
    "some": lambda rows: rows[-2:], "sum": lambda rows: T.sum(rows, axis=0),
    "length": lambda rows: rows.shape[0], "even": lambda rows: rows[::2], "start": lambda r: r[:2],
}  # fmt: skip


@dataclass
class Drawn:
    """What is read of a loop's results, and a value for each variable that it is made of."""

    results: list[Variable]
    values: dict[Variable, Array]


@st.composite
def loops(draw: Any) -> Drawn:
    """A loop over some sequences, states and constants, whose body is grown op by op."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(["float64", "float64", "float32", "int64"]))
    steps = draw(st.sampled_from(STEPS))
    known = draw(st.booleans())
    row = (WIDTH,) * draw(st.integers(0, 2))
    values: dict[Variable, Array] = {}

    def variable(name: str, *shape: int) -> Variable:
        v: Variable = TensorType(dtype, [n if known else None for n in shape])(name)
        values[v] = np.round(rng.uniform(-2, 2, shape), 2).astype(dtype)
        return v

    sequences, states, constants = (draw(st.integers(0, most)) for most in (2, 2, 2))
    walked = [variable(f"x{i}", steps + draw(st.integers(0, 1)), *row) for i in range(sequences)]
    taps = [draw(st.sampled_from([[-1], [-1], [-2], [-2, -1]])) for _ in range(states)]
    first = [variable(f"s{i}", -min(own), *row) for i, own in enumerate(taps)]
    fixed = [variable(f"w{i}", *row) for i in range(constants)]
    plain = draw(st.integers(0 if states else 1, 2))
    ops = draw(st.lists(st.sampled_from([*COMBINED, *CHANGED]), max_size=6))
    ends = draw(st.booleans()) if steps else False

    def body(*given: Variable) -> Any:
        pool = [*given, T.constant(np.asarray(2, dtype))]
        for name in ops:
            x, y = (pool[draw(st.integers(0, len(pool) - 1))] for _ in range(2))
            try:
                v = COMBINED[name](x, y) if name in COMBINED else CHANGED[name](x)
            except EngineError:
                continue  # what does not fit is left out
            pool.append(v if v.dtype == dtype else T.cast(v, dtype))
        results = []
        fitting = [v for v in pool if v.ndim <= len(row)]
        for _ in range(states):
            v = fitting[draw(st.integers(0, len(fitting) - 1))]
            v = T.fill(T.zeros(row, dtype), v)
            results.append(T.tanh(v) if dtype in FLOATS and draw(st.booleans()) else v)
        results += [pool[draw(st.integers(0, len(pool) - 1))] for _ in range(plain)]
        return (results, until(T.sum(results[0]) > 1)) if ends else results

    starts: list[Any] = [
        s[0] if own == [-1] else {"initial": s, "taps": own}
        for s, own in zip(first, taps, strict=True)
    ]
    n: Any = steps
    if draw(st.booleans()):
        n = T.lscalar("n")
        values[n] = np.asarray(steps)
    rows, _ = scan(
        body,
        walked,
        [*starts, *[None] * plain],
        fixed,
        n_steps=n,
        go_backwards=draw(st.booleans()),
        return_list=True,
    )
    ways = [name for name in READ if steps or name not in ("last", "first")]
    read = [READ[draw(st.sampled_from(ways))](trace) for trace in rows]
    return Drawn(read[: draw(st.integers(1, len(read)))], values)


def assert_kept(outputs: Sequence[Variable], values: dict[Variable, Array]) -> None:
    """Rewriting changes no value, dtype or shape."""
    graph = Graph(list(values), outputs)
    film = optimize(graph, check=True)
    assert film.warnings == [], film.warnings
    with np.errstate(all="ignore"):
        pairs = zip(interpret(graph.outputs, values), interpret(outputs, values), strict=True)
    for after, before in pairs:
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        close = 2e-3 if before.dtype == "float32" else 1e-9
        np.testing.assert_allclose(after, before, rtol=close, atol=close)


many = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@many
@given(loops())
def test_random_loops_keep_their_values_and_gradients(drawn: Drawn) -> None:
    outputs = list(drawn.results)
    wrt = [v for v in drawn.values if v.dtype in FLOATS]
    cost: Variable = T.constant(0.0)
    for k, v in enumerate(outputs):
        cost = cost + (k + 1) * T.sum(T.sqr(v)) if v.dtype in FLOATS else cost
    if wrt and cost.owner is not None:
        outputs += grad(cost, wrt, disconnected_inputs="ignore")
    assert_kept(outputs, drawn.values)
