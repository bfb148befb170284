"""Errors: one sentence first, then where what went wrong was made, and the details on request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import config, function, get_test_value, grad, gradient, shared
from engine.errors import (
    DisconnectedInputError,
    EngineError,
    MissingInputError,
    NullGradientError,
    ParameterError,
    ShapeError,
    TestValueError,
    UnusedInputError,
)


def line_of(marker: str) -> str:
    """The line of this file that ends with the marker."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    number = next(i for i, line in enumerate(lines, 1) if line.endswith("# " + marker))
    return f"{Path(__file__).name}:{number}:"


def test_an_error_at_run_time_names_the_line_that_made_the_op() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    z = x + y  # the clash
    f = function([x, y], T.exp(z))
    with pytest.raises(ShapeError) as caught:
        f([1, 2], [1, 2, 3])
    first, hint, made = str(caught.value).splitlines()
    assert first == ("add(x, y): Shapes (2,) and (3,) do not fit together on axis 0: 2 against 3.")
    assert "stretches" in hint
    assert line_of("the clash") in made
    assert "z = x + y" in made


def test_what_is_rewritten_keeps_its_line() -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    part = x[i]  # the index
    f = function([x, i], part * 1 + 0)
    with pytest.raises(IndexError) as caught:
        f([1, 2], 5)
    assert line_of("the index") in str(caught.value)


def test_a_gradient_keeps_the_line_where_it_was_asked_for() -> None:
    x = T.dvector("x")
    slope = grad((x**2).sum(), x)  # the gradient
    assert slope.owner is not None
    assert slope.owner.line is not None
    assert slope.owner.line[1] == int(line_of("the gradient").split(":")[1])


def test_canvas_nodes_come_before_lines() -> None:
    x, y = T.dvectors("x", "y")
    z = x + y
    assert z.owner is not None
    z.owner.origins = frozenset({"sum-node"})
    with pytest.raises(ShapeError) as caught:
        function([x, y], z)([1], [1, 2])
    assert caught.value.node == "sum-node"


def test_details_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    x, i = T.dmatrix("x"), T.lscalar("i")
    with pytest.raises(IndexError) as caught:
        function([x, i], x[i] * 2)(np.ones((2, 3)), 7)
    assert "strides" not in str(caught.value)
    monkeypatch.setattr(config, "exception_verbosity", "high")
    assert "float64 of shape (2, 3), strides (24, 8)" in str(caught.value)


def test_the_details_travel_and_the_line_stays() -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    with pytest.raises(IndexError) as caught:
        function([x, i], x[i])([1, 2], 5)
    error = caught.value
    assert isinstance(error, EngineError)
    error.details = f"{error.details}{'.' * 10_000}"
    told = error.to_json()
    assert told["message"] == error.message
    assert "shape (2,)" in told["details"]
    assert len(told["details"]) == 4000
    assert error.line
    assert Path(__file__).name not in json.dumps(told)


