"""What one variant came to (`Record`) and what one turn at the device gave (`Block`): the two lines a run is made of.

Schema 1. Statistics are never stored: they are derived from blocks (`stats.py`), so they can always be rebuilt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeGuard, get_args

from archbench.design.schema import Quantity
from archbench.errors import ResultsError
from archbench.metrics import Kind

SCHEMA = 1

Status = Literal["priced", "measured", "failed", "not reached"]
Phase = Literal["warm-up", "steady"]
Side = Literal["", "base", "new"]
Key = tuple[str, int]  # (id, replica): what a row, a record and a summary are of
Check = Callable[[Any], bool]
Expected = tuple[str, Check]  # what is accepted, in words and as a test


@dataclass(frozen=True)
class Record:
    """One variant of one run, failures included. Keyed by (id, replica)."""

    id: str
    name: str
    status: Status
    axes: Mapping[str, Any]  # dotted path -> value, the axes that vary
    architecture: Mapping[str, Any]  # as a spec writes it, every default filled in
    workload: Mapping[str, Any]
    exact: Mapping[str, int] | None = None  # priced metrics; null for a hand-written module
    traced: Mapping[str, int] | None = None  # counted on the built module
    memory_bytes: int | None = None
    memory_kind: Kind | None = None
    memory: Mapping[str, int | None] = field(default_factory=dict)  # what the device tells of it, by name
    cold_ms: Mapping[str, float] = field(default_factory=dict)  # of its first process: import, build, first call
    energy_mj: float | None = None  # of one call
    reason: str | None = None  # why a variant failed or was not reached
    warnings: tuple[str, ...] = ()
    reference: bool = False
    replica: int = 0
    side: Side = ""  # in a comparison, whose it is
    pair: str = ""  # and what names it and its partner

    @property
    def key(self) -> Key:
        return self.id, self.replica


@dataclass(frozen=True)
class Block:
    """One turn of one variant at the device: consecutive calls, each timed. Times are nanoseconds of one forward pass.

    `order` is the place in its round's sequence (A B C C B A has 0..5), so (id, replica, generation, round, order,
    attempt, quantity) names a block. The first `dropped` calls follow a hand-over between processes: kept, not counted.
    """

    id: str
    replica: int
    generation: int
    round: int
    order: int
    wall_ns: tuple[int, ...]  # of one call each, by the host's clock; entries of a step or device block are of several
    device_ns: tuple[int, ...]  # CUDA events around the same calls; on the CPU, process CPU time
    quantity: Quantity = "request"  # how its calls were made
    phase: Phase = "steady"
    group: int = 0  # variants that do not fit in memory together are measured group by group
    size: int = 0  # blocks planned in this round of this group; it is whole when it has as many
    attempt: int = 0
    dropped: int = 0
    disturbed: tuple[str, ...] = ()  # reasons; a disturbed block is repeated and stays here
    started: float = 0.0  # seconds since the epoch
    telemetry: Mapping[str, float | None] = field(default_factory=dict)
    start: Mapping[str, Any] = field(default_factory=dict)  # of a warm-up block: what its process found while starting

    @property
    def key(self) -> Key:
        return self.id, self.replica

    @property
    def counted_ns(self) -> tuple[int, ...]:
        """The times of its quantity after the hand-over: the device's own for `device`, else the host's."""
        times = self.device_ns if self.quantity == "device" else self.wall_ns
        return times[self.dropped :]


def as_json(item: Record | Block) -> dict[str, Any]:
    """The line's content, fields in the order of the class."""
    return asdict(item)


def from_json(kind: type, data: Any) -> Any:
    """A Record or Block from its line. A missing or unknown field, or a value that is not what it should be, raises."""
    names = {f.name for f in fields(kind)}
    if not isinstance(data, dict):
        raise ResultsError(f"not a {kind.__name__} of schema {SCHEMA}")
    if unknown := sorted(set(data) - names):
        raise ResultsError(f"not a {kind.__name__} of schema {SCHEMA}: unknown {', '.join(map(ascii, unknown))}")
    try:
        item = kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})
    except TypeError as error:
        raise ResultsError(f"not a {kind.__name__}: {error}") from error
    _check_fields(item)
    return item


def _check_fields(item: Any) -> None:
    for name, (accepted, holds) in FIELDS[type(item)].items():
        if not holds(getattr(item, name)):
            raise ResultsError(
                f"{name} of a {type(item).__name__} is not {accepted}: {ascii(getattr(item, name))[:60]}"
            )
    if isinstance(item, Block) and item.dropped >= len(item.wall_ns):
        raise ResultsError(f"a Block drops {item.dropped} of its {len(item.wall_ns)} calls: none is left to count")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0  # True is no count


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_amount(value: object) -> bool:
    return _is_number(value) and value >= 0


def _maps_to(holds: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(holds(item) for item in value.values())


def _all(holds: Check) -> Check:
    return lambda value: isinstance(value, tuple) and all(holds(item) for item in value)


def _or_null(holds: Check) -> Check:
    return lambda value: value is None or holds(value)


TEXT: Expected = ("text", _is_text)
COUNT: Expected = ("a count", _is_count)
MAPPING: Expected = ("a mapping", lambda value: isinstance(value, dict))
COUNTS: Expected = ("counts by name", _or_null(_maps_to(_is_count)))
WHOLE: Expected = ("whole numbers by name", _maps_to(_or_null(lambda value: type(value) is int)))
TEXTS: Expected = ("a list of texts", _all(_is_text))

# What each field holds when it is read back: a file is data, not to be trusted.
FIELDS: dict[type, dict[str, Expected]] = {
    Record: {
        "id": TEXT,
        "name": TEXT,
        "status": (f"one of {', '.join(get_args(Status))}", lambda value: value in get_args(Status)),
        "axes": MAPPING,
        "architecture": MAPPING,
        "workload": MAPPING,
        "exact": COUNTS,
        "traced": COUNTS,
        "memory_bytes": ("a count", _or_null(_is_count)),
        "memory_kind": (f"one of {', '.join(get_args(Kind))}", _or_null(lambda value: value in get_args(Kind))),
        "memory": WHOLE,
        "cold_ms": ("milliseconds by name", _maps_to(_is_amount)),
        "energy_mj": ("millijoules", _or_null(_is_amount)),
        "reason": ("text", _or_null(_is_text)),
        "warnings": TEXTS,
        "reference": ("true or false", lambda value: isinstance(value, bool)),
        "replica": COUNT,
        "side": (f"one of {', '.join(get_args(Side))}", lambda value: value in get_args(Side)),
        "pair": TEXT,
    },
    Block: {
        "id": TEXT,
        **dict.fromkeys(("replica", "generation", "round", "order", "group", "size", "attempt", "dropped"), COUNT),
        "wall_ns": (
            "positive nanoseconds",
            lambda value: bool(value) and _all(lambda ns: _is_count(ns) and ns > 0)(value),
        ),
        "device_ns": ("nanoseconds", _all(_is_count)),
        "quantity": (f"one of {', '.join(get_args(Quantity))}", lambda value: value in get_args(Quantity)),
        "phase": (f"one of {', '.join(get_args(Phase))}", lambda value: value in get_args(Phase)),
        "disturbed": TEXTS,
        "started": ("seconds", _is_number),
        "telemetry": ("numbers by name", _maps_to(_or_null(_is_number))),
        "start": MAPPING,
    },
}
