"""From primitives to kernels: loops that are as few as the data flow allows.

Primitives are put one after the other into the loops that are there already, wherever a loop has
the same length and everything the primitive needs in it was computed for the same index.  So a
chain of elementwise ops, the sums that follow, and what is computed from those row by row share
their loops, and a small network with its gradient and its updates ends up in one kernel.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import NamedTuple

from engine.codegen.layout import PART, Access, Buffer, Extent, Index, Lookup, Storage
from engine.codegen.primitives import (
    Batch,
    Callback,
    Fold,
    Guard,
    Map,
    Position,
    Primitive,
    Product,
    Repeat,
    Task,
    Words,
    calls_back,
    storages,
)

LARGE = 1 << 16
"""Points from which on a loop is worth being shared out among threads."""
GRAIN = 1 << 14
"""Points that a part of a loop has at least."""
PARTS = 64
"""The most parts that a loop has."""
KERNEL_LIMIT = 160
"""How large a kernel may grow, in formulas; beyond that compiling takes more than its share."""
LOOP_WEIGHT = 4
"""A loop takes as long to compile as so many formulas."""


@dataclass(eq=False)
class Loop:
    """A loop: what runs in it, and the accumulators that are set before it starts.

    members: the primitives anywhere in it.  joined: the only loop in its body, where that one
    loop runs over both; it stands for those in `outer` too.
    """

    extent: Extent
    body: list[Loop | Primitive] = field(default_factory=list)
    members: set[Primitive] = field(default_factory=set)
    folds: list[Fold] = field(default_factory=list)
    joined: Loop | None = None
    outer: tuple[Loop, ...] = ()

    @property
    def lengths(self) -> tuple[Extent, ...]:
        """The extents whose product is how often it runs."""
        return (*(loop.extent for loop in self.outer), self.extent)


@dataclass(eq=False)
class Placed:
    """Where a primitive is: the loops around it, outermost first, and which of its own each is."""

    path: tuple[Loop, ...]
    loops: dict[int, Loop]


@dataclass(frozen=True)
class Place:
    """A place on an axis that is read from memory, in terms of a kernel's loops."""

    storage: Storage
    element: Element
    extent: Extent
    wraps: bool
    clamps: bool
    step: int


class Turn(NamedTuple):
    """Where an index stands: `start + step * i + spacing * k`, and a place that is added.

    i and k are the turns of `loop` and `within`.
    """

    start: int
    step: int
    loop: Loop | None
    place: Place | None = None
    spacing: int = 0
    within: Loop | None = None


Element = tuple[Turn, ...]


