"""Where a run stands, as it is told to whoever listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archbench import units

Doing = Literal["starting", "warming up", "metering", "measuring"]


@dataclass(frozen=True)
class Step:
    """What is done to which variant, and how far the run is.

    `precision` is the widest half-width of the intervals so far, a share; null before there is one. `seconds_left` is the
    most the run may still take; null where nothing bounds it. Generations and rounds count from 1; round 0 is before them.
    """

    doing: Doing
    variant: str
    generation: int
    round: int = 0
    precision: float | None = None
    seconds_left: float | None = None

    @property
    def place(self) -> str:
        """`generation 2, round 3: measuring R-50-FPN`."""
        turn = f", round {self.round}" if self.round else ""
        return f"generation {self.generation}{turn}: {self.doing} {self.variant}"

    @property
    def outlook(self) -> str:
        """`(±1.8% so far, at most 34s left)`; empty where nothing is known."""
        known = [] if self.precision is None else [f"{units.half_width(self.precision)} so far"]
        known += [] if self.seconds_left is None else [time_left(self.seconds_left)]
        return f"({', '.join(known)})" if known else ""


def time_left(seconds: float) -> str:
    return f"at most {units.duration(seconds)} left"
