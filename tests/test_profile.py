"""Profiles: what calls cost, by op, by dtype and by apply."""

from __future__ import annotations

import json
import sys
from threading import Thread
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import Out, ProfileStats, config, function, shared
from engine.expression import Variable
from engine.ifelse import ifelse
from engine.modes import NanGuardMode
from engine.profile import Row


def profile_of(f: Any) -> ProfileStats:
    """The profile of a function that has one."""
    assert isinstance(f.profile, ProfileStats)
    return f.profile


def expression() -> tuple[Variable, Variable]:
    x = T.dmatrix("x")
    return x, T.dot(T.exp(x), x).sum() + T.exp(x.sum()) + T.exp(T.cast(x.sum(), "float32"))


def test_it_counts_calls_applies_and_time() -> None:
    x, y = expression()
    f = function([x], y, mode="NUMPY", profile=True, name="f")
    for _ in range(3):
        f(np.ones((2, 2)))
    p = profile_of(f)
    assert (p.message, p.functions, p.calls) == ("f", 1, 3)
    assert 0 < p.rewrite_seconds < p.made_seconds
    assert 0 < p.op_seconds < p.call_seconds
    assert p.compile_seconds == 0
    assert len(p.rows) == len(f.graph)
    assert {row.calls for row in p.rows} == {3}
    assert {row.kind for row in p.rows} == {"numpy"}
    assert [row.seconds for row in p.rows] == sorted((r.seconds for r in p.rows), reverse=True)
    exps = [row for row in p.rows if row.op == "exp"]
    assert sorted(row.dtype for row in exps) == ["float32", "float64", "float64"]
    assert "exp(x)" in {row.name for row in exps}


def test_kernels_are_timed_one_by_one() -> None:
    x = T.dmatrix("x")
    f = function([x], T.dot(T.exp(x), x) * 2, mode="NUMBA", profile=True)
    for n in (2, 3, 3):
        assert np.allclose(f(np.ones((n, n))), np.e * n * 2)
    p = profile_of(f)
    assert p.compile_seconds > 0
    assert {row.kind for row in p.rows} == {"native"}
    assert sum(row.calls for row in p.rows) == 3 * len(f.kernels)
    assert {op for row in p.rows for op in row.op.split("+")} == {"exp", "dot", "mul"}


def test_the_summary_has_totals_and_three_tables(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = expression()
    f = function([x], y, mode="NUMPY", profile="my model")
    f(np.ones((2, 2)))
    p = profile_of(f)
    p._rows = {
        i: Row("exp" if i < 2 else "dot", "float64", f"v{i}", "numpy", (), 2, seconds)
        for i, seconds in enumerate([0.2, 0.3, 1.5])
    }
    p.call_seconds = 4.0
    text = p.summary(file=sys.stdout)
    assert capsys.readouterr().out == text + "\n"
    assert "Profile of my model" in text
    assert "in ops: 2.00 s, 50.0% of the calls" in text
    classes, ops, applies = text.split("\n\n")[1:]
    assert [line.split() for line in classes.splitlines()] == [
        ["Class"],
        ["%", "time", "sum", "%", "seconds", "per", "call", "kind", "#call", "#apply", "name"],
        ["75.0%", "75.0%", "1.50", "s", "750.00", "ms", "numpy", "2", "1", "dot"],
        ["25.0%", "100.0%", "500.00", "ms", "125.00", "ms", "numpy", "4", "2", "exp"],
    ]
    assert "exp float64" in ops
    assert [line.split()[-1] for line in applies.splitlines()] == [
        "Apply",
        "name",
        "v2",
        "v1",
        "v0",
    ]
    assert "25.0% in 2 more" in p.summary(sys.stdout, shown=1)
    f.profile.summary()
    assert "Profile of my model" in capsys.readouterr().err


def test_an_empty_profile_has_a_summary() -> None:
    assert "Calls: 0" in ProfileStats().summary(sys.stdout)


def test_functions_share_a_profile() -> None:
    x = T.dvector("x")
    both = ProfileStats("both")
    f = function([x], T.exp(x), profile=both, mode="NUMPY")
    g = function([x], T.exp(x) + 1, profile=both, mode="NUMPY")
    f([1])
    g([1])
    assert (both.functions, both.calls) == (2, 2)
    assert sorted(row.op for row in both.rows) == ["add", "exp", "exp"]
    assert repr(both) == "<profile of both: 2 calls>"


def test_it_is_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.dvector("x")
    assert function([x], x).profile is None
    monkeypatch.setattr(config, "profile", True)
    assert profile_of(function([x], x)).functions == 1
    assert function([x], x, profile=False).profile is None


def test_a_record_for_machines() -> None:
    x = T.dvector("x")
    f = function([x], T.exp(x), profile=True, mode="NUMPY")
    f([1])
    record = json.loads(json.dumps(profile_of(f).to_json()))
    (row,) = record["rows"]
    assert record["calls"] == 1
    assert (row["op"], row["dtype"], row["calls"], row["origins"]) == ("exp", "float64", 1, [])


def test_a_step_in_a_branch_counts_only_when_it_is_taken() -> None:
    c, x = T.iscalar("c"), T.dscalar("x")
    f = function([c, x], ifelse(c, T.exp(x), T.sin(x)), profile=True, mode=NanGuardMode())
    for taken in (1, 1, 0):
        f(taken, 0)
    counts = {row.op: row.calls for row in profile_of(f).rows}
    assert counts == {"exp": 2, "sin": 1, "ifelse": 3}


def test_threads_do_not_lose_counts() -> None:
    x, s = T.dvector("x"), shared(0)
    f = function([x], Out(x * 2), updates=[(s, s + 1)], profile=True, mode="NUMPY")
    threads = [Thread(target=lambda: [f([1]) for _ in range(200)]) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert profile_of(f).calls == 1600
    assert {row.calls for row in profile_of(f).rows} == {1600}
