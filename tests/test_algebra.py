"""The laws of algebra: what each family comes to, and that no value is changed on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codegen.numpy import interpret
from engine.errors import EngineError
from engine.expression import OPS, Apply, Constant, Variable, walk
from engine.graph import Graph
from engine.printing import pp
from engine.rewrite import optimize
from engine.types import DISCRETE, TensorType

Array = np.ndarray[Any, Any]

NAMES = {
    "x": "float64", "y": "float64", "z": "float64",
    "f": "float32", "c": "bool", "d": "bool", "i": "int8", "j": "int8", "u": "uint8", "l": "int64",
    "w": "complex128",
}  # fmt: skip


def parsed(text: str, rank: int = 2) -> tuple[list[Variable], Variable]:
    """Variables of the names above, and the expression that a text writes with them."""
    variables = {n: Variable(TensorType(d, (None,) * rank), name=n) for n, d in NAMES.items()}
    variables["s"] = Variable(TensorType("float64", ()), name="s")
    return list(variables.values()), eval(text, {"__builtins__": {}}, {**OPS, **variables})  # noqa: S307


# What comes out, also if no NaN or error may be hidden; "text" alone: it stays as it is.
CASES = """
    # Sums and products
    (x + y) + (x + y)                       2.0 * (x + y)
    2 * x + 3 * x                           5.0 * x
    x * y + y * x                           2.0 * x * y
    i + i                                   2 * i
    x - x                                   x - x
    x - (x + y)                             x - (x + y)
    x * y + x * z                           x * y + x * z
    i * j + i * (i + 1)                     i * (j + i + 1)
    l * 2 + 2 * (l + l)                     6 * l
    x / x                                   x / x
    x**2 * x**3                             x * sqr(sqr(x))
    x * x * x                               sqr(x) * x
    x * y * x                               x * y * x
    i * j * i                               sqr(i) * j
    2 * x * 3                               6.0 * x
    2 * x * x                               2 * x * x
    -x * -y                                 x * y
    (x + 1) + 2                             x + 3.0
    i // 1                                  i
    i % 1                                   fill(i, 0)
    # Powers
    x**0                                    fill(x, 1.0)
    x**2                                    sqr(x)
    x**7                                    x * sqr(x) * sqr(sqr(x))
    i**3                                    i * sqr(i)
    x**-3                                   inv(x * sqr(x))
    x**65                                   x ** 65
    x**0.5                                  x ** 0.5
    abs(x)**0.5                             sqrt(abs(x))
    abs(x)**1.5                             abs(x) * sqrt(abs(x))
    exp(x)**-0.5                            exp(x) ** (-0.5)
    (1 + exp(x))**-0.5                      inv(sqrt(1 + exp(x)))
    2**x                                    exp2(x)
    2**i                                    2 ** i
    sqrt(abs(x)) * sqrt(abs(x))             abs(x)
    sqrt(x) * sqrt(x)                       sqr(sqrt(x))
    sqrt(sqr(x))                            abs(x)
    exp(log(x))                             switch(x >= 0, x, nan)
    exp(log(abs(x)))                        abs(x)
    log(exp(x))                             x
    arcsinh(sinh(x))                        x
    sin(arcsin(tanh(x)))                    tanh(x)
    sin(arcsin(x))                          sin(arcsin(x))
    floor(ceil(x))                          ceil(x)
    trunc(i)                                i
    floor(l)                                floor(l)
    conj(conj(w))                           w
    # Casts
    cast(cast(l, 'int32'), 'int8')          cast(l, dtype=int8)
    cast(cast(u, 'int8'), 'uint8')          u
    cast(cast(l, 'float64'), 'int64')       cast(cast(l), dtype=int64)
    cast(cast(l, 'float64'), 'float32')     cast(cast(l), dtype=float32)
    cast(cast(x, 'float32'), 'float64')     cast(cast(x, dtype=float32))
    cast(cast(i, 'int16'), 'int32')         cast(i, dtype=int32)
    cast(c, 'float64') * x                  c * x
    cast(l, 'float64') + x                  cast(l) + x
    # Logic
    ~~c                                     c
    c & c                                   c
    c | True                                fill(c, True)
    c & True                                c
    c & False                               fill(c, False)
    c ^ True                                ~c
    c ^ c                                   fill(c, False)
    u & 255                                 u & 255
    u | -1                                  fill(u, -1)
    i & -1                                  i
    i ^ i                                   fill(i, 0)
    ~c & ~d                                 ~(d | c)
    (c & d) & c                             c & d
    c + c                                   c
    c * c                                   c
    eq(c, True)                             c
    eq(c, 0)                                ~c
    neq(cast(c, 'int8'), 0)                 c
    # Comparisons
    x < x                                   fill(x, False)
    x <= x                                  x <= x
    i <= i                                  fill(i, True)
    eq(x, x)                                x == x
    neq(x, x)                               isnan(x)
    neq(i, i)                               fill(i, False)
    eq(exp(tanh(x)), -1)                    fill(x, False)
    u >= 0                                  fill(u, True)
    i < 1000                                fill(i, True)
    i < 127                                 i < 127
    exp(x) < 0                              fill(x, False)
    exp(x) >= 0                             exp(x) >= 0
    cast(l, 'float64') < 2.0**63            cast(l) < 9.223372036854776e+18
    isnan(i)                                fill(i, False)
    isinf(tanh(x))                          fill(x, False)
    isnan(tanh(x))                          isnan(tanh(x))
    ~eq(x, y)                               y != x
    ~(x < y)                                ~(x < y)
    ~(i < j)                                i >= j
    -x < -y                                 x > y
    -x < 2                                  x > -2.0
    -i < -j                                 -i < -j
    # Extremes
    maximum(maximum(x, y), x)               maximum(x, y)
    maximum(maximum(x, 2), 3)               maximum(x, 3.0)
    minimum(minimum(x, 2), 3)               minimum(x, 2.0)
    maximum(exp(x), -1)                     exp(x)
    maximum(x, 0)                           maximum(x, 0)
    minimum(tanh(x), -1)                    minimum(tanh(x), -1)
    minimum(tanh(x), 1)                     tanh(x)
    minimum(u, 255)                         cast(u, dtype=int16)
    relu(exp(x))                            exp(x)
    relu(relu(x))                           relu(x)
    clip(clip(x, -1, 2), 0, 4)              clip(x, 0.0, 2.0)
    clip(clip(x, 0, 1), 3, 4)               clip(x, 3.0, 3.0)
    clip(x, 2, 1)                           clip(x, 2, 1)
    clip(tanh(x), -1, 1)                    tanh(x)
    clip(exp(x), -1, 2)                     minimum(exp(x), 2)
    # Choices
    switch(~c, x, y)                        switch(c, y, x)
    switch(c, switch(d, x, y), y)           switch(c & d, x, y)
    switch(c, True, False)                  c
    switch(c, False, True)                  ~c
    switch(c, d, False)                     c & d
    switch(c, True, d)                      c | d
    switch(c, x, 0) + switch(c, 0, y)       switch(c, x, y)
    switch(c, 0, y) + switch(c, x, 0)       switch(c, x, y)
    exp(switch(c, 0.1, 0.2))                switch(c, 1.1051709180756477, 1.2214027581601699)
    2 * switch(c, 3.0, 1.0)                 switch(c, 6.0, 2.0)
    switch(c, 1.0, 0.0) * x                 c * x
    switch(c, exp(x), exp(y))               exp(switch(c, x, y))
    switch(c, x * z, y * z)                 switch(c, x, y) * z
    switch(c, x - z, x - y)                 x - switch(c, z, y)
    switch(c, exp(x), exp(f))               switch(c, exp(x), exp(f))
    minimum(maximum(x, 1), 2)               clip(x, 1, 2)
    maximum(minimum(x, 2), 1)               clip(x, 1, 2)
    maximum(minimum(x, 1), 2)               maximum(minimum(x, 1), 2)
    # Signs
    abs(exp(x))                             exp(x)
    abs(max(x))                             abs(max(x))
    abs(u)                                  u
    abs(abs(i))                             abs(i)
    abs(sqr(i))                             abs(sqr(i))
    abs(x) * abs(y)                         abs(y * x)
    abs(i) * abs(j)                         abs(i) * abs(j)
    sgn(sgn(x))                             sgn(x)
    sgn(x) * abs(x)                         x
    sgn(i) * abs(i)                         sgn(i) * abs(i)
    # Reductions
    sum(sum(x, 1))                          sum(x, axis=(0, 1))
    sum(sum(x, 1, keepdims=True), 0)        sum(sum(x, axis=1, keepdims=True), axis=0)
    max(max(x, 1, keepdims=True), (0, 1))   max(x, axis=(0, 1))
    mean(mean(x, 0))                        mean(x, axis=(0, 1))
    any(any(c, 0))                          any(c, axis=(0, 1))
    sum(sum(x, 1, dtype='complex128'))      sum(sum(x, axis=1, dtype=complex128))
    sum(x.T)                                sum(x, axis=(0, 1))
    max(x.T, 1)                             max(x, axis=(0,))
    argmax(x.T)                             argmax(x.T)
    sum(2 * l)                              2 * sum(l)
    sum(-l)                                 -sum(l)
    sum(2 * i)                              sum(2 * i)
    mean(2 * l)                             mean(2 * l)
    sum(cast(c, 'int64'))                   sum(c)
    mean(cast(i, 'float64'))                mean(i)
    sum(cast(f, 'float64'))                 sum(cast(f))
    any(~c)                                 ~all(c)
    prod(exp(x))                            exp(sum(x))
    max(exp(x))                             exp(max(x))
    max(-x)                                 -min(x)
    max(-i)                                 max(-i)
    max(sqrt(x))                            max(sqrt(x))
    max(sqrt(abs(x)))                       sqrt(max(abs(x)))
    min(2 - x * -3)                         2 - min(x) * -3
    max(x / -2)                             min(x) * -0.5
    max(cast(i, 'float64'))                 cast(max(i))
    argmax(-x)                              argmin(x)
    argmax(exp(x))                          argmax(exp(x))
    argmax(2 * x)                           argmax(2 * x)
