"""Theano's `gradient`: everything about derivatives under one roof."""

from engine.errors import DisconnectedInputError, GradientError, NullGradientError
from engine.grad import NullGradient, grad, subgraph_grad
from engine.jacobian import Lop, Rop, hessian, hessian_vector_product, jacobian
from engine.numeric_grad import numeric_grad, verify_grad
from engine.ops.blocking import (
    disconnected_grad,
    grad_clip,
    grad_scale,
    undefined_grad,
    zero_grad,
)

consider_constant = zero_grad
NullTypeGradError = NullGradientError

__all__ = [
    "DisconnectedInputError",
    "GradientError",
    "Lop",
    "NullGradient",
    "NullGradientError",
    "NullTypeGradError",
    "Rop",
    "consider_constant",
    "disconnected_grad",
    "grad",
    "grad_clip",
    "grad_scale",
    "hessian",
    "hessian_vector_product",
    "jacobian",
    "numeric_grad",
    "subgraph_grad",
    "undefined_grad",
    "verify_grad",
    "zero_grad",
]
