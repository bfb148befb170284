"""Expressions: variables, and the ops applied to them.

An expression is built by calling ops on variables: each call makes an `Apply`, which points at
its inputs and owns its outputs.  Expressions are never changed.
"""

from __future__ import annotations

import itertools
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import FrameType, SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from engine.config import config
from engine.errors import EngineError, TypeMismatchError
from engine.types import TensorType, is_literal, literal_dtype

if TYPE_CHECKING:
    from engine.op import Op

OPS: dict[str, Op] = {}
"""Every op by its name, filled by the declarations in `engine/ops/`."""

_serial = itertools.count()


class Variable:
    """A typed value in an expression: a leaf, or one of the outputs of an `Apply`.

    type: what is known of the value.  owner: the Apply that computes it, None for a leaf.
    index: which of the owner's outputs it is.  name: what people call it.
    serial: rises with every variable made; orders the operands of commutative ops.
    rng, update: of a draw from a random stream, its state and the pair (state, next state).
    permutation: of a shuffled tensor, the orders.  Other variables have no such attributes.
    """

    __slots__ = (
        "__weakref__", "_name", "_tag", "cached", "index", "origins", "owner", "permutation", "rng",
        "serial", "type", "update",
    )  # fmt: skip

    rng: Variable
    update: tuple[Variable, Variable]
    permutation: Variable

    def __init__(
        self,
        type: TensorType,
        owner: Apply | None = None,
        index: int = 0,
        name: str | None = None,
    ) -> None:
        self.type = type
        self.owner = owner
        self.index = index
        self._name = name
        self.serial = next(_serial)
        self.origins: frozenset[str] = frozenset()
        self.cached: Callable[..., Any] | None = None
        self._tag: SimpleNamespace | None = None

    @property
    def tag(self) -> SimpleNamespace:
        """A place for notes: `x.tag.test_value` is the value that x has while graphs are built."""
        if self._tag is None:
            self._tag = SimpleNamespace()
        return self._tag

    @property
    def name(self) -> str | None:
        """What people call the variable."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        self._name = name

    @property
    def born(self) -> frozenset[str]:
        """The ids of the canvas nodes that it stems from: its own, or those of its apply."""
        return self.origins if self.owner is None else self.owner.origins

    @property
    def dtype(self) -> str:
        """The dtype of every element."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """The rank: how many axes."""
        return self.type.ndim

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """For each axis whether it stretches."""
        return self.type.broadcastable

    def __repr__(self) -> str:
        return self.name or f"<{self.type}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # An expression is kept as its applies in order, so that a deep one needs no deep stack;
        # what two expressions have in common is still one thing when they come back together.
        if self.owner is not None:
            return _result, (walk([self]), self.index)
        state = {"origins": self.origins, "_tag": self._tag}
        return type(self), (self.type, None, 0, self._name), (None, state)

    # Arithmetic.  Ops are looked up by name because they live a floor above.

    __array_ufunc__ = None
    """With this NumPy leaves `array * x` to `x.__rmul__` in place of going through the array."""

    def __add__(self, other: Any) -> Variable:
        return OPS["add"](self, other)

    def __radd__(self, other: Any) -> Variable:
        return OPS["add"](other, self)

    def __sub__(self, other: Any) -> Variable:
        return OPS["sub"](self, other)

    def __rsub__(self, other: Any) -> Variable:
        return OPS["sub"](other, self)

    def __mul__(self, other: Any) -> Variable:
        return OPS["mul"](self, other)

    def __rmul__(self, other: Any) -> Variable:
        return OPS["mul"](other, self)

    def __truediv__(self, other: Any) -> Variable:
        return OPS["true_div"](self, other)

    def __rtruediv__(self, other: Any) -> Variable:
        return OPS["true_div"](other, self)

    def __floordiv__(self, other: Any) -> Variable:
        return OPS["int_div"](self, other)

    def __rfloordiv__(self, other: Any) -> Variable:
        return OPS["int_div"](other, self)

    def __mod__(self, other: Any) -> Variable:
        return OPS["mod"](self, other)

    def __rmod__(self, other: Any) -> Variable:
        return OPS["mod"](other, self)

    def __divmod__(self, other: Any) -> list[Variable]:
        return OPS["divmod"].each(self, other)

    def __rdivmod__(self, other: Any) -> list[Variable]:
        return OPS["divmod"].each(other, self)

    def __pow__(self, other: Any) -> Variable:
        return OPS["pow"](self, other)

    def __rpow__(self, other: Any) -> Variable:
        return OPS["pow"](other, self)

    def __matmul__(self, other: Any) -> Variable:
        return OPS["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Variable:
        return OPS["matmul"](other, self)

    def __neg__(self) -> Variable:
        return OPS["neg"](self)

    def __abs__(self) -> Variable:
        return OPS["abs"](self)

    def __ceil__(self) -> Variable:
        return OPS["ceil"](self)

    def __floor__(self) -> Variable:
        return OPS["floor"](self)

    def __trunc__(self) -> Variable:
        return OPS["trunc"](self)

    def __and__(self, other: Any) -> Variable:
        return OPS["and_"](self, other)

    def __rand__(self, other: Any) -> Variable:
        return OPS["and_"](other, self)

    def __or__(self, other: Any) -> Variable:
        return OPS["or_"](self, other)

    def __ror__(self, other: Any) -> Variable:
        return OPS["or_"](other, self)

    def __xor__(self, other: Any) -> Variable:
        return OPS["xor"](self, other)

    def __rxor__(self, other: Any) -> Variable:
        return OPS["xor"](other, self)

    def __lshift__(self, other: Any) -> Variable:
        return OPS["left_shift"](self, other)

    def __rlshift__(self, other: Any) -> Variable:
        return OPS["left_shift"](other, self)

    def __rshift__(self, other: Any) -> Variable:
        return OPS["right_shift"](self, other)

    def __rrshift__(self, other: Any) -> Variable:
        return OPS["right_shift"](other, self)

    def __invert__(self) -> Variable:
        return OPS["invert"](self)

    def __lt__(self, other: Any) -> Variable:
        return OPS["lt"](self, other)

    def __gt__(self, other: Any) -> Variable:
        return OPS["gt"](self, other)

    def __le__(self, other: Any) -> Variable:
        return OPS["le"](self, other)

    def __ge__(self, other: Any) -> Variable:
        return OPS["ge"](self, other)

    def __bool__(self) -> bool:
        """True, so that `if mask:` asks whether there is one; no bools, as what they are is asked.

        So `a < b < c`, `x > 0 and x < 1`, `max(x, y)` are errors and not silently wrong.
        """
        if self.dtype == "bool":
            raise TypeMismatchError(
                f"{self!r} has no truth value while the graph is built.",
                hint="Use T.switch or ifelse, T.and_, T.or_ in place of and, or; or `is not None`.",
            )
        return True

    def __iter__(self) -> Iterator[Variable]:
        """The parts along the first axis, if its length is known: `rows, columns = x.shape`."""
        if not self.ndim:
            raise TypeMismatchError(
                f"{self!r} cannot be iterated over: it has no axes.", got=str(self.type)
            )
        n = self.type.shape[0]
        if n is None:
            raise TypeMismatchError(
                f"{self!r} cannot be iterated over: its length is not known before it runs.",
                got=str(self.type),
                hint="Use scan to loop over it, or T.sum in place of sum.",
            )
        return iter([self[i] for i in range(n)])

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeMismatchError(
            f"{self!r} cannot be assigned to: expressions do not change.",
            hint="Use T.set_subtensor(x[i], value), which gives the changed tensor.",
        )

    def __getitem__(self, key: Any) -> Variable:
        return Variable.indexed(self, key)

    indexed: ClassVar[Callable[[Variable, Any], Variable]]
    """Makes `x[key]`; filled in by the floor that knows indexing."""

    def set(self, value: Any) -> Variable:
        """The tensor that this is a part of, with the part replaced: `x[0].set(1)`."""
        return Variable.changed("assign_at", self, value)

    def inc(self, value: Any) -> Variable:
        """The tensor that this is a part of, with the value added there: `x[0].inc(1)`."""
        return Variable.changed("increase_at", self, value)

    changed: ClassVar[Callable[[str, Variable, Any], Variable]]
    """Changes a part by the op of that name; filled in as `indexed` is."""

    def nonzero(self, return_matrix: bool = False) -> Any:
        """Where the tensor is not 0: a vector of places for each axis, or those as a matrix."""
        places = OPS["nonzero"](self)
        return places if return_matrix else tuple(places)

    # Methods that Theano's tensors have.

    def dimshuffle(self, *pattern: Any) -> Variable:
        """The axes in a new order; "x" is a new axis of length 1, missing ones are dropped."""
        if len(pattern) == 1 and isinstance(pattern[0], list | tuple):
            (pattern,) = pattern
        return OPS["dimshuffle"](self, tuple(None if p in ("x", None) else p for p in pattern))

    def __getattr__(self, name: str) -> Any:
        # Only names not found above come here: x.sum(axis=0) is the op `sum` on x.
        if not name.startswith("_"):
            op = OPS.get(name)
            if op is not None and op.method:
                return _Method(op, self)
        raise AttributeError(f"A tensor has no attribute {name!r}.")

    @property
    def T(self) -> Variable:  # noqa: N802 -- NumPy's and Theano's name
        """The transpose: axes in reverse order."""
        return OPS["transpose"](self)

    @property
    def real(self) -> Variable:
        """The real part."""
        return OPS["real"](self)

    @property
    def imag(self) -> Variable:
        """The imaginary part."""
        return OPS["imag"](self)

    @property
    def shape(self) -> Variable:
        """The lengths of the axes, an int64 vector."""
        return OPS["shape"](self)

    @property
    def size(self) -> Variable:
        """How many elements there are, an int64 scalar."""
        return OPS["count"](self)

    def eval(self, values: Mapping[Variable | str, Any] | None = None) -> Any:
        """The value of the expression, given the values of its inputs by variable or name."""
        return Variable.evaluated(self, dict(values or {}))

    evaluated: ClassVar[Callable[[Variable, dict[Variable | str, Any]], Any]]
    """Computes an expression; filled in by the floor that knows functions."""

    tested: ClassVar[Callable[[Apply], None]]
    """Computes test values as graphs are built; filled in by the floor that can compute."""


class _Method:
    """An op bound to its first input, so that `x.sum(axis=0)` reads as in Theano."""

    def __init__(self, op: Op, variable: Variable) -> None:
        self.op = op
        self.variable = variable
        self.__doc__ = op.doc

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.op(self.variable, *args, **kwargs)


TensorType.variable = lambda type, name: Variable(type, name=name)


class Constant(Variable):
    """A leaf whose value is part of the expression.  Its axes of length 1 stretch."""

    __slots__ = ("data", "identity")

    def __init__(self, data: Any, dtype: str | None = None, name: str | None = None) -> None:
        if dtype is None and is_literal(data):
            dtype = literal_dtype(data)
        value = np.array(data, dtype=config.floatX if dtype == "floatX" else dtype)
        value.setflags(write=False)
        super().__init__(TensorType(value.dtype, value.shape), name=name)
        self.data: np.ndarray[Any, Any] = value
        self.identity = (value.dtype.str, value.shape, value.tobytes())

    def __repr__(self) -> str:
        return self.name or np.array2string(self.data, threshold=6)

    def __reduce__(self) -> tuple[Any, ...]:
        return Constant, (self.data, None, self._name), (None, {"origins": self.origins})


def as_variable(value: Any, name: str | None = None) -> Variable:
    """The variable itself, or a constant for a number, list or array."""
    if isinstance(value, Variable):
        return value
    if isinstance(value, list | tuple) and any(isinstance(v, Variable) for v in value):
        return OPS["stack"](list(value))
    if is_literal(value):
        return Constant(value, name=name)
    try:
        return Constant(np.asarray(value), name=name)
    except (TypeError, ValueError) as error:
        raise TypeMismatchError(
            f"{type(value).__name__} cannot be made a tensor.",
            expected="a variable, number, list or array",
            got=type(value).__name__,
        ) from error


Line = tuple[str, int]
"""A file and the number of a line in it."""


def user_line() -> Line | None:
    """The line outside the engine that is being run, None where there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(("engine.", "app.")):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def line_text(line: Line) -> str:
    """A line with its source where that can be read: `net.py:12: y = T.dot(x, w)`."""
    name, number = line
    source = linecache.getline(name, number).strip()
    return f"{name}:{number}: {source}" if source else f"{name}:{number}"


