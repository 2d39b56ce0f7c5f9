"""The limits of a gate, as --fail-on writes them: how much a metric may get worse. `pairs.py` holds networks to them.

exact      one number a side; the change is compared with what is allowed, to the digit
timed      the interval decides (`statistics/verdicts.py`): regressed, improved, equivalent within that, or inconclusive
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from archbench import units
from archbench.errors import ResultsError, SpecError
from archbench.metrics import EXACT, METRICS, TIMED, resolve_limit_metric
from archbench.statistics.verdicts import MARGIN, Verdict, Word
from archbench.text import visible

LONGEST = 1000
TERM = re.compile(r"\s*(\w+)\s*>\s*([0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?)\s*(%|[A-Za-z]+)?\s*", re.ASCII)
UNITS = {"KiB": ("_bytes", units.KIB), "MiB": ("_bytes", units.MIB), "GiB": ("_bytes", units.GIB), "ms": ("_ms", 1)}
EXAMPLE = "write for example `latency_ms > 3%, params > 0`"


@dataclass(frozen=True)
class Limit:
    """The allowance of one metric: a share of the base's (`relative`), or so many base units."""

    metric: str
    amount: float
    relative: bool
    text: str

    @property
    def is_timed(self) -> bool:
        return self.metric in TIMED

    def allowance(self, base: float) -> float:
        """The most that may come on top of `base`."""
        return self.amount * base if self.relative else self.amount


EVERY_COUNT = tuple(Limit(metric, 0.0, False, f"{metric} > 0") for metric in EXACT)
LATENCY = Limit("latency_ms", MARGIN, True, f"latency_ms > {MARGIN:.0%}")


@dataclass(frozen=True)
class Finding:
    """The finding of one limit on one network. `verdict` is behind a timed one; `why` says what kept it from telling."""

    limit: Limit
    word: Word
    base: float | None
    new: float | None
    verdict: Verdict | None = None
    why: str = ""

    def describe(self) -> str:
        """`params 10 to 12 (limit params > 0)`, for a line about what is wrong."""
        metric = METRICS[self.limit.metric]
        sides = [metric.format(value) if value is not None else units.MISSING for value in (self.base, self.new)]
        return f"{metric.label} {sides[0]} to {sides[1]}{self._describe_interval()} ({self.limit.text})" + (
            f": {self.why}" if self.why else ""
        )

    def _describe_interval(self) -> str:
        found = self.verdict
        if found is None or found.ratio is None or found.low is None or found.high is None:
            return ""
        return f", {units.format_ratio(found.ratio)}, 95 % {units.format_ratio(found.low)} to {units.format_ratio(found.high)}"


def parse_limits(text: str) -> tuple[Limit, ...]:
    """`latency_ms > 3%, peak_bytes > 1MiB, gmacs > 0.5`. Raises SpecError with the character it stumbles over."""
    if len(text) > LONGEST:
        raise _syntax_error(0, f"{len(text):,} characters are more than {LONGEST:,}; {EXAMPLE}")
    limits: dict[str, Limit] = {}
    at = 0
    for term in text.split(","):
        limit = _parse_limit(term, at)
        if limit.metric in limits:
            raise _syntax_error(at, f"{limit.metric} has a limit already, {limits[limit.metric].text}; keep one")
        limits[limit.metric] = limit
        at += len(term) + 1
    return tuple(limits.values())


def _parse_limit(term: str, at: int) -> Limit:
    found = TERM.fullmatch(term)
    if found is None:
        raise _syntax_error(at, f"{visible(term) or 'nothing'}: not METRIC > AMOUNT; {EXAMPLE}")
    name, digits, unit = found.groups()
    try:
        metric, scale = resolve_limit_metric(name)
    except SpecError as error:
        raise _syntax_error(at + found.start(1), error.message) from None
    amount = float(digits) * _unit_scale(name, metric, unit, scale, at + found.start(2))
    if not math.isfinite(amount):
        raise _syntax_error(at + found.start(2), f"{digits}: more than a number can hold; {EXAMPLE}")
    if metric in TIMED and not amount:
        raise _syntax_error(
            at + found.start(2), f"{digits}: a measured metric scatters; allow it something, like {metric} > 3%"
        )
    return Limit(metric, amount, unit == "%", " ".join(term.split()))


def _unit_scale(name: str, metric: str, unit: str | None, scale: float, at: int) -> float:
    """The factor from the unit an amount is written in to base units."""
    if unit is None:
        return scale
    if unit == "%":
        return 0.01
    suffix, factor = UNITS.get(unit, ("", 0))
    if not suffix or name != metric or not metric.endswith(suffix):
        known = ", ".join(["%", *(each for each, (end, _) in UNITS.items() if name == metric and metric.endswith(end))])
        raise _syntax_error(at, f"{visible(unit)}: not a unit of {name}; it takes a plain number or {known}")
    return float(factor)


def _syntax_error(at: int, message: str) -> SpecError:
    return SpecError(message, f"--fail-on:{at + 1}")


def read_limits(header: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits a run is judged by, none where it was told none. Raises ResultsError where what is stored is no limit."""
    text = header.get("fail_on")
    if text is None:
        return ()
    try:
        return parse_limits(str(text))
    except SpecError as error:
        raise ResultsError(f"run.json is damaged: its fail_on is no limit ({error.message})") from error


def join_limits(limits: Iterable[Limit]) -> str | None:
    """Limits as text that `read_limits` reads back; null without any."""
    return ", ".join(limit.text for limit in limits) or None
