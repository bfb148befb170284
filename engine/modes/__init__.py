"""Modes: how functions are rewritten and run, and what is checked on the way.

A function is made with `mode="NUMBA"`, the name of a mode, or `mode=NanGuardMode()`, which stops
at the first NaN and says that it was `log(x)` that gave it, and for which x.
"""

from __future__ import annotations

from engine.config import config
from engine.errors import ParameterError
from engine.modes.debug import DebugMode
from engine.modes.mode import Mode
from engine.modes.monitor import MonitorMode, detect_nan
from engine.modes.nan_guard import NanGuardMode

__all__ = [
    "MODES",
    "DebugMode",
    "Mode",
    "MonitorMode",
    "NanGuardMode",
    "detect_nan",
    "get_default_mode",
    "get_mode",
    "register_mode",
]

MODES: dict[str, Mode] = {
    "FAST_RUN": Mode(),
    "FAST_COMPILE": Mode("numpy", "fast_compile"),
    "NUMPY": Mode("numpy"),
    "NUMBA": Mode("numba"),
    "NONE": Mode("numpy", None),
    "DEBUG": DebugMode(),
    "DebugMode": DebugMode(),
    "DEBUG_MODE": DebugMode(),
    "NanGuardMode": NanGuardMode(),
    "MonitorMode": MonitorMode(),
}
"""The modes that have a name."""


def get_mode(mode: Mode | str | None) -> Mode:
    """The mode of that name, the mode itself, or the default; ParameterError where there is none.

    The default is `config.mode`, with what `config.optimizer_including` and
    `config.optimizer_excluding` name.
    """
    if isinstance(mode, Mode):
        return mode
    if mode is None:
        default = get_mode(config.mode)
        included, excluded = config.optimizer_including, config.optimizer_excluding
        if included:
            default = default.including(*included.split(":"))
        return default.excluding(*excluded.split(":")) if excluded else default
    if mode not in MODES:
        raise ParameterError(
            f"There is no mode {mode!r}.", expected=" or ".join(MODES), got=str(mode)
        )
    return MODES[mode]


def get_default_mode() -> Mode:
    """The mode of functions that are not given one."""
    return get_mode(None)


def register_mode(name: str, mode: Mode) -> None:
    """Give a mode a name, by which `function` finds it; ParameterError if it is taken."""
    if name in MODES:
        raise ParameterError(f"There is a mode {name!r} already.", got=name)
    MODES[name] = mode
