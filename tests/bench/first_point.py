"""How long from pressing Train to the first point on the chart, in a real browser.

    python tests/bench/first_point.py [rounds]

Opens the XNOR graph in Chromium, presses Train, and waits for the frame in which the page shows a
step and a cost; cold with an empty kernel cache, warm with the one that the cold round filled.
Prints the median, minimum and maximum of each.  Needs `chromium` (or WIREGRAD_CHROMIUM).
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

from tests.browser.server import wiregrad  # noqa: E402

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


def seconds(browser: Browser, cache: str) -> float:
    """One round, with a server of its own."""
    os.environ["WIREGRAD_CACHE"] = cache
    with tempfile.TemporaryDirectory() as data, wiregrad(ROOT, Path(data)) as address:
        page = browser.new_page()
        page.goto(address)
        page.get_by_test_id("gallery-xnor").click()
        page.get_by_test_id("stored").get_by_text("Saved").wait_for()
        milliseconds: float = page.evaluate(WAIT)
        page.close()
    return milliseconds / 1000


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    times: dict[str, list[float]] = {"cold": [], "warm": []}
    with sync_playwright() as playwright:
        program = os.environ.get("WIREGRAD_CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS.split())
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as cache:
                for state in times:
                    times[state].append(seconds(browser, cache))
        browser.close()
    print("Train to the first point   median      min      max")
    for state, found in times.items():
        low, middle, high = min(found), statistics.median(found), max(found)
        print(f"{state:24} {middle:7.3f} s {low:7.3f} s {high:7.3f} s")


if __name__ == "__main__":
    main()
