"""What two branches of a choice have in common, whether both are computed or one of them."""

from __future__ import annotations

from engine.expression import Apply, Variable
from engine.rewrite.view import View


def chosen_before(node: Apply, view: View) -> Variable | None:
    """A choice between f(x) and f(y) as f of the choice between x and y.

    None unless the branches are the same op on each element, read by nobody else, and differ in
    one input, of one dtype and pattern of broadcasting.
    """
    condition, *branches = node.inputs
    first, second = (v.owner for v in branches)
    if first is None or second is None or first is second:
        return None
    same = first.op is second.op and first.params == second.params
    if not same or not first.op.is_elementwise or any(map(view.is_shared, branches)):
        return None
    pairs = list(zip(first.inputs, second.inputs, strict=True))
    apart = [place for place, (x, y) in enumerate(pairs) if x is not y]
    if len(apart) != 1:
        return None
    x, y = pairs[apart[0]]
    if (x.dtype, x.broadcastable) != (y.dtype, y.broadcastable):
        return None
    inputs = list(first.inputs)
    inputs[apart[0]] = node.op(condition, x, y)
    return first.op.apply(inputs, first.params).out
