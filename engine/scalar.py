"""Theano's `scalar`, of which people use `upcast`: the dtype that is computed from dtypes."""

from engine.types import upcast

__all__ = ["upcast"]
