"""Ranges: no value lies outside of what is known of it before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen.numpy import interpret
from engine.expression import OPS, Constant, Variable
from engine.op import Op
from engine.rewrite.ranges import Range, Ranges
from engine.types import TensorType

EDGES = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-300, -1e-300, 40, -40, 800, -800]
BOUNDED = [op for op in dict.fromkeys(OPS.values()) if op.bounds is not None]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("op", [op for op in BOUNDED if op.is_elementwise], ids=repr)
def test_elements_lie_within_the_bounds_of_their_op(op: Op, dtype: str) -> None:
    if dtype not in op.dtypes or len(op.ports) != 1:
        pytest.skip("It does not take such numbers.")
    random = np.random.default_rng(3)
    numbers = [*EDGES, *random.uniform(-3, 3, 200), *random.uniform(-800, 800, 200)]
    with np.errstate(all="ignore"):
        found = np.asarray(op.evaluate(np.array(numbers).astype(dtype)))
    low, high = op.bounds or (0, 0)
    known = found[~np.isnan(found)]
    assert (low <= known).all()
    assert (known <= high).all()


CASES: dict[str, tuple[Callable[..., Variable], Range]] = {
    "exp": (lambda x, n: T.exp(x), Range(0, np.inf)),
    "square": (lambda x, n: x * x, Range(0, np.inf)),
    "even power": (lambda x, n: x**4, Range(0, np.inf)),
    "odd power of a square": (lambda x, n: T.sqr(x) ** 3, Range(0, np.inf)),
    "minus a square": (lambda x, n: -T.sqr(x), Range(-np.inf, 0)),
    "sum of squares": (lambda x, n: T.sum(T.sqr(x)), Range(0, np.inf)),
    "sigmoid, doubled": (lambda x, n: 2 * T.nnet.sigmoid(x) + 1, Range(1, 3)),
    "quotient": (lambda x, n: 1 / (1 + T.exp(x)), Range(0, 1)),
    "quotient of known": (
        lambda x, n: T.clip(x, 0.1, 0.7) / T.clip(x, 0.3, 3),
        Range(0.1 / 3, 0.7 / 0.3),
    ),
    "largest of negatives": (lambda x, n: T.max(T.minimum(x, -1)), Range(-np.inf, -1)),
    "rounded": (lambda x, n: T.cast(T.cast(n, "int64"), "float64"), Range(-128, 127, nan=False)),
    "clipped at once": (lambda x, n: T.clip(x, -1, 1), Range(-1, 1)),
    "signs": (lambda x, n: T.sgn(T.exp(x)), Range(0, 1)),
    "rounded down": (lambda x, n: T.floor(T.clip(x, -1.5, 1.5)), Range(-2, 1)),
    "below the largest": (lambda x, n: x - T.max(x, axis=0), Range(-np.inf, 0)),
    "clipped": (lambda x, n: T.minimum(T.maximum(x, -1), 1), Range(-1, 1)),
    "chosen": (lambda x, n: T.switch(x > 0, T.exp(x), 2), Range(0, np.inf)),
    "length": (lambda x, n: x.shape[0], Range(0, 2**63 - 1, nan=False)),
    "wrapped": (lambda x, n: n + n, Range(-128, 127, nan=False)),
    "small ints": (lambda x, n: T.abs(T.cast(n, "int32")), Range(0, 128, nan=False)),
    "mask": (lambda x, n: T.cast(x > 0, "float64"), Range(0, 1, nan=False)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_known_is_true(name: str) -> None:
    make, expected = CASES[name]
    x, n = T.dvector("x"), T.bvector("n")
    made = make(x, n)
    known = Ranges().of(made)
    assert (expected.low <= known.low, known.high <= expected.high) == (True, True), known
    assert known.nan <= expected.nan
    values: dict[Variable, Any] = {
        x: np.array(EDGES),
        n: np.array([0, 1, -1, 127, -128, 64, -64], "int8"),
    }
    (found,) = interpret([made], values)
    numbers = found[~np.isnan(found)]
    assert ((known.low <= numbers) & (numbers <= known.high)).all()
    assert known.nan or not np.isnan(found).any()


def test_bounds_are_rounded_outward() -> None:
    third = Constant(np.float32(1) / 3)
    x = Variable(TensorType("float32", (None,)))
    known = Ranges().of(T.minimum(T.maximum(x, 0), 1) * third)
    assert known.high >= np.float32(1) * np.float32(1 / 3)


def test_numbers_that_may_be_anything_have_no_bounds() -> None:
    x, z = T.dvector("x"), T.zvector("z")
    for v in (x, x + 1, z, z * z, T.log(x)):
        assert Ranges().of(v) == Range()


def test_a_deep_expression_needs_no_stack() -> None:
    v: Variable = T.dscalar("x")
    for _ in range(50_000):
        v = T.abs(v)
    assert Ranges().is_never_negative(v)
