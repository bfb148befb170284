"""The README tells the truth: its Python runs, and its gallery is the gallery."""

from __future__ import annotations

import re
from pathlib import Path

from engine import gallery


def test_python_in_the_readme_runs(root: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.S)
    assert blocks
    exec(compile("\n".join(blocks), "README.md", "exec"), {})  # noqa: S102 -- our own text


def test_every_gallery_graph_is_in_the_readme(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert re.findall(r"^\| `([\w-]+)` \|", text, re.M)[: len(gallery.names())] == gallery.names()
