"""Training as the learner does it: press Train, watch, meddle, and read the truth table."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.editor import EditorPage


def numbers(text: str) -> list[float]:
    """All numbers in a text."""
    return [float(word) for word in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text)]


def train(editor: EditorPage, *, state: str) -> None:
    """Press Train and wait for a state."""
    editor.wait_until_stored()
    editor.do("train")
    expect(editor.at("run-state")).to_have_text(re.compile(f"^({state}|Failed|Lost)$"))
    assert editor.at("run-state").inner_text() == state, editor.page.locator(
        ".run-reason"
    ).all_inner_texts()


def step(editor: EditorPage) -> int:
    """The step that is shown."""
    return int(editor.at("run-step").inner_text().replace(",", "").replace("\u202f", ""))


def resting_step(editor: EditorPage) -> int:
    """The step that is shown once it has come to rest: the last frame may follow the pause."""
    shown = -1
    while shown != (shown := step(editor)):
        editor.page.wait_for_timeout(300)
    return shown


def test_xnor_learns_its_table(editor: EditorPage) -> None:
    editor.open_gallery("xnor")
    train(editor, state="Done")
    assert step(editor) == 30_000
    cells = editor.value("predictions").locator("td")
    assert [round(float(cell)) for cell in cells.all_inner_texts()] == [1, 0, 0, 1]
    # The curve is there to be read: its cost under the pointer, early and late.
    chart = editor.at("chart-cost").locator(".u-over")
    box = chart.bounding_box()
    assert box is not None
    read = []
    for place in (0.02, 0.98):
        chart.hover(position={"x": box["width"] * place, "y": box["height"] / 2})
        readout = editor.at("chart-cost").locator("output")
        expect(readout).to_contain_text("cost")
        read.append(numbers(readout.inner_text().replace(",", ""))[-1])
    assert read[0] > read[1] > 0


def test_pause_step_resume_stop_start_over(editor: EditorPage) -> None:
    editor.open_gallery("xnor")
    editor.at("speed").press("Home")  # one step in a second
    for _ in range(4):
        editor.at("speed").press("ArrowRight")
    expect(editor.at("speed-text")).to_contain_text("20")
    train(editor, state="Training")
    editor.do("train")
    expect(editor.at("run-state")).to_have_text("Paused")
    paused = resting_step(editor)
    editor.do("train_step")
    expect(editor.at("run-step")).to_have_text(str(paused + 1))
    expect(editor.at("run-state")).to_have_text("Paused")
    editor.do("train")
    expect(editor.at("run-state")).to_have_text("Training")
    expect(editor.at("run-step")).not_to_have_text(str(paused + 1))
    editor.at("speed").press("End")  # as fast as it goes
    expect(editor.at("speed-text")).to_have_text("unlimited")
    expect(editor.at("run-state")).to_have_text("Done")
    editor.do("train_reset")
    expect(editor.at("run-state")).to_have_count(0)
    editor.at("speed").press("Home")
    train(editor, state="Training")
    editor.do("train_stop")
    expect(editor.at("run-state")).to_have_text("Stopped")


def test_step_from_idle(editor: EditorPage) -> None:
    editor.open_gallery("xnor")
    editor.do("train_step")
    expect(editor.at("run-state")).to_have_text("Paused")
    expect(editor.at("run-step")).to_have_text("1")
    editor.do("train_stop")
    expect(editor.at("run-state")).to_have_text("Stopped")


def test_learning_rate_changes_while_it_runs(editor: EditorPage) -> None:
    editor.open_gallery("xnor")
    editor.at("speed").press("Home")
    for _ in range(4):
        editor.at("speed").press("ArrowRight")
    train(editor, state="Training")
    rate = editor.at("live-learning_rate")
    rate.fill("0")
    rate.press("Enter")
    # With a rate of nought the cost stands still, step after step.
    editor.wait_until_stored()
    reached = step(editor) + 5
    editor.page.wait_for_function(
        "least => Number(document.querySelector('[data-testid=run-step]').textContent) >= least",
        arg=reached,
    )
    editor.do("train")
    expect(editor.at("run-state")).to_have_text("Paused")
    paused = resting_step(editor)
    cost = editor.at("run-cost").inner_text()
    for before in (paused, paused + 1):
        editor.do("train_step")
        expect(editor.at("run-step")).to_have_text(str(before + 1))
        expect(editor.at("run-cost")).to_have_text(cost)
    editor.do("train_stop")
    expect(editor.at("run-state")).to_have_text("Stopped")


def test_reload_finds_the_run_again(editor: EditorPage) -> None:
    editor.open_gallery("xnor")
    train(editor, state="Done")
    cost = editor.at("run-cost").inner_text()
    editor.page.reload()
    expect(editor.at("run-state")).to_have_text("Done")
    expect(editor.at("run-cost")).to_have_text(cost)
