"""Kernels as our own translator compiles them, held against Numba, in whose language they are."""

from __future__ import annotations

import ctypes
import operator
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen import compile_graph
from engine.codegen.cpu import compiler
from engine.codegen.cpu.compiler import ENTRY, compile_kernel, compile_kernels
from engine.codegen.cpu.emit import PARTED, Source, emit
from engine.codegen.cpu.machine import Loaded
from engine.codegen.cpu.mathematics import vector_functions
from engine.codegen.cpu.promotion import common, widened
from engine.codegen.cpu.translate import UntranslatableError, translate
from engine.codegen.fuse import Kernel, fuse, settle
from engine.codegen.lowering.lower import NATIVE
from engine.codegen.plan import Plan
from engine.expression import Constant, Variable
from engine.graph import Graph
from engine.inference import infer_types
from engine.op import Op
from engine.types import DTYPES, FLOATS, TensorType
from tests.op_table import RECORDS, build, draw
from tests.test_codegen import of_known_shape

Array = np.ndarray[Any, Any]
COMPUTED = [d for d in DTYPES if d in NATIVE]
FEW = [
    d if d in ("bool", "int8", "uint64", "float32") else pytest.param(d, marks=pytest.mark.slow)
    for d in COMPUTED
]


def run(code: bytes, arrays: Sequence[Array], numbers: Sequence[int]) -> None:
    """Run object code on memory and numbers, in the order of the kernel's arguments."""
    row = np.array([*(a.ctypes.data for a in arrays), *numbers, 0])
    loaded = Loaded(code)
    loaded.function(ENTRY, None, ctypes.c_void_p)(row.ctypes.data)


def kernels_of(outputs: Sequence[Variable], values: dict[Variable, Array]) -> list[Source]:
    """The kernels that a graph is compiled to."""
    graph = Graph(list(values), outputs)
    types = infer_types(graph, {v: a.shape for v, a in values.items()})
    for v, a in values.items():
        types.setdefault(v, TensorType(v.dtype, a.shape, v.broadcastable))
    steps = fuse(Plan(graph, types, {}, None).tasks)
    needed = settle(steps)
    return [emit(step, needed) for step in steps if isinstance(step, Kernel)]


