"""Loops in native code: what they compute, in what memory, when they end, and what they show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import engine.tensor as T
from engine import function, grad, scan, shared
from engine.codegen import compile_graph
from engine.codegen.native import Native
from engine.codegen.numpy import interpret
from engine.errors import CompileError, EngineError, ParameterError, ShapeError
from engine.expression import Variable
from engine.graph import Graph
from engine.rewrite import optimize
from engine.scan_module import until
from engine.tensor.shared_randomstreams import RandomStreams
from engine.training import Trainer, TrainingSpec
from engine.types import FLOATS
from tests.test_loops import Drawn, loops

Array = np.ndarray[Any, Any]
Values = dict[Variable, Any]


def compiled(outputs: Sequence[Variable], values: Values, rewritten: bool = False) -> Native:
    """The graph of the outputs, compiled for the shapes of the values, which are filled in."""
    arrays = {v: np.asarray(a, v.dtype) for v, a in values.items()}
    graph = Graph(list(arrays), list(outputs))
    if rewritten:
        optimize(graph)
    native = compile_graph(graph, {v: a.shape for v, a in arrays.items()})
    for v, array in arrays.items():
        native.inputs[v][...] = array
    return native


def sources(native: Native) -> list[str]:
    """What the kernels are, "kernel" for those that are made."""
    return ["kernel" if k.source.startswith("def") else k.source for k in native.kernels]


def natively(
    outputs: Variable | Sequence[Variable], values: Values, ways: Sequence[bool] = (False, True)
) -> None:
    """Loops leave nothing to NumPy, and give what it gives, as written and rewritten."""
    wanted = [outputs] if isinstance(outputs, Variable) else list(outputs)
    expected = interpret(wanted, {v: np.asarray(a, v.dtype) for v, a in values.items()})
    for rewritten in ways:
        native = compiled(wanted, values, rewritten)
        assert not any(s.startswith("numpy") for s in sources(native)), sources(native)
        for _ in range(2):
            native.call()
            for found, value in zip(native.outputs, expected, strict=True):
                assert (found.dtype, found.shape) == (value.dtype, value.shape)
                close = 2e-6 if value.dtype == np.float32 else 1e-12
                np.testing.assert_allclose(found, value, rtol=close, atol=close)


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed + len(shape)).uniform(-1, 1, shape)


# What they compute.

x, y = T.dmatrix("x"), T.dmatrix("y")
h, w = T.dvector("h"), T.dmatrix("w")
rows3 = T.dmatrix("rows3")
VALUES = {x: drawn(5, 3), y: drawn(5, 3, seed=1), h: drawn(3), w: drawn(3, 3, seed=2)}
VALUES[rows3] = drawn(3, 3, seed=3)


def recurrent(r: Variable, s: Variable, w: Variable) -> Variable:
    return T.tanh(T.dot(s, w) + r)


LOOPS: dict[str, Callable[[], list[Variable]]] = {
    "a state": lambda: [scan(recurrent, x, h, w)[0]],
    "backwards": lambda: [scan(recurrent, x, h, w, go_backwards=True)[0]],
    "taps": lambda: [
        scan(
            lambda a, b, c, p, q: a * p + b * q - c,
            [{"input": x, "taps": [-1, 1]}, y[1:]],
            {"initial": rows3, "taps": [-3, -1]},
        )[0]
    ],
    "several states": lambda: scan(lambda r, a, b: [b + r, a * r], x, [h, h * 2])[0],
    "states that change places": lambda: scan(lambda a, b: [b, a], None, [h, h * 2], n_steps=5)[0],
    "further results": lambda: scan(
        lambda r, a: [a * r, a, r, r - a, T.sum(a), T.constant(3.0), a * r],
        x,
        [h, *[None] * 6],
    )[0],
    "a sequence that lies crosswise": lambda: [
        scan(lambda r, s: r * s + r, y.T[::-1, ::2], T.ones((3,)))[0]
    ],
    "a sequence that is one row again and again": lambda: [
        scan(lambda r, s: r * s + 1, T.alloc(h, 4, 3), h)[0]
    ],
    "a state that stretches": lambda: [
        scan(lambda s: s * 2 + 1, None, h.dimshuffle("x", 0), n_steps=3)[0]
    ],
    "a loop in a loop": lambda: [
        scan(lambda r, s: scan(lambda e, t: t * e + s, r, T.zeros((3,)))[0][-1], x, h)[0]
    ],
    "all of a loop in a loop": lambda: [
        scan(lambda r: scan(lambda e, t: t * e + h, r, h)[0], x)[0]
    ],
    "a loop over what another one gives": lambda: [
        scan(lambda r, s: s * r, scan(recurrent, x, h, w)[0], h)[0]
    ],
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_and_their_gradients_need_no_numpy(name: str) -> None:
    results = LOOPS[name]()
    used = [v for v in VALUES if v in Graph(list(VALUES), results).leaves()]
    values = {v: VALUES[v] for v in used}
    cost: Variable = T.constant(0.0)
    for k, r in enumerate(results):
        cost = cost + T.sum(T.sqr(r)) * (k + 1)
    natively([*results, *grad(cost, used)], values)
    natively([r[-1] for r in results], values)
    natively([r[-2:] for r in results] + [r[-1] for r in results], values)
    natively(grad(T.sum(T.stack([T.sum(r[-1]) for r in results])), used), values)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(loops())
def test_random_loops_and_their_gradients_give_what_numpy_gives(loop: Drawn) -> None:
    outputs = list(loop.results)
    wrt = [v for v in loop.values if v.dtype in FLOATS]
    cost = T.constant(0.0) + sum(T.sum(T.sqr(v)) for v in outputs if v.dtype in FLOATS)
    outputs += grad(cost, wrt, disconnected_inputs="ignore")
    with np.errstate(all="ignore"):
        expected = interpret(outputs, loop.values)
    for rewritten in (False, True):
        try:
            native = compiled(outputs, loop.values, rewritten)
        except CompileError:  # of results whose length only a run knows
            continue
        native.call()
        for found, value in zip(native.outputs, expected, strict=True):
            assert (found.dtype, found.shape) == (value.dtype, value.shape)
            close = 2e-3 if value.dtype == np.float32 else 1e-9
            np.testing.assert_allclose(found, value, rtol=close, atol=close)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_few_steps(steps: int) -> None:
    rows, _ = scan(recurrent, x, h, w)
    values = {x: drawn(steps, 3), h: VALUES[h], w: VALUES[w]}
    natively([rows, *grad(T.sum(T.sqr(rows)), [x, h, w])], values)
    final = scan(lambda r, s: s + r, x, {"initial": rows3, "taps": [-3]})[0]
    natively(final, {x: values[x], rows3: VALUES[rows3]})


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "uint8", "bool"])
def test_any_dtype(dtype: str) -> None:
    r, s = T.TensorType(dtype, (None, None))("r"), T.TensorType(dtype, (None,))("s")
    either = T.or_ if dtype == "bool" else T.add
    rows, _ = scan(lambda r, s: T.cast(either(r, s) if dtype == "bool" else r + s * s, dtype), r, s)
    natively([rows, rows[-1]], {r: np.arange(12).reshape(4, 3) % 2, s: [1, 0, 1]})


def test_the_truncated_gradient() -> None:
    rows, _ = scan(recurrent, x, h, w, truncate_gradient=2)
    values = {x: VALUES[x], h: VALUES[h], w: VALUES[w]}
    natively(grad(T.sum(rows[-1]), [x, h, w]), values)


def test_shared_variables_advance_from_step_to_step() -> None:
    count = shared(np.array(2.0), name="count")
    rows, updates = scan(lambda r: (r * count, {count: count + 1}), x)
    f = function([x], rows, updates=updates, mode="NUMBA")
    for start in (2, 7):
        expected = VALUES[x] * np.arange(start, start + 5.0)[:, None]
        np.testing.assert_allclose(f(VALUES[x]), expected)
    assert count.get_value() == 12
    assert not any(k.source.startswith("numpy") for k in f.kernels)


# Where rows lie.


def test_rows_are_made_where_they_stay() -> None:
    """Nothing but the product and one kernel runs in a step, and no row is copied."""
    wide, state, weights = T.fmatrix("wide"), T.fmatrix("state"), T.fmatrix("weights")
    rows, _ = scan(lambda r, s, w: T.tanh(T.dot(s, w) + r), wide, state, weights)
    values = {wide: np.ones((9, 32)), state: np.ones((16, 32)), weights: np.ones((32, 32))}
    native = compiled([rows], values)
    assert sources(native) == ["kernel", "loop of 2 kernels", "sgemm", "kernel"]
    assert native.kernels[-1].ops == ("add", "tanh")
    assert len(native.kernels[-1].lines) == len(native.kernels[-1].source.splitlines())


def test_products_of_rows_where_they_lie() -> None:
    """Of matrices and of vectors, also of rows that lie crosswise or of which few are kept."""
    series, state, weights = T.dtensor3("series"), T.dmatrix("state"), T.dmatrix("weights")
    values = {series: drawn(4, 16, 16), state: drawn(16, 16), weights: drawn(16, 16, seed=1) / 4}
    for walked in (series, series.dimshuffle(0, 2, 1)[::-1], series.dimshuffle(1, 0, 2)):
        rows, _ = scan(lambda r, s, w: T.tanh(T.dot(s, w) + T.sum(r)), walked, state, weights)
        both, _ = scan(
            lambda r, s, w: [T.dot(T.dot(r.T, r) + s, w) / 4, T.dot(r, w)],
            walked,
            [state, None],
            weights,
        )
        cost = T.sum(T.sqr(rows)) + T.sum(T.sqr(both[0])) + T.sum(T.sqr(both[1]))
        natively([rows, *both, *grad(cost, [series, state, weights])], values)
        natively([rows[-1], both[0][-1], both[1][-2:]], values)
    first, deep = T.dvector("first"), T.dmatrix("deep")
    lines, _ = scan(lambda s, w: T.tanh(T.dot(s, w) - T.dot(w, s)), None, first, deep, n_steps=3)
    natively(
        [lines, *grad(T.sum(T.sqr(lines)), [first, deep])],
        {first: drawn(40), deep: drawn(40, 40) / 6},
    )


def test_rows_that_nobody_wants_take_no_memory() -> None:
    s = T.dvector("s")
    rows, _ = scan(lambda s: T.tanh(s) + s * s, None, s, n_steps=1000)
    few = compiled([rows[-1]], {s: np.ones(512)}, rewritten=True)
    all_rows = compiled([rows], {s: np.ones(512)}, rewritten=True)
    assert few.peak_bytes < 6 * 512 * 8 < 1000 * 512 * 8 < all_rows.peak_bytes


def test_another_number_of_steps_compiles_nothing() -> None:
    rows, _ = scan(recurrent, x, h, w)
    outputs = [rows, *grad(T.sum(rows), [w])]
    first = compiled(outputs, {x: drawn(4, 3), h: VALUES[h], w: VALUES[w]})
    second = compiled(outputs, {x: drawn(11, 3), h: VALUES[h], w: VALUES[w]})
    assert [k.name for k in first.kernels] == [k.name for k in second.kernels]
    assert all(k.from_cache for k in second.kernels)


def test_what_was_computed_before_a_loop_stays_as_it_is() -> None:
    """A loop reads it row by row, but needs all of it in the next step."""
    made = T.exp(T.dot(w, w))
    rows, _ = scan(lambda s: T.tanh(s) * made, None, rows3, n_steps=3)
    natively(rows, {w: VALUES[w], rows3: VALUES[rows3]})


def test_what_is_the_same_in_each_step_is_done_once() -> None:
    """A matrix that BLAS cannot read where it lies is copied before the loop, not in it."""
    wide, far = T.dmatrix("wide"), T.dtensor3("far")
    rows, _ = scan(lambda s, far: T.tanh(T.dot(s, far[:, :, 0])), None, wide, far, n_steps=3)
    values = {wide: drawn(16, 16), far: drawn(16, 16, 2) / 4}
    native = compiled([rows], values)
    assert sources(native) == ["kernel", "loop of 2 kernels", "dgemm", "kernel"]
    natively(rows, values)


def outside(native: Native) -> list[tuple[str, ...]]:
    """The ops of the kernels that are in no loop; no loop here is in another one."""
    found, inside = [], 0
    for text, kernel in zip(sources(native), native.kernels, strict=True):
        if text.startswith("loop"):
            inside = int(text.split()[2]) + 1
        if not inside:
            found.append(kernel.ops)
        inside = max(inside - 1, 0)
    return found


def test_rows_that_cost_little_are_made_in_the_loop_that_reads_them() -> None:
    rows, _ = scan(lambda r, s, w, h: T.tanh(T.dot(s, w) + r * h), x, h, [w, h])
    slopes = grad(T.sum(T.sqr(rows)), [x, h, w])
    values = {v: VALUES[v] for v in (x, h, w)}
    native = compiled([rows], values, rewritten=True)
    assert outside(native) == [("scan",)]
    for reverse in (False, True):
        there, _ = scan(
            lambda r, s: T.tanh(s) * (r * h + r - 1) + T.sqr(r), x, h, go_backwards=reverse
        )
        some, _ = scan(lambda a, b, s: (a - b) * s + b * a, [x, y[::-1]], h, n_steps=3)
        natively(
            [there[-1], some, *grad(T.sum(there) + T.sum(some), [x, y, h])], values | {y: VALUES[y]}
        )
    natively([rows, *slopes], values)


def test_rows_that_cost_more_or_that_others_read_are_made_before_the_loop() -> None:
    costly, _ = scan(lambda r, s: T.exp(r) + s * s, x, h)
    added = x + h
    shared_rows, _ = scan(lambda r, s: r * T.tanh(s), added, h)
    sums, _ = scan(lambda r, s: r * T.tanh(s), T.exp(x) + T.exp(y), h)
    values = {v: VALUES[v] for v in (x, h, y)}
    before = outside(compiled([costly], {x: VALUES[x], h: VALUES[h]}, rewritten=True))
    assert any("exp" in ops for ops in before)
    assert any("add" in ops for ops in outside(compiled([shared_rows, added], values)))
    assert any("add" in ops for ops in outside(compiled([sums], values)))
    natively([costly, shared_rows, added, sums], values)
    shape = (2, 2, 3)
    folded, _ = scan(lambda r, s: r * s + s, T.reshape(x[:4] * 2 + h, shape), T.ones((2, 3)))
    spread = T.diagonal(T.reshape(x[:3] + y[:3], (3, 3))) * 2
    across, _ = scan(lambda r, s: T.tanh(r * s), spread, h[0])
    natively([folded, across], values)


# What is left to NumPy.


def test_an_op_of_numpys_in_a_step_leaves_the_rest_native() -> None:
    rows, _ = scan(lambda r, s: T.sort(s * 2) + r * s, x, h)
    expected = interpret([rows], VALUES)
    native = compiled([rows], {x: VALUES[x], h: VALUES[h]})
    assert sources(native)[1:] == ["loop of 3 kernels", "kernel", "numpy: sort", "kernel"]
    native.call()
    np.testing.assert_allclose(native.outputs[0], expected[0])
    only, _ = scan(lambda s: T.sort(s) * 2, None, h, n_steps=3)
    assert "numpy: scan" in sources(compiled([only], {h: VALUES[h]}))


def test_random_numbers_in_a_loop_are_those_of_numpy() -> None:
    def rows(mode: str) -> list[Array]:
        rng = RandomStreams(7)
        rows, updates = scan(lambda s: s + T.tanh(rng.normal((3,)) * s) * 2, None, h, n_steps=4)
        f = function([h], rows, updates=updates, mode=mode)
        return [f(VALUES[h]), f(VALUES[h])]

    first, second = rows("NUMBA")
    np.testing.assert_allclose([first, second], rows("NUMPY"), rtol=1e-12)
    assert not np.allclose(first, second)


def test_an_error_in_a_step_ends_the_loop_and_changes_nothing_that_is_kept() -> None:
    places, total = T.lvector("places"), T.dvector("total")
    inner, _ = scan(lambda i, s: s + h[i] * s, places, total)
    outer, _ = scan(lambda r: scan(lambda i, s: s + h[i] * r, places, r)[0][-1], x)
    for rows in (inner, outer):
        graph = Graph([places, h, x, total], [rows, total + T.sum(rows)])
        shapes = {places: (3,), h: (3,), x: (5, 3), total: (3,)}
        native = compile_graph(graph, shapes, updates={total: 1})
        assert "numpy: subtensor" in sources(native)
        native.inputs[h][...] = VALUES[h]
        native.inputs[x][...] = VALUES[x]
        native.inputs[total][...] = 1
        native.inputs[places][...] = [0, 9, 1]
        with pytest.raises(IndexError, match="outside axis 0") as caught:
            native.call()
        told = str(caught.value.details)  # type: ignore[attr-defined]
        assert "In step 1 of the loop." in told
        assert ("In step 0 of the loop." in told) == (rows is outer)
        assert native.inputs[total].tolist() == [1, 1, 1]
        native.inputs[places][...] = [0, 2, 1]
        native.call()
        assert native.inputs[total].tolist() != [1, 1, 1]


# Loops of which only a run knows when they end.

n = T.lscalar("n")


def test_the_number_of_steps_may_be_found_by_a_run() -> None:
    power = scan(lambda p, h: p * h, None, T.ones_like(h), h, n_steps=n)[0][-1]
    turns = scan(lambda a, b: [b, a], None, [h, h * 2], n_steps=n)[0]
    delayed = scan(lambda p, q: p + q, None, {"initial": rows3, "taps": [-3, -1]}, n_steps=n)[0]
    walked = scan(lambda r, s: s * 2 + r, x, h, n_steps=n)[0][-1]
    outputs = [power, turns[0][-1], turns[1][-1], delayed[-1], walked]
    values = {v: VALUES[v] for v in (h, x, rows3)}
    native = compiled(outputs, {**values, n: 1}, rewritten=True)
    assert sum(s.startswith("loop") for s in sources(native)) == 4
    for steps in (4, 1, 5):
        native.inputs[n][...] = steps
        native.call()
        for found, value in zip(
            native.outputs, interpret(outputs, {**values, n: np.array(steps)}), strict=True
        ):
            np.testing.assert_allclose(found, value, rtol=1e-12)
    for steps, error in ((-1, ParameterError), (6, ShapeError)):
        native.inputs[n][...] = steps
        with pytest.raises(error, match=f"{steps} steps") as caught:
            native.call()
        assert "scan" in str(caught.value)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_condition_ends_a_loop(backwards: bool) -> None:
    grown = scan(lambda r, s: (s * 2 + r, until(T.sum(s) > 40)), x, h, go_backwards=backwards)[0][
        -1
    ]
    never = scan(lambda s: (s * 2, until(T.sum(s) > 1e9)), None, h, n_steps=3)[0][-1]
    at_once = scan(lambda s: (s * 2, until(T.sum(s) > -1e9)), None, h, n_steps=3)[0][-1]
    natively([grown, never, at_once], {x: VALUES[x] + 5, h: np.abs(VALUES[h])}, [True])


# Training, and what people see.


def rnn(r: Variable, s: Variable, w: Variable, u: Variable, b: Variable) -> Any:
    return T.tanh(T.dot(r, w) + T.dot(s, u) + b)


def gru(r: Variable, s: Variable, w: Variable, u: Variable, b: Variable) -> Any:
    forget = T.nnet.sigmoid(T.dot(r, w) + T.dot(s, u) + b)
    new = T.tanh(T.dot(r, w) + T.dot(forget * s, u) + b)
    return forget * s + (1 - forget) * new


def lstm(r: Variable, s: Variable, c: Variable, *weights: Variable) -> Any:
    w, u, b = weights
    gates = [T.dot(r, w) * k + T.dot(s, u) + b for k in (1, 2, 3, 4)]
    take, forget, give = (T.nnet.sigmoid(g) for g in gates[:3])
    cell = forget * c + take * T.tanh(gates[3])
    return [give * T.tanh(cell), cell]


@pytest.mark.parametrize("cell", [rnn, gru, lstm])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_recurrent_networks_train_without_the_interpreter(
    cell: Callable[..., Any], dtype: str
) -> None:
    steps, batch, wide, size = 6, 4, 2, 3
    series, wanted = (T.TensorType(dtype, (None,) * 3)(name) for name in ("series", "wanted"))
    shapes = {"w": (wide, size), "u": (size, size), "b": (size,)}
    weights = [T.TensorType(dtype, (None,) * len(s))(name) for name, s in shapes.items()]
    start = T.zeros((batch, size), dtype)
    states = [start, start] if cell is lstm else start
    rows = scan(cell, series, states, weights, return_list=True)[0][0]
    cost = T.mean(T.sqr(rows - wanted))
    rate = np.asarray(0.1, dtype)
    spec = TrainingSpec(
        inputs={
            series: drawn(steps, batch, wide).astype(dtype),
            wanted: drawn(steps, batch, size, seed=4).astype(dtype),
        },
        state={
            v: drawn(*s, seed=k).astype(dtype)
            for k, (v, s) in enumerate(zip(weights, shapes.values(), strict=True))
        },
        updates={v: v - rate * g for v, g in zip(weights, grad(cost, weights), strict=True)},
        outputs={"cost": cost},
        cost="cost",
        steps=20,
        names={},
        ids={v: str(v.name) for v in weights},
    )
    trainer = Trainer(spec)
    assert trainer.run(20) == 20
    assert trainer.tier == 1
    kernels = trainer._engine.native.kernels  # type: ignore[union-attr]
    assert not any(k.source.startswith("numpy") for k in kernels)
    assert sum(k.source.startswith("loop") for k in kernels) == 2
    values: dict[Variable, Array] = {**spec.inputs, **spec.state}
    for _ in range(20):
        last, *news = interpret([cost, *spec.updates.values()], values)
        values.update(zip(spec.updates, news, strict=True))
    assert trainer.cost == pytest.approx(float(last), rel=1e-4 if dtype == "float32" else 1e-9)


def test_kernels_in_loops_name_their_ops_and_are_timed() -> None:
    rows, _ = scan(lambda r: scan(lambda e, t: t * e, r, T.zeros((3,)) + h)[0][-1], x)
    native = compiled([rows], {x: VALUES[x], h: VALUES[h]})
    shown = [(s, k.ops) for s, k in zip(sources(native), native.kernels, strict=True)]
    assert ("loop of 4 kernels", ("scan",)) in shown
    assert ("loop of 1 kernel", ("scan",)) in shown
    assert ("kernel", ("mul",)) in shown
    seconds = native.call_timed()
    assert len(seconds) == len(native.kernels)
    assert min(seconds) >= 0
    np.testing.assert_allclose(native.outputs[0], interpret([rows], VALUES)[0])


def test_kernels_in_loops_say_where_they_come_from() -> None:
    rows, _ = scan(lambda r, s: T.tanh(r * s), x, h)
    loop = rows.owner.inputs[0].owner  # type: ignore[union-attr]
    assert loop is not None
    loop.origins = frozenset({"loop"})
    for node in loop.params["block"].applies():
        node.origins = frozenset({node.op.name})
    native = compiled([rows], {x: VALUES[x], h: VALUES[h]})
    assert [set(k.origins) for k in native.kernels] == [{"loop"}, {"loop"}, {"mul", "tanh"}]


def test_a_profile_has_the_kernels_in_loops() -> None:
    rows, _ = scan(recurrent, x, h, w)
    f = function([x, h, w], rows, mode="NUMBA", profile=True)
    f(VALUES[x], VALUES[h], VALUES[w])
    assert any("tanh" in row.op for row in f.profile.rows)


def test_errors_of_a_loop_that_cannot_be_compiled_are_those_of_numpy() -> None:
    odd, _ = scan(lambda r: T.nonzero(r)[0], x)
    f = function([x], odd, mode="NUMBA")
    with pytest.raises(EngineError, match="shape"):
        f(np.array([[1.0, 0], [1, 1]]))