"""


def cases(table: str) -> list[Any]:
    """The lines of a table as parameters: text and expected, apart by two spaces or more."""
    lines = [line.strip() for line in table.splitlines() if line.strip()]
    split = [[p.strip() for p in line.split("  ", 1)] for line in lines if line[0] != "#"]
    return [pytest.param(*pair, id=pair[0]) for pair in split]


@pytest.mark.parametrize(("text", "expected"), cases(CASES))
def test_comes_to(text: str, expected: str) -> None:
    variables, out = parsed(text)
    graph = Graph(variables, [out])
    film = optimize(graph, strict=True, check=True)
    assert film.warnings == []
    assert pp(graph.outputs[0]) == expected
    assert graph.outputs[0].type == out.type


# What comes out where NaN and errors of shape may be hidden.
LENIENT = """
    x * y * x                               sqr(x) * y
    2 * x * y * 3                           6.0 * x * y
    -x * (x * (y - z))                      sqr(x) * (z - y)
    x - x                                   fill(x, 0.0)
    x - (x + y)                             -y
    x * y + x * z                           x * (y + z)
    x / x                                   fill(x, 1.0)
    x / sqrt(x)                             sqrt(x)
    x**0.5                                  sqrt(x)
    (c | d) & c                             fill(d, c)
    -exp(x) > exp(y)                        fill(x, False)
    switch(c, switch(c, x, y), z)           switch(c, x, z)
    switch(c, x, switch(c, y, z))           switch(c, x, z)
    switch(c, x, x)                         fill(c, x)
    switch(True, x, y)                      x
