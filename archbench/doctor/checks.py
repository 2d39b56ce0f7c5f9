"""Self-checks, from a worker's readings, and the A/A null, from an experiment's blocks. Imports no torch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median, stdev
from typing import Any, Literal

from archbench import units
from archbench.runs.records import Block, Key
from archbench.statistics.readings import whole_rounds
from archbench.statistics.summary import summarise_blocks

CLOCK_STEP_NS = 1000  # a thousandth of a millisecond, the shortest call anybody compares
OFF_LINE = 0.10  # a call that isn't waited for, or is answered from a cache, is off by far more
SIGMAS = 3
MARKS_WITHIN = 0.10  # marks lie inside the host's stretch: all but a launch and a wake-up of it
OVER_FULL = 0.05  # CPU time is counted in ticks on some kernels
SECOND_CALL = 0.05
ROUNDING_BYTES = 2 << 20  # an allocator's page

Readings = Mapping[str, Any]
Unit = Literal["ns", "share", "ratio", "cores", "bytes"]


@dataclass(frozen=True)
class Check:
    """One self-check: its figure, what that means, what to do if it failed. `passed` null: does not apply, or unknown."""

    name: str
    passed: bool | None
    figure: float | None
    unit: Unit
    meaning: str
    remedy: str = ""
    gate: bool = True  # where it fails nothing can be measured; the others say how well


@dataclass(frozen=True)
class NullTest:
    """One network measured as if it were two. Any ratio but 1 is noise. Shares; null: not known."""

    network: str
    generations: int
    blocks: int  # counted, of both replicas
    disturbed: int
    seconds: float  # it took, starts of processes included
    ratio: float
    half_width: float | None
    between_processes: float | None  # standard deviation of a process's time, what both replicas share left out
    between_rounds: float | None  # standard deviation of a block's time within its process
    lost: float | None = None  # of the time its threads could have run, what others had of the CPU; the median block's

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % of the ratio: as far below as above on the scale of logarithms."""
        if self.half_width is None:
            return None
        return self.ratio / (1 + self.half_width), self.ratio * (1 + self.half_width)

    @property
    def covers(self) -> bool | None:
        """Whether the interval holds 1, as it does in 19 of 20 sound measurements."""
        return None if self.interval is None else self.interval[0] <= 1 <= self.interval[1]


def judge_self_checks(readings: Readings, threads: int | None, *, cpu: bool) -> tuple[Check, ...]:
    """The checks of one worker's readings. On the CPU the marks are CPU time, over all `threads`."""
    stretches = readings["stretches"]
    return (
        check_clock(readings["clock"]),
        check_linearity(stretches),
        check_cpu_time(stretches, threads) if cpu else check_marks(stretches),
        check_allocator(readings["allocator"]),
    )


