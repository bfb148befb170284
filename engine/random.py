"""Random streams: draws that go on by themselves with every call of a function.

Each draw of a stream has a state of its own, a shared variable, which every function that uses
the draw advances; see `engine.philox` for what a state is and `engine.ops.random_bits` for how
numbers come of it.  They are Philox's: the same for the same seed and program on every machine
(where NumPy draws them by rejection, with the same NumPy), but not those that Theano drew with the
Mersenne Twister or MRG31k3p.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine import philox
from engine.config import config
from engine.errors import ParameterError, ShapeError
from engine.expression import OPS, Variable, as_variable
from engine.ops.choices import chosen, gathered, ordered
from engine.ops.random_bits import STATE, next_state
from engine.shared import SharedVariable
from engine.types import upcast

Array = np.ndarray[Any, Any]
Seed = int | Sequence[int] | None
Update = tuple[SharedVariable, Variable]


class State(np.ndarray[Any, Any]):
    """The value of a state, with the methods by which Theano's users seed and copy one."""

    def seed(self, seed: Seed = None) -> None:
        """Become the first state of a seed."""
        self[...] = philox.first_state(_checked(seed))

    def get_state(self) -> Array:
        """A copy, for `set_state`."""
        return np.array(self)

    def set_state(self, state: Any) -> None:
        """Become the state that another one was."""
        self[...] = state


class RandomState(SharedVariable):
    """The state of one draw, kept between the calls of functions."""

    __slots__ = ()

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> State:
        """The state now: a copy, or with `borrow` the very state, which may be seeded in place."""
        value: Array = super().get_value(borrow)
        return value.view(State)

    def seed(self, seed: Seed = None) -> None:
        """Go back to the first state of a seed."""
        self.set_value(philox.first_state(_checked(seed)))


def _checked(seed: Any) -> Any:
    """The seed, if it is one."""
    whole = int | np.integer
    parts = seed if isinstance(seed, list | tuple | np.ndarray) else [seed]
    fits = all(isinstance(n, whole) and not isinstance(n, bool) and n >= 0 for n in parts)
    if seed is not None and not fits:
        raise ParameterError(
            f"{seed!r} is no seed.",
            port="seed",
            expected="a whole number from 0, a list of them, or None",
            got=repr(seed),
        )
    return seed


# Draws from a given state.  Each gives the next state and the draw.

random_state_type = STATE
"""`random_state_type()` is a variable for the state of a stream."""


def _drawn(
    name: str,
    random_state: Variable,
    size: Any,
    ndim: int | None,
    dtype: str | None,
    *parameters: Any,
    **options: Any,
) -> tuple[Variable, Variable]:
    given = [as_variable(v) for v in parameters]
    if dtype is None:
        dtype = upcast(config.floatX, *(v.dtype for v in given))
    op = OPS[f"random_{name}"]
    draw = op(random_state, *given, size=_sized(size, ndim), dtype=dtype, **options)
    return next_state(random_state), draw


def _sized(size: Any, ndim: int | None) -> Any:
    """The size of a draw as ops take it: empty for none, of a length that is known."""
    if size is None:
        return ()
    if ndim is None:
        return size
    lengths = as_variable(size)
    known = lengths.type.shape[0] if lengths.ndim == 1 else 1
    if known is None:
        return [lengths[i] for i in range(ndim)]
    if known != ndim:
        raise ShapeError(
            f"The size has {known} lengths, but ndim is {ndim}.",
            port="ndim",
            expected=str(known),
            got=str(ndim),
        )
    return size


Draw = tuple[Variable, Variable]


def uniform(
    random_state: Variable,
    size: Any = None,
    low: Any = 0.0,
    high: Any = 1.0,
    ndim: int | None = None,
    dtype: str | None = None,
) -> Draw:
    """Numbers from low up to, not including, high; floatX or wider, as the bounds are."""
    return _drawn("uniform", random_state, size, ndim, dtype, low, high)


def normal(
    random_state: Variable,
    size: Any = None,
    avg: Any = 0.0,
    std: Any = 1.0,
    ndim: int | None = None,
    dtype: str | None = None,
) -> Draw:
    """Numbers of the normal distribution; floatX or wider, as the parameters are."""
    return _drawn("normal", random_state, size, ndim, dtype, avg, std)


def truncated_normal(
    random_state: Variable,
    size: Any = None,
    avg: Any = 0.0,
    std: Any = 1.0,
    ndim: int | None = None,
    dtype: str | None = None,
) -> Draw:
    """Numbers of the normal distribution, none further than 2 std from avg."""
    return _drawn("truncated_normal", random_state, size, ndim, dtype, avg, std)


