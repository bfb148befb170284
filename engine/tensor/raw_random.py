"""Theano's `tensor.raw_random`: draws from a given state, with the next one: (state, draw)."""

from engine.random import (
    binomial,
    choice,
    multinomial,
    normal,
    permutation,
    poisson,
    random_integers,
    random_state_type,
    uniform,
)

__all__ = [
    "binomial",
    "choice",
    "multinomial",
    "normal",
    "permutation",
    "poisson",
    "random_integers",
    "random_state_type",
    "uniform",
]
