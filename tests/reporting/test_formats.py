"""Each format read back: the same cells, nothing lost, and no name that does anything but stand there."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import tempfile
from dataclasses import dataclass, replace
from html import unescape
from html.parser import HTMLParser
from typing import Any

import duckdb
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from rich.console import Console
from runs_on_disk import COUNTS, record, summary

from archbench import units
from archbench.api import build_frame
from archbench.reporting.formats import markdown, parquet, terminal, text_formats
from archbench.reporting.formats.text_formats import RENDERERS
from archbench.reporting.page import html
from archbench.reporting.page.review import Review
from archbench.statistics.times import RunTimes
from archbench.tables.table import Table, build_table
from archbench.text import visible

EVIL = [
    "=cmd()",
    "+1",
    "-1",
    "@x",
    "a|b",
    "`rm`",
    "<script>",
    "two\nlines",
    "\x1b[31mred",
    "[bold]x[/bold]",
    "[link](http://x)",
    "\u202egnp",
    'quo"te',
    "a,b",
    "*_~",
    "&lt;",
    "\\",
    "# h",
    "\ud800",
    "\t=1",
    " lead",
    "é中",
]


def sweep() -> Table:
    records = [
        record("a", name="channels=64", axes={"neck.channels": 64, "backbone.depths": [3, 4, 6, 3]}, reference=True),
        record(
            "b",
            name="channels=128",
            axes={"neck.channels": 128, "backbone.depths": [3, 4, 23, 3]},
            exact=None,
            traced={"macs": 2**53 + 1},
            warnings=("not steady",),
        ),
        record("c", name="channels=256", axes={"neck.channels": 256}, status="failed", reason="out of memory"),
    ]
    summaries = {("a", 0): summary(10.25), ("b", 0): summary(20.5, half_width=None)}
    return build_table(
        records,
        RunTimes({"request": summaries}),
        reference=("a", 0),
        scores={"a": 37.4, "b": -1.5},
        title="fpn_sweep",
        notes=("budget 4m",),
    )


def named(names: list[str]) -> Table:
    records = [
        record(str(i), name=name, axes={"module": name}, status="failed", reason=name) for i, name in enumerate(names)
    ]
    return build_table(records, RunTimes(), reference=None, title=names[0], notes=tuple(names))


def printed(table: Table, width: int, **given: bool) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, **given)  # type: ignore[arg-type]
    terminal.print_table(table, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_csv_reads_back_as_the_rows() -> None:
    table = sweep()
    read = list(csv.DictReader(io.StringIO(text_formats.render_csv(table))))
    for row, cells in zip(table.rows, read, strict=True):
        for column in table.columns:
            value, cell = row.get(column.name), cells[column.name]
            if value is None:
                assert cell == ""
            elif column.holds == "integer":
                assert int(cell) == value
            elif column.holds == "number":
                assert float(cell) == value
            elif isinstance(value, bool):
                assert cell == str(value).lower()
            else:
                assert cell == str(value)
        assert json.loads(cells["kind"]) == row["kind"]
    assert read[1]["macs"] == str(2**53 + 1)
    assert read[0]["backbone.depths"] == "[3, 4, 6, 3]"


def test_csv_runs_nothing_in_a_spreadsheet_and_keeps_numbers_as_they_are() -> None:
    lines = text_formats.render_csv(named(EVIL)).split("\n")
    assert len(lines) == len(EVIL) + 2  # a header, a line each, the end
    read = list(csv.DictReader(io.StringIO("\n".join(lines))))
    for cells in read:
        assert not any(re.match(r"[=+\-@\t\r]", cell) for cell in cells.values())
    assert read[0]["name"] == "'=cmd()"
    assert list(csv.DictReader(io.StringIO(text_formats.render_csv(sweep()))))[1]["score"] == "-1.5"


def read_parquet(table: Table) -> list[dict[str, Any]]:
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(parquet.render_parquet(table))
        file.flush()
        read = duckdb.read_parquet(file.name)
        return [dict(zip(read.columns, row, strict=True)) for row in read.fetchall()]


def test_parquet_reads_back_as_the_rows_with_their_types() -> None:
    table = sweep()
    for row, read in zip(table.rows, read_parquet(table), strict=True):
        for column in table.columns:
            value = row.get(column.name)
            assert read[column.name] == (
                units.format_plain(value) if column.holds == "text" and value is not None else value
            )
            assert type(read[column.name]) in (type(value), str)
        assert json.loads(read["kind"]) == row["kind"]


def test_parquet_keeps_a_name_as_it_is_and_a_path_never_commands_the_query() -> None:
    text = [name.encode(errors="backslashreplace").decode() for name in EVIL]
    assert [row["name"] for row in read_parquet(named(EVIL))] == text
    axes = {"a'); DROP TABLE x; --": 1, 'b" AS c, "': 2, "neck.c": 3}
    read = read_parquet(build_table([record("a", axes=axes)], RunTimes(), reference=None, title="it's"))[0]
    assert [read[path] for path in axes] == [1, 2, 3]


def test_parquet_of_one_table_is_the_same_bytes() -> None:
    assert parquet.render_parquet(sweep()) == parquet.render_parquet(sweep())


def test_parquet_of_no_rows_has_its_columns() -> None:
    table = build_table([], RunTimes(), reference=None)
    assert read_parquet(table) == []
    assert len(parquet.render_parquet(table)) > 0


LATEX = {command: character for character, command in text_formats.SPECIAL.items()}


def latex_cells(line: str) -> list[str]:
    """What LaTeX sets: a cell's commands read back as the characters they print."""
    commands = re.compile("|".join(map(re.escape, sorted(LATEX, key=len, reverse=True))))
    assert line.endswith(r" \\")
    return [commands.sub(lambda found: LATEX[found[0]], cell) for cell in line[:-3].split(" & ")]


