"""What one variant came to (`Record`) and what one turn at the device gave (`Block`): the two lines a run is made of.

Schema 1. Statistics are never stored: they are derived from blocks (`statistics/`), so they can always be rebuilt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from archbench.design.spec.schema import Quantity
from archbench.errors import ResultsError
from archbench.metrics import Kind
from archbench.runs.fields import (
    COUNT,
    COUNTS,
    MAPPING,
    TEXT,
    TEXTS,
    WHOLE,
    Expected,
    all_are,
    is_amount,
    is_count,
    is_number,
    is_text,
    maps_to,
    one_of,
    or_null,
)

SCHEMA = 1

Status = Literal["priced", "measured", "failed", "not reached"]
UNFINISHED: tuple[Status, ...] = ("failed", "not reached")  # it has no result to go by
Phase = Literal["warm-up", "steady"]
Side = Literal["", "base", "new"]
Key = tuple[str, int]  # (id, replica): what a row, a record and a summary are of


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
    cold_ms: Mapping[str, float] = field(default_factory=dict)  # to its first result: import, build, compile or call
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

    `order` is the place in its round's sequence (A B C C B A has 0..5). The first `dropped` calls follow a hand-over
    between processes: kept, not counted.
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
    def place(self) -> tuple[object, ...]:
        """Variant, phase and turn: they name the block, and no two of a run share them."""
        return (
            self.key,
            self.phase,
            self.generation,
            self.group,
            self.round,
            self.order,
            self.attempt,
            self.quantity,
        )

    @property
    def counted_ns(self) -> tuple[int, ...]:
        """The times of its quantity after the hand-over: the device's own for `device`, else the host's."""
        times = self.device_ns if self.quantity == "device" else self.wall_ns
        return times[self.dropped :]


def line_as_json(item: Record | Block) -> dict[str, Any]:
    """The line's content, fields in the order of the class."""
    return asdict(item)


def parse_line(kind: type, data: Any) -> Any:
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


# What each field holds when it is read back: a file is data, not to be trusted.
FIELDS: dict[type, dict[str, Expected]] = {
    Record: {
        "id": TEXT,
        "name": TEXT,
        "status": one_of(get_args(Status)),
        "axes": MAPPING,
        "architecture": MAPPING,
        "workload": MAPPING,
        "exact": COUNTS,
        "traced": COUNTS,
        "memory_bytes": ("a count", or_null(is_count)),
        "memory_kind": (f"one of {', '.join(get_args(Kind))}", or_null(lambda value: value in get_args(Kind))),
        "memory": WHOLE,
        "cold_ms": ("milliseconds by name", maps_to(is_amount)),
        "energy_mj": ("millijoules", or_null(is_amount)),
        "reason": ("text", or_null(is_text)),
        "warnings": TEXTS,
        "reference": ("true or false", lambda value: isinstance(value, bool)),
        "replica": COUNT,
        "side": one_of(get_args(Side)),
        "pair": TEXT,
    },
    Block: {
        "id": TEXT,
        **dict.fromkeys(("replica", "generation", "round", "order", "group", "size", "attempt", "dropped"), COUNT),
        "wall_ns": (
            "positive nanoseconds",
            lambda value: bool(value) and all_are(lambda ns: is_count(ns) and ns > 0)(value),
        ),
        "device_ns": ("nanoseconds", all_are(is_count)),
        "quantity": one_of(get_args(Quantity)),
        "phase": one_of(get_args(Phase)),
        "disturbed": TEXTS,
        "started": ("seconds", is_number),
        "telemetry": ("numbers by name", maps_to(or_null(is_number))),
        "start": MAPPING,
    },
}
