"""The laws of algebra: what each family comes to, and that no value is changed on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.codegen.numpy import interpret
from engine.expression import OPS, Variable
from engine.graph import Graph
from engine.printing import pp
from engine.rewrite import optimize
from engine.types import TensorType

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
    # Signs
    abs(exp(x))                             exp(x)
    abs(max(x))                             abs(max(x))
    abs(u)                                  u
    abs(abs(i))                             abs(i)
    abs(sqr(i))                             abs(sqr(i))
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
