"""Rewriting: named laws improve a graph, and every step is kept on film.

>>> import engine.tensor as T
>>> from engine.graph import Graph
>>> from engine.rewrite import optimize
>>> x = T.dscalar("x")
>>> print(optimize(Graph([x], [T.log(1 + T.exp(x))]))[0])
stabilize: log_of_one_plus_exp: log(1 + exp(x))  →  softplus(x)
"""

from __future__ import annotations

from collections.abc import Iterable

import engine.rewrite.canonicalize
import engine.rewrite.merge
import engine.rewrite.specialize
import engine.rewrite.stabilize  # noqa: F401 -- these declare the rules
from engine import collector
from engine.config import config
from engine.graph import Graph
from engine.rewrite.catalogue import check_labels, documentation, labelled, labels, refuse_unknown
from engine.rewrite.driver import Driver
from engine.rewrite.explain import Account, accounts
from engine.rewrite.film import Film, Frame, Frozen, Place, RewriteStep, Wire
from engine.rewrite.paging import laws, page, pages
from engine.rewrite.phases import PIPELINE
from engine.rewrite.rule import (
    DROPS_ROWS,
    ERASES_NAN,
    HIDES_ERROR,
    REASSOCIATES,
    RULES,
    SHOWS_NAN,
    STRICT,
    Phase,
    Rule,
)

__all__ = [
    "DROPS_ROWS",
    "ERASES_NAN",
    "HIDES_ERROR",
    "PIPELINE",
    "REASSOCIATES",
    "RULES",
    "SHOWS_NAN",
    "STRICT",
    "Account",
    "Film",
    "Frame",
    "Frozen",
    "Phase",
    "Place",
    "RewriteStep",
    "Rule",
    "Wire",
    "accounts",
    "documentation",
    "labelled",
    "laws",
    "optimize",
    "page",
    "pages",
]

STEPS_PER_NODE = 50
GROWTH = 2
"""How many times larger the graph may become, and SPARE nodes more."""
SPARE = 1000
SECONDS = 20.0


@collector.waiting()
def optimize(
    graph: Graph,
    *,
    stop_after: str | None = None,
    exclude: Iterable[str] = (),
    include: Iterable[str] = (),
    strict: bool | None = None,
    film: bool = True,
    seconds: float = SECONDS,
    check: bool = False,
) -> Film:
    """Rewrite the graph in place by all phases and return the film of it.

    stop_after: the name of the last phase.
    exclude: names of rules, tags or phases to leave out; include: those to use all the same.
    strict: leave out what may hide or show a NaN or infinity, or hide a shape error; by default
        `config.strict_rewrites`.
    film: keep every step to be looked at; if not, only their number and the warnings.
    seconds: the time after which rewriting stops wherever it is; the graph is right then too.
    check: hold the graph against the falling measure after every step, for tests.

    Raises ParameterError for a name that is none.
    """
    refuse_unknown("phase", {stop_after} if stop_after else (), [phase.name for phase in PIPELINE])
    out, back = set(exclude), set(include)
    check_labels(out | back)
    if config.strict_rewrites if strict is None else strict:
        out |= STRICT
    driver = Driver(
        graph,
        steps=1000 + STEPS_PER_NODE * len(graph),
        seconds=seconds,
        nodes=SPARE + GROWTH * len(graph),
        may_cancel=ERASES_NAN not in out - back,
        kept=film,
        check=check,
    )
    rules: list[Rule] = []
    for phase in PIPELINE:
        rules += [r for r in phase.rules if not labels(r) & out or labels(r) & back]
        driver.run(phase.name, rules)
        if phase.name == stop_after:
            break
    return driver.film
