"""Copies of expressions in which something is replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

from engine.errors import TypeMismatchError
from engine.expression import OPS, Constant, Variable, as_variable, leaves, substitute
from engine.shared import SharedVariable

Replacements = Mapping[Variable, Any] | Iterable[Sequence[Any]] | None


@overload
def clone(
    output: Variable, replace: Replacements = ..., strict: bool = ..., share_inputs: bool = ...
) -> Variable: ...
@overload
def clone(
    output: Sequence[Variable],
    replace: Replacements = ...,
    strict: bool = ...,
    share_inputs: bool = ...,
) -> list[Variable]: ...
def clone(
    output: Variable | Sequence[Variable],
    replace: Replacements = None,
    strict: bool = True,
    share_inputs: bool = True,
) -> Variable | list[Variable]:
    """The expression, or the list of them, with some of its variables replaced by others.

    replace: pairs (variable, expression to stand in its place), or a dict of these.  All are
        replaced at once: a replacement may contain what another one replaces.
    strict: replacements have the dtype of what they replace; otherwise they are cast to it.
    share_inputs: leave the other leaves as they are; otherwise they are new variables too.  New
        shared variables have their value in common with the old ones.

    Raises TypeMismatchError where a type would change.
    """
    pairs = replace.items() if isinstance(replace, Mapping) else replace or ()
    new: dict[Variable, Variable] = {}
    for old, value in pairs:
        new[old] = _replacement(old, as_variable(value), strict)
    outputs = [output] if isinstance(output, Variable) else list(output)
    if not share_inputs:
        for v in leaves(outputs):
            if v not in new and not isinstance(v, Constant):
                shared = isinstance(v, SharedVariable)
                new[v] = v.clone() if shared else Variable(v.type, name=v.name)
    copies = substitute(outputs, new)
    return copies[0] if isinstance(output, Variable) else copies


def _replacement(old: Variable, new: Variable, strict: bool) -> Variable:
    if new.ndim == old.ndim and (new.dtype == old.dtype or not strict):
        return new if new.dtype == old.dtype else OPS["cast"](new, old.dtype)
    raise TypeMismatchError(
        f"{old!r} cannot be replaced by {new!r}: they differ in type.",
        node=old.name,
        expected=str(old.type),
        got=str(new.type),
        hint="Cast the replacement, or pass strict=False." if new.ndim == old.ndim else None,
    )
