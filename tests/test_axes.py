"""Laws of axes: order, shapes, parts, joins and fills are put together and moved, values stay."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen.numpy import interpret
from engine.expression import OPS, Variable
from engine.graph import Graph
from engine.rewrite import Film, optimize
from engine.rewrite.cuts import Cut, cut_again

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
