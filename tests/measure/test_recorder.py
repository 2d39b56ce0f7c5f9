"""What a finished experiment writes of each variant, from the blocks on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs_on_disk import HEADER, block, record, whole_round

from archbench.design.spec.schema import MeasurePlan
from archbench.measure.experiment.generation import FirstStart
from archbench.measure.experiment.recorder import SILENT, RunListener, RunRecorder
from archbench.runs.records import Block, Record, line_as_json
from archbench.runs.store import RunFolder
from archbench.tables.captions import run_lines

START = {
    "traced": {"macs": 10},
    "uncounted": {},
    "steady": True,
    "memory_bytes": 5,
    "memory_kind": "traced",
    "cold_ms": {"import": 1.0, "first call": 9.0},
}


def finished(tmp_path: Path, blocks: list[Block], **plan: Any) -> dict[str, Record]:
    """The records of a run of A and B whose experiment left these blocks."""
    planned = [line_as_json(record(each, status="not reached")) for each in "AB"]
    folder = RunFolder.create(tmp_path, "sweep", HEADER | {"planned": planned, "plan": plan})
    ledger = RunRecorder(folder, SILENT)
    for each in blocks:
        ledger.add_block(each)
    ledger.close_measured_records()
    return {each.id: each for each in folder.records()}


def warmed(generation: int, **start: Any) -> Block:
    return block("A", phase="warm-up", round=0, generation=generation, start=START | start)


def after_starving(tmp_path: Path, blocks: list[Block], **plan: Any) -> tuple[RunFolder, list[str]]:
    """A run of A and B after a command that left these blocks, and what was heard of it. Starting both took 9 s."""
    planned = [line_as_json(record(each, status="not reached")) for each in "AB"]
    heard: list[str] = []
    ledger = RunRecorder(
        RunFolder.create(tmp_path, "sweep", HEADER | {"planned": planned}), RunListener(say=heard.append)
    )
    for each in blocks:
        ledger.add_block(each)
    ledger.close_measured_records()
    ledger.note_starvation(FirstStart(2, 2, 9.0), MeasurePlan(**plan))
    return RunFolder.open(ledger.folder.path), heard


STARVED = "starting 2 networks took 9s, the budget was 8s: {}; give more: --set measure.budget=1m00s"


def test_a_budget_that_left_some_without_a_round_is_told_and_kept_for_the_caption(tmp_path: Path) -> None:
    """9 x 3 generations x 1.5 = 40.5 s."""
    for blocks, missed in (([], "no round was reached"), (measured_once(warmed(1)), "1 had no round")):
        folder, heard = after_starving(tmp_path, blocks, budget="8s")
        assert heard == [STARVED.format(missed)]
        assert heard[0] in run_lines(folder.manifest)


def test_nothing_is_said_of_a_budget_that_was_enough_or_that_was_not_given(tmp_path: Path) -> None:
    both = [warmed(1), replace(warmed(1), id="B"), *whole_round("ABBA", {"A": 10, "B": 11})]
    for folder, heard in (after_starving(tmp_path, both, budget="8s"), after_starving(tmp_path, [])):
        assert heard == []
        assert "starved" not in folder.manifest


def test_the_next_command_takes_back_what_was_said_of_the_budget(tmp_path: Path) -> None:
    folder, heard = after_starving(tmp_path, [], budget="8s")
    ledger = RunRecorder(folder, SILENT)
    ledger.clear_caption()
    assert heard[0] not in run_lines(ledger.folder.manifest)
    assert heard[0] not in run_lines(RunFolder.open(folder.path).manifest)


def test_a_doubled_block_is_refused_before_it_is_written(tmp_path: Path) -> None:
    """By the ledger that wrote it and by that of the next command; what differs in its times alone is the same block."""
    planned = [line_as_json(record(each, status="not reached")) for each in "AB"]
    folder = RunFolder.create(tmp_path, "sweep", HEADER | {"planned": planned})
    writer = RunRecorder(folder, SILENT)
    writer.add_block(warmed(1))
    for ledger in (writer, RunRecorder(folder, SILENT)):
        with pytest.raises(RuntimeError, match="warm-up block of A is stored already"):
            ledger.add_block(replace(warmed(1), wall_ns=(7,)))
        ledger.add_block(warmed(2 if ledger is writer else 3))
    assert [each.generation for each in folder.blocks()] == [1, 2, 3]


def measured_once(*warm_ups: Block) -> list[Block]:
    return [*warm_ups, *whole_round("AA", {"A": 10})]


def test_a_variant_with_a_counted_block_is_measured_and_one_without_stays_open(tmp_path: Path) -> None:
    found = finished(tmp_path, measured_once(warmed(1)))
    assert list(found) == ["A"]
    assert (found["A"].status, found["A"].traced, found["A"].memory_bytes) == ("measured", {"macs": 10}, 5)


def test_the_first_process_is_the_cold_one_and_the_last_tells_the_rest(tmp_path: Path) -> None:
    late = warmed(2, cold_ms={"import": 1.0, "compile": 0.5}, memory={"cold_bytes": 7}, steady=False)
    found = finished(tmp_path, measured_once(warmed(1, cold_ms={"import": 1.0, "compile": 36_000.0}), late))["A"]
    assert found.cold_ms == {"import": 1.0, "compile": 36_000.0}
    assert found.memory == {"cold_bytes": 7}
    assert found.warnings[0].startswith("not steady")


def test_energy_is_the_median_of_the_processes_that_told(tmp_path: Path) -> None:
    told = [warmed(g, energy_mj=mj) for g, mj in enumerate((30.0, None, 10.0, 80.0), 1)]
    assert finished(tmp_path, measured_once(*told))["A"].energy_mj == 30.0


def test_without_a_meter_energy_is_null(tmp_path: Path) -> None:
    assert finished(tmp_path, measured_once(warmed(1, energy_mj=None)))["A"].energy_mj is None


def test_what_a_process_notes_of_itself_is_a_warning_of_the_record(tmp_path: Path) -> None:
    found = finished(tmp_path, measured_once(warmed(1, notes=["train: counted for inference"], uncounted={"fft": 2})))
    assert found["A"].warnings == ("train: counted for inference", "fft: 2 calls are in no count")


@pytest.mark.parametrize("quantity", ["step", "device"])
def test_a_run_that_measures_another_quantity_finishes_by_it(tmp_path: Path, quantity: Any) -> None:
    blocks = [warmed(1), *(replace(each, quantity=quantity) for each in whole_round("AA", {"A": 10}))]
    assert list(finished(tmp_path / "asked", blocks, quantity=quantity)) == ["A"]
    assert finished(tmp_path / "not asked", blocks) == {}
