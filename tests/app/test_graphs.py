"""Graphs over the wire: opened, edited, called, listed, deleted, and the same after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.protocol import REQUESTS
from engine import gallery
from tests.app.talk import Site, Tab


def test_graph_open_of_the_gallery(tab: Tab) -> None:
    for name in gallery.names():
        reply = tab.ask("graph_open", source={"gallery": name})
        REQUESTS["graph_open"].reply.check(reply, name)
        assert reply["revision"] == 0
        assert reply["document"]["name"] == name
        assert set(reply["report"]["nodes"]) == set(reply["document"]["nodes"])
        again = tab.ask("graph_open", source={"graph_id": reply["graph_id"]})
        assert again["document"] == reply["document"]


def test_graph_open_of_a_document_and_of_nothing(tab: Tab) -> None:
    document = tab.ask("graph_open", source={"gallery": "xnor"})["document"]
    reply = tab.ask("graph_open", source={"document": document})
    assert reply["document"] == document
    assert tab.ask("graph_open", source={"empty": True})["document"]["nodes"] == {}


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ({"gallery": "no-such-graph"}, "document"),
        ({"graph_id": "a" * 16}, "not-found"),
        ({"document": {"format": "other"}}, "document"),
        ({"document": "text"}, "document"),
        ({"document": None}, "document"),
        ({"document": {"format": "wiregrad", "version": 1, "nodes": {"../x": {}}}}, "document"),
    ],
    ids=repr,
)
def test_graph_open_of_what_is_none(tab: Tab, source: dict[str, Any], kind: str) -> None:
    assert tab.refused("graph_open", source=source)["kind"] == kind


def test_graph_edit_is_stored_and_numbered(tab: Tab, site: Site) -> None:
    graph_id = tab.open("multiply")
    patch = {"path": ["layout", "here"], "value": [1, 2]}
    for revision in range(3):
        reply = tab.ask("graph_edit", graph_id=graph_id, base_revision=revision, patches=[patch])
        assert reply["revision"] == revision + 1
    error = tab.refused("graph_edit", graph_id=graph_id, base_revision=1, patches=[patch])
    assert error["kind"] == "conflict"
    stored = site.request("GET", f"/api/graphs/{graph_id}.json")[1]
    assert stored["layout"]["here"] == [1, 2]


def test_graph_edit_changes_values_and_refuses_what_is_no_document(tab: Tab) -> None:
    opened = tab.ask("graph_open", source={"gallery": "multiply"})
    graph_id, nodes = opened["graph_id"], opened["document"]["nodes"]
    first = next(node for node, record in nodes.items() if record["kind"] == "input")
    result = next(node for node, record in nodes.items() if record["kind"] == "output")
    patch = {"path": ["nodes", first, "params", "value"], "value": 0.0}
    reply = tab.ask("graph_edit", graph_id=graph_id, base_revision=0, patches=[patch])
    assert reply["report"]["nodes"][result]["values"]["value"]["data"] == 0.0
    for bad in (
        {"path": ["nodes", first, "kind"], "value": "no-kind"},
        {"path": ["edges"], "value": [{"from": ["x", "y"], "to": ["z", "w"]}]},
        {"path": ["format"]},
        {"path": ["new-key"], "value": 1},
    ):
        patches = [{"path": ["title"], "value": "Changed"}, bad]
        error = tab.refused("graph_edit", graph_id=graph_id, base_revision=1, patches=patches)
        assert error["kind"] == "document"
    again = tab.ask("graph_open", source={"graph_id": graph_id})
    assert again["revision"] == 1
    assert again["document"]["title"] == opened["document"]["title"]


def test_graph_save_puts_a_graph_with_its_title_into_graph_list(tab: Tab) -> None:
    graph_id = tab.open("multiply")
    assert graph_id not in {graph["graph_id"] for graph in tab.ask("graph_list")["graphs"]}
    saved = tab.ask("graph_save", graph_id=graph_id, title="Mine")
    listed = tab.ask("graph_list")
    REQUESTS["graph_list"].reply.check(listed, "graph_list")
    (found,) = (graph for graph in listed["graphs"] if graph["graph_id"] == graph_id)
    assert (found["title"], found["revision"]) == ("Mine", saved["revision"])
    assert tab.refused("graph_save", graph_id=graph_id, title="  ")["kind"] == "request"


def test_graph_delete(tab: Tab) -> None:
    graph_id = tab.open("multiply")
    tab.ask("graph_save", graph_id=graph_id, title="Mine")
    tab.ask("graph_delete", graph_id=graph_id)
    assert tab.refused("graph_open", source={"graph_id": graph_id})["kind"] == "not-found"
    assert tab.refused("graph_delete", graph_id=graph_id)["kind"] == "not-found"
    assert graph_id not in {graph["graph_id"] for graph in tab.ask("graph_list")["graphs"]}


def test_graph_call_returns_old_values_and_graph_reset_starts_again(tab: Tab) -> None:
    opened = tab.ask("graph_open", source={"gallery": "accumulator"})
    graph_id = opened["graph_id"]
    replies = [tab.ask("graph_call", graph_id=graph_id, function=None) for _ in range(3)]
    REQUESTS["graph_call"].reply.check(replies[0], "graph_call")
    assert replies[0]["outputs"] != replies[1]["outputs"] != replies[2]["outputs"]
    reset = tab.ask("graph_reset", graph_id=graph_id)
    REQUESTS["graph_reset"].reply.check(reset, "graph_reset")
    again = tab.ask("graph_call", graph_id=graph_id, function=None)
    assert again["outputs"] == replies[0]["outputs"]
    assert tab.refused("graph_call", graph_id=graph_id, function="none")["kind"] == "program"


def test_wire_check_says_of_every_end_whether_it_fits(tab: Tab) -> None:
    opened = tab.ask("graph_open", source={"gallery": "xnor"})
    first = next(
        n for n, record in opened["document"]["nodes"].items() if record["kind"] == "input"
    )
    reply = tab.ask("wire_check", graph_id=opened["graph_id"], **{"from": [first, "out"]}, to=None)
    REQUESTS["wire_check"].reply.check(reply, "wire_check")
    assert reply["verdicts"]


def test_two_tabs_conflict_rather_than_overwrite(site: Site, tab: Tab) -> None:
    other = site.tab()
    graph_id = tab.open("multiply")
    other.ask("graph_open", source={"graph_id": graph_id})
    mine = {"path": ["layout", "a"], "value": [1, 1]}
    theirs = {"path": ["layout", "b"], "value": [2, 2]}
    tab.ask("graph_edit", graph_id=graph_id, base_revision=0, patches=[mine])
    refused = other.refused("graph_edit", graph_id=graph_id, base_revision=0, patches=[theirs])
    assert refused["kind"] == "conflict"
    newest = other.ask("graph_open", source={"graph_id": graph_id})["revision"]
    other.ask("graph_edit", graph_id=graph_id, base_revision=newest, patches=[theirs])
    layout = tab.ask("graph_open", source={"graph_id": graph_id})["document"]["layout"]
    assert layout["a"] == [1, 1]
    assert layout["b"] == [2, 2]
    other.close()


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Site(tmp_path, spare=False)
    tab = first.tab()
    graph_id = tab.open("accumulator")
    before = tab.ask("graph_call", graph_id=graph_id, function=None)
    tab.ask("graph_save", graph_id=graph_id, title="Kept")
    first.close()
    second = Site(tmp_path, spare=False)
    tab = second.tab()
    (found,) = tab.ask("graph_list")["graphs"]
    assert (found["graph_id"], found["title"]) == (graph_id, "Kept")
    reply = tab.ask("graph_open", source={"graph_id": graph_id})
    assert strip(reply["report"]) == strip(before["report"])
    second.close()


def strip(report: dict[str, Any]) -> dict[str, Any]:
    """A report without the time that it took."""
    return {**report, "milliseconds": 0}


def test_routes_answer_with_what_they_promise(site: Site) -> None:
    names = [entry["name"] for entry in site.request("GET", "/api/gallery")[1]]
    assert names == gallery.names()
    code, document, response = site.request("GET", "/api/gallery/xnor.json")
    assert (code, document["name"]) == (200, "xnor")
    assert "attachment" in response.headers["Content-Disposition"]
    assert site.request("GET", "/api/palette")[1]["cards"]
    assert site.request("GET", "/api/schema")[1]["$schema"]
    assert site.request("GET", "/api/version")[1]["version"]
    for missing in ("/api/gallery/none.json", "/api/graphs/x.json", "/assets/none", "/none"):
        code, body, _ = site.request("GET", missing)
        assert (code, body["ok"]) == (404, False)
    assert site.request("GET", "/assets/..%2f..%2fapp%2fcli.py")[0] == 404


def test_a_page_that_is_not_built_says_what_to_do(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.front_end.INSTALLED", tmp_path)
    monkeypatch.setattr("app.front_end.CHECKOUT", tmp_path)
    code, page, _ = site.request("GET", "/")
    assert code == 503
    assert b"pip install" in page
    (tmp_path / "index.html").write_text('<script src="/assets/gone.js"></script>')
    code, page, _ = site.request("GET", "/")
    assert code == 503
    assert b"assets/gone.js" in page
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/gone.js").write_text("")
    assert site.request("GET", "/")[0] == 200
    assert site.request("GET", "/assets/gone.js", Authorization="")[0] == 200
