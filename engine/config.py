"""Settings of the engine, one attribute each."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from types import SimpleNamespace
from typing import Any

CHOICES = {
    "floatX": ("float16", "float32", "float64"),
    "cast_policy": ("custom", "numpy+floatX", "simple"),
    "device": ("cpu",),
}


@dataclass
class Config:
    """Process-wide settings.

    floatX: dtype of untyped constructors (`T.matrix`) and of int / int division.
    cast_policy: which dtype the result of an op has.
        "custom", Theano's: the dtype that holds all inputs, so int32 * float32 is float64; a
        Python number takes the smallest dtype that holds it, so that int8 + 1 stays int8.
        "numpy+floatX": the same, but Python numbers are int64 and floatX, and ints widen no float
        beyond floatX: int32 * float32 is float32 where floatX is.
        "simple": whatever is computed is bool, int64, floatX, or the complex dtype as wide as
        floatX; so int32 * float32 is floatX.
    on_unused_input: what `function` does with an input nothing depends on:
        "raise", "warn" or "ignore".
    compute_test_value: what is done with `x.tag.test_value` while graphs are built: "off",
        "ignore" (compute where all inputs have one), "warn" or "raise" (where one has none).
    exception_verbosity: "low", or "high" to show the details of errors.
    compile_after: how many calls of a function run in NumPy before its kernels are compiled.
    mode: the mode of functions that are given none: a name, or a Mode.
    optimizer_including, optimizer_excluding: rules that this mode has besides or leaves out:
        names, tags or phases with colons between them.
    strict_rewrites: whether rules are left out that may hide or show a NaN or infinity, or
        hide a shape error.
    profile: whether functions are profiled that are not told.
    device: what kernels run on.
    threads: how many threads compute large loops, 0 for one on each core; to be chosen before
        anything is compiled.  Results do not depend on it.
    warn: where programs turn off the warnings of bugs that Theano once had; there are none here.

    The settings of dtypes are to be chosen before expressions are built.
    """

    floatX: str = "float64"
    cast_policy: str = "custom"
    on_unused_input: str = "raise"
    compute_test_value: str = "off"
    exception_verbosity: str = "low"
    compile_after: int = 64
    mode: Any = "FAST_RUN"
    optimizer_including: str = ""
    optimizer_excluding: str = ""
    strict_rewrites: bool = False
    profile: bool = False
    device: str = "cpu"
    threads: int = 0
    warn: SimpleNamespace = field(default_factory=SimpleNamespace)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in type(self).__dataclass_fields__:
            close = get_close_matches(name, type(self).__dataclass_fields__, 1)
            instead = f"; did you mean {close[0]}?" if close else "."
            raise AttributeError(f"There is no setting {name!r}{instead}")
        choices = CHOICES.get(name)
        if choices is not None and value not in choices:
            raise ValueError(
                f"config.{name} cannot be {value!r}; it is {' or '.join(map(repr, choices))}."
            )
        super().__setattr__(name, value)


config = Config()
