"""Which few of a front stand for all of it, on fronts small enough to see."""

from __future__ import annotations

import numpy as np
import pytest

from archbench.design.spec.schema import Select
from archbench.errors import SpecError
from archbench.space.selection import Aim, describe_aims, make_aims, thin_front


def line(*cost: int) -> list[np.ndarray]:
    """A front of two coordinates: what is more of the first is as much less of the second."""
    first = np.array(cost)
    return [first, 100 - first]


def test_the_ends_are_kept_and_between_them_the_least_crowded() -> None:
    # 0 and 100 are the ends; 50 is farthest from both, then of 20 and 70 (20 from their nearest) the first.
    assert thin_front(line(0, 1, 2, 20, 50, 70, 99, 100), ["min", "min"], 4).tolist() == [0, 3, 4, 7]


def test_one_of_equals_stands_for_them_until_there_is_room() -> None:
    columns = line(0, 0, 100, 100, 30)
    assert thin_front(columns, ["min", "min"], 3).tolist() == [0, 2, 4]
    assert thin_front(columns, ["min", "min"], 4).tolist() == [0, 1, 2, 4]


def test_a_front_within_the_limit_is_kept_whole() -> None:
    assert thin_front(line(5, 3, 1), ["min", "min"], 3).tolist() == [0, 1, 2]


def test_what_is_maximised_has_its_most_kept() -> None:
    macs = np.array([5, 9, 7, 8, 6])
    assert thin_front([macs, macs], ["min", "max"], 2).tolist() == [0, 1]


def test_among_ties_for_the_best_the_better_in_the_rest_is_kept() -> None:
    columns = [np.array([1, 1, 2, 3]), np.array([9, 8, 7, 5]), np.array([0, 0, 0, 0])]
    assert 1 in thin_front(columns, ["min", "min", "min"], 2)
    assert 0 not in thin_front(columns, ["min", "min", "min"], 2)


def test_a_large_unit_is_no_larger_distance() -> None:
    """Two costs in opposite order, one in bytes: the middle of both is taken, whichever is larger in number."""
    few = np.array([0, 1, 5, 10])
    for unit in (1, 10**12):
        assert thin_front([few, (10 - few) * unit], ["min", "min"], 3).tolist() == [0, 2, 3]


def test_a_small_unit_is_no_smaller_distance() -> None:
    """Scores of 0.30 to 0.40: the one farthest from both ends is at 0.36, where the cost is not far from its least."""
    cost, score = np.array([0, 1, 2, 10]), np.array([0.30, 0.36, 0.31, 0.40])
    assert thin_front([cost, score], ["min", "max"], 3).tolist() == [0, 1, 3]


def test_a_score_that_is_known_is_itself_and_no_count_stands_for_it() -> None:
    assert make_aims(None, scored=True)[-1] == Aim("score", "max")
    assert describe_aims(make_aims(Select(("peak_bytes",), ("score",)), scored=True)) == "least peak, most score"


def test_of_many_rows_the_same_are_taken_every_time() -> None:
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 10**9, 100_000) for _ in range(3)]
    assert (
        thin_front(columns, ["min"] * 3, 12).tolist()
        == thin_front([c.copy() for c in columns], ["min"] * 3, 12).tolist()
    )


def test_without_a_wish_latency_memory_and_score_are_stood_in_for_and_it_is_said() -> None:
    found = make_aims(None)
    assert found == (Aim("macs", "min", "latency_ms"), Aim("peak_bytes", "min"), Aim("macs", "max", "score"))
    assert describe_aims(found) == "least MACs (for latency_ms) and peak, most MACs (for score)"


def test_a_wish_is_taken_at_its_word_scaled_names_too() -> None:
    found = make_aims(Select(("acts", "peak_gib"), ("gmacs",)))
    assert found == (Aim("acts", "min"), Aim("peak_bytes", "min"), Aim("macs", "max"))


def test_what_no_count_stands_for_is_refused_with_what_may_be_named() -> None:
    with pytest.raises(SpecError, match=r"select: host_bound is not known before.*params.*latency_ms"):
        make_aims(Select(("host_bound",), ()))
