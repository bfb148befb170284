"""The op record: everything that anybody needs to know of an op, declared once.

A record is read by the type checker, the NumPy interpreter, the gradient, the code generators,
the printer, the graph document, the palette and the tests.  The makers `elementwise`, `reduction`
and `composed` fill in what their family has in common.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

import numpy as np

from engine.config import config
from engine.errors import EngineError, OpError, ParameterError, TypeMismatchError
from engine.graph import OPS, Apply, Constant, Variable, as_variable, user_line
from engine.types import (
    COMPLEX,
    DISCRETE,
    FLOATS,
    INTEGERS,
    SMALL,
    Shape,
    TensorType,
    broadcast,
    is_literal,
    literal_dtype,
    normalize_axes,
    to_float,
    upcast,
)

ParamType = Literal[
    "int", "float", "bool", "string", "axis", "ints", "dtype", "shape", "index", "graph"
]
Gradients = Sequence[Variable | str | None]
DtypeRule = Callable[[Sequence[str]], tuple[str | tuple[str, ...], str]]
"""From the inputs' dtypes to the dtype computed in and the dtype of the result.

The former may be several, one for each input, where not all are cast to the same.  The last one
is what `T` in a kernel's text stands for.
"""


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
    lazy: `(condition, **params)` to the number of the one further input that is needed.  Its
        grad says what flows to a branch that is taken; the sweep sees to the others.
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
    lazy: Callable[..., int] | None = None
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
        built = self.body(*_grouped(self.ports, inputs), **params)
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
        params = {p.name: _frozen(p, given.get(p.name, p.default)) for p in self.params}
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


def _grouped(ports: Sequence[Port], inputs: Sequence[Variable]) -> list[Any]:
    """The inputs as a call takes them: those of a variadic port as one list."""
    if not ports or not ports[-1].variadic:
        return list(inputs)
    fixed = len(ports) - 1
    return [*inputs[:fixed], list(inputs[fixed:])]


def _frozen(param: Param, value: Any) -> Any:
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
            case "axis" if isinstance(value, int | np.integer) and not isinstance(value, bool):
                return int(value)
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


KNOWN_SIZE = 64
"""The most elements of a value that is followed through a graph before it runs."""


def known_value(v: Variable, depth: int = 12) -> Any:
    """What a small variable holds, as an array, where constants and known lengths say so.

    Beyond constants only integers are followed.
    """
    if isinstance(v, Constant):
        return v.data if v.data.size <= KNOWN_SIZE else None
    node = v.owner
    if node is None or not depth or v.dtype not in DISCRETE:
        return None
    if node.op.from_shape:
        return value_from_shapes(node, [t.type for t in node.inputs])
    if len(node.inputs) > 4:
        return None
    shape = node.inputs[0].owner if node.op.name == "subtensor" else None
    if shape is not None and shape.op.name == "shape" and len(node.inputs) == 1:
        return _known_lengths(shape.inputs[0].type, node)
    values = [known_value(t, depth - 1) for t in node.inputs]
    return value_from_values(node, values, v.type)


def _known_lengths(x: TensorType, part: Apply) -> Any:
    """Of `x.shape[i]`, for which the lengths of the other axes need not be known."""
    lengths = np.asarray(part.op.evaluate(np.array(x.shape, dtype=object), **part.params))
    return None if None in lengths.ravel().tolist() else lengths.astype("int64")


def value_from_shapes(node: Apply, types: Sequence[TensorType]) -> Any:
    """The value of an op that reads only shapes; None where they are not all known."""
    if any(None in t.shape for t in types):
        return None
    shapes = [tuple(n or 0 for n in t.shape) for t in types]
    stand_ins = [
        np.broadcast_to(np.zeros((), t.dtype), s) for t, s in zip(types, shapes, strict=True)
    ]
    value = np.asarray(node.op.evaluate(*stand_ins, **node.params))
    return value if value.size <= KNOWN_SIZE else None


def value_from_values(node: Apply, values: Sequence[Any], type: TensorType) -> Any:
    """The value, of the given type, of an integer expression.

    None where one of its inputs is not known, or where it is not small.
    """
    op = node.op
    computable = op.numpy is not None and not op.higher_order and len(node.outputs) == 1
    if not computable or not values or any(v is None for v in values):
        return None
    if type.dtype not in DISCRETE or math.prod(n or 1 for n in type.shape) > KNOWN_SIZE:
        return None
    try:
        value = np.asarray(op.evaluate(*values, **node.params)).astype(node.out.dtype)
    except (EngineError, ValueError, IndexError, ArithmeticError):
        return None  # it will be an error when it runs, if it ever does
    return value if value.size <= KNOWN_SIZE else None


# dtype rules of elementwise ops


def upcasting(dtypes: Sequence[str]) -> tuple[str, str]:
    """Computed in and returned as the dtype that holds all inputs."""
    dtype = upcast(*dtypes)
    return dtype, dtype


def floating(dtypes: Sequence[str]) -> tuple[str, str]:
    """As upcasting, but ints become floats: 8 and 16 bits float32, more float64."""
    dtype = to_float(upcast(*dtypes))
    return dtype, dtype


def comparing(dtypes: Sequence[str]) -> tuple[str, str]:
    """Compared in the dtype that holds all inputs; the result is bool."""
    return upcast(*dtypes), "bool"


def dividing(dtypes: Sequence[str]) -> tuple[str, str]:
    """Integers divide to floatX, anything else as upcasting."""
    dtype = config.floatX if all(d in DISCRETE for d in dtypes) else upcast(*dtypes)
    return dtype, dtype


def arithmetic(dtypes: Sequence[str]) -> tuple[str, str]:
    """As upcasting; bools alone are refused."""
    if all(d == "bool" for d in dtypes):
        raise TypeMismatchError(
            "bool has no arithmetic of this kind.",
            expected="a number",
            got="bool",
            hint="Use and_, or_, xor, invert, or cast to an integer first.",
        )
    return upcasting(dtypes)


def of_reals(rule: DtypeRule) -> DtypeRule:
    """The rule, where complex numbers are refused."""

    def checked(dtypes: Sequence[str]) -> tuple[str | tuple[str, ...], str]:
        for dtype in dtypes:
            if dtype in COMPLEX:
                raise TypeMismatchError(
                    "This is not defined for complex numbers.",
                    expected="real numbers",
                    got=dtype,
                    hint="Take the real part, the imaginary part or the absolute value first.",
                )
        return rule(dtypes)

    return checked


# makers


def elementwise(
    name: str,
    *,
    doc: str,
    category: str,
    numpy: Callable[..., Any],
    scalar: str | None,
    grad: Callable[..., Gradients] | None = None,
    rule: DtypeRule = upcasting,
    examples: tuple[Example, ...] = (),
    **facts: Any,
) -> Op:
    """An op on each element, with broadcasting.

    The ports are the parameters of `numpy`.  The gradients may have the broadcast shape; they
    are summed back to the shape of each input here.  Without a text for `scalar` native code
    calls `numpy`.  Unless examples are given, there are some of all the ways to stretch.
    """
    ports = tuple(Port(p) for p in inspect.signature(numpy).parameters)
    used = set(re.findall(r"\{(\w+)\}", scalar or ""))
    if not used <= {p.name for p in ports}:
        raise OpError(f"The kernel text of {name!r} uses {used - {p.name for p in ports}}.")

    def infer(*types: TensorType) -> TensorType:
        return broadcast(types).with_dtype(rule([t.dtype for t in types])[1])

    def summed_grad(g: Variable, y: Variable, *inputs: Variable) -> Gradients:
        assert grad is not None
        if y.dtype in DISCRETE:
            return [zero_gradient(x) for x in inputs]
        return [
            unbroadcast(gx, x) if isinstance(gx, Variable) else gx
            for gx, x in zip(grad(g, y, *inputs), inputs, strict=True)
        ]

    def slopes(y: Variable, *inputs: Variable) -> Gradients:
        assert grad is not None
        return grad(Constant(1, y.dtype), y, *inputs)

    return Op(
        name=name,
        doc=doc,
        category=category,
        ports=ports,
        infer=infer,
        numpy=numpy,
        scalar=scalar,
        grad=summed_grad if grad else None,
        slopes=slopes if grad else None,
        rule=rule,
        examples=examples or tuple(map(Example, stretched_shapes(len(ports)))),
        **facts,
    )


def stretched_shapes(count: int) -> list[tuple[tuple[int, ...], ...]]:
    """Shapes for so many inputs: all alike, one without axes, and two that stretch both ways."""
    return [
        ((2, 3),) * count,
        ((), *((3,),) * (count - 1)),
        ((1, 3), *((2, 1),) * (count - 1)),
    ]


def zero_gradient(x: Variable) -> Variable:
    """Zeros of x's shape, in the float dtype that gradients of x have."""
    dtype = x.dtype if x.dtype not in DISCRETE else config.floatX
    zero = as_variable(np.zeros((), dtype))
    return zero if x.ndim == 0 else OPS["fill"](x, zero)