class Apply:
    """One op applied to inputs.

    params: the op's parameters by name, hashable values only.  outputs: the variables it
    computes.  id: its number in a Graph (-1 in a free expression).  origins: ids of the canvas
    nodes that it stems from.  line: the line of a user's program that made it.
    """

    __slots__ = ("__weakref__", "id", "inputs", "line", "op", "origins", "outputs", "params")

    def __init__(
        self,
        op: Op,
        inputs: Sequence[Variable],
        params: Mapping[str, Any],
        types: Sequence[TensorType],
        origins: frozenset[str] = frozenset(),
        line: Line | None = None,
    ) -> None:
        self.op = op
        self.inputs: tuple[Variable, ...] = tuple(inputs)
        self.params = dict(params)
        self.outputs: tuple[Variable, ...] = tuple(
            Variable(t, self, i) for i, t in enumerate(types)
        )
        self.id = -1
        self.origins = origins
        self.line = line

    @property
    def out(self) -> Variable:
        """The only output."""
        (out,) = self.outputs
        return out

    def located(self, error: EngineError) -> EngineError:
        """The error, naming this apply, and the canvas node or the line that it comes from."""
        arguments = [v.name or v.type.name for v in self.inputs]
        error.within(self.op.name, arguments, min(self.origins, default=None))
        if error.line is None and self.line is not None:
            error.line = line_text(self.line)
        return error

    def __repr__(self) -> str:
        return f"{self.op.name}({', '.join(map(repr, self.inputs))})"

    def __reduce__(self) -> tuple[Any, ...]:
        results = [(v.type, v.name, v.origins) for v in self.outputs]
        inputs = references(self.inputs)
        return _apply, (self.op, inputs, self.params, results, self.origins, self.line)


