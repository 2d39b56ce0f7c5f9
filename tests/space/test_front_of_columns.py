"""The front of millions, against the definition of dominance written out point by point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archbench.metrics import Direction
from archbench.space.selection import CELLS, find_front, find_front_of_columns

DIRECTIONS: list[Direction] = ["min", "min", "max"]


def front_many(columns: Sequence[Any], directions: Sequence[Direction]) -> np.ndarray:
    """Whether each point is on the front that is found in columns."""
    found = np.zeros(len(columns[0]), bool)
    found[find_front_of_columns(columns, directions)] = True
    return found


def by_definition(columns: Sequence[Any], directions: Sequence[Direction]) -> list[bool]:
    """Every pair compared, each coordinate as Python's numbers."""
    signs = [1 if side == "min" else -1 for side in directions]
    points = [
        tuple(sign * value for sign, value in zip(signs, point, strict=True)) for point in zip(*columns, strict=True)
    ]
    return [not any(all(map(int.__le__, q, p)) and q != p for q in set(points)) for p in points]


@st.composite
def clouds(draw: st.DrawFn) -> tuple[list[np.ndarray], list[Direction]]:
    """Points on a coarse lattice, so that ties and equal points are common."""
    dimensions, count = draw(st.integers(1, 5)), draw(st.integers(0, 40))
    directions = draw(st.lists(st.sampled_from(["min", "max"]), min_size=dimensions, max_size=dimensions))
    column = st.lists(st.integers(0, 4), min_size=count, max_size=count)
    return [np.array(draw(column), dtype=np.int64) for _ in range(dimensions)], directions


@settings(max_examples=400, deadline=None)
@given(clouds())
def test_the_front_is_who_nobody_beats_ties_and_equal_points_included(cloud: tuple[Any, list[Direction]]) -> None:
    columns, directions = cloud
    assert front_many(columns, directions).tolist() == by_definition([c.tolist() for c in columns], directions)


def networks(count: int, seed: int = 0) -> list[np.ndarray]:
    """Counts that rise and fall together as networks' do, repeated and tied as a grid's are."""
    rng = np.random.default_rng(seed)
    macs = (rng.lognormal(24, 1, count)).astype(np.int64) // 10**7 * 10**7
    peak = (macs * rng.lognormal(0, 0.4, count)).astype(np.int64) // 10**6 * 10**6
    return [macs, peak, (macs * rng.lognormal(0, 0.4, count)).astype(np.int64)]


def beaten_by_some(points: np.ndarray, rivals: np.ndarray) -> np.ndarray:
    no_worse = (rivals[:, None, :] <= points[None, :, :]).all(axis=2)
    better = (rivals[:, None, :] < points[None, :, :]).any(axis=2)
    return np.asarray((no_worse & better).any(axis=0))


@pytest.fixture(scope="module")
def million() -> list[np.ndarray]:
    return networks(1_000_000)


def as_costs(columns: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([columns[0], columns[1], -columns[2]], axis=1)


@pytest.mark.slow
def test_the_front_of_a_million_is_that_of_going_through_them_one_by_one(million: list[np.ndarray]) -> None:
    one_by_one = find_front(list(zip(*(column.tolist() for column in million), strict=True)), DIRECTIONS)
    assert front_many(million, DIRECTIONS).tolist() == list(one_by_one)


@pytest.mark.parametrize("seed", range(5))
def test_the_front_of_a_random_subset_of_a_million_is_the_brute_force_one(seed: int, million: list[np.ndarray]) -> None:
    chosen = np.random.default_rng(seed).choice(1_000_000, 2_000, replace=False)
    columns = [column[chosen] for column in million]
    points = as_costs(columns)
    assert (front_many(columns, DIRECTIONS) == ~beaten_by_some(points, points)).all()


def test_equal_points_are_on_the_front_together_and_ties_lost_are_off_it_in_a_crowd() -> None:
    """Each point of a crowd three times over, and once more with a little more of the last cost."""
    rng = np.random.default_rng(1)
    first = rng.permutation(20_000).astype(np.int64)
    crowd = [first, 20_000 - first, np.full(20_000, 7)]
    columns = [np.concatenate([column] * 3 + [column + (place == 2)]) for place, column in enumerate(crowd)]
    assert front_many(columns, ["min", "min", "min"]).tolist() == [True] * 60_000 + [False] * 20_000


def test_a_hundred_thousand_points_that_are_all_on_the_front_all_stay() -> None:
    macs = np.random.default_rng(0).permutation(100_000)
    assert front_many([macs, 10**9 - macs, macs], DIRECTIONS).all()


def test_integers_that_floats_cannot_tell_apart_are_told_apart() -> None:
    least = 2**62
    many = np.full(CELLS * 64, least + 1, dtype=np.int64)
    many[77] = least
    assert np.flatnonzero(front_many([many, many, many], ["min"] * 3)).tolist() == [77]
    assert np.flatnonzero(front_many([-many], ["max"])).tolist() == [77]


def test_a_coordinate_that_is_not_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a number"):
        front_many([np.array([1.0, np.nan])], ["min"])


def test_a_coordinate_without_a_direction_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        front_many([np.arange(2), np.arange(2)], ["min"])
