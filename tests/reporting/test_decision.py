"""The line of the best, its steps, budgets and ties, against arithmetic written out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import ENVIRONMENT, priced, stored, unmeasured, write_spec
from runs_on_disk import COUNTS, record, summary, whole_round

from archbench.api import Run
from archbench.reporting.formats.markdown import render_markdown as markdown
from archbench.reporting.page import decision
from archbench.reporting.page.decision import Terms
from archbench.reporting.page.review import Review
from archbench.reporting.page.word_tables import build_step_table
from archbench.runs.records import Block, Key
from archbench.runs.run import read_folder
from archbench.runs.store import SAMPLES
from archbench.statistics.summary import Ties, find_ties, summarise_blocks
from archbench.statistics.times import RunTimes
from archbench.tables.run_table import tabulate_run
from archbench.tables.table import Row, build_table


def rows(**milliseconds: float | None) -> list[Row]:
    """A, B, C ... of 10, 20, 30 ... GMACs, that took so long; the first is the reference."""
    records = [
        record(name, exact=COUNTS | {"macs": place * 10 * 10**9}, reference=place == 1)
        for place, name in enumerate(milliseconds, 1)
    ]
    first = next(iter(milliseconds.values())) or 1.0
    told = {(name, 0): summary(ms, ratio=ms / first) for name, ms in milliseconds.items() if ms is not None}
    return list(build_table(records, RunTimes({"request": told}), reference=(records[0].id, 0)).rows)


def tying(groups: str, *pairs: set[str]) -> Ties:
    """A, B, ... in groups divided by blanks, those of a pair tied."""
    numbers = {(name, 0): number for number, group in enumerate(groups.split()) for name in group}
    close = [[one == other or {one[0], other[0]} in pairs for other in numbers] for one in numbers]
    return Ties(numbers, np.array(close))


def told_of(found: Ties) -> dict[Key, frozenset[Key]]:
    return {key: found.ties_of(key) for key in found.components}


def names(found: Any) -> list[str]:
    return [row["name"] for row in found]


def test_the_line_leaves_out_what_is_beaten_in_both_and_what_was_not_measured() -> None:
    assert names(decision.find_line(rows(a=1.0, b=3.0, c=2.0, d=None, e=5.0), "latency_ms", "macs")) == ["a", "c", "e"]


def test_of_equals_the_first_is_on_the_line() -> None:
    found = rows(a=1.0, b=2.0)
    assert names(decision.find_line([*found, found[1] | {"name": "twin"}], "latency_ms", "macs")) == ["a", "b"]


def test_a_step_says_what_it_costs_and_gives_more_and_whether_the_two_are_told_apart() -> None:
    close = tying("ab", {"a", "b"})
    first, second, third = decision.find_front_steps(rows(a=1.0, b=1.5, c=6.0), Terms("latency_ms", "macs"), close)
    assert (first.cost_more, first.gain_more, first.sure) == (None, None, None)
    assert (second.cost_more, second.gain_more, second.factor, second.sure) == (0.5, 10**10, 1.5, False)
    assert (third.cost_more, third.factor, third.sure) == (4.5, 4.0, None)  # c has no interval


def test_a_step_of_latency_costs_the_share_that_the_fit_says_and_not_the_quotient_of_two_medians() -> None:
    one, other = rows(a=1.0, b=1.5)
    (_, step) = decision.find_front_steps([one, other | {"ratio": 1.25}], Terms("latency_ms", "macs"), Ties())
    assert step.factor == 1.25
    (_, step) = decision.find_front_steps([one, other | {"ratio": None}], Terms("latency_ms", "macs"), Ties())
    assert step.factor == 1.5


def test_a_long_line_is_thinned_to_what_is_taken_in_with_its_ends_and_the_reference() -> None:
    long = [row | {"name": str(n), "reference": n == 7} for n, row in enumerate(rows(a=1.0) * 100)]
    kept = [int(name) for name in names(decision.thin_line(long))]
    assert (kept[0], kept[-1], len(kept)) == (0, 99, 13)
    assert 7 in kept


def test_terms_are_latency_for_score_with_macs_in_the_place_of_what_is_missing() -> None:
    timed, priced = rows(a=1.0, b=2.0), rows(a=None, b=None)
    scored = [row | {"score": 40.0} for row in timed]
    assert decision.choose_terms(timed) == Terms("latency_ms", "macs")
    assert decision.choose_terms(scored) == Terms("latency_ms", "score")
    assert decision.choose_terms(priced) == Terms("peak_bytes", "macs")
    assert decision.choose_terms([row | {"score": 40.0} for row in priced]) == Terms("macs", "score")


def test_the_fastest_is_by_the_fits_ratio_as_ranks_are_and_by_latency_where_a_ratio_is_missing() -> None:
    found = rows(a=2.0, b=1.9)
    disagreeing = [found[0] | {"ratio": 1.0}, found[1] | {"ratio": 1.1}]
    assert names([decision.find_fastest(disagreeing)]) == ["a"]
    assert names([decision.find_fastest([disagreeing[0], found[1] | {"ratio": None}])]) == ["b"]
    assert decision.find_fastest(rows(a=None)) is None


def test_a_ladder_names_the_fastest_within_each_budget_and_joins_rungs_that_say_the_same() -> None:
    """10, 20, 30 G in 5, 3, 4 ms: a within 10 G, then b; c, the largest, is never the fastest."""
    found = decision.find_rungs(rows(a=5.0, b=3.0, c=4.0), tying("abc", {"b", "c"}))
    told = [(rung.least / 1e9, rung.most / 1e9, rung.row["name"], names(rung.peers.ties)) for rung in found]
    assert told == [(10, 15, "a", []), (20, 25, "b", []), (30, 30, "b", ["c"])]
    assert [rung.among for rung in found] == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize(("low", "high"), [(87.7e9, 144.3e9), (1e9, 36e9), (10, 10), (5, 6), (1, 1e6)])
def test_budgets_are_few_round_numbers_that_hold_all(low: float, high: float) -> None:
    found = decision.choose_round_numbers(low, high)
    assert low <= found[0]
    assert high <= found[-1]
    assert 1 <= len(found) <= 9
    assert found == sorted(found)


def test_ties_are_the_pairs_whose_interval_of_the_ratio_holds_one() -> None:
    """Three generations in which A and B swap places and C is twice as slow: of each other's A and B, of nobody's C."""
    blocks = [
        each
        for generation, (a, b) in enumerate([(1.0, 1.1), (1.1, 1.0), (1.05, 1.05)], 1)
        for each in whole_round("ABCCBA", {"A": a, "B": b, "C": 2.1}, generation=generation)
    ]
    a, b, c = (("A", 0), ("B", 0), ("C", 0))
    assert told_of(find_ties(blocks)) == {a: {b}, b: {a}, c: frozenset()}
    ranks = {key: each.rank for key, each in summarise_blocks(blocks, a).items()}
    assert ranks[a] == ranks[b] != ranks[c]


def test_the_border_of_a_tie_is_the_interval_the_table_prints() -> None:
    """B is a tie of A iff ln(ratio) is within ln(1 + half-width) of the ratio, both from the table."""
    for slower in (1.001, 1.01, 1.02, 1.03, 1.05, 1.1):
        blocks = [
            each
            for generation, off in enumerate((0.99, 1.0, 1.02), 1)
            for each in whole_round("ABBA", {"A": 1.0, "B": slower * off}, generation=generation)
        ]
        told = summarise_blocks(blocks, ("A", 0))[("B", 0)]
        assert told.ratio is not None
        assert told.ratio_half_width is not None
        tie = abs(math.log(told.ratio)) <= math.log1p(told.ratio_half_width)
        assert (("B", 0) in find_ties(blocks).ties_of(("A", 0))) == tie


def test_one_generation_compares_nobody() -> None:
    found = find_ties(whole_round("ABBA", {"A": 1.0, "B": 1.0}))
    assert told_of(found) == {}
    assert found.why_apart(("A", 0), ("B", 0)) == "no interval"


def test_one_of_a_single_generation_is_compared_with_nobody() -> None:
    blocks = [
        each
        for generation, off in enumerate((0.99, 1.0, 1.02), 1)
        for each in whole_round(
            "ABCCBA" if generation == 1 else "ACCA", {"A": 1.0, "B": 2.0, "C": 3 * off}, generation=generation
        )
    ]
    found = find_ties(blocks)
    assert told_of(found) == {("A", 0): set(), ("C", 0): set()}
    assert [found.why_apart(("A", 0), (other, 0)) for other in "BC"] == ["no interval", None]


def in_two_groups(*orders: str) -> list[Block]:
    """Three generations of two groups; whatever is not B or D takes 1 ms, those a hair more or less."""
    return [
        each
        for generation, off in enumerate((0.99, 1.0, 1.02), 1)
        for group, order in enumerate(orders)
        for each in whole_round(
            order, dict.fromkeys(order, 1.0) | {"B": off, "D": off}, generation=generation, group=group, round=1
        )
    ]


def test_two_that_no_chain_of_sessions_links_are_neither_tied_nor_told_apart_however_alike() -> None:
    """A and B in one group, C and D in another that shares nobody with it; all but B and D take as long."""
    found = find_ties(in_two_groups("ABBA", "CDDC"))
    assert told_of(found) == {("A", 0): {("B", 0)}, ("B", 0): {("A", 0)}, ("C", 0): {("D", 0)}, ("D", 0): {("C", 0)}}
    assert [found.why_apart(("A", 0), (other, 0)) for other in "BCD"] == [None, *2 * ["no session in common"]]


def test_two_that_a_third_links_are_compared() -> None:
    found = find_ties(in_two_groups("ABBA", "BDDB"))
    assert found.why_apart(("A", 0), ("D", 0)) is None


def test_nobody_has_a_rank_where_some_were_never_compared_with_others() -> None:
    """The effects of groups that share nobody have no common zero: an order of all would be made up."""
    apart, linked = (summarise_blocks(in_two_groups("ABBA", order), None) for order in ("CDDC", "BDDB"))
    assert [each.rank for each in apart.values()] == [None] * 4
    assert None not in [each.rank for each in linked.values()]


def test_a_table_without_ranks_says_why_and_one_with_them_does_not() -> None:
    said = {}
    for order in ("CDDC", "BDDB"):
        told = summarise_blocks(in_two_groups("ABBA", order), ("A", 0))
        made = build_table([record(name) for name, _ in told], RunTimes({"request": told}), reference=("A", 0))
        said[order] = [line for line in made.caption if line.startswith("no ranks")]
        assert said[order] == [line for line in made.distrust if line.startswith("no ranks")]
    assert len(said["CDDC"]) == 1
    assert said["BDDB"] == []


def test_very_many_variants_are_compared_like_two() -> None:
    """Four of five hundred take 1 ms, the others ten times as long; half of all waver by a thousandth."""
    names = [str(place) for place in range(500)]
    blocks = [
        each
        for generation, off in enumerate((0.999, 1.0, 1.001), 1)
        for each in whole_round(
            names,
            {name: (1 if place < 4 else 10) * (off if place % 2 else 1) for place, name in enumerate(names)},
            generation=generation,
        )
    ]
    found = find_ties(blocks)
    assert len(found.components) == 500
    assert found.ties_of(("0", 0)) == {("1", 0), ("2", 0), ("3", 0)}


def test_peers_are_tied_told_apart_or_not_compared_for_a_reason() -> None:
    """Of a: b is a tie, c is told apart, d has no interval, e shares no session, f was not timed."""
    found = rows(a=1.0, b=1.0, c=3.0, d=1.0, e=1.0, f=None)
    told = decision.find_peers(found[0], found, tying("abc e", {"a", "b"}))
    assert (names(told.ties), told.apart) == (["b"], 1)
    assert told.missing == {"no interval": 1, "no session in common": 1}


def test_a_ladder_joins_no_rungs_of_which_one_has_another_that_was_not_compared() -> None:
    """b of 20 G is the fastest of those within 25 G and of all, but was never compared with c of 30 G."""
    found = decision.find_rungs(rows(a=5.0, b=3.0, c=4.0), tying("ab c"))
    told = [(rung.least / 1e9, rung.row["name"], rung.peers.apart, dict(rung.peers.missing)) for rung in found]
    assert told == [(10, "a", 0, {}), (20, "b", 1, {}), (30, "b", 1, {"no session in common": 1})]


SWEEP = (
    "archbench: 1\nname: sweep\nbase: R-18-FPN\ninput: {height: 64, width: 64}\naxes: {neck.channels: [64, 128, 256]}\n"
)


def swept(folder: Path, milliseconds: list[float], **given: Any) -> Run:
    spec = write_spec(folder, SWEEP)
    records = priced(spec)
    told = {each.id: ms for each, ms in zip(records, milliseconds, strict=False)}
    return stored(folder, spec, records, told, **given)


def dashed(review: Review) -> dict[str, bool]:
    """Of each chart of two metrics whether it has the line."""
    return {
        chart.name: any("strokeDash" in layer["mark"] for layer in chart.spec["layer"])
        for chart in review.charts
        if chart.name in ("latency", "score", "memory", "macs")
    }


@pytest.mark.parametrize("milliseconds", [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
@pytest.mark.parametrize("scored", [True, False])
def test_a_line_is_spoken_of_under_a_chart_that_has_one_and_under_no_other(
    tmp_path: Path, milliseconds: list[float], *, scored: bool
) -> None:
    """Where more MACs take longer there is a line of the most for the least; where the largest is the fastest there is none."""
    scores = {each.name: 30.0 + n for n, each in enumerate(priced(write_spec(tmp_path, SWEEP)))}
    review = swept(tmp_path, milliseconds, scores=scores if scored else None).review()
    said = {chart.name: "dashed: " in chart.note for chart in review.charts}
    found = dashed(review)
    assert {name: said[name] for name in found} == found
    assert found["latency"] == (milliseconds[0] == 1.0)
    assert ("score" in found) == scored


def test_of_a_thinned_line_it_is_said_that_steps_are_left_out() -> None:
    by = Terms("latency_ms", "macs")
    line = rows(**{f"v{n}": float(n) for n in range(1, 51)})
    kept = decision.find_front_steps(decision.thin_line(line), by, Ties())
    thinned, whole = (build_step_table(kept, of, by).note for of in (50, len(kept)))
    assert thinned.startswith("12 of the 50 on the line, evenly chosen: each row is against the one above it, steps ")
    assert whole.startswith("each row is the next step up from the one above it;")


def test_where_every_variant_failed_nothing_is_recommended_and_it_is_said_that_nothing_was_measured(
    tmp_path: Path,
) -> None:
    run = swept(tmp_path, [])
    answers = dict(run.review().answers)
    assert answers["Nothing was measured"].startswith("3 of 3 failed; what follows is exact cost.")
    assert "Worth a look" not in answers
    assert [grid.title for grid in run.review().word_tables] == []
    assert not any(row["pareto"] for row in run.judged.table.rows)
    where = "cuda:0 (NVIDIA H100 80GB HBM3, 16 cores), torch 2.14.1"
    assert [line for line in run.judged.table.caption if where in line] == [f"nothing was measured on {where}"]
    assert f"nothing was measured on {where}" in markdown(run.judged.table)


def test_a_run_whose_samples_were_lost_was_measured_all_the_same(tmp_path: Path) -> None:
    run = swept(tmp_path, [1.0, 2.0, 3.0])
    (run.path / SAMPLES).unlink()
    assert [
        line
        for line in tabulate_run(read_folder(run.stored_run.folder)).table.caption
        if line.startswith("measured on cuda:0")
    ]


def test_of_what_was_only_priced_something_is_worth_a_look_and_nobody_failed(tmp_path: Path) -> None:
    answers = dict(unmeasured(tmp_path, tmp_path).review().answers)
    assert answers["Nothing was measured"].startswith("what follows is exact cost.")
    assert "Worth a look" in answers


def test_a_variant_that_failed_is_on_no_line() -> None:
    first, *others = rows(a=1.0, b=2.0, c=3.0)
    assert names(decision.find_line([first, *others], "macs", "latency_ms", gain_side="min")) == ["a"]
    failed = first | {"status": "failed"}
    assert names(decision.find_line([failed, *others], "macs", "latency_ms", gain_side="min")) == ["b"]


def test_the_question_counts_variants_and_not_how_often_each_was_measured(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, SWEEP)
    twice = [replace(each, replica=replica) for each in priced(spec) for replica in (0, 1)]
    run = stored(tmp_path, spec, twice, {}, environment=ENVIRONMENT)
    assert len(run.judged.table.rows) == 6
    assert run.review().question.startswith("Which of 3 variants of R-18-FPN ")
