"""Everything measured so far, and the stopping rule. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archbench.design.schema import Quantity
from archbench.measure.groups import with_company
from archbench.measure.hygiene import Hygiene
from archbench.measure.setup import Setup, Sink
from archbench.measure.task import Task
from archbench.reporting.records import Block, Key
from archbench.reporting.rounds import whole_rounds
from archbench.reporting.stats import summarise
from archbench.reporting.step import Step

LEAST_DF = 4  # behind an interval that may end a run: with fewer it is too often narrow by luck


@dataclass
class History:
    """Everything measured so far: a sink that remembers, and the stopping rule."""

    setup: Setup
    sink: Sink
    blocks: list[Block]
    lost: set[Key]
    hygiene: Hygiene = field(default_factory=Hygiene)
    refused: set[tuple[Key, Quantity]] = field(default_factory=set)  # quantities a network does not have here
    precision: float | None = None  # the widest interval at the end of the last generation
    finished: int = 0  # generations of the task that has fewest
    due: list[Task] = field(default_factory=list)  # of the next generation
    share: float = float("inf")

    def generations(self, alive: list[Task]) -> Iterator[int]:
        """The numbers of the generations to run: as many as each task wants, then more until the intervals are narrow.

        Before each, `due` is who takes part: whoever owes a generation with its company, then all.
        """
        number = 1 + max((block.generation for block in self.blocks), default=0)
        while alive and self.setup.left() > 0:
            self._look(alive)
            if self.finished >= self.setup.plan.generations and self._enough():
                return
            yield number
            number += 1

    def _look(self, alive: Sequence[Task]) -> None:
        counted = {
            (block.key, block.generation)
            for block in whole_rounds(self.blocks, frozenset(self.lost))
            if block.quantity == self.setup.plan.quantity
        }
        done = Counter(key for key, _ in counted)
        self.finished = min(done[task.key] for task in alive)
        owing = [task for task in alive if done[task.key] < self.setup.plan.generations]
        self.due = with_company(owing, alive) if owing else list(alive)
        widths = self._widths() if self.finished > 1 and self.setup.looks else []
        self.precision = max(widths) if widths else None

    def _widths(self) -> list[float]:
        """Of the intervals that may end the run; none where they rest on too little."""
        found = summarise(
            self.blocks, None, failed=frozenset(self.lost), quantity=self.setup.plan.quantity, looked=True
        )
        return [each.half_width for each in found.values() if each.half_width is not None and each.df >= LEAST_DF]

    def _enough(self) -> bool:
        """Without a budget the wanted generations are, and a single one is a first look; else intervals under the target."""
        within = self.precision is not None and self.precision <= self.setup.plan.target
        return not self.setup.looks or self.setup.plan.generations == 1 or within

    def slot(self) -> float:
        """Seconds the next generation may take: an equal share of what is left; those beyond the wanted ones as much as these."""
        wanted = self.setup.plan.generations - self.finished
        if wanted > 0:
            self.share = self.setup.left() / wanted
        return min(self.share, self.setup.left())

    def metered(self, key: Key) -> bool:
        """Whether an earlier process of the variant asked the meter."""
        return any(block.key == key and "energy_mj" in block.start for block in self.blocks)

    def block(self, block: Block) -> None:
        self.blocks.append(block)
        self.sink.block(block)

    def failed(self, task: Task, reason: str) -> None:
        self.lost.add(task.key)
        self.sink.failed(task, reason)

    def progress(self, step: Step) -> None:
        self.sink.progress(step)