# Test values.


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test values are needed and computed."""
    monkeypatch.setattr(config, "compute_test_value", "raise")


@pytest.mark.usefixtures("tested")
def test_shapes_clash_where_they_meet() -> None:
    x, w = T.dmatrix("x"), shared(np.ones((4, 2)), "w")
    x.tag.test_value = np.ones((5, 3))
    with pytest.raises(ShapeError, match=r"dot\(x, w\).*3 columns but y has 4 rows"):
        T.dot(x, w)
    y = T.dmatrix("y")
    y.tag.test_value = np.ones((5, 4))
    z = T.dot(y, w) * 2
    assert get_test_value(z).tolist() == [[8.0, 8.0]] * 5
    assert grad(z.sum(), y).tag.test_value.shape == (5, 4)


@pytest.mark.usefixtures("tested")
def test_axes_that_do_not_stretch_are_found_too() -> None:
    x, y = T.dmatrices("x", "y")
    x.tag.test_value, y.tag.test_value = np.ones((2, 3)), np.ones((1, 3))
    with pytest.raises(ShapeError, match="do not fit together"):
        x + y


@pytest.mark.usefixtures("tested")
def test_a_missing_test_value_is_told_in_time() -> None:
    x = T.dscalar("x")
    with pytest.raises(TestValueError, match="x has no test value"):
        x + 1
    x.tag.test_value = "word"
    with pytest.raises(EngineError, match="test value of x"):
        x + 1


def test_test_values_can_be_ignored_or_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = T.dscalars("x", "y")
    x.tag.test_value = 2.0
    monkeypatch.setattr(config, "compute_test_value", "ignore")
    assert get_test_value(x * 3) == 6
    with pytest.raises(TestValueError):
        get_test_value(x * y)
    monkeypatch.setattr(config, "compute_test_value", "warn")
    with pytest.warns(UserWarning, match="mul was not tested: y has no test value"):
        x * y
    monkeypatch.setattr(config, "compute_test_value", "maybe")
    with pytest.raises(ParameterError, match="maybe"):
        x * y
    monkeypatch.setattr(config, "compute_test_value", "off")
    assert not hasattr((x * 2).tag, "test_value")


# What Theano's users meet, and what they are told here.

X, M, R = T.dvector("x"), T.dmatrix("m"), T.drow("r")
TOTAL = shared(0, "total")

TOLD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "an input that is not used": (
        lambda: function([X, M], X * 2),
        UnusedInputError,
        r"Nothing depends on the input m.*on_unused_input='ignore'",
    ),
    "a leaf that is not given": (
        lambda: function([M], T.dot(M, X)),
        MissingInputError,
        r"x is needed to compute dot\(m, x\).*not among the inputs",
    ),
    "a shared variable as an input": (
        lambda: function([TOTAL], TOTAL + 1),
        TypeError,
        r"shared variable total cannot be an input.*givens",
    ),
    "an argument with too many dimensions": (
        lambda: function([X], X * 2, name="double")([[1.0, 2.0]]),
        TypeError,
        r"x.*2 dimensions with shape \(1, 2\).*dvector has 1",
    ),
    "an argument that would lose precision": (
        lambda: function([T.fvector("f")], T.constant(1.0), on_unused_input="ignore")(
            np.array([0.1])
        ),
        TypeError,
        r"f cannot hold float64 values in float32 without loss.*allow_input_downcast",
    ),
    "too many arguments": (lambda: function([X], X)([1], [2]), TypeError, r"takes 1 arg.*2 were"),
    "too few arguments": (lambda: function([X], X)(), TypeError, r"needs a value for x"),
    "an argument of a name that there is not": (
        lambda: function([X], X)(y=[1]),
        TypeError,
        r"given 'y' but has no such input",
    ),
    "a row of two rows": (
        lambda: function([R], R * 2)(np.ones((2, 3))),
        TypeError,
        r"r has length 2 on axis 0, but drow has 1",
    ),
    "elements that do not pair up": (
        lambda: function([M], M + M.T)(np.ones((3, 2))),
        ValueError,
        r"add\(m, dmatrix\): Shapes \(3, 2\) and \(2, 3\) do not fit .* axis 0: 3 against 2",
    ),
    "rows that do not meet columns": (
        lambda: function([M], T.dot(M, M))(np.ones((5, 10))),
        ValueError,
        r"dot\(m, m\): Shapes \(5, 10\) and \(5, 10\).*10 columns.*5 rows",
    ),
    "an update of another type": (
        lambda: function([], updates=[(TOTAL, TOTAL + 0.5)]),
        TypeError,
        r"total is int64 \(\), but its update is float64 \(\).*cast the update to int64",
    ),
    "two updates of one variable": (
        lambda: function([], updates=[(TOTAL, TOTAL + 1), (TOTAL, TOTAL)]),
        ValueError,
        r"total has two updates",
    ),
    "a cost that is no scalar": (
        lambda: grad(X, X),
        TypeError,
        r"cost must be a scalar, but x has 1 dimension.*cost.sum\(\)",
    ),
    "a gradient by what the cost does not depend on": (
        lambda: grad(X.sum(), M),
        DisconnectedInputError,
        r"does not depend on m.*disconnected_inputs='ignore'",
    ),
    "a gradient where there is none": (
        lambda: grad(gradient.undefined_grad(X).sum(), X),
        NullGradientError,
        r"undefined_grad\(x\): There is no gradient here: it was declared undefined",
    ),
    "a comparison as a condition": (
        lambda: bool(X < 1),
        TypeError,
        r"no truth value while the graph is built.*switch or ifelse",
    ),
    "Python's sum over a tensor": (lambda: sum(X), TypeError, r"cannot be iterated.*T.sum"),
    "an assignment to a part": (
        lambda: X.__setitem__(0, 1),
        TypeError,
        r"cannot be assigned to.*set_subtensor",
    ),
    "an axis dropped that is not of length 1": (
        lambda: M.dimshuffle(1),
        ValueError,
        r"Axis 0 of float64 \(\?, \?\) cannot be dropped.*sum",
    ),
    "tensors of different rank joined": (
        lambda: T.join(0, X, M),
        TypeError,
        r"1, 2 dimensions cannot be joined",
    ),
    "a reshape to a rank that is not known": (
        lambda: M.reshape(T.lvector("shape")),
        ValueError,
        r"ndim",
    ),
    "an index that is too large": (
        lambda: function([X], X[5])([1.0, 2.0]),
        IndexError,
        r"Index 5 is outside axis 0, which has length 2",
    ),
    "an axis that there is not": (lambda: M.sum(axis=2), ValueError, r"no axis 2 in a tensor of 2"),
    "a complex number cast to a real one": (
        lambda: T.cast(T.zvector("z"), "float64"),
        TypeError,
        r"complex128 cannot be cast to float64.*real part",
    ),
}


@pytest.mark.parametrize("told", TOLD)
def test_what_goes_wrong_is_told_in_words_that_help(told: str) -> None:
    trigger, kind, words = TOLD[told]
    with pytest.raises(kind) as caught:
        trigger()
    assert isinstance(caught.value, EngineError)
    text = " ".join(str(caught.value).split())
    assert re.search(words, text), text
    assert caught.value.message.endswith(".")
