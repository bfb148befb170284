"""Theano's `tensor.nnet.ctc`."""

from engine.ops.ctc import ctc

__all__ = ["ctc"]
