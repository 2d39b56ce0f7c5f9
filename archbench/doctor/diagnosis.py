"""What `archbench doctor` found: self-checks, an A/A null, the machine, what would make it better.

Schema 1. The file is for showing to others: no host name, no user name, no home folder, no command lines.
"""

from __future__ import annotations

import json
import math
import os
import pwd
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, Literal

from archbench.errors import CannotMeasure
from archbench.runs.records import Block, Key
from archbench.statistics.rounds import whole_rounds
from archbench.statistics.summary import summarise_blocks
from archbench.text import visible

SCHEMA = 1

Unit = Literal["ns", "share", "ratio", "cores", "bytes"]


@dataclass(frozen=True)
class Check:
    """One self-check: its figure, what that means, what to do if it failed. `passed` null: does not apply, or unknown."""

    name: str
    passed: bool | None
    figure: float | None
    unit: Unit
    meaning: str
    remedy: str = ""
    gate: bool = True  # where it fails nothing can be measured; the others say how well


@dataclass(frozen=True)
class NullTest:
    """One network measured as if it were two. Any ratio but 1 is noise. Shares; null: not known."""

    network: str
    generations: int
    blocks: int  # counted, of both replicas
    disturbed: int
    seconds: float  # it took, starts of processes included
    ratio: float
    half_width: float | None
    between_processes: float | None  # standard deviation of a process's time, what both replicas share left out
    between_rounds: float | None  # standard deviation of a block's time within its process
    lost: float | None = None  # of the time its threads could have run, what others had of the CPU; the median block's

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % of the ratio: as far below as above on the scale of logarithms."""
        if self.half_width is None:
            return None
        return self.ratio / (1 + self.half_width), self.ratio * (1 + self.half_width)

    @property
    def covers(self) -> bool | None:
        """Whether the interval holds 1, as it does in 19 of 20 sound measurements."""
        return None if self.interval is None else self.interval[0] <= 1 <= self.interval[1]


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


@dataclass(frozen=True)
class Advice:
    """What would make measuring better here, and the command to type where there is one."""

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


def summarise_null_test(blocks: Sequence[Block], network: str, seconds: float) -> NullTest | None:
    """The A/A null from the blocks of one variant's replicas 0 and 1; null where either has no whole round."""
    keys = sorted({block.key for block in blocks})
    summaries = summarise_blocks(blocks, keys[0], looked=True) if len(keys) == 2 else {}
    if len(summaries) != 2 or (ratio := summaries[keys[1]].ratio) is None:
        return None
    found = list(summaries.values())
    counted = [block for block in whole_rounds(blocks) if block.quantity == "request"]
    logs, lost = _log_times(counted), [share for each in counted if (share := each.telemetry.get("lost")) is not None]
    return NullTest(
        network=network,
        generations=min(each.generations for each in found),
        blocks=sum(each.blocks for each in found),
        disturbed=sum(each.disturbed for each in found),
        seconds=seconds,
        ratio=ratio,
        half_width=summaries[keys[1]].ratio_half_width,
        between_processes=between_processes(logs),
        between_rounds=between_rounds(logs),
        lost=median(lost) if lost else None,
    )


Logs = Mapping[int, Mapping[Key, Sequence[float]]]  # generation -> replica -> log of each block's median


def _log_times(blocks: Iterable[Block]) -> Logs:
    logs: dict[int, dict[Key, list[float]]] = defaultdict(lambda: defaultdict(list))
    for block in blocks:
        logs[block.generation][block.key].append(math.log(median(block.counted_ns)))
    return logs


def between_processes(logs: Logs) -> float | None:
    """How far a fresh process lies from its twin of the same generation: their differences' deviation over root 2."""
    twins = [tuple(fmean(values) for values in cells.values()) for cells in logs.values() if len(cells) == 2]
    differences = [first - second for first, second in twins]
    return stdev(differences) / math.sqrt(2) if len(differences) > 1 else None


def between_rounds(logs: Logs) -> float | None:
    """How far a block lies from the mean of its own process, pooled over processes."""
    cells = [values for cell in logs.values() for values in cell.values()]
    freedom = sum(len(values) - 1 for values in cells)
    squares = sum((value - fmean(values)) ** 2 for values in cells for value in values)
    return math.sqrt(squares / freedom) if freedom else None


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
    """What tells who ran this, and what to write instead: the home folder first, since it holds the user's name."""
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
