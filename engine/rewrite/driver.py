"""The driver: applies rules until none applies, and films every step.

Applies wait in a queue to be looked at; a change puts back what it may concern.  A proposal is
taken only if it keeps the type and lowers the measure, so rewriting comes to an end; what a rule
proposes is built outside the graph, so a rule that fails leaves no trace.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from functools import lru_cache
from itertools import islice
from time import perf_counter

from engine.errors import EngineError, RewriteError
from engine.expression import OPS, Apply, Block, Constant, Variable, walk
from engine.graph import Graph
from engine.rewrite.equals import Equals
from engine.rewrite.film import Film, RewriteStep, freeze, place, wires
from engine.rewrite.measure import measure, weight
from engine.rewrite.pattern import CONSTANT
from engine.rewrite.rule import DESCENDS, Rule
from engine.rewrite.view import View
from engine.types import COMPLEX


class Index:
    """Rules by what they need: the op of an apply, and the ops that compute its inputs.

    Applies that look alike, so far, are few: what may apply to them is worked out once.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._by_op = {
            name: [rule for rule in rules if rule.ops is None or name in rule.ops]
            for name in {op.name for op in OPS.values()}
        }
        self._found: dict[tuple[str, frozenset[str]], list[Rule]] = {}

    def of(self, node: Apply) -> list[Rule]:
        """The rules that may apply to an apply, in the order in which they are tried."""
        read = frozenset([
            v.owner.op.name if v.owner is not None else CONSTANT
            for v in node.inputs
            if v.owner is not None or isinstance(v, Constant)
        ])  # fmt: skip
        key = node.op.name, read
        found = self._found.get(key)
        if found is None:
            asked = self._by_op.get(node.op.name, [])
            found = self._found[key] = [rule for rule in asked if rule.below <= read]
        return found


REACH = 3
"""How many readers up from a change a left side may have its root."""

WIDTH = 64
"""How many of the readers around a change are looked at at once; a sweep finds the others."""


