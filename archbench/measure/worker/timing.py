"""Timing one network on one device: warm up to a steady state, then blocks of calls, every call kept.

  request  the device idle, the host clock read, one call, the device idle again, the clock read: what a user waits for.
           Around the same call lie two device marks (CUDA events; CPU time on the CPU).
  step     calls back to back, the throughput view: one call to fill the queue, a mark, m calls, a mark; divided by m.
           Asked for from an idle device, call k (from 0) ends at R + k max(H, D): R is its request, H what the host
           takes to ask for a call, D what the device takes to do it. So m calls after the first lie exactly m max(H, D)
           apart. Only the network's own calls may fill the queue: behind any other work the host runs ahead, and a
           host-bound network would look as fast as its device.
  device   the device's own work: calls (replays of a CUDA graph where there is one) between two marks that the device
           reaches only after all was asked for, so that no host gap is inside. A device that got to the first mark
           earlier may have waited inside; such a stretch is no device time and is asked for again behind a longer fill.
On a device that is done when a call returns (the CPU) a step is the host's clock over m calls, and the device's own work
is the CPU time of request calls. A call of a second or more is a block by itself, whatever the quantity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from archbench.design.spec.schema import Quantity
from archbench.errors import CannotMeasure
from archbench.measure.supervisor.pipe import SLOW_NS
from archbench.measure.worker.devices import Device, Forward
from archbench.units import NS_PER_S

BLOCK_NS = NS_PER_S // 20  # a block, or a stretch of one, lasts at least 50 ms and 5 calls:
BLOCK_CALLS = 5  # a clock tick or one hiccup is not the block
STRETCHES = 3  # of a step or device block, so that one disturbed stretch is seen as such
HAND_OVER_CALLS = 1  # the first call after another process had the device finds cold caches
STEADY_WITHIN = 0.01
STEADY_BLOCKS = 3
WARM_UP_NS = 3 * NS_PER_S  # a network not steady by then is marked so
MOST_REPLAYS = 64  # in one stretch: the marks' 0.5 us are then nothing, and no queue is full of them
FILL_MARGIN = 2  # the device is kept busy for twice what the host last took to ask
FILL_TRIES = 7  # halves 64 replays to one and makes the fill 64 times as long
SLOW_FILL = 10  # a slow call is asked for within a tenth of its time, or it is tried again

Beat = Callable[[], None]


@dataclass(frozen=True)
class Calls:
    """Consecutive entries: host time and device time of one call each, in nanoseconds. The first `dropped` are not counted.

    An entry is a call of a request block, a stretch of calls divided by their number else. On an asynchronous device
    both times of a step are those between its marks; the host's time of a device block has the filling in it.
    """

    wall_ns: tuple[int, ...]
    device_ns: tuple[int, ...]
    dropped: int = 0

    @property
    def counted_ns(self) -> tuple[int, ...]:
        return self.wall_ns[self.dropped :]


@dataclass(frozen=True)
class Stretch:
    """Calls asked for at one go behind a fill: times of one of them, and of the host's asking for them all."""

    count: int
    wall_ns: int
    device_ns: int
    asked_ns: int
    dry: bool  # the device reached the first mark before all was asked for


class BeatTimer:
    """Gives a sign of life at most once a second by the device's clock. Called between timed stretches, never inside."""

    def __init__(self, beat: Beat | None, device: Device) -> None:
        self.beat, self.device, self.last = beat, device, device.now_ns()

    def __call__(self) -> None:
        if self.beat is not None and self.device.now_ns() - self.last >= NS_PER_S:
            self.last = self.device.now_ns()
            self.beat()


@dataclass(frozen=True)
class TimedCall:
    """A call to time in blocks: on a device, with how long it takes as seen so far, and how it is asked for."""

    forward: Forward
    device: Device
    call_ns: int
    pulse: BeatTimer
    cold_cache: bool = False

    @property
    def is_slow(self) -> bool:
        return self.call_ns >= SLOW_NS


def time_block(
    forward: Forward,
    device: Device,
    *,
    call_ns: int,
    quantity: Quantity = "request",
    cold_cache: bool = False,
    beat: Beat | None = None,
) -> Calls:
    """One turn at the device. `cold_cache`: each call finds a flushed cache, which back-to-back calls cannot.

    Raises CannotMeasure where the quantity cannot be had of this network on this device.
    """
    assert not (cold_cache and quantity == "step"), "a step's calls warm the cache for one another"
    return BLOCKS[quantity](TimedCall(forward, device, call_ns, BeatTimer(beat, device), cold_cache))


