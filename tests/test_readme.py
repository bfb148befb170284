"""The README tells the truth: its Python runs, and its gallery is the gallery."""

from __future__ import annotations

import re
from pathlib import Path

from engine import gallery
from engine.expression import OPS
from engine.rewrite import RULES, STRICT
from tests.theano_names import FAMILIES, MISSING


def test_python_in_the_readme_runs(root: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.S)
    assert blocks
    exec(compile("\n".join(blocks), "README.md", "exec"), {})  # noqa: S102 -- our own text


def test_every_gallery_graph_is_in_the_readme(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert re.findall(r"^\| `([\w-]+)` \|", text, re.M)[: len(gallery.names())] == gallery.names()


def test_the_table_of_families_counts_what_is_there(root: Path) -> None:
    text = (root / "README.md").read_text()
    rows = re.findall(r"^\| ([\w ]+) \| (\d+) \| (\d+) \|", text, re.M)
    told = {family: (int(theano), int(here)) for family, theano, here in rows}
    counted = {
        family: (len(set(names)), len(set(names) - set(MISSING)))
        for family, names in FAMILIES.items()
    }
    assert {family: told.get(family) for family in counted} == counted
    total = sum(theano for theano, _ in counted.values())
    assert f"Of {total} public names" in text
    shown = {op.name for op in OPS.values() if not op.hidden}
    assert f"lists the {len(shown)} ops" in text


def test_laws_that_strict_leaves_out_are_in_the_readme(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert f"\n{len(RULES)} named laws" in text
    for tag in STRICT:
        named = sorted(rule.name for rule in RULES.values() if tag in rule.tags)
        row = re.search(rf"^\| `{tag}`, (\d+) \| [^|]+ \| (.*) \|$", text, re.M)
        assert row is not None, tag
        assert row[2] == " ".join(f"`{name}`" for name in named)
        assert int(row[1]) == len(named)
