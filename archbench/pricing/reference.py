"""Which row of a space is the reference: the one that is its network, however either of the two is spelt."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np

from archbench.design.points import Mask, Points
from archbench.design.points_of import Span
from archbench.pricing.judging import PricedChunk


class Reference:
    """Found as chunks go by; the span puts it first beside the grid where no point of the grid is it.

    point  its assignment, as its row has it
    at     its place among the rows that are looked at; null where it is none of them
    """

    def __init__(self, span: Span) -> None:
        self._sections = list(span.sections.values())
        beside, shape = span.extras.columns, span.extras.shape
        self._identities = [int(np.broadcast_to(one.identity(beside), shape)[0]) for one in self._sections]
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
        pairs = zip(self._sections, self._identities, strict=True)
        return reduce(np.logical_and, (section.identity(points.columns) == own for section, own in pairs), wanted)