class Kernel:
    """Loops that run one after the other in one native function, or one that is done in parts.

    parts: how many there are of the only outermost loop; 0 for loops that are run as a whole.
    part: stands for the loop over the parts, which is not written out.
    """

    def __init__(self, parts: int = 0) -> None:
        self.root = Loop(Extent(1))
        self.places: dict[Primitive, Placed] = {}
        self.weight = 0
        self.parts = parts
        self.part = Loop(Extent(parts))

    @property
    def length(self) -> int:
        """How often the only outermost loop runs."""
        (loop,) = self.root.body
        assert isinstance(loop, Loop)
        while loop.joined:
            loop = loop.joined
        return prod(extent.length for extent in loop.lengths)

    def has_room(self, primitive: Primitive, after: set[Primitive]) -> bool:
        """Whether a primitive can be put here after those that it depends on."""
        if self.weight >= KERNEL_LIMIT:
            return False
        if not self.parts:
            return not parts_of(primitive)
        if not primitive.order or not has_separate_turns(primitive):
            return False
        first = primitive.order[0]
        if is_split(primitive) and not can_be_split(primitive, self.parts):
            return False
        return not self.root.body or self._host(self.root, primitive, first, after) is not None

    # Placing.

    def add(self, primitive: Primitive, after: set[Primitive]) -> None:
        """Put a primitive after those that it depends on, into their loops where it may."""
        path = [self.root]
        loops: dict[int, Loop] = {}
        for k in primitive.order:
            inner = self._host(path[-1], primitive, k, after & path[-1].members)
            if inner is None:
                inner = Loop(primitive.space[k])
                path[-1].body.append(inner)
                self.weight += LOOP_WEIGHT
            if isinstance(primitive, Fold) and k == primitive.first_reduced:
                inner.folds.append(primitive)
            path.append(inner)
            loops[k] = inner
        body = path[-1].body
        body.insert(self._first_place(body, after) if body else 0, primitive)
        for loop in path:
            loop.members.add(primitive)
        self.places[primitive] = Placed(tuple(path), loops)
        self.weight += 1

    def _host(
        self, outer: Loop, primitive: Primitive, k: int, after: set[Primitive]
    ) -> Loop | None:
        """The last loop in which loop k of the primitive can be run along."""
        for item in reversed(outer.body):
            if isinstance(item, Loop):
                needed = after & item.members
                same = item.extent.root() is primitive.space[k].root()
                if same and all(self._same_point(p, item, primitive, k) for p in needed):
                    return item
                if needed:
                    return None
            elif item in after:
                return None
        return None

    @staticmethod
    def _first_place(body: Sequence[Loop | Primitive], after: set[Primitive]) -> int:
        """Right behind the last thing that must come before, so that little stands in between."""
        for place in range(len(body), 0, -1):
            item = body[place - 1]
            if item in after if not isinstance(item, Loop) else after & item.members:
                return place
        return 0

    def _same_point(self, earlier: Primitive, loop: Loop, later: Primitive, k: int) -> bool:
        """Whether the later one touches at each turn only what the earlier one did in that turn."""
        numbers = [n for n, own in self.places[earlier].loops.items() if own is loop]
        for a, b in _conflicts(earlier, later):
            if a.buffer is not b.buffer:
                return False
            if not any(
                x.axis in numbers
                and y.axis == k
                and (x.start, x.step) == (y.start, y.step)
                and x.place is y.place is None
                and x.within is y.within is None
                for x, y in zip(a.indices, b.indices, strict=True)
            ):
                return False
        return True

    # Reading.

    def element(self, primitive: Primitive, access: Access) -> Element:
        """What an access of the primitive touches, in terms of the kernel's loops."""
        loops = self.places[primitive].loops
        return tuple(
            Turn(
                i.start,
                i.step,
                self._loop(i.axis, loops),
                self._found(primitive, i.place),
                i.spacing,
                self._loop(i.within, loops),
            )
            for i in access.indices
        )

    def _loop(self, axis: int | None, loops: Mapping[int, Loop]) -> Loop | None:
        if axis is None:
            return None
        return self.part if axis == PART else loops[axis]

    def _found(self, primitive: Primitive, place: Lookup | None) -> Place | None:
        if place is None:
            return None
        at, extent = self.element(primitive, place.at), place.extent.root()
        return Place(place.at.storage, at, extent, place.wraps, place.clamps, place.step)

    def in_register(self, fold: Fold) -> bool:
        """Whether a fold's accumulator is one number at a time."""
        if not fold.reduced:
            return True
        first = min(fold.order.index(k) for k in fold.reduced)
        return all(k in fold.reduced for k in fold.order[first:])

    def value_path(self, primitive: Primitive) -> tuple[Loop, ...] | None:
        """The loops in which the result is at hand as one number; None where it is in memory."""
        path = self.places[primitive].path
        if isinstance(primitive, Fold):
            if not self.in_register(primitive):
                return None
            return path[: len(path) - len(primitive.reduced)]
        return path

    def is_at_hand(self, maker: Primitive, reader: Primitive, access: Access) -> bool:
        """Whether the reader finds what `maker` computed still in a register."""
        path = self.value_path(maker) if maker in self.places else None
        if path is None or reader not in self.places or access.buffer is not maker.target.buffer:
            return False
        return self.places[reader].path[: len(path)] == path and self.element(
            reader, access
        ) == self.element(maker, maker.target)

    # Joining loops.

    def collapse(self) -> None:
        """Turn loops over rows and columns into one where every operand lies so in memory."""
        stack = [self.root]
        while stack:
            loop = stack.pop()
            inner = [item for item in loop.body if isinstance(item, Loop)]
            stack.extend(inner)
            if loop is not self.root and len(loop.body) == 1 and inner and not inner[0].folds:
                self._absorb(loop, inner[0])

    def _absorb(self, outer: Loop, inner: Loop) -> None:
        if not all(self._adjacent(p, outer, inner) for p in inner.members):
            return
        outer.joined = inner
        inner.outer = (*outer.outer, outer)
        inner.folds = outer.folds

    def _adjacent(self, primitive: Primitive, outer: Loop, inner: Loop) -> bool:
        if isinstance(primitive, Fold) and primitive.where:
            return False
        counted = (o.loop for o in primitive.operands.values() if isinstance(o, Position))
        if {self.places[primitive].loops[k] for k in counted} & {outer, inner}:
            return False
        for access in (primitive.target, *primitive.reads()):
            element = self.element(primitive, access)
            axes = [t for t in element if t.loop in (outer, inner) or t.within in (outer, inner)]
            if not axes:
                continue
            at = element.index(axes[0])
            whole = access.buffer.extents[at + 1 : at + 2]
            rows = (Turn(0, 1, outer), Turn(0, 1, inner))
            if len(axes) != len(rows) or element[at : at + 2] != rows:
                return False
            if access.buffer.reused > at or whole[0].root() is not inner.extent.root():
                return False
        return True

    # Sharing memory.

    def reuse(self, storages: set[Storage]) -> None:
        """Keep only one row of what is used up in the turn of a loop that computes it."""
        accesses: dict[Storage, list[tuple[Primitive, Access]]] = defaultdict(list)
        for p in self.places:
            for access in (p.target, *p.reads()):
                if access.storage in storages:
                    accesses[access.storage].append((p, access))
        for uses in accesses.values():
            buffer = uses[0][1].buffer
            if all(access.buffer is buffer for _, access in uses):
                elements = [self.element(p, access) for p, access in uses]
                buffer.reuse(self._used_up(elements), max(self.parts, 1))

    @staticmethod
    def _used_up(elements: Sequence[Element]) -> int:
        """How many of the first axes are always walked along by the same loop.

        The last axis is not among them: a loop over single elements would have to run them one
        after the other.
        """
        count = 0
        for axis in list(zip(*elements, strict=True))[:-1]:
            loop = axis[0].loop
            if loop is None or any(turn != Turn(0, 1, loop) for turn in axis):
                break
            count += 1
        return count


