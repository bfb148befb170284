"""Graph documents: what is read, what is refused and why, how they change and are written."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import gallery
from engine.document import Document, empty, palette, parse, schema
from engine.document.cards import CATEGORIES
from engine.document.kinds import KINDS
from engine.document.migrations import migrate
from engine.document.reading import MAX_CHARACTERS
from engine.errors import DocumentError
from engine.expression import OPS
from engine.program.checks import op_params
from engine.types import PREFIXES

HEAD = {"format": "wiregrad", "version": 1}
SCALAR = {"kind": "input", "name": "x", "params": {"dtype": "float64", "shape": [], "value": 2}}


def document(**parts: Any) -> dict[str, Any]:
    return {**HEAD, **parts}


def wire(source: str, target: str, port: str, out: str = "out") -> dict[str, Any]:
    return {"from": [source, out], "to": [target, port]}


SMALL = document(
    name="small",
    title="Small",
    nodes={
        "x": SCALAR,
        "double": {"kind": "op", "op": "add", "params": {}},
        "y": {"kind": "output", "name": "y"},
    },
    edges=[wire("x", "double", "x"), wire("x", "double", "y"), wire("double", "y", "value")],
    functions={"double": {"inputs": ["x"], "outputs": ["y"], "updates": []}},
    layout={"x": [0, 0.5], "double": [240, 0], "y": [480, 0]},
    notes={"n1": {"text": "Two\nlines.", "at": [0, 200]}},
    view={"x": 0, "y": 0, "zoom": 1},
)


def with_nodes(**nodes: Any) -> dict[str, Any]:
    return document(nodes=nodes)


# --- reading ------------------------------------------------------------------------------------


def test_a_document_is_read_from_text_bytes_and_plain_values_alike():
    text = json.dumps(SMALL)
    assert parse(text) == parse(text.encode()) == parse(SMALL)
    assert parse(b"\xef\xbb\xbf" + text.encode()) == parse(SMALL)
    read = parse(SMALL)
    assert (read.name, read.title, list(read.nodes)) == ("small", "Small", ["x", "double", "y"])
    assert read.edges[0] == ("x", "out", "double", "x")


def test_what_is_left_out_is_filled_in():
    data = parse(HEAD).data
    assert data["nodes"] == data["functions"] == data["layout"] == {}
    assert data["edges"] == []


def test_a_document_does_not_change_with_the_values_it_was_read_from():
    source = json.loads(json.dumps(SMALL))
    read = parse(source)
    source["nodes"]["x"]["params"]["value"] = 99
    assert read.nodes["x"]["params"]["value"] == 2


def test_unknown_ops_and_x_keys_are_kept():
    source = with_nodes(q={"kind": "op", "op": "from_the_future", "params": {"k": {"deep": [1]}}})
    source |= {"x-author": {"name": "Ada"}, "$schema": "https://example.org/schema"}
    assert json.loads(parse(source).text()) | source == json.loads(parse(source).text())


BAD_TEXTS = {
    "nothing": "",
    "no JSON": "{",
    "no object": "[]",
    "another format": '{"format": "comfy"}',
    "NaN": '{"format": "wiregrad", "version": 1, "view": {"x": NaN}}',
    "infinity": '{"format": "wiregrad", "version": 1, "view": {"x": -Infinity}}',
    "a number above all floats": '{"format": "wiregrad", "version": 1, "x-n": 1e999}',
    "an integer above 64 bits": '{"format": "wiregrad", "version": 1, "x-n": 99999999999999999999}',
    "an endless integer": '{"format": "wiregrad", "version": 1, "x-n": %s}' % ("9" * 100_000),
    "the same key twice": '{"format": "wiregrad", "version": 1, "nodes": {}, "nodes": {}}',
    "half a character": '{"format": "wiregrad", "version": 1, "title": "\\ud800"}',
    "half a character in a key": '{"format": "wiregrad", "version": 1, "x-\\udfff": 1}',
    "__proto__": '{"format": "wiregrad", "version": 1, "nodes": {"__proto__": {}}}',
    "constructor": '{"format": "wiregrad", "version": 1, "x-a": [{"constructor": 1}]}',
    "prototype": '{"format": "wiregrad", "version": 1, "layout": {"prototype": [0, 0]}}',
    "too deep": f'{{"format": "wiregrad", "version": 1, "x-a": {"[" * 70 + "]" * 70}}}',
    "a nesting bomb": "[" * 200_000,
    "another nesting bomb": '{"a":' * 200_000,
    "too long": '{"format": "wiregrad", "version": 1, "x-a": "%s"}' % ("a" * MAX_CHARACTERS),
    "too many numbers": '{"format": "wiregrad", "version": 1, "x-a": [%s0]}' % ("0," * 1_000_001),
    "no version": '{"format": "wiregrad"}',
    "a version that is no number": '{"format": "wiregrad", "version": "1"}',
    "version true": '{"format": "wiregrad", "version": true}',
    "version 0": '{"format": "wiregrad", "version": 0}',
}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_bad_texts_are_refused_with_a_sentence(text):
    for source in (text, text.encode()):
        with pytest.raises(DocumentError, match=r"^[-A-Z'].*[.]"):
            parse(source)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(DocumentError, match="UTF-8"):
        parse(b"\xff\xfe\x00{")


def test_values_that_are_no_json_are_refused():
    loop: list[Any] = []
    loop.append(loop)
    for value in (float("nan"), float("inf"), {1: 2}, object(), b"bytes", {1, 2}, loop, "\ud800"):
        with pytest.raises(DocumentError):
            parse(document(**{"x-a": value}))


def test_a_small_value_that_unfolds_to_a_huge_one_is_stopped():
    bomb: list[Any] = [0]
    for _ in range(40):
        bomb = [bomb, bomb]
    with pytest.raises(DocumentError, match="large"):
        parse(document(**{"x-a": bomb}))


BAD_DOCUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": (document(colour="red"), "colour"),
    "unknown kind": (with_nodes(a={"kind": "python"}), "a kind: expected"),
    "no kind": (with_nodes(a={}), "'kind' is missing"),
    "node is no object": (with_nodes(a=3), "a: expected an object"),
    "kind is a list": (with_nodes(a={"kind": []}), "a kind"),
    "id with a space": (with_nodes(**{"a b": SCALAR}), "an id"),
    "id too long": (with_nodes(**{"a" * 33: SCALAR}), "an id"),
    "op without a name": (with_nodes(a={"kind": "op"}), "'op' is missing"),
    "op name with brackets": (with_nodes(a={"kind": "op", "op": "add()"}), "name of an op"),
    "unknown part of a node": (with_nodes(a={**SCALAR, "code": "import os"}), "'code' is unknown"),
    "unknown dtype": (with_nodes(a={"kind": "input", "params": {"dtype": "object"}}), "a dtype"),
    "unknown setting": (with_nodes(a={"kind": "update", "params": {"a": 1}}), "'a' is unknown"),
    "shape of floats": (with_nodes(a={"kind": "input", "params": {"shape": [1.5]}}), "a shape"),
    "negative shape": (with_nodes(a={"kind": "input", "params": {"shape": [-1]}}), "a shape"),
    "rank 9": (with_nodes(a={"kind": "input", "params": {"shape": [1] * 9}}), "at most 8"),
    "value of rank 9": (
        with_nodes(a={"kind": "input", "params": {"value": [[[[[[[[[1]]]]]]]]]}}),
        "nested",
    ),
    "value is text": (with_nodes(a={"kind": "constant", "params": {"value": "1"}}), "a number"),
    "value has text": (with_nodes(a={"kind": "constant", "params": {"value": [1, "1"]}}), "number"),
    "output without a name": (with_nodes(a={"kind": "output"}), "'name' is missing"),
    "shared without a name": (with_nodes(a={"kind": "shared"}), "'name' is missing"),
    "name with a line break": (with_nodes(a={**SCALAR, "name": "x\rimport os"}), "on one line"),
    "name with a separator": (with_nodes(a={**SCALAR, "name": "x\u2028y"}), "on one line"),
    "empty name": (with_nodes(a={**SCALAR, "name": ""}), "a name"),
    "title on two lines": (document(title="a\nb"), "title"),
    "name that is no slug": (document(name="../../etc"), "name"),
    "edge to nowhere": (
        document(nodes={"x": SCALAR}, edges=[wire("x", "q", "x")]),
        "no node|lacks the node 'q'",
    ),
    "two wires into one port": (
        {**SMALL, "edges": [wire("x", "y", "value"), wire("double", "y", "value")]},
        "two wires into 'value'",
    ),
    "edge without end": (document(edges=[{"from": ["x", "out"]}]), "'to' is missing"),
    "edge with a third end": (document(edges=[wire("x", "x", "a") | {"via": []}]), "'via'"),
    "function of nothing": (document(functions={"f": {"outputs": ["q"]}}), "'q'"),
    "function with the wrong kind": ({**SMALL, "functions": {"f": {"outputs": ["x"]}}}, "input"),
    "function with a node twice": ({**SMALL, "functions": {"f": {"outputs": ["y", "y"]}}}, "twice"),
    "training of nothing": ({**SMALL, "training": {"cost": "q"}}, "'q'"),
    "training an unknown function": ({**SMALL, "training": {"function": "g"}}, "'g'"),
    "batch without a size": ({**SMALL, "training": {"batch": {}}}, "'size' is missing"),
    "batch of no rows": ({**SMALL, "training": {"batch": {"size": 0}}}, "batch.size"),
    "batch of half a row": ({**SMALL, "training": {"batch": {"size": 0.5}}}, "whole number"),
    "batch with a word": ({**SMALL, "training": {"batch": {"size": 1, "order": 1}}}, "'order'"),
    "batch shuffled by a number": (
        {**SMALL, "training": {"batch": {"size": 1, "shuffle": 1}}},
        "true or false",
    ),
    "batch of an output": (
        {**SMALL, "training": {"batch": {"size": 1, "inputs": ["y"]}}},
        "batch names 'y' among its inputs, but there is a node of kind output",
    ),
    "batch with a node twice": (
        {**SMALL, "training": {"batch": {"size": 1, "inputs": ["x", "x"]}}},
        "twice",
    ),
    "no steps": ({**SMALL, "training": {"steps": 0}}, "steps"),
    "layout of one number": (document(layout={"x": [0]}), "a list of 2"),
    "too many nodes": (with_nodes(**{f"n{i}": SCALAR for i in range(10_001)}), "at most 10000"),
}


@pytest.mark.parametrize(("source", "message"), BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS)
def test_bad_documents_are_refused_and_the_error_says_where(source, message):
    with pytest.raises(DocumentError, match=message):
        parse(source)


def test_errors_point_at_node_and_port_and_say_what_was_expected():
    with pytest.raises(DocumentError) as caught:
        parse(with_nodes(a={"kind": "input", "name": "speed", "params": {"dtype": "float99"}}))
    error = caught.value.to_json()
    assert (error["kind"], error["node"], error["port"]) == ("document", "a", "dtype")
    assert "speed" in error["message"]
    assert "float64" in error["expected"]
    assert error["got"] == "'float99'"


def test_names_are_only_names():
    for name in ("__class__", "𝐞𝐯𝐚𝐥", '"""', "x; import os", "\\", "import", "<script>", "None"):
        read = parse(with_nodes(a={**SCALAR, "name": name}))
        assert parse(read.text()).nodes["a"]["name"] == name


