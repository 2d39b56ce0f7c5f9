"""The Pareto front: what is worth a second look, because nothing else is at least as good in everything."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import le

from archbench.metrics import Direction

Point = tuple[float, ...]


def front(points: Sequence[Sequence[float]], directions: Sequence[Direction]) -> tuple[bool, ...]:
    """Whether each point is on the front: no other is at least as good in every coordinate and better in one.

    Equal points are on it together. `directions` says for each coordinate whether less ("min") or more ("max") is better.
    Raises ValueError where a point has not one number for each direction.
    """
    lower = [_lower_is_better(point, directions) for point in points]
    ordered = sorted(set(lower))  # whoever beats a point comes before it
    best = set(_staircase(ordered) if len(directions) <= 3 else _scan(ordered))
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


def _scan(ordered: Iterable[Point]) -> Iterator[Point]:
    """The front of sorted distinct points in any dimension: each against the front so far, the last that beat one first."""
    found: list[Point] = []
    for point in ordered:
        for place, member in enumerate(found):
            if all(map(le, member, point)):
                found[0], found[place] = member, found[0]
                break
        else:
            found.append(point)
    yield from found
