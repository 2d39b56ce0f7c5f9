"""The page of a 200-variant run as a browser shows it: offline, sorted, limited, drawn, wide, narrow, dark, printed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, colors, opened, printed
from made_runs import compared, evil, two_hundred, unmeasured
from pages import Page
from rich.console import Console
from runs_on_disk import COUNTS, record, whole_round
from stored_runs import rounds, stored

from archbench.api import Run
from archbench.reporting.formats import markdown, terminal
from archbench.reporting.page import html as pages
from archbench.reporting.page.axes import DARK_FROM
from archbench.reporting.page.drawing import DARK, LIGHT, RAMP
from archbench.reporting.page.several_runs import review_together
from archbench.reporting.report import rewrite_report
from archbench.tables.run_table import find_run_ties

CHARTS = ("latency", "memory", "where_macs", "where_params", "axes")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from chromium()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    made = two_hundred(folder / "results", folder)
    rewrite_report(made.stored_run.folder)
    return made


@pytest.fixture(scope="module")
def path(run: Run) -> Path:
    return run.path / "report.html"


def shown(page: Any, column: str) -> list[str]:
    """The cells of one column of the table, as far as a person sees its rows."""
    place = page.locator("#variants th button").all_inner_texts().index(column) + 1
    return [
        text.strip() for text in page.locator(f"#variants tbody tr:visible > :nth-child({place})").all_inner_texts()
    ]


def terminal_lines(run: Run) -> list[str]:
    console = Console(file=io.StringIO(), width=160, highlight=False)
    terminal.print_table(run.judged.table, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def timed(run: Run) -> list[Any]:
    return [row for row in run.judged.table.rows if row["latency_ms"] is not None]


def test_two_hundred_variants_are_under_one_and_a_half_mebibytes(path: Path, run: Run) -> None:
    assert len(run.judged.table.rows) == 200
    assert path.stat().st_size < 1.5 * 2**20


@pytest.mark.parametrize("dark", [False, True])
def test_every_chart_is_drawn_in_the_colours_of_the_theme(browser: Any, path: Path, *, dark: bool) -> None:
    theme = DARK if dark else LIGHT
    with opened(browser, path, dark=dark) as page:
        assert page.locator("figure svg").count() == len(CHARTS)
        for name in CHARTS:
            found = colors(page.locator(f"#chart-{name} svg"))
            paper = tuple(bytes.fromhex(theme["paper"][1:]))
            marks = [
                tuple(bytes.fromhex(color[1:])) for key, color in theme.items() if key.startswith(("series", "ramp"))
            ]
            assert found.pop(paper, 0) > sum(found.values())
            assert max(found.get(mark, 0) for mark in marks) > 300, name


def test_pointing_at_a_mark_tells_whose_it_is_and_what_it_costs(browser: Any, path: Path, run: Run) -> None:
    with opened(browser, path) as page:
        told = page.locator("#chart-latency svg title").all_text_contents()
    measured = [row for row in run.judged.table.rows if row["latency_ms"] is not None]
    assert sorted(text.split(";")[0] for text in told) == sorted(row["name"] for row in measured)
    assert all("latency ms" in text and "± 95% ±" in text for text in told)


def test_words_leave_the_rows_that_have_them_all(browser: Any, path: Path, run: Run) -> None:
    with opened(browser, path) as page:
        page.fill("#words", "depth=18 P6P7")
        names = shown(page, "name")
    expected = [row["name"] for row in run.judged.table.rows if "depth=18," in row["name"] and "p6p7" in row["name"]]
    assert names == expected
    assert len(names) == 20


@pytest.mark.parametrize(
    ("typed", "axis", "value"),
    [
        ("width=1", "backbone.width", 1.0),
        ("backbone.width=1.00", "backbone.width", 1.0),
        ("Channels=64", "neck.channels", 64),
        ("top_block=p6p7", "top_block.type", "p6p7"),
    ],
)
def test_an_axis_with_its_value_leaves_that_value_alone(
    browser: Any, path: Path, run: Run, typed: str, axis: str, value: object
) -> None:
    with opened(browser, path) as page:
        page.fill("#words", typed)
        names = shown(page, "name")
        page.check("#more")
        assert shown(page, "name") == names
    assert names == [row["name"] for row in run.judged.table.rows if row[axis] == value]


def test_a_name_that_is_pasted_finds_its_row_and_an_axis_without_a_value_all(
    browser: Any, path: Path, run: Run
) -> None:
    with opened(browser, path) as page:
        page.fill("#words", run.judged.table.rows[7]["name"])
        assert shown(page, "name") == [run.judged.table.rows[7]["name"]]
        page.fill("#words", "width=")
        assert len(shown(page, "name")) == 200
        page.fill("#words", "width=1.3")
        assert shown(page, "name") == []


def test_words_are_looked_for_in_the_columns_that_are_in_sight(browser: Any, path: Path, run: Run) -> None:
    identifier = run.judged.table.rows[7]["id"]
    with opened(browser, path) as page:
        page.fill("#words", identifier)
        hidden = shown(page, "name")
        page.check("#more")
        seen = shown(page, "name")
        page.uncheck("#more")
        page.fill("#words", "18")
        found = page.locator("#variants tbody tr:visible").all_inner_texts()
        assert page.inner_text("#found").startswith(f"{len(found)} of 200 variants.")
    assert (hidden, seen) == ([], [run.judged.table.rows[7]["name"]])
    assert 0 < len(found) < 200
    assert all("18" in text for text in found)


@pytest.fixture(scope="module")
def two_sides(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """New networks of 10, 15 and 20 ms and their bases of half that."""
    folder = tmp_path_factory.mktemp("two_sides")
    return compared(folder / "results", folder, (10.0, 15.0, 20.0))


NEW = ["channels=64", "channels=128", "channels=256"]


def test_of_a_comparison_only_the_new_networks_are_ranked_and_on_the_front(two_sides: Run) -> None:
    """By hand: of the new ones each has more MACs than the next faster, so all are on the front."""
    rows = {row["name"]: (row["side"], row["rank"], row["pareto"]) for row in two_sides.judged.table.rows}
    assert rows == {name: ("new", rank, True) for rank, name in enumerate(NEW, 1)} | {
        f"{name} (base)": ("base", None, None) for name in NEW
    }
    starred = [line for line in terminal_lines(two_sides) if re.match(r"\*[ R] ", line)]
    assert [line[2:].split()[0] for line in starred] == NEW
    lines = [line for line in markdown.render_markdown(two_sides.judged.table).splitlines() if "| \\* |" in line]
    assert [line.split(" | ")[0].strip("| ") for line in lines] == NEW


def test_the_charts_of_a_comparison_draw_bases_beside_the_new_networks_and_join_the_new_alone(two_sides: Run) -> None:
    charts = {chart.name: chart for chart in two_sides.review().charts}
    for name in ("latency", "memory"):
        points = next(layer for layer in charts[name].spec["layer"] if layer["mark"].get("filled"))
        told = {value["said"].split(";")[0]: value["color"] for value in points["data"]["values"]}
        assert told == dict.fromkeys(NEW, "new") | {f"{each} (base)": "base" for each in NEW}
        color = points["encoding"]["color"]
        assert (color["title"], color["scale"]["domain"], len(set(color["scale"]["range"]))) == (
            "side",
            ["new", "base"],
            2,
        )
        assert "of the new networks alone" in charts[name].note
    dashed = charts["latency"].spec["layer"][0]["data"]["values"]
    assert [round(value["y"]) for value in dashed] == [10, 15, 20]
    assert charts["memory"].note == "channels=64 is least in both, of the new networks alone"
    along = charts["axes"].spec["layer"][0]["data"]["values"]
    assert [(value["x"], round(value["y"])) for value in along] == [("64", 10), ("128", 15), ("256", 20)]


def test_a_comparison_names_one_fastest_at_the_top_and_above_the_table(
    browser: Any, tmp_path: Path, two_sides: Run
) -> None:
    path = tmp_path / "page.html"
    path.write_text(pages.render_html(two_sides.review()))
    assert Page(path.read_text()).answers["Fastest"].startswith("channels=64: ")
    with opened(browser, path) as page:
        said = page.inner_text("#found")
        page.fill("#words", "(base)")
        bases = page.inner_text("#found")
        bold = page.locator("#variants tr.front th").all_inner_texts()
    assert said.startswith("6 of 6 variants. Fastest: channels=64, ")
    assert said.endswith(" It is told apart from all of them.")
    assert bases == "3 of 6 variants."
    assert bold == NEW


def test_a_limit_names_the_fastest_within_it_and_how_sure_that_is(browser: Any, path: Path, run: Run) -> None:
    """As the records have it: the least of the fit's ratios, its interval, and the pairs whose ratio could be 1."""
    with opened(browser, path) as page:
        page.select_option("#limited", label="MACs G")
        page.fill("#limit", "15")
        page.fill("#words", "depth=50")
        said, names = page.inner_text("#found"), shown(page, "name")
    within = [
        row
        for row in run.judged.table.rows
        if row["macs"] <= 15e9 and row["backbone.depth"] == 50 and row["latency_ms"]
    ]
    best = min(within, key=lambda row: float(row["ratio"]))
    keys = find_run_ties(run.stored_run).ties_of((best["id"], 0))
    tied = [row["name"] for row in within if (row["id"], 0) in keys]
    assert len(within) <= len(names) < 40
    assert f"Fastest: {best['name']}, {best['latency_ms']:.3f} ms ±{100 * best['half_width']:.1f}%" in said
    assert all(name in said for name in tied[:4])
    assert ("cannot be told from" in said) == bool(tied)


