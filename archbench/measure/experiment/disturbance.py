"""Whether a block was disturbed, from what the device told beside it. A disturbed block is taken again and kept. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from archbench import units

SLOW_CLOCK = 0.9  # of the run's median clock
LOST = 0.1  # of the time a process could have run

Telemetry = Mapping[str, float | None]


@dataclass
class DisturbanceJudge:
    """Judges blocks of one run; it remembers the clocks it saw, since what is slow is told by the others."""

    clocks: list[float] = field(default_factory=list)

    def find_reasons(self, telemetry: Telemetry) -> tuple[str, ...]:
        """Why a block with this telemetry is disturbed; nothing where it is not, or where the device does not tell."""
        found = []
        if telemetry.get("throttle"):
            found.append("the clock was throttled")
        if slow := self._describe_slow_clock(telemetry.get("sm_mhz")):
            found.append(slow)
        if telemetry.get("foreign"):
            found.append("another process was on the device")
        lost = telemetry.get("lost")
        if lost is not None and lost > LOST:
            found.append(f"{units.format_percent(lost)} of its time was lost to others")
        return tuple(found)

    def _describe_slow_clock(self, mhz: float | None) -> str | None:
        if not mhz:
            return None
        self.clocks.append(mhz)
        usual = median(self.clocks)
        return (
            f"the clock was at {units.format_percent(mhz / usual)} of the run's median"
            if mhz < SLOW_CLOCK * usual
            else None
        )
