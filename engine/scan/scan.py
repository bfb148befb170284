"""`scan`: a function applied again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.errors import ParameterError
from engine.expression import Variable, as_variable
from engine.scan.arguments import Returned, State, Walked, listed, step_count
from engine.scan.body import Body
from engine.updates import OrderedUpdates

Outputs = Variable | list[Variable] | None


def scan(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
    profile: Any = False,
    allow_gc: bool | None = None,
    strict: bool = False,
    return_list: bool = False,
) -> tuple[Outputs, OrderedUpdates]:
    """Apply `fn` once for each step; give what it returned in each step, along axis 0.

    fn gets, in this order: of each sequence its row for each tap, of each result that is fed back
        its earlier row for each tap, and the non_sequences.  It returns one expression or a list
        of them, or updates of shared variables, or both, or either of these with `until(...)`:
        `return [a, b], {state: new}, until(a > 9)`.
    sequences: tensors that are walked through along axis 0, or dict(input=tensor, taps=[...]):
        tap k is row t + k in step t.
    outputs_info: one entry for each result: None where it is not fed back; else its row before
        the first step, or dict(initial=rows, taps=[-2, -1]): tap -k is its row k steps ago, and
        `initial` has as many rows as the taps reach back, unless the only tap is -1.
    non_sequences: what fn gets unchanged in every step.  It may also just use variables from
        outside; with `strict`, shared variables among those are refused.
    n_steps: a number or an integer scalar, the most steps there are with `until`.  Without it the
        shortest sequence gives the number of steps.
    truncate_gradient: how many steps back the gradient is followed, -1 for all.
    go_backwards: walk through the sequences from their end.
    name: what the loop is called where it is printed.
    mode, profile, allow_gc: taken for Theano's sake; a loop is compiled with its function.

    An expression that does not depend on the step is computed once, before the loop; what was
    made before fn was called counts as such.  A shared variable with a default_update that fn
    uses (the state of a random stream, say) advances in every step.

    Returns (results, updates).  results: one variable of shape (steps, ...), or a list of them if
    there are several or with return_list, or None.  updates: for each shared variable that
    changes in the loop its value at the end, to be passed on to `function`.
    Raises TypeMismatchError where a state would change its type from step to step, ShapeError
    where there is nothing to count the steps by, ParameterError for what is not understood.
    """
    if truncate_gradient != -1 and truncate_gradient < 1:
        raise ParameterError(
            f"A gradient cannot be followed for {truncate_gradient} steps.",
            node="scan",
            port="truncate_gradient",
            expected="1 or more, or -1 for all steps",
            got=str(truncate_gradient),
        )
    walked = [w for entry in listed(sequences) for w in Walked.of(entry, go_backwards)]
    infos = [State.of(entry) for entry in listed(outputs_info)]
    given = [as_variable(v) for v in listed(non_sequences)]
    steps = step_count([w.rows for w in walked], n_steps)
    body = Body(walked, [info for info in infos if info is not None], given)
    returned = Returned.of(fn(*body.arguments()))
    infos = infos or [None] * len(returned.results)
    if len(infos) != len(returned.results):
        raise ParameterError(
            f"The loop's function returned {len(returned.results)} results, but outputs_info has "
            f"{len(infos)} entries.",
            node="scan",
            port="outputs_info",
            expected=str(len(returned.results)),
            got=str(len(infos)),
            hint="Give None for a result that is not fed back.",
        )
    loop, inputs, updated = body.loop([info is not None for info in infos], returned, strict)
    loop = replace(loop, truncate=max(truncate_gradient, 0), name=name)
    traces = loop.run(steps, inputs) if loop.results else []
    states = len(body.states) - len(updated)
    updates = OrderedUpdates(
        (v, trace[-1]) for v, trace in zip(updated, traces[states:], strict=False)
    )
    fed = iter(zip(traces[:states], loop.depths, strict=False))
    further = iter(traces[len(body.states) :])
    results = []
    for info in infos:
        if info is None:
            results.append(next(further))
        else:
            trace, before = next(fed)
            results.append(trace[before:])
    if return_list or len(results) > 1:
        return results, updates
    return (results[0] if results else None), updates
