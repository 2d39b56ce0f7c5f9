"""The diagnosis of `archbench doctor`: self-checks, an A/A null, the machine, what would make it better; as page and as file.

Schema 1. The file is for showing to others: no host name, no user name, no home folder, no command lines.
"""

from __future__ import annotations

import json
import os
import pwd
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from archbench import units
from archbench.doctor.checks import Check, NullTest, Unit
from archbench.doctor.host import Gpu, Host
from archbench.errors import CannotMeasure
from archbench.text import visible

SCHEMA = 1
WIDEST = 110  # a longer line is harder to read than a second one
INDENT = 2
LONGEST = 500

Rows = Iterator[tuple[str, str]]

MARKS = {True: ("ok", "green"), False: ("FAIL", "bold red"), None: (units.MISSING, "dim")}

FIGURES: Mapping[Unit, Callable[[float], str]] = {
    "ns": lambda value: f"{units.format_count(round(value))} ns",
    "share": units.format_percent,
    "ratio": units.format_ratio,
    "cores": lambda value: f"{units.format_decimal(value)} cores",
    "bytes": lambda value: f"{units.format_mib(value)} MiB",
}


@dataclass(frozen=True)
class Advice:
    """Advice that would make measuring better here, and the command to type where there is one."""

    text: str
    command: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """All that was found. `reason` says why nothing can be measured; null: it can."""

    taken: str  # UTC
    device: str
    reason: str | None
    checks: tuple[Check, ...]
    null_test: NullTest | None
    host: Host
    gpu: Gpu | None
    threads: int | None  # torch's
    versions: Mapping[str, str | None]
    extras: Mapping[str, str | None]  # optional parts: version, null where missing
    flags: Mapping[str, str]  # environment variables that change what is measured
    advice: tuple[Advice, ...] = ()
    seconds: float = 0.0
    schema: int = field(default=SCHEMA)


def _format_known(write: Callable[[Any], str], value: Any) -> str:
    """A figure as the page shows it; one that could not be found out is unknown."""
    return "unknown" if value is None else write(value)


_whole = partial(_format_known, lambda value: units.format_count(round(value)))
_decimal = partial(_format_known, units.format_decimal)
_percent = partial(_format_known, units.format_percent)
_gigahertz = partial(_format_known, units.format_gigahertz)
_switch = partial(_format_known, lambda on: "on" if on else "off")
_times = partial(_format_known, lambda count: f"seen {units.format_count(count)} times")


def print_diagnosis(found: Diagnosis, console: Console) -> None:
    """Print the page. Names of processes and packages are escaped: none can format or steer the terminal."""
    width = min(console.width, WIDEST)
    console.print(Text(headline(found), style="bold"), width=width)
    for line in describe_answer(found):
        console.print(Text(line), width=width)
    if found.checks:
        _print_section("Self-checks", _grid_of_checks(found.checks), console, width)
    for title, rows in list_sections(found):
        _print_section(title, _grid_of_facts(rows), console, width)
    _print_section("What would make it better", _grid_of_advice(found.advice), console, width)


def headline(found: Diagnosis) -> str:
    name = (found.gpu and found.gpu.name) or found.host.cpu or "unknown processor"
    return f"archbench doctor: {found.device}, {visible(name)}"


def describe_answer(found: Diagnosis) -> Iterator[str]:
    """The answer in a sentence: how small a difference can be told here."""
    null = found.null_test
    if found.reason or null is None:
        yield f"Nothing can be measured: {visible(found.reason or '', LONGEST)}"
    elif null.half_width is None:
        yield f"One generation, in {units.format_duration(null.seconds)}, makes no interval: no difference can be told."
    elif null.half_width >= 1:
        yield f"No difference can be told here in {units.format_duration(null.seconds)}: a network may be twice itself."
    else:
        told = f"Differences under {units.format_percent(null.half_width)}"
        yield f"{told} cannot be told here in {units.format_duration(null.seconds)}."


