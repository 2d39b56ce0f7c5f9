"""Verdicts against arithmetic written out, published quantiles and Monte Carlo truth."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from runs_on_disk import block, warm_up, whole_round

from archbench.runs.records import Block, Key
from archbench.statistics.fit import student_t, two_sided_p
from archbench.statistics.verdicts import Contrast, choose_blocks, contrast_runs, judge_contrasts
from archbench.statistics.verdicts import contrast_pair as contrast_of

A, B = ("A", 0), ("B", 0)


def contrast(log_ratio: float | None, error: float | None, df: int = 7, **given: object) -> Contrast:
    fields = {"generations": df + 1, "disturbed": 0.0, "paired": True} | given
    return Contrast(log_ratio, error, df, **fields)  # type: ignore[arg-type]


def generations(ratios: list[float], *, base_ms: float = 10.0) -> list:
    """One round a generation; B takes so many times A's time, and each generation is slower than the one before."""
    return [
        each
        for g, ratio in enumerate(ratios, 1)
        for each in whole_round("ABBA", {"A": base_ms * g, "B": base_ms * g * ratio}, generation=g)
    ]


def counted(blocks: list[Block], failed: frozenset[Key] = frozenset()) -> list[Block]:
    return choose_blocks("latency_ms", blocks, failed=failed, latency="request", synchronous=False)


def paired(blocks: list[Block], failed: frozenset[Key] = frozenset()) -> Contrast:
    return contrast_of(counted(blocks, failed), A, B)


def test_a_paired_contrast_is_the_mean_of_log_ratios_over_generations() -> None:
    """ln 1.02, ln 1.03, ln 1.07: their mean, and s / sqrt 3 with s^2 = sum (x - m)^2 / 2. What both share is gone."""
    logs = [math.log(1.02), math.log(1.03), math.log(1.07)]
    mean = sum(logs) / 3
    found = paired(generations([1.02, 1.03, 1.07]))
    assert found.log_ratio == pytest.approx(mean, rel=1e-6)
    assert found.error == pytest.approx(math.sqrt(sum((x - mean) ** 2 for x in logs) / 2 / 3), rel=1e-5)
    assert (found.df, found.generations, found.paired, found.disturbed) == (2, 3, True, 0.0)


def test_an_unpaired_contrast_is_welchs() -> None:
    """Base 10, 11; new 12, 12, 13 ms: means and variances of logs, df by Welch and Satterthwaite, rounded down."""
    base = [each for g, ms in enumerate((10, 11), 1) for each in whole_round("AA", {"A": ms}, generation=g)]
    new = [each for g, ms in enumerate((12, 12, 13), 1) for each in whole_round("AA", {"A": ms}, generation=g)]
    before, after = [math.log(10), math.log(11)], [math.log(12), math.log(12), math.log(13)]
    one = (before[0] - before[1]) ** 2 / 2 / 2
    mean = sum(after) / 3
    other = sum((x - mean) ** 2 for x in after) / 2 / 3
    found = contrast_runs(counted(base), counted(new))
    assert found.log_ratio == pytest.approx(mean - sum(before) / 2)
    assert found.error == pytest.approx(math.sqrt(one + other))
    assert found.df == math.floor((one + other) ** 2 / (one**2 / 1 + other**2 / 2))
    assert (found.generations, found.paired) == (2, False)


def test_a_p_value_is_what_the_quantile_says() -> None:
    for df in (1, 2, 5, 7, 30):
        for confidence in (0.5, 0.9, 0.95, 0.99, 0.999):
            assert two_sided_p(student_t(df, confidence), df) == pytest.approx(1 - confidence, rel=1e-6)
    assert two_sided_p(2.998, 7) == pytest.approx(
        0.02, abs=2e-5
    )  # NIST's table: t 0.99 with 7 degrees of freedom is 2.998
    assert two_sided_p(-2.998, 7) == two_sided_p(2.998, 7)


