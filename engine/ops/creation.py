"""Tensors made of a shape and a value."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import ShapeError
from engine.expression import OPS, Constant, Variable, as_variable
from engine.makers import composed, unbroadcast
from engine.op import Example, Op, Param, Port
from engine.ops.shape import check_lengths, check_sizes, known_lengths, lengths_of
from engine.types import COMPLEX, EVERY, TensorType, is_literal, lone_dtype, shape_text

CATEGORY = "Creation"


# The same value everywhere


def _misfit(value: Sequence[int | None], shape: Sequence[int | None]) -> ShapeError:
    return ShapeError(
        f"A value of shape {shape_text(value)} does not fill the shape {shape_text(shape)}.",
        port="value",
        expected=f"a shape that stretches to {shape_text(shape)}",
        got=shape_text(value),
        hint="Only axes that are missing or declared broadcastable stretch.",
    )


def _stretched(value: TensorType, shape: Sequence[int | None]) -> TensorType:
    """The type of a value in another shape; raises ShapeError where it does not fill that."""
    check_sizes(shape)
    if value.ndim > len(shape):
        raise _misfit(value.shape, shape)
    found = list(shape)
    for axis in range(-value.ndim, 0):
        own, wanted = value.shape[axis], shape[axis]
        if value.broadcastable[axis]:
            continue
        if None not in (own, wanted) and own != wanted:
            raise _misfit(value.shape, shape)
        found[axis] = own if wanted is None else wanted
    return TensorType(value.dtype, found, [n == 1 for n in shape])


def _alloc_type(value: TensorType, *lengths: TensorType, known: Sequence[Any]) -> TensorType:
    check_lengths(lengths)
    return _stretched(value, known_lengths(known[1:]))


def _alloc_value(value: Any, *lengths: Any) -> Any:
    shape = [int(n) for n in lengths]
    check_sizes(shape)
    try:
        return np.array(np.broadcast_to(value, shape))
    except ValueError:
        raise _misfit(np.shape(value), shape) from None


full = Op(
    name="full",
    symbol="▦",
    category=CATEGORY,
    method=False,
    doc="A tensor of the given shape with the value everywhere.",
    examples=(Example(((),), {"shape": (2, 3)}), Example(((),), {"shape": ()})),
    ports=(Port("value"),),
    params=(Param("shape", "ints", (1,), "the shape"),),
    infer=_stretched,
    numpy=lambda value, shape: _alloc_value(value, *shape),
    grad=lambda g, y, value, shape: [unbroadcast(g, value)],
    dtypes=EVERY,
    conjugates=False,
)


def _allocated(value: Any, *shape: Any, lengths: Sequence[Any] = ()) -> Variable:
    """The lengths one by one, or the shape as one argument."""
    given = lengths_of(shape[0] if len(shape) == 1 else shape or lengths)
    filling = Constant(value, lone_dtype(value)) if is_literal(value) else value
    return alloc.each(filling, given)[0]


alloc: Op = Op(
    name="alloc",
    symbol="▦",
    category=CATEGORY,
    method=False,
    doc="The value stretched to a shape that is computed.",
    examples=(
        Example(draw=lambda rng: [np.asarray(rng.uniform(-3, 3)), 2, 3]),
        Example(draw=lambda rng: [rng.uniform(-3, 3, (1, 3)), 4, 2, 3]),
    ),
    ports=(Port("value"), Port("lengths", "the length of each axis", variadic=True)),
    infer=_alloc_type,
    numpy=_alloc_value,
    reads_values=True,
    call=_allocated,
    grad=lambda g, y, value, *lengths: [unbroadcast(g, value), *(None for _ in lengths)],
    dtypes=EVERY,
    conjugates=False,
)

broadcast_to = composed(
    "broadcast_to",
    symbol="⟷n",
    category="Shape",
    doc="The tensor stretched to a shape that is computed; only axes that stretch may change.",
    ports=(Port("x"), *alloc.ports[1:]),
    reads_values=True,
    body=lambda x, lengths: alloc(x, *lengths),
    call=_allocated,
    dtypes=EVERY,
    examples=alloc.examples,
)


# The shape of another tensor

DTYPE = Param("dtype", "dtype", None, "the dtype; none means that of the model")


def _full_like(x: Variable, value: Any, dtype: str | None = None) -> Variable:
    filling = as_variable(value)
    wanted = dtype or x.dtype
    model = OPS["real"](x) if x.dtype in COMPLEX and wanted not in COMPLEX else x
    return OPS["fill"](model, filling if filling.dtype == wanted else OPS["cast"](filling, wanted))


def _like(name: str, value: int, symbol: str, doc: str) -> Op:
    def call(x: Any, dtype: Any = None, opt: bool = False) -> Variable:
        """Theano's `opt` asks for a constant where that is the same; rewriting finds it."""
        return OPS[name].each(x, dtype=dtype)[0]

    return composed(
        name,
        symbol=symbol,
        category=CATEGORY,
        doc=doc,
        params=(DTYPE,),
        body=lambda x, dtype: _full_like(x, Constant(value, dtype or x.dtype), dtype),
        call=call,
        dtypes=EVERY,
        examples=(Example(((2, 3),)), Example(((2, 3),), {"dtype": "int32"})),
    )


zeros_like = _like("zeros_like", 0, "0", "Zeros in the shape of the model, and in its dtype.")
ones_like = _like("ones_like", 1, "1", "Ones in the shape of the model, and in its dtype.")

full_like = composed(
    "full_like",
    symbol="▦",
    category=CATEGORY,
    doc="A value everywhere, in the shape of the model and in its dtype.",
    params=(DTYPE,),
    body=_full_like,
    dtypes=EVERY,
    examples=(Example(((2, 3), ())), Example(((2, 3), ()), {"dtype": "complex128"})),
)
