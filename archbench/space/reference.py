"""Which row of a space is the reference: the one that is its network, however either of the two is spelt."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np

from archbench.space.constraints import PricedChunk
from archbench.space.grid import DesignSpace
from archbench.space.points import CodedColumn, Mask, Points


class ReferenceFinder:
    """Found as chunks go by; the span puts it first beside the grid where no point of the grid is it.

    point  its assignment, as its row has it
    at     its place among the rows that are looked at; null where it is none of them
    """

    def __init__(self, span: DesignSpace) -> None:
        self._sections = list(span.sections.values())
        self._own = tuple(
            CodedColumn(c.path, c.values, np.broadcast_to(c.codes, span.extras.shape)[:1]) for c in span.extras.columns
        )
        self._found = False
        self.point: Mapping[str, Any] = span.spec.reference
        self.at: int | None = None

    def look(self, first: int, chunk: PricedChunk) -> None:
        """Look for it among the points of a chunk, whose first row is number `first`."""
        points = chunk.columns.points
        if self._found or not (here := self._here(points)).any():
            return
        row = int(np.broadcast_to(here, points.shape).argmax())
        self._found, self.point = True, points.assignment(row)
        if chunk.there.flat[row]:
            self.at = first + int(np.searchsorted(chunk.rows, row))

    def _here(self, points: Points) -> Mask:
        """The wanted points that have every section as it has it."""
        wanted = np.ones((), bool) if points.kept is None else points.kept
        return reduce(np.logical_and, (one.alike(points.columns, self._own) for one in self._sections), wanted)
