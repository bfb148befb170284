"""The house rules that a tool can check, so that one command checks everything."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from engine.document import palette


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; if it fails, the test does too, with that text."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{command[1:]} says:\n{done.stdout}", pytrace=False)
    return done.stdout


def git(root: Path, *arguments: str) -> str:
    """What git prints about the checkout that the tests run in, whoever owns it."""
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    return run("git", "-c", f"safe.directory={root}", *arguments, cwd=root)


def tracked(root: Path) -> list[Path]:
    """Every file that belongs to the repository, new ones included."""
    names = git(root, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    return [root / name for name in names if (root / name).is_file()]


PYTHON_TOOLS = {
    "lint": ["-m", "ruff", "check", "--no-cache"],
    "format": ["-m", "ruff", "format", "--check", "--no-cache"],
    "types": ["-m", "mypy"],
    "floors": ["-c", "import sys; from importlinter.cli import lint_imports_command as c; c()"],
}


@pytest.mark.parametrize("tool", PYTHON_TOOLS)
def test_python_is_in_order(tool: str, root: Path) -> None:
    run(sys.executable, *PYTHON_TOOLS[tool], cwd=root)


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param("@biomejs/biome/bin/biome check", id="lint"),
        pytest.param("typescript/bin/tsc --noEmit", id="types"),
        pytest.param("vitest/vitest.mjs run", id="tests"),
    ],
)
def test_front_end_is_in_order(tool: str, root: Path, front_end: Path, node: Path) -> None:
    program, *arguments = tool.split()
    run(node, front_end.parent / "node_modules" / program, *arguments, cwd=root / "static")


def test_top_level_is_as_agreed(root: Path) -> None:
    agreed = {"app", "engine", "static", "tests", "pyproject.toml", "README.md", "LICENSE"}
    tops = {path.relative_to(root).parts[0] for path in tracked(root)}
    assert {top for top in tops if not top.startswith(".")} <= agreed


def test_every_file_is_named_for_what_it_is(root: Path) -> None:
    vague = re.compile(r"(^|[_.-])(utils?|helpers?|managers?|misc)([_.-]|$)|Manager", re.IGNORECASE)
    named = [path.relative_to(root) for path in tracked(root)]
    found = {str(path) for path in named if any(map(vague.search, path.parts))}
    assert found <= {"engine/scan_module/scan_utils.py"}  # Theano's users import from there


def test_nothing_built_is_committed(root: Path) -> None:
    assert git(root, "ls-files", "--cached", "--ignored", "--exclude-standard") == ""


def test_no_machine_path_in_the_history(root: Path) -> None:
    # Written in two halves, or this very line would be found.
    homes = [
        f"/{home}/" + rest for home, rest in [("root", "\\."), ("home", "[a-z]"), ("work", "main")]
    ]
    for path in homes:
        assert git(root, "log", "--all", "--oneline", "-G", path) == "", path
        assert git(root, "log", "--all", "--oneline", "-E", "--grep", path) == "", path


def test_browser_names_no_op(root: Path) -> None:
    # Words that the browser uses in a sense of its own: a verb, a scale, a type, an ARIA role.
    words = {"add", "complex", "log", "shape", "switch"}
    ops = {card["op"] for card in palette()["cards"] if card["op"]} - words
    quoted = re.compile(r"""(["'`])(\w+)\1""")
    named = {
        f"{path.relative_to(root)}: {word}"
        for path in tracked(root)
        if path.is_relative_to(root / "static/src") and path.suffix in {".ts", ".tsx"}
        for _, word in quoted.findall(path.read_text(encoding="utf-8"))
        if word in ops
    }
    assert named == set()


def test_lock_file_serves_every_platform(root: Path) -> None:
    locked = json.loads((root / "static/package-lock.json").read_text())["packages"]
    missing = {
        f"{name} of {place}"
        for place, package in locked.items()
        for name in package.get("optionalDependencies", {})
        if f"node_modules/{name}" not in locked and f"{place}/node_modules/{name}" not in locked
    }
    assert missing == set()


def test_both_halves_have_one_version(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    package = json.loads((root / "static/package.json").read_text())
    assert (package["version"], package["license"]) == (project["version"], project["license"])


def test_ci_runs_what_the_readme_says(root: Path) -> None:
    commands = re.findall(r"^```sh\n(.+?)\n```$", (root / "README.md").read_text(), re.M | re.S)
    assert (root / ".ci/run").read_text().splitlines()[-1] == commands[1]
