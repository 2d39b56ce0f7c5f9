"""By what factor each value of each axis changes a cost, all else equal, as far as the rows tell the axes apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from archbench.reporting.page.axes import VariedAxis
from archbench.tables.table import Row

NOTHING = 1e-9  # a share of a squared length that is rounding alone

Array = NDArray[np.float64]
Place = tuple[str, str]  # an axis by its name, one of its values


def find_separable_values(rows: Sequence[Row], axes: Sequence[VariedAxis]) -> dict[str, list[str]]:
    """Of each axis the values that the rows tell from one another whatever the others do; nothing where they tell no two.

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


def fit_factors(
    rows: Sequence[Row], axes: Sequence[VariedAxis], cost: str, told: Mapping[str, Sequence[str]]
) -> dict[Place, float]:
    """(axis, value) -> by what factor it changes the cost; 1 is the geometric mean of the axis' values that are `told` apart.

    Least squares of the cost's logarithm on all axes at once, so that a space with holes does not mislead.
    """
    places = _number_values(rows, axes)
    design = _design_matrix(rows, axes, places)
    directions, sizes = _row_space(design)
    logs = np.log([float(row[cost]) for row in rows])
    solution = directions @ (directions.T @ (design.T @ logs) / sizes)
    found: dict[Place, float] = {}
    for name, words in told.items():
        own = {(name, text): float(solution[places[name, text]]) for text in words}
        middle = math.fsum(own.values()) / max(len(own), 1)
        found |= {place: math.exp(value - middle) for place, value in own.items()}
    return found


def _number_values(rows: Sequence[Row], axes: Sequence[VariedAxis]) -> dict[Place, int]:
    """Each value of each axis, and which column of the design it has."""
    every = [(axis.name, text) for axis in axes for text in axis.value_texts(rows)]
    return {place: number for number, place in enumerate(every)}


def _design_matrix(rows: Sequence[Row], axes: Sequence[VariedAxis], places: Mapping[Place, int]) -> Array:
    """A row a variant, 1 at each value it has."""
    design = np.zeros((len(rows), len(places)))
    for number, row in enumerate(rows):
        for axis in axes:
            design[number, places[axis.name, axis.value_text(row)]] = 1
    return design


def _row_space(design: Array) -> tuple[Array, Array]:
    """Directions that every sum of the design's rows is of, and how much the rows have of each, squared."""
    sizes, directions = np.linalg.eigh(design.T @ design)
    inside = sizes > sizes[-1] * NOTHING
    return directions[:, inside], sizes[inside]
