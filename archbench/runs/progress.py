"""The progress of a run, as a listener hears it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from archbench import units

Doing = Literal["starting", "warming up", "metering", "measuring"]


@dataclass(frozen=True)
class RunProgress:
    """The work that goes on, the variant it is on, and how far the run is.

    `widest` is the widest half-width of the intervals so far, a share; null before there is one. `seconds_left` is the
    most the run may still take; where nothing bounds it an estimate (`estimated`), null before there is one. Generations
    and rounds count from 1; round 0 is before them.
    """

    doing: Doing
    variant: str
    generation: int
    round: int = 0
    widest: float | None = None
    seconds_left: float | None = None
    estimated: bool = False

    @property
    def place(self) -> str:
        """`generation 2, round 3: measuring R-50-FPN`."""
        turn = f", round {self.round}" if self.round else ""
        return f"generation {self.generation}{turn}: {self.doing} {self.variant}"

    def after(self, seconds: float) -> RunProgress:
        """The same progress some seconds later: less time is left."""
        return self if self.seconds_left is None else replace(self, seconds_left=max(0.0, self.seconds_left - seconds))

    @property
    def outlook(self) -> str:
        """`(±1.8% so far, at most 34s left)`; empty where nothing is known."""
        known = [] if self.widest is None else [f"{units.format_half_width(self.widest)} so far"]
        if self.seconds_left is not None:
            known.append(format_time_left(self.seconds_left, estimated=self.estimated))
        return f"({', '.join(known)})" if known else ""


def format_time_left(seconds: float, *, estimated: bool = False) -> str:
    return f"{'about' if estimated else 'at most'} {units.format_duration(max(0.0, seconds))} left"
