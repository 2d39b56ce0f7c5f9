"""Which two environments' times are of one kind, and what tells two others apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archbench.design.document import visible

SAME = ("host", "cpu", "cores", "gpus", "driver", "versions", "flags", "device")  # what must agree


def fingerprint(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an environment that two sessions must share for their times to be of one kind."""
    return {name: environment.get(name) for name in SAME}


def differences(base: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs, a phrase each: `host a, then b`, `torch 2.14.0, then 2.14.1`. Nothing where they are of one kind."""
    before, after = dict(_flat(fingerprint(base))), dict(_flat(fingerprint(new)))
    names = dict.fromkeys([*before, *after])
    return tuple(
        f"{visible(name)} {_said(before.get(name))}, then {_said(after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    )


def _flat(environment: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A package's version and a flag stand for themselves."""
    for name, value in environment.items():
        if isinstance(value, Mapping):
            yield from value.items()
        else:
            yield name, value


def _said(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, list):  # of GPUs
        return visible(", ".join(" ".join(map(str, each.values())) for each in value if isinstance(each, Mapping)), 200)
    return visible(str(value))
