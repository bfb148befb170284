"""Attention: each query looks at the values whose keys are like it."""

import numpy as np

from engine.errors import ShapeError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Param, Port
from engine.types import to_float

CATEGORY = "Attention"
LEAST = -1e9
"""What takes the place of a score that must not count; its exponential is 0 in every float."""


def _attention(query: Variable, key: Variable, value: Variable, causal: bool) -> Variable:
    for name, v in (("query", query), ("key", key), ("value", value)):
        if v.ndim < 2:
            raise ShapeError(
                f"The {name} of attention is a row for each position, so {v.type} will not do.",
                port=name,
                expected="(…, positions, features)",
                got=str(v.type),
            )
    features = OPS["cast"](OPS["shape"](query)[-1], to_float(query.dtype))
    scores = OPS["matmul"](query, _turned(key)) / OPS["sqrt"](features)
    if causal:
        ahead = OPS["lt"](_count(scores, -2).dimshuffle(0, "x"), _count(scores, -1))
        scores = OPS["switch"](ahead, OPS["cast"](LEAST, scores.dtype), scores)
    return OPS["matmul"](OPS["softmax"](scores, axis=-1), value)


def _turned(v: Variable) -> Variable:
    """The last two axes exchanged."""
    order = list(range(v.ndim))
    order[-2:] = order[-1], order[-2]
    return v.dimshuffle(*order)


def _count(v: Variable, axis: int) -> Variable:
    """The positions along an axis."""
    order = [axis % v.ndim, *(k for k in range(v.ndim) if k != axis % v.ndim)]
    return OPS["positions"](v.dimshuffle(*order))


attention = composed(
    "attention",
    symbol="QKV",
    category=CATEGORY,
    tex=r"\operatorname{{softmax}}\left(\frac{{{query} {key}^T}}{{\sqrt{{d}}}}\right) {value}",
    doc="For each query the average of the values, weighed by how like their keys are to it.",
    # Vaswani et al., Attention Is All You Need, 2017.
    ports=(
        Port("query", "(…, queries, features)"),
        Port("key", "(…, positions, features)"),
        Port("value", "(…, positions, anything)"),
    ),
    params=(Param("causal", "bool", False, "let no query look at positions after its own"),),
    examples=(
        Example(((3, 4), (5, 4), (5, 2))),
        Example(((2, 3, 4), (2, 3, 4), (2, 3, 4)), {"causal": True}),
    ),
    body=_attention,
)


def _lookup(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.normal(size=(5, 3)), np.array([[0, 4], [2, 2]])]


embedding = composed(
    "embedding",
    symbol="E[i]",
    category=CATEGORY,
    doc="The rows of a table that integers name: a vector for each word, say.",
    ports=(Port("table", "a row for each word"), Port("indices", "the numbers of rows")),
    examples=(Example(draw=_lookup),),
    body=lambda table, indices: table[indices],
)
