"""Products of tensors: values as NumPy's, gradients twice, dtypes, shapes and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.errors import EngineError, ParameterError, ShapeError
from engine.expression import OPS, Variable
from engine.grad import grad
from engine.graph import Graph
from engine.jacobian import Lop, Rop
from engine.ops.einsum import parse
from engine.rewrite.lengths import Lengths
from engine.types import TensorType

Array = np.ndarray[Any, Any]
Build = Callable[..., Variable]


def drawn(*shapes: tuple[int, ...], dtype: str = "float64") -> list[Array]:
    rng = np.random.default_rng(4)
    values = [rng.uniform(-2, 2, shape) for shape in shapes]
    if dtype.startswith("complex"):
        values = [v + 1j * rng.uniform(-2, 2, v.shape) for v in values]
    return [np.asarray(v).astype(dtype) for v in values]


def variables(values: Sequence[Array]) -> list[Variable]:
    return [
        TensorType(v.dtype, [1 if n == 1 else None for n in v.shape])(f"x{i}")
        for i, v in enumerate(values)
    ]


def value_of(build: Build, values: Sequence[Array]) -> Array:
    inputs = variables(values)
    (found,) = interpret([build(*inputs)], dict(zip(inputs, values, strict=True)))
    return found


def assert_value(build: Build, numpy: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
    values = drawn(*shapes)
    expected = np.asarray(numpy(*values))
    found = value_of(build, values)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


# dot and matmul


RANKS = list(itertools.product(range(4), range(4)))


@pytest.mark.parametrize(("x", "y"), RANKS)
def test_dot_of_any_ranks_is_numpys(x: int, y: int) -> None:
    right = {0: (), 1: (4,), 2: (4, 5), 3: (2, 4, 5)}[y]
    assert_value(T.dot, np.dot, (3, 2, 4)[3 - x :], right)


@pytest.mark.parametrize(("x", "y"), [(x, y) for x, y in RANKS if x and y])
def test_matmul_of_any_ranks_is_numpys(x: int, y: int) -> None:
    right = {1: (4,), 2: (4, 5), 3: (3, 4, 5)}[y]
    assert_value(T.matmul, np.matmul, (3, 2, 4)[3 - x :], right)
    assert_value(lambda a, b: a @ b, np.matmul, (3, 2, 4)[3 - x :], right)


def test_at_is_dot_where_there_is_no_stack() -> None:
    x, y, v = T.matrix("x"), T.matrix("y"), T.vector("v")
    for product in (x @ y, v @ x, x @ v, v @ v, [[1.0, 2.0]] @ x):
        assert product.owner is not None
        assert product.owner.op.name == "dot"


def test_stacks_stretch_only_where_declared() -> None:
    x, y = T.tensor3("x"), T.TensorType("float64", (1, None, None))("y")
    assert (x @ y).broadcastable == (False, False, False)
    values = drawn((2, 3, 4), (1, 4, 5))
    assert value_of(T.matmul, values).shape == (2, 3, 5)
    with pytest.raises(ShapeError, match="do not fit together on axis 0"):
        T.matmul(T.TensorType("float64", (2, 3, 4))("a"), T.TensorType("float64", (3, 4, 5))("b"))


def test_a_number_in_matmul_is_refused() -> None:
    with pytest.raises(TypeError, match="does not take numbers"):
        T.matmul(T.matrix("x"), T.scalar("s"))


def test_a_clash_names_both_shapes_as_theano_does() -> None:
    x = T.TensorType("float64", (5, 10))("x")
    y = T.TensorType("float64", (20, 10))("y")
    with pytest.raises(ShapeError) as caught:
        T.dot(x, y)
    assert "Shapes (5, 10) and (20, 10) do not fit together" in caught.value.message
    assert "x has 10 columns but y has 20 rows" in caught.value.message
    assert caught.value.port == "y"


def test_a_clash_of_lengths_that_come_with_the_values_is_found_when_it_runs() -> None:
    x, y = T.matrix("x"), T.matrix("y")
    with pytest.raises(ShapeError, match="10 columns but y has 20 rows"):
        T.dot(x, y).eval({x: np.ones((5, 10)), y: np.ones((20, 10))})


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_products_of_nothing(shape: tuple[int, int]) -> None:
    assert_value(T.dot, np.dot, shape, shape[::-1])
    assert_value(T.matmul, np.matmul, (2, *shape), (2, *shape[::-1]))
    assert_value(lambda a, b: T.einsum("ij,kj", a, b), lambda a, b: np.dot(a, b.T), shape, shape)


# dtypes


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [
        ("int8", "int8", "int8"),
        ("int32", "float32", "float64"),
        ("int16", "float32", "float32"),
        ("bool", "bool", "bool"),
        ("bool", "int8", "int8"),
        ("float64", "complex64", "complex128"),
        ("uint8", "int8", "int16"),
    ],
)
def test_products_upcast_as_numpy_does(a: str, b: str, result: str) -> None:
    x, y = np.ones((2, 2), a), np.ones((2, 2), b)
    for op in (T.dot, T.matmul, T.outer, T.tensordot, T.batched_dot, T.inner, T.vdot):
        assert value_of(op, [x, y]).dtype == result
        assert op(*variables([x, y])).dtype == result


def test_whole_numbers_wrap_and_truths_are_true() -> None:
    x = np.array([[100, 100]], "int8")
    assert value_of(T.dot, [x, x.T]).tolist() == [[(20000 + 128) % 256 - 128]]
    p = np.array([[True, True], [False, False]])
    assert value_of(T.dot, [p, p]).tolist() == [[True, True], [False, False]]


def test_nothing_flows_through_whole_numbers() -> None:
    i = T.imatrix("i")
    gradient = grad(T.dot(i, i).sum(), i)
    assert gradient.dtype == "float64"
    assert gradient.eval({i: np.ones((2, 2), "int32")}).tolist() == [[0, 0], [0, 0]]
    mixed = grad(T.dot(i, T.constant(np.array([1.5, 2.5]))).sum(), i)
    assert mixed.eval({i: np.ones((2, 2), "int32")}).tolist() == [[1.5, 2.5], [1.5, 2.5]]


# einsum


EINSUMS: list[tuple[str, list[tuple[int, ...]]]] = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ba", [(2, 3)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iij->j", [(3, 3, 2)]),
    ("i,i", [(3,), (3,)]),
    ("i,j", [(2,), (3,)]),
    ("ij->", [(2, 3)]),
    ("i j , j", [(2, 3), (3,)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (4, 5)]),
    ("...ij->...ji", [(5, 2, 3)]),
    ("i...->...", [(2, 3, 4)]),
    ("...,...", [(2, 3), (3,)]),
    ("b...i,b...i->b...", [(2, 1, 3), (2, 4, 3)]),
    ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
    ("ij,kj,ij->k", [(2, 3), (4, 3), (2, 3)]),
    ("ii,ij,j->i", [(3, 3), (3, 2), (2,)]),
    (",ij->ij", [(), (2, 3)]),
    ("ab,cd->ac", [(2, 3), (4, 5)]),
]


@pytest.mark.parametrize(("text", "shapes"), EINSUMS)
def test_einsum_is_numpys(text: str, shapes: list[tuple[int, ...]]) -> None:
    assert_value(lambda *x: T.einsum(text, *x), lambda *x: np.einsum(text, *x), *shapes)


@pytest.mark.parametrize(("text", "shapes"), EINSUMS)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_gradients_of_einsum(text: str, shapes: list[tuple[int, ...]], dtype: str) -> None:
    """Against the transpose of the Jacobian, which is einsum with unit tensors in turn."""
    values = drawn(*shapes, dtype=dtype)
    inputs = variables(values)
    given = dict(zip(inputs, values, strict=True))
    out = T.einsum(text, *inputs)
    (weights,) = drawn(value_of(lambda *x: T.einsum(text, *x), values).shape, dtype=dtype)
    found = interpret(Lop(out, inputs, T.constant(weights)), given)
    for i, x in enumerate(values):
        expected = np.empty_like(x)
        for at in np.ndindex(x.shape):
            unit = np.zeros_like(x)
            unit[at] = 1
            moved = np.einsum(text, *values[:i], unit, *values[i + 1 :])
            expected[at] = np.sum(np.conj(moved) * weights)
        np.testing.assert_allclose(found[i], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "ranks", "why"),
    [
        ("ij,jk->ik", (2,), "for 2 tensors, but 1"),
        ("ij", (3,), "'ij', but it has 3 dimensions"),
        ("ij1", (2,), "more than letters"),
        ("i......", (2,), "more than letters"),
        ("ij->ii", (2,), "i stands twice on the right"),
        ("ij->k", (2,), "k stands only on the right"),
        ("i...->i", (2,), "the ellipsis is missing on the right"),
        ("i->j->k", (1,), "more than letters"),
        ("é", (1,), "more than letters"),
    ],
)
def test_malformed_subscripts_are_refused(text: str, ranks: tuple[int, ...], why: str) -> None:
    with pytest.raises(ParameterError, match=why) as caught:
        parse(text, ranks)
    assert caught.value.port == "subscripts"


def test_subscripts_are_text_and_come_first() -> None:
    with pytest.raises(ParameterError, match="come first, as text"):
        T.einsum(T.matrix("x"), [0, 1])


def test_einsum_names_the_axis_that_does_not_fit() -> None:
    x, y = T.TensorType("float64", (2, 3))("x"), T.TensorType("float64", (4, 5))("y")
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(4, 5\) do not fit 'ij,jk': j is 3 and 4"):
        T.einsum("ij,jk", x, y)


# tensordot, batched products


@pytest.mark.parametrize(
    ("axes", "shapes"),
    [
        (2, ((2, 3, 4), (3, 4, 5))),
        (1, ((2, 3), (3, 4))),
        (0, ((2, 3), (4,))),
        (([1, 2], [1, 0]), ((2, 3, 4), (4, 3, 5))),
        ((1, 0), ((2, 3), (3, 2))),
        (([], []), ((2,), (3,))),
        (([-1], [-2]), ((2, 3), (3, 4))),
        (([1, 2], [3, 2]), ((2, 3, 4), (5, 6, 4, 3))),
    ],
)
def test_tensordot_is_numpys(axes: Any, shapes: tuple[tuple[int, ...], ...]) -> None:
    assert_value(
        lambda x, y: T.tensordot(x, y, axes=axes), lambda x, y: np.tensordot(x, y, axes), *shapes
    )


def each(x: Array, y: Array, function: Callable[..., Any]) -> Array:
    """The function of each entry of a batch, one after the other."""
    return np.array([function(a, b) for a, b in zip(x, y, strict=True)])


@pytest.mark.parametrize(
    ("axes", "shapes", "own"),
    [
        (2, ((2, 3, 4), (2, 3, 4, 5)), 2),
        (1, ((2, 3, 4), (2, 4, 5)), 1),
        (([1, 2], [2, 1]), ((2, 3, 4), (2, 4, 3)), ([0, 1], [1, 0])),
        ((2, 1), ((2, 3, 4), (2, 4)), (1, 0)),
    ],
)
def test_batched_tensordot_is_tensordot_of_each(
    axes: Any, shapes: tuple[tuple[int, ...], ...], own: Any
) -> None:
    assert_value(
        lambda x, y: T.batched_tensordot(x, y, axes),
        lambda x, y: each(x, y, lambda a, b: np.tensordot(a, b, own)),
        *shapes,
    )


@pytest.mark.parametrize(
    "shapes",
    [
        ((2,), (2,)),
        ((2,), (2, 3)),
        ((2, 3), (2,)),
        ((2, 3), (2, 3)),
        ((2, 3), (2, 3, 4)),
        ((2, 5, 3), (2, 3)),
        ((2, 5, 3), (2, 3, 4)),
        ((2, 5, 3, 4), (2, 4, 3)),
        ((2, 5, 3), (2, 4, 3, 6)),
    ],
)
def test_batched_dot_is_dot_of_each(shapes: tuple[tuple[int, ...], ...]) -> None:
    assert_value(T.batched_dot, lambda x, y: each(x, y, np.dot), *shapes)


@pytest.mark.parametrize("axes", [3, -1, ([0, 0], [0, 1]), ([0], [0, 1]), ([0], [0], [0])])
def test_axes_that_make_no_sense_are_refused(axes: Any) -> None:
    with pytest.raises(EngineError):
        T.tensordot(T.matrix("x"), T.matrix("y"), axes)


def test_the_batch_is_not_summed_over() -> None:
    with pytest.raises(ParameterError, match="the axis of the batch"):
        T.batched_tensordot(T.matrix("x"), T.matrix("y"), ([0], [1]))
    with pytest.raises(ShapeError, match="A batch needs an axis"):
        T.batched_dot(T.scalar("x"), T.matrix("y"))


# Products of vectors, and others


@pytest.mark.parametrize(
    ("op", "numpy", "shapes"),
    [
        (T.outer, np.outer, ((2,), (3,))),
        (T.outer, np.outer, ((2, 3), (2, 2))),
        (T.outer, np.outer, ((), (2, 2))),
        (T.inner, np.inner, ((2, 3), (4, 5, 3))),
        (T.inner, np.inner, ((), (4, 3))),
        (T.vdot, np.vdot, ((2, 3), (2, 3))),
        (T.kron, np.kron, ((2, 3), (4, 2))),
        (T.kron, np.kron, ((2,), (4, 2))),
        (T.kron, np.kron, ((2, 3, 1), (2, 2))),
        (T.kron, np.kron, ((2,), (3,))),
        (T.cross, np.cross, ((3,), (3,))),
        (T.cross, np.cross, ((4, 3), (3,))),
        (T.matvec, lambda x, y: np.einsum("...ij,...j", x, y), ((2, 3, 4), (4,))),
        (T.vecmat, lambda x, y: np.einsum("...i,...ij", x, y), ((2, 3), (3, 4))),
        (T.vecdot, lambda x, y: np.sum(x * y, -1), ((2, 3), (2, 3))),
    ],
)
def test_other_products_are_numpys(
    op: Build, numpy: Callable[..., Any], shapes: tuple[tuple[int, ...], ...]
) -> None:
    assert_value(op, numpy, *shapes)


def test_the_first_vector_is_conjugated() -> None:
    x, y = drawn((2, 3), (2, 3), dtype="complex128")
    m = drawn((2, 3, 4), dtype="complex128")[0]
    np.testing.assert_allclose(value_of(T.vdot, [x, y]), np.vdot(x, y))
    np.testing.assert_allclose(value_of(T.vecdot, [x, y]), np.sum(np.conj(x) * y, -1))
    np.testing.assert_allclose(value_of(T.vecmat, [x, m]), np.einsum("bi,bij->bj", np.conj(x), m))


def test_a_cross_product_is_of_three_elements() -> None:
    with pytest.raises(ShapeError, match="last axis of y must have length 3"):
        T.cross(T.vector("x"), T.TensorType("float64", (2,))("y"))


def test_matrix_dot_multiplies_from_the_left() -> None:
    a, b, c = drawn((2, 3), (3, 4), (4, 2))
    found = value_of(lambda *m: T.matrix_dot(m), [a, b, c])
    np.testing.assert_allclose(found, a @ b @ c)


# Derivatives as in Theano's tutorial


def test_products_with_the_jacobian() -> None:
    x, w, v = T.dvector("x"), T.dmatrix("W"), T.dmatrix("V")
    given = {x: [0.0, 1.0], w: np.ones((2, 2)), v: np.full((2, 2), 2.0)}
    right = Rop(T.dot(x, w), w, v)
    assert interpret([right], given)[0].tolist() == [2, 2]
    u = T.dvector("u")
    left = Lop(T.dot(x, w), w, u)
    (found,) = interpret([left], {x: [0.0, 1.0], u: [2.0, 2.0], w: np.ones((2, 2))})
    assert found.tolist() == [[0, 0], [2, 2]]


def test_the_hessian_of_a_quadratic_form_is_its_matrix_twice() -> None:
    x, a = T.dvector("x"), T.dmatrix("A")
    hessian = T.hessian(T.dot(x, T.dot(a, x)), x)
    (m,) = drawn((3, 3))
    np.testing.assert_allclose(hessian.eval({x: np.ones(3), a: m}), m + m.T)


# Native code


@pytest.mark.parametrize("side", [3, 40])
def test_small_products_are_loops_and_large_ones_numpys(
    side: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIREGRAD_CACHE", str(tmp_path))
    x, y = T.tensor3("x"), T.tensor3("y")
    outputs = [x @ y, T.tensordot(x, y, ([0, 1], [0, 2])), T.dot(x, y)]
    values = drawn((2, side, side), (2, side, side))
    native = compile_graph(Graph([x, y], outputs), {x: values[0].shape, y: values[1].shape})
    for v, value in zip((x, y), values, strict=True):
        native.inputs[v][...] = value
    native.call()
    expected = interpret(outputs, dict(zip((x, y), values, strict=True)))
    for found, value in zip(native.outputs, expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-12, atol=1e-12)
    assert all(k.source.startswith("def") for k in native.kernels) == (side == 3)


def test_rewriting_knows_which_lengths_are_equal() -> None:
    x, y = T.matrix("x"), T.tensor3("y")
    lengths = Lengths()
    lengths.of(T.dot(x, y))
    assert lengths.of(x)[1] == lengths.of(y)[1]
    a, b = T.tensor3("a"), T.tensor3("b")
    product = a @ b
    assert lengths.of(product) == (lengths.of(a)[0], lengths.of(a)[1], lengths.of(b)[2])
    assert lengths.of(b)[:2] == (lengths.of(a)[0], lengths.of(a)[2])
    row = T.TensorType("float64", (1, None, None))("row")
    assert lengths.of(T.einsum("bij,bjk->bik", row, b))[0] == lengths.of(b)[0] != 1


def test_every_product_is_a_method_or_a_function_of_the_field() -> None:
    for name in ("dot", "outer", "matmul", "einsum", "kron", "inner", "vdot", "multi_dot"):
        assert name in OPS
