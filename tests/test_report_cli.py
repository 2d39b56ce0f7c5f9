"""`archbench report` from outside: the same bytes each time, from three files alone; figures; several runs; every format."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from made_runs import ENVIRONMENT, priced, stored, write_spec
from pages import Page

from archbench.cli import guarded
from archbench.reporting.runs import Run

SPEC = (
    "archbench: 1\nname: sweep\nbase: R-18-FPN\ninput: {height: 64, width: 64}\naxes: {neck.channels: [64, 128, 256]}\n"
)
SOURCES = ("run.json", "records.jsonl", "samples.jsonl")
DERIVED = ("table.csv", "report.md", "report.html")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return made(tmp_path)


def made(folder: Path, *, failing: int = 0, **given: object) -> Run:
    spec = write_spec(folder, SPEC)
    records = priced(spec)
    milliseconds = {each.id: 5.0 + place for place, each in enumerate(records[: len(records) - failing])}
    return stored(folder / "results", spec, records, milliseconds, **given)


def derived(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in DERIVED}


def test_another_process_in_another_place_writes_the_same_bytes_from_three_files_and_no_torch(
    run: Run, tmp_path: Path
) -> None:
    assert guarded(["report", str(run.folder.path)]) == 0
    first = derived(run.folder.path)
    copy = tmp_path / "elsewhere" / run.folder.path.name
    copy.mkdir(parents=True)
    for name in SOURCES:
        shutil.copyfile(run.folder.path / name, copy / name)
    code = (
        "import sys; from archbench.cli import guarded; code = guarded(['report', sys.argv[1]]); "
        "sys.exit(code or ('imported torch' if 'torch' in sys.modules else 0))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", code, str(copy)], env=environment, check=True, capture_output=True)
    assert derived(copy) == first
    assert sorted(path.name for path in copy.iterdir()) == sorted((*SOURCES, *DERIVED))


def test_html_on_stdout_is_the_page(run: Run, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert guarded(["report", "sweep/@latest", "--format", "html"]) == 0
    assert capfdbinary.readouterr().out == (run.folder.path / "report.html").read_bytes()


def test_parquet_on_stdout_is_a_file(run: Run, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert guarded(["report", "@latest", "--format", "parquet"]) == 0
    (tmp_path / "table.parquet").write_bytes(capfdbinary.readouterr().out)
    read = duckdb.sql(f"SELECT name, macs, latency_ms FROM '{tmp_path}/table.parquet'").fetchall()
    assert read == [(row["name"], row["macs"], row["latency_ms"]) for row in run.view.rows]


def test_parquet_on_a_terminal_is_refused_with_the_way_out(run: Run) -> None:
    inner, outer = pty.openpty()
    command = [sys.executable, "-m", "archbench", "report", "@latest", "--format", "parquet"]
    done = subprocess.run(command, stdout=outer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(outer)
    os.close(inner)
    assert done.returncode == 2
    assert done.stderr == "archbench: --format parquet writes bytes; send them to a file, `> table.parquet`\n"


def test_figures_are_drawn_for_slides_and_named_on_stderr(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(["report", "@latest", "--figures", "figures"]) == 0
    assert "10 files in figures" in capsys.readouterr().err
    assert len(list(Path("figures").glob("*.svg"))) == len(list(Path("figures").glob("*.png"))) == 5


def test_several_runs_are_one_table_with_a_column_a_device(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = made(tmp_path, environment=ENVIRONMENT | {"device": "cpu", "gpu": None})
    runs = [str(each.folder.path) for each in (run, other)]
    assert guarded(["report", *runs, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == runs
    assert len(told["variants"]) == 3
    for row, one, two in zip(told["variants"], run.view.rows, other.view.rows, strict=True):
        assert row["latency_ms@H100 80GB"] == one["latency_ms"]
        assert row["latency_ms@EPYC 9654"] == two["latency_ms"]


def test_of_several_runs_the_worst_code_is_the_exit_code(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = made(tmp_path, failing=1)
    assert guarded(["report", str(run.folder.path), str(failed.folder.path)]) == 1
    assert guarded(["report", str(run.folder.path), "nothing"]) == 2
    assert "nothing: there is no such run" in capsys.readouterr().err


def test_a_comparison_has_its_verdicts_on_the_page(tmp_path: Path) -> None:
    """Of each network the new side and its base, twice as fast."""
    spec = write_spec(tmp_path, SPEC)
    new = [replace(each, side="new", pair=each.name) for each in priced(spec)]
    base = [
        replace(each, id=f"base{n}", name=f"{each.name} (base)", side="base", reference=False)
        for n, each in enumerate(new)
    ]
    milliseconds = {each.id: 10.0 for each in new} | {each.id: 5.0 for each in base}
    compared = stored(tmp_path, spec, [*new, *base], milliseconds, against=spec.as_json())
    compared.write()
    page = Page((compared.folder.path / "report.html").read_text())
    names = [each.name for each in new]
    assert [verdict.word for verdict in compared.verdicts.values()] == ["regressed"] * 3
    assert [row[:2] for row in page.tables["New against base"][1:]] == [[name, "regressed"] for name in names]
    assert page.answers["New against base"] == f"3 regressed ({'; '.join(names)})."
    assert page.answers["Fastest"].split(": ")[0] in names  # though every base is faster
    assert not any("(base)" in text for text in page.answers.values())
