"""What every op comes down to: a formula over some loops, a fold, a product, steps, a callback.

A formula is a text in the language that all kernels share, Numba's: see `Op.scalar`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.codegen.layout import Access, Extent, Storage, View
from engine.expression import Apply

IDENTITY = "{x}"
"""The formula of a copy."""
SUM = "accumulate({acc}, {x})"
"""That of a sum."""


@dataclass(frozen=True)
class Literal:
    """A number that stands in the kernel's text."""

    value: bool | int | float


@dataclass(frozen=True)
class Count:
    """How many points some loops have together."""

    extents: tuple[Extent, ...]


@dataclass(frozen=True)
class Position:
    """The number of the turn of a loop, counted from 0."""

    loop: int


Operand = Access | Literal | Count | Position


@dataclass(eq=False)
class Primitive:
    """One formula, computed for every point of a space of loops.

    node: the apply that it belongs to, None for copies that the compiler adds.
    origins: ids of the canvas nodes that it stems from, those of the apply unless given.
    space: the length of each loop.  operands: what the formula reads, by name; an Access is of
    loops by their number in `space`.  working: the dtype that operands are cast to, but those
    in `casts` to the one that is named there.
    target: where the result goes; its storage has the dtype of the result.
    order: the loops from the outermost to the innermost.
    """

    node: Apply | None
    space: tuple[Extent, ...]
    text: str
    operands: Mapping[str, Operand]
    working: str
    target: Access
    order: tuple[int, ...] = field(default=(), kw_only=True)
    casts: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    origins: frozenset[str] = field(default=frozenset(), kw_only=True)

    def __post_init__(self) -> None:
        self.origins = self.origins or _origins(self.node)
        self.order = self.order or tuple(range(len(self.space)))

    def reads(self) -> Iterator[Access]:
        """The accesses among the operands, and what tells where they and the target are."""
        yield from self.target.places
        for operand in self.operands.values():
            if isinstance(operand, Access):
                yield from operand.places
                yield operand

    def touched(self) -> tuple[set[Storage], set[Storage]]:
        """The memory that is read, and that which is written."""
        return {a.storage for a in self.reads()}, {self.target.storage}


@dataclass(eq=False)
class Map(Primitive):
    """The formula's value is the element of the target."""


@dataclass(eq=False)
class Fold(Primitive):
    """The formula is the accumulator after one more point; it reads the one before as `acc`.

    reduced: the loops that are folded away.  start: the accumulator at first.
    where: for the place of an extreme: the formula is the condition under which the point takes
    the lead; the target gets the number of the leading point.
    """

    reduced: frozenset[int]
    start: str
    where: bool = False

    @property
    def combining(self) -> str | None:
        """The text that folds results of parts together; None where there is none."""
        if self.where:
            return None
        if self.text.startswith("accumulate("):
            return SUM
        for word in ("or", "and", "|"):
            if self.text.startswith(f"{{acc}} {word} "):
                return f"{{acc}} {word} {{x}}"
        known = ("{acc} * {x}", "greatest({acc}, {x})", "least({acc}, {x})")
        return self.text if self.text in known else None

    @property
    def first_reduced(self) -> int | None:
        """The outermost loop that is folded away."""
        return next((i for i in self.order if i in self.reduced), None)

    @property
    def kept(self) -> tuple[int, ...]:
        """The loops that remain, from the outermost to the innermost."""
        return tuple(i for i in self.order if i not in self.reduced)


@dataclass(frozen=True)
class Matrix:
    """A matrix in memory.

    offset: of its first element.  row, column: how far it is from a row, or a column, to the next.
    All in elements.
    """

    storage: Storage
    offset: int
    row: int
    column: int

    @property
    def transposed(self) -> Matrix:
        """Its rows as columns."""
        return Matrix(self.storage, self.offset, self.column, self.row)


@dataclass(eq=False)
class Product:
    """A product of matrices that BLAS computes: target = scale * x @ y.

    space: the numbers of rows, of products that are summed, and of columns.
    adds: whether it is added to what the target holds.  scale: a number that it is multiplied by.
    """

    node: Apply | None
    x: Matrix
    y: Matrix
    target: Matrix
    space: tuple[int, int, int]
    adds: bool = False
    scale: float = 1.0
    origins: frozenset[str] = field(default=frozenset(), kw_only=True)

    def __post_init__(self) -> None:
        self.origins = self.origins or _origins(self.node)

    def touched(self) -> tuple[set[Storage], set[Storage]]:
        """The memory that is read, and that which is written."""
        read = {self.x.storage, self.y.storage}
        if self.adds:
            read.add(self.target.storage)
        return read, {self.target.storage}


