"""Pooling by windows whose lengths, strides or padding are computed as the graph runs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Constant, Variable, as_variable
from engine.known import known_value
from engine.ops.pooling import AVERAGES, MODES, least, pooled_dtype
from engine.ops.shape import length, lengths_of
from engine.ops.watching import assert_true
from engine.types import COMPLEX, DISCRETE, to_float

Numbers = Variable | Sequence[Any] | None


def known_numbers(given: Numbers) -> tuple[int, ...] | Numbers:
    """Whole numbers where all are known before the graph runs, else what was given."""
    if given is None:
        return None
    parts = list(given) if isinstance(given, list | tuple) else [given]
    if not any(isinstance(v, Variable) for v in parts):
        return given
    values = [known_value(as_variable(v)) for v in parts]
    if any(v is None or v.dtype.name not in DISCRETE for v in values):
        return given
    return tuple(int(n) for v in values for n in v.ravel())


def pool_by_computed_windows(
    input: Any,
    rank: int,
    ws: Numbers,
    ignore_border: bool,
    stride: Numbers,
    pad: Numbers,
    mode: str,
) -> Variable:
    """What the op pool_1d, pool_2d or pool_3d gives, for numbers that are computed.

    Along one axis after the other the elements of each window are gathered, then folded.
    Raises ParameterError, ShapeError or TypeMismatchError for what can be no numbers of windows;
    AssertionFailedError when it runs and they are out of their bounds.
    """
    x = as_variable(input)
    if mode not in MODES:
        raise ParameterError(
            f"mode cannot be {mode!r}.", port="mode", expected=", ".join(MODES), got=repr(mode)
        )
    if x.ndim < rank:
        raise ShapeError(
            f"There are {rank} axes to pool along, but the input has {x.ndim}.",
            port="input",
            expected=f"{rank} axes or more",
            got=str(x.type),
        )
    if mode == "max" and x.dtype in COMPLEX:
        raise TypeMismatchError(
            "Complex numbers have no greatest one.",
            port="input",
            expected="real numbers",
            got=x.dtype,
            hint="Pool their abs, or take the sum or an average.",
        )
    windows = lengths_of(ws, rank)
    strides = windows if stride is None else lengths_of(stride, rank)
    pads = lengths_of([0] * rank if pad is None else pad, rank)
    dtype = pooled_dtype(mode, x.dtype)
    if mode in AVERAGES:
        x = OPS["cast"](x, to_float(x.dtype))
    for i in range(rank):
        numbers = windows[i], strides[i], pads[i]
        x = _along(x, x.ndim - rank + i, *numbers, ignore_border, mode)
    return OPS["cast"](x, dtype)


def _along(
    x: Variable,
    axis: int,
    window: Variable,
    stride: Variable,
    pad: Variable,
    ignore_border: bool,
    mode: str,
) -> Variable:
    both = OPS["and_"]
    n = length(x, axis)
    if ignore_border:
        count = (n + 2 * pad - window) // stride + 1
        allowed = both(OPS["ge"](pad, 0), OPS["lt"](pad, window))
    else:
        # The last window is the first one that reaches the end, if there is such a one.
        reach = OPS["switch"](OPS["ge"](stride, window), n - 1, n - 1 - window + stride)
        count = OPS["maximum"](0, reach) // stride + 1
        allowed = OPS["eq"](pad, 0)
    sound = both(both(OPS["ge"](window, 1), OPS["ge"](stride, 1)), allowed)
    count = assert_true(
        OPS["switch"](n > 0, OPS["maximum"](0, count), 0),
        [sound],
        "Windows and strides are 1 or more, and a pad, which needs ignore_border, is less than "
        "a window.",
    )
    starts = OPS["arange"](count) * stride - pad
    places = starts.dimshuffle(0, "x") + OPS["arange"](window).dimshuffle("x", 0)
    inside = both(OPS["ge"](places, 0), places < n)
    parts = x.take(OPS["clip"](places, 0, OPS["maximum"](0, n - 1)), axis=axis)
    across: list[Any] = ["x"] * parts.ndim
    across[axis : axis + 2] = [0, 1]
    neutral = Constant(least(np.dtype(x.dtype)) if mode == "max" else 0, x.dtype)
    held: Variable = OPS["switch"](inside.dimshuffle(*across), parts, neutral)
    if mode == "max":
        return OPS["max"](held, axis=axis + 1)
    total = OPS["sum"](held, axis=axis + 1)
    if mode not in AVERAGES:
        return total
    counted = pad if mode == "average_inc_pad" else 0
    sizes = both(OPS["ge"](places, -counted), places < n + counted).sum(axis=1)
    del across[axis + 1]
    return total / OPS["cast"](sizes, total.dtype).dimshuffle(*across)
