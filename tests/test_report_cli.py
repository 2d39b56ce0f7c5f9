"""`archbench report` from outside: the same bytes each time, from three files alone; figures; several runs; every format."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from made_runs import ENVIRONMENT, compared, evil, priced, stored, write_spec
from pages import Page

from archbench.api import Run
from archbench.cli import exit_code_of
from archbench.reporting.report import rewrite_report
from archbench.runs.run import read_folder
from archbench.tables.run_table import tabulate_run

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


@pytest.mark.process
def test_another_process_in_another_place_writes_the_same_bytes_from_three_files_and_no_torch(
    run: Run, tmp_path: Path
) -> None:
    assert exit_code_of(["report", str(run.path)]) == 0
    first = derived(run.path)
    copy = tmp_path / "elsewhere" / run.path.name
    copy.mkdir(parents=True)
    for name in SOURCES:
        shutil.copyfile(run.path / name, copy / name)
    code = (
        "import sys; from archbench.cli import exit_code_of; code = exit_code_of(['report', sys.argv[1]]); "
        "sys.exit(code or ('imported torch' if 'torch' in sys.modules else 0))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", code, str(copy)], env=environment, check=True, capture_output=True)
    assert derived(copy) == first
    assert sorted(path.name for path in copy.iterdir()) == sorted((*SOURCES, *DERIVED))


def test_html_on_stdout_is_the_page(run: Run, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert exit_code_of(["report", "sweep/@latest", "--format", "html"]) == 0
    assert capfdbinary.readouterr().out == (run.path / "report.html").read_bytes()


def test_parquet_on_stdout_is_a_file(run: Run, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert exit_code_of(["report", "@latest", "--format", "parquet"]) == 0
    (tmp_path / "table.parquet").write_bytes(capfdbinary.readouterr().out)
    read = duckdb.sql(f"SELECT name, macs, latency_ms FROM '{tmp_path}/table.parquet'").fetchall()
    assert read == [(row["name"], row["macs"], row["latency_ms"]) for row in run.judged.table.rows]


@pytest.mark.process
def test_parquet_on_a_terminal_is_refused_with_the_way_out(run: Run) -> None:
    inner, outer = pty.openpty()
    command = [sys.executable, "-m", "archbench", "report", "@latest", "--format", "parquet"]
    done = subprocess.run(command, stdout=outer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(outer)
    os.close(inner)
    assert done.returncode == 2
    assert done.stderr == "archbench: --format parquet writes bytes; send them to a file, `> table.parquet`\n"


def test_figures_are_drawn_for_slides_and_named_on_stderr(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["report", "@latest", "--figures", "figures"]) == 0
    assert "10 files in figures" in capsys.readouterr().err
    assert len(list(Path("figures").glob("*.svg"))) == len(list(Path("figures").glob("*.png"))) == 5


def test_several_runs_are_one_table_with_a_column_a_device(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = made(tmp_path, environment=ENVIRONMENT | {"device": "cpu", "gpu": None})
    runs = [str(each.path) for each in (run, other)]
    assert exit_code_of(["report", *runs, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == runs
    assert len(told["variants"]) == 3
    for row, one, two in zip(told["variants"], run.judged.table.rows, other.judged.table.rows, strict=True):
        assert row["latency_ms@H100 80GB"] == one["latency_ms"]
        assert row["latency_ms@EPYC 9654"] == two["latency_ms"]


def test_a_run_that_is_named_twice_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for again in (str(run.path), "sweep/@latest"):
        assert exit_code_of(["report", str(run.path), again]) == 2
        assert "are the same run" in capsys.readouterr().err


def test_of_several_runs_the_worst_code_is_the_exit_code(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = made(tmp_path, failing=1)
    assert exit_code_of(["report", str(run.path), str(failed.path)]) == 1
    assert exit_code_of(["report", str(run.path), "nothing"]) == 2
    assert "nothing: there is no such run" in capsys.readouterr().err


def test_a_comparison_has_its_verdicts_on_the_page(tmp_path: Path) -> None:
    made = compared(tmp_path / "results", tmp_path)
    rewrite_report(made.stored_run.folder)
    page = Page((made.path / "report.html").read_text())
    names = [each.name for each in made.records[:3]]
    assert [verdict.word for verdict in made.verdicts.values()] == ["regressed"] * 3
    assert [row[:2] for row in page.tables["New against base"][1:]] == [[name, "regressed"] for name in names]
    assert page.answers["New against base"] == f"3 regressed ({'; '.join(names)})."
    assert page.answers["Fastest"].split(": ")[0] in names  # though every base is faster
    assert not any("(base)" in text for text in page.answers.values())


@pytest.mark.parametrize("name", ["run.json", "records.jsonl"])
def test_a_damaged_run_is_listed_as_that_among_the_others(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    damaged = made(tmp_path).path
    (damaged / name).write_text("<<<<<<< HEAD\n")
    assert exit_code_of(["list", "runs", "--json"]) == 2
    told = capsys.readouterr()
    good, bad = json.loads(told.out)["runs"]
    assert (good["run"], len(good["records"]), good["damage"]) == (str(run.path.relative_to(tmp_path)), 3, None)
    assert (bad["run"], bad["records"]) == (str(damaged.relative_to(tmp_path)), None)
    assert f"{bad['run']}/{name}" in bad["damage"]
    assert "1 of 2 runs is damaged" in told.err
    assert exit_code_of(["list", "runs"]) == 2
    assert "damaged" in capsys.readouterr().out


def test_the_newest_run_that_does_not_open_is_never_reported_as_an_older_one(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = made(tmp_path).path
    (damaged / "run.json").write_text((damaged / "run.json").read_text().replace('"schema":1', '"schema":2'))
    for command in (["report", "@latest"], ["compare", str(run.path), "sweep/@latest"]):
        assert exit_code_of(command) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert re.search(rf"{damaged.name}.*schema 2 is newer.*no older run stands in for it", told.err)


def test_a_run_whose_samples_are_gone_says_whose_and_exits_with_4(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    samples = run.path / "samples.jsonl"
    names = ", ".join(each.name for each in run.records)
    line = f"3 measured without a sample to be found: samples.jsonl was lost or cut ({names})"
    assert line not in run.judged.table.caption
    one_turn = samples.read_text().splitlines(keepends=True)[0]  # a round that is not whole tells of nobody
    for text in (one_turn, None):
        samples.write_text(text) if text else samples.unlink()
        assert exit_code_of(["report", str(run.path), "--json"]) == 4
        told = json.loads(capsys.readouterr().out)
        assert line in told["caption"]
        assert line in tabulate_run(read_folder(run.stored_run.folder)).table.distrust


def test_a_record_that_was_never_planned_is_damage_and_no_row_that_vanishes(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    records = run.path / "records.jsonl"
    records.write_text(records.read_text().replace(run.records[0].id, "f" * 16))
    for command in (["report", str(run.path)], ["compare", str(run.path), str(run.path)]):
        assert exit_code_of(command) == 2
        assert re.search(rf"{records}: damaged: .*{'f' * 16}.* planned", capsys.readouterr().err)


EVIL = [
    "<script>alert(1)</script>",
    "`rm -rf`",
    "a|b",
    "=cmd()",
    "two\nlines",
    "\u202egnp",
    '"quo\'te"',
    r"\input{x}$&%#",
    "[x](http://y)",
    "@x",
]


@pytest.fixture
def wicked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Every text of it evil: names, axes, warnings, reasons, code, the spec and the machine; and it has budgets."""
    monkeypatch.chdir(tmp_path)
    made = evil(tmp_path / "results", EVIL)
    rewrite_report(made.stored_run.folder)
    return made


