"""The axes of a table as they were varied, the paths of a zip as one, and the charts of one axis or two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from archbench.metrics import METRICS
from archbench.reporting.page.charts import (
    HEIGHT,
    Chart,
    Layer,
    cell_text,
    choose_scale,
    compose_layers,
    describe_row,
    distinct_words,
    latency_interval,
    make_layer,
    shorten,
    unset_last,
)
from archbench.reporting.page.drawing import INK, MUTED, PAPER, RAMP, SERIES
from archbench.tables.table import Column, Row, Table

Zips = Mapping[str, Sequence[str]]  # the paths of each zip, by its name

MOST_CELLS = 14  # a side of a heatmap
MOST_ALONG = 60  # places of a line with a label each
ROOM = 40  # pixels: a browser's letters may be wider than those the drawing was made with
DARK_FROM = 4  # the shades of RAMP that take light letters
LETTERS = [PAPER if place >= DARK_FROM else INK for place in range(len(RAMP))]


@dataclass(frozen=True)
class VariedAxis:
    """An axis as it was varied: one column, or the columns of a zip, whose values are written `480/800`."""

    label: str
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        """The columns' names, which tell the axis from every other."""
        return "/".join(column.name for column in self.columns)

    @property
    def title(self) -> str:
        """The label, and after a zip's the paths that its values are of."""
        paths = "/".join(column.label for column in self.columns)
        return shorten(self.label if paths == self.label else f"{self.label} ({paths})")

    @property
    def is_numeric(self) -> bool:
        return all(column.is_numeric for column in self.columns)

    def value_text(self, row: Row) -> str:
        if len(self.columns) == 1:
            return cell_text(self.columns[0], row)
        return shorten("/".join(cell_text(column, row) for column in self.columns))

    def is_unset(self, row: Row) -> bool:
        """Whether the row leaves the axis as the network has it: that is no amount."""
        return any(row.get(column.name) is None for column in self.columns)

    def value_texts(self, rows: Iterable[Row]) -> list[str]:
        """The distinct values, numbers in their order with what is unset behind, words as they come."""
        found = {self.value_text(row): row for row in rows}
        if not self.is_numeric:
            return list(found)
        return sorted(found, key=lambda text: [unset_last(found[text].get(column.name)) for column in self.columns])


def find_varied_axes(columns: Sequence[Column], rows: Sequence[Row], zips: Zips) -> list[VariedAxis]:
    """The axes that differ among the rows, in the order of the columns."""
    differing = [column for column in columns if column.axis and len(distinct_words(column, rows)) > 1]
    names = {path: name for name, paths in zips.items() for path in paths}
    groups: dict[tuple[bool, str], list[Column]] = {}
    for column in differing:
        groups.setdefault((column.name in names, names.get(column.name, column.name)), []).append(column)
    return [
        VariedAxis(shorten(name if len(own) > 1 else own[0].label), tuple(own)) for (_, name), own in groups.items()
    ]


def draw_along(table: Table, rows: Sequence[Row], axis: VariedAxis, cost: str) -> Chart | None:
    """A chart of the cost at each value of one axis, joined where the values are numbers; null where there are too many."""
    if len(rows) > MOST_ALONG:
        return None
    names = axis.value_texts(rows)
    values = [_mark_of_row(table, row, axis, cost) for row in rows]
    numbers = [value[end] for value in values for end in ("y", "low", "high") if end in value]
    slanted = len(names) > 8 or max(map(len, names)) > 12
    x: Layer = {"field": "x", "type": "ordinal", "sort": names, "title": axis.title}
    x["axis"] = {"labelAngle": -40 if slanted else 0}
    y: Layer = {"field": "y", "type": "quantitative", "title": METRICS[cost].title, "scale": choose_scale(numbers)}
    known = [value for value in values if "low" in value]
    layers = []
    if axis.is_numeric:
        layers.append(make_layer(_list_means(rows, axis, cost), "line", {"x": x, "y": y}, color=SERIES[0], aria=False))
    if known:
        ends = {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}}
        layers.append(make_layer(known, "rule", ends, color=MUTED, aria=False))
    dots = {"x": x, "y": y, "description": {"field": "said"}}
    layers.append(make_layer(values, "point", dots, filled=True, size=60, color=SERIES[0], opacity=1))
    title = f"{metric_quantity(cost)} along {axis.label}"
    return Chart("axes", title, "bars are 95 % intervals" if known else "", compose_layers(layers))


