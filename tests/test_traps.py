"""Where Theano's behaviour was a trap: every row of the README's table, held to what it says."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import config, function, grad, scan, shared
from engine.compile.nanguardmode import NanGuardMode
from engine.errors import EngineError, LinearAlgebraError, ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.ifelse import ifelse
from engine.tensor.random import RandomStream
from engine.tensor.shared_randomstreams import RandomStreams
from engine.tensor.signal.pool import pool_2d
from tests.op_table import Array

CHECKS: dict[str, Callable[[], None]] = {}


def row(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Declare the check of the row that begins with this text."""

    def declare(check: Callable[[], None]) -> Callable[[], None]:
        CHECKS[name] = check
        return check

    return declare


def at(make: Callable[..., Any], *values: Any, **options: Any) -> Any:
    """What an expression of tensors with these values gives, in both targets."""
    arrays = [np.asarray(v) for v in values]
    inputs: list[Variable] = [T.TensorType(a.dtype, (None,) * a.ndim)() for a in arrays]
    outputs = make(*inputs)
    options.setdefault("on_unused_input", "ignore")
    found = function(inputs, outputs, **options)(*arrays)
    native = function(inputs, outputs, mode="NUMBA", **options)(*arrays)
    several = zip(found, native, strict=True) if isinstance(found, list) else [(found, native)]
    for a, b in several:
        np.testing.assert_allclose(a, b, rtol=1e-6, equal_nan=True)
    return found


def slope(make: Callable[[Variable], Variable], x: Any) -> Array:
    """The gradient of a sum, in both targets."""
    found: Array = at(lambda v: grad(make(v).sum(), v), np.asarray(x, "float64"))
    return found


@row("`int32 * float32`")
def _() -> None:
    assert (T.ivector() * T.fvector()).dtype == "float64"


@row("`T.pow(2, 7)`")
def _() -> None:
    assert T.pow(2, 7).eval() == 128
    assert (T.bscalar("b") ** 7).dtype == "int8"


@row("`T.alloc(0., n)`")
def _() -> None:
    n = T.lscalar("n")
    assert [T.alloc(v, n).dtype for v in (0.0, 0)] == ["float64", "int64"]
    squares = T.set_subtensor(T.alloc(0.0, n)[:1], T.dvector("x"))
    assert squares.eval({n: 2, "x": [0.1]}).tolist() == [0.1, 0]