def constant_like(value: float, x: Variable) -> Variable:
    """The number in the dtype of x, so that a float32 gradient stays float32."""
    return Constant(value, x.dtype if x.dtype not in DISCRETE else config.floatX)


def cast_to(x: Variable, dtype: str) -> Variable:
    """x in a dtype; x itself where it has that already."""
    return x if x.dtype == dtype else OPS["cast"](x, dtype)


def unbroadcast(g: Variable, x: Variable) -> Variable:
    """Sum the gradient `g` over the axes along which x was stretched to g's shape."""
    lead = g.ndim - x.ndim
    if lead:
        g = OPS["sum"](g, axis=tuple(range(lead)))
    axes = tuple(
        i
        for i, (bx, bg) in enumerate(zip(x.broadcastable, g.broadcastable, strict=True))
        if bx and not bg
    )
    return OPS["sum"](g, axis=axes, keepdims=True) if axes else g


def alike(g: Variable, v: Variable) -> Variable:
    """The gradient `g` of v's shape with the same axes marked as stretching as v has."""
    return g if g.broadcastable == v.broadcastable else OPS["reshape_like"](g, v)


AXIS = Param("axis", "axis", None, "the axis or axes to reduce; none means all")
KEEPDIMS = Param("keepdims", "bool", False, "keep reduced axes with length 1")


