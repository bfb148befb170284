"""Settings of the engine, one attribute each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Config:
    """Process-wide settings.

    floatX: dtype of untyped constructors (`T.matrix`) and of int / int division.
    on_unused_input: what `function` does with an input nothing depends on:
        "raise", "warn" or "ignore".
    compute_test_value: what is done with `x.tag.test_value` while graphs are built: "off",
        "ignore" (compute where all inputs have one), "warn" or "raise" (where one has none).
    exception_verbosity: "low", or "high" to show the details of errors.
    compile_after: how many calls of a function run in NumPy before its kernels are compiled.
    mode: the mode of functions that are given none: a name, or a Mode.
    optimizer_including, optimizer_excluding: rules that this mode has besides or leaves out:
        names, tags or phases with colons between them.
    profile: whether functions are profiled that are not told.
    """

    floatX: str = "float64"
    on_unused_input: str = "raise"
    compute_test_value: str = "off"
    exception_verbosity: str = "low"
    compile_after: int = 64
    mode: Any = "FAST_RUN"
    optimizer_including: str = ""
    optimizer_excluding: str = ""
    profile: bool = False


config = Config()
