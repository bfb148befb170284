"""Expressions as text, TeX and trees."""

import engine.tensor as T
from engine import debugprint, pp, tex


def test_brackets_are_set_where_they_are_needed_and_nowhere_else() -> None:
    x, y, z = T.dscalar("x"), T.dscalar("y"), T.dscalar("z")
    assert pp(x * (y + z)) == "x * (y + z)"
    assert pp(x * y + z) == "x * y + z"
    assert pp(x - (y - z)) == "x - (y - z)"
    assert pp(x - y - z) == "x - y - z"
    assert pp(x + (y + z)) == "x + y + z"
    assert pp(x / (y * z)) == "x / (y * z)"
    assert pp((-x) ** 2) == "(-x) ** 2"
    assert pp(-(x**2)) == "-x ** 2"
    assert pp((x**y) ** z) == "(x ** y) ** z"
    assert pp(x ** (y**z)) == "x ** y ** z"


def test_calls_show_the_parameters_that_differ_from_the_default() -> None:
    m = T.dmatrix("m")
    assert pp(T.sum(m)) == "sum(m)"
    assert pp(m.sum(axis=1, keepdims=True)) == "sum(m, axis=1, keepdims=True)"
    assert pp(m.T) == "m.T"
    assert pp(m[1:, 0]) == "m[1:, 0]"
    assert pp(m.dimshuffle(0, "x", 1)) == "dimshuffle(m, pattern=(0, x, 1))"


def test_gradient_of_a_cube_reads_as_in_theano() -> None:
    x = T.dscalar("x")
    assert pp(T.grad(x**3, x)) == "fill(x ** 3, 1.0) * 3 * x ** (3 - 1)"


def test_tex() -> None:
    x, w = T.dscalar("x"), T.dscalar("w_1")
    assert tex((x + w) ** 2) == r"\left(x + w_{1}\right)^{2}"
    assert tex((x + w) / x) == r"\frac{x + w_{1}}{x}"
    assert tex(T.sqr(x + 1)) == r"\left(x + 1\right)^2"
    assert tex(T.sigmoid(T.dscalar("alpha"))) == r"\sigma\left(\alpha\right)"


def test_names_never_become_tex_commands() -> None:
    hostile = tex(T.dscalar(r"\href{javascript:alert(1)}{x}"))
    assert hostile.startswith(r"\text{ href javascript")
    assert hostile.count("\\") == 1


def test_text_of_a_doubling_chain_stays_short() -> None:
    x = T.dscalar("x")
    y = x
    for _ in range(60):
        y = y + y * x
    assert len(pp(y)) < 20_000
    assert len(tex(y)) < 20_000


def test_debugprint_shows_each_part_once() -> None:
    x = T.dvector("x")
    y = x + 1
    assert debugprint(y * y).splitlines() == [
        "mul [A] <float64 (?,)>",
        " |add [B] <float64 (?,)>",
        " | |x [C] <float64 (?,)>",
        " | |1 [D] <int8 ()>",
        " |add [B] <float64 (?,)> ...",
    ]