@pytest.mark.parametrize(
    ("typed", "most"),
    [
        ("15", 15),
        (" 15.5 ", 15.5),
        ("15,5", 15.5),
        ("1,000", 1000),
        ("1,000,000.5", 1_000_000.5),
        ("1e3", 1000),
        ("", 1e99),
    ],
)
def test_a_limit_is_read_as_it_is_written(browser: Any, path: Path, run: Run, typed: str, most: float) -> None:
    with opened(browser, path) as page:
        page.select_option("#limited", label="MACs G")
        page.fill("#limit", typed)
        said, invalid = page.inner_text("#found"), page.get_attribute("#limit", "aria-invalid")
    within = sum(row["macs"] <= most * 1e9 for row in run.judged.table.rows if row["macs"] is not None)
    assert said.startswith(f"{within} of 200 variants. Fastest")
    assert invalid == "false"


@pytest.mark.parametrize("typed", ["fifteen", "15 G", "1,00,000"])
def test_a_limit_that_is_no_number_is_said_to_be_none(browser: Any, path: Path, typed: str) -> None:
    with opened(browser, path) as page:
        page.select_option("#limited", label="MACs G")
        page.fill("#limit", typed)
        said, invalid = page.inner_text("#found"), page.get_attribute("#limit", "aria-invalid")
    assert said.startswith(f"200 of 200 variants. The limit is not a number, so there is none: {typed}.")
    assert invalid == "true"


