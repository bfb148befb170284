"""In and Out, and what a call does with its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import In, Out, config, function, shared
from engine.errors import ParameterError, TypeMismatchError
from engine.expression import Variable


def test_defaults_by_position_and_by_name() -> None:
    x, y, w = T.dscalars("x", "y", "w")
    f = function([x, In(y, value=1), In(w, value=2, name="w_by_name")], (x + y) * w)
    assert f(33) == 68
    assert f(33, 2) == 70
    assert f(33, 0, 1) == 33
    assert f(33, w_by_name=1) == 34
    assert f(33, w_by_name=1, y=0) == 33


def test_names_and_anonymous_inputs() -> None:
    a, (x, s) = T.dscalar(), T.dscalars("x", "s")
    f = function([x, In(a, value=1.0), s], a / s + x)  # a default need not be last
    assert f(9, 2, 4) == f(9, 2, s=4) == 9.5
    assert f(9, s=4) == f(x=9, s=4) == 9.25
    hidden = function([In(x, autoname=False)], x)
    assert hidden(2) == 2
    with pytest.raises(TypeMismatchError, match="no such input"):
        hidden(x=2)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((1,), {}, r"difference\(a, b\) needs a value for b"),
        ((), {}, "needs a value for a and for b"),
        ((1, 2, 3), {}, "takes 2 arguments, but 3"),
        ((1,), {"a": 2, "b": 1}, "'a' twice"),
        ((1,), {"c": 2}, "'c' but has no such input"),
        ((1, [1, 2]), {}, r"(?s)Argument 1 of difference\(a, b\): b has 1 dimension.*\(2,\)"),
        ((1, 1j), {}, r"(?s)Argument 1 .*b cannot hold complex128 .*real or imaginary"),
        ((1, "2"), {}, "this str is none"),
        ((1, None), {}, "this NoneType is none"),
        ((1, [[1], [1, 2]]), {}, r"(?s)this list is none.*equally long"),
    ],
)
def test_wrong_calls(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    a, b = T.dscalars("a", "b")
    f = function([a, b], a - b, name="difference")
    assert f(b=1, a=3) == 2
    with pytest.raises(TypeMismatchError, match=message):
        f(*args, **kwargs)


def test_one_name_for_two_inputs_is_ambiguous_only_when_it_is_used() -> None:
    a, b = T.dscalar("x"), T.dscalar("x")
    f = function([a, b], a - b)
    assert f(3, 1) == 2
    with pytest.raises(TypeMismatchError, match="several inputs"):
        f(3, x=1)


def test_an_expression_is_no_argument() -> None:
    x, y = T.dscalars("x", "y")
    with pytest.raises(TypeMismatchError, match=r"(?s)x cannot take the expression y.*givens"):
        function([x], x)(y)


def test_a_function_of_a_row_takes_no_two_rows() -> None:
    r = T.drow("r")
    with pytest.raises(TypeMismatchError, match="length 2 on axis 0"):
        function([r], r * 2)(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([[T.dscalar("x")]], "not a list of them"),
        ([1], "1 is no variable"),
        ([T.constant(1)], "cannot be an input"),
        ([shared(1)], "cannot be an input"),
        (T.dscalar("x"), "are a list"),
    ],
)
def test_what_is_no_input(wrong: Any, message: str) -> None:
    with pytest.raises(TypeMismatchError, match=message):
        function(wrong, T.constant(1))


def test_an_input_twice_and_what_is_no_output() -> None:
    x = T.dscalar("x")
    with pytest.raises(ParameterError, match="listed twice, as number 0 and 1"):
        function([x, x], x)
    with pytest.raises(TypeMismatchError, match="An output is a variable, not a list"):
        function([x], [[x, x]])  # type: ignore[list-item]
    with pytest.raises(TypeMismatchError, match="named by texts"):
        function([x], {1: x})  # type: ignore[dict-item]
    with pytest.raises(TypeMismatchError, match="cannot be made a tensor"):
        function([x], object())  # type: ignore[arg-type]


# What values are taken.

TAKEN = [
    # dtype of the input, value, allow_input_downcast for which it is taken
    ("float64", 2, {True, False, None}),
    ("float64", np.float32(0.1), {True, False, None}),
    ("float64", 0.1, {True, False, None}),
    ("float32", 2, {True, False, None}),
    ("float32", 0.5, {True, False, None}),
    ("float32", 0.1, {True}),
    ("float32", np.float64(0.5), {True, False, None}),
    ("float32", np.array(0.5), {True}),
    ("float32", np.array(1), {True}),
    ("int8", 100, {True, False, None}),
    ("int8", 1.0, {True, False, None}),
    ("int8", 300, {True}),
    ("int32", np.int64(3), {True, False, None}),
    ("int32", np.array(3), {True}),
    ("int64", np.int32(3), {True, False, None}),
    ("int64", 2.5, {True}),
    ("int64", True, {True, False, None}),
    ("bool", 1, {True, False, None}),
    ("complex64", 0.5, {True, False, None}),
    ("float64", 1j, set()),
]


@pytest.mark.parametrize(("dtype", "value", "taken"), TAKEN)
@pytest.mark.parametrize("allow", [True, False, None])
def test_downcasting(dtype: str, value: Any, taken: set[bool | None], allow: bool | None) -> None:
    x = T.TensorType(dtype, ())("x")
    f = function([x], x, allow_input_downcast=allow)
    if allow in taken:
        assert f(value).dtype == dtype
    else:
        with pytest.raises(TypeMismatchError, match=r"x cannot hold .* without loss"):
            f(value)


def test_a_float_is_rounded_to_floatx_unless_that_is_forbidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config, "floatX", "float32")
    x, v = T.scalar("x"), T.vector("v")
    assert function([x], x)(0.1) == np.float32(0.1)
    with pytest.raises(TypeMismatchError, match="without loss"):
        function([x], x, allow_input_downcast=False)(0.1)
    with pytest.raises(TypeMismatchError, match="allow_input_downcast=True"):
        function([v], v)([0.1])
    assert function([v], v)([0.5]) == 0.5


def test_an_input_may_have_rules_of_its_own() -> None:
    x, y = T.fvectors("x", "y")
    f = function([In(x, strict=True), In(y, allow_downcast=True)], x + y)
    assert f(np.ones(1, "float32"), [0.1]).dtype == "float32"
    for wrong in ([1], np.ones(1), np.ones(1, "float16")):
        with pytest.raises(TypeMismatchError, match="x takes nothing but an array of float32"):
            f(wrong, [0.1])


# Inputs that remember.


def test_an_update_is_what_the_input_holds_after_a_call() -> None:
    a, (x, s) = T.dscalar(), T.dscalars("x", "s")
    f = function(
        [x, In(a, value=1.0, name="a"), In(s, value=0.0, update=s + a * x)],
        s + a * x,
    )
    assert (f[a], f[s]) == (1, 0)
    assert f(3.0) == 3
    assert f(3.0, a=2.0) == 9
    assert (f[a], f["a"], f["s"]) == (1, 1, 9)
    f["a"] = 5
    assert f(3.0) == 24
    assert f[s] == 24
    assert f(1, 1, 0) == 1  # what is given stands for what was held, for once
    assert f[s] == 1
    with pytest.raises(TypeMismatchError, match="x has no default"):
        f[x] = 1
    assert f[x] is None
    with pytest.raises(TypeMismatchError, match="without loss"):
        f["a"] = 1j


def test_an_update_without_a_default_does_not_make_one() -> None:
    x = T.dscalar("x")
    f = function([In(x, update=x + 1)], x)
    assert f(1) == 1
    assert f[x] == 2
    with pytest.raises(TypeMismatchError, match="needs a value for x"):
        f()


def test_the_update_of_an_input_has_its_type() -> None:
    n = T.iscalar("n")
    with pytest.raises(TypeMismatchError, match=r"(?s)same type as its input: n is int32.*float64"):
        function([In(n, value=0, update=n + 0.1)], n)


def test_functions_share_a_container() -> None:
    x, s = T.dscalars("x", "s")
    inc = function([x, In(s, update=s + x, value=10.0)], [])
    dec = function([x, In(s, update=s - x, value=inc.container[s], implicit=False)], [])
    look = function([In(s, value=inc.container["s"])], s)
    inc[s] = 2
    assert (dec[s], look()) == (2, 2)
    dec(1)
    assert (inc[s], look()) == (1, 1)
    dec(1, 0)
    assert (inc[s], dec[s]) == (-1, -1)
    with pytest.raises(TypeMismatchError, match="takes 0 arguments"):
        look(1)
    with pytest.raises(TypeMismatchError, match=r"(?s)cannot be given 's'.*implicit=False"):
        look(s=1)


def test_a_shared_variable_as_a_default() -> None:
    x, w = T.dscalar("x"), shared(2.0)
    f = function([In(x, value=w)], x * 10)
    assert f() == 20
    w.set_value(3)
    assert f() == 30
    open_ = function([In(x, value=w, implicit=False)], x * 10)
    assert (open_(), open_(1), open_()) == (30, 10, 30)
    assert w.get_value() == 3
    count = function([In(x, value=w, update=x + 1)], x)
    assert (count(), count(), w.get_value()) == (3, 4, 5)
    with pytest.raises(TypeMismatchError, match="dimension"):
        function([In(x, value=shared(np.ones(2)))], x)


def test_copies_have_defaults_of_their_own_but_share_what_was_shared() -> None:
    x, s, t = T.dscalars("x", "s", "t")
    kept = shared(0.0)
    f = function([x, In(s, value=0.0, update=s + x), In(t, value=kept, update=t + x)], [s, t])
    f(1)
    g = f.copy()
    g(10)
    assert (f[s], g[s], f[t], g[t]) == (1, 11, 11, 11)


def test_what_an_input_cannot_be_told() -> None:
    x = T.dscalar("x")
    with pytest.raises(ParameterError, match="cannot be mutable and not borrowed"):
        In(x, mutable=True, borrow=False)
    with pytest.raises(TypeMismatchError, match="needs a value"):
        In(x, implicit=True)
    with pytest.raises(TypeMismatchError, match="name of an input"):
        In(x, name=3)  # type: ignore[arg-type]
    assert repr(In(x, value=3)) == "x = 3"


# Borrowing.


def test_results_are_never_memory_of_arguments_or_constants() -> None:
    x = T.dmatrix("x")
    given = np.ones((2, 2))
    forms: list[Variable] = [x, x.T, x[0], x.reshape((4,)), x + 0]
    for out in forms:
        for mode in ("NUMPY", "NUMBA"):
            got = function([In(x, borrow=True)], Out(out, borrow=True), mode=mode)(given)
            assert not np.shares_memory(got, given)
    four = function([], T.constant([4]))
    four()[0] = 3
    assert four()[0] == 4


def test_a_borrowed_result_may_be_the_same_memory_at_the_next_call() -> None:
    x = T.dvector("x")
    f = function([x], [Out(x * 4, borrow=True), Out(x * 3)], mode="NUMBA")
    borrowed, own = f([1])
    f([2])
    assert (borrowed, own) == (8, 3)
    assert repr(Out(x)) == "Out(x, borrow=False)"
