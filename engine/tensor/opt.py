"""Theano's `tensor.opt`, of which people use `Assert`."""

from engine.ops.watching import Assert

assert_op = Assert()

__all__ = ["Assert", "assert_op"]
