"""Theano's `sandbox.rng_mrg`: streams with the signatures of MRG_RandomStreams.

The numbers are those of `engine.random`, and not MRG31k3p's.
"""

from __future__ import annotations

from typing import Any

import engine.random as draws
from engine.errors import TypeMismatchError
from engine.expression import OPS, Variable, as_variable
from engine.ops.random_bits import next_state

__all__ = ["MRG_RandomStreams"]

TRUNCATED = 0.8796256610342398
"""The standard deviation of the standard normal distribution between -2 and 2."""


class MRG_RandomStreams(draws.Streams):  # noqa: N801 -- Theano's name
    """Theano's streams for processor and GPU; a drop-in for `RandomStreams`.

    seed: a whole number from 0 or a list of them.  `nstreams` and `target` are taken and change
    nothing: every number of a draw can be computed by itself.
    """

    def __init__(self, seed: draws.Seed = 12345) -> None:
        super().__init__(seed)

    @property
    def rstate(self) -> Any:
        """What the states of further draws come from, to be copied along with those there are."""
        return self._entropy

    @rstate.setter
    def rstate(self, rstate: Any) -> None:
        self._entropy = rstate

    def uniform(
        self,
        size: Any,
        low: Any = 0.0,
        high: Any = 1.0,
        ndim: int | None = None,
        dtype: str | None = None,
        nstreams: int | None = None,
        target: Any = None,
    ) -> Variable:
        """Numbers from low up to, not including, high."""
        return self.gen(draws.uniform, size, low, high, ndim=ndim, dtype=dtype)

    def normal(
        self,
        size: Any,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: int | None = None,
        dtype: str | None = None,
        nstreams: int | None = None,
        truncate: bool = False,
        target: Any = None,
    ) -> Variable:
        """Numbers of the normal distribution; with `truncate` none is further than 2 std."""
        op = draws.truncated_normal if truncate else draws.normal
        return self.gen(op, size, avg, std, ndim=ndim, dtype=dtype)

    def truncated_normal(
        self,
        size: Any,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: int | None = None,
        dtype: str | None = None,
        nstreams: int | None = None,
        target: Any = None,
    ) -> Variable:
        """Normal numbers cut off at both ends, which then have the standard deviation std."""
        return self.gen(
            draws.truncated_normal, size, avg, as_variable(std) / TRUNCATED, ndim=ndim, dtype=dtype
        )

    def binomial(
        self,
        size: Any = None,
        n: Any = 1,
        p: Any = 0.5,
        ndim: int | None = None,
        dtype: str = "int64",
        nstreams: int | None = None,
        target: Any = None,
    ) -> Variable:
        """Numbers of successes in n trials with the chance p."""
        return self.gen(draws.binomial, size, n, p, ndim=ndim, dtype=dtype)

    def multinomial(
        self,
        size: Any = None,
        n: Any = 1,
        pvals: Any = (0.5, 0.5),
        ndim: int | None = None,
        dtype: str = "int64",
        nstreams: int | None = None,
        target: Any = None,
    ) -> Variable:
        """How often each of several comes in n choices, for each row of the chances pvals."""
        return self.gen(draws.multinomial, size, n, pvals, ndim=ndim, dtype=dtype)

    def choice(
        self,
        size: Any = 1,
        a: Any = None,
        replace: bool = True,
        p: Any = None,
        ndim: int | None = None,
        dtype: str = "int64",
        nstreams: int | None = None,
        target: Any = None,
    ) -> Variable:
        """For each row of the chances p, `size` places in it: shape (rows, size).

        Without `replace` they are different.  Raises TypeMismatchError where p is no matrix.
        """
        chances = as_variable(p) if p is not None else None
        if a is not None or chances is None or chances.ndim != 2:
            raise TypeMismatchError(
                "A choice here is made for each row of a matrix of chances.",
                port="p",
                expected="p, a matrix, and no a",
                got="none" if chances is None else str(chances.type),
                hint="RandomStreams.choice chooses among the elements of a vector.",
            )
        if replace:
            shape = [chances.shape[0], size]
            return self.gen(
                _drawn, "random_categorical", chances[:, None, :], size=shape, dtype=dtype
            )
        return self.gen(_drawn, "random_distinct", chances, size, dtype=dtype)

    def multinomial_wo_replacement(
        self,
        size: Any = None,
        n: Any = 1,
        pvals: Any = None,
        ndim: int | None = None,
        dtype: str = "int64",
        nstreams: int | None = None,
        target: Any = None,
    ) -> Variable:
        """For each row of the chances pvals, n different places in it; the old name of `choice`."""
        return self.choice(n, None, False, pvals, dtype=dtype)


def _drawn(state: Variable, op: str, *parameters: Any, **options: Any) -> draws.Draw:
    return next_state(state), OPS[op](state, *parameters, **options)
