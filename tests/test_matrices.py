"""Laws of matrix products, inverses and decompositions, on graphs in which several of them meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import prod
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.tensor as T
from engine.codegen.numpy import interpret
from engine.errors import EngineError, LinearAlgebraError
from engine.expression import OPS, Variable, walk
from engine.grad import grad
from engine.graph import Graph
from engine.ops.inverses import dominant
from engine.rewrite import HIDES_ERROR, REASSOCIATES, optimize
from engine.rewrite.film import Film
from engine.rewrite.lengths import Lengths
from engine.rewrite.structure import Structures
from engine.types import TensorType

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(2)


def matrix(name: str, *shape: int | None, dtype: str = "float64") -> Variable:
    """A matrix, or vector, whose lengths are known where they are given."""
    return Variable(TensorType(dtype, shape), name=name)


def improved(inputs: list[Variable], out: Variable, **choices: Any) -> tuple[Graph, Film]:
    graph = Graph(inputs, [out])
    film = optimize(graph, check=True, **choices)
    assert film.warnings == []
    return graph, film


def counted(graph: Graph) -> dict[str, int]:
    """How many applies there are of each op."""
    names = [node.op.name for node in graph.applies]
    return {name: names.count(name) for name in names}


def assert_same(
    inputs: list[Variable], out: Variable, *values: Array, rtol: float = 1e-10
) -> Graph:
    """The graph after all laws, which must give what it gave before."""
    graph, _ = improved(inputs, out)
    given = dict(zip(inputs, values, strict=True))
    (before,), (after,) = interpret([out], given), interpret(graph.outputs, given)
    assert (before.dtype, before.shape) == (after.dtype, after.shape)
    np.testing.assert_allclose(after, before, rtol=rtol, atol=rtol)
    return graph


# Chains


def order(v: Variable) -> str:
    """How a chain of products is put in brackets."""
    if v.owner is None or v.owner.op.name != "dot":
        return v.name or "?"
    return "(" + "".join(order(x) for x in v.owner.inputs) + ")"


def chain(*sides: int) -> list[Variable]:
    """Matrices a, b, … of which each has as many rows as the one before has columns."""
    return [matrix(chr(97 + i), *shape) for i, shape in enumerate(pairwise(sides))]


def cost(out: Variable, shapes: dict[Variable, tuple[int, ...]]) -> int:
    """The multiplications of all products in an expression, for shapes of its inputs."""
    total = 0
    for node in walk([out]):
        x, y = (shapes[v] for v in node.inputs)
        total += prod(x) * prod(y[1:])
        shapes[node.out] = x[:-1] + y[1:]
    return total


def shapes_of(matrices: list[Variable]) -> dict[Variable, Any]:
    return {m: m.type.shape for m in matrices}


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((10, 1000, 10, 1000, 10), 10 * 1000 * 10 * 2 + 10 * 10 * 10),
        ((30, 35, 15, 5, 10, 20, 25), 15125),  # Cormen et al., Introduction to Algorithms, 15.2
        ((1000, 2, 1000, 2), 2 * 1000 * 2 + 1000 * 2 * 2),
        ((5, 5, 5, 5), 2 * 125),
    ],
)
def test_a_chain_of_known_lengths_takes_the_fewest_multiplications(
    sides: tuple[int, ...], expected: int
) -> None:
    for fold in (left_to_right, right_to_left):
        matrices = chain(*sides)
        graph, _ = improved(matrices, fold(matrices))
        assert cost(graph.outputs[0], shapes_of(matrices)) == expected


def left_to_right(matrices: list[Variable]) -> Variable:
    out = matrices[0]
    for m in matrices[1:]:
        out = T.dot(out, m)
    return out


def right_to_left(matrices: list[Variable]) -> Variable:
    out = matrices[-1]
    for m in matrices[-2::-1]:
        out = T.dot(m, out)
    return out


@st.composite
def brackets(draw: Any, factors: list[Variable]) -> Variable:
    """The product of some factors with brackets put anywhere."""
    if len(factors) == 1:
        return factors[0]
    k = draw(st.integers(1, len(factors) - 1))
    return T.dot(draw(brackets(factors[:k])), draw(brackets(factors[k:])))


@st.composite
def chains(draw: Any, *, known: bool) -> tuple[list[Variable], Variable, list[int]]:
    """Three to six factors, with vectors at the ends or not, their product, and the lengths."""
    count = draw(st.integers(3, 6))
    sides = draw(st.lists(st.integers(2, 7) | st.just(40), min_size=count + 1, max_size=count + 1))
    shapes: list[tuple[int, ...]] = list(pairwise(sides))
    if draw(st.booleans()):
        sides[0], shapes[0] = 1, shapes[0][1:]
    if draw(st.booleans()):
        sides[-1], shapes[-1] = 1, shapes[-1][:1]
    factors = [
        matrix(chr(97 + i), *(shape if known else [None] * len(shape)))
        for i, shape in enumerate(shapes)
    ]
    return factors, draw(brackets(factors)), sides


def costs(sides: list[int]) -> Iterator[int]:
    """The multiplications of each way to put brackets."""
    if len(sides) == 2:
        yield 0
    for k in range(1, len(sides) - 1):
        own = sides[0] * sides[k] * sides[-1]
        yield from (a + b + own for a in costs(sides[: k + 1]) for b in costs(sides[k:]))


def drawn(factors: list[Variable], sides: list[int]) -> dict[Variable, Array]:
    """A value for each factor of a chain."""
    shapes = [pair if v.ndim == 2 else tuple(n for n in pair if n > 1)
              for v, pair in zip(factors, pairwise(sides), strict=True)]  # fmt: skip
    return {v: RNG.normal(size=n) for v, n in zip(factors, shapes, strict=True)}


@given(chains(known=True))
def test_no_brackets_take_fewer_multiplications(
    drawn_chain: tuple[list[Variable], Variable, list[int]],
) -> None:
    factors, out, sides = drawn_chain
    graph, _ = improved(factors, out)
    assert cost(graph.outputs[0], shapes_of(factors)) == min(costs(sides))
    values = drawn(factors, sides)
    (before,), (after,) = interpret([out], values), interpret(graph.outputs, values)
    np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-10 * np.abs(before).max())


@given(chains(known=False))
def test_with_unknown_lengths_it_never_takes_more(
    drawn_chain: tuple[list[Variable], Variable, list[int]],
) -> None:
    factors, out, sides = drawn_chain
    graph, _ = improved(factors, out)
    values = drawn(factors, sides)
    shapes = {v: a.shape for v, a in values.items()}
    assert cost(graph.outputs[0], dict(shapes)) <= cost(out, dict(shapes))
    (before,), (after,) = interpret([out], values), interpret(graph.outputs, values)
    np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-10 * np.abs(before).max())
    if factors[-1].ndim == 1 and factors[0].ndim == 2:
        # From the vector on, whatever the lengths are.
        assert all(v.ndim == 1 for n in walk(graph.outputs) for v in n.outputs)


def test_a_vector_is_multiplied_first() -> None:
    a, b, c, v = T.dmatrix("a"), T.dmatrix("b"), T.dmatrix("c"), T.dvector("v")
    graph, film = improved([a, b, c, v], T.dot(T.dot(T.dot(a, b), c), v))
    assert order(graph.outputs[0]) == "(a(b(cv)))"
    assert [step.rule for step in film] == ["multiply_in_cheapest_order"]
    graph, _ = improved([a, b, c, v], T.dot(v, T.dot(a, T.dot(b, c))))
    assert order(graph.outputs[0]) == "(((va)b)c)"
    graph, film = improved([a, b, v], T.dot(T.dot(a, b), v), exclude=[REASSOCIATES])
    assert order(graph.outputs[0]) == "((ab)v)"


def test_a_chain_of_unknown_lengths_stays() -> None:
    a, b, c = T.dmatrix("a"), T.dmatrix("b"), T.dmatrix("c")
    for out, expected in (
        (T.dot(T.dot(a, b), c), "((ab)c)"),
        (T.dot(a, T.dot(b, c)), "(a(bc))"),
    ):
        assert order(improved([a, b, c], out)[0].outputs[0]) == expected


def test_what_is_shared_is_not_multiplied_again() -> None:
    a, b, v = T.dmatrix("a"), T.dmatrix("b"), T.dvector("v")
    ab = T.dot(a, b)
    graph = Graph([a, b, v], [ab, T.dot(ab, v)])
    optimize(graph, check=True)
    assert counted(graph) == {"dot": 2}
    inverse = OPS["matrix_inverse"](a)
    graph = Graph([a, b, v], [T.dot(inverse, b), T.dot(inverse, v)])
    optimize(graph, check=True)
    assert counted(graph) == {"matrix_inverse": 1, "dot": 2}


def test_a_vector_in_the_middle_belongs_to_one_side() -> None:
    a, b, v = T.dmatrix("a"), T.dmatrix("b"), T.dvector("v")
    out = T.dot(T.dot(a, v), b)
    graph = assert_same([a, b, v], out, RNG.normal(size=(3, 4)), RNG.normal(size=(3, 2)),
                        RNG.normal(size=4))  # fmt: skip
    assert order(graph.outputs[0]) == "((av)b)"


def test_a_long_chain_is_left_alone_in_time() -> None:
    matrices = [T.dmatrix(f"m{i}") for i in range(400)]
    graph, film = improved(matrices, left_to_right(matrices))
    assert len(graph) == 399
    assert list(film) == []


# Products


def test_transposes_meet() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    graph = assert_same([x, y], T.dot(x.T, y.T).T, RNG.normal(size=(4, 3)), RNG.normal(size=(2, 4)))
    assert counted(graph) == {"dot": 1}
    graph, film = improved([x, y], T.dot(x, y).T)
    assert list(film) == []


def test_factors_leave_a_product_and_meet() -> None:
    x, y, s = T.dmatrix("x"), T.dmatrix("y"), T.dscalar("s")
    out = T.dot(2 * x * s, -y / 4)
    values = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2)), np.array(1.5)
    graph = assert_same([x, y, s], out, *values)
    assert counted(graph)["mul"] == 2
    assert graph.outputs[0].owner is not None
    assert "neg" not in counted(graph)


def test_factors_leave_a_chain_in_one_step() -> None:
    x, y, z, s = T.dmatrix("x"), T.dmatrix("y"), T.dmatrix("z"), T.dscalar("s")
    out = T.dot(T.dot(x * s, y / 3), -z).T
    values = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2)), RNG.normal(size=(2, 5))
    graph = assert_same([x, y, z, s], out, *values, np.array(1.5))
    found = counted(graph)
    assert found["dot"] == 2
    products = [n for n in graph.applies if n.op.name == "dot"]
    assert {v.owner.op.name for n in products for v in n.inputs if v.owner} == {"dot"}


def test_factors_in_front_of_a_product_are_collected() -> None:
    x, y, s = T.dmatrix("x"), T.dmatrix("y"), T.dscalar("s")
    values = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3)), np.array(1.5)
    for out in (
        -2 * T.dot(x * s, y),
        T.dot(x * 3, y) / s,
        T.dot((-x).T, y * s).T * s,
        T.dot(s * T.dot(x, y), y),
    ):
        found = counted(assert_same([x, y, s], out, *values))
        assert found.get("neg", 0) + found.get("mul", 0) + found.get("true_div", 0) <= 2


def test_a_normalised_row_is_divided_after_it_met_a_vector() -> None:
    x, v = T.dmatrix("x"), T.dvector("v")
    weights = T.exp(x) / T.sum(x, axis=1, keepdims=True)
    _, film = improved([x, v], T.dot(weights, v))
    assert "scale_after_multiplying" in {step.rule for step in film}
    assert_same([x, v], T.dot(weights, v), RNG.uniform(1, 2, (3, 4)), RNG.normal(size=4))


def test_a_factor_stays_where_there_are_fewer_elements() -> None:
    x, y, s = matrix("x", 100, 2), matrix("y", 2, 100), T.dscalar("s")
    _, film = improved([x, y, s], T.dot(x * s, y))
    assert list(film) == []


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_product_is_summed_before_it_is_multiplied(axis: Any, keepdims: bool) -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    out = T.sum(T.dot(x, y), axis=axis, keepdims=keepdims)
    for m, k, n in ((3, 4, 2), (0, 4, 2), (3, 0, 2), (1, 1, 1)):
        assert_same([x, y], out, RNG.normal(size=(m, k)), RNG.normal(size=(k, n)))


def test_products_with_a_common_factor_are_one() -> None:
    x, h, w = T.dmatrix("x"), T.dmatrix("h"), T.dmatrix("w")
    out = T.dot(x, w) - T.dot(h, w) + 1
    graph = assert_same([x, h, w], out, *(RNG.normal(size=(3, 3)) for _ in "xhw"))
    assert counted(graph)["dot"] == 1


def test_the_trace_of_a_product_needs_no_product() -> None:
    x = T.dmatrix("x")
    graph = assert_same([x], OPS["trace"](T.dot(x, x.T)), RNG.normal(size=(4, 3)))
    assert "dot" not in counted(graph)
    y = T.dmatrix("y")  # not known to be square: the diagonal is as long as the shorter side
    graph = assert_same([x, y], OPS["trace"](T.dot(x, y)), np.ones((4, 3)), np.ones((3, 2)))
    assert "dot" in counted(graph)


def test_a_stretched_product_is_one_of_matrices() -> None:
    """Per-example gradients' norms, as Theano's local_sumsqr2dot has them."""
    w, g = T.dmatrix("w"), T.dmatrix("g")
    out = T.sum(T.sqr(w.dimshuffle("x", 0, 1) * g.dimshuffle(0, "x", 1)), axis=(1, 2))
    graph = assert_same([w, g], out, RNG.normal(size=(3, 4)), RNG.normal(size=(5, 4)))
    assert counted(graph)["dot"] == 1
    assert max(v.ndim for node in graph.applies for v in node.outputs) == 2
    out = T.sum(2 * w.dimshuffle(0, 1, "x") * T.exp(g.dimshuffle("x", 0, 1)), axis=1)
    graph = assert_same([w, g], out, RNG.normal(size=(3, 4)), RNG.normal(size=(4, 5)))
    assert counted(graph)["dot"] == 1


@pytest.mark.parametrize(
    ("subscripts", "shapes", "op"),
    [
        ("ij,jk->ik", [(3, 4), (4, 2)], "dot"),
        ("ij,jk->ki", [(3, 4), (4, 2)], "dot"),
        ("ji,jk->ik", [(4, 3), (4, 2)], "dot"),
        ("ij,kj->ik", [(3, 4), (2, 4)], "dot"),
        ("ij,j->i", [(3, 4), (4,)], "dot"),
        ("i,ij->j", [(3,), (3, 4)], "dot"),
        ("i,i->", [(3,), (3,)], "dot"),
        ("i,j->ij", [(3,), (4,)], "mul"),
        ("i,j->ji", [(3,), (4,)], "mul"),
        ("ij,ij->ij", [(3, 4), (3, 4)], "mul"),
        ("ij,jk->k", [(3, 4), (4, 2)], "dot"),
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)], "batched_matmul"),
        ("bij,bjk->kbi", [(2, 3, 4), (2, 4, 5)], "batched_matmul"),
        ("bij,bj->bi", [(2, 3, 4), (2, 4)], "batched_matmul"),
        ("bi,bi->b", [(2, 3), (2, 3)], "batched_matmul"),
        ("bi,bij->bj", [(2, 3), (2, 3, 4)], "batched_matmul"),
        ("ijk,jkl->il", [(2, 3, 4), (3, 4, 2)], "einsum"),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_letters_become_products(
    subscripts: str, shapes: list[tuple[int, ...]], op: str, dtype: str
) -> None:
    x, y = (matrix(n, *[None] * len(s), dtype=dtype) for n, s in zip("xy", shapes, strict=True))
    values = [RNG.normal(size=s).astype(dtype) for s in shapes]
    graph = assert_same([x, y], OPS["einsum"](subscripts, x, y), *values, rtol=1e-5)
    assert op in counted(graph)
    assert op == "einsum" or "einsum" not in counted(graph)
    empty = [np.zeros((0,) * len(s), dtype) for s in shapes]
    assert_same([x, y], OPS["einsum"](subscripts, x, y), *empty)


def test_zeros_and_ones_leave_no_product() -> None:
    x = T.dmatrix("x")
    zeros, one = T.zeros((x.shape[1], 5)), T.eye(x.shape[0])
    graph = assert_same([x], T.dot(x, zeros), RNG.normal(size=(3, 4)))
    assert "dot" not in counted(graph)
    graph = assert_same([x], T.dot(one, x), RNG.normal(size=(3, 4)))
    assert len(graph) == 0
    graph, _ = improved([x], T.dot(x, zeros), strict=True)
    assert "dot" in counted(graph)


def test_a_constant_is_looked_at() -> None:
    x = T.dmatrix("x")
    graph = assert_same([x], T.dot(x, np.eye(3)), RNG.normal(size=(2, 3)))
    assert len(graph) == 0
    graph = assert_same([x], T.dot(x, np.zeros((3, 2))), RNG.normal(size=(2, 3)))
    assert "dot" not in counted(graph)


# What does not fit


MISFITS: dict[str, tuple[Callable[..., Variable], list[tuple[int, ...]], bool]] = {
    "zeros": (lambda x, y: T.dot(T.zeros_like(x), y), [(3, 4), (5, 2)], True),
    "ones": (lambda x, y: T.dot(T.eye(x.shape[0]), y), [(3, 3), (4, 2)], True),
    "chain": (lambda x, y: T.dot(T.dot(x, y), y[0]), [(3, 4), (5, 5)], False),
    "factor": (lambda x, y: T.dot(3 * x, -y), [(3, 4), (5, 2)], False),
    "row": (lambda x, y: T.dot(x / y.dimshuffle(0, "x"), y), [(3, 4), (4,)], False),
    "sum": (lambda x, y: T.sum(T.dot(x, y)), [(3, 4), (5, 2)], False),
    "terms": (lambda x, y: T.dot(x, x) - T.dot(x, y), [(3, 3), (3, 2)], False),
    "trace": (lambda x, y: OPS["trace"](T.dot(x, y)), [(3, 4), (3, 3)], False),
    "transposes": (lambda x, y: T.dot(x.T, y.T).T, [(3, 4), (3, 4)], False),
    "stretched": (
        lambda x, y: T.sum(x.dimshuffle(0, 1, "x") * y.dimshuffle("x", 0, 1), axis=1),
        [(3, 4), (5, 2)],
        False,
    ),
    "letters": (lambda x, y: OPS["einsum"]("ij,jk->ik", x, y), [(3, 4), (5, 2)], False),
    "trace of a column": (
        lambda x, y: OPS["trace"](T.dot(x, y)) + T.sum(T.dot(y.T, x.T)), [(3, 4), (1, 3)], False
    ),
    "diagonal": (lambda x, y: T.dot(x, T.diag(y)), [(3, 4), (1,)], False),
    "solve": (lambda x, y: T.dot(OPS["matrix_inverse"](x), y), [(3, 3), (4, 2)], False),
    "no square": (lambda x, y: T.dot(OPS["matrix_inverse"](x), y), [(3, 2), (3, 2)], False),
    "twice inverted": (
        lambda x, y: OPS["matrix_inverse"](OPS["matrix_inverse"](x)) + y, [(3, 2), (3, 2)], True
    ),
    "triangle": (lambda x, y: OPS["det"](T.tril(x)) + y, [(3, 2), ()], True),
    "logarithm": (lambda x, y: T.log(OPS["det"](T.tril(x))) + y, [(3, 2), ()], True),
    "rotation": (
        lambda x, y: T.dot(OPS["eigh"].each(x)[1].T, OPS["eigh"].each(x)[1]) + y,
        [(3, 2), (3, 3)],
        True,
    ),
}  # fmt: skip
"""What does not fit: an expression, shapes of x and y, and whether a law may hide it."""


@pytest.mark.parametrize("name", MISFITS)
def test_shapes_that_do_not_fit_are_hidden_by_laws_that_say_so(name: str) -> None:
    make, shapes, hidden = MISFITS[name]
    x, y = (matrix(v, *[None] * len(s)) for v, s in zip("xy", shapes, strict=True))
    values = {v: RNG.normal(size=s) for v, s in zip((x, y), shapes, strict=True)}
    out = make(x, y)
    with pytest.raises(EngineError):
        interpret([out], values)
    graph, _ = improved([x, y], out, strict=True)
    with pytest.raises(EngineError):
        interpret(graph.outputs, values)
    graph, film = improved([x, y], out)
    if hidden:
        interpret(graph.outputs, values)
        assert any(HIDES_ERROR in step.tags for step in film)
    else:
        with pytest.raises(EngineError):
            interpret(graph.outputs, values)


def test_an_axis_that_stretches_does_not_stretch_in_a_product() -> None:
    x, y = T.dcol("x"), T.dvector("y")
    for out in (T.dot(x, T.diag(y)), T.dot(T.diag(y), x.T)):
        graph, _ = improved([x, y], out)
        with pytest.raises(EngineError):
            interpret(graph.outputs, {x: np.ones((4, 1)), y: np.ones(3)})


# Structure


@pytest.mark.parametrize(
    ("make", "facts"),
    [
        (lambda x: T.tril(x), "lower"),
        (lambda x: T.tril(x, -1), "lower"),
        (lambda x: T.tril(x, 1), ""),
        (lambda x: T.triu(x), "upper"),
        (lambda x: T.triu(x, 1), "upper"),
        (lambda x: T.triu(x, -1), ""),
        (lambda x: T.triu(x).T, "lower"),
        (lambda x: T.tril(T.triu(x)), "lower upper"),
        (lambda x: 2 * T.tril(x) - T.tril(x) / 3, "lower"),
        (lambda x: T.tril(x) + 1, ""),
        (lambda x: T.dot(T.tril(x), T.tril(x)), "lower"),
        (lambda x: OPS["matrix_inverse"](T.tril(x) + 3 * T.eye(3)), "lower"),
        (lambda x: T.eye(3), "lower upper positive symmetric orthogonal identity"),
        (lambda x: T.eye(3, 4), "lower upper"),
        (lambda x: T.eye(3, k=1), ""),
        (lambda x: T.dot(x, x.T), "symmetric"),
        (lambda x: T.dot(x.T, x) + T.eye(3), "symmetric"),
        (lambda x: T.exp(x + x.T), "symmetric"),
        (lambda x: x * x.T - x, ""),
        (lambda x: OPS["cholesky"](T.dot(x, x.T) + T.eye(3)), "lower positive"),
        (lambda x: OPS["qr"].each(x, mode="complete")[0], "orthogonal"),
        (lambda x: OPS["qr"].each(x)[1], "upper"),
        (lambda x: OPS["eigh"].each(x)[1].T, "orthogonal"),
        (lambda x: OPS["svd"].each(x)[0], "orthogonal"),
        (lambda x: OPS["lu"].each(x)[1], "lower positive"),
        (lambda x: OPS["alloc_diag"](x[0]), "lower upper symmetric"),
    ],
)
def test_what_is_known_of_a_matrix_holds(make: Callable[[Variable], Variable], facts: str) -> None:
    x = T.dmatrix("x")
    v = make(x)
    known = Structures(Lengths()).of(v)
    names = ["lower", "upper", "positive", "symmetric", "orthogonal", "identity"]
    assert " ".join(n for n in names if getattr(known, n)) == facts
    (a,) = interpret([v], {x: RNG.normal(size=(3, 3))})
    holds = {
        "lower": lambda: np.array_equal(a, np.tril(a)),
        "upper": lambda: np.array_equal(a, np.triu(a)),
        "positive": lambda: (np.diag(a) > 0).all(),
        "symmetric": lambda: np.allclose(a, a.T),
        "orthogonal": lambda: np.allclose(a @ a.T, np.eye(len(a))),
        "identity": lambda: np.array_equal(a, np.eye(len(a))),
    }
    assert all(holds[name]() for name in facts.split())


# Inverses


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize(
    "make",
    [
        lambda x, b: T.dot(OPS["matrix_inverse"](x), b),
        lambda x, b: T.dot(b.T, OPS["matrix_inverse"](x)),
        lambda x, b: T.dot(OPS["matrix_inverse"](x).T, b),
        lambda x, b: T.dot(OPS["matrix_inverse"](x.T), b),
        lambda x, b: T.dot(b.T, OPS["matrix_inverse"](x.T).T),
        lambda x, b: T.dot(OPS["matrix_inverse"](x), b[:, 0]),
        lambda x, b: T.dot(b[:, 0], OPS["matrix_inverse"](x)),
    ],
)
def test_equations_are_solved(make: Callable[..., Variable], dtype: str) -> None:
    x, b = matrix("x", None, None, dtype=dtype), matrix("b", None, None, dtype=dtype)
    values = dominant(3)(RNG)[0].astype(dtype), RNG.normal(size=(3, 2)).astype(dtype)
    graph = assert_same([x, b], make(x, b), *values, rtol=1e-5)
    assert counted(graph)["solve"] == 1
    assert not {"matrix_inverse", "dot"} & counted(graph).keys()


def test_solving_is_more_exact_than_inverting() -> None:
    """The Hilbert matrix of 8 rows loses ten of sixteen digits."""
    n = 8
    x, b = T.dmatrix("x"), T.dvector("b")
    out = T.dot(OPS["matrix_inverse"](x), b)
    graph, _ = improved([x, b], out)
    hilbert = 1.0 / (np.arange(n)[:, None] + np.arange(n) + 1)
    for seed in range(20):
        right = hilbert @ np.random.default_rng(seed).normal(size=n)
        (before,), (after,) = (interpret(g, {x: hilbert, b: right}) for g in ([out], graph.outputs))
        # Elimination keeps small what is left of the equations, whatever the matrix.
        assert residual(hilbert, after, right) < residual(hilbert, before, right) / 1000


def residual(a: Array, x: Array, b: Array) -> float:
    """The length of ax - b, computed so that nothing is rounded away."""
    with mpmath.workdps(50):
        left = mpmath.matrix(a.tolist()) * mpmath.matrix(x.tolist()) - mpmath.matrix(b.tolist())
        return float(mpmath.norm(left))


def test_a_singular_matrix_is_still_reported() -> None:
    x, b = T.dmatrix("x"), T.dvector("b")
    graph, _ = improved([x, b], T.dot(OPS["matrix_inverse"](x), b))
    with pytest.raises(LinearAlgebraError, match="singular"):
        interpret(graph.outputs, {x: np.ones((2, 2)), b: np.ones(2)})
    graph, _ = improved([x], OPS["matrix_inverse"](OPS["matrix_inverse"](x)), strict=True)
    with pytest.raises(LinearAlgebraError, match="singular"):
        interpret(graph.outputs, {x: np.ones((2, 2))})


def test_equations_are_solved_by_structure() -> None:
    x, b = T.dmatrix("x"), T.dmatrix("b")
    solve = OPS["solve"]
    regular, right = dominant(3)(RNG)[0], RNG.normal(size=(3, 2))
    for a, structure in ((T.tril(x), "lower_triangular"), (T.triu(x).T, "upper_triangular")):
        graph = assert_same([x, b], solve(a, b), regular, right)
        (node,) = [n for n in graph.applies if n.op.name == "solve"]
        assert node.params["structure"] in {structure, "upper_triangular"}
    q, _ = OPS["qr"].each(x, mode="complete")
    graph = assert_same([x, b], solve(q, b), regular, right)
    assert "solve" not in counted(graph)
    graph = assert_same([x, b], solve(T.diag(x[0] + 9), b), regular, right)
    assert "solve" not in counted(graph)


def test_a_gaussian_is_factored_once() -> None:
    """The log-density of a normal distribution: one factor serves the norm and the volume."""
    x, y = T.dmatrix("x"), T.dvector("y")
    s = T.dot(x, x.T) + T.eye(x.shape[0])
    density = -T.dot(y, T.dot(OPS["matrix_inverse"](s), y)) / 2 - T.log(OPS["det"](s)) / 2
    factor = T.sum(OPS["cholesky"](s))
    values = RNG.normal(size=(4, 3)), RNG.normal(size=4)
    graph = assert_same([x, y], density + factor, *values)
    found = counted(graph)
    assert found["cholesky"] == 1
    assert not {"det", "slogdet", "matrix_inverse"} & found.keys()
    structures = {n.params["structure"] for n in graph.applies if n.op.name == "solve"}
    assert structures == {"lower_triangular"}


# Determinants


def test_the_logarithm_of_a_large_determinant_is_finite() -> None:
    x = T.dmatrix("x")
    large = 10 * np.eye(400)
    for out in (T.log(OPS["det"](x)), T.log(abs(OPS["det"](x)))):
        graph, _ = improved([x], out)
        (found,) = interpret(graph.outputs, {x: large})
        np.testing.assert_allclose(found, 400 * np.log(10))
    (found,) = interpret(improved([x], T.log(OPS["det"](x)))[0].outputs, {x: np.diag([1.0, -1])})
    assert np.isnan(found)
    (found,) = interpret(improved([x], T.log(OPS["det"](x)))[0].outputs, {x: np.zeros((2, 2))})
    assert found == -np.inf


def test_determinants_by_structure() -> None:
    x = T.dmatrix("x")
    det, regular = OPS["det"], dominant(3)(RNG)[0]
    cases = {
        "prod": det(T.tril(x)),
        "prod ": det(T.diag(x[0])),
        "det": det(x.T),
        "det ": det(OPS["matrix_inverse"](x)),
    }
    for name, out in cases.items():
        found = counted(assert_same([x], out, regular))
        assert name.strip() in found
        assert name.startswith("det") or "det" not in found
        assert "matrix_inverse" not in found
    found = counted(assert_same([x], det(T.dot(x, x)), regular))
    assert "dot" not in found
    found = counted(assert_same([x], T.log(det(OPS["cholesky"](x))), regular))
    assert not {"det", "slogdet", "switch"} & found.keys()


# Decompositions


def test_only_what_is_read_is_decomposed() -> None:
    x = T.dmatrix("x")
    regular = dominant(3)(RNG)[0]
    assert counted(assert_same([x], OPS["svd"].each(x)[1], regular)) == {"singular_values": 1}
    assert counted(assert_same([x], OPS["eigh"].each(x)[0], regular)) == {"eigvalsh": 1}
    assert counted(assert_same([x], OPS["eig"].each(x)[0], regular)) == {"eigvals": 1}
    _, s, v = OPS["svd"].each(x)
    assert "svd" in counted(assert_same([x], s + v, regular))


def test_the_factor_of_a_factor_times_its_transpose() -> None:
    x = T.dmatrix("x")
    factor = OPS["cholesky"](x)
    graph = assert_same([x], OPS["cholesky"](T.dot(factor, factor.T)), dominant(3)(RNG)[0])
    assert counted(graph) == {"cholesky": 1}
    rotated = OPS["qr"].each(x)[1]  # its diagonal may be negative
    graph, _ = improved([x], OPS["cholesky"](T.dot(rotated.T, rotated)))
    assert "cholesky" in counted(graph)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_linear_algebra_are_kept(dtype: str) -> None:
    x, b = matrix("x", None, None, dtype=dtype), matrix("b", None, None, dtype=dtype)
    costs = [
        T.sum(T.sqr(T.dot(OPS["matrix_inverse"](x), b))),
        T.log(OPS["det"](x)) + T.sum(T.dot(b.T, x)),
        T.sum(OPS["solve"](T.tril(x), b)),
        OPS["trace"](T.dot(T.dot(x, x.T), OPS["matrix_inverse"](x))),
    ]
    regular, right = dominant(3)(RNG)[0].astype(dtype), RNG.normal(size=(3, 3)).astype(dtype)
    for c in costs:
        for wrt in (x, b) if c is not costs[3] else (x,):
            assert_same(
                [x, b], grad(c, wrt), regular, right, rtol=1e-4 if dtype == "float32" else 1e-9
            )
