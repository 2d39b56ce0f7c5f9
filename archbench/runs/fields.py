"""What a field of a stored run may hold when it is read back: a file is data, not to be trusted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

Check = Callable[[Any], bool]
Expected = tuple[str, Check]  # what is accepted, in words and as a test

INT64 = 2**63


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_whole(value: object) -> TypeGuard[int]:
    """A whole number that every format can write."""
    return type(value) is int and -INT64 <= value < INT64  # True is none


def is_count(value: object) -> bool:
    return is_whole(value) and value >= 0


def is_number(value: object) -> TypeGuard[float]:
    """A number that a double can hold; not NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_amount(value: object) -> bool:
    return is_number(value) and value >= 0


def maps_to(holds: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(holds(item) for item in value.values())


def all_are(holds: Check) -> Check:
    return lambda value: isinstance(value, tuple) and all(holds(item) for item in value)


def or_null(holds: Check) -> Check:
    return lambda value: value is None or holds(value)


def one_of(choices: Sequence[str]) -> Expected:
    return f"one of {', '.join(choices)}", lambda value: value in choices


TEXT: Expected = ("text", is_text)
COUNT: Expected = ("a count", is_count)
MAPPING: Expected = ("a mapping", lambda value: isinstance(value, dict))
COUNTS: Expected = ("counts by name", or_null(maps_to(is_count)))
WHOLE: Expected = ("whole numbers by name", maps_to(or_null(is_whole)))
TEXTS: Expected = ("a list of texts", all_are(is_text))
