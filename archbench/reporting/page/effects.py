"""The chart of what each axis does to a cost: a line for one, a heatmap for two, for more the factor that each value brings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench import units
from archbench.reporting.page.axes import (
    ROOM,
    VariedAxis,
    Zips,
    draw_along,
    draw_heatmap,
    find_varied_axes,
    has_room_for_cells,
    metric_quantity,
)
from archbench.reporting.page.charts import UNSET, Chart, Layer, compose_layers, make_layer
from archbench.reporting.page.drawing import MUTED, SERIES
from archbench.tables.table import Row, Table

MOST_VALUES = 40  # of all axes together, as a list of effects
MOST_NAMED = 6  # of what has no effect to show, before the rest is counted
LEAST_SPAN = (
    1.05  # the factor that a drawing of effects reaches to, either way: never so little that only rounding is seen
)
NOTHING = 1e-9  # a share of a squared length that is rounding alone
Array = NDArray[np.float64]
Place = tuple[str, str]  # an axis by its name, one of its values


def find_zips(manifest: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The paths of each zip of a run's spec, by its name. A file is data, not to be trusted: forms of no zip are passed over."""
    axes = (manifest.get("spec") or {}).get("axes")
    found = {}
    for key, form in axes.items() if isinstance(axes, Mapping) else ():
        paths = form.get("zip") if isinstance(form, Mapping) else None
        if isinstance(paths, Mapping):
            found[str(form.get("name") or key)] = tuple(map(str, paths))
    return found


def draw_effects(table: Table, cost: str, zips: Zips = MappingProxyType({})) -> Chart | None:
    """The effect of the axes on `cost`, those of a zip as one; null where none varies or nothing is known.

    Where the rows do not tell the axes apart there is no drawing, and the chart says so.
    """
    rows = [row for row in table.rows if row.get(cost) is not None]
    axes = find_varied_axes(table.columns, rows, zips)
    if not axes or len(rows) < 2:
        return None
    if len(axes) == 1:
        return draw_along(table, rows, axes[0], cost)
    if len(axes) == 2 and has_room_for_cells(rows, axes):
        return draw_heatmap(table, rows, axes, cost)
    return _draw_factors(rows, axes, cost)


def _draw_factors(rows: Sequence[Row], axes: Sequence[VariedAxis], cost: str) -> Chart | None:
    """A chart with a dot for each value of each axis: the factor that it brings, all else equal."""
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


def find_separable_values(rows: Sequence[Row], axes: Sequence[VariedAxis]) -> dict[str, list[str]]:
    """The values of each axis that the rows tell from one another whatever the other axes do; none where they tell no two.

    The difference of two values can be estimated where the contrast of their indicators lies in the span of the design's
    rows (Searle, "Linear Models", 1971). That divides an axis' values into classes, of which the largest is taken.
    """
    places = _number_values(rows, axes)
    directions, _ = _row_space(_design_matrix(rows, axes, places))
    rest = np.eye(len(places)) - directions @ directions.T
    found = {}
    for axis in axes:
        own = axis.value_texts(rows)
        numbers = np.array([places[axis.name, text] for text in own])
        lengths = np.diag(rest)[numbers]
        classes = lengths[:, None] + lengths[None, :] - 2 * rest[np.ix_(numbers, numbers)] < NOTHING
        largest = classes[int(classes.sum(axis=1).argmax())]
        found[axis.name] = [text for text, within in zip(own, largest, strict=True) if within]
    return {name: words if len(words) > 1 else [] for name, words in found.items()}


def _number_values(rows: Sequence[Row], axes: Sequence[VariedAxis]) -> dict[Place, int]:
    """The column of the design matrix that each value of each axis has."""
    every = [(axis.name, text) for axis in axes for text in axis.value_texts(rows)]
    return {place: number for number, place in enumerate(every)}


