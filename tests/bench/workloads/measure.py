"""Time and memory of one peer at one workload, in the process that does it."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from inputs import TITLES

BUDGET = 10.0
"""Seconds after which no further sample is taken."""
SHORTEST = 2e-3
"""Seconds that a sample takes at least: shorter calls are made several times."""


@dataclass
class Measurement:
    """One way of doing a workload.  All times are seconds, all memory is bytes.

    build: to write the expression down, with its gradient where that is symbolic.
    compile: from there to the first result.  calls: one call each, once it is compiled.
    stages: how long each part of a start took, in order.
    peak: how much memory grew while it ran.  planned: what was to be expected.
    check: some of the results, the same for all peers.
    others: how many processors other programs kept busy meanwhile.
    """

    variant: str = ""
    build: float = 0.0
    compile: float = 0.0
    calls: list[float] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    peak: int = 0
    planned: int = 0
    check: dict[str, float] = field(default_factory=dict)
    others: float = 0.0


class Bench:
    """Takes measurements and prints each as a line of JSON."""

    def __init__(self, repeat: int, started: float) -> None:
        """repeat: how many samples to take.  started: when the process was asked for."""
        self.repeat = repeat
        self.started = started

    def report(self, variant: str, check: dict[str, Any], call: Any = None, **more: Any) -> None:
        """Print a measurement, timing `call` if there is one."""
        numbers = {name: float(value) for name, value in check.items()}
        calls = self._samples(call) if call else []
        found = asdict(Measurement(variant, calls=calls, check=numbers, **more))
        print(json.dumps({name: value for name, value in found.items() if value}))

    def _samples(self, call: Callable[[], Any]) -> list[float]:
        _, seconds = timed(call)
        times = max(1, int(SHORTEST / max(seconds, 1e-7)))
        samples: list[float] = []
        begun = time.perf_counter()
        while len(samples) < self.repeat and time.perf_counter() - begun < BUDGET:
            begin = time.perf_counter()
            for _ in range(times):
                call()
            samples.append((time.perf_counter() - begin) / times)
        return samples


def workloads(**works: Callable[..., None]) -> dict[str, Callable[[Bench], None]]:
    """What a peer does, by the names of `inputs.TITLES`.

    W7 is told how many nodes its graph has, W8 which function it is of; `start` is W2-start.
    """
    found: dict[str, Callable[[Bench], None]] = {}
    for name in TITLES:
        family, _, rest = name.partition("-")
        work = works.get("start" if rest == "start" else family)
        if work is None:
            continue
        if rest in ("", "start"):
            found[name] = work
        else:
            found[name] = partial(work, int(rest) if rest.isdigit() else rest)
    return found


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What some work gives, and how many seconds it took."""
    begin = time.perf_counter()
    value = work()
    return value, time.perf_counter() - begin


def growth(work: Callable[[], Any]) -> int:
    """By how many bytes the memory of the process grows at most while some work is done.

    0 where the system does not tell.  Do the same work once before, so that libraries are loaded.
    """
    try:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is in use
        before = _memory("VmRSS")
        work()
        return _memory("VmHWM") - before
    except (OSError, AttributeError):
        return 0


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def threads() -> int:
    """How many threads a peer may use."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))
