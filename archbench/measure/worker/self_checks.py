"""Readings a worker takes of its own clocks and allocator, on the network it holds; they are judged elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from archbench.measure.worker.devices import Device, Forward
from archbench.measure.worker.timing import time_back_to_back

READS = 10_000  # of the clock: some milliseconds
CALLS = (1, 2, 4, 8)
REPEATS = 9  # each of CALLS, forwards and backwards in turn, so that a drift meets all alike
KNOWN_BYTES = 64 << 20  # a whole number of every allocator's pages


def read_self_checks(forward: Forward, device: Device) -> dict[str, Any]:
    """All readings of a warmed-up network, as JSON. A few seconds."""
    return {
        "clock": read_clock(device),
        "stretches": time_stretches(forward, device),
        "allocator": read_allocator(device, lambda size: torch.empty(size, dtype=torch.uint8, device=device.name)),
    }


def read_clock(device: Device) -> dict[str, Any]:
    """Readings in a row: the smallest step forward (null: it stood still), how often it went back, the cost of one."""
    times = [device.now_ns() for _ in range(READS)]
    steps = [after - before for before, after in pairwise(times)]
    return {
        "step_ns": min((step for step in steps if step > 0), default=None),
        "back": sum(step < 0 for step in steps),
        "cost_ns": (times[-1] - times[0]) / (READS - 1),
    }


def time_stretches(forward: Forward, device: Device) -> list[dict[str, int]]:
    """1, 2, 4 and 8 calls back to back, several times over: host time and the device's own between two marks."""
    found = []
    for repeat in range(REPEATS):
        for calls in CALLS if repeat % 2 else CALLS[::-1]:
            wall_ns, marked_ns = time_back_to_back(forward, device, calls)
            found.append({"calls": calls, "wall_ns": wall_ns, "marked_ns": marked_ns})
    return found


def read_allocator(device: Device, allocate: Callable[[int], object]) -> dict[str, int] | None:
    """Bytes that a tensor of a known size adds to the device's peak; null where there is no counter."""
    device.reset_peak()
    before = device.peak_bytes()
    if before is None:
        return None
    tensor = allocate(KNOWN_BYTES)
    after = device.peak_bytes()
    del tensor
    assert after is not None
    return {"asked_bytes": KNOWN_BYTES, "counted_bytes": after - before}
