"""The gallery: graphs that come with Wiregrad, each to open, run and take apart."""

from __future__ import annotations

from importlib.resources import files

from engine.document import Document, parse
from engine.errors import DocumentError

NAMES = (
    "multiply",
    "several-outputs",
    "accumulator",
    "cube-gradient",
    "and-fixed",
    "and-trained",
    "xnor",
)
"""In the order of a first lesson; each is the file of that name."""


def names() -> list[str]:
    """The names of all graphs, the easiest first."""
    return list(NAMES)


def load(name: str) -> Document:
    """The graph of that name; DocumentError where there is none."""
    if name not in NAMES:
        raise DocumentError(
            f"The gallery has no graph called {name[:80]!r}.",
            expected=", ".join(NAMES),
            got=name[:80],
        )
    return parse(files(__name__).joinpath(f"{name}.json").read_text("utf-8"))