def latex_lines(table: Table) -> list[str]:
    body = text_formats.render_latex(table).split("\\toprule\n")[1].split("\\bottomrule")[0]
    return [line for line in body.splitlines() if line != r"\midrule"]


def test_latex_reads_back_as_what_a_person_reads() -> None:
    table = sweep()
    heading, *lines = latex_lines(table)
    shown = [column for column in table.columns if column.label in latex_cells(heading)]
    assert [column.label for column in shown] == latex_cells(heading)
    assert {"name", "macs", "latency_ms", "half_width", "pareto", "score", "reason"} <= {
        column.name for column in shown
    }
    for row, line in zip(table.rows, lines, strict=True):
        assert latex_cells(line) == [column.format_cell(row) for column in shown]


def test_latex_does_nothing_that_a_name_asks_for() -> None:
    """A row is a line; what commands is a command of ours, and no row begins with what ends the row before it otherwise."""
    evil = [*EVIL, r"\input{/etc/passwd}", "50% off", "$x$", "{", "}", "a & b", r"a \\ b", "[1cm]", "--", "^^M", "~"]
    _, *lines = latex_lines(named(evil))
    assert len(lines) == len(evil)
    ours = re.compile("|".join(map(re.escape, sorted(LATEX, key=len, reverse=True))))
    for line in lines:
        left = ours.sub("", line[: -len(r" \\")])
        assert not re.search(r"[\\{}$%#^~_`<>|\[\]*\"\u202e\x1b]|--", left), line
        assert left.count("&") == latex_lines(named(evil))[0].count(" & ")
    comments = [line for line in text_formats.render_latex(named(evil)).splitlines() if line.startswith("%")]
    assert "% " + r"\input{/etc/passwd}" in comments