def check_clock(reading: Readings) -> Check:
    step = reading["step_ns"]
    return Check(
        "clock",
        passed=step is not None and step <= CLOCK_STEP_NS and not reading["back"],
        figure=step,
        unit="ns",
        meaning=f"the host clock's smallest step; reading it costs {units.format_count(round(reading['cost_ns']))} ns",
        remedy="take a machine whose clock source is tsc: cat "
        "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    )


def check_linearity(stretches: Sequence[Readings]) -> Check:
    """The time of 1, 2, 4 and 8 calls against a line through the origin: least squares on their medians.

    What is off no farther than the scatter of the stretches explains is unknown, not failed.
    """
    times: dict[int, list[int]] = {}
    for each in stretches:
        times.setdefault(each["calls"], []).append(each["wall_ns"])
    medians = {calls: median(walls) for calls, walls in times.items()}
    slope = sum(calls * time for calls, time in medians.items()) / sum(calls**2 for calls in medians)
    off = max(abs(time / (calls * slope) - 1) for calls, time in medians.items())
    noise = max(_median_error(walls) / (calls * slope) for calls, walls in times.items())
    counts = ", ".join(str(calls) for calls in sorted(medians))
    return Check(
        "linearity",
        passed=True if off <= OFF_LINE else None if off <= SIGMAS * noise else False,
        figure=off,
        unit="share",
        meaning=f"{counts} calls: the farthest from a line through 0, "
        f"{units.format_milliseconds(slope / units.NS_PER_MS)} ms a call",
        remedy="calls are not waited for, or are answered from a cache: update the driver and torch, and report it",
    )


def _median_error(values: Sequence[int]) -> float:
    """Standard error of a median: 1.25 times the mean's where errors are normal."""
    return 1.25 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def check_marks(stretches: Sequence[Readings]) -> Check:
    ratio = median(each["marked_ns"] / each["wall_ns"] for each in stretches if each["calls"] > 1)
    return Check(
        "events",
        passed=abs(ratio - 1) <= MARKS_WITHIN,
        figure=ratio,
        unit="ratio",
        meaning="the device's own time of a stretch of calls over the host clock's",
        remedy="the device's events and the host's clock disagree: update the driver, and report it with this file",
    )


def check_cpu_time(stretches: Sequence[Readings], threads: int | None) -> Check:
    """CPU time can't exceed what all threads could use; how much less it is, is the network's and the neighbours'."""
    ratio = median(each["marked_ns"] / each["wall_ns"] for each in stretches)
    return Check(
        "cpu time",
        passed=ratio > 0 and (threads is None or ratio <= threads * (1 + OVER_FULL)),
        figure=ratio,
        unit="cores",
        meaning=f"kept busy by the network while it ran, of {threads or 'unknown'} threads",
        remedy="the process's CPU time and the host's clock disagree: report it with this file",
    )


def check_allocator(reading: Readings | None) -> Check:
    if reading is None:
        return Check("allocator", None, None, "bytes", "the CPU counts no allocations; memory is traced instead")
    asked, counted = reading["asked_bytes"], reading["counted_bytes"]
    return Check(
        "allocator",
        passed=asked <= counted <= asked + ROUNDING_BYTES,
        figure=counted,
        unit="bytes",
        meaning=f"what a tensor of {units.format_mib(asked)} MiB added to the device's peak",
        remedy="peaks are not to be trusted: unset PYTORCH_CUDA_ALLOC_CONF and PYTORCH_NO_CUDA_MEMORY_CACHING",
    )


def check_hand_over(blocks: Sequence[Block]) -> Check:
    """The first call after another process had the device, over the rest; the second must be like the rest."""
    turns = list(_find_hand_overs(blocks))
    first = median(block.wall_ns[0] / median(block.counted_ns) for block in turns) if turns else None
    second = median(block.counted_ns[0] / median(block.counted_ns) for block in turns) if turns else None
    return Check(
        "hand-over",
        passed=None if second is None else second <= 1 + SECOND_CALL,
        figure=first,
        unit="ratio",
        meaning="the first call after another process had the device, over the rest; not counted"
        + ("" if second is None else f" (the second is: {units.format_ratio(second)})"),
        remedy="caches are cold for longer than one call here: compare networks of one kind, and longer calls",
        gate=False,
    )


def _find_hand_overs(blocks: Sequence[Block]) -> Iterator[Block]:
    """The timed blocks that begin with a call another process's turn went before."""
    for before, block in pairwise(blocks):
        if block.phase == "steady" and block.quantity == "request" and block.dropped and before.key != block.key:
            yield block


def summarise_null_test(blocks: Sequence[Block], network: str, seconds: float) -> NullTest | None:
    """The A/A null from the blocks of one variant's replicas 0 and 1; null where either has no whole round."""
    keys = sorted({block.key for block in blocks})
    summaries = summarise_blocks(blocks, keys[0], looked=True) if len(keys) == 2 else {}
    if len(summaries) != 2 or (ratio := summaries[keys[1]].ratio) is None:
        return None
    found = list(summaries.values())
    counted = [block for block in whole_rounds(blocks) if block.quantity == "request"]
    logs, lost = _log_times(counted), [share for each in counted if (share := each.telemetry.get("lost")) is not None]
    return NullTest(
        network=network,
        generations=min(each.generations for each in found),
        blocks=sum(each.blocks for each in found),
        disturbed=sum(each.disturbed for each in found),
        seconds=seconds,
        ratio=ratio,
        half_width=summaries[keys[1]].ratio_half_width,
        between_processes=between_processes(logs),
        between_rounds=between_rounds(logs),
        lost=median(lost) if lost else None,
    )


Logs = Mapping[int, Mapping[Key, Sequence[float]]]  # generation -> replica -> log of each block's median


def _log_times(blocks: Iterable[Block]) -> Logs:
    logs: dict[int, dict[Key, list[float]]] = defaultdict(lambda: defaultdict(list))
    for block in blocks:
        logs[block.generation][block.key].append(math.log(median(block.counted_ns)))
    return logs


def between_processes(logs: Logs) -> float | None:
    """The distance of a fresh process from its twin of the same generation: their differences' deviation over root 2."""
    twins = [tuple(fmean(values) for values in cells.values()) for cells in logs.values() if len(cells) == 2]
    differences = [first - second for first, second in twins]
    return stdev(differences) / math.sqrt(2) if len(differences) > 1 else None


def between_rounds(logs: Logs) -> float | None:
    """The distance of a block from the mean of its own process, pooled over processes."""
    cells = [values for cell in logs.values() for values in cell.values()]
    freedom = sum(len(values) - 1 for values in cells)
    squares = sum((value - fmean(values)) ** 2 for values in cells for value in values)
    return math.sqrt(squares / freedom) if freedom else None


def check_null_test(null: NullTest | None) -> Check:
    """The A/A null as a check: one network against itself."""
    interval = None if null is None else null.interval
    between = "" if interval is None else f" ({units.format_ratio(interval[0])} to {units.format_ratio(interval[1])})"
    return Check(
        "A/A null",
        passed=None if null is None else null.covers,
        figure=None if null is None else null.ratio,
        unit="ratio",
        meaning=f"one network measured as if it were two{between}; 1 is the truth",
        remedy="a sound measurement misses 1 one time in 20: run doctor again; if it misses again, stop what else runs",
        gate=False,
    )
