"""Axes and shapes: reordered, added, dropped, stretched, computed; what they are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function, grad
from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.errors import CompileError, EngineError, ParameterError, ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.graph import Graph
from engine.inference import infer_types
from tests.targets import computed

M = np.arange(6.0).reshape(2, 3)
CUBE = np.arange(24.0).reshape(2, 3, 4)


def refused(make: Callable[[], Any], error: type[EngineError], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


def tensor(*shape: int | None, dtype: str = "float64") -> Variable:
    made: Variable = T.TensorType(dtype, shape)("x")
    return made


# Axes.


@pytest.mark.parametrize(
    ("ours", "numpy_s"),
    [
        (lambda x: x.T, lambda x: x.T),
        (lambda x: x.transpose(), lambda x: x.transpose()),
        (lambda x: x.transpose(1, 2, 0), lambda x: x.transpose(1, 2, 0)),
        (lambda x: x.transpose((0, -1, 1)), lambda x: x.transpose((0, -1, 1))),
        (lambda x: T.transpose(x, [2, 0, 1]), lambda x: np.transpose(x, [2, 0, 1])),
        (lambda x: T.transpose(x, axes=[2, 0, 1]), lambda x: np.transpose(x, [2, 0, 1])),
        (lambda x: x.swapaxes(0, -1), lambda x: x.swapaxes(0, -1)),
        (lambda x: T.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, 0, -1)),
        (lambda x: T.moveaxis(x, [0, 2], [1, 0]), lambda x: np.moveaxis(x, [0, 2], [1, 0])),
        (lambda x: x.dimshuffle(1, "x", 0, 2), lambda x: x.transpose(1, 0, 2)[:, None]),
        (lambda x: T.shape_padleft(x, 2), lambda x: x[None, None]),
        (lambda x: T.shape_padright(x), lambda x: x[..., None]),
        (lambda x: T.shape_padaxis(x, 1), lambda x: x[:, None]),
        (lambda x: T.shape_padaxis(x, -1), lambda x: x[..., None]),
        (lambda x: T.expand_dims(x, (0, -2)), lambda x: np.expand_dims(x, (0, -2))),
        (lambda x: T.flip(x), lambda x: np.flip(x)),
        (lambda x: T.flip(x, (0, 2)), lambda x: np.flip(x, (0, 2))),
        (lambda x: T.rot90(x, 1, (2, 0)), lambda x: np.rot90(x, 1, (2, 0))),
        (lambda x: T.rot90(x, -2), lambda x: np.rot90(x, -2)),
        (lambda x: T.rot90(x, 3, (0, 1)), lambda x: np.rot90(x, 3, (0, 1))),
        (lambda x: T.roll(x, 2, axis=1), lambda x: np.roll(x, 2, axis=1)),
        (lambda x: x.roll(-5), lambda x: np.roll(x, -5)),
        (lambda x: T.roll(x, (1, 2), axis=(0, 2)), lambda x: np.roll(x, (1, 2), (0, 2))),
        (lambda x: x.flatten(), lambda x: x.reshape(-1)),
        (lambda x: x.ravel(), lambda x: x.reshape(-1)),
        (lambda x: x.flatten(2), lambda x: x.reshape(2, 12)),
        (lambda x: x.flatten(ndim=3), lambda x: x),
        (lambda x: x.reshape((4, -1)), lambda x: x.reshape(4, -1)),
        (lambda x: T.reshape(x, [3, 8]), lambda x: x.reshape(3, 8)),
        (lambda x: x.reshape((x.shape[0], -1)), lambda x: x.reshape(2, -1)),
        (lambda x: x.reshape((x.shape[2], 1, x.size // 4)), lambda x: x.reshape(4, 1, 6)),
        (lambda x: x.reshape(x.shape[::-1]), lambda x: x.reshape(4, 3, 2)),
        (lambda x: T.tile(x, 2), lambda x: np.tile(x, 2)),
        (lambda x: T.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3))),
        (lambda x: T.tile(x, (2, 1, 1, 1, 1)), lambda x: np.tile(x, (2, 1, 1, 1, 1))),
        (lambda x: T.tile(x, 2, ndim=4), lambda x: np.tile(x, (1, 1, 1, 2))),
        (lambda x: T.repeat(x, 2), lambda x: np.repeat(x, 2)),
        (lambda x: T.repeat(x, 3, axis=-1), lambda x: np.repeat(x, 3, -1)),
        (lambda x: x.repeat([2, 0, 1], axis=1), lambda x: x.repeat([2, 0, 1], 1)),
        (lambda x: x.repeat(np.array([2]), axis=0), lambda x: x.repeat(2, 0)),
    ],
)
def test_as_numpy_does(ours: Callable[[Any], Any], numpy_s: Callable[[Any], Any]) -> None:
    x = T.dtensor3("x")
    np.testing.assert_array_equal(computed(ours(x), {x: CUBE}), numpy_s(CUBE))


def test_numbers_vectors_and_matrices_get_axes() -> None:
    a, v, m = T.dscalar("a"), T.dvector("v"), T.dmatrix("m")
    outputs = [f(x) for f in (T.atleast_1d, T.atleast_2d, T.atleast_3d) for x in (a, v, m)]
    values = {a: 5.0, v: [1.0, 2.0], m: M}
    found = computed(outputs, values)
    expected = [f(np.asarray(values[x])) for f in (np.atleast_1d, np.atleast_2d, np.atleast_3d)
                for x in (a, v, m)]  # fmt: skip
    for value, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(value, right)


def test_squeeze_drops_what_stretches_or_what_it_is_told() -> None:
    x, m = tensor(1, None, 1), T.dmatrix("m")
    assert T.squeeze(x).type.shape == (None,)
    assert x.squeeze(0).type.shape == (None, 1)
    assert computed(m.squeeze(axis=0), {m: [[1, 2]]}).tolist() == [1, 2]
    refused(lambda: m.squeeze(0).eval({m: M}), ShapeError, r"Axis 0 of shape \(2, 3\) cannot")
    refused(lambda: tensor(3, None).squeeze(0), ShapeError, "Axis 0 .* cannot stretch")


def test_axes_that_are_none() -> None:
    m = T.dmatrix("m")
    refused(lambda: m.transpose(0), ShapeError, "no order of the 2 axes")
    refused(lambda: m.transpose(0, 0), ShapeError, "no order of the 2 axes")
    refused(lambda: m.swapaxes(0, 2), ShapeError, "There is no axis 2")
    refused(lambda: m.dimshuffle(0), ShapeError, "Axis 1 of .* cannot be dropped")
    refused(lambda: T.moveaxis(m, (0, 1), 0), ShapeError, "cannot move")
    refused(lambda: T.shape_padaxis(m, 3), ShapeError, "There is no axis 3")
    refused(lambda: T.expand_dims(m, (0, 0)), ShapeError, "name a place twice")
    refused(lambda: T.rot90(m, 1, (0, 0)), ShapeError, "span no plane")
    refused(lambda: m.flatten(3), ParameterError, "cannot be flattened to 3")
    refused(lambda: T.flatten(m, 2, outdim=2), ParameterError, "ndim was given twice")


def test_the_older_name_of_an_argument() -> None:
    x = T.dtensor3("x")
    assert T.flatten(x).ndim == 1
    with pytest.warns(DeprecationWarning, match="outdim is now called ndim"):
        flat = T.flatten(x, outdim=2)
    np.testing.assert_array_equal(function([x], flat)(CUBE), CUBE.reshape(2, 12))


# Shapes that are computed.


def test_a_shape_is_a_vector_to_compute_with() -> None:
    x = T.dtensor3("x")
    outputs = [x.shape, x.shape[1], x.shape[-1] * 2, x.shape[:2].prod(), x.size, T.shape(x.T)[0]]
    found = computed(outputs, {x: CUBE})
    assert [v.tolist() for v in found] == [[2, 3, 4], 3, 8, 6, 24, 4]
    assert {v.dtype for v in outputs} == {"int64"}
    assert x.ndim == 3


def test_graphs_whose_lengths_follow_from_their_inputs_are_native() -> None:
    x = T.dmatrix("x")
    outputs = [
        T.arange(x.shape[0]),
        T.arange(1, x.shape[1] + 1) * 2.0,
        T.zeros((x.shape[1], 2)),
        T.ones(x.shape) + x,
        x.reshape((x.shape[0], -1)),
        x.reshape((x.shape[1], x.shape[0], 1)) * 2,
        x.flatten(2) + T.alloc(x[0], x.shape[0], x.shape[1]),
        T.eye(x.shape[0]).dot(x),
        T.tile(x, (x.shape[1], 1)).sum(axis=0),
        T.linspace(0, 1, x.shape[1]) * x,
    ]
    graph = Graph([x], outputs)
    for shape in ((2, 3), (4, 1), (1, 1)):
        types = infer_types(graph, {x: shape})
        assert not any(None in types[v].shape for v in graph.outputs)
        computed(outputs, {x: np.ones(shape)})


def test_what_depends_on_values_runs_in_numpy() -> None:
    n = T.lscalar("n")
    doubled = T.arange(n) * 2
    with pytest.raises(CompileError, match="not known before it runs"):
        compile_graph(Graph([n], [doubled]), {n: ()})
    assert function([n], doubled, mode="NUMBA")(3).tolist() == [0, 2, 4]


def test_a_shape_in_any_way_of_writing_it() -> None:
    x, s, n = T.dmatrix("x"), T.lvector("s"), T.iscalar("n")
    values: dict[Variable, Any] = {x: M, s: [3, 2], n: 2}
    shapes = [
        (3, 2),
        [3, n],
        (n + 1, -1),
        T.stack([n + 1, n]),
        np.array([3, 2]),
        x.shape[::-1],
        T.concatenate([x.shape[1:], [2]]),
    ]
    for shape in shapes:
        found = computed(x.reshape(shape), values, native=False)
        assert found.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert computed(x.reshape(s, ndim=2), values, native=False).shape == (3, 2)
    assert computed(x.reshape(6), values).shape == (6,)


def test_a_length_of_one_that_is_written_stretches() -> None:
    x, n = T.dmatrix("x"), T.lscalar("n")
    for shape in ((x.shape[0], 1), (n, 1), T.stack([n, 1]), T.concatenate([x.shape[:1], [1]])):
        assert x.reshape(shape).broadcastable == (False, True)
    assert T.zeros((n, 1)).broadcastable == (False, True)
    assert T.drow("r").flatten(2).broadcastable == (True, False)
    assert T.drow("r").T.flatten(2).broadcastable == (False, True)
    assert T.drow("r").reshape((T.drow("r").shape[0], n)).broadcastable == (True, False)


def test_nothing_is_flattened_too() -> None:
    x = T.dtensor3("x")
    outputs = [x.flatten(), x.flatten(2), x.cumsum(), x.sort(axis=None)]
    found = computed(outputs, {x: np.zeros((0, 3, 4))})
    assert [v.shape for v in found] == [(0,), (0, 12), (0,), (0,)]


def test_shapes_that_do_not_fit() -> None:
    x, s, n = T.dmatrix("x"), T.lvector("s"), T.iscalar("n")
    refused(lambda: x.reshape(s), ShapeError, "length of the shape s is not known, so neither")
    refused(lambda: x.reshape(2, 3), ShapeError, "has 1 length, but ndim is 3")
    refused(lambda: x.reshape([2, 3], ndim=3), ShapeError, "has 2 lengths, but ndim is 3")
    refused(lambda: x.reshape(x.shape, ndim=3), ShapeError, "has 2 lengths, but ndim is 3")
    refused(lambda: x.reshape((2.5, 1)), TypeMismatchError, "A length must be a whole number")
    refused(lambda: x.reshape((n, x)), TypeMismatchError, "A length must be a whole number")
    refused(lambda: x.reshape(x), TypeMismatchError, "A shape has one axis, not 2")
    refused(lambda: x.reshape((-1, -1)), ShapeError, r"cannot take the shape \(-1, -1\)")
    refused(lambda: tensor(2, 3).reshape((4, -1)), ShapeError, r"\(2, 3\) cannot take .*\(4, -1\)")
    refused(lambda: x.reshape((2, 2)).eval({x: M}), ShapeError, r"\(2, 3\) cannot take .*\(2, 2\)")
    refused(lambda: x.reshape((n, 4)).eval({x: M, n: 2}), ShapeError, r"\(2, 3\) cannot take")


def test_a_computed_shape_is_checked_in_compiled_graphs_too() -> None:
    x, n = tensor(2, 3), T.lscalar("n")
    f = function([x, n], x.reshape((n, 2)) * 2, mode="NUMBA")
    assert f(M, 3).tolist() == [[0, 2], [4, 6], [8, 10]]
    with pytest.raises(ShapeError, match=r"cannot take the shape \(4, 2\)"):
        f(M, 4)


def test_slopes_of_reshaped_tensors() -> None:
    x, n = T.dmatrix("x"), T.lscalar("n")
    w = T.constant(np.array([[1.0, 10], [2, 20], [3, 30]]))
    for shape in ((3, 2), (n, -1)):
        found = computed(grad((x.reshape(shape) * w).sum(), x), {x: M, n: 3}, native=False)
        assert found.tolist() == [[1, 10, 2], [20, 3, 30]]


# Shapes that are stated.


def test_a_stated_shape_is_known_and_checked() -> None:
    x, n = T.dmatrix("x"), T.lscalar("n")
    assert T.specify_shape(x, (2, 3)).type.shape == (2, 3)
    assert x.specify_shape((None, 3)).type.shape == (None, 3)
    for mode in ("NUMPY", "NUMBA"):
        f = function([x], T.specify_shape(x, (2, 3)) * 2, mode=mode)
        assert f(M).shape == (2, 3)
        with pytest.raises(ShapeError, match=r"is \(3, 2\), but it was said to be \(2, 3\)"):
            f(M.T)
        g = function([x, n], T.specify_shape(x, (n, 3)) * 2, mode=mode)
        assert g(M, 2).shape == (2, 3)
        with pytest.raises(ShapeError, match=r"is \(2, 3\), but it was said to be \(5, 3\)"):
            g(M, 5)
    refused(lambda: T.specify_shape(tensor(2, None), (3, 3)), ShapeError, r"\(2, \?\), but")
    refused(lambda: T.specify_shape(x, (2,)), ShapeError, "has 1 length, but ndim is 2")
    cost = (T.specify_shape(x, (2, 3)) ** 2).sum()
    np.testing.assert_array_equal(computed(grad(cost, x), {x: M}), 2 * M)


# What stretches.


def test_axes_are_told_to_stretch_and_not_to() -> None:
    m, r = T.dmatrix("m"), T.drow("r")
    stretching = T.addbroadcast(m, 0)
    assert stretching.broadcastable == (True, False)
    assert T.unbroadcast(r, 0).broadcastable == (False, False)
    assert T.patternbroadcast(r, (False, False)).broadcastable == (False, False)
    assert T.patternbroadcast(m, (False, True)).broadcastable == (False, True)
    assert computed(stretching + M, {m: [[10, 20, 30]]}).tolist() == [[10, 21, 32], [13, 24, 35]]
    total = grad((stretching * M).sum(), m)
    assert computed(total, {m: [[1, 1, 1]]}).tolist() == [[3, 5, 7]]
    refused(lambda: stretching.eval({m: M}), ShapeError, r"Axis 0 of shape \(2, 3\) cannot stretch")
    f = function([r, m], T.unbroadcast(r, 0) + m)
    with pytest.raises(ShapeError, match="do not fit together on axis 0"):
        f([[1, 2, 3]], M)
    refused(lambda: T.patternbroadcast(m, (True,)), ShapeError, "A pattern of 1 axes")


def test_a_row_stretches_and_a_matrix_of_one_row_does_not() -> None:
    r, m, n = T.drow("r"), T.dmatrix("m"), T.dmatrix("n")
    nine = np.arange(9.0).reshape(3, 3)
    assert function([r, m], r + m)([[0, 1, 2]], nine).tolist() == [[0, 2, 4], [3, 5, 7], [6, 8, 10]]
    with pytest.raises(ShapeError, match=r"\(1, 3\) and \(2, 3\)"):
        function([m, n], m + n)(M[:1], M)


def test_stretched_to_a_shape() -> None:
    v, n, m = T.dvector("v"), T.lscalar("n"), T.dmatrix("m")
    assert T.broadcast_to(v, (n, 2)).type.shape == (None, 2)
    assert computed(T.broadcast_to(v, (3, 2)), {v: [1, 2]}).tolist() == [[1, 2]] * 3
    slope = grad((T.broadcast_to(v, (3, v.shape[0])) * T.arange(3.0)[:, None]).sum(), v)
    assert computed(slope, {v: [1, 2]}).tolist() == [3, 3]
    refused(lambda: T.broadcast_to(m, (3,)), ShapeError, "does not fill the shape")
    refused(lambda: T.broadcast_to(m, (4, 3)).eval({m: M}), ShapeError, r"\(2, 3\) does not fill")


def test_stretched_against_each_other() -> None:
    c, v = T.dcol("c"), T.dvector("v")
    values: dict[Variable, Any] = {c: [[1], [2]], v: [1, 2, 3]}
    assert interpret(list(T.broadcast_shape(c, v)), values) == [2, 3]
    columns, rows = computed(T.broadcast_arrays(c, v), values)
    assert columns.tolist() == [[1, 1, 1], [2, 2, 2]]
    assert rows.tolist() == [[1, 2, 3], [1, 2, 3]]


# More than once.


def test_repetitions_may_be_computed() -> None:
    x, s, n = T.dvector("x"), T.lvector("s"), T.lscalar("n")
    values: dict[Variable, Any] = {x: [1, 2], s: [2, 1], n: 2}
    outputs = [
        T.repeat(x, s),
        x.repeat(n),
        T.tile(x, s, ndim=2),
        T.tile(x, n),
        T.tile(x, [n, 1]),
        T.roll(x, n + 1),
    ]
    found = computed(outputs, values, native=False)
    assert [v.tolist() for v in found] == [
        [1, 1, 2],
        [1, 1, 2, 2],
        [[1, 2], [1, 2]],
        [1, 2, 1, 2],
        [[1, 2], [1, 2]],
        [2, 1],
    ]


def test_slopes_sum_over_repetitions() -> None:
    x, s = T.dvector("x"), T.lvector("s")
    values: dict[Variable, Any] = {x: [1, 2], s: [2, 1]}
    w = T.constant([1.0, 10.0, 100.0])
    costs = [(T.repeat(x, s) * w).sum(), (T.tile(x, 2) ** 2).sum(), (x.repeat(2) ** 2).sum()]
    costs.append((T.roll(x, 1) * T.constant([1.0, 10.0])).sum())
    slopes = [grad(cost, x) for cost in costs]
    found = computed(slopes, values, native=False)
    assert [v.tolist() for v in found] == [[11, 100], [4, 8], [4, 8], [10, 1]]


def test_repetitions_that_do_not_fit() -> None:
    x, s, m = T.dvector("x"), T.lvector("s"), T.dmatrix("m")
    refused(lambda: T.repeat(x, -1), ShapeError, "no tensor of shape")
    refused(lambda: T.repeat(x, 1.5), TypeMismatchError, "How often .* a whole number")
    refused(lambda: T.repeat(x, [[1]]), TypeMismatchError, "How often .* a whole number")
    refused(lambda: T.repeat(x, [1, 2]).eval({x: [1.0]}), ShapeError, "do not fit axis 0 of length")
    refused(lambda: T.repeat(x, s).eval({x: [1.0], s: [-1]}), ShapeError, "the least of them -1")
    refused(lambda: T.tile(x, s), ShapeError, "length of s is not known")
    refused(lambda: T.tile(m, 2, ndim=1), ParameterError, "has 2 axes, not 1")
    refused(lambda: T.roll(x, 0.5), TypeMismatchError, "How far .* a whole number")
    refused(lambda: T.roll(x, 1, axis=1), ShapeError, "There is no axis 1")


# Nothing is copied that need not be.


def test_views_cost_no_kernel_of_their_own() -> None:
    x = T.dmatrix("x")
    stretched = T.broadcast_to(x.sum(axis=0), (50, x.shape[1]))
    outputs = (x.swapaxes(0, 1)[None].squeeze(0) + 1, (stretched * 2).sum())
    native = compile_graph(Graph([x], list(outputs)), {x: (2, 3)})
    assert not any(k.source.startswith("numpy") for k in native.kernels)
    assert native.peak_bytes < 50 * 3 * 8
