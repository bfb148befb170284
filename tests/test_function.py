"""Functions and shared variables, and the mistakes people make with them."""

from __future__ import annotations

import copy
from collections import OrderedDict
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import (
    In,
    MissingInputError,
    OrderedUpdates,
    UnusedInputError,
    config,
    function,
    grad,
    shared,
)
from engine.codegen.numpy import interpret
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS
from engine.ifelse import ifelse
from engine.op import Example, Op, Port


def test_outputs_come_in_the_form_they_were_asked_in() -> None:
    x = T.dscalar("x")
    assert function([x], x + 1)(1) == 2
    assert function([x], [x + 1])(1) == [2]
    assert function([x], {"more": x + 1, "less": x - 1})(1) == {"more": 2, "less": 0}
    assert function([], [])() == []
    assert function([x], on_unused_input="ignore")(1) == []
    named = function([x], {"b": x, "a": x * 2})(3)
    assert list(named) == ["b", "a"]
    one = function([x], x)(1)
    assert isinstance(one, np.ndarray)
    assert one.shape == ()


def test_results_do_not_alias_inputs_or_state() -> None:
    x = T.dvector("x")
    given = np.ones(3)
    same, state = shared(np.zeros(3)), np.zeros(3)
    out, held = function([x], [x, same])(given)
    given[:] = 5
    out_before = out.copy()
    held[:] = 7
    assert np.array_equal(out, out_before)
    assert np.array_equal(same.get_value(), state)


def test_default_updates_advance_by_themselves() -> None:
    counter = shared(0)
    counter.default_update = counter + 1
    f = function([], counter)
    assert [int(f()) for _ in range(3)] == [0, 1, 2]
    still = function([], counter, no_default_updates=True)
    assert [int(still()) for _ in range(2)] == [3, 3]


def test_nothing_is_updated_when_a_call_fails() -> None:
    x, total = T.dvector("x"), shared(np.zeros(2))
    add = function([x], updates=[(total, total + x)])
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        add(np.ones(3))
    assert np.array_equal(total.get_value(), [0, 0])


def test_updates_are_simultaneous_and_results_come_from_old_values() -> None:
    a, b, c = shared(1.0), shared(2.0), shared(3.0)
    turn = function([], [a, a + b], updates=OrderedDict([(a, b), (b, c), (c, a)]))
    assert turn() == [1, 3]
    assert [float(v.get_value()) for v in (a, b, c)] == [2, 3, 1]
    assert turn() == [2, 5]


def test_an_update_may_be_a_number_and_may_change_the_shape() -> None:
    s, n = shared(np.ones(3, "float32")), shared(np.int8(3))
    function([], updates=[(n, 0), (s, [4, 5])])()
    assert (n.get_value(), n.dtype) == (0, "int8")
    assert np.array_equal(s.get_value(), [4, 5])
    grow = function([], updates={s: T.concatenate([s, s])})
    grow()
    grow()
    assert s.get_value().shape == (8,)


def test_updates_of_another_type_are_refused_with_a_way_out() -> None:
    count = shared(0, "count")
    with pytest.raises(
        TypeMismatchError, match=r"(?s)same type.*count is int64.*float64.*cast the update to int64"
    ):
        function([], updates=[(count, count + 0.5)])
    small = shared(np.int8(0), "small")
    with pytest.raises(TypeMismatchError, match=r"int8 \(\), but its update is int64"):
        function([], updates=[(small, small + T.lscalar("i"))])
    with pytest.raises(TypeMismatchError, match="has to have 0 dimensions"):
        function([], updates=[(count, T.lvector("v"))])
    row = shared(np.ones((1, 2)), broadcastable=(True, False))
    with pytest.raises(TypeMismatchError, match="addbroadcast"):
        function([], updates=[(row, T.dmatrix("m"))])
    with pytest.raises(TypeMismatchError, match="without loss"):
        function([], updates=[(count, 0.5)])


