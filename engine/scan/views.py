"""What else is a loop: `map`, `reduce`, the folds, and a loop with checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import ParameterError
from engine.expression import OPS, Constant, Variable, as_variable
from engine.ops.changing import set_subtensor
from engine.scan.arguments import listed, step_count
from engine.scan.scan import Outputs, scan
from engine.updates import OrderedUpdates


def map(
    fn: Callable[..., Any],
    sequences: Any,
    non_sequences: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Outputs, OrderedUpdates]:
    """`fn` of each row of the sequences; see `scan`."""
    return scan(
        fn,
        sequences,
        [],
        non_sequences,
        truncate_gradient=truncate_gradient,
        go_backwards=go_backwards,
        name=name,
    )


def reduce(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Outputs, OrderedUpdates]:
    """What is left after `fn` took in one row after the other: the last row of a scan's results."""
    rows, updates = scan(
        fn, sequences, outputs_info, non_sequences, go_backwards=go_backwards, name=name
    )
    if rows is None or isinstance(rows, Variable):
        return (None if rows is None else rows[-1]), updates
    return [v[-1] for v in rows], updates


def foldl(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Outputs, OrderedUpdates]:
    """`reduce` from the first row to the last."""
    return reduce(fn, sequences, outputs_info, non_sequences, name=name)


def foldr(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Outputs, OrderedUpdates]:
    """`reduce` from the last row to the first."""
    return reduce(fn, sequences, outputs_info, non_sequences, go_backwards=True, name=name)


def scan_checkpoints(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    name: str | None = "checkpointscan_fn",
    n_steps: Any = None,
    save_every_N: int = 10,
    padding: bool = True,
) -> tuple[Outputs, OrderedUpdates]:
    """A scan of which only every N-th step is kept, for the memory of a long loop's gradient.

    The steps in between are computed once more on the way back.  The results have a row for every
    N steps, that after the last of them, and one for what is left at the end.  States are fed
    back by one step only; the sequences are as long as the loop.
    padding: taken for Theano's sake; any number of steps will do.
    """
    every = int(save_every_N)
    walked = [as_variable(v) for v in listed(sequences)]
    infos = listed(outputs_info)
    given = [as_variable(v) for v in listed(non_sequences)]
    for entry in infos:
        if isinstance(entry, Mapping):
            raise ParameterError(
                "A loop with checkpoints has no taps.",
                node="scan_checkpoints",
                port="outputs_info",
                expected="first values, or None",
                got=repr(dict(entry)),
            )
    steps = step_count(walked, n_steps)
    states = [as_variable(v) for v in infos if v is not None]

    def stretch(*arguments: Variable) -> Any:
        """N steps, or those that are left."""
        rest = iter(arguments)
        rows = [OPS["stack"]([next(rest) for _ in range(every)]) for _ in walked]
        done, *last = [next(rest) for _ in range(1 + len(states))]
        fed = iter(last)
        count = OPS["minimum"](Constant(every, "int64"), steps - done)
        results, updates = scan(
            fn,
            rows,
            [None if v is None else next(fed) for v in infos],
            given,
            count,
            return_list=True,
        )
        ends = [v[-1] for v in results or ()]
        return [done + count, *ends], updates

    parts = [_as_long(v[k::every], v[::every]) for v in walked for k in range(every)]
    stretches = OPS["int_div"](steps + (every - 1), Constant(every, "int64"))
    results, updates = scan(
        stretch,
        parts,
        [Constant(0, "int64"), *infos],
        given,
        stretches,
        name=name,
        return_list=True,
    )
    ends = list(results or ())[1:]
    return (ends[0] if len(ends) == 1 else ends or None), updates


def _as_long(x: Variable, model: Variable) -> Variable:
    """The rows of x, then zeros up to the length of the model."""
    return set_subtensor(OPS["zeros_like"](model)[: OPS["shape"](x)[0]], x)
