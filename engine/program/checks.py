"""What must hold of what a node reads: asked by the builder, and while a wire is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import engine.ops  # noqa: F401  (fills OPS)
from engine.document.forms import MisfitError
from engine.document.kinds import fields_of, form_of
from engine.errors import EngineError, ParameterError, ProgramError, TypeMismatchError
from engine.expression import OPS
from engine.op import Op
from engine.program.index import index_of
from engine.types import COMPLEX, DISCRETE, TensorType, promoted, shape_text


def op_of(name: str) -> Op:
    """The op of that name; ProgramError where there is none."""
    op = OPS.get(name)
    if op is None or op.name != name:
        raise ProgramError(
            f"There is no op called {name!r} here.",
            expected="an op of this version", got=name,
            hint=f"Use {op.name} instead." if op else
                 "It is kept as it is. Update Wiregrad, or replace the node.",
        )  # fmt: skip
    if any(p.type == "graph" for p in op.params):
        raise ProgramError(
            f"{name} takes part of a graph as a parameter, which cannot be put on the canvas.",
            expected="an op that takes tensors", got=name, hint="Remove it.",
        )  # fmt: skip
    return op


def op_params(op: Op, given: Mapping[str, Any]) -> dict[str, Any]:
    """What an op node is set to, as the op takes it; ParameterError where something is no good."""
    known = {p.name: p for p in fields_of(op)}
    values = {}
    for name, value in given.items():
        param = known.get(name)
        if param is None:
            raise ParameterError(
                f"{op.name} has no parameter {name!r}.",
                port=name, expected=", ".join(known) or "no parameters", got=name,
                hint="Remove it.",
            )  # fmt: skip
        try:
            form_of(param).check(value)
        except MisfitError as error:
            raise ParameterError(
                f"{name} of {op.name}: {error.message}.",
                port=name, expected=error.expected, got=error.got,
            ) from None  # fmt: skip
        values[name] = index_of(value) if param.type == "index" else value
    return values


def check_initialiser(initialiser: str, dtype: str) -> None:
    """Raise TypeMismatchError where what the initialiser draws does not fit into the dtype."""
    if dtype in DISCRETE and initialiser not in ("zeros", "ones"):
        raise TypeMismatchError(
            f"The initialiser {initialiser} draws fractions, which do not fit into {dtype}.",
            port="initialiser", expected="a float dtype", got=dtype,
            hint="Choose the dtype float64, or zeros or ones.",
        )  # fmt: skip


def check_cost(type: TensorType) -> None:
    """Raise TypeMismatchError where this cannot be what falls in training."""
    if type.ndim or type.dtype in COMPLEX:
        raise TypeMismatchError(
            f"A cost must be a real scalar, not {type}.",
            port="cost", expected="a real scalar", got=str(type),
            hint="Reduce it first, for example with sum or mean.",
        )  # fmt: skip


def check_rate(type: TensorType) -> None:
    """Raise TypeMismatchError where this cannot be a learning rate."""
    if type.ndim or type.dtype in COMPLEX:
        raise TypeMismatchError(
            f"A learning rate must be a real scalar, not {type}.",
            port="learning_rate", expected="a real scalar", got=str(type),
            hint="Wire an input of rank 0 here.",
        )  # fmt: skip


def not_shared(label: str, port: str) -> EngineError:
    """The error of an update that would change what is no shared variable."""
    return TypeMismatchError(
        f"{label} is no shared variable, so it cannot be updated.",
        port=port, expected="a shared variable", got=label, hint="Wire a shared variable here.",
    )  # fmt: skip


def check_update(target: TensorType, value: TensorType, name: str) -> None:
    """Raise TypeMismatchError where the target cannot become the value."""
    if promoted(target.dtype, value.dtype) != target.dtype:
        raise TypeMismatchError(
            f"{name} is {target.dtype} and cannot become {value.dtype}.",
            port="value", expected=target.dtype, got=value.dtype,
            hint=f"Cast the value to {target.dtype}, or make {name} {value.dtype}.",
        )  # fmt: skip
    lengths = zip(target.shape, value.shape, strict=False)
    if target.ndim != value.ndim or any(a != b for a, b in lengths if None not in (a, b)):
        raise TypeMismatchError(
            f"{name} has the shape {shape_text(target.shape)} and cannot take the shape "
            f"{shape_text(value.shape)}.",
            port="value", expected=shape_text(target.shape), got=shape_text(value.shape),
            hint="An update keeps the shape.",
        )  # fmt: skip
