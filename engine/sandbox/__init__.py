"""Theano's `sandbox`, where its users look for `rng_mrg`."""

from engine.sandbox import rng_mrg

__all__ = ["rng_mrg"]
