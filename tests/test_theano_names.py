"""Whoever knows Theano finds what they know, under the name and at the place that they expect."""

from __future__ import annotations

from typing import Any

import pytest

import engine
import engine.tensor as T
from tests.theano_names import FAMILIES, MISSING


def found(path: str) -> Any:
    """What is at a path, None where there is nothing."""
    first, *names = path.split(".")
    roots: dict[str, Any] = {"T": T, "v": T.dmatrix("v")}
    at = roots.get(first)
    if at is None:
        at, names = engine, [first, *names]
    for name in names:
        at = getattr(at, name, None)
        if at is None:
            return None
    return at


@pytest.mark.parametrize("family", FAMILIES)
def test_every_name_is_there_or_said_to_be_missing(family: str) -> None:
    v = T.dmatrix("v")
    allowed = {"v.name", "v.owner"} if v.owner is None else set()
    absent = {path for path in FAMILIES[family] if found(path) is None} - allowed
    assert absent == {path for path in FAMILIES[family] if path in MISSING}
