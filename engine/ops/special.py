"""Special functions: error functions, entropies, and the integrals of the normal distribution.

Formulas of derivatives: NIST Digital Library of Mathematical Functions, dlmf.nist.gov.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.dtype_rules import floating, of_reals
from engine.expression import OPS, Variable
from engine.makers import cast_to, constant_like, elementwise, stretched_shapes
from engine.op import Example, Gradients, Op

CATEGORY = "Special functions"


def scipy_special() -> Any:
    """SciPy's special functions, imported with the first value: that takes a while."""
    import scipy.special

    return scipy.special


def special(
    name: str,
    doc: str,
    numpy: Callable[..., Any],
    grad: Callable[..., Gradients] | None,
    scalar: str | None = None,
    **facts: Any,
) -> Op:
    """An op of this family: on real numbers, computed in floats."""
    facts = {"category": CATEGORY, "symbol": name, **facts}
    return elementwise(
        name, doc=doc, rule=of_reals(floating), numpy=numpy, scalar=scalar, grad=grad, **facts
    )


def whole_orders(domain: Sequence[tuple[float, float]], whole: Sequence[int]) -> dict[str, Any]:
    """The domain of an op, and examples in which the inputs at some places are whole numbers.

    There is no gradient by those.
    """

    def example(shapes: Sequence[tuple[int, ...]]) -> Example:
        def draw(rng: np.random.Generator) -> list[Any]:
            return [
                rng.integers(math.ceil(low), int(high) + 1, shape, "int8")
                if i in whole
                else rng.uniform(low, high, shape)
                for i, ((low, high), shape) in enumerate(zip(domain, shapes, strict=True))
            ]

        return Example(tuple(shapes), draw=draw)

    examples = tuple(map(example, stretched_shapes(len(domain))))
    return {"domain": tuple(domain), "examples": examples}


# Error functions.  Their derivatives are multiples of 2/√π exp(-x²).


def _bell(x: Variable, y: Variable, factor: float, sign: int = -1) -> Variable:
    x = cast_to(x, y.dtype)
    square = OPS["sqr"](x)
    return OPS["exp"](-square if sign < 0 else square) * constant_like(factor, y)


erf = special(
    "erf",
    "The error function: the share of a normal distribution within x√2 deviations.",
    lambda x: scipy_special().erf(x),
    lambda g, y, x: [g * _bell(x, y, 2 / math.sqrt(math.pi))],
    scalar="math.erf({x})",
    bounds=(-1, 1),
)
erfc = special(
    "erfc",
    "1 - erf(x), exact also where erf is nearly 1.",
    lambda x: scipy_special().erfc(x),
    lambda g, y, x: [g * _bell(x, y, -2 / math.sqrt(math.pi))],
    scalar="math.erfc({x})",
    bounds=(0, 2),
)
erfcx = special(
    "erfcx",
    "exp(x²) erfc(x), which does not vanish where erfc does.",
    lambda x: scipy_special().erfcx(x),
    lambda g, y, x: [g * (2 * cast_to(x, y.dtype) * y - constant_like(2 / math.sqrt(math.pi), y))],
    domain=(-2.0, 5.0),
    bounds=(0, math.inf),
)
erfinv = special(
    "erfinv",
    "The number whose error function is x, which lies between -1 and 1.",
    lambda x: scipy_special().erfinv(x),
    lambda g, y, x: [g * _bell(y, y, math.sqrt(math.pi) / 2, 1)],
    symbol="erf⁻¹",
    tex=r"\operatorname{{erf}}^{{-1}}\left({x}\right)",
    domain=(-0.9, 0.9),
)
erfcinv = special(
    "erfcinv",
    "The number whose erfc is x, which lies between 0 and 2.",
    lambda x: scipy_special().erfcinv(x),
    lambda g, y, x: [g * _bell(y, y, -math.sqrt(math.pi) / 2, 1)],
    symbol="erfc⁻¹",
    tex=r"\operatorname{{erfc}}^{{-1}}\left({x}\right)",
    domain=(0.1, 1.9),
)