class Cells(HTMLParser):
    """The cells of the page's table, by row, as a browser's text."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside, self.open = False, False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = self.inside or (tag == "table" and ("id", "variants") in attributes)
        if self.inside and tag == "tr":
            self.rows.append([])
        if self.inside and tag in ("td", "th"):
            self.rows[-1].append("")
            self.open = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "table"
        self.open = self.open and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.open:
            self.rows[-1][-1] += data


def html_rows(table: Table) -> list[list[str]]:
    cells = Cells()
    cells.feed(html.render_html(Review("t", "q", (), (), (), table)))
    return cells.rows


def test_html_reads_back_as_what_a_person_reads() -> None:
    table = sweep()
    heading, *rows = html_rows(table)
    shown = [column for column in table.columns if column.label in heading]
    assert [column.label for column in shown] == heading
    assert {"name", "id", "macs", "latency_ms", "pareto", "score", "reason"} <= {column.name for column in shown}
    assert rows == [[column.format_cell(row) for column in shown] for row in table.rows]


def test_html_shows_a_name_and_does_nothing_else_with_it() -> None:
    _, *rows = html_rows(named(EVIL))
    assert [cells[0] for cells in rows] == [visible(name, 1000) for name in EVIL]
    text = html.render_html(Review(EVIL[6], EVIL[6], ((EVIL[6], EVIL[6]),), (), (), named(EVIL)))
    assert "<script>" not in text.replace('<script>"use strict"', "").replace("<script>\n", "")
    assert not re.search("[\u202e\x1b\ud800]", text)


def test_the_data_of_the_page_end_no_element() -> None:
    told = html.embed_json({"a": "</script><!--", "b": [1, None, True, "\u2028"]})
    assert "<" not in told
    assert ">" not in told
    assert told.isascii()
    assert json.loads(told) == {"a": "</script><!--", "b": [1, None, True, "\u2028"]}


def test_the_policy_allows_our_script_and_style_by_their_hash_alone() -> None:
    text = html.render_html(Review("t", "q", (), (), (), sweep()))
    policy = unescape(re.search(r'Content-Security-Policy" content="(.*?)"', text)[1])  # type: ignore[index]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for kind, element in (("script-src", "<script>"), ("style-src", "<style>")):
        content = text.split(element)[1].split("</")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"
    assert not re.search(r"""\s(on\w+|style|src|href)=""", text.split("<script>")[0])


def test_markdown_fits_a_comment_and_keeps_the_front_the_reference_and_failures_longest() -> None:
    records = [
        record(
            str(n),
            name=f"variant {n:04} " + "w" * 60,
            reference=n == 1500,
            status="failed" if n == 1600 else "measured",
        )
        for n in range(2000)
    ]
    table = build_table(records, RunTimes(), reference=None, notes=("the last line",))
    rows = tuple(row | {"pareto": place == 1999} for place, row in enumerate(table.rows))
    text = markdown.render_markdown(replace(table, rows=rows))
    assert 50_000 < len(text) <= 65_536
    assert all(f"variant {n:04}" in text for n in (0, 1500, 1600, 1999))
    left = re.search(r"([\d,]+) of 2,000 rows are left out", text)
    assert left is not None
    assert text.count("| variant ") == 2000 - int(left[1].replace(",", ""))
    assert text.endswith("- the last line\n")
    assert len(markdown.render_markdown(table, limit=9000)) <= 9000


def test_markdown_whose_caption_alone_is_too_long_is_cut_at_a_line() -> None:
    table = build_table([record("a")], RunTimes(), reference=None, notes=tuple(f"note {n}" for n in range(20_000)))
    text = markdown.render_markdown(table)
    assert len(text) <= 65_536
    assert text.endswith("- the rest is left out, to fit a comment; csv has all\n")


@dataclass(frozen=True)
class Document:
    """Markdown as a parser of CommonMark with GitHub's tables reads it: all its text, and the tags it is in."""

    rows: list[list[str]]
    items: list[str]
    headings: list[str]
    tags: set[str]
    pieces: list[str]  # runs of text that nothing divides, in which GitHub looks for links and people


def read_markdown(text: str) -> Document:
    found = Document([], [], [], set(), [])
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)  # it comes with rich
    for before, token in zip([tokens[0], *tokens], tokens, strict=False):
        if token.type == "tr_open":
            found.rows.append([])
        if token.type == "inline":
            parts = token.children or []
            assert {part.content for part in parts if part.type != "text"} <= {"<!-- -->"}
            pieces = [part.content for part in parts if part.type == "text"]
            into = {"td": found.rows[-1] if found.rows else [], "th": found.rows[-1] if found.rows else []}
            into |= {"p": found.items, "h2": found.headings}
            into[before.tag].append("".join(pieces))
            found.pieces.extend("".join(parts) for parts in divided(token.children or []))
        found.tags.add(token.tag)
    return found


def divided(parts: list[Any]) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    for part in parts:
        if part.type == "text":
            runs[-1].append(part.content)
        else:
            runs.append([])
    return runs


def test_markdown_reads_back_as_what_a_person_reads() -> None:
    table = sweep()
    read = read_markdown(markdown.render_markdown(table))
    shown = [column for column in table.columns if column.label in read.rows[0]]
    assert [column.label for column in shown] == read.rows[0]
    assert {"name", "macs", "latency_ms", "half_width", "pareto", "reason"} <= {column.name for column in shown}
    assert read.rows[1:] == [[column.format_cell(row) for column in shown] for row in table.rows]
    assert read.items == list(table.caption)


FORMATTING = [
    "_evil_",
    "__b__",
    "a__b__c",
    "*_b_*",
    "~~gone~~",
    "$x^2$",
    "1. first",
    "12) first",
    "- item",
    "+ item",
    "---",
    "    code",
    "=== ",
    "https://example.com/x_y",
    "HTTP://EXAMPLE.COM",
    "www.example.com",
    "@octocat",
    "a@example.com",
    "#1 and GH #22",
    ":smile: :white_check_mark:",
    "<!-- -->",
]
AUTOMATIC = r"(?i)https?://|www\.|@\w|#\d|:[\w+-]+:"


