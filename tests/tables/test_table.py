"""Rows, nulls, kinds, the front and the caption."""

from __future__ import annotations

from typing import Any

import pytest
from runs_on_disk import COUNTS, record, summary

from archbench.design.spec.schema import Quantity
from archbench.metrics import EXACT, METRICS
from archbench.runs.records import Record
from archbench.statistics.summary import Summary
from archbench.statistics.times import RunTimes
from archbench.tables.table import Table, build_table, table_as_json

A, B, C = ("a", 0), ("b", 0), ("c", 0)


def table(records: list[Record], summaries: dict[tuple[str, int], Summary] | None = None, **given: Any) -> Table:
    return build_table(records, RunTimes({"request": summaries or {}}), **({"reference": A} | given))


def costing(identifier: str, macs: int, peak_bytes: int = 1000, **given: Any) -> Record:
    return record(identifier, exact=COUNTS | {"macs": macs, "peak_bytes": peak_bytes}, **given)


def test_a_row_holds_every_metric_its_axes_and_its_kinds() -> None:
    measured = record("a", axes={"neck.channels": 64}, memory_bytes=7, memory_kind="traced")
    made = table([measured], {A: summary(12.5)}, scores={"a": 37.4})
    row = made.rows[0]
    assert {name: row[name] for name in EXACT} == COUNTS
    assert set(METRICS) <= set(row)
    assert (row["neck.channels"], row["latency_ms"], row["q25_ms"], row["q75_ms"]) == (64, 12.5, 11.5, 13.5)
    assert (row["half_width"], row["calls"], row["generations"], row["score"]) == (0.04, 30, 3, 37.4)
    assert row["kind"]["macs"] == "exact"
    assert row["kind"]["latency_ms"] == "measured"
    assert row["kind"]["memory_bytes"] == "traced"
    assert {column.name: column.kind for column in made.columns}["macs"] == "exact"


def test_every_column_is_in_every_row() -> None:
    made = table([record("a", axes={"neck.channels": 64}), record("b", status="failed", reason="no")], {A: summary()})
    assert all(column.name in row or "." in column.name for column in made.columns for row in made.rows)


def test_rows_stand_in_the_records_order() -> None:
    assert [row["name"] for row in table([record("c"), record("a"), record("b")]).rows] == ["c", "a", "b"]


def test_what_was_not_measured_is_null_and_never_zero() -> None:
    made = table([record("a"), record("b", status="failed", reason="no memory")], {A: summary(), B: summary()})
    failed = made.rows[1]
    unmeasured = ("latency_ms", "half_width", "ratio", "calls", "memory_bytes", "score", "pareto")
    assert [failed[name] for name in unmeasured] == [None] * 7
    assert failed["macs"] == 10
    assert (failed["status"], failed["reason"]) == ("failed", "no memory")
    assert "latency_ms" not in failed["kind"]


def test_a_hand_written_module_shows_its_traced_counts_as_traced() -> None:
    made = table([record("a"), record("b", exact=None, traced={"macs": 9})])
    assert (made.rows[1]["macs"], made.rows[1]["params"]) == (9, None)
    assert made.rows[1]["kind"] == {"macs": "traced", "ratio": "traced"}
    assert {column.name: column.kind for column in made.columns}["macs"] is None  # exact and traced in one column


def test_the_ratio_is_of_macs_where_nothing_was_measured_and_of_latency_where_anything_was() -> None:
    records = [costing("a", 10), costing("b", 25)]
    priced, measured = table(records), table(records, {A: summary(ratio=1.0)})
    assert [row["ratio"] for row in priced.rows] == [1.0, 2.5]
    assert [row["ratio"] for row in measured.rows] == [1.0, None]
    assert any("MACs, nothing was measured" in said for said in priced.caption)
    assert [c.label for c in priced.columns if c.name == "ratio"] == ["MACs ratio"]
    assert [c.label for c in measured.columns if c.name == "ratio"] == ["latency ratio"]


def test_without_a_reference_ratios_are_null_and_the_caption_says_so() -> None:
    made = table([record("a")], reference=None)
    assert made.rows[0]["ratio"] is None
    assert "no reference: ratios are null" in made.caption


def test_the_front_is_fast_small_and_capable_and_a_row_that_lacks_a_number_is_neither_on_nor_off_it() -> None:
    records = [
        costing("a", 10, 100),
        costing("b", 20, 100),
        costing("c", 10, 200),
        record("d", exact=None),
        record("e", status="failed"),
    ]
    made = table(records, {A: summary(5.0), B: summary(6.0), C: summary(5.0), ("d", 0): summary(1.0)})
    assert [row["pareto"] for row in made.rows] == [True, True, False, None, None]
    assert any("least latency and peak, most MACs (for capacity" in said for said in made.caption)


def test_scores_take_the_place_of_macs_on_the_front() -> None:
    records = [costing("a", 10), costing("b", 20), costing("c", 30)]
    made = table(records, scores={"a": 37.0, "b": 36.0, "C": 50.0})
    assert [row["pareto"] for row in made.rows] == [True, False, None]
    assert any("most score" in said for said in made.caption)
    assert "scores of no row here: C" in made.caption


