"""A real `wiregrad` for the tests: its own process, port and data folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def wiregrad(root: Path, data: Path) -> Iterator[str]:
    """Start the server of the checkout at `root`; gives the address that it prints, token and all.

    It must end in order when asked to, and have complained of nothing.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "app", "--no-browser", "--port", "0", "--data", str(data)],
        cwd=root,
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
            _, complaints = process.communicate(timeout=60)
        assert (address is not None, process.returncode, complaints) == (True, 0, "")
