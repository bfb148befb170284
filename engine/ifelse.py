"""The lazy choice, under Theano's name."""

from __future__ import annotations

from typing import Any

from engine.graph import OPS, Variable


def ifelse(condition: Any, then: Any, other: Any, name: str | None = None) -> Variable:
    """`then` if the scalar condition is not 0, else `other`; only that one is computed.

    The branches must have the same rank; their dtypes are promoted.
    """
    chosen = OPS["ifelse"](condition, then, other)
    chosen.name = name
    return chosen