def _mark_of_row(table: Table, row: Row, axis: VariedAxis, cost: str) -> dict[str, Any]:
    value = {"x": axis.value_text(row), "y": row[cost] / METRICS[cost].scale, "said": describe_row(table, row)}
    if cost == "latency_ms" and row["half_width"] is not None:
        value["low"], value["high"] = latency_interval(row)
    return value


def _list_means(rows: Sequence[Row], axis: VariedAxis, cost: str) -> list[dict[str, Any]]:
    """The mean cost at each value, as one may be measured several times; what is unset is no amount."""
    costs: dict[str, list[float]] = {}
    for row in rows:
        if not axis.is_unset(row):
            costs.setdefault(axis.value_text(row), []).append(row[cost] / METRICS[cost].scale)
    return [{"x": text, "y": fmean(own)} for text, own in costs.items()]


def has_room_for_cells(rows: Sequence[Row], axes: Sequence[VariedAxis]) -> bool:
    """Whether a heatmap of two axes has a cell for each row, and not too many."""
    cells = {tuple(axis.value_text(row) for axis in axes) for row in rows}
    return len(cells) == len(rows) and max(len(axis.value_texts(rows)) for axis in axes) <= MOST_CELLS


def draw_heatmap(table: Table, rows: Sequence[Row], axes: Sequence[VariedAxis], cost: str) -> Chart:
    """A chart of two axes with a cell a variant, darker where it costs more, its cost written in it."""
    across, down = sorted(axes, key=lambda axis: len(axis.value_texts(rows)), reverse=True)
    edges = _shade_edges([row[cost] / METRICS[cost].scale for row in rows])
    values = [
        {"x": across.value_text(row), "y": down.value_text(row), "said": describe_row(table, row)}
        | _shade_cell(row[cost], cost, edges)
        for row in rows
    ]
    columns, lines = across.value_texts(rows), down.value_texts(rows)
    x: Layer = {"field": "x", "type": "ordinal", "sort": columns, "title": across.title}
    y: Layer = {"field": "y", "type": "ordinal", "sort": lines, "title": down.title}
    x["axis"] = {"labelAngle": 0 if len(columns) <= 8 else -40, "domain": False, "ticks": False}
    y["axis"] = {"domain": False, "ticks": False, "titlePadding": 14}
    cells = {"x": x, "y": y, "color": _shade_by(RAMP), "description": {"field": "said"}}
    letters = {"x": x, "y": y, "text": {"field": "text"}, "color": _shade_by(LETTERS)}
    layers = [
        make_layer(values, "rect", cells, stroke=PAPER, strokeWidth=2),
        make_layer(values, "text", letters, fontSize=12, aria=False),
    ]
    # each layer has a colour scale of its own: cells darken, letters turn
    spec = compose_layers(layers, height=min(HEIGHT, 90 + 44 * len(lines)), left=ROOM)
    return Chart(
        "axes",
        f"{metric_quantity(cost)} over {across.label} and {down.label}",
        f"{METRICS[cost].title} of each variant; the more it stands out, the more it costs",
        spec | {"resolve": {"scale": {"color": "independent"}}},
    )


def _shade_edges(numbers: Sequence[float]) -> list[float]:
    low, high = min(numbers), max(numbers)
    return [low + (high - low) * place / len(RAMP) for place in range(1, len(RAMP))]


def _shade_cell(amount: float, cost: str, edges: Sequence[float]) -> dict[str, Any]:
    """The shade of a cell, and the cost as it is written in it."""
    shade = sum(amount / METRICS[cost].scale > edge for edge in edges)
    return {"shade": shade, "text": METRICS[cost].format(amount)}


def _shade_by(colors: Sequence[str]) -> Layer:
    scale = {"domain": list(range(len(RAMP))), "range": list(colors)}
    return {"field": "shade", "type": "ordinal", "legend": None, "scale": scale}


def metric_quantity(cost: str, *, capital: bool = True) -> str:
    """A metric at the head of a chart: its label without the unit."""
    quantity = METRICS[cost].title.rpartition(" (")[0]
    return quantity[0].upper() + quantity[1:] if capital else quantity
