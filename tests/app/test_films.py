"""Films over the wire: opened, paged, kept as long as they are right, and never in the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app import films
from app.films import Films, Wish
from app.protocol import REQUESTS
from engine import gallery
from engine.program import Program
from engine.rewrite import Film, optimize, pages
from tests.app.talk import Site, Tab

PLAIN: dict[str, Any] = {
    "function": None,
    "strict": None,
    "exclude": [],
    "include": [],
    "stop_after": None,
}


def open_film(tab: Tab, graph_id: str, **wish: Any) -> dict[str, Any]:
    reply = tab.ask("film_open", graph_id=graph_id, **{**PLAIN, **wish})
    return REQUESTS["film_open"].reply.check(reply, "film_open")


def turn(tab: Tab, film_id: str, start: int, count: int = 50, **more: Any) -> dict[str, Any]:
    wish = {"path": [], "frame": False, **more}
    reply = tab.ask("film_page", film_id=film_id, start=start, count=count, **wish)
    return REQUESTS["film_page"].reply.check(reply, "film_page")["page"]


def timeless(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**step, "seconds": 0} for step in told]


@pytest.mark.parametrize("name", gallery.names())
def test_film_open_tells_how_a_graph_is_rewritten(tab: Tab, name: str) -> None:
    reply = open_film(tab, tab.open(name))
    film = optimize(Program(gallery.load(name)).graph())
    (whole, *_) = pages(film)
    assert timeless(reply["page"]["steps"]) == timeless(whole["steps"])
    assert reply["page"]["frame"] == whole["frame"]
    assert reply["page"]["leaves"] == whole["leaves"]
    assert reply["nodes_before"] == len(whole["frame"]["nodes"])
    assert reply["nodes_after"] == len(film.frame(len(film)).nodes)
    assert reply["cost_after"] - reply["cost_before"] == sum(law["cost"] for law in reply["laws"])
    assert sum(law["steps"] for law in reply["laws"]) == film.total
    assert reply["revision"] == 0


def test_film_page_gives_all_steps_bit_by_bit(tab: Tab) -> None:
    opened = open_film(tab, tab.open("xnor"))
    steps: list[Any] = []
    start: int | None = 0
    while start is not None:
        told = turn(tab, opened["film_id"], start, 7, frame=True)
        assert len(told["steps"]) <= 7
        assert told["frame"]["nodes"]
        steps += told["steps"]
        start = told["next"]
    assert steps == opened["page"]["steps"]
    assert turn(tab, opened["film_id"], len(steps))["steps"] == []


def test_a_film_is_of_the_laws_that_are_wanted(tab: Tab) -> None:
    graph_id = tab.open("xnor")
    loose = open_film(tab, graph_id)
    strict = open_film(tab, graph_id, strict=True)
    assert any("erases_nan" in law["tags"] for law in loose["laws"])
    assert not any({"erases_nan", "hides_error"} & set(law["tags"]) for law in strict["laws"])
    patch = {"path": ["training", "strict"], "value": True}
    tab.ask("graph_edit", graph_id=graph_id, base_revision=0, patches=[patch])
    assert timeless(open_film(tab, graph_id)["laws"]) == timeless(strict["laws"])
    early = open_film(tab, graph_id, stop_after="canonicalize")
    assert {law["phase"] for law in early["laws"]} == {"merge", "canonicalize"}
    some = open_film(tab, graph_id, exclude=["stabilize"], include=["log_of_sigmoid"])
    assert [law["rule"] for law in some["laws"] if law["phase"] == "stabilize"] == [
        "log_of_sigmoid"
    ]
    assert open_film(tab, graph_id, function="predict")["page"]["length"] == 0


def test_a_film_is_kept_until_the_graph_means_something_else(tab: Tab) -> None:
    graph_id = tab.open("cube-gradient")
    first = open_film(tab, graph_id)
    assert open_film(tab, graph_id)["film_id"] == first["film_id"]
    layout = {"path": ["layout", "here"], "value": [1, 2]}
    tab.ask("graph_edit", graph_id=graph_id, base_revision=0, patches=[layout])
    moved = open_film(tab, graph_id)
    assert (moved["film_id"], moved["revision"]) == (first["film_id"], 1)
    nodes = tab.ask("graph_open", source={"graph_id": graph_id})["document"]["nodes"]
    constant = next(node for node, record in nodes.items() if record["kind"] == "constant")
    patch = {"path": ["nodes", constant, "params", "value"], "value": 5}
    tab.ask("graph_edit", graph_id=graph_id, base_revision=1, patches=[patch])
    changed = open_film(tab, graph_id)
    assert (changed["film_id"] != first["film_id"], changed["revision"]) == (True, 2)
    assert tab.refused("film_page", film_id=first["film_id"], path=[], start=0, count=1,
                       frame=False)["kind"] == "not-found"  # fmt: skip
    tab.ask("graph_delete", graph_id=graph_id)
    gone = {"film_id": changed["film_id"], "path": [], "start": 0, "count": 1, "frame": False}
    assert tab.refused("film_page", **gone)["kind"] == "not-found"


@pytest.mark.parametrize(
    ("wish", "kind", "said"),
    [
        ({"exclude": ["stabilise"]}, "parameter", "Did you mean stabilize?"),
        ({"include": ["no_such_law"]}, "parameter", "no_such_law"),
        ({"stop_after": "later"}, "parameter", "merge, canonicalize"),
        ({"function": "none"}, "program", "predict and train"),
        ({"strict": 1}, "request", "strict"),
        ({"exclude": ["x"] * 201}, "request", "exclude"),
    ],
)
def test_film_open_of_what_is_none(tab: Tab, wish: dict[str, Any], kind: str, said: str) -> None:
    error = tab.refused("film_open", graph_id=tab.open("xnor"), **{**PLAIN, **wish})
    assert error["kind"] == kind
    assert said in f"{error['message']} {error['hint']}"


def test_film_open_of_a_graph_that_computes_nothing(tab: Tab) -> None:
    graph_id = tab.ask("graph_open", source={"empty": True})["graph_id"]
    assert tab.refused("film_open", graph_id=graph_id, **PLAIN)["kind"] == "program"


def test_film_page_of_what_is_none(tab: Tab) -> None:
    film_id = open_film(tab, tab.open("xnor"))["film_id"]
    plain = {"film_id": film_id, "path": [], "start": 0, "count": 1, "frame": True}
    for wrong, kind in (
        ({"film_id": "a" * 16}, "not-found"),
        ({"start": 10**6}, "parameter"),
        ({"path": [0]}, "parameter"),
        ({"count": 201}, "request"),
        ({"path": [0] * 9}, "request"),
    ):
        assert tab.refused("film_page", **{**plain, **wrong})["kind"] == kind


def test_a_frame_that_is_too_large_stays_away(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.film_requests.FRAME_NODES", 10)
    reply = open_film(tab, tab.open("xnor"))
    assert reply["page"]["frame"] is None
    assert reply["page"]["steps"]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Rewriting that has begun, and that goes on when it is told to."""
    begun, go_on = threading.Event(), threading.Event()

    def rewrite(*arguments: Any, **options: Any) -> Film:
        begun.set()
        assert go_on.wait(60)
        return optimize(*arguments, **options)

    monkeypatch.setattr(films, "optimize", rewrite)
    yield begun, go_on
    go_on.set()


