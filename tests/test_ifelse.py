"""The lazy choice: what is not chosen is not computed, in no tier, nor on the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function, grad, scan, shared
from engine.codegen.numpy import interpret
from engine.errors import ParameterError, TypeMismatchError
from engine.expression import Constant, Variable, leaves
from engine.graph import Graph
from engine.ifelse import ifelse
from engine.rewrite import optimize

Array = np.ndarray[Any, Any]


def in_both_tiers(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> list[Any]:
    return [function(list(inputs), list(outputs), mode=mode) for mode in ("NUMPY", "NUMBA")]


def test_only_the_branch_that_is_taken_is_computed() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    chosen = ifelse(c, T.sum(x[5:] * 2), ifelse(x[0] > 0, x[9] + 1, x[0] * 3))
    for f in in_both_tiers([c, x], [chosen, T.exp(chosen)]):
        assert f(0, [-1.0])[0] == -3
        assert f(1, np.arange(10.0))[0] == 70
        with pytest.raises(IndexError, match="Index 9 is outside axis 0"):
            f(0, [1.0])


def test_a_native_graph_stays_native_around_its_branches() -> None:
    c, x, w = T.iscalar("c"), T.dmatrix("x"), shared(np.ones(3), name="w")
    y = T.tanh(T.dot(x, w))
    chosen = ifelse(c, T.sum(T.exp(y)), T.sum(y))
    updates = [(w, w - grad(chosen, w))]
    f = function([c, x], [chosen * 2, T.sum(y)], updates=updates, mode="NUMBA")
    assert f(1, np.ones((2, 3)))[0] == pytest.approx(4 * np.exp(np.tanh(3)))
    compiled = [k for k in f.kernels if k.source.startswith("def")]
    assert {"tanh"} <= {name for k in compiled for name in k.ops}
    assert {k.source for k in f.kernels} >= {"numpy: ifelse"}


def test_a_choice_of_values_that_are_there_is_a_kernel() -> None:
    c, x, y = T.iscalar("c"), T.dvector("x"), T.dvector("y")
    f = function([c, x, y], ifelse(c, x, y) + 1, mode="NUMBA")
    assert f(0, [1, 2], [3, 4]).tolist() == [4, 5]
    assert f(-1, [1, 2], [3, 4]).tolist() == [2, 3]
    assert all(k.source.startswith("def") for k in f.kernels)


def test_what_branches_have_in_common_is_computed_once(capfd: pytest.CaptureFixture[str]) -> None:
    from engine.printing import Print

    c, x = T.iscalar("c"), T.dvector("x")
    common = Print("computed")(T.exp(x))
    first, second = ifelse(c, [common + 1, common * 2], [x, x])
    for f in in_both_tiers([c, x], [first, second]):
        f(0, [1.0])
        assert "computed" not in "".join(capfd.readouterr())
        assert [v.tolist() for v in f(1, [0.0])] == [[2], [2]]
        assert "".join(capfd.readouterr()).count("computed") == 1


def test_what_the_rest_of_the_graph_needs_too_is_shared_with_the_branches() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    y = T.exp(x)
    outputs = [y, ifelse(c, y * 2, x), ifelse(y[0] > 1, ifelse(c, y, y + 1), T.log(y - 1))]
    for f in in_both_tiers([c, x], outputs):
        found = f(1, [1.0, 2.0])
        assert np.allclose(found[1], 2 * found[0])
        assert np.allclose(found[2], found[0])


def test_lists_of_branches_give_lists_and_tuples_tuples() -> None:
    c, x, y = T.iscalar("c"), T.dvector("x"), T.dscalar("y")
    pair = ifelse(c, [x, y], [x * 2, y * 3], name="pair")
    assert isinstance(pair, list)
    assert [v.name for v in pair] == ["pair.0", "pair.1"]
    assert isinstance(ifelse(c, (x, y), (x, y)), tuple)
    assert isinstance(ifelse(c, x, [x]), Variable)
    assert ifelse(c, x, x * 2, name="one").name == "one"
    for f in in_both_tiers([c, x, y], pair):
        assert [v.tolist() for v in f(0, [1, 2], 3)] == [[2, 4], 9]
    with pytest.raises(ParameterError, match="2 and 1 values"):
        ifelse(c, [x, y], [x])


def test_types_of_the_branches() -> None:
    c = T.iscalar("c")
    assert ifelse(c, T.fvector("f"), T.dvector("d")).dtype == "float64"
    assert ifelse(c, T.lscalar("i"), 1.5).dtype == "float64"
    with pytest.raises(TypeMismatchError, match="same number of axes"):
        ifelse(c, T.dvector("v"), T.dmatrix("m"))
    with pytest.raises(TypeMismatchError, match=r"must be a scalar(.|\n)*switch"):
        ifelse(T.dvector("v") > 0, 1, 2)


def test_a_choice_that_is_known_is_made_at_once() -> None:
    x = T.dvector("x")
    f = function([x], [ifelse(T.constant(0), x[5] * 1, x[0] + 1), ifelse(x[0] > 0, x, x)])
    assert [v.tolist() for v in f([7.0])] == [8, [7]]
    assert "ifelse" not in {n.op.name for n in f.graph.toposort()}


# Gradients.


def test_nothing_flows_back_to_a_branch_that_is_not_taken() -> None:
    """Neither its infinities nor its errors, though both would be in the formula."""
    c, x, w = T.iscalar("c"), T.dvector("x"), shared(2.0, name="w")
    chosen = ifelse(c, T.sum(T.log(x) * w), x[3] * w)
    for f in in_both_tiers([c, x], [chosen, *grad(chosen, [x, w])]):
        with np.errstate(all="raise"):
            assert [v.tolist() for v in f(0, [0.0, -1, 0, 5])] == [10, [0, 0, 0, 2], 5]
            found = f(1, [1.0, 2.0])
        assert np.allclose(found[0], 2 * np.log(2))
        assert np.allclose(found[1], [2, 1])


def test_a_cost_that_only_its_condition_ties_to_a_variable_is_flat() -> None:
    x = T.dvector("x")
    slope = grad(ifelse(x.sum() > 0, 0, 1), x)
    for f in in_both_tiers([x], [slope]):
        assert f([1.0, 2.0])[0].tolist() == [0, 0]


def test_branches_of_different_shapes_have_gradients_of_their_own_shape() -> None:
    c, x, y = T.iscalar("c"), T.dvector("x"), T.dvector("y")
    cost = T.sum(T.sqr(ifelse(c, x[1:], y)))
    for f in in_both_tiers([c, x, y], grad(cost, [x, y])):
        assert [v.tolist() for v in f(1, [1, 2, 3], [4, 5])] == [[0, 4, 6], [0, 0]]
        assert [v.tolist() for v in f(0, [1, 2, 3], [4, 5])] == [[0, 0, 0], [8, 10]]
    row, m = T.drow("row"), T.dmatrix("m")
    f = function([c, row, m], grad(T.sum(ifelse(c, row, m) * 2), [row, m]))
    assert [v.tolist() for v in f(0, [[1, 2]], np.ones((2, 2)))] == [[[0, 0]], [[2, 2], [2, 2]]]


def test_a_variable_inside_a_branch_has_no_gradient_while_it_is_not_taken() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    inner = x * 2
    cost = ifelse(c, T.sum(T.sqr(inner)), T.sum(x))
    f = function([c, x], grad(cost, inner))
    assert f(1, [1, 2]).tolist() == [4, 8]
    assert f(0, [1, 2]).tolist() == [0, 0]


def test_a_part_that_two_choices_need_is_guarded_by_both() -> None:
    x = T.dvector("x")
    risky = T.log(x)
    first = ifelse(x[0] > 0, T.sum(risky * 2), T.sum(x))
    second = ifelse(x[0] > 1, T.sum(risky * 3), T.sum(x) * 2)
    for f in in_both_tiers([x], [grad(first + second, x)]):
        assert f([0.0, 1])[0].tolist() == [3, 3]
        assert np.allclose(f([0.5, 1])[0], [2 / 0.5 + 2, 2 + 2])
        assert np.allclose(f([2.0, 1])[0], [5 / 2, 5])


def test_second_derivatives_are_lazy_too() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    y = ifelse(c, T.sum(x**3), T.sum(T.sqrt(x)))
    for f in in_both_tiers([c, x], [T.hessian(y, x)]):
        assert np.allclose(f(1, [1, 0, -3])[0], np.diag([6.0, 0, -18]))
        assert np.allclose(f(0, [1, 4])[0], np.diag([-0.25, -1 / 32]))


def test_long_chains_of_choices_need_no_deep_stack() -> None:
    x, w = T.dscalar("x"), T.dscalar("w")
    y = x * w
    for i in range(1500):
        y = ifelse(x > i, T.log(x - i) * w if i < 5 else y, y + w)
    value, gx, gw = interpret([y, *grad(y, [x, w])], {x: np.array(3.5), w: np.array(2.0)})
    assert np.isfinite([value, gx, gw]).all()
    assert gw == pytest.approx(value / 2)


def test_loops_in_branches_and_branches_in_loops() -> None:
    n, x = T.iscalar("n"), T.dvector("x")
    rows, _ = scan(lambda s: s * x[0], outputs_info=T.ones(()), n_steps=n)
    y = ifelse(n > 0, rows[-1], x[1])
    for f in in_both_tiers([n, x], [y, grad(y, x)]):
        assert [v.tolist() for v in f(3, [2.0, 5])] == [8, [12, 0]]
        assert [v.tolist() for v in f(-3, [2.0, 5])] == [5, [0, 1]]
    logs, _ = scan(lambda v, s: ifelse(v > 0, s + T.log(v), s), x, T.zeros(()))
    for f in in_both_tiers([x], [logs, grad(logs[-1], x)]):
        assert [v.tolist() for v in f([1, 0, -2.0])] == [[0, 0, 0], [1, 0, 0]]


def test_memory_of_a_pass_is_not_that_of_the_last_one() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    y = T.exp(x)
    f = function([c, x], [ifelse(c, y * 2, x), ifelse(c, y * 3, x)], mode="NUMBA")
    for value in (0.0, 1.0, 2.0):
        for flag in (1, 0, 1):
            first, second = f(flag, [value])
            assert np.allclose([first, second], [[np.exp(value) * k] for k in (2, 3)]
                               if flag else [[value]] * 2)  # fmt: skip


def choices(*outputs: Variable) -> list[str]:
    """The names of the ops of the rewritten graph."""
    given = [v for v in leaves(outputs) if not isinstance(v, Constant)]
    graph = Graph(given, outputs)
    assert optimize(graph, check=True).warnings == []
    return sorted(n.op.name for n in graph.toposort())


def test_choices_by_one_condition_are_merged() -> None:
    c, x, y = T.bscalar("c"), T.dvector("x"), T.dvector("y")
    assert choices(ifelse(c, ifelse(c, x, y), T.exp(y))) == ["exp", "ifelse"]
    assert choices(ifelse(c, T.exp(x), y), ifelse(c, T.exp(x), y)) == ["exp", "ifelse"]
    assert choices(ifelse(c, x, x)) == []
    slope = ifelse(c, T.exp(x), T.zeros_like(x)) + ifelse(c, T.zeros_like(x), y)
    assert choices(slope).count("ifelse") == 1


def test_what_both_branches_do_is_done_to_what_is_chosen() -> None:
    c, x, y = T.bscalar("c"), T.dvector("x"), T.dvector("y")
    out = ifelse(c, T.exp(x), T.exp(y))
    assert choices(out) == ["exp", "ifelse"]
    f = function([c, x, y], out)
    assert [f(k, [0.0], [0.0, 0.0]).tolist() for k in (1, 0)] == [[1], [1, 1]]


def test_a_condition_is_asked_for_directly() -> None:
    c, x, y = T.bscalar("c"), T.dvector("x"), T.dvector("y")
    for condition, first in ((T.neq(c, 0), True), (T.eq(c, 0), False), (T.invert(c > 0), False)):
        out = ifelse(condition, x, T.exp(y))
        assert not {"neq", "eq", "invert"} & {*choices(out)}
        f = function([c, x, y], out)
        assert [f(k, [3.0], [0.0])[0] for k in (1, 0)] == ([3, 1] if first else [1, 3])
