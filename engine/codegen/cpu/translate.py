"""From a kernel's text to LLVM IR, without Numba.

The text is Numba's language, and every formula gets the dtype and the value that Numba gives it:
people can read it, and compile it, as what it is.  Of that language kernels use little: loops
over ranges, assignments, conditions, arithmetic, and functions from a list.  So the translator is
small, and starts in a hundredth of the time.
"""

from __future__ import annotations

import ast
import ctypes
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from engine.codegen.cpu import operations
from engine.codegen.cpu.emit import TYPES
from engine.codegen.cpu.mathematics import BINARY, UNARY
from engine.codegen.cpu.promotion import common, widened
from engine.types import FLOATS

INDEX = operations.TYPES["int64"]
DTYPES = {name: dtype for dtype, name in TYPES.items() if dtype in operations.TYPES}
COMPARISONS = {"Eq": "==", "NotEq": "!=", "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">="}
EXACT = 1 << 53
"""Integers up to here are floats as well."""


class UntranslatableError(Exception):
    """The text has something in it that only Numba knows."""


class Value(NamedTuple):
    """A number in a kernel: its dtype, the LLVM value, and the number itself if it is written."""

    dtype: str
    register: Any
    number: int | float | None = None


def translate(text: str, signature: Sequence[str], name: str) -> str:
    """The kernel as a module of LLVM IR: a function `name` of the arguments.

    signature: what each argument is, the dtype behind a pointer or "int".
    Raises UntranslatableError.
    """
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    translation = _Translation(name, [a.arg for a in function.args.args], signature)
    translation.run(function.body)
    translation.builder.ret_void()
    return str(translation.module)


class _Translation:
    """The function so far.

    values: what each name stands for at this place.  memory: the pointers, and the dtypes there.
    """

    def __init__(self, name: str, arguments: Sequence[str], signature: Sequence[str]) -> None:
        self.module = ir.Module()
        types = [INDEX if kind == "int" else ir.PointerType() for kind in signature]
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), types), name)
        self.builder = ir.IRBuilder(function.append_basic_block())
        self.values: dict[str, Value] = {}
        self.memory: dict[str, tuple[Any, str]] = {}
        for own, register, kind in zip(arguments, function.args, signature, strict=True):
            if kind == "int":
                self.values[own] = Value("int64", register)
            else:
                register.add_attribute("noalias")  # every storage has one pointer
                self.memory[own] = register, kind

    # Statements.

    def run(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)]):
                    self._bind(name, self.value(statement.value))
                case ast.Assign(targets=[ast.Subscript() as place]):
                    address, dtype = self._place(place)
                    self.builder.store(self.cast(self.value(statement.value), dtype), address)
                case ast.For(target=ast.Name(id=name), orelse=[]):
                    self._loop(name, statement)
                case ast.If():
                    self._branch(statement)
                case ast.Pass():
                    pass
                case _:
                    raise UntranslatableError(ast.unparse(statement))

    def _bind(self, name: str, value: Value) -> None:
        old = self.values.get(name)
        if name in self.memory or (old and old.dtype != value.dtype):
            raise UntranslatableError(f"{name} is {value.dtype} as well.")
        self.values[name] = value

    def _loop(self, name: str, loop: ast.For) -> None:
        """The condition is tested below the body, as LLVM likes it, and once before."""
        start, stop = self._range(loop.iter)
        builder = self.builder
        before, body, after = builder.block, self._block(), self._block()
        builder.cbranch(builder.icmp_signed("<", start, stop), body, after)
        builder.position_at_end(body)
        turn = builder.phi(INDEX)
        turn.add_incoming(start, before)
        outside = self.values
        changing = {n: outside[n] for n in assigned(loop.body) if n in outside}
        carried = {n: builder.phi(v.register.type) for n, v in changing.items()}
        self.values = {**outside, name: Value("int64", turn)}
        for n, value in changing.items():
            carried[n].add_incoming(value.register, before)
            self.values[n] = Value(value.dtype, carried[n])
        self.run(loop.body)
        last = builder.block
        following = builder.add(turn, INDEX(1), flags=["nuw", "nsw"])
        turn.add_incoming(following, last)
        for n, phi in carried.items():
            phi.add_incoming(self.values[n].register, last)
        builder.cbranch(builder.icmp_signed("<", following, stop), body, after)
        self._meet(after, outside, {before: outside, last: self.values}, changing)

    def _range(self, call: ast.expr) -> tuple[Any, Any]:
        match call:
            case ast.Call(func=ast.Name(id="range"), args=[stop]):
                return INDEX(0), self.index(stop)
            case ast.Call(func=ast.Name(id="range"), args=[start, stop]):
                return self.index(start), self.index(stop)
        raise UntranslatableError(ast.unparse(call))

    def _branch(self, branch: ast.If) -> None:
        builder = self.builder
        condition = self.cast(self.value(branch.test), "bool")
        first, second, after = (self._block() for _ in range(3))
        builder.cbranch(condition, first, second)
        outside = self.values
        ways = {}
        for block, statements in ((first, branch.body), (second, branch.orelse)):
            builder.position_at_end(block)
            self.values = dict(outside)
            self.run(statements)
            ways[builder.block] = self.values
            builder.branch(after)
        changing = [n for n in assigned([*branch.body, *branch.orelse]) if n in outside]
        self._meet(after, outside, ways, changing)

    def _meet(
        self,
        block: Any,
        outside: dict[str, Value],
        ways: dict[Any, dict[str, Value]],
        changing: Iterable[str],
    ) -> None:
        """Go on in a block, where names stand for what they did at the end of the one before."""
        self.builder.position_at_end(block)
        self.values = dict(outside)
        for name in changing:
            old = outside[name]
            phi = self.builder.phi(old.register.type)
            for end, values in ways.items():
                phi.add_incoming(values[name].register, end)
            self.values[name] = Value(old.dtype, phi)

    def _block(self) -> Any:
        return self.builder.function.append_basic_block()

    # Places in memory.

    def _place(self, place: ast.Subscript) -> tuple[Any, str]:
        match place.value:
            case ast.Name(id=name) if name in self.memory:
                pointer, dtype = self.memory[name]
                at = [self.index(place.slice)]
                type = operations.TYPES[dtype]
                return self.builder.gep(pointer, at, inbounds=True, source_etype=type), dtype
        raise UntranslatableError(ast.unparse(place))

    def index(self, node: ast.expr) -> Any:
        """A number of elements: it fits into 64 bits, which lets LLVM see the strides."""
        match node:
            case ast.BinOp(op=ast.Add()):
                return self.builder.add(
                    self.index(node.left), self.index(node.right), flags=["nsw"]
                )
            case ast.BinOp(op=ast.Mult()):
                return self.builder.mul(
                    self.index(node.left), self.index(node.right), flags=["nsw"]
                )
        return self.cast(self.value(node), "int64")

    # Formulas.

    def cast(self, value: Value, dtype: str) -> Any:
        """The LLVM value in a dtype."""
        return self._converted(value, dtype).register

    def _converted(self, value: Value, dtype: str) -> Value:
        if value.dtype == dtype:
            return value
        number = None if value.number is None else _written(value.number, dtype)
        if number is not None:
            return _constant(dtype, number)
        register = operations.cast(self.builder, value.register, value.dtype, dtype)
        return Value(dtype, register)

    def value(self, node: ast.expr) -> Value:
        """What an expression stands for."""
        match node:
            case ast.Name(id=name) if name in self.values:
                return self.values[name]
            case ast.Constant(value=bool() as number):
                return _constant("bool", number)
            case ast.Constant(value=int() as number):
                return _constant("int64" if number < 1 << 63 else "uint64", number)
            case ast.Constant(value=float() as number):
                return _constant("float64", number)
            case ast.Attribute(value=ast.Name(id="math"), attr="inf" | "pi" as name):
                return _constant("float64", getattr(math, name))
            case ast.Subscript():
                address, dtype = self._place(node)
                return Value(dtype, self.builder.load(address, typ=operations.TYPES[dtype]))
            case ast.UnaryOp(op=ast.USub()):
                return self._negative(self.value(node.operand))
            case ast.BinOp():
                return self._operator(type(node.op).__name__, node.left, node.right)
            case ast.Compare(ops=[op], comparators=[right]):
                return self._compared(type(op).__name__, node.left, right)
            case ast.BoolOp():
                return self._connected(isinstance(node.op, ast.And), node.values)
            case ast.IfExp():
                return self._choice(node)
            case ast.Call(keywords=[]):
                return self._call(node.func, [self.value(a) for a in node.args])
        raise UntranslatableError(ast.unparse(node))

    def _negative(self, x: Value) -> Value:
        dtype = widened(x.dtype)
        if x.number is not None and dtype == x.dtype:
            return _constant(dtype, -x.number)
        return Value(dtype, operations.negative(self.builder, dtype, self.cast(x, dtype)))

    def _operator(self, name: str, left: ast.expr, right: ast.expr) -> Value:
        x, y = self.value(left), self.value(right)
        dtype = widened(x.dtype, y.dtype)
        if name in ("LShift", "RShift"):
            return self._shifted(name == "LShift", x, y)
        if name in operations.BITWISE and x.dtype == y.dtype == "bool":
            dtype = "bool"
        if name == "Div" and dtype not in FLOATS:
            dtype = "float64"
        codes = operations.BITWISE if name in operations.BITWISE else operations.OPERATORS
        if name not in codes or (dtype in FLOATS and codes is operations.BITWISE):
            raise UntranslatableError(f"{name} of {x.dtype} and {y.dtype}")
        return Value(
            dtype, codes[name](self.builder, dtype, self.cast(x, dtype), self.cast(y, dtype))
        )

    def _shifted(self, up: bool, x: Value, y: Value) -> Value:
        """Shifts by a number of bits that is written in the text."""
        if y.number is None or not 0 <= y.number < 64 or x.dtype in FLOATS:
            raise UntranslatableError("A shift by a variable.")
        dtype = widened(x.dtype)
        down = self.builder.ashr if operations.is_signed(dtype) else self.builder.lshr
        register = self.cast(x, dtype)
        return Value(dtype, (self.builder.shl if up else down)(register, INDEX(int(y.number))))

    def _compared(self, name: str, left: ast.expr, right: ast.expr) -> Value:
        if name not in COMPARISONS:
            raise UntranslatableError(name)
        x, y = self.value(left), self.value(right)
        dtype = common(x.dtype, y.dtype)
        code = operations.compared(COMPARISONS[name])
        return Value("bool", code(self.builder, dtype, self.cast(x, dtype), self.cast(y, dtype)))

    def _connected(self, both: bool, nodes: Sequence[ast.expr]) -> Value:
        """`and` and `or` of bools: an operand behind the one that decides does not matter."""
        refuse_memory(nodes[1:])
        values = [self.value(n) for n in nodes]
        if any(v.dtype != "bool" for v in values):
            raise UntranslatableError("`and` and `or` of numbers.")
        result = values[-1].register
        for v in reversed(values[:-1]):
            ways = (result, v.register.type(0)) if both else (v.register.type(1), result)
            result = self.builder.select(v.register, *ways)
        return Value("bool", result)

    def _choice(self, node: ast.IfExp) -> Value:
        """Both values are computed, as nothing traps; so that loops have no branches."""
        refuse_memory([node.body, node.orelse])
        condition = self.cast(self.value(node.test), "bool")
        x, y = self.value(node.body), self.value(node.orelse)
        if (x.dtype in FLOATS) != (y.dtype in FLOATS):
            raise UntranslatableError("A choice between a float and an integer.")
        dtype = common(x.dtype, y.dtype)
        return Value(
            dtype, self.builder.select(condition, self.cast(x, dtype), self.cast(y, dtype))
        )

    # Calls.

    def _call(self, function: ast.expr, values: Sequence[Value]) -> Value:
        match function, values:
            case ast.Name(id=name), [x] if name in DTYPES:
                return self._converted(x, DTYPES[name])
            case ast.Name(id="abs"), [x]:
                dtype = "int8" if x.dtype == "bool" else x.dtype
                return self._applied(operations.absolute, dtype, values)
            case ast.Name(id=name), [x] if name in operations.OF_ONE:
                return self._applied(operations.OF_ONE[name], x.dtype, values)
            case ast.Name(id=name), [x, _] if name in operations.OF_TWO:
                return self._applied(operations.OF_TWO[name], x.dtype, values)
            case ast.Name(id=name), [x] if name in operations.SATURATED and x.dtype in FLOATS:
                target = operations.SATURATED[name]
                return Value(
                    target, operations.saturated(self.builder, x.dtype, x.register, target)
                )
            case ast.Attribute(value=ast.Name(id="math"), attr=name), _:
                return self._mathematics(name, values)
        raise UntranslatableError(ast.unparse(function))

    def _mathematics(self, name: str, values: Sequence[Value]) -> Value:
        """A function of `math`, which computes integers in float64."""
        dtype = common(*(v.dtype for v in values))
        floating = dtype if dtype in FLOATS else "float64"
        match name, len(values):
            case "isinf", 1:
                return Value("bool", self._applied(operations.isinf, floating, values).register)
            case "isfinite", 1:
                return Value("bool", self._applied(operations.isfinite, floating, values).register)
            case "sqrt", 1:
                return self._applied(operations.intrinsic(name), floating, values)
        if (name in (*UNARY, "lgamma") and len(values) == 1) or (
            name in BINARY and name != "pow" and len(values) == 2
        ):
            return self._applied(operations.library(name), floating, values)
        raise UntranslatableError(f"math.{name}")

    def _applied(self, code: operations.Code, dtype: str, values: Sequence[Value]) -> Value:
        return Value(dtype, code(self.builder, dtype, *(self.cast(v, dtype) for v in values)))


