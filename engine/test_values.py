"""Test values: expressions computed while they are built, so that what clashes does so at once."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.codegen.numpy import Interpreter
from engine.config import config
from engine.errors import EngineError, ParameterError, TestValueError
from engine.expression import Apply, Constant, Variable

CHOICES = ("off", "ignore", "warn", "raise")


def get_test_value(v: Variable) -> Any:
    """The value that a variable has while graphs are built.

    That of a constant is its own, that of a shared variable its value now, that of another leaf
    `v.tag.test_value`, held against its type.  Raises TestValueError where there is none.
    """
    if isinstance(v, Constant):
        return v.data
    given = getattr(v.tag, "test_value", None)
    if given is None and hasattr(v, "get_value"):
        return v.get_value(borrow=True)
    if given is None:
        raise TestValueError(
            f"{v!r} has no test value.",
            node=v.name,
            expected=f"{v.type.name} in tag.test_value",
            got="none",
            hint="Give it one: x.tag.test_value = ..., or set config.compute_test_value to 'off'.",
        )
    return v.type.filter(given, f"The test value of {v!r}")


def compute_test_value(node: Apply) -> None:
    """Give the results of an apply their test values; raises what the op raises on them.

    What is done where an input has none says `config.compute_test_value`.
    """
    if config.compute_test_value not in CHOICES:
        raise ParameterError(
            f"config.compute_test_value cannot be {config.compute_test_value!r}.",
            expected=" or ".join(CHOICES),
            got=config.compute_test_value,
        )
    try:
        values = [get_test_value(v) for v in node.inputs]
    except TestValueError as error:
        if config.compute_test_value == "raise":
            raise
        if config.compute_test_value == "warn":
            warnings.warn(f"{node.op.name} was not tested: {error.message}", stacklevel=4)
        return
    try:
        # Known lengths first, so that axes which do not stretch are told apart from NumPy's.
        types = [v.type.of_shape(np.shape(a)) for v, a in zip(node.inputs, values, strict=True)]
        node.op.types(types, node.params, values)
        results: Sequence[Any] = Interpreter(node.inputs, node.outputs)(values)
    except EngineError as error:
        shapes = ", ".join(str(np.shape(a)) for a in values)
        error.details = f"Test values of shapes {shapes}."
        raise node.located(error) from None
    for v, value in zip(node.outputs, results, strict=True):
        v.tag.test_value = value


Variable.tested = compute_test_value
