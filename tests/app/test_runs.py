"""Runs over the wire: trained to the end, steered on the way, killed, lost, and complete."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.collector import Collector
from app.errors import StorageError
from app.protocol import PUSHES, REQUESTS
from app.storage import StoredRuns
from tests.app.talk import Site, Tab

MANY = 10**9
OVER = ("done", "stopped", "failed", "lost")


def collector(site: Site, run_id: str) -> Collector:
    """What drives a run that is going."""
    return site.app.services.runs._active[run_id]


def assert_complete(points: np.ndarray, last: int) -> None:
    """Every step from the first to the last is there once, in order."""
    np.testing.assert_array_equal(points[:, 0], np.arange(1, last + 1))


def test_run_start_trains_the_gallery_to_the_end(tab: Tab) -> None:
    graph_id = tab.open("xnor")
    before = tab.ask("graph_open", source={"graph_id": graph_id})["report"]
    run_id = tab.train(graph_id)
    last = tab.wait_state(run_id, *OVER)
    assert last["state"] == "done", last
    for frame in tab.frames:
        PUSHES["run_frame"].push.check(frame, "run_frame")
    points = tab.points(run_id)
    assert_complete(points, 30_000)
    assert points[-1, 1] < 0.1 < 2 < points[0, 1]
    assert last["step"] == last["steps"] == 30_000
    (run,) = tab.ask("run_list", graph_id=graph_id)["runs"]
    assert (run["state"], run["cost"]) == ("done", points[-1, 1])
    after = tab.ask("graph_open", source={"graph_id": graph_id})["report"]
    assert after["nodes"] != before["nodes"], "the canvas shows the trained weights"


def test_the_same_seed_gives_the_same_costs(tab: Tab) -> None:
    graph_id = tab.open("xnor")
    runs = [tab.train(graph_id, steps=500, seed=7) for _ in range(2)]
    for run_id in runs:
        tab.wait_state(run_id, "done")
    first, second = (tab.points(run_id) for run_id in runs)
    np.testing.assert_array_equal(first, second)


def test_run_control_pauses_steps_resumes_and_stops(tab: Tab) -> None:
    run_id = tab.train(tab.open("xnor"), steps=MANY, paused=True)
    assert tab.wait_state(run_id, "paused")["step"] == 0
    for step in (1, 2, 3):
        assert tab.ask("run_control", run_id=run_id, action="step")["state"] == "paused"
        tab.wait(lambda f, step=step: f["step"] == step and f["state"] == "paused")
    assert_complete(tab.points(run_id), 3)
    assert tab.ask("run_control", run_id=run_id, action="resume")["state"] == "running"
    tab.wait(lambda f: f["step"] > 1000)
    assert tab.ask("run_control", run_id=run_id, action="pause")["state"] == "paused"
    paused_at = tab.follow(run_id, after_step=0, epoch=1)["step"]
    assert tab.ask("run_control", run_id=run_id, action="stop")["state"] == "stopped"
    last = tab.wait_state(run_id, "stopped")
    assert last["step"] >= paused_at
    assert tab.refused("run_control", run_id=run_id, action="resume")["kind"] == "state"
    assert tab.ask("run_control", run_id=run_id, action="stop")["state"] == "stopped"


def test_run_speed_goes_from_a_few_steps_a_second_to_all_there_are(tab: Tab) -> None:
    run_id = tab.train(tab.open("xnor"), steps=MANY, steps_per_second=40)
    slow = tab.wait(lambda f: f["step"] >= 10)
    assert slow["step"] < 200, "steps come one by one"
    tab.ask("run_speed", run_id=run_id, steps_per_second=None)
    tab.wait(lambda f: f["step"] > 1000)
    tab.ask("run_control", run_id=run_id, action="stop")
    tab.wait_state(run_id, "stopped")


def test_run_set_takes_effect_between_two_steps_and_is_recorded(tab: Tab) -> None:
    run_id = tab.train(tab.open("xnor"), steps=MANY, steps_per_second=100)
    tab.wait(lambda f: f["step"] > 3)
    tab.ask("run_set", run_id=run_id, name="learning_rate", value=0.5)
    error = tab.refused("run_set", run_id=run_id, name="no_such_input", value=1)
    assert "no_such_input" in error["message"]
    tab.ask("run_control", run_id=run_id, action="stop")
    run = tab.ask("run_list", graph_id=None)["runs"][0]
    REQUESTS["run_list"].reply.check({"runs": [run]}, "run_list")
    (event,) = run["events"]
    assert (event["name"], event["value"]) == ("learning_rate", 0.5)
    assert 3 < event["step"] <= run["step"]


def test_run_subscribe_gives_one_who_was_away_exactly_the_rest(site: Site, tab: Tab) -> None:
    run_id = tab.train(tab.open("xnor"), steps=5000, steps_per_second=4000)
    tab.wait(lambda f: f["step"] > 500)
    tab.ask("run_unsubscribe", run_id=run_id)
    seen = tab.points(run_id)
    tab.close()
    back = site.tab()
    back.follow(run_id, after_step=int(seen[-1, 0]), epoch=1)
    back.wait_state(run_id, "done")
    assert_complete(np.concatenate([seen, back.points(run_id)]), 5000)
    late = site.tab()
    late.follow(run_id, after_step=4000, epoch=99)
    late.wait_state(run_id, "done")
    assert_complete(late.points(run_id), 5000)


def test_frames_are_merged_to_the_width(tab: Tab) -> None:
    run_id = tab.train(tab.open("xnor"), steps=5000)
    tab.wait_state(run_id, "done")
    everything = dict(tab.points(run_id).tolist())
    tab.frames.clear()
    tab.ask("run_subscribe", run_id=run_id, after_step=-1, epoch=0, width=50)
    tab.wait_state(run_id, "done")
    few = tab.points(run_id).tolist()
    assert len(few) <= 100
    assert few[-1][0] == 5000
    assert all(everything[step] == value for step, value in few)


def test_a_client_that_does_not_acknowledge_gets_no_more_frames(site: Site, tab: Tab) -> None:
    deaf, gate = site.tab(), threading.Event()

    def never_ending(frame: dict[str, Any]) -> None:
        deaf.on_frame(frame)
        gate.wait()

    deaf.socket.on("run_frame", never_ending)
    run_id = tab.train(tab.open("xnor"), steps=20_000, steps_per_second=20_000)
    deaf.follow(run_id)
    tab.wait_state(run_id, "done")
    assert len(deaf.frames) == 1
    gate.set()
    deaf.wait_state(run_id, "done")
    assert_complete(deaf.points(run_id), 20_000)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_worker_that_dies_ends_its_run_and_nothing_else(
    site: Site, tab: Tab, number: signal.Signals
) -> None:
    graph_id = tab.open("xnor")
    other = tab.train(graph_id, steps=MANY, steps_per_second=1000)
    run_id = tab.train(graph_id, steps=MANY, steps_per_second=1000)
    tab.wait(lambda f: f["run_id"] == run_id and f["step"] > 100)
    worker = collector(site, run_id).worker
    assert worker is not None
    os.kill(worker.process.pid, number)
    last = tab.wait_state(run_id, "failed")
    assert number.name in last["reason"]
    assert f"step {last['step']}" in last["reason"]
    assert_complete(tab.points(run_id), last["step"])
    step = max(f["step"] for f in tab.frames if f["run_id"] == other)
    tab.wait(lambda f: f["run_id"] == other and f["step"] > step)
    tab.ask("run_control", run_id=other, action="stop")
    assert tab.wait_state(other, *OVER)["state"] == "stopped"


def test_a_worker_that_does_not_react_is_stopped_by_force(site: Site, tab: Tab) -> None:
    run_id = tab.train(tab.open("xnor"), steps=MANY, steps_per_second=1000)
    tab.wait(lambda f: f["step"] > 10)
    worker = collector(site, run_id).worker
    assert worker is not None
    os.kill(worker.process.pid, signal.SIGSTOP)
    assert tab.ask("run_control", run_id=run_id, action="stop")["state"] == "stopped"


def test_a_graph_that_cannot_be_trained_says_why(tab: Tab) -> None:
    wish = {"steps": None, "seed": None, "device": "cpu", "set": {}, "steps_per_second": None}
    error = tab.refused("run_start", graph_id=tab.open("multiply"), **wish)
    assert error["kind"] == "program"
    graph_id = tab.open("xnor")
    wish["set"] = {"no_such_input": 1.0}
    run_id = tab.train(graph_id, **wish)
    assert "no_such_input" in tab.wait_state(run_id, "failed")["reason"]


def test_more_runs_than_workers_are_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, workers=1, spare=False)
    tab = site.tab()
    graph_id = tab.open("xnor")
    run_id = tab.train(graph_id, steps=MANY, steps_per_second=1)
    wish = {"steps": 1, "seed": None, "device": "cpu", "set": {}, "steps_per_second": None}
    assert tab.refused("run_start", graph_id=graph_id, **wish)["kind"] == "busy"
    tab.ask("run_control", run_id=run_id, action="stop")
    tab.wait_state(tab.train(graph_id, steps=1), "done")
    site.close()


def test_a_full_disk_makes_the_run_wait_and_loses_no_point(
    site: Site, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = tab.train(tab.open("xnor"), steps=3000, steps_per_second=3000)
    tab.wait(lambda f: f["step"] > 100)
    real, refusals = StoredRuns.record, []

    def full(*_: object) -> None:
        refusals.append(1)
        raise StorageError("The data could not be stored: disk is full.")

    monkeypatch.setattr(StoredRuns, "record", full)
    assert "disk is full" in tab.wait_notice()["message"]
    monkeypatch.setattr(StoredRuns, "record", real)
    assert tab.wait_state(run_id, *OVER)["state"] == "done"
    assert refusals
    assert_complete(tab.points(run_id), 3000)


def test_a_graph_that_is_deleted_takes_its_runs_along(tab: Tab) -> None:
    graph_id = tab.open("xnor")
    run_id = tab.train(graph_id, steps=MANY)
    tab.wait(lambda f: f["step"] > 10)
    tab.ask("graph_delete", graph_id=graph_id)
    assert tab.refused("run_subscribe", run_id=run_id, after_step=0, epoch=1, width=9)["kind"] == (
        "not-found"
    )


def test_a_run_is_listed_with_all_its_points_after_a_restart(tmp_path: Path) -> None:
    first = Site(tmp_path, spare=False)
    tab = first.tab()
    graph_id = tab.open("xnor")
    done = tab.train(graph_id, steps=100)
    tab.wait_state(done, "done")
    going = tab.train(graph_id, steps=MANY, steps_per_second=500)
    tab.wait(lambda f: f["run_id"] == going and f["step"] > 50)
    first.close()
    second = Site(tmp_path, spare=False)
    tab = second.tab()
    states = {run["run_id"]: run for run in tab.ask("run_list", graph_id=graph_id)["runs"]}
    assert states[done]["state"] == "done"
    assert states[going]["state"] == "stopped"
    for run_id in (done, going):
        tab.follow(run_id)
        tab.wait_state(run_id, "done", "stopped")
        assert_complete(tab.points(run_id), states[run_id]["step"])
    second.close()