def test_a_score_is_found_by_id_before_name() -> None:
    assert table([record("a", name="x")], scores={"x": 1.0, "a": 2.0}).rows[0]["score"] == 2.0


def test_macs_on_both_sides_of_the_front_is_said() -> None:
    made = table([costing("a", 10, 5), costing("b", 10, 6), costing("c", 30, 9)])
    assert [row["pareto"] for row in made.rows] == [True, False, True]
    assert any("only equal MACs compare" in said for said in made.caption)


def test_the_caption_says_what_precision_was_bought() -> None:
    records = [record("a"), record("b")]
    three = table(records, {A: summary(half_width=0.04), B: summary(half_width=0.111, calls=40)}).caption
    one = table(records, {A: summary(half_width=None, generations=1)}, notes=("budget for two: 4m",)).caption
    mixed = table(records, {A: summary(), B: summary(half_width=None, generations=1)}).caption
    assert any("30 to 40 calls in 3 generations" in said and "the widest interval is ±11.1%" in said for said in three)
    assert any("30 calls in 1 generation; no interval" in said for said in one)
    assert one[-1] == "budget for two: 4m"
    assert any("1 have none, measured in one generation" in said for said in mixed)


def test_the_caption_says_how_intervals_were_made_and_whether_they_paid_for_looks() -> None:
    latencies = {A: summary(), B: summary(half_width=None, generations=1, estimator="none here")}
    plain = table([record("a"), record("b")], latencies).caption
    looked = build_table([record("a")], RunTimes({"request": latencies}, looked=True), reference=A).caption
    assert [said for said in plain if said.startswith("±")] == ["±: of the test"]
    assert "±: of the test, widened for the looks of the stopping rule" in looked


def timed(request: float | None, step: float | None, device: float | None, **given: Any) -> RunTimes:
    """Times of A alone; a quantity that was not measured is null."""
    told: dict[Quantity, float | None] = {"request": request, "step": step, "device": device}
    return RunTimes({name: {A: summary(ms, half_width=ms / 100)} if ms else {} for name, ms in told.items()}, **given)


def test_every_quantity_is_in_the_row_with_its_interval() -> None:
    row = build_table([record("a")], timed(10.0, 8.0, 7.5), reference=A).rows[0]
    assert (row["latency_ms"], row["half_width"]) == (10.0, 0.1)
    assert (row["step_ms"], row["step_half_width"]) == (8.0, 0.08)
    assert (row["device_ms"], row["device_half_width"]) == (7.5, 0.075)
    assert row["kind"] == row["kind"] | dict.fromkeys(("latency_ms", "step_ms", "device_ms", "host_bound"), "measured")


@pytest.mark.parametrize(
    ("step", "device", "bound"),
    [(11.0, 10.0, False), (11.01, 10.0, True), (9.0, 10.0, False), (None, 10.0, None), (11.0, None, None)],
)
def test_host_bound_is_a_step_of_over_1_1_times_the_devices_own_work(
    step: float | None, device: float | None, bound: bool | None
) -> None:
    made = build_table([record("a")], timed(12.0, step, device), reference=A)
    assert made.rows[0]["host_bound"] is bound
    assert any("no faster with fewer MACs" in said for said in made.caption) == bool(bound)


def test_on_the_cpu_nothing_is_host_bound_or_not_and_device_is_called_what_it_is() -> None:
    made = build_table([record("a")], timed(10.0, 9.0, 2.0, synchronous=True), reference=A)
    assert made.rows[0]["host_bound"] is None
    assert any(said.startswith("device: the processor's time of a call, over all threads;") for said in made.caption)


def test_throughput_is_images_a_second_of_steps() -> None:
    eight = record("a", workload={"batch": 8})
    assert (
        build_table([eight], timed(25.0, 20.0, 15.0), reference=A).rows[0]["throughput"] == 400.0
    )  # 8 images in 20 ms


def test_where_no_step_was_measured_a_request_is_one_on_the_cpu_alone() -> None:
    eight = record("a", workload={"batch": 8})
    on_cpu, on_cuda = (timed(2000.0, None, None, synchronous=each) for each in (True, False))
    assert build_table([eight], on_cpu, reference=A).rows[0]["throughput"] == 4.0
    assert build_table([eight], on_cuda, reference=A).rows[0]["throughput"] is None
    assert build_table([record("a", workload={})], on_cpu, reference=A).rows[0]["throughput"] is None


def test_latency_is_the_quantity_the_spec_asked_for_named_and_not_shown_twice() -> None:
    made = build_table([record("a")], timed(None, 8.0, 7.5, quantity="step"), reference=A)
    assert (made.rows[0]["latency_ms"], made.rows[0]["step_ms"]) == (8.0, 8.0)
    assert {"step_ms", "step_half_width"}.isdisjoint(column.name for column in made.columns)
    assert any("median step (calls back to back) of 30 samples in 3 generations" in said for said in made.caption)
    assert any("latency: median of 30 calls" in said for said in table([record("a")], {A: summary()}).caption)


