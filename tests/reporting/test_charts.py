"""What charts hold: every number where it belongs, shares that add up, effects that a model without noise gives back."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_runs import priced, stored, write_spec
from runs_on_disk import record, summary

from archbench.design.space import preset
from archbench.errors import CannotMeasure
from archbench.pricing.constraints import Priced
from archbench.pricing.price import price
from archbench.reporting import charts, effects, where
from archbench.reporting.charts import Chart, drawn, scatter
from archbench.reporting.drawing import inline, svg
from archbench.reporting.figures import draw
from archbench.reporting.palette import DARK, LIGHT
from archbench.reporting.priced import record as priced_record
from archbench.reporting.runs import Run
from archbench.reporting.tables import Table, build
from archbench.reporting.times import Times

A = ("a", 0)
SWEEP = "archbench: 1\nname: sweep\nbase: R-18-FPN\ninput: {{height: 64, width: 64}}\n{more}"


def table(axes: list[dict[str, Any]], milliseconds: list[float]) -> Table:
    records = [record(f"n{n}", axes=axis, reference=n == 0) for n, axis in enumerate(axes)]
    told = {each.key: summary(ms) for each, ms in zip(records, milliseconds, strict=True)}
    return build(records, Times({"request": told}), reference=records[0].key)


def data(layer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = layer["data"]["values"]
    return found


def test_a_scatter_has_every_variant_its_interval_the_line_and_the_reference_in_the_units_of_the_table() -> None:
    made = table([{"neck.channels": n} for n in (64, 128, 256)], [10.0, 20.0, 30.0])
    spec = scatter(made, "macs", "latency_ms", line=made.rows[:2])
    assert spec is not None
    line, rules, points, ring, *_ = spec["layer"]
    assert [(each["x"], each["y"]) for each in data(points)] == [(1e-8, 10.0), (1e-8, 20.0), (1e-8, 30.0)]
    assert [each["color"] for each in data(points)] == ["64", "128", "256"]
    assert next((each["y_low"], each["y_high"]) for each in data(rules)) == (10.0 / 1.04, 10.0 * 1.04)
    assert [each["y"] for each in data(line)] == [10.0, 20.0]
    assert [each["y"] for each in data(ring)] == [10.0]


def test_a_chart_of_fewer_than_two_variants_is_none() -> None:
    assert scatter(table([{}], [1.0]), "macs", "latency_ms") is None


def test_of_very_many_variants_a_chart_shows_some_and_the_reference_and_a_short_front_whole() -> None:
    row = {"pareto": False, "reference": False}
    rows = [row | {"n": n, "reference": n == 4999, "pareto": n in (3, 5)} for n in range(5000)]
    kept = [each["n"] for each in drawn(rows)]
    assert {3, 5, 4999} <= set(kept)
    assert len(kept) == 1000 + 2  # every fifth, which 5 is one of, and the two others
    assert len(drawn([each | {"pareto": True} for each in rows])) == 1001


def test_where_the_cost_is_adds_up_to_what_it_costs() -> None:
    variant = preset("R-50-FPN")
    found = where.breakdown(priced_record(Priced(variant, price(variant))))
    assert found is not None
    assert sum(share.macs for share in found.shares) == price(variant).macs
    assert sum(share.params for share in found.shares) == price(variant).params
    groups = [share.group for share in found.shares]
    assert groups[:5] == ["backbone.stem", *(f"backbone.res{n}" for n in (2, 3, 4, 5))]
    assert {"neck.p2", "neck.p5"} <= set(groups)


def test_a_network_that_is_priced_differently_today_or_is_none_of_ours_is_not_broken_down() -> None:
    variant = preset("R-18-FPN")
    whole = priced_record(Priced(variant, price(variant)))
    assert whole.exact is not None
    wrong: list[dict[str, Any]] = [
        {"exact": dict(whole.exact) | {"macs": 1}},
        {"exact": None},
        {"architecture": {"module": "nets:net"}},
        {"architecture": {}},
        {"architecture": dict.fromkeys(whole.architecture, "resnet")},
        {"architecture": {**whole.architecture, "backbone": {"type": "resnet", "depth": 10**9}}},
        {"workload": {"height": "a", "width": None}},
    ]
    assert where.breakdown(whole) is not None
    assert [where.breakdown(replace(whole, **each)) for each in wrong] == [None] * len(wrong)


def test_effects_of_a_product_of_factors_are_those_factors_though_the_grid_has_holes() -> None:
    """time = depth x width x 7: over each axis, the factor over the geometric mean of its values."""
    depths, widths, batches = {18: 1.0, 50: 2.0, 101: 4.5}, {0.5: 1.0, 1.0: 1.6}, {1: 1.0, 8: 7.5}
    points = [p for p in product(depths, widths, batches) if p not in ((18, 0.5, 1), (101, 1.0, 8))]
    axes = [{"backbone.depth": d, "backbone.width": w, "input.batch": b} for d, w, b in points]
    made = table(axes, [7.0 * depths[d] * widths[w] * batches[b] for d, w, b in points])
    columns = [column for column in made.columns if column.axis]
    found = effects.effects(made.rows, columns, "latency_ms")
    for path, own in (("backbone.depth", depths), ("backbone.width", widths), ("input.batch", batches)):
        middle = math.prod(own.values()) ** (1 / len(own))
        for value, factor in own.items():
            assert found[path, str(value)] == pytest.approx(factor / middle)
    chart = effects.chart(made, "latency_ms")
    assert chart is not None
    assert "all else equal" in str(chart.spec)


def test_values_and_axes_that_differ_far_behind_are_not_one() -> None:
    """Sixty letters alike, then another: in a scatter's colours, along a line, and among the effects of two axes."""
    far = ["v" * 60 + end for end in "xyz"]
    one = table([{"a.x": value} for value in far], [1.0, 2.0, 4.0])
    (column,) = [column for column in one.columns if column.axis]
    names = charts.choices(column, one.rows)
    assert len(set(names)) == 3
    assert max(map(len, names)) <= charts.LONGEST
    line = effects.chart(one, "latency_ms")
    assert line is not None
    assert {each["x"] for each in data(line.spec["layer"][-1])} == set(names)
    two = table([dict.fromkeys(("p" * 60 + ".a", "p" * 60 + ".b"), n) for n in (1, 2, 1)], [1.0, 2.0, 3.0])
    found = effects.chart(two, "latency_ms")
    assert found is not None
    assert len({each["y"] for each in data(found.spec["layer"][-1])}) == 4


