"""Laws as patterns: two ordinary expressions, of which the left one is looked for.

A law is a function whose parameters are pattern variables.  It is called once with stand-ins, to
see what its left side looks like, and again with what was found, to build its right side; so the
right side has the dtypes and ranks of the graph that it goes into.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import RewriteError
from engine.expression import OPS, Apply, Constant, Variable, leaves
from engine.op import Op
from engine.rewrite.product import FAMILY, Product, product_of
from engine.rewrite.scalars import Number, number_of
from engine.rewrite.view import View
from engine.types import normalize_axes

Sides = tuple[Variable, Variable]
Bound = dict[str, Any]
Accept = Callable[[Bound], bool]


@dataclass(frozen=True)
class Anything:
    """Matches any variable, the same one wherever its name occurs."""

    name: str


@dataclass(frozen=True)
class Exactly:
    """Matches a constant with one element of this value, whatever its dtype and rank."""

    value: Number


@dataclass(frozen=True)
class Call:
    """Matches the result of an op; `fixed` are parameters it must have, `free` those it binds."""

    op: Op
    fixed: Mapping[str, Any]
    free: tuple[str, ...]
    inputs: tuple[Pattern, ...]


Pattern = Anything | Exactly | Call


@dataclass(frozen=True)
class Factor:
    """A factor of the product that a law looks for: a power of what its pattern matches.

    names: of the variables in the pattern.  depth: how many applies are on top of one another.
    """

    pattern: Pattern
    exponent: int
    names: tuple[str, ...]
    depth: int


FEW = 8
"""Factors of a product that are simply tried one after the other."""

CONSTANT = "constant"
"""Stands among the names of ops for a constant that is read."""


def positional(function: Callable[..., Any]) -> list[str]:
    """The names of a law's pattern variables."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]


def compile_pattern(v: Variable, free: frozenset[str]) -> Pattern:
    """The pattern that an expression of stand-ins stands for."""
    if v.owner is None:
        if not isinstance(v, Constant):
            return Anything(v.name or "")
        value = number_of(v)
        if value is None:
            raise RewriteError("A constant in a law must be one finite number.", got=repr(v))
        return Exactly(value)
    node = v.owner
    return Call(
        node.op,
        {name: value for name, value in node.params.items() if name not in free},
        tuple(name for name in node.params if name in free),
        tuple(compile_pattern(x, free) for x in node.inputs),
    )


def _factor(pattern: Pattern, exponent: int) -> Factor:
    names: list[str] = []
    level, depth = [pattern], 0
    while level:
        names += [p.name for p in level if isinstance(p, Anything)]
        level = [below for p in level if isinstance(p, Call) for below in p.inputs]
        depth += bool(level)
    return Factor(pattern, exponent, tuple(dict.fromkeys(names)), depth)


def match(todo: list[tuple[Pattern, Variable]], bound: Bound, accept: Accept) -> bool:
    """Match all pairs and have the result accepted; tries both orders of commutative ops."""
    todo = todo.copy()
    while todo:
        pattern, v = todo.pop()
        if isinstance(pattern, Anything):
            known = bound.setdefault(pattern.name, v)
            if known is not v and not _same_constant(known, v):
                return False
        elif isinstance(pattern, Exactly):
            if number_of(v) != pattern.value:
                return False
        else:
            node = v.owner
            if node is None or node.op is not pattern.op or not _bind(pattern, node, bound):
                return False
            if len(node.inputs) != len(pattern.inputs):
                return False
            if pattern.op.commutative:
                x, y = node.inputs
                p, q = pattern.inputs
                if x is not y and match([*todo, (p, y), (q, x)], bound.copy(), accept):
                    return True
            todo.extend(zip(pattern.inputs, node.inputs, strict=True))
    return accept(bound)


def _bind(pattern: Call, node: Apply, bound: Bound) -> bool:
    params = node.params
    for name, value in pattern.fixed.items():
        if params[name] != value:
            return False
    return all(_is_same(bound.setdefault(n, params[n]), params[n], node, n) for n in pattern.free)


def _is_same(known: Any, value: Any, node: Apply, name: str) -> bool:
    """Whether a parameter has the value that was found elsewhere, however axes are counted."""
    if known == value or name != "axis":
        return bool(known == value)
    ndim = node.inputs[0].ndim
    counted = (known,) if isinstance(known, int) else known or ()
    there = all(-ndim <= a < ndim for a in counted)
    return there and normalize_axes(known, ndim) == normalize_axes(value, ndim)


def _same_constant(x: Variable, y: Variable) -> bool:
    return isinstance(x, Constant) and isinstance(y, Constant) and x.identity == y.identity


