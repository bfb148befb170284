"""Matrices put together along a diagonal, and taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from engine.errors import ShapeError
from engine.expression import Variable
from engine.makers import zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.matrices import CATEGORY
from engine.types import EVERY, TensorType, shape_text, upcast


def _blocks_type(*matrices: TensorType) -> TensorType:
    if not matrices:
        raise ShapeError("There are no blocks.", expected="one matrix or more", got="none")
    for t in matrices:
        if t.ndim != 2:
            raise ShapeError(
                f"A block must be a matrix, but one has {t.ndim} dimension{'s' * (t.ndim != 1)}.",
                port="matrices",
                expected="matrices",
                got=" and ".join(shape_text(t.shape) for t in matrices),
            )
    lengths = [
        None if None in own else sum(n for n in own if n is not None)
        for own in zip(*(t.shape for t in matrices), strict=True)
    ]
    dtype = upcast(*(t.dtype for t in matrices))
    return TensorType(dtype, lengths, [len(matrices) == 1 and b for b in matrices[0].broadcastable])


def _corners(matrices: Sequence[Any]) -> list[tuple[slice, slice]]:
    """Where each block lies."""
    ends = np.cumsum([(0, 0), *(m.shape for m in matrices)], axis=0)
    return [(slice(top, down), slice(left, right)) for (top, left), (down, right) in pairwise(ends)]


def _blocks_value(*matrices: Any) -> Any:
    shape = np.sum([m.shape for m in matrices], axis=0)
    out = np.zeros(shape, upcast(*(m.dtype.name for m in matrices)))
    for at, m in zip(_corners(matrices), matrices, strict=True):
        out[at] = m
    return out


def _blocks_grad(g: Variable, y: Variable, *matrices: Variable) -> list[Variable | None]:
    return [block_part(g, list(matrices), position=i) for i in range(len(matrices))]


def _each_placed(*matrices: Any, **named: Any) -> Variable:
    """The matrices one by one, or as a list."""
    listed = len(matrices) == 1 and isinstance(matrices[0], list | tuple)
    given = matrices if listed or named else (matrices,)
    return block_diag.each(*given, **named)[0]


block_diag: Op = Op(
    name="block_diag",
    symbol="▚",
    category=CATEGORY,
    method=False,
    doc="The matrices one after the other along the diagonal, with zeros everywhere else.",
    ports=(Port("matrices", variadic=True),),
    examples=(Example(((2, 3), (1, 2))), Example(((2, 2),))),
    infer=_blocks_type,
    numpy=_blocks_value,
    call=_each_placed,
    conjugates=False,
    grad=_blocks_grad,
    dtypes=EVERY,
)


def _block_grad(
    g: Variable, y: Variable, x: Variable, *matrices: Variable, position: int
) -> list[Variable | None]:
    blocks = [g if i == position else zero_gradient(m) for i, m in enumerate(matrices)]
    return [block_diag(blocks), *(None for _ in matrices)]


block_part: Op = Op(
    name="block_part",
    symbol="▘",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="The part of a block diagonal matrix in which one of its blocks lies.",
    ports=(Port("x"), Port("matrices", variadic=True)),
    params=(Param("position", "int", 0, "which of the blocks"),),
    examples=(
        Example(
            draw=lambda rng: [rng.uniform(size=shape) for shape in ((3, 5), (2, 3), (1, 2))],
            params={"position": 1},
        ),
    ),
    infer=lambda x, *matrices, position: matrices[position].with_dtype(x.dtype),
    numpy=lambda x, *matrices, position: x[_corners(matrices)[position]],
    conjugates=False,
    grad=_block_grad,
    dtypes=EVERY,
)
