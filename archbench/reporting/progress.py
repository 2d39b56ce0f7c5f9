"""What a person sees while a run goes on: one live line on a terminal, plain lines elsewhere; never on stdout."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from archbench import units
from archbench.design.document import visible
from archbench.reporting.records import Record


class Progress:
    """`say` shows the latest step and the time left; `done` announces a variant whose record is on disk.

    On a terminal announcements are not needed: the table follows. Elsewhere each is a line `done ID NAME`.
    """

    def __init__(self, *, quiet: bool, announce_on: TextIO) -> None:
        console = Console(stderr=True, highlight=False)
        self._quiet, self._live = quiet, console.is_terminal
        self._status: Status | None = console.status("starting") if self._live and not quiet else None
        self._announce_on = announce_on

    def __enter__(self) -> Progress:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def say(self, text: str, seconds_left: float | None) -> None:
        left = "" if seconds_left is None else f"  (at most {units.duration(seconds_left)} left)"
        if self._status:
            self._status.update(escape(visible(text)) + left)
        elif not self._quiet:
            print(visible(text) + left, file=sys.stderr, flush=True)

    def done(self, record: Record) -> None:
        if not self._live:
            word = "done" if record.status != "failed" else "failed"
            print(f"{word} {record.id} {visible(record.name)}", file=self._announce_on, flush=True)
