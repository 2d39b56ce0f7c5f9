"""Sub-grids: the parts of some points that are grids too, and counts of the parts joined to counts of the whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from archbench.space.points import Array, Mask, Points, Rows


@dataclass(frozen=True)
class SubGrid:
    """Some places along each axis of the points; the first axis slowest, as theirs."""

    points: Points
    index: tuple[Rows, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(places) for places in self.index)

    @cached_property
    def kept_mask(self) -> Mask | None:
        """Which of its points are wanted; null: all."""
        return None if self.points.kept is None else self.take_part(self.points.kept)

    @property
    def has_wanted(self) -> bool:
        """Whether any of its points is."""
        return math.prod(self.shape) > 0 and (self.kept_mask is None or bool(self.kept_mask.any()))

    @property
    def first_row(self) -> int:
        """The number, among all points, of the first that is wanted."""
        found = self.find_first(np.True_)
        assert found is not None, "nothing is wanted"
        return found

    def find_first(self, where: Array | np.bool_) -> int | None:
        """The row of the first that is wanted and where `where`, which broadcasts, holds; null where there is none."""
        chosen = np.broadcast_to(where, self.shape)
        if self.kept_mask is not None:
            chosen = chosen & self.kept_mask
        if not chosen.any():
            return None
        row = 0
        at = np.unravel_index(int(chosen.argmax()), self.shape)
        for length, places, place in zip(self.points.shape, self.index, at, strict=True):
            row = row * length + int(places[place])
        return row

    def take_part(self, broad: Array) -> Array:
        """The places of an array that broadcasts to the points' shape; as many dimensions, length one kept."""
        whole = broad.reshape((1,) * (len(self.index) - broad.ndim) + broad.shape)
        for axis, places in enumerate(self.index):
            if whole.shape[axis] > 1:
                whole = whole[(slice(None),) * axis + (_as_slice(places),)]
        return whole

    def split_by(self, key: Array) -> list[SubGrid]:
        """Sub-grids along one axis that keep places with equal keys together. The key is not the same throughout."""
        for axis in sorted(range(key.ndim), key=lambda axis: key.shape[axis]):
            labels = _label_lines(key, axis)
            if labels.any():
                return [self._choose_places(axis, np.flatnonzero(labels == label)) for label in range(labels.max() + 1)]
        raise AssertionError("nothing differs")

    def _choose_places(self, axis: int, chosen: Rows) -> SubGrid:
        return SubGrid(self.points, (*self.index[:axis], self.index[axis][chosen], *self.index[axis + 1 :]))


def whole_grid(points: Points) -> SubGrid:
    """All points as one sub-grid."""
    return SubGrid(points, tuple(np.arange(length) for length in points.shape))


def join_sub_grids(shape: Sequence[int], parts: Iterable[tuple[SubGrid, Array]]) -> Array:
    """One array that broadcasts to `shape`, of length one along an axis where no part was cut and none varies.

    Places of no part are 0.
    """
    listed = list(parts)
    broad = [
        any(len(part.index[axis]) != length or values.shape[axis] > 1 for part, values in listed)
        for axis, length in enumerate(shape)
    ]
    result = np.zeros([length if wide else 1 for length, wide in zip(shape, broad, strict=True)], np.int64)
    for part, values in listed:
        places = [_as_slice(places) if wide else slice(None) for places, wide in zip(part.index, broad, strict=True)]
        if sum(not isinstance(place, slice) for place in places) > 1:
            places = list(np.ix_(*(np.arange(n)[place] for n, place in zip(result.shape, places, strict=True))))
        result[tuple(places)] = values
    return result


def _as_slice(places: Rows) -> slice | Rows:
    """Places as a slice where they are evenly spaced: numpy then copies nothing to read them, and little to write."""
    step = int(places[1] - places[0]) if len(places) > 1 else 1
    if (np.diff(places) == step).all():
        return slice(int(places[0]), int(places[-1]) + 1, step)
    return places


def _label_lines(key: Array, axis: int) -> Rows:
    """For each place along the axis, a number that is equal where all of the key there is."""
    lines = np.moveaxis(key, axis, 0).reshape(key.shape[axis], -1)
    _, labels = np.unique(lines[:, 0] if lines.shape[1] == 1 else lines, axis=0, return_inverse=True)
    return labels.reshape(-1)
