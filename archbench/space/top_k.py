"""The best rows of points that come chunk by chunk: only what may still be among them is held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.space.points import Points, join_points

Keys = Sequence[NDArray[Any]]
Best = Callable[[Keys], NDArray[Any]]  # of rows with these keys, the places of the best, in ascending order

HELD = 1 << 20  # rows that are held before they are held against each other


@dataclass(frozen=True)
class PickedRows:
    """Rows out of many: their points (one dimension), the keys they were picked by, their places among all."""

    points: Points
    keys: tuple[NDArray[Any], ...]
    at: NDArray[np.int64]

    def take(self, rows: NDArray[Any]) -> PickedRows:
        return PickedRows(self.points.take(rows), tuple(key[rows] for key in self.keys), self.at[rows])


class RowPicker:
    """Takes rows, gives the best of all."""

    def __init__(self, best: Best) -> None:
        self._best = best
        self._held: list[PickedRows] = []
        self._room = HELD

    def add(self, points: Points, rows: NDArray[Any], keys: Keys, at: NDArray[np.int64]) -> None:
        """Rows of a chunk, with their keys and their places among all rows of all chunks."""
        best = self._best(keys)
        self._held.append(PickedRows(points.take(rows[best]), tuple(key[best] for key in keys), at[best]))
        if sum(len(part.at) for part in self._held) > self._room:
            self._room = HELD + 2 * len(self.best().at)

    def best(self) -> PickedRows:
        """The best so far, in the order they came."""
        whole = join_picks(self._held)
        self._held = [whole.take(self._best(whole.keys))]
        return self._held[0]


def join_picks(parts: Sequence[PickedRows]) -> PickedRows:
    """Several picks as one, in their order."""
    if len(parts) == 1:
        return parts[0]
    return PickedRows(
        join_points([part.points for part in parts]),
        tuple(np.concatenate(keys) for keys in zip(*(part.keys for part in parts), strict=True)),
        np.concatenate([part.at for part in parts]),
    )


def choose_lowest(keys: Keys, limit: int) -> NDArray[Any]:
    """The rows with the least of the first key, least first; of equals those that came first."""
    (values,) = keys
    if len(values) > limit:
        near = np.flatnonzero(values <= np.partition(values, limit - 1)[limit - 1])
        return near[np.argsort(values[near], kind="stable")][:limit]
    return np.argsort(values, kind="stable")
