"""Functions of mathematics in kernels: how exact they are, and that loops take several at once."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from scipy import special

import engine.tensor as T
from engine.codegen.cpu import cache, compiler, machine, mathematics
from engine.codegen.cpu.compiler import ENTRY
from engine.codegen.cpu.machine import Loaded
from engine.codegen.cpu.mathematics import BINARY, OWN, UNARY, vector_functions
from tests.test_codegen import assert_same, kernel_cache

__all__ = ["kernel_cache"]

Array = np.ndarray[Any, Any]
Function = Callable[..., Array]

mp: Any = mpmath.mp.clone()
mp.prec = 160

COUNT = {"float32": 100_000, "float64": 3_000}
"""Samples of each kind; those of float64 are held against slow numbers of 160 bits."""


class Exact(NamedTuple):
    """A function in float64 and at 160 bits, and between which numbers it is looked at."""

    near: Callable[..., Any]
    true: Callable[..., Any]
    low: float
    high: float


EXACT = {
    "exp": Exact(np.exp, mp.exp, -745, 709.7),
    "exp2": Exact(np.exp2, lambda x: mp.mpf(2) ** x, -1070, 1023),
    "expm1": Exact(np.expm1, mp.expm1, -50, 709.7),
    "log": Exact(np.log, mp.log, 0, 1e300),
    "log1p": Exact(np.log1p, mp.log1p, -1, 1e300),
    "log2": Exact(np.log2, lambda x: mp.log(x) / mp.log(2), 0, 1e300),
    "log10": Exact(np.log10, mp.log10, 0, 1e300),
    "sin": Exact(np.sin, mp.sin, -1e4, 1e4),
    "cos": Exact(np.cos, mp.cos, -1e4, 1e4),
    "tan": Exact(np.tan, mp.tan, -1e4, 1e4),
    "asin": Exact(np.arcsin, mp.asin, -1, 1),
    "acos": Exact(np.arccos, mp.acos, -1, 1),
    "atan": Exact(np.arctan, mp.atan, -1e300, 1e300),
    "sinh": Exact(np.sinh, mp.sinh, -709, 709),
    "cosh": Exact(np.cosh, mp.cosh, -709, 709),
    "tanh": Exact(np.tanh, mp.tanh, -25, 25),
    "asinh": Exact(np.arcsinh, mp.asinh, -1e300, 1e300),
    "acosh": Exact(np.arccosh, mp.acosh, 1, 1e300),
    "atanh": Exact(np.arctanh, mp.atanh, -1, 1),
    "cbrt": Exact(np.cbrt, lambda x: mp.sign(x) * mp.cbrt(abs(x)), -1e300, 1e300),
    "erf": Exact(special.erf, mp.erf, -6, 6),
    "erfc": Exact(special.erfc, mp.erfc, -6, 26),
}

ERRORS = {
    "exp": 0.8,
    "expm1": 1.25,
    "log": 0.85,
    "log1p": 0.95,
    "tanh": 1.4,
}
"""In units in the last place, how far our own functions may be off: see `polynomials`."""


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were no vector functions on this computer."""
    monkeypatch.setattr(mathematics, "LIBRARY", "absent")


def loop(name: str) -> str:
    """The text of a kernel that computes a function of every element."""
    return (
        "def kernel(\n    p0, p1, n0\n):\n    for i0 in range(n0):\n"
        f"        p1[i0] = math.{name}(p0[i0])\n"
    )


def native(code: bytes) -> Function:
    """The compiled loop."""
    loaded = Loaded(code)
    entry = loaded.function(ENTRY, None, ctypes.c_void_p)

    def function(*arguments: Array, _: Loaded = loaded) -> Array:
        y = np.empty_like(arguments[0])
        row = np.array([*(a.ctypes.data for a in (*arguments, y)), y.size])
        entry(row.ctypes.data)
        return y

    return function


def translated(name: str, dtype: str) -> Function:
    return native(compiler.translated(loop(name), (dtype, dtype, "int")))


def samples(exact: Exact, dtype: str) -> Array:
    """Numbers that lie evenly, close to 0 and to 1, and at all orders of magnitude."""
    rng = np.random.default_rng(7)
    count, low, high = COUNT[dtype], max(exact.low, -1e300), exact.high
    signs = rng.choice([-1.0, 1.0], (3, count))
    limits = np.finfo(dtype)
    least = float(np.log2(limits.smallest_subnormal))
    drawn = [
        rng.uniform(max(low, -800), min(high, 800), count),
        rng.uniform(max(low, -2), min(high, 2), count),
        signs[0] * 2.0 ** rng.uniform(least, np.log2(min(high, float(limits.max))), count),
        signs[1] * 2.0 ** rng.uniform(-limits.nmant - 5, 1, count),
        1 + signs[2] * 2.0 ** rng.uniform(-limits.nmant - 1, -1, count),
    ]
    x = np.concatenate(drawn).astype(dtype)
    return x[(low < x.astype("float64")) & (x.astype("float64") < high)]


