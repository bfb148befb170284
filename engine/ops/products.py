"""Products of vectors, matrices, and stacks of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import ShapeError, TypeMismatchError
from engine.expression import OPS, Apply, Variable
from engine.makers import composed, unbroadcast, zero_gradient
from engine.op import Example, Op, Port
from engine.ops.einsum import LETTERS, Subscripts, einsum, parse
from engine.ops.matrices import conjugated, swapped
from engine.types import (
    DISCRETE,
    EVERY,
    TensorType,
    broadcast,
    shape_text,
    upcast,
)

CATEGORY = "Products"


def inner_axes(x: int, y: int) -> tuple[int, int] | None:
    """The axes over which dot sums, by the ranks of its operands; None if one is a number."""
    return (x - 1, max(0, y - 2)) if x and y else None


def _check_inner(x: TensorType, y: TensorType, axis_x: int, axis_y: int) -> None:
    inner_x, inner_y = x.shape[axis_x], y.shape[axis_y]
    if inner_x is None or inner_y is None or inner_x == inner_y:
        return
    columns = "columns" if x.ndim <= 2 else "elements on its last axis"
    rows = "rows" if y.ndim <= 2 else "elements on its last axis but one"
    raise ShapeError(
        f"Shapes {shape_text(x.shape)} and {shape_text(y.shape)} do not fit together: "
        f"x has {inner_x} {columns} but y has {inner_y} {rows}.",
        port="y",
        expected=f"y with {inner_x} {rows}",
        got=f"{inner_y} {rows}",
        hint="x is summed over its last axis, y over the last but one, a vector over its only one.",
    )


def _dot_type(x: TensorType, y: TensorType) -> TensorType:
    dtype = upcast(x.dtype, y.dtype)
    axes = inner_axes(x.ndim, y.ndim)
    if axes is None:
        return (x if x.ndim else y).with_dtype(dtype)
    _check_inner(x, y, *axes)
    _, over = axes
    return TensorType(
        dtype,
        x.shape[:-1] + y.shape[:over] + y.shape[over + 1 :],
        x.broadcastable[:-1] + y.broadcastable[:over] + y.broadcastable[over + 1 :],
    )


def _dot_value(x: Any, y: Any) -> Any:
    if x.dtype != y.dtype:  # the names of dtypes take longer than a small product
        dtype = upcast(x.dtype.name, y.dtype.name)
        x, y = x.astype(dtype, copy=False), y.astype(dtype, copy=False)
    if x.ndim and y.ndim and x.ndim + y.ndim > 4:
        # The same sums as those of np.dot, which has BLAS only for matrices.
        return np.tensordot(x, y, (x.ndim - 1, max(0, y.ndim - 2)))
    return np.asarray(np.dot(x, y))


def dot_subscripts(x: int, y: int) -> Subscripts:
    """Letters for the axes of the operands of dot and of its result, by the operands' ranks."""
    left, right = LETTERS[:x], LETTERS[x : x + y]
    axes = inner_axes(x, y)
    if axes is None:
        return Subscripts((left, right), left + right)
    _, over = axes
    before, after = right[:over], right[over + 1 :]
    return Subscripts((left, before + left[-1] + after), left[:-1] + before + after)


def subscripts_of(node: Apply) -> Subscripts | None:
    """A product as letters for its axes; None where the apply is no such product."""
    ranks = tuple(v.ndim for v in node.inputs)
    match node.op.name:
        case "dot":
            return dot_subscripts(*ranks)
        case "batched_matmul":
            return parse("...ij,...jk->...ik", ranks)
        case "einsum":
            return parse(node.params["subscripts"], ranks)
        case _:
            return None


def _dot_grad(g: Variable, out: Variable, x: Variable, y: Variable) -> list[Variable | None]:
    if out.dtype in DISCRETE:
        return [zero_gradient(x), zero_gradient(y)]
    match x.ndim, y.ndim:
        case 0, _:
            return [OPS["sum"](g * y), g * x]
        case _, 0:
            return [g * y, OPS["sum"](g * x)]
        case 1, 1:
            return [g * y, g * x]
        case 2, 1:
            return [outer(g, y), dot(x.T, g)]
        case 1, 2:
            return [dot(y, g), outer(x, g)]
        case 2, 2:
            return [dot(g, y.T), dot(x.T, g)]
        case _:
            axes = dot_subscripts(x.ndim, y.ndim)
            left, right = axes.operands
            return [
                einsum([g, y], str(Subscripts((axes.out, right), left))),
                einsum([x, g], str(Subscripts((left, axes.out), right))),
            ]


