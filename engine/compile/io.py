"""Theano's `compile.io`."""

from engine.arguments import In, Out

__all__ = ["In", "Out"]
