"""Cells and round effects by hand: what a drift, a disturbance and a trimmed block leave."""

from __future__ import annotations

import math

import pytest
from runs_on_disk import block, whole_round

from archbench.runs.records import Block
from archbench.statistics.readings import make_cells, make_reading, trimmed_mean
from archbench.statistics.summary import summarise_blocks

A, B, C = ("A", 0), ("B", 0), ("C", 0)


def found(blocks: list[Block]) -> dict[str, float]:
    """Each variant's cell of the one session, in milliseconds."""
    return {
        key[0]: math.exp(value) for (key, _), value in make_cells(make_reading(b, b.counted_ns) for b in blocks).items()
    }


def test_what_a_round_adds_to_everybody_is_taken_out() -> None:
    """The second round was 20 % slower for all: the level is in the middle, the ratio untouched."""
    cell = found(whole_round("ABBA", {"A": 10, "B": 20}) + whole_round("BAAB", {"A": 12, "B": 24}, round=2))
    assert cell["B"] / cell["A"] == pytest.approx(2)
    assert cell["A"] == pytest.approx(math.sqrt(10 * 12))


def test_a_variant_missing_from_a_slow_round_is_not_the_faster_for_it() -> None:
    """C was not in the round that was 50 % slower; means of blocks would make it a fifth faster than it is."""
    cell = found(whole_round("ABCCBA", {"A": 10, "B": 20, "C": 30}) + whole_round("ABBA", {"A": 15, "B": 30}, round=2))
    assert (cell["B"] / cell["A"], cell["C"] / cell["A"]) == (pytest.approx(2), pytest.approx(3))


def test_a_disturbed_block_does_not_count_where_calm_ones_tell_the_same() -> None:
    rounds = [each for r in (1, 2) for each in whole_round("ABBA", {"A": 10, "B": 20}, round=r)]
    spoiled = [block("A", 90, round=1, order=0, size=4, disturbed=("throttled",)), *rounds[1:]]
    assert found(spoiled) == {"A": pytest.approx(10), "B": pytest.approx(20)}


def test_disturbed_blocks_count_where_there_are_no_others() -> None:
    """Throttled throughout: everybody was, and the ratio is as good as any. Discarding would leave nothing."""
    rounds = whole_round("ABBA", {"A": 11, "B": 22}, disturbed=("throttled",))
    assert found(rounds) == {"A": pytest.approx(11), "B": pytest.approx(22)}


def test_calm_blocks_of_rounds_that_nobody_shared_are_not_compared_alone() -> None:
    """A was calm in round 1 and B in round 2, which was 50 % slower: only the whole rounds tell the two apart."""
    first = whole_round("AB", {"A": 10, "B": 20})
    second = whole_round("AB", {"A": 15, "B": 30}, round=2)
    first[1] = block("B", 20, order=1, size=2, disturbed=("lost",))
    second[0] = block("A", 15, round=2, size=2, disturbed=("lost",))
    cell = found(first + second)
    assert cell["B"] / cell["A"] == pytest.approx(2)


@pytest.mark.parametrize(
    ("values", "mean"), [([3.0], 3), ([1, 2, 9], 4), ([0, 1, 2, 3, 100], 2), ([*range(10), 1000][:10], 4.5)]
)
def test_a_trimmed_mean_leaves_a_fifth_out_at_either_end(values: list[float], mean: float) -> None:
    assert trimmed_mean(values) == mean


def test_rows_that_cannot_be_told_apart_share_a_rank() -> None:
    """A and B cross between generations, C is far behind, D ties with C alone."""
    blocks = [
        each
        for g, ms in enumerate(((10, 10.1, 20, 20.1), (10.1, 10, 20.1, 20), (10, 10.05, 20, 20.05)), 1)
        for each in whole_round("ABCDDCBA", dict(zip("ABCD", ms, strict=True)), generation=g)
    ]
    summaries = summarise_blocks(blocks, A)
    assert [summaries[letter, 0].rank for letter in "ABCD"] == [1, 1, 3, 3]


def test_rows_a_hair_apart_in_every_generation_have_ranks_of_their_own() -> None:
    blocks = [
        each for g in (1, 2, 3) for each in whole_round("ABCCBA", {"C": 10, "A": 10.01, "B": 10.02}, generation=g)
    ]
    summaries = summarise_blocks(blocks, A)
    assert {letter: summaries[letter, 0].rank for letter in "ABC"} == {"C": 1, "A": 2, "B": 3}


def test_without_an_interval_there_is_no_rank() -> None:
    assert [each.rank for each in summarise_blocks(whole_round("ABBA", {"A": 1, "B": 2}), A).values()] == [None, None]


def test_each_quantity_is_summarised_from_its_own_blocks() -> None:
    blocks = [
        *whole_round("AA", {"A": 10}),
        *whole_round("AA", {"A": 7}, round=2, quantity="step"),
        *whole_round("A", {"A": 6}, round=3, quantity="device"),
    ]
    medians = {q: summarise_blocks(blocks, None, quantity=q)[A].median_ms for q in ("request", "step", "device")}
    assert medians == {"request": 10, "step": 7, "device": 6}


def test_a_device_block_counts_by_the_devices_time_and_a_cpus_work_by_its_processor_time() -> None:
    device = Block("A", 0, 1, 1, 0, wall_ns=(9_000_000,), device_ns=(4_000_000,), quantity="device", size=1)
    request = Block("A", 0, 1, 2, 0, wall_ns=(5_000_000,), device_ns=(8_000_000,), size=1)
    assert summarise_blocks([device, request], None, quantity="device")[A].median_ms == 4
    assert summarise_blocks([device, request], None, processor_time=True)[A].median_ms == 8


def test_intervals_of_a_run_that_looked_at_them_are_wider() -> None:
    """97 instead of 95 %: with two degrees of freedom t is 5.643 instead of 4.303 (df of 3 cells of one variant)."""
    blocks = [each for g, ms in enumerate((10, 11, 12), 1) for each in whole_round("AA", {"A": ms}, generation=g)]
    fixed, looked = (summarise_blocks(blocks, None, looked=each)[A].half_width for each in (False, True))
    assert fixed is not None
    assert looked is not None
    assert math.log1p(looked) / math.log1p(fixed) == pytest.approx(5.643 / 4.303, rel=1e-3)
