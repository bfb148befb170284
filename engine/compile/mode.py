"""Theano's `compile.mode`."""

from engine.modes import MODES, Mode, get_default_mode, get_mode, register_mode

FAST_RUN = MODES["FAST_RUN"]
FAST_COMPILE = MODES["FAST_COMPILE"]
predefined_modes = MODES

__all__ = [
    "FAST_COMPILE",
    "FAST_RUN",
    "Mode",
    "get_default_mode",
    "get_mode",
    "predefined_modes",
    "register_mode",
]
