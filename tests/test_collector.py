"""The collector of cyclic garbage waits, and only as long as it was told to."""

from __future__ import annotations

import gc

import pytest

from engine import collector


def test_the_collector_waits_and_goes_on() -> None:
    assert gc.isenabled()
    with collector.waiting():
        assert not gc.isenabled()
        with collector.waiting():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), collector.waiting():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_a_collector_that_was_switched_off_stays_so() -> None:
    gc.disable()
    try:
        with collector.waiting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
