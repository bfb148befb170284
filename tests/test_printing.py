"""Expressions as text, TeX and trees."""

from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import engine.tensor as T
from engine import debugprint, function, pp, scan, shared, tex
from engine.errors import ParameterError, TypeMismatchError
from engine.printing import Print, pydotprint, svg


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


def test_parts_are_written_as_in_python() -> None:
    x, i, n = T.dtensor3("x"), T.iscalar("i"), T.lscalar("n")
    v, m = T.lvector("v"), T.TensorType("bool", (None,))("m")
    for part, text in [
        (x[1:3, ::-1], "x[1:3, ::-1]"),
        (x[i, :, None], "x[i, :, None]"),
        (x[-n : n + 1 : i], "x[-n:n + 1:i]"),
        (x[..., 0], "x[:, :, 0]"),
        (x[v, ..., v * 2], "x[v, ..., v * 2]"),
        (x[m], "x[m]"),
        (x[:], "x[...]"),
        ((x + 1)[[0, 2]], "(x + 1)[[0, 2]]"),
        (T.set_subtensor(x[0, i], n * 2), "set_subtensor(x[0, i], n * 2)"),
        (T.inc_subtensor(x[v], 1.0), "inc_subtensor(x[v], 1.0)"),
    ]:
        assert pp(part) == text
    assert tex(x[i, :, None]) == r"x_{i, :, \text{new}}"
    assert tex(T.inc_subtensor(x[v, ..., v], n)) == r"\left(x_{v, \ldots, v} \mathrel{+}= n\right)"
    assert tex(T.set_subtensor(x[1:], n)) == r"\left(x_{1:} \leftarrow n\right)"


def test_gradient_of_a_cube_reads_as_in_theano() -> None:
    x = T.dscalar("x")
    assert pp(T.grad(x**3, x)) == "fill(x ** 3, 1.0) * 3 * x ** (3 - 1)"


def test_tex() -> None:
    x, w = T.dscalar("x"), T.dscalar("w_1")
    assert tex((x + w) ** 2) == r"\left(x + w_{1}\right)^{2}"
    assert tex((x + w) / x) == r"\frac{x + w_{1}}{x}"
    assert tex(T.sqr(x + 1)) == r"\left(x + 1\right)^2"
    assert tex(T.sigmoid(T.dscalar("alpha"))) == r"\sigma\left(\alpha\right)"


def test_tex_has_one_subscript_and_one_exponent_at_a_time() -> None:
    x, w, i = T.dmatrix("x"), T.dvector("w_1"), T.iscalar("i")
    assert tex(x[1:][-1]) == "{x_{1:}}_{-1}"
    assert tex(w[i]) == "{w_{1}}_{i}"
    assert tex(w[1:][2:][i]) == "{{{w_{1}}_{1:}}_{2:}}_{i}"
    assert tex(T.dvector("ab")[i]) == r"\mathrm{ab}_{i}"
    assert tex(x.T**2) == r"\left(x^T\right)^{2}"
    assert tex(x.T[0]) == r"\left(x^T\right)_{0}"
    assert tex(x.T.T) == r"\left(x^T\right)^T"


def test_tex_keeps_numbers_of_a_product_apart() -> None:
    x = T.dscalar("x")
    assert tex(2 * (3 * x)) == r"2 \cdot 3 \, x"
    assert tex(x * 2 * 3) == r"x \cdot 2 \cdot 3"
    assert tex(2 * x) == r"2 \, x"
    assert tex(2 * x**3 * x) == r"2 \, x^{3} \, x"


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


def test_pp_gives_tex_too() -> None:
    x = T.dscalar("x")
    assert pp(x**2, tex=True) == tex(x**2) == "x^{2}"


def test_comparisons_do_not_chain() -> None:
    x, y, z = T.dscalars("x", "y", "z")
    assert pp((x < y) < z) == "(x < y) < z"
    assert pp(x < (y < z)) == "x < (y < z)"
    assert pp(T.switch(x < y, x, y)) == "switch(x < y, x, y)"


def text(*printed: Any, **options: Any) -> list[str]:
    found = debugprint(*printed, file="str", **options)
    assert found is not None
    return found.splitlines()


def test_debugprint_shows_each_part_once() -> None:
    x = T.dvector("x")
    y = x + 1
    assert text(y * y) == [
        "mul [A] <float64 (?,)>",
        " |add [B] <float64 (?,)>",
        " | |x [C] <float64 (?,)>",
        " | |1 [D] <int8 ()>",
        " |add [B] <float64 (?,)> ...",
    ]


