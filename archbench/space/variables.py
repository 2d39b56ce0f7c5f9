"""What an expression may name, column by column: as `constraints.names` of one variant, of all points of a chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.design.spec.variables import knob_paths, nameable
from archbench.metrics import SCALED
from archbench.space.grid import DesignSpace
from archbench.space.points import UNSET, Array, CodedColumn, Points


class NamedColumns(Mapping[str, Array]):
    """Metrics, their scaled forms and dotted paths of some points of a span, made when they are asked for.

    Every array broadcasts to the points' shape. A path is null where a point's parts have no such knob.
    """

    def __init__(self, span: DesignSpace, points: Points, costs: Mapping[str, NDArray[Any]]) -> None:
        self.span, self.points, self.costs = span, points, costs

    def __getitem__(self, name: str) -> Array:
        if name in self.costs:
            return self.costs[name]
        if name in SCALED:
            metric, divisor = SCALED[name]
            return np.asarray(self.costs[metric] / divisor)
        if name in knob_paths():
            return self.span.fields(self.points, [name])[name]
        if any(name in axis.paths for axis in self.span.spec.axes):  # of `measure`, or a path without a key
            return self.column(name).array()
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from nameable(self.span.spec.axes)

    def __len__(self) -> int:
        return len(nameable(self.span.spec.axes))

    def column(self, path: str) -> CodedColumn:
        """A path as every point has it: as it sets it, or else as the base and the part's defaults do."""
        own = next((column for column in self.points.columns if column.path == path), None)
        if own is not None and own.codes.min(initial=0) != UNSET:
            return own
        if path in ("base", "module"):
            return self._whole(path, own or CodedColumn(path, (), np.full((), UNSET, np.int32)))
        found = self.span.fields(self.points, [path])[path].astype(object)
        values = list({repr(value): value for value in found.flat}.values())
        places = {repr(value): place for place, value in enumerate(values)}
        codes = np.array([places[repr(value)] for value in found.flat], dtype=np.int32)
        return CodedColumn(path, tuple(values), codes.reshape(found.shape))

    def _whole(self, path: str, own: CodedColumn) -> CodedColumn:
        """A path without a key: where it is unset the spec's own."""
        spec = self.span.spec
        value = spec.base if path == "base" else spec.overrides.get("module")
        return CodedColumn(path, (*own.values, value), np.where(own.codes == UNSET, len(own.values), own.codes))
