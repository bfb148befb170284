"""Ops made of graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from engine.errors import MissingInputError, ParameterError, TypeMismatchError
from engine.expression import OPS, Block, Constant, Variable, as_variable, leaves, substitute
from engine.grad import NullGradient, pullback
from engine.makers import alike, zero_gradient
from engine.op import untested
from engine.shared import SharedVariable
from engine.types import DISCRETE, TensorType

Override = Any
"""Theano's word for what may stand in place of a gradient: "default", a function, an OpFromGraph,
None or a NullGradient, or a list with one of these for each input."""


class OpFromGraph:
    """An op that computes `outputs` from `inputs`, to be called like any other op.

    Shared variables may be used in the graph; they are inputs that need not be given.  The op is
    one node in a graph, under its name, until kernels are made; with `inline` until it is
    rewritten.  Its gradient is that of its graph, unless it is overridden:

    grad_overrides: a function of (inputs, output gradients), both lists, that returns the
        gradient by each input in a list; an OpFromGraph of all those; or a list with an entry for
        each input, which is such a function returning one gradient, "default" for that of the
        graph, None where nothing flows, or a NullGradient where there is no gradient.
    lop_overrides: the same with functions of (inputs, outputs, output gradients).
    rop_overrides, connection_pattern: taken for Theano's sake.  Rop is made of two gradients, and
        what depends on what is seen from the graph.

    Raises MissingInputError for a leaf that is neither an input nor shared.

    >>> import engine.tensor as T
    >>> from engine import OpFromGraph, function
    >>> x, y = T.dscalars("x", "y")
    >>> hypotenuse = OpFromGraph([x, y], [T.sqrt(x**2 + y**2)], name="hypotenuse")
    >>> float(function([x, y], hypotenuse(x, y) + 1)(3, 4))
    6.0
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable] | Variable,
        inline: bool = False,
        lop_overrides: Override = "default",
        grad_overrides: Override = "default",
        rop_overrides: Literal["default"] = "default",
        connection_pattern: Any = None,
        name: str | None = None,
    ) -> None:
        self.inputs = list(inputs)
        self.outputs = [outputs] if isinstance(outputs, Variable) else list(outputs)
        self.inline = inline
        self.name = name
        for v in (*self.inputs, *self.outputs):
            if not isinstance(v, Variable):
                raise TypeMismatchError(f"{v!r} is no variable.", node=name, expected="a variable")
        if lop_overrides != "default" and grad_overrides != "default":
            raise ParameterError(
                "The gradient is overridden twice.",
                node=name,
                expected="lop_overrides or grad_overrides",
                got="both",
            )
        if not isinstance(rop_overrides, str) or rop_overrides != "default":
            raise ParameterError(
                "Rop has no override: it is made of two gradients.",
                node=name,
                port="rop_overrides",
                expected="'default'",
                hint="Override the gradient; Rop follows it.",
            )
        inner = leaves(self.outputs)
        self.shared = [v for v in inner if isinstance(v, SharedVariable) and v not in self.inputs]
        known = {*self.inputs, *self.shared}
        for v in inner:
            if v not in known and not isinstance(v, Constant):
                raise MissingInputError(
                    f"{v!r} is needed in the graph, but it is not among the inputs.",
                    node=v.name,
                    expected=v.type.name,
                    hint="Add it to the inputs of the OpFromGraph.",
                )
        given = [*self.inputs, *self.shared]
        fresh = [Variable(v.type, name=v.name) for v in given]
        with untested():
            made = substitute(self.outputs, dict(zip(given, fresh, strict=True)))
        self.block = Block(tuple(fresh), tuple(made))
        overrides, of_outputs = lop_overrides, True
        if grad_overrides != "default":
            overrides, of_outputs = grad_overrides, False
        self._facts: dict[str, Any] = {"block": self.block, "inline": inline, "name": name}
        if overrides != "default":
            with untested():
                self._facts |= self._overridden(overrides, of_outputs)

    def __repr__(self) -> str:
        return f"OpFromGraph({self.name or ', '.join(map(repr, self.inputs))})"

    def __call__(self, *inputs: Any) -> Any:
        """The result of the op, a list of them if there are several."""
        if len(inputs) != len(self.inputs):
            raise TypeMismatchError(
                f"{self!r} takes {len(self.inputs)} inputs, not {len(inputs)}.",
                node=self.name,
                expected=", ".join(f"{v.name or ''} {v.type.name}".strip() for v in self.inputs),
                got=str(len(inputs)),
            )
        arguments = [
            _argument(as_variable(v), inner.type, inner.name, self.name)
            for v, inner in zip(inputs, self.inputs, strict=True)
        ]
        results = OPS["op_from_graph"].each([*arguments, *self.shared], **self._facts)
        return results[0] if len(results) == 1 else results

    # Overridden gradients.

    def _overridden(self, overrides: Override, of_outputs: bool) -> dict[str, Any]:
        """The gradient as a block of inputs and output gradients, and to which inputs it leads."""
        own = [Variable(v.type, name=v.name) for v in self.block.inputs]
        outputs = substitute(self.block.outputs, dict(zip(self.block.inputs, own, strict=True)))
        slopes = [Variable(zero_gradient(v).type) for v in outputs]
        listed = own[: len(self.inputs)]
        groups = [listed, outputs, slopes] if of_outputs else [listed, slopes]
        found = self._called(overrides, groups, own, outputs, slopes)
        flows = {i: g for i, g in enumerate(found) if g is not None}
        nulls = tuple(i for i, g in flows.items() if isinstance(g, NullGradient))
        through = tuple(i for i in flows if i not in nulls)
        fitted = tuple(_fitted(flows[i], own[i]) for i in through)
        gradient = Block((*own, *slopes), fitted)
        return {"gradient": gradient, "through": through, "undefined": nulls}

    def _called(
        self,
        overrides: Override,
        groups: list[list[Variable]],
        own: list[Variable],
        outputs: list[Variable],
        slopes: list[Variable],
    ) -> list[Variable | None]:
        """What the overrides give for each input; shared variables have the default."""
        each = [overrides] if not isinstance(overrides, list | tuple) else list(overrides)
        if not isinstance(overrides, list | tuple):
            answer = _answer(overrides, groups)
            each = list(answer) if isinstance(answer, list | tuple) else [answer]
        if len(each) != len(self.inputs):
            raise ParameterError(
                f"There are {len(each)} gradients for {len(self.inputs)} inputs.",
                node=self.name,
                port="grad_overrides",
                expected=str(len(self.inputs)),
                got=str(len(each)),
            )
        seeds: dict[Variable, Variable] = {}
        for v, g in zip(outputs, slopes, strict=True):
            if v.dtype not in DISCRETE:
                seeds[v] = seeds[v] + g if v in seeds else g
        each += ["default"] * (len(own) - len(each))
        default = [v for v, e in zip(own, each, strict=True) if isinstance(e, str)]
        known = dict(zip(default, pullback(seeds, default), strict=True))
        found: list[Variable | None] = []
        for v, one in zip(own, each, strict=True):
            if isinstance(one, str):
                found.append(known[v])
                continue
            answer = one if one is None else _answer(one, groups)
            if isinstance(answer, list | tuple) and len(answer) == 1:
                (answer,) = answer
            found.append(None if answer is None else as_variable(answer))
        return found