class Law:
    """A pattern law, ready to be applied to an apply.

    ops: of the applies where its left side may have its root.  below: what each of these must
    read, by the names of ops; the driver does not ask the law where something is missing.
    """

    def __init__(
        self,
        function: Callable[..., Sides],
        *,
        when: Callable[..., bool] | None,
        only: frozenset[str] | None,
        in_product: bool,
        stand_ins: Sequence[Variable],
    ) -> None:
        self.function = function
        self.only = only
        parameters = inspect.signature(function).parameters.values()
        self.variables = positional(function)
        self.params = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        self.when = when
        self.wanted = frozenset(inspect.signature(when).parameters) if when else frozenset()
        self.left, self.right = function(*stand_ins)
        unbound = set(stand_ins) - set(leaves([self.left]))
        if unbound or self.left.owner is None:
            raise RewriteError(
                f"The left side of {function.__name__!r} does not contain "
                f"{', '.join(map(repr, unbound)) or 'an op'}.",
                node=function.__name__,
            )
        free = frozenset(self.params)
        self.pattern = compile_pattern(self.left, free)
        inputs = self.pattern.inputs if isinstance(self.pattern, Call) else ()
        self.below = frozenset(
            p.op.name if isinstance(p, Call) else CONSTANT
            for p in inputs
            if not isinstance(p, Anything)
        )
        self.product = product_of(self.left, lambda v: False) if in_product else None
        self.factors: list[Factor] = []
        self.ops = frozenset({self.left.owner.op.name})
        if self.product is not None:
            self.ops = FAMILY
            self.below = frozenset()  # its factors may lie deeper
            found = (_factor(compile_pattern(v, free), e) for v, e in self.product.factors.items())
            self.factors = sorted(found, key=lambda f: isinstance(f.pattern, Anything))
        patterns = (f.pattern for f in self.factors)
        self.factor_ops = frozenset(p.op for p in patterns if isinstance(p, Call))

    def __call__(self, node: Apply, view: View) -> Variable | None:
        if self.product is not None:
            return self._in_product(node, view)
        found: list[Variable] = []

        def accept(bound: Bound) -> bool:
            return self._accept(bound, node.out.dtype, view, found)

        match([(self.pattern, node.out)], {}, accept)
        return found[0] if found else None

    def _accept(self, bound: Bound, dtype: str, view: View, found: list[Variable]) -> bool:
        """Build the right side, if the law's conditions hold."""
        variables = [bound[name] for name in self.variables]
        if self.only is not None and not all(v.dtype in self.only for v in variables):
            return False
        if self.when is not None:
            known = {**bound, "view": view}
            if not self.when(**{name: known[name] for name in self.wanted}):
                return False
        params = {name: bound[name] for name in self.params if name in bound}
        right = self.function(*variables, **params)[1]
        if right.dtype != dtype and right not in variables:
            # A number of another dtype widened the left side: compute the right side as wide.
            wide = [v if v.dtype in {dtype, "bool"} else OPS["cast"](v, dtype) for v in variables]
            right = self.function(*wide, **params)[1]
        found.append(right)
        return True

    def _in_product(self, node: Apply, view: View) -> Variable | None:
        """Look for the left side among the factors of a product, as often as it is in there."""
        ops = view.factor_ops(node.out)
        if ops is None or not self.factor_ops <= ops:
            return None
        form, deep = view.product(node.out), view.product(node.out, deep=True)
        whole = self._with_right_side(form, view)
        if whole is None and deep is not form:
            whole = self._with_right_side(deep, view)
        return None if whole is None else whole.build()

    def _with_right_side(self, whole: Product, view: View) -> Product | None:
        """The product with the right side in place of the factors that are the left side."""
        assert self.product is not None
        if not self.factor_ops <= whole.ops or not whole.is_usable:
            return None
        found: list[Variable] = []
        used: dict[Variable, int] = {}

        def choose(rest: list[Factor], bound: Bound) -> bool:
            if not rest:
                return self._accept(bound, whole.dtype, view, found)
            factor, *others = rest
            exponent = factor.exponent
            for v in _candidates(factor, whole, bound):
                e = whole.factors[v]
                if v in used or e * exponent <= 0 or abs(e) < abs(exponent):
                    continue
                used[v] = exponent
                if match([(factor.pattern, v)], bound.copy(), lambda b: choose(others, b)):
                    return True
                del used[v]
            return False

        if not choose(self.factors, {}):
            return None
        times = min(whole.factors[v] // e for v, e in used.items())
        changed = whole.copy()
        for v, e in used.items():
            changed.multiply(v, -e * times)
        changed.cancelled = False
        changed.multiply(found[0], times)
        changed.scale(self.product.coefficient, -times)
        changed.scale(self.product.divisor, times)
        return None if changed.cancelled and not view.may_cancel else changed


def _candidates(factor: Factor, whole: Product, bound: Bound) -> Iterable[Variable]:
    """The factors of a product that may be the one that is looked for, in their order."""
    if len(whole.factors) > FEW and isinstance(factor.pattern, Call):
        for x in (bound[name] for name in factor.names if name in bound):
            if not isinstance(x, Constant):  # of which another may have the same value
                return whole.reading(x, factor.depth)
    return whole.factors
