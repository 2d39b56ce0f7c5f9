"""Which two environments' times are of one kind, and what tells two others apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from archbench.text import visible

SAME = ("host", "cpu", "cores", "gpus", "driver", "versions", "flags", "device")  # what must agree


def fingerprint(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an environment that two sessions must share for their times to be of one kind."""
    return {name: environment.get(name) for name in SAME}


def find_differences(base: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs, a phrase each: `host a, then b`, `torch 2.14.0, then 2.14.1`. Nothing where they are of one kind."""
    before, after = dict(_flatten(fingerprint(base))), dict(_flatten(fingerprint(new)))
    names = dict.fromkeys([*before, *after])
    return tuple(
        f"{visible(name)} {_tell_apart(before.get(name), after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    )


def _flatten(environment: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A package's version and a flag stand for themselves; no GPU is the same whether it is said or left out."""
    for name, value in environment.items():
        if isinstance(value, Mapping):
            yield from value.items()
        else:
            yield name, None if value == [] else value


def _tell_apart(before: Any, after: Any) -> str:
    """Two that differ, told apart: of GPUs those that are on one side alone, and where words do not do it, as stored."""
    if isinstance(before, list) and isinstance(after, list):
        before, after = _take_away(before, after), _take_away(after, before)
        if not (before or after):
            return "in another order"
    said = _as_text(before), _as_text(after)
    if said[0] == said[1]:
        said = visible(repr(before), 200), visible(repr(after), 200)
    return f"{said[0]}, then {said[1]}"


def _take_away(one: Iterable[Any], other: Iterable[Any]) -> list[Any]:
    """What is left of `one` when each of `other` has taken its equal away."""
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
