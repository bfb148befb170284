"""Random expressions of matrices: laws keep their values, their errors, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import engine.tensor as T
from engine.codegen.numpy import interpret
from engine.errors import EngineError
from engine.expression import Variable, walk
from engine.graph import Graph
from engine.rewrite import ERASES_NAN, HIDES_ERROR, optimize
from engine.rewrite.film import Film
from engine.types import FLOATS, TensorType

Array = np.ndarray[Any, Any]

LARGEST = 1e3
"""Numbers beyond this are left out, so that nothing overflows in float16."""


@dataclass(eq=False)
class Term:
    """An expression with what it would be if all numbers were positive, which bounds its errors.

    roundings: how many follow one another at most: a sum of n products has n of them.
    """

    v: Variable
    size: Array
    roundings: int = 0


@dataclass
class Grown:
    """Terms made of one another, and values for the inputs that they are made of."""

    dtype: str
    values: dict[Variable, Array] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)
    outputs: list[Term] = field(default_factory=list)

    def graph(self) -> Graph:
        """A graph of the outputs, to be rewritten."""
        return Graph(list(self.values), [term.v for term in self.outputs])


def transposed(x: Term) -> Term:
    return Term(x.v.T, x.size.T, x.roundings)


def negative(x: Term) -> Term:
    return Term(-x.v, x.size, x.roundings)


def zeros(x: Term) -> Term:
    return Term(T.zeros_like(x.v), np.zeros_like(x.size))


def ones_on_diagonal(x: Term) -> Term:
    return Term(T.eye(x.v.shape[0], dtype=x.v.dtype), np.eye(len(x.size)))


def column_sums(x: Term) -> Term:
    return Term(x.v.sum(axis=0, dtype=x.v.dtype), x.size.sum(axis=0), x.roundings + len(x.size))


def added(x: Term, y: Term) -> Term:
    return Term(x.v + y.v, x.size + y.size, max(x.roundings, y.roundings) + 1)


def subtracted(x: Term, y: Term) -> Term:
    return Term(x.v - y.v, x.size + y.size, max(x.roundings, y.roundings) + 1)


def scaled(x: Term, y: Term) -> Term:
    return Term(x.v * y.v, x.size * y.size, x.roundings + y.roundings + 1)


def rows_scaled(x: Term, y: Term) -> Term:
    size = x.size * y.size[:, None]
    return Term(x.v * y.v.dimshuffle(0, "x"), size, x.roundings + y.roundings + 1)


def multiplied(x: Term, y: Term) -> Term:
    n = x.roundings + y.roundings + x.size.shape[-1]
    return Term(T.dot(x.v, y.v), x.size @ y.size, n)


def alike(x: Array, y: Array) -> bool:
    return x.shape == y.shape


WAYS: list[tuple[Callable[..., Term], Callable[..., Any], int]] = [
    (multiplied, lambda x, y: x.ndim and y.ndim and x.shape[-1] == y.shape[0], 8),
    (transposed, lambda x: x.ndim == 2, 3),
    (negative, lambda x: True, 1),
    (zeros, lambda x: True, 1),
    (ones_on_diagonal, lambda x: x.ndim == 2, 1),
    (column_sums, lambda x: x.ndim == 2, 2),
    (added, alike, 3),
    (subtracted, alike, 2),
    (scaled, lambda x, y: y.ndim == 0 or (x.ndim == 2 and y.shape == x.shape[1:]), 4),
    (rows_scaled, lambda x, y: x.ndim == 2 and y.shape == x.shape[:1], 2),
]
"""Ways to make a term of one or two others, which fit, and how often it is taken."""
OFTEN = np.array([often for *_, often in WAYS]) / sum(often for *_, often in WAYS)


@st.composite
def expressions(draw: Any, dtypes: list[str]) -> Grown:
    """Sums and products of matrices, vectors and numbers whose axes are 0 to 3 long."""
    grown = Grown(draw(st.sampled_from(dtypes)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = rng.choice(4, 2, p=[0.1, 0.2, 0.35, 0.35])
    for i in range(rng.integers(3, 6)):
        shape = rng.choice(lengths, rng.choice(3, p=[0.15, 0.25, 0.6])).tolist()
        value = rng.choice([-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.25, 2], shape).astype(grown.dtype)
        known = [n if rng.integers(2) and n != 1 else None for n in shape]
        stretches = [n == 1 and bool(rng.integers(2)) for n in shape]
        v = Variable(TensorType(grown.dtype, known, stretches), name=f"x{i}")
        grown.values[v] = value
        grown.terms.append(Term(v, np.abs(value).astype("float64")))
    for _ in range(rng.integers(4, 16)):
        make, fits, _ = WAYS[rng.choice(len(WAYS), p=OFTEN)]
        recent, terms = grown.terms[-4:], grown.terms
        places: list[tuple[Term, ...]] = (
            [(x,) for x in recent if fits(x.size)]
            if fits.__code__.co_argcount == 1
            else [(x, y) for x in terms for y in terms
                  if (x in recent or y in recent) and fits(x.size, y.size)]
        )  # fmt: skip
        if places:
            made = make(*places[rng.integers(len(places))])
            if made.size.max(initial=0) < LARGEST:
                grown.terms.append(made)
    read = {v for term in grown.terms if term.v.owner for v in term.v.owner.inputs}
    made_of = [term for term in grown.terms if term.v.owner is not None]
    assume(made_of)
    grown.outputs = [
        term for term in made_of if term.v not in read or rng.integers(8) == 0
    ] or made_of[-1:]
    return grown


quick = settings(max_examples=150, suppress_health_check=list(HealthCheck))
everywhere = pytest.mark.parametrize("strict", [False, True])


def improved(grown: Grown, *, strict: bool) -> tuple[Graph, Film]:
    graph = grown.graph()
    film = optimize(graph, strict=strict, check=True)
    assert film.warnings == []
    if strict:
        assert not any({ERASES_NAN, HIDES_ERROR} & step.tags for step in film)
    return graph, film


@everywhere
@given(expressions(sorted(FLOATS)))
@quick
def test_floats_differ_by_no_more_than_roundings(strict: bool, grown: Grown) -> None:
    """Each order of a sum of n products errs by n roundings of their sizes at most.

    Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1.
    """
    graph, _ = improved(grown, strict=strict)
    expected = interpret([term.v for term in grown.outputs], grown.values)
    about = np.finfo(grown.dtype)
    found = interpret(graph.outputs, grown.values)
    for term, before, after in zip(grown.outputs, expected, found, strict=True):
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        # Both orders err, and moved factors round once more where they come to stand.
        rounding = about.eps * term.size + LARGEST * float(about.smallest_subnormal)
        near = 2 * (2 * term.roundings + 2) * rounding
        assert (np.abs(after.astype("float64") - before) <= near).all()


@everywhere
@given(expressions(["int8", "uint8", "int32", "int64"]))
@quick
def test_integers_are_the_same(strict: bool, grown: Grown) -> None:
    graph, _ = improved(grown, strict=strict)
    expected = interpret([term.v for term in grown.outputs], grown.values)
    for before, after in zip(expected, interpret(graph.outputs, grown.values), strict=True):
        assert after.dtype == before.dtype
        np.testing.assert_array_equal(after, before)


PRODUCTS = {"dot", "batched_matmul", "einsum"}


@given(expressions(["float64"]))
@quick
def test_no_product_is_computed_twice(grown: Grown) -> None:
    graph, _ = improved(grown, strict=False)
    before = walk([term.v for term in grown.outputs])
    products = [sum(node.op.name in PRODUCTS for node in n) for n in (before, graph.applies)]
    assert products[1] <= products[0]


@everywhere
@given(expressions(["float64", "int32"]), st.data())
@quick
def test_shapes_that_do_not_fit_are_noticed(strict: bool, grown: Grown, data: Any) -> None:
    """A law after which they are not says so, and is not taken in strict rewriting."""
    v = data.draw(st.sampled_from(list(grown.values)))
    open_axes = [i for i, n in enumerate(v.type.shape) if n is None and not v.broadcastable[i]]
    assume(open_axes)
    shape = list(grown.values[v].shape)
    shape[data.draw(st.sampled_from(open_axes))] += 1
    values = {**grown.values, v: np.ones(shape, v.dtype)}
    try:
        interpret([term.v for term in grown.outputs], values)
    except EngineError:
        pass
    else:
        assume(False)
    graph, film = improved(grown, strict=strict)
    try:
        interpret(graph.outputs, values)
    except EngineError:
        return
    assert any(HIDES_ERROR in step.tags for step in film), [str(step) for step in film]