# --- versions -------------------------------------------------------------------------------------


def test_a_newer_version_is_refused_with_advice():
    with pytest.raises(DocumentError, match=r"newer Wiregrad.*version 2") as caught:
        parse({**SMALL, "version": 2, "something": "new"})
    assert "Update" in caught.value.hint


def test_older_versions_are_migrated_step_by_step():
    steps = {
        1: lambda r: {**r, "nodes": r["vertices"]},
        2: lambda r: {key: value for key, value in r.items() if key != "vertices"},
    }
    old = {"format": "wiregrad", "version": 1, "vertices": {"x": SCALAR}}
    new = migrate(old, steps, newest=3)
    assert new == {"format": "wiregrad", "version": 3, "nodes": {"x": SCALAR}}
    assert old["version"] == 1


# --- writing --------------------------------------------------------------------------------------


def test_the_canonical_text_is_sorted_and_keeps_a_node_together():
    assert parse(SMALL).text() == (
        """{
  "blocks": {},
  "edges": [
    {"from": ["x", "out"], "to": ["double", "x"]},
    {"from": ["x", "out"], "to": ["double", "y"]},
    {"from": ["double", "out"], "to": ["y", "value"]}
  ],
  "format": "wiregrad",
  "functions": {
    "double": {"inputs": ["x"], "outputs": ["y"], "updates": []}
  },
  "layout": {
    "double": [240, 0],
    "x": [0, 0.5],
    "y": [480, 0]
  },
  "name": "small",
  "nodes": {
    "double": {"kind": "op", "op": "add", "params": {}},
    "x": {"kind": "input", "name": "x", "params": {"dtype": "float64", "shape": [], "value": 2}},
    "y": {"kind": "output", "name": "y"}
  },
  "notes": {
    "n1": {"at": [0, 200], "text": "Two\\nlines."}
  },
  "summary": "",
  "title": "Small",
  "version": 1,
  "view": {
    "x": 0,
    "y": 0,
    "zoom": 1
  }
}
"""
    )


