"""Theano's `compile`: functions, modes and profiles under the names that it has for them."""

from engine.arguments import In, Out
from engine.as_op import as_op
from engine.compile import (
    builders,
    debugmode,
    io,
    mode,
    monitormode,
    nanguardmode,
    ops,
    profiling,
    sharedvalue,
)
from engine.errors import UnusedInputError
from engine.function import Function, function
from engine.modes import (
    DebugMode,
    Mode,
    MonitorMode,
    NanGuardMode,
    get_default_mode,
    get_mode,
    register_mode,
)
from engine.op_from_graph import OpFromGraph
from engine.profile import ProfileStats
from engine.shared import SharedVariable, shared

__all__ = [
    "DebugMode",
    "Function",
    "In",
    "Mode",
    "MonitorMode",
    "NanGuardMode",
    "OpFromGraph",
    "Out",
    "ProfileStats",
    "SharedVariable",
    "UnusedInputError",
    "as_op",
    "builders",
    "debugmode",
    "function",
    "get_default_mode",
    "get_mode",
    "io",
    "mode",
    "monitormode",
    "nanguardmode",
    "ops",
    "profiling",
    "register_mode",
    "shared",
    "sharedvalue",
]