@pytest.mark.parametrize(
    ("log_ratio", "error", "word"),
    [
        (0.0, 0.005, "equivalent"),  # 2.998 x 0.005 = 0.01499 < ln 1.03 = 0.02956
        (0.0, 0.0099, "inconclusive"),  # 2.998 x 0.0099 = 0.02968
        (0.05, 0.01, "regressed"),  # t 5.0 > 3.499, the 99 % point
        (-0.05, 0.01, "improved"),
        (0.034, 0.01, "inconclusive"),  # t 3.4 < 3.499
        (0.02, 0.001, "equivalent"),  # surely slower, and surely by less than matters
        (0.029, 0.001, "regressed"),  # surely slower, perhaps by more than matters
    ],
)
def test_the_words(log_ratio: float, error: float, word: str) -> None:
    assert judge_contrasts({"x": contrast(log_ratio, error)})["x"].word == word


def test_the_margin_is_the_users() -> None:
    assert judge_contrasts({"x": contrast(0.05, 0.001)}, margin=0.10)["x"].word == "equivalent"


def test_a_verdict_has_its_interval_and_the_smallest_change_to_be_seen() -> None:
    """95 % of t with 7 degrees is 2.365; 99 % is 3.499 and the 90 % one-sided point 1.415."""
    found = judge_contrasts({"x": contrast(0.05, 0.01)})["x"]
    assert (found.low, found.high) == (
        pytest.approx(math.exp(0.05 - 0.02365), rel=1e-4),
        pytest.approx(math.exp(0.05 + 0.02365), rel=1e-4),
    )
    assert found.smallest == pytest.approx(math.expm1((3.499 + 1.415) * 0.01), rel=1e-3)


def test_the_generations_needed_are_enough_and_one_fewer_are_not() -> None:
    found = judge_contrasts({"x": contrast(0.0, 0.02)})["x"]
    noise = 0.02 * math.sqrt(8)

    def seen(count: int) -> float:
        return (student_t(count - 1, 0.99) + student_t(count - 1, 0.8)) * noise / math.sqrt(count)

    assert found.generations_needed is not None
    assert seen(found.generations_needed) <= math.log(1.03) < seen(found.generations_needed - 1)
    assert judge_contrasts({"x": contrast(0.0, 10.0)})["x"].generations_needed is None


def test_holm_asks_more_of_each_the_more_there_are() -> None:
    """t 4 with 7 degrees has p .0052: enough alone, not among ten; the one with p .0002 is found all the same."""
    near, clear = contrast(0.08, 0.02), contrast(0.16, 0.02)
    assert judge_contrasts({"near": near})["near"].word == "regressed"
    nothing = {f"same{k}": contrast(0.0, 0.005) for k in range(9)}
    assert judge_contrasts({"near": near, **nothing})["near"].word == "inconclusive"
    assert judge_contrasts({"clear": clear, **nothing})["clear"].word == "regressed"


def test_one_generation_is_never_a_verdict() -> None:
    found = judge_contrasts({"b": paired(generations([2.0]))})["b"]
    assert (found.word, found.ratio, found.low) == ("inconclusive", pytest.approx(2.0), None)
    assert "two a side" in found.why


def test_nothing_in_common_is_never_a_verdict() -> None:
    alone = [each for g in (1, 2) for each in whole_round("AA", {"A": 10}, generation=g)]
    found = judge_contrasts({"b": paired(alone)})["b"]
    assert (found.word, found.ratio) == ("inconclusive", None)


@pytest.mark.parametrize(("disturbed", "word"), [(0.29, "regressed"), (0.30, "inconclusive"), (1.0, "inconclusive")])
def test_three_tenths_disturbed_are_never_a_verdict(disturbed: float, word: str) -> None:
    found = judge_contrasts({"x": contrast(0.5, 0.01, disturbed=disturbed)})["x"]
    assert found.word == word
    assert ("disturbed" in found.why) == (word == "inconclusive")


