"""Limits as a person writes them, and what one says of a count."""

from __future__ import annotations

import pytest

from archbench.comparison.gate import EVERY_COUNT, Limit, parse_limits
from archbench.comparison.judgement import worst_word
from archbench.comparison.pairs import judge_exact
from archbench.errors import SpecError
from archbench.metrics import EXACT


def parsed(text: str) -> list[tuple[str, float, bool]]:
    return [(limit.metric, limit.amount, limit.relative) for limit in parse_limits(text)]


def test_several_limits_stand_between_commas_relative_or_not() -> None:
    assert parsed("latency_ms > 3%, params > 0") == [("latency_ms", 0.03, True), ("params", 0.0, False)]
    assert parsed(" macs>1.5e3 ") == [("macs", 1500.0, False)]


def test_scaled_names_and_units_come_to_base_units() -> None:
    assert parsed("gmacs > 0.5, peak_gib > 1, weight_bytes > 2KiB, latency_ms > 0.5ms") == [
        ("macs", 5e8, False),
        ("peak_bytes", float(2**30), False),
        ("weight_bytes", 2048.0, False),
        ("latency_ms", 0.5, False),
    ]
    assert parsed("gmacs > 2%") == [("macs", 0.02, True)]


@pytest.mark.parametrize(
    ("text", "character", "said"),
    [
        ("", 1, "nothing: not METRIC > AMOUNT"),
        ("params > 0,", 12, "nothing: not METRIC > AMOUNT"),
        ("params >> 0", 1, "not METRIC > AMOUNT"),
        ("params < 0", 1, "not METRIC > AMOUNT"),
        ("params > -1", 1, "not METRIC > AMOUNT"),
        ("params > nan", 1, "not METRIC > AMOUNT"),
        ("params > ٣", 1, "not METRIC > AMOUNT"),
        ("params > 0; macs > 0", 1, "not METRIC > AMOUNT"),
        ("macs > 0, latency_mss > 3%", 11, "latency_mss: is no metric; a limit takes params, "),
        ("latency_mss > 3%", 1, "Did you mean latency_ms?"),
        ("rank > 1", 1, "rank: has no interval to judge it by"),
        ("cold_ms > 3%", 1, "cold_ms: has no interval"),
        ("params > 3 MiB", 10, "MiB: not a unit of params; it takes a plain number or %"),
        ("gmacs > 3 ms", 9, "ms: not a unit of gmacs"),
        ("peak_bytes > 3 ms", 14, "it takes a plain number or %, KiB, MiB, GiB"),
        ("latency_ms > 0%", 14, "allow it something"),
        ("latency_ms > 0", 14, "a measured metric scatters"),
        ("params > 1e999", 10, "1e999: more than a number can hold; write for example"),
        ("latency_ms > 1e400%", 14, "1e400: more than a number can hold"),
        ("macs > 0, gmacs > 1", 10, "macs has a limit already, macs > 0; keep one"),
        ("p" * 1001, 1, "1,001 characters are more than 1,000"),
    ],
)
def test_anything_else_is_refused_with_the_character(text: str, character: int, said: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse_limits(text)
    assert raised.value.place == f"--fail-on:{character}"
    assert said in raised.value.message


def test_every_metric_that_is_exact_may_be_limited_and_is_by_default() -> None:
    assert [limit.metric for limit in EVERY_COUNT] == list(EXACT)
    for metric in EXACT:
        assert parsed(f"{metric} > 0") == [(metric, 0.0, False)]


@pytest.mark.parametrize(
    ("text", "base", "new", "word"),
    [
        ("params > 0", 10, 10, "equivalent"),
        ("params > 0", 10, 11, "regressed"),
        ("params > 0", 10, 9, "improved"),
        ("params > 1", 10, 11, "equivalent"),
        ("params > 10%", 10, 11, "equivalent"),
        ("params > 10%", 10, 12, "regressed"),
        ("params > 10%", 10, 8, "improved"),
        ("params > 0", 26_799_296_000_000_001, 26_799_296_000_000_002, "regressed"),  # past a double's digits
        ("params > 0", None, 11, "inconclusive"),
        ("params > 0", 10, None, "inconclusive"),
        ("params > 0", 10, float("nan"), "inconclusive"),
    ],
)
def test_a_count_is_compared_to_the_digit(text: str, base: float | None, new: float | None, word: str) -> None:
    (limit,) = parse_limits(text)
    assert judge_exact(limit, base, new, "").word == word


def test_the_worst_word_goes_before_and_of_nothing_nothing_is_told() -> None:
    assert worst_word(["equivalent", "improved", "inconclusive", "regressed"]) == "regressed"
    assert worst_word(["equivalent", "improved", "inconclusive"]) == "inconclusive"
    assert worst_word(["equivalent", "improved"]) == "improved"
    assert worst_word([]) == "inconclusive"


def test_an_absolute_limit_allows_so_many_units_and_a_relative_one_a_share() -> None:
    assert Limit("params", 5.0, False, "").allowance(100) == 5.0
    assert Limit("params", 0.05, True, "").allowance(100) == 5.0
