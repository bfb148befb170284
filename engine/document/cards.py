"""The palette: a card for everything that can be put on the canvas, read off the records."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

import engine.ops  # noqa: F401  (fills OPS)
from engine.document.kinds import KINDS, MAX_RANK, VARIABLES, Kind, Setting, fields_of
from engine.expression import OPS
from engine.op import Op, Param, Port
from engine.types import DTYPES, PREFIXES
from engine.types import KINDS as SHAPES

CATEGORIES = (
    VARIABLES,
    "Arithmetic",
    "Products",
    "Reductions",
    "Exponentials",
    "Trigonometry",
    "Activations",
    "Costs",
    "Training",
    "Results",
    "Logic",
    "Shape",
    "Creation",
    "Indexing",
    "Sorting",
    "Random",
    "Normalisation",
    "Convolution",
    "Pooling",
    "Attention",
    "Linear algebra",
    "Fourier transforms",
    "Complex numbers",
    "Special functions",
    "Control",
)
"""Every category of the palette, in the order in which a learner meets them."""

PRESETS = ("scalar", "vector", "row", "col", "matrix", "tensor3", "tensor4")
LAYOUTS = {
    "scalar": "One number",
    "vector": "A vector of any length",
    "row": "A matrix of one row, which stretches down",
    "col": "A matrix of one column, which stretches sideways",
    "matrix": "A matrix with any number of rows and columns",
    "tensor3": "A tensor of three axes",
    "tensor4": "A tensor of four axes",
}

Card = dict[str, Any]


def palette() -> dict[str, Any]:
    """Categories, cards, dtypes and the largest rank, as plain JSON values.

    Hidden cards draw nodes of graphs that have them, but are not offered.
    """
    return {
        "categories": _categories(),
        "cards": [dict(card) for card in _cards(_ops())],
        "dtypes": list(DTYPES),
        "max_rank": MAX_RANK,
    }


def _ops() -> tuple[Op, ...]:
    return tuple(op for name, op in OPS.items() if name == op.name)


def _categories() -> list[str]:
    used = dict.fromkeys(card["category"] for card in _cards(_ops()) if not card["hidden"])
    return [c for c in CATEGORIES if c in used] + [c for c in used if c not in CATEGORIES]


@lru_cache(maxsize=2)
def _cards(ops: tuple[Op, ...]) -> tuple[Card, ...]:
    cards = [_of_kind(kind) for kind in KINDS.values()]
    cards += [_typed(letter, shape) for letter in PREFIXES for shape in PRESETS]
    cards += [_of_op(op) for op in ops]
    order = {category: i for i, category in enumerate(CATEGORIES)}
    return tuple(sorted(cards, key=lambda card: order.get(card["category"], len(order))))


def _of_kind(kind: Kind) -> Card:
    return {
        "id": kind.name,
        "kind": kind.name,
        "op": None,
        "label": kind.label,
        "symbol": kind.symbol,
        "category": kind.category,
        "doc": kind.doc,
        "signature": None,
        "tex": None,
        "aliases": list(kind.aliases),
        "inputs": [_input(p) for p in kind.inputs],
        "outputs": [{"name": p.name, "doc": p.doc} for p in kind.outputs],
        "params": [_param(s) for s in kind.settings],
        "preset": {s.name: _default(s) for s in kind.settings},
        "named": kind.named,
        "no_gradient": None,
        "hidden": False,
    }


def _typed(letter: str, shape: str) -> Card:
    dtype, lengths = PREFIXES[letter], list(SHAPES[shape])
    return _of_kind(KINDS["input"]) | {
        "id": letter + shape,
        "label": letter + shape,
        "doc": f"{LAYOUTS[shape]}, {dtype}.",
        "aliases": [f"{dtype} {shape}"],
        "preset": {"dtype": dtype, "shape": lengths, "value": None if lengths else 0},
    }


def _of_op(op: Op) -> Card:
    params = [p for p in fields_of(op) if p.type != "graph"]
    return {
        "id": op.name,
        "kind": "op",
        "op": op.name,
        "label": op.name.strip("_").replace("_", " "),
        "symbol": op.symbol or op.name,
        "category": op.category,
        "doc": op.doc,
        "signature": _signature(op),
        "tex": _tex(op),
        "aliases": [a for a in op.aliases if OPS[a] is op],
        "inputs": [_input(p) for p in op.wired],
        "outputs": [{"name": name, "doc": ""} for name in op.results],
        "params": [_param(p) for p in params],
        "preset": {p.name: _default(p) for p in params},
        "named": False,
        "no_gradient": op.no_grad,
        "hidden": op.hidden,
    }


def _signature(op: Op) -> str:
    """How Python calls it, without the state that a node on the canvas has of its own."""
    signature = inspect.signature(op)
    arguments = list(signature.parameters.values())[len(op.ports) - len(op.wired) :]
    return f"{op.name}{signature.replace(parameters=arguments)}"


def _tex(op: Op) -> str | None:
    template = op.tex or op.infix
    return template and template.format(**{p.name: _letter(p.name) for p in op.ports})


def _letter(name: str) -> str:
    return name if len(name) == 1 else rf"\text{{{name}}}"


def _input(port: Port) -> dict[str, Any]:
    return {
        "name": port.name,
        "doc": port.doc,
        "variadic": port.variadic,
        "optional": port.default is not None,
    }


def _param(param: Param | Setting) -> dict[str, Any]:
    return {
        "name": param.name,
        "type": param.type,
        "default": _default(param),
        "doc": param.doc,
        "choices": list(param.choices) if param.choices else None,
        "min": param.min,
        "max": param.max,
    }


def _default(param: Param | Setting) -> Any:
    """The default as JSON; an index is written as text, and none given is the whole tensor."""
    if param.type == "index":
        return ""
    return list(param.default) if isinstance(param.default, tuple) else param.default