def test_two_axes_are_a_heatmap_one_is_a_line_and_none_is_nothing() -> None:
    two = table([{"a.x": x, "b.y": y} for x in (1, 2, 3) for y in (1, 2)], [1.0, 2, 3, 4, 5, 6])
    one = table([{"a.x": x} for x in (1, 2, 3)], [1.0, 2, 3])
    drawings = [effects.chart(made, "latency_ms") for made in (two, one)]
    assert [chart.spec["layer"][0]["mark"]["type"] for chart in drawings if chart] == ["rect", "line"]
    assert drawings[0] is not None
    assert [each["text"] for each in data(drawings[0].spec["layer"][0])] == [f"{n}.000" for n in range(1, 7)]
    assert effects.chart(table([{}, {}], [1.0, 2.0]), "latency_ms") is None


def test_no_two_names_of_the_palette_share_a_colour_on_light_paper_and_each_has_a_dark_one() -> None:
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert LIGHT.keys() == DARK.keys()


def test_a_drawing_for_the_page_has_variables_for_colours_and_nothing_a_policy_refuses() -> None:
    spec = scatter(table([{"a.x": 1}, {"a.x": 2}], [1.0, 2.0]), "macs", "latency_ms")
    assert spec is not None
    drawing = inline(spec, '<t>"')
    root = ElementTree.fromstring(drawing)
    assert root.get("aria-label") == '<t>"'
    attributes = [(name, value) for element in root.iter() for name, value in element.attrib.items()]
    assert not [name for name, _ in attributes if name == "style" or name.startswith("on") or "href" in name]
    painted = {value for name, value in attributes if name in ("fill", "stroke")}
    assert {"var(--ink)", "var(--muted)", "var(--grid)"} <= painted
    assert not [value for value in painted if value in LIGHT.values()]
    assert LIGHT["muted"] in svg(spec)


def test_figures_are_files_that_slides_take(tmp_path: Path) -> None:
    run = sweep(tmp_path, "axes: {neck.channels: [64, 128]}\n")
    written = draw(run.review.charts, tmp_path / "new" / "figures")
    assert sorted(path.name for path in written) == sorted(
        f"{name}.{form}"
        for name in ("latency", "memory", "where_macs", "where_params", "axes")
        for form in ("svg", "png")
    )
    for path in written:
        begin = path.read_bytes()[:8]
        assert begin == (b"\x89PNG\r\n\x1a\n" if path.suffix == ".png" else b"<svg xml")


def test_a_folder_that_cannot_be_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotMeasure, match=r"file: cannot be written \(File exists\); give --figures another folder"):
        draw([Chart("a", "", "", {})], tmp_path / "file")


def sweep(folder: Path, more: str, **given: Any) -> Run:
    spec = write_spec(folder, SWEEP.format(more=more))
    records = priced(spec)
    return stored(folder, spec, records, {each.id: 5.0 + n for n, each in enumerate(records)}, **given)
