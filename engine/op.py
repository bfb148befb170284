"""The op record: everything that anybody needs to know of an op, declared once.

A record is read by the type checker, the NumPy interpreter, the gradient, the code generators,
the printer, the graph document, the palette and the tests.  What families of ops have in common
the makers in `engine.makers` fill in.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

import numpy as np

from engine.config import config
from engine.dtype_rules import DtypeRule
from engine.errors import EngineError, OpError, ParameterError, TypeMismatchError
from engine.expression import OPS, Apply, Constant, Variable, as_variable, user_line
from engine.known import known_value
from engine.types import (
    DISCRETE,
    FLOATS,
    SMALL,
    TensorType,
    is_literal,
    literal_dtype,
)

ParamType = Literal[
    "int", "float", "bool", "string", "axis", "ints", "dtype", "shape", "index", "graph"
]
Gradients = Sequence[Variable | str | None]


@dataclass(frozen=True)
class Port:
    """An input of an op: its name, what it is, and whether it takes any number of tensors.

    default: what it reads where nothing is given, a number or a tuple of lengths; None where
        something must be given.
    """

    name: str
    doc: str = ""
    variadic: bool = False
    default: int | float | tuple[int, ...] | None = None


@dataclass(frozen=True)
class Param:
    """A parameter of an op: a plain, hashable value that is no tensor."""

    name: str
    type: ParamType
    default: Any = None
    doc: str = ""
    choices: tuple[str, ...] | None = None
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Fold:
    """How a reduction runs over one element after another, as texts in the kernel's language.

    start: the accumulator at first.  step: the accumulator after one more element, of `{acc}`
    and `{x}`.  finish: the result, of `{acc}` and the number of elements `{n}`.
    accumulator: the dtype in which it is kept, by that of the input.
    Besides what `scalar` texts use, a step may call `accumulate` (a sum in any order), `greatest`
    and `least` (NaN if there is one).
    """

    start: str
    step: str
    finish: str = "{acc}"
    accumulator: Callable[[str], str] = lambda dtype: dtype


@dataclass(frozen=True)
class Example:
    """Inputs that an op can take, for tests and documentation: shapes, parameters, dtypes.

    dtypes: of each input, where it is not the one that is tested.
    draw: makes the inputs, where not any numbers of the op's domain will do: a positive definite
        matrix, indices, sorted numbers.  Floats are cast to the dtype that is tested.
    """

    shapes: tuple[tuple[int, ...], ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ()
    draw: Callable[[np.random.Generator], Sequence[Any]] | None = None


@dataclass(frozen=True, eq=False)
class Op:
    """One op.

    name: unique, stable, the name in documents.  doc: one or two sentences for people.
    ports, results: what goes in and comes out.  params: its plain parameters.
    infer: `(*types, **params)` to the type (or tuple of types) of the results; raises
        ShapeError or TypeMismatchError.
    overrides_gradient: whether grad is on purpose not the derivative.
    reads_values: whether the shape of a result depends on what some inputs hold, as that of
        `arange(n)`; then infer also gets `known`: for each input its value where that follows
        from constants and known lengths, else None.
    numpy: `(*arrays, **params)` to the result(s): the meaning, with which all else is compared.
    grad: `(g, y, *inputs, **params)` to a list with the gradient for each input as an
        expression, None where there is no path, a text that says why where there is a path but no
        formula; g and y are tuples where there are several results.
    no_grad: why there is none.
    slopes: the derivatives of an elementwise op by its inputs, `(y, *inputs)`, by which grad
        multiplies g; made of grad.
    selects: whether parts of the inputs do not get to the result, as the branch that switch does
        not take.  No zero gradient on its way back from there becomes NaN.
    conjugates: whether grad is written for real numbers and, for complex ones, stands for the
        derivative of a holomorphic function, whose conjugate is what flows back (the sweep sees
        to that).  False for ops that only move elements or treat complex numbers themselves.
    scalar: the op on single elements, in the text that all kernels share; only elementwise.
    rule: the dtypes of an elementwise op; no other op has one.
    fold: a reduction's loop.  view: how the result lies in the input's memory, for ops that
        move no data: `(shape, strides, **params)` to `(offset, shape, strides)` in elements, or
        None where it must be copied.  It is a view of the first input; where it reads values of
        others it gets `known` as infer does.
    body: builds the op out of others; such an op expands where it is called.  It gets what a
        variadic port takes as a list, and returns a list where there are several results.
    expand: builds the op out of simpler ones for the code generators, which have no kernel of
        their own for it; `(*inputs, **params)`, a list where there are several results.
    regular: the type of the result where slices, whose bounds are computed, are taken to lie on
        their axes as a whole: `(inputs, types, value, **params)`, value giving what a variable
        holds, or None.
    lazy: `(condition, **params)` to the number of the one further input that is needed.  Its
        grad says what flows to a branch that is taken; the sweep sees to the others.
    bounds: two numbers between which every result lies that is not NaN.
    from_shape: whether the result depends only on the shapes of the inputs.
    higher_order: the op runs a graph, its parameter `block`.  numpy gets, as first argument, a
        function that makes a block ready to be run; grad gets `pullback`, then for each input
        whether its gradient is wanted, then always tuples for g and y, None in g where nothing
        flows.
    draws: the first port is the state of a random stream; a node on the canvas has a state of
        its own there, made from its seed, which goes on with every call.
    call: what `op(...)` does, and so the method of tensors, where people call it with other
        arguments than its ports and parameters: `reshape(x, (n, -1))`.  It takes those too.
    symbol, tex, infix: how it is shown; tex and infix are templates of the ports' names.
    precedence: how tightly infix binds; brackets are set from it.
    domain: where tests draw the inputs, one (low, high) for all or one for each.
    examples: inputs it can take; the makers know their own.
    method: whether tensors offer it as a method.
    """

    name: str
    doc: str
    category: str
    ports: tuple[Port, ...]
    infer: Callable[..., TensorType | tuple[TensorType, ...]]
    numpy: Callable[..., Any] | None
    results: tuple[str, ...] = ("out",)
    params: tuple[Param, ...] = ()
    grad: Callable[..., Gradients] | None = None
    no_grad: str | None = None
    slopes: Callable[..., Gradients] | None = None
    selects: bool = False
    conjugates: bool = True
    overrides_gradient: bool = False
    reads_values: bool = False
    scalar: str | None = None
    rule: DtypeRule | None = None
    fold: Fold | None = None
    view: Callable[..., tuple[int, tuple[int, ...], tuple[int, ...]] | None] | None = None
    body: Callable[..., Variable | Sequence[Variable]] | None = None
    expand: Callable[..., Variable | Sequence[Variable]] | None = None
    regular: Callable[..., TensorType] | None = None
    lazy: Callable[..., int] | None = None
    bounds: tuple[float, float] | None = None
    from_shape: bool = False
    higher_order: bool = False
    draws: bool = False
    call: Callable[..., Any] | None = None
    commutative: bool = False
    associative: bool = False
    symbol: str | None = None
    tex: str | None = None
    infix: str | None = None
    precedence: int = 100
    aliases: tuple[str, ...] = ()
    domain: tuple[float, float] | tuple[tuple[float, float], ...] = (-3.0, 3.0)
    dtypes: frozenset[str] = field(default=DISCRETE | FLOATS)
    examples: tuple[Example, ...] = ()
    method: bool = True
    hidden: bool = False

    def __post_init__(self) -> None:
        missing = [n for n in ("name", "doc", "category", "ports", "infer") if not getattr(self, n)]
        if self.numpy is None and self.body is None and self.lazy is None:
            missing.append("numpy")
        if self.grad is None and not self.no_grad and self.body is None:
            missing.append("grad, or no_grad with the reason")
        if not self.examples and not self.higher_order:
            missing.append("examples")
        if missing:
            raise OpError(f"The op {self.name!r} does not state its {', '.join(missing)}.")
        for name in (self.name, *self.aliases):
            if name in OPS:
                raise OpError(f"There are two ops called {name!r}.")
            OPS[name] = self
        object.__setattr__(self, "__doc__", self.documentation())
        object.__setattr__(self, "__signature__", self._signature())

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return op_named, (self.name,)

    def documentation(self) -> str:
        """All that people need to know to use the op, as text."""
        lines = [f"{self.name}{self._signature()}", "", self.doc]
        told = [(p.name + (" …" if p.variadic else ""), p.doc) for p in self.ports if p.doc]
        for p in self.params:
            choices = f"; {', '.join(p.choices)}" if p.choices else ""
            told.append((p.name, f"{p.doc or p.type} ({p.type}, {p.default!r}{choices})"))
        if told:
            lines += ["", *(f"  {name}: {text}" for name, text in told)]
        if len(self.results) > 1:
            lines += ["", f"  Gives {', '.join(self.results)}."]
        names = [a for a in self.aliases if a != self.name]
        if names:
            lines += ["", f"Also called {', '.join(names)}."]
        if self.no_grad:
            lines += ["", f"It has no gradient: {self.no_grad}."]
        return "\n".join(lines)

    def _signature(self) -> inspect.Signature:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        ports: list[inspect.Parameter] = []
        optional = True  # Python shows no default before what has none
        for port in reversed(self.ports):
            default = () if port.variadic and len(self.ports) > 1 else port.default
            optional = optional and default is not None
            ports.append(
                inspect.Parameter(
                    port.name, kind, default=default if optional else inspect.Parameter.empty
                )
            )
        params = [inspect.Parameter(p.name, kind, default=p.default) for p in self.params]
        if self.call is None:
            return inspect.Signature([*reversed(ports), *params])
        called = inspect.signature(self.call).parameters
        named = [p.replace(annotation=p.empty) for p in called.values() if p.kind != p.VAR_KEYWORD]
        passed_on = len(named) < len(called)
        return inspect.Signature(
            [*named, *(p for p in params if passed_on and p.name not in called)]
        )

    @property
    def wired(self) -> tuple[Port, ...]:
        """The ports that a node on the canvas shows."""
        return self.ports[1:] if self.draws else self.ports

    @property
    def is_elementwise(self) -> bool:
        """Whether it treats each element by itself."""
        return self.rule is not None

    @property
    def variadic(self) -> bool:
        """Whether its last port takes any number of inputs, as a list."""
        return bool(self.ports) and self.ports[-1].variadic

    def apply(self, inputs: Sequence[Variable], params: Mapping[str, Any]) -> Apply:
        """Type-check and apply to variables; every parameter must be given."""
        known = [known_value(v) for v in inputs] if self.reads_values else ()
        try:
            types = self.types([v.type for v in inputs], params, known)
        except EngineError as error:
            error.within(self.name, [v.name or str(v.type) for v in inputs])
            raise
        node = Apply(self, inputs, params, types, line=user_line())
        if config.compute_test_value != "off":
            Variable.tested(node)
        return node

    def types(
        self,
        inputs: Sequence[TensorType],
        params: Mapping[str, Any],
        known: Sequence[Any] = (),
    ) -> tuple[TensorType, ...]:
        """The types of the results; `known` has the inputs' values where they are known."""
        if self.reads_values:
            params = {**params, "known": tuple(known) or (None,) * len(inputs)}
        types = self.infer(*inputs, **params)
        return (types,) if isinstance(types, TensorType) else tuple(types)

    def __call__(self, *args: Any, **kwargs: Any) -> Variable:
        """The result of the op on variables, numbers or arrays.

        An op with several results gives a list of them, which the type cannot say; `each` does.
        An associative op takes any number of them: add(x, y, z) is add(add(x, y), z).
        """
        if self.call is not None:
            return self.call(*args, **kwargs)  # type: ignore[no-any-return]
        if self.associative and len(args) > len(self.ports) and not kwargs:
            alone = all(map(is_literal, args))
            out: Variable = reduce(self, args if alone else map(as_variable, args))
            return out
        outputs = self.each(*args, **kwargs)
        return outputs[0] if len(outputs) == 1 else outputs  # type: ignore[return-value]

    def each(self, *args: Any, **kwargs: Any) -> list[Variable]:
        """The results as a list, also where there is only one."""
        inputs, params = self.bind(args, kwargs)
        if self.body is None:
            return list(self.apply(inputs, params).outputs)
        built = self.body(*grouped(self.ports, inputs), **params)
        return [built] if isinstance(built, Variable) else list(built)

    def bind(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[list[Variable], dict[str, Any]]:
        """Sort the arguments of a call into inputs and parameters.

        Raises ParameterError where one is missing, doubled, or unknown.
        """
        names = [p.name for p in self.ports] + [p.name for p in self.params]
        if len(args) > len(names):
            raise ParameterError(
                f"{self.name} takes {len(names)} arguments, not {len(args)}.",
                expected=", ".join(names),
            )
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in names or name in given:
                state = "twice" if name in given else "but has no such argument"
                raise ParameterError(
                    f"{self.name} was given {name!r} {state}.", expected=", ".join(names), got=name
                )
            given[name] = value
        for port in self.ports:
            if port.variadic:
                given.setdefault(port.name, ())
            elif port.name not in given and port.default is not None:
                given[port.name] = port.default
            elif port.name not in given:
                raise ParameterError(f"{self.name} needs an input {port.name!r}.", port=port.name)
        inputs: list[Variable] = []
        alone = self.is_elementwise or self.body is not None
        numbers = [given[port.name] for port in self.ports if alone]
        if numbers and all(map(is_literal, numbers)):
            inputs = self._constants(numbers)
        else:
            for port in self.ports:
                value = given[port.name]
                inputs += map(as_variable, value) if port.variadic else [as_variable(value)]
        params = {p.name: frozen(p, given.get(p.name, p.default)) for p in self.params}
        return inputs, params

    def _constants(self, numbers: Sequence[bool | int | float | complex]) -> list[Variable]:
        """Python numbers as constants, where the op gets nothing else.

        No tensor is there whose narrow dtype is to be kept: whole numbers are int64, so that
        pow(2, 7) is 128 and not the -128 of int8, and sqrt(2) has all the digits of floatX.
        """
        if config.cast_policy != "custom":
            return list(map(as_variable, numbers))
        dtypes = [literal_dtype(v) for v in numbers]
        whole = config.floatX if self._makes_floats(dtypes) else "int64"
        wide = dict.fromkeys(SMALL, whole)
        wide |= dict.fromkeys(FLOATS, config.floatX)
        return [Constant(v, wide.get(d, d)) for v, d in zip(numbers, dtypes, strict=True)]

    def _makes_floats(self, dtypes: Sequence[str]) -> bool:
        """Whether the result of an elementwise op is inexact."""
        try:
            return self.rule is not None and self.rule(dtypes)[1] not in DISCRETE
        except TypeMismatchError:
            return False  # they will be refused when the types are checked

    def working(self, dtypes: Sequence[str]) -> tuple[str, ...]:
        """The dtypes that the inputs of an elementwise op are cast to."""
        assert self.rule is not None
        working, _ = self.rule(dtypes)
        return (working,) * len(dtypes) if isinstance(working, str) else working

    def evaluate(self, *arrays: Any, **params: Any) -> Any:
        """The NumPy value, in the dtypes of the type rule."""
        if self.numpy is None:
            raise OpError(f"{self.name} has no value of its own.")
        if self.rule is None:
            return self.numpy(*arrays, **params)
        values = [np.asarray(a) for a in arrays]
        dtypes = [v.dtype.name for v in values]
        _, result = self.rule(dtypes)
        pairs = zip(values, self.working(dtypes), strict=True)
        with np.errstate(all="ignore"):
            out = self.numpy(*(v.astype(d, copy=False) for v, d in pairs), **params)
        return np.asarray(out).astype(result, copy=False)


def op_named(name: str) -> Op:
    """The op of that name; OpError where there is none."""
    if name not in OPS:
        raise OpError(
            f"There is no op {name!r}.",
            got=name,
            hint="Import the module that declares it, then load again.",
        )
    return OPS[name]


def grouped(ports: Sequence[Port], inputs: Sequence[Variable]) -> list[Any]:
    """The inputs as a call takes them: those of a variadic port as one list."""
    if not ports or not ports[-1].variadic:
        return list(inputs)
    fixed = len(ports) - 1
    return [*inputs[:fixed], list(inputs[fixed:])]


def frozen(param: Param, value: Any) -> Any:
    """A parameter's value in its hashable form; ParameterError where it is of another type."""
    if value is None or param.type in {"index", "graph"}:
        return value
    try:
        match param.type:
            case "int":
                return int(value)
            case "float":
                return float(value)
            case "bool":
                return bool(value)
            case "dtype":
                return TensorType(config.floatX if value == "floatX" else value).dtype
            case "axis" if np.ndim(value) == 0 and not isinstance(value, bool):
                return operator.index(value)
            case "axis" | "ints":
                return tuple(int(v) for v in value)
            case "shape":
                return tuple(None if v is None else int(v) for v in value)
            case _:
                pass
    except (TypeError, ValueError) as error:
        if isinstance(error, EngineError):
            raise
        raise ParameterError(
            f"{param.name} cannot be {value!r}.", port=param.name, expected=param.type
        ) from error
    if param.choices and value not in param.choices:
        raise ParameterError(
            f"{param.name} cannot be {value!r}.",
            port=param.name,
            expected=" or ".join(param.choices),
            got=str(value),
        )
    return value


@contextmanager
def untested() -> Iterator[None]:
    """Build expressions without test values: those inside a block are of variables without any."""
    kept, config.compute_test_value = config.compute_test_value, "off"
    try:
        yield
    finally:
        config.compute_test_value = kept
