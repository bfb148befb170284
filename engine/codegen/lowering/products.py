"""Products of tensors, summed over some axes: by BLAS, or as loops where there is little to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from math import prod
from typing import TYPE_CHECKING

from engine.codegen.layout import ONE, Access, Buffer, Extent, View, loops_over, memory_order
from engine.codegen.primitives import IDENTITY, SUM, Batch, Fold, Map, Matrix, Product, Task
from engine.expression import Apply
from engine.ops.products import subscripts_of
from engine.types import FLOATS

if TYPE_CHECKING:
    from engine.codegen.layout import Storage
    from engine.codegen.lowering.lower import Lowering

BLAS_WORK = 512
"""Multiplications from which on a product is worth a call of BLAS, which takes some 0.1 us."""
SHARED_WORK = 1 << 24
"""Multiplications from which on a single product is shared out well among threads."""
FEW = 4
"""Entries of a batch of such products from which on it is better to share out the batch."""
PARTED_WORK = 1 << 20
"""Multiplications from which on a batch is worth being shared out among threads."""
PARTS = 16
"""The most parts that a batch has."""
MULTIPLY_ADD = "accumulate({acc}, {x} * {y})"


@dataclass(frozen=True, eq=False)
class Term:
    """A tensor with a letter for each of its axes."""

    letters: str
    view: View

    def stride(self, letter: str) -> int:
        """How many elements lie between neighbours on an axis; 0 where it has none."""
        at = self.letters.find(letter)
        return 0 if at < 0 else self.view.strides[at]

    def strides(self, letters: str, extents: Mapping[str, Extent]) -> int | None:
        """The stride of some axes taken as one; None where they do not lie so."""
        for outer, inner in pairwise(letters):
            if self.stride(outer) != self.stride(inner) * extents[inner].length:
                return None
        return self.stride(letters[-1]) if letters else 0


def contract(low: Lowering, node: Apply) -> None:
    """The sum of products over the axes that the result lacks; of more than two, two by two."""
    axes = subscripts_of(node)
    assert axes is not None
    views = (low.views[v] for v in node.inputs)
    terms = [Term(letters, view) for letters, view in zip(axes.operands, views, strict=True)]
    while len(terms) > 2:
        pair = min(combinations(terms, 2), key=lambda pair: _work(_extents(pair)))
        terms = [t for t in terms if t not in pair]
        wanted = axes.out + "".join(t.letters for t in terms)
        out = "".join(dict.fromkeys(c for t in pair for c in t.letters if c in wanted))
        terms.append(Term(out, _multiplied(low, node, pair, out)))
    low.views[node.out] = _multiplied(low, node, terms, axes.out)


def _multiplied(low: Lowering, node: Apply, terms: Sequence[Term], out: str) -> View:
    """The product of one or two terms, summed over the letters that are not in `out`."""
    extents = _extents(terms)
    dtype = node.out.dtype
    if len(terms) == 2 and dtype in FLOATS:
        if any(_alone(terms, k, out) for k in (0, 1)):
            terms = [_summed(low, node, terms, k, out, extents) for k in (0, 1)]
        groups = _groups(terms, out, extents)
        if groups is not None and prod(_length(g, extents) for g in groups[1:]) >= BLAS_WORK:
            return _by_blas(low, node, terms, groups, out, extents)
    shape = [extents[c] for c in out]
    result = View.whole(Buffer.new(dtype, shape), shape)
    _by_loops(low, node, terms, Term(out, result), extents)
    return result


def _work(extents: Mapping[str, Extent]) -> int:
    return prod(extent.length for extent in extents.values())


def _extents(terms: Sequence[Term]) -> dict[str, Extent]:
    """The length of each letter; those that must be equal become one."""
    extents: dict[str, Extent] = {}
    for term in terms:
        for letter, extent in zip(term.letters, term.view.extents, strict=True):
            known = extents.setdefault(letter, extent)
            if known is ONE:
                extents[letter] = extent
            elif extent is not ONE:
                known.unify(extent)
    return extents


def _length(letters: str, extents: Mapping[str, Extent]) -> int:
    return prod(extents[c].length for c in letters)


# Loops.


def _by_loops(
    low: Lowering,
    node: Apply,
    terms: Sequence[Term],
    target: Term,
    extents: Mapping[str, Extent],
) -> None:
    letters = target.letters + "".join(c for c in extents if c not in target.letters)
    numbers, space = loops_over([extents[c] for c in letters])
    loops = dict(zip(letters, numbers, strict=True))
    operands = {name: _along(term, loops) for name, term in zip("xy", terms, strict=False)}
    place = _along(target, loops)
    inner = letters[len(target.letters) :]
    reduced = frozenset(k for c in inner if (k := loops[c]) is not None)
    dtype = target.view.dtype
    factors = [f"{{{name}}}" for name in operands]
    if not reduced:
        text = (" and " if dtype == "bool" else " * ").join(factors)
        low.tasks.append(Map(node, space, text, operands, dtype, place))
        return
    step = MULTIPLY_ADD if len(terms) == 2 else SUM
    start = "T(0)"
    if dtype == "bool":
        step, start = f"{{acc}} or {' and '.join(factors)}", "False"
    order = memory_order(*operands.values(), size=len(space))
    low.tasks.append(Fold(node, space, step, operands, dtype, place, reduced, start, order=order))


def _along(term: Term, loops: Mapping[str, int | None]) -> Access:
    # An axis that stretches has no loop of its own, although its letter may have one.
    pairs = zip(term.letters, term.view.extents, strict=True)
    return term.view.along([None if e is ONE else loops[c] for c, e in pairs])


def _alone(terms: Sequence[Term], k: int, out: str) -> str:
    """The letters of a term that neither the other one nor the result has."""
    return "".join(c for c in terms[k].letters if c not in terms[1 - k].letters + out)


def _summed(
    low: Lowering,
    node: Apply,
    terms: Sequence[Term],
    k: int,
    out: str,
    extents: Mapping[str, Extent],
) -> Term:
    """A term without the axes that only it has, which are summed first."""
    term, alone = terms[k], _alone(terms, k, out)
    if not alone:
        return term
    letters = "".join(dict.fromkeys(c for c in term.letters if c not in alone))
    own = dict(zip(term.letters, term.view.extents, strict=True))
    shape = [own[c] for c in letters]
    total = Term(letters, View.whole(Buffer.new(node.out.dtype, shape), shape))
    _by_loops(low, node, [term], total, own)
    return total


# BLAS.

Groups = tuple[str, str, str, str]
"""The letters of a batch, of rows, of what is summed, and of columns."""


def _groups(terms: Sequence[Term], out: str, extents: Mapping[str, Extent]) -> Groups | None:
    """The letters as those of products of matrices; None where it is no such thing."""
    left, right = (term.letters for term in terms)
    if len(set(left)) < len(left) or len(set(right)) < len(right):
        return None
    long = [c for c in extents if extents[c] is not ONE]
    both = [c for c in long if c in left and c in right]
    batch = "".join(c for c in out if c in both)
    inner = "".join(c for c in left if c in both and c not in out)
    rows = "".join(c for c in out if c in long and c not in right)
    columns = "".join(c for c in out if c in long and c not in left)
    return (batch, rows, inner, columns) if inner and rows + columns else None


def _by_blas(
    low: Lowering,
    node: Apply,
    terms: Sequence[Term],
    groups: Groups,
    out: str,
    extents: Mapping[str, Extent],
) -> View:
    """Products of matrices, one for each entry of the batch."""
    batch, rows, inner, columns = groups
    x, y = terms
    free = [c for c in out if c in rows + columns]
    if free and free[0] in columns and rows:  # as the result is to lie
        x, y, rows, columns = y, x, columns, rows
    right = "".join(c for c in y.letters if c in inner)
    if y.strides(right, extents) is not None and x.strides(right, extents) is not None:
        inner = right
    for term in (x, y):
        apart, rest = _apart(term, rows if term is x else columns, extents)
        kept = _length(rest + inner + (columns if term is x else rows), extents)
        if apart and kept < BLAS_WORK:
            continue
        batch += apart
        rows, columns = (rest, columns) if term is x else (rows, rest)
    x = _readable(low, node, x, batch, (rows, inner), extents)
    y = _readable(low, node, y, batch, (inner, columns), extents)
    same = x.view.buffer.storage is y.view.buffer.storage
    if same and any(x.stride(c) != y.stride(c) for c in batch):
        y = _copied(low, node, y, batch + inner + columns, extents)
    order = batch + rows + columns
    shape = [extents[c] for c in order]
    whole = View.whole(Buffer.new(node.out.dtype, shape), shape)
    target = Term(order, whole)
    space = (_length(rows, extents), _length(inner, extents), _length(columns, extents))
    matrices = (
        _matrix(x, rows, inner, extents),
        _matrix(y, inner, columns, extents),
        _matrix(target, rows, columns, extents),
    )
    moving = [
        (extents[c].length, {t.view.buffer.storage: t.stride(c) for t in (x, y, target)})
        for c in batch
    ]
    count = moving[0][0] if moving else 1
    parts = parts_of(count, prod(space) * prod(n for n, _ in moving[1:]))
    low.tasks += batched(node, [Product(node, *matrices, space)], moving, parts)
    return whole.permuted([order.index(c) if c in order else None for c in out])


def _apart(term: Term, letters: str, extents: Mapping[str, Extent]) -> tuple[str, str]:
    """Letters as those of a batch and those whose axes lie as one, in an order in which they do."""
    own = "".join(c for c in term.letters if c in letters)
    for order in (letters, own):
        if term.strides(order, extents) is not None:
            return "", order
    start = next(
        k for k in range(1, len(letters)) if term.strides(letters[k:], extents) is not None
    )
    return letters[:start], letters[start:]


def batched(
    node: Apply,
    tasks: Sequence[Task],
    axes: Sequence[tuple[int, Mapping[Storage, int]]],
    parts: int = 1,
    apart: Mapping[Storage, int] | None = None,
) -> Sequence[Task]:
    """Tasks for each entry of a batch with some axes.

    axes: from the outermost to the innermost the length, and how far storages move.
    parts, apart: see `Batch`; of the outermost axis.
    """
    for count, moving in reversed(axes):
        inner = tasks[0]
        if isinstance(inner, Batch) and _continues(moving, inner):
            tasks = [replace(inner, count=count * inner.count)]
        else:
            tasks = [Batch(node, tuple(tasks), count, moving)]
    return [
        replace(t, parts=min(parts, t.count), apart=apart or {})
        if isinstance(t, Batch) and parts > 1
        else t
        for t in tasks
    ]


def parts_of(count: int, work: int) -> int:
    """In how many parts a batch is done, by its length and the multiplications of an entry.

    It does not depend on the number of threads, so that sums don't either.
    """
    worth = count * work >= PARTED_WORK and (count >= FEW or work < SHARED_WORK)
    return max(1, min(PARTS, count)) if worth else 1


def _continues(moving: Mapping[Storage, int], inner: Batch) -> bool:
    """Whether an outer axis goes on where the inner one ends."""
    storages = {*moving, *inner.moving}
    return all(moving.get(s, 0) == inner.moving.get(s, 0) * inner.count for s in storages)


def _readable(
    low: Lowering,
    node: Apply,
    term: Term,
    batch: str,
    pair: tuple[str, str],
    extents: Mapping[str, Extent],
) -> Term:
    """An operand as BLAS can read it, copied if need be."""
    strides = [term.strides(letters, extents) for letters in pair if letters]
    own = dict(zip(term.letters, term.view.extents, strict=True))
    stretched = any(own[c] is ONE for letters in pair for c in letters)
    lies = all(s is not None and s > 0 for s in strides) and (len(strides) == 1 or 1 in strides)
    if lies and not stretched and term.view.dtype == node.out.dtype:
        return term
    kept = [c for c in batch if term.stride(c)]
    return _copied(low, node, term, "".join((*kept, *pair)), extents)


def _copied(
    low: Lowering, node: Apply, term: Term, letters: str, extents: Mapping[str, Extent]
) -> Term:
    """The elements of a term in memory of their own, its axes in the order of letters."""
    axes = [term.letters.index(c) if c in term.letters else None for c in letters]
    shape = [extents[c] for c in letters]
    fresh = View.whole(Buffer.new(node.out.dtype, shape), shape)
    low.write(node, IDENTITY, {"x": term.view.permuted(axes)}, node.out.dtype, fresh)
    return Term(letters, fresh)


def _matrix(term: Term, rows: str, columns: str, extents: Mapping[str, Extent]) -> Matrix:
    down, across = term.strides(rows, extents), term.strides(columns, extents)
    assert down is not None
    assert across is not None
    # The stride of an axis that is not there does not matter, but must be one that BLAS takes.
    row = down if rows else (_length(columns, extents) if across == 1 else 1)
    column = across if columns else 1 if down != 1 else _length(rows, extents)
    return Matrix(term.view.buffer.storage, term.view.offset, row, column)
