"""The Pareto front of millions of points: `pareto.front` on columns, point for point the same answer.

Most of a large cloud is beaten by a few, and a coarse table finds that out. What is left is sorted, so that whoever beats a
point stands before it; halving the order again and again finds the rest, n log n array operations in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.metrics import Direction

Values = NDArray[Any]  # one coordinate of all points, integers or floats
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

CELLS = 512  # a side of the coarse table: with fewer more is left over, with more the table outgrows the cache
SAMPLE = 1 << 14  # points whose quantiles divide the table
FEW = 1 << 13  # points that are sorted sooner than sifted
BLOCK = 256  # points compared at once with the front so far, where they have more than three coordinates


def front_many(columns: Sequence[Values], directions: Sequence[Direction]) -> Mask:
    """Whether each point is on the front; `columns` holds one array a coordinate. See `pareto.front`.

    Integers are compared as integers, however large. Raises ValueError for a coordinate that is not a number.
    """
    lower = [_lower_is_better(column, side) for column, side in zip(columns, directions, strict=True)]
    left = _sifted(lower)
    left = left[_of_sorted([column[left] for column in lower])]
    found = np.zeros(len(lower[0]), dtype=bool)
    found[left] = True
    return found


def _lower_is_better(column: Values, side: Direction) -> Values:
    if column.dtype.kind == "f" and np.isnan(column).any():
        raise ValueError("a coordinate is not a number")
    return column if side == "min" else -column


def _sifted(lower: Sequence[Values]) -> Rows:
    """Rows among which the front is: what remains when the coarse table has been asked about each pair of coordinates."""
    rows = np.arange(len(lower[0]))
    if len(lower) > 3:
        return rows
    for turn in range(len(lower)):
        if len(rows) > FEW:
            # Of fewer than three coordinates some stand twice: who is beaten stays the same.
            first, second, third = (lower[(turn + place) % len(lower)][rows] for place in range(3))
            rows = rows[_unbeaten(first, second, third)]
    return rows


def _unbeaten(first: Values, second: Values, third: Values) -> Mask:
    """The points that have no less of the third than the least of all cells lower in both the first and the second."""
    x, y = _cells(first), _cells(second)
    least = np.full((CELLS + 1, CELLS + 1), third.max())
    np.minimum.at(least, (x + 1, y + 1), third)
    least = np.minimum.accumulate(np.minimum.accumulate(least, axis=0), axis=1)
    return np.asarray(third <= least[x, y])


def _cells(column: Values) -> Rows:
    """The cell of each value, 0 to CELLS - 1: rising with the value, equal for equal ones."""
    sample = np.sort(column[:: max(1, len(column) // SAMPLE)])
    edges = np.unique(sample[:: max(1, -(-len(sample) // (CELLS - 1)))])
    return np.searchsorted(edges, column, side="right")


def _of_sorted(lower: Sequence[Values]) -> Mask:
    """The front of any points, by sorting them: equal ones next to each other, and none before one that beats it."""
    order = np.lexsort(lower[::-1])
    arranged = [column[order] for column in lower]
    new = np.zeros(len(order), dtype=bool)  # whether a point differs from the one before it
    new[:1] = True
    for column in arranged:
        new[1:] |= column[1:] != column[:-1]
    distinct = [column[new] for column in arranged]
    best = _scan(distinct) if len(lower) > 3 else ~_beaten(*(distinct[place % len(lower)] for place in (1, 2)))
    found = np.empty(len(order), dtype=bool)
    found[order] = best[np.cumsum(new) - 1]
    return found


def _beaten(second: Values, third: Values) -> Mask:
    """Of sorted distinct points in three coordinates, those that one before them equals or betters in the other two.

    Whoever stands before a point is in the left half of some block of 2, 4, 8, ... positions that has the point in its right
    half. In each block, arranged by the second coordinate, a running minimum of the left half's thirds decides the right's.
    """
    count = len(second)
    half = 1 << max(0, count - 1).bit_length() >> 1
    beyond = np.arange(count, 2 * half)  # positions that fill the last block: right of all others, so they beat none
    at = np.concatenate([np.argsort(second, kind="stable"), beyond])
    ranks = np.unique(third, return_inverse=True)[1].astype(np.int32)
    rank = np.concatenate([ranks, np.full(len(beyond), count, dtype=np.int32)])[at]
    found = np.zeros(len(at), dtype=bool)
    while half:
        right = (at & half) != 0
        least = _running_least(np.where(right, np.int32(count + 1), rank).reshape(-1, 2 * half))
        found[at[right & (least <= rank)]] = True
        at, rank = (_parted(values, right, half) for values in (at, rank))
        half >>= 1
    return found[:count]


def _running_least(blocks: NDArray[np.int32]) -> NDArray[np.int32]:
    """The running minimum within each row, as one line; many short rows go column by column."""
    if blocks.shape[0] < blocks.shape[1]:
        return np.minimum.accumulate(blocks, axis=1).ravel()
    for place in range(1, blocks.shape[1]):
        np.minimum(blocks[:, place], blocks[:, place - 1], out=blocks[:, place])
    return blocks.ravel()


def _parted(values: Values, right: Mask, half: int) -> Values:
    """Each block's left half before its right, the order within a half kept."""
    return np.stack([values[side].reshape(-1, half) for side in (~right, right)], axis=1).ravel()


def _scan(ordered: Sequence[Values]) -> Mask:
    """The front of sorted distinct points in any dimension: block by block against the front so far."""
    found = np.zeros(len(ordered[0]), dtype=bool)
    for start in range(0, len(found), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(found)))
        block = block[~_beaten_by(np.flatnonzero(found[:start]), block, ordered)]
        found[block[~_beaten_by(block, block, ordered)]] = True
    return found


def _beaten_by(rivals: Rows, rows: Rows, columns: Sequence[Values]) -> Mask:
    """The rows that another of `rivals` equals or betters in every coordinate; no two are equal in all."""
    no_worse = rivals[:, None] != rows
    for column in columns:
        no_worse &= column[rivals][:, None] <= column[rows]
    return np.asarray(no_worse.any(axis=0))
