"""Theano's `tensor.signal`, with PyTensor's convolutions of one signal with another."""

from engine.expression import OPS
from engine.tensor.signal import conv, downsample, pool

__all__ = ["conv", "convolve1d", "convolve2d", "downsample", "pool"]

convolve1d = OPS["convolve1d"]
convolve2d = OPS["convolve2d"]