dot: Op = Op(
    name="dot",
    symbol="·",
    category=CATEGORY,
    infix="{x} @ {y}",
    precedence=20,
    tex=r"{x} \cdot {y}",
    doc="The product of matrices and vectors: rows of x times columns of y, summed. "
    "A number multiplies; of more axes the last of x meets the last but one of y.",
    examples=(
        Example(((2, 3), (3, 4))),
        Example(((2, 3), (3,))),
        Example(((3,), (3, 2))),
        Example(((3,), (3,))),
        Example(((), (2, 3))),
        Example(((2, 3), ())),
        Example(((2, 3, 4), (2, 4, 5))),
        Example(((3, 4), (2, 4, 5))),
        Example(((2, 3, 4), (4,))),
    ),
    ports=(Port("x"), Port("y")),
    infer=_dot_type,
    numpy=_dot_value,
    grad=_dot_grad,
    dtypes=EVERY,
)


# outer


def _outer_type(x: TensorType, y: TensorType) -> TensorType:
    sizes = [
        None if None in t.shape else int(np.prod([n or 0 for n in t.shape], dtype=object))
        for t in (x, y)
    ]
    return TensorType(upcast(x.dtype, y.dtype), sizes, (all(x.broadcastable), all(y.broadcastable)))


def flat(x: Variable) -> Variable:
    return x if x.ndim == 1 else OPS["flatten"](x)


def _like(g: Variable, x: Variable) -> Variable:
    return g if x.ndim == 1 else OPS["reshape_like"](g, x)


def _outer_grad(g: Variable, out: Variable, x: Variable, y: Variable) -> list[Variable | None]:
    if out.dtype in DISCRETE:
        return [zero_gradient(x), zero_gradient(y)]
    return [_like(dot(g, flat(y)), x), _like(dot(flat(x), g), y)]


outer: Op = Op(
    name="outer",
    symbol="⊗",
    category=CATEGORY,
    method=False,
    tex=r"{x} \otimes {y}",
    doc="Every element of x times every element of y; tensors are flattened first.",
    examples=(Example(((2,), (3,))), Example(((2, 3), (2, 1))), Example(((), (3,)))),
    ports=(Port("x"), Port("y")),
    infer=_outer_type,
    numpy=lambda x, y: np.multiply.outer(x.reshape(-1), y.reshape(-1)),
    expand=lambda x, y: flat(x).dimshuffle(0, "x") * flat(y).dimshuffle("x", 0),
    grad=_outer_grad,
    dtypes=EVERY,
)


# Stacks of matrices


def _stacks_type(x: TensorType, y: TensorType) -> TensorType:
    if x.ndim < 2 or y.ndim < 2:
        raise TypeMismatchError(
            "Both must be stacks of matrices.", expected="two axes or more", got=f"{x} and {y}"
        )
    _check_inner(x, y, x.ndim - 1, y.ndim - 2)
    lead = broadcast(
        [TensorType(t.dtype, t.shape[:-2], t.broadcastable[:-2]) for t in (x, y)], ("x", "y")
    )
    return TensorType(
        upcast(x.dtype, y.dtype),
        (*lead.shape, x.shape[-2], y.shape[-1]),
        (*lead.broadcastable, x.broadcastable[-2], y.broadcastable[-1]),
    )


def _stacks_value(x: Any, y: Any) -> Any:
    dtype = upcast(x.dtype.name, y.dtype.name)
    return np.matmul(x.astype(dtype, copy=False), y.astype(dtype, copy=False))


def _stacks_grad(g: Variable, out: Variable, x: Variable, y: Variable) -> list[Variable | None]:
    if out.dtype in DISCRETE:
        return [zero_gradient(x), zero_gradient(y)]
    return [
        unbroadcast(batched_matmul(g, swapped(y)), x),
        unbroadcast(batched_matmul(swapped(x), g), y),
    ]


batched_matmul: Op = Op(
    name="batched_matmul",
    symbol="@",
    category=CATEGORY,
    hidden=True,
    method=False,
    infix="{x} @ {y}",
    precedence=20,
    tex=r"{x} {y}",
    doc="The product of each matrix of one stack with that of the other.",
    examples=(
        Example(((2, 3, 4), (2, 4, 5))),
        Example(((2, 1, 2, 3), (4, 3, 2))),
        Example(((2, 3), (2, 3, 4))),
    ),
    ports=(Port("x"), Port("y")),
    infer=_stacks_type,
    numpy=_stacks_value,
    grad=_stacks_grad,
    dtypes=EVERY,
)


