"""Object code on disk: every kernel is compiled once on a computer, not once in a process.

A file is named by a hash of all that went into it.  It is written elsewhere and then moved into
place, so that a reader finds all of it or nothing; it carries a checksum, and one that does not
hold is as good as absent.  The folder may be deleted at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from weakref import WeakValueDictionary

from engine.codegen.cpu.machine import Loaded, host

FORMAT = b"wiregrad-kernel-1\n"

_loaded: WeakValueDictionary[str, Loaded] = WeakValueDictionary()


def folder() -> Path:
    """Where kernels are kept: in WIREGRAD_CACHE, or where the system keeps caches."""
    chosen = os.environ.get("WIREGRAD_CACHE")
    if chosen:
        return Path(chosen) / "kernels"
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("wiregrad")) / "kernels"


@cache
def _environment() -> str:
    return "\n".join((_generator(), version("numba"), version("llvmlite"), *host()))


def _generator() -> str:
    """A hash of the code generator itself: what another version of it wrote is not ours."""
    digest = sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def key(*parts: str) -> str:
    """The name of a piece of object code: a hash of its source, its compiler and its processor."""
    return sha256("\0".join((FORMAT.decode(), _environment(), *parts)).encode()).hexdigest()[:40]


def load(name: str, compile: Callable[[], bytes]) -> tuple[Loaded, bool]:
    """The code called `name`, compiled now if it is not here yet; and whether it was here."""
    code = find(name)
    return (code, True) if code is not None else (keep(name, compile()), False)


def find(name: str) -> Loaded | None:
    """The code called `name`, if it is here."""
    code = _loaded.get(name)
    if code is None:
        stored = _read(folder() / f"{name}.o")
        if stored is not None:
            code = _loaded[name] = Loaded(stored)
    return code


def keep(name: str, compiled: bytes) -> Loaded:
    """Object code, written to disk and ready to run."""
    _write(folder() / f"{name}.o", compiled)
    code = _loaded[name] = Loaded(compiled)
    return code


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    head, code = content[: len(FORMAT) + 32], content[len(FORMAT) + 32 :]
    return code if head == FORMAT + sha256(code).digest() else None


def _write(path: Path, code: bytes) -> None:
    """Keep the code if the disk lets us; without a cache everything works, only more slowly."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            part = Path(file.name)
            try:
                file.write(FORMAT + sha256(code).digest() + code)
                file.close()
                part.replace(path)
            except OSError:
                part.unlink(missing_ok=True)
