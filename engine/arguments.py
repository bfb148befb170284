"""The inputs and outputs of functions: what may be said of each, and how arguments reach them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from engine.errors import ParameterError, TypeMismatchError
from engine.expression import Constant, Variable
from engine.shared import Container, SharedVariable

Array = np.ndarray[Any, Any]


class In:
    """An input of a function, with more to say than which variable it is.

    name: by which an argument may be passed; the variable's own, unless `autoname` is off.
    value: its default: a number or array, or a shared variable or container (`f.container[x]`)
        whose value at the time of the call it is.
    update: an expression; its value is what the input holds after a call.
    implicit: whether calls cannot give it; so it is where the default is shared, unless False.
    strict: takes arrays of exactly its type.  allow_downcast: True takes all numbers, False none
        that would have to be rounded, None only Python floats where the input is of floatX.
    mutable, borrow: permission to use the argument's memory, which functions leave alone anyway.
    shared: for Theano's sake.
    """

    def __init__(
        self,
        variable: Variable,
        name: str | None = None,
        value: Any = None,
        update: Variable | None = None,
        mutable: bool | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
        autoname: bool = True,
        implicit: bool | None = None,
        borrow: bool | None = None,
        shared: bool = False,
    ) -> None:
        _check_variable(variable)
        if not isinstance(name, str | None):
            raise TypeMismatchError("The name of an input is a text.", got=repr(name))
        if mutable and borrow is False:
            raise ParameterError(
                f"The input {variable!r} cannot be mutable and not borrowed.",
                expected="borrow=True, or mutable=False",
            )
        kept = isinstance(value, SharedVariable | Container)
        if implicit and value is None:
            raise TypeMismatchError(f"The implicit input {variable!r} needs a value.")
        self.variable = variable
        self.name = name or (variable.name if autoname else None)
        self.value = value
        self.update = update
        self.mutable = bool(mutable)
        self.borrow = bool(mutable if borrow is None else borrow)
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.implicit = kept if implicit is None else implicit

    def __repr__(self) -> str:
        default = "" if self.value is None else f" = {self.value!r}"
        return f"{self.name or repr(self.variable)}{default}"


class Out:
    """An output of a function.

    borrow: permission to give memory that the next call uses again, which saves a copy.
    """

    def __init__(self, variable: Variable, borrow: bool = False) -> None:
        self.variable = variable
        self.borrow = borrow

    def __repr__(self) -> str:
        return f"Out({self.variable!r}, borrow={self.borrow})"


def _check_variable(v: Any) -> None:
    if isinstance(v, SharedVariable):
        raise TypeMismatchError(
            f"The shared variable {v!r} cannot be an input.",
            node=v.name,
            hint="Its value is always there; to replace it in this function use givens.",
        )
    if isinstance(v, Constant):
        raise TypeMismatchError(
            f"The constant {v!r} cannot be an input.", hint="To replace it use givens."
        )
    if isinstance(v, list | tuple):
        raise TypeMismatchError(
            f"An input is a variable, not a {type(v).__name__} of them.",
            expected="a variable",
            got=repr(v),
            hint="List the inputs one after the other.",
        )
    if not isinstance(v, Variable):
        raise TypeMismatchError(f"{v!r} is no variable.", expected="a variable", got=repr(v))


DEFAULT: Any = object()
"""In place of an argument that was not given."""


class Parameter:
    """An input as a function has it: where its default is kept, and what arguments it takes.

    container: has the default, and after a call the value of the input's update.
    owned: whether nobody else has the container.
    dtype, ndim, any_length: an array that has them, of any lengths if so, needs no further look.
    takes_floats: whether any Python float is a value.
    """

    def __init__(self, given: In, allow_downcast: bool | None) -> None:
        self.variable = given.variable
        self.name = given.name
        self.label = given.name or repr(given.variable)
        self.implicit = given.implicit
        self.required = given.value is None
        self.strict = given.strict
        own = given.allow_downcast
        self.allow_downcast = allow_downcast if own is None else own
        self.owned = not isinstance(given.value, SharedVariable | Container)
        type = given.variable.type
        self.dtype = np.dtype(type.dtype)
        self.ndim = type.ndim
        self.any_length = all(n is None for n in type.shape)
        self.takes_floats = type.dtype == "float64" and type.ndim == 0 and not self.strict
        if isinstance(given.value, SharedVariable):
            self.container = given.value.container
        elif isinstance(given.value, Container):
            self.container = given.value
        else:
            value = None if self.required else np.array(self.filter(given.value))
            self.container = Container(value)
        if self.container.value is not None:
            self.filter(self.container.value)

    def copy(self) -> Parameter:
        """The same, with a container of its own if it has one now."""
        twin = copy(self)
        if self.owned:
            twin.container = Container(self.container.value)
        return twin

    def filter(self, value: Any) -> Array:
        """The value as an array of the input's type; TypeMismatchError if it does not fit."""
        if isinstance(value, Variable):
            raise TypeMismatchError(
                f"{self.label} cannot take the expression {value!r}: a call needs numbers.",
                node=self.name,
                expected=self.variable.type.name,
                got=str(value.type),
                hint="Compute it first, with a function or eval; or put it in place of the input "
                "with givens.",
            )
        return self.variable.type.filter(value, self.label, self.allow_downcast, self.strict)