def test_markdown_formats_nothing_that_a_name_or_a_line_of_the_caption_asks_for() -> None:
    names = [*EVIL, *FORMATTING]
    table = replace(named(names), title="_T_ @octocat #1", caption=tuple(FORMATTING))
    read = read_markdown(markdown.render_markdown(table))
    assert [row[0] for row in read.rows[1:]] == [visible(name, 10_000) for name in names]
    assert read.items == [visible(each, 10_000) for each in FORMATTING]
    assert read.headings == ["_T_ @octocat #1"]
    assert read.tags == {"h2", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "p", ""}
    assert [piece for piece in read.pieces if re.search(AUTOMATIC, piece)] == []
    assert sum(len(re.findall(AUTOMATIC, name)) for name in FORMATTING) == 9


def test_markdown_holds_nothing_that_steers_a_terminal_or_turns_a_line_round() -> None:
    text = markdown.render_markdown(named(EVIL))
    assert "\x1b" not in text
    assert "\u202e" not in text
    text.encode()


def test_a_name_of_ours_is_legible_in_the_source_of_markdown() -> None:
    assert "| top_block=none,channels=64 |" in markdown.render_markdown(named(["top_block=none,channels=64"]))


def test_json_reads_back_as_the_rows_on_one_line() -> None:
    table = sweep()
    text = RENDERERS["json"](table, run="results/x")
    read = json.loads(text)
    assert read["variants"] == list(table.rows)
    assert read["run"] == "results/x"
    assert type(read["variants"][1]["macs"]) is int
    assert read["variants"][2]["latency_ms"] is None
    assert json.loads(RENDERERS["json"](named(EVIL)))["variants"][7]["name"] == "two\nlines"
    assert RENDERERS["json"](named(EVIL)).isascii()
    assert text.count("\n") == 1


def test_a_frame_keeps_counts_whole_where_some_are_missing() -> None:
    found = build_frame(sweep())
    assert str(found["params"].dtype) == "Int64"
    assert found["params"][0] == COUNTS["params"]
    assert found["macs"][1] == 2**53 + 1  # a float would have lost it
    assert found["params"][1] is pd.NA
    assert found["latency_ms"][2] is pd.NA
    assert found["calls"].dtype == "Int64"
    assert list(found["neck.channels"]) == [64, 128, 256]
    assert found["backbone.depths"][0] == [3, 4, 6, 3]
    assert found["pareto"][0]
    assert list(found["name"]) == ["channels=64", "channels=128", "channels=256"]
    assert found.attrs["kind"]["latency_ms"] == "measured"
    assert found["latency_ms"].mean() == 15.375


def test_a_frame_of_no_rows_has_its_columns() -> None:
    found = build_frame(build_table([], RunTimes(), reference=None))
    assert len(found) == 0
    assert "macs" in found.columns


def test_the_terminal_reads_back_as_what_a_person_reads() -> None:
    """The mark, then cells two spaces apart; the flags are the mark, the reason stands below."""
    table = sweep()
    text = printed(table, 400)
    lines = [line for line in text.split("\n\n")[0].splitlines() if " channels=" in line]
    marks, rows = zip(*((line[:2].strip(), re.split(r" {2,}", line[3:].strip())) for line in lines), strict=True)
    shown = [c for c in table.columns if c.holds != "flag" and c.name != "reason"]
    shown = [c for c in shown if any(row.get(c.name) is not None for row in table.rows)]
    assert {"name", "macs", "latency_ms", "half_width", "score", "status"} <= {column.name for column in shown}
    assert list(rows) == [[column.format_cell(row) for column in shown] for row in table.rows]
    assert list(marks) == [("*" if row["pareto"] else "") + ("R" if row["reference"] else "") for row in table.rows]


@pytest.mark.parametrize("width", [30, 60, 80, 100, 160, 300])
def test_the_terminal_s_table_fits_and_names_what_it_left_out(width: int) -> None:
    table = sweep()
    text = printed(table, width)
    grid, below = text.split("\n\n", 1)
    assert max(len(line) for line in grid.splitlines()) <= width
    assert "channels=64" in text
    left_out = re.search(r"left out for want of width: (.*);", below)
    assert bool(left_out) == (width < 300)
    for label in left_out.group(1).split(", ") if left_out else ():
        assert not re.search(rf"(^|\s){re.escape(label)}(\s|$)", grid.splitlines()[2])  # headings of one line


