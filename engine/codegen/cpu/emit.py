"""Kernels as text: one plain Numba function each, with its loops written out.

Nothing in the text comes from a user.  Names are counted from zero in every kernel: p for
pointers, n for lengths, o for offsets, i for loops, v for values, a for accumulators.  A loop in
parts runs from `first` to `last`, and `part` says which part that is.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from engine.codegen.fuse import Element, Kernel, Loop, Place
from engine.codegen.layout import Access, Extent, Storage
from engine.codegen.primitives import Count, Fold, Literal, Map, Operand, Position, Primitive
from engine.types import DTYPES, FLOATS

INDENT = "    "

PARTED = ("part", "first", "last")
"""The names of the arguments that say which part of a loop is to be done."""


TYPES = {dtype: "boolean" if dtype == "bool" else dtype for dtype in DTYPES}
"""What dtypes are called in kernels."""


@dataclass(frozen=True)
class Source:
    """A kernel's text, and what its arguments are.

    lines: the primitives that each line of the text is for.
    pointers: the memory behind each pointer.  lengths: the extents.  offsets: numbers of
    elements.  The arguments of the function are these, in this order.
    parted: whether the function does a part of a loop; then PARTED are further arguments.
    """

    text: str
    lines: tuple[frozenset[Primitive], ...]
    pointers: tuple[Storage, ...]
    lengths: tuple[Extent, ...]
    offsets: tuple[int, ...]
    parted: bool

    @property
    def signature(self) -> tuple[str, ...]:
        """What each argument is: the dtype behind a pointer, or `int` for a number."""
        pointers = (stored_dtype(s.dtype) for s in self.pointers)
        return (*pointers, *("int" for _ in (*self.lengths, *self.offsets)))


def stored_dtype(dtype: str) -> str:
    """The dtype in which kernels see memory: a bool is a byte."""
    return "uint8" if dtype == "bool" else dtype


def emit(kernel: Kernel, needed: set[Storage]) -> Source:
    """The text of a kernel; `needed` is the memory that results are written to."""
    return _Emitter(kernel, needed).source()


@dataclass
class _Line:
    """A line of a kernel, and the primitives that it is for."""

    text: str
    reasons: set[Primitive]


class _Block:
    """The lines of one body, with the names of what was loaded and cast there."""

    def __init__(self, loop: Loop, depth: int) -> None:
        self.loop = loop
        self.depth = depth
        self.lines: list[_Line] = []
        self.loaded: dict[tuple[Storage, Element], str] = {}
        self.casts: dict[tuple[str, str], str] = {}
        self.places: dict[Place, str] = {}

    def add(self, text: str, reasons: Iterable[Primitive], deeper: int = 0) -> _Line:
        line = _Line(INDENT * (self.depth + deeper) + text, set(reasons))
        self.lines.append(line)
        return line


class _Emitter:
    def __init__(self, kernel: Kernel, needed: set[Storage]) -> None:
        self.kernel = kernel
        self.needed = needed
        self.pointers: dict[Storage, str] = {}
        self.lengths: dict[Extent, str] = {}
        self.offsets: dict[tuple[Storage, int], str] = {}
        self.dtypes: dict[str, str] = {}
        self.registers: dict[Storage, tuple[Primitive, str]] = {}
        self.accumulators: dict[Fold, str] = {}
        self.variables: dict[Loop, str] = {kernel.part: PARTED[0]}
        self.counts = dict.fromkeys("va", 0)
        self.reused: dict[str, _Line] = {}
        self.blocks: list[_Block] = []
        self.written = [p.target.storage for p in kernel.places]

    def source(self) -> Source:
        everything = set(self.kernel.places)
        body = self._body(self.kernel.root, 1) or [_Line(INDENT + "pass", everything)]
        parted = self.kernel.parts > 0
        own = (*self.pointers.values(), *self.lengths.values(), *self.offsets.values())
        names = (*own, *PARTED) if parted else own
        given = textwrap.wrap(", ".join(names), 96, initial_indent=INDENT, subsequent_indent=INDENT)
        lines = [*(_Line(text, everything) for text in ("def kernel(", *given, "):")), *body]
        return Source(
            "\n".join(line.text for line in lines) + "\n",
            tuple(frozenset(line.reasons) for line in lines),
            tuple(self.pointers),
            tuple(self.lengths),
            tuple(offset for _, offset in self.offsets),
            parted,
        )

    # Bodies.

    def _body(self, loop: Loop, depth: int) -> list[_Line]:
        self.blocks.append(_Block(loop, depth))
        for item in loop.body:
            if isinstance(item, Loop):
                self._loop(item)
            elif isinstance(item, Fold):
                self._fold(item)
            else:
                assert isinstance(item, Map)
                self._map(item)
        return self.blocks.pop().lines

    def _loop(self, loop: Loop) -> None:
        while loop.joined:
            loop = loop.joined
        for fold in loop.folds:
            self._start(fold)
        block = self.blocks[-1]
        head = self._head(loop, block.depth)
        inner = self._body(loop, block.depth + 1)
        block.add(head, loop.members)
        block.lines += inner
        for fold in loop.folds:
            self._finish(fold)

    def _head(self, loop: Loop, depth: int) -> str:
        name = self.variables[loop] = f"i{depth - 1}"
        if self.kernel.parts and (*loop.outer, loop)[0] in self.kernel.root.body:
            return f"for {name} in range({', '.join(PARTED[1:])}):"
        return f"for {name} in range({self._count(loop.lengths)}):"

    def _map(self, p: Map) -> None:
        dtype = p.target.storage.dtype
        text = self._filled(p)
        if self.dtypes.get(text) == dtype:
            self._made(p, text)
        else:
            self._made(p, self._let(p, _result(text, p.working, dtype), dtype))

    def _let(self, p: Primitive, text: str, dtype: str) -> str:
        name = self._fresh("v", dtype)
        self.reused[name] = self.blocks[-1].add(f"{name} = {text}", [p])
        return name

    def _reuse(self, p: Primitive, name: str) -> str:
        """A name that was given to a value for another primitive."""
        self.reused[name].reasons.add(p)
        return name

    def _fresh(self, letter: str, dtype: str) -> str:
        name = f"{letter}{self.counts[letter]}"
        self.counts[letter] += 1
        self.dtypes[name] = dtype
        return name

    def _made(self, p: Primitive, name: str) -> None:
        """The result of a primitive is now in a register; store it if anybody needs it there."""
        storage = p.target.storage
        if self.written.count(storage) == 1:
            self.registers[storage] = (p, name)
        if storage in self.needed:
            text = f"{self._place(p, p.target)} = {_stored(name, storage.dtype)}"
            self.blocks[-1].add(text, [p])

    # Accumulators.

    def _start(self, fold: Fold) -> None:
        start = "0" if fold.where else _start(fold, fold.target.storage.dtype)
        if self.kernel.in_register(fold):
            dtype = fold.target.storage.dtype
            self.accumulators[fold] = name = self._fresh("a", dtype)
            self.blocks[-1].add(f"{name} = {start}", [fold])
            if fold.where:
                leader = f"{self._leader(fold)} = {_start(fold, fold.working)}"
                self.blocks[-1].add(leader, [fold])
            return
        block = self.blocks[-1]
        around = {loop for b in self.blocks for loop in (b.loop, *b.loop.outer)}
        own = self.kernel.places[fold].loops
        inside = [own[k] for k in fold.kept if own[k] not in around and not own[k].joined]
        for depth, loop in enumerate(inside):
            block.add(self._head(loop, block.depth + depth), [fold], depth)
        depth = len(inside)
        place = self._place(fold, fold.target)
        block.add(f"{place} = {_stored(start, fold.target.storage.dtype)}", [fold], depth)

    def _leader(self, fold: Fold) -> str:
        return "b" + self.accumulators[fold][1:]

    def _fold(self, fold: Fold) -> None:
        if not fold.reduced:
            self._start(fold)
        storage = fold.target.storage
        block = self.blocks[-1]
        if not self.kernel.in_register(fold):
            place = self._place(fold, fold.target)
            total = self._let(fold, _loaded(place, storage.dtype), storage.dtype)
            block.add(f"{place} = {_stored(self._filled(fold, total), storage.dtype)}", [fold])
            return
        total = self.accumulators[fold]
        if fold.where:
            leads = self._filled(fold, self._leader(fold))
            leader = self._operand(fold, fold.operands["x"], fold.working)
            block.add(f"if {leads}:", [fold])
            block.add(f"{self._leader(fold)} = {leader}", [fold], 1)
            block.add(f"{total} = {self._position(fold)}", [fold], 1)
        else:
            text = _result(self._filled(fold, total), storage.dtype, storage.dtype)
            block.add(f"{total} = {text}", [fold])
        if not fold.reduced:
            self._finish(fold)

    def _finish(self, fold: Fold) -> None:
        if self.kernel.in_register(fold):
            self._made(fold, self.accumulators[fold])

    def _position(self, fold: Fold) -> str:
        """The number of the point among those that are folded together."""
        loops = self.kernel.places[fold].loops
        text = "0"
        for k in sorted(fold.reduced):
            turn = self.variables[loops[k]]
            length = self._length(fold.space[k])
            text = turn if text == "0" else f"{text} * {length} + {turn}"
            text = f"({text})" if "+" in text else text
        return text

    # Formulas.

    def _filled(self, p: Primitive, total: str = "") -> str:
        names = {
            name: self._operand(p, operand, p.casts.get(name, p.working))
            for name, operand in p.operands.items()
        }
        text = re.sub(r"\bT\(", f"{TYPES[p.working]}(", p.text)
        return text.format(acc=total, **names)

    def _operand(self, p: Primitive, operand: Operand, dtype: str) -> str:
        if isinstance(operand, Literal):
            return _literal(operand.value, dtype)
        if isinstance(operand, Count):
            return f"{TYPES[dtype]}({self._count(operand.extents)})"
        if isinstance(operand, Position):
            return f"{TYPES[dtype]}({self.variables[self.kernel.places[p].loops[operand.loop]]})"
        name = self._value(p, operand)
        if self.dtypes[name] == dtype:
            return name
        for block in self.blocks:
            if (name, dtype) in block.casts:
                return self._reuse(p, block.casts[name, dtype])
        cast = self._let(p, _converted(name, dtype), dtype)
        self.blocks[-1].casts[name, dtype] = cast
        return cast

    def _value(self, p: Primitive, access: Access) -> str:
        """The name of a register that holds what an access reads."""
        storage = access.storage
        if storage in self.registers:
            maker, name = self.registers[storage]
            if self.kernel.is_at_hand(maker, p, access):
                return name
        element = self.kernel.element(p, access)
        if not storage.given:
            return self._let(p, _loaded(self._place(p, access), storage.dtype), storage.dtype)
        for block in self.blocks:
            if (storage, element) in block.loaded:
                return self._reuse(p, block.loaded[storage, element])
        # As far outside as its loops allow: what all turns read alike is read once.
        used = {loop for turn in element for loop in (turn.loop, turn.within) if loop is not None}
        levels = [k for k, b in enumerate(self.blocks) if used & {b.loop, *b.loop.outer}]
        level = len(self.blocks) - 1 if access.places else max(levels, default=0)
        name = self._fresh("v", storage.dtype)
        block = self.blocks[level]
        text = f"{name} = {_loaded(self._place(p, access), storage.dtype)}"
        self.reused[name] = block.add(text, [p])
        block.loaded[storage, element] = name
        return name

    # Addresses.

    def _place(self, p: Primitive, access: Access) -> str:
        pointer = self.pointers.setdefault(access.storage, f"p{len(self.pointers)}")
        terms: list[str] = []
        offset, literal = 0, True
        extents, strides = access.buffer.extents, access.buffer.strides
        for axis, turn in enumerate(self.kernel.element(p, access)):
            inner = extents[axis + 1 :]
            if turn.start:
                offset += turn.start * strides[axis]
                literal = literal and all(e.literal for e in extents[axis:])
            if turn.place is not None:
                found = self._found(p, access, axis, turn.place)
                terms.append(self._term(found, turn.place.step, inner))
            if axis < access.buffer.reused:
                continue
            for loop, step in ((turn.loop, turn.step), (turn.within, turn.spacing)):
                if loop is not None and not loop.joined:
                    terms.append(self._term(self.variables[loop], step, inner))
        if access.buffer.parted:
            terms.append(self._term(PARTED[0], 1, extents[access.buffer.reused :]))
        if offset and literal:
            terms.append(str(offset))
        elif offset:
            named = self.offsets.setdefault((access.storage, offset), f"o{len(self.offsets)}")
            terms.append(named)
        return f"{pointer}[{' + '.join(terms) or '0'}]"

    def _found(self, p: Primitive, access: Access, axis: int, place: Place) -> str:
        """The name of a register that holds a place which is read from memory."""
        for block in self.blocks:
            if place in block.places:
                return self._reuse(p, block.places[place])
        lookup = access.indices[axis].place
        assert lookup is not None
        name = self._let(p, f"int64({self._value(p, lookup.at)})", "int64")
        length = self._length(place.extent)
        if place.wraps:
            name = self._let(p, f"{name} + {length} if {name} < 0 else {name}", "int64")
        if place.clamps:
            name = self._let(p, f"{name} if {name} >= 0 and {name} < {length} else 0", "int64")
        self.blocks[-1].places[place] = name
        return name

    def _term(self, turn: str, step: int, inner: tuple[Extent, ...]) -> str:
        factors = [turn]
        for extent in inner:
            if extent.literal:
                step *= extent.length
            else:
                factors.append(self._length(extent))
        if step != 1:
            factors.append(str(step))
        return " * ".join(factors)

    def _length(self, extent: Extent) -> str:
        if extent.literal:
            return str(extent.length)
        root = extent.root()
        return self.lengths.setdefault(root, f"n{len(self.lengths)}")

    def _count(self, extents: tuple[Extent, ...]) -> str:
        return " * ".join(map(self._length, extents)) or "1"


# Texts.


def _literal(value: bool | int | float, dtype: str) -> str:
    number = np.asarray(value).astype(dtype).item()
    return str(number) if dtype == "bool" else f"{TYPES[dtype]}({number!r})"


def _converted(name: str, dtype: str) -> str:
    """A number in another dtype."""
    return f"{name} != 0" if dtype == "bool" else f"{TYPES[dtype]}({name})"


def _result(text: str, working: str, dtype: str) -> str:
    """A formula's value in the dtype of the result: Numba widens small integers."""
    comparison = dtype == "bool" and working != "bool"
    if comparison or (dtype == working and dtype in FLOATS):
        return text
    return f"{TYPES[dtype]}({text})"


def _stored(text: str, dtype: str) -> str:
    return f"uint8({text})" if dtype == "bool" else text


def _loaded(place: str, dtype: str) -> str:
    return f"{place} != 0" if dtype == "bool" else place


def _start(fold: Fold, dtype: str) -> str:
    match fold.start:
        case "LOWEST":
            return _least(dtype)
        case "HIGHEST":
            return _greatest(dtype)
        case text:
            return re.sub(r"\bT\(", f"{TYPES[dtype]}(", text)


def _least(dtype: str) -> str:
    if dtype == "bool":
        return "False"
    return f"{dtype}(-math.inf)" if dtype in FLOATS else f"{dtype}({np.iinfo(dtype).min})"


def _greatest(dtype: str) -> str:
    if dtype == "bool":
        return "True"
    return f"{dtype}(math.inf)" if dtype in FLOATS else f"{dtype}({np.iinfo(dtype).max})"
