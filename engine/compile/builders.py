"""Theano's `compile.builders`: ops made of graphs."""

from engine.op_from_graph import OpFromGraph

__all__ = ["OpFromGraph"]