def worst(function: Function, exact: Exact, dtype: str) -> float:
    """The greatest error that is found, see `error`."""
    return error(function, exact, samples(exact, dtype))


def error(function: Function, exact: Exact, *arguments: Array) -> float:
    """The greatest error in units in the last place, where there is no overflow."""
    dtype = arguments[0].dtype
    y = function(*arguments)
    with np.errstate(all="ignore"):
        near = exact.near(*(x.astype("float64") for x in arguments))
    inside = abs(near) < float(np.finfo(dtype).max)
    y, near = y[inside], near[inside]
    assert np.isfinite(y).all()
    step = np.spacing(abs(near.astype(dtype))).astype("float64")
    if dtype == np.float32:
        return float((abs(y - near) / step).max())
    points = zip(*(x[inside].tolist() for x in arguments), strict=True)
    return max(
        float(abs(mp.mpf(found) - exact.true(*map(mp.mpf, point))) / unit)
        for point, found, unit in zip(points, y.tolist(), step.tolist(), strict=True)
    )


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("dtype", COUNT)
@pytest.mark.parametrize("name", ERRORS)
def test_our_own_functions_are_as_exact_as_they_say(name: str, dtype: str) -> None:
    assert worst(translated(name, dtype), EXACT[name], dtype) <= ERRORS[name]


@pytest.mark.parametrize("dtype", COUNT)
@pytest.mark.parametrize("name", UNARY)
def test_vector_functions_are_exact_to_four_units_in_the_last_place(name: str, dtype: str) -> None:
    if (name + "f" * (dtype == "float32")) not in vector_functions():
        pytest.skip(f"There is no vector version of {name}.")
    assert worst(translated(name, dtype), EXACT[name], dtype) <= 4


@pytest.mark.parametrize("dtype", COUNT)
@pytest.mark.parametrize("name", BINARY)
def test_vector_functions_of_two_numbers_are_as_exact(name: str, dtype: str) -> None:
    if (name + "f" * (dtype == "float32")) not in vector_functions():
        pytest.skip(f"There is no vector version of {name}.")
    rng = np.random.default_rng(8)
    x, y = (2.0 ** rng.uniform(-20, 20, COUNT[dtype]) for _ in range(2))
    y *= rng.choice([-1, 1], y.size)
    if name == "pow":
        y *= 2.0**-14
    formula = "power" if name == "pow" else f"math.{name}"
    text = (
        "def kernel(\n    p0, p1, p2, n0\n):\n    for i0 in range(n0):\n"
        f"        p2[i0] = {formula}(p0[i0], p1[i0])\n"
    )
    function = native(compiler.translated(text, (*[dtype] * 3, "int")))
    exact = {
        "pow": Exact(np.power, mp.power, 0, np.inf),
        "atan2": Exact(np.arctan2, mp.atan2, 0, np.inf),
    }
    assert error(function, exact[name], x.astype(dtype), y.astype(dtype)) <= 4


# Special numbers.


def edges(dtype: str) -> dict[str, list[tuple[float, float]]]:
    """By function, arguments and what the function is there."""
    limits = np.finfo(dtype)
    most, tiny, least = (
        float(v) for v in (limits.max, limits.smallest_normal, limits.smallest_subnormal)
    )
    single = dtype == "float32"
    inf, nan = np.inf, np.nan
    full = 88.72284 if single else 709.782712893384
    empty = -103.97208 if single else -745.1332191019411
    small = [(x, x) for x in (0.0, -0.0, least, -least, tiny, -tiny, 5 * least)]
    return {
        "exp": [
            (0.0, 1), (-0.0, 1), (least, 1), (-tiny, 1), (inf, inf), (-inf, 0), (most, inf),
            (-most, 0), (nan, nan), (np.nextafter(full, 1e3, dtype=dtype), inf),
            (empty, least), (np.nextafter(empty, -1e3, dtype=dtype), 0),
        ],
        "expm1": [
            *small, (inf, inf), (-inf, -1), (most, inf), (-most, -1), (-50, -1), (nan, nan),
            (np.nextafter(full, 1e3, dtype=dtype), inf),
        ],
        "log": [
            (0.0, -inf), (-0.0, -inf), (1, 0.0), (inf, inf), (-inf, nan), (-least, nan), (-1, nan),
            (-most, nan), (nan, nan),
        ],
        "log1p": [
            *small, (-1, -inf), (inf, inf), (-inf, nan), (-1.5, nan), (-most, nan), (nan, nan),
        ],
        "tanh": [*small, (inf, 1), (-inf, -1), (most, 1), (-most, -1), (25, 1), (nan, nan)],
    }  # fmt: skip


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("dtype", COUNT)
@pytest.mark.parametrize("name", ERRORS)
def test_special_numbers_of_our_own_functions(name: str, dtype: str) -> None:
    pairs = np.array(edges(dtype)[name], dtype)
    x, expected = pairs[:, 0].copy(), pairs[:, 1]
    y = translated(name, dtype)(x)
    np.testing.assert_array_equal(y, expected)
    signed = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y)[signed], np.signbit(expected)[signed])


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("dtype", COUNT)
def test_the_largest_results_do_not_overflow(dtype: str) -> None:
    full = np.array([88.72283 if dtype == "float32" else 709.782712893384], dtype)
    for name in ("exp", "expm1"):
        y = translated(name, dtype)(full)
        np.testing.assert_allclose(y, np.exp(full), rtol=np.finfo(dtype).eps)
    most = np.array([np.finfo(dtype).max], dtype)
    for name in ("log", "log1p"):
        np.testing.assert_array_max_ulp(translated(name, dtype)(most), np.log(most), 1)


