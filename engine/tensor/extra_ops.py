"""Theano's `tensor.extra_ops`: running sums, counts, repetitions, and others under that name."""

from collections.abc import Callable
from typing import Any

import engine.tensor

NAMES = frozenset(
    {
        "bartlett",
        "bincount",
        "broadcast_arrays",
        "broadcast_shape",
        "broadcast_to",
        "compress",
        "cumprod",
        "cumsum",
        "diff",
        "fill_diagonal",
        "fill_diagonal_offset",
        "ravel_multi_index",
        "repeat",
        "searchsorted",
        "squeeze",
        "to_one_hot",
        "unique",
        "unravel_index",
    }
)
"""What is in `engine.tensor` and was here in Theano."""


def Unique(  # noqa: N802 -- a class in Theano
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Callable[[Any], Any]:
    """Gives what occurs in a tensor, sorted, and what else is asked for: `Unique(True)(x)`."""
    asked = return_index, return_inverse, return_counts
    return lambda x: engine.tensor.unique(x, *asked, axis)


def __getattr__(name: str) -> Any:
    if name in NAMES:
        return getattr(engine.tensor, name)
    raise AttributeError(f"engine.tensor.extra_ops has no {name!r}.")


def __dir__() -> list[str]:
    return sorted({"Unique", *NAMES})
