"""A real `wiregrad` for the tests: its own process, port and data folder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0  # seconds, after which a server that will not end is ended


@contextmanager
def wiregrad(command: Sequence[str], cwd: Path, data: Path) -> Iterator[str]:
    """Start a server by a command in a folder; gives the address that it prints, token and all.

    It must end in order when asked to, and have complained of nothing.
    """
    with subprocess.Popen(
        [*command, "--no-browser", "--port", "0", "--data", str(data)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        words = (word for line in process.stdout for word in line.split())
        address = next((word for word in words if "/#token=" in word), None)
        try:
            if address:
                yield address
        finally:
            process.terminate()
            try:
                _, complaints = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert (address is not None, process.returncode, complaints) == (True, 0, "")
