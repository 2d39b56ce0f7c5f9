"""Budgets: how a spec writes them, and what a run has against them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from pages import Page
from runs_on_disk import COUNTS, record
from stored_runs import STEADY, slower, stored

from archbench import exits
from archbench.api import Run
from archbench.cli import exit_code_of
from archbench.comparison.budgets import budget_table, find_row_excesses
from archbench.comparison.cases import make_suites
from archbench.design.spec.spec import parse_budgets, read_spec
from archbench.errors import ResultsError, SpecError
from archbench.reporting.formats import markdown
from archbench.reporting.report import rewrite_report
from archbench.units import parse_size

SPEC = """\
archbench: 1
name: sweep
base: R-18-FPN
input: {height: 64, width: 96}
axes: {neck.channels: [64, 256]}
budgets: BUDGETS
"""


def row(**given: Any) -> dict[str, Any]:
    return {"name": "A", "id": "a", "reason": None} | given


def told(budgets: dict[str, float], **given: Any) -> list[str]:
    return [found.word for found in find_row_excesses(row(**given), budgets)]


def test_budgets_are_read_in_base_units() -> None:
    assert parse_budgets({"latency_ms": 30, "peak_bytes": "2GiB", "gmacs": 1.5}) == {
        "latency_ms": 30,
        "peak_bytes": 2 * 2**30,
        "macs": 1.5e9,
    }
    assert parse_budgets(None) == {}


@pytest.mark.parametrize(
    ("text", "value"), [("4096", 4096), ("512KiB", 512 << 10), ("1.5 MiB", 3 << 19), ("2GiB", 2 << 30)]
)
def test_bytes_are_read(text: str, value: float) -> None:
    assert parse_size(text) == value


@pytest.mark.parametrize("text", ["", "GiB", "2GB", "-2GiB", "2 2GiB", "2e3KiB", "٢GiB", "1.2.3MiB"])
def test_other_bytes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{latency: 30}", ":6:11: budgets.latency: is no metric; a limit takes params,"),
        ("{cold_ms: 30}", "budgets.cold_ms: has no interval to judge it by"),
        ("{latency_ms: fast}", "budgets.latency_ms: 'fast' is not accepted; it takes a number over 0"),
        ("{latency_ms: 0}", "0 is not accepted"),
        ("{latency_ms: true}", "true is not accepted"),
        ("{latency_ms: 2GiB}", "it takes a number over 0"),
        ("{peak_bytes: 2GB}", "budgets.peak_bytes: '2GB' is not accepted; it takes a number over 0, or one with KiB"),
        ("{macs: 1, gmacs: 1}", "budgets.gmacs: macs has a budget already"),
        ("[latency_ms]", "is not a mapping"),
    ],
)
def test_what_is_no_budget_is_refused_at_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace("BUDGETS", text))
    with pytest.raises(SpecError) as raised:
        read_spec(path)
    assert said.lower() in str(raised.value).lower()
    assert raised.value.place.startswith(f"{path}:6")


def test_a_count_decides_by_itself() -> None:
    assert told({"macs": 10}, macs=10) == []
    assert told({"macs": 10}, macs=11) == ["over"]
    assert told({"macs": 10}, macs=None) == ["untold"]


@pytest.mark.parametrize(
    ("ms", "width", "words"),
    [
        (29.0, 0.02, []),  # up to 29.58
        (31.0, 0.02, ["over"]),  # from 30.39
        (29.9, 0.02, ["untold"]),
        (30.1, 0.02, ["untold"]),
        (1.0, None, ["untold"]),
        (None, None, ["untold"]),
    ],
)
def test_a_time_is_within_or_over_by_its_whole_interval_or_not_told(ms: Any, width: Any, words: list[str]) -> None:
    assert told({"latency_ms": 30}, latency_ms=ms, half_width=width) == words


def test_every_time_has_the_width_of_its_own() -> None:
    assert told({"step_ms": 30}, step_ms=29.0, step_half_width=0.5, half_width=0.01) == ["untold"]
    assert told({"device_ms": 30}, device_ms=29.0, device_half_width=0.01, half_width=0.5) == []


@pytest.mark.parametrize(
    ("budgets", "code"),
    [
        ({"latency_ms": 11}, 0),
        ({"latency_ms": 9}, 3),
        ({"latency_ms": 10.0}, 4),
        ({"macs": 9, "latency_ms": 10.0}, 3),
        ({"macs": 10}, 0),
        ({"memory_bytes": 10}, 4),
    ],
)
def test_a_run_ends_with_its_budgets_code(tmp_path: Path, budgets: dict[str, float], code: int) -> None:
    run = stored(tmp_path, {"A": STEADY, "B": slower(0.99)}, spec={"budgets": budgets})
    assert exits.code_of(run.judged.outcome) == code
    assert {found.name for found in run.judged.excesses} <= {"A", "B"}


def test_a_variant_that_failed_is_not_within_a_budget_of_time(tmp_path: Path) -> None:
    records = [record("A"), record("B", status="failed", reason="killed")]
    run = stored(tmp_path, {"A": STEADY}, records=records, spec={"budgets": {"latency_ms": 11}})
    (found,) = run.judged.excesses
    assert (found.name, found.word, found.why) == ("B", "untold", "killed")


def test_the_base_of_a_comparison_is_not_held_to_the_new_specs_budgets(tmp_path: Path) -> None:
    records = [record("A", side="new"), record("B", side="base", exact=COUNTS | {"macs": 99})]
    run = stored(tmp_path, {"A": STEADY, "B": STEADY}, records=records, spec={"budgets": {"macs": 50}})
    assert run.judged.excesses == ()


def test_the_table_names_value_budget_and_how_many(tmp_path: Path) -> None:
    run = stored(tmp_path, {"A": STEADY}, spec={"budgets": {"latency_ms": 9, "macs": 9}})
    table = budget_table(run.judged.excesses, {"latency_ms": 9, "macs": 9})
    assert [(each["metric"], each["word"]) for each in table.rows] == [("latency_ms", "over"), ("macs", "over")]
    texts = [[column.format_cell(each) for column in table.columns] for each in table.rows]
    assert texts[0][:5] == ["A", "latency ms", "9.000", "over", "10.00"]
    assert 9.9 < float(texts[0][5]) < 10.0 < float(texts[0][6]) < 10.1
    assert texts[1] == ["A", "MACs G", "0.000", "over", "0.000", "-", "-", "-"]
    assert table.caption[0].endswith("2 over")


@pytest.mark.parametrize("budgets", [[], {"latency_ms": "x"}, {"latency_ms": -1}, {"nothing": 1}, {"macs": True}])
def test_a_stored_budget_is_data_not_to_be_trusted(tmp_path: Path, budgets: Any) -> None:
    with pytest.raises(ResultsError, match=r"run.json: damaged: spec.budgets is not numbers over 0 by metric"):
        stored(tmp_path, {"A": STEADY}, spec={"budgets": budgets})


@pytest.mark.process
@pytest.mark.slow
def test_run_and_report_end_with_3_over_a_budget_and_4_where_latency_was_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for budgets, code in (("{mparams: 13.8}", 0), ("{mparams: 13}", 3), ("{latency_ms: 30}", 4)):
        Path("spec.yaml").write_text(SPEC.replace("BUDGETS", budgets))
        assert exit_code_of(["run", "spec.yaml", "--device", "none", "--json"]) == code
        found = json.loads(capsys.readouterr().out)
        assert exit_code_of(["report", found["run"], "--json"]) == code
        assert json.loads(capsys.readouterr().out)["budgets"] == found["budgets"]
        assert [each["name"] for each in found["budgets"]] == ([] if code == 0 else [*BOTH[code]])
    assert exit_code_of(["run", "spec.yaml", "--device", "none", "--quiet"]) == 4
    assert "2 not shown to be within" in capsys.readouterr().out


def test_json_has_excesses_in_base_units_under_the_names_of_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [record("A"), record("B", status="failed", reason="killed")]
    run = stored(tmp_path, {"A": STEADY}, records=records, spec={"budgets": {"latency_ms": 9, "macs": 9}})
    assert exit_code_of(["report", str(run.path), "--json"]) == 3
    told = [
        tuple(each[name] for name in ("name", "metric", "budget", "value", "low", "high", "word", "why"))
        for each in json.loads(capsys.readouterr().out)["budgets"]
    ]
    assert told[0][:4] == ("A", "latency_ms", 9, pytest.approx(10.0))
    assert 9.9 < told[0][4] < 10 < told[0][5] < 10.1
    assert told[1:] == [
        ("A", "macs", 9, 10, None, None, "over", None),
        ("B", "macs", 9, 10, None, None, "over", None),
        ("B", "latency_ms", 9, None, None, None, "cannot be told", "killed"),
    ]


@pytest.mark.process
def test_where_all_are_within_a_line_says_so_and_a_table_for_programs_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text(SPEC.replace("BUDGETS", "{mparams: 14}"))
    assert exit_code_of(["run", "spec.yaml", "--device", "none", "--quiet"]) == 0
    assert capsys.readouterr().out.endswith("budgets (params M 14.00): all are within\n")
    Path("spec.yaml").write_text(SPEC.replace("BUDGETS", "{mparams: 13}"))
    assert exit_code_of(["run", "spec.yaml", "--device", "none", "--quiet"]) == 3
    assert "13.77" in capsys.readouterr().out
    assert exit_code_of(["report", "@latest", "--format", "csv"]) == 3
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3
    assert "1 over" in printed.err


@pytest.mark.process
@pytest.mark.slow
def test_budgets_reach_ci_what_is_over_fails_and_what_cannot_be_told_does_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 13.77 M and 11.6 M parameters only the first is over 13 M; nobody measured a latency."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    command = ["run", "spec.yaml", "--device", "none", "--quiet", "--github", "--junit", "j.xml"]
    for budgets, code, kinds, notes in (
        (
            "{mparams: 13}",
            3,
            {"channels=64": [], "channels=256": ["failure"]},
            ["error title=over::channels=256: params"],
        ),
        ("{latency_ms: 30}", 4, {key: ["error"] for key in BOTH[4]}, ["warning title=cannot be told::channels="] * 2),
        ("{mparams: 14}", 0, {key: [] for key in BOTH[4]}, []),
        (  # what is over is said before what cannot be told
            "{latency_ms: 30, mparams: 13}",
            3,
            {"channels=64": ["error"], "channels=256": ["failure"]},
            ["error title=over::channels=256: params", "warning title=cannot be told::channels=64: latency"],
        ),
    ):
        Path("spec.yaml").write_text(SPEC.replace("BUDGETS", budgets))
        assert exit_code_of(command) == code
        out = capsys.readouterr().out
        found = [line for line in out.splitlines() if line.startswith("::")]
        assert len(found) == len(notes) + 1
        assert all(line.startswith(f"::{note}") for line, note in zip(found, notes, strict=False))
        assert found[-1].startswith("::notice title=archbench run::budgets (")
        cases = {case.get("name"): [child.tag for child in case] for case in ET.parse("j.xml").iter("testcase")}
        assert cases == kinds
        suites = ET.parse("j.xml").getroot()
        assert [suites.get(name) for name in ("tests", "failures")] == ["2", str(int(code == 3))]
    assert "## archbench run\n\n| name | metric | budget | verdict |" in Path("summary.md").read_text()


def test_a_variant_that_failed_is_no_passed_case_though_its_counts_are_within(tmp_path: Path) -> None:
    records = [record("A"), record("B", status="failed", reason="killed")]
    run = stored(tmp_path, {"A": STEADY}, records=records, spec={"budgets": {"macs": 50}})
    (suite,) = make_suites(run.judged)
    assert [(case.name, case.ends, case.faults) for case in suite.cases] == [
        ("B", "untold", ("killed",)),
        ("A", "passes", ()),
    ]


BOTH = {3: ["channels=256"], 4: ["channels=64", "channels=256"]}


def test_budgets_are_part_of_the_spec_and_a_spec_without_any_reads_as_before(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace("BUDGETS", "{gmacs: 1}"))
    assert read_spec(path).as_json()["budgets"] == {"macs": 1e9}
    path.write_text(SPEC.replace("budgets: BUDGETS\n", ""))
    assert "budgets" not in read_spec(path).as_json()


def reviewed(folder: Path, budgets: dict[str, float]) -> Run:
    """Five that took 5, 10, 11, 12 and 15 ms, and one that failed; the fastest has too many MACs for a budget of 50 G."""
    milliseconds = {"wide": 0.5, "small": 1.0, "large": 1.1, "edge": 1.2, "slow": 1.5}
    gmacs = {"wide": 99, "small": 10, "large": 40, "edge": 20, "slow": 30}
    records = [record(name, exact=COUNTS | {"macs": count * 10**9}) for name, count in gmacs.items()]
    records.append(record("broken", status="failed", reason="killed", exact=COUNTS | {"macs": 10**9}))
    times = {name: slower(factor) for name, factor in milliseconds.items()}
    times["edge"].reverse()  # generations that no factor makes alike: every interval has a width
    run = stored(folder, times, records=records, spec={"budgets": budgets})
    rewrite_report(run.stored_run.folder)
    return run


BUDGETS = {"latency_ms": 12.0, "macs": 50 * 10**9}
STANDINGS = {
    "wide": "over",
    "small": "within",
    "large": "within",
    "edge": "cannot be told",
    "slow": "over",
    "broken": "cannot be told",
}


def test_the_page_says_at_its_top_which_budgets_there_are_who_keeps_them_and_which_of_those_to_take(
    tmp_path: Path,
) -> None:
    page = Page((reviewed(tmp_path, BUDGETS).path / "report.html").read_text())
    assert page.answers["Budgets"] == (
        "latency 12.00 ms and MACs 50.000 G. Variants: 2 within, 2 over, 2 cannot be told."
    )
    assert page.answers["Fastest"].startswith("wide: 5.0")
    assert page.answers["Fastest within them"].startswith("small: 10.00 ms ±")
    assert page.answers["Most MACs within them"].startswith("large: 40.000 G, 11.00 ms ±")
    assert page.tables["Within the budgets"] == [
        ["budgets", "variants", "which"],
        ["within", "2", "small; large"],
        ["over", "2", "wide; slow"],
        ["cannot be told", "2", "edge; broken"],
    ]


def test_the_page_says_of_each_that_is_not_within_which_budget_by_how_much_and_why(tmp_path: Path) -> None:
    page = Page((reviewed(tmp_path, BUDGETS).path / "report.html").read_text())
    heading, *rows = page.tables["Over a budget, or cannot be told"]
    assert heading == ["name", "metric", "budget", "verdict", "value", "95% from", "to", "why"]
    assert [(row[0], row[1], row[2], row[3], row[7]) for row in rows] == [
        ("wide", "MACs G", "50.000", "over", "-"),
        ("slow", "latency ms", "12.00", "over", "-"),
        ("edge", "latency ms", "12.00", "cannot be told", "its interval holds it"),
        ("broken", "latency ms", "12.00", "cannot be told", "killed"),
    ]
    assert rows[0][4] == "99.000"
    assert rows[1][4] == "15.00"
    assert 12 < float(rows[1][5]) < 15 < float(rows[1][6])


def test_every_table_of_the_run_says_how_each_row_stands(tmp_path: Path) -> None:
    run = reviewed(tmp_path, BUDGETS)
    heading, *rows = Page((run.path / "report.html").read_text()).tables["All variants"]
    assert {row[0]: row[heading.index("budgets")] for row in rows} == STANDINGS
    with (run.path / "table.csv").open() as file:
        assert {row["name"]: row["budgets"] for row in csv.DictReader(file)} == STANDINGS
    assert {row["name"]: row["budgets"] for row in run.judged.table.rows} == STANDINGS


def test_the_markdown_report_has_the_budgets_as_a_table_of_their_own(tmp_path: Path) -> None:
    run = reviewed(tmp_path, BUDGETS)
    _, after = (run.path / "report.md").read_text().split("\n\n| name | metric |")
    lines = [line for line in after.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[:4] for line in lines[1:]] == [
        ["| wide", "MACs G", "50.000", "over"],
        ["| slow", "latency ms", "12.00", "over"],
        ["| edge", "latency ms", "12.00", "cannot be told"],
        ["| broken", "latency ms", "12.00", "cannot be told"],
    ]
    assert after.endswith("- budgets (latency ms 12.00, MACs G 50.000): 2 over, 2 not shown to be within\n")


def test_where_all_keep_them_the_reports_say_so_and_a_run_without_budgets_says_nothing_of_any(tmp_path: Path) -> None:
    run = stored(tmp_path, {"A": STEADY}, spec={"budgets": {"macs": 50}})
    rewrite_report(run.stored_run.folder)
    page = Page((run.path / "report.html").read_text())
    assert page.answers["Budgets"] == "MACs 0.000 G. Variants: 1 within."
    assert page.answers["Fastest within them"] == "A, the fastest of all."
    assert "Over a budget, or cannot be told" not in page.tables
    assert (run.path / "report.md").read_text().endswith("\n\n- budgets (MACs G 0.000): all are within\n")
    plain = stored(tmp_path, {"A": STEADY})
    rewrite_report(plain.stored_run.folder)
    assert not any("udget" in (plain.path / name).read_text() for name in ("report.md", "table.csv"))
    assert "Budgets" not in Page((plain.path / "report.html").read_text()).answers


def test_of_very_many_over_budget_the_markdown_report_still_fits_a_comment(tmp_path: Path) -> None:
    records = [record(f"variant {n:04} " + "w" * 60, exact=COUNTS) for n in range(1000)]
    run = stored(tmp_path, {}, records=records, spec={"budgets": {"macs": 9}})
    text = markdown.render_markdown_tables(run.judged.table, [run.judged.budget_table])  # type: ignore[list-item]
    assert len(text) <= 65_536
    assert text.endswith("1000 over\n")
    assert re.search(r"- [\d,]+ of 1,000 rows are left out.*\n.*\n[^|]*\n\| name \| metric", text, re.DOTALL)
