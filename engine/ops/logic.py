"""Comparison, logic, selection, casts."""

from collections.abc import Sequence

import numpy as np

from engine.errors import TypeMismatchError
from engine.graph import OPS, Variable
from engine.op import (
    Example,
    Op,
    Param,
    Port,
    comparing,
    elementwise,
    zero_gradient,
)
from engine.types import COMPLEX, DISCRETE, TensorType, upcast

CATEGORY = "Logic"


def _no_slope(g: Variable, y: Variable, *inputs: Variable) -> list[Variable | None]:
    return [zero_gradient(x) for x in inputs]


def _comparison(name: str, symbol: str, infix: str, tex: str, doc: str, commutative: bool) -> Op:
    compare = {
        "lt": np.less,
        "gt": np.greater,
        "le": np.less_equal,
        "ge": np.greater_equal,
        "eq": np.equal,
        "neq": np.not_equal,
    }[name]
    return elementwise(
        name,
        symbol=symbol,
        category=CATEGORY,
        doc=doc,
        tex=f"{{x}} {tex} {{y}}",
        infix=f"{{x}} {infix} {{y}}",
        precedence=5,
        commutative=commutative,
        rule=comparing,
        numpy=lambda x, y: compare(x, y),
        scalar=f"{{x}} {infix} {{y}}",
        grad=_no_slope,
    )


lt = _comparison("lt", "<", "<", "<", "Whether x is less than y.", False)
gt = _comparison("gt", ">", ">", ">", "Whether x is greater than y.", False)
le = _comparison("le", "≤", "<=", r"\le", "Whether x is at most y.", False)
ge = _comparison("ge", "≥", ">=", r"\ge", "Whether x is at least y.", False)
eq = _comparison("eq", "=", "==", "=", "Whether x equals y.", True)
neq = _comparison("neq", "≠", "!=", r"\ne", "Whether x differs from y.", True)


def _bitwise(dtypes: Sequence[str]) -> tuple[str, str]:
    dtype = upcast(*dtypes)
    if dtype not in DISCRETE:
        raise TypeMismatchError(
            f"{dtype} has no bits to combine.", expected="bool or an integer", got=dtype
        )
    return dtype, dtype


and_ = elementwise(
    "and_",
    symbol="∧",
    category=CATEGORY,
    infix="{x} & {y}",
    precedence=8,
    tex=r"{x} \land {y}",
    doc="Both, bit by bit.",
    aliases=("bitwise_and",),
    commutative=True,
    associative=True,
    rule=_bitwise,
    dtypes=DISCRETE,
    numpy=lambda x, y: x & y,
    scalar="{x} & {y}",
    grad=_no_slope,
)

or_ = elementwise(
    "or_",
    symbol="∨",
    category=CATEGORY,
    infix="{x} | {y}",
    precedence=6,
    tex=r"{x} \lor {y}",
    doc="Either, bit by bit.",
    aliases=("bitwise_or",),
    commutative=True,
    associative=True,
    rule=_bitwise,
    dtypes=DISCRETE,
    numpy=lambda x, y: x | y,
    scalar="{x} | {y}",
    grad=_no_slope,
)

xor = elementwise(
    "xor",
    symbol="⊕",
    category=CATEGORY,
    infix="{x} ^ {y}",
    precedence=7,
    tex=r"{x} \oplus {y}",
    doc="One but not both, bit by bit.",
    aliases=("bitwise_xor",),
    commutative=True,
    associative=True,
    rule=_bitwise,
    dtypes=DISCRETE,
    numpy=lambda x, y: x ^ y,
    scalar="{x} ^ {y}",
    grad=_no_slope,
)

invert = elementwise(
    "invert",
    symbol="¬",
    category=CATEGORY,
    infix="~{x}",
    precedence=25,
    tex=r"\lnot {x}",
    doc="Every bit turned over; on bool, not.",
    aliases=("bitwise_not",),
    rule=_bitwise,
    dtypes=DISCRETE,
    numpy=lambda x: ~x,
    scalar="T(-1) - {x}",
    grad=_no_slope,
)

isnan = elementwise(
    "isnan",
    symbol="NaN?",
    category=CATEGORY,
    rule=comparing,
    doc="Whether an element is not a number.",
    numpy=lambda x: np.isnan(x),
    scalar="{x} != {x}",
    grad=_no_slope,
)

switch: Op = elementwise(
    "switch",
    symbol="?:",
    category=CATEGORY,
    aliases=("where",),
    tex=r"\begin{{cases}} {then} & {condition} \\ {other} & \text{{else}} \end{{cases}}",
    doc="Element by element: `then` where the condition holds, else `other`.",
    rule=lambda dtypes: (upcast(*dtypes[1:]),) * 2,
    numpy=lambda condition, then, other: np.where(condition != 0, then, other),
    scalar="{then} if {condition} != 0 else {other}",
    grad=lambda g, y, condition, then, other: [
        None,
        switch(condition, g, 0),
        switch(condition, 0, g),
    ],
)

clip = elementwise(
    "clip",
    symbol="[ ]",
    category=CATEGORY,
    doc="Each element, but at least `low` and at most `high`.",
    domain=((-3.0, 3.0), (-2.0, -1.0), (1.0, 2.0)),
    numpy=lambda x, low, high: np.minimum(np.maximum(x, low), high),
    scalar="{high} if {x} > {high} else ({low} if {x} < {low} else {x})",
    grad=lambda g, y, x, low, high: [
        switch(and_(x >= low, x <= high), g, 0),
        switch(x < low, g, 0),
        switch(x > high, g, 0),
    ],
)

fill = elementwise(
    "fill",
    symbol="▦",
    category="Shape",
    tex=r"\operatorname{{fill}}\left({model}, {value}\right)",
    doc="A tensor of the model's shape with the value everywhere.",
    aliases=("second",),
    rule=lambda dtypes: (dtypes[1], dtypes[1]),
    numpy=lambda model, value: np.broadcast_to(
        value, np.broadcast_shapes(model.shape, value.shape)
    ),
    scalar="{value}",
    grad=lambda g, y, model, value: [None, g],
)


def _cast_type(x: TensorType, dtype: str) -> TensorType:
    if x.dtype in COMPLEX and dtype not in COMPLEX:
        raise TypeMismatchError(
            f"{x.dtype} cannot be cast to {dtype}.",
            expected="complex64 or complex128",
            got=dtype,
            hint="Take the real part or the absolute value first.",
        )
    return x.with_dtype(dtype)


cast = Op(
    name="cast",
    symbol="→",
    category="Shape",
    doc="The same numbers in another dtype; floats lose their fraction when they become integers.",
    ports=(Port("x"),),
    params=(Param("dtype", "dtype", "float64", "the new dtype"),),
    aliases=("astype",),
    examples=(Example(((2, 3),), {"dtype": "float32"}), Example(((3,),), {"dtype": "int32"})),
    infer=_cast_type,
    numpy=lambda x, dtype: np.asarray(x).astype(dtype),
    grad=lambda g, y, x, dtype: [
        zero_gradient(x) if x.dtype in DISCRETE or dtype in DISCRETE else OPS["cast"](g, x.dtype)
    ],
)
