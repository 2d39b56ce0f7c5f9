"""Timing one network on one device: warm up to a steady state, then blocks of single calls, every call kept.

A call is timed as a request: the device idle, the host clock read, one forward pass, the device idle again, the clock
read. Around the same pass lie two device marks (CUDA events; CPU time on the CPU).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from archbench.measure.devices import Device
from archbench.units import NS_PER_S

Forward = Callable[[], object]

BLOCK_NS = (
    NS_PER_S // 20
)  # a block lasts at least 50 ms and 5 calls, so that a clock tick or one hiccup is not the block
BLOCK_CALLS = 5
SLOW_NS = (
    NS_PER_S  # a call this long is its own warm-up and its own block (seen: its first is no slower than its second)
)
HAND_OVER_CALLS = 1  # the first call after another process had the device finds cold caches
STEADY_WITHIN = 0.01
STEADY_BLOCKS = 3
WARM_UP_NS = 3 * NS_PER_S  # a network not steady by then is marked so


@dataclass(frozen=True)
class Calls:
    """Consecutive calls: host time and device time of each, in nanoseconds. The first `dropped` are not counted."""

    wall_ns: tuple[int, ...]
    device_ns: tuple[int, ...]
    dropped: int = 0

    @property
    def counted_ns(self) -> tuple[int, ...]:
        return self.wall_ns[self.dropped :]


def request(forward: Forward, device: Device) -> tuple[int, int]:
    """(host ns, device ns) of one call. The result is let go before the next call, outside the timed region."""
    start, end = device.new_mark(), device.new_mark()
    device.synchronize()
    began = device.now_ns()
    device.record(start)
    result = forward()
    device.record(end)
    device.synchronize()
    wall = device.now_ns() - began
    del result
    return wall, device.elapsed_ns(start, end)


def calls(forward: Forward, device: Device, *, at_least: int, for_ns: int, dropped: int = 0) -> Calls:
    """Single calls until there are `at_least` counted ones that together last `for_ns`."""
    walls: list[int] = []
    devices: list[int] = []
    while len(walls) - dropped < at_least or sum(walls[dropped:]) < for_ns:
        wall, on_device = request(forward, device)
        walls.append(wall)
        devices.append(on_device)
    return Calls(tuple(walls), tuple(devices), dropped)


def warm_up(forward: Forward, device: Device) -> tuple[Calls, bool]:
    """The calls until three successive medians agree within 1 %, and whether they did."""
    kept = calls(forward, device, at_least=1, for_ns=0)
    if kept.wall_ns[0] >= SLOW_NS:
        return kept, True
    medians: list[float] = []
    while sum(kept.wall_ns) < WARM_UP_NS:
        more = calls(forward, device, at_least=BLOCK_CALLS, for_ns=BLOCK_NS)
        kept = Calls(kept.wall_ns + more.wall_ns, kept.device_ns + more.device_ns)
        medians = [*medians, median(more.wall_ns)][-STEADY_BLOCKS:]
        if len(medians) == STEADY_BLOCKS and max(medians) <= (1 + STEADY_WITHIN) * min(medians):
            return kept, True
    return kept, False


def block(forward: Forward, device: Device, *, call_ns: int) -> Calls:
    """One turn: one call where a call is slow, else a hand-over call and then 50 ms of at least 5. `call_ns`: as seen so far."""
    if call_ns >= SLOW_NS:
        return calls(forward, device, at_least=1, for_ns=0)
    return calls(forward, device, at_least=BLOCK_CALLS, for_ns=BLOCK_NS, dropped=HAND_OVER_CALLS)
