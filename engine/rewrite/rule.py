"""Rules and phases: how a law is declared, and the register in which it is found by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, overload

from engine.errors import RewriteError
from engine.graph import Apply, Variable
from engine.rewrite.pattern import Law, Sides, drawn_variables
from engine.rewrite.view import View

Replacement = Variable | Sequence[Variable] | None
Rewrite = Callable[[Apply, View], Replacement]

ERASES_NAN = "erases_nan"
"""Tag of a rule after which a NaN or infinity may no longer show."""
HIDES_ERROR = "hides_error"
"""Tag of a rule after which shapes that do not fit together may no longer be noticed."""


@dataclass(frozen=True, eq=False)
class Rule:
    """One named law.

    name: what the film shows, the name of the function.  why: its reason, the docstring.
    phase: the name of its phase.  tags: what it costs (ERASES_NAN, HIDES_ERROR) and other marks
    by which rules are excluded or included.
    ops: names of the ops of whose applies it may replace the results; None for any op.
    rewrite: from an apply to an expression for each of its results, or None.
    left, right: both sides as expressions, for people, pictures and tests; right is None where
    it is computed.
    domain: where tests draw the variables of the left side.
    """

    name: str
    why: str
    phase: str
    tags: frozenset[str]
    ops: frozenset[str] | None
    rewrite: Rewrite
    left: Variable
    right: Variable | None
    domain: tuple[float, float]

    def __repr__(self) -> str:
        return f"<rule {self.name}>"


RULES: dict[str, Rule] = {}
"""Every rule by its name."""


class Phase:
    """A stage of rewriting and the decorator that puts a rule into it.

        @stabilize
        def log_of_one_plus_exp(x):
            \"""exp(x) overflows above 709 in float64; softplus does not.\"""
            return log(1 + exp(x)), softplus(x)

    name: shown on the film.  purpose: one sentence for people.
    """

    def __init__(self, name: str, purpose: str) -> None:
        self.name = name
        self.purpose = purpose

    def __repr__(self) -> str:
        return f"<phase {self.name}>"

    @property
    def rules(self) -> list[Rule]:
        """The rules of this phase, in the order in which they are tried."""
        return [rule for rule in RULES.values() if rule.phase == self.name]

    @overload
    def __call__(self, function: Callable[..., Sides], /) -> Rule: ...
    @overload
    def __call__(
        self,
        function: None = None,
        /,
        *,
        when: Callable[..., bool] | None = None,
        in_product: bool = False,
        tags: Iterable[str] = (),
        rank: int = 2,
        dtype: str = "float64",
        domain: tuple[float, float] = (-3.0, 3.0),
    ) -> Callable[[Callable[..., Sides]], Rule]: ...
    def __call__(
        self,
        function: Callable[..., Sides] | None = None,
        /,
        *,
        when: Callable[..., bool] | None = None,
        in_product: bool = False,
        tags: Iterable[str] = (),
        rank: int = 2,
        dtype: str = "float64",
        domain: tuple[float, float] = (-3.0, 3.0),
    ) -> Rule | Callable[[Callable[..., Sides]], Rule]:
        """Declare a law whose parameters are pattern variables and which returns both sides.

        Parameters after `*` stand for the parameters of ops with the same name; their defaults
        are used to draw the law.
        when: a further condition on what was matched, by parameter name, `view` among them.
        in_product: also where the left side is part of a longer product or quotient.
        rank, dtype, domain: of the variables with which the law is drawn and tested.
        """

        def declare(function: Callable[..., Sides]) -> Rule:
            law = Law(function, when=when, in_product=in_product, rank=rank, dtype=dtype)
            return self._register(
                function, law.ops, law, law.left, law.right, frozenset(tags), domain
            )

        return declare if function is None else declare(function)

    def computed(
        self,
        ops: Iterable[str] | None,
        *,
        example: Callable[..., Variable],
        tags: Iterable[str] = (),
        rank: int = 2,
        dtype: str = "float64",
        domain: tuple[float, float] = (-3.0, 3.0),
    ) -> Callable[[Rewrite], Rule]:
        """Declare a rule whose right side is computed: a function of an apply and the view.

        ops: which applies it is asked about.  example: an expression in which it fires.
        """
        names = None if ops is None else frozenset(ops)

        def declare(function: Rewrite) -> Rule:
            left = example(*drawn_variables(example, rank, dtype))
            return self._register(function, names, function, left, None, frozenset(tags), domain)

        return declare

    def _register(
        self,
        function: Callable[..., Any],
        ops: frozenset[str] | None,
        rewrite: Rewrite,
        left: Variable,
        right: Variable | None,
        tags: frozenset[str],
        domain: tuple[float, float],
    ) -> Rule:
        name, why = function.__name__, inspect.getdoc(function)
        if name in RULES:
            raise RewriteError(f"There are two rules called {name!r}.", node=name)
        if not why:
            raise RewriteError(f"The rule {name!r} does not say why.", node=name)
        rule = Rule(name, why, self.name, tags, ops, rewrite, left, right, domain)
        RULES[name] = rule
        return rule
