"""Updates and givens: pairs of a variable and what it becomes, or what stands for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import ParameterError, TypeMismatchError
from engine.expression import Constant, Variable, leaves, substitute
from engine.shared import SharedVariable, shared
from engine.types import TensorType

Pairs = Mapping[Any, Any] | Iterable[Sequence[Any]] | None


class OrderedUpdates(OrderedDict[SharedVariable, Any]):
    """Updates by shared variable, in order; Theano's class of this name.

    Raises TypeMismatchError for a key that is not shared, and ParameterError where two of them
    are put together that update one variable differently.
    """

    def __init__(self, updates: Pairs = None) -> None:
        super().__init__()
        self.update(updates)

    def __setitem__(self, key: SharedVariable, value: Any) -> None:
        _check_shared(key)
        super().__setitem__(key, value)

    def update(self, updates: Any = None) -> None:
        """Take in other updates."""
        for key, value in _pairs(updates, "updates"):
            if key in self and self[key] is not value:
                raise ParameterError(f"{key!r} has two updates.", node=key.name)
            self[key] = value

    def __add__(self, updates: Pairs) -> OrderedUpdates:
        both = OrderedUpdates(self)
        both.update(updates)
        return both

    def __radd__(self, updates: Pairs) -> OrderedUpdates:
        return OrderedUpdates(updates) + self


def assignments(updates: Pairs) -> dict[SharedVariable, Variable]:
    """The next value of each shared variable, checked to be of its type.

    Raises TypeMismatchError for another type or what is not shared, and ParameterError for two
    updates of one variable.
    """
    assigned: dict[SharedVariable, Variable] = {}
    for target, value in _pairs(updates, "updates"):
        _check_shared(target)
        if target in assigned:
            raise ParameterError(f"{target!r} has two updates.", node=target.name)
        assigned[target] = next_value(target, value, "shared variable")
    return assigned


def next_value(v: Variable, value: Any, kind: str) -> Variable:
    """What a variable is updated to; TypeMismatchError if that is of another type.

    kind: what people call such a variable.
    """
    if not isinstance(value, Variable):
        return Constant(v.type.filter(value, f"The update of {v!r}"))
    if not _fits(v.type, value.type):
        if (v.dtype, v.ndim) == (value.dtype, value.ndim):
            hint = "Use T.addbroadcast where an axis of the update has length 1."
        elif v.dtype == value.dtype:
            hint = f"The update has to have {v.ndim} dimensions too."
        else:
            hint = f"Make it {value.dtype} to begin with, or cast the update to {v.dtype}."
        raise TypeMismatchError(
            f"An update must have the same type as its {kind}: {v!r} is {v.type}, but its update "
            f"is {value.type}.",
            node=v.name,
            expected=str(v.type),
            got=str(value.type),
            hint=hint,
        )
    return value


def default_updates(
    expressions: Sequence[Variable],
    assigned: Mapping[SharedVariable, Variable],
    replaced: Mapping[Variable, Variable],
    left_out: bool | Iterable[SharedVariable],
) -> dict[SharedVariable, Variable]:
    """The updates by which shared variables in the expressions advance by themselves.

    Also of those that only such updates read.  assigned: those that have an update already.
    replaced: what the updates have something else in place of.  left_out: True for all of them,
    or those that keep still.
    """
    if left_out is True:
        return {}
    if not isinstance(left_out, bool | list | tuple | set | frozenset):
        raise TypeMismatchError(
            "no_default_updates is True, False or a list of shared variables.", got=repr(left_out)
        )
    still = {*assigned, *([] if isinstance(left_out, bool) else left_out)}
    found: dict[SharedVariable, Variable] = {}
    waiting = leaves(expressions)
    while waiting:
        v = waiting.pop()
        if not isinstance(v, SharedVariable) or v in still or v in found:
            continue
        if v.default_update is not None:
            update = next_value(v, v.default_update, "shared variable")
            (found[v],) = substitute([update], replaced)
            waiting += leaves([found[v]])
    return found


def replacements(givens: Pairs, strict: bool) -> dict[Variable, Variable]:
    """What stands for each variable that is given.

    strict: whether it has to be of the same type.  Raises TypeMismatchError if it is not, and
    ParameterError for a variable that is given twice.
    """
    replaced: dict[Variable, Variable] = {}
    for old, value in _pairs(givens, "givens"):
        if not isinstance(old, Variable):
            raise TypeMismatchError(f"{old!r} is no variable that could be replaced.")
        if old in replaced:
            raise ParameterError(f"{old!r} is given twice.", node=old.name)
        if isinstance(value, Variable):
            new = value
        elif strict:
            array = old.type.filter(value, f"What is given for {old!r}")
            new = SharedVariable(old.type, np.array(array), None)
        else:
            new = shared(value)
        if strict and not _fits(old.type, new.type):
            raise TypeMismatchError(
                f"{old!r} cannot be given as {new!r}: they differ in type.",
                node=old.name,
                expected=str(old.type),
                got=str(new.type),
                hint="Cast it, or pass rebuild_strict=False if the result may change its type.",
            )
        replaced[old] = new
    return replaced


def _check_shared(target: Any) -> None:
    if not isinstance(target, SharedVariable):
        raise TypeMismatchError(
            f"{target!r} cannot be updated: it is not shared.",
            expected="a shared variable",
            hint="An input keeps a value between calls if it is In(x, value=…, update=…).",
        )


def _pairs(given: Pairs, what: str) -> list[tuple[Any, Any]]:
    if given is None:
        return []
    pairs = list(given.items() if isinstance(given, Mapping) else given)
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise TypeMismatchError(
                f"The {what} are a dict, or a list of pairs.",
                expected="(variable, expression)",
                got=repr(pair),
            )
    return [(old, new) for old, new in pairs]


def _fits(type: TensorType, other: TensorType) -> bool:
    """Whether a value of the other type may stand where one of this type does."""
    if (type.dtype, type.ndim) != (other.dtype, other.ndim):
        return False
    stretches = zip(type.broadcastable, other.broadcastable, strict=True)
    lengths = zip(type.shape, other.shape, strict=True)
    return all(b or not a for a, b in stretches) and all(
        m is None or n is None or m == n for m, n in lengths
    )
