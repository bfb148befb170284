"""Theano's `tensor.var`: its names for the classes of variables."""

from engine.expression import Constant, Variable

TensorVariable = Variable
TensorConstant = Constant

__all__ = ["TensorConstant", "TensorVariable"]
