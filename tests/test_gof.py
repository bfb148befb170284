"""Expressions taken apart and compared, under Theano's names, and how variables are named."""

from __future__ import annotations

import importlib

import numpy as np

import engine
import engine.tensor as T
from engine.gof import graph as gof
from engine.scan_module.scan_utils import equal_computations


def test_several_variables_are_named_one_by_one_or_by_letters() -> None:
    assert [v.name for v in T.dmatrices("x", "y")] == ["x", "y"]
    assert [v.name for v in T.dmatrices("xy")] == ["x", "y"]
    assert [v.name for v in T.dmatrices(["left", "right"])] == ["left", "right"]
    assert [v.name for v in T.dmatrices(2)] == [None, None]


def test_classes_of_variables_are_where_theano_has_them() -> None:
    x, w = T.dmatrix("x"), engine.shared(np.eye(2))
    assert all(isinstance(v, T.TensorVariable) for v in (x, x + 1))
    assert isinstance(T.constant(1), T.TensorConstant)
    assert isinstance(w, T.sharedvar.TensorSharedVariable)
    assert isinstance((x + 1).owner, engine.Apply)
    assert T.TensorVariable is engine.Variable is engine.gof.Variable is T.Variable
    assert importlib.import_module("engine.tensor.var").TensorVariable is T.TensorVariable
    assert (T.var(x).dtype, T.var(x).ndim) == ("float64", 0)  # the variance, not the module


def test_ancestors_and_leaves_come_in_theano_s_order() -> None:
    x, y, z = T.dscalars("xyz")
    product = x * y
    total = product + z
    assert gof.ancestors([total]) == [total, product, x, y, z]
    assert gof.ancestors([total], blockers=[product]) == [total, product, z]
    assert gof.inputs([x, total]) == [x, y, z]
    assert gof.inputs([z, y * y]) == [y, z]
    assert gof.io_toposort([product], [total]) == [total.owner]
    deep = x
    for _ in range(50_000):
        deep = -deep
    assert gof.inputs([deep]) == [x]


def test_equal_computations_are_told_from_others() -> None:
    x, y, w = T.dmatrix("x"), T.dmatrix("y"), engine.shared(np.eye(2))
    assert equal_computations([T.dot(x, w) + 1], [T.dot(x, w) + 1])
    assert equal_computations([x.sum(), x[0]], [x.sum(), x[0]])
    assert equal_computations([T.eigh(x)[1]], [T.eigh(x)[1]])
    shared_part = x + 1
    assert equal_computations([shared_part * shared_part], [(x + 1) * (x + 1)])
    assert not equal_computations([T.eigh(x)[1]], [T.eigh(x)[0]])
    assert not equal_computations([x + y], [y + x])
    assert not equal_computations([x.sum(axis=0)], [x.sum(axis=1)])
    assert not equal_computations([x + 1], [x + 2])
    assert not equal_computations([x + 1], [x + T.constant(1.0)])
    assert not equal_computations([x], [x, x])
    assert not equal_computations([x + 1], [y + 1])
    assert equal_computations([x + 1], [y + 1], [x], [y])
    assert not equal_computations([x + 1], [y + 1], [x], [T.fmatrix()])


def test_the_same_graph_with_givens() -> None:
    x, y, z = T.dscalars("xyz")
    assert gof.is_same_graph((x * y).mean(), (x * y).mean())
    assert not gof.is_same_graph(x + 1, z + 1)
    assert gof.is_same_graph(x + 1, z + 1, givens={x: z})
    assert gof.is_same_graph(x + y, z + y, givens=[(z, x)])
