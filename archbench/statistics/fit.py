"""Two-way fits of log times: rounds taken out within a session, sessions taken out between them.

session  one set of fresh processes: a generation, or one group of it where not all variants fit in memory
cell     one variant in one session: its log block medians, each less its round's effect, their trimmed mean. The
         round's effect is what all blocks of the round share, by least squares on variant and round
fit      cell = variant + session + residual, least squares; the residual's variance is pooled over all variants with
         df = cells - rank (cells - variants - sessions + 1 where the sessions share a variant)
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from archbench.runs.records import Block, Key
from archbench.statistics.rounds import Session
from archbench.statistics.student import student_t
from archbench.units import NS_PER_MS

TRIMMED = 0.2  # of a cell's blocks, at either end, where there are five or more

Array = NDArray[np.float64]
Item = TypeVar("Item", bound=Hashable)
Cells = dict[tuple[Key, Session], float]


@dataclass(frozen=True)
class BlockReading:
    """One counted block as a fit sees it: whose, in which session and round, its times, the log of their median in ms."""

    key: Key
    session: Session
    round: int
    times_ns: Sequence[int]
    disturbed: bool

    @cached_property
    def log_ms(self) -> float:
        return math.log(_find_median(self.times_ns) / NS_PER_MS)


def make_reading(block: Block, times_ns: Sequence[int]) -> BlockReading:
    """The reading of a block's counted times."""
    return BlockReading(
        block.key,
        (block.generation, block.group),
        block.round,
        times_ns,
        bool(block.disturbed),
    )


def _find_median(times: Sequence[int]) -> float:
    """The middle of a handful: several times sooner than numpy's."""
    ordered, middle = sorted(times), len(times) // 2
    return float(ordered[middle]) if len(times) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def make_cells(readings: Iterable[BlockReading]) -> Cells:
    """Every variant in every session, in log milliseconds."""
    return {(key, session): value for session, own in _by_session(readings) for key, value in _fit_session(own).items()}


def choose_counted(readings: Iterable[BlockReading]) -> list[BlockReading]:
    """The readings that cells are made of, session by session.

    Disturbed blocks count only in a session where without them a variant could not be told from the others.
    """
    return [each for _, own in _by_session(readings) for each in _choose_calm(own)]


def _by_session(readings: Iterable[BlockReading]) -> Iterable[tuple[Session, list[BlockReading]]]:
    sessions: dict[Session, list[BlockReading]] = defaultdict(list)
    for each in readings:
        sessions[each.session].append(each)
    return sessions.items()


def _choose_calm(readings: list[BlockReading]) -> list[BlockReading]:
    calm = [each for each in readings if not each.disturbed]
    return calm if _are_linked(calm, {each.key for each in readings}) else readings


def _fit_session(readings: list[BlockReading]) -> dict[Key, float]:
    """One session's cells."""
    taken = _choose_calm(readings)
    effects = _fit_rounds(taken)
    values: dict[Key, list[float]] = defaultdict(list)
    for each in taken:
        values[each.key].append(each.log_ms - effects[each.round])
    return {key: trimmed_mean(own) for key, own in values.items()}


def _are_linked(readings: Sequence[BlockReading], keys: set[Key]) -> bool:
    """Whether rounds in common, or a chain of them, link all of `keys`."""
    return _link((each.key, each.round) for each in readings) == [keys]


def _link(met: Iterable[tuple[Key, Hashable]]) -> list[set[Key]]:
    """Variants by what links them: those that met somewhere, or met one that did, and so on, are in one set."""
    places: dict[Hashable, set[Key]] = defaultdict(set)
    for key, place in met:
        places[place].add(key)
    found: list[set[Key]] = []
    for there in places.values():
        apart = [known for known in found if not known & there]
        found = [*apart, there.union(*(known for known in found if known & there))]
    return found


