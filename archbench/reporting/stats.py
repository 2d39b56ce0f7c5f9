"""From raw blocks to one summary a variant: the only statistics there are, always derived, never stored.

Counting semantics
  counted      calls after a hand-over, of steady blocks, of whole rounds, of variants that did not fail; of a turn that
               was taken again because it was disturbed, the last undisturbed attempt, or the last where there is none
  session      one set of fresh processes: a generation, or one group of it where not all variants fit in memory
  cell         one variant in one session: the mean over its rounds of log(median of a block's counted calls)
  fit          cell = variant + session + residual, least squares; the residual's variance is pooled over all variants
               with df = cells - rank (cells - variants - sessions + 1 where the sessions share a variant)
  half-width   exp(t s / sqrt(cells of the variant)) - 1, t the 97.5 % quantile of Student's t with df: the upper side of
               a 95 % interval, as a share of the centre. What all variants of a session share (a warmer room) is in the
               session's term and so not in it
  ratio        exp(variant - reference) from the same fit; its variance is the fit's own, s^2 (1/G + 1/G) where balanced
One generation gives no interval, whatever the number of its calls.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from archbench.reporting.records import Block, Key
from archbench.units import NS_PER_MS

TWO_WAY = "two-way fit of log block medians on variant and generation, residual pooled, 95 % by Student's t"
ONE_WAY = "mean of log block medians, 95 % by Student's t over generations"
NO_INTERVAL = "median of the calls; no interval"

Array = NDArray[np.float64]
Item = TypeVar("Item", bound=Hashable)
Session = tuple[int, int]  # generation, group
Round = tuple[int, int, int]  # generation, group, round


@dataclass(frozen=True)
class Summary:
    """What a variant's counted calls say. Times in milliseconds; widths are shares of the centre; null: not known."""

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
    disturbed: int = 0  # counted blocks that stayed disturbed


@dataclass(frozen=True)
class Fit:
    """The fitted effects, variants first, in log milliseconds up to a shared constant, and how sure the cells make them."""

    keys: Mapping[Key, int]  # the place of each variant
    cells: Mapping[Key, int]
    effects: Array
    covariance: Array  # of the effects, for a residual of one
    projector: Array  # onto what the cells can tell
    residual: float  # standard deviation; 0 where df is 0
    df: int

    def links(self, key: Key, reference: Key) -> bool:
        """Whether sessions in common, or a chain of them, let the two be compared."""
        told = self.projector[:, self.keys[key]] - self.projector[:, self.keys[reference]]
        asked = np.zeros(len(told))
        asked[self.keys[key]] += 1
        asked[self.keys[reference]] -= 1
        return bool(np.allclose(told, asked, atol=1e-6))

    def half_width(self, variance: float) -> float:
        """Of the 95 % interval of an effect with so many times the residual's variance, as a share. Needs df > 0."""
        return math.expm1(student_t(self.df) * self.residual * math.sqrt(max(0.0, variance)))

    def ratio_variance(self, key: Key, reference: Key) -> float:
        """Of the difference of two effects, for a residual of one."""
        one, other = self.keys[key], self.keys[reference]
        return float(self.covariance[one, one] + self.covariance[other, other] - 2 * self.covariance[one, other])


def summarise(
    blocks: Iterable[Block], reference: Key | None, *, failed: frozenset[Key] = frozenset()
) -> dict[Key, Summary]:
    """A summary of every variant with counted calls, in the order first seen. `failed` ones have none.

    Ratios are to `reference`; null without it, or where no session or chain of sessions links the two.
    """
    everything = tuple(blocks)
    counted: dict[Key, list[Block]] = defaultdict(list)
    for block in whole_rounds(everything, failed):
        if block.key not in failed:
            counted[block.key].append(block)
    if not counted:
        return {}
    fitted = fit(cells(counted))
    unsteady = {b.key for b in everything if b.phase == "warm-up" and not b.start.get("steady", True)}
    return {key: _summary(key, own, fitted, reference, steady=key not in unsteady) for key, own in counted.items()}


def whole_rounds(blocks: Iterable[Block], failed: frozenset[Key] = frozenset()) -> Iterator[Block]:
    """The counted blocks: of steady rounds that ran to their end, one a turn.

    A round is whole when a block of every planned turn is there (`size` of them); turns that variants which failed in it
    still owed are not waited for.
    """
    waiting: dict[Session, set[Key]] = defaultdict(set)  # who could take part in the session's next round
    rounds: dict[Round, dict[int, Block]] = defaultdict(dict)
    for block in blocks:
        if block.phase == "warm-up":
            waiting[block.generation, block.group].add(block.key)
        else:
            _take_turn(rounds[block.generation, block.group, block.round], block)
    for (generation, group, _), turns in sorted(rounds.items()):
        owing = waiting[generation, group] & failed
        waiting[generation, group] = {block.key for block in turns.values()}
        if _is_whole(turns, owing):
            yield from (turns[order] for order in sorted(turns))


def _take_turn(turns: dict[int, Block], block: Block) -> None:
    """Keep the attempt that counts: undisturbed before disturbed, then the last."""
    before = turns.get(block.order)
    if before is None or (not block.disturbed, block.attempt) >= (not before.disturbed, before.attempt):
        turns[block.order] = block