def test_at_80_columns_the_costs_that_decide_are_there() -> None:
    text = printed(sweep(), 80)
    for shown in ("latency", "±", "MACs", "score", "status", "10.25", "37.4"):
        assert shown in text


def raced(name: str) -> Table:
    """Three of which two tie, on a GPU that waits for the host in one, with what its allocator told."""
    records = [
        record(each, name=name.format(each), memory={"cold_bytes": 7}, cold_ms={"import": 1.0}) for each in "abc"
    ]
    latencies = {("a", 0): summary(10, rank=2), ("b", 0): summary(10.1, rank=2), ("c", 0): summary(9, rank=1)}
    own = {("a", 0): summary(8.0), ("b", 0): summary(7.9), ("c", 0): summary(4.0)}
    times = RunTimes({"request": latencies, "step": {key: summary(8.0) for key in own}, "device": own})
    return build_table(records, times, reference=("a", 0), title="race")


def test_at_80_columns_latency_its_interval_ratio_and_rank_come_before_all_else() -> None:
    grid = printed(raced("channels={},top_block=maxpool"), 80).split("\n\n")[0]
    for shown in ("channels=a,top_block=maxpool", "10.00", "±4.0%", "1.000x", "2="):
        assert shown in grid
    narrow = printed(raced("channels={},top_block=maxpool"), 66).split("\n\n")[0]
    assert "2=" in narrow
    assert "MACs" not in narrow


def test_ranks_are_ties_in_what_people_read_and_numbers_in_what_programs_read() -> None:
    made = raced("n{}")
    lines = {
        line[2:].split()[0]: line.split() for line in printed(made, 300).splitlines() if re.match(r"[* ]R? *n", line)
    }
    assert ["2=" in lines[name] for name in ("na", "nb", "nc")] == [True, True, False]
    assert [row["rank"] for row in csv.DictReader(io.StringIO(text_formats.render_csv(made)))] == ["2", "2", "1"]
    assert list(build_frame(made)["rank"]) == [2, 2, 1]


def test_a_network_that_waits_for_its_host_is_marked_and_the_column_stands_where_any_is() -> None:
    marked = [line for line in printed(raced("n{}"), 300).splitlines() if " yes" in line]
    assert len(marked) == 1
    assert " nc " in marked[0]
    assert "host" not in printed(sweep(), 300)


def test_what_a_device_tells_of_memory_is_for_programs() -> None:
    made = raced("n{}")
    assert [row["memory.cold_bytes"] for row in csv.DictReader(io.StringIO(text_formats.render_csv(made)))] == ["7"] * 3
    assert [row["memory.cold_bytes"] for row in json.loads(RENDERERS["json"](made))["variants"]] == [7] * 3
    assert str(build_frame(made)["memory.cold_bytes"].dtype) == "Int64"
    assert "cold_bytes" not in printed(made, 300) + markdown.render_markdown(made)


def test_the_terminal_marks_front_and_reference_shows_nulls_and_says_why_a_row_failed() -> None:
    lines = printed(sweep(), 200).splitlines()
    rows = {line[2:].split()[0]: line for line in reversed(lines) if re.match(r"[* ][R ]\s+channels", line)}
    assert rows["channels=64"].startswith("*R")
    assert "failed" in rows["channels=256"]
    assert " - " in rows["channels=256"]
    assert "channels=256: failed: out of memory" in lines


def test_no_name_formats_or_steers_the_terminal() -> None:
    text = printed(named(EVIL), 200, force_terminal=False)
    assert "[bold]x[/bold]" in text
    assert "\\u001b[31mred" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "two\\u000alines" in text


def test_a_name_wider_than_the_terminal_is_folded_and_still_whole() -> None:
    text = printed(build_table([record("a", name="w" * 120)], RunTimes(), reference=None), 80)
    assert text.count("w") >= 120
    assert max(len(line) for line in text.splitlines()[:6]) <= 80


def test_a_long_name_is_folded_after_a_comma() -> None:
    name = ",".join(["backbone.width=1.125", "neck.channels=256", "input.width=1333", "depths=3-4-6-3"])
    text = printed(build_table([record("a", name=name, status="priced")], RunTimes(), reference=None), 80)
    parts = [word for line in text.splitlines() for word in line.split() if "=" in word]
    assert parts == ["backbone.width=1.125,neck.channels=256,", "input.width=1333,depths=3-4-6-3"]


def test_a_table_too_long_to_read_says_what_is_missing() -> None:
    text = printed(build_table([record(str(i)) for i in range(600)], RunTimes(), reference=None), 80)
    assert "the first 500 of 600 rows; --format csv has all" in text