def reduction(
    name: str,
    *,
    doc: str,
    numpy: Callable[..., Any],
    fold: Fold | None,
    result: Callable[[str], str] = lambda dtype: dtype,
    category: str = "Reductions",
    **facts: Any,
) -> Op:
    """An op that folds axes away.  `result` gives the dtype; `numpy` takes (x, axis, keepdims)."""

    def infer(x: TensorType, axis: Any, keepdims: bool) -> TensorType:
        return reduced(x, axis, keepdims).with_dtype(result(x.dtype))

    def evaluate(x: Any, axis: Any, keepdims: bool) -> Any:
        x = np.asarray(x)
        axes = normalize_axes(axis, x.ndim)
        out = numpy(x, axis=axes, keepdims=keepdims)
        return np.asarray(out).astype(result(x.dtype.name), copy=False)

    return Op(
        name=name,
        doc=doc,
        category=category,
        ports=(Port("x"),),
        params=(AXIS, KEEPDIMS),
        infer=infer,
        numpy=evaluate,
        fold=fold,
        examples=(
            Example(((2, 3),), {"axis": None}),
            Example(((2, 3),), {"axis": (1,), "keepdims": True}),
            Example(((2, 3, 2),), {"axis": (0, 2)}),
        ),
        **facts,
    )


def reduced(x: TensorType, axis: Any, keepdims: bool) -> TensorType:
    """The type after folding the axes away."""
    axes = normalize_axes(axis, x.ndim)
    shape: list[int | None] = []
    pattern: list[bool] = []
    for i, n in enumerate(x.shape):
        if i not in axes:
            shape.append(n)
            pattern.append(x.broadcastable[i])
        elif keepdims:
            shape.append(1)
            pattern.append(True)
    return TensorType(x.dtype, shape, pattern)


def restore_axes(y: Variable, x: Variable, axis: Any, keepdims: bool) -> Variable:
    """Give a reduced tensor its lost axes back with length 1, so that it stretches against x."""
    if keepdims or x.ndim == y.ndim == 0:
        return y
    axes = normalize_axes(axis, x.ndim)
    kept = iter(range(y.ndim))
    return OPS["dimshuffle"](y, tuple(None if i in axes else next(kept) for i in range(x.ndim)))


def composed(
    name: str,
    *,
    doc: str,
    category: str,
    body: Callable[..., Variable | Sequence[Variable]],
    **facts: Any,
) -> Op:
    """An op made of others: it expands where it is called and needs no kernel and no gradient.

    Its ports are the parameters of `body` that are not among `params`, unless `ports` says
    otherwise.
    """
    params: tuple[Param, ...] = facts.pop("params", ())
    known = {p.name for p in params}
    ports = facts.pop("ports", None) or tuple(
        Port(p) for p in inspect.signature(body).parameters if p not in known
    )

    def infer(*types: TensorType, known: Any = (), **values: Any) -> tuple[TensorType, ...]:
        results = OPS[name].each(*_grouped(ports, [Variable(t) for t in types]), **values)
        return tuple(v.type for v in results)

    facts.setdefault("examples", (Example(((2, 3),) * len(ports)),))
    return Op(
        name=name,
        doc=doc,
        category=category,
        ports=ports,
        params=params,
        infer=infer,
        numpy=None,
        body=body,
        **facts,
    )


def sum_dtype(dtype: str) -> str:
    """Sums and products of small integers are 64 bits wide."""
    if config.cast_policy == "simple":
        return upcast("int64" if dtype == "bool" else dtype)
    if dtype in INTEGERS or dtype == "bool":
        return "uint64" if dtype.startswith("uint") else "int64"
    return dtype


def accumulator(dtype: str) -> str:
    """The dtype in which a sum is kept: float16 and float32 in float64."""
    if dtype in COMPLEX:
        return "complex128"
    return "float64" if dtype in FLOATS else sum_dtype(dtype)


def no_shape(ndim: int) -> Shape:
    """A shape of which only the rank is known."""
    return (None,) * ndim
