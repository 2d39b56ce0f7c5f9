"""Summaries against arithmetic written out, published quantiles and simulated truth."""

from __future__ import annotations

import math
import random

import pytest
from runs_on_disk import block, warm_up, whole_round

from archbench.runs.records import Block
from archbench.statistics.fit import student_t
from archbench.statistics.readings import whole_rounds
from archbench.statistics.summary import summarise_blocks

A, B, C = ("A", 0), ("B", 0), ("C", 0)

# Two-sided 95 % points, NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
PUBLISHED_T = {
    1: 12.706,
    2: 4.303,
    3: 3.182,
    4: 2.776,
    5: 2.571,
    6: 2.447,
    7: 2.365,
    8: 2.306,
    9: 2.262,
    10: 2.228,
    12: 2.179,
    15: 2.131,
    20: 2.086,
    25: 2.060,
    30: 2.042,
    40: 2.021,
    60: 2.000,
    80: 1.990,
    100: 1.984,
    100_000: 1.960,
}


@pytest.mark.parametrize(("df", "published"), PUBLISHED_T.items())
def test_students_t_is_the_published_quantile(df: int, published: float) -> None:
    assert student_t(df) == pytest.approx(published, abs=0.0006)


def test_students_t_falls_with_every_degree_of_freedom_and_needs_one() -> None:
    values = [student_t(df) for df in range(1, 300)]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(math.tan(math.pi * 0.475))  # df 1 is Cauchy's
    assert values[1] == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)))  # df 2 in closed form
    with pytest.raises(ValueError, match="0 degrees"):
        student_t(0)


def test_two_variants_in_two_generations_by_hand() -> None:
    """log cells A: ln 10, ln 11; B: ln 20, ln 21. Differences d1 = ln 2, d2 = ln(21/11); df = 4 - 2 - 2 + 1 = 1."""
    blocks = [*whole_round("ABBA", {"A": 10, "B": 20}), *whole_round("BAAB", {"A": 11, "B": 21}, generation=2)]
    found = summarise_blocks(blocks, A)
    d1, d2 = math.log(2), math.log(21 / 11)
    s = abs(d1 - d2) / 2  # each of four residuals is (d1 - d2) / 4; their squares add to (d1 - d2)^2 / 4
    assert found[B].ratio == pytest.approx(math.exp((d1 + d2) / 2))
    assert found[B].ratio_half_width == pytest.approx(math.expm1(12.7062 * s * math.sqrt(1 / 2 + 1 / 2)), rel=1e-4)
    assert (
        found[A].half_width
        == found[B].half_width
        == pytest.approx(math.expm1(12.7062 * s * math.sqrt(1 / 2)), rel=1e-4)
    )
    assert (found[A].ratio, found[A].ratio_half_width) == (1.0, 0.0)
    assert (found[B].calls, found[B].blocks, found[B].generations, found[B].median_ms) == (4, 4, 2, 20.5)


def test_one_variant_alone_has_students_interval_over_generations() -> None:
    """ln 10, ln 11, ln 12: mean m, s^2 = sum (x - m)^2 / 2, half-width exp(4.3027 s / sqrt 3) - 1."""
    blocks = [each for g, ms in enumerate((10, 11, 12), 1) for each in whole_round("AA", {"A": ms}, generation=g)]
    logs = [math.log(ms) for ms in (10, 11, 12)]
    mean = sum(logs) / 3
    s = math.sqrt(sum((x - mean) ** 2 for x in logs) / 2)
    found = summarise_blocks(blocks, None)[A]
    assert found.half_width == pytest.approx(math.expm1(4.30265 * s / math.sqrt(3)), rel=1e-5)
    assert (found.ratio, found.ratio_half_width) == (None, None)


def test_a_drift_that_all_share_widens_no_interval() -> None:
    blocks = [each for g in (1, 2, 3) for each in whole_round("ABBA", {"A": 10 * g, "B": 20 * g}, generation=g)]
    found = summarise_blocks(blocks, A)
    assert found[B].ratio == pytest.approx(2)
    assert found[B].half_width == pytest.approx(0, abs=1e-9)


def test_one_generation_has_no_interval_however_many_its_calls() -> None:
    blocks = [each for r in range(1, 9) for each in whole_round("ABBA", {"A": 10 + r / 9, "B": 20}, round=r)]
    found = summarise_blocks(blocks, A)
    assert (found[A].half_width, found[B].half_width, found[B].ratio_half_width) == (None, None, None)
    assert found[B].ratio is not None
    assert "no interval" in found[B].estimator


