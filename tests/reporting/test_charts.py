"""What charts hold: every number where it belongs, ticks that are true, and colours a page and a slide take."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_runs import priced, stored, write_spec
from runs_on_disk import COUNTS, record, summary

from archbench.api import Run
from archbench.errors import CannotMeasure
from archbench.reporting.page import charts
from archbench.reporting.page.charts import choose_drawn_rows, draw_scatter
from archbench.reporting.page.drawing import DARK, LIGHT, RAMP, SERIES, SVG, render_inline, render_svg, write_figures
from archbench.statistics.times import RunTimes
from archbench.tables.table import Table, build_table

A = ("a", 0)
SWEEP = "archbench: 1\nname: sweep\nbase: R-18-FPN\ninput: {{height: 64, width: 64}}\n{more}"


def table(axes: list[dict[str, Any]], milliseconds: list[float]) -> Table:
    records = [record(f"n{n}", axes=axis, reference=n == 0) for n, axis in enumerate(axes)]
    told = {each.key: summary(ms) for each, ms in zip(records, milliseconds, strict=True)}
    return build_table(records, RunTimes({"request": told}), reference=records[0].key)


def data(layer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = layer["data"]["values"]
    return found


def test_a_scatter_has_every_variant_its_interval_the_line_and_the_reference_in_the_units_of_the_table() -> None:
    made = table([{"neck.channels": n} for n in (64, 128, 256)], [10.0, 20.0, 30.0])
    spec = draw_scatter(made, "macs", "latency_ms", line=made.rows[:2])
    assert spec is not None
    line, rules, points, ring, *_ = spec["layer"]
    assert [(each["x"], each["y"]) for each in data(points)] == [(1e-8, 10.0), (1e-8, 20.0), (1e-8, 30.0)]
    assert [each["color"] for each in data(points)] == ["64", "128", "256"]
    assert next((each["y_low"], each["y_high"]) for each in data(rules)) == (10.0 / 1.04, 10.0 * 1.04)
    assert [each["y"] for each in data(line)] == [10.0, 20.0]
    assert [each["y"] for each in data(ring)] == [10.0]


def test_of_several_references_each_has_a_ring_and_none_the_word_that_would_stand_in_the_others() -> None:
    one = table([{"a.x": n} for n in range(3)], [1.0, 2.0, 3.0])
    two = replace(one, rows=tuple(row | {"reference": n < 2} for n, row in enumerate(one.rows)))
    for made, rings, words in ((one, 1, 1), (two, 2, 0)):
        spec = draw_scatter(made, "macs", "latency_ms")
        assert spec is not None
        found = {str(layer["mark"]["type"]): data(layer) for layer in spec["layer"] if "aria" in layer["mark"]}
        assert (len(found["point"]), len(found.get("text", []))) == (rings, words)


def test_a_chart_of_fewer_than_two_variants_is_none() -> None:
    assert draw_scatter(table([{}], [1.0]), "macs", "latency_ms") is None


def test_of_very_many_variants_a_chart_shows_some_and_the_reference_and_a_short_front_whole() -> None:
    row = {"pareto": False, "reference": False}
    rows = [row | {"n": n, "reference": n == 4999, "pareto": n in (3, 5)} for n in range(5000)]
    kept = [each["n"] for each in choose_drawn_rows(rows)]
    assert {3, 5, 4999} <= set(kept)
    assert len(kept) == 1000 + 2  # every fifth, which 5 is one of, and the two others
    assert len(choose_drawn_rows([each | {"pareto": True} for each in rows])) == 1001


@pytest.mark.parametrize("macs", [[547_000_000] * 3, [356_000_000] * 3, [142_967_000_000, 142_967_000_001], [0, 0]])
def test_ticks_of_a_side_that_does_not_vary_say_where_it_is(macs: list[int]) -> None:
    """0.547 G had one tick, `1`, and 0.356 G one that said `0`: what a tick says is where it stands."""
    records = [record(f"n{n}", exact=COUNTS | {"macs": each}) for n, each in enumerate(macs)]
    told = {each.key: summary(float(n + 1)) for n, each in enumerate(records)}
    spec = draw_scatter(build_table(records, RunTimes({"request": told}), reference=None), "macs", "latency_ms")
    assert spec is not None
    where = dict(ticks(render_svg(spec))["MACs (G)"])
    assert len(where) >= 3
    said = sorted(where)
    steps = [(where[high] - where[low]) / (high - low) for low, high in pairwise(said)]
    assert steps == pytest.approx([steps[0]] * len(steps), rel=0.01)
    assert said[0] < macs[0] / 1e9 < said[-1]


@pytest.mark.parametrize("ends", [(2.0, 3000.0), (19.6, 3300.0), (150.0, 40_000.0), (900.0, 30_000.0)])
def test_labels_along_a_logarithmic_scale_have_room_for_a_browsers_letters(ends: tuple[float, float]) -> None:
    """In the page of several runs `2,000` and `3,000` overlapped: Chromium's letters are a sixth wider than those drawn with."""
    made = table([{"a.x": n} for n in range(2)], list(ends))
    spec = draw_scatter(made, "latency_ms", "macs")
    assert spec is not None
    found = sorted((place, f"{number:,.0f}") for number, place in ticks(render_svg(spec))["latency (ms)"])
    assert len(found) >= 4
    width = 8  # pixels of a letter in Chromium
    for (left, one), (right, other) in pairwise(found):
        assert right - left > width * (len(one) + len(other)) / 2


