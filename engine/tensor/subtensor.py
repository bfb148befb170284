"""Theano's `tensor.subtensor`."""

from engine.ops.changing import inc_subtensor, set_subtensor
from engine.ops.selection import take

__all__ = ["inc_subtensor", "set_subtensor", "take"]
