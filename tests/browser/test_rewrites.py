"""The film of rewrites: its steps are read, played and filtered, and it follows the graph."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.editor import EditorPage


def open_film(editor: EditorPage, name: str) -> int:
    """Open a graph and its film; gives how many steps it has."""
    editor.open_gallery(name)
    editor.press("r")
    expect(editor.at("film-steps")).to_be_visible()
    return int(editor.at("film-steps").inner_text())


def lit(editor: EditorPage) -> Locator:
    """The cards that the chosen step is about."""
    return editor.page.locator(".card.lit")


def test_xnor_is_played_to_its_end_and_strictly(editor: EditorPage) -> None:
    count = open_film(editor, "xnor")
    place = editor.at("film-place")
    expect(place).to_have_text(f"0 / {count}")
    expect(editor.at("film-facts")).to_contain_text("merge equal nodes")
    expect(lit(editor)).to_have_count(0)
    editor.press("ArrowRight")
    expect(place).to_have_text(f"1 / {count}")
    expect(editor.at("film-facts")).to_contain_text("merge equal nodes")
    expect(lit(editor)).not_to_have_count(0)
    editor.press("ArrowRight")
    editor.press("ArrowLeft")
    expect(editor.at("film-step-0")).to_have_attribute("aria-selected", "true")
    editor.do("film_play")
    expect(place).to_have_text(f"{count} / {count}")
    expect(editor.at("film-facts")).to_contain_text("slope of crossentropy")
    expect(editor.at("film-facts").locator(".katex-error")).to_have_count(0)
    # The last step leads to where the head says that the film leads.
    nodes = editor.at("film-nodes").inner_text().split(" → ")
    expect(editor.at("film-facts").get_by_text(re.compile(rf"→ {nodes[1]}$")).first).to_be_visible()

    editor.at("film-slider").press("Home")
    expect(place).to_have_text(f"0 / {count}")
    hiding = editor.at("film-list").locator(".film-tag.hiding")
    expect(hiding).not_to_have_count(0)
    editor.at("film-strict").click()
    expect(editor.at("film-steps")).not_to_have_text(str(count))
    expect(editor.at("film-strict")).to_be_checked()
    fewer = int(editor.at("film-steps").inner_text())
    editor.at("film-slider").press("End")
    expect(place).to_have_text(f"{fewer} / {fewer}")
    expect(hiding).to_have_count(0)
    editor.press("Control+z")
    expect(editor.at("film-strict")).not_to_be_checked()
    expect(editor.at("film-steps")).to_have_text(str(count))
    editor.press("r")
    expect(editor.at("rewrites")).to_have_count(0)


def test_strictness_is_kept_with_the_graph(editor: EditorPage) -> None:
    open_film(editor, "xnor")
    editor.at("film-strict").click()
    expect(editor.at("film-strict")).to_be_checked()
    editor.wait_until_stored()
    editor.page.reload()
    expect(editor.at("film-strict")).to_be_checked()
    expect(editor.at("film-steps")).to_be_visible()


def test_steps_are_found_by_phase_and_words(editor: EditorPage) -> None:
    count = open_film(editor, "xnor")
    steps = editor.at("film-list").get_by_role("option")
    editor.at("film-phase").select_option("merge")
    expect(steps.first).to_contain_text("merge")
    for step in steps.all():
        expect(step.locator(".film-phase")).to_have_text("merge")
    editor.at("film-phase").select_option("")
    editor.at("film-words").fill("log_of_sigmoid")
    expect(editor.at("film-place")).to_have_text("0 / 2")
    expect(steps).to_have_count(2)
    steps.first.click()
    expect(editor.at("film-facts")).to_contain_text("log of sigmoid")
    editor.at("film-words").fill("no such law")
    expect(editor.at("film-empty")).to_contain_text("No step is like that.")
    editor.at("film-words").fill("")
    expect(editor.at("film-place")).to_have_text(re.compile(rf"/ {count}$"))


def test_the_film_of_an_older_graph_says_so(editor: EditorPage) -> None:
    open_film(editor, "cube-gradient")
    outdated = editor.at("film-outdated")
    expect(outdated).to_have_count(0)
    editor.select("x")
    editor.press("F2")
    editor.at("rename-x").fill("edge")
    editor.press("Enter")
    expect(outdated).to_be_visible()
    expect(editor.at("film-list")).not_to_contain_text("edge")
    editor.do("film_again")
    expect(outdated).to_have_count(0)
    expect(editor.at("film-list")).to_contain_text("edge")


def test_there_may_be_nothing_to_rewrite(editor: EditorPage) -> None:
    open_film(editor, "multiply")
    expect(editor.at("film-empty")).to_contain_text("Nothing to rewrite.")
    expect(editor.at("cmd-film_play")).to_be_disabled()


def test_a_broken_graph_keeps_its_film_and_says_why(editor: EditorPage) -> None:
    count = open_film(editor, "cube-gradient")
    editor.page.locator(".react-flow__edge").first.click(force=True)
    editor.press("Delete")
    expect(editor.at("film-outdated")).to_be_visible()
    editor.do("film_again")
    failure = editor.at("film-failure")
    expect(failure).to_be_visible()
    expect(editor.at("film-steps")).to_have_text(str(count))
    # What is undone is the graph of the film again.
    editor.press("Control+z")
    expect(failure).to_have_count(0)
    expect(editor.at("film-outdated")).to_have_count(0)
    expect(editor.at("film-steps")).to_have_text(str(count))


def test_an_empty_graph_has_no_film(editor: EditorPage) -> None:
    editor.open_empty()
    editor.press("r")
    expect(editor.at("film-failure")).to_be_visible()
    expect(editor.at("film-steps")).to_have_count(0)
