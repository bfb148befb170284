"""Theano's `compile.sharedvalue`."""

from engine.shared import SharedVariable, shared

__all__ = ["SharedVariable", "shared"]
