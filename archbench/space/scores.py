"""The scores of a space's rows. They are given by name or id, which only a variant that is made has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from archbench.design.variants import assign_names, make_variant
from archbench.errors import SpecError
from archbench.space.constraints import MANY
from archbench.space.grid import DesignSpace
from archbench.space.points import Points


class Scored:
    """Scores by chunk, each of its points' shape; not a number where a row has none.

    strangers  names and ids with a score that no variant has
    """

    def __init__(self, span: DesignSpace, scores: Mapping[str, float]) -> None:
        if (count := span.counts.variants) > MANY:
            raise SpecError(
                f"scores: a front over them looks each variant up by name and id, up to {MANY:,} of them, not {count:,}; "
                "let MACs stand for the score, `select: {minimize: [peak_bytes], maximize: [macs]}`, or shorten the axes",
                span.spec.place("scores"),
            )
        chunks = [(points, _rows(points)) for points in span.chunks()]
        made = [make_variant(span.spec, points.assignment(row)) for points, rows in chunks for row in rows]
        variants = assign_names(made, span.spec)
        known = {text for variant in variants for text in (variant.id, variant.name)}
        self.strangers = tuple(text for text in scores if text not in known)
        found = iter([scores.get(each.id, scores.get(each.name, math.nan)) for each in variants])
        self._chunks = [_spread(points, rows, found) for points, rows in chunks]

    def __bool__(self) -> bool:
        """Whether any row has a score."""
        return not all(np.isnan(chunk).all() for chunk in self._chunks)

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        return iter(self._chunks)


def _rows(points: Points) -> Sequence[int]:
    wanted = np.ones(points.shape, bool) if points.kept is None else points.kept
    return [int(row) for row in np.flatnonzero(wanted)]


def _spread(points: Points, rows: Sequence[int], found: Iterator[float]) -> NDArray[np.float64]:
    scores = np.full(points.size, np.nan)
    for row in rows:
        scores[row] = next(found)
    return scores.reshape(points.shape)
