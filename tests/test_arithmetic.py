"""Arithmetic, rounding, comparison and casts: what C leaves open is settled alike everywhere."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.errors import TypeMismatchError
from engine.expression import OPS, Variable
from engine.graph import Graph
from engine.types import DISCRETE, INTEGERS, TensorType

Array = np.ndarray[Any, Any]


def computed(outputs: Sequence[Variable], values: Mapping[Variable, Any]) -> list[Array]:
    """The values of the outputs, which the kernels have found as well, bit for bit."""
    arrays = {v: np.asarray(a, v.dtype) for v, a in values.items()}
    expected = interpret(outputs, arrays)
    native = compile_graph(Graph(list(arrays), outputs), {v: a.shape for v, a in arrays.items()})
    for v, a in arrays.items():
        native.inputs[v][...] = a
    native.call()
    for out, found, value in zip(outputs, native.outputs, expected, strict=True):
        assert found.dtype == value.dtype == out.dtype
        np.testing.assert_array_equal(found, value, err_msg=repr(out.owner))
    return expected


def vectors(dtype: str, *names: str) -> list[Variable]:
    return [TensorType(dtype, (None,))(name) for name in names]


def extremes(dtype: str) -> list[int]:
    """Numbers at which integer arithmetic goes wrong: the bounds, 0 and 1, and some between."""
    bounds = np.iinfo(dtype)
    signed = [-1, -2, -7] if bounds.min else []
    return [0, 1, 2, 3, 7, 63, 64, bounds.max - 1, bounds.max, bounds.min, *signed]


# Integers.


def wrapped(value: int, dtype: str) -> int:
    """What is left of a whole number in so many bits."""
    bounds = np.iinfo(dtype)
    return (value - int(bounds.min)) % (int(bounds.max) - int(bounds.min) + 1) + int(bounds.min)


def floor_divide(x: int, y: int) -> int:
    return x // y if y else 0


def remainder(x: int, y: int) -> int:
    return x % y if y else 0


def power(x: int, y: int) -> int:
    if y >= 0:
        return pow(x, y, 1 << 64)
    return {1: 1, -1: -1 if y % 2 else 1}.get(x, 0)


def left_shift(bits: int) -> Callable[[int, int], int]:
    return lambda x, y: x << y if 0 <= y < bits else 0


def right_shift(bits: int) -> Callable[[int, int], int]:
    return lambda x, y: x >> y if 0 <= y < bits else -(x < 0)


@pytest.mark.parametrize("dtype", sorted(INTEGERS))
def test_integer_arithmetic_wraps_and_never_fails(dtype: str) -> None:
    x, y = vectors(dtype, "x", "y")
    bits = np.iinfo(dtype).bits
    meaning: dict[str, Callable[[int, int], int]] = {
        "add": operator.add,
        "sub": operator.sub,
        "mul": operator.mul,
        "int_div": floor_divide,
        "mod": remainder,
        "pow": power,
        "left_shift": left_shift(bits),
        "right_shift": right_shift(bits),
        "maximum": max,
        "minimum": min,
        "and_": operator.and_,
        "or_": operator.or_,
        "xor": operator.xor,
    }
    pairs = [(a, b) for a in extremes(dtype) for b in extremes(dtype)]
    values = {x: [a for a, _ in pairs], y: [b for _, b in pairs]}
    outputs = [OPS[name](x, y) for name in meaning]
    for found, (name, function) in zip(computed(outputs, values), meaning.items(), strict=True):
        assert found.dtype == dtype
        assert found.tolist() == [wrapped(function(a, b), dtype) for a, b in pairs], name


@pytest.mark.parametrize("dtype", sorted(INTEGERS))
def test_functions_of_one_integer_keep_its_dtype_and_wrap(dtype: str) -> None:
    (x,) = vectors(dtype, "x")
    meaning: dict[str, Callable[[int], int]] = {
        "neg": operator.neg,
        "abs": abs,
        "sqr": lambda a: a * a,
        "sgn": lambda a: (a > 0) - (a < 0),
        "invert": lambda a: ~a,
        "trunc": int,
        "round_half_to_even": int,
        "round_half_away_from_zero": int,
        "real": int,
        "conj": int,
        "imag": lambda a: 0,
    }
    found = computed([OPS[name](x) for name in meaning], {x: extremes(dtype)})
    for value, (name, function) in zip(found, meaning.items(), strict=True):
        assert value.dtype == dtype
        assert value.tolist() == [wrapped(function(a), dtype) for a in extremes(dtype)], name


def test_division_of_negative_numbers_rounds_down() -> None:
    x, y = vectors("int32", "x", "y")
    quotient, rest, true, up = computed(
        [x // y, x % y, x / y, T.ceil_intdiv(x, y)], {x: [-7, -7, 7, 7], y: [2, -2, -2, 2]}
    )
    assert quotient.tolist() == [-4, 3, -4, 3]
    assert rest.tolist() == [1, -1, -1, 1]
    assert true.tolist() == [-3.5, 3.5, -3.5, 3.5]
    assert true.dtype == "float64"
    assert up.tolist() == [-3, 4, -3, 4]


def test_remainders_of_floats_have_the_sign_of_the_divisor() -> None:
    x, y = vectors("float64", "x", "y")
    quotient, rest = T.divmod(x, y)
    a, b = computed(
        [quotient, rest],
        {x: [-7.5, 7.5, -1, 1, np.inf, 1, -0.0], y: [2, -2, np.inf, np.inf, 2, 0, 3]},
    )
    assert a[:4].tolist() == [-4, -4, -1, 0]
    assert b[:4].tolist() == [0.5, -0.5, np.inf, 1]
    assert np.isnan(b[4:6]).all()
    assert (a[5], b[6]) == (np.inf, 0)
    assert divmod(x, y)[0].type == quotient.type


def test_the_rules_of_theano_for_powers_of_literals() -> None:
    b = T.bscalar("b")
    assert (b**7).dtype == "int8"
    assert interpret([b**7], {b: 2}) == [-128]
    assert interpret([T.pow(T.constant(2), T.constant(7))], {}) == [-128]
    assert interpret([T.pow(2, 7)], {}) == [128]
    assert interpret([T.mul(100, 2, 3)], {}) == [600]


def test_numbers_alone_have_all_digits_of_floatx() -> None:
    for expression, expected in [
        (T.sqrt(2), math.sqrt(2)), (T.exp(1), math.e), (T.add(1.5, 1.1), 2.6),
        (T.factorial(20), float(math.factorial(20))), (T.true_div(1, 3), 1 / 3),
    ]:  # fmt: skip
        assert expression.dtype == "float64"
        assert interpret([expression], {})[0] == pytest.approx(expected, rel=1e-15)
    assert T.sqrt(T.bscalar()).dtype == "float32"
    assert T.lt(1, 300).dtype == "bool"
    assert T.add(True, False).dtype == "bool"
    # A number of NumPy's has a dtype that somebody chose.
    assert T.exp(np.float32(2)).dtype == T.sqr(np.float32(2)).dtype == "float32"
    assert T.pow(np.int8(2), np.int8(7)).dtype == "int8"


def test_associative_ops_take_any_number() -> None:
    b, x = T.bscalar("b"), T.dscalar("x")
    assert interpret([T.add(x, 1, b, 2)], {x: 0.5, b: 3}) == [6.5]
    assert interpret([T.mul(x, x, x)], {x: 3.0}) == [27]
    assert interpret([T.maximum(b, 5, 2), T.smallest(b, 1, -1)], {b: 3}) == [5, -1]
    assert T.add(1, 2, b).dtype == "int8"
    assert interpret([T.and_(b, 6, 3)], {b: 7}) == [2]


def test_operators_on_both_sides() -> None:
    i = T.iscalar("i")
    results = {
        5 & i: 4, i & 5: 4, 3 | i: 7, 1 ^ i: 5, 1 << i: 16, i << 1: 8, 256 >> i: 16, i >> 1: 2,
        divmod(i, 3)[1]: 1, divmod(13, i)[0]: 3, 2**i: 16, 2 - i: -2, 9 // i: 2, 9 % i: 1, ~i: -5,
    }  # fmt: skip
    assert interpret(list(results), {i: 4}) == list(results.values())
    x = T.dscalar("x")
    assert interpret([math.floor(x), math.ceil(x), math.trunc(x), x.round()], {x: -1.5}) == [
        -2, -1, -1, -2,
    ]  # fmt: skip


def test_equality_of_variables_is_identity() -> None:
    x, y = T.dscalars("x", "y")
    assert x == x
    assert x != y
    assert len({x, y, x}) == 2


def test_bool_has_logic_but_no_differences() -> None:
    p, q = vectors("bool", "p", "q")
    values = {p: [True, True, False, False], q: [True, False, True, False]}
    both, either, one, negation = computed([p & q, p | q, p ^ q, ~p], values)
    assert both.tolist() == [True, False, False, False]
    assert either.tolist() == [True, True, True, False]
    assert one.tolist() == [False, True, True, False]
    assert negation.tolist() == [False, False, True, True]
    for refused in (lambda: -p, lambda: p - q, lambda: p % q, lambda: p**q, lambda: p << q):
        with pytest.raises(TypeMismatchError, match="bool"):
            refused()
    with pytest.raises(TypeMismatchError, match=r"float64 has no bits(.|\n)*Compare first"):
        T.dvector() & p


# Rounding.


def test_halves_go_to_the_even_neighbour_unless_told_otherwise() -> None:
    (x,) = vectors("float64", "x")
    half = [0.5, 1.5, -0.5, 2.5, -2.5, 0.49999999999999994, 1e300, np.inf]
    even, same, away, whole = computed(
        [x.round(), T.round(x, None), T.round(x, mode="half_away_from_zero"), T.iround(x)],
        {x: half},
    )
    assert even.tolist() == same.tolist() == [0, 2, -0.0, 2, -2, 0, 1e300, np.inf]
    assert np.signbit(even[2])
    assert away.tolist() == [1, 2, -1, 3, -3, 0, 1e300, np.inf]
    assert whole.tolist() == [0, 2, 0, 2, -2, 0, 2**63 - 1, 2**63 - 1]
    assert whole.dtype == "int64"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_roundings_are_floats_also_of_integers(dtype: str) -> None:
    x, i = (*vectors(dtype, "x"), *vectors("int16", "i"))
    up, down, cut, of_int = computed(
        [T.ceil(x), T.floor(x), T.trunc(x), T.floor(i)],
        {x: [-1.5, 1.5, -0.25, np.nan], i: [1, -2, 3, 0]},
    )
    assert up.tolist()[:3] == [-1, 2, 0]
    assert down.tolist()[:3] == [-2, 1, -1]
    assert cut.tolist()[:3] == [-1, 1, 0]
    assert np.isnan([up[3], down[3], cut[3]]).all()
    assert of_int.dtype == "float32"


# Comparison.


def test_closeness_is_numpys() -> None:
    x, y = vectors("float64", "x", "y")
    a = [1, 1, np.nan, np.inf, np.inf, -np.inf, 1e10, 0, 5]
    b = [1 + 1e-6, 1.1, np.nan, np.inf, 1, np.inf, 1e10 + 1e4, 1e-9, 5]
    near, loose, nan = computed(
        [T.isclose(x, y), T.isclose(x, y, 0.2, 0), T.isclose(x, y, equal_nan=True)], {x: a, y: b}
    )
    assert near.tolist() == np.isclose(a, b).tolist()
    assert loose.tolist() == np.isclose(a, b, 0.2, 0).tolist()
    assert nan.tolist() == np.isclose(a, b, equal_nan=True).tolist()
    assert interpret([T.allclose(x, y), T.allclose(x, x, equal_nan=True)], {x: a, y: b}) == [
        False,
        True,
    ]


def test_closeness_does_not_wrap_around() -> None:
    x, y = vectors("uint8", "x", "y")
    assert computed([T.isclose(x, y, rtol=0, atol=2)], {x: [1, 250], y: [2, 3]})[0].tolist() == [
        True,
        False,
    ]


def test_what_is_not_finite_is_told_apart() -> None:
    (x,) = vectors("float64", "x")
    special = [np.nan, np.inf, -np.inf, 0.0, 1e308]
    nan, inf, finite = computed([T.isnan(x), T.isinf(x), T.isfinite(x)], {x: special})
    assert nan.tolist() == [True, False, False, False, False]
    assert inf.tolist() == [False, True, True, False, False]
    assert finite.tolist() == [False, False, False, True, True]
    (i,) = vectors("int32", "i")
    assert computed([T.isinf(i), T.isnan(i), T.isfinite(i)], {i: [3]}) == [False, False, True]


def test_a_condition_is_true_if_it_is_not_zero_whatever_the_branches_are() -> None:
    c, x = vectors("float64", "c", "x")
    i, j = vectors("int8", "i", "j")
    z = T.zvector("z")
    holds = {c: [0.5, 0.0, np.nan, -0.0], i: [1, 2, 3, 4], j: [5, 6, 7, 8], x: [0.1, 0.2, 0.3, 0.4]}
    chosen, mixed = computed([T.switch(c, i, j), T.where(c, x, i)], holds)
    assert (chosen.tolist(), chosen.dtype) == ([1, 6, 3, 8], "int8")
    assert mixed.tolist() == [0.1, 2, 0.3, 4]
    (complex_one,) = interpret([T.switch(c, z, 1)], {c: [1, 0], z: [2j, 3j]})
    assert complex_one.tolist() == [2j, 1]


def test_clip_gives_way_to_the_upper_bound() -> None:
    (x,) = vectors("float64", "x")
    special = [-5, 0, 5, np.nan]
    inside, crossed = computed([T.clip(x, -1, 1), x.clip(2, 1)], {x: special})
    assert inside.tolist()[:3] == [-1, 0, 1]
    assert crossed.tolist()[:3] == [1, 1, 1]
    assert np.isnan([inside[3], crossed[3]]).all()


# Casts.


@pytest.mark.parametrize("dtype", sorted(INTEGERS))
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_floats_become_the_nearest_integer_there_is(dtype: str, source: str) -> None:
    (x,) = vectors(source, "x")
    bounds = np.iinfo(dtype)
    special = [np.nan, np.inf, -np.inf, 1e30, -1e30, 300.7, -300.7, -0.9, 5.9, 0.0, 2.0**31,
               float(bounds.max), float(bounds.min), 2.0**62]  # fmt: skip
    (found,) = computed([T.cast(x, dtype)], {x: special})
    for value, number in zip(np.asarray(special, source).tolist(), found.tolist(), strict=True):
        if np.isnan(value):
            assert number == 0
        else:
            nearest = min(max(value, float(bounds.min)), float(bounds.max))
            exact = min(max(int(nearest), int(bounds.min)), int(bounds.max))
            assert number == exact, value


def test_casts_between_all_real_dtypes() -> None:
    (x,) = vectors("float64", "x")
    outputs = [x.astype("int16").astype(d) for d in sorted(DISCRETE)]
    found = dict(zip(sorted(DISCRETE), computed(outputs, {x: [300, -1, 0]}), strict=True))
    assert found["int8"].tolist() == [44, -1, 0]
    assert found["uint8"].tolist() == [44, 255, 0]
    assert found["bool"].tolist() == [True, True, False]
    assert interpret([T.cast(x, "bool")], {x: [np.nan, 0.5, 0]})[0].tolist() == [True, True, False]
    assert interpret([T.cast(x, "float16")], {x: [1e6, 1]})[0].tolist() == [np.inf, 1]


def test_complex_numbers_are_not_cast_to_real_ones() -> None:
    z = T.zscalar("z")
    with pytest.raises(TypeMismatchError, match=r"complex128 cannot be cast to float32(.|\n)*real"):
        z.astype("float32")
    assert z.astype("complex64").dtype == "complex64"


def test_an_identity_has_the_shape_of_its_model() -> None:
    m = T.fmatrix("m")
    (found,) = interpret([T.identity_like(m)], {m: np.ones((2, 3))})
    assert found.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert found.dtype == "float32"
    with pytest.raises(TypeMismatchError, match="two axes"):
        T.identity_like(T.fvector())


@pytest.mark.parametrize("options", [{}, {"rowvar": False}, {"bias": True}, {"ddof": 2}])
def test_covariances_are_numpys(options: dict[str, Any]) -> None:
    m, y, z = T.dmatrix("m"), T.dmatrix("y"), T.zmatrix("z")
    rng = np.random.default_rng(3)
    values = {m: rng.normal(size=(4, 4)), y: rng.normal(size=(4, 4))}
    values[z] = values[m] + 1j * values[y]
    outputs = [T.cov(m, **options), T.cov(m, y, **options), T.cov(z, **options), T.cov(m[0])]
    expected = [
        np.cov(values[m], **options), np.cov(values[m], values[y], **options),
        np.cov(values[z], **options), np.cov(values[m][0]),
    ]  # fmt: skip
    for found, value in zip(interpret(outputs, values), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-12)
    with pytest.raises(TypeMismatchError, match="rows or columns"):
        T.cov(T.dtensor3())