"""


@pytest.mark.parametrize(("text", "expected"), cases(LENIENT))
def test_comes_to_less_where_nan_or_an_error_may_be_hidden(text: str, expected: str) -> None:
    variables, out = parsed(text)
    graph = Graph(variables, [out])
    optimize(graph, strict=False, check=True)
    assert pp(graph.outputs[0]) == expected
    strict = Graph(variables, [out])
    optimize(strict, strict=True)
    assert pp(strict.outputs[0]) != expected


PRODUCTS = """
    x*y*x  x*x*x  x*(y*x)  2*x*y*3  1e200*(x*1e200)  1e-200*(x*1e200)  0.5*(x*2)  0.5*x*x  1/x/x
    x*y*y  1e200*x*x  1/(x*y)/y  -x*(y*(y-x))  sqr(1e200*x)  x/y/x  (x*y)/(y*x)  -x*-y  1e9*(x*1e9)
    x*1e-9*1e-9  2/(3*x)*5  x*f*x
"""


@pytest.mark.parametrize("text", PRODUCTS.split())
def test_a_product_overflows_under_strict_rewriting_where_it_did(text: str) -> None:
    """Its order decides; a number that is too small to have all its digits may vanish."""
    variables, out = parsed(text, rank=1)
    graph = Graph(variables, [out])
    assert optimize(graph, strict=True, check=True).warnings == []
    sizes = [1e-320, 1e-300, 1e-200, 1e-160, 1e-90, 1.0, 3.0, 1e90, 1.2e154, 1.5e154, 1e200, 1e308]
    x, y = (np.array(own).ravel() for own in np.meshgrid([*sizes, np.inf], sizes))
    values = {
        v: x if v.name == "x" else y.clip(1e-30, 1e30) for v in variables if v.dtype == "float32"
    }
    values |= {v: x if v.name == "x" else y for v in variables if v.dtype == "float64"}
    values |= {v: np.ones(1, v.dtype) for v in variables if v not in values}
    before, after = interpret([out, *graph.outputs], values)
    np.testing.assert_allclose(after, before, rtol=1e-14, atol=np.finfo("float64").tiny)


@pytest.mark.parametrize(("op", "number"), [("mul", 300), ("add", 40_000)])
def test_numbers_are_not_collected_where_they_overflow_in_their_own_dtype(
    op: str, number: int
) -> None:
    x, c = Variable(TensorType("float16", (None,)), name="x"), Constant(np.float16(number))
    graph = Graph([x], [OPS[op](OPS[op](x, c), c)])
    assert list(optimize(graph, check=True)) == []


OF_NUMBERS = """
    (x+y)+(x+y)  2*x+3*x  x*y+y*x  x+x+x  x-x  x-(x+y)  x*y+x*2  x*y-x  100*x+200*x  x+1+2  x-1-127
    x*x*x  x**2*x**3  x*2*3*x  x*100*3  -(-x)  -x+y  x-(-y)  -(x-y)  -x*-y  (x+y)*2-(x+y)  x-2*x
    x*64*4  x*0  x*1  x+0  0-x  127*x+x  x*y*x*y  3*x*y+5*y*x  x*(-1)-y  x*y+x*(-y)  x*128+y*128
    abs(-x)  abs(abs(x))  abs(x*x)  sqr(-x)  sqr(abs(x))  abs(abs(x)+abs(y))  sgn(x)*abs(x)
    x**0  x**1  x**2  x**3  x**5  x**7  x**31  x**64  (x**2)**3  -(x**3)  1**x
    x//1  x%1  x*2//2
    -x<-y  -x<=y  abs(x)<0  abs(x)>=0  x-y<0  sqr(x)>=0  -abs(x)>0  neg(x)>-128  sgn(sgn(x))
