"""Theano's `tensor.opt`, of which people use `Assert`."""

from engine.ops.watching import Assert, assert_true

assert_op = assert_true

__all__ = ["Assert", "assert_op"]
