"""The phases in order.  Their laws lie in the folders of the same names.

A new file there is found by itself; the laws are tried in the order of the files' names.
"""

from __future__ import annotations

from engine.expression import OPS
from engine.rewrite.rule import Phase
from engine.types import COMPLEX, FLOATS, INTEGERS

NUMBERS = INTEGERS | FLOATS | COMPLEX
INEXACT = FLOATS | COMPLEX
SIGNED = frozenset(d for d in NUMBERS if not d.startswith("uint"))

ELEMENTWISE = tuple(op.name for op in dict.fromkeys(OPS.values()) if op.is_elementwise)
"""The ops on each element, for laws of all of them."""

merge = Phase("merge", "Equal parts become one; constants are computed.")
canonicalize = Phase(
    "canonicalize", "One spelling for everything that means the same.", only=NUMBERS
)
stabilize = Phase(
    "stabilize", "The right value also where numbers are very large or very small.", only=FLOATS
)
specialize = Phase("specialize", "The cheapest op for what is left.")

PIPELINE = [merge, canonicalize, stabilize, specialize]
"""The phases in order.  The rules of a phase stay in force in those that follow."""