def _log_ndtr_grad(g: Variable, y: Variable, x: Variable) -> Gradients:
    x = cast_to(x, y.dtype)
    return [g * OPS["exp"](-0.5 * OPS["sqr"](x) - y - constant_like(math.log(2 * math.pi) / 2, y))]


log_ndtr = special(
    "log_ndtr",
    "The logarithm of the chance that a normal number is below x, also where that vanishes.",
    lambda x: scipy_special().log_ndtr(x),
    _log_ndtr_grad,
    symbol="ln Φ",
    tex=r"\ln\Phi\left({x}\right)",
    domain=(-8.0, 3.0),
    bounds=(-math.inf, 0),
)


def _owens_t_grad(g: Variable, y: Variable, h: Variable, a: Variable) -> Gradients:
    h, a = cast_to(h, y.dtype), cast_to(a, y.dtype)
    root, full = constant_like(math.sqrt(0.5), y), constant_like(0.5 / math.pi, y)
    bell = OPS["exp"](-0.5 * OPS["sqr"](h))
    by_h = bell * erf(a * h * root) * constant_like(-0.25 * math.sqrt(2 / math.pi), y)
    stretch = 1 + OPS["sqr"](a)
    by_a = OPS["exp"](-0.5 * OPS["sqr"](h) * stretch) / stretch * full
    return [g * by_h, g * by_a]


owens_t = special(
    "owens_t",
    "Owen's T: the chance that one normal number is above h, and another between 0 and a times it.",
    lambda h, a: scipy_special().owens_t(h, a),
    _owens_t_grad,
    symbol="T",
)

# Entropies: 0 log 0 is 0.


def _times_log(x: Any, y: Any) -> Any:
    return np.where(x == 0, np.zeros((), x.dtype), x * np.log(y))


def _xlogy0_grad(g: Variable, out: Variable, x: Variable, y: Variable) -> Gradients:
    x, y = cast_to(x, out.dtype), cast_to(y, out.dtype)
    return [g * OPS["log"](y), g * OPS["multiply_no_nan"](x, OPS["inv"](y))]


xlogx = special(
    "xlogx",
    "x log(x), which is 0 for 0.",
    lambda x: _times_log(x, x),
    lambda g, y, x: [g * (1 + OPS["log"](x))],
    scalar="T(0) if {x} == 0 else {x} * math.log({x})",
    symbol="x ln x",
    tex=r"{x} \ln {x}",
    precedence=20,
    domain=(0.2, 5.0),
)
xlogy0 = special(
    "xlogy0",
    "x log(y), which is 0 where x is 0, also for y = 0.",
    lambda x, y: _times_log(x, y),
    _xlogy0_grad,
    scalar="T(0) if {x} == 0 else {x} * math.log({y})",
    aliases=("xlogy",),
    symbol="x ln y",
    tex=r"{x} \ln {y}",
    precedence=20,
    domain=((-3.0, 3.0), (0.2, 5.0)),
)


def _xlog1py_grad(g: Variable, out: Variable, x: Variable, y: Variable) -> Gradients:
    x, y = cast_to(x, out.dtype), cast_to(y, out.dtype)
    return [g * OPS["log1p"](y), g * OPS["multiply_no_nan"](x, OPS["inv"](1 + y))]


xlog1py = special(
    "xlog1py",
    "x log(1 + y), which is 0 where x is 0, and exact also where y is tiny.",
    lambda x, y: np.where(x == 0, np.zeros((), x.dtype), x * np.log1p(y)),
    _xlog1py_grad,
    scalar="T(0) if {x} == 0 else {x} * math.log1p({y})",
    symbol="x ln(1+y)",
    tex=r"{x} \ln\left(1+{y}\right)",
    precedence=20,
    domain=((-3.0, 3.0), (-0.8, 5.0)),
)
