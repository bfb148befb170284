"""Loops in parts: whoever computes them, the results are the same."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import function, shared
from engine.codegen import fuse
from engine.codegen.cpu import threads
from engine.config import config
from engine.grad import grad
from tests.test_codegen import assert_same, natively

Array = np.ndarray[Any, Any]
ROWS, COLUMNS = 700, 300


@pytest.fixture(autouse=True, scope="module")
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Kernels are kept in a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("WIREGRAD_CACHE", str(folder))
        yield folder


KEPT: list[threads.Pool] = []
"""Pools of tests that are over: their threads still wait in their memory."""


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two threads besides this one, however many cores there are."""
    monkeypatch.setattr(config, "threads", 3)
    before, threads._pools[:] = threads._pools[:], []
    yield
    KEPT.extend(threads._pools)
    threads._pools[:] = before


@pytest.fixture
def tiny_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has two points is done in parts."""
    monkeypatch.setattr(fuse, "LARGE", 2)
    monkeypatch.setattr(fuse, "GRAIN", 1)


@pytest.mark.parametrize("dtype", ["float64", "int32", "bool"])
@pytest.mark.usefixtures("three_threads", "tiny_parts")
def test_every_op_computes_the_same_in_parts(dtype: str) -> None:
    outputs, values = natively(dtype)
    native = assert_same(outputs, values)
    parted = [k for k in native.kernels if "first, last" in k.source]
    assert len(parted) > 10


@pytest.mark.usefixtures("three_threads", "tiny_parts")
def test_sums_over_rows_columns_and_all() -> None:
    m, v = T.matrix("m"), T.vector("v")
    centred = m - m.mean(axis=1, keepdims=True)
    outputs = [
        (m * v).sum(),
        m.sum(axis=0),
        m.sum(axis=1),
        T.exp(m - m.max(axis=1, keepdims=True)).sum(axis=1),
        (centred * centred).mean(axis=0),
        m.max(),
        m.argmax(),
        m.argmax(axis=1),
        m.prod(axis=0),
        (m > 0).any(axis=0),
        (m > 0).all(),
        T.tensordot(m, v, 1),
        T.dot(v, m.T),
        T.nnet.softmax(m)[::2].sum(axis=0),
    ]
    rng = np.random.default_rng(0)
    for rows in (1, 2, 3, 50, 257):
        assert_same(outputs, {m: rng.normal(size=(rows, 9)), v: rng.normal(size=9)})


def network() -> tuple[list[T.TensorVariable], list[T.TensorVariable]]:
    x, w = T.fmatrix("x"), T.fvector("w")
    y = T.nnet.softmax(T.tanh(x * w))
    cost = (y * x).sum() + T.log(T.exp(x).sum(axis=1)).mean()
    return [x, w], [cost, *grad(cost, [x, w])]


PROGRAM = """
import sys
import numpy as np
from engine import function
from engine.config import config
config.threads = int(sys.argv[1])
from tests.test_threads import COLUMNS, ROWS, network
inputs, outputs = network()
f = function(inputs, outputs, mode="NUMBA")
rng = np.random.default_rng(3)
x, w = rng.normal(size=(ROWS, COLUMNS)).astype("f"), rng.normal(size=COLUMNS).astype("f")
print(*[hash(a.tobytes()) for _ in range(3) for a in f(x, w)])
"""


def test_results_are_the_same_for_any_number_of_threads() -> None:
    root = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    results = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(count)],
            check=True,
            capture_output=True,
            text=True,
            cwd=root,
            env=environment,
        ).stdout
        for count in (1, 2, 5)
    }
    assert len(results) == 1


@pytest.mark.usefixtures("three_threads")
def test_several_callers_at_once() -> None:
    inputs, outputs = network()
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(ROWS, COLUMNS)).astype("f"), rng.normal(size=COLUMNS).astype("f")
    functions = [function(inputs, outputs, mode="NUMBA") for _ in range(4)]
    assert any("first, last" in k.source for f in functions if f(x, w) for k in f.kernels)
    expected = [a.tobytes() for a in functions[0](x, w)]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(20):
            if [a.tobytes() for a in functions[k](x, w)] != expected:
                wrong.append(k)

    callers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


@pytest.mark.usefixtures("three_threads")
def test_updates_in_parts_are_simultaneous() -> None:
    start = np.random.default_rng(0).normal(size=(ROWS, COLUMNS))
    a, b = shared(start, "a"), shared(start[::-1].copy(), "b")
    step = function([], (a * b).sum(), updates=[(a, b + 1), (b, a - 1)], mode="NUMBA")
    first, second = start, start[::-1]
    for _ in range(5):
        np.testing.assert_allclose(step(), (first * second).sum())
        first, second = second + 1, first - 1
    np.testing.assert_array_equal(a.get_value(), first)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
@pytest.mark.usefixtures("three_threads")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_goes_on_alone() -> None:
    inputs, outputs = network()
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(ROWS, COLUMNS)).astype("f"), rng.normal(size=COLUMNS).astype("f")
    f = function(inputs, outputs, mode="NUMBA")
    expected = f(x, w)[1].tobytes()
    child = os.fork()
    if not child:
        os._exit(0 if f(x, w)[1].tobytes() == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize(
    "shape", [(300, 130, 200), (90, 400, 333), (2, 1100, 3000), (2100, 64, 33)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_products_are_done_in_parts(shape: tuple[int, int, int], dtype: str) -> None:
    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    a = rng.normal(size=(rows, inner)).astype(dtype)
    b = rng.normal(size=(inner, columns)).astype(dtype)
    x, y = T.matrix("x", dtype=dtype), T.matrix("y", dtype=dtype)
    product = function([x, y], T.dot(x, y), mode="NUMBA")
    tolerance = 1e-3 if dtype == "float32" else 1e-10
    for left in (a, np.asfortranarray(a)):
        got = product(left, b)
        np.testing.assert_allclose(got, a @ b, rtol=tolerance, atol=tolerance)
        assert got.tobytes() == product(left, b).tobytes()
    turned = function([x, y], T.dot(x.T, y.T), mode="NUMBA")
    got = turned(np.ascontiguousarray(a.T), np.ascontiguousarray(b.T))
    np.testing.assert_allclose(got, a @ b, rtol=tolerance, atol=tolerance)
