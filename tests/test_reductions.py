"""Sums, products, extremes, statistics: values, dtypes, slopes, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function, grad
from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.graph import Graph
from engine.rewrite import optimize
from tests.targets import computed

Array = np.ndarray[Any, Any]
M = np.array([[1.5, -2.0, 3.0], [0.5, 4.0, -1.0]])
CUBE = np.random.default_rng(3).normal(size=(2, 3, 4))
AXES = [None, 0, 1, -1, (0, 1), [0, -1], ()]


def of(dtype: str, ndim: int = 1) -> Variable:
    made: Variable = T.TensorType(dtype, (None,) * ndim)("x")
    return made


# Dtypes, as Theano has them.


@pytest.mark.parametrize(
    ("dtype", "sum", "mean", "max"),
    [
        ("bool", "int64", "float64", "bool"),
        ("int8", "int64", "float64", "int8"),
        ("int32", "int64", "float64", "int32"),
        ("uint8", "uint64", "float64", "uint8"),
        ("uint64", "uint64", "float64", "uint64"),
        ("float16", "float16", "float16", "float16"),
        ("float32", "float32", "float32", "float32"),
        ("float64", "float64", "float64", "float64"),
    ],
)
def test_dtypes_of_results(dtype: str, sum: str, mean: str, max: str) -> None:
    x = of(dtype)
    assert [x.sum().dtype, x.prod().dtype, x.mean().dtype] == [sum, sum, mean]
    assert [x.max().dtype, x.min().dtype, x.argmax().dtype, x.any().dtype] == [
        max,
        max,
        "int64",
        "bool",
    ]


def test_complex_sums_stay_complex() -> None:
    z = T.cvector("z")
    values = computed([z.sum(), z.prod(), z.mean()], {z: [1 + 2j, 3j]})
    assert [v.dtype for v in values] == ["complex64"] * 3
    np.testing.assert_allclose(values, [1 + 5j, -6 + 3j, 0.5 + 2.5j])


def test_small_integers_do_not_wrap() -> None:
    x = T.bvector("x")
    values = computed([x.sum(), x.prod(), x.mean(), x.max()], {x: [100, 100, 100]})
    assert values == [300, 1_000_000, 100, 100]
    assert values[0].dtype == np.int64


def test_float32_is_summed_in_float64() -> None:
    x = T.fvector("x")
    sums = computed([x.sum(), x.mean()], {x: [2**24, 1, 1, -(2**24)]})
    assert sums == [2, 0.5]
    narrow = interpret([x.sum(acc_dtype="float32")], {x: [2**24, 1, 1, -(2**24)]})
    assert narrow == [0]


@pytest.mark.parametrize("dtype", ["bool", "int8", "int32", "float32", "float64"])
@pytest.mark.parametrize("wanted", ["bool", "int8", "int64", "float32", "float64", "float16"])
def test_a_result_may_be_given_a_dtype(dtype: str, wanted: str) -> None:
    x = of(dtype, 2)
    value = np.array([[1, 0, 1], [1, 1, 1]], dtype)
    sums = [x.sum(axis, dtype=wanted) for axis in (None, 0, 1)]
    for axis, found in zip((None, 0, 1), computed(sums, {x: value}), strict=True):
        expected = np.sum(value, axis, dtype=wanted if wanted != "bool" else dtype)
        np.testing.assert_array_equal(found, expected.astype(wanted))


def test_a_sum_that_is_wider_is_not_rounded_on_the_way() -> None:
    x = T.fvector("x")
    (found,) = computed([x.sum(dtype="float64")], {x: [2**24, 1]})
    assert found == 2**24 + 1
    assert computed(x.mean(dtype="float64"), {x: [2**24, 1]}) == (2**24 + 1) / 2


def test_accumulators() -> None:
    x, b = T.fvector("x"), T.bvector("b")
    wide = computed([x.prod(acc_dtype="float64"), b.sum(acc_dtype="float32")], {x: [3], b: [7, 8]})
    assert [(v, v.dtype) for v in wide] == [(3, np.float32), (15, np.int64)]
    assert computed(b.mean(acc_dtype="int64"), {b: [1, 2]}) == 1.5
    with pytest.raises(TypeMismatchError, match=r"float64 cannot be summed in float32 without"):
        T.dvector("d").sum(acc_dtype="float32")
    with pytest.raises(TypeMismatchError, match=r"Complex numbers cannot be summed to float64"):
        T.zvector("z").sum(dtype="float64")
    with pytest.raises(TypeMismatchError, match=r"no whole number, which is all that int64"):
        x.mean(dtype="int64")


def test_a_dtype_that_is_the_usual_one_is_not_stated() -> None:
    x = T.dmatrix("x")
    assert x.sum(dtype="float64").owner.params == x.sum().owner.params
    assert x.mean(acc_dtype="float64").owner.params == x.mean().owner.params


@pytest.mark.parametrize(
    "make",
    [
        lambda x: (x * 3).sum(dtype="float64"),
        lambda x: T.fill(x, x.max()).sum(dtype="float64"),
        lambda x: x.mean(axis=1, dtype="float64").dimshuffle(0, "x"),
        lambda x: x.sum(axis=0, keepdims=True).sum(axis=0, dtype="float64"),
        lambda x: T.log(T.exp(x).sum(axis=1, dtype="float64")),
    ],
)
def test_rewrites_keep_a_dtype_that_is_stated(make: Callable[[Variable], Variable]) -> None:
    x = T.fmatrix("x")
    graph = Graph([x], [make(x)])
    optimize(graph, check=True)
    value = {x: np.float32([[0.1, 0.2], [0.3, 0.4]])}
    (before,), (after,) = interpret([make(x)], value), interpret(graph.outputs, value)
    assert before.dtype == after.dtype == np.float64
    np.testing.assert_allclose(after, before, rtol=1e-6)


# Axes.


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes_are_as_in_numpy(axis: Any, keepdims: bool) -> None:
    x = T.dmatrix("x")
    names = ["sum", "prod", "mean", "max", "min", "any", "all", "std", "var"]
    outputs = [getattr(x, name)(axis=axis, keepdims=keepdims) for name in names]
    tuple_axis = tuple(axis) if isinstance(axis, list) else axis
    for name, found in zip(names, computed(outputs, {x: M}), strict=True):
        expected = getattr(np, name)(M, axis=tuple_axis, keepdims=keepdims)
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("axis", [None, 0, 2, (0, 2), [2, 1], (-1, 0, 1), ()], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_several_axes_are_searched_as_one(axis: Any, keepdims: bool) -> None:
    x = T.dtensor3("x")
    found = computed([x.argmax(axis, keepdims), x.argmin(axis, keepdims)], {x: CUBE})
    axes = range(3) if axis is None else {a % 3 for a in ([axis] if axis in (0, 2) else axis)}
    kept = [a for a in range(3) if a not in axes]
    rows = CUBE.transpose([*kept, *sorted(axes)]).reshape([CUBE.shape[a] for a in kept] + [-1])
    for place, find in zip(found, (np.argmax, np.argmin), strict=True):
        np.testing.assert_array_equal(place.reshape(rows.shape[:-1]), find(rows, -1))
        assert place.ndim == (3 if keepdims else len(kept))


def test_the_first_of_equal_elements_and_the_first_nan_lead() -> None:
    x = T.dvector("x")
    assert computed([x.argmax(), x.argmin()], {x: [2, 5, 5, 2]}) == [1, 0]
    assert computed([x.argmax(), x.argmin()], {x: [1, np.nan, 5, np.nan]}) == [1, 1]
    assert computed([x.argmax(), x.argmin()], {x: [-np.inf, -np.inf]}) == [0, 0]
    assert computed([x.argmax(), x.argmin()], {x: [np.inf, np.inf]}) == [0, 0]


def test_places_in_what_was_computed_just_before() -> None:
    x = T.dvector("x")
    outputs = [T.sort(x).argmin(), T.argmax(T.sort(-x) * 2), T.stack([x, -x]).argmax(axis=1)]
    assert [v.tolist() for v in computed(outputs, {x: [3, 1, 2]})] == [0, 2, [0, 1]]


def test_the_maximum_and_its_place_at_once() -> None:
    x = T.dmatrix("x")
    largest, place = computed(T.max_and_argmax(x, axis=1), {x: M})
    assert largest.tolist() == [3, 4]
    assert place.tolist() == [2, 1]
    assert [v.ndim for v in T.max_and_argmax(x, [0, 1], keepdims=True)] == [2, 2]


def test_an_axis_may_be_an_array_of_one_number() -> None:
    x = T.dmatrix("x")
    for op in (T.sum, T.argmax, T.mean, T.var, T.max):
        assert op(x, axis=np.array(1)).type == op(x, axis=1).type
    with pytest.raises(ParameterError, match="axis"):
        T.argmax(x, axis=1.0)


def test_there_is_no_such_axis() -> None:
    with pytest.raises(ShapeError, match=r"max\(x\): There is no axis 2 in a tensor of 2"):
        T.dmatrix("x").max(axis=2)


# Nothing, and what has no order.


def test_sums_products_and_means_of_nothing() -> None:
    x = T.dmatrix("x")
    outputs = [x.sum(), x.prod(), x.sum(axis=0), x.any(), x.all(), x.logsumexp()]
    found = computed(outputs, {x: np.zeros((0, 2))})
    assert [v.tolist() for v in found] == [0, 1, [0, 0], False, True, -np.inf]
    for mean in computed([x.mean(), x.var()], {x: np.zeros((0, 2))}):
        assert np.isnan(mean)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "median", "ptp"])
def test_there_is_no_extreme_of_nothing(name: str) -> None:
    x = T.dmatrix("x")
    result = getattr(x, name)()
    of_what = "max" if name == "ptp" else name
    with pytest.raises(ShapeError, match=f"There is no {of_what} of nothing"):
        interpret([result], {x: np.zeros((0, 2))})
    with pytest.raises(ShapeError, match=f"There is no {of_what} of nothing"):
        compile_graph(Graph([x], [result]), {x: (0, 2)})
    # Of no results there is no extreme to be missed.
    assert interpret([getattr(x, name)(axis=0)], {x: np.zeros((2, 0))})[0].shape == (0,)


def test_complex_numbers_have_no_order() -> None:
    for name in ("max", "min", "argmax", "argmin", "ptp", "median", "logsumexp"):
        with pytest.raises(TypeMismatchError, match=r"Complex numbers have no order"):
            getattr(T.zvector("z"), name)()


# Slopes.


def slope(cost: Variable, x: Variable, value: Any) -> list[Any]:
    found: list[Any] = computed(grad(cost, x), {x: value}).tolist()
    return found


def test_the_slope_of_a_product_is_the_product_of_the_others() -> None:
    x = T.dvector("x")
    assert slope(x.prod(), x, [0, 2, 3]) == [6, 0, 0]
    assert slope(x.prod(), x, [0, 2, 0]) == [0, 0, 0]
    assert slope(x.prod(), x, [1, 2, 3]) == [6, 3, 2]
    assert slope(x.prod(no_zeros_in_input=True), x, [1, 2, 3]) == [6, 3, 2]
    assert slope(x.prod(), x, []) == []


def test_products_that_divide_say_so_in_their_parameters() -> None:
    x = T.dvector("x")
    divided = grad(x.prod(no_zeros_in_input=True), x)
    assert "true_div" in {n.op.name for n in Graph([x], [divided]).applies}
    assert "true_div" not in {n.op.name for n in Graph([x], [grad(x.prod(), x)]).applies}


@pytest.mark.parametrize("axis", [None, 0, 2, (0, 2), (0, 1, 2), ()], ids=str)
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_slope_of_products_over_axes(axis: Any, zeros: int) -> None:
    value = CUBE.copy()
    value[:, 1, :zeros] = 0
    x = T.dtensor3("x")
    weights = np.random.default_rng(1).normal(size=np.prod(value, axis=axis).shape)
    found = computed(grad((x.prod(axis) * weights).sum(), x), {x: value})
    expected = np.empty_like(value)
    for at in np.ndindex(value.shape):
        moved = value.copy()
        moved[at] = value[at] + 1  # a product is linear in each factor
        expected[at] = ((np.prod(moved, axis=axis) - np.prod(value, axis=axis)) * weights).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("value", [[2.0, 3, 4, 5], [0.0, 3, 4, 5], [0.0, 0, 4, 5], [0.0, 0, 0, 5]])
def test_second_slopes_of_a_product_are_right_at_zeros_too(value: list[float]) -> None:
    x = T.dvector("x")
    (found,) = interpret([T.hessian(x.prod(), x)], {x: np.array(value)})
    n = len(value)
    expected = [
        [0 if i == j else np.prod([v for k, v in enumerate(value) if k not in (i, j)])
         for j in range(n)]
        for i in range(n)
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected)


def test_third_slope_of_a_product() -> None:
    x = T.dvector("x")
    first = grad(x.prod(), x)[0]
    second = grad(first, x)[1]
    assert slope(second, x, [0, 0, 0, 7]) == [0, 0, 7, 0]


def test_every_tie_gets_the_slope_of_an_extreme() -> None:
    x = T.dmatrix("x")
    value = [[3, 1, 3], [2, 2, 2]]
    assert slope(x.max(axis=1).sum(), x, value) == [[1, 0, 1], [1, 1, 1]]
    assert slope(x.min(), x, value) == [[0, 1, 0], [0, 0, 0]]


def test_slopes_through_integers_are_zero() -> None:
    i = T.ivector("i")
    for total in (i.sum(), i.prod(), i.max()):
        assert slope(total * 1.5, i, [1, 2]) == [0, 0]
    assert slope(i.mean(), i, [1, 2]) == [0.5, 0.5]


# Statistics.


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("axis", [None, 0, (0, 2), (0, 1, 2)], ids=str)
def test_variance_is_numpy_s_also_over_several_axes(axis: Any, ddof: int) -> None:
    x = T.dtensor3("x")
    outputs = [x.var(axis, ddof), x.std(axis, ddof), x.var(axis, ddof, corrected=True)]
    found = computed(outputs, {x: CUBE + 5})
    expected = np.var(CUBE, axis, ddof=ddof)
    for value, right in zip(found, (expected, np.sqrt(expected), expected), strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-12)


def test_variance_of_integers_and_complex_numbers() -> None:
    i, z = T.ivector("i"), T.zvector("z")
    assert computed(i.std(), {i: [1, 2, 3, 4]}) == pytest.approx(1.11803399)
    found = computed(z.var(), {z: [1 + 1j, 3 - 1j]})
    assert (found.dtype, found) == (np.float64, 2)


def test_what_does_not_vary_has_no_slope() -> None:
    x = T.dvector("x")
    assert slope(x.std(), x, [2, 2, 2]) == [0, 0, 0]
    np.testing.assert_allclose(slope(x.std(), x, [1, 3]), [-0.5, 0.5])


def test_degrees_of_freedom_that_are_no_number() -> None:
    x = T.dvector("x")
    with pytest.raises(ParameterError, match=r"ddof of var cannot be True") as caught:
        x.var(0, True)
    assert "axis, ddof, keepdims" in (caught.value.hint or "")
    with np.errstate(all="ignore"):
        assert computed(x.var(ddof=2), {x: [1.0, 2.0]}) == np.inf


def test_median() -> None:
    x, i = T.dtensor3("x"), T.ivector("i")
    for axis in (None, 0, 2, (0, 2)):
        np.testing.assert_allclose(computed(x.median(axis), {x: CUBE}), np.median(CUBE, axis))
    assert computed(T.median(i), {i: [3, 1, 2, 9]}) == 2.5
    v = T.dvector("v")
    assert np.isnan(computed(T.median(v), {v: [1, np.nan, 3]}))
    assert slope(T.median(v), v, [3, 1, 2, 9]) == [0.5, 0, 0.5, 0]
    assert slope(T.median(v), v, [3, 1, 2]) == [0, 0, 1]
    m = T.dmatrix("m")
    assert slope(T.median(m, axis=(0, 1)), m, [[3, 1], [2, 5]]) == [[0.5, 0], [0.5, 0]]


def test_logarithm_of_a_sum_of_exponentials() -> None:
    x = T.dvector("x")
    assert computed(x.logsumexp(), {x: [1000, 1001]}) == pytest.approx(1001.31326169)
    np.testing.assert_allclose(slope(x.logsumexp(), x, [1000, 1001]), [0.26894142, 0.73105858])
    assert computed(x.logsumexp(), {x: [-np.inf, 0]}) == 0
    assert computed(x.logsumexp(), {x: [-np.inf, -np.inf]}) == -np.inf
    assert computed(x.logsumexp(), {x: [np.inf, 0]}) == np.inf
    assert np.isnan(computed(x.logsumexp(), {x: [np.nan, 0]}))
    assert slope(x.logsumexp(), x, [np.inf, 0]) == [1, 0]
    second = T.hessian(x.logsumexp(), x)
    (found,) = interpret([second], {x: np.array([0.0, np.log(3)])})
    np.testing.assert_allclose(found, [[0.1875, -0.1875], [-0.1875, 0.1875]])


def test_range_of_values() -> None:
    x = T.dmatrix("x")
    assert computed(x.ptp(axis=1), {x: M}).tolist() == [5, 5]
    assert computed(T.ptp(x), {x: M}) == 6


def test_reductions_in_functions_of_every_mode() -> None:
    x = T.fmatrix("x")
    outputs = [x.prod(axis=0), x.argmin(), x.sum(dtype="float64"), x.std(), x.logsumexp(axis=1)]
    value = M.astype("float32")
    found = [function([x], outputs, mode=mode)(value) for mode in ("NUMPY", "NUMBA")]
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-6)
