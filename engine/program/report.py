"""What the canvas shows of every node: its types, values, error and warnings."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.errors import EngineError, ShapeError
from engine.expression import Apply, Variable
from engine.program.evaluation import Values
from engine.program.expressions import Expressions
from engine.program.values import shown
from engine.types import shape_text


def report(built: Expressions, values: Values) -> dict[str, Any]:
    """The record of every node, by id, as plain JSON values."""
    return _Reporter(built, values).nodes()


class _Reporter:
    def __init__(self, built: Expressions, values: Values) -> None:
        self.built = built
        self.values = values
        self.ports: dict[str, dict[str, Variable]] = {}
        for (node, port), variable in built.variables.items():
            self.ports.setdefault(node, {})[port] = variable
        self.failed: dict[str, EngineError] = {}
        for apply, error in values.failures.items():
            for node in apply.origins:
                self.failed.setdefault(node, self._of_node(error, apply, node))
        self.shown: dict[Variable, dict[str, Any]] = {}

    def nodes(self) -> dict[str, Any]:
        return {node: self.node(node) for node in self.built.document.nodes}

    def node(self, node: str) -> dict[str, Any]:
        error = self.built.errors.get(node) or self.failed.get(node) or self._misshapen(node)
        ports = self.ports.get(node, {})
        arrays = self.values.arrays
        return {
            "types": {port: self._type(node, port, v) for port, v in ports.items()},
            "values": {port: self._shown(v) for port, v in ports.items() if v in arrays},
            "error": _told(error) if error else None,
            "warnings": [] if error else self._warnings(node, ports),
        }

    def _of_node(self, error: EngineError, apply: Apply, node: str) -> EngineError:
        """A run-time error of an apply, as the error of a node that made it."""
        own = copy.copy(error)
        own.node = node
        if self.built.document.nodes[node].get("op") != apply.op.name:
            own.port = None
        own.port = own.port or self._port_at_fault(apply, node)
        return own

    def _port_at_fault(self, apply: Apply, node: str) -> str | None:
        """The port of the node that the apply reads from, if it is only one."""
        wires = self.built.wires.get(node, {}).items()
        ports = [port for port, end in wires if self.built.variables.get(end) in apply.inputs]
        return ports[0] if len(ports) == 1 else None

    def _misshapen(self, node: str) -> EngineError | None:
        """The error of an update whose value turns out to have another shape than its target."""
        for target, value in self.built.updates.get(node, {}).items():
            old, new = self.values.arrays.get(target), self.values.arrays.get(value)
            if old is not None and new is not None and old.shape != new.shape:
                return ShapeError(
                    f"{target!r} has the shape {shape_text(old.shape)}, its next value "
                    f"{shape_text(new.shape)}.",
                    node=node, port="value", expected=shape_text(old.shape),
                    got=shape_text(new.shape), hint="An update keeps the shape.",
                )  # fmt: skip
        return None

    def _type(self, node: str, port: str, variable: Variable) -> dict[str, Any]:
        type = variable.type
        return {
            "dtype": type.dtype,
            "shape": list(type.shape),
            "text": str(type),
            "upcast": (node, port) in self.built.widened,
        }

    def _inputs(self, node: str) -> list[Variable]:
        ends = self.built.wires.get(node, {}).values()
        return [self.built.variables[end] for end in ends if end in self.built.variables]

    def _shown(self, variable: Variable) -> dict[str, Any]:
        found = self.shown.get(variable)
        if found is None:
            found = self.shown[variable] = shown(np.asarray(self.values.arrays[variable]))
        return found

    def _warnings(self, node: str, ports: Mapping[str, Variable]) -> list[str]:
        built = self.built
        warnings = list(built.warnings.get(node, ()))
        if node in built.waiting:
            warnings.append(f"Waits for {built.label(built.root(node))}, which has an error.")
        missing = [v for v in ports.values() if v not in self.values.arrays]
        causes = {self.values.causes[v.owner] for v in missing if v.owner in self.values.causes}
        for other in sorted({n for cause in causes for n in cause.origins}):
            warnings.append(f"Waits for {built.label(other)}, which has an error.")
        if missing and not causes and self.values.late:
            warnings.append("Not computed: the values take too long. Call or train to see them.")
        if self._breaks(ports, self._inputs(node)):
            warnings.append("NaN or infinity appears here first.")
        return warnings

    def _breaks(self, ports: Mapping[str, Variable], inputs: list[Variable]) -> bool:
        arrays = self.values.arrays
        infinite = any(v in arrays and not self._shown(v)["finite"] for v in ports.values())
        return infinite and all(v not in arrays or self._shown(v)["finite"] for v in inputs)


def _told(error: EngineError) -> dict[str, Any]:
    """The error as its node shows it: what is called there can be seen, or is a detail."""
    told = error.to_json()
    called = f"In {error.call}." if error.call else None
    return {**told, "message": error.sentence, "details": told["details"] or called}
