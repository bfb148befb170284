"""Python's collector of cyclic garbage, told to wait while much is made that stays.

To rewrite or to compile a graph makes objects by the hundred thousand, and nearly all of them
live on.  The collector would look through everything there is again and again, in vain: that was
a third of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def waiting() -> Iterator[None]:
    """No garbage is collected in here; also a decorator."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
