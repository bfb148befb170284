"""Jacobians, Hessians, and their products with vectors, which need neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.errors import ParameterError, ShapeError, TypeMismatchError
from engine.expression import OPS, Constant, Variable, as_variable, substitute
from engine.grad import (
    Consider,
    OnDisconnected,
    ReturnDisconnected,
    Several,
    constants_in,
    formed_as,
    grad,
    no_gradient_by,
    pullback,
    variables_in,
)
from engine.makers import zero_gradient
from engine.scan import scan


def jacobian(
    expression: Variable,
    wrt: Variable | Sequence[Variable],
    consider_constant: Consider = None,
    disconnected_inputs: OnDisconnected = "raise",
) -> Any:
    """The derivative of each element of a vector: shape (n, *shape of wrt).

    Of a scalar it is the gradient; for a list of variables a list, for a tuple a tuple.
    """
    targets = [wrt] if isinstance(wrt, Variable) else list(wrt)
    facts: dict[str, Any] = {
        "consider_constant": consider_constant,
        "disconnected_inputs": disconnected_inputs,
    }
    if expression.ndim > 1:
        raise TypeMismatchError(
            "The Jacobian is of a vector.",
            port="expression",
            expected="a vector",
            got=str(expression.type),
            hint="Flatten it first.",
        )
    if expression.ndim == 0:
        found = grad(expression, targets, **facts)
    else:
        rows, _ = scan(
            lambda i: grad(expression[i], targets, **facts),
            sequences=OPS["positions"](expression),
        )
        found = [rows] if isinstance(rows, Variable) else list(rows or ())
    return formed_as(wrt, found)


def hessian(
    cost: Variable,
    wrt: Variable | Sequence[Variable],
    consider_constant: Consider = None,
    disconnected_inputs: OnDisconnected = "raise",
) -> Any:
    """The second derivatives of a scalar by a vector: shape (n, n).

    For a list of vectors a list, each by itself.
    """
    targets = [wrt] if isinstance(wrt, Variable) else list(wrt)
    found = []
    for v in targets:
        if v.ndim != 1:
            raise TypeMismatchError(
                "The Hessian is by a vector.", port="wrt", expected="a vector", got=str(v.type)
            )
        slope = grad(cost, v, consider_constant, disconnected_inputs)
        found.append(jacobian(slope, v, consider_constant, "ignore"))
    return formed_as(wrt, found)


def Lop(  # noqa: N802 -- Theano's name
    f: Several,
    wrt: Several,
    eval_points: Any,
    consider_constant: Consider = None,
    disconnected_inputs: OnDisconnected = "raise",
) -> Any:
    """A row vector times the Jacobian: the sum of the elements of f, each times its eval point,
    differentiated by wrt.

    eval_points: one for each f, in its shape.  Gives for each wrt a tensor of its shape.
    """
    outputs, targets = variables_in(f), variables_in(wrt)
    known = dict(zip(outputs, _points(f, eval_points, "f"), strict=True))
    found = []
    for v, g in zip(
        targets, pullback(known, targets, constants_in(consider_constant)), strict=True
    ):
        found.append(no_gradient_by(v, disconnected_inputs, "zero") if g is None else g)
    return formed_as(wrt, found)


def Rop(  # noqa: N802 -- Theano's name
    f: Several,
    wrt: Several,
    eval_points: Any,
    disconnected_outputs: OnDisconnected = "raise",
    return_disconnected: ReturnDisconnected = "zero",
) -> Any:
    """The Jacobian times a column vector: how f changes when wrt moves along the eval points.

    eval_points: one for each wrt, in its shape.  Gives for each f a tensor of its shape.
    The left product u J is linear in u, so its derivative by u along the eval points is J v
    (the "double backward" of J. Townsend, 2017); every op that has a gradient has this too.
    """
    outputs, targets = variables_in(f), variables_in(wrt)
    points = _points(wrt, eval_points, "wrt")
    rows = [Variable(zero_gradient(v).type) for v in outputs]
    backward = pullback(dict(zip(outputs, rows, strict=True)), targets)
    known: dict[Variable, Variable] = {}
    for back, point in zip(backward, points, strict=True):
        if back is not None:
            known[back] = known[back] + point if back in known else point
    forward = pullback(known, rows)
    # What is left of u only says which shape it has.
    shapes = {u: OPS["ones_like"](v) for u, v in zip(rows, outputs, strict=True)}
    found: list[Any] = []
    for v, g in zip(outputs, forward, strict=True):
        if g is None:
            found.append(no_gradient_by(v, disconnected_outputs, return_disconnected))
        else:
            found.append(substitute([g], shapes)[0])
    return formed_as(f, found)


def hessian_vector_product(cost: Variable, wrt: Several, p: Any) -> Any:
    """The Hessian of a scalar times a vector, without the Hessian: two sweeps.

    p: a tensor for each wrt, in its shape; so are the results.
    """
    targets, points = variables_in(wrt), _points(wrt, p, "wrt")
    slopes = grad(cost, targets)
    along: Variable = Constant(0, cost.dtype)
    for slope, point in zip(slopes, points, strict=True):
        along = along + OPS["sum"](slope * point)
    found = grad(along, targets, points, "ignore")
    return formed_as(wrt, found)


def _points(variables: Several, points: Any, name: str) -> list[Variable]:
    """One eval point for each variable, as variables of its rank."""
    expected = variables_in(variables)
    alone = isinstance(variables, Variable) and not (
        isinstance(points, list | tuple) and len(points) == 1 and isinstance(points[0], Variable)
    )
    given = [as_variable(p) for p in ([points] if alone else points)]
    if len(given) != len(expected):
        raise ParameterError(
            f"{len(given)} eval points were given for {len(expected)} variables.",
            port="eval_points",
            expected=f"one for each {name}",
            got=str(len(given)),
        )
    for v, p in zip(expected, given, strict=True):
        if v.ndim != p.ndim:
            raise ShapeError(
                f"The eval point of {v!r} has {p.ndim} dimensions, but {v!r} has {v.ndim}.",
                port="eval_points",
                expected=str(v.type),
                got=str(p.type),
            )
    return given
