"""Wiregrad's engine: symbolic tensors that are differentiated, rewritten and compiled.

Theano's names are the public interface:

>>> import engine.tensor as T
>>> from engine import function
>>> x = T.dscalar("x")
>>> cube_gradient = function([x], T.grad(x**3, x))
>>> float(cube_gradient(4))
48.0
"""

from engine.config import config
from engine.errors import (
    DisconnectedInputError,
    EngineError,
    MissingInputError,
    NullGradientError,
    UnusedInputError,
)
from engine.function import Function, function
from engine.grad import grad, hessian, jacobian
from engine.printing import debugprint, pp, tex
from engine.scan import scan
from engine.shared import SharedVariable, shared
from engine.tensor import TensorType
from engine.types import DTYPES

__all__ = [
    "DTYPES",
    "DisconnectedInputError",
    "EngineError",
    "Function",
    "MissingInputError",
    "NullGradientError",
    "SharedVariable",
    "TensorType",
    "UnusedInputError",
    "config",
    "debugprint",
    "function",
    "grad",
    "hessian",
    "jacobian",
    "pp",
    "scan",
    "shared",
    "tex",
]
