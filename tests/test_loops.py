"""Rewritten loops: random ones keep what they compute; each law leaves what it promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine.tensor as T
from engine import function, grad, scan
from engine.codegen.numpy import interpret
from engine.errors import EngineError
from engine.expression import Variable
from engine.graph import Graph
from engine.ifelse import ifelse
from engine.known import known_value
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
    dtype = draw(st.sampled_from(["float64", "float64", "float32", "int64", "int8", "bool"]))
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
            v = v if v.ndim == len(row) else T.fill(T.zeros(row, dtype), v)
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


# Where things are computed.


def rewritten(inputs: Sequence[Variable], *outputs: Variable) -> tuple[list[str], list[list[str]]]:
    """The names of the ops outside of loops, and of those inside of each loop, when rewritten."""
    graph = Graph(inputs, outputs)
    film = optimize(graph, check=True)
    assert film.warnings == []
    nodes = graph.toposort()
    inside = [n.params["block"].applies() for n in nodes if n.op.name == "scan"]
    return (
        [n.op.name for n in nodes if n.op.name != "scan"],
        [[n.op.name for n in body] for body in inside],
    )


x, y, h, b, w, u, k = (
    T.dmatrix("x"), T.dmatrix("y"), T.dvector("h"), T.dvector("b"), T.dmatrix("w"), T.dmatrix("u"),
    T.lscalar("k"),
)  # fmt: skip
AT = {
    x: np.linspace(-1, 1, 10).reshape(5, 2), y: np.linspace(0, 2, 10).reshape(5, 2),
    h: np.array([0.5, -0.25]), b: np.array([1.0, 2.0]), w: np.array([[0.3, -0.2], [0.1, 0.4]]),
    u: np.array([[0.2, 0.5], [-0.6, 0.1]]), k: np.asarray(4),
}  # fmt: skip


def test_a_recurrent_network_multiplies_all_of_its_input_at_once() -> None:
    rows, _ = scan(lambda row, last: T.tanh(T.dot(row, u) + T.dot(last, w) + b), x, h)
    outside, inside = rewritten([x, h, b, w, u], rows)
    assert inside == [["dot", "add", "tanh"]]
    assert outside.count("dot") == 1
    assert outside.count("add") == 1
    assert_kept([rows], AT)


def test_a_gradient_multiplies_what_it_adds_up_over_steps_at_once() -> None:
    rows, _ = scan(lambda row, last: T.tanh(T.dot(row, u) + T.dot(last, w) + b), x, h)
    slopes = grad(T.sum(T.sqr(rows)), [u, w, b])
    outside, inside = rewritten([x, h, b, w, u], *slopes)
    assert [sorted(body) for body in inside] == [["add", "dot", "tanh"], ["add", "dot", "mul"]]
    assert outside.count("dot") == 3  # x u, and for each matrix one of all rows by all rows
    assert_kept(slopes, AT)


def test_what_is_the_same_in_every_step_is_computed_before_the_loop() -> None:
    rows, _ = scan(lambda row, last: T.tanh(row + last * T.sum(T.exp(w))), x, h)
    outside, inside = rewritten([x, h, w], rows)
    assert [sorted(body) for body in inside] == [["add", "mul", "tanh"]]
    assert "exp" in outside
    assert_kept([rows], AT)


def test_what_is_made_of_rows_alone_is_computed_before_the_loop() -> None:
    rows, _ = scan(lambda a, c, last: last * T.exp(a + T.sin(c)), [x, y], h)
    outside, inside = rewritten([x, y, h], rows)
    assert inside == [["mul"]]
    assert {"add", "sin", "exp"} <= set(outside)
    assert_kept([rows], AT)


def test_what_no_later_step_reads_is_computed_after_the_loop() -> None:
    (_, found), _ = scan(
        lambda row, last: [T.tanh(row + last), T.exp(T.dot(T.tanh(row + last), w))], x, [h, None]
    )
    outside, inside = rewritten([x, h, w], found)
    assert inside == [["add", "tanh"]]
    assert {"dot", "exp"} <= set(outside)
    assert_kept([found], AT)


def test_a_loop_without_a_state_is_no_loop() -> None:
    rows, _ = scan(lambda row, c: T.softmax(T.dot(row, w) + c, axis=-1), [x, y])
    outside, inside = rewritten([x, y, w], rows)
    assert inside == []
    assert outside.count("dot") == 1
    assert_kept([rows], AT)
    assert_kept(
        [scan(lambda row, c: T.dot(row, w) + c, [x, y], n_steps=k, go_backwards=True)[0]], AT
    )


def test_a_state_that_only_adds_up_is_a_sum() -> None:
    total, _ = scan(lambda row, c, s: s + T.outer(row, c), [x, y], w)
    outside, inside = rewritten([x, y, w], total[-1])
    assert inside == []
    assert outside.count("dot") == 1
    running, _ = scan(lambda row, s: s + T.exp(row), x, h)
    outside, inside = rewritten([x, h], running)
    assert inside == []
    assert "cumsum" in outside
    assert_kept([total[-1], running], AT)


def test_a_state_that_no_step_reads_needs_no_loop() -> None:
    rows, _ = scan(lambda row, last: T.tanh(row), x, h)
    outside, inside = rewritten([x, h], rows)
    assert inside == []
    assert outside.count("tanh") == 1
    assert_kept([rows], AT)


def test_a_row_that_never_changes_is_repeated() -> None:
    rows, _ = scan(lambda row, c: T.exp(c), x, non_sequences=h)
    outside, inside = rewritten([x, h], rows)
    assert inside == []
    assert outside.count("exp") == outside.count("alloc") == 1
    fixed, _ = scan(lambda row: T.constant(2.0), x, n_steps=3)
    assert_kept([rows, fixed], AT)


def test_states_that_are_equal_or_never_change_are_no_states() -> None:
    (first, second, still), _ = scan(
        lambda row, p, q, r: [T.tanh(p * row + r), T.tanh(q * row + r), r], x, [h, h, b]
    )
    graph = Graph([x, h, b], [first, second, still[-1]])
    optimize(graph, check=True)
    (loop,) = [n for n in graph.toposort() if n.op.name == "scan"]
    assert loop.params["taps"] == ((-1,),)
    assert graph.outputs[0] is graph.outputs[1]
    assert_kept([first, second, still[-1]], AT)


def test_inputs_that_are_the_same_are_read_once_and_numbers_not_at_all() -> None:
    rows, _ = scan(
        lambda a, c, last, p, q: T.tanh(last * a + c * p * q),
        [x, x], h, [b, T.constant(2.0)],
    )  # fmt: skip
    graph = Graph([x, h, b], [rows])
    optimize(graph, check=True)
    (loop,) = [n for n in graph.toposort() if n.op.name == "scan"]
    assert len(loop.params["block"].inputs) <= 3
    assert_kept([rows], AT)


def keeps(*outputs: Variable) -> list[tuple[int, ...]]:
    """How many last rows the loops keep of each result, when rewritten."""
    graph = Graph(list(AT), outputs)
    optimize(graph, check=True)
    return [n.params["keep"] for n in graph.toposort() if n.op.name == "scan"]


def test_only_rows_that_are_read_are_kept() -> None:
    rows, _ = scan(lambda row, last: T.tanh(row + last), x, h)
    known, _ = scan(lambda last: T.tanh(last + b), None, h, n_steps=50)
    assert keeps(rows[-1]) == [(1,)]
    assert keeps(known[-3:]) == keeps(known[-1] + known[-3]) == [(3,)]
    assert keeps(known[-3:-1]) == [(3,)]
    assert keeps(rows[-1], T.sum(rows)) in ([()], [(0,)])
    assert_kept([rows[-1], known[-3:], known[-3:-1], known[-1] + known[-3]], AT)
    assert_kept([rows[-2:]], AT)


def test_only_steps_that_are_read_are_taken() -> None:
    rows, _ = scan(lambda last: T.tanh(last + b), None, h, n_steps=50)
    graph = Graph([h, b], [rows[:3], rows[5]])
    optimize(graph, check=True)
    (loop,) = [n for n in graph.toposort() if n.op.name == "scan"]
    assert known_value(loop.inputs[0]) == 6
    assert_kept([rows[:3], rows[5]], AT)
    until_k, _ = scan(lambda last: T.tanh(last + b), None, h, n_steps=k)
    assert_kept([until_k[1], until_k[:9]], AT)
    with pytest.raises(IndexError):
        function([h, b, k], until_k[5])(AT[h], AT[b], 4)


def test_results_that_nobody_reads_are_not_computed() -> None:
    (kept, _, _), _ = scan(
        lambda row, p, q: [T.tanh(row * p), T.sin(p + q), T.exp(q)], x, [h, b, None]
    )
    outside, inside = rewritten([x, h, b], kept)
    assert inside == [["mul", "tanh"]]
    assert not {"sin", "exp"} & {*outside}


def test_short_loops_are_written_out() -> None:
    rows, _ = scan(lambda last: T.tanh(last + b), None, h, n_steps=3)
    outside, inside = rewritten([h, b], rows)
    assert inside == []
    assert outside.count("tanh") == 3
    longer, _ = scan(lambda last: T.tanh(last + b), None, h, n_steps=30)
    assert len(rewritten([h, b], longer)[1]) == 1
    assert_kept([rows, longer], AT)


def test_equal_loops_are_one() -> None:
    one, two = (scan(lambda row, last: T.tanh(row * last), x, h)[0] for _ in range(2))
    assert len(rewritten([x, h], one, two)[1]) == 1
    assert len(rewritten([x, h], one, T.exp(two))[1]) == 1


def test_lazy_parts_of_a_body_stay_in_it() -> None:
    rows, _ = scan(lambda row, last: ifelse(T.sum(row) > 9, w[7], row * last), x, h)
    (body,) = rewritten([x, h, w], rows)[1]
    assert "subtensor" in body
    assert_kept([rows], AT)


def test_the_shape_of_a_loops_rows_needs_no_loop() -> None:
    (rows, found), _ = scan(lambda row, last: [T.tanh(row + last), T.exp(last)], x, [h, None])
    lengths = [rows.shape, found.shape[0], rows.shape[1]]
    assert rewritten([x, h], *lengths)[1] == []
    assert_kept(lengths, AT)
