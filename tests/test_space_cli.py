"""Large spaces from outside: price with its questions, check, and a run of the few that are chosen."""

import json
from functools import cache
from pathlib import Path

import duckdb
import pytest
from small_space import SELECT, SMALL, one_by_one

from archbench.cli import exit_code_of
from archbench.design.spec.spec import read_spec
from archbench.metrics import EXACT

SPEC = (
    SMALL
    + """\
  top_block.type: [none, maxpool]
exclude: [{neck.channels: 64, top_block.type: none}]
reference: {backbone.depths: [2, 2, 2, 2], backbone.width: 1.0}
constraints: [gmacs < 0.5]
"""
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text(SPEC)
    return tmp_path


def said(capsys, *arguments, code=0):
    assert exit_code_of(arguments) == code, capsys.readouterr().err
    return capsys.readouterr()


def costs_one_by_one():
    return [item.cost for item in alone()]


@cache
def alone():
    """Every variant of the spec, which is the same in all folders."""
    return one_by_one(read_spec("spec.yaml"))


def beats(one, other):
    a, b = ((cost.acts, cost.peak_bytes, -cost.macs) for cost in (one, other))
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def test_price_shows_those_with_the_least_of_what_is_asked_and_the_reference(folder, capsys):
    question = ("--where", "mparams < 8 and neck.channels == 192", "--by", "macs", "--top", "3")
    out = said(capsys, "price", "spec.yaml", *question, "--json").out
    rows = [row for row in json.loads(out)["variants"] if not row["reference"]]
    inside = [
        item.cost.macs
        for item in alone()
        if item.cost.macs < 500_000_000 and item.cost.params < 8_000_000 and item.variant.axes["neck.channels"] == 192
    ]
    assert [row["macs"] for row in rows] == sorted(inside)[:3]
    assert all(type(row[metric]) is int for row in rows for metric in EXACT)
    assert all(len(row["id"]) == 16 and row["name"] for row in rows)


def test_price_shows_the_most_where_less_is_asked_for_of_the_negative(folder, capsys):
    out = said(capsys, "price", "spec.yaml", "--by=-macs", "--top", "1", "--json").out
    (row,) = [row for row in json.loads(out)["variants"] if not row["reference"]]
    assert row["macs"] == max(cost.macs for cost in costs_one_by_one() if cost.macs < 500_000_000)


def test_a_row_is_marked_where_it_is_on_the_front_of_all_and_not_of_those_shown(folder, capsys):
    rows = json.loads(said(capsys, "price", "spec.yaml", "--by", "macs", "--top", "40", "--json").out)["variants"]
    kept = [cost for cost in costs_one_by_one() if cost.macs < 500_000_000]
    front = {(cost.macs, cost.acts, cost.peak_bytes) for cost in kept if not any(beats(other, cost) for other in kept)}
    marks = {(row["macs"], row["acts"], row["peak_bytes"]): row["pareto"] for row in rows if not row["reference"]}
    assert marks == {point: point in front for point in marks}
    assert set(marks.values()) == {True, False}


def test_price_says_how_many_there_were_at_each_step(folder, capsys):
    found = json.loads(said(capsys, "price", "spec.yaml", "--json").out)
    costs = costs_one_by_one()
    refused = sum(cost.macs >= 500_000_000 for cost in costs)
    assert found["space"]["raw"] == 8 * 3 * 3 * 2
    assert found["space"]["excluded"] == 8 * 3
    assert found["space"]["refused"] == {"gmacs < 0.5": refused}
    assert found["space"]["kept"] == len(costs) - refused
    assert found["space"]["chosen"] == 6
    (line,) = [line for line in found["caption"] if line.startswith("of 144 variants")]
    assert line == f"of 144 variants 24 excluded, 0 the same network, {refused} refused by constraints"
    assert any("least acts and peak, most MACs" in line for line in found["caption"])


def test_price_writes_every_variant_to_parquet_and_prints_the_few(folder, capsys):
    out = said(capsys, "price", "spec.yaml", "--parquet", "space.parquet")
    assert "every variant is in space.parquet" in out.err
    assert "small" in out.out
    with duckdb.connect() as connection:
        macs = connection.query("SELECT macs FROM 'space.parquet'").fetchall()
    assert sorted(value for (value,) in macs) == sorted(cost.macs for cost in costs_one_by_one())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gmacs <", "--where: gmacs <: not an expression"),
        ("open('x')", "--where: open('x'): calling open"),
        ("gmacs.__class__ == 1", "--where: gmacs.__class__"),
        ("gmac < 3", "Did you mean gmacs?"),
        ("gmacs", "--where: gmacs: it is"),
        ("9**9**9 > 1", "--where: 9**9**9 > 1: the exponent"),
    ],
)
def test_a_question_that_is_none_is_refused_where_it_stands(folder, capsys, text, message):
    err = said(capsys, "price", "spec.yaml", "--where", text, code=2).err
    assert message in err
    assert "--where" in err
    assert "Traceback" not in err


def test_a_parquet_file_that_cannot_be_written_is_refused(folder, capsys):
    err = said(capsys, "price", "spec.yaml", "--parquet", "nowhere/space.parquet", code=4).err
    assert "--parquet nowhere/space.parquet: its folder cannot be written; name a file in one that can" in err


