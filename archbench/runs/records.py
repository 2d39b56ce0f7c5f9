"""The two lines a run is made of: a `Record` is the result of one variant, a `Block` the times of one turn at the device.

Schema 1. Statistics are never stored: they are derived from blocks (`statistics/`), so they can always be rebuilt.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, is_dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from archbench.design.spec.schema import Quantity
from archbench.errors import ResultsError
from archbench.metrics import Kind

SCHEMA = 1

INT64 = 2**63

Status = Literal["priced", "measured", "failed", "not reached"]
UNFINISHED: tuple[Status, ...] = ("failed", "not reached")  # it has no result to go by
Phase = Literal["warm-up", "steady"]
Side = Literal["", "base", "new"]
Key = tuple[str, int]  # (id, replica): what a row, a record and a summary are of

# A file is data, not to be trusted: a stored value is of the very type said here, and its description says what is accepted.
Text = Annotated[str, Field(description="text")]
TextOrNull = Annotated[str | None, Field(description="text or null")]
Flag = Annotated[bool, Field(strict=True, description="true or false")]
Whole = Annotated[int, Field(strict=True, ge=-INT64, lt=INT64)]  # that every format can write
Count = Annotated[int, Field(strict=True, ge=0, lt=INT64, description="a count")]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False, description="a number")]
Amount = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Anything = Annotated[dict[str, Any], Field(description="a mapping")]
Counts = Annotated[dict[str, Count] | None, Field(description="counts by name")]
Texts = Annotated[tuple[str, ...], Field(description="a list of texts")]
Wholes = Annotated[dict[str, Whole | None], Field(description="whole numbers by name")]
Numbers = Annotated[dict[str, Number | None], Field(description="numbers by name")]
Milliseconds = Annotated[dict[str, Amount], Field(description="milliseconds by name")]
Nanoseconds = Annotated[tuple[Count, ...], Field(description="nanoseconds")]
Positive = Annotated[int, Field(strict=True, gt=0, lt=INT64)]
CallTimes = Annotated[tuple[Positive, ...], Field(min_length=1, description="positive nanoseconds")]


@dataclass(frozen=True)
class Record:
    """One variant of one run, failures included. Keyed by (id, replica)."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    id: Text
    name: Text
    status: Status
    axes: Anything  # dotted path -> value, the axes that vary
    architecture: Anything  # as a spec writes it, every default filled in
    workload: Anything
    exact: Counts = None  # priced metrics; null for a hand-written module
    traced: Counts = None  # counted on the built module
    memory_bytes: Annotated[Count | None, Field(description="a count")] = None
    memory_kind: Kind | None = None
    memory: Wholes = field(default_factory=dict)  # what the device tells of it, by name
    cold_ms: Milliseconds = field(default_factory=dict)  # to its first result: import, build, compile or call
    energy_mj: Annotated[Amount | None, Field(description="millijoules")] = None  # of one call
    reason: TextOrNull = None  # why a variant failed or was not reached
    warnings: Texts = ()
    reference: Flag = False
    replica: Count = 0
    side: Side = ""  # in a comparison, whose it is
    pair: Text = ""  # and what names it and its partner

    @property
    def key(self) -> Key:
        return self.id, self.replica


@dataclass(frozen=True)
class Block:
    """One turn of one variant at the device: consecutive calls, each timed. Times are nanoseconds of one forward pass.

    `order` is the place in its round's sequence (A B C C B A has 0..5). The first `dropped` calls follow a hand-over
    between processes: kept, not counted.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    id: Text
    replica: Count
    generation: Count
    round: Count
    order: Count
    wall_ns: CallTimes  # of one call each, by the host's clock; entries of a step or device block are of several
    device_ns: Nanoseconds  # CUDA events around the same calls; on the CPU, process CPU time
    quantity: Quantity = "request"  # how its calls were made
    phase: Phase = "steady"
    group: Count = 0  # variants that do not fit in memory together are measured group by group
    size: Count = 0  # blocks planned in this round of this group; it is whole when it has as many
    attempt: Count = 0
    dropped: Count = 0
    disturbed: Texts = ()  # reasons; a disturbed block is repeated and stays here
    started: Annotated[Number, Field(description="seconds")] = 0.0  # seconds since the epoch
    telemetry: Numbers = field(default_factory=dict)
    start: Anything = field(default_factory=dict)  # of a warm-up block: what its process found while starting

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
        """The times of the block's quantity after the hand-over: the device's own for `device`, else the host's."""
        times = self.device_ns if self.quantity == "device" else self.wall_ns
        return times[self.dropped :]


def line_as_json(item: Record | Block) -> dict[str, Any]:
    """A record or block as the content of its line, fields in the order of the class."""
    return asdict(item)


@cache
def make_reader(kind: type) -> TypeAdapter[Any]:
    """The validator of a class; made when it is first needed, because that takes pydantic some milliseconds."""
    return TypeAdapter(kind)


def parse_line(kind: type, data: Any) -> Any:
    """A Record or Block from its line. A missing or unknown field, or a value that is not what it should be, raises."""
    try:
        item = make_reader(kind).validate_python(data)
    except ValidationError as error:
        raise ResultsError(_describe_fault(error, kind)) from None
    if isinstance(item, Block) and item.dropped >= len(item.wall_ns):
        raise ResultsError(f"a Block drops {item.dropped} of its {len(item.wall_ns)} calls: none is left to count")
    return item


def _describe_fault(error: ValidationError, kind: type) -> str:
    fault = find_fault(error, kind)
    if not fault.path:
        return f"not a {kind.__name__} of schema {SCHEMA}"
    if fault.missing or not fault.accepted:
        return f"not a {kind.__name__} of schema {SCHEMA}: {fault.path!a} is {'missing' * fault.missing or 'unknown'}"
    return f"{fault.path} of a {kind.__name__} is not {fault.accepted}: {ascii(fault.value)[:60]}"


@dataclass(frozen=True)
class Fault:
    """The first field of stored data that is not as its class says; of what is unknown nothing is accepted."""

    path: str
    accepted: str
    value: Any
    missing: bool


def find_fault(error: ValidationError, kind: type) -> Fault:
    """The innermost field pydantic refused that `kind` or a class in it declares."""
    first = error.errors(include_url=False, include_context=False)[0]
    path: list[str] = []
    accepted, inside = "", kind
    for name in map(str, first["loc"]):
        hints = get_type_hints(inside, include_extras=True)
        if name not in hints and path:
            break
        path.append(name)
        accepted, inside = _describe_accepted(hints.get(name))
    return Fault(".".join(path), accepted, first["input"], first["type"] == "missing")


def _describe_accepted(hint: Any) -> tuple[str, type]:
    """The words for what a field accepts, and the class declared in it (`object`, which has no fields, where there is none)."""
    parts = (hint, *get_args(hint))
    inside = next((part for part in parts if isinstance(part, type) and is_dataclass(part)), object)
    choices = [str(choice) for part in parts if get_origin(part) is Literal for choice in get_args(part)]
    words = next(
        (each.description for each in getattr(hint, "__metadata__", ()) if getattr(each, "description", None)), ""
    )
    return words or (f"one of {', '.join(choices)}" if choices else "a mapping" if is_dataclass(inside) else ""), inside
