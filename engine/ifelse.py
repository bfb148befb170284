"""The lazy choice, under Theano's name."""

from __future__ import annotations

from typing import Any

from engine.errors import ParameterError
from engine.expression import OPS, as_variable


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: str | None = None) -> Any:
    """One branch if the scalar condition is not 0, else the other; only that one is computed.

    The branches are single tensors, which gives one, or lists or tuples of the same length, which
    gives a list or tuple.  Tensors that stand for each other have the same rank; their dtypes are
    promoted, their shapes may differ.  What flows back to a branch that is not taken is zero.

    Raises TypeMismatchError for a condition that is no scalar and for ranks that differ, and
    ParameterError for branches of different lengths.
    """
    several = isinstance(then_branch, list | tuple)
    if not several and not isinstance(else_branch, list | tuple):
        chosen = OPS["ifelse"](condition, then_branch, else_branch)
        chosen.name = name
        return chosen
    then = list(then_branch) if several else [then_branch]
    other = list(else_branch) if isinstance(else_branch, list | tuple) else [else_branch]
    if len(then) != len(other):
        raise ParameterError(
            f"The branches have {len(then)} and {len(other)} values.",
            node="ifelse",
            port="else_branch",
            expected=str(len(then)),
            got=str(len(other)),
        )
    holds = as_variable(condition)
    each = [OPS["ifelse"](holds, a, b) for a, b in zip(then, other, strict=True)]
    for i, v in enumerate(each):
        v.name = name and f"{name}.{i}"
    if not several:
        return each[0]
    return each if isinstance(then_branch, list) else tuple(each)
