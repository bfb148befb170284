"""Theano's `compile.ops`."""

from engine.as_op import as_op
from engine.expression import OPS

specify_shape = OPS["specify_shape"]
shape = OPS["shape"]

__all__ = ["as_op", "shape", "specify_shape"]
