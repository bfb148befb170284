"""Theano's `compile.nanguardmode`."""

from engine.errors import NanGuardError
from engine.modes import NanGuardMode

__all__ = ["NanGuardError", "NanGuardMode"]
