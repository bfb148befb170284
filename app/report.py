"""What `wiregrad run` says: lines for a person or for a program, and files for later."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app import weights
from app.errors import StorageError
from app.points import Points
from app.values import nested
from engine.document import Document

LINES = 100

Tensors = dict[str, NDArray[Any]]


class Report:
    """The progress and the result of one job."""

    def __init__(self, *, as_json: bool, every: int | None, out: Path | None) -> None:
        """`every` is how many steps lie between two lines; None for a hundred lines in all.

        Raises StorageError when `out` cannot be a folder.
        """
        self.as_json = as_json
        self.every = every
        self.out = out
        self.bar: Progress | None = None
        self.csv: IO[str] | None = None
        self.cost = float("nan")
        if out is not None:
            try:
                out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(f"{out} cannot be a folder: {error.strerror}.") from None

    @contextmanager
    def training(self, content: Document, steps: int) -> Iterator[None]:
        """The time of a training: with a bar on a terminal, and a file of costs if wanted."""
        if self.every is None:
            self.every = max(1, steps // LINES)
        with ExitStack() as stack:
            if self.out is not None:
                self.csv = stack.enter_context((self.out / "costs.csv").open("w"))
                self.csv.write("step,cost\n")
            if not self.as_json and sys.stderr.isatty():
                self.bar = stack.enter_context(progress_bar())
                self.bar.add_task(content.title, total=steps, cost="")
            yield

    def points(self, points: Points) -> None:
        """New costs: each goes to the file, some are said."""
        self.cost = float(points.values[-1])
        if self.csv is not None:
            self.csv.writelines(f"{step},{value!r}\n" for step, value in pairs(points))
        if self.bar is not None:
            step = int(points.steps[-1])
            self.bar.update(self.bar.task_ids[0], completed=step, cost=f"{self.cost:.6g}")
            return
        wanted = points.steps % (self.every or 1) == 0
        for step, value in pairs(Points(points.steps[wanted], points.values[wanted])):
            if self.as_json:
                say({"step": step, "cost": nested(value)})
            else:
                print(f"step {step:>10,}   cost {value:.6g}", flush=True)

    def trained(self, steps: int, outputs: Tensors, seconds: float) -> None:
        """The end of a training."""
        if self.as_json:
            said = {"done": True, "steps": steps, "cost": nested(self.cost)}
            say({**said, "outputs": plain(outputs), "seconds": seconds})
            return
        print(f"{steps:,} steps in {seconds:.3g} s, cost {self.cost:.6g}")
        show(outputs)

    def called(self, outputs: Tensors, seconds: float) -> None:
        """The end of a call."""
        if self.as_json:
            say({"done": True, "outputs": plain(outputs), "seconds": seconds})
        else:
            show(outputs)

    def keep(self, content: Document, outputs: Tensors, state: Tensors) -> None:
        """Write the files besides the costs, if wanted."""
        if self.out is None:
            return
        try:
            (self.out / "graph.json").write_text(content.text(), encoding="utf-8")
            (self.out / "weights.safetensors").write_bytes(weights.pack(state))
            (self.out / "outputs.json").write_text(
                json.dumps(plain(outputs), indent=2) + "\n", encoding="utf-8"
            )
        except OSError as error:
            raise StorageError(f"{self.out} cannot be written: {error.strerror}.") from None


def progress_bar() -> Progress:
    """A bar on stderr, so that stdout holds the result alone."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cost {task.fields[cost]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def pairs(points: Points) -> Iterator[tuple[int, float]]:
    """Steps and values as Python numbers."""
    return zip(points.steps.tolist(), points.values.tolist(), strict=True)


def plain(tensors: Tensors) -> dict[str, Any]:
    """Tensors as nested lists of JSON numbers."""
    return {name: nested(np.asarray(tensor).tolist()) for name, tensor in tensors.items()}


def show(tensors: Tensors) -> None:
    """Print tensors for a person."""
    for name, tensor in tensors.items():
        text = np.array2string(np.asarray(tensor), precision=6, suppress_small=True)
        print(f"{name} =" + ("\n" if "\n" in text else " ") + text)


def say(record: dict[str, Any]) -> None:
    """Print one JSON line at once."""
    print(json.dumps(record, allow_nan=False), flush=True)