# How expressions are pickled and copied: an apply refers to its inputs as leaves, or as applies
# with the number of a result.

Reference = Variable | tuple[Apply, int]


def references(variables: Iterable[Variable]) -> list[Reference]:
    return [v if v.owner is None else (v.owner, v.index) for v in variables]


def referred(references: Iterable[Reference]) -> list[Variable]:
    return [r if isinstance(r, Variable) else r[0].outputs[r[1]] for r in references]


def _result(applies: Sequence[Apply], index: int) -> Variable:
    return applies[-1].outputs[index]


def _apply(
    op: Op,
    inputs: Iterable[Reference],
    params: Mapping[str, Any],
    results: Sequence[tuple[TensorType, str | None, frozenset[str]]],
    origins: frozenset[str],
    line: Line | None,
) -> Apply:
    node = Apply(op, referred(inputs), params, [type for type, _, _ in results], origins, line)
    for v, (_, name, born) in zip(node.outputs, results, strict=True):
        v.name = name
        v.origins = born
    return node


def walk(
    outputs: Iterable[Variable], stop: Callable[[Variable], bool] = lambda v: False
) -> list[Apply]:
    """The applies that `outputs` need, inputs before users, without recursion.

    Depends only on the structure, so equal expressions give equal orders.  `stop` tells of which
    variables the owners are left out.
    """
    order: list[Apply] = []
    seen: set[Apply] = set()
    stack: list[tuple[Apply, int]] = []
    for output in outputs:
        if output.owner is None or stop(output) or output.owner in seen:
            continue
        seen.add(output.owner)
        stack.append((output.owner, 0))
        while stack:
            node, port = stack.pop()
            while port < len(node.inputs):
                v = node.inputs[port]
                port += 1
                if v.owner is not None and v.owner not in seen and not stop(v):
                    stack.append((node, port))
                    seen.add(v.owner)
                    node, port = v.owner, 0
            order.append(node)
    return order


