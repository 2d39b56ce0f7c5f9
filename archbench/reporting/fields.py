"""What a field of a stored run may hold when it is read back: a file is data, not to be trusted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeGuard

Check = Callable[[Any], bool]
Expected = tuple[str, Check]  # what is accepted, in words and as a test


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_count(value: object) -> bool:
    return type(value) is int and value >= 0  # True is no count


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_amount(value: object) -> bool:
    return is_number(value) and value >= 0


def maps_to(holds: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(holds(item) for item in value.values())


def all_are(holds: Check) -> Check:
    return lambda value: isinstance(value, tuple) and all(holds(item) for item in value)


def or_null(holds: Check) -> Check:
    return lambda value: value is None or holds(value)


TEXT: Expected = ("text", is_text)
COUNT: Expected = ("a count", is_count)
MAPPING: Expected = ("a mapping", lambda value: isinstance(value, dict))
COUNTS: Expected = ("counts by name", or_null(maps_to(is_count)))
WHOLE: Expected = ("whole numbers by name", maps_to(or_null(lambda value: type(value) is int)))
TEXTS: Expected = ("a list of texts", all_are(is_text))
