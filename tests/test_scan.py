"""Loops: what they compute, their gradients, and what they say to mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
import engine.tensor as T
from engine import OpFromGraph, Rop, config, function, grad, scan, shared
from engine.codegen.numpy import interpret
from engine.errors import NullGradientError, ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Variable, walk
from engine.grad import NullGradient
from engine.ifelse import ifelse
from engine.scan_module import until

Array = np.ndarray[Any, Any]

# Against the same loop written out.


def unrolled(
    fn: Callable[..., Any],
    sequences: Sequence[tuple[Variable, Sequence[int]]],
    states: Sequence[tuple[Variable, Sequence[int]]],
    constants: Sequence[Variable],
    steps: int,
    backwards: bool = False,
) -> list[Variable]:
    """The results of a scan as a graph without any loop; every state has first rows."""
    rows = [[first[i] for i in range(-min(taps))] for first, taps in states]
    further: list[list[Variable]] = []
    for t in range(steps):
        arguments: list[Variable] = []
        for x, taps in sequences:
            low, high = min(0, *taps, 0), max(0, *taps, 0)
            for k in taps:
                part = x[k - low : k - high or None]
                arguments.append((part[::-1] if backwards else part)[t])
        for own, (_, taps) in zip(rows, states, strict=True):
            arguments += [own[len(own) + k] for k in taps]
        results = fn(*arguments, *constants)
        for own, new in zip(rows, results, strict=False):
            own.append(new)
        further.append(list(results[len(states) :]))
    found = [T.stack(own[-min(taps) :]) for own, (_, taps) in zip(rows, states, strict=True)]
    return found + [T.stack(list(column)) for column in zip(*further, strict=True)]


taps_of_sequences = st.lists(st.integers(-2, 2), min_size=1, max_size=2, unique=True)
taps_of_states = st.lists(st.integers(-3, -1), min_size=1, max_size=2, unique=True)


@settings(max_examples=20, deadline=None)
@given(
    sequences=st.lists(taps_of_sequences, max_size=2),
    states=st.lists(taps_of_states, max_size=2),
    steps=st.integers(1, 4),
    backwards=st.booleans(),
    known=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_loop_and_its_gradients_are_those_of_the_graph_written_out(
    sequences: list[list[int]],
    states: list[list[int]],
    steps: int,
    backwards: bool,
    known: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    width = 2
    values: dict[Variable, Array] = {}

    def variable(name: str, shape: tuple[int, ...]) -> Variable:
        v: Variable = T.TensorType("float64", [n if known else None for n in shape])(name)
        values[v] = rng.uniform(0.5, 1.5, shape)
        return v

    walked = []
    for i, taps in enumerate(sequences):
        longer = max(0, *taps) - min(0, *taps) + int(rng.integers(2))
        walked.append((variable(f"x{i}", (steps + longer, width)), taps))
    fed = [(variable(f"s{i}", (-min(t), width)), t) for i, t in enumerate(states)]
    w, c = variable("w", (width, width)), variable("c", ())
    mixing = rng.uniform(-1, 1, (20, 3))

    def step(*arguments: Variable) -> list[Variable]:
        *rows, w, c = arguments
        results = []
        for k in range(len(states) + 1):
            total = c * 0.1
            for row, weight in zip(rows, mixing[:, k], strict=False):
                total = total + row * float(weight)
            results.append(T.tanh(T.dot(total + T.zeros((width,)), w)) * c)
        return results

    looped, updates = scan(
        step,
        sequences=[{"input": x, "taps": taps} for x, taps in walked],
        outputs_info=[
            *({"initial": s, "taps": t} if t != [-1] else s[0] for s, t in fed),
            None,
        ],
        non_sequences=[w, c],
        n_steps=steps,
        go_backwards=backwards,
        return_list=True,
    )
    assert updates == {}
    written = unrolled(step, walked, fed, [w, c], steps, backwards)
    wrt = list(values)
    found: list[list[Variable]] = []
    for results in (looped, written):
        weights = np.random.default_rng(1)
        cost: Variable = T.constant(0.0)
        for r in results:
            cost = cost + T.sum(T.sqr(r) * T.constant(weights.uniform(0.5, 1.5, (steps, width))))
        first = grad(cost, wrt, disconnected_inputs="ignore")
        slope: Variable = T.constant(0.0)
        for g in first:
            slope = slope + T.sum(T.sqr(g))
        second = grad(slope, wrt, disconnected_inputs="ignore")
        found.append([*results, *first, *second])
    expected = interpret(found[1], values)
    f = function(wrt, found[0], on_unused_input="ignore")
    for tier in (interpret(found[0], values), f(*values.values())):
        for a, b in zip(tier, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def everywhere(outputs: Sequence[Variable], values: dict[Variable, Any]) -> list[Array]:
    """The values of outputs, the same in the graph as written, in NumPy, and in native code."""
    arrays = {v: np.asarray(a, v.dtype) for v, a in values.items()}
    found = interpret(outputs, arrays)
    for mode in ("NUMPY", "NUMBA"):
        f = function(list(values), list(outputs), mode=mode, on_unused_input="ignore")
        for a, b in zip(f(*arrays.values()), found, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
    return found


def slopes(cost: Variable, wrt: Sequence[Variable], values: dict[Variable, Any]) -> None:
    """The gradients of a cost are what finite differences say."""
    arrays = {v: np.asarray(a, v.dtype) for v, a in values.items()}
    gradients = everywhere(grad(cost, wrt), values)
    rng = np.random.default_rng(3)
    for v, found in zip(wrt, gradients, strict=True):
        direction = rng.uniform(-1, 1, found.shape)
        ends = [
            interpret([cost], arrays | {v: arrays[v] + h * direction})[0] for h in (1e-6, -1e-6)
        ]
        assert np.sum(found * direction) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


# What the function of a loop gets, and what it may return.


def test_arguments_come_in_theanos_order_and_have_names() -> None:
    x, y, z = T.dvector("x"), T.dvector("y"), T.dvector("z")
    a, b = T.dvector("a"), T.dscalar("b")
    k = T.dscalar("k")
    seen: list[str | None] = []

    def step(*arguments: Variable) -> list[Variable]:
        seen.extend(v.name for v in arguments)
        total = arguments[0]
        for v in arguments[1:]:
            total = total + v
        return [total, total, total]

    scan(
        step,
        sequences=[{"input": x, "taps": [-3, 2, -1]}, y, {"input": z, "taps": 3}],
        outputs_info=[{"initial": a, "taps": [-3, -5]}, {}, b],
        non_sequences=[k],
    )
    assert seen == [
        "x[t-3]", "x[t+2]", "x[t-1]", "y[t]", "z[t+3]", "a[t-3]", "a[t-5]", "b[t-1]", "k",
    ]  # fmt: skip


def test_sequences_are_cut_to_the_shortest_and_taps_to_what_all_can_read() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    sums, _ = scan(lambda a, b: a + b, sequences=[x, y])
    ahead, _ = scan(
        lambda before, now, after: after - 2 * now + before,
        sequences={"input": x, "taps": [-1, 0, 1]},
    )
    values = {x: [1, 4, 9, 16, 25.0], y: [1, 1, 1.0]}
    assert [v.tolist() for v in everywhere([sums, ahead], values)] == [[2, 5, 10], [2, 2, 2]]


def test_going_backwards_starts_at_the_end() -> None:
    x = T.dvector("x")
    rows, _ = scan(lambda v, last: last * 10 + v, x, T.zeros(()), go_backwards=True)
    fewer, _ = scan(lambda v: v, x, n_steps=2, go_backwards=True)
    found = everywhere([rows, fewer], {x: [1, 2, 3.0]})
    assert [v.tolist() for v in found] == [[3, 32, 321], [3, 2]]


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("known", [True, False])
def test_any_number_of_steps(steps: int, known: bool) -> None:
    x, n = T.dmatrix("x"), T.iscalar("n")
    (sums, squares), _ = scan(
        lambda row, total: [total + row, T.sqr(row)],
        x,
        [T.zeros((2,)), None],
        n_steps=steps if known else n,
    )
    assert (sums.type.shape[0] == steps) is known
    gradient = grad(sums.sum() + squares.sum(), x)
    values = {x: np.arange(6.0).reshape(3, 2), n: steps}
    a, b, g = everywhere([sums, squares, gradient], values)
    assert np.array_equal(a, np.cumsum(values[x][:steps], axis=0))
    assert np.array_equal(b, values[x][:steps] ** 2)
    assert a.shape == b.shape == (steps, 2)
    expected = np.zeros((3, 2))
    for t in range(steps):
        expected[t] = steps - t + 2 * values[x][t]
    assert np.allclose(g, expected)


def test_the_number_of_steps_may_be_a_whole_float_but_not_negative() -> None:
    x, n = T.dvector("x"), T.iscalar("n")
    assert scan(lambda v: v, x, n_steps=2.0)[0].eval({x: [1, 2, 3]}).tolist() == [1, 2]
    with pytest.raises(ParameterError, match=r"cannot take -2 steps(.|\n)*go_backwards"):
        scan(lambda v: v, x, n_steps=-2)
    with pytest.raises(ParameterError, match="cannot take -1 steps"):
        function([x, n], scan(lambda v: v, x, n_steps=n)[0])([1, 2], -1)
    with pytest.raises(TypeMismatchError, match="whole number"):
        scan(lambda v: v, x, n_steps=T.dscalar("m"))
    with pytest.raises(ShapeError, match=r"takes 3 steps, but the sequence x\[t\] has only 2"):
        function([x, n], scan(lambda v: v, x, n_steps=n)[0])([1, 2], 3)
    with pytest.raises(ShapeError, match="how many steps"):
        scan(lambda s: s, outputs_info=[T.zeros(())])
    with pytest.raises(ShapeError, match="no axis to walk"):
        scan(lambda s: s, T.dscalar("s"))


def test_results_come_in_the_form_in_which_they_are_returned() -> None:
    x, a = T.dvector("x"), shared(1.0, name="a")
    assert isinstance(scan(lambda v: v, x)[0], Variable)
    assert isinstance(scan(lambda v: [v], x)[0], Variable)
    assert isinstance(scan(lambda v: [v], x, return_list=True)[0], list)
    for make in (
        lambda v: ([v, v * 2], {a: a + v}),
        lambda v: ((v, v * 2), [(a, a + v)]),
        lambda v: ([v, v * 2], {a: a + v}, until(v > 9)),
    ):
        results, updates = scan(make, x)
        assert len(results) == 2
        assert list(updates) == [a]
    results, updates = scan(lambda v: [(a, a * v)], x)
    assert results is None
    assert function([x], [], updates=updates)([2, 3.0]) == []
    assert a.get_value() == 6
    assert scan(lambda v: (v, until(v > 0)), x)[1] == {}
    with pytest.raises(ParameterError, match="returned nothing"):
        scan(lambda v: None, x)
    with pytest.raises(ParameterError, match="cannot be told apart"):
        scan(lambda v: ([v], [v], {}), x)
    with pytest.raises(TypeMismatchError, match="not shared"):
        scan(lambda v: (v, {v: v}), x)
    with pytest.raises(TypeMismatchError, match="must be a scalar"):
        scan(lambda v: (v, until(x > 0)), x)


def test_numbers_and_arrays_may_be_walked_through_and_fed_back() -> None:
    rows, _ = scan(
        lambda v, s, k: s + v * k,
        sequences=np.array([1.0, 2.0]),
        outputs_info=np.float64(1),
        non_sequences=3,
    )
    assert rows.eval().tolist() == [4, 10]
    constant, _ = scan(lambda: T.constant(2), n_steps=3)
    assert constant.eval().tolist() == [2, 2, 2]


def test_map_reduce_and_folds() -> None:
    x = T.dvector("x")
    squares, _ = engine.map(lambda v, k: v**k, x, non_sequences=[2])
    backwards, _ = engine.map(lambda v: v, x, go_backwards=True)
    total, _ = engine.reduce(lambda v, s: s + v, x, T.zeros(()))
    left, updates = engine.foldl(lambda v, s: s * 2 + v, x, T.zeros(()))
    right, _ = engine.foldr(lambda v, s: s * 2 + v, x, T.zeros(()))
    pair, _ = engine.reduce(lambda v, s, p: [s + v, p * v], x, [T.zeros(()), T.ones(())])
    assert updates == {}
    found = everywhere([squares, backwards, total, left, right, *pair], {x: [1, 2, 3.0]})
    assert [v.tolist() for v in found] == [[1, 4, 9], [3, 2, 1], 6, 11, 17, 6, 6]


# States.


def test_a_state_keeps_its_dtype() -> None:
    x = T.fvector("x")
    narrow, _ = scan(lambda v, s: s + v, x, T.zeros((), dtype="float64"))
    assert narrow.dtype == "float64"
    same, _ = scan(lambda v, s: T.tanh(s + v), x, T.zeros((), dtype="float32"))
    assert same.dtype == "float32"
    for start in (T.constant(0, dtype="int8"), np.int8(0), 0, T.zeros((), dtype="float32")):
        with pytest.raises(TypeMismatchError, match=r"starts as (int8|float32).*float64"):
            scan(lambda v, s: s + v, T.dvector("y"), start)
    with pytest.raises(TypeMismatchError, match="becomes float64"):
        scan(lambda s: T.dvector("y"), outputs_info=T.zeros(()), n_steps=2)
    counter = shared(0, name="counter")
    with pytest.raises(TypeMismatchError, match="counter is int64"):
        scan(lambda: {counter: counter + 0.5}, n_steps=3)


def test_a_state_of_length_one_need_not_stretch() -> None:
    """As in a recurrent network with a single unit, a classic trap."""
    x, w = T.dmatrix("x"), T.dmatrix("w")
    rows, _ = scan(lambda v, s: T.tanh(T.dot(v, w) + s), x, T.zeros((1,)))
    assert rows.broadcastable == (False, False)
    values = {x: np.ones((3, 2)), w: np.ones((2, 1))}
    (found,) = everywhere([rows], values)
    assert found.shape == (3, 1)
    slopes(rows.sum(), [x, w], values)
    with pytest.raises(ShapeError, match=r"\(4,\) and \(1,\)"):
        function([x, w], rows)(np.ones((3, 2)), np.ones((2, 4)))


def test_a_state_keeps_its_shape() -> None:
    x, n = T.dvector("x"), T.iscalar("n")
    rows, _ = scan(lambda s: T.concatenate([s, s]), outputs_info=x, n_steps=n)
    with pytest.raises(ShapeError, match=r"shape \(2,\) before a step and \(4,\) after"):
        function([x, n], rows)([1, 2], 3)
    with pytest.raises(ShapeError, match=r"\(3,\) before a step and \(6,\)"):
        scan(lambda s: T.concatenate([s, s]), outputs_info=T.zeros((3,)), n_steps=2)


def test_taps_of_results_are_checked() -> None:
    x = T.dvector("x")
    for taps in ([0], [-1, -1], [1, -1]):
        with pytest.raises(ParameterError, match="before the step"):
            scan(lambda *s: s[0], outputs_info={"initial": x, "taps": taps}, n_steps=2)
    with pytest.raises(ParameterError, match="needs an initial state"):
        scan(lambda s: s, outputs_info={"taps": [-1]}, n_steps=2)
    with pytest.raises(ParameterError, match=r"return_steps(.|\n)*Select the rows"):
        scan(lambda s: s, outputs_info={"initial": x, "return_steps": 1}, n_steps=2)
    with pytest.raises(ShapeError, match="no axis"):
        scan(lambda s: s, outputs_info={"initial": T.dscalar("s"), "taps": [-2]}, n_steps=2)
    rows, _ = scan(lambda a: a, outputs_info={"initial": x, "taps": [-2]}, n_steps=2)
    with pytest.raises(ShapeError, match="reach back 2 steps, but 1"):
        function([x], rows)([1.0])
    with pytest.raises(ParameterError, match="returned 1 results, but outputs_info has 2"):
        scan(lambda s: s, outputs_info=[T.zeros(()), None], n_steps=2)
    with pytest.raises(ParameterError, match="followed for 0 steps"):
        scan(lambda v: v, x, truncate_gradient=0)


# Shared variables.


def test_shared_variables_of_the_body_advance_step_by_step() -> None:
    state = shared(1, name="state")
    state.default_update = state * 3
    drawn, updates = scan(lambda: state + 0, n_steps=4)
    assert list(updates) == [state]
    f = function([], drawn, updates=updates)
    assert f().tolist() == [1, 3, 9, 27]
    assert state.get_value() == 81
    assert f().tolist() == [81, 243, 729, 2187]
    native = function([], drawn, updates=updates, mode="NUMBA")
    state.set_value(1)
    assert [native().tolist(), native()[0]] == [[1, 3, 9, 27], 81]


def test_what_was_drawn_before_the_loop_is_drawn_once() -> None:
    state = shared(1, name="state")
    state.default_update = state * 3
    outside = state + 0
    rows, updates = scan(lambda v: v + outside, T.dvector("x"))
    assert updates == {}
    inside, updates = scan(lambda v: v + (state + 0), T.dvector("x"))
    assert list(updates) == [state]
    assert rows.owner is not inside.owner


def test_updates_may_be_an_empty_list() -> None:
    x = T.dvector("x")
    rows, updates = scan(lambda v: ([v * 2], (), until(v > 2)), x)
    assert updates == {}
    assert function([x], rows)([1.0, 3.0, 5.0]).tolist() == [2, 6]
    rows, _ = scan(lambda v: ([v * 2], []), x)
    assert function([x], rows)([1.0, 3.0]).tolist() == [2, 6]


def test_an_update_that_is_returned_comes_before_the_default() -> None:
    state = shared(1, name="state")
    state.default_update = state * 3
    rows, updates = scan(lambda: (state + 0, {state: state + 1}), n_steps=3)
    assert function([], rows, updates=updates)().tolist() == [1, 2, 3]
    assert state.get_value() == 4


def test_updates_of_an_inner_loop_reach_the_outer_one() -> None:
    state = shared(1, name="state")

    def outer() -> tuple[Variable, dict[Any, Variable]]:
        rows, updates = scan(lambda: (state + 0, {state: state * 2}), n_steps=2)
        return rows, updates

    rows, updates = scan(outer, n_steps=3)
    assert function([], rows, updates=updates)().tolist() == [[1, 2], [4, 8], [16, 32]]
    assert state.get_value() == 64


def test_strict_loops_take_no_shared_variable_that_is_not_given() -> None:
    x, w = T.dvector("x"), shared(2.0, name="weight")
    with pytest.raises(ParameterError, match=r"shared variable weight(.|\n)*non_sequences"):
        scan(lambda v: v * w, x, strict=True)
    double = w * 2
    with pytest.raises(ParameterError, match="weight"):
        scan(lambda v: v * double, x, strict=True)
    rows, _ = scan(lambda v, k: v * k, x, non_sequences=w, strict=True)
    closed, _ = scan(lambda v, k: v * w, x, non_sequences=w, strict=True)
    assert function([x], rows + closed)([3.0]).tolist() == [12]


# What is computed once.


def test_what_does_not_depend_on_the_step_is_computed_before_the_loop() -> None:
    x, w = T.dvector("x"), T.dvector("w")
    before = T.exp(w)
    rows, _ = scan(lambda v: v * T.sum(T.log(w) + before), x)
    node = next(n for n in walk([rows]) if n.op.name == "scan")
    assert [n.op.name for n in node.params["block"].applies()] == ["mul"]
    everywhere([rows], {x: [1, 2.0], w: [1, 2.0]})


def test_branches_of_the_body_stay_lazy() -> None:
    x, w = T.dvector("x"), T.dvector("w")
    rows, _ = scan(lambda v: ifelse(v > 0, w[5] * 2, v), x)
    slope = grad(rows.sum(), x)
    found = everywhere([rows, slope], {x: [-1, -2.0], w: [1.0]})
    assert [v.tolist() for v in found] == [[-1, -2], [1, 1]]
    with pytest.raises(IndexError):
        function([x, w], rows)([1.0], [1.0])


def test_bodies_are_rewritten_and_equal_loops_are_one() -> None:
    x, w = T.dvector("x"), T.dvector("w")
    start = T.zeros(())
    rows = [
        scan(lambda v, last: T.log(1 + T.exp(v - last)) * T.sum(w), x, start)[0] for _ in range(2)
    ]
    f = function([x, w], rows)
    loops = [n for n in f.graph.toposort() if n.op.name == "scan"]
    assert len(loops) == 1
    assert [n.op.name for n in loops[0].params["block"].applies()] == ["sub", "softplus", "mul"]
    assert "rewrite_body" in {step.rule for step in f.film}
    found = f([1000.0], [1.0, 1.0])
    assert found[0] == found[1] == 2000


def test_only_the_last_state_is_kept_where_only_that_is_read() -> None:
    a, k = T.dvector("a"), T.iscalar("k")
    rows, updates = scan(lambda last, a: last * a, None, T.ones_like(a), a, k)
    f = function([a, k], rows[-1], updates=updates)
    (loop,) = [n for n in f.graph.toposort() if n.op.name == "scan"]
    assert loop.params["keep"] == (1,)
    assert loop.out.type.shape == (1, None)
    assert f(range(10), 4).tolist() == [i**4 for i in range(10)]
    steps = [step.rule for step in f.film]
    assert {"index_from_the_end", "keep_last_rows"} <= set(steps)


def test_results_that_nobody_reads_are_not_computed() -> None:
    x, w = T.dvector("x"), T.dscalar("w")
    (a, b, _), _ = scan(
        lambda v, a, b: [a + v, b * w, T.exp(v)], x, [T.zeros(()), T.ones(()), None]
    )
    f = function([x, w], b, on_unused_input="ignore")
    (loop,) = [n for n in f.graph.toposort() if n.op.name == "scan"]
    assert [n.op.name for n in loop.params["block"].applies()] == ["mul"]
    assert f([1, 2, 3], 2).tolist() == [2, 4, 8]
    assert function([x, w], a, on_unused_input="ignore")([1, 2, 3], 2).tolist() == [1, 3, 6]


# Ending early.


def powers(base: Variable, limit: Variable, most: int = 1024) -> Variable:
    rows, _ = scan(
        lambda last: (last * base, until(last * base > limit)), None, T.ones(()), n_steps=most
    )
    return rows


def test_a_loop_ends_after_the_step_in_which_its_condition_is_true() -> None:
    base, limit = T.dscalar("base"), T.dscalar("limit")
    rows = powers(base, limit)
    f = function([base, limit], rows)
    assert f(2, 45).tolist() == [2, 4, 8, 16, 32, 64]
    assert len(f(1.001, 1.1)) == 96
    assert f(2, 1).tolist() == [2]
    assert function([base, limit], powers(base, limit, 3))(2, 45).tolist() == [2, 4, 8]
    last = function([base, limit], rows[-1], mode="NUMBA")
    assert last(2, 45) == 64
    assert any("scan" in k.ops for k in last.kernels), "the shape of the last state is known"


def test_the_gradient_goes_through_the_steps_that_were_taken() -> None:
    base, limit, x = T.dscalar("base"), T.dscalar("limit"), T.dvector("x")
    rows = powers(base, limit)
    (g,) = everywhere([grad(rows.sum(), base)], {base: 2.0, limit: 9.0})
    assert g == 1 + 2 * 2 + 3 * 4 + 4 * 8
    sums, _ = scan(lambda v, s: (s + v * v, until(s + v * v > 10)), x, T.zeros(()))
    f = function([x], [sums, grad(sums[-1], x)])
    assert [v.tolist() for v in f([1, 2, 3, 4.0])] == [[1, 5, 14], [2, 4, 6, 0]]


# Gradients.


def recurrent(dtype: str = "float64") -> tuple[Variable, list[Variable], dict[Variable, Any]]:
    """A recurrent network: a cost, what it is differentiated by, and values for all."""
    kinds = {"x": 2, "h": 1, "W": 2, "U": 2, "b": 1}
    made = {n: T.TensorType(dtype, (None,) * rank)(n) for n, rank in kinds.items()}
    x, h, w, u, b = made.values()
    rows, _ = scan(
        lambda xt, last: T.tanh(T.dot(last, w) + T.dot(xt, u) + b), sequences=x, outputs_info=h
    )
    rng = np.random.default_rng(4)
    shapes = {x: (5, 2), h: (3,), w: (3, 3), u: (2, 3), b: (3,)}
    values = {v: rng.normal(size=s).astype(dtype) for v, s in shapes.items()}
    return T.sum(T.sqr(rows[-1])) + T.sum(rows[1]), list(made.values()), values


def test_backpropagation_through_time() -> None:
    cost, wrt, values = recurrent()
    slopes(cost, wrt, values)


def test_gradients_in_single_precision_stay_there() -> None:
    cost, wrt, values = recurrent("float32")
    gradients = grad(cost, wrt)
    assert {g.dtype for g in gradients} == {"float32"}
    single = function(wrt, gradients)(*values.values())
    cost, wrt, _ = recurrent()
    double = function(wrt, grad(cost, wrt))(*values.values())
    for a, b in zip(single, double, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_reverse_loop_reads_what_the_forward_loop_has_stored() -> None:
    cost, wrt, _ = recurrent()
    f = function(wrt, grad(cost, wrt))
    loops = [n for n in f.graph.toposort() if n.op.name == "scan"]
    assert len(loops) == 2
    back = [n.op.name for n in loops[1].params["block"].applies()]
    assert "tanh" not in back
    # One product leads back a step; that of the weights is one for all steps, after the loop.
    assert back.count("dot") == 1


def test_hessians_and_products_with_the_jacobian_through_a_loop() -> None:
    cost, wrt, values = recurrent()
    b = wrt[-1]
    point = T.dvector("point")
    along, hessian = T.Rop(grad(cost, b), b, point), T.hessian(cost, b)
    found = everywhere([along, hessian], values | {point: np.array([1.0, -2.0, 0.5])})
    np.testing.assert_allclose(found[0], found[1] @ [1, -2, 0.5], rtol=1e-9)
    np.testing.assert_allclose(found[1], found[1].T, rtol=1e-9)
    rows, _ = scan(lambda v, s: s * T.sin(v), wrt[0], T.ones((2,)))
    x = wrt[0]
    v = T.dmatrix("v")
    direction = np.random.default_rng(2).normal(size=(5, 2))
    (found_rop,) = everywhere([Rop(rows, x, v)], {x: values[x], v: direction})
    ends = [interpret([rows], {x: values[x] + h * direction})[0] for h in (1e-6, -1e-6)]
    np.testing.assert_allclose(found_rop, (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-9)


def test_a_truncated_gradient_goes_back_so_many_steps() -> None:
    x, w, s = T.dvector("x"), T.dscalar("w"), T.dscalar("s")
    values = {x: np.array([0.5, -1.0, 2.0, 0.3]), w: np.array(0.7), s: np.array(1.5)}

    def last(truncate: int) -> list[Variable]:
        rows, _ = scan(lambda v, last: T.tanh(last * w + v), x, s, truncate_gradient=truncate)
        return grad(rows[-1], [x, w, s])

    full, long, short = (everywhere(last(k), values) for k in (-1, 9, 2))
    for a, b in zip(full, long, strict=True):
        np.testing.assert_allclose(a, b)
    assert np.allclose(short[0], [0, 0, *full[0][2:]])
    assert short[2] == 0
    state = np.tanh(np.tanh(1.5 * 0.7 + 0.5) * 0.7 - 1)
    held = T.dscalar("held")
    rows, _ = scan(lambda v, last: T.tanh(last * w + v), x, held)
    assert np.allclose(
        short[1], grad(rows[-1], w).eval({x: values[x][2:], w: values[w], held: state})
    )


def test_results_without_gradient_and_integer_states_are_no_hindrance() -> None:
    x, w, i = T.dmatrix("x"), T.dvector("w"), T.ivector("i")
    (best, value, count, total), _ = scan(
        lambda row, k, count, total: [
            T.argmax(row * w), T.max(row * w) * k, count + k, total + T.sum(row) * count,
        ],
        sequences=[x, i],
        outputs_info=[None, None, T.constant(0, dtype="int32"), T.zeros(())],
    )  # fmt: skip
    assert count.dtype == "int32"
    cost = T.sum(value) + total[-1] + T.sum(best)
    values = {x: np.random.default_rng(1).normal(size=(3, 2)), w: [1.0, 2.0], i: [1, 2, 3]}
    slopes(cost, [x, w], values)
    (by_integers,) = everywhere([grad(cost, i)], values)
    assert np.allclose(by_integers, np.max(values[x] * [1, 2], axis=1))


def test_an_op_without_gradient_off_the_way_is_no_hindrance() -> None:
    x, w = T.dmatrix("x"), T.dvector("w")
    rows, _ = scan(lambda row, mask: T.sum(row * mask * w), x, non_sequences=T.undefined_grad(w))
    with pytest.raises(NullGradientError):
        grad(rows.sum(), w)
    null = grad(rows.sum(), w, null_gradients="return")
    assert isinstance(null, NullGradient)
    assert "declared undefined" in null.why
    slopes(rows.sum(), [x], {x: np.ones((2, 2)), w: [1.0, 2.0]})


def test_a_selection_above_a_loop_lets_no_nan_through() -> None:
    x = T.dvector("x")
    roots, _ = scan(lambda v: T.sqrt(v), x)
    slope = grad(T.sum(T.switch(x > 0, roots, 0)), x)
    (found,) = everywhere([slope], {x: [0.0, 4.0, -1.0]})
    assert found.tolist() == [0, 0.25, 0]


def test_nested_loops() -> None:
    m = T.dmatrix("m")
    rows, _ = scan(
        lambda row, total: scan(lambda v, s: T.sin(s + v) * total, row, T.zeros(()))[0][-1] + total,
        m,
        T.ones(()),
    )
    values = {m: np.random.default_rng(1).normal(size=(3, 4))}
    slopes(T.sum(rows), [m], values)
    f = function([m], rows)
    assert len([n for n in f.graph.toposort() if n.op.name == "scan"]) == 1


def test_complex_states() -> None:
    z, c = T.zvector("z"), T.zscalar("c")
    rows, _ = scan(lambda v, s: s * c + v, z, T.zeros((), dtype="complex128"))
    cost = T.sum(T.sqr(T.abs(rows)))
    values = {z: np.array([1 + 2j, 3 - 1j]), c: np.array(0.5 + 0.25j)}
    gz, gc = everywhere(grad(cost, [z, c]), values)
    for v, found in ((z, gz), (c, gc)):
        for direction in (np.ones_like(values[v]), 1j * np.ones_like(values[v])):
            ends = [
                interpret([cost], values | {v: values[v] + h * direction})[0] for h in (1e-6, -1e-6)
            ]
            along = np.sum((np.conj(found) * direction).real)
            assert along == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_jacobians_are_loops_of_what_depends_on_the_row() -> None:
    x, a = T.dvector("x"), T.dmatrix("a")
    y = T.tanh(T.dot(a, x))
    f = function([x, a], T.jacobian(y, x))
    (loop,) = [n for n in f.graph.toposort() if n.op.name == "scan"]
    assert len(loop.params["block"].applies()) <= 4
    rng = np.random.default_rng(0)
    at, matrix = rng.normal(size=3), rng.normal(size=(4, 3))
    expected = (1 - np.tanh(matrix @ at) ** 2)[:, None] * matrix
    np.testing.assert_allclose(f(at, matrix), expected, rtol=1e-12)


def test_a_loop_may_hold_an_op_made_of_a_graph() -> None:
    a, b = T.dscalars("a", "b")
    mixed = OpFromGraph([a, b], [T.sin(a) * b], name="mixed")
    x = T.dvector("x")
    rows, _ = scan(lambda v, s: mixed(v, s) + s, x, T.ones(()))
    slopes(rows.sum(), [x], {x: [0.5, 1.0, 2.0]})


def test_checkpoints_of_a_loop_change_no_value() -> None:
    x, w, n = T.dmatrix("x"), T.dmatrix("w"), T.iscalar("n")

    def step(row: Variable, s: Variable) -> Variable:
        return T.tanh(T.dot(s, w) + row)

    every, _ = engine.scan_checkpoints(step, x, T.zeros((2,)), save_every_N=4)
    plain, _ = scan(step, x, T.zeros((2,)))
    rng = np.random.default_rng(0)
    for length in (3, 8, 11):
        values = {x: rng.normal(size=(length, 2)), w: rng.normal(size=(2, 2))}
        found = everywhere([every, plain], values)
        ends = sorted({*range(3, length, 4), length - 1})
        np.testing.assert_allclose(found[0], found[1][ends])
        slopes(T.sum(T.sqr(every[-1])), [x, w], values)
    free, _ = engine.scan_checkpoints(lambda s: s * 2, None, T.ones(()), n_steps=n, save_every_N=3)
    assert function([n], free)(7).tolist() == [8, 64, 128]
    with pytest.raises(ParameterError, match="no taps"):
        engine.scan_checkpoints(step, x, {"initial": x, "taps": [-2]})


# Under way.


def test_test_values_go_through_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "compute_test_value", "raise")
    x, w = T.dmatrix("x"), T.dvector("w")
    x.tag.test_value, w.tag.test_value = np.ones((3, 2)), np.array([1.0, 2.0])
    rows, _ = scan(lambda row, s: s + T.sum(row * w), x, T.zeros(()))
    gradient = grad(rows[-1], w)
    assert rows.tag.test_value.tolist() == [3, 6, 9]
    assert gradient.tag.test_value.tolist() == [3, 3]
    with pytest.raises(ShapeError, match=r"\(2,\) and \(3,\)"):
        scan(lambda row: row + T.ones((3,)), x)


def test_an_error_in_a_step_names_the_op() -> None:
    x, i = T.dvector("x"), T.lvector("i")
    rows, _ = scan(lambda k: x[k], i)
    for mode in ("NUMPY", "NUMBA"):
        f = function([x, i], rows, mode=mode)
        assert f([1, 2, 3], [2, 0]).tolist() == [3, 1]
        with pytest.raises(IndexError, match="Index 7 is outside axis 0") as caught:
            f([1, 2, 3], [2, 7])
        assert "In step 1 of the loop." in str(caught.value.details)  # type: ignore[attr-defined]


def test_a_deep_body_needs_no_deep_stack() -> None:
    x = T.dvector("x")

    def step(v: Variable) -> Variable:
        for _ in range(5000):
            v = OPS["tanh"](v)
        return v

    rows, _ = scan(step, x)
    cost = grad(rows.sum(), x)
    assert np.isfinite(interpret([cost], {x: np.ones(2)})[0]).all()
