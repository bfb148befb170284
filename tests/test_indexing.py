"""Parts of tensors: read, changed, differentiated, selected; held against NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine.tensor as T
from engine.codegen import compile_graph
from engine.codegen.numpy import interpret
from engine.errors import EngineError
from engine.graph import Graph, Variable
from engine.inference import infer_types

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