def test_a_limit_on_nothing_is_said_to_limit_nothing_yet(browser: Any, path: Path) -> None:
    with opened(browser, path) as page:
        page.fill("#limit", "150")
        assert "200 of 200 variants. Nothing is limited yet: choose what" in page.inner_text("#found")


def some_compared(folder: Path, case: str) -> Run:
    """A, the fastest by far of B, C, D, that was compared with B alone or with nobody."""
    records = [
        record(name, axes={"k": place}, exact=COUNTS | {"macs": 10**9 * place}) for place, name in enumerate("ABCD", 1)
    ]
    off = (0.999, 1.0, 1.001)
    blocks = {
        "one generation of C and D": rounds({"A": off, "B": [2.0, 2.0, 2.0], "C": [3.0], "D": [3.0]}),
        "one generation": rounds({"A": [1.0], "B": [2.0], "C": [3.0], "D": [3.0]}),
        "groups": [
            each
            for generation, ms in enumerate(off, 1)
            for group, order in enumerate(("ABBA", "CDDC"))
            for each in whole_round(
                order, {"A": ms, "B": 2.0, "C": 3.0, "D": 3.0}, generation=generation, group=group, round=1
            )
        ],
    }
    return stored(folder, {}, records=records, blocks=blocks[case])


APART = "It is told apart from the one it was compared with"