def test_what_cannot_be_updated() -> None:
    count, x = shared(0, "count"), T.dscalar("x")
    with pytest.raises(ParameterError, match="count has two updates"):
        function([], updates=[(count, count + 1), (count, count + 2)])
    with pytest.raises(TypeMismatchError, match=r"x cannot be updated(.|\n)*In\(x"):
        function([x], updates=[(x, x + 1)])
    with pytest.raises(TypeMismatchError, match="list of pairs"):
        function([], updates=(count, count + 1))


def test_ordered_updates() -> None:
    a, b, x = shared(0, "a"), shared(0, "b"), T.lscalar("x")
    updates = OrderedUpdates({a: a + x})
    both = updates + {b: b + 2 * x}
    both[a] = a + 10 * x
    assert list(both) == [a, b] == list({a: 1} + OrderedUpdates([(b, 2)]))
    function([x], updates=both)(1)
    assert (a.get_value(), b.get_value(), list(updates)) == (10, 2, [a])
    with pytest.raises(ParameterError, match="a has two updates"):
        updates.update({a: a + 1})
    with pytest.raises(TypeMismatchError, match="x cannot be updated"):
        OrderedUpdates()[x] = x  # type: ignore[index]


def test_one_value_is_not_updated_in_two_ways() -> None:
    x, w = T.dscalar("x"), shared(0.0)
    with pytest.raises(ParameterError, match="same value twice"):
        function([In(x, value=w, update=x + 1)], x, updates=[(w, w + 1)])


def test_default_updates_can_be_left_out_or_replaced() -> None:
    a, b = shared(0, "a"), shared(0, "b")
    a.default_update = a + b
    b.default_update = b + 1
    assert function([], a)() == 0  # b advances too, because a's update reads it
    assert (a.get_value(), b.get_value()) == (0, 1)
    function([], a, no_default_updates=True)()
    assert (a.get_value(), b.get_value()) == (0, 1)
    function([], a, no_default_updates=[b])()
    assert (a.get_value(), b.get_value()) == (1, 1)
    function([], a, updates=[(a, a * 10)])()
    assert (a.get_value(), b.get_value()) == (10, 1)
    a.default_update = a * 0.5
    with pytest.raises(TypeMismatchError, match="same type"):
        function([], a)
    with pytest.raises(TypeMismatchError, match="no_default_updates"):
        function([], a, no_default_updates=b)  # type: ignore[arg-type]


def test_a_shared_variable_is_no_input() -> None:
    s = shared(1.0, name="s")
    with pytest.raises(TypeMismatchError, match=r"s.*cannot be an input(.|\n)*givens"):
        function([s], s + 1)


def test_givens_leave_the_state_alone() -> None:
    state, foo, inc = shared(0), T.lscalar("foo"), T.iscalar("inc")
    f = function([inc, foo], state * 2 + inc, givens=[(state, foo)])
    assert f(1, 3) == 7
    assert state.get_value() == 0


def test_givens_replace_anything_at_once_in_outputs_and_updates() -> None:
    x, y = T.dscalars("x", "y")
    s = shared(1.0)
    z = x * y
    two = T.constant(2.0)
    cost = z * two + s
    swapped = function([x, y], x - y, givens=[(x, y), (y, x)])
    assert swapped(5, 3) == -2
    part = function([y], cost, givens={z: y + 1, two: T.constant(3.0), s: y})
    assert part(10) == 11 * 3 + 10
    step = function([y], z, updates={s: s + x}, givens={x: y * 2})
    assert step(3) == 18
    assert s.get_value() == 7
    data, i = shared(np.arange(6.0).reshape(3, 2)), T.lscalar("i")
    batch = T.dvector("batch")
    assert function([i], batch.sum(), givens=[(batch, data[i])])(2) == 9
    assert function([], x + 1, givens={x: 4})() == 5


