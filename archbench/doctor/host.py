"""The state of a Linux machine, read from /proc and /sys below a root. What is not there is null. Imports no torch."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from archbench.doctor.diagnosis import BusyProcesses, Host
from archbench.text import visible

ROOT = Path("/")
WATCH_SECONDS = 1.0  # of what other processes do; a tick is 10 ms, so a share is known to 1 %
LEAST_BUSY = 0.05  # cores: less disturbs nothing that can be seen
MOST_NAMED = 3
LONGEST_NAME = 32
KIB = 1 << 10

CPU = "sys/devices/system/cpu"


@dataclass(frozen=True)
class Counters:
    """What the kernel counts up while the machine runs: ticks of all CPUs, those stolen, thermal throttle events."""

    ticks: int | None
    stolen: int | None
    throttles: int | None


def describe_host(root: Path = ROOT, pause: Callable[[float], None] = time.sleep) -> Host:
    """The machine's state, and who keeps it busy during a watch of `pause`; nothing of ours may run meanwhile."""
    return Host(
        **_describe_cores(root),
        **_describe_clocks(root),
        **_describe_memory(root),
        **_describe_walls(root),
        busy=watch_processes(root, pause),
    )


def read_counters(root: Path = ROOT) -> Counters:
    """The counters now; their difference is what happened between."""
    fields = [
        int(tick) for tick in _read_first_line(root, "proc/stat").split()[1:9]
    ]  # user nice system idle iowait irq soft steal
    throttles = [int(text) for text in _read_each(root, f"{CPU}/cpu[0-9]*/thermal_throttle/core_throttle_count")]
    return Counters(
        ticks=sum(fields) if len(fields) == 8 else None,
        stolen=fields[7] if len(fields) == 8 else None,
        throttles=sum(throttles) if throttles else None,
    )


def stolen_share(before: Counters, after: Counters) -> float | None:
    """The share of CPU time between the two that the hypervisor gave to others."""
    if None in (before.ticks, after.ticks, before.stolen, after.stolen) or after.ticks == before.ticks:
        return None
    return (after.stolen - before.stolen) / (after.ticks - before.ticks)  # type: ignore[operator]


def count_throttles(before: Counters, after: Counters) -> int | None:
    """Thermal throttle events between the two."""
    return None if before.throttles is None or after.throttles is None else after.throttles - before.throttles


def watch_processes(root: Path, pause: Callable[[float], None]) -> tuple[BusyProcesses, ...]:
    """What keeps most cores busy besides this process, by name, over a watch."""
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
        head, _, tail = _read_text(path).rpartition(")")  # a name may hold spaces and parentheses
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
        "allowed_cores": _count_listed(_read_field(root, "proc/self/status", "Cpus_allowed_list")),
        "quota_cores": read_cpu_quota(root),
        "smt": active == "1" if active else None,
    }


def _count_listed(text: str | None) -> int | None:
    """How many CPUs `0-3,8` names."""
    if not text:
        return None
    ends = [part.split("-") for part in text.split(",")]
    return sum(int(each[-1]) - int(each[0]) + 1 for each in ends)


def read_cpu_quota(root: Path) -> float | None:
    """The cores this process's cgroup may use, the tightest of it and those above; null: no limit, or hidden."""
    limits = [limit for folder in _cgroups(root) if (limit := _limit(folder)) is not None]
    return min(limits, default=None)


def _cgroups(root: Path) -> Iterator[Path]:
    """The folders of this process's CPU cgroup and of all above it; in a container the innermost may not be seen."""
    for line in _read_text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mounts = [controllers, "cpu"] if controllers else ["", "unified"]
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for mount in mounts:
            for depth in range(len(parts) + 1):
                yield root.joinpath("sys/fs/cgroup", mount, *parts[:depth])


def _limit(folder: Path) -> float | None:
    """A cgroup's quota over its period: one file in version 2, two in version 1."""
    if texts := _read_text(folder / "cpu.max").split():
        return None if texts[0] == "max" else int(texts[0]) / int(texts[1])
    allowed, period = _read_text(folder / "cpu.cfs_quota_us"), _read_text(folder / "cpu.cfs_period_us")
    return int(allowed) / int(period) if allowed and period and int(allowed) > 0 else None


def _describe_clocks(root: Path) -> dict[str, Any]:
    governors = sorted(set(_read_each(root, f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor")))
    now = [int(khz) / 1e3 for khz in _read_each(root, f"{CPU}/cpu[0-9]*/cpufreq/scaling_cur_freq")]
    now = now or [float(mhz) for mhz in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", _read_text(root / "proc/cpuinfo"), re.M)]
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
    """What lies between us and the machine: load of others, a hypervisor, a container."""
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
    for line in _read_text(root / path).splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip() or None
    return None


def _read_each(root: Path, pattern: str) -> Iterator[str]:
    return (text for path in sorted(root.glob(pattern)) if (text := _read_text(path).strip()))


def _read_first_line(root: Path, path: str) -> str:
    return _read_text(root / path).partition("\n")[0].strip()


def _read_text(path: Path) -> str:
    """A file of the kernel's; empty where it is not, is hidden, or its process just ended."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