def _is_whole(turns: Mapping[int, Block], owing: set[Key]) -> bool:
    """Whether all planned turns are there but those of variants that failed in this round (`owing` holds candidates).

    A round gives every variant as many turns as any other (two with its mirror, one without), so the planned variants,
    the survivors' turns and the size must agree.
    """
    sizes = {block.size for block in turns.values()}
    if sizes == {len(turns)}:
        return True
    taken: dict[Key, int] = defaultdict(int)
    for block in turns.values():
        taken[block.key] += 1
    planned = taken.keys() | owing
    survivors = [count for key, count in taken.items() if key not in owing]
    return bool(survivors) and all(sizes == {count * len(planned)} for count in survivors)


def cells(counted: Mapping[Key, Iterable[Block]]) -> dict[tuple[Key, Session], float]:
    """The mean over a session's blocks of the log of each block's median call, in log milliseconds."""
    logs: dict[tuple[Key, Session], list[float]] = defaultdict(list)
    for key, blocks in counted.items():
        for block in blocks:
            logs[key, (block.generation, block.group)].append(math.log(float(np.median(block.counted_ns)) / NS_PER_MS))
    return {cell: math.fsum(values) / len(values) for cell, values in logs.items()}


def fit(values: Mapping[tuple[Key, Session], float]) -> Fit:
    """Least squares of cells on variant and session; on one mean alone where there is one variant."""
    keys = _numbered(key for key, _ in values)
    sessions = _numbered(session for _, session in values) if len(keys) > 1 else {}
    design = np.zeros((len(values), len(keys) + len(sessions)))
    for row, (key, session) in enumerate(values):
        design[row, keys[key]] = 1
        if sessions:
            design[row, len(keys) + sessions[session]] = 1
    observed = np.array(list(values.values()))
    inverse = np.asarray(np.linalg.pinv(design.T @ design, hermitian=True), dtype=np.float64)
    projector = inverse @ design.T @ design
    effects = inverse @ design.T @ observed
    df = len(values) - round(float(np.trace(projector)))
    squares = float(np.sum((observed - design @ effects) ** 2))
    residual = math.sqrt(squares / df) if df else 0.0
    return Fit(keys, Counter(key for key, _ in values), effects, inverse, projector, residual, df)


def _numbered(items: Iterable[Item]) -> dict[Item, int]:
    return {item: place for place, item in enumerate(dict.fromkeys(items))}


def student_t(df: int) -> float:
    """The 97.5 % quantile of Student's t: 12.706 for df 1, 1.960 for many. Raises ValueError under 1.

    Abramowitz and Stegun 26.7.3 and 26.7.4 give P(|T| <= t) as a finite sum in the angle atan(t / sqrt(df)); it is
    solved by halving, since the sum only rises.
    """
    if df < 1:
        raise ValueError(f"Student's t has no {df} degrees of freedom")
    return _student_t(df)


@lru_cache(maxsize=64)
def _student_t(df: int) -> float:
    low, high = 0.0, math.pi / 2
    for _ in range(60):  # to the last bit of a double
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, df) < 0.95 else (low, middle)
    return math.sqrt(df) * math.tan(low)


def _within(angle: float, df: int) -> float:
    """P(|T| <= sqrt(df) tan(angle))."""
    odd = df % 2
    term = total = 0.0 if df == 1 else math.cos(angle) if odd else 1.0
    for power in range(2 + odd, df - 1, 2):
        term *= (power - 1) / power * math.cos(angle) ** 2
        total += term
    share = math.sin(angle) * total
    return 2 / math.pi * (angle + share) if odd else share


def _summary(key: Key, blocks: list[Block], fitted: Fit, reference: Key | None, *, steady: bool) -> Summary:
    calls = np.concatenate([block.counted_ns for block in blocks]) / NS_PER_MS
    low, middle, high = (float(value) for value in np.quantile(calls, (0.25, 0.5, 0.75)))
    generations = len({block.generation for block in blocks})
    known = generations > 1 and fitted.df > 0
    ratio, ratio_half_width = _ratio(fitted, key, reference, known=known)
    return Summary(
        calls=len(calls),
        blocks=len(blocks),
        generations=generations,
        median_ms=middle,
        q25_ms=low,
        q75_ms=high,
        half_width=fitted.half_width(1 / fitted.cells[key]) if known else None,
        ratio=ratio,
        ratio_half_width=ratio_half_width,
        estimator=(TWO_WAY if len(fitted.keys) > 1 else ONE_WAY) if known else NO_INTERVAL,
        steady=steady,
        disturbed=sum(bool(block.disturbed) for block in blocks),
    )


def _ratio(fitted: Fit, key: Key, reference: Key | None, *, known: bool) -> tuple[float | None, float | None]:
    """The ratio to the reference and its half-width."""
    if reference is None or reference not in fitted.keys or not fitted.links(key, reference):
        return None, None
    effects, places = fitted.effects, fitted.keys
    ratio = math.exp(float(effects[places[key]] - effects[places[reference]]))
    return ratio, fitted.half_width(fitted.ratio_variance(key, reference)) if known else None