def ranked(a: int | None, b: int | None, c: int | None) -> Table:
    latencies = {A: summary(rank=a), B: summary(rank=b), C: summary(rank=c)}
    return table([record(each) for each in "abc"], latencies)


def test_a_rank_that_is_shared_is_printed_as_a_tie_and_said_to_be_one() -> None:
    def shown(made: Table) -> list[str]:
        return [column.format_cell(row) for column in made.columns if column.name == "rank" for row in made.rows]

    tied, apart = ranked(2, 1, 2), ranked(2, 1, None)
    assert [row["rank"] for row in tied.rows] == [2, 1, 2]
    assert (shown(tied), shown(apart)) == (["2=", "1", "2="], ["2", "1", "-"])
    assert any("= marks a tie" in said for said in tied.caption)
    assert not any("marks a tie" in said for said in apart.caption)


def test_rows_that_have_no_rank_do_not_tie() -> None:
    assert not any("marks a tie" in said for said in ranked(1, None, None).caption)


def test_the_cold_start_is_the_sum_of_its_pieces_and_energy_stands_beside_it() -> None:
    told = record("a", cold_ms={"import": 900.0, "build": 90.0, "first call": 9.5}, energy_mj=5200.0)
    rows = table([told, record("b")], {A: summary(), B: summary()}).rows
    assert [(row["cold_ms"], row["energy_mj"]) for row in rows] == [(999.5, 5200.0), (None, None)]


def test_a_failed_row_has_no_time_of_any_quantity() -> None:
    row = build_table([record("a", status="failed", reason="no")], timed(10.0, 8.0, 4.0), reference=A).rows[0]
    names = ("latency_ms", "step_ms", "device_ms", "host_bound", "throughput", "rank", "cold_ms", "energy_mj")
    assert [row[name] for name in names] == [None] * 8


def test_no_tail_beyond_the_quartiles_is_printed() -> None:
    assert not any("99" in column.name + column.label for column in table([record("a")], {A: summary()}).columns)


def test_the_caption_counts_what_failed_what_was_not_reached_and_tells_each_warning_once() -> None:
    records = [
        record("a", warnings=("not steady",)),
        record("b", warnings=("not steady",)),
        record("c", status="failed", reason="x"),
        record("d", status="not reached"),
    ]
    caption = table(records, {A: summary(disturbed=2)}).caption
    assert "1 of 4 failed" in caption
    assert "1 of 4 not reached" in caption  # nothing is shown of it
    assert "not steady (a, b)" in caption
    assert any(said.startswith("2 of 6 counted blocks were disturbed") for said in caption)


def test_the_caption_says_that_what_is_shown_of_those_not_reached_is_of_the_rounds_so_far() -> None:
    caption = table([record("a", status="not reached"), record("b", status="not reached")], {A: summary()}).caption
    assert "2 of 2 not reached: what is shown of them is of the rounds so far" in caption


def test_replicas_are_rows_of_their_own_with_a_column_that_tells_them_apart() -> None:
    made = table([record("a"), record("a", replica=1)], {A: summary(1.0), ("a", 1): summary(2.0)})
    assert [(row["replica"], row["latency_ms"]) for row in made.rows] == [(0, 1.0), (1, 2.0)]
    assert "replica" in [column.name for column in made.columns]
    assert "replica" not in [column.name for column in table([record("a")]).columns]


def test_an_axis_named_like_a_column_does_not_overwrite_it() -> None:
    assert table([record("a", axes={"name": "forged"})]).rows[0]["name"] == "a"


def test_the_json_object_has_variants_and_what_the_command_adds() -> None:
    made = table_as_json(table([record("a")], title="sweep"), run="results/x")
    assert (made["title"], made["run"], made["variants"][0]["id"]) == ("sweep", "results/x", "a")


def test_bases_alone_have_no_ranks_and_nobody_is_blamed_for_it() -> None:
    """The new side failed; the base's two were compared with each other."""
    records = [record("a", side="base"), record("b", side="base"), record("c", side="new", status="failed")]
    made = table(records, {A: summary(), B: summary()})
    assert [row["pareto"] for row in made.rows] == [None, None, None]
    assert not any("no ranks" in line for line in made.caption)
    assert any("no ranks" in line for line in table([record("a"), record("b")], {A: summary(), B: summary()}).caption)


def test_a_table_of_nothing_can_be_built() -> None:
    assert table([]).rows == ()


def test_a_run_whose_intervals_are_wider_than_it_wanted_says_so_where_one_is_warned() -> None:
    def told(target: float | None) -> tuple[str, ...]:
        times = RunTimes({"request": {A: summary(half_width=0.058, rank=1)}}, looked=True, target=target)
        return build_table([record(A[0])], times, reference=None).distrust

    assert told(0.01) == ("intervals of ±1.0% were wanted, the widest is ±5.8%: the budget was over first",)
    assert told(0.058) == told(None) == ()
