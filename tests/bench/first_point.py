"""How long from pressing Train to the first point on the chart, in a real browser.

    python tests/bench/first_point.py [rounds]

Opens the XNOR graph in Chromium, presses Train at once or after some seconds of looking at it, and
waits for the frame in which the page shows a step; cold with an empty kernel cache, warm with the
one that the cold round filled.  The server is fresh each time and compiles while one looks.
Prints medians and extremes.  Needs `chromium` (or WIREGRAD_CHROMIUM).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.server import wiregrad  # noqa: E402

FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update"
WAIT = """() => new Promise((done) => {
    const begun = performance.now();
    document.querySelector('[data-testid="cmd-train"]').click();
    const look = () => {
        const step = document.querySelector('[data-testid="run-step"]');
        if (step && parseInt(step.textContent) > 0) done(performance.now() - begun);
        else requestAnimationFrame(look);
    };
    look();
})"""


LOOKING = (0, 3)
"""Seconds that the graph is looked at before Train is pressed."""


def seconds(browser: Browser, cache: str, looking: int) -> float:
    """One round, with a server of its own."""
    os.environ["WIREGRAD_CACHE"] = cache
    command = (sys.executable, "-m", "app")
    with tempfile.TemporaryDirectory() as data, wiregrad(command, ROOT, Path(data)) as address:
        page = browser.new_page()
        page.goto(address)
        page.get_by_test_id("gallery-xnor").click()
        page.get_by_test_id("stored").get_by_text("Saved").wait_for()
        page.wait_for_timeout(1000 * looking)
        page.wait_for_selector('[data-testid="cmd-train"]:enabled')
        milliseconds: float = page.evaluate(WAIT)
        page.close()
    return milliseconds / 1000


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    times: dict[tuple[str, int], list[float]] = {}
    with sync_playwright() as playwright:
        program = os.environ.get("WIREGRAD_CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS.split())
        for _ in range(rounds):
            for looking in LOOKING:
                with tempfile.TemporaryDirectory() as cache:
                    for state in ("cold", "warm"):
                        found = seconds(browser, cache, looking)
                        times.setdefault((state, looking), []).append(found)
        browser.close()
    print("Train to the first point   median      min      max")
    for (state, looking), all_found in times.items():
        numbers = statistics.median(all_found), min(all_found), max(all_found)
        columns = " ".join(f"{n:7.3f} s" for n in numbers)
        print(f"{state}, pressed after {looking} s    {columns}")


if __name__ == "__main__":
    main()
