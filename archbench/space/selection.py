"""From many rows to a table of ten: what is minimised and maximised, the Pareto front, and the few that stand for it.

A row is on the front if no other is at least as good in everything and better in something. Most of a large cloud is beaten
by a few, and a coarse table finds that out; what is left is sorted and scanned once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archbench.design.spec.schema import Select
from archbench.errors import SpecError
from archbench.metrics import EXACT, METRICS, SCALED, Direction

if TYPE_CHECKING:
    from archbench.space.points import (  # and with it what reads specs, which a table's front needs not
        Array,
        Mask,
        Rows,
    )

LIMIT = 12  # a table that is read at a glance, and a sweep that is measured in minutes
# What is not known before anything is measured, and the exact metric that rises with it.
STANDS_IN = {
    "latency_ms": "macs",
    "step_ms": "macs",
    "device_ms": "macs",
    "energy_mj": "macs",
    "memory_bytes": "peak_bytes",
    "score": "macs",
}

CELLS = 512  # a side of the coarse table: with fewer more is left over, with more the table outgrows the cache
SAMPLE = 1 << 14  # points whose quantiles divide the table
BLOCK = 256  # points compared at once with the front so far, where they have more than three coordinates
FEW = 1 << 13  # points that are sorted sooner than sifted

Point = tuple[float, ...]


@dataclass(frozen=True)
class Aim:
    """One metric to have less or more of; `wanted` is what the spec named, where an exact metric only stands in for it."""

    metric: str
    direction: Direction
    wanted: str = ""


def make_aims(select: Select | None, *, scored: bool = False) -> tuple[Aim, ...]:
    """The aims of the front. Where a spec does not say: least latency and peak bytes, most score.

    Of what only a measurement or a person knows an exact metric takes the place; `scored`: scores are known. Raises
    SpecError for a metric without one.
    """
    minimize, maximize = _list_wishes(select)
    known = (*EXACT, "score") if scored else EXACT
    return (*(_make_aim(n, "min", known) for n in minimize), *(_make_aim(n, "max", known) for n in maximize))


def is_scored(select: Select | None) -> bool:
    """Whether the front is over the score, where there is one."""
    minimize, maximize = _list_wishes(select)
    return "score" in (*minimize, *maximize)


def _list_wishes(select: Select | None) -> tuple[Sequence[str], Sequence[str]]:
    if select is None or not [*select.minimize, *select.maximize]:
        return ("latency_ms", "peak_bytes"), ("score",)
    return select.minimize, select.maximize


def _make_aim(name: str, direction: Direction, known: Sequence[str]) -> Aim:
    metric = SCALED[name][0] if name in SCALED else name
    if metric in known:
        return Aim(metric, direction)
    if metric in STANDS_IN:
        return Aim(STANDS_IN[metric], direction, metric)
    there = ", ".join([*EXACT, *STANDS_IN])
    raise SpecError(f"select: {name} is not known before a network is measured; the front can be over {there}")


def describe_aims(aims: Sequence[Aim]) -> str:
    """`least MACs and peak MiB, most params`, with what stands in for what."""
    names: dict[str, list[str]] = {"min": [], "max": []}
    for aim in aims:
        stand_in = f" (for {aim.wanted})" if aim.wanted else ""
        names[aim.direction].append(METRICS[aim.metric].label.rsplit(" ", 1)[0] + stand_in)
    words = {"least": names["min"], "most": names["max"]}
    return ", ".join(f"{word} {' and '.join(labels)}" for word, labels in words.items() if labels)


def find_front(points: Sequence[Sequence[float]], directions: Sequence[Direction]) -> tuple[bool, ...]:
    """Whether each point is on the front: no other is at least as good in every coordinate and better in one.

    Equal points are on it together. `directions` says for each coordinate whether less ("min") or more ("max") is better.
    Raises ValueError where a point has not one number for each direction.
    """
    lower = [_lower_is_better(point, directions) for point in points]
    ordered = sorted(set(lower))  # whoever beats a point comes before it
    best = set(_staircase(ordered) if len(directions) <= 3 else _scan_front(ordered))
    return tuple(point in best for point in lower)


def _lower_is_better(point: Sequence[float], directions: Sequence[Direction]) -> Point:
    signed = tuple(value if side == "min" else -value for value, side in zip(point, directions, strict=True))
    if any(value != value for value in signed):
        raise ValueError(f"{tuple(point)} has a coordinate that is not a number")
    return signed


def _staircase(ordered: Iterable[Point]) -> Iterator[Point]:
    """The front of sorted distinct points in up to three dimensions, in n log n.

    The first coordinate never falls along the way, so a point is beaten iff one before it is no worse in the other two.
    Of those only the lowest matter: kept by rising second and falling third coordinate.
    """
    seconds: list[float] = []
    thirds: list[float] = []
    for point in ordered:
        _, second, third = (*point, 0.0, 0.0, 0.0)[:3]
        place = bisect_right(seconds, second)
        if place and thirds[place - 1] <= third:
            continue
        yield point
        end = place
        while end < len(thirds) and thirds[end] >= third:
            end += 1
        start = place - 1 if place and seconds[place - 1] == second else place
        seconds[start:end], thirds[start:end] = [second], [third]


def _scan_front(ordered: Sequence[Point]) -> Iterator[Point]:
    """The front of sorted distinct points in any dimension: block by block against the front so far."""
    columns = [np.array(column) for column in zip(*ordered, strict=True)]
    found = np.zeros(len(ordered), bool)
    for start in range(0, len(ordered), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(ordered)))
        block = block[~_is_beaten(block, np.flatnonzero(found), columns)]
        found[block[~_is_beaten(block, block, columns)]] = True
    yield from (ordered[row] for row in np.flatnonzero(found).tolist())


def _is_beaten(rows: Rows, rivals: Rows, columns: Sequence[Array]) -> Mask:
    """Whether another of `rivals` equals or betters each row in every coordinate; no two points are equal in all."""
    no_worse = rivals[:, None] != rows
    for column in columns:
        no_worse &= column[rivals][:, None] <= column[rows]
    return np.asarray(no_worse.any(axis=0))


def find_front_of_columns(columns: Sequence[Array], directions: Sequence[Direction]) -> Rows:
    """The rows on the front, in ascending order, of one array a coordinate. See `find_front`.

    Integers are compared as integers, however large.
    """
    rows = sift_front(columns, directions)
    points = list(zip(*(column[rows].tolist() for column in columns), strict=True))
    return np.asarray(rows[np.array(find_front(points, directions), bool)])


def sift_front(columns: Sequence[Array], directions: Sequence[Direction]) -> Rows:
    """Rows among which the front is: what remains when the coarse table has been asked about each pair of coordinates."""
    lower = _lower_columns(columns, directions)
    rows = np.arange(len(lower[0]))
    if len(lower) > 3:
        return rows
    for turn in range(len(lower)):
        if len(rows) > FEW:
            # Of fewer than three coordinates some stand twice: who is beaten stays the same.
            first, second, third = (lower[(turn + place) % len(lower)][rows] for place in range(3))
            rows = rows[_keep_unbeaten(first, second, third)]
    return rows


def _lower_columns(columns: Sequence[Array], directions: Sequence[Direction]) -> list[Array]:
    """Columns of which less is better in each."""
    return [column if side == "min" else -column for column, side in zip(columns, directions, strict=True)]


def _keep_unbeaten(first: Array, second: Array, third: Array) -> Mask:
    """The points that have no less of the third than the least of all cells lower in both the first and the second."""
    x, y = _coarse_cells(first), _coarse_cells(second)
    least = np.full((CELLS + 1, CELLS + 1), third.max())
    np.minimum.at(least, (x + 1, y + 1), third)
    least = np.minimum.accumulate(np.minimum.accumulate(least, axis=0), axis=1)
    return np.asarray(third <= least[x, y])


def _coarse_cells(column: Array) -> Rows:
    """The cell of each value, 0 to CELLS - 1: rising with the value, equal for equal ones."""
    sample = np.sort(column[:: max(1, len(column) // SAMPLE)])
    edges = np.unique(sample[:: max(1, -(-len(sample) // (CELLS - 1)))])
    return np.asarray(np.searchsorted(edges, column, side="right"))


def thin_front(columns: Sequence[Array], directions: Sequence[Direction], limit: int) -> Rows:
    """At most `limit` rows of a front that stand for all of it, in ascending order: the same ones every time.

    The best in each coordinate first, then again and again the one in the least crowded place: farthest, the front's
    range being one in each coordinate, from all that were chosen. Of equals the first.
    """
    count = len(columns[0])
    if count <= limit:
        return np.arange(count)
    scaled = np.stack([_scale_column(column) for column in columns], axis=1)
    chosen = list(dict.fromkeys(_find_extremes(columns, directions)))[:limit]
    gap = np.full(count, np.inf)
    for place in range(limit):
        if place == len(chosen):
            chosen.append(int(gap.argmax()))
        gap = np.minimum(gap, ((scaled - scaled[chosen[place]]) ** 2).sum(axis=1))
        gap[chosen[place]] = -1.0  # below an equal that was not chosen
    return np.sort(np.array(chosen))


def _find_extremes(columns: Sequence[Array], directions: Sequence[Direction]) -> list[int]:
    """For each coordinate the row that is best in it; among ties, the best in the others in turn."""
    lower = _lower_columns(columns, directions)
    # Of the keys of a sort the last is the first that counts.
    return [int(np.lexsort((lower[place:] + lower[:place])[::-1])[0]) for place in range(len(lower))]


def _scale_column(column: Array) -> NDArray[np.float64]:
    """A coordinate with its least at 0 and its most at 1."""
    low = column.min()
    return np.asarray((column - low) / ((column.max() - low) or 1), dtype=np.float64)
