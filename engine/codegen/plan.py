"""What a graph computes as primitives in order: outputs, the recorded value, then the updates."""

from __future__ import annotations

from collections.abc import Mapping

from engine.codegen.accumulate import accumulated
from engine.codegen.layout import Buffer, Storage, View
from engine.codegen.lowering.lower import Lowering
from engine.codegen.primitives import IDENTITY
from engine.errors import ShapeError, TypeMismatchError
from engine.expression import Variable
from engine.graph import Graph
from engine.types import TensorType


class Plan:
    """The primitives of one pass.

    leaves: where each leaf lies.  outputs: where each output of the graph lies after a pass; the
    value of an update lies where its leaf does.  record: the float64 to be recorded, if any.
    """

    def __init__(
        self,
        graph: Graph,
        types: Mapping[Variable, TensorType],
        updates: Mapping[Variable, int],
        record: int | None,
    ) -> None:
        self._lowering = low = Lowering(graph, types, [*graph.inputs, *updates])
        values = [low.views[v] for v in graph.outputs]
        born = graph.origins
        for leaf, i in updates.items():
            _check_update(leaf, low.views[leaf], values[i])
        self._changing = {low.views[leaf].buffer.storage for leaf in updates}
        news = {i: low.views[leaf] for leaf, i in updates.items()}
        self.record = None if record is None else self._recorded(values[record], born[record])
        self.outputs = [
            news[i] if i in news else self._kept(v, born[i]) for i, v in enumerate(values)
        ]
        # All reads of old values come first, so that updates are simultaneous.
        fresh = {leaf: self._unchanging(values[i], born[i]) for leaf, i in updates.items()}
        for leaf, view in fresh.items():
            low.copy(None, view, low.views[leaf], born[updates[leaf]])
        self.leaves = {v: low.views[v] for v in low.leaves}
        self.tasks = accumulated(low.tasks)

    def storages(self) -> list[Storage]:
        """The memory that is read or written from outside."""
        views = [*self.leaves.values(), *self.outputs]
        return [*(v.buffer.storage for v in views), *([self.record] if self.record else [])]

    def _recorded(self, view: View, born: frozenset[str]) -> Storage:
        cell = View.whole(Buffer.new("float64", (), kept=True), ())
        self._lowering.write(None, IDENTITY, {"x": view}, view.dtype, cell, origins=born)
        return cell.buffer.storage

    def _kept(self, view: View, born: frozenset[str]) -> View:
        view = self._unchanging(view, born)
        view.buffer.storage.kept = True
        return view

    def _unchanging(self, view: View, born: frozenset[str]) -> View:
        """The view, or a copy if an update changes what it shows."""
        if view.buffer.storage not in self._changing:
            return view
        fresh = View.whole(Buffer.new(view.dtype, view.extents), view.extents)
        self._lowering.copy(None, view, fresh, born)
        return fresh


def _check_update(leaf: Variable, old: View, new: View) -> None:
    if old.shape != new.shape:
        raise ShapeError(
            f"The update of {leaf!r} has the shape {new.shape} in place of {old.shape}.",
            node=leaf.name,
            expected=str(old.shape),
            got=str(new.shape),
            hint="An update keeps the shape.",
        )
    if old.dtype != new.dtype:
        raise TypeMismatchError(
            f"The update of {leaf!r} is {new.dtype} in place of {old.dtype}.",
            node=leaf.name,
            expected=old.dtype,
            got=new.dtype,
            hint="Cast it to the dtype of the variable.",
        )
