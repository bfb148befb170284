"""Comparison, logic, selection, casts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.dtype_rules import comparing, of_reals, upcasting
from engine.errors import TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import composed, constant_like, elementwise, zero_gradient
from engine.op import Example, Gradients, Op, Param, Port
from engine.types import COMPLEX, DISCRETE, EVERY, FLOATS, INTEGERS, TensorType, to_float, upcast

CATEGORY = "Logic"


def _no_slope(g: Variable, y: Variable, *inputs: Variable) -> Gradients:
    return [zero_gradient(x) for x in inputs]


def _comparison(
    name: str, symbol: str, infix: str, tex: str, doc: str, aliases: tuple[str, ...], **facts: Any
) -> Op:
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
        aliases=aliases,
        numpy=lambda x, y: compare(x, y),
        scalar=f"{{x}} {infix} {{y}}",
        grad=_no_slope,
        **facts,
    )


ORDERED = {"rule": of_reals(comparing)}
EQUATED = {"rule": comparing, "commutative": True, "dtypes": EVERY}
lt = _comparison("lt", "<", "<", "<", "Whether x is less than y.", ("less",), **ORDERED)
gt = _comparison("gt", ">", ">", ">", "Whether x is greater than y.", ("greater",), **ORDERED)
le = _comparison("le", "≤", "<=", r"\le", "Whether x is at most y.", ("less_equal",), **ORDERED)
ge = _comparison("ge", "≥", ">=", r"\ge", "Whether x is at least y.", ("greater_equal",), **ORDERED)
eq = _comparison("eq", "=", "==", "=", "Whether x equals y.", ("equal",), **EQUATED)
neq = _comparison("neq", "≠", "!=", r"\ne", "Whether x differs from y.", ("not_equal",), **EQUATED)


def _bitwise(dtypes: Sequence[str]) -> tuple[str, str]:
    dtype = upcast(*dtypes)
    if dtype not in DISCRETE:
        raise TypeMismatchError(
            f"{dtype} has no bits to combine.",
            expected="bool or an integer",
            got=dtype,
            hint="Compare first, as in x > 0, or cast to an integer.",
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


def _shifting(dtypes: Sequence[str]) -> tuple[str, str]:
    dtype = upcast(*dtypes)
    if dtype not in INTEGERS:
        raise TypeMismatchError(
            f"The bits of {dtype} cannot be shifted.", expected="integers", got=dtype
        )
    return dtype, dtype


left_shift = elementwise(
    "left_shift",
    symbol="«",
    category=CATEGORY,
    infix="{x} << {y}",
    precedence=9,
    tex=r"{x} \ll {y}",
    doc="The bits of x moved up by y places; 0 where y is negative or beyond the width.",
    rule=_shifting,
    dtypes=INTEGERS,
    numpy=lambda x, y: np.left_shift(x, y),
    scalar="left_shift({x}, {y})",
    grad=_no_slope,
)

right_shift = elementwise(
    "right_shift",
    symbol="»",
    category=CATEGORY,
    infix="{x} >> {y}",
    precedence=9,
    tex=r"{x} \gg {y}",
    doc="The bits of x moved down by y places, its sign kept; nothing but the sign is left where "
    "y is negative or beyond the width.",
    rule=_shifting,
    dtypes=INTEGERS,
    numpy=lambda x, y: np.right_shift(x, y),
    scalar="right_shift({x}, {y})",
    grad=_no_slope,
)

isnan = elementwise(
    "isnan",
    symbol="NaN?",
    category=CATEGORY,
    rule=comparing,
    dtypes=EVERY,
    doc="Whether an element is not a number.",
    numpy=lambda x: np.isnan(x),
    scalar="{x} != {x}",
    grad=_no_slope,
)

isinf = elementwise(
    "isinf",
    symbol="∞?",
    category=CATEGORY,
    rule=comparing,
    dtypes=EVERY,
    doc="Whether an element is infinite, of either sign.",
    numpy=lambda x: np.isinf(x),
    scalar="math.isinf({x})",
    grad=_no_slope,
)

isfinite = elementwise(
    "isfinite",
    symbol="<∞?",
    category=CATEGORY,
    rule=comparing,
    dtypes=EVERY,
    doc="Whether an element is neither infinite nor NaN.",
    numpy=lambda x: np.isfinite(x),
    scalar="math.isfinite({x})",
    grad=_no_slope,
)

CLOSENESS = (
    Param("rtol", "float", 1e-5, "how far x may be from y, as a part of y"),
    Param("atol", "float", 1e-8, "how far x may be from y besides"),
    Param("equal_nan", "bool", False, "whether NaN is close to NaN"),
)


def _isclose(
    x: Variable, y: Variable, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Variable:
    dtype = to_float(upcast(x.dtype, y.dtype))
    a, b = cast(x, dtype), cast(y, dtype)
    size = OPS["abs"](b)
    allowed = constant_like(atol, size) + constant_like(rtol, size) * size
    near = and_(le(OPS["abs"](a - b), allowed), isfinite(b))
    close = or_(near, eq(a, b))
    return or_(close, and_(isnan(a), isnan(b))) if equal_nan else close


isclose = composed(
    "isclose",
    symbol="≈",
    category=CATEGORY,
    params=CLOSENESS,
    tex=r"{x} \approx {y}",
    dtypes=EVERY,
    doc="Whether x is close to y, element by element: at most atol + rtol |y| away, or equal.",
    body=_isclose,
)

allclose = composed(
    "allclose",
    symbol="∀≈",
    category=CATEGORY,
    params=CLOSENESS,
    dtypes=EVERY,
    doc="Whether every element of x is close to that of y.",
    body=lambda x, y, rtol=1e-5, atol=1e-8, equal_nan=False: OPS["all"](
        _isclose(x, y, rtol, atol, equal_nan)
    ),
)


def _choosing(dtypes: Sequence[str]) -> tuple[tuple[str, ...], str]:
    if dtypes[0] in COMPLEX:
        raise TypeMismatchError(
            "A condition is no complex number.", port="condition", expected="bool", got=dtypes[0]
        )
    dtype = upcast(*dtypes[1:])
    return ("bool", dtype, dtype), dtype


switch: Op = elementwise(
    "switch",
    symbol="?:",
    category=CATEGORY,
    aliases=("where",),
    tex=r"\begin{{cases}} {then} & {condition} \\ {other} & \text{{else}} \end{{cases}}",
    doc="Element by element: `then` where the condition holds, else `other`.",
    rule=_choosing,
    selects=True,
    conjugates=False,
    numpy=lambda condition, then, other: np.where(condition, then, other),
    scalar="{then} if {condition} else {other}",
    grad=lambda g, y, condition, then, other: [
        zero_gradient(condition),
        switch(condition, g, 0),
        switch(condition, 0, g),
    ],
)

clip = elementwise(
    "clip",
    symbol="[ ]",
    category=CATEGORY,
    doc="Each element, but at least `low` and at most `high`; `high` where they contradict.",
    domain=((-3.0, 3.0), (-2.0, -1.0), (1.0, 2.0)),
    rule=of_reals(upcasting),
    selects=True,
    numpy=lambda x, low, high: np.minimum(np.maximum(x, low), high),
    scalar="least(greatest({x}, {low}), {high})",
    grad=lambda g, y, x, low, high: [
        switch(and_(x >= low, x <= high), g, 0),
        switch(and_(x < low, low <= high), g, 0),
        switch(OPS["maximum"](x, low) > high, g, 0),
    ],
)

fill = elementwise(
    "fill",
    symbol="▦",
    category="Shape",
    tex=r"\operatorname{{fill}}\left({model}, {value}\right)",
    doc="A tensor of the model's shape with the value everywhere.",
    aliases=("second",),
    rule=lambda dtypes: (tuple(dtypes), dtypes[1]),
    dtypes=EVERY,
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


def _cast_value(x: Any, dtype: str) -> Any:
    """As astype, but what C leaves open is settled: too large a float is the largest integer."""
    x = np.asarray(x)
    if x.dtype.name not in FLOATS or dtype not in INTEGERS:
        return x.astype(dtype)
    bounds = np.iinfo(dtype)
    # The bounds as powers of 2, which floats hold exactly.
    low, high = float(bounds.min), float(bounds.max // 2 + 1) * 2
    wide = x.astype("float64")
    inside = (wide > low - 1) & (wide < high)
    whole = np.where(inside, wide, 0).astype(dtype)
    whole = np.where(wide >= high, np.asarray(bounds.max, dtype), whole)
    return np.where(wide <= low - 1, np.asarray(bounds.min, dtype), whole)


def _cast_grad(g: Variable, y: Variable, x: Variable, dtype: str) -> Gradients:
    if x.dtype in DISCRETE or dtype in DISCRETE:
        return [zero_gradient(x)]
    if dtype in COMPLEX and x.dtype not in COMPLEX:
        g = OPS["real"](g)
    return [cast(g, x.dtype)]


cast: Op = Op(
    name="cast",
    symbol="→",
    category="Shape",
    doc="The same numbers in another dtype. Floats lose their fraction when they become integers; "
    "NaN becomes 0, and what is too large the largest integer.",
    ports=(Port("x"),),
    params=(Param("dtype", "dtype", "float64", "the new dtype"),),
    aliases=("astype",),
    examples=(
        Example(((2, 3),), {"dtype": "float32"}),
        Example(((3,),), {"dtype": "int32"}),
        Example(((3,),), {"dtype": "complex128"}),
    ),
    conjugates=False,
    dtypes=EVERY,
    infer=_cast_type,
    numpy=_cast_value,
    grad=_cast_grad,
)