def test_givens_keep_the_type_unless_rebuilding_is_lenient() -> None:
    x, n = T.fscalar("x"), T.dscalar("n")
    with pytest.raises(TypeMismatchError, match=r"(?s)x cannot be given as n.*rebuild_strict"):
        function([n], x * 2, givens={x: n})
    loose = function([n], x * 2, givens={x: n}, rebuild_strict=False)
    assert (loose(0.1), loose(0.1).dtype) == (0.2, "float64")
    m, r = T.dmatrix("m"), T.drow("r")
    assert function([r], m.sum(axis=0), givens={m: r})(np.ones((1, 2))).shape == (2,)
    with pytest.raises(TypeMismatchError, match="r cannot be given as m"):
        function([m], r.sum(), givens={r: m})
    with pytest.raises(ParameterError, match="x is given twice"):
        function([n], x, givens=[(x, 1), (x, 2)])
    with pytest.raises(TypeMismatchError, match="no variable that could be replaced"):
        function([n], n, givens={"n": 1})


def test_unused_and_missing_inputs() -> None:
    x, y = T.dscalars("x", "y")
    with pytest.raises(UnusedInputError, match=r"y.*number 1"):
        function([x, y], x)
    with pytest.warns(UserWarning, match="y"):
        function([x, y], x, on_unused_input="warn")
    assert function([x, y], x, on_unused_input="ignore")(1, 2) == 1
    with pytest.raises(MissingInputError, match="y is needed to compute"):
        function([x], x * y)
    m = T.dmatrix("m")
    t = m.T
    with pytest.raises(UnusedInputError, match="m"):
        function([m, t], t * 2)  # t is given, so nothing reads m
    assert function([t], t * 2)([[1]]) == [[2]]
    with pytest.raises(ParameterError, match="on_unused_input"):
        function([x], x, on_unused_input="maybe")


def test_eval() -> None:
    x = T.dscalar("x")
    y = x**2
    assert y.eval({x: 3}) == 9
    assert y.eval({"x": 4}) == 16
    with pytest.raises(MissingInputError, match="z"):
        y.eval({"z": 1})


def test_a_function_of_a_row_takes_no_two_rows() -> None:
    r = T.drow("r")
    with pytest.raises(TypeMismatchError, match="length 2 on axis 0"):
        function([r], r * 2)(np.ones((2, 3)))


def test_gradient_descent_in_python() -> None:
    x, w = T.dmatrix("x"), shared(np.zeros(2), name="w")
    cost = T.mean(T.sqr(T.dot(x, w) - 1))
    step = function([x], cost, updates=[(w, w - 0.1 * grad(cost, w))])
    costs = [float(step(np.eye(2))) for _ in range(100)]
    assert costs[-1] < 1e-3 < costs[0]


def test_a_function_moves_from_numpy_to_native_kernels_after_a_number_of_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config, "compile_after", 3)
    x, total = T.dvector("x"), shared(np.zeros(3))
    f = function([x], T.exp(total) * 2, updates=[(total, total + x)])
    results = []
    for call in range(6):
        assert bool(f.kernels) == (call > 3)
        results.append(f([0.1, 0.2, 0.3]))
    expected = [2 * np.exp(k * np.array([0.1, 0.2, 0.3])) for k in range(6)]
    assert np.allclose(results, expected, rtol=1e-14)


def test_a_new_shape_starts_in_numpy_and_keeps_the_old_one_ready() -> None:
    x = T.dvector("x")
    f = function([x], T.sum(x * x), mode="NUMBA")
    assert f([1, 2]) == 5
    assert f([1, 2, 3]) == 14
    assert f([]) == 0


def test_what_has_no_kernel_stays_in_numpy() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    f = function([c, x], ifelse(c, x[1:], x) * 2, mode="NUMBA")
    assert f(0, [7]) == [14]
    assert f(1, [7]).shape == (0,)
    assert f.kernels == []


