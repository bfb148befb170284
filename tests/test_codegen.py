"""Native kernels: what they compute, what they are made of, and how they are kept on disk."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen import compile_graph
from engine.codegen.cpu import cache
from engine.codegen.cpu.compiler import compile_kernel
from engine.codegen.cpu.emit import PARTED
from engine.codegen.cpu.intrinsics import names
from engine.codegen.native import Native
from engine.codegen.numpy import interpret
from engine.errors import CompileError, ShapeError
from engine.expression import OPS, Constant, Variable, substitute
from engine.grad import grad
from engine.graph import Graph
from engine.ifelse import ifelse
from engine.inference import infer_types
from tests.op_table import RECORDS, build, draw

Array = np.ndarray[Any, Any]
Values = Mapping[Variable, Any]


@pytest.fixture(autouse=True, scope="module")
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Kernels are kept in a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("WIREGRAD_CACHE", str(folder))
        yield folder


def compiled(outputs: Sequence[Variable], values: Values, **options: Any) -> Native:
    """The graph of the outputs, compiled for the shapes of the values, which are filled in."""
    arrays = {v: np.asarray(a, v.dtype) for v, a in values.items()}
    graph = Graph(list(values), outputs)
    native = compile_graph(graph, {v: a.shape for v, a in arrays.items()}, **options)
    for v, array in arrays.items():
        native.inputs[v][...] = array
    return native


def assert_same(outputs: Sequence[Variable], values: Values) -> Native:
    """The kernels give what NumPy gives, to the last few bits."""
    native = compiled(outputs, values)
    for kernel in native.kernels:
        if kernel.source.startswith("def"):
            assert_harmless(kernel.source)
    native.call()
    for variable, array, expected in zip(
        outputs, native.outputs, interpret(outputs, values), strict=True
    ):
        assert array.dtype == expected.dtype, variable
        assert array.shape == expected.shape, variable
        tolerance = 2e-6 if array.dtype == np.float32 else 1e-13
        np.testing.assert_allclose(
            array, expected, rtol=tolerance, atol=tolerance, err_msg=repr(variable.owner)
        )
    return native


def xnor() -> tuple[list[Variable], dict[Variable, Array], list[Variable], list[Variable]]:
    """Two neurons and one: outputs, the values of all leaves, weights and their next values."""
    x, truth = T.matrix("x"), T.vector("truth")
    w1, w2, w3 = (T.vector(name) for name in ("w1", "w2", "w3"))
    b1, b2 = T.scalar("b1"), T.scalar("b2")
    a1 = 1 / (1 + T.exp(-T.dot(x, w1) - b1))
    a2 = 1 / (1 + T.exp(-T.dot(x, w2) - b1))
    a3 = 1 / (1 + T.exp(-T.dot(T.stack([a1, a2], axis=1), w3) - b2))
    cost = -(truth * T.log(a3) + (1 - truth) * T.log(1 - a3)).sum()
    weights = [w1, w2, w3, b1, b2]
    news = [v - 0.05 * g for v, g in zip(weights, grad(cost, weights), strict=True)]
    start = ([0.9, 0.4], [0.1, 0.8], [0.6, 0.3], 1.0, 1.0)
    values = {x: np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]]), truth: np.array([1.0, 0, 0, 1])}
    values |= {v: np.array(a) for v, a in zip(weights, start, strict=True)}
    return [a3, cost], values, weights, news


# What kernels compute.


def natively(dtype: str) -> tuple[list[Variable], dict[Variable, Array]]:
    """The examples of all ops, as one graph."""
    outputs: list[Variable] = []
    values: dict[Variable, Array] = {}
    for op in RECORDS:
        for example in op.examples if dtype in op.dtypes else ():
            drawn = draw(op, example, dtype)
            try:
                # Native code is made for shapes, which must not depend on values.
                inputs, results = build(op, example, drawn, known=op.reads_values)
            except TypeError:  # no arithmetic on bools, say
                continue
            pairs = zip(inputs, drawn, strict=True)
            given = {v: a for v, a in pairs if not isinstance(v, Constant)}
            outputs += of_known_shape(results, given)
            values.update(given)
    return outputs, values


def of_known_shape(results: list[Variable], given: Mapping[Variable, Array]) -> list[Variable]:
    """The results, of constants where their shapes depend on what the inputs hold."""
    graph = Graph(list(given), results)
    types = infer_types(graph, {v: a.shape for v, a in given.items()})
    if any(None in types[v].shape for v in graph.outputs):
        return substitute(results, {v: T.constant(a) for v, a in given.items()})
    return results


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "int32", "bool", pytest.param("uint8", marks=pytest.mark.slow)]
)
def test_every_op_computes_what_its_record_says(dtype: str) -> None:
    outputs, values = natively(dtype)
    assert len(outputs) > 100
    assert_same(outputs, values)


def test_broadcasting_views_and_reductions() -> None:
    m, n = T.matrix("m"), T.matrix("n")
    v, w, s = T.vector("v"), T.vector("w"), T.scalar("s")
    row, col = T.row("row"), T.col("col")
    outputs = [
        m * row + col - s,
        (m + v) * w.dimshuffle(0, "x"),
        (m.T * w).sum(axis=0),
        m[1:, ::2] - m[:-1, 1:],
        m[::-1].sum(axis=1) + m[:, -1],
        T.dot(m.T, n) + T.dot(v, m.T).sum(),
        T.dot(T.tanh(m), v).max() * m.mean(axis=1),
        m.reshape((3, 4)).T + 1,
        (m.T.reshape((2, 6)) * 2)[:, 3],
        T.argmax(m + n, axis=1),
        T.argmax(m * n),
        T.softmax(m.T, axis=0) + T.softmax(n.T, axis=1),
        T.stack([v, v * 2], axis=1).reshape((-1,)),
        T.concatenate([m, n * 2], axis=1).sum(axis=0),
        (m - m.mean(axis=0, keepdims=True)) / m.sum(axis=1, keepdims=True),
    ]
    rng = np.random.default_rng(1)
    shapes = {m: (4, 3), n: (4, 3), v: 3, w: 4, s: (), row: (1, 3), col: (4, 1)}
    assert_same(outputs, {x: rng.uniform(0.5, 2, shape) for x, shape in shapes.items()})


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1)])
def test_empty_and_single_element_tensors(shape: tuple[int, int]) -> None:
    m, v = T.matrix("m"), T.vector("v")
    outputs = [T.exp(m), m.sum(axis=0), m.sum(axis=1), m.sum(), T.dot(m, v), m * v, m.T, m + 1]
    assert_same(outputs, {m: np.ones(shape), v: np.ones(shape[1])})


def test_the_maximum_of_nothing_is_an_error() -> None:
    m = T.matrix("m")
    with pytest.raises(ShapeError, match="no max of nothing"):
        compiled([m.max()], {m: np.ones((0, 2))})


def test_nan_and_infinity_are_data() -> None:
    x, y = T.vector("x"), T.vector("y")
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 800.0, -800.0])
    names = ("maximum", "minimum", "true_div", "pow", "lt", "switch", "mul", "sub")
    outputs = [OPS[n](x, y) if n != "switch" else T.switch(x < y, x, y) for n in names]
    outputs += [T.exp(x), T.log(x), T.sigmoid(x), T.softplus(x), T.tanh(x), T.isnan(x), abs(x)]
    outputs += [x.max(), y.min(), x.sum(), T.argmax(x), T.sgn(x), T.floor(x), T.clip(x, 0, 1)]
    with np.errstate(all="ignore"):
        assert_same(outputs, {x: np.repeat(special, 8), y: np.tile(special, 8)})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_products_go_to_blas_without_copies(dtype: str) -> None:
    rng = np.random.default_rng(2)
    a, b, c = (T.TensorType(dtype, (None, None))(name) for name in "abc")
    v, r = T.TensorType(dtype, (None,))("v"), T.TensorType(dtype, (1, None))("r")
    sizes = {a: (40, 30), b: (30, 50), c: (50, 40), v: 30, r: (1, 30)}
    values = {x: rng.standard_normal(s).astype(dtype) for x, s in sizes.items()}
    products = [(a, b), (b.T, a.T), (c, a), (b, c), (c.T, b.T), (a, v), (v, b), (b.T, v), (r, b)]
    sliced = [(a[::2], b), (a[:, 1:11], b[3:13]), (a[:, ::3], b[::3])]
    outputs = [T.dot(x, y) for x, y in products + sliced]
    native = compiled(outputs, values)
    native.call()
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    for got, expected in zip(native.outputs, interpret(outputs, values), strict=True):
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    routines = [k.source for k in native.kernels if not k.source.startswith("def")]
    letter = "s" if dtype == "float32" else "d"
    assert sorted(set(routines)) == [f"{letter}gemm", f"{letter}gemv"]
    assert len(routines) == len(outputs)


# What kernels are made of.


def test_a_chain_with_its_sum_is_one_loop() -> None:
    x, y = T.matrix("x"), T.matrix("y")
    z = x
    for _ in range(25):
        z = T.tanh(z * y + 0.5)
    native = assert_same([z.sum(), z], {x: np.ones((3, 4)), y: np.ones((3, 4)) / 2})
    (kernel,) = native.kernels
    assert kernel.source.count("for ") == 1


def test_a_softmax_walks_its_rows_once() -> None:
    x = T.matrix("x")
    (kernel,) = assert_same([T.softmax(x)], {x: np.arange(12.0).reshape(3, 4)}).kernels
    assert kernel.source.count("for i0 in") == 1


def test_what_is_made_of_leaves_is_made_where_it_is_read_first() -> None:
    v, x, g = T.matrix("v"), T.matrix("x"), T.matrix("g")
    rng = np.random.default_rng(3)
    values = {
        v: rng.normal(size=(30, 20)),
        x: rng.normal(size=(40, 30)),
        g: rng.normal(size=(40, 20)),
    }
    sources = [k.source for k in assert_same([0.9 * v + T.dot(x.T, g)], values).kernels]
    assert [s[:5] for s in sources] == ["dgemm", "def k"]


def test_what_is_filled_with_one_value_takes_no_memory() -> None:
    x, y = T.matrix("x"), T.matrix("y")
    values = {x: np.ones((300, 40)), y: np.ones((300, 40))}
    outputs = [(T.zeros_like(x) + 3) * y + T.fill(x, y[0, 0])]
    native = assert_same(outputs, values)
    (kernel,) = native.kernels
    assert kernel.source.count("] = ") == 1
    assert native.peak_bytes < 3.1 * values[y].nbytes


def test_a_training_step_is_one_kernel_and_stays_so_in_print() -> None:
    outputs, values, weights, news = xnor()
    updates = {v: 2 + i for i, v in enumerate(weights)}
    (kernel,) = compiled([*outputs, *news], values, updates=updates, record=1).kernels
    golden = Path(__file__).parent / "golden/kernels/xnor.txt"
    if os.environ.get("WIREGRAD_GOLDEN") == "write":
        golden.write_text(kernel.source)
    assert kernel.source == golden.read_text()


def test_another_batch_size_compiles_nothing() -> None:
    outputs, values, *_ = xnor()
    first = compiled(outputs, values)
    repeated = {
        v: np.repeat(a, 9, axis=0) if i < 2 else a for i, (v, a) in enumerate(values.items())
    }
    second = assert_same(outputs, repeated)
    assert [k.name for k in first.kernels] == [k.name for k in second.kernels]
    assert all(k.from_cache for k in second.kernels)


def test_kernels_name_the_canvas_nodes_they_come_from() -> None:
    x = T.vector("x")
    y = T.exp(x)
    assert y.owner is not None
    y.owner.origins = frozenset({"exp-node"})
    (kernel,) = compiled([y.sum()], {x: [1.0]}).kernels
    assert kernel.origins == {"exp-node"}
    assert kernel.ops == ("exp", "sum")


ALLOWED = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.For, ast.If, ast.Assign, ast.Name,
    ast.Load, ast.Store, ast.Subscript, ast.Call, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp,
    ast.Compare, ast.IfExp, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.Attribute,
)  # fmt: skip


def assert_harmless(source: str) -> None:
    """A kernel has loops, formulas, and names that the emitter made, and nothing else."""
    called = {*names(), *PARTED, "abs", "range", "kernel", "math"}
    for node in ast.walk(ast.parse(source)):
        assert isinstance(node, ALLOWED), node
        if isinstance(node, ast.Attribute):
            assert isinstance(node.value, ast.Name)
            assert node.value.id == "math"
        if isinstance(node, ast.Name):
            assert node.id in called or re.fullmatch(r"[abinopv]\d+", node.id), node.id


def test_no_name_of_a_user_gets_into_a_kernel() -> None:
    x = T.vector("x\r__import__('os').abort()")
    x.name = "ｅｖａｌ"
    (kernel,) = compiled([x + 1], {x: [1.0]}).kernels
    assert kernel.source.isascii()
    assert "import" not in kernel.source


def test_what_has_no_kernel_is_named_with_its_canvas_node() -> None:
    c, x = T.scalar("c"), T.vector("x")
    y = ifelse(c, x, T.concatenate([x, x]))
    assert y.owner is not None
    y.owner.origins = frozenset({"branch"})
    with pytest.raises(CompileError, match="shape of") as caught:
        compiled([y], {c: 1.0, x: [1.0]})
    assert caught.value.node == "branch"


def test_a_compiler_that_gives_up_is_a_compile_error() -> None:
    with pytest.raises(CompileError, match="could not be compiled"):
        compile_kernel("def kernel(\n    p0\n):\n    p0[0] = p0\n", ("float64",))


# Updates.


def test_updates_are_simultaneous() -> None:
    a, b, c = T.vector("a"), T.vector("b"), T.vector("c")
    native = compiled(
        [a + b, b, a, a + c, a],
        {a: [1.0, 2.0], b: [3.0, 4.0], c: [0.0, 0.0]},
        updates={a: 1, b: 2, c: 3},
    )
    native.call()
    assert [native.inputs[v].tolist() for v in (a, b, c)] == [[3, 4], [1, 2], [1, 2]]
    assert native.outputs[0].tolist() == [4, 6]
    assert native.outputs[4].tolist() == [1, 2], "an output is the value before the update"
    native.call()
    assert [native.inputs[v].tolist() for v in (a, b, c)] == [[1, 2], [3, 4], [4, 6]]


def test_an_update_that_reads_its_neighbours_reads_old_ones() -> None:
    x, w = T.vector("x"), T.matrix("w")
    native = compiled(
        [x[::-1] + 1, T.dot(w, w)],
        {x: [1.0, 2.0, 3.0], w: [[1.0, 1.0], [1.0, 0.0]]},
        updates={x: 0, w: 1},
    )
    for _ in range(5):
        native.call()
    assert native.inputs[x].tolist() == [8, 7, 6]
    assert native.inputs[w].tolist() == np.linalg.matrix_power([[1, 1], [1, 0]], 32).tolist()


def test_an_update_keeps_shape_and_dtype() -> None:
    x, y = T.vector("x"), T.scalar("y")
    with pytest.raises(ShapeError, match="update"):
        compiled([x[:1] + y], {x: [1.0, 2.0], y: 1.0}, updates={x: 0})


def test_an_error_between_kernels_leaves_everything_as_it_was() -> None:
    x, i = T.vector("x"), T.lscalar("i")
    native = compiled([x + 1, x[i] * x, i + 1], {x: [1.0, 2.0], i: 1}, updates={x: 1, i: 2})
    native.call()
    assert (native.inputs[x].tolist(), native.inputs[i].item()) == ([2, 4], 2)
    with pytest.raises(IndexError, match="outside axis 0"):
        native.run(3)
    assert (native.inputs[x].tolist(), native.inputs[i].item()) == ([2, 4], 2)
    native.inputs[i][...] = 0
    assert native.run(2) == 2
    assert native.inputs[i] == 2


@pytest.mark.parametrize("dtype", ["complex128", "float16"])
def test_what_kernels_cannot_compute_in_is_left_to_numpy(dtype: str) -> None:
    x, y = T.TensorType(dtype, (None, None))("x"), T.matrix("y")
    values = {x: np.arange(6).reshape(2, 3).astype(dtype), y: np.ones((3, 2))}
    assert_same([x.T.reshape((2, 3)) * x, T.exp(y).sum(axis=0) * 2, x], values)


# The cache.

CHILD = """
import sys
import numpy as np
import engine.tensor as T
from engine.codegen import compile_graph
from engine.graph import Graph
x = T.vector("x")
native = compile_graph(Graph([x], [T.exp(x * 3).sum()]), {x: (3,)})
native.inputs[x][...] = [0, 1, 2]
native.call()
assert np.isclose(native.outputs[0], np.exp([0.0, 3, 6]).sum())
print("numba" in sys.modules, native.kernels[0].from_cache)
"""


def child(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env={**os.environ, "WIREGRAD_CACHE": str(folder), "PYTHONPATH": os.getcwd()},
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate()
    assert process.returncode == 0
    return text.strip()


def test_kernels_outlive_their_process_and_need_no_numba(tmp_path: Path) -> None:
    together = [child(tmp_path), child(tmp_path)]
    assert {said(process) for process in together} <= {"False False", "False True"}
    assert said(child(tmp_path)) == "False True"
    assert not list(tmp_path.rglob("*.part"))
    for file in (tmp_path / "kernels").iterdir():
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert said(child(tmp_path)) == "False False"
    assert said(child(tmp_path)) == "False True"


def test_a_full_cache_loses_what_was_not_used_for_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIREGRAD_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "LARGEST", 1000)
    folder = tmp_path / "kernels"
    folder.mkdir()
    now = time.time()
    for k in range(12):
        for name in (f"{k}.o", f"{k}.part"):
            (folder / name).write_bytes(bytes(100))
            os.utime(folder / name, (now - 1000 * k, now - 1000 * k))
    cache.prune()
    left = {path.name for path in folder.iterdir()}
    assert left == {*(f"{k}.o" for k in range(7)), *(f"{k}.part" for k in range(4))}
    cache.prune()
    assert len(list(folder.iterdir())) == len(left)


def test_a_folder_that_cannot_be_written_to_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("WIREGRAD_CACHE", str(blocked))
    x = T.vector("x")
    assert_same([T.cos(x * 0.123) - 7], {x: [1.0, 2.0]})


def test_a_kernel_is_named_by_its_text_types_and_versions() -> None:
    assert cache.key("kernel", "text", "float64") == cache.key("kernel", "text", "float64")
    assert cache.key("kernel", "text", "float64") != cache.key("kernel", "text", "float32")