def warm_up(forward: Forward, device: Device, *, beat: Beat | None = None) -> tuple[Calls, bool]:
    """The calls until three successive medians agree within 1 %, and whether they did.

    A slow network's first call is enough on a CPU. A GPU's first call also loads kernels and searches for the fastest, so
    the second says whether the network is slow.
    """
    pulse = BeatTimer(beat, device)
    kept = time_calls(forward, device, at_least=2 if device.asynchronous else 1, for_ns=0, pulse=pulse)
    if kept.wall_ns[-1] >= SLOW_NS:
        return kept, True
    medians: list[float] = []
    while sum(kept.wall_ns) < WARM_UP_NS:
        more = time_calls(forward, device, at_least=BLOCK_CALLS, for_ns=BLOCK_NS, pulse=pulse)
        kept = Calls(kept.wall_ns + more.wall_ns, kept.device_ns + more.device_ns)
        medians = [*medians, median(more.wall_ns)][-STEADY_BLOCKS:]
        if len(medians) == STEADY_BLOCKS and max(medians) <= (1 + STEADY_WITHIN) * min(medians):
            return kept, True
    return kept, False


def time_request(forward: Forward, device: Device, *, cold_cache: bool = False) -> tuple[int, int]:
    """(host ns, device ns) of one call. The result is let go before the next call, outside the timed region."""
    start, end = device.new_mark(), device.new_mark()
    if cold_cache:
        device.flush_cache()
    device.synchronize()
    began = device.now_ns()
    device.record(start)
    result = forward()
    device.record(end)
    device.synchronize()
    wall = device.now_ns() - began
    del result
    return wall, device.elapsed_ns(start, end)


def time_calls(
    forward: Forward,
    device: Device,
    *,
    at_least: int,
    for_ns: int,
    dropped: int = 0,
    cold_cache: bool = False,
    pulse: Beat | None = None,
) -> Calls:
    """Single calls until there are `at_least` counted ones that together last `for_ns`."""
    walls: list[int] = []
    devices: list[int] = []
    while len(walls) - dropped < at_least or sum(walls[dropped:]) < for_ns:
        wall, on_device = time_request(forward, device, cold_cache=cold_cache)
        walls.append(wall)
        devices.append(on_device)
        if pulse is not None:
            pulse()
    return Calls(tuple(walls), tuple(devices), dropped)


def time_step(forward: Forward, device: Device, count: int) -> tuple[int, int]:
    """The mean of one call among `count` back to back: nanoseconds that a caller waits, and that the device works."""
    filled = device.asynchronous  # where a call returns done there is no queue to fill
    wall, between = time_back_to_back(forward, device, count, filled=filled)
    period = between if filled else wall  # the host's clock began while the first call still ran
    return round(period / count), round(between / count)


def time_back_to_back(forward: Forward, device: Device, count: int, *, filled: bool = False) -> tuple[int, int]:
    """(host ns, ns between the marks) of `count` calls, each result let go at once, from an idle device to an idle one.

    `filled`: behind one call more, so that the queue is not empty at the first mark.
    """
    start, end = device.new_mark(), device.new_mark()
    device.synchronize()
    if filled:
        forward()  # fills the queue
    began = device.now_ns()
    device.record(start)
    for _ in range(count):
        forward()
    device.record(end)
    device.synchronize()
    wall = device.now_ns() - began
    return wall, device.elapsed_ns(start, end)


def time_queued_calls(call: Forward, device: Device, count: int, fill_ns: int, *, cold_cache: bool = False) -> Stretch:
    """`count` calls between two marks, behind `fill_ns` of other work."""
    start, end = device.new_mark(), device.new_mark()
    device.synchronize()
    began = device.now_ns()
    if cold_cache:
        device.flush_cache()
    device.fill_queue(fill_ns)
    device.record(start)
    for _ in range(count):
        call()
    device.record(end)
    asked = device.now_ns() - began
    dry = device.has_reached(start)
    device.synchronize()
    wall = device.now_ns() - began
    return Stretch(count, round(wall / count), round(device.elapsed_ns(start, end) / count), asked, dry)


