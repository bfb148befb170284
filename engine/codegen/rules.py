"""Ops that are neither elementwise nor a fold nor a view: what each of them comes down to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from engine.codegen import cumulative, diagonals, draws, indexing, pooling, rearranging
from engine.codegen.cpu.blas import COLUMN, INNER, ROW, is_readable
from engine.codegen.layout import (
    ONE,
    Access,
    Buffer,
    Extent,
    Index,
    View,
    loops_over,
    memory_order,
    restored,
    stretched,
)
from engine.codegen.primitives import IDENTITY, Fold, Map, Product
from engine.expression import Apply
from engine.ops.products import subscripts_of
from engine.types import FLOATS, INTEGERS, normalize_axes, normalize_axis

if TYPE_CHECKING:
    from engine.codegen.lower import Lowering

BLAS_WORK = 1024
"""Multiplications from which on a product is worth a call of BLAS."""
LOOP_WORK = 1 << 16
"""Multiplications up to which plain loops are faster than a call of NumPy and its BLAS."""
MULTIPLY_ADD = "accumulate({acc}, {x} * {y})"

Rule = Callable[["Lowering", Apply], None]


def _cast(low: Lowering, node: Apply) -> None:
    (x,) = node.inputs
    if x.dtype == node.out.dtype:
        low.views[node.out] = low.views[x]
        return
    text = "{x} != 0" if node.out.dtype == "bool" else IDENTITY
    if x.dtype in FLOATS and node.out.dtype in INTEGERS:
        text = f"saturated_{node.out.dtype}({{x}})"
    low.map(node, text, {"x": low.views[x]}, x.dtype, node.out.dtype, x.ndim)


def _dot(low: Lowering, node: Apply) -> None:
    if not all(1 <= v.ndim <= 2 for v in node.inputs):
        _contract(low, node)
        return
    x, y = (low.views[v] for v in node.inputs)
    inner, other = x.extents[-1], y.extents[0]
    if inner is ONE or other is ONE:
        inner = other if inner is ONE else inner
    else:
        inner.unify(other)
    rows, columns = x.extents[:-1], y.extents[1:]
    result = View.whole(Buffer.new(node.out.dtype, rows + columns), rows + columns)
    low.views[node.out] = result
    space = ((*rows, ONE)[0], inner, (*columns, ONE)[0])
    if _is_large(space, x.dtype, y.dtype, node.out.dtype):
        x, y = (_readable(low, node, v) for v in (x, y))
    row, column = ([ROW] if rows else []), ([COLUMN] if columns else [])
    left = x.along(_bound([*row, INNER], x))
    right = y.along(_bound([INNER, *column], y))
    target = result.along(_bound([*row, *column], result))
    if _is_large(space, x.dtype, y.dtype, node.out.dtype):
        low.tasks.append(Product(node, left, right, target, space))
        return
    numbers, lengths = loops_over(space)
    place = {k: n for k, n in enumerate(numbers) if n is not None}
    left, right, target = (_renumbered(a, place) for a in (left, right, target))
    dtype = node.out.dtype
    reduced = frozenset({place[INNER]} if INNER in place else ())
    order = memory_order(left, right, size=len(lengths))
    step, start = ("{acc} or {x} and {y}", "False") if dtype == "bool" else (MULTIPLY_ADD, "T(0)")
    operands = {"x": left, "y": right}
    low.tasks.append(
        Fold(node, lengths, step, operands, dtype, target, reduced, start, order=order)
    )


def _contract(low: Lowering, node: Apply) -> None:
    """The sum of products over some axes: a loop for each axis where there is little to do.

    NumPy, which brings BLAS, does the rest, and what is no product of two.
    """
    axes = subscripts_of(node)
    if axes is None or len(node.inputs) != 2:
        low.call(node)
        return
    x, y = (low.views[v] for v in node.inputs)
    (left, right), out = axes.operands, axes.out
    extents: dict[str, Extent] = {}
    for letter, extent in (*zip(left, x.extents, strict=True), *zip(right, y.extents, strict=True)):
        known = extents.setdefault(letter, extent)
        if known is ONE:
            extents[letter] = extent
        elif extent is not ONE:
            known.unify(extent)
    letters = out + "".join(c for c in extents if c not in out)
    numbers, space = loops_over([extents[c] for c in letters])
    loops = dict(zip(letters, numbers, strict=True))
    diagonal = len(set(left)) < len(left) or len(set(right)) < len(right)
    if diagonal or prod(e.length for e in space) > LOOP_WORK:
        low.call(node)
        return
    kept = [extents[c] for c in out]
    dtype = node.out.dtype
    result = View.whole(Buffer.new(dtype, kept), kept)
    low.views[node.out] = result
    # An axis that stretches has no loop of its own, although its letter may have one.
    operands = {
        name: view.along(
            [None if e is ONE else loops[c] for c, e in zip(term, view.extents, strict=True)]
        )
        for name, term, view in (("x", left, x), ("y", right, y))
    }
    target = result.along([loops[c] for c in out])
    reduced = frozenset(k for c in letters[len(out) :] if (k := loops[c]) is not None)
    if not reduced:
        text = "{x} and {y}" if dtype == "bool" else "{x} * {y}"
        low.tasks.append(Map(node, space, text, operands, dtype, target))
        return
    step, start = ("{acc} or {x} and {y}", "False") if dtype == "bool" else (MULTIPLY_ADD, "T(0)")
    order = memory_order(*operands.values(), size=len(space))
    low.tasks.append(Fold(node, space, step, operands, dtype, target, reduced, start, order=order))


def _is_large(space: Sequence[Extent], *dtypes: str) -> bool:
    """Whether BLAS is to compute a product: a real one, all of one dtype, and no small one."""
    rows, inner, columns = space
    work = rows.length * inner.length * columns.length
    alike = len(set(dtypes)) == 1 and dtypes[0] in FLOATS
    return alike and inner is not ONE and (rows, columns) != (ONE, ONE) and work >= BLAS_WORK


def _readable(low: Lowering, node: Apply, view: View) -> View:
    """An operand of a product as BLAS can read it, copied if need be."""
    loops = [k for k, e in enumerate(view.extents) if e is not ONE]
    access = view.along([k if e is not ONE else None for k, e in enumerate(view.extents)])
    return view if is_readable(access, loops) else low.dense(node, view)


def _bound(loops: Sequence[int], view: View) -> list[int | None]:
    return [None if e is ONE else k for k, e in zip(loops, view.extents, strict=True)]


def _renumbered(access: Access, place: Mapping[int, int]) -> Access:
    indices = tuple(
        i if i.axis is None else Index(i.start, i.step, place[i.axis]) for i in access.indices
    )
    return Access(access.buffer, indices)


def _stack(low: Lowering, node: Apply) -> None:
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    parts = [low.views[v] for v in node.inputs]
    extents = list(stretched(parts, node.out.ndim - 1))
    extents.insert(axis, Extent(len(parts), literal=True))
    result = View.whole(Buffer.new(node.out.dtype, extents), extents)
    low.views[node.out] = result
    for k, part in enumerate(parts):
        low.copy(node, part, result.picked(axis, k))


def _join(low: Lowering, node: Apply) -> None:
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    parts = [low.views[v] for v in node.inputs]
    shape = low.types[node.out].shape
    extents = []
    for k in range(node.out.ndim):
        own = [p.extents[k] for p in parts if p.extents[k] is not ONE]
        if k == axis:
            extents.append(Extent(shape[k] or 0))
        else:
            extents.append(own[0] if own else ONE)
            for e in own:
                extents[-1].unify(e)
    result = View.whole(Buffer.new(node.out.dtype, extents), extents)
    low.views[node.out] = result
    start = 0
    for part in parts:
        length = part.extents[axis]
        place = result.sliced(axis, start, 1, Extent(1) if length is ONE else length)
        low.copy(node, part, place)
        start += length.length


def _join_part(low: Lowering, node: Apply) -> None:
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    position = node.params["position"]
    joined, *parts = (low.views[v] for v in node.inputs)
    start = sum(p.extents[axis].length for p in parts[:position])
    low.views[node.out] = joined.sliced(axis, start, 1, parts[position].extents[axis])


def _reshape_like(low: Lowering, node: Apply) -> None:
    x, model = node.inputs
    low.views[node.out] = low.reshaped(node, low.views[x], model)


def _checked(rule: Rule) -> Rule:
    """For ops whose further inputs say how long an axis is: only where they are known for good.

    Then they were checked when the types were inferred; otherwise NumPy has to, in each run.
    """

    def checked(low: Lowering, node: Apply) -> None:
        if all(low.views[v].buffer.storage.value is not None for v in node.inputs[1:]):
            rule(low, node)
        else:
            low.call(node)

    return checked


def _alloc(low: Lowering, node: Apply) -> None:
    """The value itself, read again and again: memory is filled only where it must be."""
    value = low.views[node.inputs[0]]
    own = (*(ONE,) * (node.out.ndim - len(value.extents)), *value.extents)
    known = low.types[node.out]
    extents = [
        ONE if stretches else Extent(n or 0) if extent is ONE else extent
        for n, stretches, extent in zip(known.shape, node.out.broadcastable, own, strict=True)
    ]
    low.views[node.out] = low.stretch(value, extents)


def _reshape_to(low: Lowering, node: Apply) -> None:
    low.views[node.out] = low.reshaped(node, low.views[node.inputs[0]], node.out)


def _specify_shape(low: Lowering, node: Apply) -> None:
    low.views[node.out] = low.views[node.inputs[0]]


def _split_part(low: Lowering, node: Apply) -> None:
    x, sizes = (low.views[v] for v in node.inputs)
    lengths = sizes.buffer.storage.value
    assert lengths is not None
    axis = normalize_axis(node.params["axis"], node.out.ndim)
    position = node.params["position"]
    start = int(lengths[:position].sum())
    low.views[node.out] = x.sliced(axis, start, 1, Extent(int(lengths[position])))


def _assert_true(low: Lowering, node: Apply) -> None:
    """What is passed on is there anyway; the run ends if a condition does not hold."""
    x, *conditions = node.inputs
    low.views[node.out] = low.views[x]
    for v in conditions:
        low.check(node, "{x} == 0", {"x": low.views[v]}, v.dtype)


def _ifelse(low: Lowering, node: Apply) -> None:
    """A choice of values that are there anyway."""
    condition, then, other = node.inputs
    holds = View.whole(Buffer.new("bool", ()), ())
    view = low.views[condition]
    low.write(node, "{x} != 0", {"x": view}, view.dtype, holds)
    views = {"condition": holds, "then": low.views[then], "other": low.views[other]}
    dtype = node.out.dtype
    low.map(node, "{then} if {condition} != 0 else {other}", views, dtype, dtype, node.out.ndim)


def _place(sign: str, start: str) -> Rule:
    """Where the extreme is: an element takes the lead if it compares so, or is the first NaN."""

    def rule(low: Lowering, node: Apply) -> None:
        (x,) = node.inputs
        axes = normalize_axes(node.params["axis"], x.ndim)
        leads = f"{{x}} {sign} {{acc}} or ({{x}} != {{x}} and {{acc}} == {{acc}})"
        result = low.fold(node, axes, leads, start, x.dtype, where=True)
        low.views[node.out] = restored(result, axes, x.ndim, node.params["keepdims"])

    return rule


RULES: dict[str, Rule] = {
    **pooling.RULES,
    "alloc": _checked(_alloc),
    "alloc_diag": diagonals.laid_out,
    "average_pool_grad": _checked(pooling.from_averages),
    "argmax": _place(">", "LOWEST"),
    "argmin": _place("<", "HIGHEST"),
    "assert_true": _assert_true,
    "assign_at": indexing.changed("{value}"),
    "batched_matmul": _contract,
    "cast": _cast,
    "choose": indexing.chosen,
    "cumprod": cumulative.running("T(1)", "{before} * {x}"),
    "cumsum": cumulative.running("T(0)", "{before} + {x}"),
    "diagonal_like": diagonals.laid_out,
    "dot": _dot,
    "einsum": _contract,
    "extract_diag": diagonals.extracted,
    "full": _alloc,
    "ifelse": _ifelse,
    "increase_at": indexing.changed("{x} + {value}"),
    "integers_of_bits": draws.integers,
    "join": _join,
    "join_part": _join_part,
    "merge_axes": rearranging.merged,
    "normal_of_bits": draws.normal(),
    "random_bits": draws.words,
    "reshape_like": _reshape_like,
    "reshape_to": _checked(_reshape_to),
    "roll": rearranging.rolled,
    "shift": rearranging.shifted,
    "specify_shape": _checked(_specify_shape),
    "split_part": _checked(_split_part),
    "stack": _stack,
    "subtensor": indexing.taken,
    "to_one_hot": indexing.one_hot,
    "triangle": diagonals.triangle,
    "truncated_normal_of_bits": draws.normal(2.0),
}
