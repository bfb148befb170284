"""Parts of a graph that are computed again for the gradient, so that they need not be kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.expression import OPS, Block, Constant, Variable, as_variable, substitute, walk
from engine.op import untested
from engine.types import TensorType


def checkpoint(fn: Callable[..., Any], *inputs: Any, name: str | None = None) -> Any:
    """`fn(*inputs)`, of which only the result is kept in memory until the gradient is computed.

    What lies in between is computed once more on the way back ("gradient checkpointing").  So a
    deep network, cut into parts by checkpoints, needs the memory of one part at a time and of the
    values between them, for one more forward pass.  fn returns one expression or a list of them;
    it may also use variables from outside.

    >>> import engine.tensor as T
    >>> from engine import checkpoint, function, grad
    >>> x = T.dscalar("x")
    >>> y = checkpoint(lambda v: T.exp(T.sin(v)), x)
    >>> float(function([x], grad(y, x))(0))
    1.0
    """
    began = Variable(TensorType("bool")).serial
    given = [as_variable(v) for v in inputs]
    fresh = [Variable(v.type, name=v.name) for v in given]
    with untested():
        returned = fn(*fresh)
        single = not isinstance(returned, list | tuple)
        outputs = [as_variable(v) for v in ([returned] if single else returned)]
    made = walk(outputs, stop=lambda v: v.serial < began)
    read = dict.fromkeys([*(v for node in made for v in node.inputs), *outputs])
    outer = [
        v
        for v in read
        if (v.owner is None or v.serial < began) and v not in fresh and not isinstance(v, Constant)
    ]
    inner = [Variable(v.type, name=v.name) for v in outer]
    with untested():
        outputs = substitute(outputs, dict(zip(outer, inner, strict=True)))
    block = Block((*fresh, *inner), tuple(outputs))
    results = OPS["checkpoint"].each([*given, *outer], block=block, name=name)
    return results[0] if single else results