# Loops.


@pytest.fixture
def optimised(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that are turned into object code, as LLVM has optimised them."""
    modules: list[str] = []
    emitted = machine._emitted

    def kept(module: Any, target: Any) -> bytes:
        modules.append(str(module))
        return emitted(module, target)

    monkeypatch.setattr(machine, "_emitted", kept)
    return modules


def lanes(ir: str, dtype: str) -> int:
    """How many elements the widest instructions take; 0 if it is one after the other."""
    type = "float" if dtype == "float32" else "double"
    found = re.findall(rf"call <(\d+) x {type}> @llvm\.fmuladd\.", ir)
    return max(map(int, found), default=0)


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("dtype", COUNT)
@pytest.mark.parametrize("name", ERRORS)
def test_loops_take_several_elements_at_once(name: str, dtype: str, optimised: list[str]) -> None:
    compiler.translated(loop(name), (dtype, dtype, "int"))
    (ir,) = optimised
    assert lanes(ir, dtype) >= (4 if dtype == "float32" else 2)
    assert not re.search(r"\bcall [^@]*@(?!llvm\.|kernel\b)", ir)


@pytest.mark.usefixtures("no_library")
def test_a_sum_in_float64_leaves_loops_as_many_elements_at_once(optimised: list[str]) -> None:
    text = (
        "def kernel(\n    p0, p1, p2, n0\n):\n    a0 = float64(0)\n    for i0 in range(n0):\n"
        "        v0 = math.exp(p0[i0])\n        p1[i0] = v0\n"
        "        a0 = accumulate(a0, float64(v0))\n    p2[0] = a0\n"
    )
    compiler.translated(loop("exp"), ("float32", "float32", "int"))
    compiler.translated(text, ("float32", "float32", "float64", "int"))
    alone, summed = (lanes(ir, "float32") for ir in optimised)
    assert summed == alone


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("dtype", COUNT)
@pytest.mark.parametrize("name", ERRORS)
def test_an_element_has_the_same_bits_wherever_it_stands(name: str, dtype: str) -> None:
    function = translated(name, dtype)
    x = samples(EXACT[name], dtype)[::97].copy()
    y = function(x)
    alone = np.concatenate([function(x[k : k + 1]) for k in range(x.size)])
    assert y.tobytes() == alone.tobytes()


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("name", OWN)
def test_kernels_that_numba_compiles_have_the_same_functions(name: str) -> None:
    dtype = "float64" if name in ERRORS else "float32"
    text = loop(name if name in ERRORS else name.removesuffix("f"))
    x = np.linspace(0.01, 3, 50, dtype=dtype)
    theirs = native(compiler.by_numba(text, (dtype, dtype, "int")))
    ours = native(compiler.translated(text, (dtype, dtype, "int")))
    assert theirs(x).tobytes() == ours(x).tobytes()


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("dtype", COUNT)
def test_graphs_without_vector_functions(dtype: str) -> None:
    m = T.TensorType(dtype, (None, None))("m")
    outputs = [
        T.softmax(m), T.sigmoid(m), T.softplus(m), T.tanh(m).sum(axis=0), T.log(m * m),
        T.logsumexp(m, axis=1), T.log1p(T.exp(m)), T.expm1(m), T.sin(m) + T.erf(m),
    ]  # fmt: skip
    values = np.random.default_rng(3).normal(size=(7, 33)) * 4
    native_graph = assert_same(outputs, {m: values})
    assert not any(k.source.startswith("numpy:") for k in native_graph.kernels)


def test_kernels_with_and_without_vector_functions_are_kept_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not vector_functions():
        pytest.skip("There are no vector functions.")
    names = [cache.key("kernel", "text")]
    monkeypatch.setattr(mathematics, "LIBRARY", "absent")
    assert not vector_functions()
    names.append(cache.key("kernel", "text"))
    assert names[0] != names[1]
