"""What is stored is there, what is torn is not taken for good, what is damaged is named."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from runs_on_disk import HEADER, block, record

from archbench.errors import CannotMeasure, ResultsError
from archbench.runs.run import find_newest, find_run
from archbench.runs.store import RunFolder, RunInUse, folder_name


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "results", "fpn_sweep", HEADER | {"seed": 3})


def test_a_run_is_read_back_as_it_was_written(run: RunFolder) -> None:
    records = (
        record("a", axes={"backbone.depths": [3, 4]}, warnings=("w",)),
        record("b", replica=1, status="failed", reason="no"),
    )
    blocks = (
        block("a", [1.5, 2.0], dropped=1, size=2),
        block("a", 3, order=1, size=2, telemetry={"sm_clock": None, "w": 2.5}),
    )
    for each in records:
        run.append_record(each)
    for each in blocks:
        run.append_block(each)
    again = RunFolder.open(run.path)
    assert again.records() == records
    assert again.blocks() == blocks
    assert again.manifest["seed"] == 3
    assert (again.manifest["schema"], again.manifest["name"]) == (1, "fpn_sweep")


def test_a_new_run_has_no_records_and_leaves_no_litter(run: RunFolder) -> None:
    assert run.records() == run.blocks() == ()
    assert [path.name for path in run.path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("last", [record("c", reason="ünsäglich"), record("c", axes={"neck.channels": 64})])
def test_a_line_cut_at_any_byte_is_ignored_repaired_and_written_again(run: RunFolder, last: object) -> None:
    run.append_record(record("a"))
    run.append_record(record("b"))
    path = run.path / "records.jsonl"
    before = path.read_bytes()
    run.append_record(last)  # type: ignore[arg-type]
    whole = path.read_bytes()
    for size in range(len(before), len(whole)):
        path.write_bytes(whole[:size])
        assert [each.id for each in run.records()] == ["a", "b"]
        run.cut_torn_lines()
        assert path.read_bytes() == before
    run.append_record(last)  # type: ignore[arg-type]
    assert path.read_bytes() == whole


def test_repair_cuts_samples_too_and_removes_unfinished_files(run: RunFolder) -> None:
    run.append_block(block())
    with (run.path / "samples.jsonl").open("ab") as file:
        file.write(b'{"id":"a","rep')
    (run.path / ".table.csv.123.tmp").write_text("half")
    run.cut_torn_lines()
    assert run.blocks() == (block(),)
    assert not (run.path / ".table.csv.123.tmp").exists()


DAMAGE = {
    "not JSON": b"<<<<<<< HEAD\n",
    "an empty line": b"\n",
    "foreign JSON": b'{"a":1}\n',
    "a list": b"[]\n",
    "NULs": b"\0" * 40 + b"\n",
    "not UTF-8": b'{"id":"\xff"}\n',
    "nested deep": b"[" * 100_000 + b"\n",
    "a digit too many": b'{"id":' + b"1" * 5000 + b"}\n",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_damaged_line_is_named_wherever_it_is_and_never_rewritten(run: RunFolder, damage: bytes, place: int) -> None:
    run.append_record(record("a"))
    run.append_record(record("b"))
    path = run.path / "records.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[: place - 1], damage, *lines[place - 1 :]]))
    before = path.read_bytes()
    run.cut_torn_lines()
    with pytest.raises(ResultsError, match=rf"records\.jsonl:{place}: "):
        run.records()
    assert path.read_bytes() == before


def test_a_tail_that_no_writer_of_ours_could_have_left_is_damage(run: RunFolder) -> None:
    run.append_record(record("a"))
    with (run.path / "records.jsonl").open("ab") as file:
        file.write(b"\0" * 512)
    with pytest.raises(ResultsError, match=r"records\.jsonl:2: damaged"):
        run.records()


WRONG_FIELDS = [
    ("records.jsonl", "exact", {"macs": 1.5}),
    ("records.jsonl", "exact", {"macs": -1}),
    ("records.jsonl", "status", "done"),
    ("records.jsonl", "status", []),
    ("records.jsonl", "name", 5),
    ("records.jsonl", "axes", [1]),
    ("records.jsonl", "replica", True),
    ("records.jsonl", "memory_bytes", "5"),
    ("records.jsonl", "cold_ms", {"build": -1.0}),
    ("records.jsonl", "warnings", "text"),
    ("samples.jsonl", "wall_ns", []),
    ("samples.jsonl", "wall_ns", [0]),
    ("samples.jsonl", "wall_ns", [1.5]),
    ("samples.jsonl", "wall_ns", [True]),
    ("samples.jsonl", "wall_ns", 7),
    ("samples.jsonl", "dropped", 1),
    ("samples.jsonl", "phase", "hot"),
    ("samples.jsonl", "generation", "1"),
    ("samples.jsonl", "telemetry", {"sm": "fast"}),
]


@pytest.mark.parametrize(("name", "field", "value"), WRONG_FIELDS)
def test_a_field_that_is_not_what_it_should_be_is_named(run: RunFolder, name: str, field: str, value: object) -> None:
    run.append_record(record("a"))
    run.append_block(block("a"))
    path = run.path / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}) + "\n")
    with pytest.raises(ResultsError, match=rf"{name}:1: .*(drops 1|{field})"):
        run.records() if name.startswith("records") else run.blocks()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused_when_read(run: RunFolder, number: str) -> None:
    run.append_block(block("a"))
    path = run.path / "samples.jsonl"
    path.write_text(path.read_text().replace('"started":0.0', f'"started":{number}'))
    with pytest.raises(ResultsError, match=r"samples\.jsonl:1: damaged"):
        run.blocks()


def test_a_number_that_is_none_is_never_written(run: RunFolder) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        run.append_block(block("a", telemetry={"watts": float("nan")}))
    assert run.blocks() == ()


def test_a_record_or_block_that_stands_twice_is_named_with_both_lines(run: RunFolder) -> None:
    for each in (record("a"), record("a", replica=1), record("a")):
        run.append_record(each)
    with pytest.raises(ResultsError, match=r"records\.jsonl:3: the same Record is at .*records\.jsonl:1 already"):
        run.records()
    for each in (block("a", attempt=0), block("a", attempt=1), block("a", attempt=1)):
        run.append_block(each)
    with pytest.raises(ResultsError, match=r"samples\.jsonl:3: the same Block is at .*samples\.jsonl:2 already"):
        run.blocks()


def test_a_short_write_is_gone_on_with(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))
    run.append_record(record("a"))
    assert run.records() == (record("a"),)


@pytest.mark.parametrize("fails_at", [1, 2, 5])
def test_a_disk_that_fills_up_leaves_the_lines_before_and_no_part_of_this_one(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    run.append_record(record("a"))
    before = (run.path / "records.jsonl").read_bytes()
    write, calls = os.write, []

    def full(file: int, data: bytes) -> int:
        calls.append(file)
        if len(calls) == fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:7])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(CannotMeasure, match=r"No space left on device.*-o DIR") as caught:
            run.append_record(record("b"))
    assert caught.value.exit_code == 4
    assert (run.path / "records.jsonl").read_bytes() == before


def test_a_derived_file_is_replaced_whole_or_not_at_all(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run.write_file("table.csv", "old ü\n")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", refuse)
        with pytest.raises(CannotMeasure):
            run.write_file("table.csv", "new")
    assert (run.path / "table.csv").read_bytes() == "old ü\n".encode()
    assert sorted(path.name for path in run.path.iterdir()) == ["run.json", "table.csv"]


def test_the_second_to_lock_is_told_that_the_first_is_at_it(run: RunFolder) -> None:
    assert not run.is_in_use()
    with run.lock():
        assert run.is_in_use()
        with pytest.raises(RunInUse, match="another archbench is writing this run") as caught, run.lock():
            pass
    assert caught.value.exit_code == 4
    assert not run.is_in_use()


def _lock_and_die(path: Path) -> None:
    lock = RunFolder.open(path).lock()
    lock.__enter__()
    os._exit(9)


def _report_busy(path: Path) -> None:
    os._exit(0 if RunFolder.open(path).is_in_use() else 1)


def test_a_lock_holds_across_processes_and_dies_with_its_own(run: RunFolder) -> None:
    spawn = multiprocessing.get_context("spawn")
    with run.lock():
        other = spawn.Process(target=_report_busy, args=(run.path,))
        other.start()
        other.join(60)
    dying = spawn.Process(target=_lock_and_die, args=(run.path,))
    dying.start()
    dying.join(60)
    assert (other.exitcode, dying.exitcode) == (0, 9)
    assert not run.is_in_use()


LABELS = ["../../x", "/etc/x", "..", ".", "", "\n", "a/b", "$(x)", "x" * 70_000, "\u202ex", "@latest", "-o"]


@pytest.mark.parametrize("name", LABELS)
def test_a_name_is_a_label_and_never_a_path(tmp_path: Path, name: str) -> None:
    run = RunFolder.create(tmp_path / "results", name, HEADER)
    assert run.path.parent.parent == tmp_path / "results"
    assert run.path.resolve().is_relative_to(tmp_path / "results")
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    assert not folder_name(name).startswith((".", "-"))
    assert run.manifest["name"] == name
    found = find_newest(tmp_path / "results", name)
    assert found is not None
    assert found.path == run.path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema":2}', "schema 2 is newer"),
        ('{"schema":true}', "no schema number"),
        ('{"schema":1', "damaged"),
        ("[]", "no schema"),
        ('{"schema":1,"schema":1}', "twice"),
        ('{"schema":NaN}', "NaN is no number"),
        ('{"schema":1}', "name is missing"),
        ("", "no run is stored"),
    ],
)
def test_a_header_we_cannot_read_is_named_and_left_alone(run: RunFolder, text: str, said: str) -> None:
    (run.path / "run.json").write_text(text)
    with pytest.raises(ResultsError, match=said) as caught:
        find_run(run.path.parent.parent, str(run.path))
    assert caught.value.exit_code == 2
    assert (run.path / "run.json").read_text() == text


def test_a_pipe_in_a_files_place_is_not_waited_for(run: RunFolder) -> None:
    os.mkfifo(run.path / "records.jsonl")
    with pytest.raises(ResultsError, match="not a regular file"):
        run.records()


def test_a_results_folder_that_cannot_be_written_says_where_to_go(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file in its place")
    with pytest.raises(CannotMeasure, match="-o DIR"):
        RunFolder.create(tmp_path / "results", "sweep", HEADER)
