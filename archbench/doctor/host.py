"""The state of a Linux machine, from /proc and /sys below a root, and of a GPU, from the blocks measured on it and NVML.

What is not there, or is hidden, is null. Imports no torch.
"""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from archbench.measure.machine.linux import read_cpu_quota, read_text
from archbench.measure.machine.nvml import SLOWING, read_card
from archbench.runs.records import Block
from archbench.text import visible

ROOT = Path("/")
WATCH_SECONDS = 1.0  # of what other processes do; a tick is 10 ms, so a share is known to 1 %
LEAST_BUSY = 0.05  # cores: less disturbs nothing that can be seen
MOST_NAMED = 3
LONGEST_NAME = 32
KIB = 1 << 10

CPU = "sys/devices/system/cpu"


@dataclass(frozen=True)
class BusyProcesses:
    """Other processes of one name, and the cores they kept busy while nothing of ours ran."""

    name: str
    processes: int
    cores: float


@dataclass(frozen=True)
class Host:
    """The machine's state. Null where it is unknown: containers and virtual machines hide much."""

    cpu: str | None = None
    physical_cores: int | None = None
    logical_cores: int | None = None
    allowed_cores: int | None = None  # by this process's affinity
    quota_cores: float | None = None  # by its cgroup; null: no limit, or hidden
    smt: bool | None = None  # two hardware threads share a core
    governor: str | None = None
    mhz: float | None = None
    max_mhz: float | None = None
    turbo: bool | None = None
    throttles: int | None = None  # thermal throttle events during the examination
    load: float | None = None  # runnable processes, mean over the minute before
    steal: float | None = None  # share of CPU time the hypervisor gave to others during the examination
    memory_bytes: int | None = None
    available_bytes: int | None = None
    swap_bytes: int | None = None
    swap_used_bytes: int | None = None
    virtual: bool | None = None
    container: bool | None = None
    busy: tuple[BusyProcesses, ...] = ()  # what keeps most cores busy, most first


@dataclass(frozen=True)
class Gpu:
    """A GPU's state while it was measured. Null where its driver does not say."""

    name: str | None = None
    slowest_mhz: float | None = None  # SM clock over the blocks of the A/A null
    fastest_mhz: float | None = None
    max_mhz: float | None = None
    celsius: float | None = None  # the most seen
    watts: float | None = None
    limit_watts: float | None = None
    throttle: tuple[str, ...] = ()  # reasons that held the clock down
    persistence: bool | None = None
    others: int | None = None  # the most processes on it that were not ours


def describe_host(root: Path = ROOT, pause: Callable[[float], None] = time.sleep) -> Host:
    """The machine's state, and who keeps it busy during a watch of `pause`; nothing of ours may run meanwhile."""
    return Host(
        **_describe_cores(root),
        **_describe_clocks(root),
        **_describe_memory(root),
        **_describe_walls(root),
        busy=watch_processes(root, pause),
    )


def count_throttles(root: Path = ROOT) -> int | None:
    """Thermal throttle events since the machine was started."""
    counts = [int(text) for text in _read_each(root, f"{CPU}/cpu[0-9]*/thermal_throttle/core_throttle_count")]
    return sum(counts) if counts else None


def watch_processes(root: Path, pause: Callable[[float], None]) -> tuple[BusyProcesses, ...]:
    """The processes that keep most cores busy besides this one, by name, over a watch."""
    before, began = _process_ticks(root), _read_uptime(root)
    pause(WATCH_SECONDS)
    after, ended = _process_ticks(root), _read_uptime(root)
    seconds = ended - began
    if seconds <= 0:
        return ()
    cores: dict[str, list[float]] = defaultdict(list)
    for process, (name, ticks) in after.items():
        used = (ticks - before.get(process, (name, ticks))[1]) / (os.sysconf("SC_CLK_TCK") * seconds)
        if used > 0:
            cores[name].append(used)
    found = [
        BusyProcesses(name, len(shares), sum(shares)) for name, shares in cores.items() if sum(shares) >= LEAST_BUSY
    ]
    return tuple(sorted(found, key=lambda each: -each.cores)[:MOST_NAMED])