def _answer(override: Any, groups: list[list[Variable]]) -> Any:
    """What one override gives, which is itself unless it is something to be called."""
    if isinstance(override, OpFromGraph):
        return override(*(v for group in groups for v in group))
    return override(*groups) if callable(override) else override


def _fitted(g: Variable, v: Variable) -> Variable:
    """A gradient in the dtype and pattern of its input."""
    if g.ndim != v.ndim:
        raise TypeMismatchError(
            f"The gradient by {v!r} has {g.ndim} dimensions, but {v!r} has {v.ndim}.",
            node=v.name,
            port="grad_overrides",
            expected=str(v.type),
            got=str(g.type),
        )
    if v.dtype not in DISCRETE and g.dtype != v.dtype:
        g = OPS["cast"](g, v.dtype)
    return alike(g, v)


def _argument(v: Variable, kind: TensorType, name: str | None, op: str | None) -> Variable:
    """An argument in the type that the graph was made for."""
    stretches = all(b or not a for a, b in zip(kind.broadcastable, v.broadcastable, strict=False))
    if v.ndim == kind.ndim and stretches and np.can_cast(v.dtype, kind.dtype, "safe"):
        return v if v.dtype == kind.dtype else OPS["cast"](v, kind.dtype)
    raise TypeMismatchError(
        f"{v!r} is {v.type}, but the graph was made for {name or 'an input'} of {kind}.",
        node=op,
        port=name,
        expected=str(kind),
        got=str(v.type),
    )
