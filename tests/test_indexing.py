"""Parts of tensors: read, changed, differentiated, selected; held against NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine.tensor as T
from engine import TensorType, function, grad
from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.errors import EngineError
from engine.expression import Variable, leaves
from engine.graph import Graph
from engine.inference import infer_types
from engine.rewrite import optimize

Array = np.ndarray[Any, Any]


def value_of(out: Variable, values: dict[Variable, Any] | None = None) -> Array:
    """What the expression is, of the inferred type."""
    values = {v: np.asarray(a, v.dtype) for v, a in (values or {}).items()}
    (found,) = interpret([out], values)
    graph = Graph(list(values), [out])
    known = infer_types(graph, {v: np.shape(a) for v, a in values.items()})[graph.outputs[0]]
    assert (found.dtype, found.ndim) == (out.dtype, out.ndim)
    assert all(n in (None, m) for n, m in zip(known.shape, found.shape, strict=True)), known
    assert all(found.shape[i] == 1 for i, b in enumerate(out.broadcastable) if b)
    return found


def natively(out: Variable, values: dict[Variable, Any]) -> tuple[Array, list[str]]:
    """What the kernels compute, and the ops that they leave to NumPy."""
    native = compile_graph(Graph(list(values), [out]), {v: np.shape(a) for v, a in values.items()})
    for v, a in values.items():
        native.inputs[v][...] = a
    native.call()
    called = [k.source for k in native.kernels if not k.source.startswith("def")]
    return native.outputs[0].copy(), called


# Whatever NumPy takes as an index.

SHAPE = (3, 4, 2)


@st.composite
def indices(draw: Any) -> tuple[Any, ...]:
    """An index into a tensor of this shape: of all kinds, and not too long."""
    key: list[Any] = []
    axis = 0
    joint = draw(st.sampled_from([(), (3,), (2, 3), (0,), (1,)]))
    masked = False
    ellipsis = False
    while axis < len(SHAPE) and len(key) < 7:
        n = SHAPE[axis]
        kind = draw(
            st.sampled_from(
                ["int", "slice", "slice", "None", "...", "array", "array", "mask", "end"]
            )
        )
        if kind == "end":
            break
        if kind == "int":
            key.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            bound = st.none() | st.integers(-n - 2, n + 2)
            step = st.none() | st.integers(-3, 3).filter(bool)
            key.append(slice(draw(bound), draw(bound), draw(step)))
        elif kind == "None":
            key.append(None)
            continue
        elif kind == "..." and not ellipsis:
            ellipsis = True
            key.append(Ellipsis)
            axis += draw(st.integers(0, 1))
            continue
        elif kind == "array":
            own = joint[draw(st.integers(0, len(joint))) :]
            values = draw(
                st.lists(
                    st.integers(-n, n - 1), min_size=int(np.prod(own)), max_size=int(np.prod(own))
                )
            )
            key.append(
                np.array(values, dtype=draw(st.sampled_from(["int64", "int8"]))).reshape(own)
            )
        elif kind == "mask" and not masked and joint in ((), (1,), (3,)):
            masked = True
            rank = draw(st.integers(1, len(SHAPE) - axis))
            size = int(np.prod(SHAPE[axis : axis + rank]))
            bits = draw(st.lists(st.booleans(), min_size=size, max_size=size))
            key.append(np.array(bits).reshape(SHAPE[axis : axis + rank]))
            axis += rank - 1
        else:
            continue
        axis += 1
    return tuple(key)


def wired(key: Sequence[Any], choose: Any) -> tuple[tuple[Any, ...], dict[Variable, Any]]:
    """The key with some of its numbers as variables, and what these are."""
    values: dict[Variable, Any] = {}

    def variable(number: Any) -> Any:
        if number is None or not (isinstance(number, np.ndarray) or choose()):
            return number
        array = np.asarray(number)
        pattern = [1 if n == 1 else None for n in array.shape]
        v = T.TensorType(array.dtype, pattern)(f"i{len(values)}")
        values[v] = array
        return v

    out: list[Any] = []
    for k in key:
        if isinstance(k, slice):
            out.append(slice(*map(variable, (k.start, k.stop, k.step))))
        else:
            out.append(k if k is None or k is Ellipsis else variable(k))
    return tuple(out), values


@settings(max_examples=600, deadline=None)
@given(key=indices(), data=st.data())
def test_an_index_takes_what_it_takes_in_numpy(key: tuple[Any, ...], data: Any) -> None:
    x = T.dtensor3("x")
    value = np.arange(24.0).reshape(SHAPE)
    try:
        expected = value[key]
    except IndexError:
        expected = None
    wires, values = wired(key, lambda: data.draw(st.booleans()))
    for at, given_values in ((key, {}), (wires, values)):
        if expected is None:
            with pytest.raises(EngineError):
                value_of(x[at], {x: value, **given_values})
            continue
        found = value_of(x[at], {x: value, **given_values})
        np.testing.assert_array_equal(found, expected)
        assert found.shape == expected.shape


@settings(max_examples=300, deadline=None)
@given(key=indices(), data=st.data())
def test_parts_are_changed_as_in_numpy(key: tuple[Any, ...], data: Any) -> None:
    x, v = T.dtensor3("x"), None
    value = np.arange(24.0).reshape(SHAPE)
    try:
        part = value[key]
    except IndexError:
        return
    new = -1.0 - np.arange(part.size).reshape(part.shape)
    v = T.TensorType("float64", (None,) * part.ndim)("v")
    wires, values = wired(key, lambda: data.draw(st.booleans()))
    assigned, increased = value.copy(), value.copy()
    assigned[key] = new
    np.add.at(increased, key, new)
    given_values = {x: value, v: new, **values}
    for op, expected in ((T.set_subtensor, assigned), (T.inc_subtensor, increased)):
        np.testing.assert_array_equal(value_of(op(x[wires], v), given_values), expected)
        slope_by_x, slope_by_v = T.grad((op(x[wires], v) * value).sum(), [x, v])
        moved = value_of(slope_by_v, given_values)
        assert moved.shape == new.shape
        by_x = value_of(slope_by_x, given_values)
        if op is T.inc_subtensor:
            np.testing.assert_array_equal(by_x, value)
            np.testing.assert_array_equal(moved, value[key])
        else:
            erased = value.copy()
            erased[key] = 0
            np.testing.assert_array_equal(by_x, erased)
            # All that reached the result came from somewhere.
            assert moved.sum() + by_x.sum() == pytest.approx(value.sum())
    back = value_of(T.grad((x[wires] * v).sum(), x), given_values)
    summed = np.zeros(SHAPE)
    np.add.at(summed, key, new)
    np.testing.assert_array_equal(back, summed)


def test_a_list_is_an_array_and_a_bool_list_a_mask() -> None:
    x = T.dmatrix("x")
    value = np.arange(6.0).reshape(2, 3)
    for key in ([1, 0], [[0, 1], [1, 1]], [], [True, False], (0, [0, 2]), ([0, 1], [2, 0])):
        np.testing.assert_array_equal(value_of(x[key], {x: value}), value[key])
    i = T.lscalar("i")
    np.testing.assert_array_equal(value_of(x[[i, 0]], {x: value, i: 1}), value[[1, 0]])


# What is known of the shape.


def shape_of(out: Variable) -> str:
    """Lengths and, marked by a star, which axes stretch."""
    lengths = zip(out.type.shape, out.broadcastable, strict=True)
    return " ".join(("?" if n is None else str(n)) + "*" * b for n, b in lengths)


def test_a_list_with_a_slice_is_read_as_a_tuple() -> None:
    x, n = T.dmatrix("x"), T.lscalar("n")
    out = x[[slice(None), slice(None, n)]]
    np.testing.assert_array_equal(value_of(out, {x: np.eye(3), n: 2}), np.eye(3)[:, :2])
    assert x[[slice(1, None)]].ndim == 2


def test_lengths_are_known_where_they_follow() -> None:
    x = T.TensorType("float64", (5, None, 1))("x")
    y = T.TensorType("float64", (3, None))("y")
    n, i, v = y.shape[0], T.lscalar("i"), T.TensorType("int64", (4,))("v")
    col = T.col("col")
    mask = T.TensorType("bool", (5,))("mask")
    cases = {
        x[1:]: "4 ? 1*",
        x[7:, 0]: "0 1*",
        x[::-2, :, ::-1]: "3 ? 1*",
        x[..., 0]: "5 ?",
        x[:, None, 2]: "5 1* 1*",
        x[:, 1:]: "5 ? 1*",
        x[i]: "? 1*",
        x[:i]: "? ? 1*",
        x[:n]: "3 ? 1*",
        x[-n:-1, : n - 1]: "2 ? 1*",
        x[n]: "? 1*",
        x[v]: "4 ? 1*",
        x[:, v]: "5 4 1*",
        x[v, :, 0]: "4 ?",
        x[v, 0, v]: "4",
        x[:, v[:, None], v]: "5 4 4",
        x[[0, 1]]: "2 ? 1*",
        x[[[0], [1]], v]: "2 4 1*",
        x[mask]: "? ? 1*",
        x[np.array([True, False, True, False, True])]: "3 ? 1*",
        x[mask, 0, 0]: "?",
        x[:, :, [0]]: "5 ? 1*",
        col[:, ::-1]: "? 1*",
        col[1:]: "? 1*",
        col[:, 1:]: "? 0",
        T.set_subtensor(x[:, 0], 1): "5 ? 1*",
        T.nonzero(x, return_matrix=True): "3 ?",
        T.constant([0, 2, 0, 1])[T.constant([0, 2, 0, 1]).nonzero()[0]]: "2",
    }
    for out, expected in cases.items():
        assert shape_of(out) == expected, out.owner


def test_a_shape_can_be_unpacked() -> None:
    x = T.dmatrix("x")
    rows, columns = x.shape
    out = x.reshape((-1,))[: rows * columns - 1]
    np.testing.assert_array_equal(value_of(out, {x: np.ones((2, 3))}), np.ones(5))
    assert [int(v.eval()) for v in T.constant([3, 1])] == [3, 1]
    assert sum(T.TensorType("float64", (3,))("v")).eval({"v": [1, 2, 4]}) == 7
    with pytest.raises(TypeError, match=r"x cannot be iterated over: its length is not known"):
        list(x)
    with pytest.raises(TypeError, match="no axes"):
        list(T.dscalar("s"))


# What is put where.


def test_numbers_of_the_field() -> None:
    """facts/engine.md, section 9, 38: duplicates add up in inc, and the last one stays in set."""
    zeros = T.zeros(4)
    assert T.inc_subtensor(zeros[[1, 1, 2]], 1).eval().tolist() == [0, 2, 1, 0]
    assert T.set_subtensor(zeros[[1, 1, 2]], [0, 1, 2]).eval().tolist() == [0, 1, 2, 0]
    x = T.dvector("x")
    assert T.grad(x[[0, 0, 2]].sum(), x).eval({x: [5, 6, 7]}).tolist() == [2, 0, 1]


def test_what_was_put_over_has_no_gradient() -> None:
    """Theano gives every element of the value the gradient of the place, whether it stayed."""
    x, v = T.dvectors("x", "v")
    out = T.set_subtensor(x[[1, 1, 2]], v)
    assert value_of(out, {x: np.zeros(4), v: [1, 2, 3]}).tolist() == [0, 2, 3, 0]
    slope = T.grad((out * np.array([1.0, 10, 100, 1000])).sum(), v)
    assert value_of(slope, {x: np.zeros(4), v: [1, 2, 3]}).tolist() == [0, 10, 100]
    second = T.grad(T.grad((out**3).sum(), v).sum(), v)
    assert value_of(second, {x: np.zeros(4), v: [1, 2, 3]}).tolist() == [0, 12, 18]
    # Where all places plainly differ nothing has to be found out.
    apart = T.set_subtensor(x[[2, 0]], v)
    assert "switch" not in {n.op.name for n in Graph([x, v], [T.grad(apart.sum(), v)]).applies}


@pytest.mark.parametrize("mode", ["NUMPY", "NUMBA", "DebugMode"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64"])
def test_counts_are_put_into_floats(mode: str, dtype: str) -> None:
    x, n, at = TensorType(dtype, (None,))("x"), T.lscalar("n"), T.lvector("at")
    many = T.arange(2) + n
    outputs = [
        T.set_subtensor(x[1], n),
        T.inc_subtensor(x[1:], n),
        T.inc_subtensor(x[at], many),
        T.set_subtensor(x[at], many),
        T.set_subtensor(x[:2], T.eq(many, 7)),
        grad((T.set_subtensor(x[1], n) ** 2).real.sum(), x),
    ]
    f = function([x, n, at], outputs, mode=mode)
    found = f(np.array([1, 2, 3], dtype), 7, [0, 2])
    assert all(v.dtype == dtype for v in found)
    expected = [[1, 7, 3], [1, 9, 10], [8, 2, 11], [7, 2, 8], [1, 0, 3], [2, 0, 6]]
    assert [v.tolist() for v in found] == expected


def test_dtype_of_what_is_put() -> None:
    x = T.fvector("x")
    assert T.set_subtensor(x[0], 0.1).dtype == "float32"
    assert T.set_subtensor(T.TensorType("uint8", (None,))("u")[0], 7).dtype == "uint8"
    assert T.inc_subtensor(T.zvector("z")[0], 1j).dtype == "complex128"
    assert T.set_subtensor(T.TensorType("bool", (None,))("b")[0], True).dtype == "bool"
    assert T.set_subtensor(x[0], T.lscalar("n")).dtype == "float32"
    for part, value, message in [
        (x[0], T.dscalar("d"), "Putting float64 into float32 would lose precision"),
        (T.ivector("i")[0], 1.5, "Putting float32 into int32"),
        (T.TensorType("int8", (None,))("b")[0], 300, "Putting int16 into int8"),
        (x[0], 1j, "Putting complex"),
    ]:
        with pytest.raises(TypeError, match=message):
            T.set_subtensor(part, value)
    with pytest.raises(TypeError, match="bool has no sums"):
        T.inc_subtensor(T.TensorType("bool", (None,))("b")[0], True)


def test_forms_of_changing_a_part() -> None:
    x = T.dmatrix("x")
    value = np.arange(6.0).reshape(2, 3)

    def run(out: Variable) -> list[Any]:
        return value_of(out, {x: value}).tolist()

    assert run(x[0].set(9)) == [[9, 9, 9], [3, 4, 5]]
    assert run(x[:, 1].inc([1, 2])) == [[0, 2, 2], [3, 6, 5]]
    assert run(T.inc_subtensor(x[0], 9, set_instead_of_inc=True)) == run(x[0].set(9))
    assert run(T.set_subtensor(x[0], 9, inplace=True, tolerate_inplace_aliasing=True))[0][0] == 9
    once = T.inc_subtensor(x[[0, 0]], 1, ignore_duplicates=True)
    assert run(once) == [[1, 2, 3], [3, 4, 5]]
    assert run(T.set_subtensor(x[:], 7)) == [[7, 7, 7]] * 2
    assert run(T.set_subtensor(x[...], x[::-1])) == value[::-1].tolist()
    assert run(T.set_subtensor(x[:, None], 7)) == [[7, 7, 7]] * 2
    assert run(T.set_subtensor(x[1:, None, 0], 7)) == [[0, 1, 2], [7, 4, 5]]
    assert run(T.set_subtensor(x.take([1, -1], axis=1), 0)) == [[0, 0, 0], [3, 0, 0]]
    # As in Theano, of x[a][b] what is changed is x[a].
    assert run(T.set_subtensor(x[1][2], 0)) == [3, 4, 0]


def test_what_is_no_part_is_told() -> None:
    x = T.dmatrix("x")
    for thing in (x, x[:1].T, x + 1, 3):
        with pytest.raises(TypeError, match="not a part of a tensor") as caught:
            T.set_subtensor(thing, 1)
        assert "Index last" in str(caught.value)
    with pytest.raises(TypeError, match=r"set_subtensor\(x\[i\], value\)"):
        x[0] = 1


def test_values_that_do_not_fit_are_told() -> None:
    x = T.TensorType("float64", (2, 3))("x")
    for value in (T.TensorType("float64", (2,))("v"), T.TensorType("float64", (1, 2, 3))("v")):
        with pytest.raises(ValueError, match="does not fit into a part of shape"):
            T.set_subtensor(x[0], value)
    y, v, mask = T.dvector("y"), T.dvector("v"), T.TensorType("bool", (None,))("m")
    given_values = {y: np.zeros(3), v: np.ones(3), mask: [True, True, False]}
    for change in (T.set_subtensor, T.inc_subtensor):
        message = r"A value of shape \(3,\) does not fit into a part of shape \(2,\)\."
        with pytest.raises(ValueError, match=message):
            interpret([change(y[mask], v)], given_values)


# Errors.

FAULTS = {
    "place": (lambda x, i, v, m: x[i], "Index 3 is outside axis 0, which has length 3"),
    "second": (lambda x, i, v, m: x[0, i + 1], "Index 4 is outside axis 1, which has length 4"),
    "before": (lambda x, i, v, m: x[-i - 1], "Index -4 is outside axis 0, which has length 3"),
    "places": (lambda x, i, v, m: x[v], "Index 9 is outside axis 0, which has length 3"),
    "masked": (lambda x, i, v, m: x[:, m], r"A mask of shape \(3,\) does not fit on axis 1"),
    "set": (lambda x, i, v, m: T.set_subtensor(x[v], 0), "Index 9 is outside axis 0"),
    "inc": (lambda x, i, v, m: T.inc_subtensor(x[:, v], 0), "Index 9 is outside axis 1"),
    "empty": (lambda x, i, v, m: x[:0][i], "Index 3 is outside axis 0, which has length 0"),
    "take": (lambda x, i, v, m: x.take(v, axis=1), "Index 9 is outside axis 1"),
    "choose": (lambda x, i, v, m: T.choose(v, x[:, :3]), "There is no choice 9 among 3"),
    "hot": (lambda x, i, v, m: T.to_one_hot(v, 4), "There is no class 9 among 4"),
    "unravel": (
        lambda x, i, v, m: T.unravel_index(v, (2, 3))[0],
        r"Index 9 is outside a tensor of shape \(2, 3\), which has 6 elements",
    ),
    "ravel": (
        lambda x, i, v, m: T.ravel_multi_index([v, v], (9, 9)),
        "Index 9 is outside axis 0, which has length 9",
    ),
    "permutation": (lambda x, i, v, m: T.permute_row_elements(v, v), "is no permutation of 0 to 2"),
}


@pytest.mark.parametrize(("make", "message"), FAULTS.values(), ids=list(FAULTS))
@pytest.mark.parametrize("target", ["numpy", "native", "constant"])
def test_what_lies_outside_is_told_with_axis_and_length(
    make: Any, message: str, target: str
) -> None:
    x, i, v = T.dmatrix("x"), T.lscalar("i"), T.lvector("v")
    m = T.TensorType("bool", (None,))("m")
    arrays = [np.zeros((3, 4)), np.array(3), np.array([0, 9, 1]), np.array([True] * 3)]
    values = dict(zip((x, i, v, m), arrays, strict=True))
    runs = {
        "numpy": lambda: interpret([make(x, i, v, m)], values),
        "native": lambda: natively(make(x, i, v, m), values),
        "constant": lambda: make(*map(T.constant, arrays)).eval(),
    }
    with pytest.raises(IndexError, match=message) as caught:
        runs[target]()
    assert isinstance(caught.value, EngineError)


def test_what_is_no_index_is_told_when_it_is_written() -> None:
    x, f = T.dmatrix("x"), T.dscalar("f")
    cases: list[tuple[Any, type[Exception], str]] = [
        (0.5, TypeError, "An index must be a whole number"),
        (f, TypeError, "An index must be a whole number"),
        ([0.5, 1], TypeError, "An index must be a whole number"),
        (slice(0.5), TypeError, "bounds of a slice must be whole numbers"),
        (slice(T.lvector("v")), TypeError, "bounds of a slice must be whole numbers"),
        (True, TypeError, "A truth value is no index"),
        (T.eq(f, 1), TypeError, "A truth value is no index"),
        ("name", TypeError, "'name' is no index"),
        ([0, "name"], TypeError, "is no index"),
        ((0, 0, 0), IndexError, "3 indices are too many for 2 axes"),
        ((T.gt(x, 0), 0), IndexError, "3 indices are too many for 2 axes"),
        ((T.gt(x, 0), slice(None)), IndexError, "3 indices are too many for 2 axes"),
        ((slice(None), 0, slice(None)), IndexError, "3 indices are too many for 2 axes"),
        ((slice(None), None, *[slice(None)] * 2), IndexError, "3 indices are too many for 2 axes"),
        ((Ellipsis, *[slice(None)] * 3), IndexError, "3 indices are too many for 2 axes"),
        ((Ellipsis, 0, Ellipsis), ValueError, "only one ellipsis"),
        (slice(None, None, 0), ValueError, "step of a slice cannot be 0"),
        (([0, 1], [0, 1, 2]), ValueError, r"\(2,\) of the index of axis 0 and \(3,\) of the index"),
    ]
    for key, kind, message in cases:
        with pytest.raises(kind, match=message):
            x[key]
    for key in (5, -4, [0, 3], np.array([True, False])):
        with pytest.raises(IndexError, match=r"outside axis 0|does not fit on axis 0"):
            T.constant([1, 2, 3])[key]


def test_errors_of_a_function_are_those_of_its_parts() -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    for mode in ("FAST_RUN", "NUMBA", "FAST_COMPILE"):
        run = function([x, i], x[i] * 2, mode=mode)
        assert run([1, 2, 3], 2) == 6
        with pytest.raises(IndexError, match="Index 7 is outside axis 0, which has length 3"):
            run([1, 2, 3], 7)
        assert run([1, 2, 3], -3) == 2


# Native.


def test_slices_by_shapes_are_views_and_the_rest_is_right() -> None:
    x, y, row = T.dmatrix("x"), T.dmatrix("y"), T.row("row")
    i, v, m = T.lscalar("i"), T.lvector("v"), T.TensorType("bool", (None,))("m")
    n = y.shape[0]
    values = {
        x: np.arange(12.0).reshape(3, 4), y: np.full((2, 4), 0.5), row: np.arange(4.0)[None],
        i: np.array(1), v: np.array([2, 2]), m: np.array([True, False, True]),
    }  # fmt: skip
    views = [
        x[:n] + y, x[-n:, ::-1] * y, x[n, n - 1 :] * 2, x[n] * 2, row[::-1] + x, x[1:, None] * 2,
        x[...] * 2, x[:0] * 2, x[:, None, n - 3 :: -2] * 2, T.set_subtensor(x[:n], y) * 2,
        T.inc_subtensor(x[1:, None, n], 1.5) * 2, T.set_subtensor(row[::-1, 1:], 7) * x,
        T.set_subtensor(row[:], x[:1]) * 2, T.fill_diagonal(x, 5),
        T.grad((x[:n] ** 2).sum(), x),
    ]  # fmt: skip
    left = [
        x[i] * 2, x[i, 1:] + 1, x[v] * y, x[:, v] + 1, x[v, v], x[v, None, v[:, None]] * 2,
        T.set_subtensor(x[m], y) * 2, T.inc_subtensor(x[v], y) * 2, T.choose(v - 2, x[:, :2]),
        T.grad((x[v] ** 2).sum(), x),
    ]  # fmt: skip
    for out in views:
        assert natively_same(out, values) == []
    for out in left:
        assert natively_same(out, values)


def natively_same(out: Variable, values: dict[Variable, Any]) -> list[str]:
    """The ops that kernels leave to NumPy, once they give what NumPy gives."""
    found, called = natively(out, values)
    np.testing.assert_allclose(found, interpret([out], values)[0], rtol=1e-13)
    return called


def test_a_number_put_by_a_mask_needs_no_places() -> None:
    x = T.dmatrix("x")
    graph = Graph([x], [T.set_subtensor(x[x < 0], 0)])
    optimize(graph)
    assert [n.op.name for n in graph.toposort()] == ["lt", "switch"]


# Selection.


@pytest.mark.parametrize("mode", ["raise", "wrap", "clip"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("places", [1, [0, 1, 1], [[0], [2]], [], [5, -7]])
def test_take(mode: Any, axis: int | None, places: Any) -> None:
    x = T.dmatrix("x")
    value = np.arange(12.0).reshape(3, 4)
    at = np.array(places, dtype="int64")
    try:
        expected = np.take(value, at, axis=axis, mode=mode)
    except IndexError:
        with pytest.raises(IndexError):
            value_of(x.take(at, axis, mode), {x: value})
        return
    i = T.TensorType("int64", (None,) * at.ndim)("i")
    for out in (x.take(at, axis, mode), T.take(x, i, axis=axis, mode=mode)):
        np.testing.assert_array_equal(value_of(out, {x: value, i: at}), expected)
    slope = value_of(T.grad((T.take(x, i, axis, mode) ** 2).sum(), x), {x: value, i: at})
    counts = np.zeros(12)
    np.add.at(counts, np.take(np.arange(12).reshape(3, 4), at, axis=axis, mode=mode), 1)
    np.testing.assert_array_equal(slope, 2 * value * counts.reshape(3, 4))


def test_take_refuses_what_are_no_places() -> None:
    x = T.dvector("x")
    for places in ([0.5], [True, False]):
        with pytest.raises(TypeError, match="Places must be whole numbers"):
            x.take(places, mode="wrap")


def test_nonzero_and_what_follows_from_it() -> None:
    x = T.dmatrix("x")
    value = np.array([[0, 2.0, 0], [1, 0, np.nan]])
    found = [value_of(v, {x: value}) for v in x.nonzero()]
    np.testing.assert_array_equal(found, np.nonzero(value))
    matrix = value_of(T.nonzero(x, return_matrix=True), {x: value})
    np.testing.assert_array_equal(matrix, np.nonzero(value))
    np.testing.assert_array_equal(value_of(x[x.nonzero()], {x: value}), value[value != 0])
    np.testing.assert_array_equal(value_of(x.nonzero_values(), {x: value}), value[value != 0])
    np.testing.assert_array_equal(value_of(T.argwhere(x), {x: value}), np.argwhere(value))
    np.testing.assert_array_equal(value_of(x.flatnonzero(), {x: value}), np.flatnonzero(value))
    v = T.dvector("v")
    assert isinstance(v.nonzero(), tuple)
    assert value_of(v.nonzero()[0], {v: [0, 3, 4]}).tolist() == [1, 2]
    with pytest.raises(ValueError, match="A scalar has no places"):
        T.dscalar("s").nonzero()


def test_compress() -> None:
    condition, x = T.TensorType("bool", (None,))("c"), T.dmatrix("x")
    value = np.arange(6.0).reshape(2, 3)
    for bits, axis in [([True, False, True], 1), ([False, True], 0), ([True, False], 1)]:
        out = T.compress(condition, x, axis=axis)
        expected = np.compress(bits, value, axis=axis)
        np.testing.assert_array_equal(value_of(out, {condition: bits, x: value}), expected)
    flat = T.compress([0, 1, 1], x)
    np.testing.assert_array_equal(value_of(flat, {x: value}), np.compress([0, 1, 1], value))
    with pytest.raises(IndexError, match="Index 2 is outside axis 0"):
        value_of(T.compress(condition, x, 0), {condition: [False, False, True], x: value})
    with pytest.raises(TypeError, match="a condition for each place of one axis"):
        T.compress(x, x)


@pytest.mark.parametrize("mode", ["raise", "wrap", "clip"])
def test_choose(mode: Any) -> None:
    a, c = T.TensorType("int64", (None, 1))("a"), T.dmatrix("c")
    places = np.array([[0], [2]]) if mode == "raise" else np.array([[-4], [7]])
    choices = np.arange(12.0).reshape(3, 4)
    expected = np.choose(places, choices, mode=mode)
    np.testing.assert_array_equal(
        value_of(T.choose(a, c, mode=mode), {a: places, c: choices}), expected
    )
    slope = T.grad((T.choose(a, c, mode=mode) ** 2).sum(), c)
    counts = np.zeros(3)
    np.add.at(counts, np.choose(places, np.arange(3), mode=mode), 1)
    np.testing.assert_array_equal(
        value_of(slope, {a: places, c: choices}), 2 * choices * counts[:, None]
    )


def test_choices_are_stretched_against_each_other() -> None:
    v, s = T.dvector("v"), T.iscalar("s")
    out = T.choose([[0, 1], [1, 0]], [s, v])
    found = value_of(out, {v: [1.5, 2.5], s: 7})
    np.testing.assert_array_equal(found, np.choose([[0, 1], [1, 0]], [7, [1.5, 2.5]]))
    assert out.dtype == "float64"
    many = T.choose(T.lvector("i"), T.dvector("c"))
    chosen = value_of(many, dict(zip(leaves([many]), ([70], np.arange(99.0)), strict=True)))
    assert chosen.tolist() == [70]
    with pytest.raises(TypeError, match="whole numbers"):
        T.choose(v, [s, s])
    with pytest.raises(ValueError, match="nothing to choose from"):
        T.choose(s, s)
    with pytest.raises(TypeError, match="cannot write"):
        T.choose(s, [s, s], v)


def test_one_hot() -> None:
    y = T.ivector("y")
    out = T.to_one_hot(y, 4)
    assert (out.dtype, shape_of(out)) == ("float64", "? 4")
    np.testing.assert_array_equal(value_of(out, {y: [3, 0, 0]}), np.eye(4)[[3, 0, 0]])
    assert T.to_one_hot(y, 4, dtype="int8").dtype == "int8"
    assert T.to_one_hot(y, 4, "floatX").dtype == "float64"
    with pytest.raises(IndexError, match="There is no class -1 among 4"):
        value_of(out, {y: [0, -1]})
    with pytest.raises(TypeError, match="whole numbers"):
        T.to_one_hot(T.dvector("d"), 4)


def test_one_hot_of_a_number_of_classes_that_is_computed() -> None:
    y, n, x = T.ivector("y"), T.lscalar("n"), T.dmatrix("x")
    out = T.extra_ops.to_one_hot(y, n)
    assert (out.dtype, shape_of(out)) == ("float64", "? ?")
    np.testing.assert_array_equal(value_of(out, {y: [3, 0, 0], n: 4}), np.eye(4)[[3, 0, 0]])
    rows, value = T.imatrix("rows"), np.eye(3)
    out_of_rows = T.to_one_hot(rows, x.shape[1], "int8")
    assert value_of(out_of_rows, {rows: [[1]], x: value}).tolist() == [[[0, 1, 0]]]
    assert value_of(out, {y: [], n: 2}).shape == (0, 2)
    assert shape_of(T.to_one_hot(y, T.constant(value).shape[1])) == "? 3"
    for wrong in (4, -1):
        with pytest.raises(AssertionError, match="that of no class"):
            value_of(out, {y: [0, wrong], n: 4})
    with pytest.raises(TypeError, match="whole numbers"):
        T.to_one_hot(x, n)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (3, 3, 3), (0, 2)])
def test_diagonals(shape: tuple[int, ...]) -> None:
    a, val = T.TensorType("float64", (None,) * len(shape))("a"), T.dscalar("val")
    value = np.arange(float(np.prod(shape))).reshape(shape)
    expected = value.copy()
    for i in range(min(shape)):
        expected[(i,) * len(shape)] = -1
    out = T.fill_diagonal(a, val)
    np.testing.assert_array_equal(value_of(out, {a: value, val: -1}), expected)
    by_a, by_val = T.grad((out * 2).sum(), [a, val])
    np.testing.assert_array_equal(
        value_of(by_a, {a: value, val: -1}), np.where(expected == -1, 0, 2)
    )
    assert value_of(by_val, {a: value, val: -1}) == 2 * min(shape)
    if len(shape) == 2:
        offset = T.lscalar("offset")
        for k in range(-4, 5):
            expected = np.where(np.eye(*shape, k=k) == 1, -1, value)
            out = T.fill_diagonal_offset(a, val, offset)
            found = value_of(out, {a: value, val: -1, offset: k})
            np.testing.assert_array_equal(found, expected)


def test_diagonals_keep_the_type() -> None:
    row = T.row("row")
    assert T.fill_diagonal(row, 3).type == row.type
    assert value_of(T.fill_diagonal(row, 3), {row: [[1.0, 2.0]]}).tolist() == [[3, 2]]
    m = T.imatrix("m")
    assert T.fill_diagonal(m, 3).dtype == "int32"
    for make, message in [
        (lambda: T.fill_diagonal(m, 1.5), "cannot be filled with float32"),
        (lambda: T.fill_diagonal(m, m), "cannot be filled"),
        (lambda: T.fill_diagonal(m[0], 1), "two axes or more"),
        (lambda: T.fill_diagonal_offset(T.itensor3("t"), 1, 1), "Only a matrix"),
        (lambda: T.fill_diagonal_offset(m, 1, 1.5), "whole numbers"),
        (lambda: T.fill_diagonal_offset(m, 1, [1]), "must be a scalar"),
    ]:
        with pytest.raises(TypeError, match=message):
            make()


@pytest.mark.parametrize("order", ["C", "F"])
def test_places_in_one_row_and_axis_by_axis(order: Any) -> None:
    i, shape = T.lmatrix("i"), T.dtensor3("t").shape
    numbers = np.array([[0, 5], [23, 7]])
    lengths = (3, 4, 2)
    found = [value_of(v, {i: numbers}) for v in T.unravel_index(i, lengths, order)]
    np.testing.assert_array_equal(found, np.unravel_index(numbers, lengths, order))
    back = T.ravel_multi_index(T.unravel_index(i, lengths, order), lengths, order=order)
    np.testing.assert_array_equal(value_of(back, {i: numbers}), numbers)
    assert len(T.unravel_index(i, shape)) == 3
    dims = T.lvector("dims")
    (one,) = T.unravel_index(i, dims, ndim=1)
    np.testing.assert_array_equal(value_of(one, {i: numbers, dims: [24]}), numbers)
    with pytest.raises(ValueError, match="How many axes there are is not known"):
        T.unravel_index(i, dims)
    with pytest.raises(ValueError, match="2 lengths are not those of 3 axes"):
        T.unravel_index(i, (2, 3), ndim=3)
    with pytest.raises(ValueError, match="are not for 3 axes"):
        T.ravel_multi_index([i, i], lengths)
    for make in (T.unravel_index, T.ravel_multi_index):
        with pytest.raises(TypeError, match="must be a vector"):
            make([[1, 2]], 6)
        with pytest.raises(TypeError, match="whole numbers"):
            make([0.5, 1.5], (2, 3))


@pytest.mark.parametrize("mode", ["wrap", "clip"])
def test_places_outside_are_moved_inside(mode: Any) -> None:
    places = np.array([[-1, 8, 3], [4, -9, 5]])
    out = T.ravel_multi_index(places, (7, 6), mode=mode)
    expected = np.ravel_multi_index(tuple(places), (7, 6), mode=mode)
    np.testing.assert_array_equal(out.eval(), expected)


def test_permutations() -> None:
    """As Theano's PermuteRowElements says: y is stretched against x, and x against y."""
    rng = np.random.default_rng(4)
    rows, turns = rng.uniform(size=(3, 4)), np.array([rng.permutation(4) for _ in range(3)])
    x, y = T.dmatrix("x"), T.lmatrix("y")
    out = T.permute_row_elements(x, y)
    np.testing.assert_array_equal(
        value_of(out, {x: rows, y: turns}), np.take_along_axis(rows, turns, 1)
    )
    back = T.permute_row_elements(out, y, inverse=1)
    np.testing.assert_array_equal(value_of(back, {x: rows, y: turns}), rows)
    np.testing.assert_array_equal(
        value_of(T.inverse_permutation(y), {y: turns}), np.argsort(turns, axis=1)
    )
    one = T.permute_row_elements(x, T.constant(turns[0]))
    np.testing.assert_array_equal(value_of(one, {x: rows}), rows[:, turns[0]])
    each = T.permute_row_elements(x[0], y)
    np.testing.assert_array_equal(value_of(each, {x: rows, y: turns}), rows[0][turns])
    slope = T.grad((out * rows).sum(), x)
    expected = np.take_along_axis(rows, np.argsort(turns, axis=1), 1)
    np.testing.assert_array_equal(value_of(slope, {x: rows, y: turns}), expected)
    with pytest.raises(IndexError, match=r"\[0, 0, 1, 2\] is no permutation of 0 to 3"):
        value_of(out, {x: rows, y: np.array([[0, 1, 2, 3], [0, 0, 1, 2], [3, 2, 1, 0]])})
    with pytest.raises(TypeError, match="A scalar has no rows"):
        T.permute_row_elements(x, 0)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_take_along_an_axis(axis: int | None) -> None:
    x, i = T.dmatrix("x"), T.lmatrix("i") if axis is not None else T.lvector("i")
    value = np.random.default_rng(5).uniform(size=(3, 4))
    at = np.argsort(value, axis=axis)
    out = T.take_along_axis(x, i, axis=axis)
    found = value_of(out, {x: value, i: at})
    np.testing.assert_array_equal(found, np.take_along_axis(value, at, axis))
    slope = value_of(T.grad((out**2).sum(), x), {x: value, i: at})
    np.testing.assert_allclose(slope, 2 * value)
    if axis is not None:
        put = T.set_subtensor(out, 0)
        assert not value_of(put, {x: value, i: at}).any()
        kept = T.take_along_axis(x, x.argmax(axis=axis, keepdims=True), axis=axis)
        np.testing.assert_array_equal(
            value_of(kept, {x: value}), value.max(axis=axis, keepdims=True)
        )


# What people write.


def test_cost_of_the_right_classes() -> None:
    """facts/engine.md, section 9, 31."""
    x, y = T.dmatrix("x"), T.ivector("y")
    cost = -T.log(T.softmax(x))[T.positions(y), y].mean()
    values = {x: np.array([[1000.0, 0], [0, 0]]), y: np.array([1, 0], "int32")}
    outputs = function([x, y], [cost, T.grad(cost, x)])(*values.values())
    np.testing.assert_allclose(outputs[0], 500.34657359)
    np.testing.assert_allclose(outputs[1], [[0.5, -0.5], [-0.25, 0.25]])


def test_embedding_and_its_gradient() -> None:
    words, table = T.imatrix("words"), T.dmatrix("table")
    cost = (table[words] ** 2).sum()
    at, values = np.array([[0, 2], [2, 2]], "int32"), np.arange(6.0).reshape(3, 2)
    slope = value_of(T.grad(cost, table), {words: at, table: values})
    np.testing.assert_array_equal(slope, 2 * values * np.array([[1], [0], [3]]))
