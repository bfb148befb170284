"""Shared variables: what they hold, who may change it, and how."""

from __future__ import annotations

import numpy as np
import pytest

import engine.tensor as T
from engine import SharedVariable, function, shared
from engine.errors import TypeMismatchError
from engine.types import TensorType


@pytest.mark.parametrize(
    ("value", "dtype", "ndim"),
    [
        (0, "int64", 0),
        (1.5, "float64", 0),
        (True, "bool", 0),
        (1j, "complex128", 0),
        (np.float32(1), "float32", 0),
        (np.int8(1), "int8", 0),
        ([1, 2], "int64", 1),
        ([[1.0, 2], [3, 4]], "float64", 2),
        (np.zeros((2, 1, 3), "uint16"), "uint16", 3),
    ],
)
def test_dtype_and_rank_are_those_of_the_value(value: object, dtype: str, ndim: int) -> None:
    s = shared(value, "s")
    assert (s.dtype, s.ndim, s.name) == (dtype, ndim, "s")
    assert np.array_equal(s.get_value(), value)
    assert s.get_value().dtype == dtype


def test_no_axis_stretches_unless_it_is_said() -> None:
    assert shared(np.ones((1, 3))).broadcastable == (False, False)
    row = shared(np.ones((1, 3)), broadcastable=(True, False))
    assert row.type == TensorType("float64", (1, None))
    x = T.dmatrix("x")
    assert function([x], x + row)(np.ones((2, 3))).shape == (2, 3)
    with pytest.raises(ValueError, match="do not fit"):
        function([x], x + shared(np.ones((1, 3))))(np.ones((2, 3)))
    with pytest.raises(TypeMismatchError, match="length 2 on axis 0"):
        shared(np.ones((2, 3)), broadcastable=(True, False))
    with pytest.raises(TypeMismatchError, match="length 2 on axis 0"):
        row.set_value(np.ones((2, 3)))


@pytest.mark.parametrize("value", [None, "text", {"a": 1}, [[1], [1, 2]], object()])
def test_what_is_no_array_of_numbers_is_refused(value: object) -> None:
    with pytest.raises(TypeMismatchError, match="cannot be the value of a shared variable"):
        shared(value)


def test_an_expression_is_no_value() -> None:
    with pytest.raises(TypeMismatchError, match="is an expression"):
        shared(T.dscalar("x"))
    with pytest.raises(TypeError):
        shared(1, dtype="int8")  # type: ignore[call-arg]


def test_values_are_copied_unless_borrowed() -> None:
    array = np.ones(2)
    copied, borrowed = shared(array), shared(array, borrow=True)
    array[:] = 3
    assert np.array_equal(copied.get_value(), [1, 1])
    assert np.array_equal(borrowed.get_value(), [3, 3])
    assert borrowed.get_value(borrow=True) is array
    copied.set_value(array)
    assert copied.get_value(borrow=True) is not array
    copied.set_value(array, borrow=True)
    assert copied.get_value(borrow=True) is array
    assert copied.get_value(return_internal_type=True) is not array


def test_a_value_may_change_its_shape_but_no_more() -> None:
    s = shared(np.zeros(2), "s")
    s.set_value([1, 2, 3])
    assert np.array_equal(s.get_value(), [1, 2, 3])
    with pytest.raises(TypeMismatchError, match="s has 2 dimensions"):
        s.set_value(np.ones((2, 2)))
    with pytest.raises(TypeMismatchError, match="s cannot hold complex128 values"):
        s.set_value(np.ones(2) * 1j)
    i = shared(0, "i")
    i.set_value(2.0)
    assert i.get_value().dtype == "int64"
    with pytest.raises(TypeMismatchError, match="without loss"):
        i.set_value(2.5)


def test_strict_and_downcasting_hold_for_later_values() -> None:
    strict = shared(np.zeros(2, "float32"), "s", strict=True)
    strict.set_value(np.ones(2, "float32"))
    for value in ([1, 2], np.ones(2, "float16")):
        with pytest.raises(TypeMismatchError, match="is strict"):
            strict.set_value(value)
    loose = shared(np.zeros(2, "float32"), allow_downcast=True)
    loose.set_value(np.full(2, 0.1))
    assert loose.get_value().dtype == "float32"


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "NUMBA", "DebugMode"])
def test_functions_follow_a_value_whose_shape_changes(mode: str) -> None:
    s = shared(np.ones((2, 3)))
    f = function([], [s.sum(), s.T], mode=mode)
    for shape in [(2, 3), (4, 1), (0, 5), (2, 3), (1, 1)]:
        s.set_value(np.full(shape, 2.0))
        total, turned = f()
        assert total == 2 * shape[0] * shape[1]
        assert turned.shape == shape[::-1]


def test_zero() -> None:
    array = np.array([1, 2])
    s = shared(array, borrow=True)
    s.zero()
    assert np.array_equal(s.get_value(), [0, 0])
    assert np.array_equal(array, [1, 2])
    assert s.get_value().dtype == "int64"
    s.set_value(array, borrow=True)
    s.zero(borrow=True)
    assert np.array_equal(array, [0, 0])


def test_a_clone_is_another_variable_of_the_same_value() -> None:
    s = shared(1.0, "s")
    s.default_update = s + 1
    c = s.clone()
    assert isinstance(c, SharedVariable)
    assert c is not s
    assert (c.name, c.type, c.default_update) == ("s", s.type, s.default_update)
    c.set_value(5)
    assert s.get_value() == 5


def test_results_of_functions_are_no_part_of_the_state() -> None:
    s = shared(np.zeros(2))
    out, again = function([], [s + 1, s + 1], updates=[(s, s + 1)])()
    assert out is not again
    out[:] = 9
    assert np.array_equal(s.get_value(), [1, 1])
    assert np.array_equal(again, [1, 1])


def test_a_default_update_may_be_deleted() -> None:
    s = shared(0, name="s")
    s.default_update = s + 1
    f = function([], s)
    del s.default_update
    assert s.default_update is None
    g = function([], s)
    assert [int(f()), int(g()), int(g())] == [0, 1, 1]


def test_what_only_an_input_is_made_of_is_not_updated() -> None:
    s = shared(3, name="s")
    s.default_update = s + 1
    doubled = 2 * s
    f = function([doubled], doubled + 1)
    assert (f(21), s.get_value()) == (22, 3)
    g = function([doubled], doubled + s)
    assert (g(21), s.get_value()) == (24, 4)
    assert (g.copy()(21), s.get_value()) == (25, 5)
