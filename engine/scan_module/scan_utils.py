"""Theano's `scan_module.scan_utils`."""

from engine.clone import clone
from engine.comparison import equal_computations
from engine.scan import until

__all__ = ["clone", "equal_computations", "until"]
