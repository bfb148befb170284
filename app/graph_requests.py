"""The handlers of the requests about graphs."""

from __future__ import annotations

from typing import Any

from app.services import Services
from app.wire import Client, handles
from engine import document, gallery


@handles
def graph_open(services: Services, _client: Client, source: dict[str, Any]) -> dict[str, Any]:
    match source:
        case {"graph_id": graph_id}:
            graph = services.graphs.get(graph_id)
        case {"gallery": name}:
            graph = services.graphs.create(gallery.load(name))
        case {"document": content}:
            graph = services.graphs.create(document.parse(content))
        case _:
            graph = services.graphs.create(document.empty())
    with graph.lock:
        reply: dict[str, Any] = {
            "graph_id": graph.graph_id,
            "revision": graph.revision,
            "document": graph.document.data,
            "report": graph.report(),
        }
    if reply["report"]["trainable"]:
        services.runs.prepare(graph)
    return reply


@handles
def graph_edit(
    services: Services,
    _client: Client,
    graph_id: str,
    base_revision: int,
    patches: list[dict[str, Any]],
) -> dict[str, Any]:
    graph = services.graphs.get(graph_id)
    with graph.lock:
        graph.edit(base_revision, patches)
        reply: dict[str, Any] = {"revision": graph.revision, "report": graph.report()}
    if reply["report"]["trainable"]:
        services.runs.prepare(graph)
    return reply


@handles
def graph_list(services: Services, _client: Client) -> dict[str, Any]:
    return {"graphs": services.graphs.list()}


@handles
def graph_save(services: Services, _client: Client, graph_id: str, title: str) -> dict[str, Any]:
    graph = services.graphs.get(graph_id)
    with graph.lock:
        saved_at = graph.edit(graph.revision, [{"path": ["title"], "value": title}])
        return {"revision": graph.revision, "saved_at": saved_at}


@handles
def graph_delete(services: Services, _client: Client, graph_id: str) -> dict[str, Any]:
    services.runs.stop_all(graph_id)
    services.graphs.delete(graph_id)
    services.films.forget(graph_id)
    return {}


@handles
def graph_call(
    services: Services, _client: Client, graph_id: str, function: str | None
) -> dict[str, Any]:
    graph = services.graphs.get(graph_id)
    with graph.lock:
        outputs = graph.call(function)
        return {"outputs": outputs, "report": graph.report()}


@handles
def graph_reset(services: Services, _client: Client, graph_id: str) -> dict[str, Any]:
    graph = services.graphs.get(graph_id)
    with graph.lock:
        graph.reset()
        return {"report": graph.report()}


@handles
def wire_check(
    services: Services,
    _client: Client,
    graph_id: str,
    from_: list[str] | None,
    to: list[str] | None,
) -> dict[str, Any]:
    graph = services.graphs.get(graph_id)
    with graph.lock:
        verdicts = graph.program.wire_check(source=from_, target=to)
        return {"verdicts": verdicts, "fits": graph.program.card_check(source=from_, target=to)}
