"""What distributions are made of: sizes, parameters, and the two makers of their records."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine import philox
from engine.errors import EngineError, ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Constant, Variable
from engine.known import known_value
from engine.makers import composed
from engine.op import Example, Op, Param, Port
from engine.ops.random_bits import (
    CATEGORY,
    EXAMPLE_STATE,
    LENGTHS,
    RNG,
    check_state,
    drawn_shape,
    length,
    no_path,
    open_uniform_of_bits,
    random_bits,
    uniform_of_bits,
)
from engine.types import FLOATS, INTEGERS, TensorType, broadcast, shape_text

SIZE = Port("size", "the length of each axis; empty for the shape of the parameters", default=())
FLOAT = Param("dtype", "dtype", "floatX", "the dtype of every element")
WHOLE = Param("dtype", "dtype", "int64", "the dtype of every element")

CHANCE = Port("p", "the chance of success, 0 to 1", default=0.5)
CHANCES = Port("p", "the chances of 0, 1, 2, ... along the last axis; together 1")
PROPORTION = Port("p", "between 0 and 1", default=0.5)
FRACTIONS = (CHANCES, PROPORTION)
"""Parameters that no whole number can be."""

BITS = {"float64": 53, "float32": 24, "float16": 11}
"""How many bits a number in [0, 1) has, by its dtype."""


@dataclass(frozen=True)
class Draw:
    """One draw: the state it is made from, and the length of each of its axes."""

    rng: Variable
    lengths: Sequence[Variable]

    @cached_property
    def bits(self) -> Variable:
        """A word for each element."""
        return random_bits(self.rng, self.lengths)

    def unit(self, dtype: str = "float64") -> Variable:
        """Numbers in [0, 1)."""
        if dtype == "float64":
            return uniform_of_bits(self.bits)
        mask = np.uint64(2**64 - 2 ** (64 - BITS[dtype]))
        return cast(uniform_of_bits(OPS["and_"](self.bits, Constant(mask))), dtype)

    @cached_property
    def open_unit(self) -> Variable:
        """Numbers in (0, 1), as float64."""
        return open_uniform_of_bits(self.bits)

    @property
    def standard_exponential(self) -> Variable:
        """Numbers of the exponential distribution with mean 1, as float64."""
        return -OPS["log"](self.open_unit)

    def by(self, op: Op, *parameters: Variable) -> Variable:
        """What another op draws from the state in this size."""
        return op(self.rng, *parameters, self.lengths)


def cast(v: Variable, dtype: str) -> Variable:
    """The variable in another dtype; a constant stays one."""
    if v.dtype == dtype:
        return v
    return Constant(v.data.astype(dtype)) if isinstance(v, Constant) else OPS["cast"](v, dtype)


def distribution(
    name: str,
    *,
    doc: str,
    parameters: Sequence[Port],
    body: Callable[..., Variable],
    values: Sequence[Any],
    dtype: Param = FLOAT,
    trailing: Sequence[int] = (),
    **facts: Any,
) -> Op:
    """An op that draws from a distribution.

    parameters: the ports besides state and size; those with a whole number as default take only
        integers.
    body: `(draw, *parameters)` to the numbers; of a distribution of floats the parameters come
        in the dtype of the result.
    values: of each parameter, for examples.
    trailing: for each parameter how many of its last axes belong to one draw.
    """
    ports = (RNG, *parameters, SIZE)
    own = tuple(trailing) or (0,) * len(parameters)

    def drawn(rng: Variable, *given: Variable, dtype: str) -> Variable:
        *inputs, size = given
        for port, v in zip(parameters, inputs, strict=True):
            check_parameter(port, v.type)
        if floats and dtype not in FLOATS:
            raise ParameterError(
                f"{name} gives fractions, which do not fit into {dtype}.",
                port="dtype",
                expected=" or ".join(sorted(FLOATS)),
                got=dtype,
            )
        if floats:
            inputs = [cast(v, dtype) for v in inputs]
        draw = Draw(rng, lengths_of(size, [_batch(v, n) for v, n in zip(inputs, own, strict=True)]))
        return cast(body(draw, *inputs), dtype)

    floats = dtype is FLOAT
    return composed(
        name,
        doc=doc,
        category=facts.pop("category", CATEGORY),
        method=False,
        draws=True,
        ports=ports,
        params=(dtype,),
        body=drawn,
        dtypes=FLOATS,
        examples=tuple(_examples(values)),
        **facts,
    )


def check_parameter(port: Port, given: TensorType) -> None:
    """Refuse a parameter that is no number, or no whole number where one is needed."""
    if port in FRACTIONS:
        allowed, expected = FLOATS, "a float dtype"
    elif isinstance(port.default, int):
        allowed, expected = INTEGERS, "an integer dtype"
    else:
        allowed, expected = INTEGERS | FLOATS, "an integer or float dtype"
    if given.dtype not in allowed:
        raise TypeMismatchError(
            f"The parameter {port.name} cannot be {given.dtype}.",
            port=port.name,
            expected=expected,
            got=str(given),
        )


def _examples(values: Sequence[Any]) -> Iterable[Example]:
    yield Example(draw=lambda rng: [EXAMPLE_STATE, *map(np.asarray, values)])
    if values:
        shapes = [(2, 3), (3,), (2, 1)]
        spread = [
            v * np.linspace(0.9, 1.1, math.prod(s)).reshape(s) if isinstance(v, float) else v
            for v, s in zip(values, shapes, strict=False)
        ]
        yield Example(draw=lambda rng: [EXAMPLE_STATE, *map(np.asarray, spread)])


def _batch(v: Variable, trailing: int) -> Variable:
    """One element of each of the tensors that a parameter is made of."""
    if v.ndim < trailing:
        raise TypeMismatchError(
            f"This parameter needs {trailing} axes or more.",
            expected=f"{trailing} axes or more",
            got=str(v.type),
        )
    return v[(..., *(0,) * trailing)] if trailing else v


def lengths_of(size: Variable, parameters: Sequence[Variable]) -> list[Variable]:
    """The length of each axis of a draw.

    size: a vector of lengths, or one length; empty for the shape that the parameters have
        together.  A length of -1 is that of the parameters on the same axis, counted from the
        right.

    Raises ShapeError where the parameters do not fit into the size, TypeMismatchError where it is
    no vector of integers of a known length.
    """
    if size.ndim == 0:
        given = [size]
    elif size.ndim == 1 and size.type.shape[0] is not None:
        parts = size.owner.inputs if size.owner and size.owner.op is OPS["stack"] else None
        given = list(parts or (size[i] for i in range(size.type.shape[0])))
    else:
        raise TypeMismatchError(
            "The size does not tell how many axes the draw has.",
            port="size",
            expected="a vector of known length",
            got=str(size.type),
            hint="Use the shape of a tensor, list the lengths one by one, or give ndim.",
        )
    together = broadcast([v.type for v in parameters]) if parameters else TensorType("int64")
    if size.ndim and not given:
        return [_common(parameters, together, axis) for axis in range(together.ndim)]
    if together.ndim > len(given):
        raise ShapeError(
            f"A draw of {len(given)} axes is too small for parameters of {together.ndim}.",
            port="size",
            expected=f"{together.ndim} axes or more",
            got=str(len(given)),
        )
    lengths: list[Variable] = []
    for i, v in enumerate(given):
        value = known_value(v)
        axis = i - len(given) + together.ndim
        if value is not None and value == -1 and axis >= 0:
            v = _common(parameters, together, axis)
        elif value is not None:
            v = Constant(length(value), "int64")
            _check_fit(v, together, axis)
        lengths.append(v)
    return lengths


def _common(parameters: Sequence[Variable], together: TensorType, axis: int) -> Variable:
    """The length that the parameters have together on an axis."""
    if together.broadcastable[axis]:
        return Constant(1, "int64")
    for v in parameters:
        own = axis - together.ndim + v.ndim
        if own >= 0 and not v.broadcastable[own]:
            return OPS["shape"](v)[own]
    raise AssertionError("some parameter has the axis")


def _check_fit(length: Constant, together: TensorType, axis: int) -> None:
    """Refuse parameters that are longer than the draw on an axis: some would go unread."""
    if axis < 0 or together.broadcastable[axis]:
        return
    known = together.shape[axis]
    n = int(length.data)
    if n == known or (known is None and n != 1):
        return
    raise ShapeError(
        f"A draw of length {n} does not fit parameters of shape {shape_text(together.shape)} "
        f"on axis {axis}.",
        port="size",
        expected=str(known) if known is not None else "more than 1",
        got=str(n),
        hint="Give the size that the parameters have together, or leave it out.",
    )


def by_numpy(
    name: str,
    doc: str,
    parameters: Sequence[Port],
    draw: Callable[..., Any],
    values: Sequence[Any],
    *,
    whole: bool,
    trailing: Sequence[int] = (),
    added: Callable[[Sequence[TensorType], Sequence[Any]], Sequence[int | None]] = lambda t, v: (),
    no_grad: str | None = None,
) -> Op:
    """A hidden op that draws with NumPy's generator.

    draw: `(generator, *parameters, size=shape)` to the numbers.
    whole: whether these are int64, and no gradient flows; else float64, and asking for it is an
        error, for the reason `no_grad`.
    trailing: for each parameter how many of its last axes belong to one draw.
    added: from the parameters' types and values, None where not known, to the axes that one draw
        has.
    """
    dtype = "int64" if whole else "float64"
    count = len(parameters)
    own = tuple(trailing) or (0,) * count

    def infer(rng: TensorType, *types: TensorType, known: Sequence[Any]) -> TensorType:
        check_state(rng)
        shape = drawn_shape(types[count:], known)
        for parameter, axes, t in zip(parameters, own, types, strict=False):
            check_parameter(parameter, t)
            if t.ndim - axes > len(shape):
                raise ShapeError(
                    f"A draw of {len(shape)} axes is too small for {parameter.name} of {t.ndim}.",
                    port=parameter.name,
                    expected=f"{len(shape) + axes} axes at most",
                    got=str(t),
                )
        return TensorType(dtype, (*shape, *added(types[:count], known[1 : 1 + count])))

    def evaluate(rng: Any, *given: Any) -> Any:
        shape = tuple(length(n) for n in given[count:])
        _check_stretch(shape, given[:count], own)
        try:
            found = draw(philox.generator(rng), *given[:count], size=shape)
        except EngineError:
            raise
        except ValueError as error:
            raise ParameterError(
                f"NumPy has no such distribution: {str(error).rstrip('.')}.",
                expected=doc,
                got=_shown(given[:count]),
            ) from None
        return np.asarray(found, dtype)

    return Op(
        name=name,
        doc=doc,
        category=CATEGORY,
        hidden=True,
        method=False,
        ports=(RNG, *parameters, LENGTHS),
        infer=infer,
        numpy=evaluate,
        reads_values=True,
        grad=no_path if whole else None,
        no_grad=no_grad,
        examples=(Example(draw=lambda rng: [EXAMPLE_STATE, *map(np.asarray, values)]),),
        dtypes=FLOATS,
    )


def _check_stretch(shape: tuple[int, ...], values: Sequence[Any], own: Sequence[int]) -> None:
    """Raise ShapeError where parameters do not stretch to the size of the draw."""
    for v, trailing in zip(values, own, strict=True):
        batch = np.shape(v)[: np.ndim(v) - trailing]
        if any(n not in (1, m) for n, m in zip(batch[::-1], shape[::-1], strict=False)):
            raise ShapeError(
                f"A draw of shape {shape_text(shape)} does not fit a parameter of shape "
                f"{shape_text(np.shape(v))}.",
                port="size",
                expected="parameters that stretch to the size",
                got=shape_text(np.shape(v)),
            )


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(np.array2string(np.asarray(v), threshold=6) for v in values)
