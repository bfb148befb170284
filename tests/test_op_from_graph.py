"""Ops made of graphs, checkpoints, and copies with replacements."""

from __future__ import annotations

import doctest
import pickle  # noqa: TID251 -- functions are pickled by their users
import sys
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import engine
import engine.tensor as T
from engine import OpFromGraph, Rop, checkpoint, clone, function, grad, pp, scan, shared
from engine.codegen.numpy import Interpreter, interpret
from engine.errors import (
    MissingInputError,
    NullGradientError,
    ParameterError,
    ShapeError,
    TypeMismatchError,
)
from engine.expression import Variable, leaves
from engine.grad import NullGradient
from engine.ifelse import ifelse

Array = np.ndarray[Any, Any]


def in_both_tiers(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> list[Any]:
    return [function(list(inputs), list(outputs), mode=mode) for mode in ("NUMPY", "NUMBA")]


def product(**facts: Any) -> OpFromGraph:
    """Theano's example: x + y * z."""
    x, y, z = T.dscalars("x", "y", "z")
    return OpFromGraph([x, y, z], [x + y * z], **facts)


def test_an_op_made_of_a_graph_is_called_like_any_other() -> None:
    x, y, z = T.dscalars("x", "y", "z")
    op = product(name="product")
    e = op(x, y, z) + op(z, y, x)
    for f in in_both_tiers([x, y, z], [e, *grad(e, [x, y, z])]):
        assert f(2, 3, 4) == [24, 4, 6, 4]
    assert pp(e) == "product(x, y, z) + product(z, y, x)"
    assert repr(op) == "OpFromGraph(product)"
    assert op(1, 2.5, 3).eval() == 8.5
    assert engine.compile.builders.OpFromGraph is OpFromGraph


def test_it_stays_one_node_unless_it_is_inline() -> None:
    x, y, z = T.dscalars("x", "y", "z")
    kept = function([x, y, z], product()(x, y, z))
    opened = function([x, y, z], product(inline=True)(x, y, z))
    assert [n.op.name for n in kept.graph.toposort()] == ["op_from_graph"]
    assert [n.op.name for n in opened.graph.toposort()] == ["mul", "add"]
    assert kept(1, 2, 3) == opened(1, 2, 3) == 7
    native = function([x, y, z], product()(x, y, z), mode="NUMBA")
    assert native(1, 2, 3) == 7
    assert [k.ops for k in native.kernels] == [("mul", "add")]


def test_several_results_shared_variables_and_nesting() -> None:
    x, w = T.dvector("x"), shared(np.array([1.0, 2.0]), name="w")
    inner = OpFromGraph([x], [T.sum(x * w), T.exp(x)])
    outer = OpFromGraph([x], [inner(x)[0] * 2, inner(x)[1] + w], name="outer")
    total, powers = outer(x)
    cost = total + powers.sum()
    for f in in_both_tiers([x], [total, powers, *grad(cost, [x, w])]):
        value, exponentials, gx, gw = f([0.5, 1.0])
        assert value == 5
        assert np.allclose(exponentials, np.add(np.exp([0.5, 1]), [1, 2]))
        assert np.allclose(gx, 2 * np.array([1, 2]) + np.exp([0.5, 1]))
        assert np.allclose(gw, 2 * np.array([0.5, 1]) + 1)
        w.set_value([1.0, 2.0])


def test_loops_and_choices_inside_stay_what_they_are_in_every_tier() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    rows, _ = scan(lambda v, s: s + v, x, T.zeros(()))
    op = OpFromGraph([c, x], [ifelse(c, rows[5], T.exp(x[0])), rows])
    chosen, sums = op(c, x)
    for f in in_both_tiers([c, x], [chosen, sums * 2, grad(chosen, x)]):
        value, doubled, slope = f(0, [0.0, 1.0])
        assert (value, doubled.tolist(), slope.tolist()) == (1, [0, 2], [1, 0])
        with pytest.raises(IndexError):
            f(1, [0.0, 1.0])


def test_second_derivatives_products_and_lengths() -> None:
    x, v = T.dvector("x"), T.dvector("v")
    op = OpFromGraph([x], [T.sin(x) * x[0]])
    y = op(x)
    for made, written in [
        (T.hessian(y.sum(), x), T.hessian((T.sin(x) * x[0]).sum(), x)),
        (Rop(y, x, v), Rop(T.sin(x) * x[0], x, v)),
    ]:
        f = function([x, v], [made, written], on_unused_input="ignore")
        np.testing.assert_allclose(*f([0.5, 1, 2], [1, -1, 0.5]), rtol=1e-12)
    fixed = T.TensorType("float64", (3,))("fixed")
    assert op(fixed).type.shape == (3,)
    a, b = T.dvectors("a", "b")
    with pytest.raises(ShapeError, match=r"\(2,\) and \(3,\)"):
        function([a, b], OpFromGraph([a, b], [a + b])(a, b))([1, 2], [1, 2, 3])


def test_gradients_can_be_overridden() -> None:
    x, y, z = T.dscalars("x", "y", "z")

    def rescaled(inputs: list[Variable], slopes: list[Variable]) -> Variable:
        return inputs[2] * slopes[0] * 2

    op = product(grad_overrides=["default", rescaled, "default"])
    slopes = grad(op(x, y, z), [x, y, z])
    for f in in_both_tiers([x, y, z], slopes):
        assert f(2, 3, 4) == [1, 8, 3]
    whole = product(grad_overrides=lambda inputs, slopes: [v * slopes[0] for v in inputs])
    assert function([x, y, z], grad(whole(x, y, z) * 2, [x, y, z]))(2, 3, 4) == [4, 6, 8]
    seen = product(lop_overrides=lambda inputs, outputs, slopes: [outputs[0], None, slopes[0]])
    assert grad(seen(x, y, z), [x, z])[0].eval({x: 2, y: 3, z: 4}) == 14
    with pytest.raises(ValueError, match="does not depend on y"):
        grad(seen(x, y, z), y)
    made = OpFromGraph([x, y, z, g := T.dscalar("g")], [g * 5, g * x, g * 7])
    other = product(grad_overrides=made)
    assert function([x, y, z], grad(other(x, y, z), [x, y, z]), on_unused_input="ignore")(
        2, 3, 4
    ) == [5, 2, 7]


def test_an_overridden_gradient_may_be_undefined() -> None:
    x, y, z = T.dscalars("x", "y", "z")
    null = NullGradient(x, "declared so")
    op = product(grad_overrides=[null, "default", "default"])
    assert (
        grad(op(x, y, z), y).eval(
            {x: 1, y: 2, z: 3},
        )
        == 3
    )
    with pytest.raises(NullGradientError, match="no gradient by x"):
        grad(op(x, y, z), x)


def test_the_mistakes_that_can_be_made_with_ops_of_graphs() -> None:
    x, y = T.dscalar("x"), T.dvector("y")
    with pytest.raises(MissingInputError, match=r"y is needed in the graph(.|\n)*inputs"):
        OpFromGraph([x], [x * y])
    with pytest.raises(TypeMismatchError, match="no variable"):
        OpFromGraph([x], [3])  # type: ignore[list-item]
    op = OpFromGraph([y], [y.sum()], name="total")
    with pytest.raises(TypeMismatchError, match="takes 1 inputs, not 2"):
        op(y, y)
    with pytest.raises(TypeMismatchError, match=r"made for y of float64 \(\?,\)"):
        op(T.dmatrix("m"))
    with pytest.raises(TypeMismatchError, match="complex"):
        op(T.zvector("z"))
    assert op(T.ivector("i")).dtype == "float64"
    for facts, message in [
        ({"grad_overrides": [None], "lop_overrides": [None]}, "overridden twice"),
        ({"rop_overrides": lambda inputs, points: points}, "Rop has no override"),
        ({"grad_overrides": ["default"] * 2}, "2 gradients for 1 inputs"),
    ]:
        with pytest.raises(ParameterError, match=message):
            OpFromGraph([y], [y.sum()], **facts)
    with pytest.raises(TypeMismatchError, match="gradient by y has 0 dimensions"):
        OpFromGraph([y], [y.sum()], grad_overrides=lambda inputs, slopes: [slopes[0]])


def test_functions_with_loops_and_blocks_can_be_saved() -> None:
    x = T.dvector("x")
    rows, _ = scan(lambda v, s: product()(v, s, v) + s, x, T.ones(()))
    f = function([x], [rows, checkpoint(T.exp, x)])
    again = pickle.loads(pickle.dumps(f))  # noqa: S301
    for a, b in zip(f([1, 2.0]), again([1, 2.0]), strict=True):
        assert np.array_equal(a, b)


# Checkpoints.


def layers(x: Variable, w: Variable, every: int, count: int = 24) -> Variable:
    """A deep network, cut by checkpoints into parts of so many layers; 0 for no cut."""

    def part(v: Variable, size: int) -> Variable:
        for _ in range(size):
            v = T.tanh(v * w)
        return v

    if not every:
        return part(x, count)
    for _ in range(count // every):
        x = checkpoint(lambda v: part(v, every), x)
    return x


def test_a_checkpoint_changes_no_value() -> None:
    x, w = T.dvector("x"), shared(np.array([1.5, -0.5]), name="w")
    for f in in_both_tiers(
        [x],
        [
            out
            for every in (0, 6)
            for y in (layers(x, w, every),)
            for out in (y, *grad(y.sum(), [x, w]), T.hessian(y.sum(), x))
        ],
    ):
        found = f([0.5, 1.0])
        for a, b in zip(found[:4], found[4:], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_checkpoint_is_computed_again_for_the_gradient() -> None:
    x, w = T.dvector("x"), T.dvector("w")
    f = function([x, w], grad(layers(x, w, 8).sum(), [x, w]))
    names = [n.op.name for n in f.graph.toposort()]
    assert names.count("checkpoint") == 5, "two parts forward, the last is not read, and three back"
    assert "tanh" not in names


def peak(every: int) -> int:
    """The most memory, in tensors of the size of x, that a gradient takes."""
    x, w = T.dvector("x"), T.dvector("w")
    f = function([x, w], grad(layers(x, w, every).sum(), [x, w]), mode="NUMPY")
    size = 1 << 17
    values = [np.ones(size), np.full(size, 0.9)]
    run = Interpreter(f.graph.inputs, f.graph.outputs)
    run(values)
    tracemalloc.start()
    run(values)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most // (8 * size)


def test_checkpoints_lower_the_peak_of_what_is_kept() -> None:
    assert peak(0) > 24
    assert peak(6) < peak(0) / 1.8


def test_a_checkpoint_takes_what_it_needs_from_outside_and_several_results() -> None:
    c, x, w = T.iscalar("c"), T.dvector("x"), T.dvector("w")
    outside = T.exp(w)
    first, second = checkpoint(
        lambda v, flag: [T.sin(v) * outside, ifelse(flag, T.log(v), v)], x, c, name="part"
    )
    cost = T.sum(first * second)
    written = T.sum(T.sin(x) * outside * ifelse(c, T.log(x), x))
    f = function([c, x, w], [*grad(cost, [x, w]), *grad(written, [x, w])])
    for flag in (0, 1):
        a, b, expected_a, expected_b = f(flag, [0.5, 1], [1.0, 2])
        np.testing.assert_allclose(a, expected_a)
        np.testing.assert_allclose(b, expected_b)
    assert pp(first).startswith("part(")
    assert checkpoint(lambda v: v * 2, 3.0).eval() == 6


def test_a_checkpoint_draws_the_same_twice() -> None:
    """What is random in it is a shared state, read on the way there and on the way back."""
    x = T.dvector("x")
    state = shared(3.0, name="state")
    state.default_update = state + 1
    y = checkpoint(lambda v: v * v * state, x)
    f = function([x], [y, grad(y.sum(), x)])
    assert [v.tolist() for v in f([1.0, 2.0])] == [[3, 12], [6, 12]]
    assert [v.tolist() for v in f([1.0, 2.0])] == [[4, 16], [8, 16]]


# Copies.


def test_clones_have_what_they_are_told_to() -> None:
    x, y, s = T.dvector("x"), T.dvector("y"), shared(np.array([1.0, 2.0]), name="s")
    e = T.exp(x) * s
    assert clone(e, {x: y}).eval({y: [0, 0]}).tolist() == [1, 2]
    assert clone([e, x], [(x, y)])[1] is y
    assert clone(x - y, {x: y, y: x}).eval({x: [1, 1], y: [3, 3]}).tolist() == [2, 2]
    assert clone(e, {T.exp(x): y}) is e, "another exp(x) than the one that is there"
    fresh = clone(e, share_inputs=False)
    used = {v.name: v for v in leaves([fresh])}
    assert used["x"] is not x
    assert used["s"] is not s
    s.set_value([3.0, 4.0])
    assert used["s"].get_value().tolist() == [3, 4]
    with pytest.raises(TypeMismatchError, match=r"x cannot be replaced by f(.|\n)*strict"):
        clone(e, {x: T.fvector("f")})
    assert clone(e, {x: T.fvector("f")}, strict=False).dtype == "float64"
    with pytest.raises(TypeMismatchError, match="differ in type"):
        clone(e, {x: T.dmatrix("m")}, strict=False)


def test_clones_reach_into_loops() -> None:
    x, w, v = T.dvector("x"), T.dscalar("w"), T.dscalar("v")
    rows, _ = scan(lambda e, s: s + e * w, x, T.zeros(()))
    (a,) = interpret([clone(rows, {w: v})], {x: np.ones(3), v: np.array(2.0)})
    assert a.tolist() == [2, 4, 6]


@pytest.mark.parametrize("name", ["checkpoint", "op_from_graph", "scan"])
def test_what_the_documentation_shows_is_so(name: str) -> None:
    failed, attempted = doctest.testmod(sys.modules[f"engine.{name}"])
    assert failed == 0
    assert attempted > 3