def _fit_rounds(readings: Sequence[BlockReading]) -> dict[int, float]:
    """What each round adds to everybody's log time, zero on average over the rounds."""
    rounds = _number_items(each.round for each in readings)
    if len(rounds) == 1:
        return dict.fromkeys(rounds, 0.0)
    turns = Counter((each.key, each.round) for each in readings)
    keys = _number_items(each.key for each in readings)
    if len(turns) == len(keys) * len(rounds) and len(set(turns.values())) == 1:  # balanced: plain means will do
        raw = [_mean_of([each.log_ms for each in readings if each.round == number]) for number in rounds]
    else:
        raw = list(_solve_least_squares(readings, keys, rounds)[len(keys) :])
    middle = _mean_of(raw)
    return {number: float(raw[place]) - middle for number, place in rounds.items()}


def _solve_least_squares(readings: Sequence[BlockReading], keys: Mapping[Key, int], rounds: Mapping[int, int]) -> Array:
    design = np.zeros((len(readings), len(keys) + len(rounds)))
    for row, each in enumerate(readings):
        design[row, keys[each.key]] = design[row, len(keys) + rounds[each.round]] = 1
    solution = np.linalg.lstsq(design, np.array([each.log_ms for each in readings]), rcond=None)[0]
    return np.asarray(solution, dtype=np.float64)


def trimmed_mean(values: Sequence[float]) -> float:
    """The mean without the lowest and the highest fifth."""
    ordered, cut = sorted(values), int(TRIMMED * len(values))
    return _mean_of(ordered[cut : len(ordered) - cut])


def _mean_of(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


@dataclass(frozen=True)
class Fit:
    """The fitted effects, variants first, in log milliseconds up to a shared constant, and how sure the cells make them."""

    keys: Mapping[Key, int]  # the place of each variant
    cells: Mapping[Key, int]  # how many each has
    effects: Array
    covariance: Array  # of the effects, for a residual of one
    components: Mapping[Key, int]  # the same number for those that sessions in common, or a chain of them, link
    residual: float  # standard deviation; 0 where df is 0
    df: int
    confidence: float

    def are_linked(self, key: Key, reference: Key) -> bool:
        """Whether sessions in common, or a chain of them, let the two be compared."""
        return self.components[key] == self.components[reference]

    def half_width(self, variance: float) -> float:
        """Of the interval of an effect with so many times the residual's variance, as a share. Needs df > 0."""
        return math.expm1(student_t(self.df, self.confidence) * self.residual * math.sqrt(max(0.0, variance)))

    def ratio_variance(self, key: Key, reference: Key) -> float:
        """Of the difference of two effects, for a residual of one."""
        one, other = self.keys[key], self.keys[reference]
        return float(self.covariance[one, one] + self.covariance[other, other] - 2 * self.covariance[one, other])

    def find_indistinct(self, keys: Sequence[Key]) -> NDArray[np.bool_]:
        """Whether each two of `keys` could be equally fast: they are linked, and the interval of their ratio holds 1.

        Pair by pair, none corrected for the others. Needs df > 0.
        """
        places = [self.keys[key] for key in keys]
        effects, covariance = self.effects[places], self.covariance[np.ix_(places, places)]
        own = np.diag(covariance)
        variances = np.maximum(0.0, own[:, None] + own[None, :] - 2 * covariance)
        widths = student_t(self.df, self.confidence) * self.residual * np.sqrt(variances)
        groups = np.array([self.components[key] for key in keys])
        linked = groups[:, None] == groups[None, :]
        close: NDArray[np.bool_] = linked & (np.abs(effects[:, None] - effects[None, :]) <= widths)
        return close


def fit_cells(values: Mapping[tuple[Key, Session], float], confidence: float = 0.95) -> Fit:
    """Least squares of cells on variant and session; on one mean alone where there is one variant."""
    keys = _number_items(key for key, _ in values)
    sessions = _number_items(session for _, session in values) if len(keys) > 1 else {}
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
    counts = Counter(key for key, _ in values)
    groups = {key: number for number, linked in enumerate(_link(values)) for key in linked}
    return Fit(keys, counts, effects, inverse, groups, residual, df, confidence)


def _number_items(items: Iterable[Item]) -> dict[Item, int]:
    return {item: place for place, item in enumerate(dict.fromkeys(items))}