def time_without_gaps(call: Forward, device: Device, count: int, fill_ns: int, *, cold_cache: bool = False) -> Stretch:
    """A stretch that was asked for whole before the device began it; of fewer calls, behind more, where it was not."""
    for _ in range(FILL_TRIES):
        taken = time_queued_calls(call, device, count, fill_ns, cold_cache=cold_cache)
        if not taken.dry:
            return taken
        count, fill_ns = max(1, count // 2), FILL_MARGIN * taken.asked_ns
    raise CannotMeasure(
        "measure.quantity: device: the network waits for the device inside a call, or asks for more than a queue holds,"
        " and cannot be captured as a graph; take request or step"
    )


def _time_request_block(timed: TimedCall) -> Calls:
    """One call where it is slow, else a hand-over call and then 50 ms of at least 5."""
    at_least, for_ns, dropped = (1, 0, 0) if timed.is_slow else (BLOCK_CALLS, BLOCK_NS, HAND_OVER_CALLS)
    return time_calls(
        timed.forward,
        timed.device,
        at_least=at_least,
        for_ns=for_ns,
        dropped=dropped,
        cold_cache=timed.cold_cache,
        pulse=timed.pulse,
    )


def _time_step_block(timed: TimedCall) -> Calls:
    """A hand-over step of one call, which also says how long they are now, then three stretches of 50 ms and 5 calls."""
    if timed.is_slow:
        return _time_request_block(timed)
    entries = [time_step(timed.forward, timed.device, 1)]
    count = _count_calls(BLOCK_NS, min(timed.call_ns, entries[0][0]))
    while len(entries) < HAND_OVER_CALLS + STRETCHES:
        timed.pulse()
        entries.append(time_step(timed.forward, timed.device, count))
    walls, devices = zip(*entries, strict=True)
    return Calls(walls, devices, HAND_OVER_CALLS)


def _time_device_block(timed: TimedCall) -> Calls:
    """A hand-over call behind no fill, which says how long the asking takes, then stretches without gaps."""
    if not timed.device.asynchronous:
        return _time_request_block(timed)
    if timed.is_slow:
        return _join_stretches([time_without_gaps(timed.forward, timed.device, 1, timed.call_ns // SLOW_FILL)], 0)
    replay = _capture_call(timed.forward, timed.device)
    call = timed.forward if replay is None else replay
    first = time_queued_calls(call, timed.device, 1, 0)
    most = 1 if replay is None or timed.cold_cache else MOST_REPLAYS
    count = min(most, _count_calls(BLOCK_NS, first.device_ns))
    taken, fill = [first], FILL_MARGIN * count * first.asked_ns
    while not _is_enough(taken[HAND_OVER_CALLS:]):
        timed.pulse()
        taken.append(time_without_gaps(call, timed.device, count, fill, cold_cache=timed.cold_cache))
        count, fill = taken[-1].count, FILL_MARGIN * taken[-1].asked_ns
    return _join_stretches(taken, HAND_OVER_CALLS)


def _capture_call(forward: Forward, device: Device) -> Forward | None:
    """The replay of a graph of the call; null where there are no graphs or the call cannot be captured."""
    try:
        return device.capture(forward)
    except RuntimeError:  # torch's answer to a call that waits, reads a value or allocates outside the pool
        return None


def _count_calls(ns: int, call_ns: int) -> int:
    """The number of calls that last so long, five at least."""
    return max(BLOCK_CALLS, -(-ns // max(1, call_ns)))


def _is_enough(taken: Iterable[Stretch]) -> bool:
    """Three stretches, five calls and 50 ms of the host's time."""
    counts = [stretch.count for stretch in taken]
    lasted = sum(stretch.count * stretch.wall_ns for stretch in taken)
    return len(counts) >= STRETCHES and sum(counts) >= BLOCK_CALLS and lasted >= BLOCK_NS


def _join_stretches(taken: Iterable[Stretch], dropped: int) -> Calls:
    return Calls(tuple(s.wall_ns for s in taken), tuple(s.device_ns for s in taken), dropped)


BLOCKS: dict[Quantity, Callable[[TimedCall], Calls]] = {
    "request": _time_request_block,
    "step": _time_step_block,
    "device": _time_device_block,
}
