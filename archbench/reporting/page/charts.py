"""The charts of a table as Vega-Lite specs: what costs what, with intervals, the reference and the line of the best.

Data carry names of our own (`x`, `y`, `color`, ...): Vega-Lite reads dots and brackets in a field's name as a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archbench.metrics import METRICS, Metric
from archbench.reporting.page.drawing import GRID, INK, MUTED, PAPER, RAMP, SERIES
from archbench.tables.table import Column, Row, Table
from archbench.text import visible

WIDTH, HEIGHT = 480, 330
MOST_POINTS = 1000  # more are a cloud, and a page nobody can load
MOST_COLORS, MOST_SHAPES = len(SERIES), 6
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
DECADES = 15.0  # a largest so many times the smallest is read on a logarithmic scale
LONGEST = 60
MOST_ABREAST = 6  # names of a legend on a line
LETTER, SYMBOL = 8, 30  # pixels of a letter of a legend, and of a symbol with its gaps
SPARE = 12  # pixels between two labels: a browser's letters may be wider than those the drawing was made with
UNSET = "unset"  # an axis whose value is null: the network or the device has its own
SAME = 1e-9  # a difference that is nothing to the numbers themselves
ROOM_AROUND = 0.1  # a share of the one number there is, to either side

Values = list[dict[str, Any]]
Layer = dict[str, Any]

QUIET = dict.fromkeys(("labelColor", "titleColor"), MUTED)
LETTERS = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
CONFIG: dict[str, Any] = {
    "font": "sans-serif",
    "background": PAPER,
    "view": {"stroke": None},
    "axis": {
        **dict.fromkeys(("gridColor", "domainColor", "tickColor"), GRID),
        **(QUIET | LETTERS | {"tickCount": 6, "labelLimit": 260}),
    },
    "axisXQuantitative": {"labelSeparation": SPARE},
    "legend": {
        **(QUIET | LETTERS | {"orient": "bottom", "labelLimit": 200}),
        **{"symbolOpacity": 1, "symbolSize": 80, "columns": MOST_ABREAST},
        "layout": {"bottom": {"direction": "vertical", "anchor": "start", "margin": 6}},
    },
}


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite spec with its name in a file's name, its title on a page, and a sentence on what it shows.

    The spec is empty where there is nothing to draw, and `note` is why.
    """

    name: str
    title: str
    note: str
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class PointStyle:
    """The columns that points are told apart by, in colour and in shape; null where none has few enough values."""

    color: Column | None
    shape: Column | None


def draw_scatter(
    table: Table, x: str, y: str, *, line: Sequence[Row] = (), lines: Sequence[tuple[str, Sequence[Row]]] = ()
) -> Layer | None:
    """A chart of every variant that has both metrics: intervals of a latency, the reference in a ring, `line` joined in steps.

    `lines` are more of them, each in its colour. Null where fewer than two variants have both.
    """
    rows = choose_drawn_rows([row for row in table.rows if row.get(x) is not None and row.get(y) is not None])
    if len(rows) < 2:
        return None
    style, both = choose_point_style(table), (METRICS[x], METRICS[y])
    values = [_make_point(row, *both, style, table) for row in rows]
    joined = [(color, [_scaled_position(row, *both) for row in own]) for color, own in ((MUTED, line), *lines)]
    axes = {side: _scaled_axis(side, metric, values) for side, metric in zip("xy", both, strict=True)}
    layers = [
        *(_line_layer(own, axes, color) for color, own in joined if is_drawn(own)),
        *_interval_layers(values, axes),
        _point_layer(values, axes, style, table),
        *_reference_layers([value for value in values if value["reference"]], axes),
    ]
    return compose_layers(layers)


