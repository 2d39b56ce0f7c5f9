"""Lines read back: what older versions wrote, and what a field may not hold."""

from __future__ import annotations

from typing import Any

import pytest
from runs_on_disk import record

from archbench.errors import ResultsError
from archbench.runs.records import Record, line_as_json, parse_line


def test_a_record_from_before_memory_and_energy_were_measured_reads() -> None:
    older = line_as_json(record("a", cold_ms={"import": 1.0}))
    del older["memory"], older["energy_mj"]
    read = parse_line(Record, older)
    assert (read.memory, read.energy_mj, read.cold_ms) == ({}, None, {"import": 1.0})


def test_what_a_device_tells_of_memory_may_be_null_by_name() -> None:
    told = {"cold_bytes": 7, "context_bytes": None}
    assert parse_line(Record, line_as_json(record("a", memory=told, energy_mj=12.5))) == record(
        "a", memory=told, energy_mj=12.5
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("memory", {"cold_bytes": 1.5}),
        ("memory", {"cold_bytes": True}),
        ("memory", None),
        ("energy_mj", -1.0),
        ("energy_mj", "12"),
        ("energy_mj", float("inf")),
    ],
)
def test_a_measured_field_that_holds_something_else_is_named(field: str, value: Any) -> None:
    with pytest.raises(ResultsError, match=f"{field} of a Record is not"):
        parse_line(Record, line_as_json(record("a")) | {field: value})
