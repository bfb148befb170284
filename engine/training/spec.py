"""What a training loop needs to know of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import ParameterError, ShapeError
from engine.expression import Variable

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Minibatch:
    """Training by a few rows of the data at a time.

    size: rows of a batch.  inputs: the leaves whose rows those are, along their first axis.
    shuffle: whether each epoch has the rows in another order, which follows from the seed.

    The rows are one endless stream, epoch after epoch; what is left of an epoch begins the batch
    that the next one fills.
    """

    size: int
    inputs: tuple[Variable, ...]
    shuffle: bool = True

    def check(self, data: Mapping[Variable, Array], ids: Mapping[Variable, str]) -> None:
        """Raise ParameterError or ShapeError where the data cannot be cut into such batches.

        ids: those of canvas nodes, for errors to name.
        """
        if not self.inputs:
            raise ParameterError(
                "There is no data to take batches of.",
                port="batch",
                expected="an input with rows",
                got="none",
                hint="Give an input a value with one axis or more, or train without batches.",
            )
        first, count = self.inputs[0], -1
        for v in self.inputs:
            shape = data[v].shape
            if not shape:
                raise ShapeError(
                    f"{v!r} is a scalar, so it has no rows to make batches of.",
                    node=ids.get(v),
                    port="batch",
                    expected="one axis or more",
                    got="none",
                    hint=f"Leave {v!r} out of the inputs of the batch.",
                )
            if v.type.shape[0] not in (None, self.size):
                raise ShapeError(
                    f"{v!r} is declared to have {v.type.shape[0]} rows, but a batch has "
                    f"{self.size}.",
                    node=ids.get(v),
                    port="batch",
                    expected=f"any number of rows, or {self.size}",
                    got=str(v.type.shape[0]),
                    hint=f"Leave the length of the first axis of {v!r} open.",
                )
            count = shape[0] if v is first else count
            if shape[0] != count:
                raise ShapeError(
                    f"{v!r} has {shape[0]} rows, but {first!r} has {count}.",
                    node=ids.get(v),
                    port="batch",
                    expected=f"{count} rows",
                    got=f"{shape[0]}",
                    hint="Name the inputs that batches are made of, or give them as many rows.",
                )
        if not 1 <= self.size <= count:
            raise ParameterError(
                f"A batch cannot have {self.size} rows, as there are {count}.",
                node=ids.get(first),
                port="batch",
                expected=f"1 to {count}" if count else "data with one row or more",
                got=str(self.size),
            )


@dataclass
class TrainingSpec:
    """A graph to be trained.

    inputs: the value of each input leaf: data, and scalars that may be set while it runs.
    state: the first value of each shared leaf.
    updates: by shared leaf, the expression of its next value; all take effect together.
    outputs: the expressions that can be watched, by the id of their canvas node.
    cost: the key of the output that is recorded at each step.
    steps: how many steps to take.  seed: what random numbers start from.
    batch: how few rows each step sees; None for all.
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
    batch: Minibatch | None = None
    strict: bool | None = None
    names: dict[str, Variable] = field(default_factory=dict)
    ids: dict[Variable, str] = field(default_factory=dict)
