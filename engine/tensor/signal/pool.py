"""Theano's `tensor.signal.pool`: pooling, under its old and new argument names."""

from __future__ import annotations

import warnings
from typing import Any

from engine.errors import ParameterError
from engine.expression import OPS, Variable
from engine.ops.computed_windows import Numbers, known_numbers, pool_by_computed_windows

__all__ = ["max_pool_2d_same_size", "pool_1d", "pool_2d", "pool_3d"]

max_pool_2d_same_size = OPS["max_pool_2d_same_size"]


def pool_1d(
    input: Any,
    ws: Numbers = None,
    ignore_border: bool | None = None,
    stride: Numbers = None,
    pad: Numbers = None,
    mode: str = "max",
) -> Variable:
    """Pool along the last axis; as pool_2d."""
    return _pooled("pool_1d", input, ws, ignore_border, stride, pad, mode)


def pool_2d(
    input: Any,
    ws: Numbers = None,
    ignore_border: bool | None = None,
    stride: Numbers = None,
    pad: Numbers = None,
    mode: str = "max",
    ds: Numbers = None,
    st: Numbers = None,
    padding: Numbers = None,
) -> Variable:
    """Make one element of each window of the last two axes.

    ws: rows and columns of a window.  ignore_border: whether windows that reach over the end
    are left out (True) or cut (False); say which.  stride: from window to window, a window if
    None.  pad: what is put at both ends of each axis, only where borders are ignored.
    mode: 'max', 'sum', 'average_inc_pad', 'average_exc_pad'.
    The numbers may be variables, one for each axis or in a vector.
    ds, st, padding: older names of ws, stride, pad.
    """
    ws, stride = _renamed("ws", ws, "ds", ds), _renamed("stride", stride, "st", st)
    pad = _renamed("pad", pad, "padding", padding)
    return _pooled("pool_2d", input, ws, ignore_border, stride, pad, mode)


def pool_3d(
    input: Any,
    ws: Numbers = None,
    ignore_border: bool | None = None,
    stride: Numbers = None,
    pad: Numbers = None,
    mode: str = "max",
    ds: Numbers = None,
    st: Numbers = None,
    padding: Numbers = None,
) -> Variable:
    """Make one element of each window of the last three axes; as pool_2d."""
    ws, stride = _renamed("ws", ws, "ds", ds), _renamed("stride", stride, "st", st)
    pad = _renamed("pad", pad, "padding", padding)
    return _pooled("pool_3d", input, ws, ignore_border, stride, pad, mode)


def _renamed(name: str, value: Numbers, former_name: str, former: Numbers) -> Numbers:
    """The value of an argument that may come under its former name."""
    if former is None:
        return value
    if value is not None:
        raise ParameterError(
            f"{name} was given twice, once as {former_name}.",
            port=name,
            expected=name,
            got=f"{name} and {former_name}",
        )
    warnings.warn(f"{former_name} is now called {name}.", DeprecationWarning, stacklevel=3)
    return former


def _pooled(
    op: str,
    input: Any,
    ws: Numbers,
    ignore_border: bool | None,
    stride: Numbers,
    pad: Numbers,
    mode: str,
) -> Variable:
    if ws is None:
        raise ParameterError(f"{op} needs the lengths of a window.", port="ws", expected="ws")
    if ignore_border is None:
        warnings.warn(
            "Windows that reach over the end are cut; say whether to ignore_border.",
            stacklevel=3,
        )
    ws, stride, pad = map(known_numbers, (ws, stride, pad))
    if any(map(_is_computed, (ws, stride, pad))):
        rank = int(op[-2])
        return pool_by_computed_windows(input, rank, ws, bool(ignore_border), stride, pad, mode)
    return OPS[op](input, ws, bool(ignore_border), stride, pad, mode)


def _is_computed(given: Numbers) -> bool:
    return isinstance(given, Variable) or any(isinstance(v, Variable) for v in given or ())
