"""Every graph of the gallery opens and computes, by day and by night."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from engine import gallery
from tests.browser.editor import EditorPage


@pytest.mark.parametrize("name", gallery.names())
@pytest.mark.parametrize("editor", ["light", "dark"], indirect=True)
def test_opens_without_a_problem(editor: EditorPage, name: str) -> None:
    graph = gallery.load(name)
    editor.open_gallery(name)
    expect(editor.at("title")).to_have_value(graph.title)
    assert editor.ids() == set(graph.nodes)
    expect(editor.wires).to_have_count(len(graph.edges))
    expect(editor.at("problem-count")).to_have_count(0)
    for node, facts in graph.nodes.items():
        if facts["kind"] == "output":
            expect(editor.value(node)).not_to_have_text("–")


@pytest.mark.parametrize("editor", ["dark"], indirect=True)
def test_theme_follows_the_system_and_the_button(editor: EditorPage) -> None:
    shade = "getComputedStyle(document.body).backgroundColor"
    dark = editor.page.evaluate(shade)
    editor.open_empty()
    editor.do("theme")
    editor.page.wait_for_function(f"{shade} !== '{dark}'")
    editor.do("theme")
    editor.page.wait_for_function(f"{shade} === '{dark}'")
