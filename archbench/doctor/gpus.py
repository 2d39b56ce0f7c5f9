"""The state of a GPU while it was measured: what its blocks' telemetry says, and what NVML knows besides. No torch.

What a card, a driver or a container hides is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archbench.doctor.diagnosis import Gpu
from archbench.measure.machine.nvml import SLOWING, read_card
from archbench.runs.records import Block


def describe_gpu(identity: Mapping[str, Any], blocks: Sequence[Block]) -> Gpu:
    """The GPU a worker named in `identity`, over the blocks measured on it."""
    seen = [block.telemetry for block in blocks if block.phase == "steady"]
    clocks = _known_values(seen, "sm_mhz")
    reasons = [int(mask) for mask in _known_values(seen, "throttle")]
    others = _known_values(seen, "foreign")
    uuid = identity.get("uuid")
    return Gpu(
        name=identity.get("device"),
        slowest_mhz=min(clocks, default=None),
        fastest_mhz=max(clocks, default=None),
        max_mhz=max(_known_values(seen, "max_sm_mhz"), default=None),
        celsius=max(_known_values(seen, "celsius"), default=None),
        watts=max(_known_values(seen, "watts"), default=None),
        limit_watts=identity.get("power_limit_watts"),
        throttle=tuple(name for bit, name in SLOWING.items() if any(mask & bit for mask in reasons)),
        persistence=read_card(uuid).persistence if uuid else None,
        others=int(max(others)) if others else None,
    )


def _known_values(seen: Sequence[Mapping[str, float | None]], name: str) -> list[float]:
    return [value for telemetry in seen if (value := telemetry.get(name)) is not None]
