"""Expressions for people: as a formula, as TeX, as a tree, as a picture; values while they run."""

from engine.ops.watching import Print
from engine.printing.drawing import pydotprint, svg
from engine.printing.formula import pp, tex
from engine.printing.formula import pp as pprint
from engine.printing.tree import debugprint

__all__ = ["Print", "debugprint", "pp", "pprint", "pydotprint", "svg", "tex"]
