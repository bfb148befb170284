"""Ops that pass their input on, most of them to change what flows back through them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.expression import OPS, Variable
from engine.makers import zero_gradient
from engine.op import Example, Op, Param, Port

CATEGORY = "Training"

Layout = tuple[int, tuple[int, ...], tuple[int, ...]]


def _as_it_lies(shape: tuple[int, ...], strides: tuple[int, ...], /, **params: Any) -> Layout:
    return 0, shape, strides


def _identity(
    name: str,
    symbol: str,
    doc: str,
    grad: Callable[..., Sequence[Variable | None]] | None,
    params: tuple[Param, ...] = (),
    **facts: Any,
) -> Op:
    return Op(
        name=name,
        symbol=symbol,
        category=CATEGORY,
        doc=doc,
        ports=(Port("x"),),
        params=params,
        infer=lambda x, **params: x,
        numpy=lambda x, **params: np.asarray(x),
        view=_as_it_lies,
        grad=grad,
        conjugates=False,
        **{"method": False, "overrides_gradient": True, **facts},
    )


EXAMPLES = (Example(((2, 3),)),)

tensor_copy = _identity(
    "tensor_copy",
    "=",
    "The same tensor, as an expression of its own that may bear another name.",
    grad=lambda g, y, x: [g],
    aliases=("copy",),
    method=True,
    overrides_gradient=False,
    examples=EXAMPLES,
)

zero_grad = _identity(
    "zero_grad",
    "0∂",
    "Passes x on; its gradient is zero.",
    grad=lambda g, y, x: [zero_gradient(x)],
    aliases=("consider_constant",),
    examples=EXAMPLES,
)

disconnected_grad = _identity(
    "disconnected_grad",
    "∤∂",
    "Passes x on; no gradient flows back, as if nothing were wired here.",
    grad=lambda g, y, x: [None],
    examples=EXAMPLES,
)

undefined_grad = _identity(
    "undefined_grad",
    "?∂",
    "Passes x on; to ask for a gradient through here is an error.",
    grad=None,
    no_grad="it was declared undefined",
    examples=EXAMPLES,
)

grad_clip = _identity(
    "grad_clip",
    "[∂]",
    "Passes x on; each element of the gradient is held between two bounds on its way back.",
    params=(
        Param("lower_bound", "float", -1.0, "the least element of the gradient"),
        Param("upper_bound", "float", 1.0, "the greatest element of the gradient"),
    ),
    grad=lambda g, y, x, lower_bound, upper_bound: [
        OPS["clip"](g, _like(g, lower_bound), _like(g, upper_bound))
    ],
    examples=(Example(((2, 3),), {"lower_bound": -2.0, "upper_bound": 2.0}),),
)

grad_scale = _identity(
    "grad_scale",
    "k∂",
    "Passes x on; the gradient is multiplied by a number on its way back.",
    params=(Param("multiplier", "float", 1.0, "what the gradient is multiplied by"),),
    grad=lambda g, y, x, multiplier: [g * _like(g, multiplier)],
    examples=(Example(((2, 3),), {"multiplier": 0.5}),),
)


def _like(g: Variable, number: float) -> Variable:
    """The number in the dtype of the gradient, so that float32 stays float32."""
    return OPS["cast"](number, g.dtype)
