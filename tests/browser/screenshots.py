"""Take the README's pictures from the running program.

    python tests/browser/screenshots.py

Opens XNOR in Chromium, trains it, and writes static/screenshots/xnor-light.png and -dark.png.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.browser.editor import EditorPage  # noqa: E402
from tests.server import wiregrad  # noqa: E402

FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update"


def main() -> None:
    """Take both pictures."""
    folder = ROOT / "static/screenshots"
    folder.mkdir(exist_ok=True)
    program = os.environ.get("WIREGRAD_CHROMIUM", "/usr/bin/chromium")
    with (
        tempfile.TemporaryDirectory() as data,
        wiregrad((sys.executable, "-m", "app"), ROOT, Path(data)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS.split())
        for scheme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": 1600, "height": 1000},
                color_scheme="light" if scheme == "light" else "dark",
            )
            editor = EditorPage(page, address)
            editor.visit()
            editor.open_gallery("xnor")
            editor.do("train")
            expect(editor.at("run-state")).to_have_text("Done", timeout=60_000)
            page.mouse.move(800, 120)
            page.wait_for_timeout(1000)
            page.screenshot(path=folder / f"xnor-{scheme}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
