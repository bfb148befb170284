"""Functions and shared variables, and the mistakes people make with them."""

from __future__ import annotations

import numpy as np
import pytest

import engine.tensor as T
from engine import MissingInputError, UnusedInputError, config, function, grad, scan, shared
from engine.errors import ParameterError, TypeMismatchError
from engine.ifelse import ifelse


def test_outputs_come_in_the_form_they_were_asked_in() -> None:
    x = T.dscalar("x")
    assert function([x], x + 1)(1) == 2
    assert function([x], [x + 1])(1) == [2]
    assert function([x], {"more": x + 1, "less": x - 1})(1) == {"more": 2, "less": 0}
    assert function([], [])() == []


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


def test_shared_values_are_copied_unless_borrowed() -> None:
    array = np.ones(2)
    copied, borrowed = shared(array), shared(array, borrow=True)
    array[:] = 3
    assert np.array_equal(copied.get_value(), [1, 1])
    assert np.array_equal(borrowed.get_value(), [3, 3])
    assert borrowed.get_value(borrow=True) is array
    assert shared(0).dtype == "int64"
    assert shared(1.0).dtype == "float64"
    copied.set_value([1, 2, 3])
    assert copied.get_value().shape == (3,)
    with pytest.raises(TypeMismatchError):
        copied.set_value(np.ones((2, 2)))


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


def test_updates_of_another_type_are_refused_with_a_way_out() -> None:
    count = shared(0)
    with pytest.raises(TypeMismatchError, match=r"same type.*int64.*float64"):
        function([], updates=[(count, count + 0.5)])
    with pytest.raises(ParameterError, match="two updates"):
        function([], updates=[(count, count + 1), (count, count + 2)])
    x = T.dscalar("x")
    with pytest.raises(TypeMismatchError, match="not shared"):
        function([x], updates=[(x, x + 1)])


def test_a_shared_variable_is_no_input() -> None:
    s = shared(1.0, name="s")
    with pytest.raises(TypeMismatchError, match=r"s.*cannot be an input(.|\n)*givens"):
        function([s], s + 1)


def test_givens_leave_the_state_alone() -> None:
    state, foo, inc = shared(0), T.lscalar("foo"), T.iscalar("inc")
    f = function([inc, foo], state * 2 + inc, givens=[(state, foo)])
    assert f(1, 3) == 7
    assert state.get_value() == 0


def test_arguments_by_name_and_what_is_wrong_with_them() -> None:
    a, b = T.dscalars("a", "b")
    f = function([a, b], a - b, name="difference")
    assert f(b=1, a=3) == 2
    for args, kwargs, message in [
        ((1,), {}, "needs a value for b"),
        ((1, 2, 3), {}, "takes 2 arguments, but 3"),
        ((1,), {"a": 2, "b": 1}, "'a' twice"),
        ((1,), {"c": 2}, "no such input"),
    ]:
        with pytest.raises(TypeMismatchError, match=message):
            f(*args, **kwargs)


def test_unused_and_missing_inputs() -> None:
    x, y = T.dscalars("x", "y")
    with pytest.raises(UnusedInputError, match=r"y.*number 1"):
        function([x, y], x)
    with pytest.warns(UserWarning, match="y"):
        function([x, y], x, on_unused_input="warn")
    assert function([x, y], x, on_unused_input="ignore")(1, 2) == 1
    with pytest.raises(MissingInputError, match="y is needed to compute"):
        function([x], x * y)


def test_eval() -> None:
    x = T.dscalar("x")
    y = x**2
    assert y.eval({x: 3}) == 9
    assert y.eval({"x": 4}) == 16
    with pytest.raises(MissingInputError, match="z"):
        y.eval({"z": 1})


def test_lazy_branches_are_not_computed() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    f = function([c, x], ifelse(c, T.sum(x[5:]), ifelse(x[0] > 0, x[9], x[0])))
    assert f(0, [-1.0]) == -1
    with pytest.raises(IndexError, match="x"):
        f(0, [1.0])


def test_scan_counts_steps_by_its_sequences_and_takes_what_it_needs_from_outside() -> None:
    x, w = T.dmatrix("x"), T.dvector("w")
    norms, updates = scan(lambda row: T.sqrt(T.sum(T.sqr(row * w))), sequences=x)
    assert updates == {}
    got = function([x, w], norms)(np.diag(np.arange(1.0, 6.0), 1), np.ones(6))
    assert np.array_equal(got, [1, 2, 3, 4, 5, 0])


def test_scan_with_state_sequence_and_several_results() -> None:
    v = T.dvector("v")
    (sums, doubles), _ = scan(
        lambda element, total: [total + element, element * 2],
        sequences=v,
        outputs_info=[T.constant(0.0, dtype="float64"), None],
    )
    a, b = function([v], [sums, doubles])([1, 2, 3])
    assert np.array_equal(a, [1, 3, 6])
    assert np.array_equal(b, [2, 4, 6])


def test_scan_refuses_a_state_that_changes_its_type() -> None:
    with pytest.raises(TypeMismatchError, match="starts as int8"):
        scan(lambda s: s + T.iscalar("i"), outputs_info=[T.constant(0, dtype="int8")], n_steps=3)


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
    f = function([c, x], ifelse(c, x[5], x[0]), mode="NUMBA")
    assert f(0, [7]) == 7
    assert f.kernels == []
    with pytest.raises(IndexError):
        f(1, [7])


def test_modes() -> None:
    x = T.dscalar("x")
    for mode in ("FAST_RUN", "FAST_COMPILE", "NUMPY", "NUMBA"):
        assert function([x], x * 3, mode=mode)(2) == 6
    with pytest.raises(ParameterError, match="FASTEST"):
        function([x], x, mode="FASTEST")


def test_no_rewrite_hides_shapes_that_clash() -> None:
    x, y = T.dvectors("x", "y")
    f = function([x, y], (x + y) * 0)
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        f([1, 2], [1, 2, 3])
