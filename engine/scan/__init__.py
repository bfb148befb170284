"""Loops as expressions: `scan` applies a function again and again; `map` and `reduce` are scans.

>>> import engine.tensor as T
>>> from engine import function, scan
>>> x, n = T.dscalar("x"), T.iscalar("n")
>>> powers, updates = scan(lambda last: last * x, outputs_info=T.constant(1.0, dtype="float64"),
...                        n_steps=n)
>>> function([x, n], powers, updates=updates)(2, 4).tolist()
[2.0, 4.0, 8.0, 16.0]
"""

from engine.scan.arguments import until
from engine.scan.scan import scan
from engine.scan.views import foldl, foldr, map, reduce, scan_checkpoints

__all__ = ["foldl", "foldr", "map", "reduce", "scan", "scan_checkpoints", "until"]
