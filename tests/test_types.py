"""dtypes, promotion, broadcasting, and what a type takes as a value."""

from __future__ import annotations

import numpy as np
import pytest

import engine
import engine.tensor as T
from engine import TensorType, config, function, grad, scalar
from engine.codegen.numpy import interpret
from engine.errors import ShapeError, TypeMismatchError
from engine.types import (
    COMPLEX,
    DISCRETE,
    DTYPES,
    EVERY,
    FLOATS,
    KINDS,
    PREFIXES,
    broadcast,
    literal_dtype,
    upcast,
    widens_silently,
)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("int8", "int16", "int16"), ("int32", "int64", "int64"), ("int16", "float32", "float32"),
        ("int32", "float32", "float64"), ("int64", "float32", "float64"),
        ("complex64", "float64", "complex128"), ("int16", "complex64", "complex64"),
        ("int64", "complex64", "complex128"), ("uint8", "int8", "int16"),
        ("uint64", "int64", "float64"), ("float16", "int8", "float16"),
        ("float16", "int16", "float32"),
    ],
)  # fmt: skip
def test_promotion_is_numpys_whatever_the_values(a: str, b: str, expected: str) -> None:
    assert upcast(a, b) == expected
    assert (TensorType(a)("a") + TensorType(b)("b")).dtype == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, "int8"), (300, "int16"), (70000, "int32"), (2**40, "int64"), (1.5, "float32"),
     (1.1, "float64"), (True, "bool"), (1j, "complex128")],
)  # fmt: skip
def test_literals_take_the_smallest_dtype_that_holds_them(value: complex, expected: str) -> None:
    assert literal_dtype(value) == expected


def test_the_whole_table_of_promotion_is_numpys() -> None:
    for a in DTYPES:
        for b in DTYPES:
            expected = np.result_type(np.dtype(a), np.dtype(b)).name
            assert upcast(a, b) == upcast(b, a) == expected
            for op in (T.mul, T.eq, T.switch) if {a, b} <= DISCRETE | FLOATS else (T.mul, T.eq):
                inputs = [TensorType(a)("a"), TensorType(b)("b")]
                out = op(True, *inputs) if op is T.switch else op(*inputs)
                assert out.dtype == ("bool" if op is T.eq else expected)


def test_float_literals_follow_floatx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "floatX", "float32")
    assert literal_dtype(1.1) == "float32"
    assert T.matrix("m").dtype == "float32"
    assert (T.scalar() * 1.1 + 2).dtype == "float32"
    assert T.sqrt(2).dtype == (T.iscalar() / 2).dtype == "float32"
    monkeypatch.setattr(config, "floatX", "float16")
    assert literal_dtype(1.5) == literal_dtype(1.1) == "float16"
    assert literal_dtype(1j) == "complex64"
    assert (T.vector("v") * 1.5 + 3).dtype == "float16"


POLICIES = {
    # int8 + 1, int8 + 300, int32 * float32, float32 * 1.1, float32 + float64, exp(int8),
    # exp(float32), int8 / int8, complex64 * float64, uint8 + int8, int8 ** 2, -int16, bool & bool
    ("custom", "float64"): "int8 int16 float64 float64 float64 float32 float32 float64 complex128 "
    "int16 int8 int16 bool",
    ("custom", "float32"): "int8 int16 float64 float32 float64 float32 float32 float32 complex128 "
    "int16 int8 int16 bool",
    ("numpy+floatX", "float64"): "int64 int64 float64 float64 float64 float32 float32 float64 "
    "complex128 int16 int64 int16 bool",
    ("numpy+floatX", "float32"): "int64 int64 float32 float32 float64 float32 float32 float32 "
    "complex128 int16 int64 int16 bool",
    ("simple", "float64"): "int64 int64 float64 float64 float64 float64 float64 float64 "
    "complex128 int64 int64 int64 bool",
    ("simple", "float32"): "int64 int64 float32 float32 float32 float32 float32 float32 "
    "complex64 int64 int64 int64 bool",
    ("simple", "float16"): "int64 int64 float16 float16 float16 float16 float16 float16 "
    "complex64 int64 int64 int64 bool",
}