def test_nothing_of_an_evil_run_formats_or_links_in_the_markdown_report(wicked: Run) -> None:
    text = (wicked.path / "report.md").read_text()
    assert not re.search(r"(?<!\\)[<>`\[\]&#]", text.replace("## ", "", 1).replace("<!-- -->", ""))
    assert not re.search("[\u202e\x1b]", text)
    lines = text.splitlines()
    assert all(re.match(r"## |\| |- |$", line) for line in lines)
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")]
    rows = len(EVIL) + 2
    assert len(set(widths[:rows])) == len(set(widths[rows:])) == 1
    assert len(widths[rows:]) > 2  # the excesses, with the reason


def test_nothing_of_an_evil_run_is_a_formula_in_the_csv(wicked: Run) -> None:
    text = (wicked.path / "table.csv").read_text()
    assert not re.search("[\u202e\x1b\r]", text)
    assert len(text.splitlines()) == len(EVIL) + 1
    for cells in csv.reader(io.StringIO(text)):
        assert not any(re.match(r"[=+\-@\t\r]", cell) for cell in cells)


def test_nothing_of_an_evil_run_commands_latex(wicked: Run, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code_of(["report", str(wicked.path), "--format", "latex"])
    text = capsys.readouterr().out
    assert not re.search("[\u202e\x1b]", text)
    for line in text.splitlines():
        if not line.startswith("%"):
            commands = set(re.findall(r"\\([a-zA-Z]+)", line))
            assert commands <= OURS, line
            assert not re.search(r"(?<!\\)[#%`<>|~^\"]", line), line


OURS = {
    *("begin", "end", "toprule", "midrule", "bottomrule", "pm", "symbol"),
    *("textbackslash", "textless", "textgreater", "textbar", "textasciigrave", "textquotesingle"),
}


def test_nothing_of_an_evil_run_is_an_element_of_its_page(wicked: Run) -> None:
    """Beside what a page without any such text has: one script of ours, one of data, no link, no image."""
    text = (wicked.path / "report.html").read_text()
    assert not re.search("[\u202e\x1b]", text)
    assert len(re.findall("<script", text)) == len(re.findall("</script", text)) == 2
    assert not re.search(r"<(a|img|iframe|object|form action|link|base)\b", text)
    page = Page(text)
    assert page.headings[0] == ("h1", "".join(EVIL).replace("\n", "\\u000a").replace("\u202e", "\\u202e"))
    assert [row[0] for row in page.tables["All variants"][1:]] == [
        name.replace("\n", "\\u000a").replace("\u202e", "\\u202e") for name in EVIL
    ]
