"""Expressions, graphs, shared variables and functions outlive the process that made them."""

from __future__ import annotations

import copy
import pickle  # noqa: TID251 -- what people do with their own models; the engine never loads one
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import In, Mode, function, grad, scan, shared
from engine.errors import OpError
from engine.expression import OPS
from engine.graph import Graph
from engine.makers import elementwise
from engine.modes import MonitorMode, NanGuardMode, detect_nan


def pickled(value: Any) -> Any:
    """What comes back from a pickle."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 -- our own bytes


both = pytest.mark.parametrize("twin", [pickled, copy.deepcopy], ids=["pickle", "deepcopy"])
Twin = Callable[[Any], Any]


@both
def test_expressions_keep_what_they_have_in_common(twin: Twin) -> None:
    x, w = T.dvector("x"), shared(np.array([1.0, 2.0]), "w")
    hidden = T.tanh(x * w)
    hidden.name = "hidden"
    cost = (hidden**2).sum()
    x2, w2, hidden2, cost2 = twin([x, w, hidden, cost])
    assert (x2.name, x2.type, hidden2.name) == ("x", x.type, "hidden")
    assert x2 is not x
    slopes = function([x2], grad(cost2, [w2, hidden2]))
    expected = function([x], grad(cost, [w, hidden]))
    for got, value in zip(slopes([0.1, 0.2]), expected([0.1, 0.2]), strict=True):
        assert np.array_equal(got, value)
    w2.set_value([0, 0])
    assert np.array_equal(w.get_value(), [1, 2])


@both
def test_several_results_constants_and_loops(twin: Twin) -> None:
    k, a = T.iscalar("k"), T.dvector("a")
    powers, _ = scan(
        lambda prior, a: prior * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k
    )
    bound = T.constant(np.array([1.5, 2.5]), name="bound")
    k2, a2, result = twin((k, a, powers[-1] + bound))
    assert np.allclose(function([a2, k2], result)([2, 3], 3), [9.5, 29.5])


@pytest.mark.parametrize(("twin", "depth"), [(pickled, 20_000), (copy.deepcopy, 3_000)])
def test_depth_is_no_limit(twin: Twin, depth: int) -> None:
    x = T.dscalar("x")
    y = x
    for _ in range(depth):
        y = -y
    x2, y2 = twin((x, y))
    assert len(Graph([x2], [y2])) == depth


@both
def test_shared_variables_and_their_updates(twin: Twin) -> None:
    s = shared(np.float32(1), "s", allow_downcast=True)
    s.default_update = s + np.float32(1)
    s.tag.note = "mine"
    twin_s, clone = twin((s, s.clone()))
    assert (twin_s.type, twin_s.name, twin_s.tag.note) == (s.type, "s", "mine")
    twin_s.set_value(np.float64(4))
    assert clone.get_value() == 4
    f = function([], twin_s)
    assert [float(f()), float(f())] == [4, 5]
    assert s.get_value() == 1


@both
def test_graphs(twin: Twin) -> None:
    x, y = T.dscalars("x", "y")
    graph = twin(Graph([x, y], [x * y, x + y]))
    assert [node.op.name for node in graph.toposort()] == ["mul", "add"]
    assert [v.name for v in graph.inputs] == ["x", "y"]


@both
@pytest.mark.parametrize("mode", ["FAST_RUN", "NUMBA", Mode(optimizer=None), NanGuardMode()])
def test_functions_come_back_with_a_state_of_their_own(twin: Twin, mode: Any) -> None:
    x, n, total = T.dvector("x"), T.lscalar("n"), shared(np.zeros(2), "total")
    f = function(
        [x, In(n, value=0, update=n + 1)],
        {"total": total, "calls": n},
        updates=[(total, total + x)],
        mode=mode,
        name="f",
        profile=True,
    )
    f([1, 2])
    g, total2 = twin((f, total))
    assert g.name == "f"
    assert g.profile.calls == 0
    assert np.array_equal(g([10, 10])["total"], [1, 2])
    assert g([0, 0])["calls"] == 2
    assert np.array_equal(total2.get_value(), [11, 12])
    assert np.array_equal(f([0, 0])["total"], [1, 2])
    assert f["n"] == 2
    assert g.film.explain() == f.film.explain()


@both
def test_an_input_that_is_itself_computed(twin: Twin) -> None:
    x = T.dscalar("x")
    y = T.exp(x)
    f = twin(function([y], y * 2))
    assert f(3) == 6


@both
def test_a_function_is_trusted_as_before(twin: Twin) -> None:
    x = T.dscalar("x")
    f = function([x], x, mode=MonitorMode(post_func=detect_nan))
    f.trust_input = True
    assert twin(f).trust_input


def test_an_op_is_found_by_its_name_or_missed_by_it() -> None:
    op = elementwise(
        "tripled_for_test",
        doc="Three times x.",
        category="Test",
        numpy=lambda x: 3 * x,
        scalar="T(3) * {x}",
        no_grad="it is for a test",
    )
    try:
        x = T.dscalar("x")
        data = pickle.dumps(function([x], op(x)))
        assert pickle.loads(data)(2) == 6  # noqa: S301
    finally:
        del OPS["tripled_for_test"]
    with pytest.raises(OpError, match=r"(?s)no op 'tripled_for_test'.*Import the module"):
        pickle.loads(data)  # noqa: S301