def test_no_rewrite_hides_shapes_that_clash() -> None:
    x, y = T.dvectors("x", "y")
    f = function([x, y], (x + y) * 0)
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        f([1, 2], [1, 2, 3])


def test_only_some_outputs_can_be_asked_for() -> None:
    x, count = T.dscalar("x"), shared(0)
    f = function([x], [x, x * 2, x * 3], updates=[(count, count + 1)])
    assert f(2, output_subset=[2, 0]) == [6, 2]
    assert f(2, output_subset=[]) == []
    assert count.get_value() == 2
    named = function([x], {"a": x, "b": x * 2})
    assert named(2, output_subset=["b"]) == {"b": 4}
    one = function([x], x)
    assert one(2, output_subset=[0]) == [2]
    with pytest.raises(ParameterError, match="no output 'c'"):
        named(2, output_subset=["c"])


def test_only_what_is_asked_for_is_computed() -> None:
    x = T.dvector("x")
    f = function([x], [x[0], x[5]])
    assert f([1], output_subset=[0]) == [1]
    with pytest.raises(IndexError):
        f([1])


def test_copy_with_other_shared_variables() -> None:
    state, inc = shared(0, "state"), T.iscalar("inc")
    accumulator = function([inc], state, updates=[(state, state + inc)], name="accumulator")
    accumulator(10)
    new_state = shared(0, "new state")
    new = accumulator.copy(swap={state: new_state})
    assert new(100) == 0
    assert (state.get_value(), new_state.get_value()) == (10, 100)
    null = accumulator.copy(delete_updates=True)
    assert null(9000) == 10
    assert state.get_value() == 10
    assert null.name == "accumulator copy"
    assert accumulator.copy(name="other").name == "other"
    assert copy.copy(accumulator)(0) == 10
    with pytest.raises(ParameterError, match="no shared variable new state"):
        accumulator.copy(swap={new_state: state})
    with pytest.raises(TypeMismatchError, match="of its type"):
        accumulator.copy(swap={state: shared(0.0)})


def test_what_a_function_tells_of_itself() -> None:
    x, s, other = T.dscalar("x"), shared(1.0, "s"), shared(2.0, "t")
    f = function([x], x * s + 0, updates=[(other, other + x)], name="f")
    assert f.get_shared() == [s, other]
    assert f.updated == [other]
    assert [node.op.name for node in f.maker.fgraph.toposort()] == ["mul", "add"]
    assert f.maker.fgraph.inputs == [x, s, other]
    assert len(f.maker.fgraph.outputs) == 2
    assert len(f.maker.outputs) == 1
    assert (str(f), repr(f)) == ("f(x)", "<f(x)>")
    assert f["s"] == 1
    f[s] = 5
    assert f(2) == 10
    assert "s" in f
    assert x in f
    assert "z" not in f
    with pytest.raises(TypeMismatchError, match="no such input"):
        f["z"]
    f.free()
    assert f(2) == 10


def test_trusted_input_is_taken_as_it_is() -> None:
    x = T.dvector("x")
    f = function([x], x.sum())
    f.trust_input = True
    assert f(np.ones(3)) == 3
    with pytest.raises(AttributeError):
        f([1, 2, 3])


