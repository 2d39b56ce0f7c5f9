"""`archbench export pytest-benchmark`: its numbers by pytest-benchmark's own definitions, its file by its own command."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.stats import Stats
from runs_on_disk import record
from stored_runs import STEADY, slower, stored

from archbench.cli import exit_code_of
from archbench.reporting.exports.pytest_benchmark import benchmark_json, summarise_calls


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 31])
def test_statistics_are_pytest_benchmarks_own(count: int) -> None:
    draw = random.Random(count)
    calls = [draw.lognormvariate(0, 1) for _ in range(count)]
    theirs = Stats()
    for call in calls:
        theirs.update(call)
    ours = summarise_calls(calls)
    for name, value in theirs.as_dict().items():
        assert ours[name] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-12)), name
    assert set(ours) == {*theirs.fields, "iterations", "data"}


def test_a_round_is_a_counted_call_and_the_median_the_tables(tmp_path: Path) -> None:
    run = stored(tmp_path, {"A": STEADY, "B": slower(2)})
    found = benchmark_json(run.stored_run)["benchmarks"]
    assert [each["name"] for each in found] == ["A", "B"]
    assert found[0]["stats"]["rounds"] == run.judged.table.rows[0]["calls"] == 16
    assert [each["stats"]["median"] for each in found] == [
        pytest.approx(row["latency_ms"] / 1000) for row in run.judged.table.rows
    ]


def test_a_failed_variant_is_left_out_and_a_run_of_prices_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [record("A"), record("B", status="failed", reason="killed")]
    run = stored(tmp_path, {"A": STEADY, "B": STEADY}, records=records)
    assert [each["name"] for each in benchmark_json(run.stored_run)["benchmarks"]] == ["A"]
    priced = stored(tmp_path, {}, records=[record("A", status="priced")], environment={"device": "none"})
    assert exit_code_of(["export", "pytest-benchmark", str(priced.path)]) == 2
    assert "nothing was measured" in capsys.readouterr().err


@pytest.mark.process
def test_pytest_benchmark_compares_two_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, factor in (("base", 1.0), ("new", 1.2)):
        records = [record("A", axes={"neck.channels": 64}), record("B", axes={"neck.channels": 128})]
        run = stored(tmp_path, {"A": STEADY, "B": slower(factor)}, records=records)
        assert exit_code_of(["export", "pytest-benchmark", str(run.path), "--output", f"{name}.json"]) == 0
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "base.json", "new.json", "--csv=out.csv"]
    done = subprocess.run(
        [*command, "--group-by=param:neck.channels", "--columns=median"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "neck.channels=128" in done.stdout
    with Path("out.csv").open() as file:
        medians = [float(row["median"]) for row in csv.DictReader(file)]
    assert sorted(medians) == pytest.approx([0.01, 0.01, 0.01, 0.012], rel=0.002)


def test_the_file_is_json_without_nan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = stored(tmp_path, {"A": STEADY}, environment={"commit": "a" * 40 + "+"})
    assert exit_code_of(["export", "pytest-benchmark", str(run.path)]) == 0
    found = json.loads(Path("benchmark.json").read_text())
    assert found["commit_info"] | {"time": 0} == {"id": "a" * 40, "time": 0, "dirty": True, "project": "archbench"}
    assert found["machine_info"]["node"] == "lab"
