"""Work that a loop does step by step, done for all of its steps at once.

These laws come last: what others find in the body of a loop, it must still hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from engine.expression import (
    OPS,
    Apply,
    Block,
    Constant,
    Variable,
    certain,
    leaves,
    substitute,
    walk,
)
from engine.ops.exponential import exp
from engine.ops.joining import stack
from engine.ops.loop import Loop
from engine.rewrite.examples import loop, row_of
from engine.rewrite.phases import specialize
from engine.rewrite.rows import (
    extent,
    is_long_enough,
    on_all_rows,
    stacked,
    sum_of_rows,
    summed_product,
    walked_rows,
)
from engine.rewrite.rule import Replacement
from engine.rewrite.view import View

# Before the loop


@specialize.computed(["scan"], example=lambda x: _recurrent(x))
def compute_all_steps_before(node: Apply, view: View) -> Replacement:
    """What a step makes of its row alone is made of all rows at once, before the loop."""
    loop = Loop(**node.params)
    if loop.until or not loop.sequences:
        return None
    walked, first, constants = loop.split(node.inputs[1:])
    fixed = dict(zip(loop.constants, constants, strict=True))
    rows = dict(zip(loop.elements, walked, strict=True))
    if not all(_is_row_of(v, x) for v, x in rows.items()):
        return None
    loop = _gathered(loop)
    needed = certain(loop.block.outputs)
    order = loop.block.applies()
    made: dict[Variable, Apply] = {}
    for inner in order:
        given = [v for v in inner.inputs if v in rows or v in made]
        if inner in needed and _is_all_given(inner, {*given, *fixed}) and given:
            widest = max(map(extent, given))
            if extent(inner.outputs[0]) <= widest and _can_be_stacked(inner, fixed):
                made[inner.out] = inner
    read = {v for n in order if n.outputs[0] not in made for v in n.inputs}
    moved = [v for v in made if v in read or v in loop.block.outputs]
    if not moved:
        return None
    cut = {v: walked_rows(x, node.inputs[0], reverse=False) for v, x in rows.items()}
    outside = _of_all_rows(list(made.values()), cut, fixed)
    if outside is None:
        return None
    inside = {v: Variable(v.type, name=v.name) for v in moved}
    body = Block(
        (*loop.elements, *inside.values(), *loop.block.inputs[loop.sequences :]),
        tuple(substitute(loop.block.outputs, inside)),
    )
    inputs = [*walked, *(outside[v] for v in moved), *first, *constants]
    larger = replace(loop, block=body, sequences=loop.sequences + len(moved))
    return larger.run(node.inputs[0], inputs)


def _recurrent(x: Variable) -> Variable:
    row, last = row_of(x), row_of(x)
    return loop(x, exp(row) * last + row, last=last, row=row)[0]


def _gathered(loop: Loop) -> Loop:
    """The loop with, in each of its sums, what depends on no state added up first."""
    given = {*loop.elements, *loop.constants}
    free = set(given)
    for node in loop.block.applies():
        if _is_all_given(node, free):
            free.update(node.outputs)
    count = _reads(loop)
    inside: set[Variable] = set()
    sums: dict[Variable, tuple[list[Variable], list[Variable]]] = {}
    for node in reversed(loop.block.applies()):
        top = node.outputs[0]
        if node.op.name != "add" or top in free or top in inside:
            continue
        terms, parts = _terms(top, count)
        inside.update(parts)
        first = [v for v in terms if v in free or isinstance(v, Constant)]
        rest = [v for v in terms if v not in first]
        if len(first) > 1 and rest and all(v.dtype == top.dtype for v in terms):
            sums[top] = first, rest
    if not sums:
        return loop
    new: dict[Variable, Variable] = {}
    for node in loop.block.applies():
        if node.outputs[0] in sums:
            first, rest = ([new.get(v, v) for v in part] for part in sums[node.out])
            before = OPS["add"](*first)
            total = OPS["add"](before, *rest)
            for v in (before, total):
                if v.owner is not None:
                    v.owner.origins, v.owner.line = node.origins, node.line
            if total.broadcastable == node.out.broadcastable:
                new[node.out] = total
        elif any(v in new for v in node.inputs):
            copy = node.op.apply([new.get(v, v) for v in node.inputs], node.params)
            copy.origins, copy.line = node.origins, node.line
            new.update(zip(node.outputs, copy.outputs, strict=True))
    outputs = tuple(new.get(v, v) for v in loop.block.outputs)
    return replace(loop, block=Block(loop.block.inputs, outputs))


def _reads(loop: Loop) -> dict[Variable, int]:
    """How often each variable of a body is read."""
    count: dict[Variable, int] = {}
    for v in (*(v for n in loop.block.applies() for v in n.inputs), *loop.block.outputs):
        count[v] = count.get(v, 0) + 1
    return count


def _terms(v: Variable, count: Mapping[Variable, int]) -> tuple[list[Variable], list[Variable]]:
    """What a sum adds up, and the sums that are parts of it, which nothing else reads."""
    terms: list[Variable] = []
    parts: list[Variable] = []
    waiting = [v]
    while waiting:
        part = waiting.pop()
        is_sum = part.owner is not None and part.owner.op.name == "add" and part.dtype == v.dtype
        if part.owner is not None and is_sum and (part is v or count[part] == 1):
            parts.append(part)
            waiting += reversed(part.owner.inputs)
        else:
            terms.append(part)
    return terms, parts


def _is_row_of(v: Variable, x: Variable) -> bool:
    """Whether v stretches as a row of x does, and x has not just one."""
    return x.broadcastable == (False, *v.broadcastable)


def _is_all_given(node: Apply, given: set[Variable]) -> bool:
    return all(v in given or isinstance(v, Constant) for v in node.inputs)


def _can_be_stacked(node: Apply, fixed: Mapping[Variable, Variable]) -> bool:
    are_rows = _are_rows(node, fixed)
    models = [
        stacked(v) if rows else fixed.get(v, v)
        for v, rows in zip(node.inputs, are_rows, strict=True)
    ]
    return on_all_rows(node, models, are_rows) is not None


def _are_rows(node: Apply, fixed: Mapping[Variable, Variable]) -> list[bool]:
    return [v not in fixed and not isinstance(v, Constant) for v in node.inputs]


def _of_all_rows(
    applies: Iterable[Apply], rows: Mapping[Variable, Variable], fixed: Mapping[Variable, Variable]
) -> dict[Variable, Variable] | None:
    """The rows of what the applies compute, given the rows of what they read."""
    found = dict(rows)
    for node in applies:
        inputs = [found.get(v, fixed.get(v, v)) for v in node.inputs]
        out = on_all_rows(node, inputs, _are_rows(node, fixed))
        if out is None:
            return None
        if out.owner is not None:
            out.owner.origins, out.owner.line = node.origins, node.line
        found[node.out] = out
    return found


# After the loop


@specialize.computed(["scan"], example=lambda x: _projected(x))
def compute_all_steps_after(node: Apply, view: View) -> Replacement:
    """What no later step needs is computed of all rows at once, when the loop is done."""
    loop = Loop(**node.params)
    if loop.until:
        return None
    _, first, _ = loop.split(node.inputs[1:])
    targets = {i: [v] for i, v in enumerate(loop.results) if _is_free(loop, i, first)}
    targets |= _sums(loop)
    for chosen in [targets, *({i: v} for i, v in targets.items())]:
        found = _After(node, loop, chosen).replacement() if chosen else None
        if found is not None:
            return found
    return None


def _projected(x: Variable) -> Variable:
    row, last = row_of(x), row_of(x)
    new = exp(last + row)
    return loop(x, new, exp(new) * new, last=last, row=row)[1]


def _is_free(loop: Loop, i: int, first: Sequence[Variable]) -> bool:
    """Whether a result differs from step to step, and no later step reads it."""
    if loop.results[i] in loop.constants or isinstance(loop.results[i], Constant):
        return False
    if i >= len(loop.taps):
        return True
    used = leaves([*loop.block.outputs])
    return first[i].type.shape[0] == loop.depths[i] and not set(loop.past[i]).intersection(used)


def _sums(loop: Loop) -> dict[int, list[Variable]]:
    """The states that only add something up, and what they add in a step."""
    count = _reads(loop)
    found = {}
    for i, taps in enumerate(loop.taps):
        last, new = loop.past[i][0], loop.results[i]
        if taps != (-1,) or loop.kept(i) > 1 or count.get(last) != 1 or count[new] > 1:
            continue
        terms, _ = _terms(new, count)
        added = [v for v in terms if v is not last]
        same = any(v in loop.constants or isinstance(v, Constant) for v in added)
        if added and len(added) < len(terms) and not same:
            found[i] = added
    return found


class _After:
    """A loop without some of its results, which are computed of the rows of others.

    chosen: the numbers of these results, each with itself or with what it adds up.
    """

    def __init__(self, node: Apply, loop: Loop, chosen: Mapping[int, list[Variable]]) -> None:
        self.node = node
        self.loop = loop
        self.chosen = chosen
        self.steps = node.inputs[0]
        self.walked, self.first, constants = loop.split(node.inputs[1:])
        self.fixed = dict(zip(loop.constants, constants, strict=True))
        self.sequence = dict(zip(loop.elements, self.walked, strict=True))
        sums = _sums(loop)
        self.is_sum = {i: i in sums for i in chosen}
        self.stay = [i for i in range(len(loop.results)) if i not in chosen]
        self._sort()

    def _sort(self) -> None:
        """Find what is moved, and what of each step that is made of."""
        loop = self.loop
        given = set(loop.block.inputs)
        ends = [v for own in self.chosen.values() for v in own]
        needed = set(walk([loop.results[i] for i in self.stay], stop=given.__contains__))
        sure = certain(loop.block.outputs)
        order = walk(ends, stop=given.__contains__)
        inside = {n for n in order if n in needed}
        read_inside: set[Variable] = set()
        self.products: dict[Variable, Apply] = {}
        moved: list[Apply] = []
        for n in reversed(order):
            free = n not in inside and n in sure and not read_inside.intersection(n.outputs)
            if free and self._is_product(n, order):
                self.products[n.out] = n
            elif free and _can_be_stacked(n, self.fixed):
                moved.append(n)
            else:
                read_inside.update(n.inputs)
        self.moved = moved[::-1]
        made = {v for n in (*moved, *self.products.values()) for v in n.outputs}
        read = [v for n in (*moved, *self.products.values()) for v in n.inputs] + ends
        self.read = [
            v
            for v in dict.fromkeys(read)
            if v not in made and v not in self.fixed and not isinstance(v, Constant)
        ]

    def _is_product(self, n: Apply, order: Sequence[Apply]) -> bool:
        """Whether an apply is a product that is only added up."""
        own = [i for i, terms in self.chosen.items() if self.is_sum[i] and n.outputs[0] in terms]
        if not own or not all(_are_rows(n, self.fixed)):
            return False
        if any(n.outputs[0] in terms for i, terms in self.chosen.items() if i not in own):
            return False
        if any(n.outputs[0] in other.inputs for other in order):
            return False
        return summed_product(n, [stacked(v) for v in n.inputs]) is not None

    def replacement(self) -> Replacement:
        """The results of the smaller loop, and the chosen ones after it."""
        loop = self.loop
        new = [v for v in self.read if v not in self.sequence and self._place(v) is None]
        if not self._pays(new) or not all(self._can_be_summed(i, new) for i in self.chosen):
            return None
        taken = [self.sequence[v] for v in self.read if v in self.sequence]
        whole = bool(self.stay or new)
        for x in dict.fromkeys(taken if whole else self.walked):
            if not is_long_enough(x, self.steps):
                return None
        rows = dict(zip([*self.stay, *new], self._run(new), strict=True)) if whole else {}
        known: dict[Variable, Variable] = {}
        for v in self.read:
            if v in self.sequence:
                known[v] = walked_rows(self.sequence[v], self.steps, reverse=loop.backwards)
            else:
                place = self._place(v)
                trace = rows[v if place is None else place]
                known[v] = trace[loop.depths[place] :] if place is not None else trace
            if known[v].broadcastable != (False, *v.broadcastable):
                return None
        found = _of_all_rows(self.moved, known, self.fixed)
        if found is None:
            return None
        after = {i: self._result(i, own, found) for i, own in self.chosen.items()}
        return [rows[i] if i in rows else after[i] for i in range(len(loop.results))]

    def _place(self, v: Variable) -> int | None:
        """The number of a result that stays and of which v is the new row."""
        for i in self.stay:
            if self.loop.results[i] is v and not self.loop.kept(i):
                return i
        return None

    def _can_be_summed(self, i: int, new: Sequence[Variable]) -> bool:
        """Whether all rows of a sum, where they are wanted, follow from rows that are there."""
        if not self.is_sum[i] or self.loop.kept(i):
            return True
        own, total = self.chosen[i], self.loop.past[i][0]
        fits = all(v.broadcastable == total.broadcastable and v not in new for v in own)
        return fits and total.dtype != "bool" and not any(v in self.products for v in own)

    def _pays(self, new: Sequence[Variable]) -> bool:
        """Whether the loop has less to do, and what it keeps takes no more room than its rows do.

        Rows that were not kept are kept then, which may be far too many where nothing else is.
        """
        if not self.moved and not self.products and not any(self.is_sum.values()):
            return not new
        loop = self.loop
        walked = [extent(v) for v in loop.elements]
        kept = [extent(v) for i, v in enumerate(loop.results) if not loop.kept(i)]
        room = max([*walked, *kept], default=-1)
        made = [extent(n.out) for n in self.moved]
        if any(e > room for e in (*made, *map(extent, new))):
            return False
        return len(new) <= len(self.chosen)

    def _run(self, new: Sequence[Variable]) -> list[Variable]:
        """The loop of what stays, with rows of `new` as further results."""
        loop = self.loop
        states = [i for i in self.stay if i < len(loop.taps)]
        smaller = replace(
            loop,
            block=Block(
                (*loop.elements, *(v for i in states for v in loop.past[i]), *loop.constants),
                (*(loop.results[i] for i in self.stay), *new),
            ),
            taps=tuple(loop.taps[i] for i in states),
            keep=(*(loop.kept(i) for i in self.stay), *(0 for _ in new)),
        )
        inputs = [*self.walked, *(self.first[i] for i in states), *self.fixed.values()]
        return smaller.run(self.steps, inputs)

    def _result(
        self, i: int, own: Sequence[Variable], rows: Mapping[Variable, Variable]
    ) -> Variable:
        """A chosen result, of the rows that are there now."""
        if not self.is_sum[i]:
            (v,) = own
            kept = self.loop.kept(i)
            found = rows[v]
            if i < len(self.first):
                found = OPS["join"]([self.first[i], found], axis=0)
            return found[-kept:] if kept else found
        if not self.loop.kept(i):
            return self._running_sum(i, [rows[v] for v in own])
        total = self.first[i][-1]
        for term in own:
            product = self.products.get(term)
            if product is not None:
                added = summed_product(product, [rows[v] for v in product.inputs])
            elif term in rows:
                added = sum_of_rows(rows[term], total.dtype)
            assert added is not None
            total = total + (
                added if added.dtype == total.dtype else OPS["cast"](added, total.dtype)
            )
        return stack([total])

    def _running_sum(self, i: int, terms: Sequence[Variable]) -> Variable:
        """All rows of a state to which the sum of the terms is added in each step."""
        first = self.first[i]
        added = terms[0] if len(terms) == 1 else OPS["add"](*terms)
        if added.dtype != first.dtype:
            added = OPS["cast"](added, first.dtype)
        rows = OPS["cumsum"](OPS["join"]([first, added], axis=0), axis=0)
        return rows if rows.dtype == first.dtype else OPS["cast"](rows, first.dtype)