def certain(
    outputs: Iterable[Variable], stop: Callable[[Variable], bool] = lambda v: False
) -> set[Apply]:
    """The applies that `outputs` need in every run: not those only in branches of lazy ops."""
    found: set[Apply] = set()
    stack = list(outputs)
    while stack:
        v = stack.pop()
        node = v.owner
        if node is None or node in found or stop(v):
            continue
        found.add(node)
        stack.extend(node.inputs[:1] if node.op.lazy is not None else node.inputs)
    return found


def leaves(outputs: Iterable[Variable]) -> list[Variable]:
    """The variables without owner that `outputs` need, each once, in order of first use."""
    outputs = list(outputs)
    found = dict.fromkeys(v for node in walk(outputs) for v in node.inputs if v.owner is None)
    found.update(dict.fromkeys(v for v in outputs if v.owner is None))
    return list(found)


def substitute(
    outputs: Sequence[Variable], replacements: Mapping[Variable, Variable]
) -> list[Variable]:
    """Copies of `outputs` in which each key of `replacements` is its value.

    Parts that do not depend on a replaced variable are shared, not copied.
    """
    new: dict[Variable, Variable] = dict(replacements)
    for node in walk(outputs, stop=lambda v: v in replacements):
        inputs = [new.get(v, v) for v in node.inputs]
        if any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
            copy = node.op.apply(inputs, node.params)
            copy.origins, copy.line = node.origins, node.line
            for old, out in zip(node.outputs, copy.outputs, strict=True):
                out.name = old.name
                new.setdefault(old, out)
    return [new.get(v, v) for v in outputs]


