"""Linear algebra: values as NumPy's and SciPy's, gradients also of complex matrices, errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import engine.tensor as T
from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.errors import LinearAlgebraError, ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Variable
from engine.grad import grad
from engine.graph import Graph
from engine.jacobian import Rop
from engine.ops.matrices import adjoint, columns_scaled, triangle
from engine.types import TensorType

Array = np.ndarray[Any, Any]
N, S, L = T.nlinalg, T.slinalg, T.linalg


def numbers(*shape: int, seed: int = 0, imaginary: bool = False) -> Array:
    rng = np.random.default_rng(seed)
    value = rng.uniform(-1, 1, shape)
    return value + 1j * rng.uniform(-1, 1, shape) if imaginary else value


def regular(n: int = 3, *stack: int, seed: int = 0, imaginary: bool = False) -> Array:
    """Matrices far from singular, with different eigenvalues and singular values."""
    return np.diag(np.linspace(2, 4, n)) + 0.5 * numbers(
        *stack, n, n, seed=seed, imaginary=imaginary
    )


def positive(n: int = 3, *stack: int, imaginary: bool = False) -> Array:
    m = numbers(*stack, n, n, seed=5, imaginary=imaginary)
    return np.diag(np.linspace(2, 4, n)) + 0.3 * (m + np.conj(np.swapaxes(m, -1, -2)))


def variables(values: Sequence[Array]) -> list[Variable]:
    return [TensorType(v.dtype, (None,) * v.ndim)(f"x{i}") for i, v in enumerate(values)]


def results(build: Callable[..., Any], *values: Any) -> list[Array]:
    arrays = [np.asarray(v) for v in values]
    inputs = variables(arrays)
    built = build(*inputs)
    outputs = [built] if isinstance(built, Variable) else list(built)
    found = interpret(outputs, dict(zip(inputs, arrays, strict=True)))
    for out, value in zip(outputs, found, strict=True):
        assert (out.dtype, out.ndim) == (value.dtype, value.ndim)
    return found


def assert_values(
    build: Callable[..., Any], numpy: Callable[..., Any], *values: Array, close: float = 1e-12
) -> None:
    expected = numpy(*values)
    several = isinstance(expected, tuple | list)
    for found, value in zip(
        results(build, *values), expected if several else [expected], strict=True
    ):
        assert found.shape == np.shape(value)
        np.testing.assert_allclose(found, value, rtol=close, atol=close)


# Values


@pytest.mark.parametrize("imaginary", [False, True])
@pytest.mark.parametrize("stack", [(), (2,), (2, 3)])
@pytest.mark.parametrize(
    ("build", "numpy"),
    [
        (N.matrix_inverse, np.linalg.inv),
        (N.pinv, np.linalg.pinv),
        (N.det, np.linalg.det),
        (N.slogdet, np.linalg.slogdet),
        (N.eigvals, np.linalg.eigvals),
        (N.eig, np.linalg.eig),
        (N.eigh, np.linalg.eigh),
        (lambda x: N.eigh(x, "U"), lambda x: np.linalg.eigh(x, "U")),
        (S.eigvalsh, np.linalg.eigvalsh),
        (N.qr, np.linalg.qr),
        (N.svd, np.linalg.svd),
        (lambda x: N.svd(x, compute_uv=False), lambda x: np.linalg.svd(x, compute_uv=False)),
        (S.expm, scipy.linalg.expm),
        (lambda x: N.matrix_power(x, 5), lambda x: np.linalg.matrix_power(x, 5)),
        (lambda x: N.matrix_power(x, 0), lambda x: np.linalg.matrix_power(x, 0)),
        (lambda x: N.matrix_power(x, -2), lambda x: np.linalg.matrix_power(x, -2)),
        (N.cond, np.linalg.cond),
        (N.matrix_rank, np.linalg.matrix_rank),
        (N.trace, lambda x: np.trace(x, axis1=-2, axis2=-1)),
    ],
)
def test_functions_of_square_matrices_are_numpys(
    build: Callable[..., Any], numpy: Callable[..., Any], stack: tuple[int, ...], imaginary: bool
) -> None:
    assert_values(build, numpy, regular(3, *stack, imaginary=imaginary))


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 4, 3), (0, 3), (3, 0)])
@pytest.mark.parametrize(
    ("build", "numpy"),
    [
        (N.pinv, np.linalg.pinv),
        (N.qr, np.linalg.qr),
        (lambda x: N.qr(x, "r"), lambda x: np.linalg.qr(x, "r")),
        (lambda x: N.qr(x, "complete"), lambda x: np.linalg.qr(x, "complete")),
        (N.svd, np.linalg.svd),
        (lambda x: N.svd(x, False), lambda x: np.linalg.svd(x, False)),
        (L.svdvals, lambda x: np.linalg.svd(x, compute_uv=False)),
    ],
)
def test_decompositions_of_any_matrix_are_numpys(
    build: Callable[..., Any], numpy: Callable[..., Any], shape: tuple[int, ...]
) -> None:
    assert_values(build, numpy, numbers(*shape))


def test_a_trace_is_of_any_matrix_and_sums_as_sums_do() -> None:
    (found,) = results(N.trace, np.array([[100, np.iinfo("int8").max, 3], [4, 100, 6]], "int8"))
    assert (found, found.dtype) == (200, np.int64)
    x = numbers(2, 3)
    x[0, 1] = np.nan
    assert_values(N.trace, lambda m: m[0, 0] + m[1, 1], x)
    assert_values(lambda m: m.trace(), np.trace, numbers(3, 3))


@pytest.mark.parametrize("imaginary", [False, True])
@pytest.mark.parametrize("stack", [(), (2, 3)])
def test_cholesky_reads_one_triangle_of_it(stack: tuple[int, ...], imaginary: bool) -> None:
    m = positive(3, *stack, imaginary=imaginary)
    spoiled = m + 7 * np.triu(np.ones((3, 3)), 1)
    assert_values(S.cholesky, lambda x: np.linalg.cholesky(m), spoiled)
    upper = np.conj(np.swapaxes(np.linalg.cholesky(m), -1, -2))
    flipped = m + 7 * np.tril(np.ones((3, 3)), -1)
    assert_values(lambda x: S.cholesky(x, lower=False), lambda x: upper, flipped)


def test_a_stack_is_nan_only_where_it_is_not_positive_definite() -> None:
    m = np.stack([positive(), -positive()])
    (found,) = results(lambda x: S.cholesky(x, on_error="nan"), m)
    np.testing.assert_allclose(found[0], np.linalg.cholesky(m[0]))
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("imaginary", [False, True])
@pytest.mark.parametrize("columns", [(), (2,)])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize(
    "structure",
    ["gen", "general", "sym", "her", "pos", "lower_triangular", "upper triangular", "toeplitz"],
)
def test_solve_of_every_structure(
    structure: str, lower: bool, transposed: bool, columns: tuple[int, ...], imaginary: bool
) -> None:
    m, b = positive(imaginary=imaginary), numbers(3, *columns, imaginary=imaginary)
    given = m
    match structure:
        case "sym":
            m = m + m.T
            given = m + 9 * (np.triu(np.ones((3, 3)), 1) if lower else np.tril(np.ones((3, 3)), -1))
        case "her" | "pos":
            given = m + 9 * (np.triu(np.ones((3, 3)), 1) if lower else np.tril(np.ones((3, 3)), -1))
        case "lower_triangular":
            m = np.tril(m)
        case "upper triangular":
            m = np.triu(m)
    expected = np.linalg.solve(m.T if transposed else m, b)
    assert_values(
        lambda a, c: S.solve(a, c, structure, lower, transposed), lambda a, c: expected, given, b
    )


@pytest.mark.parametrize("imaginary", [False, True])
@pytest.mark.parametrize("trans", [0, 1, 2, "N", "T", "C"])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_triangles_are_solved_as_scipy_does(
    trans: int | str, lower: bool, unit: bool, imaginary: bool
) -> None:
    assert_values(
        lambda a, b: S.solve_triangular(a, b, trans, lower, unit),
        lambda a, b: scipy.linalg.solve_triangular(a, b, trans, lower, unit),
        regular(imaginary=imaginary),
        numbers(3, 2, imaginary=imaginary),
    )


def test_theanos_triangular_and_symmetric_solves() -> None:
    m, b = positive(), numbers(3)
    assert_values(S.solve_lower_triangular, lambda a, c: np.linalg.solve(np.tril(a), c), m, b)
    assert_values(S.solve_upper_triangular, lambda a, c: np.linalg.solve(np.triu(a), c), m, b)
    assert_values(S.solve_symmetric, np.linalg.solve, m, b)


def test_stacks_of_equations_stretch() -> None:
    a, b = regular(3, 2, 1), numbers(4, 3, 2)
    x = TensorType("float64", (None, 1, None, None))("a")
    y = T.tensor3("b")
    (found,) = interpret([S.solve(x, y)], {x: a, y: b})
    np.testing.assert_allclose(found, np.linalg.solve(a, b))
    gradient = grad(S.solve(x, y).sum(), y)
    assert gradient.eval({x: a, y: b}).shape == b.shape
    for structure in ("pos", "lower_triangular"):
        (found,) = interpret([S.solve(x, y, structure)], {x: positive(3, 2, 1), y: b})
        assert found.shape == (2, 4, 3, 2)


def test_solving_with_factors_that_are_there() -> None:
    m, p, b = regular(4, seed=3)[::-1].copy(), positive(4), numbers(4, 2)
    for lower in (False, True):
        assert_values(
            lambda a, c, lower=lower: S.cho_solve((S.cholesky(a, lower=lower), lower), c),
            np.linalg.solve, p, b,
        )  # fmt: skip
    for trans, turned in ((0, m), (1, m.T)):
        assert_values(
            lambda a, c, trans=trans: S.lu_solve(S.lu_factor(a), c, trans),
            lambda a, c, turned=turned: np.linalg.solve(turned, c), m, b,
        )  # fmt: skip


@pytest.mark.parametrize("stack", [(), (2,)])
@pytest.mark.parametrize("imaginary", [False, True])
def test_lu_is_scipys(stack: tuple[int, ...], imaginary: bool) -> None:
    m = numbers(*stack, 4, 4, imaginary=imaginary)
    assert_values(S.lu, scipy.linalg.lu, m)
    assert_values(
        lambda x: S.lu(x, permute_l=True), lambda x: scipy.linalg.lu(x, permute_l=True), m
    )
    if not stack:
        assert_values(S.lu_factor, scipy.linalg.lu_factor, m)


def test_generalized_eigenvalues_read_one_triangle() -> None:
    a, b = numbers(3, 3), positive() + np.triu(np.ones((3, 3)), 1)
    for lower in (True, False):
        assert_values(
            lambda x, y, lower=lower: S.eigvalsh(x, y, lower),
            lambda x, y, lower=lower: scipy.linalg.eigvalsh(x, y, lower=lower),
            a, b if lower else b.T,
        )  # fmt: skip


@pytest.mark.parametrize(("rows", "columns"), [(5, 3), (3, 3), (2, 3)])
def test_least_squares(rows: int, columns: int) -> None:
    a, b = numbers(rows, columns), numbers(rows, 2, seed=1)
    x, residuals, rank, s = results(N.lstsq, a, b)
    solution, _, known_rank, known_s = np.linalg.lstsq(a, b)
    np.testing.assert_allclose(x, solution)
    np.testing.assert_allclose(residuals, np.sum((b - a @ solution) ** 2, 0), atol=1e-15)
    np.testing.assert_allclose(s, known_s)
    assert rank == known_rank
    x, residuals, _, _ = results(N.lstsq, a, b[:, 0])
    np.testing.assert_allclose(x, solution[:, 0])
    assert residuals.shape == (1,), "as NumPy has it"


def test_least_squares_of_a_matrix_of_lower_rank() -> None:
    a = np.outer([1.0, 2, 3], [1.0, 1])
    x, _, rank, _ = results(N.lstsq, a, np.array([1.0, 2, 4]))
    assert rank == 1
    np.testing.assert_allclose(x, np.linalg.pinv(a) @ [1, 2, 4])


def test_tensors_as_matrices() -> None:
    a, b = regular(6).reshape(2, 3, 6), numbers(2, 3)
    assert_values(N.tensorinv, np.linalg.tensorinv, a)
    assert_values(
        lambda x: N.tensorinv(x, 1),
        lambda x: np.linalg.tensorinv(x, 1),
        regular(6).reshape(6, 2, 3),
    )
    assert_values(N.tensorsolve, np.linalg.tensorsolve, a, b)
    assert_values(
        lambda x, y: N.tensorsolve(x, y, axes=(1,)),
        lambda x, y: np.linalg.tensorsolve(x, y, axes=(1,)),
        np.moveaxis(a, 2, 1), b,
    )  # fmt: skip


def test_matrices_along_a_diagonal() -> None:
    blocks = [numbers(2, 3), numbers(1, 1), numbers(0, 2)]
    assert_values(S.block_diag, scipy.linalg.block_diag, *blocks)


@pytest.mark.parametrize("imaginary", [False, True])
@pytest.mark.parametrize(
    ("shape", "ord", "axis"),
    [
        ((3,), None, None), ((3,), 1, None), ((3,), "inf", None), ((3,), -np.inf, None),
        ((3,), 0, None), ((3,), 3, None), ((3,), 0.5, None), ((3,), -1, None),
        ((2, 3), None, None), ((2, 3), "fro", None), ((2, 3), "nuc", None),
        ((2, 3), 1, None), ((2, 3), -1, None), ((2, 3), 2, None), ((2, 3), -2, None),
        ((2, 3), np.inf, None), ((2, 3), "-inf", None), ((2, 3), 1, 0), ((2, 3), 2, -1),
        ((2, 3, 4), None, None), ((2, 3, 4), 1, (0, 2)), ((2, 3, 4), "nuc", (2, 1)),
    ],
)  # fmt: skip
def test_norms_are_numpys(shape: tuple[int, ...], ord: Any, axis: Any, imaginary: bool) -> None:
    own = float(ord) if ord in ("inf", "-inf") else ord
    for keepdims in (False, True):
        assert_values(
            lambda x, keepdims=keepdims: N.norm(x, ord, axis, keepdims),
            lambda x, keepdims=keepdims: np.linalg.norm(x, own, axis, keepdims),
            numbers(*shape, imaginary=imaginary),
        )  # fmt: skip


def test_the_norm_method_is_of_elements() -> None:
    """x.norm(L, axis): of a matrix too it is the root of a sum, as in Theano."""
    assert_values(lambda x: x.norm(2), np.linalg.norm, numbers(2, 3))
    assert_values(lambda x: x.norm(1, axis=0), lambda x: np.abs(x).sum(0), numbers(2, 3))


def test_the_norm_has_a_slope_of_zero_at_zero() -> None:
    x = T.dvector("x")
    assert grad(N.norm(x, None), x).eval({x: np.zeros(3)}).tolist() == [0, 0, 0]


def test_the_pseudo_inverse_of_float32_cuts_off_what_is_rounding() -> None:
    m = np.outer([1, 2, 3], [1, 1]).astype("float32")
    (found,) = results(N.pinv, m)
    np.testing.assert_allclose(found, np.linalg.pinv(m.astype("float64")), rtol=1e-5)


# dtypes


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool"])
def test_whole_numbers_become_float64(dtype: str) -> None:
    m = np.array([[1, 0], [1, 1]], dtype)
    for op in (N.matrix_inverse, N.det, S.expm, S.cholesky, N.pinv, L.svdvals):
        assert results(op, np.eye(2, dtype=dtype))[0].dtype == "float64"
    np.testing.assert_allclose(results(N.matrix_inverse, m)[0], [[1, 0], [-1, 1]])
    joint = "float64" if dtype == "int64" else "float32"
    assert results(S.solve, m, np.ones(2, "float32"))[0].dtype == joint


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_single_precision_stays_single(dtype: str) -> None:
    m = regular().astype(dtype)
    for op in (N.matrix_inverse, N.det, N.eigh, N.svd, N.qr, S.cholesky, S.lu, S.expm, N.pinv):
        for found in results(op, m):
            assert found.dtype in ("float32", "complex64")
    assert [v.dtype for v in results(N.eig, m)] == ["complex64", "complex64"]


def test_float16_is_refused_with_the_way_out() -> None:
    x = TensorType("float16", (None, None))("x")
    with pytest.raises(TypeMismatchError, match="no linear algebra in float16") as caught:
        N.matrix_inverse(x)
    assert caught.value.hint == "Cast to float32 first."


# Gradients


def assert_gradient(build: Callable[..., Any], *values: Array, close: float = 1e-6) -> None:
    """Against differences, at one random point of complex or real numbers, in one direction."""
    arrays = [np.asarray(v) for v in values]
    inputs = variables(arrays)
    built = build(*inputs)
    outputs = [v for v in ([built] if isinstance(built, Variable) else built)
               if v.dtype.startswith(("float", "complex"))]  # fmt: skip
    given = dict(zip(inputs, arrays, strict=True))
    weights = [
        numbers(*v.shape, seed=8 + i, imaginary=v.dtype.kind == "c")
        for i, v in enumerate(interpret(outputs, given))
    ]
    known = {v: T.constant(w) for v, w in zip(outputs, weights, strict=True)}
    gradients = interpret(
        grad(None, inputs, known_grads=known, disconnected_inputs="ignore"), given
    )
    for i, (v, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        assert (gradient.dtype, gradient.shape) == (v.dtype, v.shape)
        step = numbers(*v.shape, seed=20 + i, imaginary=v.dtype.kind == "c")
        ends = []
        for h in (1e-6, -1e-6):
            moved = given | {inputs[i]: v + h * step}
            ends.append(
                sum(np.sum(np.conj(w) * y).real
                    for w, y in zip(weights, interpret(outputs, moved), strict=True))
            )  # fmt: skip
        slope = (ends[0] - ends[1]) / 2e-6
        assert np.sum(np.conj(gradient) * step).real == pytest.approx(slope, rel=close, abs=close)


Z = {"imaginary": True}
TALL, WIDE = numbers(4, 3, **Z), numbers(2, 4, **Z)

GRADIENTS: dict[str, tuple[Callable[..., Any], list[Array]]] = {
    "inverse": (N.matrix_inverse, [regular(**Z)]),
    "det": (N.det, [regular(**Z)]),
    "det of a stack": (N.det, [regular(3, 2, **Z)]),
    "slogdet": (N.slogdet, [regular(**Z)]),
    "power": (lambda x: N.matrix_power(x, 3), [regular(**Z)]),
    "negative power": (lambda x: N.matrix_power(x, -2), [regular(**Z)]),
    "expm": (S.expm, [numbers(3, 3, **Z)]),
    "pinv tall": (N.pinv, [TALL]),
    "pinv wide": (N.pinv, [WIDE]),
    "lstsq tall": (N.lstsq, [TALL, numbers(4, 2, **Z)]),
    "lstsq wide": (lambda a, b: N.lstsq(a, b)[0], [WIDE, numbers(2, **Z)]),
    "cholesky": (S.cholesky, [positive(**Z)]),
    "cholesky upper": (lambda x: S.cholesky(x, lower=False), [positive(**Z)]),
    "cholesky nan": (lambda x: S.cholesky(x, on_error="nan"), [positive(3, 2, **Z)]),
    "eigvalsh": (S.eigvalsh, [positive(**Z)]),
    "eigvalsh upper": (lambda x: S.eigvalsh(x, lower=False), [positive(**Z)]),
    "generalized": (S.eigvalsh, [numbers(3, 3, **Z), positive(**Z)]),
    "eigvals": (N.eigvals, [regular(**Z)]),
    "eigvals in pairs": (N.eigvals, [numbers(4, 4, seed=2)]),
    "eigh of the projector": (
        lambda x: (lambda w, v: [w, columns_scaled(v, T.constant([1.0, 2, 4])) @ adjoint(v)])(
            *N.eigh(x)
        ),
        [positive(**Z)],
    ),
    "eig of the projector": (
        lambda x: (
            lambda w, v: [w, columns_scaled(v, T.constant([1.0, 2, 4])) @ N.matrix_inverse(v)]
        )(*N.eig(x)),
        [regular(**Z)],
    ),
    "svd": (
        lambda x: (
            lambda u, s, v: [s, columns_scaled(u, T.constant([1.0, 2, 4])) @ v]
        )(*N.svd(x, False)),
        [TALL],
    ),
    "svd of a wide matrix": (
        lambda x: (lambda u, s, v: [s, columns_scaled(u, T.constant([1.0, 2])) @ v])(
            *N.svd(x, False)
        ),
        [WIDE],
    ),
    "svd with all columns": (
        lambda x: (
            lambda u, s, v: [
                columns_scaled(u, T.constant([1.0, 2, 4, 3])) @ adjoint(u),
                columns_scaled(adjoint(v), T.constant([1.0, 2, 4])) @ v,
            ]
        )(*N.svd(x)),
        [TALL],
    ),
    "svd of a real wide matrix with all rows": (
        lambda x: (
            lambda u, s, v: [u, s, columns_scaled(adjoint(v), T.constant([1.0, 2, 4, 4])) @ v]
        )(*N.svd(x)),
        [numbers(2, 4)],
    ),
    "singular values": (L.svdvals, [TALL]),
    "qr": (N.qr, [TALL]),
    "qr of a square": (N.qr, [regular(**Z)]),
    "qr of a wide matrix": (N.qr, [WIDE]),
    "r alone": (lambda x: N.qr(x, "r"), [WIDE]),
    "qr with all columns": (
        lambda x: (
            lambda q, r: [columns_scaled(q, T.constant([1.0, 2, 4, 3])) @ adjoint(q), r]
        )(*N.qr(x, "complete")),
        [TALL],
    ),
    "lu": (S.lu, [numbers(4, 4, **Z)]),
    "lu_factor": (S.lu_factor, [numbers(4, 4, **Z)]),
    "tensorinv": (N.tensorinv, [regular(6, **Z).reshape(2, 3, 6)]),
    "tensorsolve": (N.tensorsolve, [regular(6, **Z).reshape(2, 3, 6), numbers(2, 3, **Z)]),
    "cho_solve": (lambda c, b: S.cho_solve((c, True), b), [regular(**Z), numbers(3, **Z)]),
    "lu_solve": (
        lambda m, b: S.lu_solve(S.lu_factor(m), b, "C"), [numbers(4, 4, **Z), numbers(4, **Z)],
    ),
    "solve transposed": (
        lambda a, b: S.solve(a, b, transposed=True), [regular(**Z), numbers(3, 2, **Z)],
    ),
    "norm": (N.norm, [numbers(3, **Z)]),
    "frobenius": (lambda x: N.norm(x, "fro"), [TALL]),
    "nuclear": (lambda x: N.norm(x, "nuc"), [TALL]),
    "spectral": (lambda x: N.norm(x, 2), [TALL]),
    "cond": (N.cond, [regular(**Z)]),
    **{
        f"solve {structure} {lower}": (
            lambda a, b, structure=structure, lower=lower: S.solve(a, b, structure, lower),
            [positive(**Z), numbers(3, 2, **Z)],
        )
        for structure in ("gen", "sym", "her", "pos", "lower_triangular", "upper_triangular")
        for lower in (False, True)
    },
    **{
        f"solve_triangular {trans} {lower}": (
            lambda a, b, trans=trans, lower=lower: S.solve_triangular(a, b, trans, lower, True),
            [regular(**Z), numbers(3, **Z)],
        )
        for trans in "NTC"
        for lower in (False, True)
    },
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_complex_matrices(name: str) -> None:
    build, values = GRADIENTS[name]
    assert_gradient(build, *values)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_real_matrices(name: str) -> None:
    build, values = GRADIENTS[name]
    assert_gradient(build, *(np.ascontiguousarray(v.real) for v in values))


def test_the_gradient_of_det_is_right_where_there_is_no_inverse() -> None:
    m = np.array([[1.0, 2, 3], [2, 4, 6], [1, 0, 1]])
    x = T.dmatrix("x")
    found = grad(N.det(x), x).eval({x: m})
    cofactors = np.empty_like(m)
    for i, j in np.ndindex(3, 3):
        minor = np.delete(np.delete(m, i, 0), j, 1)
        cofactors[i, j] = (-1) ** (i + j) * (minor[0, 0] * minor[1, 1] - minor[0, 1] * minor[1, 0])
    np.testing.assert_allclose(found, cofactors, atol=1e-14)
    assert grad(N.det(x), x).eval({x: np.zeros((3, 3))}).tolist() == np.zeros((3, 3)).tolist()


def test_equal_eigenvalues_do_not_spoil_what_does_not_depend_on_vectors() -> None:
    x = T.dmatrix("x")
    w, _ = N.eigh(x)
    np.testing.assert_allclose(grad(w.sum(), x).eval({x: np.eye(3)}), np.eye(3), atol=1e-15)
    s = N.svd(x)[1]
    np.testing.assert_allclose(grad(s.sum(), x).eval({x: np.eye(3)}), np.eye(3), atol=1e-15)


def test_a_gradient_of_a_triangle_has_zeros_in_the_other() -> None:
    x = T.dmatrix("x")
    for cost in (
        S.cholesky(x).sum(),
        S.eigvalsh(x).prod() if "prod" in OPS else N.eigh(x)[0].max(),
    ):
        assert np.triu(grad(cost, x).eval({x: positive()}), 1).tolist() == np.zeros((3, 3)).tolist()


def test_logdet_by_way_of_cholesky_has_the_gradient_of_logdet() -> None:
    x = T.dmatrix("x")
    (factor,) = [S.cholesky(x)]
    half = grad(2 * T.log(T.einsum("ii->i", factor)).sum(), x)
    whole = grad(N.slogdet(x)[1], x)
    m = positive()
    both = whole + whole.T - T.einsum("ii->i", whole) * np.eye(3)
    np.testing.assert_allclose(
        half.eval({x: m}), np.tril(both.eval({x: m})), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize(
    "cost",
    [
        lambda x: N.slogdet(x)[1],
        lambda x: S.solve(x, T.constant([1.0, 2, 3])).sum(),
        lambda x: T.sqr(N.matrix_inverse(x)).sum(),
        lambda x: S.expm(x).sum(),
        lambda x: S.cholesky(x).sum(),
        lambda x: T.sqr(N.qr(x)[0]).max(),
    ],
)
def test_second_derivatives_and_products_with_the_jacobian(cost: Callable[..., Variable]) -> None:
    x, v = T.dmatrix("x"), T.dmatrix("v")
    first = grad(cost(x), x)
    along = Rop(first, x, v)
    m, d = positive() / 3, numbers(3, 3)
    found = along.eval({x: m, v: d})
    step = (first.eval({x: m + 1e-5 * d}) - first.eval({x: m - 1e-5 * d})) / 2e-5
    np.testing.assert_allclose(found, step, rtol=1e-5, atol=1e-6)


def test_a_gaussian_process_learns_its_length_scale() -> None:
    """The log marginal likelihood and its gradient, against differences: GPs are made of this."""
    points = np.linspace(0, 1, 6)
    y = np.sin(5 * points)
    scale = T.dscalar("scale")
    distance = T.constant((points[:, None] - points) ** 2)
    k = T.exp(-distance / (2 * T.sqr(scale))) + 0.1 * np.eye(6)
    factor = S.cholesky(k)
    alpha = S.cho_solve((factor, True), T.constant(y))
    likelihood = T.dot(y, alpha) / 2 + T.log(T.einsum("ii->i", factor)).sum()
    slope = grad(likelihood, scale).eval({scale: 0.3})
    ends = [likelihood.eval({scale: 0.3 + h}) for h in (1e-6, -1e-6)]
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


# Errors


SINGULAR = np.ones((2, 2))


@pytest.mark.parametrize(
    ("build", "values", "what"),
    [
        (N.matrix_inverse, [SINGULAR], "singular: it has no inverse"),
        (S.solve, [SINGULAR, np.ones(2)], "singular: the equations have no one solution"),
        (S.solve_lower_triangular, [np.zeros((2, 2)), np.ones(2)], "singular"),
        (S.solve_symmetric, [SINGULAR, np.ones(2)], "singular"),
        (lambda a, b: S.solve(a, b, "pos"), [-SINGULAR, np.ones(2)], "not positive definite"),
        (S.cholesky, [-SINGULAR], "not positive definite"),
        (N.tensorinv, [np.ones((1, 2, 2))], "singular"),
        (N.tensorsolve, [np.ones((2, 2)), np.ones(2)], "singular"),
        (N.svd, [SINGULAR * np.nan], "singular values could not be computed"),
        (N.eigvals, [SINGULAR * np.nan], "eigenvalues could not be computed"),
    ],
)
@pytest.mark.parametrize("native", [False, True])
def test_what_a_matrix_lacks_is_said_with_the_op_and_the_way_out(
    build: Callable[..., Any],
    values: list[Array],
    what: str,
    native: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WIREGRAD_CACHE", str(tmp_path))
    inputs = variables(values)
    built = build(*inputs)
    outputs = [built] if isinstance(built, Variable) else list(built)
    for out in outputs:
        assert out.owner is not None
        out.owner.origins = frozenset({"node-7"})
    with pytest.raises(LinearAlgebraError, match=what) as caught:  # noqa: PT012
        if native:
            graph = Graph(inputs, outputs)
            kernels = compile_graph(
                graph, {v: a.shape for v, a in zip(inputs, values, strict=True)}
            )
            for v, value in zip(inputs, values, strict=True):
                kernels.inputs[v][...] = value
            kernels.call()
        else:
            interpret(outputs, dict(zip(inputs, values, strict=True)))
    error = caught.value
    assert isinstance(error, np.linalg.LinAlgError)
    assert error.node == "node-7"
    assert error.kind == "linear-algebra"
    assert error.hint


@pytest.mark.parametrize(
    "build",
    [N.matrix_inverse, N.det, N.slogdet, N.eigh, N.eig, S.cholesky, S.expm, S.lu, S.eigvalsh,
     lambda x: N.matrix_power(x, 3), lambda x: S.solve(x, np.ones(2))],
)  # fmt: skip
def test_what_is_of_square_matrices_says_so(build: Callable[..., Any]) -> None:
    x = TensorType("float64", (2, 3))("x")
    with pytest.raises(ShapeError, match="must be square, but it has 2 rows and 3 columns"):
        build(x)
    with pytest.raises(ShapeError, match="must be a matrix, but it has 1 dimension"):
        build(T.vector("v"))


def test_shapes_that_come_with_the_values_are_checked_when_it_runs() -> None:
    x, b = T.matrix("x"), T.vector("b")
    with pytest.raises(ShapeError, match="must be square, but it has 2 rows and 3 columns"):
        N.det(x).eval({x: np.ones((2, 3))})
    with pytest.raises(ShapeError, match="a has 3 rows, but b has 2"):
        S.solve(x, b).eval({x: np.eye(3), b: np.ones(2)})


def test_one_vector_for_a_stack_of_matrices_is_refused() -> None:
    with pytest.raises(ShapeError, match="b is one vector"):
        S.solve(T.tensor3("a"), T.vector("b"))


def test_what_is_not_there_is_refused_with_what_is() -> None:
    x = T.matrix("x")
    for call in (
        lambda: N.qr(x, "raw"),
        lambda: N.norm(x, "foo"),
        lambda: S.solve(x, x, "foo"),
        lambda: S.solve_triangular(x, x, "H"),
        lambda: S.cholesky(x, on_error="ignore"),
        lambda: N.eigh(x, "M"),
    ):
        with pytest.raises(ParameterError) as caught:
            call()
        assert caught.value.expected
    with pytest.raises(ShapeError, match="not of 3 axes"):
        N.norm(T.tensor3("t"), 2)
    with pytest.raises(ShapeError, match="A block must be a matrix"):
        S.block_diag(x, T.vector("v"))


# Doors


def test_every_door_leads_to_an_op_or_a_function() -> None:
    for module in (N, S, L):
        for name in module.__all__:
            assert callable(getattr(module, name)), name
    assert T.inv is OPS["inv"], "T.inv stays one over each element"
    assert L.inv is OPS["matrix_inverse"]


def test_scipys_linear_algebra_is_only_loaded_when_it_is_needed() -> None:
    program = "import sys, engine.tensor; print('scipy.linalg' in sys.modules)"
    folder = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "op",
    [N.matrix_inverse, N.det, N.slogdet, N.eigh, N.eig, N.qr, N.svd, N.pinv, S.cholesky, S.expm,
     S.lu, S.lu_factor, S.eigvalsh, L.svdvals],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(2, 0, 0), (0, 3, 3), (0, 0)])
def test_stacks_of_nothing_and_matrices_without_elements(
    op: Callable[..., Any], shape: tuple[int, ...]
) -> None:
    m = np.empty(shape)
    assert all(v.shape[: m.ndim - 2] == m.shape[:-2] for v in results(op, m))
    assert_gradient(op, m)


def test_a_triangle_begins_where_it_is_told() -> None:
    m = numbers(3, 4)
    for offset in (-1, 0, 2):
        assert_values(
            lambda x, k=offset: triangle(x, True, k), lambda x, k=offset: np.tril(x, -k), m
        )
        assert_values(
            lambda x, k=offset: triangle(x, False, k), lambda x, k=offset: np.triu(x, k), m
        )
