"""Request, step and device time on a grid of networks, launch costs, queue depths, with graphs and without.

The truth is not the fake device's: it is the recurrence of a queue, written out here on bare numbers. Kernel n of a
sequence of calls is asked for at h(n) and done at e(n):
    h(n) = max(h(n - 1) + launch, e(n - depth))      the host asks one by one, and waits where the queue is full
    e(n) = max(e(n - 1), h(n)) + work(n)             the device does one by one
"""

from dataclasses import dataclass
from itertools import product

import pytest
from fakes import FakeDevice

import archbench.measure.worker.timing
from archbench.errors import CannotMeasure

US = 1_000


@dataclass(frozen=True)
class Point:
    """A network (work of each kernel, ns) on a device."""

    network: str
    work: tuple[int, ...]
    launch_ns: int
    depth: int
    graphs: bool

    def ends(self, calls):
        """When each of so many calls, asked for back to back from an idle device, is done."""
        asked, done, last, found = 0, [], 0, []
        for number in range(calls * len(self.work)):
            asked += self.launch_ns
            if number >= self.depth:
                asked = max(asked, done[number - self.depth])
            last = max(last, asked) + self.work[number % len(self.work)]
            done.append(last)
            if (number + 1) % len(self.work) == 0:
                found.append(last)
        return found

    @property
    def request_ns(self):
        return self.ends(1)[0]

    @property
    def step_ns(self):
        """The period once it no longer depends on how it began."""
        ends = self.ends(120)
        return (ends[-1] - ends[59]) / 60

    @property
    def device_ns(self):
        return sum(self.work)

    @property
    def fits_the_queue(self):
        """The fill, two marks and a whole call."""
        return len(self.work) + 3 <= self.depth


NETWORKS = {  # 50 to 150 kernels as in a detector's backbone, by how the work lies
    "device-bound": (100 * US,) * 50,
    "balanced": (10 * US,) * 60,
    "host-bound": (1 * US,) * 100,
    "tiny": (2 * US, 2 * US, 1 * US),
    "one kernel": (30 * US,),
    "front-heavy": (4_000 * US,) + (2 * US,) * 80,
    "back-heavy": (2 * US,) * 80 + (4_000 * US,),
    "a pyramid": tuple(160 * US >> level for level in range(6) for _ in range(12)),
    "uneven": tuple((37 * n % 101 + 1) * 400 for n in range(150)),
    "one large among small": (1 * US,) * 30 + (900 * US,) + (1 * US,) * 30,
}
GRID = [
    Point(name, work, launch, depth, graphs)
    for (name, work), launch, depth, graphs in product(
        NETWORKS.items(), (2 * US, 5 * US, 12 * US, 25 * US, 40 * US), (8, 64, 1024), (True, False)
    )
]


def near(seen, truth):
    """Within 1 % or 1 us."""
    return abs(seen - truth) <= max(0.01 * truth, US)


def measured(timing, point, quantity):
    """Every counted time of a block."""
    device = FakeDevice(point.launch_ns, depth=point.depth, graphs=point.graphs, resolution_ns=500)

    def forward():
        for work in point.work:
            device.launch(work)

    took = timing.time_block(forward, device, call_ns=point.request_ns, quantity=quantity)
    times = took.device_ns if quantity == "device" else took.wall_ns
    return times[took.dropped :]


@pytest.fixture
def timing():
    return archbench.measure.worker.timing


def test_the_grid_holds_what_a_network_can_be():
    assert len(GRID) >= 300
    bound = {name: {p.step_ns > 1.1 * p.device_ns for p in GRID if p.network == name} for name in NETWORKS}
    assert bound["device-bound"] == {False}
    assert bound["host-bound"] == {True}
    assert bound["balanced"] == {True, False}
    assert {p.request_ns > 1.3 * p.step_ns for p in GRID if p.network == "back-heavy"} == {True, False}


@pytest.mark.parametrize("quantity", ["request", "step"])
def test_a_quantity_is_within_1_percent_or_1_us_of_the_truth(timing, quantity):
    for point in GRID:
        truth = getattr(point, f"{quantity}_ns")
        for seen in measured(timing, point, quantity):
            assert near(seen, truth), (point.network, point.launch_ns, point.depth, seen, truth)


def test_the_devices_time_is_within_1_percent_or_1_us_of_the_truth_or_refused_where_no_queue_holds_a_call(timing):
    refused = 0
    for point in GRID:
        if point.graphs or point.fits_the_queue:
            for seen in measured(timing, point, "device"):
                assert near(seen, point.device_ns), (point, seen)
        else:
            refused += 1
            with pytest.raises(CannotMeasure):
                measured(timing, point, "device")
    assert len(GRID) - refused >= 200


def test_what_is_host_bound_is_seen_to_be(timing):
    """step / device over 1.1, as it is printed, from the measured numbers and from the truth."""
    for point in GRID:
        if point.graphs and not 1.05 < point.step_ns / point.device_ns < 1.15:
            ratio = measured(timing, point, "step")[0] / measured(timing, point, "device")[0]
            assert (ratio > 1.1) == (point.step_ns / point.device_ns > 1.1), point
