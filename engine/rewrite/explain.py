"""A film as text for people: every step with what happened and why, and what it came to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.rewrite.phases import PIPELINE
from engine.rewrite.rule import DROPS_ROWS, ERASES_NAN, HIDES_ERROR, SHOWS_NAN

if TYPE_CHECKING:
    from engine.rewrite.film import Film, RewriteStep

NOTES = {
    ERASES_NAN: "may hide a NaN",
    SHOWS_NAN: "may show a NaN",
    HIDES_ERROR: "may hide a shape error",
    DROPS_ROWS: "keeps only the rows that are read",
}
"""What people are told of a law with such a tag."""

INDENT = "    "


@dataclass
class Account:
    """What one law did in a film.

    steps: how often it was applied, inside of loops too.  nodes, cost: by how much the graph
    grew, negative where it shrank; what happened inside of a loop shows in the step that put the
    new loop in place.  seconds: how long it took.
    """

    phase: str
    rule: str
    why: str
    tags: frozenset[str]
    steps: int = 0
    nodes: int = 0
    cost: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def accounts(film: Film) -> list[Account]:
    """What each law did, in the order in which they were first applied."""
    found: dict[str, Account] = {}
    for path, part in film.films():
        for step in part:
            account = found.get(step.rule)
            if account is None:
                account = found[step.rule] = Account(
                    step.phase, step.rule, step.why, step.tags, notes=notes(step.tags)
                )
            account.steps += 1
            if not path:
                account.nodes += step.nodes_after - step.nodes_before
                account.cost += step.cost_after - step.cost_before
                account.seconds += step.seconds
    return list(found.values())


def notes(tags: Iterable[str]) -> list[str]:
    """What is to be said of a law with these tags."""
    return [note for tag, note in NOTES.items() if tag in tags]


def explain(film: Film) -> str:
    """The film as text."""
    if not film.kept:
        return "\n".join([f"{_count(film.total, 'step')}; the film was not kept.", *film.warnings])
    if not len(film):
        return "\n".join(["Nothing to rewrite.", *film.warnings])
    return "\n".join([*_told(film), "", *_summary(film)])


def _told(film: Film, path: str = "") -> Iterator[str]:
    """The steps, numbered, and indented what is inside of them."""
    numbers = [f"{path}{i}." for i in range(1, len(film) + 1)]
    width = max(map(len, numbers), default=0)
    heads = [
        f"{number:>{width}}  {step.phase}: {step.rule}"
        for number, step in zip(numbers, film, strict=True)
    ]
    column = max(map(len, heads), default=0)
    for number, head, step in zip(numbers, heads, film, strict=True):
        yield f"{head:{column}}  {_change(step)}".rstrip()
        margin = " " * (width + 2)
        before, after = step.before, step.after
        yield f"{margin}  {before}"
        if after != before:
            yield f"{margin}→ {after}"
        yield f"{margin}  {' '.join([step.why, *_marks(step)])}"
        if step.inside is not None:
            for line in _told(step.inside, number):
                yield INDENT + line


def _change(step: RewriteStep) -> str:
    """How many nodes there are and what they cost, where the step changed that."""
    said = []
    if step.nodes_after != step.nodes_before:
        said.append(f"{step.nodes_before} → {step.nodes_after} nodes")
    if step.cost_after != step.cost_before:
        said.append(f"cost {step.cost_before:,} → {step.cost_after:,}")
    return ", ".join(said)


def _marks(step: RewriteStep) -> list[str]:
    return [f"[{note}]" for note in notes(step.tags)]


def _summary(film: Film) -> Iterator[str]:
    found = accounts(film)
    phases: dict[str, list[Account]] = {phase.name: [] for phase in PIPELINE}
    for account in found:
        phases.setdefault(account.phase, []).append(account)
    rows = [
        ("  " + a.rule, f"{a.steps} ×", _signed(a.nodes), _signed(a.cost), ", ".join(a.notes))
        for a in found
    ]
    head = ("law", "steps", "nodes", "cost", "")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    yield _row(head, widths)
    for phase, members in phases.items():
        if members:
            yield phase
        for account in members:
            yield _row(rows[found.index(account)], widths)
    yield ""
    yield from film.warnings
    first, last = film[0], film[-1]
    change = last.cost_after / first.cost_before - 1 if first.cost_before else 0
    share = f" ({change:+.1%})".replace("-", "−") if change else ""
    nodes = f"{_count(first.nodes_before, 'node')} became {last.nodes_after:,}"
    cost = f"the estimated cost of {first.cost_before:,} became {last.cost_after:,}{share}"
    yield f"{_count(film.total, 'step')}: {nodes}, {cost}."


def _row(cells: Iterable[str], widths: list[int]) -> str:
    law, *numbers, note = cells
    aligned = [f"{text:>{width}}" for text, width in zip(numbers, widths[1:4], strict=True)]
    return "  ".join([f"{law:{widths[0]}}", *aligned, note]).rstrip()


def _signed(number: int) -> str:
    return f"{number:+,}".replace("-", "−") if number else "0"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