def _matmul(x: Variable, y: Variable) -> Variable:
    if not (x.ndim and y.ndim):
        raise TypeMismatchError(
            "matmul does not take numbers.",
            expected="vectors, matrices, or stacks of matrices",
            got=f"{x.type} and {y.type}",
            hint="Multiply by a number with * or dot.",
        )
    match x.ndim, y.ndim:
        case ((1 | 2), (1 | 2)):
            return dot(x, y)
        case 1, _:
            return einsum([x, y], "i,...ij->...j")
        case _, 1:
            return dot(x, y)
        case _:
            return batched_matmul(x, y)


matmul = composed(
    "matmul",
    symbol="@",
    category=CATEGORY,
    method=False,
    tex="{x} {y}",
    doc="The product of matrices, of the last two axes; axes before them are a stack of matrices "
    "and stretch against each other. A vector counts as a row on the left, as a column on the "
    "right.",
    examples=(
        Example(((2, 3), (3, 4))),
        Example(((2, 3, 4), (2, 4, 5))),
        Example(((4,), (2, 4, 5))),
        Example(((2, 3, 4), (4,))),
    ),
    body=_matmul,
    dtypes=EVERY,
)


def _vecmat(x: Variable, y: Variable) -> Variable:
    return einsum([conjugated(x), y], "...i,...ij->...j")


matvec = composed(
    "matvec",
    symbol="Av",
    category=CATEGORY,
    method=False,
    doc="Each matrix of a stack times the vector that belongs to it.",
    examples=(Example(((2, 3, 4), (2, 4))), Example(((3, 4), (2, 4)))),
    body=lambda x, y: einsum([x, y], "...ij,...j->...i"),
    dtypes=EVERY,
)

vecmat = composed(
    "vecmat",
    symbol="vA",
    category=CATEGORY,
    method=False,
    doc="Each vector, conjugated, times the matrix of a stack that belongs to it.",
    examples=(Example(((2, 3), (2, 3, 4))), Example(((2, 3), (3, 4)))),
    body=_vecmat,
    dtypes=EVERY,
)


def _each_multiplied(*matrices: Any, **named: Any) -> Variable:
    """The matrices one by one, or as a list."""
    listed = len(matrices) == 1 and isinstance(matrices[0], list | tuple)
    given = matrices if listed or named else (matrices,)
    return matrix_dot.each(*given, **named)[0]


def _matrix_dot(matrices: Sequence[Variable]) -> Variable:
    if not matrices:
        raise ShapeError("There is nothing to multiply.", expected="one or more", got="none")
    out = matrices[0]
    for m in matrices[1:]:
        out = dot(out, m)
    return out


matrix_dot: Op = composed(
    "matrix_dot",
    symbol="A·B·C",
    category=CATEGORY,
    method=False,
    aliases=("multi_dot",),
    doc="The product of all matrices, from the left to the right.",
    ports=(Port("matrices", variadic=True),),
    examples=(Example(((2, 3), (3, 4), (4, 2))), Example(((2, 3),))),
    body=_matrix_dot,
    call=_each_multiplied,
    dtypes=EVERY,
)


def _check_threes(**shapes: Sequence[int | None]) -> None:
    for port, shape in shapes.items():
        if not shape or shape[-1] not in (None, 3):
            raise ShapeError(
                f"The last axis of {port} must have length 3.",
                port=port,
                expected="vectors of three elements",
                got=shape_text(shape),
            )


def _cross_type(x: TensorType, y: TensorType) -> TensorType:
    _check_threes(x=x.shape, y=y.shape)
    if x.dtype == y.dtype == "bool":
        raise TypeMismatchError("bool has no arithmetic.", expected="numbers", got="bool")
    found = broadcast([x, y], ("x", "y")).with_dtype(upcast(x.dtype, y.dtype))
    return TensorType(found.dtype, (*found.shape[:-1], 3), (*found.broadcastable[:-1], False))


def _cross_value(x: Any, y: Any) -> Any:
    _check_threes(x=x.shape, y=y.shape)
    dtype = upcast(x.dtype.name, y.dtype.name)
    return np.cross(x.astype(dtype, copy=False), y.astype(dtype, copy=False))


def _cross_grad(g: Variable, out: Variable, x: Variable, y: Variable) -> list[Variable | None]:
    if out.dtype in DISCRETE:
        return [zero_gradient(x), zero_gradient(y)]
    return [unbroadcast(cross(y, g), x), unbroadcast(cross(g, x), y)]


cross: Op = Op(
    name="cross",
    symbol="×",
    category=CATEGORY,
    method=False,
    tex=r"{x} \times {y}",
    doc="The vector at right angles to both, of three elements along the last axis.",
    ports=(Port("x"), Port("y")),
    examples=(Example(((3,), (3,))), Example(((2, 3), (3,)))),
    infer=_cross_type,
    numpy=_cross_value,
    grad=_cross_grad,
    dtypes=EVERY - {"bool"},
)