class Driver:
    """Rewrites one graph.

    steps, seconds: the most that may be spent.  nodes: the most that the graph may have, None for
    any number.  What is left undone then is said on the film.
    may_cancel: whether rules may let factors cancel though that may hide a NaN.
    kept: whether the steps are kept on the film, or only counted.
    check: hold the whole graph against the measure after every step.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        steps: int,
        seconds: float,
        nodes: int | None = None,
        may_cancel: bool = True,
        kept: bool = True,
        check: bool = False,
    ) -> None:
        self.graph = graph
        self.film = Film(graph, kept=kept or check)
        self.check = check
        self._equals = Equals(graph.toposort())
        self._view = View(graph, self._equals, self._rewritten, may_cancel=may_cancel)
        self._blocks: dict[Block, tuple[Block, Film | None]] = {}
        self._inside: Film | None = None
        self._last: deque[str] = deque(maxlen=8)
        self._failed: set[str] = set()
        self._unfit: set[str] = set()
        self._leaves = {*graph.inputs, *graph.leaves()}
        self._nodes = nodes
        self._spent: str | None = None
        self._settled: set[str] = set()
        self._steps = steps
        self._seconds = seconds
        self._deadline = perf_counter() + seconds

    def run(self, name: str, rules: Sequence[Rule]) -> None:
        """Apply the rules until none of them applies anywhere."""
        if self._spent is not None:
            return
        self._running = name, rules
        self._blocks.clear()
        index = _index(tuple(rules))
        # The rules of the last run apply nowhere, until something changes.
        news = _index(tuple(r for r in rules if r.name not in self._settled or DESCENDS in r.tags))
        while self._sweep(name, index, news):
            news = index
        self._settled = {rule.name for rule in rules}

    def _rewritten(self, block: Block) -> Block:
        """A block after the rules that are being applied, by a driver of its own."""
        known = self._blocks.get(block)
        if known is not None:
            found, self._inside = known
            return found
        graph = Graph(block.inputs, block.outputs)
        inner = Driver(
            graph,
            steps=self._steps - self.film.taken,
            seconds=self._deadline - perf_counter(),
            nodes=None if self._nodes is None else self._nodes + len(graph),
            may_cancel=self._view.may_cancel,
            kept=self.film.kept,
            check=self.check,
        )
        inner.run(*self._running)
        self.film.warnings += inner.film.warnings
        found = block
        if inner.film.taken:
            found, self._inside = Block(block.inputs, tuple(graph.outputs)), inner.film
        self._blocks[found] = found, None
        self._blocks[block] = found, self._inside
        return found

    def _sweep(self, name: str, index: Index, news: Index) -> bool:
        """Try `news` on every apply and all rules on what changes; tell whether anything did."""
        steps = self.film.taken
        queue = deque(self.graph.toposort())
        waiting = set(queue)
        changed: set[Apply] = set()
        while queue:
            node = queue.popleft()
            waiting.discard(node)
            while node in self._equals:
                near = self._visit(node, index if node in changed else news)
                if self._is_spent():
                    self._give_up(name)
                    return False
                if near is None:
                    break
                changed.update(near)
                for other in near:
                    if other not in waiting and other is not node:
                        waiting.add(other)
                        queue.append(other)
        return self.film.taken > steps

    def _visit(self, node: Apply, index: Index) -> list[Apply] | None:
        """Apply the first rule that applies; give what lies near the change."""
        for rule in index.of(node):
            if rule.name in self._failed:
                continue
            started = perf_counter()
            self._inside = None
            try:
                proposed = rule.rewrite(node, self._view)
                if proposed is None:
                    continue
                near = self._take(rule, node, proposed, started)
            except Exception as error:
                self._report(rule, error)
                continue
            if near is not None or self._spent:
                return near
        return None

    def _report(self, rule: Rule, error: Exception) -> None:
        """Name a rule that failed, once.

        What an op refused concerns these inputs only: the rule stays in force for others.
        """
        refused = isinstance(error, EngineError) and not isinstance(error, RewriteError)
        known, how = (
            (self._unfit, "did not fit somewhere and was left out there")
            if refused
            else (self._failed, "failed and was left out")
        )
        if rule.name not in known:
            known.add(rule.name)
            self.film.warnings.append(
                f"The rule {rule.name} {how}: {type(error).__name__}: {error}"
            )

    def _take(
        self, rule: Rule, node: Apply, proposed: Variable | Sequence[Variable], started: float
    ) -> list[Apply] | None:
        """Replace the results of an apply by what is proposed, if that fits and is better.

        Results that nobody reads may become anything.  Gives what lies near the change; None if
        there was none.
        """
        new = [proposed] if isinstance(proposed, Variable) else proposed
        fitting: dict[Variable, Variable] = {}
        for old, v in zip(node.outputs, new, strict=True):
            if not self.graph.clients(old):
                continue
            found = self._fitted(old, v)
            if found is None:
                return None
            fitting[old] = found
        removed = self.graph.left_unread(fitting)
        added = walk(list(fitting.values()), stop=lambda v: v.owner in self._equals)
        if not self._lowers(fitting, removed, added):
            return None
        for old, v in fitting.items():
            self._hold_sound(old, v)
        if self._is_too_much(len(fitting), len(added) - len(removed)):
            return None
        return [
            other for old, v in fitting.items() for other in self._replace(rule, old, v, started)
        ]

    def _fitted(self, old: Variable, new: Variable) -> Variable | None:
        """The proposal with the dtype, rank and pattern of what it replaces, if that can be."""
        if new.dtype != old.dtype:
            if new.dtype in COMPLEX and old.dtype not in COMPLEX:
                return None
            new = OPS["cast"](new, old.dtype)
        new = self._equals.shared(new)
        if new is old:
            return None
        if new.broadcastable == old.broadcastable:
            return new
        if old.owner is None or not old.owner.op.is_elementwise:
            # It has the lengths of what it replaces; axes of length 1 must not stretch.
            if new.ndim != old.ndim:
                return None
            alike = OPS["patternbroadcast"](new, old.broadcastable)
            stated = alike.owner is not None and alike.owner.op.name == "unbroadcast"
            return self._equals.shared(alike) if stated else None
        for model in old.owner.inputs:
            if model.ndim > old.ndim:
                continue
            filled = OPS["fill"](model, new)
            if filled.broadcastable == old.broadcastable:
                return self._equals.shared(filled)
        return None

    def _lowers(
        self, new: dict[Variable, Variable], removed: list[Apply], added: list[Apply]
    ) -> bool:
        ranges = self._view.ranges
        saved = measure(removed, ranges) - measure(added, ranges)
        # What an apply weighs depends on what computes its inputs.
        return saved > 0 and saved > sum(
            weight(_reading(reader, old, v), ranges) - weight(reader, ranges)
            for old, v in new.items()
            for reader in self.graph.readers(old)
            if not reader.op.higher_order
        )

    def _hold_sound(self, old: Variable, new: Variable) -> None:
        """Raise RewriteError if `new` reads what is not there, or what `old` is needed for."""
        added = walk([new], stop=lambda v: v.owner in self._equals)
        fresh = set(added)
        read = dict.fromkeys(v for node in added for v in node.inputs if v.owner not in fresh)
        for v in read or (new,):
            if v.owner is None and v not in self._leaves and not isinstance(v, Constant):
                raise RewriteError(f"{v!r} does not occur in the graph.")
        if self._is_needed_for(old, [v for v in read or (new,) if v.owner is not None]):
            raise RewriteError("It would need its own result.")

    def _is_needed_for(self, old: Variable, variables: list[Variable]) -> bool:
        """Whether one of the variables of the graph is computed from `old`."""
        below = dict.fromkeys(old.owner.inputs if old.owner is not None else ())
        # What is read lies close below as a rule; only else all that it needs is looked at.
        queue = deque(below)
        while queue and len(below) < WIDTH:
            owner = queue.popleft().owner
            for v in owner.inputs if owner is not None else ():
                if v not in below:
                    below[v] = None
                    queue.append(v)
        if old not in variables and all(v in below or _reads_only(v, below) for v in variables):
            return False
        return old.owner in walk(variables, stop=lambda v: v in below)

    def _replace(self, rule: Rule, old: Variable, new: Variable, started: float) -> list[Apply]:
        before = measure(self.graph.applies, self._view.ranges) if self.check else 0
        count = len(self._equals)
        was, readers = place(old), self.graph.clients(old)
        removed, added = self.graph.replace(old, new)
        self._view.changed()
        for node in removed:
            self._equals.forget(node)
        for node in added:
            self._equals.enter(node)
        near = [r for r, _ in readers if isinstance(r, Apply)]
        for node in near:
            self._equals.enter(node)
        if old.owner is not None and new.owner is not None and old.owner.op is new.owner.op:
            new.owner.origins |= old.owner.origins
        # A loop is replaced result by result; what is inside comes with the first of them.
        inside, self._inside = self._inside, None
        self.film.taken += 1
        self.film.total += 1 + (0 if inside is None else inside.total)
        self._last.append(rule.name)
        if self.film.kept:
            self.film.add(
                RewriteStep(
                    phase=rule.phase,
                    rule=rule.name,
                    why=rule.why,
                    tags=rule.tags,
                    removed=tuple(n.id for n in removed),
                    added=tuple(n.id for n in added),
                    nodes_before=count,
                    nodes_after=len(self._equals),
                    seconds=perf_counter() - started,
                    old=was,
                    new=place(new),
                    nodes=tuple(map(freeze, added)),
                    wires=wires(readers, place(new)),
                    film=self.film,
                    position=len(self.film),
                    inside=inside,
                )
            )
        after = measure(self.graph.applies, self._view.ranges) if self.check else 0
        if self.check and removed and after >= before:
            raise RewriteError(
                f"The rule {rule.name} did not lower the measure: "
                f"{self.film[-1].before} became {self.film[-1].after}.",
                node=rule.name,
            )
        return [*added, *self._around(near)]

    def _around(self, nodes: list[Apply]) -> list[Apply]:
        """The applies from which a left side may reach down to one of these."""
        found = dict.fromkeys(nodes[:WIDTH])
        level = list(found)
        for _ in range(REACH - 1):
            above = (r for node in level for v in node.outputs for r in self.graph.readers(v))
            level = [r for r in islice(above, WIDTH) if r not in found]
            found.update(dict.fromkeys(level))
        return list(found)

    def _is_too_much(self, steps: int, nodes: int) -> bool:
        """Whether so many more steps or nodes pass a bound; then `_spent` says which."""
        if self.film.taken + steps > self._steps:
            self._spent = f"after {self.film.taken} steps"
        elif self._nodes is not None and len(self._equals) + nodes > self._nodes:
            self._spent = f"before the graph grew beyond {self._nodes} nodes"
        return self._spent is not None

    def _is_spent(self) -> bool:
        """Whether a bound is reached; then `_spent` says which."""
        if self._spent is None and perf_counter() > self._deadline:
            self._spent = f"after {self._seconds:.3g} seconds"
        return self._spent is not None

    def _give_up(self, name: str) -> None:
        names = ", ".join(dict.fromkeys(self._last)) or "none"
        self.film.warnings.append(
            f"{name} was cut short {self._spent}; the last rules were {names}."
        )


def _reading(reader: Apply, old: Variable, new: Variable) -> Apply:
    """The apply as it would be if it read `new` in place of `old`."""
    inputs = [new if v is old else v for v in reader.inputs]
    return Apply(reader.op, inputs, reader.params, [v.type for v in reader.outputs])


def _reads_only(v: Variable, known: Container[Variable]) -> bool:
    return v.owner is not None and all(x in known for x in v.owner.inputs)


@lru_cache(maxsize=64)
def _index(rules: tuple[Rule, ...]) -> Index:
    return Index(rules)
