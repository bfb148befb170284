"""Ops that pass their input on and look at it while the graph runs: printing and asserting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import AssertionFailedError, TypeMismatchError
from engine.expression import Variable, as_variable
from engine.op import Example, Op, Param, Port
from engine.types import TensorType

CATEGORY = "Results"


def _printed(x: Any, message: str, attrs: str) -> Any:
    for name in attrs.split():
        found = getattr(np.asarray(x), name)
        print(message, name, "=", found() if callable(found) else found)
    return np.asarray(x)


print_value = Op(
    name="print_value",
    symbol="»",
    category=CATEGORY,
    doc="Passes x on and prints it, with a message in front, each time it is computed.",
    ports=(Port("x"),),
    params=(
        Param("message", "string", "", "what is printed in front"),
        Param("attrs", "string", "__str__", "names of attributes or methods of the array"),
    ),
    examples=(Example(((2, 3),), {"message": "x"}),),
    infer=lambda x, message, attrs: x,
    numpy=_printed,
    grad=lambda g, y, x, message, attrs: [g],
    conjugates=False,
    method=False,
    hidden=True,
)

ATTRIBUTES = frozenset({"__str__", "shape", "dtype", "size", "ndim", "strides", "nbytes"}) | {
    "min", "max", "mean", "std", "sum", "any", "all", "argmin", "argmax",
}  # fmt: skip


class Print:
    """Makes an expression print its value while the graph runs: `y = Print("y")(y)`.

    message: printed in front.  attrs: what of the array is printed: `__str__`, `shape`, `min`...
    Rewrites do not look through it, so a printed part is computed as it stands.
    """

    def __init__(self, message: str = "", attrs: Sequence[str] = ("__str__",)) -> None:
        for name in attrs:
            if name not in ATTRIBUTES:
                raise TypeMismatchError(
                    f"{name!r} cannot be printed of an array.",
                    port="attrs",
                    expected=", ".join(sorted(ATTRIBUTES)),
                    got=name,
                )
        self.message = message
        self.attrs = " ".join(attrs)

    def __call__(self, x: Any) -> Variable:
        """The same value, which is printed when it is computed."""
        return print_value(x, self.message, self.attrs)


def _asserted_type(x: TensorType, *conditions: TensorType, message: str) -> TensorType:
    for i, condition in enumerate(conditions):
        if condition.ndim:
            raise TypeMismatchError(
                "What is asserted must be a scalar.",
                port=f"conditions.{i}",
                expected="a scalar",
                got=str(condition),
                hint="Reduce it with all or any.",
            )
    return x


def _asserted(x: Any, *conditions: Any, message: str) -> Any:
    for i, condition in enumerate(conditions):
        if not condition:
            raise AssertionFailedError(
                message or "What was asserted does not hold.",
                port=f"conditions.{i}",
                expected="a true condition",
                got=str(np.asarray(condition).item()),
            )
    return np.asarray(x)


assert_true = Op(
    name="assert_true",
    symbol="✓!",
    category=CATEGORY,
    doc="Passes x on if all conditions hold; else the run ends with the message.",
    ports=(Port("x"), Port("conditions", "scalars that must be true", variadic=True)),
    params=(Param("message", "string", "", "what is said where a condition does not hold"),),
    examples=(Example(((2, 3), ()), {"message": "x must be positive."}, ("float64", "int32")),),
    domain=((-3.0, 3.0), (1.0, 3.0)),
    infer=_asserted_type,
    numpy=_asserted,
    grad=lambda g, y, x, *conditions, message: [g, *(None for _ in conditions)],
    conjugates=False,
    method=False,
)


class Assert:
    """Makes an expression hold the run to conditions: `x = Assert("x > 0")(x, (x > 0).all())`."""

    def __init__(self, message: str = "") -> None:
        self.message = message

    def __call__(self, x: Any, *conditions: Any) -> Variable:
        """The same value; AssertionFailedError with the message where a condition is false."""
        return assert_true(x, [as_variable(c) for c in conditions], self.message)