@pytest.mark.parametrize(
    ("case", "said", "rung"),
    [
        (
            "one generation of C and D",
            [APART, "Not compared with it: 2 (no interval)."],
            "none; 2 not compared",
        ),
        ("groups", [APART, "Not compared with it: 2 (no session in common)."], "none; 2 not compared"),
        ("one generation", ["How sure that is, is not known"], "not known"),
    ],
)
def test_told_apart_is_said_of_those_compared_and_of_the_others_why_they_were_not(
    browser: Any, tmp_path: Path, case: str, said: list[str], rung: str
) -> None:
    made = some_compared(tmp_path, case)
    rewrite_report(made.stored_run.folder)
    path = made.path / "report.html"
    with opened(browser, path) as page:
        found = page.inner_text("#found")
        page.select_option("#limited", label="MACs G")
        page.fill("#limit", "1")
        alone = page.inner_text("#found")
    read = Page(path.read_text())
    for each in said:
        assert each in read.answers["Fastest"]
        assert each in found
    assert "each of the other" not in read.answers["Fastest"]
    assert "all of them" not in found
    assert read.tables["Fastest within a limit on MACs"][-1][-1] == rung
    assert alone.endswith("is not known." if case == "one generation" else "No other was measured.")


@pytest.mark.slow
def test_a_page_of_many_that_cannot_be_told_apart_is_small_and_counts_them(browser: Any, tmp_path: Path) -> None:
    """Five hundred alike: the pairs would be 250,000."""
    names = [f"v{place}" for place in range(500)]
    made = stored(tmp_path, {name: [1.0, 1.01 if place % 2 else 1.02, 1.0] for place, name in enumerate(names)})
    rewrite_report(made.stored_run.folder)
    path = made.path / "report.html"
    assert path.stat().st_size < 1.5 * 2**20
    with opened(browser, path) as page:
        assert "and 495 more." in page.inner_text("#found")


def test_a_click_sorts_a_second_one_turns_it_round_and_nulls_stay_last(browser: Any, path: Path) -> None:
    with opened(browser, path) as page:
        head = page.locator("#variants th button", has_text="latency ms")
        head.click()
        rising = shown(page, "latency ms")
        head.click()
        falling = shown(page, "latency ms")
    assert rising[-2:] == falling[-2:] == ["-", "-"]
    numbers = [float(text) for text in rising[:-2]]
    assert numbers == sorted(numbers)
    assert [float(text) for text in falling[:-2]] == sorted(numbers, reverse=True)


