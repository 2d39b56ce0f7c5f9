"""The best rows of points that come chunk by chunk: only what may still be among them is held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.space.points import UNSET, Column, Points

Keys = Sequence[NDArray[Any]]
Best = Callable[[Keys], NDArray[Any]]  # of rows with these keys, the places of the best, in ascending order

HELD = 1 << 20  # rows that are held before they are held against each other


@dataclass(frozen=True)
class Picked:
    """Rows out of many: their points (one dimension), the keys they were picked by, their places among all."""

    points: Points
    keys: tuple[NDArray[Any], ...]
    at: NDArray[np.int64]

    def take(self, rows: NDArray[Any]) -> Picked:
        return Picked(taken(self.points, rows), tuple(key[rows] for key in self.keys), self.at[rows])


class Picker:
    """Takes rows, gives the best of all."""

    def __init__(self, best: Best) -> None:
        self._best = best
        self._held: list[Picked] = []
        self._room = HELD

    def add(self, points: Points, rows: NDArray[Any], keys: Keys, at: NDArray[np.int64]) -> None:
        """Rows of a chunk, with their keys and their places among all rows of all chunks."""
        best = self._best(keys)
        self._held.append(Picked(taken(points, rows[best]), tuple(key[best] for key in keys), at[best]))
        if sum(len(part.at) for part in self._held) > self._room:
            self._room = HELD + 2 * len(self.best().at)

    def best(self) -> Picked:
        """The best so far, in the order they came."""
        whole = joined(self._held)
        self._held = [whole.take(self._best(whole.keys))]
        return self._held[0]


def taken(points: Points, rows: NDArray[Any]) -> Points:
    """Some rows of points, as points of one dimension."""
    at = np.unravel_index(rows, points.shape)
    columns = (Column(c.path, c.values, np.broadcast_to(c.codes, points.shape)[at]) for c in points.columns)
    return Points((len(rows),), tuple(c.trimmed() if len(c.values) > len(rows) else c for c in columns))


def joined(parts: Sequence[Picked]) -> Picked:
    """Several picks as one, in their order."""
    if len(parts) == 1:
        return parts[0]
    paths = dict.fromkeys(column.path for part in parts for column in part.points.columns)
    columns = tuple(_joined_column(path, [part.points for part in parts]) for path in paths)
    return Picked(
        Points((sum(len(part.at) for part in parts),), columns),
        tuple(np.concatenate(keys) for keys in zip(*(part.keys for part in parts), strict=True)),
        np.concatenate([part.at for part in parts]),
    )


def _joined_column(path: str, parts: Sequence[Points]) -> Column:
    """One path of several points; unset in points that do not have it."""
    places = Places()
    codes = []
    for points in parts:
        column = next((column for column in points.columns if column.path == path), None)
        codes.append(np.full(points.shape, UNSET, np.int32) if column is None else places.codes(column))
    return Column(path, places.values, np.concatenate(codes))


class Places:
    """One numbering of the values of columns that each have their own."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._values: list[Any] = []
        self._last: tuple[Sequence[Any], NDArray[np.int32]] | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        return tuple(self._values)

    def codes(self, column: Column) -> NDArray[np.int32]:
        """The column's codes in this numbering; unset stays unset."""
        if self._last is None or self._last[0] is not column.values:
            table = np.array([*(self._place(value) for value in column.values), UNSET], dtype=np.int32)
            self._last = (column.values, table)
        return self._last[1][column.codes]

    def _place(self, value: Any) -> int:
        place = self._places.setdefault(repr(value), len(self._values))  # 1, 1.0 and true are three values
        if place == len(self._values):
            self._values.append(value)
        return place


def lowest(keys: Keys, limit: int) -> NDArray[Any]:
    """The rows with the least of the first key, least first; of equals those that came first."""
    (values,) = keys
    if len(values) > limit:
        near = np.flatnonzero(values <= np.partition(values, limit - 1)[limit - 1])
        return near[np.argsort(values[near], kind="stable")][:limit]
    return np.argsort(values, kind="stable")
