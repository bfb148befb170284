"""Ops that are neither elementwise nor a fold nor a view: what each of them comes down to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.codegen.layout import (
    ONE,
    Buffer,
    Extent,
    View,
    restored,
    stretched,
)
from engine.codegen.lowering import (
    convolution,
    cumulative,
    diagonals,
    draws,
    indexing,
    pooling,
    products,
    rearranging,
)
from engine.codegen.lowering.repeat import repeated
from engine.codegen.primitives import IDENTITY
from engine.expression import Apply
from engine.types import FLOATS, INTEGERS, normalize_axes, normalize_axis

if TYPE_CHECKING:
    from engine.codegen.lowering.lower import Lowering


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
    **convolution.RULES,
    **pooling.RULES,
    "alloc": _checked(_alloc),
    "alloc_diag": diagonals.laid_out,
    "average_pool_grad": _checked(pooling.from_averages),
    "argmax": _place(">", "LOWEST"),
    "argmin": _place("<", "HIGHEST"),
    "assert_true": _assert_true,
    "assign_at": indexing.changed("{value}"),
    "batched_matmul": products.contract,
    "cast": _cast,
    "choose": indexing.chosen,
    "cumprod": cumulative.running("T(1)", "{before} * {x}"),
    "cumsum": cumulative.running("T(0)", "{before} + {x}"),
    "diagonal_like": diagonals.laid_out,
    "dot": products.contract,
    "einsum": products.contract,
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
    "scan": repeated,
    "shift": rearranging.shifted,
    "specify_shape": _checked(_specify_shape),
    "split_part": _checked(_split_part),
    "stack": _stack,
    "subtensor": indexing.taken,
    "to_one_hot": indexing.one_hot,
    "triangle": diagonals.triangle,
    "truncated_normal_of_bits": draws.normal(2.0),
}