def test_quartiles_are_of_all_counted_calls_and_a_hand_over_call_is_not_counted() -> None:
    blocks = [block("A", [900, 1, 2, 3], dropped=1, size=2), block("A", [900, 4, 5], order=1, dropped=1, size=2)]
    found = summarise_blocks(blocks, None)[A]
    assert (found.calls, found.q25_ms, found.median_ms, found.q75_ms) == (5, 2, 3, 4)


def test_a_round_counts_for_its_blocks_medians_not_for_its_outliers() -> None:
    one = [block("A", [10, 10, 5000], size=2), block("A", [10, 10, 10], order=1, size=2)]
    other = [block("A", [10, 10, 10], size=2, generation=2), block("A", [7000, 10, 10], order=1, size=2, generation=2)]
    assert summarise_blocks(one + other, None)[A].half_width == pytest.approx(0, abs=1e-9)


def test_the_first_half_of_a_killed_round_does_not_count() -> None:
    blocks = warm_up("ABC") + whole_round("ABCCBA", dict.fromkeys("ABC", 1))
    killed = whole_round("CABBAC", dict.fromkeys("ABC", 5), round=2)
    for size in range(6):
        assert list(whole_rounds(blocks + killed[:size])) == blocks[3:]
    assert len(list(whole_rounds(blocks + killed))) == 12
    assert summarise_blocks(blocks[:3] + killed[:5], None) == {}


def test_a_round_planned_without_its_mirror_counts_when_all_its_turns_are_there() -> None:
    blocks = warm_up("ABC") + whole_round("ABC", dict.fromkeys("ABC", 1))
    assert len(list(whole_rounds(blocks))) == 3
    assert list(whole_rounds(blocks[:-1])) == []


@pytest.mark.parametrize("present", [(1, 2, 3, 4), (0, 1, 2, 3, 4)], ids=["failed at its first turn", "at its second"])
def test_a_variant_that_failed_in_a_round_spoils_it_for_nobody(present: tuple[int, ...]) -> None:
    planned = whole_round("ABCCBA", dict.fromkeys("ABC", 1))
    blocks = warm_up("ABC") + [planned[order] for order in present]
    assert set(summarise_blocks(blocks, B)) == set()
    assert set(summarise_blocks(blocks, B, failed=frozenset({A}))) == {B, C}


def test_a_killed_round_is_not_excused_by_failures_elsewhere() -> None:
    """A failed in generation 1; generation 2 was killed with C's mirror turn missing."""
    first = warm_up("ABC") + whole_round("ABCCBA", dict.fromkeys("ABC", 1))
    second = warm_up("BC", generation=2) + whole_round("CBBC", dict.fromkeys("BC", 1), generation=2)[:3]
    found = summarise_blocks(first + second, B, failed=frozenset({A}))
    assert {key: each.generations for key, each in found.items()} == {B: 1, C: 1}


def test_a_variant_lost_in_an_earlier_round_is_not_planned_in_a_later_one() -> None:
    first = whole_round("ABCCBA", dict.fromkeys("ABC", 1))[1:5]
    blocks = warm_up("ABC") + first + whole_round("BCCB", dict.fromkeys("BC", 1), round=2)
    found = summarise_blocks(blocks, B, failed=frozenset({A}))
    assert {key: each.blocks for key, each in found.items()} == {B: 4, C: 4}


def test_a_disturbed_turn_counts_by_its_undisturbed_attempt_else_by_its_last() -> None:
    blocks = [
        block("A", 50, size=2, disturbed=("throttled",)),
        block("A", 10, size=2, attempt=1),
        block("A", 60, order=1, size=2, disturbed=("throttled",)),
        block("A", 12, order=1, size=2, attempt=1, disturbed=("clock",)),
    ]
    found = summarise_blocks(blocks, None)[A]
    assert (found.calls, found.median_ms) == (1, 10)  # one that stayed disturbed counts only where there is no other
    assert (found.blocks, found.disturbed) == (2, 1)


