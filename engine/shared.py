"""Shared variables: leaves of a graph that keep a value between the calls of functions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from threading import Lock, RLock
from typing import Any

import numpy as np

from engine.errors import TypeMismatchError
from engine.expression import Variable
from engine.types import TensorType

Array = np.ndarray[Any, Any]

_numbers = itertools.count()
_at_once = Lock()
"""Held for the moment in which several containers are read or written together."""


class Container:
    """Where a value is kept between calls, and who may change it at the moment.

    value: the array, None before the first.  It is replaced, never changed, so who has it may
    read on.  lock: held by a function from reading the old value to writing the new one.
    """

    __slots__ = ("lock", "number", "value")

    def __init__(self, value: Array | None) -> None:
        self.value = value
        self.lock = RLock()
        self.number = next(_numbers)

    def __reduce__(self) -> tuple[Any, ...]:
        return Container, (self.value,)


class Hold:
    """The locks of some containers, always taken in the same order, so that nobody waits in a
    circle; whoever has them may take them again."""

    __slots__ = ("_locks",)

    def __init__(self, containers: Iterable[Container]) -> None:
        ordered = sorted(set(containers), key=lambda c: c.number)
        self._locks = [c.lock for c in ordered]

    def __enter__(self) -> None:
        taken = 0
        try:
            for lock in self._locks:
                lock.acquire()
                taken += 1
        except BaseException:  # KeyboardInterrupt, while waiting
            self._release(taken)
            raise

    def __exit__(self, *raised: object) -> None:
        self._release(len(self._locks))

    def _release(self, count: int) -> None:
        for lock in self._locks[:count]:
            lock.release()


def read(containers: Iterable[Container]) -> list[Any]:
    """What they hold at one moment."""
    with _at_once:
        return [c.value for c in containers]


def write(containers: Iterable[Container], values: Iterable[Array]) -> None:
    """Give all of them new values at one moment, arrays that belong to nobody else."""
    with _at_once:
        for container, value in zip(containers, values, strict=True):
            container.value = value


class SharedVariable(Variable):
    """A leaf with a value of its own.  Functions read it, and change it by their updates.

    strict, allow_downcast: which values `set_value` takes, as for inputs.
    container: where the value is; the variable's clones have the same.
    """

    __slots__ = ("_default_update", "allow_downcast", "container", "strict")

    def __init__(
        self,
        type: TensorType,
        value: Array | None,
        name: str | None,
        strict: bool = False,
        allow_downcast: bool | None = None,
    ) -> None:
        super().__init__(type, name=name)
        self.container = Container(value)
        self._default_update: Variable | None = None
        self.strict = strict
        self.allow_downcast = allow_downcast

    @property
    def default_update(self) -> Variable | None:
        """The expression that every function using the variable assigns to it, unless told
        otherwise; None, or deleted, if there is none."""
        return self._default_update

    @default_update.setter
    def default_update(self, update: Variable | None) -> None:
        self._default_update = update

    @default_update.deleter
    def default_update(self) -> None:
        self._default_update = None

    def __reduce__(self) -> tuple[Any, ...]:
        # What may lead back to the variable itself is filled in once it is there.
        state = {
            "origins": self.origins,
            "_tag": self._tag,
            "container": self.container,
            "default_update": self.default_update,
        }
        made = (self.type, None, self.name, self.strict, self.allow_downcast)
        return type(self), made, (None, state)

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The value now: a copy, or with `borrow` the very array, which is not to be changed
        while functions run.

        return_internal_type: for Theano's sake; a value is an array wherever it is.
        """
        value: Any = self.container.value
        return value if borrow else value.copy()

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Put in another value of the same dtype and rank; its shape may differ.

        borrow: keep the very array.  Waits for functions that are computing an update of it.
        """
        label = self.name or "the shared variable"
        array = self.type.filter(value, label, self.allow_downcast, self.strict)
        with self.container.lock:
            self.container.value = array if borrow else np.array(array)

    def zero(self, borrow: bool = False) -> None:
        """Set every element to 0, with `borrow` in the array that is there."""
        with self.container.lock:
            value = self.get_value(borrow=True)
            if borrow:
                value[...] = 0
            else:
                self.container.value = np.zeros_like(value)

    def clone(self) -> SharedVariable:
        """Another variable with the same value, now and ever after."""
        clone = type(self)(self.type, None, self.name, self.strict, self.allow_downcast)
        clone.container = self.container
        clone.default_update = self.default_update
        return clone


def shared(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    borrow: bool = False,
    broadcastable: Any = None,
    target: str | None = None,
) -> SharedVariable:
    """A shared variable that starts with `value`.

    Its dtype is the value's (a Python int is int64, a float float64).  No axis stretches, even if
    its length is 1, unless `broadcastable` says so.  The value is copied unless `borrow`.
    strict, allow_downcast: which later values it takes, as for inputs.
    target: for Theano's sake; where a value lives is decided when a graph is compiled.

    Raises TypeMismatchError for what is no number, list or array.
    """
    if isinstance(value, Variable):
        raise TypeMismatchError(
            f"{value!r} is an expression; a shared variable starts with a number or an array.",
            expected="a number or an array",
            got=str(value.type),
        )
    try:
        array = np.asarray(value)
    except ValueError:  # rows of several lengths
        array = np.empty((), object)
    if array.dtype.kind not in "biufc":
        raise TypeMismatchError(
            f"This {type(value).__name__} cannot be the value of a shared variable.",
            expected="a number, a list of equally long rows, or an array",
            got=array.dtype.name,
        )
    pattern = (False,) * array.ndim if broadcastable is None else broadcastable
    kind = TensorType(array.dtype, pattern)
    kind.filter(array, name)
    return SharedVariable(kind, array if borrow else np.array(array), name, strict, allow_downcast)