"""
OF_ALL = """
    x<y  x<x  x<=x  eq(x,x)  neq(x,x)  x<-128  x<128  x>=0  x<=255  eq(x,300)  eq(x,-1)  x>127
    x|-1  x&255  x^255  x|1  x&1  x^1  x&x  x|x  x^x  x&~x  x|~x  x^~x  ~~x  (x&y)&x  (x|y)|x
    (x^y)^y  (x|y)&x  (x&y)|x  ~x&~y  ~x|~y  ~x^~y  ~(x<y)  ~(x>=y)  ~eq(x,y)  ~neq(x,y)  ~(~x&y)
    isnan(x)  isinf(x)  isfinite(x)  cast(x,'bool')  cast(cast(x,'int8'),'uint8')
    cast(cast(x,'uint8'),'int8')  cast(cast(x,'int16'),'int8')  cast(cast(x,'int64'),'float32')
    cast(x,'int16')+y  cast(x,'float32')*y  cast(x,'int16')<y  cast(cast(x,'float32'),'int8')
    maximum(x,x)  minimum(x,maximum(x,y))  maximum(x,minimum(x,y))  maximum(maximum(x,y),x)
    maximum(x,-128)  maximum(x,0)  maximum(x,127)  minimum(x,0)  minimum(x,255)  minimum(x,-200)
    clip(x,0,1)  clip(x,-128,127)  clip(clip(x,-5,9),0,20)  clip(clip(x,0,2),5,9)  clip(x,7,3)
    minimum(maximum(x,3),9)  maximum(minimum(x,9),3)  relu(maximum(x,y))  relu(relu(x))
    maximum(maximum(x,3),5)  minimum(minimum(x,3),y)  abs(maximum(x,0))
    switch(x<y,x,y)  switch(x,y,y)  switch(~(x<y),x,y)  switch(x<y,switch(x<y,x,y),y)
    switch(x<y,x,switch(x<y,x,y))  switch(x<y,1,0)  switch(x<y,0,1)  switch(x<y,True,eq(x,y))
    switch(x<y,eq(x,1),False)  switch(x<y,x&1,y&1)  switch(eq(x,x),x,y)  switch(cast(x,'int64'),x,y)
    switch(x<y,x,0)+switch(x<y,0,y)  floor(x)  ceil(x)  trunc(x)  round_half_to_even(x)
    trunc(trunc(x))  x+x  x*x  x+y+x  x*y*x