class Signature:
    """The inputs of a function in order, and the rules by which a call reaches them.

    Arguments go by position, which passes over implicit inputs, or by name.
    """

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.parameters = list(parameters)
        self._explicit = [i for i, p in enumerate(parameters) if not p.implicit]
        self._names: dict[str, list[int]] = {}
        for i, p in enumerate(parameters):
            if p.name:
                self._names.setdefault(p.name, []).append(i)

    def __str__(self) -> str:
        return ", ".join(p.label for p in self.parameters)

    @property
    def is_positional(self) -> bool:
        """Whether a call gives every input, and each by its position if it likes."""
        return len(self._explicit) == len(self.parameters)

    def has(self, key: Variable | str) -> bool:
        """Whether just one input has that variable or name."""
        if isinstance(key, str):
            return len(self._names.get(key, [])) == 1
        return any(p.variable is key for p in self.parameters)

    def place(self, key: Variable | str, label: object) -> int:
        """The number of the input with that variable or name; TypeMismatchError if none has."""
        if isinstance(key, str):
            return self._named(key, label)
        for i, p in enumerate(self.parameters):
            if p.variable is key:
                return i
        raise TypeMismatchError(f"{label} has no input {key!r}.", got=repr(key))

    def sort(self, args: Sequence[Any], kwargs: Mapping[str, Any], label: object) -> list[Any]:
        """For each input its argument, or DEFAULT.

        Raises TypeMismatchError, with `label` for the function, for too many arguments, missing
        ones, and names that are unknown, ambiguous or given twice.
        """
        if not kwargs and len(args) == len(self.parameters) == len(self._explicit):
            return list(args)
        if len(args) > len(self._explicit):
            count = len(self._explicit)
            raise TypeMismatchError(
                f"{label} takes {count} argument{'s' * (count != 1)}, but {len(args)} were given.",
                expected=str(count),
                got=str(len(args)),
            )
        given = [DEFAULT] * len(self.parameters)
        for i, value in zip(self._explicit, args, strict=False):
            given[i] = value
        for name, value in kwargs.items():
            i = self._named(name, label)
            if given[i] is not DEFAULT:
                raise TypeMismatchError(f"{label} was given {name!r} twice.", node=name, got=name)
            if self.parameters[i].implicit:
                raise TypeMismatchError(
                    f"{label} cannot be given {name!r}: its value is kept elsewhere.",
                    node=name,
                    hint="Set the shared variable, or make the input In(…, implicit=False).",
                )
            given[i] = value
        missing = [
            p
            for p, value in zip(self.parameters, given, strict=True)
            if value is DEFAULT and p.required
        ]
        if missing:
            raise TypeMismatchError(
                f"{label} needs a value for {' and for '.join(p.label for p in missing)}.",
                node=missing[0].name,
                expected=missing[0].variable.type.name,
            )
        return given

    def filter(self, given: Sequence[Any], label: object) -> list[Any]:
        """The arguments as arrays of the right types, DEFAULT as it is.

        Raises TypeMismatchError that names the function, the input and its number.
        """
        values: list[Any] = []
        for p, value in zip(self.parameters, given, strict=True):
            kind = type(value)
            if (
                kind is np.ndarray
                and value.dtype == p.dtype
                and value.ndim == p.ndim
                and p.any_length
            ):
                values.append(value)
            elif kind is float and p.takes_floats:
                values.append(np.array(value))
            elif value is DEFAULT:
                values.append(value)
            else:
                try:
                    values.append(p.filter(value))
                except TypeMismatchError as error:
                    raise error.of(f"Argument {len(values)} of {label}") from None
        return values

    def _named(self, name: str, label: object) -> int:
        places = self._names.get(name, [])
        if len(places) != 1:
            state = "which several inputs are called" if places else "but has no such input"
            raise TypeMismatchError(
                f"{label} was given {name!r} {state}.",
                node=name,
                expected=", ".join(self._names) or "arguments by position",
                got=name,
            )
        return places[0]
