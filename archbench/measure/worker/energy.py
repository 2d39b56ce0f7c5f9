"""Energy of a call: the driver's counter over seconds of calls, less what the idle device takes in that time."""

from __future__ import annotations

import time
from collections.abc import Callable

from archbench.measure.machine.nvml import Nvml
from archbench.measure.worker.devices import Device
from archbench.units import NS_PER_S

# The sensor behind the counter sees a part of each 100 ms (Yang et al. 2024, "Part-time Power Measurements"): five seconds
# are fifty of its readings, two of idling twenty. After work the power needs about a second to come down.
WINDOW_NS = 5 * NS_PER_S
IDLE_NS = 2 * NS_PER_S
SETTLE_NS = NS_PER_S
BURST_NS = NS_PER_S // 10  # calls go back to back for so long before the device is waited for: a queue has an end


def measure_energy(
    forward: Callable[[], object],
    device: Device,
    meter: Nvml,
    *,
    call_ns: int,
    wait: Callable[[float], None] = time.sleep,
    beat: Callable[[], None] | None = None,
) -> dict[str, float | None]:
    """`energy_mj` of one call and `energy_s`, the seconds of calls it is the mean of. Null without a counter that moves."""
    if meter.energy_mj() is None:
        return {"energy_mj": None, "energy_s": None}
    device.synchronize()
    wait(SETTLE_NS / NS_PER_S)
    began, before = device.now_ns(), meter.energy_mj()
    wait(IDLE_NS / NS_PER_S)
    idle = _count_rise(before, meter.energy_mj()) / (device.now_ns() - began)
    began, before = device.now_ns(), meter.energy_mj()
    calls = _call_through_window(forward, device, max(1, BURST_NS // call_ns), beat)
    after, took = meter.energy_mj(), device.now_ns() - began
    net = _count_rise(before, after) - idle * took
    return {"energy_mj": net / calls if net > 0 else None, "energy_s": took / NS_PER_S}


def _call_through_window(
    forward: Callable[[], object], device: Device, burst: int, beat: Callable[[], None] | None
) -> int:
    """Bursts of calls until the window is over, the device done with them all; how many calls."""
    began, calls = device.now_ns(), 0
    while device.now_ns() - began < WINDOW_NS:
        for _ in range(burst):
            forward()
        device.synchronize()
        calls += burst
        if beat is not None:
            beat()
    return calls


def _count_rise(before: int | None, after: int | None) -> float:
    """Of a counter that stopped answering nothing can be said: not a number, which no energy is."""
    return float("nan") if before is None or after is None else after - before
