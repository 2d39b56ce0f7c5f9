"""Signals that ask a run to end: a first ends it at its next boundary, a second at once. Imports no torch."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

GRACE_SECONDS = 10.0  # systems that send TERM send KILL next: systemd after 90 s, Docker and Slurm after 10 to 30
MACHINES_SAY = (signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """The run was asked to end and did; everything finished is on disk."""


class StopRequest:
    """Whether the run is asked to end; calling it answers.

    As a context manager it listens to INT, TERM and HUP, and leaves them as they were; only in the main thread. A second
    signal ends the workers and raises Interrupted wherever the run stands. TERM and HUP do not come twice: the second is
    taken as said ten seconds later. A signal that was ignored before (nohup) still is.
    """

    def __init__(self, announce: Callable[[str], None] = lambda text: None) -> None:
        self._announce = announce  # called from a signal handler: it may not go through a buffered stream
        self._requested = self._ended = False
        self._end_workers: Callable[[], None] = lambda: None
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> bool:
        return self._requested

    def on_second_signal(self, end_workers: Callable[[], None]) -> None:
        """Register what a second signal does before it raises, so that nobody goes on waiting for a worker's answer."""
        self._end_workers = end_workers

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, *MACHINES_SAY, signal.SIGALRM):
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._hear_signal)
        return self

    def __exit__(self, *failure: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear_signal(self, number: int, frame: FrameType | None) -> None:
        if self._ended:
            return  # what is left to do is to write the table
        if self._requested:
            self._ended = True
            self._end_workers()
            raise Interrupted
        self._requested = True
        if number in MACHINES_SAY:
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
            self._announce(f"stopping after what is under way, in {GRACE_SECONDS:g} s at the latest")
        else:
            self._announce("stopping after what is under way; once more stops at once")
