"""Merging points: few enough, true ones, with every peak."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.points import NONE, Points, join, merge, merge_all


def curve(values: list[float], first: int = 1) -> Points:
    return Points(np.arange(first, first + len(values)), np.array(values, np.float64))


@given(
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=400),
    st.integers(2, 60),
    st.integers(1, 7),
)
def test_merged_points_are_true_points_with_the_extremes(
    values: list[float], width: int, stride: int
) -> None:
    steps = np.arange(len(values)) * stride + 1
    points = Points(steps, np.array(values))
    merged = merge(points, width)
    assert len(merged) <= 2 * width
    assert np.all(np.diff(merged.steps) > 0)
    assert merged.steps[0] == steps[0]
    assert merged.steps[-1] == steps[-1]
    where = np.searchsorted(steps, merged.steps)
    np.testing.assert_array_equal(points.values[where], merged.values)
    assert merged.values.min() == points.values.min()
    assert merged.values.max() == points.values.max()


def test_few_points_stay_as_they_are() -> None:
    points = curve([3.0, 1.0, 2.0])
    assert merge(points, 2) is points
    assert len(merge(NONE, 2)) == 0


def test_nan_stays_visible() -> None:
    values = [1.0] * 1000
    values[500] = float("nan")
    assert np.isnan(merge(curve(values), 10).values).sum() == 1


def test_a_long_curve_in_pieces_keeps_its_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.points.PIECE", 1000)
    rng = np.random.default_rng(0)
    values = rng.normal(size=10_000)
    whole = Points(np.arange(10_000), values)
    pieces = [Points(whole.steps[i : i + 300], values[i : i + 300]) for i in range(0, 10_000, 300)]
    merged = merge_all(pieces, 50)
    assert len(merged) <= 100
    assert merged.values.max() == values.max()
    assert merged.values.min() == values.min()
    assert merged.steps[-1] == 9999


def test_after_leaves_exactly_the_rest() -> None:
    points = curve([1.0, 2.0, 3.0], first=5)
    assert points.after(5).steps.tolist() == [6, 7]
    assert points.after(-1).steps.tolist() == [5, 6, 7]
    assert points.after(7).steps.tolist() == []
    assert join([points, points.after(7), curve([4.0], 8)]).steps.tolist() == [5, 6, 7, 8]


def test_bytes_are_little_endian_pairs() -> None:
    assert np.frombuffer(curve([0.5]).to_bytes(), "<f8").tolist() == [1.0, 0.5]
