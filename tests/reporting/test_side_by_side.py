"""Several runs in one table: matched by id, a column a device, nothing of one run read as another's."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, opened
from made_runs import ENVIRONMENT, priced, stored, write_spec
from rich.console import Console

from archbench import units
from archbench.comparison.of_run import JudgedRun, judge_run
from archbench.reporting.formats import markdown, parquet, terminal, text_formats
from archbench.reporting.page import html
from archbench.reporting.page.charts import Chart
from archbench.reporting.page.drawing import SERIES
from archbench.reporting.page.several_runs import review_together
from archbench.reporting.side_by_side import label_runs, tabulate_runs
from archbench.runs.records import Record
from archbench.runs.run import read_folder
from archbench.tables.table import Table

CPU = ENVIRONMENT | {"device": "cpu", "gpus": [], "gpu": None}
SPEC = (
    "archbench: 1\nname: sweep\nbase: R-18-FPN\ninput: {height: 64, width: 64}\naxes: {neck.channels: [64, 128, 256]}\n"
)


def points(chart: Chart) -> list[dict[str, Any]]:
    return list(next(layer for layer in chart.spec["layer"] if layer["mark"].get("filled"))["data"]["values"])


def printed(table: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    terminal.print_table(table, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return priced(write_spec(tmp_path, SPEC))


def run(folder: Path, records: list[Record], milliseconds: list[float], **given: Any) -> JudgedRun:
    spec = write_spec(folder, SPEC)
    told = {each.id: ms for each, ms in zip(records, milliseconds, strict=False)}
    return stored(folder, spec, records, told, **given).judged


def test_a_variant_is_one_row_with_its_latency_on_each_device_and_null_where_a_run_lacks_it(
    tmp_path: Path, records: list[Record]
) -> None:
    gpu = run(tmp_path, records, [1.0, 2.0, 3.0])
    cpu = run(tmp_path, records[1:], [20.0, 30.0], environment=CPU)
    table = tabulate_runs([gpu, cpu])
    assert [row["name"] for row in table.rows] == [each.name for each in records]
    for label, of in (("H100 80GB", gpu), ("EPYC 9654", cpu)):
        alone = {row["id"]: row for row in of.table.rows}
        for row in table.rows:
            for name in ("latency_ms", "half_width", "ratio", "memory_bytes", "pareto"):
                assert row[f"{name}@{label}"] == alone.get(row["id"], {}).get(name)
    assert table.rows[0]["latency_ms@EPYC 9654"] is None
    kinds = {column.name: column.kind for column in table.columns}
    assert kinds["latency_ms@EPYC 9654"] == "measured"
    assert kinds["macs"] == "exact"


def test_exact_counts_stand_once_and_a_difference_between_versions_is_said(
    tmp_path: Path, records: list[Record]
) -> None:
    other = [replace(each, exact=dict(each.exact or {}) | {"kernels": 1}) for each in records[:1]] + records[1:]
    same = tabulate_runs([run(tmp_path, records, [1.0, 2.0, 3.0]), run(tmp_path, records, [1.0, 2.0, 3.0])])
    table = tabulate_runs([run(tmp_path, records, [1.0, 2.0, 3.0]), run(tmp_path, other, [1.0, 2.0, 3.0])])
    assert [column.name for column in table.columns].count("macs") == 1
    assert table.rows[0]["kernels"] == (records[0].exact or {})["kernels"]
    assert f"exact counts differ between the runs, the first is shown: {records[0].name}" in table.distrust
    assert not any("differ" in said for said in same.caption)


def test_runs_on_one_kind_of_device_are_told_apart_by_their_ids(tmp_path: Path, records: list[Record]) -> None:
    runs = [run(tmp_path, records, [1.0, 2.0, 3.0]) for _ in range(2)]
    assert label_runs(runs) == [f"H100 80GB ({each.stored_run.folder.path.name[-4:]})" for each in runs]


def test_no_two_labels_are_alike_and_no_run_is_lost_by_its_label(tmp_path: Path, records: list[Record]) -> None:
    made = [run(tmp_path, records, [1.0 + place, 2.0, 3.0]) for place in range(3)]
    ids = ["20260101-000000-aaaa", "20260102-000000-aaaa", "20260103-000000-bbbb"]
    moved = [
        judge_run(read_folder(replace(each.stored_run.folder, path=each.stored_run.folder.path.rename(tmp_path / new))))
        for each, new in zip(made, ids, strict=True)
    ]
    assert label_runs(moved) == ["H100 80GB (aaaa) 1", "H100 80GB (aaaa) 2", "H100 80GB (bbbb)"]
    assert label_runs([moved[0], moved[0]]) == ["H100 80GB (aaaa) 1", "H100 80GB (aaaa) 2"]
    for label, each in zip(label_runs(moved), moved, strict=True):
        place = f"{tmp_path.name}/{each.stored_run.folder.path.name}"
        assert (
            f"{label}: cuda:0 (NVIDIA H100 80GB HBM3, 16 cores), torch 2.14.1, {place}" in tabulate_runs(moved).caption
        )
    latencies = [column.name for column in tabulate_runs(moved).columns if column.name.startswith("latency_ms@")]
    assert [tabulate_runs(moved).rows[0][name] for name in latencies] == [
        each.table.rows[0]["latency_ms"] for each in moved
    ]


def test_a_star_before_a_name_is_on_the_front_of_each_run_that_has_it(tmp_path: Path, records: list[Record]) -> None:
    """The first beats the second in latency, memory and score; the second run lacks the first."""
    scores = {each.name: score for each, score in zip(records, [5.0, 1.0, 9.0], strict=True)}
    runs = [
        run(tmp_path, records, [1.0, 2.0, 3.0], scores=scores),
        run(tmp_path, records[1:], [2.0, 3.0], environment=CPU, scores=scores),
    ]
    table = tabulate_runs(runs)
    assert [row["pareto"] for row in table.rows] == [True, False, True]
    assert [row["pareto@EPYC 9654"] for row in table.rows] == [None, True, True]
    starred = [line for line in table.caption if "*" in line]
    assert len(starred) == 1
    assert starred[0].startswith("* in a run's column is on its Pareto front, * before a name on that of each run that")


def test_a_failure_and_what_to_distrust_say_on_which_device(tmp_path: Path, records: list[Record]) -> None:
    warned = [replace(records[0], warnings=("not steady",)), *records[1:]]
    table = tabulate_runs([run(tmp_path, warned, [1.0, 2.0, 3.0]), run(tmp_path, records, [1.0, 2.0], environment=CPU)])
    assert (table.rows[2]["status"], table.rows[2]["latency_ms@H100 80GB"] is None) == ("failed", False)
    assert table.rows[2]["reason"].startswith("EPYC 9654: out of memory")
    assert f"H100 80GB: not steady ({records[0].name})" in table.distrust
    assert "EPYC 9654: 1 of 3 failed" in table.distrust
    assert set(table.distrust) <= set(table.caption)


def test_every_format_takes_the_table_of_all(tmp_path: Path, records: list[Record]) -> None:
    runs = [run(tmp_path, records, [1.0, 2.0, 3.0]), run(tmp_path, records, [9.0, 8.0, 7.0], environment=CPU)]
    table = tabulate_runs(runs)
    assert "latency_ms@EPYC 9654" in text_formats.render_csv(table).splitlines()[0]
    assert "latency ms, H100 80GB" in markdown.render_markdown(table)
    assert parquet.render_parquet(table).startswith(b"PAR1")
    assert {column.name for column in table.columns if column.priority == 1} == {
        "latency_ms@H100 80GB",
        "latency_ms@EPYC 9654",
    }
    assert terminal.choose_columns(table.columns, table.rows, 100)[0].name == "name"


def test_the_page_of_all_names_the_fastest_on_each_device(tmp_path: Path, records: list[Record]) -> None:
    runs = [run(tmp_path, records, [1.0, 2.0, 3.0]), run(tmp_path, records, [9.0, 8.0, 7.0], environment=CPU)]
    review = review_together(runs)
    told = dict(review.answers)
    assert told["Fastest on H100 80GB"].startswith(f"{records[0].name}: ")
    assert told["Fastest on EPYC 9654"].startswith(f"{records[2].name}: ")
    assert {point["color"] for point in points(review.charts[0])} == {"H100 80GB", "EPYC 9654"}
    text = html.render_html(review)
    assert "H100 80GB: begun" in text
    assert text.count("<svg") == len(review.charts) == 2


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from chromium()


def on_four(tmp_path: Path, records: list[Record]) -> list[JudgedRun]:
    """One network after the other in a run on a GPU and three on one kind of CPU, 1, 10, 20 and 30 times as long."""
    times = [[scale * ms for ms in (1.0, 2.0, 3.0)] for scale in (1, 10, 20, 30)]
    return [
        run(tmp_path, records, ms, environment=ENVIRONMENT if place == 0 else CPU) for place, ms in enumerate(times)
    ]


@pytest.mark.parametrize("prefix", ["", "backbone.width=1.125,top_block=p6p7,input.width=1333,"])
def test_at_80_columns_each_of_four_runs_has_its_latency_under_a_number_that_is_told(
    tmp_path: Path, records: list[Record], prefix: str
) -> None:
    runs = on_four(tmp_path, [replace(each, name=prefix + each.name) for each in records])
    lines = printed(tabulate_runs(runs), 80)
    grid = lines[: lines.index("")]
    assert max(map(len, grid)) <= 80
    headings = [re.findall(r"ms #\d", line) for line in grid]
    assert ["ms #1", "ms #2", "ms #3", "ms #4"] in headings
    for place, row in enumerate(runs[0].table.rows):
        cells = [f"{units.format_milliseconds(each.table.rows[place]['latency_ms'])}" for each in runs]
        assert any(re.search(r"\s.*".join(map(re.escape, cells)), line) for line in grid), row["name"]
    told = ", ".join(f"#{number} is {label}" for number, label in enumerate(label_runs(runs), 1))
    assert told in lines
    assert next(line for line in lines if line.startswith("left out")).count("q25 ms") == 1


def test_where_there_is_room_runs_are_called_by_their_names(tmp_path: Path, records: list[Record]) -> None:
    table = tabulate_runs(on_four(tmp_path, records)[:2])
    wide, narrow = printed(table, 160), printed(table, 66)
    assert not any("#" in line for line in wide)
    assert any("ms, H100 80GB" in line and "ms, EPYC 9654" in line for line in wide)
    assert "#1 is H100 80GB, #2 is EPYC 9654" in narrow


def test_the_charts_of_all_have_a_line_and_a_reference_a_run_in_its_colour(
    tmp_path: Path, records: list[Record]
) -> None:
    """Each network takes longer and computes more than the one before it: all are on each run's line, none on the other's."""
    runs = on_four(tmp_path, records)[:2]
    chart = review_together(runs).charts[0]
    lines = [layer for layer in chart.spec["layer"] if layer["mark"]["type"] == "line"]
    assert [layer["mark"]["color"] for layer in lines] == list(SERIES[:2])
    for layer, each in zip(lines, runs, strict=True):
        assert [value["y"] for value in layer["data"]["values"]] == [row["latency_ms"] for row in each.table.rows]
    colors = next(layer for layer in chart.spec["layer"] if layer["mark"].get("filled"))["encoding"]["color"]
    assert list(zip(colors["scale"]["domain"], colors["scale"]["range"], strict=True)) == list(
        zip(label_runs(runs), SERIES[:2], strict=True)
    )
    rings = [layer for layer in chart.spec["layer"] if layer["mark"].get("filled") is False]
    places = [(value["x"], value["y"]) for value in rings[0]["data"]["values"]]
    references = [row for each in runs for row in each.table.rows if row["reference"]]
    assert places == [(row["macs"] / 1e9, row["latency_ms"]) for row in references]
    assert len(places) == 2
    assert chart.note == (
        "bars are 95 % intervals, a ring is a run's reference; dashed: most MACs for least latency, a line a run"
    )


def test_with_scores_the_line_is_of_score_for_latency(tmp_path: Path, records: list[Record]) -> None:
    scores = {each.name: 30.0 + place for place, each in enumerate(records)}
    runs = [run(tmp_path, records, [1.0, 2.0, 3.0], scores=scores) for _ in range(2)]
    charts = {chart.name: chart for chart in review_together(runs).charts}
    drawn = {
        name: sum(each["mark"]["type"] == "line" for each in chart.spec["layer"]) for name, chart in charts.items()
    }
    assert drawn == {"latency": 0, "score": 2, "memory": 0}


def test_the_legend_of_four_long_names_stays_within_the_drawing(
    browser: Any, tmp_path: Path, records: list[Record]
) -> None:
    path = tmp_path / "page.html"
    path.write_text(html.render_html(review_together(on_four(tmp_path, records))))
    for width in (1280, 390):
        with opened(browser, path, width=width) as seen:
            box = seen.locator("#chart-latency svg").bounding_box()
            words = [each.bounding_box() for each in seen.locator("#chart-latency svg text").all()]
        assert max(each["x"] + each["width"] for each in words) <= box["x"] + box["width"] + 1
