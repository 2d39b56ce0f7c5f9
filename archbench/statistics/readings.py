"""The blocks that count, and the cells made of them: one number a variant and session, of which a fit is made.

counted  the blocks of steady rounds that ran to their end, one a turn; disturbed ones only in a session that could tell
         nothing without them
session  one set of fresh processes: a generation, or one group of it where not all variants fit in memory
cell     one variant in one session: its log block medians, each less its round's effect, their trimmed mean. The
         round's effect is what all blocks of the round share, by least squares on variant and round
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from archbench.design.spec.schema import Quantity
from archbench.runs.records import Block, Key
from archbench.units import NS_PER_MS

TRIMMED = 0.2  # of a cell's blocks, at either end, where there are five or more

Array = NDArray[np.float64]
Item = TypeVar("Item", bound=Hashable)
Session = tuple[int, int]  # generation, group
Round = tuple[int, int, int]  # generation, group, round
Cells = dict[tuple[Key, Session], float]


def whole_rounds(blocks: Iterable[Block], failed: frozenset[Key] = frozenset()) -> Iterator[Block]:
    """The counted blocks, in the order of their rounds and turns.

    A round is whole when a block of every planned turn is there (`size` of them); turns that variants which failed in it
    still owed are not waited for. Of a turn that was taken again the last undisturbed attempt counts, else the last.
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
    """Keep the attempt of a turn that counts: undisturbed before disturbed, then the last."""
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


@dataclass(frozen=True)
class BlockReading:
    """One counted block as a fit sees it: its variant, session and round, its times, the log of their median in ms."""

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


def take_readings(
    blocks: Iterable[Block], failed: frozenset[Key], quantity: Quantity, *, processor_time: bool = False
) -> dict[Key, list[BlockReading]]:
    """The readings of each variant: its blocks of whole rounds that have a time, the processor's or that of the quantity."""
    taken: dict[Key, list[BlockReading]] = defaultdict(list)
    for block in whole_rounds(blocks, failed):
        if block.key not in failed and block.quantity == quantity:
            times = block.device_ns[block.dropped :] if processor_time else block.counted_ns
            if min(times, default=0) > 0:
                taken[block.key].append(make_reading(block, times))
    return taken


def count_generations(readings: Iterable[BlockReading]) -> int:
    return len({each.session[0] for each in readings})


def _find_median(times: Sequence[int]) -> float:
    """The median of a handful of numbers, several times sooner than numpy's."""
    ordered, middle = sorted(times), len(times) // 2
    return float(ordered[middle]) if len(times) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def make_cells(readings: Iterable[BlockReading]) -> Cells:
    """The cell of every variant in every session, in log milliseconds."""
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
    """The cells of one session."""
    taken = _choose_calm(readings)
    effects = _fit_rounds(taken)
    values: dict[Key, list[float]] = defaultdict(list)
    for each in taken:
        values[each.key].append(each.log_ms - effects[each.round])
    return {key: trimmed_mean(own) for key, own in values.items()}


def _are_linked(readings: Sequence[BlockReading], keys: set[Key]) -> bool:
    """Whether rounds in common, or a chain of them, link all of `keys`."""
    return link_variants((each.key, each.round) for each in readings) == [keys]


def link_variants(met: Iterable[tuple[Key, Hashable]]) -> list[set[Key]]:
    """Sets of variants that are linked: two that met somewhere are in one set, and so is whoever met one of them."""
    places: dict[Hashable, set[Key]] = defaultdict(set)
    for key, place in met:
        places[place].add(key)
    found: list[set[Key]] = []
    for there in places.values():
        apart = [known for known in found if not known & there]
        found = [*apart, there.union(*(known for known in found if known & there))]
    return found


def _fit_rounds(readings: Sequence[BlockReading]) -> dict[int, float]:
    """The effect of each round on every log time, zero on average over the rounds."""
    rounds = number_items(each.round for each in readings)
    if len(rounds) == 1:
        return dict.fromkeys(rounds, 0.0)
    turns = Counter((each.key, each.round) for each in readings)
    keys = number_items(each.key for each in readings)
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


def number_items(items: Iterable[Item]) -> dict[Item, int]:
    return {item: place for place, item in enumerate(dict.fromkeys(items))}
