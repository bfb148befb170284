"""Functions of one number and more, against mpmath, with the edges at which formulas break."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import engine.tensor as T
from engine import NullGradientError, function, grad
from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.errors import TypeMismatchError
from engine.expression import OPS
from engine.gradient import NullGradient
from engine.graph import Graph
from engine.types import TensorType

Meaning = Callable[..., Any]

OF_ONE: dict[str, tuple[Meaning, Sequence[float]]] = {
    "exp": (mp.exp, (-700, -1, 0, 1e-9, 3, 700)),
    "exp2": (lambda x: mp.mpf(2) ** x, (-100, -0.5, 0, 3.25)),
    "expm1": (mp.expm1, (-50, -1e-12, 0, 1e-12, 2)),
    "log": (mp.log, (1e-300, 0.5, 1, 7, 1e300)),
    "log1p": (mp.log1p, (-0.9, -1e-12, 1e-20, 3)),
    "log2": (lambda x: mp.log(x, 2), (0.3, 1, 8, 1e10)),
    "log10": (mp.log10, (0.3, 1, 1000, 1e-10)),
    "log1mexp": (lambda x: mp.log(1 - mp.exp(x)), (-50, -1, -0.6931, -1e-12)),
    "logit": (lambda x: mp.log(x / (1 - x)), (1e-20, 0.2, 0.4999999, 0.5, 0.7, 1 - 1e-6)),
    "sqrt": (mp.sqrt, (0, 0.5, 2, 1e300)),
    "cbrt": (lambda x: mp.sign(x) * mp.cbrt(abs(x)), (-27, -0.5, 0, 8, 1e300)),
    "sin": (mp.sin, (-3, 0, 1e-9, 2, 100)),
    "cos": (mp.cos, (-3, 0, 1e-9, 2, 100)),
    "tan": (mp.tan, (-1.5, 0, 1e-9, 1)),
    "arcsin": (mp.asin, (-1, -0.5, 0, 1e-9, 0.9, 1)),
    "arccos": (mp.acos, (-1, -0.5, 0, 0.9, 1)),
    "arctan": (mp.atan, (-1e9, -1, 0, 1e-9, 5)),
    "sinh": (mp.sinh, (-5, 1e-9, 0, 3)),
    "cosh": (mp.cosh, (-5, 1e-9, 0, 3)),
    "tanh": (mp.tanh, (-50, -0.5, 1e-9, 0, 3)),
    "arcsinh": (mp.asinh, (-1e9, -1, 1e-9, 0, 3)),
    "arccosh": (mp.acosh, (1, 1.5, 1e9)),
    "arctanh": (mp.atanh, (-0.999, -0.5, 1e-9, 0.5)),
    "deg2rad": (mp.radians, (-180, 0, 33)),
    "rad2deg": (mp.degrees, (-3, 0, 1)),
    "erf": (mp.erf, (-6, -0.5, 1e-9, 0, 1)),
    "erfc": (mp.erfc, (-6, -0.5, 0, 1, 10, 26)),
    "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), (-2, 0, 1, 5)),
    "erfinv": (mp.erfinv, (-0.9, 1e-9, 0, 0.5, 0.999)),
    "erfcinv": (lambda x: mp.erfinv(1 - mp.mpf(x)), (0.25, 0.5, 1, 1.5)),
    "log_ndtr": (lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2), (-40, -3, 0, 1, 6)),
    "gamma": (mp.gamma, (-2.5, 0.1, 1, 5, 30.5, 170)),
    "gammaln": (lambda x: mp.log(abs(mp.gamma(x))), (-2.5, 0.1, 1.5, 5, 170)),
    "psi": (mp.digamma, (-2.5, 0.1, 1, 5, 1e6)),
    "tri_gamma": (lambda x: mp.polygamma(1, x), (0.1, 1, 5, 1e3)),
    "factorial": (mp.factorial, (0, 1, 0.5, 5, 20)),
    "j0": (mp.j0, (-3, 0, 1e-9, 2, 20)),
    "j1": (mp.j1, (-3, 0, 1e-9, 2, 20)),
    "y0": (lambda x: mp.bessely(0, x), (0.1, 2, 20)),
    "y1": (lambda x: mp.bessely(1, x), (0.1, 2, 20)),
    "i0": (lambda x: mp.besseli(0, x), (-3, 0, 2, 20)),
    "i1": (lambda x: mp.besseli(1, x), (-3, 1e-9, 2, 20)),
    "xlogx": (lambda x: x * mp.log(x) if x else 0, (0, 1e-300, 0.5, 1, 7)),
}  # fmt: skip

OF_MORE: dict[str, tuple[Meaning, Sequence[tuple[float, ...]]]] = {
    "arctan2": (mp.atan2, ((1, 1), (1, -1), (-1, -1), (0, -1), (3, 0))),
    "logaddexp": (
        lambda x, y: mp.log(mp.exp(x) + mp.exp(y)), ((0, 0), (1, -1), (1000, 999), (-1000, -1000)),
    ),
    "xlogy0": (lambda x, y: x * mp.log(y) if x else 0, ((0, 0), (0, 3), (2, 0.5), (-1, 7))),
    "xlog1py": (
        lambda x, y: x * mp.log1p(y) if x else 0, ((0, -1), (0, 3), (2, 1e-15), (-1, 7)),
    ),
    "pow": (mp.power, ((2, 0.5), (0.5, -3), (7, 0), (-2, 3))),
    "betaln": (lambda x, y: mp.log(mp.beta(x, y)), ((1, 1), (0.5, 3), (20, 30))),
    "beta": (mp.beta, ((1, 1), (0.5, 3), (2, 5))),
    "betainc": (
        lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True), ((1, 2, 0.3), (0.5, 3, 0.9)),
    ),
    "gammainc": (
        lambda k, x: mp.gammainc(k, 0, x, regularized=True), ((1, 2), (0.5, 0.1), (5, 3)),
    ),
    "gammaincc": (
        lambda k, x: mp.gammainc(k, x, mp.inf, regularized=True), ((1, 2), (0.5, 0.1), (5, 3)),
    ),
    "gammal": (lambda k, x: mp.gammainc(k, 0, x), ((1, 2), (0.5, 0.1), (5, 3))),
    "gammau": (lambda k, x: mp.gammainc(k, x), ((1, 2), (0.5, 0.1), (5, 3))),
    "chi2sf": (
        lambda x, k: mp.gammainc(mp.mpf(k) / 2, mp.mpf(x) / 2, mp.inf, regularized=True),
        ((1, 2), (0.5, 7), (5, 3)),
    ),
    "polygamma": (mp.polygamma, ((0, 2.5), (1, 0.5), (3, 4))),
    "jv": (mp.besselj, ((0, 2), (1.5, 0.3), (3, 10))),
    "yv": (mp.bessely, ((0, 2), (1.5, 0.3), (3, 10))),
    "iv": (mp.besseli, ((0, 2), (1.5, 0.3), (3, 10))),
    "kv": (mp.besselk, ((0, 2), (1.5, 0.3), (3, 10))),
    "ive": (lambda v, x: mp.besseli(v, x) * mp.exp(-abs(x)), ((0, 2), (1.5, 0.3), (3, 500))),
    "kve": (lambda v, x: mp.besselk(v, x) * mp.exp(x), ((0, 2), (1.5, 0.3), (3, 500))),
    "hyp2f1": (mp.hyp2f1, ((1, 2, 3, 0.5), (0.5, 1, 1.5, -0.7))),
    "owens_t": (
        lambda h, a: mp.quad(lambda t: mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t), [0, a])
        / (2 * mp.pi),
        ((0, 1), (1, 0.5), (-0.5, 2)),
    ),
}  # fmt: skip

CASES = {
    **{name: (f, [(float(x),) for x in at]) for name, (f, at) in OF_ONE.items()},
    **{name: (f, [tuple(map(float, p)) for p in at]) for name, (f, at) in OF_MORE.items()},
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_value_is_that_of_mpmath(name: str, dtype: str) -> None:
    """In NumPy and in kernels; a float32 is held against what its own rounded inputs give."""
    function, points = CASES[name]
    kind = TensorType(dtype, (None,))
    inputs = [kind(f"x{i}") for i in range(len(points[0]))]
    out = OPS[name](*inputs)
    assert out.dtype == dtype
    columns = [np.array(c) for c in zip(*points, strict=True)]
    if dtype == "float32":
        usable = [np.abs(c) < 50 for c in columns] + [
            (np.abs(c) > 1e-8) | (c == 0) for c in columns
        ]
        columns = [c[np.all(usable, axis=0)].astype(dtype) for c in columns]
    rows = zip(*(c.tolist() for c in columns), strict=True)
    with mp.workdps(40):
        expected = [float(mp.re(function(*map(mp.mpf, row)))) for row in rows]
    values = dict(zip(inputs, columns, strict=True))
    native = compile_graph(Graph(inputs, [out]), {v: a.shape for v, a in values.items()})
    for v, a in values.items():
        native.inputs[v][...] = a
    native.call()
    close = 2e-12 if dtype == "float64" else 3e-6
    for found in (interpret([out], values)[0], native.outputs[0]):
        np.testing.assert_allclose(found, expected, rtol=close, atol=close * 1e-3)


def test_every_special_function_is_held_against_mpmath() -> None:
    families = {"Exponentials", "Trigonometry", "Special functions"}
    ops = {op.name for op in OPS.values() if op.category in families}
    inverses = {"betaincinv", "gammaincinv", "gammainccinv"}  # held against what they invert
    assert ops - set(CASES) == inverses


@pytest.mark.parametrize("at", [-3.0, 0.5, 30.0])
def test_tails_of_the_error_function_keep_their_digits(at: float) -> None:
    x = T.dscalar("x")
    outputs = [1 - T.erf(x), T.erf(x) - 1, T.log(T.erfc(x)), grad(T.log(T.erfc(x)), x)]
    with mp.workdps(400):
        erfc = mp.erfc(at)
        slope = -2 / mp.sqrt(mp.pi) * mp.exp(-(mp.mpf(at) ** 2)) / erfc
        expected = [float(v) for v in (erfc, -erfc, mp.log(erfc), slope)]
    found = function([x], outputs)(at)
    np.testing.assert_allclose([float(v) for v in found], expected, rtol=1e-12, atol=0)
    assert float(function([x], 1 - T.erfc(x))(1e-20)) == pytest.approx(2e-20 / np.sqrt(np.pi))


def test_inverses_undo() -> None:
    p, k = T.dvectors("p", "k")
    shares, shapes = np.array([0.05, 0.3, 0.9]), np.array([0.5, 2.0, 7.0])
    undone = [
        T.gammainc(k, T.gammaincinv(k, p)),
        T.gammaincc(k, T.gammainccinv(k, p)),
        T.betainc(k, 2.5, T.betaincinv(k, 2.5, p)),
        T.erf(T.erfinv(p)),
        T.erfc(T.erfcinv(p)),
        T.sigmoid(T.logit(p)),
    ]
    for found in interpret(undone, {p: shares, k: shapes}):
        np.testing.assert_allclose(found, shares, rtol=1e-12)


def test_zero_times_the_logarithm_of_zero_is_zero_and_so_are_its_slopes_by_y() -> None:
    x, y = T.dvectors("x", "y")
    cost = T.sum(T.xlogx.xlogy0(x, y))
    by_x, by_y = interpret(grad(cost, [x, y]), {x: [0.0, 2.0], y: [0.0, 4.0]})
    assert by_x.tolist() == [-np.inf, np.log(4)]
    assert by_y.tolist() == [0, 0.5]
    twice = grad(T.sum(grad(cost, y)), y)
    assert interpret([twice], {x: [0.0, 2.0], y: [0.0, 4.0]})[0].tolist() == [0, -0.125]
    assert interpret([T.xlogx.xlogx(x)], {x: [0.0, 1.0]})[0].tolist() == [0, 0]


def test_theanos_door_to_the_entropies() -> None:
    assert T.xlogx.xlogx is OPS["xlogx"]
    assert T.xlogx.xlogy0 is OPS["xlogy0"]


def test_other_names_of_the_same() -> None:
    for name, op in [
        ("digamma", "psi"), ("loggamma", "gammaln"), ("asin", "arcsin"), ("atan2", "arctan2"),
        ("square", "sqr"), ("reciprocal", "inv"), ("abs_", "abs"), ("sign", "sgn"),
        ("floor_div", "int_div"), ("power", "pow"), ("second", "fill"), ("bitwise_not", "invert"),
        ("log1pexp", "softplus"), ("expit", "sigmoid"),
    ]:  # fmt: skip
        assert getattr(T, name) is OPS[op]


@pytest.mark.parametrize(
    ("name", "arguments", "order"),
    [
        ("jv", (1.5, 2.0), "v"), ("yv", (1.5, 2.0), "v"), ("iv", (1.5, 2.0), "v"),
        ("kv", (1.5, 2.0), "v"), ("ive", (1.5, 2.0), "v"), ("kve", (1.5, 2.0), "v"),
        ("gammainc", (1.5, 2.0), "k"), ("gammaincc", (1.5, 2.0), "k"),
        ("gammal", (1.5, 2.0), "k"), ("gammau", (1.5, 2.0), "k"), ("polygamma", (1.0, 2.0), "n"),
        ("betainc", (1.5, 2.0, 0.5), "b"), ("hyp2f1", (1.0, 2.0, 3.0, 0.5), "c"),
    ],
)  # fmt: skip
def test_there_is_no_slope_by_an_order_and_it_is_said_why(
    name: str, arguments: Sequence[float], order: str
) -> None:
    op = OPS[name]
    at = [p.name for p in op.ports].index(order)
    inputs = [T.dscalar(p.name) for p in op.ports]
    out = op(*inputs)
    with pytest.raises(NullGradientError, match=rf"by {order} here: .*(series|derivatives)"):
        grad(out, inputs[at])
    assert isinstance(grad(out, inputs[at], null_gradients="return"), NullGradient)
    slope = interpret([grad(out, inputs[-1])], dict(zip(inputs, arguments, strict=True)))[0]
    assert np.isfinite(slope)
    # An order that is a whole number, or a constant, is not asked about.
    assert grad(op(*arguments[:-1], inputs[-1]), inputs[-1]).dtype == "float64"


def test_a_survival_function_has_the_density_as_slope() -> None:
    x, k = T.dscalars("x", "k")
    slope = interpret([grad(T.chi2sf(x, 3), x)], {x: 2.0})[0]
    assert slope == pytest.approx(-float(mp.sqrt(2) * mp.exp(-1) / mp.sqrt(2 * mp.pi)), rel=1e-12)
    with pytest.raises(NullGradientError, match="by k here"):
        grad(T.chi2sf(x, k), k)


@pytest.mark.parametrize("name", ["erf", "gamma", "j0", "deg2rad", "logit", "arctan2", "cbrt"])
def test_complex_numbers_are_refused_in_words(name: str) -> None:
    op = OPS[name]
    with pytest.raises(TypeMismatchError, match=r"not defined for complex numbers(.|\n)*real part"):
        op(*(T.zscalar() for _ in op.ports))


def test_functions_of_integers_are_floats() -> None:
    for dtype, expected in [
        ("bool", "float32"), ("int8", "float32"), ("uint16", "float32"), ("int32", "float64"),
        ("uint64", "float64"), ("float16", "float16"),
    ]:  # fmt: skip
        x = TensorType(dtype)("x")
        for name in ("exp", "erf", "gammaln", "arctan", "log1mexp", "i0", "logit", "cbrt"):
            out = OPS[name](x)
            assert out.dtype == expected
            assert interpret([out], {x: 1})[0].dtype == expected
