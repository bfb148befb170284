"""What is known of matrices: triangles, symmetry, orthonormal columns.

A matrix is the last two axes of a tensor.  What is known of one follows from its op and from
what is known of what the op reads.  A rewrite keeps values, so what was once inferred stays true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.expression import Apply, Constant, Variable, walk
from engine.rewrite.lengths import Lengths
from engine.rewrite.scalars import number_of
from engine.types import COMPLEX, FLOATS


@dataclass(frozen=True)
class Structure:
    """What holds for each matrix of a stack, as far as its numbers are finite.

    lower, upper: zeros above the diagonal, below it.  positive: no zero and no negative number
    on the diagonal.  symmetric: its own transpose.  orthogonal: square, its transpose is its
    inverse; real.  identity: ones on the diagonal of a square, zeros elsewhere.
    """

    lower: bool = False
    upper: bool = False
    positive: bool = False
    symmetric: bool = False
    orthogonal: bool = False
    identity: bool = False

    @property
    def diagonal(self) -> bool:
        """Whether there are zeros everywhere but on the diagonal."""
        return self.lower and self.upper

    @property
    def triangular(self) -> bool:
        """Whether there are zeros on one side of the diagonal."""
        return self.lower or self.upper


NOTHING = Structure()
IDENTITY = Structure(*[True] * 6)
DIAGONAL = Structure(lower=True, upper=True)
LARGEST = 4096
"""Elements of a constant up to which it is looked at."""


class Structures:
    """The structure of each matrix, inferred once."""

    def __init__(self, lengths: Lengths) -> None:
        self._lengths = lengths
        self._known: dict[Variable, Structure] = {}

    def of(self, v: Variable) -> Structure:
        """What is known of the matrices in a variable."""
        if v.ndim < 2:
            return NOTHING
        if v not in self._known:
            for node in walk([v], stop=self._known.__contains__):
                for i, out in enumerate(node.outputs):
                    self._known[out] = self._of_result(node, i, out) if out.ndim > 1 else NOTHING
        return self._leaf(v)

    def is_square(self, v: Variable) -> bool:
        """Whether there are as many rows as columns, whatever their number."""
        rows, columns = self._lengths.of(v)[-2:]
        return rows == columns

    def _leaf(self, v: Variable) -> Structure:
        known = self._known.get(v)
        if known is None:
            known = self._known[v] = _of_constant(v) if isinstance(v, Constant) else NOTHING
        return known

    def _of_result(self, node: Apply, i: int, out: Variable) -> Structure:
        if node.op.is_elementwise and node.op.name != "fill":
            return self._elementwise(node, out)
        read = [self._leaf(v) for v in node.inputs]
        params, real = node.params, out.dtype not in COMPLEX
        match node.op.name:
            case "eye":
                return self._eye(node)
            case "identity_between":
                a, b = (self._lengths.of(v)[-1] for v in node.inputs)
                return IDENTITY if a == b else DIAGONAL
            case "tri":
                k = number_of(node.inputs[2])
                return Structure(lower=k is not None and k.real <= 0)
            case "alloc_diag" if params["offset"] == 0 and out.ndim == 2:
                return replace(DIAGONAL, symmetric=True)
            case "triangle":
                keeps = params["offset"] >= 0
                lower = read[0].lower or (params["lower"] and keeps)
                return Structure(lower, read[0].upper or (not params["lower"] and keeps))
            case "cholesky":
                return Structure(params["lower"], not params["lower"], positive=True)
            case "qr":
                square = i == 0 and self.is_square(out)
                return Structure(upper=i == 1, orthogonal=real and square)
            case "lu":
                return (Structure(orthogonal=True), Structure(lower=True, positive=True),
                        Structure(upper=True))[i]  # fmt: skip
            case "svd":
                return Structure(orthogonal=real and i != 1 and params["full_matrices"])
            case "eigh":
                return Structure(orthogonal=real and i == 1)
            case "permutation_matrix":
                return Structure(orthogonal=True)
            case "dimshuffle" if is_transpose(node):
                return transposed(read[0])
            case "fill" if node.inputs[1].broadcastable == out.broadcastable:
                return read[1]
            case "cast" if out.dtype in FLOATS | COMPLEX:
                return read[0]
            case "matrix_inverse":
                return replace(read[0], positive=read[0].positive and read[0].triangular)
            case "dot" | "batched_matmul" if all(v.ndim == out.ndim for v in node.inputs):
                return self._product(*node.inputs)
            case _:
                return NOTHING

    def _eye(self, node: Apply) -> Structure:
        rows, columns, k = node.inputs
        if number_of(k) != 0:
            return NOTHING
        same = rows is columns or number_of(rows) == number_of(columns) is not None
        return IDENTITY if same else DIAGONAL

    def _product(self, x: Variable, y: Variable) -> Structure:
        left, right = self._leaf(x), self._leaf(y)
        if left.identity or right.identity:
            return right if left.identity else left
        lower, upper = left.lower and right.lower, left.upper and right.upper
        return Structure(
            lower,
            upper,
            positive=(lower or upper) and left.positive and right.positive,
            symmetric=are_transposes(x, y),
            orthogonal=left.orthogonal and right.orthogonal,
        )

    def _elementwise(self, node: Apply, out: Variable) -> Structure:
        tensors = [v for v in node.inputs if not all(v.broadcastable)]
        if any(v.broadcastable != out.broadcastable for v in tensors):
            return NOTHING
        read = [self._leaf(v) for v in tensors]
        symmetric = all(s.symmetric for s in read)
        match node.op.name:
            case "neg" | "mul":
                zeros = True
            case "true_div":
                zeros = len(tensors) == 1 and tensors[0] is node.inputs[0]
            case "add" | "sub":
                zeros = len(tensors) == len(node.inputs)
                symmetric = symmetric or (node.op.name == "add" and are_transposes(*node.inputs))
            case "switch":
                return self._chosen(node)
            case _:
                zeros = False
        return Structure(
            zeros and all(s.lower for s in read),
            zeros and all(s.upper for s in read),
            symmetric=symmetric,
        )

    def _chosen(self, node: Apply) -> Structure:
        """Of a choice that puts zeros on one side of a diagonal, as tril and triu do."""
        condition, then, other = node.inputs
        k = _diagonal_of(condition)
        if k is not None and number_of(other) == 0:
            return Structure(lower=k <= 0 or self._leaf(then).lower, upper=self._leaf(then).upper)
        if k is not None and number_of(then) == 0:
            upper = k >= -1 or self._leaf(other).upper
            return Structure(lower=self._leaf(other).lower, upper=upper)
        return NOTHING


def transposed(s: Structure) -> Structure:
    """What is known of the transpose."""
    return replace(s, lower=s.upper, upper=s.lower)


def is_transpose(node: Apply | None) -> bool:
    """Whether the apply exchanges rows and columns and nothing else."""
    if node is None or node.op.name != "dimshuffle" or node.inputs[0].ndim < 2:
        return False
    n = node.inputs[0].ndim
    return bool(node.params["pattern"] == (*range(n - 2), n - 1, n - 2))


def are_transposes(x: Variable, y: Variable) -> bool:
    """Whether each of the matrices is the other's transpose, as they are written."""
    return any(is_transpose(v.owner) and v.owner.inputs[0] is w for v, w in ((x, y), (y, x)))  # type: ignore[union-attr]