def test_check_counts_every_step_to_the_front(folder, capsys):
    counts = json.loads(said(capsys, "check", "spec.yaml", "--json").out)
    costs = costs_one_by_one()
    kept = [cost for cost in costs if cost.macs < 500_000_000]
    assert (counts["raw"], counts["excluded"], counts["duplicates"]) == (144, 24, 0)
    assert counts["refused"] == {"gmacs < 0.5": len(costs) - len(kept)}
    assert counts["kept"] == len(kept)
    assert counts["variants"] == len(kept) + 1  # the reference is refused, and stays
    assert counts["front"] == sum(not any(beats(other, cost) for other in kept) for cost in kept)
    assert (
        f"{counts['front']} on the Pareto front: least acts and peak, most MACs"
        in said(capsys, "check", "spec.yaml").out
    )


def test_check_of_a_few_without_a_selection_counts_what_price_lists(folder, capsys):
    Path("few.yaml").write_text(SPEC.replace(SELECT, ""))
    counts = json.loads(said(capsys, "check", "few.yaml", "--json").out)
    rows = json.loads(said(capsys, "price", "few.yaml", "--json").out)["variants"]
    assert counts["variants"] == len(rows)


@pytest.mark.process
def test_a_run_keeps_the_front_and_its_report_says_what_was_never_measured(folder, capsys):
    found = json.loads(said(capsys, "run", "spec.yaml", "--device", "none", "--json", "--quiet").out)
    priced = json.loads(said(capsys, "price", "spec.yaml", "--json").out)
    assert [row["id"] for row in found["variants"]] == [row["id"] for row in priced["variants"]]
    counts = priced["space"]
    header = json.loads((Path(found["run"]) / "run.json").read_text())
    assert header["space"] == counts
    report = (Path(found["run"]) / "report.md").read_text()
    assert (
        f"of the {counts['kept']} left {counts['front']} are on the Pareto front of least acts and peak, most MACs"
        in report
    )
    assert (
        "6 of the front, the least crowded, are here beside the reference; "
        f"the other {counts['kept'] - 6} within the constraints were never measured" in report
    )
    again = json.loads(said(capsys, "report", found["run"], "--json").out)
    assert again["caption"] == found["caption"]


SCORED = """\
archbench: 1
name: scored
base: R-50-FPN
input: {height: 64, width: 64}
axes: {neck.channels: [64, 128, 192, 256]}
scores: map.csv
select: {limit: 2}
"""


def front_said(capsys, *arguments):
    """The rows that a command shows, with their marks, and its line on the front."""
    found = json.loads(said(capsys, *arguments, "--json").out)
    (line,) = [line for line in found["caption"] if "left" in line and "on the Pareto front of" in line]
    return {row["name"]: row["pareto"] for row in found["variants"]}, line, found["caption"]


@pytest.mark.process
@pytest.mark.parametrize("command", [("price", "s.yaml"), ("run", "s.yaml", "--device", "none", "--quiet")])
@pytest.mark.parametrize("select", ["{limit: 2}", "{minimize: [peak_bytes], maximize: [score], limit: 2}"])
def test_scores_of_a_spec_that_selects_are_what_its_front_is_over(folder, capsys, command, select):
    """The smallest network has the most score, so it alone is on the front; by MACs all four would be."""
    Path("map.csv").write_text("name,score\nchannels=64,0.9\nchannels=128,0.5\nchannels=192,0.4\nchannels=256,0.1\n")
    Path("s.yaml").write_text(SCORED.replace("{limit: 2}", select))
    rows, line, caption = front_said(capsys, *command)
    assert rows == {"channels=256": False, "channels=64": True}
    assert line.startswith("of the 4 left 1 are on the Pareto front of least")
    assert line.endswith("peak, most score")
    assert not any("scores of no" in said for said in caption)
    assert "1 on the Pareto front: least" in said(capsys, "check", "s.yaml").out


def test_a_row_without_a_score_is_on_no_front_over_it_and_that_is_said(folder, capsys):
    Path("map.csv").write_text("name,score\nchannels=128,0.5\nchannels=192,0.6\nchannels=96,0.7\n")
    Path("s.yaml").write_text(SCORED)
    rows, line, caption = front_said(capsys, "price", "s.yaml")
    assert rows == {"channels=256": False, "channels=128": True, "channels=192": True}
    assert line.endswith("most score; 2 have no score and cannot be on it")
    assert "scores of no row here: channels=96" in caption
    out = said(capsys, "check", "s.yaml").out
    assert "most score; 2 have no score and cannot be on it" in out
    assert "scores of no variant: channels=96" in out


@pytest.mark.parametrize("command", ["price", "check", "run"])
def test_a_front_over_scores_of_more_variants_than_are_named_is_refused(folder, capsys, command):
    Path("map.csv").write_text("name,score\nchannels=128,0.5\n")
    axes = "{neck.channels: {range: [16, 512, 1]}, backbone.width: {range: [0.5, 1.4, 0.1]}}"
    Path("s.yaml").write_text(SCORED.replace("{neck.channels: [64, 128, 192, 256]}", axes))
    err = said(capsys, command, "s.yaml", code=2).err
    assert "s.yaml:6:1: scores: a front over them looks each variant up by name and id, up to 4,096 of them" in err
    assert "not 4,970; let MACs stand for the score, `select: {minimize: [peak_bytes], maximize: [macs]}`" in err
    priced = said(capsys, "price", "s.yaml", "--set", "select.minimize=[macs]", "--json").out
    assert "1 are on the Pareto front of least MACs" in priced


def test_the_demonstration_spans_over_three_million_and_has_every_kind_of_part():
    spec = read_spec(Path(__file__).parent.parent / "specs" / "detector_space.yaml")
    paths = {path for axis in spec.axes for path in axis.paths}
    assert len(paths) >= 8
    assert {path.split(".")[0] for path in paths} == {"backbone", "neck", "top_block", "input"}
