"""What calls of functions cost: in all, by op, and by apply or kernel."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, TextIO

from engine.codegen.numpy import Memory, Step, Watch

if TYPE_CHECKING:
    from engine.codegen.native import KernelInfo

SHOWN = 20
"""The rows of a table that are printed."""
OPS_SHOWN = 4
"""The ops of a kernel that its name has."""


@dataclass
class Row:
    """What one apply of a graph took, or one kernel.

    op: its name; of a kernel, the names of those in it.  dtype: of its results.
    name: the apply with its inputs, or the name of the kernel.  kind: "numpy" or "native".
    origins: ids of the canvas nodes that it computes.
    """

    op: str
    dtype: str
    name: str
    kind: str
    origins: tuple[str, ...]
    calls: int = 0
    seconds: float = 0.0


class ProfileStats:
    """What the calls of a function took, or of several that were given the same one.

    message: what it is of.  functions: how many were made, in `made_seconds` together; of these
    `rewrite_seconds` were for rewriting.  compile_seconds: for generating and compiling kernels,
    which happens in calls.  calls, call_seconds: of the functions.  rows: by apply and kernel.
    """

    def __init__(self, message: str | None = None) -> None:
        self.message = message
        self.functions = 0
        self.made_seconds = 0.0
        self.rewrite_seconds = 0.0
        self.compile_seconds = 0.0
        self.calls = 0
        self.call_seconds = 0.0
        self._rows: dict[Hashable, Row] = {}
        self._lock = Lock()

    @property
    def rows(self) -> list[Row]:
        """A row for each apply and kernel, the most expensive first."""
        return sorted(self._rows.values(), key=lambda row: -row.seconds)

    @property
    def op_seconds(self) -> float:
        """The time spent in applies and kernels."""
        return sum(row.seconds for row in self._rows.values())

    # Taking note.

    def made(self, seconds: float, rewriting: float) -> None:
        """Take note of a function that was made."""
        with self._lock:
            self.functions += 1
            self.made_seconds += seconds
            self.rewrite_seconds += rewriting

    def compiled(self, seconds: float) -> None:
        """Take note of a compilation."""
        with self._lock:
            self.compile_seconds += seconds

    def called(self, seconds: float) -> None:
        """Take note of a call of a function."""
        with self._lock:
            self.calls += 1
            self.call_seconds += seconds

    def timing(self, run: Watch = Step.run) -> Watch:
        """What runs a step by `run` and takes note of the time."""

        def timed(step: Step, memory: Memory) -> None:
            started = perf_counter()
            run(step, memory)
            self._add(step.node, partial(_step_row, step), perf_counter() - started)

        return timed

    def passed(
        self, graph: Hashable, kernels: Sequence[KernelInfo], seconds: Iterable[float]
    ) -> None:
        """Take note of a native pass through a graph: what each of its kernels took."""
        for k, (kernel, taken) in enumerate(zip(kernels, seconds, strict=True)):
            self._add((graph, k, kernel.name), partial(_kernel_row, kernel), taken)

    def _add(self, key: Hashable, make: Callable[[], Row], seconds: float) -> None:
        with self._lock:
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = make()
            row.calls += 1
            row.seconds += seconds

    # Showing.

    def summary(self, file: TextIO | None = None, shown: int = SHOWN) -> str:
        """Print totals and three tables to `file`, standard error if none; gives the text too.

        The tables are by class, which is the op, by op and dtype, and by apply.
        """
        text = "\n".join([*self._totals(), *self._tables(shown)])
        print(text, file=file or sys.stderr)
        return text

    def __repr__(self) -> str:
        return f"<profile of {self.message or 'functions'}: {self.calls} calls>"

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "message": self.message,
            "functions": self.functions,
            "made_seconds": self.made_seconds,
            "rewrite_seconds": self.rewrite_seconds,
            "compile_seconds": self.compile_seconds,
            "calls": self.calls,
            "call_seconds": self.call_seconds,
            "op_seconds": self.op_seconds,
            "rows": [asdict(row) for row in self.rows],
        }

    def _totals(self) -> list[str]:
        lines = [
            f"Profile of {self.message or 'functions'}",
            f"  Functions made: {self.functions}, in {_time(self.made_seconds)}",
            f"    rewriting: {_time(self.rewrite_seconds)}",
            f"  Kernels compiled in {_time(self.compile_seconds)}",
            f"  Calls: {self.calls}, in {_time(self.call_seconds)}",
        ]
        if self.calls:
            share = self.op_seconds / self.call_seconds if self.call_seconds else 0.0
            lines += [
                f"    each: {_time(self.call_seconds / self.calls)}",
                f"    in ops: {_time(self.op_seconds)}, {share:.1%} of the calls",
            ]
        return lines

    def _tables(self, shown: int) -> list[str]:
        by_class: dict[Hashable, list[Row]] = defaultdict(list)
        by_op: dict[Hashable, list[Row]] = defaultdict(list)
        for row in self.rows:
            by_class[row.op, row.kind].append(row)
            by_op[row.op, row.dtype, row.kind].append(row)
        each = [[row] for row in self.rows]
        return [
            *self._table("Class", by_class.values(), lambda row: row.op, shown),
            *self._table("Ops", by_op.values(), lambda row: f"{row.op} {row.dtype}", shown),
            *self._table("Apply", each, lambda row: row.name, shown),
        ]

    def _table(
        self,
        title: str,
        groups: Iterable[list[Row]],
        name: Callable[[Row], str],
        shown: int,
    ) -> list[str]:
        ordered = sorted(groups, key=lambda rows: -sum(row.seconds for row in rows))
        total = self.op_seconds or 1.0
        header = (
            f"{'% time':>7} {'sum %':>7} {'seconds':>10} {'per call':>10} {'kind':<6} "
            f"{'#call':>8} {'#apply':>6}  name"
        )
        lines = ["", title, header]
        so_far = 0.0
        for rows in ordered[:shown]:
            seconds = sum(row.seconds for row in rows)
            calls = sum(row.calls for row in rows)
            so_far += seconds
            lines.append(
                f"{seconds / total:7.1%} {so_far / total:7.1%} {_time(seconds):>10} "
                f"{_time(seconds / max(calls, 1)):>10} {rows[0].kind:<6} {calls:8} {len(rows):6}  "
                f"{name(rows[0])}"
            )
        if len(ordered) > shown:
            rest = 1 - so_far / total
            lines.append(f"{rest:7.1%} in {len(ordered) - shown} more")
        return lines


def _step_row(step: Step) -> Row:
    node = step.node
    dtypes = ", ".join(v.dtype for v in node.outputs)
    name = " ".join(repr(node).split())
    return Row(node.op.name, dtypes, name, "numpy", tuple(sorted(node.origins)))


def _kernel_row(kernel: KernelInfo) -> Row:
    ops = list(dict.fromkeys(kernel.ops))
    more = len(ops) - OPS_SHOWN
    label = "+".join(ops[:OPS_SHOWN]) + (f"+{more} more" if more > 0 else "")
    return Row(label, "", f"{kernel.name} ({label})", "native", tuple(sorted(kernel.origins)))


def _time(seconds: float) -> str:
    """A time with its unit: `1.23 s`, `45.6 ms`, `7.89 µs`."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.2f} µs"
