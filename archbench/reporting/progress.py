"""What a person sees while a run goes on: one live line on a terminal, plain lines elsewhere; never on stdout."""

from __future__ import annotations

import contextlib
import sys
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from archbench.design.document import visible
from archbench.reporting.records import Record
from archbench.reporting.step import Step, time_left

LONGEST = 300  # characters of a line: paths are long
REFRESHES = 2  # a second: at rich's own 12.5 the spinner alone takes a share of the core beside the one that measures


class Progress:
    """`step` shows where the run stands; `say` a sentence; `done` announces a variant whose record is on disk.

    On a terminal announcements are not needed: the table follows. Elsewhere each is a line `done ID NAME`, and of the steps
    only the start of each variant and the first of each kind in a generation are lines: a block lasts 50 ms.
    Nobody listening (a closed pipe, a terminal that is gone) is no reason for a run to end.
    """

    def __init__(self, *, quiet: bool, announce_on: TextIO) -> None:
        console = Console(stderr=True, highlight=False)
        self._quiet, self._live = quiet, console.is_terminal
        shown = self._live and not quiet
        self._status: Status | None = console.status("starting", refresh_per_second=REFRESHES) if shown else None
        self._announce_on = announce_on
        self._seen: set[tuple[object, ...]] = set()

    def __enter__(self) -> Progress:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            with contextlib.suppress(OSError):
                self._status.stop()

    def step(self, step: Step) -> None:
        if self._status or self._is_news(step):
            self.say(f"{step.place}  {step.outlook}".rstrip())

    def say(self, text: str, seconds_left: float | None = None) -> None:
        line = visible(text, LONGEST) + ("" if seconds_left is None else f"  ({time_left(seconds_left)})")
        if self._status:
            self._status.update(escape(line))
        elif not self._quiet:
            _print(line, sys.stderr)

    def done(self, record: Record) -> None:
        if not self._live:
            word = "done" if record.status != "failed" else "failed"
            _print(f"{word} {record.id} {visible(record.name)}", self._announce_on)

    def _is_news(self, step: Step) -> bool:
        key = (step.generation, step.doing, step.variant if step.doing == "starting" else None)
        known = key in self._seen
        self._seen.add(key)
        return not known


def _print(line: str, stream: TextIO) -> None:
    with contextlib.suppress(OSError):
        print(line, file=stream, flush=True)