def list_sections(found: Diagnosis) -> Iterator[tuple[str, Rows]]:
    """Titles with their rows, those without any left out."""
    if found.null_test:
        yield "A/A null", null_rows(found.null_test)
    if found.gpu:
        yield "GPU", gpu_rows(found.gpu)
    yield "Machine", host_rows(found.host, found.threads)
    yield "Versions", version_rows(found)


def null_rows(null: NullTest) -> Rows:
    low_to_high = "no interval"
    if interval := null.interval:
        covers = "covers 1, as it should" if null.covers else "misses 1: something differed that should not"
        low_to_high = f"{units.format_ratio(interval[0])} to {units.format_ratio(interval[1])}, {covers}"
    took = units.format_duration(null.seconds)
    yield "measured", f"{null.network}, twice over; generations: {null.generations}, in {took}"
    yield "ratio", f"{units.format_ratio(null.ratio)}, 95 %: {low_to_high}"
    processes, rounds = _percent(null.between_processes), _percent(null.between_rounds)
    yield "spread", f"between processes {processes}, between rounds {rounds}"
    disturbed = f"{units.format_count(null.disturbed)} of them disturbed"
    lost = f"{_percent(null.lost)} of the time lost to others"
    yield "blocks", f"{units.format_count(null.blocks)} counted, {disturbed}, {lost}"


def gpu_rows(gpu: Gpu) -> Rows:
    span = " to ".join(dict.fromkeys(_whole(mhz) for mhz in (gpu.slowest_mhz, gpu.fastest_mhz)))
    yield "clock", f"{span} MHz while measured, at most {_whole(gpu.max_mhz)}"
    yield "held down", ", ".join(gpu.throttle) or "no reason seen"
    yield "power", f"{_whole(gpu.watts)} W of {_whole(gpu.limit_watts)}, {_whole(gpu.celsius)} degrees Celsius"
    yield "others", f"{_whole(gpu.others)} processes; persistence {_switch(gpu.persistence)}"


def host_rows(host: Host, threads: int | None) -> Rows:
    yield "processor", host.cpu or "unknown"
    limits = "" if host.quota_cores is None else f", {units.format_decimal(host.quota_cores)} by quota"
    cores = f"{_whole(host.physical_cores)} physical, {_whole(host.logical_cores)} logical"
    yield "cores", f"{cores}, {_whole(host.allowed_cores)} allowed{limits}; torch takes {_whole(threads)} threads"
    clock = f"{_gigahertz(host.mhz)} GHz, at most {_gigahertz(host.max_mhz)}"
    yield "clock", f"{clock}; governor {host.governor or 'unknown'}"
    yield "switches", f"turbo {_switch(host.turbo)}, SMT {_switch(host.smt)}, heat throttling {_times(host.throttles)}"
    yield "load", f"{_decimal(host.load)}; {', '.join(_describe_busy(host)) or 'nothing else seen to run'}"
    if host.memory_bytes is not None and host.available_bytes is not None:
        free = f"{units.format_gib(host.available_bytes)} of {units.format_gib(host.memory_bytes)} GiB to be had"
        swap = (
            f"{units.format_gib(host.swap_used_bytes or 0)} of {units.format_gib(host.swap_bytes or 0)} GiB swap used"
        )
        yield "memory", f"{free}, {swap}"
    walls = f"{_format_wall(host.virtual, 'virtual machine')}, {_format_wall(host.container, 'container')}"
    yield "inside", f"{walls}, stolen {_percent(host.steal)}"


def version_rows(found: Diagnosis) -> Rows:
    known = {name: value for name, value in found.versions.items() if value}
    yield "system", visible(known.pop("os", "unknown"), LONGEST)
    yield "packages", ", ".join(f"{name} {visible(value)}" for name, value in known.items())
    yield "extras", ", ".join(f"{name} {visible(value or 'missing')}" for name, value in found.extras.items())
    if found.flags:
        yield "flags", ", ".join(f"{name}={visible(value)}" for name, value in found.flags.items())


