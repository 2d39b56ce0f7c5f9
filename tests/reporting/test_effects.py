"""What each axis does: effects that a model without noise gives back, and none where the rows do not tell the axes apart."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from made_runs import priced, stored, write_spec
from runs_on_disk import record, summary

from archbench.reporting.page import charts, effects
from archbench.reporting.page.axes import find_varied_axes
from archbench.reporting.page.effects import find_separable_values, find_zips, fit_factors
from archbench.reporting.page.html import render_html
from archbench.statistics.times import RunTimes
from archbench.tables.table import Table, build_table

SIZES = {"input.height": [480, 640, 800], "input.width": [800, 1067, 1333]}


def table(axes: list[dict[str, Any]], milliseconds: list[float] | None = None) -> Table:
    records = [record(f"n{n}", axes=axis, reference=n == 0) for n, axis in enumerate(axes)]
    times = milliseconds or [float(n + 1) for n in range(len(axes))]
    told = {each.key: summary(ms) for each, ms in zip(records, times, strict=True)}
    return build_table(records, RunTimes({"request": told}), reference=records[0].key)


def data(layer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = layer["data"]["values"]
    return found


def told(axes: list[dict[str, Any]]) -> dict[str, list[str]]:
    made = table(axes)
    return find_separable_values(made.rows, find_varied_axes(made.columns, made.rows, {}))


def test_effects_of_a_product_of_factors_are_those_factors_though_the_grid_has_holes() -> None:
    """time = depth x width x 7: over each axis, the factor over the geometric mean of its values."""
    depths, widths, batches = {18: 1.0, 50: 2.0, 101: 4.5}, {0.5: 1.0, 1.0: 1.6}, {1: 1.0, 8: 7.5}
    points = [p for p in product(depths, widths, batches) if p not in ((18, 0.5, 1), (101, 1.0, 8))]
    axes = [{"backbone.depth": d, "backbone.width": w, "input.batch": b} for d, w, b in points]
    made = table(axes, [7.0 * depths[d] * widths[w] * batches[b] for d, w, b in points])
    varying = find_varied_axes(made.columns, made.rows, {})
    found = fit_factors(made.rows, varying, "latency_ms", find_separable_values(made.rows, varying))
    for path, own in (("backbone.depth", depths), ("backbone.width", widths), ("input.batch", batches)):
        middle = math.prod(own.values()) ** (1 / len(own))
        for value, factor in own.items():
            assert found[path, str(value)] == pytest.approx(factor / middle)
    chart = effects.draw_effects(made, "latency_ms")
    assert chart is not None
    assert "all else equal" in str(chart.spec)


def test_values_and_axes_that_differ_far_behind_are_not_one() -> None:
    """Sixty letters alike, then another: in a scatter's colours, along a line, and among the effects of two axes."""
    far = ["v" * 60 + end for end in "xyz"]
    one = table([{"a.x": value} for value in far], [1.0, 2.0, 4.0])
    (column,) = [column for column in one.columns if column.axis]
    names = charts.distinct_words(column, one.rows)
    assert len(set(names)) == 3
    assert max(map(len, names)) <= charts.LONGEST
    line = effects.draw_effects(one, "latency_ms")
    assert line is not None
    assert {each["x"] for each in data(line.spec["layer"][-1])} == set(names)
    long = "p" * 60
    two = table([{f"{long}.a": a, f"{long}.b": b} for a, b in ((1, 1), (2, 1), (1, 2), (1, 1))])
    found = effects.draw_effects(two, "latency_ms")
    assert found is not None
    assert len({each["y"] for each in data(found.spec["layer"][-1])}) == 4