def binomial(
    random_state: Variable,
    size: Any = None,
    n: Any = 1,
    p: Any = 0.5,
    ndim: int | None = None,
    dtype: str = "int64",
    prob: Any = None,
) -> Draw:
    """Numbers of successes in n trials with the chance p (`prob` is an old name of it)."""
    return _drawn("binomial", random_state, size, ndim, dtype, n, p if prob is None else prob)


def random_integers(
    random_state: Variable,
    size: Any = None,
    low: Any = 0,
    high: Any = 1,
    ndim: int | None = None,
    dtype: str = "int64",
) -> Draw:
    """Integers from low to high, both included."""
    return _drawn("integers", random_state, size, ndim, dtype, low, high)


def poisson(
    random_state: Variable,
    size: Any = None,
    lam: Any = 1.0,
    ndim: int | None = None,
    dtype: str = "int64",
) -> Draw:
    """Counts of independent events, lam on average."""
    return _drawn("poisson", random_state, size, ndim, dtype, lam)


def permutation(
    random_state: Variable,
    size: Any = None,
    n: Any = 1,
    ndim: int | None = None,
    dtype: str = "int64",
) -> Draw:
    """The integers below n in random orders: shape (*size, n).  ndim is that of size."""
    return _drawn("permutation", random_state, size, ndim, dtype, n)


def multinomial(
    random_state: Variable,
    size: Any = None,
    n: Any = 1,
    pvals: Any = (0.5, 0.5),
    ndim: int | None = None,
    dtype: str = "int64",
) -> Draw:
    """How often each of several comes in n choices with chances pvals: shape (*size, k)."""
    return _drawn("multinomial", random_state, size, ndim, dtype, n, pvals)


def choice(
    random_state: Variable,
    size: Any = None,
    a: Any = 2,
    replace: bool = True,
    p: Any = None,
    ndim: int | None = None,
    dtype: str | None = None,
) -> Draw:
    """Elements of the vector `a`, or integers below the number `a`, with the chances p.

    The dtype is that of a vector `a`, and int64 for a number, unless given.
    """
    chances = None if p is None else as_variable(p)
    size = as_variable(_sized(size, ndim))
    draw = chosen(random_state, as_variable(a), chances, size, bool(replace), dtype)
    return next_state(random_state), draw


# Streams


class Streams:
    """Draws that each have a state of their own, all derived from one seed.

    seed: a whole number from 0 or a list of them; the same seed and the same order of draws give
        the same numbers.  None takes one from the operating system.
    state_updates: for each draw the pair (state, next state), in the order they were made.
    """

    def __init__(self, seed: Seed = None) -> None:
        self.state_updates: list[Update] = []
        self.default_instance_seed = _checked(seed)
        self._entropy = _entropy(seed)

    def updates(self) -> list[Update]:
        """The updates of all draws; functions apply those of the draws they use by themselves."""
        return list(self.state_updates)

    def seed(self, seed: Seed = None) -> None:
        """Start again, as if the streams had been made with this seed; None is the first seed."""
        self._entropy = _entropy(self.default_instance_seed if seed is None else _checked(seed))
        for place, (state, _) in enumerate(self.state_updates):
            state.set_value(philox.first_state(self._entropy, [place]))

    def gen(self, op: Callable[..., Draw], *args: Any, **kwargs: Any) -> Variable:
        """The draw that `op(state, *args, **kwargs)` gives along with the next state.

        It has its state as `rng`, and `update`, the pair (state, next state), is done by every
        function that uses it, unless told otherwise.
        """
        place = len(self.state_updates)
        state = RandomState(STATE, philox.first_state(self._entropy, [place]), f"rng{place}")
        following, draw = op(state, *args, **kwargs)
        state.default_update = following
        draw.rng = state
        draw.update = (state, following)
        self.state_updates.append((state, following))
        return draw

    def __getitem__(self, state: SharedVariable) -> Any:
        """The value of a draw's state, which may be seeded in place."""
        return state.get_value(borrow=True)

    def __setitem__(self, state: SharedVariable, value: Any) -> None:
        state.set_value(value)


def _entropy(seed: Any) -> Any:
    """The seed itself, or one from the operating system."""
    return np.random.SeedSequence().entropy if seed is None else seed