def _conflicts(earlier: Primitive, later: Primitive) -> Iterator[tuple[Access, Access]]:
    """The pairs of accesses to the same memory of which one writes."""
    for access in later.reads():
        if access.storage is earlier.target.storage:
            yield earlier.target, access
    for access in (earlier.target, *earlier.reads()):
        if access.storage is later.target.storage:
            yield access, later.target


Step = Kernel | Product | Batch | Words | Repeat | Callback | Guard


def fuse(tasks: Sequence[Task]) -> list[Step]:
    """Kernels and all other steps, in the order in which they run, that do the tasks."""
    fusion = _Fusion()
    for task in tasks:
        fusion.add(task)
    return fusion.finished()


class _Fusion:
    """The steps so far, and who reads and writes what in them."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._where: dict[Task, int] = {}
        self._writers: dict[Storage, list[Task]] = defaultdict(list)
        self._readers: dict[Storage, list[Task]] = defaultdict(list)
        self._errors: list[Task] = []
        self._first = 0
        self._waiting: dict[Task, tuple[int, set[Task]]] = {}
        self._little: set[Task] = set()

    def add(self, task: Task) -> None:
        """Put a task into the first step that can do it, or a new one, unless it can wait."""
        after = self._needed_before(task)
        if isinstance(task, Primitive) and self._can_wait(task):
            self._waiting[task] = len(self._waiting), after
        else:
            self._put(task, self._awaited(after))
        self._note(task)

    def finished(self) -> list[Step]:
        """All steps, when no task is left."""
        self._awaited(set(self._waiting))
        return self.steps

    def _put(self, task: Task, earliest: int = 0) -> None:
        """Put a task into a step from `earliest` on, behind those that it comes after."""
        after = {q for q in self._needed_before(task) if q in self._where}
        if isinstance(task, Primitive):
            earliest = max(earliest, self._first, *(self._where[q] for q in after))
            earlier = {q for q in after if isinstance(q, Primitive)}
            number, kernel = self._kernel_for(task, earliest, earlier)
            if kernel.parts and isinstance(task, Fold) and is_split(task):
                partial, total = split(task, kernel.part.extent)
                kernel.add(partial, earlier)
                self._where[partial] = number
                self._note(partial)
                self._put(total)
                self._note(total)
                number = self._where[total]
            else:
                kernel.add(task, earlier)
        else:
            number = self._number_for(task, after)
            self.steps.insert(number, task)
            if isinstance(task, Guard) or calls_back(task):
                self._errors.append(task)
            if isinstance(task, Guard):
                self._first = len(self.steps)
        self._where[task] = number

    def _number_for(self, task: Task, after: set[Task]) -> int:
        """The number of a step that is no kernel.

        Words are drawn before the last kernel, if possible, so that numbers may be made of them
        there.
        """
        number = len(self.steps)
        last = self.steps[-1] if self.steps else None
        needed = max((self._where[q] for q in after), default=-1)
        could = isinstance(task, Words) and max(needed + 1, self._first) < number
        if not could or not isinstance(last, Kernel):
            return number
        self._where.update(dict.fromkeys(last.places, number))
        return number - 1

    def _can_wait(self, p: Primitive) -> bool:
        """Whether it is computed where it is first read, so that it may need no memory.

        That is what is made element by element of what is there from the start, a velocity that
        is slowed down before a gradient is added, and what is made of little: zeros, or the sum
        of ones at labels.
        """
        if p.target.storage.given or p.target.storage.kept:
            return False
        made = [q for a in p.reads() if not a.storage.given for q in self._writers[a.storage]]
        spread = all(
            len({i.axis for i in a.indices} - {None}) < len(p.space)
            for a in p.reads()
            if a.storage.given
        )
        if spread and self._little.issuperset(made):
            self._little.add(p)
            return True
        return isinstance(p, Map) and bool(p.space) and self._waiting.keys() >= set(made)

    def _awaited(self, after: set[Task]) -> int:
        """Put those of the tasks that wait, and those that they wait for, where all the others are.

        Returns from which step on what comes after all of them may be.
        """
        earliest = max((self._where[q] for q in after if q in self._where), default=0)
        needed: dict[Task, tuple[int, set[Task]]] = {}
        new = {q for q in after if q in self._waiting}
        while new:
            needed.update({q: self._waiting[q] for q in new})
            before = {r for q in new for r in self._waiting[q][1]}
            new = {q for q in before if q in self._waiting and q not in needed}
        for q in sorted(needed, key=lambda q: needed[q][0]):
            del self._waiting[q]
            self._little.discard(q)
            self._put(q, earliest)
            earliest = max(earliest, self._where[q])
        return earliest

    def _needed_before(self, task: Task) -> set[Task]:
        read, written = task.touched()
        after = {q for storage in read for q in self._writers[storage]}
        for storage in written:
            after.update(self._writers[storage], self._readers[storage])
            if storage.given:  # an error must leave what is kept as it was
                after.update(self._errors)
        return after

    def _note(self, task: Task) -> None:
        read, written = task.touched()
        for storage in written:
            self._writers[storage].append(task)
        for storage in read:
            self._readers[storage].append(task)

    def _kernel_for(
        self, primitive: Primitive, earliest: int, earlier: set[Primitive]
    ) -> tuple[int, Kernel]:
        """The first kernel from `earliest` on that has room, or a new one."""
        for number in range(earliest, len(self.steps)):
            step = self.steps[number]
            if isinstance(step, Kernel) and step.has_room(primitive, earlier):
                return number, step
        kernel = Kernel(parts_of(primitive))
        self.steps.append(kernel)
        return len(self.steps) - 1, kernel


# Loops in parts.


def parts_of(primitive: Primitive) -> int:
    """In how many parts the outermost loop of a primitive is worth being done, 0 for none.

    It follows from lengths alone, so that a sum is always added up in the same order.
    """
    points = prod(extent.length for extent in primitive.space)
    if points < LARGE or not has_separate_turns(primitive):
        return 0
    outermost = primitive.space[primitive.order[0]].length
    parts = min(PARTS, outermost, points // GRAIN)
    if parts < 2 or (is_split(primitive) and not can_be_split(primitive, parts)):
        return 0
    return parts


def has_separate_turns(primitive: Primitive) -> bool:
    """Whether no turn of the outermost loop touches what another one writes, folding apart."""
    first = primitive.order[0]
    if isinstance(primitive, Fold):
        return True
    own = [a for a in primitive.reads() if a.storage is primitive.target.storage]
    return any(
        index.axis == first
        and index.within is None  # windows may overlap
        and all(a.indices[k] == index for a in own)
        for k, index in enumerate(primitive.target.indices)
    )


def is_split(primitive: Primitive) -> bool:
    """Whether parts of the outermost loop have results that are to be folded together."""
    return isinstance(primitive, Fold) and primitive.order[0] in primitive.reduced


def can_be_split(fold: Primitive, parts: int) -> bool:
    """Whether that can be done, and with little memory and work besides the loop's own."""
    assert isinstance(fold, Fold)
    lengths = [extent.length for extent in fold.space]
    kept = prod(lengths[k] for k in fold.kept)
    return fold.combining is not None and 4 * parts * kept <= prod(lengths)


