"""How much of the CPU others had while this process could have run, as Linux counts it. Imports no torch."""

from __future__ import annotations

from pathlib import Path

STEAL = 7  # the eighth column of /proc/stat's first line: ticks the hypervisor gave to another machine (proc_stat(5))
ACCOUNTED = 8  # the columns from user to steal; guest time behind them is counted in user already

Waited = dict[str, tuple[int, int]]  # by thread: ns on a CPU, ns runnable and waiting for one


class LostTime:
    """Differences between successive looks at `/proc`, the first taken when made.

    lost   the share of its runnable time that the process's threads waited for a CPU: sum of waiting over sum of both
    steal  the share of all CPUs' time that the hypervisor took
    Null where the kernel does not say, or nothing moved since the last look.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self.proc = proc
        self._threads, self._ticks = self._read_counters()

    def since_last(self) -> dict[str, float | None]:
        """The shares since this was last asked, or since it was made."""
        before, ticks_before = self._threads, self._ticks
        self._threads, self._ticks = self._read_counters()
        ran, waited = (
            sum(now[column] - before.get(thread, (0, 0))[column] for thread, now in self._threads.items())
            for column in (0, 1)
        )
        ticks = [now - then for now, then in zip(self._ticks, ticks_before, strict=False)]
        return {
            "lost": _share(waited, ran + waited),
            "steal": _share(ticks[STEAL], sum(ticks)) if len(ticks) > STEAL else None,
        }

    def _read_counters(self) -> tuple[Waited, list[int]]:
        return self._read_threads(), self._read_ticks()

    def _read_threads(self) -> Waited:
        """Of every thread that is there; a thread that ends while it is looked at is left out."""
        found: Waited = {}
        for path in self.proc.glob("self/task/*/schedstat"):
            try:
                ran, waited, *_ = path.read_text().split()
            except (OSError, ValueError):
                continue
            found[path.parent.name] = int(ran), int(waited)
        return found

    def _read_ticks(self) -> list[int]:
        try:
            first = (self.proc / "stat").read_text().partition("\n")[0]
        except OSError:
            return []
        return [int(ticks) for ticks in first.split()[1 : 1 + ACCOUNTED]]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None
