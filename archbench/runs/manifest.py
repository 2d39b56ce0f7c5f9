"""The content of run.json, checked whenever it is read; and what two environments must share for their times to be compared.

The classes have every field that anything is computed of. Others may stand beside them, and a table or page shows them as
text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from archbench.design.spec.schema import Quantity
from archbench.errors import ResultsError
from archbench.metrics import LIMITED
from archbench.runs.records import SCHEMA, Amount, Anything, Count, Number, Text, TextOrNull, find_fault, make_reader
from archbench.text import visible
from archbench.units import NS_PER_S

END_NS = 253_402_300_800 * NS_PER_S  # the year 10000, where calendars end
OF_A_FRONT = ("kept", "chosen", "aims")  # what a space that has a front also has


def _refuse_strange_metrics(budgets: dict[str, float]) -> dict[str, float]:
    if not budgets.keys() <= set(LIMITED):
        raise ValueError
    return budgets


def _require_torch(versions: dict[str, str | None]) -> dict[str, str | None]:
    if "torch" not in versions:
        raise ValueError
    return versions


CountOrNull = Annotated[Count | None, Field(description="a count or null")]
TextsOrNull = Annotated[list[str] | None, Field(description="a list of texts or null")]
Budget = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Budgets = Annotated[
    dict[str, Budget], AfterValidator(_refuse_strange_metrics), Field(description="numbers over 0 by metric")
]
Versions = Annotated[
    dict[str, str | None],
    AfterValidator(_require_torch),
    Field(description="texts by name, that of torch or null among them"),
]


@dataclass(frozen=True)
class SpecFields:
    constraints: TextsOrNull = None
    budgets: Budgets = field(default_factory=dict)


@dataclass(frozen=True)
class PlanFields:
    quantity: Quantity = "request"
    target: Annotated[Number | None, Field(description="a share or null")] = None


@dataclass(frozen=True)
class GpuFields:
    name: Text


@dataclass(frozen=True)
class EnvironmentFields:
    device: Text
    cpu: TextOrNull
    cores: CountOrNull
    versions: Versions
    host: TextOrNull = None
    os: TextOrNull = None
    python: TextOrNull = None
    driver: TextOrNull = None
    commit: TextOrNull = None
    logical_cores: CountOrNull = None
    memory_bytes: CountOrNull = None
    flags: Annotated[dict[str, str] | None, Field(description="texts by name, or null")] = None
    gpus: Annotated[list[dict[str, Any]], Field(description="a list of GPUs")] = field(default_factory=list)
    gpu: Annotated[GpuFields | None, Field(description="a GPU with its name, or null")] = None


@dataclass(frozen=True)
class SpaceFields:
    raw: Count
    excluded: Count
    duplicates: Count
    refused: Annotated[dict[str, Count], Field(description="counts by constraint")]
    kept: CountOrNull = None
    spared: CountOrNull = None
    unjudged: CountOrNull = None
    collapsed_draws: CountOrNull = None
    elsewhere: CountOrNull = None
    front: CountOrNull = None
    chosen: CountOrNull = None
    unscored: CountOrNull = None
    aims: TextOrNull = None
    strangers: TextsOrNull = None


@dataclass(frozen=True)
class Manifest:
    name: Text
    created_ns: Annotated[int, Field(strict=True, ge=0, lt=END_NS, description="nanoseconds since 1970")]
    spec: SpecFields
    plan: PlanFields
    budget_s: Annotated[Amount | None, Field(description="seconds or null")]
    environment: EnvironmentFields
    space: SpaceFields
    planned: Annotated[list[dict[str, Any]], Field(description="a list of records")]
    against: Annotated[Anything | None, Field(description="a mapping or null")] = None
    code: Annotated[dict[str, str] | None, Field(description="hashes by name, or null")] = None
    starved: TextOrNull = None
    scores: Annotated[dict[str, Number] | None, Field(description="numbers by name, or null")] = None


def check_manifest(manifest: Any, where: str) -> None:
    """Refuse what another program, a newer one of ours or an accident wrote. Raises ResultsError with file and field."""
    _check_schema(manifest, where)
    try:
        make_reader(Manifest).validate_python(manifest)
    except ValidationError as error:
        fault = find_fault(error, Manifest)
        found = (
            f"missing; it is {fault.accepted}" if fault.missing else f"not {fault.accepted}: {ascii(fault.value)[:60]}"
        )
        raise ResultsError(f"{where}: damaged: {fault.path} is {found}. The file is left as it is") from None
    space = manifest["space"]
    if space.get("front") is not None and (lacking := [name for name in OF_A_FRONT if space.get(name) is None]):
        raise ResultsError(f"{where}: damaged: space.{lacking[0]} is missing beside space.front")


def _check_schema(manifest: Any, where: str) -> None:
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if type(schema) is not int or schema < 1:
        raise ResultsError(f"{where}: not a run of archbench; it has no schema number")
    if schema > SCHEMA:
        raise ResultsError(
            f"{where}: schema {schema} is newer than this archbench, which reads up to {SCHEMA}; "
            f"upgrade archbench to read it"
        )


SAME = ("host", "cpu", "cores", "gpus", "driver", "versions", "flags", "device")  # what must agree


def fingerprint(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an environment that two sessions must share for their times to be of one kind."""
    return {name: environment.get(name) for name in SAME}


def find_differences(base: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """A phrase for each difference: `host a, then b`, `torch 2.14.0, then 2.14.1`. None where times of both may be compared."""
    before, after = dict(_flatten_fields(fingerprint(base))), dict(_flatten_fields(fingerprint(new)))
    names = dict.fromkeys([*before, *after])
    return tuple(
        f"{visible(name)} {_tell_apart(before.get(name), after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    )


def _flatten_fields(environment: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every field by its name, each package's version and each flag as a field; no GPU is null whether it is said or left out."""
    for name, value in environment.items():
        if isinstance(value, Mapping):
            yield from value.items()
        else:
            yield name, None if value == [] else value


def _tell_apart(before: Any, after: Any) -> str:
    """Two values that differ, in words: of GPUs those on one side alone; where words are the same, the values as stored."""
    if isinstance(before, list) and isinstance(after, list):
        before, after = _take_away(before, after), _take_away(after, before)
        if not (before or after):
            return "in another order"
    said = _as_text(before), _as_text(after)
    if said[0] == said[1]:
        said = visible(repr(before), 200), visible(repr(after), 200)
    return f"{said[0]}, then {said[1]}"


def _take_away(one: Iterable[Any], other: Iterable[Any]) -> list[Any]:
    """The items of `one` that have no equal of their own in `other`."""
    left = list(one)
    for each in other:
        if each in left:
            left.remove(each)
    return left


def _as_text(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, list):  # of GPUs
        return visible(", ".join(" ".join(map(str, each.values())) for each in value if isinstance(each, Mapping)), 200)
    return visible(str(value))
