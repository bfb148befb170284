"""Object code on disk: every kernel is compiled once on a computer, not once in a process.

A file is named by a hash of all that went into it.  It is written elsewhere and then moved into
place, so that a reader finds all of it or nothing; it carries a checksum, and one that does not
hold is as good as absent.  The folder may be deleted at any time; when it has grown too large,
what has not been used for longest is.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import time
from weakref import WeakValueDictionary

from engine.codegen.cpu.machine import Loaded, host
from engine.codegen.cpu.mathematics import vector_functions

FORMAT = b"wiregrad-kernel-1\n"

LARGEST = 256 << 20
"""Bytes that the folder may have; some 30,000 kernels."""
ROUND = 200
"""How many kernels a process writes until it looks how large the folder is, again."""
DAY, HOUR = 86_400, 3_600

_loaded: WeakValueDictionary[str, Loaded] = WeakValueDictionary()
_written = itertools.count()


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
    """The name of a piece of object code: a hash of its source, its compiler and its processor.

    And of the vector functions there are.
    """
    facts = FORMAT.decode(), _environment(), " ".join(vector_functions())
    return sha256("\0".join((*facts, *parts)).encode()).hexdigest()[:40]


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
        if path.stat().st_mtime < time() - DAY:
            path.touch()  # so that it counts as used
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
        if next(_written) % ROUND == 0:
            prune()


def prune() -> None:
    """Delete what has not been used for longest, if the folder has grown too large."""
    now, files = time(), []
    for path in folder().iterdir():
        with suppress(OSError):  # another process may be faster
            facts = path.stat()
            if path.suffix == ".part" and facts.st_mtime < now - HOUR:
                path.unlink()
            elif path.suffix == ".o":
                files.append((facts.st_mtime, facts.st_size, path))
    excess = sum(size for _, size, _ in files) - LARGEST
    if excess <= 0:
        return
    excess += LARGEST // 4  # for some time to come
    for _, size, path in sorted(files):
        if excess <= 0:
            break
        with suppress(OSError):
            path.unlink()
            excess -= size
