"""The wheel: what is in it, and that it works where nothing but it and its dependencies is."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.server import wiregrad


@pytest.fixture(scope="module")
def wheel(root: Path, front_end: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once with the tools that are installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *alone, "--wheel-dir", folder, root], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `wiregrad` command, in a fresh environment that borrows only the dependencies."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=os.name != "nt")
    binaries = place / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    there = ["--python", binaries / "python"]
    subprocess.run([*pip, *there, "install", "--no-index", "--no-deps", wheel], check=True)
    variables = {"base": str(place), "platbase": str(place)}
    site = Path(sysconfig.get_path("purelib", vars=variables))
    # A folder added by a .pth file has its own .pth files left alone, so that the checkout, where
    # it is installed in place, stays out of sight.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return binaries / "wiregrad"


def test_wheel_holds_the_product_and_nothing_else(wheel: Path, root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "app/static/index.html" in names
    assert any(name.startswith("app/static/assets/") and name.endswith(".js") for name in names)
    data = [*root.glob("engine/gallery/*.json"), *root.glob("app/storage/migrations/versions/*.py")]
    assert data
    assert {path.relative_to(root).as_posix() for path in data} <= names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"app", "engine"}


def test_a_folder_that_is_linked_to_is_not_emptied(
    hatch_build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, static = tmp_path / "shared", tmp_path / "static"
    for folder in (shared, static):
        folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        (static / name).write_text("{}")
    (static / "node_modules").symlink_to(shared)
    ran: list[str] = []
    monkeypatch.setattr(hatch_build, "npm", lambda static, *arguments: ran.append(arguments[0]))
    with pytest.raises(SystemExit, match=r"node_modules is a link to .*shared.*remove the link"):
        hatch_build.build(static)
    assert ran == []


def test_command_says_its_version(command: Path, tmp_path: Path) -> None:
    said = subprocess.check_output([command, "--version"], text=True, cwd=tmp_path)
    assert said.strip() == "wiregrad 0.1.0"


def test_command_lists_the_gallery(command: Path, root: Path, tmp_path: Path) -> None:
    said = subprocess.check_output([command, "list"], text=True, cwd=tmp_path)
    for path in root.glob("engine/gallery/*.json"):
        assert path.stem in said


def test_server_shows_the_page_from_the_wheel(command: Path, tmp_path: Path) -> None:
    with (
        wiregrad([str(command)], tmp_path, tmp_path / "data") as address,
        urllib.request.urlopen(address.partition("#")[0]) as page,
    ):
        assert '<div id="root">' in page.read().decode()