def test_a_film_in_the_making_stops_nobody(
    site: Site, tab: Tab, slow: tuple[threading.Event, threading.Event]
) -> None:
    begun, go_on = slow
    graph_id = tab.open("xnor")
    other = site.tab()
    found: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: found.append(open_film(tab, graph_id)))
    asking.start()
    assert begun.wait(60)
    layout = {"path": ["layout", "here"], "value": [1, 2]}
    other.ask("graph_edit", graph_id=graph_id, base_revision=0, patches=[layout])
    other.ask("graph_call", graph_id=graph_id, function="predict")
    assert not found
    go_on.set()
    asking.join(60)
    assert found[0]["revision"] == 0
    other.close()


def test_too_many_films_at_once_are_refused(
    site: Site,
    tab: Tab,
    slow: tuple[threading.Event, threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = slow
    monkeypatch.setattr(site.app.services.films, "_turns", threading.BoundedSemaphore(1))
    monkeypatch.setattr(films, "PATIENCE", 0.0)
    graph_id = tab.open("xnor")
    asking = threading.Thread(target=open_film, args=(tab, graph_id))
    asking.start()
    assert begun.wait(60)
    other = site.tab()
    error = other.refused("film_open", graph_id=graph_id, **PLAIN)
    assert (error["kind"], error["hint"]) == ("busy", "Try again in a few seconds.")
    go_on.set()
    asking.join(60)
    other.close()


def test_a_film_that_takes_too_long_is_cut_short(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "SECONDS", -1.0)
    (warning, *_) = open_film(tab, tab.open("xnor"))["page"]["warnings"]
    assert "cut short" in warning


def test_only_the_last_films_are_kept(
    site: Site, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = site.app.services.graphs.get(tab.open("xnor"))
    kept = Films()
    made = [kept.open(graph, Wish(exclude=(name,))) for name in ("merge", "stabilize", "merge")]
    assert made[0].film_id == made[2].film_id != made[1].film_id
    monkeypatch.setattr(films, "MAX_NODES", made[0].nodes)
    kept.open(graph, Wish())
    for film in made:
        with pytest.raises(LookupError, match="not open any more"):
            kept.get(film.film_id)
