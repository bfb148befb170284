"""Theano's `tensor.xlogx`: products with a logarithm that are 0 where it meets a 0."""

from engine.ops.special import xlogx, xlogy0

__all__ = ["xlogx", "xlogy0"]
