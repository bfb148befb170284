"""dtypes, promotion, broadcasting, and what a type takes as a value."""

from __future__ import annotations

import numpy as np
import pytest

import engine.tensor as T
from engine import TensorType, config, function
from engine.errors import ShapeError, TypeMismatchError
from engine.types import broadcast, literal_dtype, upcast


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("int8", "int16", "int16"), ("int32", "int64", "int64"), ("int16", "float32", "float32"),
        ("int32", "float32", "float64"), ("int64", "float32", "float64"),
        ("complex64", "float64", "complex128"), ("int16", "complex64", "complex64"),
        ("int64", "complex64", "complex128"), ("uint8", "int8", "int16"),
        ("uint64", "int64", "float64"), ("float16", "int8", "float16"),
        ("float16", "int16", "float32"),
    ],
)  # fmt: skip
def test_promotion_is_numpys_whatever_the_values(a: str, b: str, expected: str) -> None:
    assert upcast(a, b) == expected
    assert (TensorType(a)("a") + TensorType(b)("b")).dtype == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, "int8"), (300, "int16"), (70000, "int32"), (2**40, "int64"), (1.5, "float32"),
     (1.1, "float64"), (True, "bool"), (1j, "complex128")],
)  # fmt: skip
def test_literals_take_the_smallest_dtype_that_holds_them(value: complex, expected: str) -> None:
    assert literal_dtype(value) == expected


def test_float_literals_follow_floatx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "floatX", "float32")
    assert literal_dtype(1.1) == "float32"
    assert T.matrix("m").dtype == "float32"


def test_integers_divide_to_floats_and_round_down() -> None:
    i = T.iscalar("i")
    divided, floored, rest = function([i], [i / 2, i // 2, i % 2])(-7)
    assert (divided, floored, rest) == (-3.5, -4, 1)
    assert divided.dtype == "float64"


def test_functions_of_small_integers_are_float32() -> None:
    assert T.exp(T.bscalar()).dtype == "float32"
    assert T.exp(T.iscalar()).dtype == "float64"
    assert T.sqr(T.bscalar()).dtype == "int8"


def test_sums_of_small_integers_do_not_wrap() -> None:
    b = T.bvector("b")
    total = function([b], b.sum())(np.array([100, 100, 100], "int8"))
    assert (total, total.dtype) == (300, "int64")


def test_what_stretches_must_be_declared() -> None:
    known = TensorType("float64", (None, 3)), TensorType("float64", (1, None))
    assert broadcast(known).shape == (None, 3)
    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(1, 3\).*axis 0"):
        broadcast(
            [TensorType("int8", (2, 3)), TensorType("int8", (1, 3), broadcastable=(False, False))]
        )


def test_values_are_taken_where_nothing_is_lost() -> None:
    assert T.dvector.filter([1, 2]).dtype == "float64"
    assert T.bscalar.filter(100) == 100
    assert T.fscalar.filter(np.float32(1.5)).dtype == "float32"
    for kind, value in [
        (T.bscalar, 300), (T.iscalar, 1.5), (T.fvector, np.ones(2)), (T.dscalar, 1j),
        (T.dmatrix, [1.0, 2.0]), (T.drow, np.ones((2, 3))), (T.dscalar, "x"),
    ]:  # fmt: skip
        with pytest.raises(TypeMismatchError):
            kind.filter(value, "v")
    assert T.fvector.filter(np.ones(2), allow_downcast=True).dtype == "float32"


def test_plural_constructors() -> None:
    x, y = T.dmatrices("x", "y")
    assert (x.name, y.type.name) == ("x", "dmatrix")
    assert [v.dtype for v in T.iscalars(3)] == ["int32"] * 3
