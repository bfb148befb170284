"""The command line, as a shell and as a program would use it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from app import __version__, cli, settings
from engine import gallery
from engine.rewrite import RULES
from tests.app.talk import PATIENCE, Tab

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-W", "error", "-m", "app"]
FOREVER = str(10**12)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
ENVIRONMENT.pop("DISPLAY", None)


def wiregrad(*arguments: str, code: int = 0, cwd: Path | None = None) -> tuple[str, str]:
    """What the command says on stdout and stderr; it must end with the given code."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=ENVIRONMENT,
        cwd=cwd,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_list_names_the_gallery() -> None:
    out, _ = wiregrad("list")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == gallery.names()
    assert all(len(line.split()) > 2 for line in lines)


def test_ops_are_named_by_category_and_explained() -> None:
    listed, _ = wiregrad("ops")
    assert re.search(r"^Activations\n(  .*\n)*  softmax +Positive numbers", listed, re.M)
    softmax, _ = wiregrad("ops", "log_softmax")
    assert softmax.startswith("logsoftmax(x, axis=-1)\n\nThe logarithm of softmax")
    assert "Also called log_softmax." in softmax
    _, refused = wiregrad("ops", "softmx", code=2)
    assert refused.startswith("wiregrad: There is no op called 'softmx': softmax")


def test_laws_are_named_by_phase_and_explained() -> None:
    listed, _ = wiregrad("laws")
    assert all(re.search(rf"^  {name} +\S", listed, re.M) for name in RULES)
    law, _ = wiregrad("laws", "log_of_one_plus_exp")
    assert law.startswith("stabilize: log_of_one_plus_exp\n  ")
    assert law.endswith("    log(1 + exp(x))\n  → softplus(x)\n")
    tagged, _ = wiregrad("laws", "erases_nan")
    assert "x / x\n  → fill(x, 1.0)" in tagged
    _, refused = wiregrad("laws", "log_of_one", code=2)
    assert refused.startswith("wiregrad: There is no rule, tag or phase 'log_of_one'.")


def test_version() -> None:
    assert wiregrad("--version")[0].strip() == f"wiregrad {__version__}"


def test_every_option_is_documented() -> None:
    top = cli.parser()
    choices = next(a.choices for a in top._actions if isinstance(a.choices, dict))
    assert set(choices) == {"run", "explain", "list", "ops", "laws"}
    for parser in (top, *choices.values()):
        for action in parser._actions:
            if action.choices is not choices:
                assert action.help, action.dest
    for field in settings.Settings.__dataclass_fields__.values():
        assert field.metadata["doc"].endswith("."), field.name


def test_run_trains_a_gallery_graph() -> None:
    out, err = wiregrad("run", "xnor")
    assert "30,000 steps" in out
    assert "predictions" in out
    assert err == ""


def test_run_trains_by_minibatches_where_the_graph_says_so(tmp_path: Path) -> None:
    batch = {"path": ["training", "batch"], "value": {"size": 2}}
    path = tmp_path / "batches.json"
    path.write_text(gallery.load("xnor").edit([batch]).text())
    out, _ = wiregrad("run", str(path), "--json")
    whole, _ = wiregrad("run", "xnor", "--json")
    found, expected = json_lines(out)[-1], json_lines(whole)[-1]
    assert len(found["outputs"]["predictions"]) == 2
    assert len(expected["outputs"]["predictions"]) == 4
    again, _ = wiregrad("run", str(path), "--json")
    assert json_lines(again)[-1]["outputs"] == found["outputs"]


def explained(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What `wiregrad explain` says, on stdout or, where it refuses, on stderr."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", *arguments])
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert bool(out) != bool(err)
    return out or err


