"""Theano's `compile.debugmode`."""

from engine.errors import (
    BadDestroyMap,
    BadKernelOutput,
    BadOptimization,
    DebugModeError,
    InvalidValueError,
)
from engine.modes import DebugMode

BadThunkOutput = BadKernelOutput

__all__ = [
    "BadDestroyMap",
    "BadKernelOutput",
    "BadOptimization",
    "BadThunkOutput",
    "DebugMode",
    "DebugModeError",
    "InvalidValueError",
]