def test_blocks_that_stayed_disturbed_are_what_is_counted_not_repeats_that_were_calm() -> None:
    calm = generations([1.5, 1.5, 1.6])
    assert paired(calm).disturbed == 0.0
    repeated = [replace(each, disturbed=("throttled",)) for each in calm] + [replace(each, attempt=1) for each in calm]
    assert paired(repeated).disturbed == 0.0
    stayed = [replace(each, disturbed=("throttled",)) for each in calm]
    assert paired(stayed).disturbed == 1.0


@pytest.mark.parametrize("shaky", ["A", "B"])
def test_a_calm_side_does_not_make_up_for_one_that_was_disturbed_half_the_time(shaky: str) -> None:
    """Every second block of one network stayed disturbed: a quarter of both, half of its own. In one run and in two alike."""
    blocks = [
        replace(each, disturbed=("throttled",)) if each.id == shaky and each.order < 2 else each
        for each in generations([1.5, 1.5, 1.6])
    ]
    sides = [[each for each in counted(blocks) if each.id == name] for name in "AB"]
    for found in (paired(blocks), contrast_runs(*sides)):
        assert found.disturbed == 0.5
        assert judge_contrasts({"b": found})["b"].word == "inconclusive"


def test_runs_that_agree_to_the_digit_are_equivalent_and_those_that_differ_are_not() -> None:
    assert judge_contrasts({"b": paired(generations([1.0, 1.0, 1.0]))})["b"].word == "equivalent"
    assert judge_contrasts({"x": contrast(0.5, 0.0)})["x"].word == "regressed"


@pytest.mark.parametrize("generations", [1, 2, 3])
def test_the_same_blocks_on_both_sides_are_equivalent_and_no_interval_is_made_up_for_them(generations: int) -> None:
    """One block of each round stayed disturbed: half of them, which is told and keeps nothing from being so."""
    run = [
        block("A", [10, 10 + g, 10], generation=g, order=o, size=2, disturbed=("throttled",) * o)
        for g in range(1, generations + 1)
        for o in (0, 1)
    ]
    found = judge_contrasts({"a": contrast_runs(counted(run), counted(run))})["a"]
    assert (found.word, found.ratio, found.why) == ("equivalent", 1.0, "the same blocks")
    assert (found.low, found.high, found.smallest, found.generations_needed) == (None, None, None, None)
    assert (found.generations, found.disturbed) == (generations, 0.5)


def test_the_gate_does_not_cry_wolf_and_finds_what_it_should() -> None:
    """Eight generations, 0.4 % a process: +-0.57 % a pair. 1 % of 600 A/A trials are six; +3 % is ten standard errors."""
    draw, wolves, found = random.Random(5), 0, 0
    for _ in range(600):
        noise = [draw.gauss(0, 0.004) - draw.gauss(0, 0.004) for _ in range(8)]
        mean = sum(noise) / 8
        error = math.sqrt(sum((x - mean) ** 2 for x in noise) / 7 / 8)
        wolves += judge_contrasts({"x": contrast(mean, error)})["x"].word in ("regressed", "improved")
        found += judge_contrasts({"x": contrast(mean + math.log(1.03), error)})["x"].word == "regressed"
    assert wolves <= 6
    assert found >= 0.95 * 600


def test_a_variant_that_failed_beside_a_pair_costs_it_no_generation() -> None:
    """C died in the only round of the first generation."""
    first = [each for each in whole_round("ABCCBA", {"A": 10, "B": 12, "C": 9}) if each.id != "C"]
    second = whole_round("BAAB", {"A": 10, "B": 12}, generation=2)
    third = whole_round("ABBA", {"A": 10, "B": 12}, generation=3)
    blocks = [*warm_up("ABC"), *first, *warm_up("AB", generation=2), *second, *warm_up("AB", generation=3), *third]
    assert paired(blocks, failed=frozenset({("C", 0)})).generations == 3
    assert paired(blocks).generations == 2
