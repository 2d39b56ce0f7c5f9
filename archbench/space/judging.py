"""Points priced and held against the constraints, by columns; counted on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.design.expressions.parse import Expression
from archbench.space.columns import evaluate_mask
from archbench.space.points import Mask
from archbench.space.variables import NamedColumns

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class PricedChunk:
    """Some points with their prices. Arrays have the points' shape; rows are places in their C order.

    there    the rows that are looked at: neither excluded, nor a duplicate, nor elsewhere
    refused  for each of them the constraint that was the first to refuse it, -1 where none did
    """

    columns: NamedColumns
    there: Mask
    refused: NDArray[np.int16]

    @cached_property
    def rows(self) -> Rows:
        return np.flatnonzero(self.there)

    @cached_property
    def kept(self) -> Mask:
        """The rows that no constraint refuses."""
        return self.there & (self.refused < 0)

    def at(self, rows: Rows, values: NDArray[Any]) -> NDArray[Any]:
        """An array that broadcasts to the points, at some rows."""
        whole = np.broadcast_to(values, self.there.shape).reshape(-1)
        return whole if len(rows) == len(whole) else whole[rows]


class ConstraintJudge:
    """Holds chunks against the constraints, and adds up how many rows each was the first to refuse.

    `elsewhere` counts the rows that `where`, where there is one, does not look at.
    """

    def __init__(self, constraints: Sequence[Expression], where: Expression | None = None) -> None:
        self.constraints, self.where = constraints, where
        self.refused: Counter[str] = Counter({constraint.text: 0 for constraint in constraints})
        self.elsewhere = self.kept = 0

    def __call__(self, columns: NamedColumns) -> PricedChunk:
        shape, kept = columns.points.shape, columns.points.kept
        there = np.ones(shape, dtype=bool) if kept is None else np.array(np.broadcast_to(kept, shape))
        if self.where is not None:
            inside = there & evaluate_mask(self.where, columns, there)
            self.elsewhere += int(there.sum()) - int(inside.sum())
            there = inside
        chunk = PricedChunk(columns, there, self._refusals(columns, there))
        self.kept += int(chunk.kept.sum())
        return chunk

    def _refusals(self, columns: NamedColumns, there: Mask) -> NDArray[np.int16]:
        refused, left = np.full(there.shape, -1, dtype=np.int16), there
        for place, constraint in enumerate(self.constraints):
            met = left & evaluate_mask(constraint, columns, left)
            refused[left & ~met] = place
            self.refused[constraint.text] += int(left.sum()) - int(met.sum())
            left = met
        return refused
