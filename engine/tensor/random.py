"""PyTensor's `tensor.random`: streams with NumPy's distributions."""

from engine.random import RandomStream

__all__ = ["RandomStream"]
