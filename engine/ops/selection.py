"""Selecting elements: by places, by a condition, by a choice for each element."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.config import config
from engine.errors import IndexOutOfRangeError, ShapeError, TypeMismatchError
from engine.expression import OPS, Variable, as_variable
from engine.known import known_value
from engine.makers import composed, unbroadcast, zero_gradient
from engine.op import Example, Op, Param, Port
from engine.ops.indexing import CATEGORY
from engine.types import DISCRETE, EVERY, INTEGERS, TensorType, broadcast, normalize_axis, upcast

MODE = Param(
    "mode",
    "string",
    "raise",
    "what becomes of a place outside: an error, the place counted on from the start (wrap), or "
    "the nearest place (clip)",
    choices=("raise", "wrap", "clip"),
)


def check_whole(v: Variable | TensorType, port: str) -> None:
    """Raise TypeMismatchError for what are no places."""
    if v.dtype not in INTEGERS:
        raise TypeMismatchError(
            "Places must be whole numbers.",
            port=port,
            expected="integers",
            got=v.dtype,
            hint="Use compress, or x[mask], to select by a mask." if v.dtype == "bool" else None,
        )


def positions_along(x: Variable, axis: int) -> Variable:
    """The places along an axis, which stretch over all the others."""
    others = [d for d in range(x.ndim) if d != axis]
    places = OPS["positions"](OPS["dimshuffle"](x, (axis, *others)))
    return OPS["dimshuffle"](places, tuple(0 if d == axis else None for d in range(x.ndim)))


# By places


def _take(x: Variable, indices: Variable, axis: int | None = None, mode: str = "raise") -> Variable:
    check_whole(indices, "indices")
    if axis is None:
        x, axis = OPS["flatten"](x), 0
    axis = normalize_axis(axis, x.ndim)
    return x[(*(slice(None),) * axis, _moved_inside(indices, x.shape[axis], mode))]


def _moved_inside(places: Variable, n: Variable, mode: str) -> Variable:
    """Places that lie on an axis of length n."""
    if mode == "raise":
        return places
    places = OPS["cast"](places, "int64")
    return OPS["mod"](places, n) if mode == "wrap" else OPS["clip"](places, 0, n - 1)


take = composed(
    "take",
    symbol="x[i]",
    category=CATEGORY,
    doc="What lies at the given places of an axis, in the shape of the places.",
    ports=(Port("x"), Port("indices", "integers; negative ones count from the end")),
    params=(
        Param("axis", "int", None, "the axis; none means all elements in one row"),
        MODE,
    ),
    examples=(
        Example(draw=lambda rng: [rng.uniform(-1, 1, (2, 3)), np.array([[5, 0], [-1, 2]])]),
        Example(
            params={"axis": 1, "mode": "wrap"},
            draw=lambda rng: [rng.uniform(-1, 1, (2, 3)), np.array([4, -1])],
        ),
        Example(
            params={"axis": -2, "mode": "clip"},
            draw=lambda rng: [rng.uniform(-1, 1, (2, 3)), np.array([4, -1])],
        ),
    ),
    body=_take,
    dtypes=EVERY,
)


def _take_along_axis(x: Variable, indices: Variable, axis: int | None = -1) -> Variable:
    check_whole(indices, "indices")
    if axis is None:
        x, axis = OPS["flatten"](x), 0
    if x.ndim != indices.ndim:
        raise TypeMismatchError(
            f"A tensor of {x.ndim} and places of {indices.ndim} dimensions do not lie along each "
            "other.",
            port="indices",
            expected=f"{x.ndim} dimensions",
            got=f"{indices.ndim} dimensions",
        )
    axis = normalize_axis(axis, x.ndim)
    own = [0 if x.broadcastable[d] else positions_along(x, d) for d in range(x.ndim)]
    return x[(*own[:axis], indices, *own[axis + 1 :])]


take_along_axis = composed(
    "take_along_axis",
    symbol="x[i]",
    category=CATEGORY,
    doc="For each line along the axis what lies at places of its own, such as argsort gives.",
    ports=(Port("x"), Port("indices", "integers, as many axes as x has")),
    params=(Param("axis", "int", -1, "the axis; none means all elements in one row"),),
    examples=(
        Example(draw=lambda rng: [rng.uniform(-1, 1, (2, 3)), np.array([[2, 0, 0], [1, 1, -1]])]),
        Example(
            params={"axis": 0}, draw=lambda rng: [rng.uniform(-1, 1, (2, 3)), np.array([[1, 0, 1]])]
        ),
    ),
    body=_take_along_axis,
    dtypes=EVERY,
)


# By a condition


def _nonzero_type(a: TensorType, known: Sequence[Any]) -> TensorType:
    if not a.ndim:
        raise ShapeError(
            "A scalar has no places.",
            expected="a tensor with an axis",
            got=str(a),
            hint="Use switch or ifelse to choose by a condition.",
        )
    count = None if known[0] is None else int(np.count_nonzero(known[0]))
    return TensorType("int64", (a.ndim, count), (False, False))


nonzero_op = Op(
    name="nonzero",
    symbol="≠0",
    category=CATEGORY,
    method=False,
    doc="Where a tensor is not 0: a row of places for each of its axes.",
    examples=(
        Example(draw=lambda rng: [np.array([[0, 2, 0], [1, 0, 3]])]),
        Example(draw=lambda rng: [np.zeros((2, 0), "int64")]),
    ),
    ports=(Port("a"),),
    infer=_nonzero_type,
    numpy=lambda a: np.array(np.nonzero(a), dtype="int64"),
    reads_values=True,
    grad=lambda g, y, a: [zero_gradient(a)],
    dtypes=EVERY,
)


def nonzero(a: Any, return_matrix: bool = False) -> Any:
    """Where a tensor is not 0: a vector of places for each axis, or those as rows of a matrix."""
    return as_variable(a).nonzero(return_matrix)


argwhere = composed(
    "argwhere",
    symbol="≠0",
    category=CATEGORY,
    doc="Where a tensor is not 0: a row for each place, with a column for each axis.",
    examples=nonzero_op.examples,
    reads_values=True,
    dtypes=EVERY,
    body=lambda a: OPS["transpose"](nonzero_op(a)),
)

flatnonzero = composed(
    "flatnonzero",
    symbol="≠0",
    category=CATEGORY,
    doc="Where a tensor is not 0, counting all its elements in one row.",
    examples=nonzero_op.examples,
    reads_values=True,
    dtypes=EVERY,
    body=lambda a: nonzero_op(OPS["flatten"](a))[0],
)

nonzero_values = composed(
    "nonzero_values",
    symbol="≠0",
    category=CATEGORY,
    doc="The elements that are not 0, in one row.",
    examples=nonzero_op.examples,
    reads_values=True,
    dtypes=EVERY,
    body=lambda a: OPS["flatten"](a)[flatnonzero(a)],
)


def _compress(condition: Variable, x: Variable, axis: int | None = None) -> Variable:
    if condition.ndim != 1:
        raise TypeMismatchError(
            "compress needs a condition for each place of one axis.",
            port="condition",
            expected="a vector",
            got=str(condition.type),
            hint="Use x[mask] to select by a mask of more axes.",
        )
    return take(x, flatnonzero(condition), axis)


compress = composed(
    "compress",
    symbol="x[c]",
    category=CATEGORY,
    doc="Of an axis the places for which the condition is not 0.",
    ports=(Port("condition", "a vector; places beyond its end are left out"), Port("x")),
    params=(Param("axis", "int", None, "the axis; none means all elements in one row"),),
    examples=(
        Example(
            params={"axis": 1},
            draw=lambda rng: [np.array([1, 0, 1]), rng.uniform(-1, 1, (2, 3))],
        ),
        Example(draw=lambda rng: [np.array([0, 2, 1, 0]), rng.uniform(-1, 1, (2, 3))]),
    ),
    reads_values=True,
    body=_compress,
    dtypes=EVERY,
)


# By a choice for each element


def _choose_type(a: TensorType, choices: TensorType, mode: str) -> TensorType:
    if a.dtype not in DISCRETE:
        check_whole(a, "a")
    if not choices.ndim:
        raise ShapeError(
            "There is nothing to choose from.",
            port="choices",
            expected="a list of tensors, or one whose first axis counts them",
            got=str(choices),
        )
    one = TensorType(choices.dtype, choices.shape[1:], choices.broadcastable[1:])
    return broadcast([one, a])


def _choose_value(a: Any, choices: Any, mode: str) -> Any:
    n = len(choices)
    low, high = (int(a.min()), int(a.max())) if a.size else (0, -1)
    if a.size and (n == 0 or (mode == "raise" and not 0 <= low <= high < n)):
        wrong = low if low < 0 else high
        raise IndexOutOfRangeError(
            f"There is no choice {wrong} among {n}.",
            port="a",
            expected=f"0 to {n - 1}" if n else "no element: there are no choices",
            got=str(wrong),
        )
    chosen = a % n if mode == "wrap" and n else np.clip(a, 0, max(n - 1, 0))
    shape = np.broadcast_shapes(a.shape, choices.shape[1:])
    lead = (1,) * (len(shape) + 1 - choices.ndim)
    offered = np.broadcast_to(choices.reshape(n, *lead, *choices.shape[1:]), (n, *shape))
    chosen = np.broadcast_to(chosen, shape).astype("int64")
    return (
        np.take_along_axis(offered, chosen[None], axis=0)[0]
        if n
        else np.empty(shape, choices.dtype)
    )


def _choose_grad(
    g: Variable, y: Variable, a: Variable, choices: Variable, mode: str
) -> list[Variable | None]:
    if choices.dtype in DISCRETE:
        return [zero_gradient(a), zero_gradient(choices)]
    numbers = OPS["positions"](choices)
    chosen = _moved_inside(a, choices.shape[0], mode)
    numbers = OPS["dimshuffle"](numbers, (0, *(None,) * y.ndim))
    spread = OPS["switch"](OPS["eq"](numbers, chosen), g, OPS["zeros_like"](g))
    lead = 1 + y.ndim - choices.ndim
    if lead:
        spread = OPS["sum"](spread, axis=tuple(range(1, 1 + lead)))
    return [zero_gradient(a), unbroadcast(spread, choices)]


choose_op = Op(
    name="choose",
    symbol="⌥",
    category=CATEGORY,
    doc="For each element the one of the choices that a tells the number of.",
    examples=(
        Example(draw=lambda rng: [np.array([[0, 1, 1], [1, 0, 1]]), rng.uniform(-1, 1, (2, 2, 3))]),
        Example(
            params={"mode": "wrap"},
            draw=lambda rng: [np.array([[-1], [4]]), rng.uniform(-1, 1, (3, 4))],
        ),
        Example(
            params={"mode": "clip"},
            draw=lambda rng: [np.array([-1, 4]), rng.uniform(-1, 1, (3, 2, 1))],
        ),
    ),
    ports=(
        Port("a", "integers"),
        Port("choices", "tensors stacked along the first axis; they are stretched against a"),
    ),
    params=(MODE,),
    infer=_choose_type,
    numpy=_choose_value,
    grad=_choose_grad,
    conjugates=False,
    dtypes=EVERY,
)


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Variable:
    """For each element of `a` the one of the choices that it tells the number of.

    choices: tensors, which are stretched against each other, or one whose first axis counts them.
    out: not supported, since expressions do not change.  mode: of numbers outside, see the op.
    """
    if out is not None:
        raise TypeMismatchError(
            "choose cannot write into a tensor.", port="out", expected="None", got=repr(out)
        )
    return choose_op(a, stacked(choices), mode)


def stacked(tensors: Any) -> Variable:
    """A list of tensors, stretched to one shape and stacked; anything else as it is."""
    if not isinstance(tensors, list | tuple):
        return as_variable(tensors)
    parts = [as_variable(t) for t in tensors]
    if len({(v.ndim, v.broadcastable) for v in parts}) > 1:
        dtype = upcast(*(v.dtype for v in parts))
        model = parts[0]
        for v in parts[1:]:
            model = OPS["fill"](model, v)
        parts = [OPS["fill"](model, OPS["cast"](v, dtype)) for v in parts]
    return OPS["stack"](parts)


def _to_one_hot_type(y: TensorType, nb_class: int, dtype: str) -> TensorType:
    if y.dtype not in DISCRETE:
        check_whole(y, "y")
    return TensorType(dtype, (*y.shape, nb_class), (*y.broadcastable, False))


def _to_one_hot_value(y: Any, nb_class: int, dtype: str) -> Any:
    y = np.asarray(y)
    low, high = (int(y.min()), int(y.max())) if y.size else (0, -1)
    if y.size and not 0 <= low <= high < nb_class:
        wrong = low if low < 0 else high
        raise IndexOutOfRangeError(
            f"There is no class {wrong} among {nb_class}.",
            port="y",
            expected=f"0 to {nb_class - 1}",
            got=str(wrong),
        )
    return (y[..., None] == np.arange(nb_class)).astype(dtype)


to_one_hot_op = Op(
    name="to_one_hot",
    symbol="1ₖ",
    category=CATEGORY,
    method=False,
    doc="For each class number a row that is 1 at the place of the class and 0 elsewhere.",
    examples=(
        Example(
            params={"nb_class": 3, "dtype": "float64"}, draw=lambda rng: [np.array([2, 0, 0, 1])]
        ),
        Example(
            params={"nb_class": 2, "dtype": "int8"}, draw=lambda rng: [np.array([[1, 0], [0, 0]])]
        ),
    ),
    ports=(Port("y", "integers from 0 on"),),
    params=(
        Param("nb_class", "int", 2, "how many classes there are", min=1),
        Param("dtype", "dtype", "floatX", "the dtype of the rows"),
    ),
    infer=_to_one_hot_type,
    numpy=_to_one_hot_value,
    grad=lambda g, y, labels, nb_class, dtype: [zero_gradient(labels)],
)


def to_one_hot(y: Any, nb_class: Any, dtype: str | None = None) -> Variable:
    """For each class number a row of floatX that is 1 at the place of the class, 0 elsewhere.

    nb_class: how many classes there are, which may be computed; numbers outside are an error
    when it runs.
    """
    made = dtype or "floatX"
    if not isinstance(nb_class, Variable):
        return to_one_hot_op(y, nb_class, made)
    known = known_value(nb_class)
    if known is not None:
        return to_one_hot_op(y, int(known), made)
    classes = as_variable(y)
    if classes.dtype not in DISCRETE:
        check_whole(classes.type, "y")
    valid = OPS["and_"](OPS["ge"](classes, 0), classes < nb_class).all()
    classes = OPS["assert_true"](classes, [valid], "A number in y is that of no class.")
    places = OPS["arange"](nb_class).dimshuffle(*["x"] * classes.ndim, 0)
    rows = OPS["eq"](OPS["shape_padright"](classes), places)
    return OPS["cast"](rows, config.floatX if dtype is None else dtype)