@pytest.mark.parametrize(("policy", "width"), POLICIES)
def test_every_policy_of_casts(policy: str, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "floatX", width)
    monkeypatch.setattr(config, "cast_policy", policy)
    dtypes = ("bool", "int8", "uint8", "int16", "int32", "float32", "float64", "complex64")
    p, b, u, w, i, f, d, c = (TensorType(dtype, (None,))(dtype) for dtype in dtypes)
    outputs = [
        b + 1, b + 300, i * f, f * 1.1, f + d, T.exp(b), T.exp(f), b / b, c * d, u + b, T.pow(b, 2),
        -w, p & p,
    ]  # fmt: skip
    assert [v.dtype for v in outputs] == POLICIES[policy, width].split()
    # What runs has the same dtype, and so have gradients that of their variable.
    values = {v: np.ones(2, v.dtype) for v in (p, b, u, w, i, f, d, c)}
    for out, value in zip(outputs, interpret(outputs, values), strict=True):
        assert value.dtype == out.dtype
    assert grad(T.sum(f * 1.1 * i + T.exp(f) ** 2), f).dtype == "float32"


def test_a_policy_holds_in_kernels_and_reductions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "cast_policy", "simple")
    monkeypatch.setattr(config, "floatX", "float32")
    i, f = T.ivector("i"), T.fmatrix("f")
    outputs = [
        T.sum(i * f),
        T.mean(i),
        T.dot(f, i),
        T.sum(i),
        T.sum(T.TensorType("uint8", (None,))("u")),
    ]
    assert [v.dtype for v in outputs] == ["float32", "float32", "float32", "int64", "int64"]
    found = function([i, f], outputs[:4])([1, 2], np.ones((3, 2), "float32"))
    assert [v.dtype for v in found] == ["float32", "float32", "float32", "int64"]
    assert (found[0], found[1], found[2].tolist(), found[3]) == (9, 1.5, [3, 3, 3], 3)


@pytest.mark.parametrize(
    ("floatx", "inputs", "result"),
    [
        ("float32", ("float32", "int64"), "float32"), ("float32", ("int8", "float64"), "float64"),
        ("float32", ("float16", "int32"), "float32"), ("float16", ("float16", "int64"), "float16"),
        ("float16", ("float32", "int64"), "float32"), ("float64", ("float32", "int64"), "float64"),
        ("float16", ("float16", "int16"), "float16"), ("float32", ("uint64", "int64"), "float32"),
        ("float32", ("int8", "int64"), "int64"), ("float32", ("int64", "complex64"), "complex128"),
    ],
)  # fmt: skip
def test_ints_widen_no_float_beyond_floatx_where_literals_follow_it(
    floatx: str, inputs: tuple[str, str], result: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "floatX", floatx)
    monkeypatch.setattr(config, "cast_policy", "numpy+floatX")
    a, b = (TensorType(dtype, (3,))(dtype) for dtype in inputs)
    assert (a * b).dtype == T.dot(a, b).dtype == scalar.upcast(*inputs) == result
    values = [np.ones(3, dtype) for dtype in inputs]
    assert function([a, b], a * b + 2, mode="NUMBA")(*values).dtype == result


def test_settings_of_theanos_old_bugs_and_devices_are_there() -> None:
    config.warn.subtensor_merge_bug = False
    config.device = "cpu"
    assert not config.device.startswith(("gpu", "cuda"))


def test_a_setting_that_there_is_not_is_refused() -> None:
    with pytest.raises(AttributeError, match="no setting 'floatx'; did you mean floatX"):
        config.floatx = "float32"


def test_a_setting_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cast_policy cannot be 'numpy'; it is 'custom' or"):
        config.cast_policy = "numpy"
    with pytest.raises(ValueError, match=r"floatX cannot be 'float'"):
        config.floatX = "float"
    with pytest.raises(ValueError, match=r"device cannot be 'cuda'; it is 'cpu'"):
        config.device = "cuda"
    assert (config.cast_policy, config.floatX) == ("custom", "float64")


