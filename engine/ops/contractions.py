"""Products of tensors, summed over chosen pairs of axes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError
from engine.expression import OPS, Variable, as_variable
from engine.makers import composed
from engine.op import Example, Param
from engine.ops.einsum import LETTERS, einsum
from engine.ops.matrices import conjugated
from engine.ops.products import CATEGORY, batched_matmul, dot, flat
from engine.types import EVERY, normalize_axis


def _moved_last(x: Variable, axis: int) -> Variable:
    axis = normalize_axis(axis, x.ndim)
    last = x.ndim - 1
    return x if axis == last else x.dimshuffle(*(k for k in range(x.ndim) if k != axis), axis)


vecdot = composed(
    "vecdot",
    symbol="⟨x,y⟩",
    category=CATEGORY,
    method=False,
    doc="The inner products of the vectors along an axis; x is conjugated.",
    params=(Param("axis", "int", -1, "the axis of the vectors"),),
    examples=(Example(((2, 3), (2, 3))), Example(((3, 2), (3, 1)), {"axis": 0})),
    body=lambda x, y, axis=-1: einsum(
        [conjugated(_moved_last(x, axis)), _moved_last(y, axis)], "...i,...i->..."
    ),
    dtypes=EVERY,
)

vdot = composed(
    "vdot",
    symbol="⟨x,y⟩",
    category=CATEGORY,
    method=False,
    tex=r"\left\langle {x}, {y} \right\rangle",
    doc="The inner product of two tensors as if they were vectors; x is conjugated.",
    examples=(Example(((3,), (3,))), Example(((2, 3), (2, 3)))),
    body=lambda x, y: dot(flat(conjugated(x)), flat(y)),
    dtypes=EVERY,
)


def _axes(name: str, axes: Sequence[int], x: Variable, first: int = 0) -> tuple[int, ...]:
    found = tuple(normalize_axis(a, x.ndim) for a in axes)
    if len(set(found)) < len(found) or any(a < first for a in found):
        why = "an axis twice" if len(set(found)) < len(found) else "the axis of the batch"
        raise ParameterError(
            f"{name} has {why}.",
            port=name,
            expected=f"different axes from {first} to {x.ndim - 1}",
            got=str(tuple(axes)),
        )
    return found


def _contraction(
    x: Variable, y: Variable, x_axes: Sequence[int], y_axes: Sequence[int], batched: bool
) -> Variable:
    """The product summed over pairs of axes; the first axes may be a batch they share."""
    if batched and not (x.ndim and y.ndim):
        raise ShapeError(
            "A batch needs an axis.",
            port="y" if x.ndim else "x",
            expected="one axis or more, the first is the batch",
            got=f"{x.type} and {y.type}",
        )
    over_x = _axes("x_axes", x_axes, x, int(batched))
    over_y = _axes("y_axes", y_axes, y, int(batched))
    if len(over_x) != len(over_y):
        raise ParameterError(
            f"{len(over_x)} axes of x cannot meet {len(over_y)} axes of y.",
            port="y_axes",
            expected=f"{len(over_x)} axes",
            got=str(tuple(y_axes)),
        )
    if not batched and (over_x, over_y) == ((x.ndim - 1,), (max(0, y.ndim - 2),)):
        return dot(x, y)
    left, right = list(LETTERS[: x.ndim]), list(LETTERS[x.ndim : x.ndim + y.ndim])
    if batched:
        right[0] = left[0]
    for a, b in zip(over_x, over_y, strict=True):
        right[b] = left[a]
    kept = [c for k, c in enumerate(left) if k not in over_x]
    kept += [c for k, c in enumerate(right) if k not in over_y and not (batched and k == 0)]
    return einsum([x, y], f"{''.join(left)},{''.join(right)}->{''.join(kept)}")


def _pairs_of_axes(
    axes: Any, x: Variable, y: Variable, batched: bool = False
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of x and of y, from what NumPy's tensordot takes.

    That is a pair, each an axis or a list of them, or a number n: the last n axes of x and the
    first n of y, after the batch if there is one.
    """
    if isinstance(axes, int | np.integer):
        n = int(axes)
        for port, v in (("x", x), ("y", y)):
            if not 0 <= n <= v.ndim - batched:
                raise ParameterError(
                    f"axes={n} is more than {port} has: {v.type}.",
                    port="axes",
                    expected=f"0 to {v.ndim - batched}",
                    got=str(n),
                )
        return tuple(range(x.ndim - n, x.ndim)), tuple(range(int(batched), n + batched))
    pair = [(a,) if isinstance(a, int | np.integer) else tuple(a) for a in axes]
    if len(pair) != 2:
        raise ParameterError(
            f"axes cannot be {axes!r}.", port="axes", expected="a number, or a pair of lists"
        )
    return pair[0], pair[1]


