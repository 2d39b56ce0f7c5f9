"""The progress of a run as a person sees it: one live line on a terminal, plain lines elsewhere; never on stdout."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from archbench.runs.progress import RunProgress, format_time_left
from archbench.runs.records import Record
from archbench.text import visible

LONGEST = 300  # characters of a line: paths are long
REFRESHES = 2  # a second: at rich's own 12.5 the spinner alone takes a share of the core beside the one that measures


class ProgressPrinter:
    """The printer of a run's progress: of its steps, of sentences, and of each variant whose record is on disk.

    On a terminal announcements are not needed: the table follows. The time left is as of the moment the line is drawn: a
    start takes seconds. Elsewhere each is a line `done ID NAME`, and of the steps only the start of each variant and the
    first of each kind in a generation are lines, and the first that knows a precision: a block lasts 50 ms.
    Nobody listening (a closed pipe, a terminal that is gone) is no reason for a run to end.
    """

    def __init__(self, *, quiet: bool, announce_on: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        console = Console(stderr=True, highlight=False)
        self._quiet, self._clock, self._on_terminal = quiet, clock, console.is_terminal
        self._line: Callable[[float], str] = lambda passed: "starting"  # as it reads so many seconds after it was said
        self._said_at = clock()
        self._spinner = Spinner("dots", style="status.spinner")
        shown = self._on_terminal and not quiet
        self._live = Live(self, console=console, refresh_per_second=REFRESHES, transient=True) if shown else None
        self._announce_on = announce_on
        self._seen: set[tuple[object, ...]] = set()

    def __enter__(self) -> ProgressPrinter:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            with contextlib.suppress(OSError):
                self._live.stop()

    def __rich__(self) -> Spinner:
        """The live line as it is now; rich asks each time it draws."""
        self._spinner.update(text=Text(self._line(self._clock() - self._said_at)))
        return self._spinner

    def report_step(self, step: RunProgress) -> None:
        if self._live or self._is_news(step):
            self._show_line(lambda passed: _format_progress(step.after(passed)))

    def say(self, text: str, seconds_left: float | None = None) -> None:
        self._show_line(lambda passed: _format_sentence(text, None if seconds_left is None else seconds_left - passed))

    def _show_line(self, line: Callable[[float], str]) -> None:
        if self._live:
            self._line, self._said_at = line, self._clock()
        elif not self._quiet:
            _print_line(line(0.0), sys.stderr)

    def announce_record(self, record: Record) -> None:
        if not self._on_terminal:
            word = "done" if record.status != "failed" else "failed"
            _print_line(f"{word} {record.id} {visible(record.name)}", self._announce_on)

    def _is_news(self, step: RunProgress) -> bool:
        which = step.variant if step.doing == "starting" else None
        key = (step.generation, step.doing, which, step.widest is None)
        known = key in self._seen
        self._seen.add(key)
        return not known


def _format_progress(step: RunProgress) -> str:
    return visible(f"{step.place}  {step.outlook}".rstrip(), LONGEST)


def _format_sentence(text: str, seconds_left: float | None) -> str:
    return visible(text, LONGEST) + ("" if seconds_left is None else f"  ({format_time_left(seconds_left)})")


def _print_line(line: str, stream: TextIO) -> None:
    with contextlib.suppress(OSError):
        print(line, file=stream, flush=True)