def specials(dtype: str) -> list[Any]:
    """Numbers at which something might go wrong."""
    if dtype == "bool":
        return [False, True]
    if dtype in FLOATS:
        return [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.0, 88.0, 1e-30, -1e30]
    limits = np.iinfo(dtype)
    return [0, 1, 2, 3, 7, limits.max, limits.max // 2, limits.min, limits.max - 1, limits.min + 1]


# Against Numba.


def pointwise(op: Op) -> bool:
    """Whether a kernel computes the op element by element, or over axes of one tensor."""
    places = op.name in ("argmax", "argmin")
    return bool(op.examples) and (op.scalar is not None or op.fold is not None or places)


def everything(dtype: str) -> tuple[dict[Variable, Array], list[tuple[Op, Variable]]]:
    """All ops that kernels compute, on the same few tensors: every special number meets each."""
    numbers = np.array(specials(dtype), dtype)
    count = len(numbers)
    first = np.repeat(numbers, count).reshape(count, count)
    matrices = [TensorType(dtype, (None, None))(f"x{i}") for i in range(3)]
    values = dict(zip(matrices, (first, first.T.copy(), np.roll(first, 3)), strict=True))
    results: list[tuple[Op, Variable]] = []
    for op in RECORDS:
        if not pointwise(op) or dtype not in op.dtypes:
            continue
        inputs = (matrices * 2)[: len(op.ports)]
        try:
            if op.scalar is None:
                results += [(op, op(matrices[0], axis=axis)) for axis in (0, 1)]
            else:
                results.append((op, op(*inputs)))
        except TypeError:  # no arithmetic on bools, say
            continue
    return values, results


def steps_between(x: Array, y: Array) -> Array:
    """How many floats lie between two, none where both are NaN."""
    signed = np.dtype(f"i{x.itemsize}")
    a, b = (np.where(v < 0, -np.abs(v).view(signed), np.abs(v).view(signed)) for v in (x, y))
    steps: Array = np.where(np.isnan(x) & np.isnan(y), 0, np.abs(a - b))
    return steps


@pytest.mark.parametrize("dtype", FEW)
def test_every_op_gives_what_numba_gives(
    dtype: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    values, results = everything(dtype)
    assert len(results) > 40
    shapes = {v: a.shape for v, a in values.items()}
    found = []
    for name in ("ours", "numba"):
        monkeypatch.setenv("WIREGRAD_CACHE", str(tmp_path / name))
        if name == "numba":
            monkeypatch.setattr(compiler, "translate", refuse)
            monkeypatch.setattr(compiler.cache, "_loaded", {})
        native = compile_graph(Graph(list(values), [v for _, v in results]), shapes)
        assert not any(k.from_cache for k in native.kernels)
        for v, array in values.items():
            native.inputs[v][...] = array
        native.call()
        found.append([a.copy() for a in native.outputs])
    for (op, _), ours, theirs in zip(results, *found, strict=True):
        if ours.dtype.kind != "f":
            np.testing.assert_array_equal(ours, theirs, err_msg=op.name)
            continue
        # Where LLVM takes several elements at once, the C library may round the other way.
        calls = "math." in (op.scalar or "") or op.name in ("pow", "cbrt")
        assert steps_between(ours, theirs).max() <= calls, op.name


def refuse(*_: Any) -> str:
    raise UntranslatableError


def test_dtypes_are_those_of_numba() -> None:
    from numba.core import types
    from numba.core.registry import cpu_target

    context = cpu_target.typing_context
    context.refresh()
    named = {d: types.boolean if d == "bool" else getattr(types, d) for d in COMPUTED}
    for x, a in named.items():
        for y, b in named.items():
            added = context.resolve_function_type(operator.add, (a, b), {}).return_type
            assert str(added) == widened(x, y), (x, y)
            less = context.resolve_function_type(operator.lt, (a, b), {}).args
            assert [str(t) for t in less] == [common(x, y)] * 2, (x, y)
            if (x in FLOATS) == (y in FLOATS):
                assert str(context.unify_types(a, b)) == common(x, y), (x, y)


LANGUAGE = """def kernel(
    p0, p1, p2, n0, n1
):
    a0 = float64(-1.5)
    a1 = 0
    for i0 in range(1, n0):
        a2 = uint64(18446744073709551615)
        for i1 in range(n1):
            v0 = p0[i0 * n1 + i1]
            if v0 > a0:
                a0 = v0
                a1 = i0 * n1 + i1
            else:
                if v0 < 0:
                    a2 = a2 - uint64(i1)
            a0 = a0 + 1 / 4
        p1[i0] = a2 >> 3 << 1 | uint64(5) & a2
    p0[0] = a0 if a1 else -a0
    p2[2] = -a1 % 7
    p2[1] = uint8(300) + int8(-3)
    p2[0] = (n0 > 2) + (n0 < 2) * 10
"""


def test_statements_mean_what_they_mean_to_numba() -> None:
    signature = ("float64", "uint64", "int32", "int", "int")
    ours = compiler.translated(LANGUAGE, signature)
    theirs = compiler.by_numba(LANGUAGE, signature)
    for shape in [(0, 3), (1, 2), (3, 0), (4, 5)]:
        memory = []
        for code in (ours, theirs):
            arrays = [
                np.sin(np.arange(40.0)),
                np.arange(40, dtype=np.uint64),
                np.arange(3, dtype=np.int32),
            ]
            run(code, arrays, shape)
            memory.append(arrays)
        for x, y in zip(*memory, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(("dtype", "function"), [("float64", "exp"), ("float32", "tanhf")])
def test_loops_call_vector_functions_where_there_are_any(dtype: str, function: str) -> None:
    if function not in vector_functions():
        pytest.skip(f"There is no vector version of {function}.")
    formula = f"math.{function.removesuffix('f')}(p0[i0 * n1 + i1])"
    text = (
        "def kernel(\n    p0, n0, n1\n):\n    for i0 in range(n0):\n"
        f"        for i1 in range(n1):\n            p0[i0 * n1 + i1] = {formula}\n"
    )
    vector, _ = vector_functions()[function]
    assert vector.encode() in compiler.translated(text, (dtype, "int", "int"))


# What is left to Numba.


@pytest.mark.parametrize(
    "line",
    [
        "p0[0] = round(v0)",
        "p0[0] = v0 if v0 else v0 or 2",
        "p0[0] = v0 if v0 > 0 else p0[1 << 40]",
        "p0[0] = v0 > 0 or p0[1 << 40] > 0",
        "p0[0] = v0 // 2",
        "v0 = 1",
    ],
)
def test_what_is_not_known_is_left_to_numba(line: str) -> None:
    text = f"def kernel(\n    p0\n):\n    v0 = p0[0]\n    {line}\n    p0[1] = 4\n"
    with pytest.raises(UntranslatableError):
        translate(text, ("float64",), "kernel")
    memory = np.array([7.0, 0])
    run(compile_kernel(text, ("float64",)), [memory], [])
    assert memory[1] == 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_kernel_of_any_op_is_left_to_numba(dtype: str) -> None:
    for op in RECORDS:
        for example in op.examples if dtype in op.dtypes else ():
            drawn = draw(op, example, dtype)
            try:
                inputs, results = build(op, example, drawn, known=op.reads_values)
            except TypeError:
                continue
            pairs = zip(inputs, drawn, strict=True)
            given = {v: a for v, a in pairs if not isinstance(v, Constant)}
            with np.errstate(over="ignore"):  # of float16
                sources = kernels_of(of_known_shape(results, given), given)
            for source in sources:
                part = ["int"] * len(PARTED) if source.parted else []
                assert translate(source.text, [*source.signature, *part], "kernel")


GALLERY = """
import sys
from engine import gallery
from engine.codegen import compile_graph
from engine.expression import Constant
from engine.program import Program
for name in gallery.names():
    program = Program(gallery.load(name))
    for function in program.functions:
        graph = program.graph(function)
        leaves = [v for v in graph.leaves() if not isinstance(v, Constant)]
        shapes = {v: tuple(2 if n is None else n for n in v.type.shape) for v in leaves}
        assert not any(k.from_cache for k in compile_graph(graph, shapes).kernels)
import engine.tensor as T
from engine.graph import Graph
m = T.matrix("m")
native = compile_graph(Graph([m], [T.dot(m, m)]), {m: (40, 40)})
assert native.kernels[0].source == "dgemm"
native.inputs[m][...] = 1
native.call()
assert (native.outputs[0] == 40).all()
for name in ("numba", "scipy.linalg"):
    assert name not in sys.modules, name
import scipy.linalg
assert scipy.linalg.inv([[2.0]]) == 0.5
"""


def test_the_gallery_needs_neither_numba_nor_all_of_scipy(root: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", GALLERY],
        env={**os.environ, "WIREGRAD_CACHE": str(tmp_path), "PYTHONPATH": str(root)},
        cwd=root,
        check=True,
    )


# Side by side.


def test_kernels_compiled_side_by_side_are_those_compiled_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "def kernel(\n    p0, n0\n):\n    for i0 in range(n0):\n        p0[i0] = p0[i0] + 2.0\n"
    kernels = [(text.replace("+", sign), ("float64", "int"), False) for sign in "+-*/+"]
    monkeypatch.setenv("WIREGRAD_CACHE", str(tmp_path))
    monkeypatch.setattr(compiler, "threads", lambda: 3)
    ready = list(compile_kernels(kernels))
    assert [k.from_cache for k in ready] == [False] * 4 + [True]
    assert ready[0].name == ready[4].name
    for kernel, task in zip(ready, kernels, strict=True):
        stored = (tmp_path / "kernels" / f"{kernel.name}.o").read_bytes()
        assert stored.endswith(compile_kernel(*task))
    assert all(k.from_cache for k in compile_kernels(kernels))


def test_progress_is_told_kernel_by_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIREGRAD_CACHE", str(tmp_path))
    m = T.matrix("m")
    x = m
    for _ in range(3):
        x = T.tanh(T.dot(x, m))
    told: list[tuple[int, int]] = []
    native = compile_graph(
        Graph([m], [x]), {m: (40, 40)}, progress=lambda done, total: told.append((done, total))
    )
    total = len(native.kernels)
    assert told == [(done, total) for done in range(total + 1)]
