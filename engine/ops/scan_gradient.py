"""The gradient of a loop: another loop, from the last step back to the first.

It carries along, for each row of a state that later steps may have read, its adjoint: what flows
back to it.  A step takes the adjoints of the rows that the forward step made, pulls them back
through the body, and adds up what flows to the constants.  What the forward loop has stored is
read, not computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.expression import OPS, Block, Constant, Variable, leaves, substitute
from engine.makers import alike, zero_gradient
from engine.op import untested
from engine.ops.changing import set_subtensor
from engine.ops.loop import Loop
from engine.types import DISCRETE, TensorType

Pullback = Callable[[Mapping[Variable, Variable], Sequence[Variable]], list[Variable | None]]
Gradients = Sequence[Variable | None]


def scan_gradient(
    pullback: Pullback,
    wanted: Sequence[bool],
    gs: Gradients,
    ys: Sequence[Variable],
    steps: Variable,
    *inputs: Variable,
    **params: Any,
) -> list[Variable | None]:
    """What flows from the results of a loop, `gs`, to its inputs; None where nothing does."""
    loop = Loop(**params)
    if any(loop.keep):  # rows that were not kept are computed again
        loop = replace(loop, keep=())
        ys = loop.run(steps, inputs)
    return _Reverse(loop, steps, list(inputs), list(ys), list(gs), list(wanted[1:])).gradients(
        pullback
    )


def _row_type(t: TensorType) -> TensorType:
    return TensorType(t.dtype, t.shape[1:], t.broadcastable[1:])


class _Reverse:
    """The reverse of one loop while it is put together."""

    def __init__(
        self,
        loop: Loop,
        steps: Variable,
        inputs: list[Variable],
        ys: list[Variable],
        gs: list[Variable | None],
        wanted: list[bool],
    ) -> None:
        self.loop = loop
        self.steps = steps
        self.walked, self.first, self.given = loop.split(inputs)
        self.want_walked, self.want_first, self.want_given = loop.split(wanted)
        self.ys = ys
        self.gs = [None if v.dtype in DISCRETE else g for v, g in zip(ys, gs, strict=True)]

    # Rows, in the order in which the forward loop made them.

    def made(self, i: int, of: Variable) -> Variable:
        """Of all rows of a result, or of its gradient, those that the steps have made."""
        before = self.loop.depths[i]
        return of[before:] if before else of

    def read(self, i: int, tap: int) -> Variable:
        """The rows of a state that the steps have read by a tap."""
        return self.ys[i][self.loop.depths[i] + tap : tap]

    # What is carried back.

    def varying(self) -> set[int]:
        """The states that depend on an input whose gradient is wanted."""
        loop = self.loop
        start = [v for v, want in zip(loop.elements, self.want_walked, strict=True) if want]
        start += [v for v, want in zip(loop.constants, self.want_given, strict=True) if want]
        found = {i for i, want in enumerate(self.want_first) if want}
        order = loop.block.applies()
        while True:
            reached = {*start, *(v for i in found for v in loop.past[i])}
            for node in order:
                if any(v in reached for v in node.inputs):
                    reached.update(node.outputs)
            more = {i for i in range(len(loop.taps)) if loop.results[i] in reached} - found
            if not more:
                return {i for i in found if loop.results[i].dtype not in DISCRETE}
            found |= more

    def gradients(self, pullback: Pullback) -> list[Variable | None]:
        """The gradients of all inputs, that of the number of steps first."""
        with untested():
            slopes, adjoints, found = self._pulled_back(pullback)
        return self._assemble(found, slopes, adjoints)

    def _pulled_back(
        self, pullback: Pullback
    ) -> tuple[dict[int, Variable], dict[int, list[Variable]], dict[Variable, Variable | None]]:
        """In the body: the gradients of results, the adjoints, and what flows where."""
        loop = self.loop
        slopes = {i: Variable(_row_type(g.type)) for i, g in enumerate(self.gs) if g is not None}
        varying = self.varying()
        adjoints: dict[int, list[Variable]] = {}
        sources = [v for v, want in zip(loop.elements, self.want_walked, strict=True) if want]
        sources += [v for v, want in zip(loop.constants, self.want_given, strict=True) if want]
        sources += [v for i in sorted(varying) for v in loop.past[i]]
        carried = varying & slopes.keys()
        while True:
            for i in carried - adjoints.keys():
                kind = zero_gradient(loop.past[i][0]).type
                adjoints[i] = [Variable(kind) for _ in range(loop.depths[i])]
            seeds = self._seeds(slopes, adjoints)
            found = dict(zip(sources, pullback(seeds, sources), strict=True)) if seeds else {}
            more = {i for i in varying if any(found.get(v) is not None for v in loop.past[i])}
            if more <= carried:
                break
            carried |= more
        return slopes, adjoints, found

    def _seeds(
        self, slopes: Mapping[int, Variable], adjoints: Mapping[int, Sequence[Variable]]
    ) -> dict[Variable, Variable]:
        """What flows to the rows that a forward step has made."""
        seeds: dict[Variable, Variable] = {}
        for i, v in enumerate(self.loop.results):
            parts = [slopes[i]] if i in slopes else []
            parts += adjoints[i][:1] if i in adjoints else []
            for g in parts:
                g = alike(g, v)
                seeds[v] = seeds[v] + g if v in seeds else g
        return seeds

    # The reverse loop.

    def _assemble(
        self,
        found: Mapping[Variable, Variable | None],
        slopes: Mapping[int, Variable],
        adjoints: Mapping[int, Sequence[Variable]],
    ) -> list[Variable | None]:
        loop = self.loop
        starts = [
            zero_gradient(self.first[i][loop.depths[i] - back])
            for i, waiting in adjoints.items()
            for back in range(1, len(waiting) + 1)
        ]
        sums = [i for i, v in enumerate(loop.constants) if found.get(v) is not None]
        starts += [zero_gradient(self.given[i]) for i in sums]
        rows = {i: g for i, v in enumerate(loop.elements) if (g := found.get(v)) is not None}
        if not starts and not rows:
            return [
                *[None] * (1 + len(self.walked)),
                *self._to_first({}, []),
                *[None] * len(self.given),
            ]
        with untested():
            states = [v for waiting in adjoints.values() for v in waiting]
            news = [
                self._next(found, i, back, waiting)
                for i, waiting in adjoints.items()
                for back in range(1, len(waiting) + 1)
            ]
            for i in sums:
                total, g = Variable(zero_gradient(loop.constants[i]).type), found[loop.constants[i]]
                assert g is not None
                states.append(total)
                news.append(total + alike(g, loop.constants[i]))
            results = self._stored([*news, *rows.values()])
        used = set(leaves(results))
        walked = {v: s for v, s in self._sequences(slopes).items() if v in used}
        constants = {v: c for v, c in zip(loop.constants, self.given, strict=True) if v in used}
        reverse = Loop(
            Block((*walked, *states, *constants), tuple(results)),
            sequences=len(walked),
            taps=((-1,),) * len(states),
            backwards=not loop.backwards,
            truncate=loop.truncate,
            name=f"grad_of_{loop.name}" if loop.name else None,
        )
        traces = reverse.run(
            self._count(),
            [*walked.values(), *(v.dimshuffle("x", *range(v.ndim)) for v in starts),
             *constants.values()],
        )  # fmt: skip
        finals = [trace[-1] for trace in traces[: len(states)]]
        totals = dict(zip(sums, finals[len(states) - len(sums) :], strict=True))
        return [
            None,
            *self._to_sequences(dict(zip(rows, traces[len(states) :], strict=True))),
            *self._to_first(adjoints, finals),
            *(alike(totals[i], v) if i in totals else None for i, v in enumerate(self.given)),
        ]

    def _next(
        self,
        found: Mapping[Variable, Variable | None],
        i: int,
        back: int,
        waiting: Sequence[Variable],
    ) -> Variable:
        """What is known, one step further back, of the adjoint of a row so many rows back."""
        parts = [waiting[back]] if back < len(waiting) else []
        for tap, v in zip(self.loop.taps[i], self.loop.past[i], strict=True):
            g = found.get(v)
            if tap == -back and g is not None:
                parts.append(alike(g, v))
        if not parts:
            return zero_gradient(self.loop.past[i][0])
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def _stored(self, expressions: list[Variable]) -> list[Variable]:
        """The expressions, reading rows that the forward loop has made in place of making them."""
        self.stored = {
            i: Variable(_row_type(self.ys[i].type))
            for i, v in enumerate(self.loop.results)
            if v.owner is not None
        }
        known = {self.loop.results[i]: v for i, v in self.stored.items()}
        return substitute(expressions, known)

    def _sequences(self, slopes: Mapping[int, Variable]) -> dict[Variable, Variable]:
        """What the reverse loop may walk through, by what its body calls an element of it."""
        loop = self.loop
        found = {
            v: self._last(x, longer=True) for v, x in zip(loop.elements, self.walked, strict=True)
        }
        exact: dict[Variable, Variable] = {}
        for i, taps in enumerate(loop.taps):
            for tap, v in zip(taps, loop.past[i], strict=True):
                exact[v] = self.read(i, tap)
        for i, v in self.stored.items():
            exact[v] = self.made(i, self.ys[i])
        for i, v in slopes.items():
            g = self.gs[i]
            assert g is not None
            exact[v] = self.made(i, g)
        for v, x in exact.items():
            x = self._last(x)
            # Where the reverse loop walks forward, these have to be turned round.
            found[v] = x[::-1] if loop.backwards else x
        return found

    def _last(self, x: Variable, longer: bool = False) -> Variable:
        """Of what the forward loop walked through, the part that a truncated gradient needs."""
        if not self.loop.truncate:
            return x
        if longer:
            x = x[: self._taken()]
            if self.loop.backwards:
                return x[: self.loop.truncate]
        return x[-self.loop.truncate :]

    def _taken(self) -> Variable:
        """How many steps the forward loop took."""
        if not self.loop.until:
            return self.steps
        return OPS["shape"](self.made(0, self.ys[0]))[0]

    def _count(self) -> Variable:
        taken = self._taken()
        if not self.loop.truncate:
            return taken
        return OPS["minimum"](taken, Constant(self.loop.truncate, "int64"))

    # What comes out.

    def _to_sequences(self, rows: Mapping[int, Variable]) -> list[Variable | None]:
        return [
            self._to_sequence(rows[i], x) if i in rows else None for i, x in enumerate(self.walked)
        ]

    def _to_sequence(self, g: Variable, x: Variable) -> Variable:
        loop = self.loop
        if not loop.backwards:
            g = g[::-1]
        if loop.truncate:
            part = zero_gradient(x[: self._taken()])
            cut = slice(0, loop.truncate) if loop.backwards else slice(-loop.truncate, None)
            g = set_subtensor(part[cut], g)
        if not self._counts(x):
            g = set_subtensor(zero_gradient(x)[: OPS["shape"](g)[0]], g)
        return alike(g, x)

    def _counts(self, x: Variable) -> bool:
        """Whether the loop is known to take one step for each row of x."""
        if self.loop.until:
            return False
        count = self.made(0, self.ys[0]).type.shape[0]
        if count is not None and count == x.type.shape[0]:
            return True
        node = self.steps.owner
        if node is None or node.op.name != "subtensor" or node.params["index"] != (0,):
            return False
        shape = node.inputs[0].owner
        return shape is not None and shape.op.name == "shape" and shape.inputs[0] is x

    def _to_first(
        self, adjoints: Mapping[int, Sequence[Variable]], finals: Sequence[Variable]
    ) -> list[Variable | None]:
        found: list[Variable | None] = []
        rest = iter(finals)
        rows = {i: [next(rest) for _ in waiting] for i, waiting in adjoints.items()}
        for i, x in enumerate(self.first):
            parts = []
            if i in rows:
                own = rows[i][::-1]
                last = own[0].dimshuffle("x", *range(own[0].ndim))
                parts.append(self._within(last if len(own) == 1 else OPS["stack"](own)))
            g = self.gs[i]
            if g is not None:
                parts.append(g[: self.loop.depths[i]])
            parts = [alike(p, x) for p in parts]
            found.append(parts[0] + parts[1] if len(parts) > 1 else parts[0] if parts else None)
        return found

    def _within(self, g: Variable) -> Variable:
        """The gradient of the first rows, unless it does not go back so far."""
        if not self.loop.truncate:
            return g
        reached = OPS["le"](self._taken(), Constant(self.loop.truncate, "int64"))
        return OPS["switch"](reached, g, OPS["zeros_like"](g))
