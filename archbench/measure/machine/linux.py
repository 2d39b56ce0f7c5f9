"""Linux's own account of this process: what its control groups still let it take, and how much of the CPU others had.

Control groups: version 2 keeps one tree, version 1 one for each controller; a limit holds for all below it, so every folder
from the process's own up to the root counts. Everything is null where the kernel does not say. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# Of a control group, in version 2 and in version 1: the limit, what is used, and of memory.stat the page cache that nobody
# used lately, which is given back before anything is killed and so is no use of memory here.
MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
STEAL = 7  # the eighth column of /proc/stat's first line: ticks the hypervisor gave to another machine (proc_stat(5))
ACCOUNTED = 8  # the columns from user to steal; guest time behind them is counted in user already

Waited = dict[str, tuple[int, int]]  # by thread: ns on a CPU, ns runnable and waiting for one


def read_memory_left(root: Path = Path("/")) -> int | None:
    """Bytes until the nearest memory limit that holds for this process; null where none does. `root`: of the file system."""
    found = [_memory_left(folder, *files) for folder in _list_groups(root, "memory") for files in MEMORY_FILES]
    return min((left for left in found if left is not None), default=None)


def read_cpu_quota(root: Path = Path("/")) -> float | None:
    """The cores this process's control groups let it use, the tightest of them; null: no limit, or hidden."""
    found = [_cpu_quota(folder) for folder in _list_groups(root, "cpu")]
    return min((cores for cores in found if cores is not None), default=None)


def _list_groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of the process's group for a controller and of all above it.

    A line of /proc/self/cgroup is `number:controllers:path`, version 2's is `0::path`. A container may see only its own part,
    mounted as the tree.
    """
    for line in read_text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        inside = [part for part in path.split("/") if part not in ("", "..")]
        for mount in (controllers, controller) if controllers else ("", "unified"):
            yield from (root.joinpath("sys/fs/cgroup", mount, *inside[:n]) for n in range(len(inside), -1, -1))


def _memory_left(folder: Path, limit_file: str, usage_file: str, cache: str) -> int | None:
    """Null where the folder sets no limit: version 2 says `max`, version 1 more than any machine has."""
    limit, usage = _parse_count(read_text(folder / limit_file)), _parse_count(read_text(folder / usage_file))
    if limit is None or usage is None:
        return None
    stat = dict(line.split(" ", 1) for line in read_text(folder / "memory.stat").splitlines() if " " in line)
    return max(0, limit - (usage - (_parse_count(stat.get(cache, "")) or 0)))


def _cpu_quota(folder: Path) -> float | None:
    """A group's quota over its period: one file in version 2, two in version 1."""
    if texts := read_text(folder / "cpu.max").split():
        return None if texts[0] == "max" else int(texts[0]) / int(texts[1])
    allowed, period = read_text(folder / "cpu.cfs_quota_us"), read_text(folder / "cpu.cfs_period_us")
    return int(allowed) / int(period) if allowed and period and int(allowed) > 0 else None


class LostTime:
    """Differences between successive looks at `/proc`, the first taken when made.

    lost   the share of its runnable time that the process's threads waited for a CPU: sum of waiting over sum of both
    steal  the share of all CPUs' time that the hypervisor took
    Null where the kernel does not say, or nothing moved since the last look.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self.proc = proc
        self._threads, self._ticks = self._read_threads(), read_ticks(proc)

    def since_last(self) -> dict[str, float | None]:
        """The shares since this was last asked, or since it was made."""
        before, ticks_before = self._threads, self._ticks
        self._threads, self._ticks = self._read_threads(), read_ticks(self.proc)
        ran, waited = (
            sum(now[column] - before.get(thread, (0, 0))[column] for thread, now in self._threads.items())
            for column in (0, 1)
        )
        ticks = [now - then for now, then in zip(self._ticks, ticks_before, strict=False)]
        return {
            "lost": _share(waited, ran + waited),
            "steal": _share(ticks[STEAL], sum(ticks)) if len(ticks) > STEAL else None,
        }

    def _read_threads(self) -> Waited:
        """The times of every thread that is there; a thread that ends while it is looked at is left out."""
        found: Waited = {}
        for path in self.proc.glob("self/task/*/schedstat"):
            times = read_text(path).split()
            if len(times) > 1:
                found[path.parent.name] = int(times[0]), int(times[1])
        return found


def read_ticks(proc: Path) -> list[int]:
    """Ticks of all CPUs by kind, from user to steal."""
    first = read_text(proc / "stat").partition("\n")[0]
    return [int(ticks) for ticks in first.split()[1 : 1 + ACCOUNTED]]


def read_text(path: Path) -> str:
    """A file of the kernel's; empty where it is not, is hidden, or its process just ended."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _parse_count(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None
