"""A browser, a server and a page for the tests that need them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.editor import EditorPage
from tests.server import wiregrad

FLAGS = """
    --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync
"""

# As patient as a busy machine needs.
expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder drives a browser."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium(node: Path) -> Iterator[Browser]:
    """The machine's own Chromium, or the one that WIREGRAD_CHROMIUM names."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("WIREGRAD_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None and "CI" not in os.environ:
        pytest.skip("no Chromium here: install it, or name one in WIREGRAD_CHROMIUM")
    with pytest.MonkeyPatch.context() as patch:
        # Playwright's own Node wants a library that a bare Debian lacks.
        patch.setenv("PLAYWRIGHT_NODEJS_PATH", str(node))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
            yield browser
            browser.close()


@pytest.fixture(scope="session")
def address(root: Path, front_end: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one server for all tests; each test opens graphs of its own."""
    assert front_end.is_dir()
    command = [sys.executable, "-m", "app"]
    with wiregrad(command, root, tmp_path_factory.mktemp("data")) as address:
        yield address


@pytest.fixture
def editor(request: pytest.FixtureRequest, chromium: Browser, address: str) -> Iterator[EditorPage]:
    """A fresh visit, in the colour scheme that an indirect parameter names; it ends unblemished."""
    context = chromium.new_context(
        color_scheme=getattr(request, "param", "light"),
        viewport={"width": 1440, "height": 900},
        reduced_motion="reduce",
        accept_downloads=True,
        permissions=["clipboard-read", "clipboard-write"],
    )
    editor = EditorPage(context.new_page(), address)
    editor.visit()
    yield editor
    context.close()
    assert editor.complaints == []
