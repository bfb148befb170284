"""Theano's `gof`, where its users look for what expressions are made of."""

from engine.expression import Apply, Constant, Variable
from engine.gof import graph

__all__ = ["Apply", "Constant", "Variable", "graph"]