def _design_matrix(rows: Sequence[Row], axes: Sequence[VariedAxis], places: Mapping[Place, int]) -> Array:
    """The design matrix: a row a variant, 1 at each value it has."""
    design = np.zeros((len(rows), len(places)))
    for number, row in enumerate(rows):
        for axis in axes:
            design[number, places[axis.name, axis.value_text(row)]] = 1
    return design


def _row_space(design: Array) -> tuple[Array, Array]:
    """An orthonormal basis of the space that the design's rows span, and the squared length of the rows along each direction."""
    sizes, directions = np.linalg.eigh(design.T @ design)
    inside = sizes > sizes[-1] * NOTHING
    return directions[:, inside], sizes[inside]


def _explain_no_factors(rows: Sequence[Row], axes: Sequence[VariedAxis]) -> str:
    count = len({row["id"] for row in rows})
    return f"these {count} variants do not tell {len(axes)} axes apart: no two of them differ in one axis alone"


def fit_factors(
    rows: Sequence[Row], axes: Sequence[VariedAxis], cost: str, known: Mapping[str, Sequence[str]]
) -> dict[Place, float]:
    """The factor by which each `known` value of each axis changes the cost; 1 is the geometric mean of the axis' known values.

    Least squares of the cost's logarithm on all axes at once, so that a space with holes does not mislead.
    """
    places = _number_values(rows, axes)
    design = _design_matrix(rows, axes, places)
    directions, sizes = _row_space(design)
    logs = np.log([float(row[cost]) for row in rows])
    solution = directions @ (directions.T @ (design.T @ logs) / sizes)
    found: dict[Place, float] = {}
    for name, words in known.items():
        own = {(name, text): float(solution[places[name, text]]) for text in words}
        middle = math.fsum(own.values()) / max(len(own), 1)
        found |= {place: math.exp(value - middle) for place, value in own.items()}
    return found


def _factor_marks(axes: Sequence[VariedAxis], found: Mapping[Place, float]) -> list[dict[str, Any]]:
    """One mark a factor, the axis by its label."""
    labels = {axis.name: axis.label for axis in axes}
    return [
        {"y": f"{labels[name]} = {text}", "x": factor, "axis": labels[name], "unset": UNSET in text.split("/")}
        | {"place": place, "said": f"{labels[name]} = {text}: {units.format_ratio(factor)}"}
        for place, ((name, text), factor) in enumerate(found.items())
    ]


def _describe_left_out(
    rows: Sequence[Row], axes: Sequence[VariedAxis], known: Mapping[str, Sequence[str]]
) -> list[str]:
    """The axes and values that have no dot, since wherever they change something else does too."""
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
    """The marks one under the other, the marks of an axis in its colour and, as far as they are set, joined."""
    order, factors = [value["y"] for value in values], [value["x"] for value in values]
    y: Layer = {"field": "y", "type": "nominal", "sort": order, "title": None}
    y["axis"] = {"grid": True, "ticks": False, "domain": False}
    domain = [min(1 / LEAST_SPAN, *factors), max(LEAST_SPAN, *factors)]
    x: Layer = {"field": "x", "type": "quantitative", "title": "times as much, all else equal"}
    x["scale"] = {"type": "log", "padding": 14, "nice": False, "domain": domain}
    color: Layer = {"field": "axis", "type": "nominal", "legend": None}
    color["scale"] = {"domain": list(labels), "range": [SERIES[n % len(SERIES)] for n in range(len(labels))]}
    axes = {"x": x, "y": y, "color": color}
    joined = [value for value in values if not value["unset"]]
    layers = [
        make_layer([{"x": 1}], "rule", {"x": x}, color=MUTED, aria=False),
        make_layer(joined, "line", axes | {"order": {"field": "place"}}, strokeWidth=1.5, opacity=0.6, aria=False),
        make_layer(values, "point", axes | {"description": {"field": "said"}}, filled=True, size=80, opacity=1),
    ]
    return compose_layers(layers, height=80 + 22 * len(order), left=ROOM)
