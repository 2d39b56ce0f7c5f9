"""A run as a Python program or a notebook has it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from stored_runs import STEADY, slower, stored

import archbench


def test_it_is_said_in_two_lines_with_its_device_and_how_its_variants_ended(tmp_path: Path) -> None:
    run = stored(tmp_path, {"A": STEADY, "B": slower(1.1)})
    assert repr(archbench.read_run(run.path)) == f"<Run 'sweep' on cpu: 2 measured\n {run.path}>"


def test_its_table_is_a_data_frame_of_its_rows(tmp_path: Path) -> None:
    table = stored(tmp_path, {"A": STEADY, "B": slower(1.1)}).table()
    assert isinstance(table, pd.DataFrame)
    assert list(table["name"]) == ["A", "B"]
    assert table["macs"].dtype == "Int64"


def test_a_notebook_shows_the_table_and_nothing_in_it_is_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    html = stored(tmp_path, {evil: STEADY, "B": slower(1.1)})._repr_html_()
    assert "<script" not in html
    assert "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>" in html
    (columns, rows, cells) = (html.count(f"<{tag}>") for tag in ("th", "tr", "td"))
    assert (rows, cells) == (1 + 2, 2 * columns)
    assert "<th>latency ms</th>" in html
    assert "<td>10.00</td>" in html


def test_a_notebook_shows_the_forty_rows_that_tell_most(tmp_path: Path) -> None:
    html = stored(tmp_path, {f"v{place}": slower(1 + place / 100) for place in range(41)})._repr_html_()
    assert (html.count("<tr>"), html.endswith("<p>40 of 41 variants</p>")) == (41, True)


def test_runs_that_were_read_are_compared_as_they_are(tmp_path: Path) -> None:
    base, new = stored(tmp_path, {"A": STEADY}), stored(tmp_path, {"A": slower(1.1)})
    found = archbench.compare(base, new)
    assert found.verdicts["A"].word == archbench.compare(base.path, new.path).verdicts["A"].word == "regressed"
    assert found.base.stored_run is base.stored_run
