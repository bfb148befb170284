"""Casts that are done anyway."""

from __future__ import annotations

from collections.abc import Sequence

from engine.dtype_rules import DtypeRule
from engine.errors import TypeMismatchError
from engine.expression import Apply, Variable
from engine.ops.logic import cast
from engine.rewrite.canonicalize.casts import keeps_values
from engine.rewrite.phases import ELEMENTWISE, specialize
from engine.rewrite.rule import Given
from engine.rewrite.view import View


@specialize.computed(
    ELEMENTWISE,
    below=["cast"],
    example=lambda x, y: cast(x, "float64") * y,
    given={"x": Given((3, 4), "float32")},
)
def cast_while_computing(node: Apply, view: View) -> Variable | None:
    """An op casts what it reads to the dtype that it computes in; nothing else need do it."""
    rule = node.op.rule
    assert rule is not None
    dtypes = [v.dtype for v in node.inputs]
    for i, v in enumerate(node.inputs):
        if v.owner is None or v.owner.op is not cast or view.is_shared(v):
            continue
        (x,) = v.owner.inputs
        others = [*dtypes[:i], x.dtype, *dtypes[i + 1 :]]
        if keeps_values(x.dtype, v.dtype) and _is_computed_alike(rule, dtypes, others):
            inputs = [*node.inputs[:i], x, *node.inputs[i + 1 :]]
            return node.op.apply(inputs, node.params).out
    return None


def _is_computed_alike(rule: DtypeRule, dtypes: Sequence[str], others: Sequence[str]) -> bool:
    """Whether the op computes in, and gives, the same dtypes for both."""
    try:
        return rule(dtypes) == rule(others)
    except TypeMismatchError:
        return False  # such as for bools alone
