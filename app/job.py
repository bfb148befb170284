"""`wiregrad run`: a graph trained or called in this process, reported on the terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import NotFoundError, RequestError
from app.points import Points
from app.report import Report
from engine import document, gallery
from engine.document import Document
from engine.program import Program
from engine.training import Trainer
from engine.training.ring import Ring

RING_CAPACITY = 1 << 16
CHUNK_SECONDS = 0.05


@dataclass(frozen=True)
class Options:
    """What a graph is run with; None is the document's own choice."""

    steps: int | None = None
    seed: int | None = None
    device: str = "cpu"
    overrides: dict[str, Any] = field(default_factory=dict)


def find(graph: str) -> Document:
    """The document of a gallery name or of a file.

    Raises NotFoundError when there is neither, and DocumentError when the file is no graph.
    """
    path = Path(graph)
    if graph in gallery.names() and not path.is_file():
        return gallery.load(graph)
    try:
        return document.parse(path.read_bytes())
    except OSError as error:
        raise NotFoundError(
            f"{graph} is neither a graph of the gallery nor a file that can be read: "
            f"{error.strerror}.",
            hint="`wiregrad list` names the gallery.",
        ) from None


def run(content: Document, options: Options, report: Report) -> None:
    """Train a graph that has a training, call another one once; tell the report all about it.

    Raises EngineError when it cannot be run, and KeyboardInterrupt when the person stops it.
    """
    if "training" in content.data:
        train(content, options, report)
    else:
        call(content, options, report)


def call(content: Document, options: Options, report: Report) -> None:
    """Call the graph's function once."""
    if options.steps is not None:
        raise RequestError(f"{content.name} has no training, so --steps has no use.")
    began = time.monotonic()
    program = Program(with_values(content, options.overrides))
    outputs, state = program.call(None, program.initial_state(options.seed))
    report.called(outputs, time.monotonic() - began)
    report.keep(content, outputs, named(content, state))


def train(content: Document, options: Options, report: Report) -> None:
    """Train the graph to the end."""
    trainer = Trainer(
        Program(content),
        steps=options.steps,
        seed=options.seed,
        device=options.device,
        overrides=options.overrides,
    )
    ring = Ring.of(RING_CAPACITY)
    trainer.attach(np.zeros(1, np.int64), ring)
    trainer.compile()
    began = time.monotonic()
    with report.training(content, trainer.steps):
        for points in follow(trainer, ring):
            report.points(points)
    outputs = named(content, trainer.outputs())
    report.trained(trainer.step, outputs, time.monotonic() - began)
    report.keep(content, outputs, named(content, trainer.state()))


def follow(trainer: Trainer, ring: Ring) -> Iterator[Points]:
    """Train, a twentieth of a second at a time, so that the costs can be told on the way."""
    chunk = 1
    while trainer.step < trainer.steps:
        began = time.monotonic()
        done = trainer.run(chunk)
        spent = max(time.monotonic() - began, 1e-6)
        chunk = max(1, min(int(done * CHUNK_SECONDS / spent), 4 * chunk))
        steps, values = ring.drain()
        if len(steps):
            yield Points(steps, values)


def named(content: Document, values: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Values by the names of their nodes instead of their ids."""
    return {str(content.nodes[node]["name"]): value for node, value in values.items()}


def with_values(content: Document, overrides: dict[str, Any]) -> Document:
    """The document with other values of some inputs; raises NotFoundError for a strange name."""
    inputs = {
        node.get("name"): node_id
        for node_id, node in content.nodes.items()
        if node["kind"] == "input"
    }
    for name in overrides:
        if name not in inputs:
            raise NotFoundError(
                f"{content.name} has no input of the name {name}.",
                expected=", ".join(sorted(filter(None, inputs))),
                got=name,
            )
    return content.edit(
        {"path": ["nodes", inputs[name], "params", "value"], "value": value}
        for name, value in overrides.items()
    )