def _process_ticks(root: Path) -> Mapping[tuple[str, str], tuple[str, int]]:
    """(pid, when it started) -> (name, ticks of CPU), of every process but this one. Names are made safe to print."""
    found = {}
    for path in (root / "proc").glob("[0-9]*/stat"):
        head, _, tail = read_text(path).rpartition(")")  # a name may hold spaces and parentheses
        fields = tail.split()
        pid, _, name = head.partition(" (")
        if len(fields) > 19 and pid != str(os.getpid()):
            found[pid, fields[19]] = visible(name, LONGEST_NAME), int(fields[11]) + int(fields[12])
    return found


def _read_uptime(root: Path) -> float:
    return float((_read_first_line(root, "proc/uptime").split() or ["0"])[0])


def _describe_cores(root: Path) -> dict[str, Any]:
    siblings = list(_read_each(root, f"{CPU}/cpu[0-9]*/topology/thread_siblings_list"))
    active = _read_first_line(root, f"{CPU}/smt/active")
    model = _read_field(root, "proc/cpuinfo", "model name")
    return {
        "cpu": visible(model) if model else None,
        "physical_cores": len(set(siblings)) or None,
        "logical_cores": len(siblings) or None,
        "allowed_cores": _count_cpus(_read_field(root, "proc/self/status", "Cpus_allowed_list")),
        "quota_cores": read_cpu_quota(root),
        "smt": active == "1" if active else None,
    }


def _count_cpus(text: str | None) -> int | None:
    """The number of CPUs that a list like `0-3,8` names."""
    if not text:
        return None
    ends = [part.split("-") for part in text.split(",")]
    return sum(int(each[-1]) - int(each[0]) + 1 for each in ends)


def _describe_clocks(root: Path) -> dict[str, Any]:
    governors = sorted(set(_read_each(root, f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor")))
    now = [int(khz) / 1e3 for khz in _read_each(root, f"{CPU}/cpu[0-9]*/cpufreq/scaling_cur_freq")]
    now = now or [float(mhz) for mhz in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", read_text(root / "proc/cpuinfo"), re.M)]
    most = [int(khz) / 1e3 for khz in _read_each(root, f"{CPU}/cpu[0-9]*/cpufreq/cpuinfo_max_freq")]
    return {
        "governor": ", ".join(governors) or None,
        "mhz": fmean(now) if now else None,
        "max_mhz": max(most, default=None),
        "turbo": _read_turbo(root),
    }


def _read_turbo(root: Path) -> bool | None:
    """Whether the clock may rise above its nominal: Intel's driver says when not, the others when so."""
    if text := _read_first_line(root, f"{CPU}/intel_pstate/no_turbo"):
        return text == "0"
    text = _read_first_line(root, f"{CPU}/cpufreq/boost")
    return text == "1" if text else None


def _describe_memory(root: Path) -> dict[str, Any]:
    total, free = _read_bytes(root, "SwapTotal"), _read_bytes(root, "SwapFree")
    return {
        "memory_bytes": _read_bytes(root, "MemTotal"),
        "available_bytes": _read_bytes(root, "MemAvailable"),
        "swap_bytes": total,
        "swap_used_bytes": None if total is None or free is None else total - free,
    }


def _read_bytes(root: Path, name: str) -> int | None:
    text = _read_field(root, "proc/meminfo", name)
    return int(text.split()[0]) * KIB if text else None


def _describe_walls(root: Path) -> dict[str, Any]:
    """Everything between us and the machine: load of others, a hypervisor, a container."""
    flags = _read_field(root, "proc/cpuinfo", "flags")
    marks = (root / ".dockerenv", root / "run/.containerenv")
    load = _read_first_line(root, "proc/loadavg").split()
    return {
        "load": float(load[0]) if load else None,
        "virtual": "hypervisor" in flags.split() if flags else None,
        "container": any(mark.exists() for mark in marks) or None,  # their absence proves nothing
    }


def _read_field(root: Path, path: str, name: str) -> str | None:
    """The first value of `name: value` lines."""
    for line in read_text(root / path).splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip() or None
    return None


def _read_each(root: Path, pattern: str) -> Iterator[str]:
    return (text for path in sorted(root.glob(pattern)) if (text := read_text(path).strip()))


def _read_first_line(root: Path, path: str) -> str:
    return read_text(root / path).partition("\n")[0].strip()


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