def _diagonal_of(condition: Variable) -> int | None:
    """The k for which the condition holds on and below the k-th diagonal: columns ≤ rows + k."""
    node = condition.owner
    if node is None or node.op.name != "le" or not _counts(node.inputs[0], (None, 0)):
        return None
    rows, k = node.inputs[1], 0
    if rows.owner is not None and rows.owner.op.name in {"add", "sub"}:
        name, (rows, constant) = rows.owner.op.name, rows.owner.inputs
        number = number_of(constant)
        if not isinstance(number, int):
            return None
        k = number if name == "add" else -number
    return k if _counts(rows, (0, None)) else None


def _counts(v: Variable, pattern: Sequence[int | None]) -> bool:
    """Whether the variable is 0, 1, 2, … along an axis, put beside a new one by the pattern."""
    if v.owner is not None and v.owner.op.name == "dimshuffle":
        if v.owner.params["pattern"] != pattern:
            return False
        v = v.owner.inputs[0]
    elif pattern[0] is not None:
        return False  # a vector lies along the last axis, whether the new one is written or not
    if v.owner is None or v.owner.op.name != "arange":
        return False
    start, _, step = v.owner.inputs
    return number_of(start) == 0 and number_of(step) == 1


def _of_constant(v: Constant) -> Structure:
    x: Any = v.data
    if x.ndim != 2 or x.size > LARGEST or x.shape[0] != x.shape[1] or not np.isfinite(x).all():
        return NOTHING
    if np.array_equal(x, np.eye(len(x))):
        return IDENTITY
    real = x.dtype.kind != "c"
    return Structure(
        np.array_equal(x, np.tril(x)),
        np.array_equal(x, np.triu(x)),
        positive=real and bool((np.diag(x) > 0).all()),
        symmetric=np.array_equal(x, x.T),
    )
