"""Programs: what a document computes, and how it tells what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import config, gallery
from engine.document import palette, parse
from engine.errors import EngineError, MissingInputError, ProgramError
from engine.ops.index import index_text
from engine.program import Program
from engine.program.index import index_of
from engine.program.values import shown
from engine.training import Trainer


class Sketch:
    """A document in the making."""

    def __init__(self) -> None:
        self.record: dict[str, Any] = {"format": "wiregrad", "version": 1, "nodes": {}, "edges": []}

    def put(
        self, id: str, kind: str, wires: dict[str, str] | None = None, /, **parts: Any
    ) -> Sketch:
        self.record["nodes"][id] = {"kind": kind, **parts}
        for port, source in (wires or {}).items():
            node, _, out = source.partition(".")
            self.record["edges"].append({"from": [node, out or "out"], "to": [id, port]})
        return self

    def input(self, id: str, value: Any, shape: Any = (), dtype: str = "float64") -> Sketch:
        params = {"dtype": dtype, "shape": list(shape), "value": value}
        return self.put(id, "input", name=id, params=params)

    def constant(self, id: str, value: Any, dtype: str = "float64") -> Sketch:
        return self.put(id, "constant", params={"dtype": dtype, "value": value})

    def shared(self, id: str, value: Any = None, dtype: str = "float64", **params: Any) -> Sketch:
        return self.put(id, "shared", name=id, params={"dtype": dtype, "value": value, **params})

    def op(self, id: str, op: str, wires: dict[str, str] | None = None, /, **params: Any) -> Sketch:
        return self.put(id, "op", wires, op=op, params=params)

    def output(self, id: str, source: str) -> Sketch:
        return self.put(id, "output", {"value": source}, name=id)

    def rest(self, **parts: Any) -> Sketch:
        self.record |= parts
        return self

    @property
    def program(self) -> Program:
        return Program(parse(self.record))

    @property
    def report(self) -> dict[str, Any]:
        report = self.program.report()
        json.dumps(report, allow_nan=False)
        return report

    def node(self, id: str) -> dict[str, Any]:
        return self.report["nodes"][id]

    def error(self, id: str) -> dict[str, Any]:
        error = self.node(id)["error"]
        assert error is not None
        assert error["node"] == id
        return error


# --- what works -----------------------------------------------------------------------------------


def test_a_report_has_types_and_values_of_everything():
    sketch = Sketch().input("x", [[1, 2], [3, 4]], (None, 2)).op("s", "sum", {"x": "x"}, axis=0)
    nodes = sketch.output("total", "s").put("p", "probe", {"value": "s"}).report["nodes"]
    assert nodes["x"]["types"]["out"] == {
        "dtype": "float64",
        "shape": [None, 2],
        "text": "float64 (?, 2)",
        "upcast": False,
    }
    expected = {
        "dtype": "float64",
        "shape": [2],
        "data": [4.0, 6.0],
        "min": 4.0,
        "max": 6.0,
        "mean": 5.0,
        "finite": True,
    }
    assert nodes["s"]["values"]["out"] == expected
    assert nodes["total"]["values"]["value"] == nodes["p"]["values"]["value"] == expected


def test_main_is_derived_where_no_function_is_declared():
    sketch = Sketch().input("x", 3).output("y", "x")
    assert sketch.report["functions"] == {"main": {"ready": True}}
    outputs, _ = sketch.program.call("main")
    assert outputs == {"y": 3}
    with pytest.raises(ProgramError, match="no function 'train'"):
        sketch.program.call("train")


def test_outputs_are_named_by_people_and_their_expressions_are_at_hand():
    program = gallery_program("several-outputs")
    assert {name: v.dtype for name, v in program.outputs_by_name.items()} == {
        "square": "float64",
        "cube": "float64",
    }


def gallery_program(name: str) -> Program:
    return Program(gallery.load(name))


def test_variadic_ports_are_read_in_the_order_of_their_slots():
    sketch = Sketch().input("a", [1], (1,)).input("b", [2], (1,))
    wires = {f"tensors.{i}": "ab"[i % 2] for i in (11, 2, 0)}
    assert sketch.op("j", "join", wires).node("j")["values"]["out"]["data"] == [1, 1, 2]


def test_an_index_is_written_as_text():
    sketch = Sketch().input("x", [[1, 2, 3], [4, 5, 6]], (None, None)).input("i", 1, (), "int64")
    sketch.op("part", "subtensor", {"x": "x"}, index="-1, 0:3:2")
    sketch.op("one", "subtensor", {"x": "x", "indices.0": "i"}, index="?, 2")
    nodes = sketch.report["nodes"]
    assert nodes["part"]["values"]["out"]["data"] == [4, 6]
    assert nodes["one"]["values"]["out"]["data"] == 6


@pytest.mark.parametrize(
    ("index", "wired", "expected"),
    [
        ("", [], [[1, 2, 3], [4, 5, 6]]),
        ("..., ::-1", [], [[3, 2, 1], [6, 5, 4]]),
        ("new, 1", [], [[4, 5, 6]]),
        (":, None ,0", [], [[1], [4]]),
        ("?", [[1, 1, 0]], [[4, 5, 6], [4, 5, 6], [1, 2, 3]]),
        ("?,?", [[0, 1], [2, -1]], [3, 6]),
        ("0, ?:?", [1, 3], [2, 3]),
        ("::?", [-1], [[4, 5, 6], [1, 2, 3]]),
        ("?", [[[True, False, True], [False, True, False]]], [1, 3, 5]),
        ("-1, ?", [[True, False, True]], [4, 6]),
    ],
)
def test_every_kind_of_index_can_be_written(index, wired, expected):
    sketch = Sketch().input("x", [[1, 2, 3], [4, 5, 6]], (None, None))
    for i, value in enumerate(wired):
        kind = np.asarray(value).dtype.name
        sketch.constant(f"i{i}", value, kind)
    wires = {"x": "x", **{f"indices.{i}": f"i{i}" for i in range(len(wired))}}
    sketch.op("part", "subtensor", wires, index=index).output("y", "part")
    sketch.op("gone", "assign_at", {**wires, "value": "zero"}, index=index).constant("zero", 0)
    nodes = sketch.report["nodes"]
    assert nodes["part"]["values"]["out"]["data"] == expected
    assert sketch.program.call()[0]["y"].tolist() == expected
    left = np.sum(nodes["gone"]["values"]["out"]["data"])
    assert left == 21 - sum(set(np.ravel(expected).tolist()))
    entries = index_of(index)
    assert index_of(index_text(entries)) == (entries or ("...",))


def test_wires_and_question_marks_must_agree():
    sketch = Sketch().input("x", [1, 2], (None,)).input("i", 1, (), "int64").input("f", 0.5)
    sketch.op("none", "subtensor", {"x": "x", "indices.0": "i"}, index="0")
    error = sketch.error("none")
    assert (error["port"], error["got"]) == ("index", "1")
    assert error["message"] == "The index has 0 ?, but 1 is wired in."
    assert error["details"].startswith("In subtensor(x, i).")
    sketch.op("open", "subtensor", {"x": "x"}, index="?")
    assert "The index has 1 ?, but 0 are wired in." in sketch.error("open")["message"]
    # A wire may be drawn before the ? is written, but not one that can never do.
    assert sketch.program.wire_check(("i", "out"))["none"]["indices.1"] is None
    assert sketch.program.wire_check(("i", "out"))["open"]["indices.0"] is None
    assert "whole number" in sketch.program.wire_check(("f", "out"))["open"]["indices.0"]


def test_only_the_branch_that_is_taken_must_have_a_value():
    sketch = Sketch().input("c", 0, (), "int32").input("x", [7], (None,))
    sketch.op("far", "subtensor", {"x": "x"}, index="5").op(
        "near", "subtensor", {"x": "x"}, index="0"
    )
    sketch.op("choice", "ifelse", {"condition": "c", "then": "far", "other": "near"})
    sketch.output("y", "choice")
    assert sketch.node("choice")["values"]["out"]["data"] == 7
    assert sketch.program.call()[0] == {"y": 7}
    assert sketch.error("far")["kind"] == "index"


def test_everything_a_node_makes_bears_its_id():
    spec = gallery_program("xnor").training
    seen = set()
    for v in [*spec.outputs.values(), *spec.updates.values()]:
        stack = [v]
        while stack:
            v = stack.pop()
            if v.owner is not None and v.owner not in seen:
                seen.add(v.owner)
                assert v.owner.origins, v.owner
                assert all(o in gallery.load("xnor").nodes for o in v.owner.origins)
                stack.extend(v.owner.inputs)
    assert {"learn"} in [node.origins for node in seen]


def test_gradients_of_one_cost_share_their_way_back():
    sketch = Sketch().input("x", 2).input("y", 3).op("m", "mul", {"x": "x", "y": "y"})
    sketch.op("cost", "exp", {"x": "m"})
    for v in "xy":
        sketch.put(f"d{v}", "gradient", {"cost": "cost", "wrt": v})
    nodes = sketch.report["nodes"]
    assert nodes["dx"]["values"]["out"]["data"] == pytest.approx(3 * np.exp(6))
    assert nodes["dy"]["values"]["out"]["data"] == pytest.approx(2 * np.exp(6))


# --- what is wrong stays where it is --------------------------------------------------------------


def test_shapes_that_clash_are_told_at_node_and_port_and_stop_nothing_else():
    sketch = Sketch().input("x", [1, 2], (None,)).input("y", [1, 2, 3], (None,))
    sketch.op("bad", "add", {"x": "x", "y": "y"}).op("after", "exp", {"x": "bad"})
    sketch.op("good", "exp", {"x": "x"}).output("z", "after")
    error = sketch.error("bad")
    assert (error["kind"], error["port"]) == ("shape", "y")
    assert "(2,)" in error["message"]
    assert "(3,)" in error["message"]
    assert error["hint"]
    nodes = sketch.report["nodes"]
    assert nodes["good"]["values"]["out"]["data"] == pytest.approx([np.e, np.e**2])
    assert nodes["after"]["error"] is None
    assert nodes["after"]["types"]["out"]["text"] == "float64 (?,)"
    assert nodes["after"]["warnings"] == ["Waits for add, which has an error."]
    assert sketch.report["functions"]["main"] == {"ready": False}
    with pytest.raises(EngineError, match=r"\(2,\)") as caught:
        sketch.program.call()
    assert caught.value.node == "bad"


def test_shapes_that_are_known_to_clash_need_no_values():
    sketch = Sketch().input("x", None, (None, 2)).input("w", None, (3,))
    error = sketch.op("dot", "dot", {"x": "x", "y": "w"}).error("dot")
    assert (error["kind"], error["port"], error["got"]) == ("shape", "y", "3 rows")


def test_a_missing_wire_is_told_at_its_port():
    error = Sketch().input("x", 1).op("sum", "add", {"x": "x"}).error("sum")
    assert (error["kind"], error["port"]) == ("missing-input", "y")


def test_an_unknown_op_is_kept_and_told():
    sketch = Sketch().input("x", 1).op("new", "from_the_future", {"q": "x"}).output("y", "new")
    assert "from_the_future" in sketch.error("new")["message"]
    assert sketch.node("y")["warnings"] == ["Waits for from_the_future, which has an error."]
    assert Sketch().op("a", "plus").error("a")["hint"] == "Use add instead."
    assert "canvas" in Sketch().op("a", "scan").error("a")["message"]


@pytest.mark.parametrize(
    ("params", "port"),
    [
        ({"axis": "0"}, "axis"),
        ({"axis": 1.5}, "axis"),
        ({"keepdims": 1}, "keepdims"),
        ({"colour": 1}, "colour"),
        ({"axis": 7}, None),
        ({"axis": [0] * 9}, "axis"),
    ],
)
def test_bad_parameters_are_told(params, port):
    error = Sketch().input("x", [1], (None,)).op("s", "sum", {"x": "x"}, **params).error("s")
    assert error["port"] == port


@pytest.mark.parametrize(
    "index",
    [
        "a",
        "1:2:0",
        "1:2:3:4",
        "--1",
        "1 2",
        "__import__",
        "0;1",
        "\r",
        "١",
        "0, 0",
        "?",
        "..",
        "newnew",
        "new:1",
        "?1",
        "...:",
        "..., ...",
        "1.5",
        "None1",
        "5",
        "?:",
    ],
)
def test_bad_indices_are_told(index):
    sketch = Sketch().input("x", [1], (None,))
    assert sketch.op("s", "subtensor", {"x": "x"}, index=index).error("s")


def test_loops_are_told_with_their_way():
    sketch = Sketch().input("x", 1).op("a", "add", {"x": "x", "y": "c"}).op("b", "exp", {"x": "a"})
    sketch.op("c", "log", {"x": "b"}).op("d", "neg", {"x": "c"}).op("e", "neg", {"x": "x"})
    for node in "abc":
        assert "loop" in sketch.error(node)["message"]
    message = sketch.error("a")["message"]
    assert "add → exp → log → add" in message * 2 or "exp → log → add → exp" in message * 2
    assert sketch.node("d")["error"] is None
    assert "Waits for" in sketch.node("d")["warnings"][0]
    assert sketch.node("e")["values"]["out"]["data"] == -1


def test_a_node_that_reads_itself_is_a_loop():
    assert "loop" in Sketch().op("a", "exp", {"x": "a"}).error("a")["message"]


@pytest.mark.parametrize(
    ("value", "shape", "dtype", "message"),
    [
        ([1, 2], (), "float64", "1 axis"),
        (1, (None,), "float64", "0 axes"),
        ([1, 2], (3,), "float64", r"(2,)"),
        ([[1], [2, 3]], (None, None), "float64", "equally long"),
        ([[1], 2], (None,), "float64", "equally long"),
        (1.5, (), "int32", "int32"),
        (300, (), "int8", "int8"),
        (-1, (), "uint8", "uint8"),
        (2**63, (), "int64", "int64"),
        (2, (), "bool", "bool"),
        (1e300, (), "float32", "too large"),
        ({"re": 1, "im": 2}, (), "float64", "complex"),
    ],
)
def test_values_that_do_not_fit_their_type_are_told(value, shape, dtype, message):
    error = Sketch().input("x", value, shape, dtype).error("x")
    assert error["port"] == "value"
    assert message in error["message"]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(True, "bool"), (1, "bool"), (2**63, "uint64"), (-(2**63), "int64"), (1.0, "int32"),
     (1, "float16"), ({"re": 1, "im": -2.5}, "complex64"), ([], "int8")],
)  # fmt: skip
def test_values_that_fit_are_taken(value, dtype):
    shape = (None,) if isinstance(value, list) else ()
    node = Sketch().input("x", value, shape, dtype).node("x")
    assert node["error"] is None
    assert node["values"]["out"]["dtype"] == dtype


def test_two_nodes_cannot_have_the_same_name():
    sketch = Sketch().input("x", 1).put("y", "input", name="x", params={"value": 1})
    assert sketch.error("y")["port"] == "name"
    outputs = Sketch().input("x", 1).output("a", "x").put("b", "output", {"value": "x"}, name="a")
    assert outputs.error("b")["port"] == "name"


def test_wires_into_ports_that_are_not_there_are_told():
    sketch = Sketch().input("x", 1).op("e", "exp", {"x": "x", "z": "x"})
    assert sketch.error("e")["port"] == "z"
    assert Sketch().input("x", 1).op("e", "exp", {"x": "x.other"}).error("e")["port"] == "x"
    assert Sketch().input("x", 1).output("o", "x").op("e", "exp", {"x": "o"}).error("e")
    assert Sketch().input("x", [1], (1,)).op("j", "join", {"tensors": "x"}).error("j")


def test_gradients_say_what_they_need():
    sketch = Sketch().input("x", [1], (None,)).input("y", 1).op("s", "sum", {"x": "x"})
    sketch.put("a", "gradient", {"cost": "x", "wrt": "x"})
    sketch.put("b", "gradient", {"cost": "s", "wrt": "y"})
    sketch.put("c", "gradient", {"cost": "s", "wrt": "x"})
    assert (sketch.error("a")["kind"], sketch.error("a")["port"]) == ("type", "cost")
    assert (sketch.error("b")["kind"], sketch.error("b")["port"]) == ("disconnected", "wrt")
    assert sketch.node("c")["values"]["out"]["data"] == [1]


def test_silent_widening_is_flagged():
    sketch = Sketch().input("i", 1, (), "int32").input("f", 1, (), "float32").input("d", 1)
    sketch.op("mixed", "mul", {"x": "i", "y": "f"}).op("half", "true_div", {"x": "i", "y": "i"})
    sketch.op("asked", "cast", {"x": "i"}, dtype="float64").op("plain", "add", {"x": "d", "y": "i"})
    sketch.constant("two", 2, "float32").op("twice", "mul", {"x": "i", "y": "two"})
    sketch.op("root", "sqrt", {"x": "i"}).op("further", "exp", {"x": "mixed"})
    sketch.input("z", 1, (), "complex64").op("turned", "mul", {"x": "z", "y": "i"})
    nodes = sketch.report["nodes"]
    flagged = {n for n, r in nodes.items() for t in r["types"].values() if t["upcast"]}
    assert flagged == {"mixed", "turned"}
    assert nodes["mixed"]["warnings"] == [
        "float32 and int32 make float64 here. Cast int32 to float32 first, to stay narrower."
    ]
    assert nodes["turned"]["warnings"] == [
        "complex64 and int32 make complex128 here. Cast int32 to float32 first, to stay narrower."
    ]


def test_whoever_works_in_float32_is_told_of_every_float64(monkeypatch):
    monkeypatch.setattr(config, "floatX", "float32")
    sketch = Sketch().input("i", 1, (), "int32").input("d", 1, (), "float64")
    sketch.constant("two", 2, "float32").op("twice", "mul", {"x": "i", "y": "two"})
    sketch.op("root", "sqrt", {"x": "i"}).op("half", "true_div", {"x": "i", "y": "i"})
    sketch.op("wide", "add", {"x": "d", "y": "i"}).op("next", "add", {"x": "i", "y": "i"})
    nodes = sketch.report["nodes"]
    flagged = {n for n, r in nodes.items() for t in r["types"].values() if t["upcast"]}
    assert flagged == {"twice", "root"}
    assert nodes["root"]["warnings"] == [
        "int32 makes float64 here. Cast int32 to float32 first, to stay narrower."
    ]
    assert nodes["half"]["types"]["out"]["dtype"] == "float32"
    monkeypatch.setattr(config, "cast_policy", "simple")
    nodes = sketch.report["nodes"]
    assert nodes["twice"]["types"]["out"]["dtype"] == nodes["root"]["types"]["out"]["dtype"]
    assert not any(t["upcast"] for r in nodes.values() for t in r["types"].values())


def test_where_nan_comes_from_is_flagged():
    sketch = Sketch().input("x", [-1, 1], (None,)).op("root", "sqrt", {"x": "x"})
    nodes = sketch.op("twice", "mul", {"x": "root", "y": "root"}).report["nodes"]
    assert nodes["root"]["values"]["out"]["data"] == ["NaN", 1.0]
    assert nodes["root"]["values"]["out"]["max"] == 1.0
    assert nodes["root"]["warnings"] == ["NaN or infinity appears here first."]
    assert nodes["twice"]["warnings"] == []


# --- limits ---------------------------------------------------------------------------------------


def test_huge_values_are_refused_before_they_are_made():
    million = 1_000_000
    sketch = (
        Sketch().constant("one", 1).op("full", "full", {"value": "one"}, shape=[million, million])
    )
    sketch.shared("w", initialiser="zeros", shape=[million, million])
    sketch.input("row", [[1] * 20_000], (1, None)).input("col", [[1]] * 20_000, (None, 1))
    sketch.op("table", "add", {"x": "row", "y": "col"}).op("sum", "sum", {"x": "table"})
    for node in ("full", "w", "table"):
        error = sketch.error(node)
        assert "256 MB" in error["expected"]
        assert "GB" in error["got"] or "TB" in error["got"]
    assert sketch.node("row")["error"] is None


def test_many_large_values_are_refused_together():
    sketch = Sketch().constant("one", 1)
    for i in range(5):
        sketch.op(f"f{i}", "full", {"value": "one"}, shape=[250, 2**17])
        sketch.shared(f"w{i}", initialiser="zeros", shape=[250, 2**17])
    errors = [n for n, record in sketch.report["nodes"].items() if record["error"]]
    assert "w4" in errors
    assert any(n.startswith("f") for n in errors)


@pytest.mark.parametrize(
    "shape", [[2**53 - 1], [2**40, 2**40], [-1], [-5, 2], [0, 2**50], [2**31, 2**31, 2**31]]
)
def test_shapes_beyond_all_bounds_are_told(shape):
    sketch = Sketch().constant("one", 1).op("full", "full", {"value": "one"}, shape=shape)
    sketch.op("turned", "reshape", {"x": "one"}, shape=shape)
    for node in sketch.report["nodes"].values():
        assert node["error"] or node["values"]


def test_long_chains_need_no_stack():
    sketch = Sketch().input("n0", 1)
    for i in range(1, 5000):
        sketch.op(f"n{i}", "add", {"x": f"n{i - 1}", "y": "n0"})
    sketch.put("g", "gradient", {"cost": "n4999", "wrt": "n0"})
    nodes = sketch.report["nodes"]
    assert nodes["n4999"]["values"]["out"]["data"] == 5000
    assert nodes["g"]["values"]["out"]["data"] == 5000


def test_long_loops_need_no_stack():
    sketch = Sketch()
    for i in range(5000):
        sketch.op(f"n{i}", "exp", {"x": f"n{(i + 1) % 5000}"})
    assert all(record["error"] for record in sketch.report["nodes"].values())


def test_large_values_are_summarised():
    node = Sketch().input("x", list(range(257)), (None,)).node("x")
    value = node["values"]["out"]
    assert (value["data"], value["min"], value["max"], value["mean"]) == (None, 0, 256, 128)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array(np.nan), {"data": "NaN", "min": None, "mean": None, "finite": False}),
        (np.array([np.inf, -np.inf, 1]), {"data": ["Infinity", "-Infinity", 1.0], "mean": 1.0}),
        (np.array([True, False]), {"data": [True, False], "min": False, "mean": 0.5}),
        (np.array([1 + 2j]), {"data": [{"re": 1.0, "im": 2.0}], "min": None, "finite": True}),
        (np.array(complex(np.nan, 1)), {"data": {"re": "NaN", "im": 1.0}, "finite": False}),
        (np.zeros((0, 2)), {"data": [], "shape": [0, 2], "mean": None, "finite": True}),
        (np.full(3, 1e308), {"max": 1e308, "mean": None, "finite": True}),
        (np.array([2**64 - 1], "uint64"), {"data": [2**64 - 1], "max": 2**64 - 1}),
        (np.array(7, "float16"), {"data": 7.0, "min": 7.0, "mean": 7.0}),
    ],
)
def test_values_travel_as_plain_json(array, expected):
    record = shown(array)
    json.dumps(record, allow_nan=False)
    assert expected.items() <= record.items()


# --- state and calls ------------------------------------------------------------------------------


def counter() -> Sketch:
    sketch = Sketch().shared("total", 0, "int64").input("x", 3, (), "int32")
    sketch.op("sum", "add", {"x": "total", "y": "x"}).output("before", "total")
    return sketch.put("keep", "update", {"target": "total", "value": "sum"})


def test_outputs_are_computed_before_updates_and_state_is_explicit():
    program = counter().program
    first, state = program.call()
    second, later = program.call(None, state)
    assert (first["before"], second["before"]) == (0, 3)
    assert (state["total"], later["total"]) == (3, 6)
    assert program.report(later)["nodes"]["total"]["values"]["out"]["data"] == 6
    assert program.report()["nodes"]["keep"]["values"]["value"]["data"] == 3


def test_updates_are_simultaneous():
    sketch = Sketch().shared("a", 1.0).shared("b", 2.0)
    sketch.put("ab", "update", {"target": "a", "value": "b"})
    sketch.put("ba", "update", {"target": "b", "value": "a"})
    outputs, state = sketch.program.call()
    assert outputs == {}
    assert (state["a"], state["b"]) == (2.0, 1.0)


def test_state_that_does_not_fit_any_more_starts_anew():
    state = counter().program.call()[1]
    changed = Sketch().shared("total", [0, 0], "int64").output("y", "total").program
    assert changed.call(None, state)[0]["y"].tolist() == [0, 0]
    assert list(changed.fitted_state({**state, "gone": np.ones(2)})) == ["total"]


def test_updates_keep_dtype_and_shape():
    sketch = Sketch().shared("w", 1, "int32").input("x", 0.5).input("v", [1, 2], (None,))
    sketch.put("a", "update", {"target": "w", "value": "x"})
    sketch.put("b", "update", {"target": "w", "value": "v"})
    sketch.put("c", "update", {"target": "x", "value": "w"})
    sketch.shared("u", [1, 2, 3]).put("d", "update", {"target": "u", "value": "v"})
    assert sketch.error("a")["got"] == "float64"
    assert sketch.error("b")["port"] == "value"
    assert sketch.error("c")["port"] == "target"
    assert "(2,)" in sketch.error("d")["message"]
    with pytest.raises(ProgramError, match="shape"):
        sketch.rest(functions={"f": {"updates": ["d"]}}).program.call()


def test_a_narrower_value_is_cast_to_its_shared_variable():
    sketch = Sketch().shared("w", 1.0).input("x", 2, (), "int8")
    sketch.put("u", "update", {"target": "w", "value": "x"})
    assert sketch.program.call()[1]["w"].dtype == "float64"


def test_one_function_cannot_update_a_variable_twice():
    sketch = counter().put("again", "update", {"target": "total", "value": "x"})
    assert "twice" in sketch.error("again")["message"]
    assert not sketch.report["functions"]["main"]["ready"]
    with pytest.raises(ProgramError, match="twice"):
        sketch.program.call()
    split = {"one": {"updates": ["keep"]}, "two": {"updates": ["again"]}}
    assert sketch.rest(functions=split).program.call("two")[1]["total"] == 3


def test_a_call_names_the_input_that_has_no_value():
    sketch = Sketch().input("speed", None).op("e", "exp", {"x": "speed"}).output("y", "e")
    assert sketch.node("speed")["warnings"] == ["It has no value yet."]
    with pytest.raises(MissingInputError, match="speed") as caught:
        sketch.program.call()
    assert caught.value.node == "speed"
    assert sketch.report["functions"]["main"]["ready"] is False


def drawn(seed: int | None = None, **params: Any) -> np.ndarray[Any, Any]:
    shape = params.pop("shape", [4, 3])
    return Sketch().shared("w", shape=shape, **params).program.initial_state(seed)["w"]


def test_initialisers_fill_the_shape():
    assert drawn(initialiser="zeros").tolist() == [[0.0] * 3] * 4
    assert drawn(initialiser="ones", dtype="int8").tolist() == [[1] * 3] * 4
    many = [300, 200]
    assert drawn(initialiser="normal", shape=many, scale=0.1).std() == pytest.approx(0.1, rel=0.05)
    uniform = drawn(initialiser="uniform", shape=many, scale=0.5)
    assert -0.5 <= uniform.min() < -0.49 < 0.49 < uniform.max() < 0.5
    glorot = drawn(initialiser="glorot", shape=many)
    assert np.abs(glorot).max() == pytest.approx(np.sqrt(6 / 500), rel=0.01)
    assert drawn(initialiser="normal", dtype="float32").dtype == "float32"


def test_drawn_values_depend_on_seeds_and_nothing_else():
    one = drawn(initialiser="normal")
    assert np.array_equal(one, drawn(initialiser="normal"))
    assert np.array_equal(one, drawn(0, initialiser="normal"))
    assert not np.array_equal(one, drawn(1, initialiser="normal"))
    assert not np.array_equal(one, drawn(initialiser="normal", seed=1))
    text = parse(Sketch().shared("w", initialiser="normal", shape=[4, 3]).record).text()
    code = (
        "import sys; from engine.document import parse; from engine.program import Program;"
        "print(Program(parse(sys.stdin.read())).initial_state()['w'].tobytes().hex())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], input=text, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == one.tobytes().hex()


def test_fractions_are_not_drawn_for_integers():
    error = Sketch().shared("w", dtype="int32", initialiser="normal", shape=[2]).error("w")
    assert error["port"] == "initialiser"


# --- optimisers and training ----------------------------------------------------------------------


def bowl(rule: str, dtype: str = "float64", **params: Any) -> Sketch:
    """(w - target)² summed, falling by one of the rules."""
    sketch = Sketch().shared("w", [1.0, -2.0], dtype).input("target", [3, 5], (None,), dtype)
    sketch.input("learning_rate", 0.1)
    sketch.op("d", "sub", {"x": "w", "y": "target"}).op("s", "sqr", {"x": "d"})
    sketch.op("c", "sum", {"x": "s"}).output("cost", "c")
    wires = {"cost": "c", "learning_rate": "learning_rate", "parameters.0": "w"}
    sketch.put("opt", "optimiser", wires, params={"rule": rule, **params})
    return sketch.rest(training={"cost": "cost", "steps": 50, "seed": 3})


def descend(rule: str, steps: int) -> np.ndarray[Any, Any]:
    w, target = np.array([1.0, -2.0]), np.array([3.0, 5.0])
    v = m = s = np.zeros(2)
    for t in range(1, steps + 1):
        g = 2 * (w - target)
        if rule == "sgd":
            w = w - 0.1 * g
        elif rule == "momentum":
            v = 0.9 * v - 0.1 * g
            w = w + v
        else:
            m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
            w = w - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
    return w


@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam"])
def test_optimisers_follow_their_rules(rule):
    program = bowl(rule).program
    state = program.initial_state()
    for _ in range(20):
        _, state = program.call(None, state)
    np.testing.assert_allclose(state["w"], descend(rule, 20), rtol=1e-12)


@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam"])
def test_optimisers_do_not_widen_float32(rule):
    program = bowl(rule, "float32").program
    _, state = program.call()
    assert state["w"].dtype == "float32"


def test_what_optimisers_remember_is_state():
    assert list(bowl("momentum").program.initial_state()) == ["w", "opt/velocity/w"]
    assert set(bowl("adam").program.initial_state()) == {
        "w", "opt/steps", "opt/mean/w", "opt/square/w",
    }  # fmt: skip


def test_a_training_spec_has_all_that_a_loop_needs():
    program = bowl("momentum").program
    spec = program.training
    assert program.report()["trainable"] is True
    assert (spec.cost, spec.steps, spec.seed, list(spec.outputs)) == ("cost", 50, 3, ["cost"])
    assert set(spec.names) == {"learning_rate"}
    assert {spec.ids[v] for v in spec.state} == {"w", "opt/velocity/w"}
    assert {spec.ids[v] for v in spec.inputs} == {"target", "learning_rate"}
    assert set(spec.updates) == set(spec.state)
    assert all(v.type.accepts(new.type) for v, new in spec.updates.items())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"path": ["training"]}, "how it is trained"),
        ({"path": ["training", "cost"], "value": "s_out"}, "real scalar"),
        ({"path": ["nodes", "target", "params", "value"], "value": None}, "target"),
        ({"path": ["functions"], "value": {"f": {"outputs": ["cost"]}}}, "no updates"),
        ({"path": ["nodes", "s", "op"], "value": "sqr2"}, "sqr2"),
        ({"path": ["training"], "value": {"steps": 3}}, None),
    ],
)
def test_a_graph_that_cannot_be_trained_says_why(change, problem):
    sketch = bowl("sgd").output("s_out", "s")
    program = Program(parse(sketch.record).edit([change]))
    report = program.report()
    assert report["trainable"] == (problem is None)
    if problem is None:
        assert program.training.cost == "cost"
        return
    assert problem in report["problem"]
    with pytest.raises(EngineError, match=problem):
        program.training  # noqa: B018


SPARE = {"path": ["nodes", "spare"],
         "value": {"kind": "input", "name": "spare", "params": {"shape": [None], "value": [1, 2]}},
}  # fmt: skip


def xnor_by_batches(batch: dict[str, Any], *patches: dict[str, Any]) -> Program:
    patch = {"path": ["training", "batch"], "value": batch}
    return Program(gallery.load("xnor").edit([patch, *patches]))


def test_a_document_is_trained_by_minibatches():
    spec = xnor_by_batches({"size": 3}).training
    assert spec.batch is not None
    assert (spec.batch.size, spec.batch.shuffle) == (3, True)
    assert {spec.ids[v] for v in spec.batch.inputs} == {"x", "truth"}
    whole = Trainer(Program(gallery.load("xnor")), steps=2000)
    by_two = Trainer(xnor_by_batches({"size": 2}), steps=4000)
    in_order = Trainer(xnor_by_batches({"size": 2, "shuffle": False}), steps=4000)
    costs = []
    for trainer in (whole, by_two, in_order):
        trainer.run(trainer.steps)
        assert trainer.tier == 1
        assert trainer.cost is not None
        costs.append(trainer.cost)
    assert len(set(costs)) == 3
    assert by_two.outputs()["predictions"].shape == (2,)
    named = xnor_by_batches({"size": 2, "shuffle": False, "inputs": ["truth", "x"]})
    again = Trainer(named, steps=4000)
    again.run(4000)
    assert again.cost == in_order.cost


@pytest.mark.parametrize(
    ("batch", "patches", "problem"),
    [
        ({"size": 5}, [], "cannot have 5 rows, as there are 4"),
        ({"size": 2, "inputs": []}, [], "no data"),
        ({"size": 2, "inputs": ["rate"]}, [], "scalar"),
        ({"size": 2, "inputs": ["spare"]}, [SPARE], "Training does not read spare"),
        ({"size": 2}, [{"path": ["nodes", "truth", "params", "shape"], "value": [4]}], "4 rows"),
    ],
)
def test_a_document_whose_batches_cannot_be_says_why(batch, patches, problem):
    program = xnor_by_batches(batch, *patches)
    report = program.report()
    assert report["trainable"] is False
    assert problem in report["problem"]
    with pytest.raises(EngineError, match=problem):
        program.training  # noqa: B018


def test_optimisers_say_what_they_need():
    def wired(**wires: str) -> dict[str, Any]:
        sketch = bowl("sgd").shared("k", 1, "int64").input("rates", [1], (None,))
        sketch.op("ck", "mul", {"x": "c", "y": "k"})
        all_wires = {"cost": "ck", "learning_rate": "learning_rate", "parameters.0": "w"} | wires
        return sketch.put("o2", "optimiser", all_wires).error("o2")

    assert wired(**{"parameters.0": "target"})["port"] == "parameters.0"
    assert wired(**{"parameters.0": "k"})["got"] == "int64"
    assert wired(cost="d")["port"] == "cost"
    assert wired(learning_rate="rates")["port"] == "learning_rate"
    lonely = {"cost": "c", "learning_rate": "learning_rate"}
    assert bowl("sgd").put("o", "optimiser", lonely).error("o")["port"] == "parameters.0"


# --- wires ----------------------------------------------------------------------------------------


def test_wires_are_judged_for_every_other_end():
    sketch = Sketch().input("x", None, (None, 2)).input("v", None, (3,)).shared("w", [0.0, 0.0])
    sketch.op("dot", "dot", {"x": "x"}).op("exp", "exp", {"x": "dot"}).op(
        "sum", "sum", {"x": "exp"}
    )
    sketch.put("up", "update").put("opt", "optimiser").put("g", "gradient", {"cost": "sum"})
    sketch.output("out", "exp").op("bits", "and_").op("gone", "unheard_of")
    program = sketch.program

    from_v = program.wire_check(source=["v", "out"])
    assert from_v["dot"]["x"] is None
    assert "2 columns" in from_v["dot"]["y"]
    assert from_v["exp"]["x"] is None
    assert "shared" in from_v["up"]["target"]
    assert from_v["up"]["value"] is None
    assert "shared" in from_v["opt"]["parameters.0"]
    assert "scalar" in from_v["opt"]["cost"]
    assert "scalar" in from_v["opt"]["learning_rate"]
    assert "depend" in from_v["g"]["wrt"]
    assert "bits" in from_v["bits"]["x"]
    assert from_v["out"]["value"] is None
    assert not {"x", "v", "w", "gone"} & set(from_v)

    from_w = program.wire_check(source=("w", "out"))
    assert from_w["dot"]["y"] is None
    assert from_w["up"]["target"] is None
    assert from_w["opt"]["parameters.0"] is None

    into_dot = program.wire_check(target=["dot", "y"])
    assert into_dot["w"]["out"] is None
    assert "2 columns" in into_dot["v"]["out"]
    assert "loop" in into_dot["exp"]["out"]
    assert "itself" in into_dot["dot"]["out"]
    assert program.wire_check(target=["g", "wrt"])["x"]["out"] is None

    for end in (["nothing", "out"], ["x"], []):
        with pytest.raises(ProgramError):
            program.wire_check(source=end)


def test_what_an_op_is_made_of_blames_the_port_that_it_reads():
    sketch = Sketch().input("p", [[0.5, 0.5], [0.1, 0.9]], (None, 2))
    sketch.input("t", [0, 2], (None,), "int64")
    error = sketch.op("c", "categorical_crossentropy", {"predicted": "p", "truth": "t"}).error("c")
    assert error["port"] == "truth"
    assert error["message"] == "Index 2 is outside axis 1, which has length 2."
    assert "int64 of shape (2,)" in error["details"]
    error = (
        sketch.op("i", "matrix_inverse", {"x": "m"}).input("m", [[1, 2], [2, 4]], (2, 2)).error("i")
    )
    assert error["port"] == "x"
    assert "singular" in error["message"]


def test_cards_are_judged_by_whether_a_new_node_would_take_the_wire():
    sketch = Sketch().input("images", None, (None, 3, 8, 8)).input("v", None, (3,)).shared("w", 1.0)
    sketch.op("bits", "and_").put("up", "update").put("g", "gradient", {"cost": "w"})
    program = sketch.program

    takes_images = program.card_check(source=["images", "out"])
    assert not any(card["hidden"] for card in palette()["cards"] if card["id"] in takes_images)
    assert takes_images["conv2d"] == "input"
    assert takes_images["conv1d"] is takes_images["and_"] is takes_images["dscalar"] is None
    assert takes_images["join"] == "tensors.0"
    assert takes_images["gradient"] == "wrt"
    assert takes_images["optimiser"] is None
    # A condition is a scalar, whatever is wired into the branches.
    assert takes_images["ifelse"] == "then"
    takes_w = program.card_check(source=("w", "out"))
    assert takes_w["update"] == "target"
    assert takes_w["optimiser"] == takes_w["gradient"] == "cost"

    into_bits = program.card_check(target=["bits", "y"])
    assert into_bits["lvector"] == into_bits["input"] == into_bits["exp"] == "out"
    assert into_bits["dvector"] is into_bits["output"] is None
    assert {k for k, port in program.card_check(target=["up", "target"]).items() if port} == {
        "shared"
    }
    # Nothing new can be what a cost depends on already.
    assert not any(program.card_check(target=["g", "wrt"]).values())
    with pytest.raises(ProgramError):
        program.card_check()


def test_ports_that_are_left_open_may_have_types_of_their_own():
    sketch = Sketch().input("m", [[1.0]], (None, None)).input("v", [1.0], (None,))
    program = sketch.op("either", "ifelse").op("images", "conv2d").program
    from_m = program.wire_check(source=["m", "out"])
    assert from_m["either"]["then"] is from_m["either"]["other"] is None
    assert "4 axes" in from_m["images"]["input"]
    assert "2 as float64" in from_m["images"]["input"]


def test_variadic_ports_offer_their_next_slot():
    sketch = Sketch().input("x", [1], (None,)).input("m", [[1]], (None, None))
    program = sketch.op("j", "join", {"tensors.0": "x"}).program
    assert program.wire_check(source=["x", "out"])["j"] == {"tensors.0": None, "tensors.1": None}
    refused = program.wire_check(source=["m", "out"])["j"]
    assert refused["tensors.0"] is None
    assert "joined" in refused["tensors.1"]


@pytest.mark.parametrize("name", gallery.names())
def test_the_wires_of_a_good_graph_are_all_judged_fine(name):
    program = gallery_program(name)
    for edge in program.document.edges:
        verdict = program.wire_check(source=[edge.source, edge.out])[edge.target][edge.port]
        assert verdict is None, f"{edge}: {verdict}"
        verdict = program.wire_check(target=[edge.target, edge.port])[edge.source][edge.out]
        assert verdict is None, f"{edge}: {verdict}"


@pytest.mark.parametrize("card", palette()["cards"], ids=lambda card: card["id"])
def test_a_new_node_of_any_card_is_fine_or_says_what_it_lacks(card):
    parts = {"op": card["op"]} if card["op"] else {}
    parts |= {"name": "n"} if card["named"] else {}
    error = Sketch().put("n", card["kind"], params=card["preset"], **parts).node("n")["error"]
    assert error is None or "cannot be built" not in error["message"]


# --- any graph ------------------------------------------------------------------------------------

CARDS = [c for c in palette()["cards"] if c["id"] not in ("optimiser",)]
GIVEN = st.sampled_from([0, 1, -2.5, [1, 2], [[1, 2], [3, 4]], [], [[1]], True])
VALUES = st.one_of(st.none(), GIVEN)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Nodes of all sorts wired at random: most of them are wrong in some way."""
    cards = draw(st.lists(st.sampled_from(CARDS), min_size=1, max_size=9))
    sketch = Sketch()
    for i, card in enumerate(cards):
        params = dict(card["preset"])
        if "value" in params:
            params["value"] = draw(VALUES if card["kind"] == "input" else GIVEN)
        if params.get("shape"):
            params["shape"] = draw(st.sampled_from([[], [2], [2, 2], [1, 2]]))
        wires = {}
        for port in card["inputs"]:
            name = f"{port['name']}.0" if port["variadic"] else port["name"]
            if draw(st.integers(0, 5)):
                earlier = i and draw(st.integers(0, 9))
                wires[name] = f"n{draw(st.integers(0, (i if earlier else len(cards)) - 1))}"
        parts = {"op": card["op"]} if card["op"] else {}
        parts |= {"name": f"name{i}"} if card["named"] else {}
        sketch.put(f"n{i}", card["kind"], wires, params=params, **parts)
    return sketch.record


@given(graphs())
def test_no_graph_raises_when_it_is_reported_on(record):
    program = Program(parse(record))
    report = program.report()
    json.dumps(report, allow_nan=False)
    for node in report["nodes"].values():
        assert node["error"] is None or node["error"]["message"]
        for port, value in node["values"].items():
            assert value["dtype"] == node["types"][port]["dtype"]
            assert len(value["shape"]) == len(node["types"][port]["shape"])
    program.wire_check(source=["n0", "out"])
    program.wire_check(target=["n0", "x"])
    with contextlib.suppress(EngineError):
        program.call()
