"""Random words as ops, and the numbers that they are turned into one by one.

A state is explained in `engine.philox`.  What is drawn element by element is computed from the
element's own word w, so that a kernel needs the state and the place of the element and no more:

- `uniform_of_bits`, in [0, 1): the first 53 bits of w over 2⁵³; of those 24 for float32 and 11 for
  float16, so that the number is exact and never 1.
- `open_uniform_of_bits`, in (0, 1): the first 52 bits of w, and a half, over 2⁵².
- `normal_of_bits`: Φ⁻¹((w + ½) / 2⁶⁴), computed in float64 from the nearer end (SciPy's ndtri, from
  Cephes), so that it is symmetric, exact to a few units in the last place up to its largest, 9.1.
- `integers_of_bits`: low + floor(n w / 2⁶⁴) where n integers may come.

Only +, -, *, / and shifts lead to uniform numbers and integers: these are the same on every
machine, to the last bit.  Others are so up to where mathematical functions differ.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine import philox
from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Constant, Variable
from engine.op import Example, Op, Port
from engine.ops.special import scipy_special
from engine.types import DISCRETE, TensorType, broadcast

CATEGORY = "Random"
STATE = TensorType("uint64", (philox.LENGTH,))
RNG = Port("rng", "the state of a stream")
LENGTHS = Port("lengths", "how many numbers along each axis", variadic=True)
EXAMPLE_STATE = np.array([7, 11, 3], np.uint64)


def next_state(rng: Variable) -> Variable:
    """The state for the next draw, whatever dtype config.cast_policy has sums computed in."""
    following = rng + Constant(np.array([0, 0, 1], np.uint64))
    return following if following.dtype == STATE.dtype else OPS["cast"](following, STATE.dtype)


def check_state(rng: TensorType) -> None:
    """Raise TypeMismatchError where this is no state of a stream."""
    if rng.dtype != STATE.dtype or rng.ndim != 1 or rng.shape[0] not in (None, philox.LENGTH):
        raise TypeMismatchError(
            "A draw needs the state of a random stream.",
            port="rng",
            expected=str(STATE),
            got=str(rng),
            hint="Take draws from RandomStreams(seed), which keeps a state for each of them.",
        )


def drawn_shape(lengths: Sequence[TensorType], known: Sequence[Any]) -> list[int | None]:
    """The shape of a draw, from the types and the known values of its lengths."""
    for t in lengths:
        if t.ndim or t.dtype not in DISCRETE:
            raise TypeMismatchError(
                "The size of a draw is made of whole numbers.",
                port="size",
                expected="an integer for each axis",
                got=str(t),
            )
    return [None if n is None else length(n) for n in known[-len(lengths) :] if lengths]


def length(n: Any) -> int:
    if n < 0:
        raise ShapeError(
            f"A draw cannot have an axis of length {n}.",
            port="size",
            expected="0 or more",
            got=str(n),
        )
    return int(n)


def _bits_type(rng: TensorType, *lengths: TensorType, known: Sequence[Any]) -> TensorType:
    check_state(rng)
    return TensorType("uint64", drawn_shape(lengths, known))


def _bits_value(rng: Any, *lengths: Any) -> Any:
    shape = [length(n) for n in lengths]
    return philox.words(rng, math.prod(shape)).reshape(shape)


def no_path(g: Any, y: Any, *inputs: Variable, **params: Any) -> list[Variable | None]:
    """The gradient of what is drawn by counting or choosing: none flows back."""
    return [None] * len(inputs)


random_bits: Op = Op(
    name="random_bits",
    symbol="01",
    category=CATEGORY,
    hidden=True,
    method=False,
    doc="Random words of 64 bits.",
    ports=(RNG, LENGTHS),
    infer=_bits_type,
    numpy=_bits_value,
    reads_values=True,
    grad=no_path,
    examples=(Example(draw=lambda rng: [EXAMPLE_STATE]),),
)


# From words to numbers


def _of_words(
    name: str,
    doc: str,
    result: str,
    numpy: Callable[[Any], Any],
    scalar: str | None = None,
    bounds: tuple[float, float] | None = None,
) -> Op:
    """An elementwise function of words."""
    return Op(
        name=name,
        doc=doc,
        category=CATEGORY,
        hidden=True,
        method=False,
        ports=(Port("bits", "random words"),),
        infer=lambda bits: bits.with_dtype(result),
        numpy=lambda bits: np.asarray(numpy(bits)),
        rule=lambda dtypes: ("uint64", result),
        scalar=scalar,
        grad=no_path,
        bounds=bounds,
        dtypes=frozenset({"uint64"}),
        examples=(
            Example(draw=lambda rng: [philox.words(EXAMPLE_STATE, 6).reshape(2, 3)]),
            Example(draw=lambda rng: [np.array([0, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)]),
        ),
    )


uniform_of_bits = _of_words(
    "uniform_of_bits",
    doc="Words as numbers in [0, 1), of 53 bits.",
    result="float64",
    numpy=lambda bits: (bits >> np.uint64(11)) * 2.0**-53,
    scalar="float64({bits} >> T(11)) / 9007199254740992",
    bounds=(0, 1),
)

open_uniform_of_bits = _of_words(
    "open_uniform_of_bits",
    doc="Words as numbers in (0, 1), symmetric about a half.",
    result="float64",
    numpy=lambda bits: (bits >> np.uint64(12)) * 2.0**-52 + 2.0**-53,
    scalar="float64(({bits} >> T(12) << T(1)) | T(1)) / 9007199254740992",
    bounds=(0, 1),
)


def _normal(bits: Any, bound: float) -> Any:
    """Normal numbers of words, no further than `bound` standard deviations from the middle."""
    upper = bits.view(np.int64) < 0
    z = np.asarray(np.where(upper, ~bits, bits), np.float64)
    z += 0.5
    special = scipy_special()
    outside = special.ndtr(-bound)
    z *= 2.0**-63 * (0.5 - outside)
    z += outside
    np.maximum(special.ndtri(z, out=z), -bound, out=z)
    np.negative(z, out=z, where=upper)
    return z


normal_of_bits = _of_words(
    "normal_of_bits",
    doc="Words as numbers of the standard normal distribution.",
    result="float64",
    numpy=lambda bits: _normal(bits, np.inf),
)

truncated_normal_of_bits = _of_words(
    "truncated_normal_of_bits",
    doc="Words as numbers of the standard normal distribution between -2 and 2.",
    result="float64",
    numpy=lambda bits: _normal(bits, 2.0),
)


def _integers(bits: Any, low: Any, high: Any) -> Any:
    """low + floor(n w / 2⁶⁴) for the word w, where n integers may come: exact, without rejection.

    The chances of two integers differ by 2⁻⁶⁴ at most.
    """
    if np.any(low > high):
        raise ParameterError(
            "There is no integer from low to high where low is above high.",
            port="high",
            expected="low or more",
            got=f"{np.max(low)} to {np.min(high)}",
        )
    low, high = (np.asarray(v).astype(np.int64).view(np.uint64) for v in (low, high))
    half, part = np.uint64(32), np.uint64(2**32 - 1)
    with np.errstate(over="ignore"):
        count = high - low + np.uint64(1)
        a, b, c, d = bits >> half, bits & part, count >> half, count & part
        middle = a * d + (b * d >> half)
        scaled = a * c + (middle >> half) + ((middle & part) + b * c >> half)
        # All 2⁶⁴ of them count as 0.
        return np.asarray(low + np.where(count == 0, bits, scaled)).view(np.int64)


integers_of_bits = Op(
    name="integers_of_bits",
    doc="Words as integers from low to high.",
    category=CATEGORY,
    hidden=True,
    method=False,
    ports=(Port("bits"), Port("low"), Port("high")),
    infer=lambda bits, low, high: broadcast((bits, low, high)).with_dtype("int64"),
    numpy=_integers,
    grad=no_path,
    examples=(Example(draw=lambda rng: [philox.words(EXAMPLE_STATE, 3), -3, 3]),),
)
