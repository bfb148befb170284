"""The editor as a person has it: cards, ports, fields, keys, and what the page says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect


class EditorPage:
    """The page of one graph, driven by mouse and keyboard alone.

    `complaints` holds whatever must never happen: errors of the console (refusals of the content
    security policy are among them) and of scripts, dialogs, and answers that are no success.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        page.on("response", self._look)
        page.on("dialog", self._close)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console {message.type}: {message.text}")

    def _look(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} for {response.url}")

    def _close(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    # --- opening -----------------------------------------------------------------------------

    def visit(self) -> None:
        """Come in by the printed address, which shows the gallery."""
        self.page.goto(self.address)
        expect(self.at("home")).to_be_visible()

    def open_gallery(self, name: str) -> None:
        """Open an example from the gallery."""
        if not self.at("home").is_visible():
            self.do("home")
        self.at(f"gallery-{name}").click()
        expect(self.at("home")).to_be_hidden()
        self.wait_until_stored()

    def open_empty(self) -> None:
        """Open an empty canvas."""
        if not self.at("home").is_visible():
            self.do("home")
        self.at("new-graph").click()
        expect(self.at("home")).to_be_hidden()
        expect(self.nodes).to_have_count(0)

    def drop_file(self, name: str, text: str) -> None:
        """Drop a file on the canvas."""
        transfer = self.page.evaluate_handle(
            """([name, text]) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([text], name, { type: "application/json" }));
                return transfer;
            }""",
            [name, text],
        )
        for event in ("dragover", "drop"):
            self.at("canvas").dispatch_event(event, {"dataTransfer": transfer})

    def export(self, folder: Path) -> dict[str, Any]:
        """Download the graph and read the file."""
        with self.page.expect_download() as download:
            self.do("export")
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return document

    # --- finding -----------------------------------------------------------------------------

    def at(self, hook: str) -> Locator:
        """The element with this `data-testid`."""
        return self.page.get_by_test_id(hook)

    def node(self, node: str) -> Locator:
        """The card of a node on the canvas."""
        return self.at(f"node-{node}")

    def value(self, node: str) -> Locator:
        """What a node came to, as its card shows it."""
        return self.at(f"value-{node}")

    def port(self, node: str, port: str) -> Locator:
        """A port of a node."""
        return self.at(f"port-{node}-{port}")

    @property
    def nodes(self) -> Locator:
        """All cards on the canvas."""
        return self.page.locator('[data-testid^="node-"]')

    @property
    def wires(self) -> Locator:
        """All wires on the canvas."""
        return self.page.locator(".react-flow__edge")

    def ids(self) -> set[str]:
        """The ids of all nodes on the canvas."""
        hooks = self.nodes.evaluate_all("cards => cards.map((card) => card.dataset.testid)")
        return {hook.removeprefix("node-") for hook in hooks}

    # --- doing -------------------------------------------------------------------------------

    def do(self, command: str) -> None:
        """Press the button of a command."""
        self.at(f"cmd-{command}").first.click()

    def press(self, keys: str) -> None:
        """Press a shortcut."""
        self.page.keyboard.press(keys)

    def find_card(self, words: str, card: str) -> Locator:
        """Search the palette; gives the card that is then there."""
        self.at("palette-search").fill(words)
        found = self.at(f"palette-{card}")
        expect(found).to_be_visible()
        return found

    def drag_card(self, words: str, card: str, x: float, y: float) -> str:
        """Drag a card from the palette to a place on the canvas; gives the new node's id."""
        before = self.ids()
        self.find_card(words, card).drag_to(self.at("canvas"), target_position={"x": x, "y": y})
        return self.new_node(before)

    def new_node(self, before: set[str]) -> str:
        """The id of the one node that was not there before."""
        expect(self.nodes).to_have_count(len(before) + 1)
        (new,) = self.ids() - before
        return new

    def drag_wire(self, source: tuple[str, str], target: tuple[str, str]) -> None:
        """Draw a wire with the mouse from one port to another."""
        self.hold_wire(source)
        self.page.mouse.move(*centre(self.port(*target)), steps=8)
        self.page.mouse.up()

    def hold_wire(self, source: tuple[str, str]) -> None:
        """Pick a wire up at a port, and keep the mouse button down."""
        x, y = centre(self.port(*source))
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 12, y + 12, steps=3)
        expect(self.page.locator(".port.held")).to_have_count(1)

    def type_value(self, node: str, text: str) -> None:
        """Type the value of an input or a constant into its card."""
        field = self.at(f"field-{node}")
        field.fill(text)
        field.press("Enter")

    def select(self, node: str) -> None:
        """Click the head of a card."""
        self.node(node).locator(".symbol").first.click()

    def wait_until_stored(self) -> None:
        """Wait until the server has acknowledged every edit."""
        expect(self.at("stored")).to_have_text("Saved")

    def call(self) -> None:
        """Press Call."""
        self.wait_until_stored()
        self.do("call")


def centre(element: Locator) -> tuple[float, float]:
    """The middle of an element on the page."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    assert box is not None, "the element is not on the page"
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
