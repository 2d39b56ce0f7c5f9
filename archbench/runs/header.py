"""What run.json says of a run: every field that anything is computed of, and what it may hold. Read by nobody unchecked.

Fields beside these may be there, and a table or page shows them as text. Nested ones are named by their path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from archbench.design.spec.schema import Quantity
from archbench.errors import ResultsError
from archbench.metrics import LIMITED
from archbench.runs.fields import (
    COUNT,
    MAPPING,
    TEXT,
    Check,
    Expected,
    is_amount,
    is_count,
    is_number,
    is_text,
    maps_to,
    one_of,
    or_null,
)
from archbench.runs.records import SCHEMA
from archbench.units import NS_PER_S

END_NS = 253_402_300_800 * NS_PER_S  # the year 10000, where calendars end
TEXT_OR_NULL: Expected = ("text or null", or_null(is_text))
COUNT_OR_NULL: Expected = ("a count or null", or_null(is_count))
MAPPING_OR_NULL: Expected = ("a mapping or null", or_null(lambda value: isinstance(value, dict)))


def _each(holds: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(holds, value))


def _are_budgets(value: object) -> bool:
    return isinstance(value, dict) and all(
        name in LIMITED and is_amount(most) and most > 0 for name, most in value.items()
    )


def _is_gpu(value: object) -> bool:
    return isinstance(value, dict) and is_text(value.get("name"))


# In an order in which what holds others comes before them.
REQUIRED: dict[str, Expected] = {
    "name": TEXT,
    "created_ns": ("nanoseconds since 1970", lambda value: is_count(value) and value < END_NS),
    "spec": MAPPING,
    "plan": MAPPING,
    "budget_s": ("seconds or null", or_null(is_amount)),
    "environment": MAPPING,
    "environment.device": TEXT,
    "environment.cpu": TEXT_OR_NULL,
    "environment.cores": COUNT_OR_NULL,
    "environment.versions": ("texts by name", maps_to(or_null(is_text))),
    "environment.versions.torch": TEXT_OR_NULL,
    "space": MAPPING,
    "space.raw": COUNT,
    "space.excluded": COUNT,
    "space.duplicates": COUNT,
    "space.refused": ("counts by constraint", maps_to(is_count)),
    "planned": ("a list of records", _each(lambda value: isinstance(value, dict))),
}
OPTIONAL: dict[str, Expected] = {
    "against": MAPPING_OR_NULL,
    "code": ("hashes by name, or null", or_null(maps_to(is_text))),
    "starved": TEXT_OR_NULL,
    "scores": ("numbers by name, or null", or_null(maps_to(is_number))),
    "spec.constraints": ("a list of texts or null", or_null(_each(is_text))),
    "spec.budgets": ("numbers over 0 by metric", _are_budgets),
    "plan.quantity": one_of(get_args(Quantity)),
    **{f"environment.{name}": TEXT_OR_NULL for name in ("host", "os", "python", "driver", "commit")},
    "environment.logical_cores": COUNT_OR_NULL,
    "environment.memory_bytes": COUNT_OR_NULL,
    "environment.flags": ("texts by name, or null", or_null(maps_to(is_text))),
    "environment.gpus": ("a list of GPUs", _each(lambda value: isinstance(value, dict))),
    "environment.gpu": ("a GPU with its name, or null", or_null(_is_gpu)),
    **{f"space.{name}": COUNT_OR_NULL for name in ("kept", "spared", "unjudged", "collapsed_draws", "elsewhere")},
    **{f"space.{name}": COUNT_OR_NULL for name in ("front", "chosen", "unscored")},
    "space.aims": TEXT_OR_NULL,
    "space.strangers": ("a list of texts or null", or_null(_each(is_text))),
}
OF_A_FRONT = ("kept", "chosen", "aims")  # what a space that has a front also has


def check_header(header: Any, where: str) -> None:
    """Refuse what another program, a newer one of ours or an accident wrote. Raises ResultsError with file and field."""
    _check_schema(header, where)
    for path, expected in (REQUIRED | OPTIONAL).items():
        *inside, name = path.split(".")
        holder = _below(header, inside)
        if isinstance(holder, dict):
            _check_field(holder, name, f"{where}: damaged: {path}", expected, required=path in REQUIRED)
    space = header["space"]
    if space.get("front") is not None and (lacking := [name for name in OF_A_FRONT if space.get(name) is None]):
        raise ResultsError(f"{where}: damaged: space.{lacking[0]} is missing beside space.front")


def _check_schema(header: Any, where: str) -> None:
    schema = header.get("schema") if isinstance(header, dict) else None
    if type(schema) is not int or schema < 1:
        raise ResultsError(f"{where}: not a run of archbench; it has no schema number")
    if schema > SCHEMA:
        raise ResultsError(
            f"{where}: schema {schema} is newer than this archbench, which reads up to {SCHEMA}; "
            f"upgrade archbench to read it"
        )


def _check_field(holder: Mapping[str, Any], name: str, place: str, expected: Expected, *, required: bool) -> None:
    accepted, holds = expected
    if name not in holder:
        if required:
            raise ResultsError(f"{place} is missing; it is {accepted}. The file is left as it is")
    elif not holds(holder[name]):
        raise ResultsError(f"{place} is not {accepted}: {ascii(holder[name])[:60]}. The file is left as it is")


def _below(header: Mapping[str, Any], inside: list[str]) -> Any:
    """What holds a field; null where that is null or not there."""
    found: Any = header
    for name in inside:
        found = found.get(name) if isinstance(found, dict) else None
    return found
