"""Products of tensors in native code: by BLAS where that pays, as loops elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

import engine.tensor as T
from engine.codegen.native import Native
from engine.expression import OPS, Variable
from engine.ops.einsum import einsum
from engine.types import TensorType
from tests.test_codegen import Array, assert_same

RNG = np.random.default_rng(3)
Shape = tuple[int, ...]


def tensors(
    values: dict[Variable, Array], *shapes: Shape, dtype: str = "float64"
) -> list[Variable]:
    """Tensors of the shapes, in which axes of length 1 stretch."""
    found = []
    for shape in shapes:
        x = TensorType(dtype, (None,) * len(shape), tuple(n == 1 for n in shape))()
        values[x] = RNG.integers(-3, 4, shape).astype(dtype)
        found.append(x)
    return found


def calls(native: Native) -> int:
    """How many kernels are calls of BLAS, each perhaps for all entries of a batch."""
    assert not [k.source for k in native.kernels if k.source.startswith("numpy:")]
    return sum("gem" in k.source for k in native.kernels)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("subscripts", "x", "y", "copies"),
    [
        ("bij,bjk->bik", (5, 20, 16), (5, 16, 12), 0),
        ("abij,bjk->abik", (2, 5, 20, 16), (5, 16, 12), 0),
        ("abij,bjk->abik", (2, 1, 20, 16), (5, 16, 12), 0),
        ("bij,bkj->bki", (5, 20, 16), (5, 12, 16), 0),
        ("abi,ij->abj", (10, 8, 16), (16, 12), 0),
        ("abi,abj->ij", (4, 8, 12), (4, 8, 14), 0),
        ("abi,baj->ij", (4, 8, 12), (8, 4, 14), 1),
        ("aib,bj->iaj", (6, 7, 16), (16, 12), 0),
        ("abcd,cbe->eda", (6, 8, 10, 12), (10, 8, 9), 1),
        ("abcd,cbe->ae", (6, 8, 10, 12), (10, 8, 9), 1),
        ("ij,bj->bi", (40, 30), (7, 30), 0),
        ("bij,bj->bi", (6, 40, 30), (6, 30), 0),
        ("bij,jk->bik", (0, 20, 16), (16, 12), 0),
    ],
)
def test_any_contraction_is_products_of_matrices(
    subscripts: str, x: Shape, y: Shape, copies: int, dtype: str
) -> None:
    values: dict[Variable, Array] = {}
    native = assert_same([einsum(tensors(values, x, y, dtype=dtype), subscripts)], values)
    assert calls(native) == bool(np.prod(x))
    assert len(native.kernels) <= 1 + copies


def test_what_is_no_product_of_matrices_is_loops() -> None:
    values: dict[Variable, Array] = {}
    a, b, c = tensors(values, (30, 30), (30, 40), (12, 13, 14))
    outputs = [
        einsum([a, b], "ii,ij->j"),
        einsum([a, b], "ij,jk->ijk"),
        einsum([c], "ijk->ki"),
        einsum([a], "ii->"),
        T.dot(*tensors(values, (40, 1), (1, 40))),
    ]
    assert calls(assert_same(outputs, values)) == 0
    for dtype in ("int32", "bool"):
        own: dict[Variable, Array] = {}
        products = [T.dot(*tensors(own, (30, 40), (40, 50), dtype=dtype))]
        products.append(OPS["batched_matmul"](*tensors(own, (3, 20, 30), (3, 30, 9), dtype=dtype)))
        assert calls(assert_same(products, own)) == 0


def test_operands_of_one_memory_and_of_other_dtypes() -> None:
    values: dict[Variable, Array] = {}
    x, cube = tensors(values, (5, 20, 20), (12, 12, 12))
    (single,) = tensors(values, (5, 20, 9), dtype="float32")
    (whole,) = tensors(values, (5, 20, 9), dtype="int16")
    matmul = OPS["batched_matmul"]
    outputs = [
        matmul(x, x),
        matmul(x, x.dimshuffle(0, 2, 1)),
        matmul(x[::-1], x[:, ::-1]),
        einsum([cube, cube], "bij,jbk->bik"),
        matmul(x, single),
        matmul(x, whole),
    ]
    assert calls(assert_same(outputs, values)) == len(outputs)


def test_letters_that_only_one_operand_has_are_summed_first() -> None:
    values: dict[Variable, Array] = {}
    x, y = tensors(values, (20, 9, 16), (16, 12))
    native = assert_same([einsum([x, y], "abj,jk->ak")], values)
    assert calls(native) == 1


def test_more_than_two_are_multiplied_two_by_two() -> None:
    values: dict[Variable, Array] = {}
    x, y, z, stretched = tensors(values, (20, 30), (30, 25), (25, 9), (20, 1))
    outputs = [
        einsum([x, y, z], "ij,jk,kl->il"),
        einsum([x, y, z, stretched], "ij,jk,kl,ij->li"),
        einsum([x, x, x], "ij,ij,ij->i"),
    ]
    assert calls(assert_same(outputs, values)) >= 3


def test_a_large_batch_is_done_in_parts_with_the_same_bits() -> None:
    values: dict[Variable, Array] = {}
    x, y = tensors(values, (70, 32, 32), (70, 32, 32))
    native = assert_same([OPS["batched_matmul"](x, y)], values)
    assert calls(native) == 1
    first = native.outputs[0].copy()
    native.call()
    assert native.outputs[0].tobytes() == first.tobytes()
