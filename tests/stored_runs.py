"""Whole stored runs for tests of what compares and exports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runs_on_disk import record, warm_up, whole_round

from archbench.api import Run
from archbench.comparison.of_run import judge_run
from archbench.runs.records import Block, Record, line_as_json
from archbench.runs.run import read_folder
from archbench.runs.store import RunFolder

ENVIRONMENT = {
    "host": "lab",
    "os": "Linux-6.1-x86_64-with-glibc2.36",
    "python": "3.11.2",
    "cpu": "a cpu",
    "cores": 2,
    "logical_cores": 4,
    "memory_bytes": 8 << 30,
    "gpus": [],
    "driver": None,
    "versions": {"torch": "2.14.1"},
    "flags": {},
    "commit": None,
    "device": "cpu",
}
STEADY = [10.0, 10.01, 9.99, 10.02, 9.98, 10.0, 10.01, 9.99]  # eight generations, a thousandth apart


def stored(
    folder: Path,
    times: Mapping[str, Sequence[float]],
    *,
    name: str = "sweep",
    records: Sequence[Record] | None = None,
    blocks: Sequence[Block] | None = None,
    environment: Mapping[str, Any] | None = None,
    **header: Any,
) -> Run:
    """A run of the networks named, each taking so many ms in each generation. Of no times at all: priced only.

    `records` take the place of plain measured ones, `blocks` of one round a generation; `header` of what run.json says.
    """
    known = list(records or [record(each, reference=place == 0) for place, each in enumerate(times)])
    planned = [line_as_json(replace(each, status="not reached", reason=None)) for each in known]
    given = {
        "spec": {"name": name},
        "against": None,
        "plan": {"quantity": "request"},
        "budget_s": None,
        "scores": None,
        "space": {"raw": 1, "excluded": 0, "duplicates": 0, "refused": {}},
        "environment": ENVIRONMENT | dict(environment or {}),
        "planned": planned,
    }
    run = RunFolder.create(folder, name, given | header)
    for each in known:
        if each.status != "not reached":
            run.append_record(each)
    for block in rounds(times) if blocks is None else blocks:
        run.append_block(block)
    return Run(judge_run(read_folder(run)))


def rounds(times: Mapping[str, Sequence[float]]) -> list[Block]:
    """A warm-up and a round with its mirror, a generation."""
    found: list[Block] = []
    for generation in range(1, 1 + max(map(len, times.values()), default=0)):
        taking = {each: ms[generation - 1] for each, ms in times.items() if len(ms) >= generation}
        found += warm_up(list(taking), generation=generation)
        found += whole_round([*taking, *reversed(taking)], taking, generation=generation)
    return found


def slower(factor: float) -> list[float]:
    return [factor * ms for ms in STEADY]
