"""From a front to a table of ten: what is minimised and maximised, and which few of the front stand for all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from archbench.errors import SpecError
from archbench.metrics import EXACT, METRICS, SCALED, Direction

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

Rows = NDArray[np.intp]


class Wish(Protocol):
    """The `select` of a spec."""

    @property
    def minimize(self) -> Sequence[str]: ...
    @property
    def maximize(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Aim:
    """One metric to have less or more of; `wanted` is what the spec named, where an exact metric only stands in for it."""

    metric: str
    direction: Direction
    wanted: str = ""


def aims_of(select: Wish | None, *, scored: bool = False) -> tuple[Aim, ...]:
    """What the front is over. Where a spec does not say: least latency and peak bytes, most score.

    Of what only a measurement or a person knows an exact metric takes the place; `scored`: scores are known. Raises
    SpecError for a metric without one.
    """
    minimize, maximize = _wished(select)
    known = (*EXACT, "score") if scored else EXACT
    return (*(_aim(name, "min", known) for name in minimize), *(_aim(name, "max", known) for name in maximize))


def is_scored(select: Wish | None) -> bool:
    """Whether the front is over the score, where there is one."""
    minimize, maximize = _wished(select)
    return "score" in (*minimize, *maximize)


def _wished(select: Wish | None) -> tuple[Sequence[str], Sequence[str]]:
    if select is None or not [*select.minimize, *select.maximize]:
        return ("latency_ms", "peak_bytes"), ("score",)
    return select.minimize, select.maximize


def _aim(name: str, direction: Direction, known: Sequence[str]) -> Aim:
    metric = SCALED[name][0] if name in SCALED else name
    if metric in known:
        return Aim(metric, direction)
    if metric in STANDS_IN:
        return Aim(STANDS_IN[metric], direction, metric)
    there = ", ".join([*EXACT, *STANDS_IN])
    raise SpecError(f"select: {name} is not known before a network is measured; the front can be over {there}")


def thin(columns: Sequence[NDArray[Any]], directions: Sequence[Direction], limit: int) -> Rows:
    """At most `limit` rows of a front that stand for all of it, in ascending order: the same ones every time.

    The best in each coordinate first, then again and again the one in the least crowded place: farthest, the front's
    range being one in each coordinate, from all that were taken. Of equals the first.
    """
    count = len(columns[0])
    if count <= limit:
        return np.arange(count)
    scaled = np.stack([_scaled(column) for column in columns], axis=1)
    taken = list(dict.fromkeys(_extremes(columns, directions)))[:limit]
    gap = np.full(count, np.inf)
    for place in range(limit):
        if place == len(taken):
            taken.append(int(gap.argmax()))
        gap = np.minimum(gap, ((scaled - scaled[taken[place]]) ** 2).sum(axis=1))
        gap[taken[place]] = -1.0  # below an equal that was not taken
    return np.sort(np.array(taken))


def _extremes(columns: Sequence[NDArray[Any]], directions: Sequence[Direction]) -> list[int]:
    """For each coordinate the row that is best in it; among ties, the best in the others in turn."""
    lower = [column if side == "min" else -column for column, side in zip(columns, directions, strict=True)]
    turned = (lower[place:] + lower[:place] for place in range(len(lower)))
    return [_first(keys) for keys in turned]


def _first(keys: Sequence[NDArray[Any]]) -> int:
    rows = np.arange(len(keys[0]))
    for key in keys:
        rows = rows[key[rows] == key[rows].min()]
    return int(rows[0])


def _scaled(column: NDArray[Any]) -> NDArray[np.float64]:
    """A coordinate with its least at 0 and its most at 1."""
    low = column.min()
    return np.asarray((column - low) / ((column.max() - low) or 1), dtype=np.float64)


def described(aims: Sequence[Aim]) -> str:
    """`least MACs and peak MiB, most params`, with what stands in for what."""
    least = [METRICS[aim.metric].label.rsplit(" ", 1)[0] + _stand_in(aim) for aim in aims if aim.direction == "min"]
    most = [METRICS[aim.metric].label.rsplit(" ", 1)[0] + _stand_in(aim) for aim in aims if aim.direction == "max"]
    return ", ".join(f"{word} {' and '.join(names)}" for word, names in (("least", least), ("most", most)) if names)


def _stand_in(aim: Aim) -> str:
    return f" (for {aim.wanted})" if aim.wanted else ""