def test_two_axes_are_a_heatmap_one_is_a_line_and_none_is_nothing() -> None:
    two = table([{"a.x": x, "b.y": y} for x in (1, 2, 3) for y in (1, 2)], [1.0, 2, 3, 4, 5, 6])
    one = table([{"a.x": x} for x in (1, 2, 3)], [1.0, 2, 3])
    drawings = [effects.draw_effects(made, "latency_ms") for made in (two, one)]
    assert [chart.spec["layer"][0]["mark"]["type"] for chart in drawings if chart] == ["rect", "line"]
    assert drawings[0] is not None
    assert [each["text"] for each in data(drawings[0].spec["layer"][0])] == [f"{n}.000" for n in range(1, 7)]
    assert effects.draw_effects(table([{}, {}], [1.0, 2.0]), "latency_ms") is None


def test_axes_that_always_change_together_have_no_effect_each_and_the_chart_says_why() -> None:
    """The shortest solution would give each half of what only both together do."""
    made = table([{"a.x": n, "b.y": n, "c.z": n} for n in (1, 2, 3)])
    assert told([{"a.x": n, "b.y": n, "c.z": n} for n in (1, 2, 3)]) == {"a.x": [], "b.y": [], "c.z": []}
    chart = effects.draw_effects(made, "latency_ms")
    assert chart is not None
    assert chart.spec == {}
    assert chart.note == "these 3 variants do not tell 3 axes apart: no two of them differ in one axis alone"


def test_fewer_rows_than_values_tell_what_they_tell() -> None:
    """Four rows, eight values: only x changes alone, between 1 and 2."""
    rows = [
        {"a.x": 1, "b.y": 1, "c.z": 1},
        {"a.x": 2, "b.y": 1, "c.z": 1},
        {"a.x": 3, "b.y": 2, "c.z": 2},
        {"a.x": 1, "b.y": 3, "c.z": 3},
    ]
    assert told(rows) == {"a.x": ["1", "2"], "b.y": [], "c.z": []}
    chart = effects.draw_effects(table(rows, [10.0, 40.0, 7.0, 9.0]), "latency_ms")
    assert chart is not None
    dots = {each["y"]: each["x"] for each in data(chart.spec["layer"][-1])}
    assert dots == pytest.approx({"a.x = 1": 0.5, "a.x = 2": 2.0})
    assert chart.note.endswith("left out is what these variants do not tell from the other axes: b.y, c.z, a.x = 3")


def test_one_axis_at_a_time_around_a_base_tells_every_axis() -> None:
    rows = [{"a.x": a, "b.y": b, "c.z": c} for a, b, c in ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (1, 1, 3))]
    assert told(rows) == {"a.x": ["1", "2"], "b.y": ["1", "2"], "c.z": ["1", "2", "3"]}


def test_an_axis_that_only_some_values_of_another_have_is_told_where_it_is_set() -> None:
    """`source` is only of p6p7: nothing tells whether that or its source makes the difference to the other blocks."""
    blocks = [("none", None), ("maxpool", None), ("p6p7", "c5"), ("p6p7", "p5")]
    rows = [{"top.type": block, "top.source": source, "n.c": c} for (block, source), c in product(blocks, (1, 2))]
    assert told(rows) == {"top.type": ["none", "maxpool"], "top.source": ["c5", "p5"], "n.c": ["1", "2"]}


def test_how_many_values_have_no_room_is_said() -> None:
    made = table([{"a.x": x, "b.y": y} for x, y in product(range(50), (1, 2))])
    chart = effects.draw_effects(made, "latency_ms")
    assert chart is not None
    assert len(data(chart.spec["layer"][-1])) == effects.MOST_VALUES == 40
    assert chart.note.endswith("only the first 40 of 52 values are drawn")


@pytest.mark.parametrize("name", [", name: size", ""])
def test_a_zip_is_one_axis_and_drawn_as_a_line(tmp_path: Path, name: str) -> None:
    form = f"size: {{zip: {{input.height: {SIZES['input.height']}, input.width: {SIZES['input.width']}}}{name}}}"
    spec = write_spec(tmp_path, f"archbench: 1\nname: sizes\nbase: R-18-FPN\naxes:\n  {form}\n")
    records = priced(spec)
    run = stored(tmp_path, spec, records, {each.id: 10.0 * n for n, each in enumerate(records, 1)})
    (chart,) = [each for each in run.review().charts if each.name == "axes"]
    assert chart.title == "Latency along size"
    line = chart.spec["layer"][0]
    assert line["mark"]["type"] == "line"
    assert [each["x"] for each in data(line)] == ["480/800", "640/1067", "800/1333"]
    assert line["encoding"]["x"]["title"] == "size (input.height/input.width)"


