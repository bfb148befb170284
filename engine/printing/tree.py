"""Expressions as indented trees."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TextIO

import numpy as np

from engine.expression import Apply, Block, Variable, walk
from engine.graph import Graph
from engine.printing.formula import name_of, text_of_leaf

Line = tuple[Variable, int, str]

INDENTED = 200
"""Levels that are shown by indenting; deeper ones are told by their number, or the text of a long
chain would be as long as its length squared."""


def debugprint(
    *printed: Any,
    depth: int = -1,
    print_type: bool = True,
    file: TextIO | Literal["str"] | None = None,
    ids: Literal["CHAR", "int", ""] = "CHAR",
    stop_on_name: bool = False,
    print_storage: bool = False,
    print_clients: bool = False,
) -> str | None:
    """Print variables, nodes, graphs or functions as trees, one line for each op and leaf.

    A line has the op, an id in brackets, the type, and in quotes the name; of a function also, at
    the end, the number in the order of execution.  A part that was shown before is not repeated.
    The bodies of loops follow at the end.

    depth: how many levels are shown, -1 for all.  print_type: show the types.
    file: where to print, standard output by default; "str" gives the text instead.
    ids: letters, numbers or none.  stop_on_name: show nothing below a variable with a name.
    print_storage: show the values of shared variables.
    print_clients: show who else reads a part that is read more than once.
    """
    tree = _Tree(depth, print_type, ids, stop_on_name, print_storage, print_clients)
    for one in printed:
        tree.show(one)
    tree.show_blocks()
    text = "\n".join(tree.lines)
    if file == "str":
        return text
    print(text, file=sys.stdout if file is None else file)
    return None


class _Tree:
    def __init__(
        self,
        depth: int,
        print_type: bool,
        ids: str,
        stop_on_name: bool,
        print_storage: bool,
        print_clients: bool,
    ) -> None:
        self.depth = depth
        self.print_type = print_type
        self.ids = ids
        self.stop_on_name = stop_on_name
        self.print_storage = print_storage
        self.print_clients = print_clients
        self.lines: list[str] = []
        self.seen: dict[Any, str] = {}
        self.blocks: dict[Block, str] = {}
        self.order: Mapping[Apply, int] = {}
        self.readers: dict[Variable, list[str]] = {}

    def show(self, printed: Any) -> None:
        """Add the lines of a variable, a node, a list, a graph or a function."""
        graph = printed if isinstance(printed, Graph) else getattr(printed, "graph", None)
        if isinstance(printed, Variable):
            self._add([(printed, 0, "")])
        elif isinstance(printed, Apply):
            self._add([(printed.outputs[0], 0, "")])
        elif isinstance(graph, Graph):
            self.order = {node: i for i, node in enumerate(graph.toposort())}
            updated: Sequence[Variable] = getattr(printed, "updated", ())
            outputs = graph.outputs
            notes = [""] * (len(outputs) - len(updated))
            notes += [f"  → {v.name or v.type}" for v in updated]
            self._add([(v, 0, note) for v, note in zip(outputs, notes, strict=True)])
            self.order = {}
        else:
            for one in printed:
                self.show(one)

    def show_blocks(self) -> None:
        """Add the bodies of the loops that were met, and of those in them."""
        shown: set[Block] = set()
        while waiting := [b for b in self.blocks if b not in shown]:
            if not shown:
                self.lines += ["", "Inner graphs:"]
            for block in waiting:
                shown.add(block)
                inputs = ", ".join(f"{v.name or ''}<{v.type}>" for v in block.inputs)
                self.lines += ["", f"{self.blocks[block]} of {inputs}"]
                self._add([(v, 1, "") for v in block.outputs])

    def _add(self, outputs: Iterable[Line]) -> None:
        if self.print_clients:
            self._find_readers([v for v, _, _ in outputs])
        stack = list(outputs)[::-1]
        while stack:
            v, level, note = stack.pop()
            key = v.owner or v
            again = key in self.seen
            label = self.seen.setdefault(key, self._id(len(self.seen)))
            deeper = v.owner is not None and not again
            self.lines.append(_indent(level) + self._line(v, label, again) + note)
            for value in v.owner.params.values() if v.owner else ():
                if isinstance(value, Block):
                    self.blocks.setdefault(value, f"{name_of(v.owner) if v.owner else ''} {label}")
            below = self.depth < 0 or level + 1 < self.depth
            if deeper and below and not (self.stop_on_name and v.name):
                assert v.owner is not None
                stack.extend((i, level + 1, "") for i in reversed(v.owner.inputs))

    def _line(self, v: Variable, label: str, again: bool) -> str:
        what = name_of(v.owner) if v.owner else text_of_leaf(v)[0]
        if v.owner and len(v.owner.outputs) > 1:
            what += f".{v.index}"
        parts = [what.lstrip()]
        if label:
            parts.append(f"[{label}]")
        if self.print_type:
            parts.append(f"<{v.type}>")
        if v.owner and v.name:
            parts.append(repr(v.name))
        if v.owner is not None and v.owner in self.order:
            parts.append(f"  {self.order[v.owner]}")
        if self.print_storage and v.owner is None:
            parts += _stored(v)
        if self.print_clients and len(self.readers.get(v, ())) > 1:
            parts.append(f"read by {', '.join(self.readers[v])}")
        if again and v.owner:
            parts.append("...")
        return " ".join(parts)

    def _find_readers(self, outputs: Sequence[Variable]) -> None:
        for node in walk(outputs):
            for v in dict.fromkeys(node.inputs):
                self.readers.setdefault(v, []).append(node.op.name)

    def _id(self, n: int) -> str:
        match self.ids:
            case "CHAR":
                return _letters(n)
            case "int":
                return str(n)
            case _:
                return ""


def _indent(level: int) -> str:
    return " |" * level if level <= INDENTED else " |" * INDENTED + f"…{level}|"


def _stored(v: Variable) -> list[str]:
    if not hasattr(v, "get_value"):
        return []
    text = np.array2string(np.asarray(v.get_value(borrow=True)), threshold=8, separator=", ")
    return ["= " + " ".join(text.split())]


def _letters(n: int) -> str:
    text = ""
    while True:
        n, rest = divmod(n, 26)
        text = chr(ord("A") + rest) + text
        if n == 0:
            return text
        n -= 1
