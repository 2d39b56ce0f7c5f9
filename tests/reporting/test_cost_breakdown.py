"""Where the cost is: shares that add up, a bar a network, each with a name of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import priced, write_spec

from archbench.design.variants import preset
from archbench.pricing.price import price
from archbench.reporting.page import cost_breakdown
from archbench.reporting.page.charts import Chart
from archbench.reporting.page.cost_breakdown import CostBreakdown
from archbench.runs.records import Record
from archbench.space.constraints import PricedVariant
from archbench.tables.prices import priced_record as priced_record

FAR = """
archbench: 1
name: far
base: R-50-FPN
input: {height: 64, width: 64}
axes:
  neck.levels: [[2, 3, 4, 5]]
  backbone.stride_in_1x1: [true]
  backbone.stem_channels: [64]
  backbone.width_per_group: [64]
  backbone.depth: [18, 50, 101]
"""


def test_where_the_cost_is_adds_up_to_what_it_costs() -> None:
    variant = preset("R-50-FPN")
    found = cost_breakdown.break_down_cost(priced_record(PricedVariant(variant, price(variant))))
    assert found is not None
    assert sum(share.macs for share in found.shares) == price(variant).macs
    assert sum(share.params for share in found.shares) == price(variant).params
    groups = [share.group for share in found.shares]
    assert groups[:5] == ["backbone.stem", *(f"backbone.res{n}" for n in (2, 3, 4, 5))]
    assert {"neck.p2", "neck.p5"} <= set(groups)


def test_a_network_that_is_priced_differently_today_or_is_none_of_ours_is_not_broken_down() -> None:
    variant = preset("R-18-FPN")
    whole = priced_record(PricedVariant(variant, price(variant)))
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
    assert cost_breakdown.break_down_cost(whole) is not None
    assert [cost_breakdown.break_down_cost(replace(whole, **each)) for each in wrong] == [None] * len(wrong)


def broken_down(records: list[Record]) -> list[CostBreakdown]:
    return [each for record in records if (each := cost_breakdown.break_down_cost(record)) is not None]


def bars(chart: Chart) -> dict[str, float]:
    """How long each bar is, in the units of its axis."""
    found: dict[str, float] = {}
    for value in chart.spec["layer"][0]["data"]["values"]:
        found[value["id"]] = found.get(value["id"], 0) + value["amount"]
    return found


def written(chart: Chart) -> dict[str, str]:
    """What stands over each bar."""
    found: dict[str, str] = {}
    for layer in chart.spec["layer"][1:]:
        for value in layer["data"]["values"]:
            found[value["id"]] = found.get(value["id"], "") + value["text"]
    return found


def test_networks_whose_names_begin_alike_have_a_bar_each_of_what_each_costs(tmp_path: Path) -> None:
    """Sixty letters alike: their shares were stacked into one bar, which was the sum of two networks."""
    records = priced(write_spec(tmp_path, FAR))
    assert len({each.name[:60] for each in records}) == 1
    for chart, metric, scale in zip(
        cost_breakdown.draw_breakdowns(broken_down(records)), ("macs", "params"), (1e9, 1e6), strict=True
    ):
        exact = {each.id: each.exact[metric] / scale for each in records if each.exact}
        assert bars(chart) == pytest.approx(exact)
        assert sorted(set(written(chart).values())) == ["depth=101", "depth=18", "depth=50"]


def test_a_network_that_was_measured_twice_costs_the_same_and_stands_there_once(tmp_path: Path) -> None:
    records = priced(write_spec(tmp_path, FAR))[:2]
    twice = [replace(each, replica=replica) for each in records for replica in (0, 1)]
    for chart, alone in zip(
        cost_breakdown.draw_breakdowns(broken_down(twice)),
        cost_breakdown.draw_breakdowns(broken_down(records)),
        strict=True,
    ):
        assert bars(chart) == bars(alone)


def test_a_name_over_a_bar_leaves_out_what_all_of_them_say_and_no_two_become_one() -> None:
    assert cost_breakdown.shorten_names(["a=1,b=2,c=3", "a=1,b=5,c=3"]) == ["b=2", "b=5"]
    assert cost_breakdown.shorten_names(["a=1,b=2", "b=2"]) == ["a=1,b=2", "b=2"]  # of the second nothing would be left
    assert cost_breakdown.shorten_names(["x,y", "y,x"]) == ["x,y", "y,x"]
    assert cost_breakdown.shorten_names(["a=1,b=2"]) == ["a=1,b=2"]


def test_a_long_name_stands_on_several_lines_and_one_that_is_longer_still_is_cut_to_what_tells_it() -> None:
    long = ",".join(f"axis{n}=value{n}" for n in range(12))
    assert "".join(cost_breakdown.wrap_label(long)) == long
    assert 1 < len(cost_breakdown.wrap_label(long)) <= cost_breakdown.MOST_LINES
    assert all(line.endswith(",") for line in cost_breakdown.wrap_label(long)[:-1])
    for longer in (long * 3, "x" * 999, ",x" * 300, "\x07" * 60 + "y" * 100):
        lines, other = cost_breakdown.wrap_label(longer), cost_breakdown.wrap_label(longer + "!")
        assert len(lines) <= cost_breakdown.MOST_LINES
        assert max(map(len, lines)) <= cost_breakdown.ALONG
        assert lines != other