@row("`x // 0`, `x % 0` of ints")
def _() -> None:
    found = at(lambda x, y: [x // y, x % y], np.array([7, -7], "int32"), np.array([0, 0], "int32"))
    assert [v.tolist() for v in found] == [[0, 0], [0, 0]]


@row("int to a negative power")
def _() -> None:
    found = at(lambda x, y: x**y, np.array([2, 1, -1]), np.array([-1, -2, -3]))
    assert found.tolist() == [0, 1, -1]


@row("shift by more than the width")
def _() -> None:
    found = at(lambda x, y: [T.left_shift(x, y), T.right_shift(x, y)],
               np.array([5, -5], "int8"), np.array([9, 9], "int8"))  # fmt: skip
    assert [v.tolist() for v in found] == [[0, 0], [0, -1]]


@row("NaN, inf, too large a float cast to int")
def _() -> None:
    found = at(lambda x: T.cast(x, "int8"), np.array([np.nan, np.inf, -np.inf, 300.0, -3.7]))
    assert found.tolist() == [0, 127, -128, 127, -3]


@row("`clip` with low above high")
def _() -> None:
    assert at(lambda x: T.clip(x, 2.0, 1.0), np.array([0.0, 1.5, 3])).tolist() == [1, 1, 1]


@row("`x * 0`, `x - x`, `0 / x`, `x / x` at NaN")
def _() -> None:
    found = at(lambda x: [x * 0, x - x, 0 / x, x / x], np.nan)
    assert [float(v) for v in found] == [0, 0, 0, 1]


@row("softmax of a vector")
def _() -> None:
    assert at(T.nnet.softmax, np.zeros(2)).tolist() == [0.5, 0.5]


@row("gradient of `switch`")
def _() -> None:
    sinc = lambda t: T.switch(T.eq(t, 0), 1.0, T.sin(t) / t)
    assert slope(sinc, [0.0, np.pi]).tolist() == pytest.approx([0, -1 / np.pi])
    assert np.isfinite(slope(lambda x: grad(sinc(x).sum(), x), [0.0])).all()


@row("gradient of `ifelse`")
def _() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    y = ifelse(c, T.log(x[5]).dimshuffle("x"), x * 3)
    f = function([c, x], grad(y.sum(), x))
    assert f(0, [1.0, 2.0]).tolist() == [3, 3]


@row("ties of `max` and of max pooling")
def _() -> None:
    assert slope(lambda x: T.max(x), [3.0, 1, 3]).tolist() == [1, 0, 1]
    pooled = slope(lambda x: pool_2d(x, (2, 2), ignore_border=True), [[1.0, 1], [0, 1]])
    assert pooled.tolist() == [[1, 1], [0, 1]]


@row("slope of `relu` at 0, of `maximum(x, 0)` at 0")
def _() -> None:
    assert slope(T.nnet.relu, 0.0) == 0.5
    assert slope(lambda x: T.maximum(x, 0), 0.0) == 1


@row("gradient of the norm, of `std`, at 0")
def _() -> None:
    assert slope(lambda x: T.nlinalg.norm(x, 2), [0.0, 0]).tolist() == [0, 0]
    assert slope(T.std, [1.0, 1]).tolist() == [0, 0]


@row("`var` with `ddof` over several axes")
def _() -> None:
    x = np.arange(12.0).reshape(2, 3, 2)
    found = at(lambda v: T.var(v, axis=(0, 1), ddof=1), x)
    np.testing.assert_allclose(found, np.var(x, axis=(0, 1), ddof=1))


@row("`cumsum` of int8")
def _() -> None:
    found = at(T.cumsum, np.array([100, 100], "int8"))
    assert (found.dtype, found.tolist()) == ("int64", [100, 200])


@row("max over `axis=[]`")
def _() -> None:
    assert at(lambda x: T.max(x, axis=[]), np.ones((2, 2))).shape == (2, 2)


@row("`topk`")
def _() -> None:
    values, places = at(lambda x: T.topk_and_argtopk(x, 2), np.array([1.0, 3, 3, 2]))
    assert sorted(values.tolist()) == [3, 3]
    assert sorted(places.tolist()) == [1, 2]


@row("`tril`, `triu`")
def _() -> None:
    assert at(T.tril, np.full((2, 2), np.inf)).tolist() == [[np.inf, 0], [np.inf, np.inf]]


@row("`T.join` of what does not fit")
def _() -> None:
    x, y = T.dmatrices("x", "y")
    with pytest.raises(ShapeError, match="differ on axis 1"):
        function([x, y], T.join(0, x, y).shape)(np.ones((5, 4)), np.ones((3, 3)))


@row("duplicates in `set_subtensor`")
def _() -> None:
    weights = np.array([1.0, 10])
    found = at(lambda v: grad((T.set_subtensor(T.zeros(2)[[1, 1]], v) * 3).sum(), v), weights)
    assert found.tolist() == [0, 3]


@row("float64 put into a part of float32")
def _() -> None:
    with pytest.raises(TypeMismatchError, match="would lose precision"):
        T.set_subtensor(T.fvector()[0], T.dscalar())


@row("`x.shape[1]` of a vector")
def _() -> None:
    with pytest.raises(IndexError, match="outside axis 0"):
        T.dvector().shape[1]


@row("a list of bools as an index")
def _() -> None:
    x = T.dvector("x")
    assert function([x], x[[True, False]])([5, 6]).tolist() == [5]


@row("`to_one_hot` of a negative class")
def _() -> None:
    y = T.ivector("y")
    with pytest.raises(EngineError, match="-1"):
        function([y], T.extra_ops.to_one_hot(y, 3))([0, -1])


@row("inverse, det, rfft of ints")
def _() -> None:
    assert T.nlinalg.matrix_inverse(T.imatrix()).dtype == "float64"
    assert T.nlinalg.det(T.imatrix()).dtype == "float64"
    assert T.fft.rfft(T.imatrix()).dtype == "float64"


@row("`eig`")
def _() -> None:
    values, _ = at(T.nlinalg.eig, np.array([[0.0, -1], [1, 0]]))
    assert values.dtype == "complex128"


@row("`matrix_power(M, 0)`, `(M, -1)`")
def _() -> None:
    m = np.array([[2.0, 0], [0, 4]])
    power = lambda n: at(lambda v: T.nlinalg.matrix_power(v, n), m).tolist()
    assert power(0) == [[1, 0], [0, 1]]
    assert power(-1) == [[0.5, 0], [0, 0.25]]


@row("gradient of `det`")
def _() -> None:
    found = slope(T.nlinalg.det, [[1.0, 2], [2, 4]])
    np.testing.assert_allclose(found, [[4, -2], [-2, 1]], atol=1e-12)


@row("errors of LAPACK")
def _() -> None:
    with pytest.raises(LinearAlgebraError, match=r"singular|inverse") as caught:
        at(T.nlinalg.matrix_inverse, np.zeros((2, 2)))
    assert caught.value.hint


@row("average pooling of ints")
def _() -> None:
    x = np.array([[1, 2], [2, 2]])
    found = at(lambda v: pool_2d(v, (2, 2), ignore_border=True, mode="average_exc_pad"), x)
    assert found.tolist() == [[1.75]]


@row("`sum` pooling of int8")
def _() -> None:
    x = np.full((2, 2), 100, "int8")
    found = at(lambda v: pool_2d(v, (2, 2), ignore_border=True, mode="sum"), x)
    assert (found.dtype, found.tolist()) == ("int64", [[400]])


@row("kernel larger than the image")
def _() -> None:
    image = T.TensorType("float64", (1, 1, 3, 3))()
    kernel = T.TensorType("float64", (1, 1, 5, 5))()
    with pytest.raises(ShapeError, match=r"5.*3|3.*5"):
        T.nnet.conv2d(image, kernel)


@row("`shared([[1.0]])` against a matrix")
def _() -> None:
    m = T.dmatrix("m")
    with pytest.raises(ShapeError, match="do not fit together"):
        function([m], m + shared(np.ones((1, 1))))(np.ones((2, 2)))


@row("a matrix of one row plus one of two")
def _() -> None:
    x, y = T.dmatrices("x", "y")
    with pytest.raises(ShapeError, match=r"\(1, 3\) and \(2, 3\).*axis 0"):
        function([x, y], x + y)(np.ones((1, 3)), np.ones((2, 3)))


@row("random numbers")
def _() -> None:
    first = function([], RandomStreams(seed=123).uniform((1,)))()
    assert first[0] != pytest.approx(0.72803009)
    assert first == function([], RandomStreams(seed=123).uniform((1,)))()


@row("gradient through a draw")
def _() -> None:
    mean = T.dscalar("mean")
    draw = RandomStreams(seed=1).normal((3,), avg=mean)
    assert function([mean], grad(draw.sum(), mean), on_unused_input="ignore")(0) == 3


@row("a uniform draw")
def _() -> None:
    draws = function([], RandomStream(seed=1).uniform(0, 1, size=(200_000,), dtype="float16"))()
    assert draws.max() < 1


@row("`srng.seed(n)`")
def _() -> None:
    def second(seed: int) -> Array:
        srng = RandomStreams(seed)
        srng.uniform((1,))
        srng.seed(7)
        found: Array = function([], srng.uniform((1,)))()
        return found

    assert second(1) == second(2)


@row("a step's float32 into a float64 state of `scan`")
def _() -> None:
    x = T.fvector("x")
    states, _ = scan(lambda v, s: v, sequences=x, outputs_info=T.constant(0.0, dtype="float64"))
    assert states.dtype == "float64"
    with pytest.raises(TypeMismatchError):
        scan(
            lambda v, s: s + v, sequences=T.dvector(), outputs_info=T.constant(0.0, dtype="float32")
        )


@row("`scan` with `n_steps=1`")
def _() -> None:
    x = T.dvector("x")
    last, _ = scan(lambda v: v, sequences=x, n_steps=1, go_backwards=True)
    assert function([x], last)([1, 2, 3]).tolist() == [3]


@row("`if x:` of a variable")
def _() -> None:
    assert T.dvector("x")
    for condition in (T.dscalar() < 1, T.eq(T.dscalar(), 1)):
        with pytest.raises(TypeMismatchError, match="truth value"):
            bool(condition)


@row("int64 put into a part of float32")
def _() -> None:
    x = T.fvector("x")
    assert T.set_subtensor(x[0], T.lscalar()).dtype == "float32"
    with pytest.raises(TypeMismatchError):
        T.set_subtensor(x[0], T.dscalar())


@row("NanGuardMode and uint64")
def _() -> None:
    draw = RandomStreams(seed=1).uniform((2,))
    assert function([], draw, mode=NanGuardMode())().shape == (2,)


@row("FAST_COMPILE")
def _() -> None:
    x = T.dscalar("x")
    assert function([x], T.log(1 + T.exp(x)), mode="FAST_COMPILE")(1000) == 1000


@row("`f.copy()` of a function with one output")
def _() -> None:
    x = T.dscalar("x")
    assert isinstance(function([x], x * 2).copy()(3), np.ndarray)


@row("outputs as a dict")
def _() -> None:
    x = T.dscalar("x")
    assert list(function([x], {"b": x, "a": x})(1)) == ["b", "a"]


@row("`givens={a: b, b: a + 1}`")
def _() -> None:
    a, b = T.dscalars("a", "b")
    found = function([a, b], [a * 10, b * 10], givens={a: b, b: a + 1})(1, 5)
    assert [float(v) for v in found] == [50, 20]


@row("updates from several threads")
def _() -> None:
    total = shared(0)
    count = function([], updates=[(total, total + 1)])
    threads = [threading.Thread(target=lambda: [count() for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total.get_value() == 400


@row("`relu(x, 0.1)`, `selu` of float32")
def _() -> None:
    assert config.floatX == "float64"
    assert T.nnet.relu(T.fvector(), 0.1).dtype == "float32"
    assert T.nnet.selu(T.fvector()).dtype == "float32"


@pytest.mark.parametrize("name", CHECKS)
def test_the_trap_is_as_told(name: str) -> None:
    CHECKS[name]()


def test_every_row_of_the_readme_is_checked(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    table = text.split("| where | Theano (or PyTensor) | here |\n|---|---|---|\n")[1]
    rows = re.findall(r"^\| (.+?) \|", table.split("\n\n")[0], re.M)
    assert rows == list(CHECKS)
