"""Theano's `scan_module`: loops, and how they end early."""

from engine.clone import clone
from engine.scan import foldl, foldr, map, reduce, scan, scan_checkpoints, until
from engine.scan_module import scan_utils

__all__ = [
    "clone",
    "foldl",
    "foldr",
    "map",
    "reduce",
    "scan",
    "scan_checkpoints",
    "scan_utils",
    "until",
]