@pytest.mark.parametrize(
    ("inputs", "result", "floatx", "silent"),
    [
        (("int32", "float32"), "float64", "float64", True),
        (("int64", "float16"), "float64", "float64", True),
        (("int32", "complex64"), "complex128", "float64", True),
        (("int32", "float32"), "float64", "float32", True),
        (("int32",), "float64", "float32", True),  # exp of an int
        (("int32", "int32"), "float64", "float64", False),  # int / int, exp of an int
        (("int32", "float64"), "float64", "float32", False),
        (("float32", "float64"), "float64", "float64", False),
        (("complex64", "float64"), "complex128", "float64", False),
        (("int16", "float32"), "float32", "float64", False),
        (("int32", "float32"), "bool", "float64", False),
        (("int32", "int64"), "int64", "float32", False),
        ((), "float64", "float32", False),  # constants alone
    ],
)
def test_silent_is_what_is_wider_than_anybody_asked_for(
    inputs: tuple[str, ...], result: str, floatx: str, silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "floatX", floatx)
    assert widens_silently(inputs, result) is silent


def test_integers_divide_to_floats_and_round_down() -> None:
    i = T.iscalar("i")
    divided, floored, rest = function([i], [i / 2, i // 2, i % 2])(-7)
    assert (divided, floored, rest) == (-3.5, -4, 1)
    assert divided.dtype == "float64"


def test_functions_of_small_integers_are_float32() -> None:
    assert T.exp(T.bscalar()).dtype == "float32"
    assert T.exp(T.iscalar()).dtype == "float64"
    assert T.sqr(T.bscalar()).dtype == "int8"


def test_sums_of_small_integers_do_not_wrap() -> None:
    b = T.bvector("b")
    total = function([b], b.sum())(np.array([100, 100, 100], "int8"))
    assert (total, total.dtype) == (300, "int64")


def test_what_stretches_must_be_declared() -> None:
    known = TensorType("float64", (None, 3)), TensorType("float64", (1, None))
    assert broadcast(known).shape == (None, 3)
    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(1, 3\).*axis 0"):
        broadcast(
            [TensorType("int8", (2, 3)), TensorType("int8", (1, 3), broadcastable=(False, False))]
        )


def test_values_are_taken_where_nothing_is_lost() -> None:
    assert T.dvector.filter([1, 2]).dtype == "float64"
    assert T.bscalar.filter(100) == 100
    assert T.fscalar.filter(np.float32(1.5)).dtype == "float32"
    for kind, value in [
        (T.bscalar, 300), (T.iscalar, 1.5), (T.fvector, np.ones(2)), (T.dscalar, 1j),
        (T.dmatrix, [1.0, 2.0]), (T.drow, np.ones((2, 3))), (T.dscalar, "x"),
    ]:  # fmt: skip
        with pytest.raises(TypeMismatchError):
            kind.filter(value, "v")
    assert T.fvector.filter(np.ones(2), allow_downcast=True).dtype == "float32"


def test_plural_constructors() -> None:
    x, y = T.dmatrices("x", "y")
    assert (x.name, y.type.name) == ("x", "dmatrix")
    assert [v.dtype for v in T.iscalars(3)] == ["int32"] * 3


def test_all_constructors_of_theano() -> None:
    for kind, shape in KINDS.items():
        for letter, dtype in PREFIXES.items():
            made = getattr(T, letter + kind)("x")
            assert (made.dtype, made.type.shape, made.name) == (dtype, shape, "x")
            assert made.type.name == letter + kind
            assert made.type() is not made
            assert made.type().type == made.type
        assert getattr(T, kind)("x").dtype == "float64"
    assert (
        set(PREFIXES.values()) | {"bool", "uint8", "uint16", "uint32", "uint64", "float16"} == EVERY
    )
    assert T.row("r").broadcastable == (True, False)
    assert T.col("c").broadcastable == (False, True)


def test_constructors_without_a_dtype_in_their_name_follow_floatx_when_they_are_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrix, vectors = T.matrix, T.vectors
    monkeypatch.setattr(config, "floatX", "float32")
    assert matrix("m").dtype == "float32"
    assert [v.dtype for v in vectors("a", "b")] == ["float32"] * 2
    assert matrix("m", "int8").type == T.bmatrix
    assert T.scalar(dtype="int64").type == T.lscalar
    assert T.vector("v", shape=(3,)).type.shape == (3,)
    assert T.row("r").type == T.frow
    with pytest.raises(ShapeError, match="A vector has rank 1, not 2"):
        T.vector(shape=(3, 4))


def test_all_plurals_of_theano() -> None:
    for kind in ("scalar", "vector", "row", "col", "tensor3", "tensor7"):
        for letter in ("", "i", "l", "f", "d"):
            assert [v.type.ndim for v in getattr(T, f"{letter}{kind}s")(2)] == [
                len(KINDS[kind])
            ] * 2
    for letter in ("", "i", "l", "f", "d"):
        x, y, z = getattr(T, f"{letter}matrices")("x", "y", "z")
        assert (x.name, y.name, z.ndim) == ("x", "y", 2)


def test_types_without_a_name() -> None:
    kind = T.TensorType("uint8", (False, True))
    assert (kind.shape, kind.broadcastable) == ((None, 1), (False, True))
    assert kind("u").dtype == "uint8"
    assert T.tensor("float16", (None, 3), "t").type == TensorType("float16", (None, 3))
    assert T.tensor("int32").ndim == 0
    assert [repr(t) for t in (T.dmatrix, kind, TensorType("float32", (2, None, 1)))] == [
        "TensorType(float64, matrix)",
        "TensorType(uint8, (?, 1))",
        "TensorType(float32, (2, ?, 1))",
    ]
    with pytest.raises(TypeMismatchError, match="no tensor of dtype"):
        T.TensorType("datetime64[s]")


def test_a_pattern_may_be_given_by_its_name() -> None:
    assert T.tensor("int8", broadcastable=(False, True)).type == TensorType("int8", (None, 1))
    assert T.tensor("int8", name="t", broadcastable=[False]).name == "t"


def test_floatx_is_a_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "floatX", "float32")
    assert TensorType("floatX", (None,)).dtype == "float32"
    assert T.constant(0, dtype="floatX").dtype == "float32"
    assert T.tensor("floatX").dtype == "float32"


def test_a_star_brings_all_of_tensor() -> None:
    wanted = {"dmatrix", "dmatrices", "vector", "lscalars", "dot", "sum", "abs_", "grad"}
    assert wanted <= set(T.__all__)
    assert "abs" not in T.__all__
    assert all(hasattr(T, name) for name in T.__all__)


def test_names_outside_of_tensor() -> None:
    assert engine.dot is T.dot
    assert engine.printing.pprint is engine.printing.pp


def test_known_lengths_come_through_elementwise_ops() -> None:
    x, y = T.tensor("float64", (2, None)), T.tensor("float64", (None, 3))
    assert (x * y).type.shape == (2, 3)
    assert T.switch(x > 0, x, 0).type.shape == (2, None)
    with pytest.raises(ShapeError, match=r"add.*\(2, 3\).*\(2, 4\)"):
        T.tensor("int8", (2, 3)) + T.tensor("int8", (2, 4))


def test_a_number_too_large_for_any_integer_is_refused_in_words() -> None:
    assert literal_dtype(2**63) == "uint64"
    with pytest.raises(TypeMismatchError, match=r"64 bits(.|\n)*as a float"):
        T.dscalar() + 2**64


def test_complex_numbers_know_their_parts() -> None:
    assert {T.real(T.TensorType(d)()).dtype for d in COMPLEX} == {"float32", "float64"}


def test_a_pattern_alone_says_the_shape() -> None:
    kind = TensorType("float64", broadcastable=(False, True), name="columns")
    assert kind == TensorType("float64", (None, 1))
    assert kind(name="x").name == "x"
