"""Theano's `tensor.sharedvar`."""

from engine.shared import SharedVariable, shared

TensorSharedVariable = SharedVariable

__all__ = ["SharedVariable", "TensorSharedVariable", "shared"]
