"""Is the new one slower? A verdict a variant, from its log ratio over generations.

  paired    base and new were measured in one experiment: generation by generation both met the same machine, so the
            ratios of their cells are the sample; t with generations - 1
  unpaired  stored runs never share a round: Welch's t on the log cells of either; its degrees of freedom rounded down
Verdicts
  equivalent    both one-sided tests put the ratio inside the margin; or both sides are the very same blocks
  regressed     slower, and not shown to be within the margin
  improved      faster, and not shown to be within the margin
  inconclusive  none of these; or too little to tell: under two generations a side, or three tenths of a side's blocks disturbed
Every test is at 1 %, Holm's over the variants for the difference: a gate that cries wolf is switched off.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, variance
from typing import Literal

from archbench.design.spec.schema import Quantity
from archbench.runs.records import Block, Key
from archbench.statistics.fit import student_t, two_sided_p
from archbench.statistics.readings import Cells, Session, make_cells, make_reading, whole_rounds

MARGIN = 0.03
SIGNIFICANCE = 0.01
POWER = 0.90  # with which a difference is found that is called the smallest to be seen
DISTURBED = 0.3
LEAST_GENERATIONS = 2
SAME = "the same blocks"
MOST_GENERATIONS = 1000  # a plan asks for no more

# of a metric other than `latency_ms`, whose quantity the plan chose
METRIC_QUANTITIES: dict[str, Quantity] = {"step_ms": "step", "device_ms": "device"}

Word = Literal["regressed", "improved", "equivalent", "inconclusive"]


@dataclass(frozen=True)
class Contrast:
    """The log ratio of new to base, its standard error and degrees of freedom; null where there is too little of either."""

    log_ratio: float | None
    error: float | None
    df: int
    generations: int  # of the side that has fewer
    disturbed: float  # share of the counted blocks of the side that has more of them
    paired: bool
    same: bool = False  # the very same blocks on both sides, which are no sample of a difference: there is none


@dataclass(frozen=True)
class Verdict:
    """The verdict on one variant. Ratios are new to base; widths are shares; null: not known."""

    word: Word
    ratio: float | None
    low: float | None  # of the 95 % interval of the ratio
    high: float | None
    smallest: float | None  # the relative change that would have been seen nine times in ten
    generations: int
    generations_needed: int | None  # until a change of the margin would be
    disturbed: float
    paired: bool
    why: str


def contrast_pair(counted: Sequence[Block], base: Key, new: Key) -> Contrast:
    """The contrast of two variants that took turns in one experiment, over the sessions both were in."""
    before, after = ([block for block in counted if block.key == key] for key in (base, new))
    disturbed = max(_disturbed_share(before), _disturbed_share(after))
    found = _cells_of_blocks([*before, *after])
    both = [session for key, session in found if key == base and (new, session) in found]
    differences = [found[new, session] - found[base, session] for session in both]
    generations = len({generation for generation, _ in both})
    if generations < LEAST_GENERATIONS:
        return Contrast(fmean(differences) if differences else None, None, 0, generations, disturbed, True)
    error = math.sqrt(variance(differences) / len(differences))
    return Contrast(fmean(differences), error, len(differences) - 1, generations, disturbed, True)


def choose_blocks(
    metric: str, blocks: Iterable[Block], *, failed: frozenset[Key], latency: Quantity, synchronous: bool
) -> list[Block]:
    """The counted blocks behind a metric, of networks that did not fail; `latency` is the quantity of `latency_ms`.

    The processor's time on a CPU, which is `synchronous`, needs no blocks of its own: the plan's have it.
    """
    quantity = METRIC_QUANTITIES.get(metric, latency)
    counted = [block for block in whole_rounds(blocks, failed) if block.key not in failed]
    own = [block for block in counted if block.quantity == quantity]
    if quantity == "device" and synchronous and not own:
        own = [replace(block, quantity="device") for block in counted if block.quantity == latency]
    return [block for block in own if min(block.counted_ns, default=0) > 0]


def contrast_runs(base: Sequence[Block], new: Sequence[Block]) -> Contrast:
    """The contrast of one network's counted blocks in two runs that shared no rounds.

    Replicas of one session met the same machine, so their mean is one observation.
    """
    before, after = _average_sessions(base), _average_sessions(new)
    fewer = min(len(before), len(after))
    disturbed = max(_disturbed_share(base), _disturbed_share(new))
    if fewer and list(base) == list(new):
        return Contrast(0.0, None, 0, fewer, disturbed, False, same=True)
    ratio = fmean(after) - fmean(before) if fewer else None
    if fewer < LEAST_GENERATIONS:
        return Contrast(ratio, None, 0, fewer, disturbed, False)
    one, other = variance(before) / len(before), variance(after) / len(after)
    bound = one**2 / (len(before) - 1) + other**2 / (len(after) - 1)
    df = math.floor((one + other) ** 2 / bound) if bound else len(before) + len(after) - 2
    return Contrast(ratio, math.sqrt(one + other), max(1, df), fewer, disturbed, False)


def _average_sessions(blocks: Sequence[Block]) -> list[float]:
    """Log milliseconds, one a session, over its replicas."""
    sessions: dict[Session, list[float]] = {}
    for (_, session), value in _cells_of_blocks(blocks).items():
        sessions.setdefault(session, []).append(value)
    return [fmean(values) for values in sessions.values()]


def _cells_of_blocks(blocks: Iterable[Block]) -> Cells:
    return make_cells(make_reading(block, block.counted_ns) for block in blocks)


def _disturbed_share(blocks: Sequence[Block]) -> float:
    return sum(bool(block.disturbed) for block in blocks) / len(blocks) if blocks else 0.0


def judge_contrasts(
    contrasts: Mapping[str, Contrast], *, margin: float | Mapping[str, float] = MARGIN
) -> dict[str, Verdict]:
    """A verdict for each contrast. `margin` is the largest relative change that is no matter, of all or by name."""
    found = _find_different({name: p for name, each in contrasts.items() if (p := _p_value(each)) is not None})
    margins = margin if isinstance(margin, Mapping) else dict.fromkeys(contrasts, margin)
    return {
        name: _judge_contrast(each, math.log1p(margins[name]), different=name in found)
        for name, each in contrasts.items()
    }


def _p_value(contrast: Contrast) -> float | None:
    if contrast.log_ratio is None or contrast.error is None:
        return None
    if not contrast.error:  # every generation said the same to the last digit
        return float(contrast.log_ratio == 0.0)
    return two_sided_p(contrast.log_ratio / contrast.error, contrast.df)


def _find_different(p_values: Mapping[str, float]) -> frozenset[str]:
    """The names whose difference is significant over all of them, by Holm: step down until one is not."""
    found: list[str] = []
    for place, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        if p > SIGNIFICANCE / (len(p_values) - place):
            break
        found.append(name)
    return frozenset(found)


def withheld_verdict(why: str) -> Verdict:
    """An inconclusive verdict of which nothing is known but the reason."""
    return Verdict("inconclusive", None, None, None, None, 0, None, disturbed=0.0, paired=False, why=why)


def _judge_contrast(contrast: Contrast, margin: float, *, different: bool) -> Verdict:
    blank = replace(
        withheld_verdict(""),
        ratio=None if contrast.log_ratio is None else math.exp(contrast.log_ratio),
        generations=contrast.generations,
        disturbed=contrast.disturbed,
        paired=contrast.paired,
    )
    if contrast.same:
        return replace(blank, word="equivalent", why=SAME)
    if contrast.log_ratio is None or contrast.error is None:
        return replace(blank, why=f"measured in {contrast.generations} generations; an interval needs two a side")
    width = student_t(contrast.df) * contrast.error
    shown = replace(
        blank,
        low=math.exp(contrast.log_ratio - width),
        high=math.exp(contrast.log_ratio + width),
        smallest=math.expm1(_smallest_change(contrast.error, contrast.df)),
        generations_needed=_count_needed(contrast, margin),
    )
    if contrast.disturbed >= DISTURBED:
        return replace(shown, why=f"{contrast.disturbed:.0%} of its blocks were disturbed each time they were taken")
    word = _choose_word(contrast.log_ratio, contrast.error, contrast.df, margin, different=different)
    return replace(shown, word=word, why="the interval is too wide to tell" if word == "inconclusive" else "")


def _choose_word(log_ratio: float, error: float, df: int, margin: float, *, different: bool) -> Word:
    one_sided = student_t(df, 1 - 2 * SIGNIFICANCE)
    if abs(log_ratio) + one_sided * error < margin:
        return "equivalent"
    if not different:
        return "inconclusive"
    return "regressed" if log_ratio > 0 else "improved"


def _smallest_change(error: float, df: int) -> float:
    """The log ratio that a test at SIGNIFICANCE finds with POWER: both quantiles away from nothing."""
    return (student_t(df, 1 - SIGNIFICANCE) + student_t(df, 2 * POWER - 1)) * error


def _count_needed(contrast: Contrast, margin: float) -> int | None:
    """The fewest generations with which a change of the margin would be found, each as noisy as these."""
    assert contrast.error is not None
    noise = contrast.error * math.sqrt(contrast.generations)
    per_generation = 1 if contrast.paired else 2

    def suffice(count: int) -> bool:
        return _smallest_change(noise / math.sqrt(count), per_generation * (count - 1)) <= margin

    counts = range(LEAST_GENERATIONS, MOST_GENERATIONS + 1)
    place = bisect_left(counts, True, key=suffice)  # what is found only falls with more of them
    return counts[place] if place < len(counts) else None
