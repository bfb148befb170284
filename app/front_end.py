"""Where the built browser program is, and what to say when it is not."""

from __future__ import annotations

import html
import re
from pathlib import Path

from app.errors import FrontEndError

INSTALLED = Path(__file__).parent / "static"
CHECKOUT = Path(__file__).parent.parent / "static"

BUILD = "Run `pip install .` in the checkout; it builds the front end and installs all of it."
ASSET = re.compile(r'(?:src|href)="/?(assets/[^"]+)"')


def folder() -> Path | None:
    """The folder with the built files: of the installed package, else of the checkout."""
    for place in (INSTALLED, CHECKOUT / "dist"):
        if (place / "index.html").is_file():
            return place
    return None


def page() -> str:
    """The page of the browser program; raises FrontEndError when it or a part of it is missing."""
    place = folder()
    if place is None:
        raise FrontEndError("The front end has not been built.", hint=BUILD)
    text = (place / "index.html").read_text(encoding="utf-8")
    for name in ASSET.findall(text):
        if not (place / name).is_file():
            raise FrontEndError(f"The built front end lacks {name}.", hint=BUILD)
    return text


def warning() -> str | None:
    """One sentence for the console when the page would not be what the sources say."""
    try:
        page()
    except FrontEndError as error:
        return str(error)
    place = folder()
    if place == CHECKOUT / "dist" and (CHECKOUT / "src").is_dir():
        built = (place / "index.html").stat().st_mtime
        if any(source.stat().st_mtime > built for source in (CHECKOUT / "src").rglob("*.ts*")):
            return f"The front end was built before its sources last changed. {BUILD}"
    return None


def apology(error: FrontEndError) -> str:
    """A page that says what is missing and what to do."""
    said = " ".join(html.escape(part) for part in (error.message, error.hint or ""))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Wiregrad</title>'
        f"<h1>Wiregrad is running, but its page is not there</h1><p>{said}</p></html>"
    )