def _called(name: str, batched: bool = False) -> Callable[..., Variable]:
    """What is called by a name, with the axes as NumPy and Theano have them or named one by one."""

    def call(x: Any, y: Any, axes: Any = 2, **named: Any) -> Variable:
        x, y = as_variable(x), as_variable(y)
        pair = () if named else _pairs_of_axes(axes, x, y, batched)
        return OPS[name].each(x, y, *pair, **named)[0]

    return call


def _tensordot(
    x: Variable, y: Variable, x_axes: Sequence[int] = (-2, -1), y_axes: Sequence[int] = (0, 1)
) -> Variable:
    return _contraction(x, y, x_axes, y_axes, batched=False)


tensordot = composed(
    "tensordot",
    symbol="⨀",
    category=CATEGORY,
    method=False,
    doc="The product of two tensors, summed over pairs of axes; what is left of x comes first.",
    params=(
        Param("x_axes", "ints", (-2, -1), "the axes of x that are summed over"),
        Param("y_axes", "ints", (0, 1), "the axes of y that they meet, in the same order"),
    ),
    examples=(
        Example(((2, 3, 4), (3, 4, 5))),
        Example(((2, 3, 4), (4, 5, 2)), {"x_axes": (2, 0), "y_axes": (0, 2)}),
        Example(((2, 3), (4,)), {"x_axes": (), "y_axes": ()}),
        Example(((2, 3), (3, 4)), {"x_axes": (1,), "y_axes": (0,)}),
    ),
    body=_tensordot,
    call=_called("tensordot"),
    dtypes=EVERY,
)


def _batched_tensordot(
    x: Variable, y: Variable, x_axes: Sequence[int] = (-2, -1), y_axes: Sequence[int] = (1, 2)
) -> Variable:
    return _contraction(x, y, x_axes, y_axes, batched=True)


batched_tensordot = composed(
    "batched_tensordot",
    symbol="⨀ₙ",
    category=CATEGORY,
    method=False,
    doc="The product of two tensors for each entry of a batch, which is their first axis, summed "
    "over pairs of axes.",
    params=(
        Param("x_axes", "ints", (-2, -1), "the axes of x that are summed over"),
        Param("y_axes", "ints", (1, 2), "the axes of y that they meet, in the same order"),
    ),
    examples=(
        Example(((2, 3, 4), (2, 3, 4, 5))),
        Example(((2, 3, 4), (2, 5, 3)), {"x_axes": (1,), "y_axes": (2,)}),
    ),
    body=_batched_tensordot,
    call=_called("batched_tensordot", batched=True),
    dtypes=EVERY,
)


def _batched_dot(x: Variable, y: Variable) -> Variable:
    match x.ndim, y.ndim:
        case (0 | 1, _) | (_, 0 | 1):
            return _contraction(x, y, (), (), batched=True)
        case 3, 3:
            return batched_matmul(x, y)
        case _:
            return _contraction(x, y, (x.ndim - 1,), (max(1, y.ndim - 2),), batched=True)


batched_dot = composed(
    "batched_dot",
    symbol="·ₙ",
    category=CATEGORY,
    method=False,
    doc="The product of x and y for each entry of a batch, which is the first axis of both.",
    examples=(
        Example(((2, 3, 4), (2, 4, 5))),
        Example(((2, 3), (2, 3))),
        Example(((2, 3), (2, 3, 4))),
        Example(((2,), (2, 3))),
        Example(((2, 3, 2, 4), (2, 4, 2))),
    ),
    body=_batched_dot,
    dtypes=EVERY,
)


def _inner(x: Variable, y: Variable) -> Variable:
    if not (x.ndim and y.ndim):
        return dot(x, y)
    return _contraction(x, y, (x.ndim - 1,), (y.ndim - 1,), batched=False)


inner = composed(
    "inner",
    symbol="⟨x,y⟩",
    category=CATEGORY,
    method=False,
    doc="The sum of products over the last axis of both.",
    examples=(Example(((3,), (3,))), Example(((2, 3), (4, 3))), Example(((), (2,)))),
    body=_inner,
    dtypes=EVERY,
)