def test_the_order_of_what_was_read_does_not_matter():
    turned = {key: SMALL[key] for key in reversed(SMALL)}
    turned["edges"] = SMALL["edges"][::-1]
    turned["nodes"] = dict(reversed(SMALL["nodes"].items()))
    assert parse(turned).text() == parse(SMALL).text()


def test_what_could_not_be_read_again_is_not_accepted():
    rows = [[i] for i in range(330_000)]
    source = with_nodes(a={"kind": "input", "params": {"shape": [None, 1], "value": rows}})
    assert len(json.dumps(source)) < MAX_CHARACTERS
    with pytest.raises(DocumentError, match="large"):
        parse(source)


FINITE = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = st.one_of(FINITE, st.integers(-(2**63), 2**64 - 1), st.booleans())
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=64)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True).filter(
    lambda s: s not in ("__proto__", "constructor", "prototype")
)
ANYTHING = st.recursive(
    st.one_of(st.none(), NUMBERS, NAMES),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(NAMES.filter(lambda s: s[0] != "_" and
        s not in ("constructor", "prototype")), inner)),
    max_leaves=20,
)  # fmt: skip
NODES = st.one_of(
    st.builds(
        lambda name, value: {"kind": "input", "name": name, "params": {"value": value}},
        NAMES,
        st.one_of(NUMBERS, st.lists(NUMBERS), st.lists(st.lists(NUMBERS, max_size=3), max_size=3)),
    ),
    st.builds(
        lambda op, value: {"kind": "op", "op": op, "params": {"p": value}},
        st.from_regex(r"[a-z]{1,9}", fullmatch=True),
        ANYTHING,
    ),
    st.builds(lambda name: {"kind": "output", "name": name}, NAMES),
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    nodes = draw(st.dictionaries(IDS, NODES, max_size=6))
    ids = st.sampled_from(sorted(nodes)) if nodes else st.nothing()
    ends = st.tuples(ids, st.sampled_from(["x", "y", "tensors.0"]), ids)
    wires = {(b, p): a for a, p, b in draw(st.lists(ends, max_size=6))} if nodes else {}
    return document(
        title=draw(NAMES),
        nodes=nodes,
        edges=[wire(a, b, p) for (b, p), a in wires.items()],
        layout={n: draw(st.tuples(st.integers(-9999, 9999), FINITE.map(lambda f: f % 1e6)))
                for n in nodes},
        **{"x-extra": draw(ANYTHING)},
    )  # fmt: skip


@given(documents())
def test_canonical_text_comes_back_exactly(source):
    read = parse(source)
    again = parse(read.text())
    assert again.text() == read.text()
    assert again.data["nodes"] == read.data["nodes"]
    assert again.data["x-extra"] == read.data["x-extra"]


@given(st.one_of(ANYTHING, st.dictionaries(st.sampled_from(sorted(SMALL)), ANYTHING)))
def test_no_value_raises_anything_but_a_document_error(value):
    with contextlib.suppress(DocumentError):
        parse({**SMALL, **value} if isinstance(value, dict) else value)


# --- edits ----------------------------------------------------------------------------------------


def edit(source: dict[str, Any], *patches: dict[str, Any]) -> Document:
    return parse(source).edit(patches)


def test_an_edit_gives_a_changed_copy():
    old = parse(SMALL)
    new = old.edit(
        [
            {"path": ["nodes", "x", "params", "value"], "value": 7},
            {"path": ["nodes", "z"], "value": SCALAR},
            {"path": ["nodes", "z", "name"], "value": "z"},
            {"path": ["layout", "z"], "value": [0, 300]},
            {"path": ["view"]},
        ]
    )
    assert (old.nodes["x"]["params"]["value"], new.nodes["x"]["params"]["value"]) == (2, 7)
    assert "z" not in old.nodes
    assert new.nodes["z"]["name"] == "z"
    assert SCALAR["name"] == "x"
    assert "view" in old.data
    assert "view" not in new.data


def test_settings_can_be_set_where_there_were_none():
    new = edit(SMALL, {"path": ["nodes", "y", "params"], "value": {}},
               {"path": ["training", "cost"], "value": "y"})  # fmt: skip
    assert new.data["training"] == {"cost": "y"}


def test_removing_what_is_not_there_changes_nothing():
    assert edit(SMALL, {"path": ["layout", "gone"]}) == parse(SMALL)


@pytest.mark.parametrize(
    ("patch", "node", "message"),
    [
        ({"path": ["nodes", "double"]}, "double", "lacks the node 'double'"),
        ({"path": ["nodes", "gone", "name"], "value": "a"}, "gone", "no node 'gone'"),
        ({"path": ["nodes", "y", "name"]}, "y", "'name' is missing"),
        ({"path": ["nodes", "x", "params", "value"], "value": "7"}, "x", "expected a number"),
        ({"path": ["edges", "0"], "value": {}}, None, "as a whole"),
        ({"path": ["edges"], "value": []} | {"path": []}, None, "path"),
        ({"path": "nodes"}, None, "path"),
        ({"path": ["nodes", 3]}, None, "path"),
        ({}, None, "path"),
        ({"path": ["x-a"] * 65, "value": 1}, None, "path"),
        ({"path": ["x-a"] * 64, "value": [[1]]}, None, "deep"),
        ({"path": ["x-a", "__proto__"], "value": 1}, None, "__proto__"),
        ({"path": ["version"], "value": 2}, None, "version"),
        ({"path": ["format"]}, None, "'format' is missing"),
    ],
)
def test_edits_that_would_break_the_document_are_refused(patch, node, message):
    old = parse(SMALL)
    with pytest.raises(DocumentError, match=message) as caught:
        old.edit([{"path": ["title"], "value": "changed"}, patch])
    assert caught.value.node == node
    assert old == parse(SMALL)


def test_an_emptied_collection_is_as_good_as_a_missing_one():
    assert edit(HEAD, {"path": ["nodes"]}).text() == parse(HEAD).text()


# --- schema ---------------------------------------------------------------------------------------


VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_schema_is_a_schema_and_takes_what_is_read():
    jsonschema.Draft202012Validator.check_schema(schema())
    json.dumps(schema(), allow_nan=False)
    for source in (
        SMALL,
        HEAD,
        dict(empty().data),
        *(gallery.load(n).data for n in gallery.names()),
    ):
        VALIDATOR.validate(source)
    VALIDATOR.validate({**SMALL, "x-more": [1], "$schema": "https://example.org"})


BEYOND_A_SCHEMA = (
    "edge to nowhere",
    "two wires into one port",
    "function of nothing",
    "function with the wrong kind",
    "function with a node twice",
    "training of nothing",
    "batch of an output",
    "batch with a node twice",
    "training an unknown function",
)


@pytest.mark.parametrize("case", [c for c in BAD_DOCUMENTS if c not in BEYOND_A_SCHEMA])
def test_the_schema_refuses_what_reading_refuses(case):
    assert not VALIDATOR.is_valid(BAD_DOCUMENTS[case][0])


# --- palette --------------------------------------------------------------------------------------


CARDS = {card["id"]: card for card in palette()["cards"]}


def test_there_is_a_card_for_every_kind_op_and_typed_constructor():
    assert set(KINDS) <= set(CARDS)
    assert {op.name for op in OPS.values()} <= {card["op"] for card in CARDS.values()}
    for letter, dtype in PREFIXES.items():
        for shape in ("scalar", "vector", "row", "col", "matrix", "tensor3", "tensor4"):
            assert CARDS[letter + shape]["preset"]["dtype"] == dtype
    assert len(CARDS) == len(palette()["cards"])


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_card_is_documented_and_its_node_is_a_good_one(card):
    assert card["doc"].endswith(".")
    assert card["label"]
    assert card["symbol"]
    assert card["category"] in CATEGORIES
    assert card["hidden"] or card["category"] in palette()["categories"]
    json.dumps(card, allow_nan=False)
    node = {"kind": card["kind"], "params": card["preset"]}
    node |= {"op": card["op"]} if card["op"] else {}
    node |= {"name": "n"} if card["named"] else {}
    parse(with_nodes(n=node))
    if card["op"]:
        op_params(OPS[card["op"]], card["preset"])


def test_a_card_says_how_python_calls_the_op_and_whether_it_has_a_gradient():
    assert CARDS["argmax"]["signature"] == "argmax(x, axis=None, keepdims=False)"
    # The state that it draws from is the node's own.
    assert CARDS["random_bernoulli"]["signature"].startswith("random_bernoulli(p=")
    assert CARDS["exp"]["no_gradient"] is None
    assert CARDS["argmax"]["no_gradient"] == OPS["argmax"].no_grad
    assert CARDS["dmatrix"]["signature"] is CARDS["dmatrix"]["no_gradient"] is None


def test_the_palette_can_be_changed_by_whoever_asked_for_it():
    palette()["cards"][0]["label"] = "changed"
    assert palette()["cards"][0]["label"] != "changed"