"""


MIXED = """
    -l+i+j  l-i-j  -(i+j)+l  i+i+l-j  c+-1*d  -l+u+i  l*i*j  l*2+i*2  l*i+l*j  i*l+j*l  u-l+u
    -(l*i)+i+j  cast(i,'int64')+cast(j,'int64')  cast(i,'int64')*j  ~u&~l  ~l|~u  ~u^~i  c&i  c|u
    maximum(u,0)  maximum(i,u)  i<u  u>-1  minimum(u,300)  switch(c,i,0)+switch(c,0,l)  i*u-u*i+l
    eq(c,i)  eq(c,1)  neq(c,0)  c*i  c+i+c  c*c*i  sqr(c)*i  i*i*l  -(i*l)  -(c*i)  (i+1)*2-l
    i//1+l  i%1+l  sum(2*l)  -sum(-l)  sum(l*3-i)  sum(l*-5)  sum(2*i)  max(-i)  min(-l)  prod(-l)
    sum(cast(i,'int64'))  sum(cast(u,'int8'))  sum(cast(c,'int32'))  max(cast(u,'int16'))  any(~c)
    all(~(c|d))  argmax(-i)  argmin(-l)  argmax(cast(i,'float32'))  max(i+i)  max(3*i)  min(-u)
    any(cast(i,'int64'))  sum(c*i)  prod(c)  max(relu(i))  all(isnan(i))  sum(i<1000)