def _constant(dtype: str, number: int | float) -> Value:
    return Value(dtype, operations.TYPES[dtype](number), number)


def _written(number: int | float, dtype: str) -> int | float | None:
    """A number from the text in another dtype; None where that is left to LLVM."""
    if dtype in FLOATS:
        if isinstance(number, int) and abs(number) > EXACT:
            return None
        return ctypes.c_float(number).value if dtype == "float32" else float(number)
    if dtype == "bool":
        return number != 0
    if isinstance(number, float):
        return None
    bits = operations.TYPES[dtype].width
    number &= (1 << bits) - 1
    return number - (1 << bits) if operations.is_signed(dtype) and number >> (bits - 1) else number


def refuse_memory(nodes: Sequence[ast.expr]) -> None:
    """What may not be computed must not read memory either, which may not be there."""
    for node in nodes:
        if any(isinstance(part, ast.Subscript) for part in ast.walk(node)):
            raise UntranslatableError(f"Memory that may not be there: {ast.unparse(node)}")


def assigned(statements: Sequence[ast.stmt]) -> dict[str, None]:
    """The names that statements give a value to, in order."""
    names: dict[str, None] = {}
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]):
                names[name] = None
            case ast.For() | ast.If():
                names |= assigned([*statement.body, *statement.orelse])
    return names
