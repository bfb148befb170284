"""Setting a node: an editor for each parameter, and what is wrong where it is wrong."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.editor import EditorPage


def field(editor: EditorPage, name: str) -> Locator:
    """The editor of a parameter."""
    return editor.at(f"param-{name}")


def typed(editor: EditorPage, card: str, value: str, y: float) -> str:
    """A variable with a value."""
    node = editor.drag_card(card, card, 120, y)
    editor.type_value(node, value)
    return node


def test_axes_are_those_of_the_tensor(editor: EditorPage) -> None:
    editor.open_empty()
    matrix = typed(editor, "dmatrix", "1 2\n3 4", 120)
    total = editor.drag_card("sum", "sum", 460, 120)
    field(editor, "axis").fill("1")  # before it is known how many there are
    editor.drag_wire((matrix, "out"), (total, "x"))
    editor.select(total)
    axes = field(editor, "axis").get_by_role("button")
    expect(axes).to_have_text(["all", "0", "1"])
    expect(editor.value(total)).to_have_text("37")
    axes.nth(1).click()
    expect(editor.value(total)).to_have_text("10")
    axes.nth(2).click()
    expect(editor.value(total)).to_have_text("46")
    expect(editor.node(total).locator(".card-settings")).to_have_text("axis=0")
    axes.nth(0).click()
    expect(editor.value(total)).to_have_text("10")
    expect(editor.node(total).locator(".card-settings")).to_have_count(0)


def test_a_parameter_goes_back_to_what_is_usual(editor: EditorPage) -> None:
    editor.open_empty()
    noise = editor.drag_card("random_normal", "random_normal", 300, 200)
    card = editor.node(noise)
    expect(card.locator(".card-settings")).to_have_count(0)
    expect(card.locator(".port-label.optional")).to_have_text(["avg0", "std1", "size()"])
    field(editor, "size").fill("2, 3")
    expect(card.locator(".port-typed")).to_have_text(["0", "1", "(2, 3)"])
    expect(editor.value(noise).locator("td")).to_have_count(6)
    field(editor, "seed").fill("-1")
    expect(editor.page.locator(".field-problem")).to_have_text("At least 0.")
    field(editor, "seed").fill("4")
    expect(card.locator(".card-settings")).to_have_text("seed=4")
    editor.page.get_by_role("button", name="back to 0").click()
    expect(card.locator(".card-settings")).to_have_count(0)


def test_the_servers_word_stands_at_the_field(editor: EditorPage) -> None:
    editor.open_empty()
    vector = typed(editor, "dvector", "1 2 3", 120)
    part = editor.drag_card("subtensor", "subtensor", 460, 120)
    editor.drag_wire((vector, "out"), (part, "x"))
    editor.select(part)
    field(editor, "index").fill("1::0")
    said = editor.page.locator(".param.wrong .field-problem")
    expect(said).to_contain_text("is no index")
    field(editor, "index").fill("1:")
    expect(said).to_have_count(0)
    expect(editor.node(part).locator(".card-settings")).to_have_text("[1:]")
    expect(editor.value(part)).to_have_text("23")
    field(editor, "index").fill("7")
    error = editor.page.locator(".inspector .callout.error")
    expect(error.locator("strong")).to_contain_text("7")
    error.get_by_text("Details").click()
    expect(error.locator("pre")).to_contain_text("float64 of shape (3,)")
    assert ".py" not in error.inner_text()


def test_complex_numbers_are_typed_as_they_are_written(editor: EditorPage) -> None:
    editor.open_empty()
    number = typed(editor, "zscalar", "3−4i", 120)
    size = editor.drag_card("abs", "abs", 460, 120)
    editor.drag_wire((number, "out"), (size, "x"))
    expect(editor.value(size)).to_have_text("5")
    editor.select(number)
    expect(field(editor, "value")).to_have_value("3−4i")


def test_float64_that_nobody_asked_for_is_marked(editor: EditorPage) -> None:
    editor.open_empty()
    whole = typed(editor, "ivector", "1 2", 120)
    single = typed(editor, "fvector", "1 2", 320)
    product = editor.drag_card("mul", "mul", 460, 200)
    editor.drag_wire((whole, "out"), (product, "x"))
    editor.drag_wire((single, "out"), (product, "y"))
    expect(editor.node(product)).to_have_class(re.compile("warned"))
    editor.node(product).locator(".symbol").hover()
    expect(editor.page.locator(".explanation.warning")).to_contain_text("Cast")
    editor.select(product)
    warning = editor.page.locator(".inspector .callout.warning")
    expect(warning).to_have_count(1)
    expect(warning).to_contain_text("float64")
