"""Python functions as ops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function, grad
from engine.codegen import compile_graph
from engine.compile.ops import as_op
from engine.errors import NullGradientError, OpError, ParameterError, ShapeError, TypeMismatchError
from engine.graph import Graph
from tests.op_table import temporary_ops

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What is declared in a test is forgotten after it."""
    with temporary_ops():
        yield


def test_a_function_of_arrays_is_an_op_in_every_target() -> None:
    def lengths(shapes: Any) -> list[tuple[int, ...]]:
        return [tuple(a * b for a, b in zip(*shapes, strict=True))]

    @as_op(itypes=[T.dmatrix, T.dmatrix], otypes=[T.dmatrix], infer_shape=lengths)
    def kronecker(a: Array, b: Array) -> Array:
        """The Kronecker product"""
        return np.kron(a, b)

    x, y = T.dmatrices("x", "y")
    out = T.exp(kronecker(x, y) * 0.1)
    a, b = np.ones((2, 1)), np.arange(6.0).reshape(2, 3)
    expected = np.exp(np.kron(a, b) * 0.1)
    np.testing.assert_allclose(function([x, y], out)(a, b), expected)
    native = compile_graph(Graph([x, y], [out]), {x: a.shape, y: b.shape})
    native.inputs[x][...], native.inputs[y][...] = a, b
    native.call()
    np.testing.assert_allclose(native.outputs[0], expected)
    assert kronecker.doc == "The Kronecker product."
    with pytest.raises(NullGradientError, match=r"kronecker.*a Python function"):
        grad(out.sum(), x)


def halves_of(factor: int) -> Any:
    @as_op([T.lscalar], [T.lscalar, T.dvector])
    def halves(n: Array) -> Any:
        return n * factor, np.full(int(n), 0.5)

    return halves


def test_a_function_that_is_declared_again_replaces_the_first() -> None:
    halves_of(1)
    n = T.lscalar("n")
    count, parts = halves_of(2)(n)
    assert [v.tolist() for v in function([n], [count, parts])(3)] == [6, [0.5, 0.5, 0.5]]
    with pytest.raises(ParameterError, match="takes 2 arguments, but 1 types"):
        as_op([T.lscalar], [T.lscalar])(lambda a, b: a)


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(OpError, match="There is an op called 'add' already"):

        @as_op(T.dscalar, T.dscalar)
        def add(x: Array) -> Array:
            return x

    @as_op(T.dvector, T.dscalar)
    def flat(x: Array) -> Array:
        return x

    with pytest.raises(TypeMismatchError, match="Argument 0 must be dvector, not fvector"):
        flat(T.fvector())
    x = T.dvector("x")
    with pytest.raises(ShapeError, match=r"gave the shape \(2,\) in place of dscalar"):
        function([x], flat(x))([1, 2])