@dataclass(frozen=True, eq=False)
class Block:
    """A part of a graph as a value: the body of a loop, the inside of an op.

    inputs: its leaves besides constants.  outputs: what it computes.
    Blocks that compute the same in the same way are equal, whatever their variables are called.
    """

    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]

    def applies(self) -> list[Apply]:
        """The applies in execution order."""
        given = set(self.inputs)
        return walk(self.outputs, stop=lambda v: v in given)

    @cached_property
    def form(self) -> tuple[Any, ...]:
        """What it computes, written without its variables."""
        places: dict[Variable, Any] = {}
        for i, v in enumerate(self.inputs):
            places.setdefault(v, i)
        lines: list[Any] = [v.type for v in self.inputs]
        for i, node in enumerate(self.applies()):
            params = (node.params[p.name] for p in node.op.params)
            lines.append((node.op.name, *params, *(_place(v, places) for v in node.inputs)))
            for v in node.outputs:
                places.setdefault(v, (i, v.index))
        return (*lines, tuple(_place(v, places) for v in self.outputs))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Block) and self.form == other.form)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.form)

    def __reduce__(self) -> tuple[Any, ...]:
        return Block, (self.inputs, self.outputs)


def _place(v: Variable, places: Mapping[Variable, Any]) -> Any:
    if isinstance(v, Constant):
        return v.identity
    return places.get(v, v)
