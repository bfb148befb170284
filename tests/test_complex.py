"""Complex numbers: values as NumPy has them, gradients as dC/dRe + i dC/dIm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import engine.tensor as T
from engine import grad
from engine.codegen.numpy import interpret
from engine.errors import TypeMismatchError
from engine.expression import OPS, Variable
from engine.types import COMPLEX, EVERY, TensorType

POINTS = np.array([1 + 2j, -0.5 + 0.3j, 0.2 - 1.5j, -2 - 0.1j])


def slope(cost: Callable[[Variable], Variable], at: np.ndarray) -> np.ndarray:
    """dC/dRe + i dC/dIm by central differences, element by element."""
    z = T.zvector("z")
    (found,) = np.empty((1, *at.shape), complex)
    for k in range(len(at)):
        for step in (1e-6, 1e-6j):
            ends = []
            for sign in (1, -1):
                moved = at.copy()
                moved[k] += sign * step
                ends.append(float(interpret([cost(z)], {z: moved})[0]))
            difference = (ends[0] - ends[1]) / 2e-6
            found[k] = found[k].real + 1j * difference if step.imag else difference
    return found


COSTS: dict[str, Callable[[Variable], Variable]] = {
    "size": lambda z: T.sum(abs(z)),
    "square of the size": lambda z: T.sum(T.sqr(abs(z))),
    "product with the conjugate": lambda z: T.sum(T.real(z * T.conj(z))),
    "real part of a power": lambda z: T.sum(T.real(z**3)),
    "imaginary part of a power": lambda z: T.sum(T.imag(z ** (2 + 1j))),
    "angle": lambda z: T.sum(T.angle(z)),
    "from polar and back": lambda z: T.sum(T.real(T.complex_from_polar(abs(z), T.angle(z)) ** 2)),
    "parts put together": lambda z: T.sum(abs(T.complex(z.imag, z.real) * (1 + 2j))),
    "direction": lambda z: T.sum(T.imag(T.sgn(z) * (2 - 1j))),
    "exponential": lambda z: T.sum(T.real(T.exp(z) / z)),
    "logarithm": lambda z: T.sum(abs(T.log(z))),
    "trigonometry": lambda z: T.sum(T.real(T.sin(z) * T.cosh(z) + T.arctan(z))),
    "choice": lambda z: T.sum(abs(T.switch(T.real(z) > 0, z * z, T.conj(z)))),
    "real and complex mixed": lambda z: T.sum(abs(z.real * z + z.imag)),
}


@pytest.mark.parametrize("name", COSTS)
def test_gradient_is_by_the_real_part_plus_i_times_that_by_the_imaginary_one(name: str) -> None:
    cost = COSTS[name]
    z = T.zvector("z")
    (found,) = interpret([grad(cost(z), z)], {z: POINTS})
    assert found.dtype == "complex128"
    np.testing.assert_allclose(found, slope(cost, POINTS), rtol=1e-7, atol=1e-8)


def test_a_small_step_down_the_gradient_lowers_the_cost() -> None:
    z = T.zvector("z")
    cost = T.sum(T.sqr(abs(z * z - (1 + 1j))))
    (g,) = interpret([grad(cost, z)], {z: POINTS})
    (before,) = interpret([cost], {z: POINTS})
    (after,) = interpret([cost], {z: POINTS - 1e-4 * g})
    assert after < before


def test_the_size_of_zero_has_no_slope() -> None:
    z = T.zscalar("z")
    assert interpret([grad(abs(z), z)], {z: 0j})[0] == 0


def test_gradients_have_gradients() -> None:
    along = np.array([0.3 - 0.2j, 1j, 1 + 1j, -0.7])

    def cost(z: Variable) -> Variable:
        first = grad(T.sum(abs(z) ** 3 + T.angle(z) + T.real(z**3)), z)
        return T.sum(T.real(T.conj(first) * along))

    z = T.zvector("z")
    (found,) = interpret([grad(cost(z), z)], {z: POINTS})
    np.testing.assert_allclose(found, slope(cost, POINTS), rtol=1e-6, atol=1e-7)


def test_real_inputs_of_complex_expressions_have_real_gradients() -> None:
    x, z = T.dvector("x"), T.zvector("z")
    cost = T.sum(abs(T.complex(x, 2 * x) * z))
    by_x, by_z = interpret(grad(cost, [x, z]), {x: [1.0, 2.0], z: [1j, 3.0]})
    assert by_x.dtype == "float64"
    np.testing.assert_allclose(by_x, [np.sqrt(5), 3 * np.sqrt(5)])
    np.testing.assert_allclose(by_z, [1j * np.sqrt(5), 2 * np.sqrt(5)])


def test_parts_and_conjugates_are_attributes_as_in_numpy() -> None:
    z = T.cvector("z")
    values = {z: POINTS.astype("complex64")}
    real, imag, conj, other = interpret([z.real, z.imag, z.conj(), z.conjugate()], values)
    assert (real.dtype, imag.dtype, conj.dtype) == ("float32", "float32", "complex64")
    np.testing.assert_array_equal(real + 1j * imag, values[z])
    np.testing.assert_array_equal(conj, values[z].conj())
    np.testing.assert_array_equal(conj, other)


def test_of_real_numbers_the_parts_are_themselves_and_nothing() -> None:
    x, i = T.dvector("x"), T.bvector("i")
    found = interpret(
        [x.real, x.imag, x.conj(), T.angle(x), i.real, T.angle(i)], {x: [-2.0, 3.0], i: [1, -1]}
    )
    assert [v.tolist() for v in found] == [
        [-2, 3], [0, 0], [-2, 3], [np.pi, 0], [1, -1], [0, pytest.approx(np.pi)],
    ]  # fmt: skip
    assert [v.dtype.name for v in found[-2:]] == ["int8", "float32"]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float32", "complex64"), ("float64", "complex128"), ("int8", "complex64"),
     ("int64", "complex128"), ("float16", "complex64")],
)  # fmt: skip
def test_complex_numbers_are_as_wide_as_their_parts(dtype: str, expected: str) -> None:
    x = TensorType(dtype)("x")
    for make in (T.complex, T.complex_from_polar):
        out = make(x, x)
        assert out.dtype == expected
        assert interpret([out], {x: 1})[0].dtype == expected
    with pytest.raises(TypeMismatchError, match="not defined for complex"):
        T.complex(T.zscalar(), 1)


def test_an_infinite_part_leaves_the_other_alone() -> None:
    x, y = T.dscalars("x", "y")
    (z,) = interpret([T.complex(x, y)], {x: 1.0, y: np.inf})
    assert (z.real, z.imag) == (1, np.inf)


def test_what_knows_an_order_refuses_complex_numbers() -> None:
    refusing = {op for op in OPS.values() if op.is_elementwise and not op.dtypes & COMPLEX}
    assert {"lt", "ge", "floor", "mod", "maximum", "clip", "erf", "round_half_to_even"} <= {
        op.name for op in refusing
    }
    for name in ("lt", "gt", "le", "ge", "maximum", "minimum", "int_div", "mod", "arctan2"):
        with pytest.raises(TypeMismatchError, match=r"(.|\n)*real part"):
            OPS[name](T.zscalar(), 1.0)


def test_what_takes_all_dtypes_takes_complex_ones() -> None:
    z = T.zvector("z")
    for name in ("add", "mul", "exp", "log", "sqrt", "sin", "arctanh", "eq", "isnan", "inv"):
        op = OPS[name]
        assert op.dtypes >= EVERY - {"bool"}
        out = op(*[z] * len(op.ports))
        (found,) = interpret([out], {z: POINTS})
        expected = op.numpy(*[POINTS] * len(op.ports))
        np.testing.assert_allclose(found, expected, rtol=1e-14)
