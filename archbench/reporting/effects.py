"""What each axis does to the cost: a line for one axis, a heatmap for two, an effect a value for more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from archbench import units
from archbench.metrics import METRICS
from archbench.reporting.charts import (
    HEIGHT,
    Chart,
    Layer,
    choices,
    compose,
    interval,
    scale,
    short,
    told,
    word,
)
from archbench.reporting.palette import INK, MUTED, PAPER, RAMP, SERIES
from archbench.reporting.tables import Column, Row, Table

MOST_CELLS = 14  # a side of a heatmap
MOST_ALONG = 60  # places of a line with a label each
MOST_VALUES = 40  # of all axes together, as a list of effects
ROOM = 40  # pixels: a browser's letters may be wider than those the drawing was made with
DARK_FROM = 4  # the shades of RAMP that take light letters


def chart(table: Table, cost: str) -> Chart | None:
    """The effect of the axes on `cost`; null where none varies or nothing is known."""
    rows = [row for row in table.rows if row.get(cost) is not None]
    axes = [column for column in table.columns if column.axis and len(choices(column, rows)) > 1]
    if not axes or len(rows) < 2:
        return None
    if len(axes) == 1:
        return _along(table, rows, axes[0], cost) if len(rows) <= MOST_ALONG else None
    if len(axes) == 2 and _each_once(rows, axes) and max(len(choices(axis, rows)) for axis in axes) <= MOST_CELLS:
        return _heatmap(table, rows, axes, cost)
    return _effects(rows, axes, cost)


def _each_once(rows: Sequence[Row], axes: Sequence[Column]) -> bool:
    return len({tuple(word(axis, row) for axis in axes) for row in rows}) == len(rows)


def _label(column: Column) -> str:
    return short(column.label)


def _along(table: Table, rows: Sequence[Row], axis: Column, cost: str) -> Chart:
    """The cost at each value, its intervals, and a line where the values are numbers."""
    metric, names = METRICS[cost], choices(axis, rows)
    values = [_on_line(table, row, axis, cost) for row in rows]
    numbers = [value[end] for value in values for end in ("y", "low", "high") if end in value]
    x: Layer = {"field": "x", "type": "ordinal", "sort": names, "title": _label(axis), "axis": {"labelAngle": 0}}
    y: Layer = {"field": "y", "type": "quantitative", "title": metric.title, "scale": scale(numbers)}
    if len(names) > 8 or max(map(len, names)) > 12:
        x["axis"] = {"labelAngle": -40}
    known = [value for value in values if "low" in value]
    whiskers: Layer = {
        "data": {"values": known},
        "mark": {"type": "rule", "color": MUTED, "aria": False},
        "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}},
    }
    joined: Layer = {"data": {"values": values}, "mark": {"type": "line", "color": SERIES[0], "aria": False}}
    dots: Layer = {
        "data": {"values": values},
        "mark": {"type": "point", "filled": True, "size": 60, "color": SERIES[0], "opacity": 1},
    }
    layers = [
        *([joined | {"encoding": {"x": x, "y": y}}] if axis.numeric else []),
        *([whiskers] if known else []),
        dots | {"encoding": {"x": x, "y": y, "description": {"field": "said"}}},
    ]
    said = "bars are 95 % intervals" if known else ""
    return Chart("axes", f"{_quantity(cost)} along {_label(axis)}", said, compose(layers))


def _on_line(table: Table, row: Row, axis: Column, cost: str) -> dict[str, Any]:
    value = {"x": word(axis, row), "y": row[cost] / METRICS[cost].scale, "said": told(table, row)}
    if cost == "latency_ms" and row["half_width"] is not None:
        value["low"], value["high"] = interval(row)
    return value


def _heatmap(table: Table, rows: Sequence[Row], axes: Sequence[Column], cost: str) -> Chart:
    """A cell a variant, darker where it costs more, its cost written in it."""
    across, down = sorted(axes, key=lambda axis: len(choices(axis, rows)), reverse=True)
    edges = _edges([row[cost] / METRICS[cost].scale for row in rows])
    values = [
        {"x": word(across, row), "y": word(down, row), "said": told(table, row)} | _shaded(row[cost], cost, edges)
        for row in rows
    ]
    x: Layer = {"field": "x", "type": "ordinal", "sort": choices(across, rows), "title": _label(across)}
    y: Layer = {"field": "y", "type": "ordinal", "sort": choices(down, rows), "title": _label(down)}
    x["axis"] = {"labelAngle": 0 if len(choices(across, rows)) <= 8 else -40, "domain": False, "ticks": False}
    y["axis"] = {"domain": False, "ticks": False, "titlePadding": 14}
    shade = {"field": "shade", "type": "ordinal", "legend": None, "scale": _ladder(RAMP)}
    letters = {"field": "shade", "type": "ordinal", "legend": None, "scale": _ladder(_letters())}
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
    height = min(HEIGHT, 90 + 44 * len(choices(down, rows)))
    # each layer has a colour scale of its own: cells darken, letters turn
    spec = compose(layers, height=height, left=ROOM) | {"resolve": {"scale": {"color": "independent"}}}
    title = f"{_quantity(cost)} over {_label(across)} and {_label(down)}"
    return Chart(
        "axes", title, f"{METRICS[cost].title} of each variant; the more it stands out, the more it costs", spec
    )


def _edges(numbers: Sequence[float]) -> list[float]:
    low, high = min(numbers), max(numbers)
    return [low + (high - low) * place / len(RAMP) for place in range(1, len(RAMP))]


def _ladder(colors: Sequence[str]) -> dict[str, Any]:
    return {"domain": list(range(len(RAMP))), "range": list(colors)}


def _letters() -> list[str]:
    return [PAPER if place >= DARK_FROM else INK for place in range(len(RAMP))]


def _shaded(amount: float, cost: str, edges: Sequence[float]) -> dict[str, Any]:
    """How dark a cell is, and what is written in it."""
    shade = sum(amount / METRICS[cost].scale > edge for edge in edges)
    return {"shade": shade, "text": METRICS[cost].write(amount)}


def effects(rows: Sequence[Row], axes: Sequence[Column], cost: str) -> dict[tuple[str, str], float]:
    """(axis, value) -> by what factor it changes the cost, all else equal; 1 is the geometric mean of the axis' values.

    Least squares of the cost's logarithm on all axes at once, so that a space with holes does not mislead.
    """
    places = {(axis.name, text): 0 for axis in axes for text in choices(axis, rows)}
    places = {key: number for number, key in enumerate(places)}
    design = np.zeros((len(rows), len(places)))
    for number, row in enumerate(rows):
        for axis in axes:
            design[number, places[axis.name, word(axis, row)]] = 1
    logs = np.log([float(row[cost]) for row in rows])
    solution = np.linalg.lstsq(design, logs, rcond=None)[0]
    found: dict[tuple[str, str], float] = {}
    for axis in axes:
        own = [(axis.name, text) for text in choices(axis, rows)]
        middle = math.fsum(float(solution[places[key]]) for key in own) / len(own)
        found |= {key: math.exp(float(solution[places[key]]) - middle) for key in own}
    return found


def _effects(rows: Sequence[Row], axes: Sequence[Column], cost: str) -> Chart | None:
    """A dot for each value of each axis: the factor it brings, all else equal."""
    if any(row[cost] <= 0 for row in rows):
        return None
    labels = {axis.name: _label(axis) for axis in axes}
    values = [
        {
            "y": f"{labels[axis]} = {text}",
            "x": factor,
            "axis": labels[axis],
            "said": _factor(labels[axis], text, factor),
        }
        for (axis, text), factor in effects(rows, axes, cost).items()
    ][:MOST_VALUES]
    if not values:
        return None
    order = [value["y"] for value in values]
    y: Layer = {"field": "y", "type": "nominal", "sort": order, "title": None}
    y["axis"] = {"grid": True, "ticks": False, "domain": False}
    x: Layer = {"field": "x", "type": "quantitative", "title": "times as much, all else equal"}
    x["scale"] = {"type": "log", "padding": 14, "nice": False}
    color: Layer = {"field": "axis", "type": "nominal", "legend": None}
    color["scale"] = {"domain": list(labels.values()), "range": [SERIES[n % len(SERIES)] for n in range(len(labels))]}
    layers: list[Layer] = [
        {"data": {"values": [{"x": 1}]}, "mark": {"type": "rule", "color": MUTED, "aria": False}, "encoding": {"x": x}},
        {
            "data": {"values": values},
            "mark": {"type": "line", "strokeWidth": 1.5, "opacity": 0.6, "aria": False},
            "encoding": {"x": x, "y": y, "color": color, "order": {"field": "place"}},
        },
        {
            "data": {"values": values},
            "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": color, "description": {"field": "said"}},
        },
    ]
    for place, value in enumerate(values):
        value["place"] = place
    said = "least squares of the logarithm on all axes at once; 1 is the mean of an axis' values"
    return Chart(
        "axes",
        f"What each axis does to {_quantity(cost, capital=False)}",
        said,
        compose(layers, height=80 + 22 * len(order), left=ROOM),
    )


def _factor(axis: str, text: str, factor: float) -> str:
    return f"{axis} = {text}: {units.ratio(factor)}"


def _quantity(cost: str, *, capital: bool = True) -> str:
    quantity = METRICS[cost].title.rpartition(" (")[0]
    return quantity[0].upper() + quantity[1:] if capital else quantity
