"""Values on the canvas and the results of calls."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.editor import EditorPage


def test_gradient_of_the_cube(editor: EditorPage) -> None:
    editor.open_gallery("cube-gradient")
    editor.type_value("x", "4")
    expect(editor.value("derivative")).to_have_text("48")
    editor.call()
    expect(editor.at("result-slope")).to_have_text("48")
    expect(editor.at("result-cube")).to_have_text("64")


def test_accumulator_answers_from_before_and_keeps_the_sum(editor: EditorPage) -> None:
    editor.open_gallery("accumulator")
    for value, answer, held in ((3, 0, 3), (5, 9, 8), (6, 64, 14)):
        editor.type_value("x", str(value))
        editor.call()
        expect(editor.at("result-square")).to_have_text(str(answer))
        expect(editor.value("total")).to_have_text(str(held))
    editor.do("reset")
    expect(editor.value("total")).to_have_text("0")