def test_debugprint_prints_as_little_as_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.dvector("x")
    y = T.exp(x)
    y.name = "y"
    assert debugprint(y + y * 2, depth=2, ids="", print_type=False) is None
    assert capsys.readouterr().out.splitlines() == ["add", " |exp 'y'", " |mul"]
    assert text(y * 2, ids="int", print_type=False, stop_on_name=True) == [
        "mul [0]", " |exp [1] 'y'", " |2 [2]",
    ]  # fmt: skip
    assert (
        text(y + y * 2, print_clients=True, print_type=False)[1]
        == (" |exp [B] 'y' read by add, mul")
        or "read by mul, add" in text(y + y * 2, print_clients=True)[1]
    )


def test_debugprint_shows_a_node_as_its_result() -> None:
    y = T.exp(T.dvector("x"))
    assert y.owner is not None
    assert debugprint(y.owner, file="str") == debugprint(y, file="str")


def test_debugprint_of_a_function_has_order_updates_and_values() -> None:
    x, total = T.lscalar("x"), shared(4, "total")
    f = function([x], total * 2, updates=[(total, total + x)])
    assert text(f, print_type=False, print_storage=True) == [
        "mul [A]   0",
        " |total [B] = 4",
        " |2 [C]",
        "add [D]   1  → total",
        " |total [B] = 4",
        " |x [E]",
    ]


def test_debugprint_shows_the_bodies_of_loops() -> None:
    x = T.dvector("x")
    rows, _ = scan(lambda v: v * 2, sequences=x)
    lines = text(rows)
    at = lines.index("Inner graphs:")
    assert lines[at + 2].startswith("scan A of")
    assert lines[at + 3].startswith(" |mul")


def test_printing_needs_no_stack() -> None:
    x = y = T.dscalar("x")
    for _ in range(20_000):
        y = y + x
    assert len(text(y)) == 40_001
    assert "…" in pp(y)
    assert svg(y).count("<g ") == 20_002


# Pictures.


def test_a_picture_has_a_box_for_everything() -> None:
    x, w = T.dvector("x<&>"), shared(np.ones(3), "w")
    f = function([x], (x * w).sum(), updates=[(w, w + 0.1 * x)])
    picture = ElementTree.fromstring(svg(f))
    kinds = [g.get("class") for g in picture.iter("{http://www.w3.org/2000/svg}g")]
    assert sorted(kinds) == ["constant", "input", "op", "op", "op", "op", "output", "output",
                             "shared"]  # fmt: skip
    words = [t.text for t in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"x<&>", "w", "mul", "add", "sum", "next w", "output", "0.1"} <= set(words)


def test_boxes_do_not_overlap_and_wires_run_downwards() -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    cost = (T.tanh(T.dot(x, y)) ** 2).sum()
    picture = ElementTree.fromstring(svg([cost, *T.grad(cost, [x, y])]))
    rows: dict[str, list[tuple[float, float]]] = {}
    for box in picture.iter("{http://www.w3.org/2000/svg}rect"):
        left = float(box.get("x", ""))
        rows.setdefault(box.get("y", ""), []).append((left, left + float(box.get("width", ""))))
    for row in rows.values():
        row.sort()
        assert all(a[1] < b[0] for a, b in pairwise(row))


def test_pydotprint_writes_a_file(tmp_path: Path) -> None:
    x = T.dscalar("x")
    pydotprint(x**2, outfile=tmp_path / "square.svg")
    assert "pow" in (tmp_path / "square.svg").read_text()
    assert (pydotprint(x**2, return_image=True) or "").startswith("<svg")
    with pytest.raises(ParameterError, match="not png"):
        pydotprint(x, format="png")


# Values while they run.


def test_print_shows_the_value_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.dvector("x")
    y = Print("y is", attrs=("__str__", "shape"))(x * 2)
    f = function([x], [y.sum(), T.grad(y.sum(), x)])
    assert capsys.readouterr().out == ""
    total, slope = f([1, 2])
    assert (total, slope.tolist()) == (6, [2, 2])
    assert capsys.readouterr().out == "y is __str__ = [2. 4.]\ny is shape = (2,)\n"
    with pytest.raises(TypeMismatchError, match="__class__"):
        Print("x", attrs=("__class__",))


def test_assertions_end_the_run_with_their_message() -> None:
    x = T.dvector("x")
    y = T.opt.Assert("All must be positive.")(T.log(x), (x > 0).all())
    f = function([x], y)
    assert f([1.0]) == 0
    with pytest.raises(AssertionError, match="All must be positive"):
        f([-1.0])


def test_assert_op_takes_conditions_one_after_the_other() -> None:
    x = T.dscalar("x")
    f = function([x], T.opt.assert_op(x * 2, T.gt(x, 0), T.lt(x, 9)))
    assert f(1) == 2
    with pytest.raises(AssertionError, match="does not hold"):
        f(10)
