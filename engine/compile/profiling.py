"""Theano's `compile.profiling`."""

from engine.profile import ProfileStats

__all__ = ["ProfileStats"]
