"""What each axis does to the cost: a line for one axis, a heatmap for two, an effect a value for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from types import MappingProxyType
from typing import Any

from archbench import units
from archbench.metrics import METRICS
from archbench.reporting.page.axes import VariedAxis, Zips, find_varied_axes
from archbench.reporting.page.charts import (
    HEIGHT,
    UNSET,
    Chart,
    Layer,
    choose_scale,
    compose_layers,
    describe_row,
    latency_interval,
)
from archbench.reporting.page.factors import find_separable_values, fit_factors
from archbench.reporting.page.palette import INK, MUTED, PAPER, RAMP, SERIES
from archbench.tables.table import Row, Table

MOST_CELLS = 14  # a side of a heatmap
MOST_ALONG = 60  # places of a line with a label each
MOST_VALUES = 40  # of all axes together, as a list of effects
MOST_NAMED = 6  # of what has no effect to show, before the rest is counted
LEAST_SPAN = 1.05  # the factor that a drawing of effects reaches to, either way
ROOM = 40  # pixels: a browser's letters may be wider than those the drawing was made with
DARK_FROM = 4  # the shades of RAMP that take light letters


def draw_effects(table: Table, cost: str, zips: Zips = MappingProxyType({})) -> Chart | None:
    """The effect of the axes on `cost`, those of a zip as one; null where none varies or nothing is known.

    Where the rows do not tell the axes apart there is no drawing, and the chart says so.
    """
    rows = [row for row in table.rows if row.get(cost) is not None]
    axes = find_varied_axes(table.columns, rows, zips)
    if not axes or len(rows) < 2:
        return None
    if len(axes) == 1:
        return _draw_along(table, rows, axes[0], cost) if len(rows) <= MOST_ALONG else None
    if len(axes) == 2 and _is_each_once(rows, axes) and max(len(axis.value_texts(rows)) for axis in axes) <= MOST_CELLS:
        return _draw_heatmap(table, rows, axes, cost)
    return _draw_factors(rows, axes, cost)


def _is_each_once(rows: Sequence[Row], axes: Sequence[VariedAxis]) -> bool:
    return len({tuple(axis.value_text(row) for axis in axes) for row in rows}) == len(rows)


def _draw_along(table: Table, rows: Sequence[Row], axis: VariedAxis, cost: str) -> Chart:
    """The cost at each value, its intervals, and a line where the values are numbers."""
    metric, names = METRICS[cost], axis.value_texts(rows)
    values = [_mark_of_row(table, row, axis, cost) for row in rows]
    numbers = [value[end] for value in values for end in ("y", "low", "high") if end in value]
    x: Layer = {"field": "x", "type": "ordinal", "sort": names, "title": axis.title, "axis": {"labelAngle": 0}}
    y: Layer = {"field": "y", "type": "quantitative", "title": metric.title, "scale": choose_scale(numbers)}
    if len(names) > 8 or max(map(len, names)) > 12:
        x["axis"] = {"labelAngle": -40}
    known = [value for value in values if "low" in value]
    whiskers: Layer = {
        "data": {"values": known},
        "mark": {"type": "rule", "color": MUTED, "aria": False},
        "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}},
    }
    dots: Layer = {
        "data": {"values": values},
        "mark": {"type": "point", "filled": True, "size": 60, "color": SERIES[0], "opacity": 1},
    }
    layers = [
        *([_line_through_means(rows, axis, cost) | {"encoding": {"x": x, "y": y}}] if axis.numeric else []),
        *([whiskers] if known else []),
        dots | {"encoding": {"x": x, "y": y, "description": {"field": "said"}}},
    ]
    said = "bars are 95 % intervals" if known else ""
    return Chart("axes", f"{metric_quantity(cost)} along {axis.label}", said, compose_layers(layers))


def _line_through_means(rows: Sequence[Row], axis: VariedAxis, cost: str) -> Layer:
    """The line through the amounts, through the mean where one was measured several times; what is unset is no amount."""
    costs: dict[str, list[float]] = {}
    for row in rows:
        if not axis.is_unset(row):
            costs.setdefault(axis.value_text(row), []).append(row[cost] / METRICS[cost].scale)
    means = [{"x": text, "y": fmean(own)} for text, own in costs.items()]
    return {"data": {"values": means}, "mark": {"type": "line", "color": SERIES[0], "aria": False}}


def _mark_of_row(table: Table, row: Row, axis: VariedAxis, cost: str) -> dict[str, Any]:
    value = {"x": axis.value_text(row), "y": row[cost] / METRICS[cost].scale, "said": describe_row(table, row)}
    if cost == "latency_ms" and row["half_width"] is not None:
        value["low"], value["high"] = latency_interval(row)
    return value


def _draw_heatmap(table: Table, rows: Sequence[Row], axes: Sequence[VariedAxis], cost: str) -> Chart:
    """A cell a variant, darker where it costs more, its cost written in it."""
    across, down = sorted(axes, key=lambda axis: len(axis.value_texts(rows)), reverse=True)
    edges = _shade_edges([row[cost] / METRICS[cost].scale for row in rows])
    values = [
        {"x": across.value_text(row), "y": down.value_text(row), "said": describe_row(table, row)}
        | _shade_cell(row[cost], cost, edges)
        for row in rows
    ]
    x: Layer = {"field": "x", "type": "ordinal", "sort": across.value_texts(rows), "title": across.title}
    y: Layer = {"field": "y", "type": "ordinal", "sort": down.value_texts(rows), "title": down.title}
    x["axis"] = {"labelAngle": 0 if len(across.value_texts(rows)) <= 8 else -40, "domain": False, "ticks": False}
    y["axis"] = {"domain": False, "ticks": False, "titlePadding": 14}
    shade = {"field": "shade", "type": "ordinal", "legend": None, "scale": _shade_scale(RAMP)}
    letters = {"field": "shade", "type": "ordinal", "legend": None, "scale": _shade_scale(_letter_colors())}
    layers: list[Layer] = [
        {
            "data": {"values": values},
            "mark": {"type": "rect", "stroke": PAPER, "strokeWidth": 2},
            "encoding": {"x": x, "y": y, "color": shade, "description": {"field": "said"}},
        },
        {
            "data": {"values": values},
            "mark": {"type": "text", "fontSize": 12, "aria": False},
            "encoding": {"x": x, "y": y, "text": {"field": "text"}, "color": letters},
        },
    ]
    height = min(HEIGHT, 90 + 44 * len(down.value_texts(rows)))
    # each layer has a colour scale of its own: cells darken, letters turn
    spec = compose_layers(layers, height=height, left=ROOM) | {"resolve": {"scale": {"color": "independent"}}}
    title = f"{metric_quantity(cost)} over {across.label} and {down.label}"
    return Chart(
        "axes", title, f"{METRICS[cost].title} of each variant; the more it stands out, the more it costs", spec
    )


def _shade_edges(numbers: Sequence[float]) -> list[float]:
    low, high = min(numbers), max(numbers)
    return [low + (high - low) * place / len(RAMP) for place in range(1, len(RAMP))]


def _shade_scale(colors: Sequence[str]) -> dict[str, Any]:
    return {"domain": list(range(len(RAMP))), "range": list(colors)}


def _letter_colors() -> list[str]:
    return [PAPER if place >= DARK_FROM else INK for place in range(len(RAMP))]


def _shade_cell(amount: float, cost: str, edges: Sequence[float]) -> dict[str, Any]:
    """How dark a cell is, and what is written in it."""
    shade = sum(amount / METRICS[cost].scale > edge for edge in edges)
    return {"shade": shade, "text": METRICS[cost].format(amount)}


def _draw_factors(rows: Sequence[Row], axes: Sequence[VariedAxis], cost: str) -> Chart | None:
    """A dot for each value of each axis: the factor it brings, all else equal."""
    if any(row[cost] <= 0 for row in rows):
        return None
    title = f"What each axis does to {metric_quantity(cost, capital=False)}"
    known = find_separable_values(rows, axes)
    if not any(known.values()):
        return Chart("axes", title, _explain_no_factors(rows, axes), {})
    values = _factor_marks(axes, fit_factors(rows, axes, cost, known))
    said = [
        "least squares of the logarithm on all axes at once; 1 is the mean of an axis' values",
        *_describe_left_out(rows, axes, known),
        *([f"only the first {MOST_VALUES} of {len(values)} values are drawn"] if len(values) > MOST_VALUES else []),
    ]
    spec = _draw_dots(values[:MOST_VALUES], [axis.label for axis in axes])
    return Chart("axes", title, "; ".join(said), spec)


def _factor_marks(axes: Sequence[VariedAxis], found: Mapping[tuple[str, str], float]) -> list[dict[str, Any]]:
    """A dot a factor, the axis by its label."""
    labels = {axis.name: axis.label for axis in axes}
    return [
        {"y": f"{labels[name]} = {text}", "x": factor, "axis": labels[name], "unset": UNSET in text.split("/")}
        | {"place": place, "said": f"{labels[name]} = {text}: {units.format_ratio(factor)}"}
        for place, ((name, text), factor) in enumerate(found.items())
    ]


def _explain_no_factors(rows: Sequence[Row], axes: Sequence[VariedAxis]) -> str:
    count = len({row["id"] for row in rows})
    return f"these {count} variants do not tell {len(axes)} axes apart: no two of them differ in one axis alone"


def _describe_left_out(
    rows: Sequence[Row], axes: Sequence[VariedAxis], known: Mapping[str, Sequence[str]]
) -> list[str]:
    """Which axes and values have no dot, since wherever they change something else does too."""
    silent = [axis.label for axis in axes if not known[axis.name]]
    left = silent + [
        f"{axis.label} = {text}"
        for axis in axes
        for text in axis.value_texts(rows)
        if known[axis.name] and text not in known[axis.name]
    ]
    more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
    why = "these variants do not tell from the other axes"
    return [f"left out is what {why}: {', '.join(left[:MOST_NAMED])}{more}"] if left else []


def _draw_dots(values: Sequence[dict[str, Any]], labels: Sequence[str]) -> dict[str, Any]:
    """The values one under the other, those of an axis in its colour and, as far as they are set, joined."""
    order = [value["y"] for value in values]
    y: Layer = {"field": "y", "type": "nominal", "sort": order, "title": None}
    y["axis"] = {"grid": True, "ticks": False, "domain": False}
    x: Layer = {"field": "x", "type": "quantitative", "title": "times as much, all else equal"}
    x["scale"] = {
        "type": "log",
        "padding": 14,
        "nice": False,
        "domain": _widen_domain([value["x"] for value in values]),
    }
    color: Layer = {"field": "axis", "type": "nominal", "legend": None}
    color["scale"] = {"domain": list(labels), "range": [SERIES[n % len(SERIES)] for n in range(len(labels))]}
    joined = [value for value in values if not value["unset"]]
    layers: list[Layer] = [
        {"data": {"values": [{"x": 1}]}, "mark": {"type": "rule", "color": MUTED, "aria": False}, "encoding": {"x": x}},
        {
            "data": {"values": joined},
            "mark": {"type": "line", "strokeWidth": 1.5, "opacity": 0.6, "aria": False},
            "encoding": {"x": x, "y": y, "color": color, "order": {"field": "place"}},
        },
        {
            "data": {"values": values},
            "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": color, "description": {"field": "said"}},
        },
    ]
    return compose_layers(layers, height=80 + 22 * len(order), left=ROOM)


def _widen_domain(numbers: Sequence[float]) -> list[float]:
    """From the least to the largest factor, and never so little that only rounding is seen."""
    return [min(1 / LEAST_SPAN, *numbers), max(LEAST_SPAN, *numbers)]


def metric_quantity(cost: str, *, capital: bool = True) -> str:
    quantity = METRICS[cost].title.rpartition(" (")[0]
    return quantity[0].upper() + quantity[1:] if capital else quantity
