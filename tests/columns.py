"""Points for tests: a grid of axes, rows drawn from one, and the costs that columns of counts say of single rows."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from archbench.metrics import EXACT
from archbench.models.variant import ModuleFactory, Variant
from archbench.pricing.price import Cost
from archbench.space.costs import SIDES, price_points
from archbench.space.points import CodedColumn, Points, make_points


def grid(axes: Mapping[str, Sequence[Any]]) -> Points:
    """All combinations, one dimension an axis."""
    shape = tuple(len(values) for values in axes.values())
    columns = []
    for axis, (path, values) in enumerate(axes.items()):
        along = [1] * len(shape)
        along[axis] = len(values)
        columns.append(CodedColumn(path, tuple(values), np.arange(len(values), dtype=np.int32).reshape(along)))
    return Points(shape, tuple(columns))


def drawn(axes: Mapping[str, Sequence[Any]], count: int, seed: int = 0) -> Points:
    """So many random combinations, in one dimension."""
    draw = random.Random(seed)
    codes = {path: [draw.randrange(len(values)) for _ in range(count)] for path, values in axes.items()}
    columns = [CodedColumn(path, tuple(values), np.array(codes[path], np.int32)) for path, values in axes.items()]
    return Points((count,), tuple(columns))


def costs_of(counts: Mapping[str, Any], shape: tuple[int, ...], rows: Iterable[int]) -> list[Cost]:
    """The cost of each of those rows, from arrays that broadcast to the shape."""
    flat = {metric: np.broadcast_to(counts[metric], shape).reshape(-1) for metric in EXACT}
    return [Cost(**{metric: int(values[row]) for metric, values in flat.items()}) for row in rows]


def price_many(variants: Sequence[Variant]) -> list[Cost]:
    """The exact cost of each variant, priced together as columns of every path that a price depends on."""
    if not variants:
        return []
    points = make_points([_paths(variant) for variant in variants])
    known = {repr(points.assignment(row)): variant for row, variant in enumerate(variants)}
    counts = price_points(points, lambda assignment: known[repr(assignment)])
    return costs_of(counts, points.shape, range(len(variants)))


def _paths(variant: Variant) -> dict[str, Any]:
    if isinstance(variant.architecture, ModuleFactory):
        return {"module": variant.architecture.factory}
    parts = variant.architecture.as_json() | {"input": {side: getattr(variant.workload, side) for side in SIDES}}
    paths = {f"{section}.{key}": value for section, part in parts.items() for key, value in part.items()}
    return {**paths, "measure.precision": variant.workload.precision}
