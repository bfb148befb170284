"""Wiregrad's engine: symbolic tensors that are differentiated, rewritten and compiled.

Theano's names are the public interface:

>>> import engine.tensor as T
>>> from engine import function
>>> x = T.dscalar("x")
>>> cube_gradient = function([x], T.grad(x**3, x))
>>> float(cube_gradient(4))
48.0
"""

from engine import compile as compile
from engine import gof, gradient, ifelse, network, sandbox, scalar, scan_module
from engine.arguments import In, Out
from engine.checkpoint import checkpoint
from engine.clone import clone
from engine.config import config
from engine.errors import (
    DisconnectedInputError,
    EngineError,
    GradientError,
    MissingInputError,
    NullGradientError,
    UnusedInputError,
)
from engine.expression import Apply, Constant, Variable
from engine.function import Function, function
from engine.grad import grad, subgraph_grad
from engine.graph import Graph
from engine.jacobian import Lop, Rop, hessian, hessian_vector_product, jacobian
from engine.modes import Mode
from engine.op_from_graph import OpFromGraph
from engine.printing import debugprint, pp, tex
from engine.profile import ProfileStats
from engine.scan import foldl, foldr, map, reduce, scan, scan_checkpoints
from engine.scan_module import scan_utils
from engine.shared import SharedVariable, shared
from engine.tensor import TensorType, dot
from engine.test_values import get_test_value
from engine.types import DTYPES
from engine.updates import OrderedUpdates

__all__ = [
    "DTYPES",
    "Apply",
    "Constant",
    "DisconnectedInputError",
    "EngineError",
    "Function",
    "GradientError",
    "Graph",
    "In",
    "Lop",
    "MissingInputError",
    "Mode",
    "NullGradientError",
    "OpFromGraph",
    "OrderedUpdates",
    "Out",
    "ProfileStats",
    "Rop",
    "SharedVariable",
    "TensorType",
    "UnusedInputError",
    "Variable",
    "checkpoint",
    "clone",
    "compile",
    "config",
    "debugprint",
    "dot",
    "foldl",
    "foldr",
    "function",
    "get_test_value",
    "gof",
    "grad",
    "gradient",
    "hessian",
    "hessian_vector_product",
    "ifelse",
    "jacobian",
    "map",
    "network",
    "pp",
    "reduce",
    "sandbox",
    "scalar",
    "scan",
    "scan_checkpoints",
    "scan_module",
    "scan_utils",
    "shared",
    "subgraph_grad",
    "tex",
]
