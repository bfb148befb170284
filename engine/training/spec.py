"""What a training loop needs to know of a graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.expression import Variable

Array = np.ndarray[Any, Any]


@dataclass
class TrainingSpec:
    """A graph to be trained.

    inputs: the value of each input leaf: data, and scalars that may be set while it runs.
    state: the first value of each shared leaf.
    updates: by shared leaf, the expression of its next value; all take effect together.
    outputs: the expressions that can be watched, by the id of their canvas node.
    cost: the key of the output that is recorded at each step.
    steps: how many steps to take.  seed: what random numbers start from.
    strict: whether rewrites are left out that may hide something, None for what the settings say.
    names: the leaves that can be set by name, scalar inputs all of them.
    ids: the id of each leaf's canvas node.
    """

    inputs: dict[Variable, Array]
    state: dict[Variable, Array]
    updates: dict[Variable, Variable]
    outputs: dict[str, Variable]
    cost: str
    steps: int = 1000
    seed: int = 0
    strict: bool | None = None
    names: dict[str, Variable] = field(default_factory=dict)
    ids: dict[Variable, str] = field(default_factory=dict)
