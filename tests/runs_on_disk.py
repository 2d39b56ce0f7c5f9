"""Records, blocks and tables for tests of what is stored, derived and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archbench.runs.records import Block, Record
from archbench.statistics.summary import Summary

COUNTS = {
    "params": 26_799_296,
    "weight_bytes": 107_622_528,
    "macs": 10,
    "flops": 20,
    "fvcore_flops": 11,
    "acts": 5,
    "kernels": 187,
    "peak_bytes": 1000,
}


HEADER: dict[str, Any] = {  # the least that run.json holds
    "spec": {},
    "plan": {},
    "budget_s": None,
    "environment": {"device": "cpu", "cpu": None, "cores": None, "versions": {"torch": None}},
    "space": {"raw": 1, "excluded": 0, "duplicates": 0, "refused": {}},
    "planned": [],
}


def record(identifier: str = "a", **given: Any) -> Record:
    """A measured record, named as its id."""
    fields: dict[str, Any] = {
        "name": identifier,
        "status": "measured",
        "axes": {},
        "architecture": {},
        "workload": {},
        "exact": COUNTS,
    }
    return Record(id=identifier, **(fields | given))


def block(
    identifier: str = "a",
    ms: float | Sequence[float] = 1.0,
    *,
    generation: int = 1,
    round: int = 1,
    order: int = 0,
    **given: Any,
) -> Block:
    """A block of calls that took so many milliseconds each."""
    wall = tuple(int(each * 1_000_000) for each in (ms if isinstance(ms, Sequence) else [ms]))
    return Block(
        id=identifier, replica=0, generation=generation, round=round, order=order, wall_ns=wall, device_ns=wall, **given
    )


def whole_round(
    order: Sequence[str], ms: Mapping[str, float], *, generation: int = 1, round: int = 1, **given: Any
) -> list[Block]:
    """`ABBA`: one block a letter, all that were planned."""
    return [
        block(letter, ms[letter], generation=generation, round=round, order=place, size=len(order), **given)
        for place, letter in enumerate(order)
    ]


def warm_up(identifiers: Sequence[str], *, generation: int = 1, steady: bool = True, **given: Any) -> list[Block]:
    given |= {"generation": generation, "round": 0, "phase": "warm-up", "start": {"steady": steady}}
    return [block(each, **given) for each in identifiers]


def summary(median_ms: float = 10.0, **given: Any) -> Summary:
    fields: dict[str, Any] = {
        "calls": 30,
        "blocks": 6,
        "generations": 3,
        "median_ms": median_ms,
        "q25_ms": median_ms - 1,
        "q75_ms": median_ms + 1,
        "half_width": 0.04,
        "ratio": 1.0,
        "ratio_half_width": 0.02,
        "estimator": "of the test",
        "steady": True,
    }
    return Summary(**(fields | given))