def choose_drawn_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows that a chart shows: all; of very many a part at even steps, the reference and, where it is short, the front."""
    step = -(-len(rows) // MOST_POINTS)
    short = sum(bool(row["pareto"]) for row in rows) <= MOST_POINTS
    return [row for n, row in enumerate(rows) if n % step == 0 or row["reference"] or (short and row["pareto"])]


def choose_point_style(table: Table) -> PointStyle:
    """The axes that are told apart: the first with few values by colour, the next by shape."""
    axes = [column for column in table.columns if column.axis]
    color = next((c for c in axes if 2 <= len(distinct_words(c, table.rows)) <= MOST_COLORS), None)
    shape = next((c for c in axes if c is not color and 2 <= len(distinct_words(c, table.rows)) <= MOST_SHAPES), None)
    return PointStyle(color, shape)


def distinct_words(column: Column, rows: Iterable[Row]) -> list[str]:
    """The distinct values of a column as they are written, numbers in their order, words as they come."""
    found = {cell_text(column, row): row.get(column.name) for row in rows}
    if column.is_numeric:
        return sorted(found, key=lambda text: unset_last(found[text]))
    return list(found)


def unset_last(value: Any) -> tuple[bool, Any]:
    """A key to sort numbers by, which puts null behind them."""
    return value is None, value or 0


def cell_text(column: Column, row: Row) -> str:
    return UNSET if row.get(column.name) is None else shorten(column.format_cell(row))


def shorten(text: str, most: int = LONGEST) -> str:
    """A text as a chart has room for it; two that differ far behind still differ."""
    if len(text) <= most:
        return visible(text, most)
    ending = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{visible(text, most - len(ending) - 1)} {ending}"


def _make_point(row: Row, x: Metric, y: Metric, style: PointStyle, table: Table) -> dict[str, Any]:
    value = _scaled_position(row, x, y) | {"said": describe_row(table, row), "reference": row["reference"]}
    for key, column in (("color", style.color), ("shape", style.shape)):
        if column is not None:
            value[key] = cell_text(column, row)
    for side, metric in (("x", x), ("y", y)):
        if metric.name == "latency_ms" and row.get("half_width") is not None:
            low, high = latency_interval(row)
            value |= {f"{side}_low": low, f"{side}_high": high}
    return value


def _scaled_position(row: Row, x: Metric, y: Metric) -> dict[str, Any]:
    return {"x": row[x.name] / x.scale, "y": row[y.name] / y.scale}


def describe_row(table: Table, row: Row) -> str:
    """The text that pointing at a variant shows: its name, then every cost and gain that decides."""
    names = ("latency_ms", "half_width", "ratio", "macs", "params", "peak_bytes", "memory_bytes", "score")
    known = [c for c in table.columns if c.name in names and row.get(c.name) is not None]
    costs = (f"{c.label} {c.format_cell(row)}" for c in sorted(known, key=lambda column: column.priority))
    return "; ".join([visible(row["name"], 200), *(visible(cost) for cost in costs)])


def latency_interval(row: Row) -> tuple[float, float]:
    """The ends of the 95 % interval of the latency, in milliseconds: a factor either way."""
    factor = 1 + row["half_width"]
    return row["latency_ms"] / factor, row["latency_ms"] * factor


def _scaled_axis(side: str, metric: Metric, values: Values) -> Layer:
    numbers = [value[f"{side}{end}"] for value in values for end in ("", "_low", "_high") if f"{side}{end}" in value]
    return {"field": side, "type": "quantitative", "title": metric.title, "scale": choose_scale(numbers)}


def choose_scale(numbers: Sequence[float]) -> dict[str, Any]:
    """A linear scale over the numbers; a logarithmic one where the largest is many times the smallest.

    A single number has room to either side: over a range of no width the labels of its ticks are rounded to none of its digits.
    """
    low, high = min(numbers), max(numbers)
    if high - low <= SAME * abs(high):
        room = ROOM_AROUND * abs(high) or 1.0
        return {"zero": False, "nice": False, "domain": [low - room, high + room]}
    wide = low > 0 and high / low > DECADES
    return {"type": "log", "nice": False, "padding": 12} if wide else {"zero": False, "padding": 12}


def is_drawn(line: Sequence[object]) -> bool:
    """Whether the line of the best has two variants or more, which are joined."""
    return len(line) > 1


def make_layer(values: Sequence[Mapping[str, Any]], mark: str, encoding: Mapping[str, Layer], **style: Any) -> Layer:
    """A layer of one mark a value; `style` is the same for all marks."""
    return {"data": {"values": list(values)}, "mark": {"type": mark, **style}, "encoding": dict(encoding)}


def _line_layer(joined: Values, axes: Mapping[str, Layer], color: str) -> Layer:
    ordered = sorted(joined, key=lambda value: (value["x"], value["y"]))
    dashed = {"interpolate": "step-after", "color": color, "strokeWidth": 1.5, "strokeDash": [5, 3]}
    return make_layer(ordered, "line", axes, **dashed, aria=False)


def _interval_layers(values: Values, axes: Mapping[str, Layer]) -> list[Layer]:
    """A rule for each interval, along the axis the latency is on."""
    layers = []
    for side, other in (("x", "y"), ("y", "x")):
        known = [value for value in values if f"{side}_low" in value]
        if known:
            ends = {side: axes[side] | {"field": f"{side}_low"}, f"{side}2": {"field": f"{side}_high"}}
            data = [{key: value[key] for key in (f"{side}_low", f"{side}_high", other)} for value in known]
            encoding = ends | {other: axes[other]}
            layers.append(make_layer(data, "rule", encoding, color=MUTED, opacity=0.55, aria=False))
    return layers


def _point_layer(values: Values, axes: Mapping[str, Layer], style: PointStyle, table: Table) -> Layer:
    encoding = dict(axes) | {"description": {"field": "said"}}
    if style.color is not None:
        encoding["color"] = encode_by_color("color", style.color, table.rows)
    if style.shape is not None:
        names = distinct_words(style.shape, table.rows)
        encoding["shape"] = {
            **{"field": "shape", "type": "nominal", "title": visible(style.shape.label)},
            "scale": {"domain": names, "range": list(SHAPES[: len(names)])},
            "legend": {"symbolFillColor": MUTED} | lay_out_legend(names),
        }
    return make_layer(values, "point", encoding, filled=True, size=58, color=SERIES[0], opacity=1)


def encode_by_color(field: str, column: Column, rows: Iterable[Row]) -> Layer:
    """An encoding by colour: amounts from light to dark where they are few, words and what is unset each in its own."""
    names = distinct_words(column, rows)
    amounts = [name for name in names if name != UNSET] if column.is_numeric else []
    ordered = 0 < len(amounts) <= len(RAMP) - 2
    colors = [*spread_colors(RAMP[2:], len(amounts)), SERIES[-1]] if ordered else list(SERIES)
    domain = {"domain": names, "range": colors[: len(names)]}
    title = visible(column.label)
    return {"field": field, "type": "nominal", "title": title, "scale": domain, "legend": lay_out_legend(names)}


def spread_colors(colours: tuple[str, ...], count: int) -> list[str]:
    """`count` colours of an ordered family, as far apart as it allows; the last is the strongest."""
    if count <= 1:
        return [colours[-1]] * count
    return [colours[round(place * (len(colours) - 1) / (count - 1))] for place in range(count)]


def lay_out_legend(names: Sequence[str]) -> dict[str, int]:
    """The names of a legend that stand on one line of a drawing's width, and the pixels between them."""
    longest = min(max(map(len, names), default=0), LONGEST)
    columns = max(1, min(MOST_ABREAST, WIDTH // (LETTER * longest + SYMBOL + SPARE)))
    return {"columns": columns, "columnPadding": SPARE + longest}


def _reference_layers(values: Values, axes: Mapping[str, Layer]) -> list[Layer]:
    """A ring around each reference; the word beside one alone, as beside several the words would stand in each other."""
    data = [{"x": value["x"], "y": value["y"], "text": "reference"} for value in values]
    words, style = dict(axes) | {"text": {"field": "text"}}, {"dy": -16, "fontSize": 12, "aria": False}
    ground = {
        "stroke": PAPER,
        "strokeWidth": 4,
        "color": PAPER,
        "opacity": 0.85,
    }  # points may lie where the word stands
    layers = [
        make_layer(data, "point", axes, filled=False, size=210, color=INK, strokeWidth=1.5, aria=False),
        make_layer(data, "text", words, **style, **ground),
        make_layer(data, "text", words, **style, color=INK),
    ]
    return layers if len(values) == 1 else layers[:1] if values else []


def compose_layers(layers: Sequence[Layer], *, height: int = HEIGHT, left: int = 5) -> dict[str, Any]:
    """Layers as one spec, legends included in its size; `left` pixels are kept free beside them."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": left, "right": 5, "top": 5, "bottom": 5},
        "config": CONFIG,
        "layer": list(layers),
    }