def split(fold: Fold, parts: Extent) -> tuple[Fold, Fold]:
    """The fold of each part of its outermost loop, and the fold of those."""
    text = fold.combining
    assert text is not None
    whole = fold.target
    extents = (parts, *whole.buffer.extents)
    partial = Buffer(Storage(whole.storage.dtype, prod(e.length for e in extents)), extents)
    place = {k: n for n, k in enumerate(sorted(fold.kept), 1)}
    target = tuple(
        replace(i, axis=_placed(i.axis, place), within=_placed(i.within, place))
        for i in whole.indices
    )
    total = Fold(
        fold.node,
        (parts, *(fold.space[k] for k in place)),
        text,
        {"x": Access(partial, (Index(axis=0), *target))},
        whole.storage.dtype,
        Access(whole.buffer, target),
        frozenset({0}),
        fold.start,
        origins=fold.origins,
    )
    return replace(fold, target=Access(partial, (Index(axis=PART), *whole.indices))), total


def _placed(axis: int | None, place: Mapping[int, int]) -> int | None:
    return None if axis is None else place[axis]


def settle(steps: Sequence[Step], kept: Collection[Storage] = ()) -> set[Storage]:
    """Decide what lies in memory, and where loops and memory can be shared.

    kept: what is needed in any case.  Returns the storages that are needed: those, what is read
    or changed from outside, constants, and what is read where its value is not at hand.
    """
    needed = _needed(steps).union(kept)
    users = Counter(s for step in steps for s in {s for p in _parts(step) for s in storages(p)})
    passing = {s for s, count in users.items() if count == 1 and not (s.kept or s.given)}
    passing &= needed.difference(kept)
    for step in steps:
        if isinstance(step, Kernel):
            step.reuse(passing & {p.target.storage for p in step.places})
            step.collapse()
    return needed


def _parts(step: Step) -> Sequence[Task]:
    return list(step.places) if isinstance(step, Kernel) else [step]


def _needed(steps: Sequence[Step]) -> set[Storage]:
    needed: set[Storage] = set()
    makers: dict[Storage, list[Primitive]] = defaultdict(list)
    kernels = [step for step in steps if isinstance(step, Kernel)]
    home = {p: kernel for kernel in kernels for p in kernel.places}
    for p in home:
        makers[p.target.storage].append(p)
    for step in steps:
        if not isinstance(step, Kernel):
            needed |= storages(step)
            continue
        for p in step.places:
            needed |= {s for s in storages(p) if s.kept or s.value is not None}
            if isinstance(p, Fold) and not step.in_register(p):
                needed.add(p.target.storage)
            for access in p.reads():
                own = makers[access.storage]
                if len(own) != 1 or not step.is_at_hand(own[0], p, access):
                    needed.add(access.storage)
    return needed
