"""The palette: groups that fold, a search that knows other names, and what takes a wire."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from engine import document
from tests.browser.editor import EditorPage

PALETTE = document.palette()
OFFERED = [card for card in PALETTE["cards"] if not card["hidden"]]
LABELS = {card["id"]: card["label"] for card in PALETTE["cards"]}

# Chooses cards in the palette, one after the other, and gives what the inspector shows of each.
CHOOSE = """async (ids) => {
    const frame = () => new Promise(requestAnimationFrame);
    const seen = {};
    for (const id of ids) {
        document.querySelector(`[data-testid="palette-${id}"]`).click();
        await frame();
        await frame();
        const panel = document.querySelector(".inspector");
        const params = [...panel.querySelectorAll(".param")];
        const fields = [...panel.querySelectorAll("input, textarea")];
        seen[id] = {
            heading: panel.querySelector("h2")?.textContent,
            params: [...panel.querySelectorAll(".param label")].map((label) => label.textContent),
            editors: panel.querySelectorAll(".param :is(input, textarea, select, .switch, .axes)")
                .length,
            text: [...params.map((one) => one.textContent), ...fields.map((one) => one.value)]
                .join(" "),
            broken: document.querySelectorAll(".fence, .katex-error").length,
        };
    }
    return seen;
}"""
BATCH = 40


def unfold_everything(editor: EditorPage) -> None:
    """Open every group of the palette, and the one inside another."""
    for _ in ("shut", "open"):
        editor.at("fold-Variables").click(modifiers=["Alt"])
    editor.at("fold-Variables/types").click()
    expect(editor.page.locator(".palette .card-item")).to_have_count(len(OFFERED))


def test_every_card_can_be_put_on_the_canvas_and_set(editor: EditorPage) -> None:
    editor.open_empty()
    unfold_everything(editor)
    for start in range(0, len(OFFERED), BATCH):
        cards = {card["id"]: card for card in OFFERED[start : start + BATCH]}
        seen: dict[str, Any] = editor.page.evaluate(CHOOSE, list(cards))
        expect(editor.nodes).to_have_count(len(cards))
        editor.wait_until_stored()
        expect(editor.page.locator(".fence, .katex-error")).to_have_count(0)
        for name, card in cards.items():
            wanted = [p["name"].replace("_", " ") for p in card["params"]]
            wanted = ["name", *wanted] if card["named"] else wanted
            shown = seen[name]
            label = LABELS[card["op"] or card["kind"]]
            assert (shown["heading"], shown["params"]) == (label, wanted)
            assert shown["editors"] == len(wanted), name
            assert not shown["broken"], name
            assert not re.search(r"[{}]|\bnull\b|undefined|\[object", shown["text"]), name
        editor.at("canvas").press("Control+a")
        editor.press("Delete")
        expect(editor.nodes).to_have_count(0)


def test_hidden_cards_still_draw_their_nodes(editor: EditorPage) -> None:
    hidden = [card for card in PALETTE["cards"] if card["hidden"]]
    record = document.empty().edit(
        [
            {"path": ["nodes", f"n{i}"], "value": {"kind": card["kind"], "op": card["op"]}}
            for i, card in enumerate(hidden)
        ]
    )
    editor.open_empty()
    editor.drop_file("hidden.json", record.text())
    expect(editor.nodes).to_have_count(len(hidden))
    expect(editor.page.locator(".fence")).to_have_count(0)


def test_groups_fold_and_stay_as_they_were_left(editor: EditorPage) -> None:
    editor.open_empty()
    fold = editor.at("fold-Reductions")
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(fold).to_contain_text(str(sum(card["category"] == "Reductions" for card in OFFERED)))
    expect(editor.at("palette-mean")).to_have_count(0)
    fold.click()
    expect(editor.at("palette-mean")).to_be_visible()
    editor.at("fold-Variables").click()
    editor.page.reload()
    expect(editor.at("palette-mean")).to_be_visible()
    expect(editor.at("palette-input")).to_have_count(0)


def test_groups_fold_by_keyboard(editor: EditorPage) -> None:
    editor.open_empty()
    editor.press("/")
    expect(editor.at("palette-search")).to_be_focused()
    editor.press("ArrowLeft")  # from the first card to its group
    editor.press("ArrowLeft")
    expect(editor.at("fold-Variables")).to_have_attribute("aria-expanded", "false")
    editor.press("ArrowRight")
    expect(editor.at("palette-input")).to_be_visible()
    editor.press("ArrowDown")
    editor.press("Enter")
    expect(editor.nodes).to_have_count(1)


def test_another_librarys_name_is_found_and_shown(editor: EditorPage) -> None:
    editor.open_empty()
    found = editor.find_card("np.concatenate(", "join")
    expect(found).to_contain_text("concatenate")
    peek = editor.page.locator(".peek")
    expect(peek).to_contain_text("join(tensors, axis=0)")
    editor.at("palette-search").fill("sofmax")
    expect(editor.page.locator(".list-note")).to_have_text("Nothing is called that. Perhaps:")
    expect(editor.at("palette-softmax")).to_be_visible()


def test_a_wire_over_nothing_offers_what_takes_it(editor: EditorPage) -> None:
    editor.open_empty()
    images = editor.drag_card("dtensor4", "dtensor4", 160, 120)
    before = editor.ids()
    editor.hold_wire((images, "out"))
    editor.page.mouse.move(700, 420, steps=6)
    expect(editor.page.locator(".wire-hint")).to_contain_text("float64")
    editor.page.mouse.up()
    expect(editor.at("fold-unfit")).to_be_visible()
    editor.page.keyboard.type("conv")
    hits = editor.at("quick-add").locator(".card-item")
    expect(hits.first).to_have_attribute("data-testid", "quick-add-conv2d")
    expect(editor.at("quick-add-conv1d")).to_have_class(re.compile("unfit"))
    editor.press("Enter")
    convolution = editor.new_node(before)
    expect(editor.wires).to_have_count(1)
    expect(editor.port(convolution, "input")).to_have_class(re.compile("wired"))


def test_an_op_is_looked_up_in_the_reference(editor: EditorPage) -> None:
    editor.open_empty()
    editor.press("?")
    editor.at("tab-reference").click()
    editor.at("reference-search").fill("multiply")
    editor.press("ArrowDown")
    editor.press("ArrowUp")
    entry = editor.at("entry-mul")
    expect(entry).to_contain_text("It has a gradient.")
    expect(entry).to_contain_text("mul(x, y)")
    flat = next(card for card in OFFERED if card["no_gradient"])
    editor.at("reference-search").fill(flat["id"])
    expect(editor.at(f"entry-{flat['id']}")).to_contain_text(f"No gradient: {flat['no_gradient']}")
    editor.at("reference-search").fill("argmax")
    entry = editor.at("entry-argmax")
    expect(entry).to_contain_text("an axis, several, or all · default all axes")
    entry.get_by_role("button", name="Add to the graph").click()
    expect(editor.at("help")).to_have_count(0)
    expect(editor.nodes).to_have_count(1)
    editor.press("F1")
    expect(editor.at("entry-argmax")).to_be_visible()
    expect(editor.at("reference-argmax")).to_have_class(re.compile("active"))
    editor.at("reference-mean").click()
    expect(editor.at("entry-mean")).to_be_visible()
    expect(editor.at("reference-mean")).to_have_class(re.compile("active"))
