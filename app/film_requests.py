"""The handlers of the requests about films."""

from __future__ import annotations

from typing import Any

from app.films import OpenFilm, Wish, names
from app.services import Services
from app.shapes import FRAME_NODES, PAGE_STEPS
from app.wire import Client, handles
from engine.rewrite import laws, page
from engine.rewrite.paging import film_at


@handles
def film_open(
    services: Services,
    _client: Client,
    graph_id: str,
    function: str | None,
    strict: bool | None,
    exclude: list[str],
    include: list[str],
    stop_after: str | None,
) -> dict[str, Any]:
    graph = services.graphs.get(graph_id)
    wish = Wish(function, strict, names(exclude), names(include), stop_after)
    found = services.films.open(graph, wish)
    with found.lock:
        film = found.film
        return {
            "film_id": found.film_id,
            "revision": found.revision,
            "function": found.function,
            "nodes_before": len(film.frame(0).nodes),
            "nodes_after": len(film.frame(len(film)).nodes),
            "cost_before": film.cost(0),
            "cost_after": film.cost(len(film)),
            "laws": laws(film),
            "page": shown(found, [], 0, PAGE_STEPS, frame=True),
        }


@handles
def film_page(
    services: Services,
    _client: Client,
    film_id: str,
    path: list[int],
    start: int,
    count: int,
    frame: bool,
) -> dict[str, Any]:
    found = services.films.get(film_id)
    with found.lock:
        return {"page": shown(found, path, start, count, frame=frame)}


def shown(found: OpenFilm, path: list[int], start: int, count: int, *, frame: bool) -> Any:
    """A page, with its frame if that is wanted and not too large to travel."""
    part = film_at(found.film, path)
    small = start <= len(part) and len(part.frame(start).nodes) <= FRAME_NODES
    return page(found.film, start, count, path=path, frame=frame and small)
