"""The front against its definition, and by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yardstick import at_most

from archbench.metrics import Direction
from archbench.space.selection import find_front


def by_definition(points: list[list[int]], directions: list[Direction]) -> tuple[bool, ...]:
    def beats(one: list[int], other: list[int]) -> bool:
        gains = [b - a if side == "min" else a - b for a, b, side in zip(one, other, directions, strict=True)]
        return min(gains) >= 0 and max(gains) > 0

    return tuple(not any(beats(other, point) for other in points) for point in points)


@st.composite
def clouds(draw: st.DrawFn) -> tuple[list[list[int]], list[Direction]]:
    """Points on a coarse lattice, so that ties and equal points are common."""
    dimensions = draw(st.integers(1, 5))
    directions = draw(st.lists(st.sampled_from(["min", "max"]), min_size=dimensions, max_size=dimensions))
    point = st.lists(st.integers(0, 4), min_size=dimensions, max_size=dimensions)
    return draw(st.lists(point, max_size=25)), directions


@settings(max_examples=400, deadline=None)
@given(clouds())
def test_the_front_is_who_nobody_beats(cloud: tuple[list[list[int]], list[Direction]]) -> None:
    points, directions = cloud
    assert find_front(points, directions) == by_definition(points, directions)


def test_a_cheap_and_a_good_one_are_on_the_front_and_one_worse_than_the_cheap_is_not() -> None:
    latency_and_score = [(10.0, 37.0), (30.0, 41.0), (11.0, 36.5)]
    assert find_front(latency_and_score, ["min", "max"]) == (True, True, False)


def test_equal_points_are_on_the_front_together() -> None:
    assert find_front([(1, 1), (1, 1), (1, 2)], ["min", "min"]) == (True, True, False)


def test_less_of_a_cost_does_not_make_up_for_a_tie_lost() -> None:
    assert find_front([(1, 5, 5), (1, 5, 6)], ["min", "min", "max"]) == (False, True)


def test_no_points_have_no_front() -> None:
    assert find_front([], ["min"]) == ()


def test_a_point_with_a_coordinate_too_many_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        find_front([(1, 2), (1, 2, 3)], ["min", "min"])


def test_a_point_that_is_not_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a number"):
        find_front([(1.0, float("nan"))], ["min", "min"])


def test_a_hundred_thousand_points_that_are_all_on_the_front_take_seconds_not_hours() -> None:
    macs = random.Random(0).sample(range(10**9), 100_000)
    with at_most(10):
        assert all(find_front([(m, 10**9 - m, m) for m in macs], ["min", "min", "max"]))
