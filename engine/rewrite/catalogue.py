"""The laws by name, phase and tag, and what people are told of each."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from engine.errors import ParameterError
from engine.graph import Graph
from engine.printing import pp
from engine.rewrite.driver import Driver
from engine.rewrite.explain import notes
from engine.rewrite.phases import merge
from engine.rewrite.rule import RULES, Rule


def labels(rule: Rule) -> set[str]:
    """By what a law is named, left out or included: its name, its phase and its tags."""
    return {rule.name, rule.phase, *rule.tags}


def check_labels(names: Iterable[str]) -> None:
    """Raise ParameterError for what is no name, tag or phase of any law."""
    refuse_unknown("rule, tag or phase", names, set[str]().union(*map(labels, RULES.values())))


def refuse_unknown(what: str, names: Iterable[str], among: Iterable[str]) -> None:
    """Raise ParameterError for a name that is not among others."""
    choices = list(among)
    for name in sorted(set(names).difference(choices)):
        close = " or ".join(get_close_matches(name, choices))
        few = f"There are {', '.join(choices)}." if len(choices) < 10 else None
        raise ParameterError(
            f"There is no {what} {name!r}.",
            expected=", ".join(sorted(choices)),
            got=name,
            hint=f"Did you mean {close}?" if close else few,
        )


def labelled(label: str) -> list[Rule]:
    """The law of this name, or all of a phase or with a tag; ParameterError if there is none."""
    check_labels([label])
    return [rule for rule in RULES.values() if label in labels(rule)]


def documentation(rule: Rule) -> str:
    """All that people need to know of a law, with its own left side as an example, as text."""
    said = [rule.why, *(f"[{note}]" for note in notes(rule.tags))]
    lines = [f"{rule.phase}: {rule.name}", "  " + " ".join(said)]
    if rule.holds:
        lines.append(f"  Where {rule.holds}.")
    variables, left, right = rule.drawn()
    before, after = pp(left), None if right is None else pp(right)
    if right is None:
        # Equal parts are one apply, where a law is applied.
        driver = Driver(Graph(variables, [left]), steps=100, seconds=60)
        driver.run(rule.phase, [*merge.rules, rule])
        for step in driver.film:
            if step.rule == rule.name:
                before, after = step.before, step.after
                break
    return "\n".join([*lines, f"    {before}", *([f"  → {after}"] if after is not None else [])])