def test_columns_for_the_curious_wait_until_they_are_asked_for(browser: Any, path: Path) -> None:
    with opened(browser, path) as page:
        before = page.locator("#variants th:visible").count()
        page.check("#more")
        assert page.locator("#variants th:visible").count() > before


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_no_wider_than_the_screen(browser: Any, path: Path, width: int) -> None:
    with opened(browser, path, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for name in CHARTS:
            box = page.locator(f"#chart-{name} svg").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            for words in page.locator(f"#chart-{name} svg text").all():
                place = words.bounding_box()
                assert box["x"] <= place["x"] + 1
                assert place["x"] + place["width"] <= box["x"] + box["width"] + 1


@pytest.fixture(scope="module", params=["compared", "priced", "together"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of another kind of run."""
    folder = tmp_path_factory.mktemp(request.param)
    path = folder / "page.html"
    if request.param == "together":
        runs = [compared(folder / "results", folder), unmeasured(folder / "results", folder)]
        path.write_text(pages.render_html(review_together([each.judged for each in runs])))
    else:
        made = {"compared": compared, "priced": unmeasured}[request.param](folder / "results", folder)
        path.write_text(pages.render_html(made.review()))
    return path


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_of_comparisons_prices_and_several_runs_fit_the_screen_and_paper(
    browser: Any, other: Path, width: int
) -> None:
    with opened(browser, other, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert len(shown(page, "name")) in (3, 6, 9)
        page.set_viewport_size({"width": 700, "height": 900})
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth") <= 700


def test_at_1280_pixels_every_column_that_decides_is_in_sight(browser: Any, path: Path) -> None:
    with opened(browser, path) as page:
        seen = page.evaluate(IN_SIGHT, "#variants thead th")
        shown_at_all = page.locator("#variants thead th:visible").all_inner_texts()
    assert {"latency ms", "± 95%", "latency ratio", "rank", "MACs G", "peak MiB", "status"} <= set(seen)
    assert seen == shown_at_all


def test_on_a_phone_every_cell_of_the_small_tables_is_in_sight_after_its_heading(browser: Any, path: Path) -> None:
    with opened(browser, path, width=390) as page:
        assert page.evaluate(IN_SIGHT, ".grid tbody tr > *") == page.locator(".grid tbody tr > *").all_inner_texts()
        last = page.locator(".grid tbody tr").first.locator("td").last
        assert last.evaluate("cell => getComputedStyle(cell, '::before').content") == '"cannot be told from "'


IN_SIGHT = """selector => [...document.querySelectorAll(selector)].filter(one => {
  const box = one.getBoundingClientRect(), around = (one.closest(".scroll")).getBoundingClientRect();
  return box.width > 0 && box.left >= around.left - 1 && box.right <= around.right + 1;
}).map(one => one.innerText)"""


def test_what_to_distrust_stands_where_the_decision_does(path: Path, run: Run) -> None:
    assert run.judged.table.distrust == ("2 of 200 failed",)
    assert Page(path.read_text()).answers["Distrust"] == "2 of 200 failed."


def test_who_tabs_through_the_page_sees_where_they_are(browser: Any, path: Path) -> None:
    with opened(browser, path) as page:
        page.focus("#more")
        page.keyboard.press("Tab")
        focused = "getComputedStyle(document.activeElement)"
        assert page.evaluate("document.activeElement.innerText") == "name"
        assert page.evaluate(f"[{focused}.outlineStyle, {focused}.outlineWidth]") == ["solid", "2px"]


def test_headings_are_in_order_rows_and_columns_have_theirs_and_charts_say_what_they_show(path: Path) -> None:
    text = path.read_text()
    levels = [int(tag[1]) for tag, _ in Page(text).headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert "<th>" not in text
    assert text.count('<th scope="row"') == text.count("<tr") - text.count("<thead")
    said = re.findall(r'<svg [^>]*role="img" aria-label="([^"]*)"', text)
    assert len(said) == len(CHARTS)
    assert said[0].startswith("Latency against MACs. Bars are 95 % intervals, the ring is the reference")
    assert all(each.endswith(" The numbers are in the table of all variants.") for each in said)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: of two colours, of sRGB's relative luminance."""

    def luminance(color: str) -> float:
        parts = [part / 255 for part in bytes.fromhex(color[1:])]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_letters_stand_out_from_what_they_stand_on(theme: dict[str, str]) -> None:
    assert round(contrast("#ffffff", "#767676"), 2) == 4.54  # WebAIM's example of the least that passes
    for ground in ("paper", "stripe"):
        assert contrast(theme["ink"], theme[ground]) >= 4.5
        assert contrast(theme["muted"], theme[ground]) >= 4.5
    for place in range(len(RAMP)):
        letters = theme["paper" if place >= DARK_FROM else "ink"]
        assert contrast(letters, theme[f"ramp-{place + 1}"]) >= 4.5, place
    assert all(contrast(theme[name], theme["paper"]) >= 3 for name in theme if name.startswith("series"))


def test_printed_it_has_every_row_and_chart_on_light_paper_and_no_controls(browser: Any, path: Path) -> None:
    with opened(browser, path, width=700, dark=True) as page:
        page.emulate_media(media="print")
        assert not page.locator(".controls").is_visible()
        assert not any(hint.is_visible() for hint in page.locator(".hint").all())
        assert page.locator(".hint").count() == 2
        assert page.locator("#variants tbody tr:visible").count() == 200
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("document.documentElement.scrollWidth") <= 700
        paper = tuple(bytes.fromhex(LIGHT["paper"][1:]))
        assert colors(page.locator("#chart-latency svg"))[paper] > 1000
        assert page.pdf(format="A4").startswith(b"%PDF")


def test_every_printed_page_of_the_long_table_has_its_headings(browser: Any, path: Path, run: Run) -> None:
    with opened(browser, path) as page:
        pages = [" ".join(text.split()) for text in printed(page.pdf(format="A4"))]
    rows = [sum("channels=" in text and f"{row['latency_ms']:.3f}" in text for row in timed(run)) for text in pages]
    long = [text for text, count in zip(pages, rows, strict=True) if count > 20]
    assert len(long) > 3
    for text in long:
        assert "latency ms ± 95% latency ratio ratio ±95% rank" in text


def test_headings_are_buttons_that_a_keyboard_sorts_by_and_a_screen_reader_names(browser: Any, path: Path) -> None:
    with opened(browser, path) as page:
        head = page.get_by_role("columnheader", name="latency ms")
        head.get_by_role("button", name="latency ms").focus()
        page.keyboard.press("Enter")
        sorts = [head.get_attribute("aria-sort")]
        fastest = shown(page, "latency ms")[0]
        page.keyboard.press("Space")
        sorts.append(head.get_attribute("aria-sort"))
        assert float(shown(page, "latency ms")[0]) > float(fastest)
        assert "latency ms ↓" in " ".join(" ".join(printed(page.pdf(format="A4"))).split())
    assert sorts == ["ascending", "descending"]


def test_it_is_read_without_any_script(browser: Any, path: Path, run: Run) -> None:
    with opened(browser, path, java_script_enabled=False) as page:
        assert len(shown(page, "name")) == 200
        assert not page.locator(".controls").is_visible()
        text = page.inner_text("body")
    failed = [row for row in run.judged.table.rows if row["status"] == "failed"]
    assert len(failed) == 2
    assert all(row["name"] in text for row in failed)
    assert "out of memory: 81 GiB were asked for, 79 are there" in text
    assert "NVIDIA H100 80GB HBM3" in text


EVIL = ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "`'\"|=cmd()", "a\nb\u202egnp", "{{7*7}}"]


@pytest.mark.parametrize("width", [1280, 390])
def test_no_name_axis_or_fact_however_long_makes_the_page_wider(browser: Any, tmp_path: Path, width: int) -> None:
    made = evil(tmp_path, ["w" * 300, "a_word_without_an_end_" * 20, "short"])
    rewrite_report(made.stored_run.folder)
    with opened(browser, made.path / "report.html", width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("document.body.getBoundingClientRect().right") <= width


def test_no_name_axis_or_fact_does_anything_on_the_page(browser: Any, tmp_path: Path) -> None:
    made = evil(tmp_path, EVIL)
    rewrite_report(made.stored_run.folder)
    path = made.path / "report.html"
    with opened(browser, path) as page:
        page.on("dialog", lambda dialog: pytest.fail("a script ran"))
        assert page.locator("script").count() == 2
        assert page.locator("img").count() == 0
        names = shown(page, "name")
    assert names == [*EVIL[:3], "a\\u000ab\\u202egnp", "{{7*7}}"]
    assert "\u202e" not in path.read_text()
