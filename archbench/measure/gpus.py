"""The state of a GPU while it was measured: what its blocks' telemetry says, and what NVML knows besides. No torch.

What a card, a driver or a container hides is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pynvml

from archbench.measure.nvml import SLOWING
from archbench.reporting.diagnosis import Gpu
from archbench.reporting.records import Block


def look(identity: Mapping[str, Any], blocks: Sequence[Block], library: Any = pynvml) -> Gpu:
    """The GPU a worker named in `identity`, over the blocks measured on it."""
    seen = [block.telemetry for block in blocks if block.phase == "steady"]
    clocks = _all(seen, "sm_mhz")
    reasons = [int(mask) for mask in _all(seen, "throttle")]
    others = _all(seen, "foreign")
    persistence = _persistence(identity.get("uuid"), library)
    return Gpu(
        name=identity.get("device"),
        slowest_mhz=min(clocks, default=None),
        fastest_mhz=max(clocks, default=None),
        max_mhz=max(_all(seen, "max_sm_mhz"), default=None),
        celsius=max(_all(seen, "celsius"), default=None),
        watts=max(_all(seen, "watts"), default=None),
        limit_watts=identity.get("power_limit_watts"),
        throttle=tuple(name for bit, name in SLOWING.items() if any(mask & bit for mask in reasons)),
        persistence=persistence,
        others=int(max(others)) if others else None,
    )


def _all(seen: Sequence[Mapping[str, float | None]], name: str) -> list[float]:
    return [value for telemetry in seen if (value := telemetry.get(name)) is not None]


def _persistence(uuid: str | None, library: Any) -> bool | None:
    """Whether the driver stays loaded when nobody uses the GPU."""
    name = uuid if str(uuid).startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"  # torch leaves out what NVML begins with
    try:
        library.nvmlInit()
    except library.NVMLError:
        return None
    try:
        return bool(library.nvmlDeviceGetPersistenceMode(library.nvmlDeviceGetHandleByUUID(name)))
    except library.NVMLError:  # no such GPU, not supported on this card, or not allowed here
        return None
    finally:
        library.nvmlShutdown()
