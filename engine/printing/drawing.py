"""Graphs as pictures: SVG without Graphviz, in layers from the inputs down to the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.errors import ParameterError
from engine.expression import Apply, Constant, Variable, leaves, walk
from engine.graph import Graph
from engine.ops.index import index_text
from engine.printing.formula import name_of, text_of_leaf

CHARACTER = 7.3
"""The width of a character of the monospaced font, in pixels."""
HEIGHT, GAP, ROW = 26, 22, 74
SWEEPS = 8
"""How often the layers are put in order after their neighbours."""
BENDS = 20_000
"""How many places in between are kept free for long wires; where it takes more, none are."""

STYLE = """
svg { background: #ffffff; }
text { font: 12px ui-monospace, "DejaVu Sans Mono", monospace; fill: #1c2330; }
.box { stroke: #67718a; fill: #ffffff; }
.input .box { fill: #d5f0d8; stroke: #3f8f4b; }
.shared .box { fill: #fbeccb; stroke: #a8802b; }
.constant .box { fill: #eceef2; stroke: #a3abbb; }
.output .box { fill: #d6e6fb; stroke: #3a6fb5; }
.wire { fill: none; stroke: #67718a; }
.port { font-size: 9px; fill: #67718a; }
@media (prefers-color-scheme: dark) {
  svg { background: #151a23; }
  text { fill: #e6e9f0; }
  .box { fill: #232a38; stroke: #8b95ab; }
  .input .box { fill: #1f3d27; } .shared .box { fill: #453716; }
  .constant .box { fill: #2c313c; } .output .box { fill: #1d3557; }
  .port { fill: #a3abbb; } .wire { stroke: #8b95ab; }
}
"""


@dataclass(eq=False)
class _Box:
    """Something drawn: its text, what it is, what it says when pointed at, and what it reads."""

    text: str
    kind: str
    title: str
    layer: int
    sources: list[tuple[_Box, str]] = field(default_factory=list)
    readers: list[_Box] = field(default_factory=list)
    x: float = 0.0

    @property
    def width(self) -> float:
        return 4.0 if self.kind == "bend" else len(self.text) * CHARACTER + 20


def svg(drawn: Any) -> str:
    """A variable, a list of them, a graph or a function as an SVG document.

    Inputs are green, shared variables yellow, constants grey, outputs blue; ops are rounded.
    Types are shown when a wire's end is pointed at.
    """
    layers = _layers(_boxes(*_outputs(drawn)))
    for _ in range(SWEEPS):
        _order(layers)
    _place(layers)
    return _document(layers)


def pydotprint(
    fct: Any, outfile: str | Path | None = None, format: str = "svg", return_image: bool = False
) -> str | None:
    """Write the picture of a function, graph or expression to a file; Theano's name for it.

    outfile: the file; graph.svg by default.  return_image: give the SVG text instead.
    Raises ParameterError for another format than "svg".
    """
    if format != "svg":
        raise ParameterError(
            f"Pictures of graphs are SVG, not {format}.",
            port="format",
            expected="svg",
            got=format,
            hint="Browsers and editors show SVG, and convert it.",
        )
    text = svg(fct)
    if return_image:
        return text
    Path(outfile or "graph.svg").write_text(text, encoding="utf-8")
    return None


def _outputs(drawn: Any) -> tuple[list[Variable], list[str]]:
    """What is drawn, and what each output is called."""
    graph = drawn if isinstance(drawn, Graph) else getattr(drawn, "graph", None)
    if isinstance(graph, Graph):
        updated: Sequence[Variable] = getattr(drawn, "updated", ())
        outputs = graph.outputs
        names = [v.name or "output" for v in outputs[: len(outputs) - len(updated)]]
        return outputs, names + [f"next {v.name or 'value'}" for v in updated]
    outputs = [drawn] if isinstance(drawn, Variable) else list(drawn)
    return outputs, [v.name or "output" for v in outputs]


def _boxes(outputs: Sequence[Variable], names: Sequence[str]) -> list[_Box]:
    made: dict[Variable | Apply, _Box] = {}
    for v in leaves(outputs):
        made[v] = _Box(_short(text_of_leaf(v)[0]), _kind(v), str(v.type), 0)
    for node in walk(outputs):
        box = _Box(_label(node), "op", node.op.doc, 0)
        made[node] = box
        for i, v in enumerate(node.inputs):
            port = str(i) if len(node.inputs) > 1 else ""
            _wire(made[v.owner or v], box, port)
    boxes = list(made.values())
    for v, name in zip(outputs, names, strict=True):
        box = _Box(_short(name), "output", str(v.type), 0)
        _wire(made[v.owner or v], box, str(v.index) if v.owner and v.index else "")
        boxes.append(box)
    # A leaf is drawn just above the first that reads it.
    for box in boxes:
        if not box.sources and box.readers:
            box.layer = max(min(r.layer for r in box.readers) - 1, 0)
    return boxes + _bends(boxes)


def _bends(boxes: Sequence[_Box]) -> list[_Box]:
    """Places for wires in the layers that they cross, so that they pass between the boxes."""
    spans = [(max(r.layer for r in b.readers) if b.readers else b.layer) - b.layer for b in boxes]
    if sum(max(s - 1, 0) for s in spans) > BENDS:
        return []
    bends: list[_Box] = []
    for box, span in zip(boxes, spans, strict=True):
        chain = [box]
        for layer in range(box.layer + 1, box.layer + span):
            chain.append(_Box("", "bend", "", layer))
        bends += chain[1:]
        far, box.readers = box.readers, []
        for reader in far:
            last = chain[reader.layer - box.layer - 1]
            last.readers.append(reader)
            reader.sources = [(last if s is box else s, port) for s, port in reader.sources]
        for source, bend in pairwise(chain):
            source.readers.append(bend)
            bend.sources.append((source, ""))
    return bends


def _wire(source: _Box, reader: _Box, port: str) -> None:
    reader.sources.append((source, port))
    source.readers.append(reader)
    reader.layer = max(reader.layer, source.layer + 1)


def _kind(v: Variable) -> str:
    if isinstance(v, Constant):
        return "constant"
    return "shared" if hasattr(v, "get_value") else "input"


def _label(node: Apply) -> str:
    shown = [
        f"[{index_text(value)}]" if p.type == "index" else f"{p.name}={value}"
        for p in node.op.params
        if not node.op.higher_order and (value := node.params[p.name]) != p.default
    ]
    return _short(name_of(node) + (f"({', '.join(shown)})" if shown else ""))


def _short(text: str) -> str:
    return text if len(text) <= 28 else text[:27] + "…"


def _layers(boxes: Sequence[_Box]) -> list[list[_Box]]:
    layers: list[list[_Box]] = [[] for _ in range(max((b.layer for b in boxes), default=0) + 1)]
    for box in boxes:
        layers[box.layer].append(box)
    return [layer for layer in layers if layer]


def _order(layers: Sequence[list[_Box]]) -> None:
    """Put each box where, on average, its neighbours are: down through the layers and up again."""
    place = {b: i / len(layer) for layer in layers for i, b in enumerate(layer)}

    def around(box: _Box, neighbours: Sequence[_Box]) -> float:
        return sum(place[n] for n in neighbours) / len(neighbours) if neighbours else place[box]

    for layer in layers:
        layer.sort(key=lambda b: around(b, [s for s, _ in b.sources]))
        place.update({b: i / len(layer) for i, b in enumerate(layer)})
    for layer in reversed(layers):
        layer.sort(key=lambda b: around(b, b.readers))
        place.update({b: i / len(layer) for i, b in enumerate(layer)})


def _place(layers: Sequence[Sequence[_Box]]) -> None:
    """Set the boxes of each layer side by side, around the middle of the widest one."""
    widths = [sum(b.width for b in layer) + GAP * (len(layer) - 1) for layer in layers]
    whole = max(widths, default=0.0)
    for layer, width in zip(layers, widths, strict=True):
        x = GAP + (whole - width) / 2
        for box in layer:
            box.x = x
            x += box.width + GAP


def _document(layers: Sequence[Sequence[_Box]]) -> str:
    boxes = [b for layer in layers for b in layer]
    rows = {b: i for i, layer in enumerate(layers) for b in layer}
    width = max((b.x + b.width for b in boxes), default=0) + GAP
    height = len(layers) * ROW + GAP
    wires = [_path(s, b, port, rows) for b in boxes for s, port in b.sources]
    drawn = [_drawn(b, rows[b]) for b in boxes if b.kind != "bend"]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}" role="img">'
    )
    return "\n".join([head, f"<style>{STYLE}</style>", *wires, *drawn, "</svg>"]) + "\n"


def _top(row: int) -> float:
    return GAP + row * ROW


def _path(source: _Box, box: _Box, port: str, rows: dict[_Box, int]) -> str:
    at = box.sources.index((source, port))
    x1 = source.x + source.width / 2
    # Through a bend the wire runs straight down.
    y1 = _top(rows[source]) + HEIGHT
    through = f"M{x1:.1f} {_top(rows[source]):.1f}V{y1:.1f}" if source.kind == "bend" else ""
    x2, y2 = box.x + box.width * (at + 1) / (len(box.sources) + 1), _top(rows[box])
    bend = (y2 - y1) / 2
    line = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
    text = f'<text class="port" x="{x2 + 2:.1f}" y="{y2 - 3:.1f}">{port}</text>' if port else ""
    return f'<path class="wire" d="{through}{line}"/>{text}'


def _drawn(box: _Box, row: int) -> str:
    y = _top(row)
    rounded = HEIGHT / 2 if box.kind == "op" else 3
    return (
        f'<g class="{box.kind}"><title>{escape(box.title)}</title>'
        f'<rect class="box" x="{box.x:.1f}" y="{y:.1f}" width="{box.width:.1f}" '
        f'height="{HEIGHT}" rx="{rounded:g}"/>'
        f'<text x="{box.x + box.width / 2:.1f}" y="{y + HEIGHT / 2 + 4:.1f}" '
        f'text-anchor="middle">{escape(box.text)}</text></g>'
    )