class RandomStreams(Streams):
    """Theano's streams: every method gives a draw of the given size.

    size: the length of each axis: integers, scalars, or a vector such as `x.shape`; None for
        the shape that the parameters have together.
    ndim: how many lengths a size has that is a vector of unknown length.
    Parameters may be variables; they stretch to the size.  Draws of floats have a gradient by
    their parameters.
    """

    def uniform(
        self,
        size: Any = None,
        low: Any = 0.0,
        high: Any = 1.0,
        ndim: int | None = None,
        dtype: str | None = None,
    ) -> Variable:
        """Numbers from low up to, not including, high."""
        return self.gen(uniform, size, low, high, ndim=ndim, dtype=dtype)

    def normal(
        self,
        size: Any = None,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: int | None = None,
        dtype: str | None = None,
    ) -> Variable:
        """Numbers of the normal distribution."""
        return self.gen(normal, size, avg, std, ndim=ndim, dtype=dtype)

    def binomial(
        self,
        size: Any = None,
        n: Any = 1,
        p: Any = 0.5,
        ndim: int | None = None,
        dtype: str = "int64",
        prob: Any = None,
    ) -> Variable:
        """Numbers of successes in n trials with the chance p."""
        return self.gen(binomial, size, n, p, ndim=ndim, dtype=dtype, prob=prob)

    def random_integers(
        self,
        size: Any = None,
        low: Any = 0,
        high: Any = 1,
        ndim: int | None = None,
        dtype: str = "int64",
    ) -> Variable:
        """Integers from low to high, both included."""
        return self.gen(random_integers, size, low, high, ndim=ndim, dtype=dtype)

    def choice(
        self,
        size: Any = None,
        a: Any = 2,
        replace: bool = True,
        p: Any = None,
        ndim: int | None = None,
        dtype: str | None = None,
    ) -> Variable:
        """Elements of the vector `a`, or integers below the number `a`, with the chances p."""
        return self.gen(choice, size, a, replace, p, ndim=ndim, dtype=dtype)

    def poisson(
        self, size: Any = None, lam: Any = 1.0, ndim: int | None = None, dtype: str = "int64"
    ) -> Variable:
        """Counts of independent events, lam on average."""
        return self.gen(poisson, size, lam, ndim=ndim, dtype=dtype)

    def permutation(
        self, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: str = "int64"
    ) -> Variable:
        """The integers below n in random orders: shape (*size, n)."""
        return self.gen(permutation, size, n, ndim=ndim, dtype=dtype)

    def multinomial(
        self,
        size: Any = None,
        n: Any = 1,
        pvals: Any = (0.5, 0.5),
        ndim: int | None = None,
        dtype: str = "int64",
    ) -> Variable:
        """How often each of several comes in n choices with chances pvals: shape (*size, k)."""
        return self.gen(multinomial, size, n, pvals, ndim=ndim, dtype=dtype)

    def shuffle_row_elements(self, input: Any) -> Variable:
        """The tensor with each of its rows in a random order of its own.

        The orders are `permutation` of what it gives.
        """
        x = as_variable(input)
        lengths = [x.shape[i] for i in range(x.ndim)]
        orders = self.permutation(lengths[:-1], lengths[-1])
        shuffled = ordered(x, orders)
        shuffled.permutation = orders
        return shuffled


class RandomStream(Streams):
    """PyTensor's streams: a method for each distribution, with NumPy's names and order.

    `RandomStream(seed).gamma(2.0, scale, size=(3,))`; after the parameters come `size` and
    `dtype`.  The distributions are the ops whose names begin with `random_`.
    """

    def __getattr__(self, name: str) -> Callable[..., Variable]:
        op = OPS.get(f"random_{name}")
        if op is None or not op.draws:
            raise AttributeError(f"There is no distribution {name!r}.")

        def draw(*args: Any, **kwargs: Any) -> Variable:
            if kwargs.get("size", ()) is None:
                del kwargs["size"]
            return self.gen(lambda state: (next_state(state), op(state, *args, **kwargs)))

        draw.__doc__ = op.__doc__
        return draw

    def __dir__(self) -> list[str]:
        names = [name.removeprefix("random_") for name, op in OPS.items() if op.draws]
        return sorted({*super().__dir__(), *names})

    def normal(
        self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, dtype: str | None = None
    ) -> Variable:
        """Numbers of the normal distribution with the mean loc and the deviation scale."""
        return self.gen(normal, size, loc, scale, dtype=dtype)

    def standard_normal(self, size: Any = None, dtype: str | None = None) -> Variable:
        """Numbers of the normal distribution with mean 0 and deviation 1."""
        return self.gen(normal, size, dtype=dtype)

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: str = "int64"
    ) -> Variable:
        """Integers from low up to, not including, high; from 0 up to low without high."""
        first, end = (0, low) if high is None else (low, high)
        return self.gen(random_integers, size, first, as_variable(end) - 1, dtype=dtype)

    def choice(self, a: Any, size: Any = None, replace: bool = True, p: Any = None) -> Variable:
        """Elements of the vector `a`, or integers below the number `a`, with the chances p."""
        return self.gen(choice, size, a, replace, p)

    def permutation(self, x: Any) -> Variable:
        """The integers below the number x, or the elements of x along its first axis, shuffled."""
        values = as_variable(x)
        if values.ndim == 0:
            return self.gen(permutation, None, values)
        draw = self.gen(permutation, None, values.shape[0])
        shuffled = gathered(values, draw)
        shuffled.rng, shuffled.update = draw.rng, draw.update
        return shuffled
