"""Documents made to hurt: opened or refused with a reason, and the server goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.talk import Tab

BASE: dict[str, Any] = {"format": "wiregrad", "version": 1, "name": "bad", "title": "Bad"}
PAYLOAD = "</script><img src=x onerror=alert(1)>"


def shared(shape: list[int]) -> dict[str, Any]:
    params = {"dtype": "float64", "initialiser": "zeros", "shape": shape, "scale": 1.0, "seed": 0}
    return {"kind": "shared", "name": "w", "params": params}


def chain(length: int, op: str, ports: tuple[str, ...]) -> dict[str, Any]:
    """A document of one op applied again and again, to itself if it has several ports."""
    nodes: dict[str, Any] = {
        "n0": {"kind": "constant", "params": {"dtype": "float64", "value": 1.0}}
    }
    edges = []
    for i in range(1, length):
        nodes[f"n{i}"] = {"kind": "op", "op": op}
        edges += [{"from": [f"n{i - 1}", "out"], "to": [f"n{i}", port]} for port in ports]
    nodes["result"] = {"kind": "output", "name": "result"}
    edges.append({"from": [f"n{length - 1}", "out"], "to": ["result", "value"]})
    return {**BASE, "nodes": nodes, "edges": edges}


def nested(depth: int) -> Any:
    value: Any = 1.0
    for _ in range(depth):
        value = [value]
    return value


REFUSED = {
    "too deep": {**BASE, "x-deep": nested(100)},
    "too many nodes": {
        **BASE,
        "nodes": {f"n{i}": {"kind": "output", "name": f"n{i}"} for i in range(10_001)},
    },
    "strange id": {**BASE, "nodes": {"a b": {"kind": "output", "name": "a"}}},
    "key of the browser's": {**BASE, "nodes": {"constructor": {"kind": "output", "name": "a"}}},
    "strange key": {**BASE, "lambda": "__import__('os')"},
    "newer version": {**BASE, "version": 99},
    "not a number": {**BASE, "view": {"x": "1", "y": 0, "zoom": 1}},
    "control characters": {**BASE, "title": "a\r\nb"},
}
OPENED = {
    "terabytes": {**BASE, "nodes": {"w": shared([1_000_000, 1_000_000])}},
    "more than int64": {**BASE, "nodes": {"w": shared([2**31, 2**31, 2**31])}},
    "no such op": {**BASE, "nodes": {"a": {"kind": "op", "op": "os.system"}}},
    "a name that is code": {
        **BASE,
        "nodes": {"w": {**shared([2]), "name": "__import__('os').system('id')"}},
    },
    "markup": {**BASE, "title": PAYLOAD, "notes": {"n": {"text": PAYLOAD, "at": [0, 0]}}},
    "a loop": {
        **BASE,
        "nodes": {"a": {"kind": "op", "op": "exp"}, "b": {"kind": "op", "op": "exp"}},
        "edges": [
            {"from": ["a", "out"], "to": ["b", "x"]},
            {"from": ["b", "out"], "to": ["a", "x"]},
        ],
    },
    "a long chain": chain(9_000, "exp", ("x",)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_document_is_refused(tab: Tab, name: str) -> None:
    error = tab.refused("graph_open", source={"document": REFUSED[name]})
    assert error["kind"] in ("document", "request")
    assert error["message"]
    tab.ask("graph_list")


@pytest.mark.parametrize("name", OPENED)
def test_what_cannot_be_computed_is_opened_and_told(tab: Tab, name: str) -> None:
    reply = tab.ask("graph_open", source={"document": OPENED[name]})
    assert not reply["report"]["trainable"]
    graph_id = reply["graph_id"]
    wish = {"steps": None, "seed": None, "device": "cpu", "set": {}, "steps_per_second": None}
    assert tab.refused("run_start", graph_id=graph_id, **wish)["message"]
    tab.ask("graph_list")


def test_doubling_is_bounded(tab: Tab) -> None:
    node = {"kind": "constant", "params": {"dtype": "float64", "value": [1.0] * 64}}
    document = chain(60, "outer", ("x", "y"))
    document["nodes"]["n0"] = node
    reply = tab.ask("graph_open", source={"document": document})
    errors = [node["error"] for node in reply["report"]["nodes"].values() if node["error"]]
    assert errors
    assert all(error["message"] for error in errors)
