"""The handlers of the requests about runs."""

from __future__ import annotations

from typing import Any

from app.services import Services
from app.wire import Client, handles


@handles
def run_start(
    services: Services,
    _client: Client,
    graph_id: str,
    steps: int | None,
    seed: int | None,
    device: str,
    set: dict[str, Any],
    steps_per_second: float | None,
    paused: bool = False,
) -> dict[str, Any]:
    run = services.runs.start(
        services.graphs.get(graph_id),
        steps=steps,
        seed=seed,
        device=device,
        overrides=set,
        steps_per_second=steps_per_second,
        paused=paused,
    )
    return {"run": run.info()}


@handles
def run_control(services: Services, _client: Client, run_id: str, action: str) -> dict[str, Any]:
    return {"state": services.runs.control(run_id, action)}


@handles
def run_speed(
    services: Services, _client: Client, run_id: str, steps_per_second: float | None
) -> dict[str, Any]:
    services.runs.command(run_id, {"do": "speed", "steps_per_second": steps_per_second})
    return {}


@handles
def run_set(
    services: Services, _client: Client, run_id: str, name: str, value: Any
) -> dict[str, Any]:
    services.runs.command(run_id, {"do": "set", "name": name, "value": value})
    return {}


@handles
def run_subscribe(
    services: Services, client: Client, run_id: str, after_step: int, epoch: int, width: int
) -> dict[str, Any]:
    run = services.runs.get(run_id)
    services.frames.subscribe(client.sid, run, after_step, epoch, width)
    return {"run": run.info()}


@handles
def run_unsubscribe(services: Services, client: Client, run_id: str) -> dict[str, Any]:
    services.frames.unsubscribe(client.sid, run_id)
    return {}


@handles
def run_list(services: Services, _client: Client, graph_id: str | None) -> dict[str, Any]:
    return {"runs": services.runs.list(graph_id)}
