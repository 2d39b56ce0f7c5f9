"""What a budget or a gate may name, and how its amount is written: `latency_ms: 30`, `gmacs: 150`, `peak_bytes: 2GiB`."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

from archbench import units
from archbench.design.spec.schema import quote_key, quote_value
from archbench.errors import SpecError
from archbench.metrics import EXACT, METRICS, SCALED
from archbench.registry import suggest_nearest

TIMED = ("latency_ms", "step_ms", "device_ms")  # judged by their intervals
LIMITED = (*EXACT, "memory_bytes", *TIMED)  # what there is one number of, less of which is better


def resolve_limit_metric(name: str) -> tuple[str, float]:
    """The metric a limit names and how many of its base units one of the named ones is: `gmacs` is macs, 1e9.

    Raises SpecError for a name that is none, or of a metric that has neither an exact value nor an interval.
    """
    metric, scale = SCALED.get(name, (name, 1.0))
    if metric in LIMITED:
        return metric, scale
    known = [*LIMITED, *SCALED]
    why = "has no interval to judge it by" if name in METRICS else "is no metric"
    raise SpecError(f"{quote_key(name)}: {why}; a limit takes {', '.join(known)}.{suggest_nearest(name, known)}")


def parse_budgets(given: Any) -> dict[str, float]:
    """The `budgets` of a spec: metric -> the most it may be, in base units. Raises SpecError beginning with the key."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise SpecError(
            f"budgets: {quote_value(given)} is not a mapping; write budgets: {{latency_ms: 30, peak_bytes: 2GiB}}"
        )
    budgets: dict[str, float] = {}
    for name, value in given.items():
        try:
            metric, scale = resolve_limit_metric(name)
        except SpecError as error:
            raise SpecError(f"budgets.{error.message}") from None
        if metric in budgets:
            raise SpecError(f"budgets.{name}: {metric} has a budget already; keep one")
        budgets[metric] = _parse_amount(name, metric, value) * scale
    return budgets


def _parse_amount(name: str, metric: str, value: Any) -> float:
    """A number over 0; of bytes also a text like 2GiB."""
    number = value
    if isinstance(value, str) and metric.endswith("_bytes"):
        with suppress(ValueError):
            number = units.parse_size(value)
    if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) and number > 0:
        return number
    takes = "a number over 0" + (", or one with KiB, MiB or GiB" if metric.endswith("_bytes") else "")
    raise SpecError(f"budgets.{name}: {quote_value(value)} is not accepted; it takes {takes}")
