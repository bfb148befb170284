"""Expressions as text and TeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.expression import Apply, Constant, Variable, walk
from engine.ops.index import index_text

LONGEST = 4000
"""Characters after which a part that is used several times is cut short."""

CUT = "…"
"""What stands for a part that is not shown."""

ATOM = 1000
"""The precedence of what never needs brackets."""

RAISED = 30
"""The precedence of a power, after which TeX refuses another exponent."""

SUBSCRIPT = re.compile(r"_\{.*\}$")
"""What may end with a subscript."""

CHANGES = {"assign_at": "set_subtensor", "increase_at": "inc_subtensor"}
"""How the ops that change a part are called in Python."""


def pp(variable: Variable, tex: bool = False) -> str:
    """The expression as one line of infix text: `x ** 2 + 1`, without needless brackets.

    tex: as TeX, for a formula.
    """
    leaf, apply = (_tex_of_leaf, _tex_of) if tex else (text_of_leaf, _text_of)
    return _render(variable, leaf, apply)[0]


def tex(variable: Variable) -> str:
    """The expression as TeX for a formula."""
    return pp(variable, tex=True)


Part = tuple[str, int]


def _render(variable: Variable, leaf: Any, apply: Any) -> Part:
    parts: dict[Variable, Part] = {}
    for node in walk([variable]):
        inputs = [parts.get(v) or leaf(v) for v in node.inputs]
        text, precedence = apply(node, inputs)
        if len(text) > LONGEST:
            text, precedence = CUT, ATOM
        for i, v in enumerate(node.outputs):
            several = len(node.outputs) > 1
            parts[v] = (f"{text}[{i}]" if several else text, ATOM if several else precedence)
    return parts.get(variable) or leaf(variable)


def _number(value: np.ndarray[Any, Any]) -> str:
    if value.ndim:
        return np.array2string(value, separator=", ", threshold=8).replace("\n", " ")
    return str(value.item())


def text_of_leaf(v: Variable) -> Part:
    """A variable without owner as text, and how tightly that binds."""
    if isinstance(v, Constant) and v.name is None:
        text = _number(v.data)
        return text, ATOM if not text.startswith("-") else 25
    return v.name or f"<{v.type}>", ATOM


def _text_of(node: Apply, inputs: list[Part]) -> Part:
    op = node.op
    if op.infix is not None:
        return op.infix.format(**_operands(node, inputs)), op.precedence
    if op.name == "subtensor":
        return _part_of(node, inputs[0], inputs[1:]), ATOM
    if op.name in CHANGES:
        part = _part_of(node, inputs[0], inputs[2:])
        return f"{CHANGES[op.name]}({part}, {inputs[1][0]})", ATOM
    if op.name == "dimshuffle" and _reverses(node):
        return f"{_bracketed(inputs[0], ATOM)}.T", ATOM
    arguments = [text for text, _ in inputs]
    arguments += [
        f"{p.name}={_param(node.params[p.name])}"
        for p in op.params
        if node.params[p.name] != p.default and not op.higher_order
    ]
    return f"{name_of(node)}({', '.join(arguments)})", ATOM


def name_of(node: Apply) -> str:
    """The name of the op; of a loop or the like, that which people gave it."""
    given: str | None = node.params.get("name") if node.op.higher_order else None
    return given or node.op.name


def _reverses(node: Apply) -> bool:
    return bool(node.params["pattern"] == tuple(reversed(range(node.inputs[0].ndim))))


def _param(value: Any) -> str:
    if isinstance(value, tuple):
        inner = ", ".join("x" if v is None else str(v) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return str(value)


def _part_of(node: Apply, x: Part, given: Sequence[Part]) -> str:
    """A part of x as it is written in Python."""
    index = index_text(node.params["index"], [text for text, _ in given])
    return f"{_bracketed(x, ATOM)}[{index}]"


def _tex_part_of(node: Apply, x: Part, given: Sequence[Part]) -> str:
    """A part of x, with the index as a subscript."""
    texts = [text for text, _ in given]
    index = index_text(node.params["index"], texts, rest=r"\ldots", new=r"\text{new}")
    base = _bracketed(x, ATOM, True)
    # TeX refuses a second subscript right after a first one.
    return f"{{{base}}}_{{{index}}}" if SUBSCRIPT.search(base) else f"{base}_{{{index}}}"


def _bracketed(part: Part, precedence: int, tex: bool = False) -> str:
    text, own = part
    if own >= precedence:
        return text
    return rf"\left({text}\right)" if tex else f"({text})"


def _operands(node: Apply, inputs: list[Part], template: str | None = None) -> dict[str, str]:
    """The operands by port, in brackets where they bind less tightly than the op.

    Of two operands one needs them also when it binds equally: the right one, of a power the left
    one, of a comparison both, none of an associative op.  In a TeX template braces around a port
    stand for brackets.
    """
    op = node.op
    named = {}
    for i, (port, part) in enumerate(zip(op.ports, inputs, strict=False)):
        compares = node.outputs[0].dtype == "bool" and not op.associative
        strict = len(inputs) > 1 and not op.associative and (i == 0) == (op.name == "pow")
        strict = strict or compares
        tight = op.precedence + strict
        if template is not None and (
            op.precedence >= 100 or f"{{{{{{{port.name}}}}}}}" in template
        ):
            tight = 0
        named[port.name] = _bracketed(part, tight, template is not None)
    return named


GREEK = re.compile(
    r"^(alpha|beta|gamma|delta|epsilon|eta|theta|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|psi|omega)$"
)
PLAIN = re.compile(r"^([A-Za-z]+)_?(\d*)$")


def _tex_name(name: str) -> str:
    """A name as TeX: `w1` with a subscript, Greek letters by their names, all else as text.

    Whatever people wrote, nothing of it is read as a TeX command.
    """
    if name == CUT:
        return r"\ldots"
    match = PLAIN.match(name)
    if match:
        word, digits = match.groups()
        if GREEK.match(word):
            word = "\\" + word
        elif len(word) > 1:
            word = rf"\mathrm{{{word}}}"
        return f"{word}_{{{digits}}}" if digits else word
    safe = "".join(c if c.isalnum() or c in " -." else " " for c in name)
    return rf"\text{{{safe}}}"


def _tex_of_leaf(v: Variable) -> Part:
    if isinstance(v, Constant) and v.name is None:
        text = _number(v.data).replace("inf", r"\infty").replace("nan", r"\mathrm{NaN}")
        return text, ATOM if not text.startswith("-") else 25
    return _tex_name(v.name) if v.name else r"\square", ATOM


def _tex_of(node: Apply, inputs: list[Part]) -> Part:
    op = node.op
    template = op.tex or (op.infix or "").replace("&", r"\&").replace("%", r"\%")
    if template:
        operands = _operands(node, inputs, template)
        if op.name == "mul" and operands["y"][0].isdigit():
            template = r"{x} \cdot {y}"  # beside a number, a digit would be one more of its digits
        return template.format(**operands), op.precedence
    if op.name == "subtensor":
        return _tex_part_of(node, inputs[0], inputs[1:]), ATOM
    if op.name in CHANGES:
        part = _tex_part_of(node, inputs[0], inputs[2:])
        sign = r"\mathrel{+}=" if op.name == "increase_at" else r"\leftarrow"
        return rf"\left({part} {sign} {inputs[1][0]}\right)", ATOM
    if op.name == "dimshuffle":
        if _reverses(node):
            return f"{_bracketed(inputs[0], ATOM, True)}^T", RAISED
        kept = [p for p in node.params["pattern"] if p is not None]
        if kept == sorted(kept):
            return inputs[0]
    name = re.sub(r"\W|_", " ", name_of(node)).strip()
    return rf"\operatorname{{{name}}}\left({', '.join(t for t, _ in inputs)}\right)", ATOM
