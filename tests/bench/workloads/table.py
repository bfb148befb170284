"""Measurements as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inputs import TITLES
from measure import Measurement

TOLERANCE = 1e-3
OURS = "wiregrad"


@dataclass
class Row:
    """One way of a peer: as measured with an empty cache on disk, and with the one it left.

    failed: why there is no measurement.
    """

    peer: str
    cold: Measurement | None = None
    warm: Measurement | None = None
    failed: str = ""

    @property
    def runs(self) -> list[Measurement]:
        """All measurements."""
        return [m for m in (self.cold, self.warm) if m]

    @property
    def calls(self) -> list[float]:
        """All samples."""
        return [seconds for m in self.runs for seconds in m.calls]


def table(workload: str, rows: Sequence[Row]) -> str:
    """A workload's table: a line for each way, with how many times longer it takes than ours."""
    done = [row for row in rows if row.runs]
    ours = [statistics.median(row.calls) for row in done if row.peer == OURS and row.calls]
    expected = _expected(done)
    stages = list(dict.fromkeys(s for row in done for m in row.runs for s in m.stages))
    memory = any(m.peak for row in done for m in row.runs)
    if stages:
        head = [f"{stage} (cold; warm)" for stage in stages]
    else:
        head = ["build", "compile, cold", "compile, warm", "median", "min", "ratio"]
    head += ["memory, planned", "memory, peak"] if memory else []
    head.append("others")
    lines = [f"## {workload}: {TITLES[workload]}", "", _line(["", *head])]
    lines.append(_line(["---", *(["---:"] * len(head))]))
    for row in rows:
        if not row.runs:
            lines.append(_line([row.peer, row.failed]))
            continue
        newest = row.runs[-1]
        name = f"{row.peer}, {newest.variant}" if newest.variant else row.peer
        if stages:
            cells = [_stage(row, stage) for stage in stages]
        else:
            calls = row.calls
            median = statistics.median(calls)
            cells = [
                seconds(newest.build),
                seconds(row.cold.compile if row.cold else 0),
                seconds(row.warm.compile if row.warm else 0),
                seconds(median),
                seconds(min(calls)),
                f"{median / min(ours):.2f}" if ours else "",
            ]
        if memory:
            cells += [megabytes(newest.planned), megabytes(newest.peak)]
        cells.append(f"{max(m.others for m in row.runs):.1f}")
        lines.append(_line([name, *cells]) + _disagreement(newest, expected))
    return "\n".join(lines)


def seconds(number: float) -> str:
    """A time in its own unit, nothing for none."""
    if not number:
        return ""
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if number < limit:
            return f"{number * factor:.3g} {unit}"
    return f"{number:.3g} s"


def megabytes(number: int) -> str:
    """An amount of memory, nothing for none."""
    return f"{number / 1e6:.1f} MB" if number else ""


def _stage(row: Row, stage: str) -> str:
    return "; ".join(seconds(m.stages[stage]) for m in row.runs if stage in m.stages)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _expected(rows: Sequence[Row]) -> dict[str, float]:
    """What most say that each result is."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.runs[-1].check.items():
            found.setdefault(name, []).append(value)
    return {name: statistics.median_low(values) for name, values in found.items()}


def _disagreement(measurement: Measurement, expected: dict[str, float]) -> str:
    bad = [
        f"{name} = {value:.7g}, not {expected[name]:.7g}"
        for name, value in measurement.check.items()
        if not abs(value - expected[name]) <= TOLERANCE * abs(expected[name])
    ]
    return f" DISAGREES: {'; '.join(bad)}" if bad else ""