def test_a_zip_beside_another_axis_is_one_side_of_a_heatmap() -> None:
    sizes = list(zip(*SIZES.values(), strict=True))
    rows = [{"input.height": h, "input.width": w, "neck.channels": c} for (h, w), c in product(sizes, (64, 128))]
    chart = effects.draw_effects(table(rows), "latency_ms", {"size": tuple(SIZES)})
    assert chart is not None
    assert chart.title == "Latency over size and neck.channels"
    assert {each["x"] for each in data(chart.spec["layer"][0])} == {"480/800", "640/1067", "800/1333"}


def test_what_a_file_says_of_zips_is_not_trusted() -> None:
    for spec in (None, {}, {"axes": [1]}, {"axes": {"a": 1, "b": {"zip": 2}, "c": {"zip": [1]}}}):
        assert find_zips({"spec": spec}) == {}
    assert find_zips({"spec": {"axes": {"s": {"zip": {"a.x": 1, "b.y": 2}, "name": "n"}}}}) == {"n": ("a.x", "b.y")}


def test_a_value_that_is_null_has_a_point_of_its_own_that_no_line_reaches() -> None:
    chart = effects.draw_effects(table([{"m.threads": n} for n in (None, 1, 2, 4)]), "latency_ms")
    assert chart is not None
    line, _, dots = chart.spec["layer"]
    assert [each["x"] for each in data(line)] == ["1", "2", "4"]
    assert [each["x"] for each in data(dots)] == ["unset", "1", "2", "4"]
    assert dots["encoding"]["x"]["sort"] == ["1", "2", "4", "unset"]
    many = effects.draw_effects(
        table([{"m.threads": n, "b.y": y} for n in (None, 1, 2) for y in (1, 2) for _ in "ab"]), "macs"
    )
    assert many is not None
    joined, dots = many.spec["layer"][1:]
    assert {each["y"] for each in data(dots)} - {each["y"] for each in data(joined)} == {"m.threads = unset"}


def test_the_line_of_what_was_measured_twice_goes_through_the_mean() -> None:
    chart = effects.draw_effects(table([{"a.x": n} for n in (1, 1, 2, 2)], [10.0, 20.0, 30.0, 50.0]), "latency_ms")
    assert chart is not None
    assert [(each["x"], each["y"]) for each in data(chart.spec["layer"][0])] == [("1", 15.0), ("2", 40.0)]
    assert [each["y"] for each in data(chart.spec["layer"][-1])] == [10.0, 20.0, 30.0, 50.0]


def test_effects_that_are_none_are_not_drawn_as_if_rounding_were_one() -> None:
    rows = [{"a.x": a, "b.y": b, "c.z": c} for a, b, c in product((1, 2), repeat=3)]
    chart = effects.draw_effects(table(rows), "macs")
    assert chart is not None
    low, high = chart.spec["layer"][-1]["encoding"]["x"]["scale"]["domain"]
    assert (low, high) == (1 / 1.05, 1.05)


def test_the_page_says_in_the_charts_place_that_there_is_none(tmp_path: Path) -> None:
    text = "archbench: 1\nname: front\nbase: R-18-FPN\ninput: {height: 64, width: 64}\n"
    axes = "axes: {neck.channels: [64], backbone.width: [0.5], top_block.type: [none]}\n"
    spec = write_spec(tmp_path, text + axes)
    records = priced(spec)
    run = stored(tmp_path, spec, records, {each.id: 5.0 + n for n, each in enumerate(records)})
    page = render_html(run.review())
    said = "these 2 variants do not tell 3 axes apart: no two of them differ in one axis alone"
    assert f'What each axis does to latency</figcaption><p class="said">{said}</p></figure>' in page
