"""The family of errors: each is one line for a person and an exit code for a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class ArchbenchError(Exception):
    """Something a user can mend. The message says the place, what was given, what is accepted, what to do."""

    exit_code: ClassVar[int] = 2


class SpecError(ArchbenchError):
    """The input is wrong: a spec, a preset's name, a `--set`.

    `place` is where it stands (`specs/r50.yaml:14`), so that an editor can jump there.
    """

    def __init__(self, message: str, place: str = "") -> None:
        self.place = place
        self.message = message
        super().__init__(f"{place}: {message}" if place else message)

    def with_place(self, place: str) -> SpecError:
        """The same error with a place, unless it has one."""
        return self if self.place else type(self)(self.message, place)


class ResultsError(ArchbenchError):
    """A results file is damaged, foreign or newer than this program."""


class CannotMeasure(ArchbenchError):
    """The environment does not allow a measurement: no device, no room on disk, a folder that cannot be written."""

    exit_code = 4


@contextmanager
def refuse_unwritable(place: str, way_out: str = "") -> Iterator[None]:
    """Raise what the operating system refuses meanwhile as CannotMeasure, at a place that is safe to print."""
    try:
        yield
    except OSError as error:
        raise CannotMeasure(f"{place}: cannot be written ({error.strerror}){way_out}") from error
