"""Many variants priced by one recording for each structure: the model's program run on lanes.

What is a number, or a list of numbers, is lanes; words, truth values, lengths of lists and which paths are set are the
structure. Where a program branches between lanes, they part along one axis of the points, and each part is a grid again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.design.spec.config import split_path
from archbench.errors import SpecError
from archbench.metrics import EXACT
from archbench.models.variant import FAMILIES, Architecture, ModuleFactory, PartChoice, Variant, record_network
from archbench.pricing.lanes import INT64_MAX, Diverged, Lanes, Wide
from archbench.pricing.liveness import Irregular
from archbench.pricing.price import Cost, add_up, price
from archbench.space.blocks import Array, SubGrid, join_sub_grids, whole_grid
from archbench.space.points import Points, make_points
from archbench.space.structures import VaryingKnob, make_knobs

ROWS = 1 << 15  # points without a grid are recorded so many at a time: their lanes stay in the processor's cache
SIDES = ("batch", "height", "width")

Counts = dict[str, NDArray[np.int64]]  # metric -> an array that broadcasts to the points' shape


def price_points(points: Points, make: Callable[[Mapping[str, Any]], Variant]) -> Counts:
    """Every exact metric of every point that is kept, equal to `price` of the variant `make` gives for its assignment.

    What is not kept is not priced, and its numbers mean nothing. Raises SpecError, naming one variant, where a kept one is
    no network, has a count that 64 bits do not hold, or is a hand-written module.
    """
    return _Pricing(points, lambda row: make(points.assignment(row))).counts()


def price_many(variants: Sequence[Variant]) -> list[Cost]:
    """The exact cost of each variant, equal to `price` of it; refused as there."""
    if not variants:
        return []
    points = make_points([_paths(variant) for variant in variants])
    counts = _Pricing(points, variants.__getitem__).counts()
    columns = [np.broadcast_to(counts[metric], len(variants)).tolist() for metric in EXACT]
    return [Cost(**dict(zip(EXACT, row, strict=True))) for row in zip(*columns, strict=True)]


def _paths(variant: Variant) -> dict[str, Any]:
    """Every path of a variant that its price depends on."""
    if isinstance(variant.architecture, ModuleFactory):
        return {"module": variant.architecture.factory}
    parts = variant.architecture.as_json() | {"input": {side: getattr(variant.workload, side) for side in SIDES}}
    paths = {f"{section}.{key}": value for section, part in parts.items() for key, value in part.items()}
    return {**paths, "measure.precision": variant.workload.precision}


class _Pricing:
    """One set of points being priced; `variant` gives the variant of a row."""

    def __init__(self, points: Points, variant: Callable[[int], Variant]) -> None:
        self.points, self.variant = points, variant
        self.columns = tuple(VaryingKnob(column) for column in points.columns)

    def counts(self) -> Counts:
        found = list(self._priced(whole_grid(self.points)))
        return {
            metric: join_sub_grids(self.points.shape, [(block, counts[metric]) for block, counts in found])
            for metric in EXACT
        }

    def _priced(self, block: SubGrid) -> Iterator[tuple[SubGrid, dict[str, Array]]]:
        """The metrics of a block, in parts where it must be; each broadcasts to its part's shape."""
        if not block.wanted:
            return
        try:
            self._part_structures(block)
            cost = self._cost(block)
        except Diverged as parted:
            for part in block.split(parted.key):
                yield from self._priced(part)
        else:
            yield block, {metric: self._fitting(block, getattr(cost, metric)) for metric in EXACT}

    def _part_structures(self, block: SubGrid) -> None:
        """Raise Diverged unless the block is of one structure, and not too many rows to be recorded at once."""
        for varying in self.columns:
            labels = varying.structure(block)
            if (labels != labels.flat[0]).any():
                raise Diverged(labels)
        if len(block.shape) == 1 and block.shape[0] > ROWS:
            raise Diverged(np.arange(block.shape[0]) // ROWS)

    def _cost(self, block: SubGrid) -> Cost:
        """The cost of a block of one structure, on lanes: of 64 bits and repetitions rolled, while that is enough."""
        example = self.variant(block.row)
        if isinstance(example.architecture, ModuleFactory):
            return price(example)
        rolled, endless = True, False
        while True:
            try:
                architecture, sizes = self._program(block, example, endless=endless)
                graph = record_network(architecture, sizes["height"], sizes["width"], rolled=rolled)
                return add_up(graph, sizes["batch"], example.workload.feature_bytes)
            except Irregular:
                rolled = False
            except Wide:
                endless = True
            except SpecError:  # it is every lane's: a branch that differs would have parted them
                price(self.variant(block.row))  # says it of one variant
                raise

    def _program(self, block: SubGrid, example: Variant, *, endless: bool) -> tuple[Architecture, dict[str, Any]]:
        """The example's architecture and input, with the columns of numbers as lanes."""
        parts = example.architecture.as_json() | {"input": {side: getattr(example.workload, side) for side in SIDES}}
        types = {section: part.get("type", "") for section, part in parts.items()}
        for path, given in make_knobs(block, self.columns, types, endless=endless).items():
            section, key = split_path(path)
            if section in parts:
                parts[section][key] = given
        choices = {family: PartChoice(parts[family].pop("type"), parts[family]) for family in FAMILIES}
        return Architecture(**choices), parts["input"]

    def _fitting(self, block: SubGrid, count: Any) -> NDArray[np.int64]:
        """A metric of a block in 64 bits. SpecError where it is more, naming the variant; what is not kept may be cut."""
        values = np.asarray(count.points if isinstance(count, Lanes) else count)
        values = values.reshape((1,) * (len(block.shape) - values.ndim) + values.shape)
        if values.dtype == np.int64:
            return values
        over = np.asarray(values > INT64_MAX, dtype=bool)
        if (row := block.first(over)) is not None:
            price(self.variant(row))
        return np.where(over, 0, values).astype(np.int64)