def test_a_function_can_be_called_from_inside_of_itself() -> None:
    calls: list[float] = []

    def descend(v: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        calls.append(float(v))
        return np.asarray(f(v - 1) + v if v > 0 else v)

    op = Op(
        name="descend_for_test",
        category="Test",
        doc="Calls the function that it is in.",
        ports=(Port("v"),),
        infer=lambda t: t,
        numpy=descend,
        no_grad="it is for a test",
        examples=(Example(((),)),),
    )
    try:
        x, count = T.dscalar("x"), shared(0)
        for mode in ("NUMPY", "NUMBA"):
            calls.clear()
            f = function([x], op(x) * 1.0, updates=[(count, count + 1)], mode=mode)
            assert f(4) == 10
            assert calls == [4, 3, 2, 1, 0]
            assert count.get_value() == 1  # the outermost call read 0, and wrote last
            count.set_value(0)
    finally:
        del OPS["descend_for_test"]


@pytest.mark.parametrize("mode", ["NUMPY", "NUMBA"])
def test_no_update_is_lost_among_threads(mode: str) -> None:
    x, total, turns = T.dvector("x"), shared(np.zeros(50)), shared(0)
    other = shared(np.zeros(50))
    f = function([x], [total, turns], mode=mode, updates=[(total, total + x), (turns, turns + 1)])
    g = function([x], other, mode=mode, updates=[(other, other + x), (turns, turns + 1)])
    seen: list[tuple[float, ...]] = []
    errors: list[BaseException] = []
    ones = np.ones(50)

    def work() -> None:
        try:
            for _ in range(200):
                values, n = f(ones)
                g(ones)
                seen.append((float(values.min()), float(values.max())))
                assert n >= values[0]
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
    assert np.array_equal(total.get_value(), np.full(50, 1600.0))
    assert np.array_equal(other.get_value(), np.full(50, 1600.0))
    assert turns.get_value() == 3200
    assert sorted(seen) == [(float(k), float(k)) for k in range(1600)]


def test_what_is_updated_together_is_read_together() -> None:
    a, b = shared(0), shared(0)
    step = function([], updates=[(a, a + 1), (b, b + 1)])
    both = function([], [a, b])
    done = Event()

    def write() -> None:
        while not done.is_set():
            step()

    writer = Thread(target=write)
    writer.start()
    try:
        for _ in range(500):
            x, y = both()
            assert x == y
    finally:
        done.set()
        writer.join()


def test_a_value_that_another_thread_sets_is_not_lost_in_an_update() -> None:
    s = shared(0)
    step = function([], s, updates=[(s, s + 1)])
    done = Event()

    def run() -> None:
        while not done.is_set():
            step()

    runner = Thread(target=run)
    runner.start()
    try:
        for k in range(1, 200):
            s.set_value(k * 1_000_000)
            assert s.get_value() >= k * 1_000_000
    finally:
        done.set()
        runner.join()


def test_an_expression_as_an_input_hides_what_it_is_made_of() -> None:
    x = T.dscalar("x")
    y = 2 * x
    for mode in ("NUMPY", "NUMBA"):
        assert function([x, y], x + y, mode=mode)(1, 10) == 11
        assert function([y], T.exp(y) - 1, givens={x: y}, mode=mode)(0) == 0
        assert function([x, y], x + y, mode=mode).copy()(1, 10) == 11
    z = T.dscalar("z")
    assert function([y, z], x + z, givens={x: y + 1})(10, 1) == 12
    assert (x + y).eval({x: 1, y: 10}) == 11
    with pytest.raises(UnusedInputError):
        function([x, y], x)


@pytest.mark.parametrize(("m", "n"), [((1,), (3,)), ((2, 3), (1,)), ((1, 3), (2, 3))])
def test_only_what_is_declared_broadcastable_stretches(
    m: tuple[int, ...], n: tuple[int, ...]
) -> None:
    x = T.TensorType("float64", (None,) * len(m))("x")
    y = T.TensorType("float64", (None,) * len(n))("y")
    out = x + y
    with pytest.raises(ShapeError, match="declared broadcastable") as reference:
        interpret([out], {x: np.ones(m), y: np.ones(n)})
    for mode in ("NUMPY", "NUMBA"):
        with pytest.raises(ShapeError) as told:
            function([x, y], out, mode=mode)(np.ones(m), np.ones(n))
        assert str(told.value) == str(reference.value)
    row = T.drow("row")
    stretched = interpret([row + T.ones((2, 3))], {row: np.ones((1, 3))})
    np.testing.assert_array_equal(stretched, [np.full((2, 3), 2)])
