"""What a loop is given, and what its function returns, sorted out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.config import config
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Constant, Variable, as_variable
from engine.known import known_value
from engine.shared import SharedVariable
from engine.types import TensorType


def listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


# What goes in.


@dataclass
class Walked:
    """What one argument of the body walks through.

    rows: it has a row for each step.  element: one of them, in the body.
    """

    rows: Variable
    element: Variable

    @classmethod
    def of(cls, entry: Any, go_backwards: bool) -> list[Walked]:
        """For each tap of a sequence what it walks through."""
        taps: list[int] = [0]
        if isinstance(entry, Mapping):
            _check_keys(entry, {"input", "taps"}, "sequences")
            taps = [int(k) for k in listed(entry.get("taps", 0))]
            entry = entry.get("input")
        v = as_variable(entry)
        if v.ndim == 0:
            raise ShapeError(
                f"{v!r} has no axis to walk along.", node="scan", expected="a vector or more"
            )
        low, high = min([0, *taps]), max([0, *taps])
        found = []
        for k in taps:
            rows = v[k - low : k - high or None] if (low, high) != (0, 0) else v
            rows = rows[::-1] if go_backwards else rows
            element = Variable(_row(rows.type), name=row_name(v.name, k))
            _give_test_value(element, rows, 0)
            found.append(cls(rows, element))
        return found


def _give_test_value(v: Variable, rows: Variable, at: int) -> None:
    """Let the body be tested with a row of what there is a test value of."""
    if config.compute_test_value == "off":
        return
    value = rows.data if isinstance(rows, Constant) else getattr(rows.tag, "test_value", None)
    if value is None and isinstance(rows, SharedVariable):
        value = rows.get_value(borrow=True)
    if value is not None and len(value):
        v.tag.test_value = np.asarray(value)[at]


def row_name(name: str | None, step: int) -> str | None:
    """A name for a row of something: `x[t]`, `x[t-1]`."""
    return name and f"{name}[t{step:+d}]".replace("+0", "")


def _row(t: TensorType) -> TensorType:
    return TensorType(t.dtype, t.shape[1:], t.broadcastable[1:])


def _check_keys(entry: Mapping[Any, Any], known: set[str], port: str) -> None:
    for key in entry:
        if key not in known:
            raise ParameterError(
                f"{key!r} says nothing about one of the {port}.",
                node="scan",
                port=port,
                expected=", ".join(sorted(known)),
                got=repr(key),
                hint="Select the rows that you need from the result."
                if key == "return_steps"
                else None,
            )


@dataclass
class State:
    """Something that is fed back.

    rows: those before the first step.  taps: which earlier rows the body reads, as `by_tap`.
    shared: the variable whose value it is at first.
    """

    rows: Variable
    taps: tuple[int, ...]
    by_tap: list[Variable]
    shared: SharedVariable | None = None

    @classmethod
    def of(cls, entry: Any) -> State | None:
        """An entry of outputs_info; None for a result that is not fed back."""
        taps: list[int] = [-1]
        if isinstance(entry, Mapping):
            _check_keys(entry, {"initial", "taps"}, "outputs_info")
            initial, given = entry.get("initial"), entry.get("taps")
            if initial is None and given is not None:
                raise ParameterError(
                    "A result that is read by taps needs an initial state.",
                    node="scan",
                    port="outputs_info",
                    expected="dict(initial=..., taps=[...])",
                    got=repr(dict(entry)),
                )
            entry = initial
            taps = taps if given is None else [int(k) for k in listed(given)]
        if entry is None:
            return None
        if not taps or max(taps) >= 0 or len(set(taps)) < len(taps):
            raise ParameterError(
                f"The taps {taps} of a result are not all different and before the step itself.",
                node="scan",
                port="outputs_info",
                expected="different negative numbers",
                got=str(taps),
            )
        v = as_variable(entry)
        if taps == [-1]:
            rows = v.dimshuffle("x", *range(v.ndim))
        elif v.ndim == 0:
            raise ShapeError(
                f"{v!r} has no axis along which the first rows for the taps {taps} could lie.",
                node="scan",
                port="outputs_info",
                expected=f"{-min(taps)} rows",
                got=str(v.type),
            )
        else:
            rows = v[: -min(taps)]
        by_tap = [Variable(_row(rows.type), name=row_name(v.name, k)) for k in taps]
        for tap, row in zip(taps, by_tap, strict=True):
            _give_test_value(row, rows, tap)
        return cls(rows, tuple(taps), by_tap)

    @classmethod
    def of_shared(cls, v: SharedVariable) -> State:
        """A shared variable that changes from step to step."""
        rows = v.dimshuffle("x", *range(v.ndim))
        return cls(rows, (-1,), [Variable(v.type, name=row_name(v.name, -1))], v)


def step_count(walked: Sequence[Variable], n_steps: Any) -> Variable:
    if n_steps is not None:
        whole = isinstance(n_steps, float | np.floating) and float(n_steps).is_integer()
        return as_variable(int(n_steps) if whole else n_steps)
    if not walked:
        raise ShapeError(
            "Nothing says how many steps the loop takes.",
            node="scan",
            expected="n_steps, or a sequence to walk through",
        )
    count: Variable = OPS["shape"](walked[0])[0]
    for v in walked[1:]:
        count = OPS["minimum"](count, OPS["shape"](v)[0])
    known = known_value(count)
    return count if known is None else Constant(known, "int64")


class until:  # noqa: N801 -- Theano's name
    """Says, in what the function of a loop returns, when to stop: after the step where the
    condition is true.  The result of that step is still among the results.
    """

    def __init__(self, condition: Any) -> None:
        self.condition = as_variable(condition)
        if self.condition.ndim:
            raise TypeMismatchError(
                "The condition that ends a loop must be a scalar.",
                node="scan",
                expected="a scalar",
                got=str(self.condition.type),
                hint="Reduce it with T.all or T.any.",
            )


# What comes out.


@dataclass
class Returned:
    """What the function of a loop has returned."""

    results: list[Variable] = field(default_factory=list)
    updates: dict[SharedVariable, Variable] = field(default_factory=dict)
    condition: Variable | None = None

    @classmethod
    def of(cls, returned: Any) -> Returned:
        """Sort results, updates and condition."""
        if returned is None:
            raise ParameterError(
                "The function of a loop returned nothing.",
                node="scan",
                expected="results, updates, or both",
                got="None",
            )
        found = cls()
        parts = list(returned) if _has_parts(returned) else [returned]
        if parts and isinstance(parts[-1], until):
            found.condition = parts.pop().condition
        if parts and _is_updates(parts[-1]):
            for target, value in _pairs(parts.pop()):
                if not isinstance(target, SharedVariable):
                    raise TypeMismatchError(
                        f"{target!r} cannot be updated in a loop: it is not shared.",
                        node="scan",
                        expected="a shared variable",
                        got=repr(target),
                    )
                found.updates[target] = as_variable(value)
        if len(parts) > 1:
            raise ParameterError(
                "The function of a loop returned something that cannot be told apart into results, "
                "updates and a condition.",
                node="scan",
                expected="results, then updates, then until(condition), each if there is any",
                got=f"{len(parts)} parts before those",
            )
        found.results = [as_variable(v) for part in parts for v in listed(part)]
        return found


def _has_parts(returned: Any) -> bool:
    """Whether results, updates and condition are told apart by the outermost tuple or list."""
    if not isinstance(returned, list | tuple) or _is_updates(returned):
        return False
    return bool(returned) and (isinstance(returned[-1], until) or _is_updates(returned[-1]))


def _is_updates(part: Any) -> bool:
    if isinstance(part, Mapping):
        return True
    return isinstance(part, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], SharedVariable)
        for pair in part
    )


def _pairs(updates: Any) -> Iterable[tuple[Any, Any]]:
    return updates.items() if isinstance(updates, Mapping) else updates
