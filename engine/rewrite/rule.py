"""Rules and phases: how a law is declared, and the register in which it is found by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack, overload

import numpy as np

from engine.errors import RewriteError
from engine.expression import Apply, Variable
from engine.rewrite.pattern import Law, Sides, positional
from engine.rewrite.view import View
from engine.types import TensorType

Array = np.ndarray[Any, Any]
Replacement = Variable | Sequence[Variable] | None
Rewrite = Callable[[Apply, View], Replacement]

ERASES_NAN = "erases_nan"
"""Tag of a rule after which a NaN or infinity may no longer show."""
HIDES_ERROR = "hides_error"
"""Tag of a rule after which shapes that do not fit together may no longer be noticed."""

SHOWS_NAN = "shows_nan"
"""Tag of a rule after which a NaN or infinity may show where a number or nothing was."""

STRICT = frozenset({ERASES_NAN, HIDES_ERROR, SHOWS_NAN})
"""Tags of the rules that strict rewriting leaves out."""

REASSOCIATES = "reassociates"
"""Tag of a rule after which sums are added up in another order, which changes last digits."""

DROPS_ROWS = "drops_rows"
"""Tag of a rule after which a result has no more than the rows that are read."""

DESCENDS = "descends"
"""Tag of a rule that applies the rules in force to what is inside of an apply."""


@dataclass(frozen=True)
class Given:
    """What a variable of a law is drawn as, where it is not like all others.

    shape: its lengths; an axis of length 1 stretches.  dtype: None for that of the others.
    draw: makes the array, where not any numbers of the law's domain will do.
    """

    shape: tuple[int, ...]
    dtype: str | None = None
    draw: Callable[[np.random.Generator], Any] | None = None


LENGTHS = (3, 4, 2)
"""How long the axes of variables are drawn."""


@dataclass(frozen=True, eq=False)
class Rule:
    """One named law.

    name: what the film shows, the name of the function.  why: its reason, the docstring.
    phase: the name of its phase.  tags: what it costs (ERASES_NAN, SHOWS_NAN, HIDES_ERROR) and
    other marks by which rules are excluded or included.
    ops: names of the ops of whose applies it may replace the results; None for any op.
    below: names of ops that must all compute an input of such an apply, "constant" for a constant;
    the rule is not asked where one is missing.
    rewrite: from an apply to an expression for each of its results, or None.
    sides: both sides for given variables; the right one is None where it is computed.
    holds: for what values, where it is not all that the dtypes allow: "x is not negative".
    names, dtype, rank, domain: of the variables with which the law is drawn and tested.
    given: those that are drawn otherwise, by name.
    """

    name: str
    why: str
    phase: str
    tags: frozenset[str]
    ops: frozenset[str] | None
    below: frozenset[str]
    rewrite: Rewrite
    sides: Callable[..., tuple[Variable, Variable | None]]
    names: tuple[str, ...]
    dtype: str
    rank: int
    domain: tuple[float, float]
    given: Mapping[str, Given]
    holds: str

    def __repr__(self) -> str:
        return f"<rule {self.name}>"

    def drawn(
        self, dtype: str | None = None, rank: int | None = None
    ) -> tuple[list[Variable], Variable, Variable | None]:
        """Variables to draw the law with, its left side, and its right side or None."""
        variables = drawn_variables(
            self.names, rank=self.rank if rank is None else rank, dtype=dtype or self.dtype,
            given=self.given,
        )  # fmt: skip
        return variables, *self.sides(*variables)

    def values(
        self, variables: Sequence[Variable], random: np.random.Generator
    ) -> dict[Variable, Array]:
        """A value of the law's domain for each variable with which it was drawn."""
        found: dict[Variable, Array] = {}
        for v in variables:
            given = self.given.get(v.name or "")
            shape = given.shape if given else LENGTHS[: v.ndim]
            if given is not None and given.draw is not None:
                drawn = given.draw(random)
            else:
                low, high = self.domain
                unsigned = v.dtype == "bool" or v.dtype.startswith("uint")
                drawn = random.uniform(max(low, 0) if unsigned else low, high, shape)
            found[v] = np.asarray(drawn).astype(v.dtype)
        return found


def drawn_variables(
    names: Iterable[str], *, rank: int, dtype: str, given: Mapping[str, Given]
) -> list[Variable]:
    """The variables of these names with which a law is drawn."""
    kinds = {
        name: TensorType(g.dtype or dtype, [True if n == 1 else None for n in g.shape])
        for name, g in given.items()
    }
    usual = TensorType(dtype, (None,) * rank)
    return [Variable(kinds.get(name, usual), name=name) for name in names]