def _describe_busy(host: Host) -> Iterator[str]:
    for busy in host.busy:
        several = f" x{busy.processes}" if busy.processes > 1 else ""
        yield f"{visible(busy.name)}{several} {units.format_decimal(busy.cores)} cores"


def _grid_of_checks(checks: tuple[Check, ...]) -> Grid:
    grid = _make_grid(4)
    for check in checks:
        word, style = MARKS[check.passed]
        figure = units.MISSING if check.figure is None else FIGURES[check.unit](check.figure)
        grid.add_row(
            Text(word, style=style), check.name, Text(figure, justify="right"), Text(visible(check.meaning, LONGEST))
        )
    return grid


def _grid_of_facts(rows: Rows) -> Grid:
    grid = _make_grid(2)
    for name, text in rows:
        grid.add_row(name, Text(text))
    return grid


def _grid_of_advice(advice: tuple[Advice, ...]) -> Grid:
    grid = _make_grid(2)
    for number, each in enumerate(advice, 1):
        grid.add_row(f"{number}.", Text(visible(each.text, LONGEST)))
        if each.command:
            grid.add_row("", Text(visible(each.command, LONGEST), style="bold"))
    if not advice:
        grid.add_row("", Text("nothing that could be seen from here"))
    return grid


def _make_grid(columns: int) -> Grid:
    grid = Grid.grid(padding=(0, 2, 0, 0))
    for column in range(columns):
        grid.add_column(no_wrap=column < columns - 1, overflow="fold")
    return grid


def _print_section(title: str, grid: Grid, console: Console, width: int) -> None:
    console.print()
    console.print(Text(title, style="bold"))
    console.print(Padding(grid, (0, 0, 0, INDENT), expand=False), width=width)


def _format_wall(value: bool | None, name: str) -> str:
    return f"{name} unknown" if value is None else name if value else f"no {name}"


def diagnosis_as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """The diagnosis as one object, the null test's interval beside it, without a word about who ran it."""
    found = asdict(diagnosis)
    if null := diagnosis.null_test:
        found["null_test"] |= {"interval": null.interval, "covers": null.covers}
    clean: dict[str, Any] = anonymise({"schema": found.pop("schema"), **found}, _find_identifying())
    return clean


def anonymise(value: Any, names: Mapping[str, str]) -> Any:
    """The value with each name in its texts replaced, where it stands as a whole word."""
    if isinstance(value, str):
        for name, instead in names.items():
            value = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", instead, value)
        return value
    if isinstance(value, Mapping):
        return {key: anonymise(item, names) for key, item in value.items()}
    return [anonymise(item, names) for item in value] if isinstance(value, list | tuple) else value


def _find_identifying() -> dict[str, str]:
    """Names that tell who ran this, and the word to write instead: the home folder first, since it holds the user's name."""
    names: dict[str, str] = {}
    with suppress(RuntimeError):
        names[str(Path.home())] = "~"
    with suppress(KeyError):
        names[pwd.getpwuid(os.getuid()).pw_name] = "USER"
    names |= {os.uname().nodename: "HOST"}
    return {name: instead for name, instead in names.items() if len(name) > 1 and name not in COMMON}


COMMON = ("root", "localhost")  # they tell nothing, and stand in other words' places


def render_diagnosis(diagnosis: Diagnosis) -> str:
    """The file's text: JSON in ASCII, so that no name can steer a terminal."""
    return json.dumps(diagnosis_as_json(diagnosis), allow_nan=False, indent=2) + "\n"


def write_diagnosis(diagnosis: Diagnosis, path: Path) -> None:
    """Put the file in place, whole or not at all. Raises CannotMeasure where it cannot be."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(render_diagnosis(diagnosis), encoding="ascii")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise CannotMeasure(
            f"--output {_visible_path(path)}: cannot be written ({error.strerror}); name another"
        ) from error


def _visible_path(path: Path) -> str:
    return visible(str(path), 1000)
