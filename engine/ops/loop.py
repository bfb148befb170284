"""How a loop is laid out: which of its inputs is what, and what becomes of them in a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from engine.expression import OPS, Block, Variable

Taps = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Loop:
    """The parameters of the op `scan`.

    block: the body.  Its inputs are an element of each sequence, an earlier row of each state for
        each of its taps, and the constants; its outputs the next row of each state, a row of each
        further result, and, with `until`, a condition.
    sequences: how many there are.
    taps: for each state which of its rows a step reads: -1 is the last one, -2 the one before.
    backwards: whether the sequences are walked from their last row to the first.
    until: whether the loop ends after the step in which the condition is true.
    keep: for each result how many of its last rows are wanted, 0 for all; empty for all of all.
    truncate: how many steps the gradient goes back, 0 for all.
    name: what people call the loop.
    """

    block: Block
    sequences: int
    taps: Taps
    backwards: bool = False
    until: bool = False
    keep: tuple[int, ...] = ()
    truncate: int = 0
    name: str | None = None

    @cached_property
    def elements(self) -> list[Variable]:
        """In the body, the elements of the sequences."""
        return list(self.block.inputs[: self.sequences])

    @cached_property
    def past(self) -> list[list[Variable]]:
        """In the body, for each state its earlier rows, in the order of its taps."""
        rest = iter(self.block.inputs[self.sequences :])
        return [list(islice(rest, len(own))) for own in self.taps]

    @cached_property
    def constants(self) -> list[Variable]:
        """In the body, what is the same in each step."""
        return list(self.block.inputs[self.sequences + sum(map(len, self.taps)) :])

    @cached_property
    def results(self) -> list[Variable]:
        """In the body, the new rows: first those of the states."""
        return list(self.block.outputs[: -1 if self.until else None])

    @property
    def depths(self) -> list[int]:
        """For each result how many rows there are of it before the first step."""
        return [-min(own) for own in self.taps] + [0] * (len(self.results) - len(self.taps))

    def kept(self, result: int) -> int:
        """How many of the last rows of a result are wanted, 0 for all."""
        return self.keep[result] if self.keep else 0

    def split(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """The sequences, the first rows of the states, and the constants among the inputs."""
        states = self.sequences + len(self.taps)
        return (
            list(inputs[: self.sequences]),
            list(inputs[self.sequences : states]),
            list(inputs[states:]),
        )

    def run(self, steps: Any, inputs: Sequence[Any]) -> list[Variable]:
        """The loop over variables: the rows of each result, after those of its past.

        inputs: sequences, first rows (as many as the taps need), constants.
        """
        params = {field: getattr(self, field) for field in self.__dataclass_fields__}
        return OPS["scan"].each(steps, list(inputs), **params)
