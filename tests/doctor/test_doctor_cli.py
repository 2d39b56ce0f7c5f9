"""`archbench doctor` from outside: the page, the file, the exit codes. Structure, never times."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from archbench.cli import exit_code_of
from archbench.doctor import diagnosis, examine
from archbench.doctor.checks import Check, NullTest
from archbench.doctor.diagnosis import Advice, Diagnosis, print_diagnosis
from archbench.doctor.host import BusyProcesses, Gpu, Host
from archbench.errors import CannotMeasure
from archbench.measure.experiment import generation

FOUND = Diagnosis(
    taken="2026-01-01T00:00:00Z",
    device="cuda:0",
    reason=None,
    checks=(
        Check("clock", True, 40.0, "ns", "the host clock's smallest step; reading it costs 55 ns"),
        Check(
            "events", False, 0.5, "ratio", "the device's own time of a stretch of calls over the host clock's", "mend"
        ),
        Check("allocator", None, None, "bytes", "the CPU counts no allocations; memory is traced instead"),
    ),
    null_test=NullTest("R-50-FPN at 800 x 1333", 5, 120, 4, 62.3, 1.004, 0.041, 0.012, 0.006),
    host=Host(
        cpu="Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz",
        governor="powersave",
        memory_bytes=64 << 30,
        available_bytes=48 << 30,
        busy=(BusyProcesses("[red]x[/red]", 12, 1.7),),
    ),
    gpu=Gpu("NVIDIA H100 80GB HBM3", 1410.0, 1755.0, 1980.0, 64.0, 312.0, 700.0, ("power cap",), False, 2),
    threads=20,
    versions={"os": "Linux-6.1", "torch": "2.9.0", "driver": None},
    extras={"onnxruntime": None, "compiler": "g++"},
    flags={},
    advice=(Advice("the clock follows the load; hold it up", "sudo cpupower frequency-set -g performance"),),
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def page(found, width=80):
    console = Console(width=width, highlight=False, force_terminal=False, color_system=None, no_color=True)
    with console.capture() as captured:
        print_diagnosis(found, console)
    return captured.get()


@pytest.mark.parametrize("width", [80, 110, 160])
def test_the_page_fits_and_begins_with_the_answer(width):
    lines = page(FOUND, width).splitlines()
    assert max(len(line) for line in lines) <= width
    assert lines[:2] == [
        "archbench doctor: cuda:0, NVIDIA H100 80GB HBM3",
        "Differences under 4.1% cannot be told here in 1m02s.",
    ]


def test_the_page_tells_each_check_and_each_advice_with_its_command():
    text = page(FOUND, 110)
    assert "ok    clock       40 ns  the host clock's smallest step" in text
    assert "FAIL  events     0.500x  the device's own time" in text
    assert "-     allocator       -  the CPU counts no allocations" in text
    assert "1.004x, 95 %: 0.964x to 1.045x, covers 1, as it should" in text
    assert "between processes 1.2%, between rounds 0.6%" in text
    assert "sudo cpupower frequency-set -g performance" in text
    assert "1,410 to 1,755 MHz while measured, at most 1,980" in text


def test_a_name_is_no_markup_and_what_is_unknown_is_said_so():
    text = page(FOUND)
    assert "[red]x[/red] x12 1.7 cores" in text
    assert "unknown physical, unknown logical" in text


def test_the_page_says_first_why_nothing_can_be_measured():
    """Also where the null was measured: with a clock that is wrong, so is it."""
    lines = page(replace(FOUND, reason="self-check clock failed; mend it")).splitlines()
    assert lines[1] == "Nothing can be measured: self-check clock failed; mend it"
    assert not any("cannot be told" in line for line in lines)


def test_the_file_is_put_whole_or_not_at_all(folder):
    Path("there.json").write_text("old")
    diagnosis.write_diagnosis(FOUND, Path("there.json"))
    assert json.loads(Path("there.json").read_text())["device"] == "cuda:0"
    assert os.listdir() == ["there.json"]
    with pytest.raises(CannotMeasure, match="cannot be written"):
        diagnosis.write_diagnosis(FOUND, folder / "missing" / "x.json")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--device", "none"], 2, "nothing to examine; take auto, cpu, cuda or cuda:N"),
        (["--device", "tpu"], 2, "measure.device: 'tpu' is not accepted"),
        (["--output", "missing/x.json"], 4, "its folder cannot be written"),
        (["--output", "."], 4, "not a regular file"),
    ],
    ids=["none", "tpu", "no folder", "a folder"],
)
def test_wrong_input_is_one_line_and_nothing_is_measured_or_written(folder, capsys, arguments, code, says):
    assert exit_code_of(["doctor", *arguments]) == code
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""
    assert "watching" not in said.err
    assert os.listdir() == []


@pytest.mark.process
def test_a_device_that_is_not_there_is_4_with_one_line_and_a_file_to_attach(folder, capsys):
    """No machine has a 64th GPU; where there is no driver at all, it is said without a worker."""
    assert exit_code_of(["doctor", "--device", "cuda:63", "--output", "mine.json"]) == 4
    said = capsys.readouterr()
    found = json.loads(Path("mine.json").read_text())
    assert (
        said.err.strip().splitlines()[-1].startswith("archbench: nothing can be measured on cuda:63: measure.device: ")
    )
    assert "cuda:63" in found["reason"]
    assert (found["null_test"], found["gpu"], found["checks"]) == (None, None, [])
    assert found["host"]["logical_cores"] == os.cpu_count()
    assert "Nothing can be measured" in said.out


@pytest.mark.process
@pytest.mark.slow
def test_a_real_examination_of_the_cpu(folder, capsys, monkeypatch):
    """One generation of one round, which is a null test, however long it takes here."""
    monkeypatch.setattr(examine, "QUICK_BUDGET_S", 3600)
    monkeypatch.setattr(examine, "QUICK_GENERATIONS", 1)
    monkeypatch.setattr(generation, "MOST_ROUNDS", 1)
    monkeypatch.setattr(generation, "PATIENCE_S", 0.0)
    code = exit_code_of(["doctor", "--device", "cpu", "--quick", "--json"])
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found == json.loads(Path("archbench-doctor.json").read_text())
    assert found["schema"] == 1
    failed = [check["name"] for check in found["checks"] if check["gate"] and check["passed"] is False]
    assert code == (4 if found["reason"] else 0)  # a busy machine may fail
    assert not failed or failed[0] in found["reason"]
    assert [check["name"] for check in found["checks"]] == [
        "clock",
        "linearity",
        "cpu time",
        "allocator",
        "hand-over",
        "A/A null",
    ]
    assert found["checks"][0]["figure"] > 0
    assert found["null_test"]["ratio"] > 0
    assert found["null_test"]["blocks"] >= 4
    assert found["threads"] >= 1
    assert found["versions"]["torch"]
    assert str(Path.home()) not in said.out
