"""One summary a variant from raw blocks: the only statistics there are, always derived, never stored.

Counting semantics
  counted      calls after a hand-over, of steady blocks, of whole rounds, of variants that did not fail; of a turn that
               was taken again because it was disturbed, the last undisturbed attempt, or the last where there is none.
               Blocks that stayed disturbed count only in a session that could tell nothing without them
  estimate     the two-way fit of `fit.py` over cells, one a variant and session
  half-width   exp(t s / sqrt(cells of the variant)) - 1, t of Student's t with the fit's df: the upper side of a 95 %
               interval, as a share of the centre. What all variants of a session share (a warmer room) is in the
               session's term and so not in it
  looks        a run that may stop once its intervals are narrow looks after every generation and stops sooner when they
               are narrow by luck. Its intervals are made at 97 %, which then cover 95 % (`benches/experiments.py`)
  ratio        exp(variant - reference) from the same fit; its variance is the fit's own, s^2 (1/G + 1/G) where balanced
  tie          rows whose ratio to each other could be 1 by its own interval share a rank; there are no ranks where some
               of those that have an interval were not compared with each other
One generation gives no interval, whatever the number of its calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from archbench.design.spec.schema import Quantity
from archbench.runs.records import Block, Key
from archbench.statistics.fit import Fit, fit_cells, rank_variants
from archbench.statistics.readings import BlockReading, choose_counted, count_generations, make_cells, take_readings
from archbench.units import NS_PER_MS

TWO_WAY = (
    "two-way fit of log block medians on variant and generation, what slows all of a generation alike taken out, "
    "residual pooled, 95 % by Student's t"
)
ONE_WAY = "mean of log block medians, 95 % by Student's t over generations"
NO_INTERVAL = "median of the calls; no interval"
NO_INTERVAL = "no interval"
NO_SESSION = "no session in common"


@dataclass(frozen=True)
class Ties:
    """For each two variants, whether they were compared, and whether they could be equally fast.

    `components`: of each variant that has an interval a number, the same for those that sessions in common, or a chain of
    them, link. Only two of one number are compared.
    `close`: whether the interval of the ratio of two holds 1, by their places in `components`; pair by pair, none corrected
    for the others.
    """

    components: Mapping[Key, int] = field(default_factory=dict)
    close: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), bool))

    def ties_of(self, key: Key) -> frozenset[Key]:
        """The other variants that one cannot be told from."""
        if key not in self.components:
            return frozenset()
        row = self.close[list(self.components).index(key)]
        return frozenset(other for other, near in zip(self.components, row, strict=True) if near and other != key)

    def why_apart(self, one: Key, other: Key) -> str | None:
        """The reason why two variants were not compared; null where they were."""
        if one not in self.components or other not in self.components:
            return NO_INTERVAL
        return None if self.components[one] == self.components[other] else NO_SESSION


@dataclass(frozen=True)
class Summary:
    """The summary of a variant's counted calls. Times in milliseconds; widths are shares of the centre; null: not known."""

    calls: int
    blocks: int
    generations: int
    median_ms: float
    q25_ms: float
    q75_ms: float
    half_width: float | None
    ratio: float | None  # to the reference; the reference's own is 1
    ratio_half_width: float | None
    estimator: str
    steady: bool  # its warm-ups ended steady
    df: int = 0  # degrees of freedom behind the intervals
    disturbed: int = 0  # of its blocks, those that stayed disturbed
    rank: int | None = None  # by the fit, 1 the fastest; shared where the interval of their ratio holds 1


def summarise_blocks(
    blocks: Iterable[Block],
    reference: Key | None,
    *,
    failed: frozenset[Key] = frozenset(),
    unranked: frozenset[Key] = frozenset(),
    quantity: Quantity = "request",
    looked: bool = False,
    processor_time: bool = False,
) -> dict[Key, Summary]:
    """A summary of every variant with counted calls of that quantity, in the order first seen. `failed` ones have none;
    ranks are counted without the `unranked`.

    Ratios are to `reference`; null without it, or where no session or chain of sessions links the two. `looked`: the run
    stopped by its own intervals. `processor_time`: read a CPU's `device` time from the blocks of `quantity` it was spent in.
    """
    everything = tuple(blocks)
    taken = take_readings(everything, failed, quantity, processor_time=processor_time)
    if not taken:
        return {}
    told = choose_counted(each for own in taken.values() for each in own)
    fitted = fit_cells(make_cells(told), looked=looked)
    unsteady = {b.key for b in everything if b.phase == "warm-up" and not b.start.get("steady", True)}
    ranks = rank_variants(fitted, {key for key, own in taken.items() if count_generations(own) > 1} - unranked)
    return {
        key: _summarise_variant(
            VariantReadings(
                own, [each for each in told if each.key == key], steady=key not in unsteady, rank=ranks.get(key)
            ),
            fitted,
            reference,
        )
        for key, own in taken.items()
    }


def find_ties(
    blocks: Iterable[Block],
    *,
    failed: frozenset[Key] = frozenset(),
    quantity: Quantity = "request",
    looked: bool = False,
) -> Ties:
    """Find which variants were compared, and which could be equally fast; arguments as for `summarise_blocks`."""
    taken = take_readings(blocks, failed, quantity)
    sure = [key for key, own in taken.items() if count_generations(own) > 1]
    if not sure:
        return Ties()
    told = choose_counted(each for own in taken.values() for each in own)
    fitted = fit_cells(make_cells(told), looked=looked)
    if fitted.df == 0:
        return Ties()
    return Ties({key: fitted.components[key] for key in sure}, fitted.find_indistinct(sure))


@dataclass(frozen=True)
class VariantReadings:
    """All readings of one variant, and those of them that count."""

    taken: Sequence[BlockReading]
    counted: Sequence[BlockReading]
    steady: bool
    rank: int | None


def _summarise_variant(told: VariantReadings, fitted: Fit, reference: Key | None) -> Summary:
    key = told.taken[0].key
    calls = np.concatenate([each.times_ns for each in told.counted]) / NS_PER_MS
    low, middle, high = (float(value) for value in np.quantile(calls, (0.25, 0.5, 0.75)))
    generations = count_generations(told.taken)
    known = generations > 1 and fitted.df > 0
    ratio, ratio_half_width = _compare_with(fitted, key, reference, known=known)
    return Summary(
        calls=len(calls),
        blocks=len(told.taken),
        generations=generations,
        median_ms=middle,
        q25_ms=low,
        q75_ms=high,
        half_width=fitted.half_width(1 / fitted.cells[key]) if known else None,
        ratio=ratio,
        ratio_half_width=ratio_half_width,
        estimator=(TWO_WAY if len(fitted.keys) > 1 else ONE_WAY) if known else NO_INTERVAL,
        steady=told.steady,
        df=fitted.df,
        disturbed=sum(each.disturbed for each in told.taken),
        rank=told.rank,
    )


def _compare_with(fitted: Fit, key: Key, reference: Key | None, *, known: bool) -> tuple[float | None, float | None]:
    """The ratio of a variant to the reference, and its half width."""
    if reference is None or reference not in fitted.keys or not fitted.are_linked(key, reference):
        return None, None
    effects, places = fitted.effects, fitted.keys
    ratio = math.exp(float(effects[places[key]] - effects[places[reference]]))
    return ratio, fitted.half_width(fitted.ratio_variance(key, reference)) if known else None