def test_a_latency_is_of_the_blocks_its_interval_and_ratio_are_of() -> None:
    """In one of two rounds A stayed disturbed at 13 ms. It takes 10, and is the faster."""
    blocks = [
        each
        for g in (1, 2)
        for r in (1, 2)
        for each in whole_round("ABBA", {"A": 10, "B": 10.2}, generation=g, round=r)
    ]
    blocks = [
        block("A", 13, generation=b.generation, round=2, order=b.order, size=4, disturbed=("lost",))
        if (b.id, b.round) == ("A", 2)
        else b
        for b in blocks
    ]
    found = summarise_blocks(blocks, A)
    assert (found[A].median_ms, found[A].rank) == (10, 1)
    assert found[B].ratio == pytest.approx(1.02)
    assert found[A].disturbed == 4


def test_a_warm_up_that_did_not_settle_is_told_and_never_counted() -> None:
    found = summarise_blocks(warm_up("A", steady=False) + warm_up("B") + whole_round("ABBA", {"A": 7, "B": 8}), None)
    assert (found[A].steady, found[B].steady) == (False, True)
    assert (found[A].calls, found[A].median_ms) == (2, 7)


def test_groups_are_compared_through_the_reference_they_share() -> None:
    """B is 2 A and C is 3 A; the second group ran on a machine 10 % slower."""
    blocks = [
        each
        for g in (1, 2)
        for group, letters in enumerate(("ABBA", "ACCA"))
        for each in whole_round(letters, {"A": 10 + group, "B": 20, "C": 33}, generation=g, group=group)
    ]
    found = summarise_blocks(blocks, A)
    assert (found[B].ratio, found[C].ratio) == (pytest.approx(2), pytest.approx(3))
    assert found[A].generations == 2


def test_variants_that_shared_no_session_are_not_compared() -> None:
    rounds = (whole_round(letter * 2, {letter: 10}, generation=g) for g, letter in enumerate("AAB"))
    blocks = [each for turns in rounds for each in turns]
    found = summarise_blocks(blocks, A)
    assert (found[B].ratio, found[B].ratio_half_width, found[A].ratio) == (None, None, 1.0)


def test_an_unbalanced_variant_is_less_sure_by_the_design_s_own_variance() -> None:
    """B ran in one of three generations beside A and C; by the fit its contrast has more than the (1/1 + 1/3) of free means."""
    blocks = [
        each
        for g, extra in ((1, 1.00), (2, 1.05), (3, 0.97))
        for each in whole_round("ACCA" if g > 1 else "ABCCBA", {"A": 10, "B": 20, "C": 30 * extra}, generation=g)
    ]
    blocks += whole_round("BCCB", {"B": 20.5, "C": 30}, generation=4)
    found = summarise_blocks(blocks, A)
    assert found[B].half_width > found[C].half_width  # type: ignore[operator]
    assert found[B].ratio_half_width > found[C].ratio_half_width  # type: ignore[operator]


def simulated(seed: int, *, generations: int = 3, ratio: float = 1.02) -> list[Block]:
    """Lognormal times with a bias a process (1 %), a drift a generation (10 %), a scatter a block (0.5 %)."""
    draw = random.Random(seed)
    blocks = []
    for generation in range(1, generations + 1):
        drift = draw.gauss(0, 0.1)
        process = {letter: drift + draw.gauss(0, 0.01) for letter in "ABCD"}
        for round in (1, 2):
            sequence = draw.sample("ABCD", 4)
            ms = {letter: 10 * (ratio if letter == "B" else 1) * math.exp(process[letter]) for letter in "ABCD"}
            blocks += [
                block(
                    letter,
                    [ms[letter] * math.exp(draw.gauss(0, 0.005)) for _ in range(5)],
                    generation=generation,
                    round=round,
                    order=place,
                    size=8,
                )
                for place, letter in enumerate([*sequence, *reversed(sequence)])
            ]
    return blocks


@pytest.mark.statistics
def test_the_interval_of_a_ratio_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        found = summarise_blocks(simulated(seed), A)[B]
        assert found.ratio is not None
        assert found.ratio_half_width is not None
        covered += abs(math.log(found.ratio / 1.02)) <= math.log1p(found.ratio_half_width)
    assert 180 <= covered <= 198  # 190 expected, three standard deviations are 9


def test_no_blocks_have_no_summary() -> None:
    assert summarise_blocks([], A) == {}
    assert summarise_blocks(warm_up("A"), A) == {}


def test_a_reference_that_was_not_measured_gives_null_ratios() -> None:
    found = summarise_blocks(whole_round("BB", {"B": 2}), A)
    assert (found[B].ratio, found[B].median_ms) == (None, 2)
