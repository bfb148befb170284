"""Laws of axes: order, shapes, parts, joins and fills are put together and moved, values stay."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

import engine.tensor as T
from engine.codegen.numpy import interpret
from engine.expression import OPS, Variable
from engine.graph import Graph
from engine.printing import pp
from engine.rewrite import SHOWS_NAN, Film, optimize
from engine.rewrite.cuts import Cut, cut_again
from engine.types import TensorType

Array = np.ndarray[Any, Any]


def optimized(inputs: list[Variable], *outputs: Variable) -> tuple[Graph, Film]:
    graph = Graph(inputs, outputs)
    film = optimize(graph, check=True)
    assert film.warnings == []
    return graph, film


def ops(graph: Graph) -> set[str]:
    return {node.op.name for node in graph.applies}


# Parts of parts

ENDS = (None, *range(-3, 4))
SLICES = [Cut(entry) for entry in product(ENDS, ENDS, (None, -2, -1, 1, 2))]
PLACES = [Cut(at) for at in range(-3, 3)]


@cache
def taken(x: tuple[int, ...], cut: Cut) -> tuple[int, ...] | int | None:
    """What NumPy takes of a vector; None where it refuses."""
    entry = slice(*cut.entry) if isinstance(cut.entry, tuple) else cut.place
    try:
        found: tuple[int, ...] | int = np.array(x)[entry].tolist()
    except IndexError:
        return None
    return found if isinstance(found, int) else tuple(found)


@pytest.mark.parametrize("seconds", [SLICES, PLACES], ids=["slices", "places"])
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "any"])
def test_a_part_of_a_slice_is_the_one_that_numpy_takes(seconds: list[Cut], is_known: bool) -> None:
    vectors = [tuple(range(n)) for n in range(5)]
    merged = 0
    for first, second in product(SLICES, seconds):
        once = None if is_known else cut_again(first, second, None)
        for x in vectors:
            if is_known:
                once = cut_again(first, second, len(x))
            if once is not None:
                merged += 1
                left = taken(x, first)
                assert isinstance(left, tuple)
                assert taken(x, once) == taken(left, second), (first, second, once, len(x))
    assert merged > 500


# Shapes without what has them

x, y = T.dmatrices("x", "y")
v = T.dvector("v")
t = T.dtensor3("t")
n = T.lscalar("n")
places = T.lvector("places")
e = T.exp(x)
GIVEN = {
    x: np.arange(9.0).reshape(3, 3) - 4,
    y: np.ones((3, 3)),
    v: np.array([1.0, -2.0, 3.0]),
    t: np.ones((3, 3, 2)),
    n: np.array(3),
    places: np.array([2, 0]),
}

SHAPED = {
    "elementwise": e * y,
    "a choice": T.switch(x > 0, e, y),
    "cast": T.cast(e, "float32"),
    "dot": T.dot(e, y),
    "dot with a vector": T.dot(e, v),
    "outer": T.outer(T.exp(v), v),
    "tensordot": T.tensordot(t, T.exp(t), axes=[[0, 1], [0, 1]]),
    "join": T.concatenate([e, T.dot(x, y), e[1:]], axis=0),
    "join along rows": T.concatenate([e, T.dot(x, y)], axis=1),
    "stack": T.stack([e, y]),
    "a place": e[0],
    "a slice": e[1:],
    "a slice between": T.dot(x, y)[1:3],
    "a slice in steps": T.sort(x, axis=0)[::2],
    "a slice from the end": T.cumsum(x, axis=0)[-2:],
    "a computed slice": e[n:],
    "gathered": e[places],
    "gathered of what is sorted": T.sort(x, axis=0)[places],
    "masked": e[x > 0],
    "order": T.dot(x, y).T,
    "new axes": e.dimshuffle(0, "x", 1),
    "reshape": e.reshape((-1, 3)),
    "reshape of a product": T.dot(x, y).reshape((-1, 3)),
    "reshape to computed": e.reshape((x.shape[1], x.shape[0])),
    "flatten": T.dot(x, y).flatten(),
    "flatten two": T.exp(t).flatten(2),
    "sum": T.sum(e, axis=0),
    "sum that keeps": T.sum(e, axis=1, keepdims=True),
    "mean": T.mean(e, axis=1),
    "largest": T.max(e, axis=1),
    "place of the largest": T.argmax(e, axis=0),
    "softmax": T.nnet.softmax(x),
    "sort": T.sort(e, axis=1),
    "cumsum": T.cumsum(e, axis=0),
    "changed": T.set_subtensor(e[0], v),
    "increased": T.inc_subtensor(e[0], T.exp(v)),
    "alloc": T.alloc(T.exp(v), n, v.shape[0]),
    "repeat": T.repeat(e, 2, axis=0),
    "tile": T.tile(e, (2, 1)),
    "diagonal": T.diag(e),
    "split": T.split(e, [1, 2], 2)[1],
    "roll": T.roll(e, 1, axis=0),
    "filled": T.zeros_like(T.dot(e, y)),
}

FREE = {
    "shape", "count", "subtensor", "dimshuffle", "reshape", "reshape_to", "stack", "alloc", "full",
    "fill", "split_part", "extract_diag", "add", "sub", "mul", "sqr", "int_div", "maximum",
    "minimum", "cast", "gt", "positions", "arange",
}  # fmt: skip
"""What lengths are computed with, and ops that are views of inputs."""

ASKED: dict[str, Callable[[Variable], Variable]] = {
    "shape": lambda v: v.shape,
    "length": lambda v: v.shape[0],
    "size": lambda v: v.size,
    "zeros": T.zeros_like,
    "positions": lambda v: OPS["positions"](v),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=list(ASKED))
@pytest.mark.parametrize("expression", SHAPED.values(), ids=list(SHAPED))
def test_what_has_a_shape_is_not_computed_for_it(
    expression: Variable, ask: Callable[[Variable], Variable]
) -> None:
    asked = ask(expression)
    graph, _ = optimized(list(GIVEN), asked)
    assert ops(graph) <= FREE
    # No element of a float is computed with.
    computed = {"dimshuffle", "reshape", "reshape_to", "subtensor", "split_part", "extract_diag"}
    for node in graph.applies:
        if node.out.dtype.startswith("float") and node.op.name not in computed:
            assert node.op.name in {"fill", "alloc", "full"}, node
    before, after = interpret([asked, *graph.outputs], GIVEN)
    assert after.dtype == before.dtype
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("length", range(4))
def test_the_length_of_a_slice_follows_from_its_ends(length: int, step: int) -> None:
    ends = [None, *range(-4, 5)]
    parts = [T.sort(v)[start:stop:step] for start, stop in product(ends, ends)]
    joined = [T.concatenate([part, v]).shape[0] for part in parts]
    graph, _ = optimized([v], *joined)
    assert "sort" not in ops(graph)
    values = {v: np.zeros(length)}
    assert interpret(graph.outputs, values) == interpret(joined, values)


def test_what_watches_is_kept_though_only_its_shape_is_wanted() -> None:
    graph, _ = optimized([v], OPS["assert_true"](T.exp(v), [T.all(v > 0)]).shape)
    assert "assert_true" in ops(graph)


# Axes of length 1, and of none


@pytest.mark.parametrize("fold", [T.sum, T.prod, T.mean, T.max])
@pytest.mark.parametrize("dtype", ["int8", "bool", "float32"])
def test_one_element_is_folded_by_no_more_than_a_cast(
    fold: Callable[..., Variable], dtype: str
) -> None:
    column = T.col("column", dtype)
    folded = fold(column, axis=1)
    graph, _ = optimized([column], folded)
    assert ops(graph) <= {"dimshuffle", "cast"}
    value = {column: np.array([[3], [0], [1]]).astype(dtype)}
    before, after = interpret([folded, *graph.outputs], value)
    assert before.dtype == after.dtype
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_sum_of_no_terms_is_0_whatever_they_are_scaled_by(dtype: str) -> None:
    terms, scale = T.matrix("terms", dtype), T.scalar("scale", dtype)
    total = T.sum(terms * scale, axis=0)
    empty = {terms: np.zeros((0, 2), dtype), scale: np.array(np.nan, dtype)}
    graph = Graph([terms, scale], [total])
    film = optimize(graph, strict=True, check=True)
    np.testing.assert_array_equal(interpret(graph.outputs, empty), [[0, 0]])
    assert "scale_after_any_sum" not in {step.rule for step in film}
    loose, film = optimized([terms, scale], total)
    assert SHOWS_NAN in {tag for step in film for tag in step.tags}
    sizes = {terms: np.ones((3, 2), dtype), scale: np.array(2, dtype)}
    np.testing.assert_array_equal(interpret(loose.outputs, sizes), [[6, 6]])


FOLDED_PARTS = {
    "sum(join([i, j], axis=0))": "sum(i) + sum(j)",
    "prod(join([i, j], axis=0), axis=0)": "prod(cast(i, dtype=int16), axis=0) * prod(j, axis=0)",
    "sum(stack([a, b], axis=1), axis=1)": "a + b",
    "max(stack([a, b, b * 2], axis=0), axis=0)": "maximum(maximum(a, b), b * 2)",
    "mean(join([a, b], axis=1), axis=0)": "join(mean(a, axis=(0,)), mean(b, axis=(0,)))",
    "min(stack([a, b], axis=2), axis=1)": "stack(min(a, axis=(1,)), min(b, axis=(1,)), axis=1)",
    # Sums are rounded, of float32 only once; a product may overflow; nothing has no largest.
    "sum(join([a, b], axis=0), axis=0)": None,
    "sum(stack([f, f], axis=0), axis=0)": None,
    "prod(join([a, b], axis=0), axis=0)": None,
    "max(join([a, b], axis=0), axis=0)": None,
    "sum(join([a, b[:, :1]], axis=1), axis=0)": "join(sum(a, axis=(0,)), sum(b[:, :1], axis=(0,)))",
}


@pytest.mark.parametrize(("text", "expected"), FOLDED_PARTS.items())
def test_what_was_put_together_is_folded_part_by_part(text: str, expected: str | None) -> None:
    names = {"a": "float64", "b": "float64", "i": "int8", "j": "int16", "f": "float32"}
    own = {n: Variable(TensorType(d, (None, None)), name=n) for n, d in names.items()}
    out = eval(text, {"__builtins__": {}}, {**OPS, **own})  # noqa: S307
    graph, film = optimized(list(own.values()), out)
    laws = {"fold_each_part", "fold_side_by_side", "fold_before_joining"}
    assert bool(laws & {step.rule for step in film}) == (expected is not None)
    assert pp(graph.outputs[0]) == (expected or pp(out))
    rng = np.random.default_rng(7)
    values = {v: rng.uniform(-120, 120, (3, 4)).astype(v.dtype) for v in own.values()}
    (before,), (after,) = interpret([out], values), interpret(graph.outputs, values)
    assert after.dtype == before.dtype
    np.testing.assert_allclose(after, before, rtol=1e-14)


def test_a_sum_is_scaled_by_what_is_finite_under_strict_rewriting() -> None:
    terms, scale = T.dmatrix("terms"), T.dscalar("scale")
    for scaled in (T.sum(terms * 3, axis=1), T.mean(terms * T.tanh(scale))):
        graph = Graph([terms, scale], [scaled])
        film = optimize(graph, strict=True, check=True)
        known = "tanh" not in {node.op.name for node in graph.applies}  # that may be NaN
        assert ("scale_after_summing" in {step.rule for step in film}) == known


def test_terms_times_infinity_are_summed_one_by_one_under_strict_rewriting() -> None:
    terms = Variable(TensorType("float64", (3, None), (False, False)), name="terms")
    scale = T.dscalar("scale")
    total = T.sum(terms * scale, axis=0)
    graph = Graph([terms, scale], [total])
    optimize(graph, strict=True, check=True)
    values = {terms: np.array([[0.0], [1.0], [1.0]]), scale: np.array(np.inf)}
    np.testing.assert_array_equal(interpret(graph.outputs, values), [[np.nan]])


@pytest.mark.parametrize("name", ["softmax", "logsoftmax", "cumsum", "sort"])
def test_only_the_rows_that_are_read_are_computed(name: str) -> None:
    x = T.dmatrix("x")
    graph, _ = optimized([x], OPS[name](x, axis=1)[:2])
    assert [node.op.name for node in graph.toposort()] == ["subtensor", name]
    value = np.array([[3.0, 1.0], [0.5, 2.0], [7.0, 7.0]])
    (found,), (expected,) = (
        interpret(outputs, {x: value}) for outputs in (graph.outputs, [OPS[name](x, axis=1)[:2]])
    )
    np.testing.assert_allclose(found, expected, rtol=1e-14)


# Chains of all of them

Draw = Callable[[st.SearchStrategy[Any]], Any]
Step = Callable[[Variable, Array, Draw], Variable]

RANK, SIZE = 4, 300
"""How many axes and elements a chain may have."""


def reordered(v: Variable, value: Array, draw: Draw) -> Variable:
    kept = [i for i in range(v.ndim) if not v.broadcastable[i] or draw(st.booleans())]
    pattern: list[Any] = list(draw(st.permutations(kept)))
    if v.ndim < RANK:
        pattern.insert(draw(st.integers(0, len(pattern))), "x")
    return v.dimshuffle(*pattern)


def reshaped(v: Variable, value: Array, draw: Draw) -> Variable:
    lengths: list[Any] = [v.shape[i] for i in range(v.ndim)]
    if draw(st.booleans()):
        lengths = list(value.shape)
    match draw(st.integers(0, 3)):
        case 0 if value.size:
            lengths = [-1]
        case 1 if value.size and lengths:
            lengths[draw(st.integers(0, v.ndim - 1))] = -1
        case 2 if len(lengths) > 1:
            i = draw(st.integers(0, v.ndim - 2))
            lengths[i : i + 2] = [lengths[i] * lengths[i + 1]]
        case 3 if v.ndim < RANK:
            lengths.insert(draw(st.integers(0, v.ndim)), 1)
    return v.reshape(lengths)


def index(value: Array, draw: Draw) -> tuple[Any, ...]:
    ends = st.none() | st.integers(-4, 4)
    steps = st.sampled_from([None, 1, 2, -1, -2])
    entries = [st.builds(slice, ends, ends, steps), st.just(slice(None))]
    return tuple(
        draw(st.one_of(*entries, st.integers(-n, n - 1)) if n else st.one_of(*entries))
        for n in value.shape
    )


def part(v: Variable, value: Array, draw: Draw) -> Variable:
    if not v.ndim or draw(st.booleans()):
        return v[index(value, draw)]
    n = v.shape[0]
    rows = T.arange(n)
    ends = [slice(n), slice(0, n), slice(n - 1, None), slice(None, n - 1), rows, rows % 2]
    return v[draw(st.sampled_from(ends))]


def gathered(v: Variable, value: Array, draw: Draw) -> Variable:
    if not value.ndim or not len(value):
        return v
    rows = st.integers(-len(value), len(value) - 1)
    return v[T.constant(np.array(draw(st.lists(rows, max_size=3)), "int64"))]


def joined(v: Variable, value: Array, draw: Draw) -> Variable:
    if not v.ndim:
        return T.stack([v, -v])
    axis = draw(st.integers(0, v.ndim - 1))
    others = [v, -v, T.zeros_like(v), v + v]
    if not v.broadcastable[axis]:
        others += [v[(slice(None),) * axis + (slice(1, None),)]]
    chosen = draw(st.lists(st.sampled_from(others), min_size=1, max_size=3))
    return T.concatenate(chosen, axis=axis)


def stacked(v: Variable, value: Array, draw: Draw) -> Variable:
    return T.stack([v, -v], axis=draw(st.integers(0, v.ndim))) if v.ndim < RANK else v


def filled(v: Variable, value: Array, draw: Draw) -> Variable:
    number = T.cast(draw(st.integers(-2, 2)), v.dtype)
    lengths = [v.shape[i] for i in range(v.ndim)]
    made = [
        T.fill(v, number),
        T.alloc(number, *value.shape),
        T.alloc(number, *lengths) + v,
        T.fill(v, number) * v,
        T.alloc(v, 2, *lengths) if v.ndim < RANK else v,
    ]
    return made[draw(st.integers(0, len(made) - 1))]


def changed(v: Variable, value: Array, draw: Draw) -> Variable:
    at = v[index(value, draw)]
    new = draw(st.sampled_from([at, -at, T.zeros_like(at), T.cast(1, v.dtype)]))
    change = draw(st.sampled_from([T.set_subtensor, T.inc_subtensor]))
    base = draw(st.sampled_from([v, T.zeros_like(v)]))
    return change(base[index_of(at)], new)


def index_of(at: Variable) -> tuple[Any, ...]:
    """The index with which a part was taken."""
    entries = at.owner.params["index"] if at.owner is not None else ()
    return tuple(slice(*entry) if isinstance(entry, tuple) else entry for entry in entries)


def computed(v: Variable, value: Array, draw: Draw) -> Variable:
    made = [-v, v + v, abs(v), v * T.cast(v.size, v.dtype), v + T.cast(2, v.dtype)]
    return made[draw(st.integers(0, len(made) - 1))]


def summed(v: Variable, value: Array, draw: Draw) -> Variable:
    if not v.ndim:
        return v
    axis = draw(st.integers(0, v.ndim - 1))
    return T.cast(T.sum(v, axis=axis, keepdims=draw(st.booleans())), v.dtype)


LINKS: list[Step] = [
    reordered, reshaped, part, gathered, joined, stacked, filled, changed, computed, summed,
]  # fmt: skip


@st.composite
def chains(draw: Draw) -> tuple[Variable, list[Variable], Array]:
    """An input, what is made of it step by step, and a value of the input."""
    dtype = draw(st.sampled_from(["float64", "float32", "int8", "int64"]))
    shape = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=3)))
    pattern = [n == 1 and draw(st.booleans()) for n in shape]
    known = [n if draw(st.booleans()) or b else None for n, b in zip(shape, pattern, strict=True)]
    x = Variable(TensorType(dtype, known, pattern), name="x")
    value = (np.arange(np.prod(shape)) % 7 - 3).reshape(shape).astype(dtype)
    made = [x]
    for link in draw(st.lists(st.sampled_from(LINKS), min_size=1, max_size=6)):
        (current,) = interpret(made[-1:], {x: value})
        if current.size > SIZE:
            break
        made.append(link(made[-1], current, draw))
    return x, made, value


@settings(max_examples=400)
@given(chains(), st.booleans())
def test_a_chain_has_the_same_value_after_rewriting(
    chain: tuple[Variable, list[Variable], Array], all_of_them: bool
) -> None:
    x, made, value = chain
    note(f"{pp(made[-1])} of {x.type} {value.shape}")
    asked = [*(made if all_of_them else made[-1:]), made[-1].shape, made[-1].size]
    graph, _ = optimized([x], *asked)
    before, after = (interpret(outputs, {x: value}) for outputs in (asked, graph.outputs))
    for a, b, v, out in zip(before, after, asked, graph.outputs, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert (v.dtype, v.broadcastable) == (out.dtype, out.broadcastable)
        np.testing.assert_array_equal(a, b)
