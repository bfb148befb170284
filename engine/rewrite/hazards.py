"""The ways in which an apply can go wrong: numbers that overflow, vanish or lose their digits."""

from __future__ import annotations

from collections.abc import Sequence

from engine.expression import Apply, Variable
from engine.rewrite.ranges import MOVING, Ranges
from engine.rewrite.scalars import number_of
from engine.types import DISCRETE

HAZARDS = {
    "log": 3, "log2": 3, "log10": 3, "xlogy0": 3, "log1p": 2, "logit": 2, "pow": 5, "exp": 4,
    "exp2": 4, "expm1": 1, "true_div": 1, "inv": 1, "slogdet": 3, "matrix_inverse": 2,
}  # fmt: skip
"""Where finite numbers become infinite, NaN or 0, and how much further that carries."""

RESHAPING = ("reshape", "reshape_like", "reshape_to")
"""Ops that only change a shape, in the order of how much is known of it before they run."""

ARRANGING = frozenset({"dimshuffle", "addbroadcast", "unbroadcast", *RESHAPING})
"""Ops of which each element is one of those of the first input, and all of them are there."""

VIEWS = 8
"""How many layouts are looked through."""


def hazard(node: Apply, ranges: Ranges) -> int:
    """How many hazards there are in an apply, seen together with its inputs."""
    match node.op.name:
        case "exp" if ranges.is_never_positive(node.inputs[0]):
            return 0
        case "add" | "sub" if node.out.dtype in DISCRETE:
            return 0  # integers are not rounded
        case "solve":
            # A triangle is divided by its diagonal; to get to one, numbers cancel.
            return 1 if is_triangular(node) else 2
        case "add" | "sub" if _is_of_squares(node.inputs[0]):
            return 3
        case "add" | "sub" if _is_near(node.inputs):
            return 2
        case "add" | "sub":
            # What was rounded may cancel: 1 - sigmoid(x).
            return int(any(_is_rounded(v) for v in node.inputs))
        case "log" if is_one_of(node.inputs[0], "sqr", "prod") or _is_determinant(node.inputs[0]):
            return HAZARDS["log"] + 1  # which overflow or vanish before it
        case "true_div" | "inv" if _vanishes(node.inputs[-1]):
            return 2
        case name:
            return HAZARDS.get(name, 0)


def _is_determinant(v: Variable) -> bool:
    """Whether the expression is a product of very many numbers, or the size of one."""
    node = _origin(v)
    return is_one_of(node.inputs[0] if node is not None and node.op.name == "abs" else v, "det")


def _vanishes(v: Variable) -> bool:
    """Whether the expression is 0 for numbers of moderate size: it is no good divisor."""
    return is_one_of(v, "erfc")


def _is_rounded(v: Variable) -> bool:
    """Whether the expression is computed, and not just chosen among inputs or turned in sign."""
    node = _origin(v)
    if node is None:
        return False
    first, last = CHOOSING.get(node.op.name, (0, 0))
    chosen = node.inputs[first:last]
    return not chosen or any(_origin(x) is not None for x in chosen)


CHOOSING = {"neg": (0, 1), **{name: MOVING[name] for name in ("max", "min", "switch")}}
"""Ops that round nothing, and the places of what they choose among."""


def _is_near(terms: Sequence[Variable]) -> bool:
    """Whether a number is added to an exponential, which is 1 for all small numbers."""
    return any(is_one_of(v, "exp") for v in terms) and any(number_of(v) is not None for v in terms)


def _is_of_squares(v: Variable) -> bool:
    """Whether the expression is a mean of products, of which that of the means is most."""
    node = _origin(v)
    return node is not None and node.op.name == "mean" and is_one_of(node.inputs[0], "sqr", "mul")


def is_one_of(v: Variable, *names: str) -> bool:
    """Whether the expression is computed by an op of one of these names."""
    node = _origin(v)
    return node is not None and node.op.name in names


def _origin(v: Variable) -> Apply | None:
    """What computes the elements of v, whatever order and shape they are brought into."""
    node = v.owner
    for _ in range(VIEWS):
        if node is None or node.op.name not in ARRANGING:
            break
        node = node.inputs[0].owner
    return node


def is_triangular(node: Apply) -> bool:
    """Whether equations are those of a triangle."""
    return node.params["structure"] in {"lower_triangular", "upper_triangular"}
