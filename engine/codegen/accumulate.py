"""Products that are added to what is there already, as BLAS does in the same pass.

Where the sum `t + c * (x @ y)` is the next value of t, the product is added to t.  Where t is
a product that serves nothing else, it is computed in the place of the sum.  What loops compute
of t shares their passes with what comes after the sum, so that it is better left to them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from engine.codegen.layout import Access, Index, Storage
from engine.codegen.primitives import IDENTITY, Literal, Map, Operand, Product, Task

PLUS, MINUS, TIMES, NEGATIVE = "{x} + {y}", "{x} - {y}", "{x} * {y}", "-{x}"


def accumulated(tasks: Sequence[Task]) -> list[Task]:
    """The tasks, in which products are added to other values wherever that is the same."""
    uses = _Uses(tasks)
    for task in tasks:
        if isinstance(task, Product) and not task.adds:
            _Scaled(uses, task).merge()
    return [new for task in tasks for new in uses.becomes.get(task, (task,))]


class _Uses:
    """Who reads and who writes which memory, and what tasks are replaced by."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.place = {task: k for k, task in enumerate(tasks)}
        self.readers: dict[Storage, list[Task]] = defaultdict(list)
        self.writers: dict[Storage, list[Task]] = defaultdict(list)
        self.becomes: dict[Task, tuple[Task, ...]] = {}
        for task in tasks:
            read, written = task.touched()
            for storage in read:
                self.readers[storage].append(task)
            for storage in written:
                self.writers[storage].append(task)

    def only_reader(self, storage: Storage) -> Map | None:
        """The map for which alone something is computed, in one go."""
        if storage.kept or storage.given or len(self.writers[storage]) != 1:
            return None
        readers = self.readers[storage]
        reader = readers[0] if len(readers) == 1 else None
        return reader if isinstance(reader, Map) and reader not in self.becomes else None

    def changed(self, storages: Sequence[Storage], first: Task, last: Task) -> bool:
        """Whether any of the storages is written between two tasks."""
        writers = (self.place[w] for s in storages for w in self.writers[s])
        return any(self.place[first] < k < self.place[last] for k in writers)


class _Scaled:
    """A product, and the maps that do nothing but multiply it by numbers."""

    def __init__(self, uses: _Uses, product: Product) -> None:
        self._uses = uses
        self._product = product
        self._factor = 1.0
        self._maps: list[Map] = []
        self._result = product.target.storage
        self._next = uses.only_reader(self._result)
        while self._next is not None and self._takes_in(self._next):
            self._maps.append(self._next)
            self._result = self._next.target.storage
            self._next = uses.only_reader(self._result)

    def _takes_in(self, task: Map) -> bool:
        """Whether a map multiplies by a number, which then belongs to the product."""
        own = _plainly_read(task, self._result)
        if own is not None and task.text == NEGATIVE:
            self._factor = -self._factor
            return True
        others = [o for o in task.operands.values() if o is not own]
        if own is None or task.text != TIMES or len(others) != 1:
            return False
        known = _known(others[0])
        if not known:  # BLAS leaves a product out that is multiplied by 0, be it NaN
            return False
        self._factor *= known
        return True

    def merge(self) -> None:
        """Add the product in the place of a sum, if there is one where that is the same."""
        task = self._next
        own = None if task is None else _plainly_read(task, self._result)
        if task is None or own is None or task.text not in (PLUS, MINUS):
            return
        negative = task.text == MINUS
        first, second = task.operands["x"], task.operands["y"]
        other = second if first is own else first
        if (negative and first is own) or not isinstance(other, Access):
            return
        if not _alike(other, own) or other.storage is own.storage:
            return
        if negative:
            self._factor = -self._factor
        total = task.target.storage
        update = self._uses.only_reader(total)
        if update is not None and self._is_update(update, total, other.storage):
            self._put(update, [*self._maps, task])
        elif not self._changed_before(task) and self._moves(other.storage, task):
            self._put(task, self._maps)

    def _changed_before(self, task: Task) -> bool:
        """Whether a factor is not the same any more when a later task is done."""
        factors = self._product.x.storage, self._product.y.storage
        return self._uses.changed(factors, self._product, task)

    def _is_update(self, update: Map, total: Storage, place: Storage) -> bool:
        """Whether a map does nothing but put the sum where one of its terms was."""
        own = _plainly_read(update, total)
        return (
            own is not None
            and update.text == IDENTITY
            and update.target.storage is place
            and place not in (self._product.x.storage, self._product.y.storage)
            and not self._changed_before(update)
        )

    def _moves(self, storage: Storage, task: Map) -> bool:
        """Let the other term of a sum, a product, be computed where the sum is to be."""
        target = task.target.storage
        if target.given or self._uses.only_reader(storage) is not task:
            return False
        (maker,) = self._uses.writers[storage]
        if not isinstance(maker, Product) or maker in self._uses.becomes:
            return False
        maker.target = replace(maker.target, storage=target)
        self._uses.writers[target].append(maker)
        return True

    def _put(self, place: Map, dropped: Sequence[Map]) -> None:
        """Add the product where a map writes, in place of the map and of what led to it."""
        product = self._product
        target = place.target.storage
        matrix = replace(product.target, storage=target)
        added = replace(product, target=matrix, adds=True, scale=self._factor)
        for task in (place, *dropped):
            added.origins |= task.origins
            self._uses.becomes[task] = ()
        self._uses.becomes[product] = ()
        self._uses.becomes[place] = (added,)


def _plainly_read(task: Map, storage: Storage) -> Access | None:
    """The only operand of a map that reads a storage, if it is read and written row by row."""
    own = [o for o in task.operands.values() if isinstance(o, Access) and o.storage is storage]
    dtypes = {task.working, storage.dtype, task.target.storage.dtype, *task.casts.values()}
    if len(own) != 1 or len(dtypes) > 1:
        return None
    axes = [i.axis for i in own[0].indices]
    whole = sorted(a for a in axes if a is not None) == list(range(len(task.space)))
    return own[0] if whole and _alike(own[0], task.target) else None


def _alike(access: Access, other: Access) -> bool:
    """Whether two accesses meet all of their memory in the same order."""
    lengths = [e.length for e in access.buffer.extents]
    return (
        access.indices == other.indices
        and lengths == [e.length for e in other.buffer.extents]
        and all(i == Index(axis=i.axis) for i in access.indices)
        and all(i.axis is not None for i in access.indices)
        and access.storage.dtype == other.storage.dtype
        and access.buffer.reused == other.buffer.reused == 0
    )


def _known(operand: Operand) -> float | None:
    """The number that an operand always is."""
    if isinstance(operand, Literal):
        return float(operand.value)
    if isinstance(operand, Access) and operand.storage.length == 1:
        value = operand.storage.value
        return None if value is None else float(value.reshape(-1)[0])
    return None