def ticks(drawing: str) -> dict[str, list[tuple[float, float]]]:
    """What each axis of a drawing has for ticks, by its title: the number that stands there, and how far along."""
    found = {}
    for axis in ElementTree.fromstring(drawing).iter(f"{SVG}g"):
        title = re.match(r"[XY]-axis titled '(.*?)' for a", axis.get("aria-label", ""))
        if title:
            groups = [each for each in axis.iter(f"{SVG}g") if "role-axis-label" in each.get("class", "")]
            texts = [each for group in groups for each in group.iter(f"{SVG}text") if each.get("opacity") != "0"]
            found[title[1]] = [(number(each.text), along(each)) for each in texts if each.text]
    return found


def number(text: str) -> float:
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


def along(text: ElementTree.Element) -> float:
    return float(re.findall(r"-?[0-9.]+", text.get("transform", ""))[0])


def test_a_value_that_is_null_is_said_to_be_unset_and_takes_no_shade_of_the_amounts() -> None:
    made = table([{"a.x": None}, {"a.x": 1}, {"a.x": 2}], [1.0, 2.0, 3.0])
    spec = draw_scatter(made, "macs", "latency_ms")
    assert spec is not None
    points = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "point")
    assert [each["color"] for each in data(points)] == ["unset", "1", "2"]
    colors = points["encoding"]["color"]["scale"]
    assert colors["domain"] == ["1", "2", "unset"]
    assert colors["range"] == [RAMP[2], RAMP[-1], SERIES[-1]]


def test_names_of_a_legend_stand_on_as_many_lines_as_they_need() -> None:
    assert [charts.lay_out_legend(["x" * letters] * 3)["columns"] for letters in (2, 10, 20, 60)] == [6, 3, 2, 1]


def test_no_two_names_of_the_palette_share_a_colour_on_light_paper_and_each_has_a_dark_one() -> None:
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert LIGHT.keys() == DARK.keys()


def test_a_drawing_for_the_page_has_variables_for_colours_and_nothing_a_policy_refuses() -> None:
    spec = draw_scatter(table([{"a.x": 1}, {"a.x": 2}], [1.0, 2.0]), "macs", "latency_ms")
    assert spec is not None
    drawing = render_inline(spec, '<t>"')
    root = ElementTree.fromstring(drawing)
    assert root.get("aria-label") == '<t>"'
    attributes = [(name, value) for element in root.iter() for name, value in element.attrib.items()]
    assert not [name for name, _ in attributes if name == "style" or name.startswith("on") or "href" in name]
    painted = {value for name, value in attributes if name in ("fill", "stroke")}
    assert {"var(--ink)", "var(--muted)", "var(--grid)"} <= painted
    assert not [value for value in painted if value in LIGHT.values()]
    assert LIGHT["muted"] in render_svg(spec)


def test_figures_are_files_that_slides_take(tmp_path: Path) -> None:
    run = sweep(tmp_path, "axes: {neck.channels: [64, 128]}\n")
    written = write_figures({chart.name: chart.spec for chart in run.review().charts}, tmp_path / "new" / "figures")
    assert sorted(path.name for path in written) == sorted(
        f"{name}.{form}"
        for name in ("latency", "memory", "where_macs", "where_params", "axes")
        for form in ("svg", "png")
    )
    for path in written:
        begin = path.read_bytes()[:8]
        assert begin == (b"\x89PNG\r\n\x1a\n" if path.suffix == ".png" else b"<svg xml")


def test_what_has_no_drawing_is_no_file(tmp_path: Path) -> None:
    assert write_figures({"axes": {}}, tmp_path) == []


def test_a_folder_that_cannot_be_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotMeasure, match=r"file: cannot be written \(File exists\); give --figures another folder"):
        write_figures({"a": {}}, tmp_path / "file")


def sweep(folder: Path, more: str, **given: Any) -> Run:
    spec = write_spec(folder, SWEEP.format(more=more))
    records = priced(spec)
    return stored(folder, spec, records, {each.id: 5.0 + n for n, each in enumerate(records)}, **given)
