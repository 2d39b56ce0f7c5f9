"""Which blocks count: those of steady rounds that ran to their end, one a turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from archbench.runs.records import Block, Key

Session = tuple[int, int]  # generation, group
Round = tuple[int, int, int]  # generation, group, round


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