RULES: dict[str, Rule] = {}
"""Every rule by its name."""


class Facts(TypedDict, total=False):
    """What may be said of a rule beside its sides; see Rule."""

    tags: Iterable[str]
    dtype: str
    rank: int
    domain: tuple[float, float]
    given: Mapping[str, Given]
    holds: str


class Phase:
    """A stage of rewriting and the decorator that puts a rule into it.

        @stabilize
        def log_of_one_plus_exp(x):
            \"""exp(x) overflows above 709 in float64; softplus does not.\"""
            return log(1 + exp(x)), softplus(x)

    name: shown on the film.  purpose: one sentence for people.
    only: the dtypes that the variables of its laws may have, unless a law says otherwise.
    """

    def __init__(self, name: str, purpose: str, only: frozenset[str] | None = None) -> None:
        self.name = name
        self.purpose = purpose
        self.only = only

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
        only: frozenset[str] | None = None,
        in_product: bool = False,
        example: Callable[..., Sequence[Variable]] | None = None,
        **facts: Unpack[Facts],
    ) -> Callable[[Callable[..., Sides]], Rule]: ...
    def __call__(
        self,
        function: Callable[..., Sides] | None = None,
        /,
        *,
        when: Callable[..., bool] | None = None,
        only: frozenset[str] | None = None,
        in_product: bool = False,
        example: Callable[..., Sequence[Variable]] | None = None,
        **facts: Unpack[Facts],
    ) -> Rule | Callable[[Callable[..., Sides]], Rule]:
        """Declare a law whose parameters are pattern variables and which returns both sides.

        Parameters after `*` stand for the parameters of ops with the same name; their defaults
        are used to draw the law.
        when: a further condition on what was matched, by parameter name, `view` among them.
        only: the dtypes that its variables may have; None means those of the phase.
        in_product: also where the left side is part of a longer product or quotient.
        example: arguments with which `when` holds, made from the variables that it takes.
        """

        def declare(function: Callable[..., Sides]) -> Rule:
            law = Law(
                function,
                when=when,
                only=only or self.only,
                in_product=in_product,
                stand_ins=drawn_variables(
                    positional(function),
                    rank=facts.get("rank", RANK),
                    dtype=facts.get("dtype", DTYPE),
                    given=facts.get("given", {}) if example is None else {},
                ),
            )

            def sides(*variables: Variable) -> Sides:
                return function(*(variables if example is None else example(*variables)))

            return self._register(
                function, law.ops, law.below, law, sides, example or function, facts
            )

        return declare if function is None else declare(function)

    def computed(
        self,
        ops: Iterable[str] | None,
        *,
        example: Callable[..., Variable],
        below: Iterable[str] = (),
        **facts: Unpack[Facts],
    ) -> Callable[[Rewrite], Rule]:
        """Declare a rule whose right side is computed: a function of an apply and the view.

        ops: which applies it is asked about.  below: what they must read, see Rule.
        example: an expression in which it fires.
        """
        names = None if ops is None else frozenset(ops)

        def sides(*variables: Variable) -> tuple[Variable, None]:
            return example(*variables), None

        def declare(function: Rewrite) -> Rule:
            return self._register(
                function, names, frozenset(below), function, sides, example, facts
            )

        return declare

    def _register(
        self,
        function: Callable[..., Any],
        ops: frozenset[str] | None,
        below: frozenset[str],
        rewrite: Rewrite,
        sides: Callable[..., tuple[Variable, Variable | None]],
        named: Callable[..., Any],
        facts: Facts,
    ) -> Rule:
        name, why = function.__name__, inspect.getdoc(function)
        if name in RULES:
            raise RewriteError(f"There are two rules called {name!r}.", node=name)
        if not why:
            raise RewriteError(f"The rule {name!r} does not say why.", node=name)
        rule = RULES[name] = Rule(
            name=name,
            why=why,
            phase=self.name,
            tags=frozenset(facts.get("tags", ())),
            ops=ops,
            below=below,
            rewrite=rewrite,
            sides=sides,
            names=tuple(positional(named)),
            dtype=facts.get("dtype", DTYPE),
            rank=facts.get("rank", RANK),
            domain=facts.get("domain", DOMAIN),
            given=facts.get("given", {}),
            holds=facts.get("holds", ""),
        )
        return rule


DTYPE = "float64"
RANK = 2
DOMAIN = (-3.0, 3.0)