"""


def test_what_fills_a_shape_is_kept_when_axes_are_reordered() -> None:
    x = Variable(TensorType("float64", (None,)), name="x")
    model = Variable(TensorType("float64", ()), name="model")
    graph = Graph([model, x], [OPS["fill"](model, x - 2).dimshuffle("x", 0)])
    optimize(graph)
    (found,) = interpret(graph.outputs, {model: np.array(5.0), x: np.array([3.0])})
    np.testing.assert_array_equal(found, [[1.0]])


@pytest.mark.parametrize("text", [t.strip() for t in MIXED.split("  ") if t.strip()])
def test_integers_of_several_dtypes_keep_their_value(text: str) -> None:
    variables, out = parsed(text, rank=1)
    rng = np.random.default_rng(8)
    values = {v: rng.integers(-(2**31), 2**31, 4096).astype(v.dtype) for v in variables if v.ndim}
    (before,) = interpret([out], values)
    for strict in (False, True):
        graph = Graph(variables, [out])
        film = optimize(graph, strict=strict, check=True)
        assert film.warnings == []
        (after,) = interpret(graph.outputs, values)
        assert after.dtype == before.dtype
        np.testing.assert_array_equal(after, before)


def pairs(dtype: str) -> tuple[Array, Array]:
    """All values of a small dtype against each other."""
    every = np.array([False, True]) if dtype == "bool" else np.arange(256).astype(dtype)
    x, y = np.meshgrid(every, every, indexing="ij")
    return x, y


def of_dtype(text: str, dtype: str) -> tuple[list[Variable], Variable]:
    """An expression of x and y, here of the dtype."""
    x, y = (Variable(TensorType(dtype, (None, None)), name=name) for name in "xy")
    return [x, y], eval(text, {"__builtins__": {}}, {**OPS, "x": x, "y": y})  # noqa: S307


EXHAUSTIVE = [
    *((text, dtype) for text in OF_NUMBERS.split("  ") for dtype in ("int8", "uint8")),
    *((text, dtype) for text in OF_ALL.split("  ") for dtype in ("int8", "uint8", "bool")),
]


@pytest.mark.parametrize(
    ("text", "dtype"),
    [pytest.param(t.strip(), d, id=f"{t.strip()}-{d}") for t, d in EXHAUSTIVE if t.strip()],
)
def test_every_pair_of_integers_keeps_its_value(text: str, dtype: str) -> None:
    variables, out = of_dtype(text, dtype)
    values = dict(zip(variables, pairs(dtype), strict=True))
    (before,) = interpret([out], values)
    for strict in (False, True):
        graph = Graph(variables, [out])
        film = optimize(graph, strict=strict, check=True)
        assert film.warnings == []
        (after,) = interpret(graph.outputs, values)
        assert after.dtype == before.dtype
        np.testing.assert_array_equal(after, before)


HARD = [0.0, -0.0, np.nan, np.inf, -np.inf, 5.0, -5.0, 5.0, 1e-310, 1e308]


@pytest.mark.parametrize(
    "text",
    [
        *("argmax(-x, 1)", "argmin(-x, 1)", "argmax(cast(f, 'float64'), 1)", "max(-x, 1)"),
        *("max(exp(x), 1)", "min(2 - x, 1)", "max(x * -2, 1)", "min(sqrt(abs(x)), 1)"),
        *("max(cast(f, 'float64'), 1)", "max(x / -4, 1)", "min(floor(x), 1)", "max(max(x.T, 0))"),
        *("any(neq(x, x), 1)", "max(exp(x) - 1, 1)", "sum(-x, 1)"),
    ],
)
def test_folds_keep_ties_and_nan(text: str) -> None:
    variables, out = parsed(text)
    rng = np.random.default_rng(2)
    drawn = rng.choice(HARD, (400, 4))
    with np.errstate(all="ignore"):
        values = {v: drawn.astype(v.dtype) for v in variables if v.name in {"x", "f"}}
    (before,) = interpret([out], values)
    graph = Graph(variables, [out])
    assert len(optimize(graph, strict=True, check=True)) > 0
    (after,) = interpret(graph.outputs, values)
    np.testing.assert_allclose(after, before, rtol=1e-15)


# Random expressions

DRAWN = ("bool", "int8", "uint8", "int32", "float32", "float64", "complex128")
SHAPES: list[tuple[int, ...]] = [(), (3,), (2, 3), (1, 3), (2, 1), (0, 3)]
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, np.inf, -np.inf, np.nan, 1e30, -1e300, 1e-310, 7.0)
ONE = [
    "neg", "abs", "sgn", "sqr", "sqrt", "exp", "log", "tanh", "sigmoid", "relu", "floor", "ceil",
    "round_half_to_even", "inv", "invert", "isnan", "isinf", "exp2", "expm1", "log1p", "sinh",
    "arcsinh", "erf", "softplus", "trunc", "sin", "arctan", "conj",
]  # fmt: skip
TWO = [
    "add", "sub", "mul", "true_div", "maximum", "minimum", "lt", "le", "gt", "ge", "eq", "neq",
    "and_", "or_", "xor", "pow", "add", "sub", "mul", "mul", "add",
]  # fmt: skip
FOLDED = ["sum", "prod", "max", "min", "mean", "any", "all", "argmax", "argmin"]
NUMBERS = (0, 1, 2, -1, 3, 0.5, -2.0, 100)


class Grower:
    """Grows an expression by drawing ops, of which those that do not fit are left out."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.values: dict[Variable, Array] = {}
        self.pool: list[Variable] = []
        shape = self.one_of(SHAPES[1:])
        for i in range(4):
            dtype = self.one_of(DRAWN)
            lengths = shape if i < 2 else self.one_of([s for s in SHAPES if _stretches(s, shape)])
            v = Variable(TensorType(dtype, [n if n == 1 else None for n in lengths]), name=f"v{i}")
            self.values[v] = self.drawn(dtype, lengths)
            self.pool.append(v)

    def one_of(self, choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def drawn(self, dtype: str, shape: tuple[int, ...]) -> Array:
        if dtype in DISCRETE:
            bits = self.rng.integers(-(2**31), 2**31, shape)
            return np.asarray(bits if self.rng.random() < 0.5 else bits % 5 - 2).astype(dtype)
        edges = self.rng.choice(np.array(EDGES), shape)
        usual = self.rng.uniform(-3, 3, shape)
        drawn = np.where(self.rng.random(shape) < self.one_of([0, 0.3]), edges, usual)
        with np.errstate(all="ignore"):
            found = np.asarray(drawn).astype(dtype)
        # log(-0 + 0j) is not log(0j): of complex zeros the sign is not kept.
        return np.where(found == 0, 0, found).astype(dtype) if dtype == "complex128" else found

    def grow(self) -> None:
        x, y, z = (self.one_of(self.pool[-5:]) for _ in "xyz")
        number = self.one_of(NUMBERS)
        makers: list[Callable[[], Any]] = [
            lambda: OPS[self.one_of(ONE)](x),
            lambda: OPS[self.one_of(ONE)](x),
            lambda: OPS[self.one_of(TWO)](x, y),
            lambda: OPS[self.one_of(TWO)](x, y),
            lambda: OPS[self.one_of(TWO)](x, x),
            lambda: OPS[self.one_of(TWO)](x, number),
            lambda: OPS[self.one_of(TWO)](number, x),
            lambda: x ** self.one_of([0, 1, 2, 3, 5, 0.5, -1, -2, 1.5]),
            lambda: OPS["switch"](x, y, z),
            lambda: OPS["switch"](x, y, number),
            lambda: OPS["clip"](x, -2, number),
            lambda: OPS["cast"](x, self.one_of(DRAWN)),
            lambda: OPS[self.one_of(FOLDED)](x, axis=int(self.rng.integers(x.ndim))),
            lambda: OPS[self.one_of(FOLDED)](x, axis=int(self.rng.integers(x.ndim)), keepdims=True),
            lambda: OPS["fill"](x, y),
            lambda: x.T.T + y,
        ]
        try:
            self.pool.append(self.one_of(makers)())
        except (EngineError, ValueError):
            return


def _stretches(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, other) == other
    except ValueError:
        return False


@dataclass
class Worth:
    """What is to be held of a value: how far rounding may have carried it, and whether it was
    lost on the way, because something overflowed, or a NaN or a jump hung on a rounding."""

    scale: float = 0
    lost: bool = False


def worths(out: Variable, values: dict[Variable, Array]) -> Worth:
    """How much of the result is certain."""
    nodes = walk([out])
    found = interpret([n.out for n in nodes], values)
    known = {**values, **dict(zip((n.out for n in nodes), found, strict=True))}
    worth = Worth()
    for node in nodes:
        read = [v.data if isinstance(v, Constant) else known[v] for v in node.inputs]
        result = known[node.out]
        worth.lost |= _hangs_on_rounding(node, read)
        if result.dtype.name in DISCRETE:
            continue
        poles = node.op.name in POLES
        if not poles and all(np.isfinite(x).all() for x in read) and np.isinf(result).any():
            worth.lost = True
        sizes = np.abs(result[np.isfinite(result)])
        if sizes.size and (sizes.max() > 1e6 or ((sizes > 0) & (sizes < 1e-6)).any()):
            worth.lost = True
        worth.scale = max(worth.scale, float(sizes.max(initial=0)))
    return worth


POLES = {"inv", "true_div", "log", "log1p", "pow"}
"""Ops that make infinity of small numbers."""

COMPARING = {"lt", "le", "gt", "ge", "eq", "neq"}
JUMPING = {"floor", "ceil", "round_half_to_even", "trunc", "sgn", "cast", "argmax", "argmin"}


def _hangs_on_rounding(node: Apply, read: Sequence[Array]) -> bool:
    """Whether the last digits of what is computed decide about more than the last digits."""
    computed = any(v.owner and v.dtype not in DISCRETE for v in node.inputs)
    if not computed:
        return False
    if node.op.name in COMPARING and node.inputs[0] is not node.inputs[1]:
        x, y = read
        with np.errstate(all="ignore"):
            return bool((np.abs(x - y) <= 1e-6 * (1 + np.abs(y))).any())
    jumps = node.out.dtype in DISCRETE or node.op.name != "cast"
    if node.op.name == "switch":
        return node.inputs[0].dtype not in DISCRETE
    return node.op.name in JUMPING and jumps


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**9))
def test_random_expressions_keep_their_values_when_rewritten_strictly(seed: int) -> None:
    grower = Grower(seed)
    for _ in range(14):
        grower.grow()
    out = grower.pool[-1]
    if out.owner is None:
        return
    try:
        (before,) = interpret([out], grower.values)
    except EngineError:
        return  # such as the largest of nothing
    graph = Graph(list(grower.values), [out])
    film = optimize(graph, strict=True)
    assert film.warnings == []
    (after,) = interpret(graph.outputs, grower.values)
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    worth = worths(out, grower.values)
    if worth.lost:
        return
    if before.dtype.name in DISCRETE:
        np.testing.assert_array_equal(after, before)
        return
    near = 1e-4 if "32" in str([v.dtype for n in walk([out]) for v in n.inputs]) else 1e-10
    np.testing.assert_array_equal(np.isnan(after), np.isnan(before))
    np.testing.assert_allclose(after, before, rtol=near, atol=near * (1 + worth.scale))