@pytest.mark.parametrize("name", gallery.names())
def test_explain_tells_every_gallery_graph(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = gallery.load(name)
    out = explained(capsys, name)
    assert out.startswith(f"{content.title}: ")
    assert "Nothing to rewrite." in out or re.search(r"\n\d+ steps?: \d+ nodes? became \d+", out)
    if content.data["functions"]:
        assert "More functions, for --function: predict" in out
        assert "More functions, for --function: train" in explained(
            capsys, name, "--function", "predict"
        )
    for line in explained(capsys, name, "--json").splitlines():
        told = json.loads(line)
        assert (told["graph"], told["format"]) == (name, "wiregrad-film")
        assert told["length"] == len(told["steps"])


def test_explain_takes_laws_out_and_in(capsys: pytest.CaptureFixture[str]) -> None:
    everything = explained(capsys, "xnor")
    assert "[may hide a NaN]" in everything
    assert "[may hide" not in explained(capsys, "xnor", "--strict")
    assert "stabilize:" not in explained(capsys, "xnor", "--stop-after", "canonicalize")
    without = explained(capsys, "xnor", "--exclude", "stabilize", "--exclude", "merge")
    assert "stabilize:" not in without
    assert "merge:" not in without
    one = explained(capsys, "xnor", "--exclude", "stabilize", "--include", "log_of_sigmoid")
    assert set(re.findall(r"stabilize: (\w+)", one)) == {"log_of_sigmoid"}


def test_explain_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.json").write_text('{"format": "wiregrad", "version": 1}')
    for arguments, said in (
        (["nope"], "nope is neither a graph of the gallery nor a file"),
        (["xnor", "--function", "no"], "There is no function 'no'. There is predict and train."),
        (["xnor", "--exclude", "stabilise"], "Did you mean stabilize?"),
        (["xnor", "--stop-after", "x"], "There are merge, canonicalize, stabilize, specialize."),
        ([str(tmp_path / "empty.json")], "computes nothing"),
    ):
        out = explained(capsys, *arguments, code=2)
        assert said in out
        assert out.startswith("wiregrad: ")
        assert out.count("\n") == 1


def test_run_says_one_json_object_a_line() -> None:
    out, _ = wiregrad("run", "xnor", "--json", "--every", "100", "--steps", "1000")
    *points, done = json_lines(out)
    assert [point["step"] for point in points] == list(range(100, 1001, 100))
    assert all(set(point) == {"step", "cost"} for point in points)
    assert done["done"] is True
    assert done["steps"] == 1000
    assert done["cost"] == points[-1]["cost"]
    assert set(done["outputs"]) == {"predictions", "cost"}
    assert done["seconds"] >= 0


def test_run_is_the_same_again_and_the_same_as_in_the_browser(tmp_path: Path, tab: Tab) -> None:
    options = ["run", "xnor", "--seed", "3", "--set", "learning_rate=0.02", "--steps", "2000"]
    for name in ("a", "b"):
        wiregrad(*options, "--out", str(tmp_path / name))
    first, second = ((tmp_path / name / "costs.csv").read_bytes() for name in ("a", "b"))
    assert first == second
    shell = np.array([list(map(float, row)) for row in csv.reader(first.decode().split()[1:])])
    run_id = tab.train(tab.open("xnor"), seed=3, set={"learning_rate": 0.02}, steps=2000)
    assert tab.wait_state(run_id, "done", "failed")["state"] == "done"
    np.testing.assert_array_equal(tab.points(run_id), shell)


def test_run_writes_what_it_found(tmp_path: Path) -> None:
    out, _ = wiregrad("run", "xnor", "--steps", "50", "--json", "--out", str(tmp_path / "deep/dir"))
    folder = tmp_path / "deep/dir"
    rows = list(csv.reader((folder / "costs.csv").read_text().split()))
    assert rows[0] == ["step", "cost"]
    assert [int(step) for step, _ in rows[1:]] == list(range(1, 51))
    assert json.loads((folder / "outputs.json").read_text()) == json_lines(out)[-1]["outputs"]
    assert json.loads((folder / "graph.json").read_text())["name"] == "xnor"
    weights = load_file(folder / "weights.safetensors")
    shared = {n["name"] for n in gallery.load("xnor").nodes.values() if n["kind"] == "shared"}
    assert set(weights) == shared
    again, _ = wiregrad("run", str(folder / "graph.json"), "--steps", "50", "--json")
    assert json_lines(again)[-1]["outputs"] == json_lines(out)[-1]["outputs"]


def test_run_calls_a_graph_without_training() -> None:
    out, _ = wiregrad("run", "multiply", "--json")
    (done,) = json_lines(out)
    assert done["done"] is True
    names = [n["name"] for n in gallery.load("multiply").nodes.values() if n["kind"] == "input"]
    settings = [part for name in names for part in ("--set", f"{name}=3")]
    (done,) = json_lines(wiregrad("run", "multiply", "--json", *settings)[0])
    assert list(done["outputs"].values()) == [9.0]


def test_a_folder_of_the_persons_own_changes_nothing(tmp_path: Path) -> None:
    for name in ("app", "engine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('not ours')")
    (tmp_path / "json.py").write_text("raise SystemExit('not ours')")
    code = "import sys; sys.path.pop(0); from app.cli import main; main(['list'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "no-such-graph"], "gallery"),
        (["run", "."], "directory"),
        (["run", "{file}"], "graph"),
        (["run", "xnor", "--set", "no_such_input=1"], "no_such_input"),
        (["run", "xnor", "--set", "learning_rate=[1, 2]"], "learning_rate"),
        (["run", "multiply", "--set", "no_such_input=1"], "no_such_input"),
        (["run", "multiply", "--steps", "3"], "--steps"),
        (["run", "xnor", "--out", "{file}"], "folder"),
        (["--no-browser", "--data", "{file}"], "data folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_refused_is_said_in_one_line(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "file").write_text("{}")
    filled = [argument.format(file=tmp_path / "file") for argument in arguments]
    out, err = wiregrad(*filled, code=2, cwd=tmp_path)
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("wiregrad: ")
    assert said in err.lower()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "xnor", "--steps", "0"],
        ["run", "xnor", "--steps", "1.5"],
        ["run", "xnor", "--steps", "9" * 5000],
        ["run", "xnor", "--seed", "-1"],
        ["run", "xnor", "--every", "x"],
        ["run", "xnor", "--set", "learning_rate"],
        ["run", "xnor", "--set", "learning_rate=fast"],
        ["run", "xnor", "--set", "learning_rate=NaN"],
        ["run", "xnor", "--set", "=1"],
        ["run", "xnor", "--device", "abacus"],
        ["run", "xnor", "--no-such-option"],
        ["--port", "70000"],
        ["dance"],
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_a_bad_option_is_refused(arguments: list[str]) -> None:
    _, err = wiregrad(*arguments, code=2)
    assert "Traceback" not in err


def test_ctrl_c_ends_a_training() -> None:
    with started("run", "xnor", "--json", "--steps", FOREVER, "--every", "1000") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert "Traceback" not in err


def test_a_reader_that_goes_away_ends_a_training() -> None:
    with started("run", "xnor", "--json", "--steps", FOREVER, "--every", "1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        assert process.wait(PATIENCE) == 1


def serve(data: Path) -> list[str]:
    """The command for a server on any port."""
    return ["--no-browser", "--port", "0", "--data", str(data)]


def address(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Port and token that a server prints."""
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:(\d+)/#token=(\S+)", process.stdout.readline())
    assert found, "the address comes first"
    return int(found[1]), found[2]


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").parent.parent.glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_in_order_with_its_runs_recorded(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started(*serve(tmp_path)) as process:
        tab = Tab(*address(process))
        run_id = tab.train(tab.open("xnor"), steps=10**9, steps_per_second=1000)
        tab.wait(lambda frame: frame["step"] > 10)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "Stopping" in out
        assert "Traceback" not in err
        assert tab.wait_notice()["message"] == "The server is stopping."
        tab.wait_state(run_id, "stopped")
        tab.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_server_that_is_killed_leaves_no_worker_and_loses_no_committed_point(
    tmp_path: Path,
) -> None:
    with started(*serve(tmp_path)) as process:
        tab = Tab(*address(process))
        graph_id = tab.open("xnor")
        run_id = tab.train(graph_id, steps=10**9, steps_per_second=1000)
        tab.wait(lambda frame: frame["step"] > 100)
        workers = children(process.pid)
        assert workers
        process.kill()
        process.wait(PATIENCE)
        seen = tab.points(run_id)
        tab.close()
    for worker in workers:
        wait_until_gone(worker)
    with started(*serve(tmp_path)) as process:
        tab = Tab(*address(process))
        (run,) = tab.ask("run_list", graph_id=graph_id)["runs"]
        assert run["state"] == "lost"
        assert run["reason"]
        tab.follow(run_id)
        tab.wait_state(run_id, "lost")
        kept = tab.points(run_id)
        np.testing.assert_array_equal(kept[: len(seen)], seen)
        np.testing.assert_array_equal(kept[:, 0], np.arange(1, run["step"] + 1))
        tab.close()
        process.terminate()
        process.communicate(timeout=PATIENCE)


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that is not our child."""
    patience = time.monotonic() + PATIENCE
    while time.monotonic() < patience:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.01)
    raise AssertionError(f"the worker {pid} lives on")


def test_two_servers_do_not_share_a_folder_and_a_taken_port_is_said(tmp_path: Path) -> None:
    with started(*serve(tmp_path)) as process:
        port, _ = address(process)
        _, err = wiregrad(*serve(tmp_path), code=2)
        assert "another Wiregrad server" in err
        _, err = wiregrad("--no-browser", "--port", str(port), code=2)
        assert str(port) in err
        process.terminate()
        process.communicate(timeout=PATIENCE)
