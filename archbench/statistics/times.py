"""The times of a run by quantity, and what follows from two of them: host-bound, throughput. No numpy: pricing reads this."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archbench.design.spec.schema import Quantity
from archbench.runs.records import Key
from archbench.units import MS_PER_S

if TYPE_CHECKING:
    from archbench.statistics.summary import Summary

HOST_BOUND = 1.1  # a step so many times the device's own work has the device waiting for the host


@dataclass(frozen=True)
class RunTimes:
    """Summaries by quantity and variant; nothing where nothing was measured.

    `quantity` is what the plan asked for and `latency_ms` is. `looked`: the run stopped by its own intervals.
    `synchronous`: the device is done when a call returns (a CPU), so a call is its own step, and `device` is the
    processor's time over all threads, which no step need reach. `target`: the half-width at which a run with a budget would
    have stopped; null without one.
    """

    by_quantity: Mapping[Quantity, Mapping[Key, Summary]] = field(default_factory=dict)
    quantity: Quantity = "request"
    looked: bool = False
    synchronous: bool = False
    target: float | None = None

    @property
    def latencies(self) -> Mapping[Key, Summary]:
        return self.by_quantity.get(self.quantity, {})

    def summary_of(self, key: Key, quantity: Quantity) -> Summary | None:
        return self.by_quantity.get(quantity, {}).get(key)

    def select(self, keys: Collection[Key]) -> RunTimes:
        """The summaries of these variants alone."""
        kept = {
            quantity: {key: each for key, each in found.items() if key in keys}
            for quantity, found in self.by_quantity.items()
        }
        return replace(self, by_quantity=kept)

    def is_host_bound(self, key: Key) -> bool | None:
        """Whether a step is over 1.1 times the device's own work; null where either is not known."""
        step, device = self.summary_of(key, "step"), self.summary_of(key, "device")
        if self.synchronous or step is None or device is None:
            return None
        return step.median_ms / device.median_ms > HOST_BOUND

    def throughput(self, key: Key, batch: int | None) -> float | None:
        """Images a second, back to back; null without a step, for which a request stands where the device is synchronous."""
        step = self.summary_of(key, "step") or (self.summary_of(key, "request") if self.synchronous else None)
        return None if step is None or batch is None else MS_PER_S * batch / step.median_ms
