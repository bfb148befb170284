"""A graph whose every text is an attack is shown as text, and nothing of it ever runs."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from engine import gallery
from tests.browser.editor import EditorPage

ATTACKS = [
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "<script>alert(1)</script>",
    r"\href{javascript:alert(1)}{x}",
    "${alert(1)}{{constructor.constructor('alert(1)')()}}",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_of_a_document_runs(editor: EditorPage, attack: str) -> None:
    document = json.loads(gallery.load("xnor").text())
    document |= {"title": attack, "summary": attack, "x-origin": attack}
    document["notes"] = {"note": {"text": attack, "at": [0, -200]}}
    for number, node in enumerate(document["nodes"].values()):
        if "name" in node:
            node["name"] = f"{attack} {number}"
    document["nodes"]["strange"] = {"kind": "op", "op": "no_such_op", "name": attack}
    editor.open_empty()
    editor.drop_file("hostile.json", json.dumps(document))
    expect(editor.at("title")).to_have_value(attack)
    assert editor.ids() == set(document["nodes"])
    expect(editor.node("x").locator(".name")).to_contain_text(attack)
    for node in ("x", "predictions", "w1", "strange"):
        editor.select(node)
        expect(editor.at("param-name").or_(editor.page.locator(".node-head"))).not_to_have_count(0)
    editor.press("Escape")
    editor.call()
    expect(editor.at("results")).to_contain_text(attack)
    editor.do("home")
    editor.at("tab-graphs").click()
    expect(editor.at("home")).to_contain_text(attack)
    assert editor.page.locator("img[onerror], svg[onload], script:not([src])").count() == 0
