"""A stored run's table, rebuilt from its folder: which blocks each number is of, and how wide its interval."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs_on_disk import HEADER, record, whole_round

from archbench.api import Run
from archbench.comparison.of_run import judge_run
from archbench.runs.records import Block, line_as_json
from archbench.runs.run import read_folder
from archbench.runs.store import RunFolder


def stored(tmp_path: Path, blocks: list[Block], *, device: str = "cuda:0", **header: Any) -> Run:
    """A run of A, the reference, and B that ended with these blocks."""
    records = [record(each, reference=each == "A", workload={"batch": 2}) for each in "AB"]
    environment = {"device": device, "gpus": [], "cpu": "a cpu", "cores": 2, "versions": {"torch": "2"}}
    given = {"plan": {"quantity": "request"}, "environment": environment} | header
    planned = [line_as_json(replace(each, status="not reached")) for each in records]
    folder = RunFolder.create(tmp_path, "sweep", HEADER | {"planned": planned} | given)
    for each in records:
        folder.append_record(each)
    for each in blocks:
        folder.append_block(each)
    return Run(judge_run(read_folder(folder)))


def of(quantity: Any, a: float, b: float, *, generation: int = 1, round: int = 1, **given: Any) -> list[Block]:
    made = whole_round("AB", {"A": a, "B": b}, generation=generation, round=round, quantity=quantity)
    return [replace(each, **given) for each in made]


def numbers(run: Run, *names: str) -> list[list[Any]]:
    return [[row[name] for name in names] for row in run.judged.table.rows]


def test_each_quantity_is_of_its_own_blocks(tmp_path: Path) -> None:
    blocks = of("request", 10, 20) + of("step", 8, 16, round=2) + of("device", 4, 15, round=3)
    run = stored(tmp_path, blocks)
    assert numbers(run, "latency_ms", "step_ms", "device_ms") == [[10, 8, 4], [20, 16, 15]]
    assert numbers(run, "host_bound", "throughput") == [[True, 250], [False, 125]]


def test_latency_is_of_the_plans_quantity_and_a_plan_without_one_means_requests(tmp_path: Path) -> None:
    blocks = of("request", 10, 20) + of("step", 8, 12, round=2)
    assert numbers(stored(tmp_path, blocks, plan={"quantity": "step"}), "latency_ms") == [[8], [12]]
    assert numbers(stored(tmp_path, blocks, plan={}), "latency_ms") == [[10], [20]]


def test_on_the_cpu_the_devices_time_is_the_processors_in_the_requests(tmp_path: Path) -> None:
    blocks = of("request", 10, 20, device_ns=(19_000_000,))
    assert numbers(stored(tmp_path, blocks, device="cpu"), "device_ms", "host_bound") == [[19, None], [19, None]]
    assert numbers(stored(tmp_path, blocks), "device_ms") == [[None], [None]]


@pytest.mark.parametrize("told", [(), (0,)])
def test_blocks_that_tell_no_processor_time_leave_it_null(tmp_path: Path, told: tuple[int, ...]) -> None:
    blocks = of("request", 10, 20, device_ns=told)
    assert numbers(stored(tmp_path, blocks, device="cpu"), "latency_ms", "device_ms") == [[10, None], [20, None]]


def test_a_cpu_run_that_asked_for_the_devices_time_has_it_as_latency(tmp_path: Path) -> None:
    blocks = of("device", 10, 20, device_ns=(19_000_000,))
    run = stored(tmp_path, blocks, device="cpu", plan={"quantity": "device"})
    assert numbers(run, "latency_ms", "device_ms") == [[19, 19], [19, 19]]


def test_intervals_are_widened_exactly_where_the_run_had_a_budget_to_stop_by(tmp_path: Path) -> None:
    """Two generations of two variants have one degree of freedom, whose t is tan(pi c / 2): Student's is Cauchy's."""
    blocks = of("request", 10, 20) + of("request", 11, 20, generation=2)
    s = math.log(1.1) / 2  # each of four residuals is ln(1.1) / 4; the squares add to (ln 1.1)^2 / 4
    for budget, confidence in ((None, 0.95), (60.0, 0.97)):
        run = stored(tmp_path, blocks, budget_s=budget)
        expected = math.expm1(math.tan(math.pi * confidence / 2) * s / math.sqrt(2))
        assert [row["half_width"] for row in run.judged.table.rows] == pytest.approx([expected] * 2)
        assert any("looks" in said for said in run.judged.table.caption) == (budget is not None)


def test_a_run_without_a_counted_block_is_a_table_of_prices(tmp_path: Path) -> None:
    assert numbers(stored(tmp_path, []), "latency_ms", "device_ms", "rank") == [[None] * 3] * 2
