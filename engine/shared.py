"""Shared variables: leaves of a graph that keep a value between the calls of functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import TypeMismatchError
from engine.graph import Variable
from engine.types import TensorType


class SharedVariable(Variable):
    """A leaf with a value of its own.  Functions read it, and change it by their updates.

    default_update: the expression that every function using the variable assigns to it, unless
    told otherwise.
    """

    __slots__ = ("_value", "default_update")

    def __init__(self, type: TensorType, value: np.ndarray[Any, Any], name: str | None) -> None:
        super().__init__(type, name=name)
        self._value = value
        self.default_update: Variable | None = None

    def get_value(self, borrow: bool = False) -> Any:
        """The value now: a copy, or with `borrow` the very array."""
        return self._value if borrow else self._value.copy()

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Put in another value of the same dtype and rank; its shape may differ."""
        array = self.type.filter(value, self.name or "the shared variable")
        self._value = array if borrow else np.array(array)

    def take(self, value: np.ndarray[Any, Any]) -> None:
        """Take over an array that is known to be of this type and to belong to nobody else."""
        self._value = value


def shared(
    value: Any, name: str | None = None, borrow: bool = False, broadcastable: Any = None
) -> SharedVariable:
    """A shared variable that starts with `value`.

    Its dtype is the value's (a Python int is int64, a float float64).  No axis stretches, even if
    its length is 1, unless `broadcastable` says so.  Raises TypeMismatchError for what is no
    number, list or array.
    """
    if isinstance(value, Variable):
        raise TypeMismatchError(
            f"{value!r} is an expression; a shared variable starts with a number or an array.",
            expected="a number or an array",
            got=str(value.type),
        )
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise TypeMismatchError(
            f"{type(value).__name__} cannot be the value of a shared variable.",
            expected="a number or an array",
            got=array.dtype.name,
        )
    pattern = (False,) * array.ndim if broadcastable is None else broadcastable
    kind = TensorType(array.dtype, pattern)
    return SharedVariable(kind, array if borrow else np.array(array), name)
