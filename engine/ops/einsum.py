"""Einstein's sums: any product of tensors, with a letter for each axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError
from engine.expression import OPS, Variable
from engine.makers import unbroadcast, zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.matrices import identity
from engine.types import DISCRETE, EVERY, TensorType, shape_text, upcast

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Subscripts:
    """A letter for each axis of each operand, and for each axis of the result.

    An ellipsis is written out, with letters that are used nowhere else.
    """

    operands: tuple[str, ...]
    out: str

    def __str__(self) -> str:
        return f"{','.join(self.operands)}->{self.out}"


@lru_cache(maxsize=256)
def parse(text: str, ranks: tuple[int, ...]) -> Subscripts:
    """The subscripts in a text such as `ij,jk->ik`, for operands of these ranks.

    Without `->` the result has the axes whose letter occurs once, in alphabetical order, after
    those of an ellipsis.  Raises ParameterError where the text is no such thing or does not fit
    the operands.
    """
    left, arrow, right = "".join(text.split()).partition("->")
    terms = left.split(",")
    for term in (*terms, right):
        plain = term.replace("...", "", 1)
        if not all(c in LETTERS for c in plain):
            raise _malformed(text, f"{term!r} is more than letters and one ellipsis")
    if len(terms) != len(ranks):
        raise ParameterError(
            f"The subscripts {text!r} are for {len(terms)} tensors, but {len(ranks)} were given.",
            port="subscripts",
            expected=f"{len(terms)} tensors",
            got=str(len(ranks)),
        )
    free = [c for c in LETTERS if c not in text]
    widths = [
        _hidden_axes(text, term, rank, i)
        for i, (term, rank) in enumerate(zip(terms, ranks, strict=True))
    ]
    stretch = "".join(free[: max(widths, default=0)])
    operands = tuple(
        term.replace("...", stretch[len(stretch) - width :])
        for term, width in zip(terms, widths, strict=True)
    )
    if not arrow:
        letters = left.replace("...", "").replace(",", "")
        right = "..." + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    elif stretch and "..." not in right:
        raise _malformed(text, "the ellipsis is missing on the right")
    out = right.replace("...", stretch)
    for letter in out:
        if out.count(letter) > 1 or not any(letter in term for term in operands):
            why = "twice on the right" if out.count(letter) > 1 else "only on the right"
            raise _malformed(text, f"{letter} stands {why}")
    return Subscripts(operands, out)


def _hidden_axes(text: str, term: str, rank: int, number: int) -> int:
    """How many axes of an operand its ellipsis stands for."""
    letters = len(term.replace("...", ""))
    if rank < letters or (rank > letters and "..." not in term):
        raise ParameterError(
            f"The subscripts {text!r} give tensor {number} the axes {term!r}, but it has {rank} "
            f"dimension{'s' * (rank != 1)}.",
            port="subscripts",
            expected=f"{letters} dimension{'s' * (letters != 1)}",
            got=str(rank),
            hint="An ellipsis (...) stands for any number of axes.",
        )
    return rank - letters


def _malformed(text: str, why: str) -> ParameterError:
    return ParameterError(
        f"The subscripts {text!r} are malformed: {why}.",
        port="subscripts",
        expected="a letter for each axis, such as ij,jk->ik",
        got=text,
    )


def _einsum_type(*operands: TensorType, subscripts: str) -> TensorType:
    axes = parse(subscripts, tuple(t.ndim for t in operands))
    lengths: dict[str, int | None] = {}
    pattern: dict[str, bool] = {}
    for term, t in zip(axes.operands, operands, strict=True):
        for letter, n, stretches in zip(term, t.shape, t.broadcastable, strict=True):
            pattern[letter] = pattern.get(letter, True) and stretches
            if stretches:
                lengths.setdefault(letter, None)
                continue
            known = lengths.get(letter)
            if n is not None and known is not None and n != known:
                shapes = " and ".join(shape_text(t.shape) for t in operands)
                raise ShapeError(
                    f"Shapes {shapes} do not fit {subscripts!r}: {letter} is {known} and {n}.",
                    expected=f"equal lengths on every axis called {letter}",
                    got=f"{known} and {n}",
                )
            lengths[letter] = n if known is None else known
    return TensorType(
        upcast(*(t.dtype for t in operands)),
        [1 if pattern[c] else lengths[c] for c in axes.out],
        [pattern[c] for c in axes.out],
    )


def _einsum_value(*operands: Any, subscripts: str) -> Any:
    axes = parse(subscripts, tuple(v.ndim for v in operands))
    dtype = upcast(*(v.dtype.name for v in operands))
    cast = [v.astype(dtype, copy=False) for v in operands]
    return np.asarray(np.einsum(str(axes), *cast, optimize=len(cast) > 1))


def _einsum_grad(
    g: Variable, y: Variable, *operands: Variable, subscripts: str
) -> list[Variable | None]:
    if y.dtype in DISCRETE:
        return [zero_gradient(v) for v in operands]
    axes = parse(subscripts, tuple(v.ndim for v in operands))
    return [_gradient_of(i, g, operands, axes) for i in range(len(operands))]


def _gradient_of(i: int, g: Variable, operands: Sequence[Variable], axes: Subscripts) -> Variable:
    """The sum over all that the operand was multiplied with, the axes of the operand kept.

    What the operand was summed over alone is stretched out again; of an axis that occurs twice
    in it only the diagonal gets anything.
    """
    x, term = operands[i], axes.operands[i]
    factors = [g, *(v for k, v in enumerate(operands) if k != i)]
    letters = [axes.out, *(t for k, t in enumerate(axes.operands) if k != i)]
    fresh = (c for c in LETTERS if c not in str(axes))
    own = ""
    for axis, letter in enumerate(term):
        if letter in own:
            letter = next(fresh)
            along = x.dimshuffle(*(k for k in range(x.ndim) if k != axis), axis)
            factors.append(identity(along, along, g.dtype))
            letters.append(term[axis] + letter)
        own += letter
    met = "".join(letters)
    kept = "".join(c for c in own if c in met)
    found = einsum(factors, f"{','.join(letters)}->{kept}")
    if kept != own:
        places = iter(range(found.ndim))
        found = found.dimshuffle(*(next(places) if c in met else "x" for c in own))
    found = unbroadcast(found, x)
    return found if found.broadcastable == x.broadcastable else OPS["fill"](x, found)


def _called(subscripts: Any, *operands: Any) -> Variable:
    """The subscripts and the tensors one by one; or the tensors as a list, and the subscripts."""
    if isinstance(subscripts, str):
        return einsum.each(operands, subscripts)[0]
    if not all(isinstance(text, str) for text in operands):
        raise ParameterError(
            "The subscripts come first, as text.",
            port="subscripts",
            expected="text such as 'ij,jk->ik'",
            got=type(subscripts).__name__,
        )
    return einsum.each(subscripts, *operands)[0]


einsum: Op = Op(
    name="einsum",
    symbol="Σᵢⱼ",
    category="Products",
    method=False,
    doc="The product of tensors with a letter for each axis, summed over the letters that are "
    "missing on the right: ij,jk->ik is the product of two matrices.",
    ports=(Port("operands", "the tensors, in the order of the subscripts", variadic=True),),
    params=(
        Param("subscripts", "string", "ij,jk->ik", "the letters of each tensor, and of the result"),
    ),
    examples=(
        Example(((2, 3), (3, 4))),
        Example(((2, 3, 4), (2, 4, 5)), {"subscripts": "bij,bjk"}),
        Example(((3, 3, 2),), {"subscripts": "iij->j"}),
        Example(((3, 3), (3,)), {"subscripts": "ii,i->i"}),
        Example(((2, 3), (4, 3), (4,)), {"subscripts": "ij,kj,k"}),
        Example(((2, 1, 3), (4, 3)), {"subscripts": "...i,...i"}),
    ),
    infer=_einsum_type,
    numpy=_einsum_value,
    call=_called,
    grad=_einsum_grad,
    dtypes=EVERY,
)
