"""Loops with which laws are drawn."""

from __future__ import annotations

from engine.expression import OPS, Block, Variable
from engine.ops.loop import Loop


def row_of(x: Variable) -> Variable:
    """What a loop over x calls the row of the step."""
    return Variable(x[0].type)


def loop(x: Variable, *results: Variable, last: Variable, row: Variable) -> list[Variable]:
    """A loop over the rows of x, whose state is `last` and starts with zeros."""
    body = Block((row, last), results)
    first = OPS["zeros_like"](x[:1])
    return Loop(body, sequences=1, taps=((-1,),)).run(OPS["shape"](x)[0], [x, first])
