"""Building and changing a graph, with the mouse, with the keyboard alone, and as files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from engine import gallery
from tests.browser.editor import EditorPage, centre


def test_multiply_by_mouse(editor: EditorPage) -> None:
    editor.open_empty()
    a = editor.drag_card("dscalar", "dscalar", 120, 100)
    b = editor.drag_card("dscalar", "dscalar", 120, 320)
    product = editor.drag_card("multiply", "mul", 440, 200)
    editor.drag_wire((a, "out"), (product, "x"))
    editor.drag_wire((b, "out"), (product, "y"))
    expect(editor.wires).to_have_count(2)
    editor.type_value(a, "1.5")
    editor.type_value(b, "3")
    expect(editor.value(product)).to_have_text("4.5")


def test_refused_wire_says_why(editor: EditorPage) -> None:
    editor.open_gallery("cube-gradient")
    # A wire from the end of the graph back to its beginning would make a loop.
    editor.hold_wire(("derivative", "out"))
    port = editor.port("cubed", "x")
    expect(port).to_have_class(re.compile(r"\bshut\b"))
    editor.page.mouse.move(*centre(port), steps=8)
    expect(editor.page.locator(".wire-hint")).to_contain_text("loop")
    editor.page.mouse.up()
    expect(editor.page.locator(".notice")).to_contain_text("loop")
    expect(editor.wires).to_have_count(len(gallery.load("cube-gradient").edges))


def test_port_that_is_too_late_for_a_wire_names_the_node(editor: EditorPage) -> None:
    editor.open_empty()
    vector = editor.drag_card("dvector", "dvector", 120, 100)
    matrix = editor.drag_card("dmatrix", "dmatrix", 120, 320)
    dot = editor.drag_card("dot", "dot", 440, 200)
    editor.type_value(vector, "1 2 3")
    editor.type_value(matrix, "1 2\n3 4")
    editor.drag_wire((vector, "out"), (dot, "x"))
    editor.drag_wire((matrix, "out"), (dot, "y"))
    expect(editor.node(dot).locator(".card-error")).to_be_visible()
    expect(editor.at("problem-count")).to_have_text("1")
    editor.type_value(vector, "1 2")
    expect(editor.value(dot)).to_have_text("710")
    expect(editor.at("problem-count")).to_have_count(0)


def test_rename_undo_redo(editor: EditorPage) -> None:
    editor.open_gallery("cube-gradient")
    editor.select("x")
    editor.press("F2")
    editor.at("rename-x").fill("side")
    editor.press("Enter")
    name = editor.node("x").locator(".name")
    expect(name).to_have_text("side")
    editor.press("Control+z")
    expect(name).to_have_text("x")
    editor.press("Control+Shift+z")
    expect(name).to_have_text("side")
    editor.do("undo")
    expect(name).to_have_text("x")


def test_copy_paste_delete(editor: EditorPage) -> None:
    editor.open_gallery("cube-gradient")
    before = editor.ids()
    editor.press("Control+a")
    editor.press("Control+c")
    editor.press("Control+v")
    expect(editor.nodes).to_have_count(2 * len(before))
    expect(editor.wires).to_have_count(2 * len(gallery.load("cube-gradient").edges))
    # What was pasted is selected, so that one key takes it away again.
    editor.press("Delete")
    expect(editor.nodes).to_have_count(len(before))
    assert editor.ids() == before
    editor.press("Control+z")
    expect(editor.nodes).to_have_count(2 * len(before))


def test_palette_finds_nothing_politely(editor: EditorPage) -> None:
    editor.open_empty()
    editor.at("palette-search").fill("flux capacitor")
    expect(editor.page.get_by_text("Nothing is called that.")).to_be_visible()


def test_by_keyboard_alone(editor: EditorPage) -> None:
    editor.open_empty()
    for name, value in (("dscalar", "6"), ("dscalar", "7")):
        before = editor.ids()
        editor.press("a")
        editor.page.keyboard.type(name)
        editor.press("Enter")
        node = editor.new_node(before)
        editor.at("canvas").press("F2")
        editor.page.keyboard.type("ab"[len(before)])
        editor.press("Enter")
        editor.at(f"field-{node}").focus()
        editor.page.keyboard.type(value)
        editor.press("Enter")
    before = editor.ids()
    editor.at("canvas").press("a")
    editor.page.keyboard.type("multiply")
    editor.press("Enter")
    product = editor.new_node(before)
    for port, source in (("x", "a"), ("y", "b")):
        editor.press("w")
        editor.page.keyboard.type(f"into input {port}")
        editor.press("Enter")
        expect(editor.at("wire-picker")).to_contain_text(f"{source} · out")
        editor.page.keyboard.type(f"{source} · out")
        editor.press("Enter")
        expect(editor.at("wire-picker")).to_be_hidden()
    expect(editor.value(product)).to_have_text("42")
    before = editor.ids()
    editor.press("a")
    editor.page.keyboard.type("output")
    editor.press("Enter")
    result = editor.new_node(before)
    editor.press("w")
    expect(editor.at("wire-picker")).to_contain_text("mul · out")
    editor.page.keyboard.type("mul · out")
    editor.press("Enter")
    expect(editor.value(result)).to_have_text("42")
    editor.wait_until_stored()
    editor.press("Control+Enter")
    editor.press("Escape")
    expect(editor.at("results")).to_contain_text("42")


def test_drop_a_file(editor: EditorPage) -> None:
    editor.open_empty()
    graph = gallery.load("several-outputs")
    editor.drop_file("several.json", graph.text())
    expect(editor.at("title")).to_have_value(graph.title)
    expect(editor.nodes).to_have_count(len(graph.nodes))


@pytest.mark.parametrize(
    ("text", "says"),
    [("x = 1", "is not JSON"), ('{"format": "elsewhere", "version": 1}', "no Wiregrad graph")],
)
def test_drop_what_is_no_graph(editor: EditorPage, text: str, says: str) -> None:
    editor.open_gallery("multiply")
    editor.drop_file("other.json", text)
    expect(editor.page.locator(".notice")).to_contain_text(says)
    expect(editor.nodes).to_have_count(len(gallery.load("multiply").nodes))


def test_export_is_the_document(editor: EditorPage, tmp_path: Path) -> None:
    editor.open_gallery("cube-gradient")
    editor.type_value("x", "2.5")
    expected = gallery.load("cube-gradient").edit(
        [{"path": ["nodes", "x", "params", "value"], "value": 2.5}]
    )
    exported = editor.export(tmp_path)
    for part in ("format", "version", "name", "title", "nodes", "edges", "functions", "layout"):
        assert exported[part] == expected.data[part]


def test_edits_outlive_the_page(editor: EditorPage) -> None:
    editor.open_gallery("cube-gradient")
    editor.type_value("x", "5")
    expect(editor.value("slope")).to_have_text("75")
    editor.wait_until_stored()
    editor.page.reload()
    expect(editor.at("field-x")).to_have_value("5")
    expect(editor.value("slope")).to_have_text("75")
