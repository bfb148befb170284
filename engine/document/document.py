"""The graph document: an immutable, valid value, read strictly and changed by patches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from engine.document.format import DOCUMENT
from engine.document.forms import MisfitError
from engine.document.migrations import VERSION, migrate
from engine.document.reading import MAX_CHARACTERS, MAX_DEPTH, plain, read, too_large
from engine.document.writing import write
from engine.errors import DocumentError


class Edge(NamedTuple):
    """A wire: from an out port of one node to an in port of another."""

    source: str
    out: str
    target: str
    port: str


@dataclass(frozen=True, eq=False)
class Document:
    """A graph document that is known to be well formed.

    data: the document as plain JSON values, never to be changed; `edit` gives a changed copy.
    Make one with `parse` or `empty`.
    """

    data: Mapping[str, Any]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self.text() == other.text()

    def __hash__(self) -> int:
        return hash(self.text())

    @property
    def name(self) -> str:
        """The name as a slug, fit for a file."""
        return str(self.data["name"])

    @property
    def title(self) -> str:
        """The name as it is shown."""
        return str(self.data["title"])

    @property
    def summary(self) -> str:
        """A line on what the graph teaches."""
        return str(self.data["summary"])

    @property
    def nodes(self) -> Mapping[str, Mapping[str, Any]]:
        """The nodes by id."""
        nodes: Mapping[str, Mapping[str, Any]] = self.data["nodes"]
        return nodes

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """The wires, in the order of the document."""
        return tuple(Edge(*e["from"], *e["to"]) for e in self.data["edges"])

    def text(self) -> str:
        """The canonical text: sorted, indented, one line or group of lines for each node."""
        return self._text

    @cached_property
    def _text(self) -> str:
        return write(self.data)

    def edit(self, patches: Iterable[Mapping[str, Any]]) -> Document:
        """A copy with each patch applied in turn and the result checked as a whole.

        A patch is `{"path": [keys], "value": new}`, or without value to remove what is there.
        Raises DocumentError and leaves this document as it is.
        """
        data = dict(self.data)
        own: set[int] = {id(data)}
        for patch in patches:
            _apply(patch, data, own)
        return _checked(*plain(data))


def parse(source: str | bytes | Mapping[str, Any]) -> Document:
    """A document from JSON text or from plain values; raises DocumentError."""
    record, size = read(source) if isinstance(source, str | bytes) else plain(source)
    if not isinstance(record, dict) or record.get("format") != "wiregrad":
        raise DocumentError(
            "This is no Wiregrad graph.",
            expected='a JSON object with "format": "wiregrad"',
            hint="Choose a file that was saved by Wiregrad.",
        )
    return _checked(migrate(record), size)


def empty() -> Document:
    """A document without nodes."""
    return parse({"format": "wiregrad", "version": VERSION, "title": "Untitled"})


DEFAULTS: Mapping[str, Any] = {
    "name": "untitled",
    "title": "",
    "summary": "",
    "nodes": {},
    "edges": [],
    "blocks": {},
    "functions": {},
    "layout": {},
    "notes": {},
}


def _checked(record: dict[str, Any], size: int) -> Document:
    """The document, if the record is one; `size` is about how long its text is."""
    for key, value in DEFAULTS.items():
        record.setdefault(key, type(value)(value))
    try:
        DOCUMENT.check(record)
    except MisfitError as error:
        raise _located(error, record) from None
    _check_edges(record)
    _check_functions(record)
    document = Document(record)
    # Indentation makes a text longer: what is saved must be readable again.
    if size > MAX_CHARACTERS // 16 and len(document.text()) > MAX_CHARACTERS:
        raise too_large(f"{len(document.text()):,} characters in its canonical text")
    return document


def _located(error: MisfitError, record: Mapping[str, Any]) -> DocumentError:
    path = error.path[::-1]
    node = path[1] if path[:1] == ["nodes"] and len(path) > 1 else None
    if node is None:
        where, port = ".".join(path) or "The document", None
    else:
        rest = [key for key in path[2:] if key != "params"]
        where, port = " ".join([_called(node, record), *rest]), rest[0] if rest else None
    return DocumentError(
        f"{where[:200]}: {error.message}.",
        node=node,
        port=port,
        expected=error.expected,
        got=error.got,
    )


def _called(node: str, record: Mapping[str, Any]) -> str:
    found = record["nodes"].get(node)
    name = found.get("name") if isinstance(found, dict) else None
    return f"{name} ({node})" if isinstance(name, str) else node


def _check_edges(record: Mapping[str, Any]) -> None:
    nodes = record["nodes"]
    taken: set[tuple[str, str]] = set()
    for edge in record["edges"]:
        source, out = edge["from"]
        target, port = edge["to"]
        for node in (source, target):
            if node not in nodes:
                raise DocumentError(
                    f"A wire from {source}.{out} to {target}.{port} lacks the node {node!r}.",
                    node=node,
                    expected="two nodes of the graph",
                    got=node,
                    hint="Remove the wire or put the node back.",
                )
        if (target, port) in taken:
            raise DocumentError(
                f"{_called(target, record)} has two wires into {port!r}.",
                node=target,
                port=port,
                expected="one wire",
                got="two wires",
                hint="Remove one of them.",
            )
        taken.add((target, port))


ROLES: Mapping[str, tuple[str, ...]] = {
    "inputs": ("input",),
    "outputs": ("output",),
    "updates": ("update", "optimiser"),
}
"""For each list of a function the kinds of its members."""


def _check_functions(record: Mapping[str, Any]) -> None:
    for name, function in record["functions"].items():
        for role, members in function.items():
            for node in members:
                _check_member(f"The function {name}", role, node, record)
            if len(set(members)) != len(members):
                raise DocumentError(f"The function {name} has a node twice in its {role}.")
    training = record.get("training", {})
    if "cost" in training:
        _check_member("The training's cost", "outputs", training["cost"], record)
    batched = training.get("batch", {}).get("inputs", ())
    for node in batched:
        _check_member("The training's batch", "inputs", node, record)
    if len(set(batched)) != len(batched):
        raise DocumentError("The training's batch has a node twice in its inputs.")
    function = training.get("function")
    if function is not None and function not in (record["functions"] or {"main": {}}):
        raise DocumentError(
            f"The training's function {function!r} is not among the functions.",
            expected=" or ".join(record["functions"]) or "main",
            got=function,
        )


def _check_member(owner: str, role: str, node: str, record: Mapping[str, Any]) -> None:
    kinds = ROLES[role]
    found = record["nodes"].get(node)
    if found is None or found["kind"] not in kinds:
        got = "nothing" if found is None else f"a node of kind {found['kind']}"
        raise DocumentError(
            f"{owner} names {node!r} among its {role}, but there is {got} of that id.",
            node=node,
            expected=" or ".join(kinds),
            got=got,
        )


def _apply(patch: Any, data: dict[str, Any], own: set[int]) -> None:
    """Set or remove one value, copying on the way every object that is not this edit's `own`."""
    path = patch.get("path") if isinstance(patch, Mapping) else None
    if (
        not isinstance(path, list | tuple)
        or not 1 <= len(path) <= MAX_DEPTH
        or not all(isinstance(key, str) for key in path)
    ):
        raise DocumentError(
            "A patch needs a path into the graph.", expected="a list of keys", got=repr(path)[:80]
        )
    if path[0] == "nodes" and len(path) > 2 and path[1] not in data["nodes"]:
        raise DocumentError(
            f"There is no node {path[1]!r} to change.", node=path[1], hint="It may be removed."
        )
    parent: Any = data
    for key in path[:-1]:
        child = parent.get(key, {})
        if not isinstance(child, dict):
            raise DocumentError(
                f"{'.'.join(path)[:200]} cannot be changed: {key} has no parts with names.",
                hint="Replace it as a whole.",
            )
        if id(child) not in own:
            child = dict(child)
            own.add(id(child))
        parent[key] = child
        parent = child
    if "value" in patch:
        parent[path[-1]] = patch["value"]
    else:
        parent.pop(path[-1], None)
