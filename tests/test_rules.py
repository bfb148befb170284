"""Every rule is held to what it states: it fires, keeps values and types, and comes to an end."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from engine.codegen.numpy import interpret
from engine.errors import EngineError, RewriteError
from engine.expression import OPS, Constant, Variable
from engine.graph import Graph
from engine.printing import pp, tex
from engine.rewrite import ERASES_NAN, PIPELINE, RULES, Rule, optimize
from engine.rewrite.driver import Driver
from engine.rewrite.rule import Phase
from engine.types import INTEGERS

Array = np.ndarray[Any, Any]
EDGES = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-20, -1e-20, 40, -40, 800, -800])
EXACT = {"merge", "canonicalize", "specialize"}

rules = pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))


def applied(rule: Rule, variables: list[Variable], left: Variable) -> tuple[Graph, set[str]]:
    """The left side after this rule and the merging of equal parts, and which rules fired."""
    graph = Graph(variables, [left])
    driver = Driver(graph, steps=100, seconds=60, check=True)
    driver.run(rule.phase, [RULES["merge_equal_nodes"], rule])
    assert driver.film.warnings == []
    return graph, {step.rule for step in driver.film}


@rules
def test_fires_on_its_own_left_side_and_keeps_the_value(rule: Rule) -> None:
    variables, left, _ = rule.drawn()
    graph, fired = applied(rule, variables, left)
    assert rule.name in fired
    values = rule.values(variables, np.random.default_rng(11))
    before, after = interpret([left, *graph.outputs], values)
    assert before.dtype == after.dtype
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-14)


def defined(rule: Rule, dtype: str, rank: int | None) -> bool:
    """Whether the left side can be built of such variables."""
    try:
        rule.drawn(dtype, rank)
    except EngineError:
        return False
    return True


TOLERANCE = {"float16": 1e-2, "float32": 2e-5}
CASES = [
    pytest.param(rule, dtype, rank, id=f"{rule.name}-{dtype}-{rank}")
    for rule in RULES.values()
    for dtype in ("float32", "float16", "int8", "int64", "uint8", "bool", "complex128")
    for rank in ((None,) if rule.given else (0, 1, 3))
    if defined(rule, dtype, rank)
]


@pytest.mark.parametrize(("rule", "dtype", "rank"), CASES)
def test_keeps_every_dtype_and_rank(rule: Rule, dtype: str, rank: int | None) -> None:
    variables, left, _ = rule.drawn(dtype, rank)
    graph, _ = applied(rule, variables, left)
    (out,) = graph.outputs
    assert (out.dtype, out.ndim, out.broadcastable) == (left.dtype, left.ndim, left.broadcastable)
    values = rule.values(variables, np.random.default_rng(5))
    for v, drawn in values.items():
        if v.dtype in INTEGERS and v.name not in rule.given:
            values[v] = np.where(drawn == 0, np.ones_like(drawn), drawn)
    try:
        (before,) = interpret([left], values)
    except EngineError:
        return  # such as a negative power of an integer: there is no value to keep
    (after,) = interpret([out], values)
    if np.isfinite(before).all():
        near = TOLERANCE.get(before.dtype.name, 1e-12)
        np.testing.assert_allclose(after, before, rtol=near, atol=near)


freely_drawn = pytest.mark.parametrize(
    "rule", [r for r in RULES.values() if r.dtype == "float64" and not r.given], ids=repr
)


@freely_drawn
def test_right_at_the_edges(rule: Rule) -> None:
    """What was finite stays as it is; what is hidden is hidden only by rules that say so."""
    variables, left, _ = rule.drawn()
    out = applied(rule, variables, left)[0].outputs[0]
    rng = np.random.default_rng(3)
    n = len(EDGES)
    grids = [EDGES, *(rng.permutation(EDGES) for _ in variables[1:])]
    shape = (n, 1) if rule.rank == 2 else (n,)
    values = {v: g.reshape(shape) for v, g in zip(variables, grids, strict=True)}
    before, after = interpret([left, out], values)
    known = np.isfinite(before)
    if ERASES_NAN in rule.tags:
        assert np.isfinite(after[known]).all()
        return
    close = 0 if rule.phase in EXACT else 1e-9
    np.testing.assert_allclose(after[known], before[known], rtol=max(close, 1e-12), atol=1e-15)
    if rule.phase in EXACT:
        still = np.isinf(before) & np.isinf(after)
        assert np.array_equal(after[still], before[still])
    # NaN that comes from outside is not lost.
    if all(v.shape == before.shape for v in values.values()) and before.shape == after.shape:
        poisoned = np.isnan(before) & np.logical_or.reduce([np.isnan(v) for v in values.values()])
        assert np.isnan(after[poisoned]).all()


@freely_drawn
def test_keeps_what_is_empty(rule: Rule) -> None:
    variables, left, _ = rule.drawn()
    out = applied(rule, variables, left)[0].outputs[0]
    empty = {v: np.ones((0, 4)[: v.ndim]) for v in variables}
    try:
        (before,) = interpret([left], empty)
    except EngineError:
        return  # such as the largest of no numbers
    (after,) = interpret([out], empty)
    assert after.shape == before.shape
    np.testing.assert_array_equal(after, before)


@rules
def test_all_phases_twice_are_all_phases_once(rule: Rule) -> None:
    variables, left, _ = rule.drawn()
    graph = Graph(variables, [left])
    first = optimize(graph, check=True)
    assert len(first) > 0
    assert list(optimize(graph, check=True)) == []


@rules
def test_can_be_shown(rule: Rule) -> None:
    _, left, right = rule.drawn()
    assert re.fullmatch(r".+\.", rule.why), "a reason is one line"
    for side in (left, right):
        if side is not None:
            assert pp(side)
            assert tex(side)


@pytest.mark.parametrize("phase", PIPELINE, ids=lambda p: p.name)
def test_phase_says_what_it_is_for(phase: Phase) -> None:
    assert phase.purpose.endswith(".")
    assert phase.rules
    assert all(RULES[rule.name] is rule for rule in phase.rules)


STABLE = {
    "log(1 + exp(x))": (lambda x: OPS["log"](1 + OPS["exp"](x)), [0.0, np.log(2), 1000.0]),
    "log(sigmoid(x))": (lambda x: OPS["log"](OPS["sigmoid"](x)), [-1000.0, -np.log(2), 0.0]),
    "log(1 / (1 + exp(-x)))": (
        lambda x: OPS["log"](1 / (1 + OPS["exp"](-x))),
        [-1000.0, -np.log(2), 0.0],
    ),
    "log(1 - sigmoid(x))": (
        lambda x: OPS["log"](1 - OPS["sigmoid"](x)),
        [0.0, -np.log(2), -1000.0],
    ),
    "exp(x) / (1 + exp(x))": (lambda x: OPS["exp"](x) / (1 + OPS["exp"](x)), [0.0, 0.5, 1.0]),
    "softmax": (
        lambda x: OPS["exp"](x) / OPS["sum"](OPS["exp"](x)),
        [0.0, 0.0, 1.0],
    ),
    "log(softmax(x))": (
        lambda x: OPS["log"](OPS["exp"](x) / OPS["sum"](OPS["exp"](x))),
        [-2000.0, -1000.0, 0.0],
    ),
    "log(exp(x))": (lambda x: OPS["log"](OPS["exp"](x)), [-1000.0, 0.0, 1000.0]),
}


@pytest.mark.parametrize(("make", "expected"), STABLE.values(), ids=list(STABLE))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_finite_where_the_formula_overflows(make: Any, expected: list[float], dtype: str) -> None:
    x = Variable(Constant(np.zeros(3, dtype)).type.with_dtype(dtype), name="x")
    graph = Graph([x], [make(x)])
    optimize(graph, check=True)
    (out,) = interpret(graph.outputs, {x: np.array([-1000, 0, 1000], dtype)})
    assert out.dtype == dtype
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-30)


def test_a_rule_has_one_name_a_reason_and_bound_variables() -> None:
    phase = Phase("merge", "Only for this test.")
    with pytest.raises(RewriteError, match="two rules"):

        @phase
        def add_zero(x: Variable) -> tuple[Variable, Variable]:
            """Again."""
            return x + 0, x

    with pytest.raises(RewriteError, match="why"):

        @phase
        def silent(x: Variable) -> tuple[Variable, Variable]:
            return x + 0, x

    with pytest.raises(RewriteError, match="does not contain y"):

        @phase
        def unbound(x: Variable, y: Variable) -> tuple[Variable, Variable]:
            """y comes from nowhere."""
            return x + 0, y

    assert not {"silent", "unbound"} & RULES.keys()
