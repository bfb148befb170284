"""Errors: one sentence first, then where what went wrong was made, and the details on request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import engine.tensor as T
from engine import config, function, get_test_value, grad, shared
from engine.errors import EngineError, ParameterError, ShapeError, TestValueError


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