@dataclass(eq=False)
class Batch:
    """The same tasks for each entry of a batch, one entry after the other.

    tasks: those of the first entry.  count: of entries.
    moving: by how many elements the place of a storage moves from entry to entry.
    parts: how many parts of the batch may be done at the same time.
    apart: by how many elements the place of a storage moves from part to part.
    """

    node: Apply
    tasks: tuple[Task, ...]
    count: int
    moving: Mapping[Storage, int]
    parts: int = 1
    apart: Mapping[Storage, int] = field(default_factory=dict)

    @property
    def origins(self) -> frozenset[str]:
        """The ids of the canvas nodes that it stems from."""
        return _origins(self.node)

    def touched(self) -> tuple[set[Storage], set[Storage]]:
        """The memory that is read, and that which is written."""
        touched = [task.touched() for task in self.tasks]
        read, written = (set[Storage]().union(*part) for part in zip(*touched, strict=True))
        return read, written


@dataclass(eq=False)
class Callback:
    """A function of the interpreter's that is called between the kernels.

    function: from the arrays at `sources` to those that go to `targets`; what it raises ends
    the run before anything that is kept has changed.
    """

    node: Apply | None
    function: Callable[[Sequence[Any]], Sequence[Any]]
    sources: tuple[View, ...]
    targets: tuple[View, ...]
    origins: frozenset[str] = field(default=frozenset(), kw_only=True)

    def __post_init__(self) -> None:
        self.origins = self.origins or _origins(self.node)

    def touched(self) -> tuple[set[Storage], set[Storage]]:
        """The memory that is read, and that which is written."""
        read = {v.buffer.storage for v in self.sources}
        return read, {v.buffer.storage for v in self.targets}


@dataclass(eq=False)
class Guard:
    """A look at a flag, which ends the run if it is set; what comes later has not begun then.

    flag: a single bool.
    """

    flag: View
    node: Apply | None = None
    origins: frozenset[str] = frozenset()

    def touched(self) -> tuple[set[Storage], set[Storage]]:
        """The memory that is read, and that which is written."""
        return {self.flag.buffer.storage}, set()


@dataclass(eq=False)
class Words:
    """Random words, as many as the target has elements, drawn from a state.

    Both views are dense.
    """

    node: Apply
    state: View
    target: View

    @property
    def origins(self) -> frozenset[str]:
        """The ids of the canvas nodes that it stems from."""
        return _origins(self.node)

    def touched(self) -> tuple[set[Storage], set[Storage]]:
        """The memory that is read, and that which is written."""
        return {self.state.buffer.storage}, {self.target.buffer.storage}


@dataclass(frozen=True)
class Walk:
    """Where memory lies that is in each step of a loop another row of a larger one.

    storage: the larger one.  offset: the place of its row 0.  stride: how many elements lie
    between neighbours.  first: the row of the first step.  rows: after so many it is row 0 again,
    None for never.  axis: that of a buffer which is walked along, None for one that goes round.
    """

    storage: Storage
    offset: int
    stride: int
    first: int = 0
    rows: int | None = None
    axis: int | None = None


@dataclass(eq=False)
class Repeat:
    """Tasks that are done again and again, each time with other rows of some memory.

    steps: how often, or the memory in which an int64 says so.  tasks: what is done in a step.
    walks: for the memory that moves from step to step, where it is.
    until: memory of a bool; the step in which it becomes true is the last one.
    """

    node: Apply
    steps: int | Storage
    tasks: Sequence[Task]
    walks: Mapping[Storage, Walk]
    until: Storage | None = None

    @property
    def origins(self) -> frozenset[str]:
        """The ids of the canvas nodes that it stems from."""
        return _origins(self.node)

    def touched(self) -> tuple[set[Storage], set[Storage]]:
        """The memory outside that is read, and that which is written."""
        read: set[Storage] = set() if isinstance(self.steps, int) else {self.steps}
        written: set[Storage] = set()
        for task in self.tasks:
            more = task.touched()
            read |= more[0]
            written |= more[1]
        moved = self.walks
        return (
            {moved[s].storage if s in moved else s for s in read if s in moved or s not in written},
            {moved[s].storage for s in written if s in moved},
        )


Task = Primitive | Product | Batch | Words | Callback | Guard | Repeat
"""One thing to do, after those whose results it needs."""


def _origins(node: Apply | None) -> frozenset[str]:
    return node.origins if node is not None else frozenset()


def calls_back(task: Task) -> bool:
    """Whether the interpreter is called, which may end the run."""
    return isinstance(task, Callback) or (
        isinstance(task, Repeat) and any(map(calls_back, task.tasks))
    )


def storages(task: Task) -> set[Storage]:
    """All memory that a task touches."""
    read, written = task.touched()
    return read | written
