"""Everything measured so far, and the stopping rule. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archbench.design.spec.schema import Quantity
from archbench.measure.experiment.disturbance import DisturbanceJudge
from archbench.measure.experiment.groups import add_company
from archbench.measure.experiment.setup import ExperimentSetup, ResultSink
from archbench.measure.experiment.task import Task
from archbench.runs.progress import Step
from archbench.runs.records import Block, Key
from archbench.statistics.rounds import whole_rounds
from archbench.statistics.summary import summarise

LEAST_DF = 4  # behind an interval that may end a run: with fewer it is too often narrow by luck


@dataclass
class ExperimentState:
    """Everything measured so far: a sink that remembers, and the stopping rule."""

    setup: ExperimentSetup
    sink: ResultSink
    blocks: list[Block]
    lost: set[Key]
    judge: DisturbanceJudge = field(default_factory=DisturbanceJudge)
    refused: set[tuple[Key, Quantity]] = field(default_factory=set)  # quantities a network does not have here
    widest: float | None = None  # the widest interval, once all of this run have one
    df: int = 0  # degrees of freedom behind it
    finished: int = 0  # generations of the task that has fewest
    due: list[Task] = field(default_factory=list)  # of the next generation
    share: float = float("inf")
    alive: Sequence[Task] = ()
    began: float = 0.0  # this generation, on the run's clock
    took: float | None = None  # seconds of the last one

    def number_generations(self, alive: list[Task]) -> Iterator[int]:
        """The numbers of the generations to run: as many as each task wants, then more until the intervals are narrow.

        Before each, `due` is who takes part: whoever owes a generation with its company, then all.
        """
        number, self.alive = 1 + max((block.generation for block in self.blocks), default=0), alive
        while alive and self.setup.seconds_left() > 0:
            self._find_due(alive)
            if self.finished >= self.setup.plan.generations and self._is_narrow_enough():
                return
            self.began = self.setup.clock()
            yield number
            self.took = self.setup.clock() - self.began
            number += 1

    def _find_due(self, alive: Sequence[Task]) -> None:
        counted = {
            (block.key, block.generation)
            for block in whole_rounds(self.blocks, frozenset(self.lost))
            if block.quantity == self.setup.plan.quantity
        }
        done = Counter(key for key, _ in counted)
        self.finished = min(done[task.key] for task in alive)
        owing = [task for task in alive if done[task.key] < self.setup.plan.generations]
        self.due = add_company(owing, alive) if owing else list(alive)
        self.widest, self.df = None, 0
        if self.finished > 1:
            self._find_widest()

    def note_first_round(self) -> None:
        """Told by a generation, of each group: the second generation's is the first to give an interval."""
        if self.finished == 1 and self.widest is None:
            self._find_widest()

    def _find_widest(self) -> None:
        """How wide the widest interval is, made as the table makes it; null while one of this run has none."""
        failed, quantity = frozenset(self.lost), self.setup.plan.quantity
        found = summarise(self.blocks, None, failed=failed, quantity=quantity, looked=self.setup.widened)
        widths = {key: each.half_width for key, each in found.items() if each.half_width is not None}
        if all(task.key in widths for task in self.alive if task.key not in self.lost):
            self.widest = max(widths.values(), default=None)
            self.df = min((found[key].df for key in widths), default=0)

    def _is_narrow_enough(self) -> bool:
        """Without a budget the wanted generations are, and a single one is a first look; else intervals under the target."""
        sure = self.df >= LEAST_DF
        within = sure and self.widest is not None and self.widest <= self.setup.plan.target
        return not self.setup.stops_when_narrow or self.setup.plan.generations == 1 or within

    def seconds_for_next(self) -> float:
        """Seconds the next generation may take: an equal share of what is left; those beyond the wanted ones as much as these."""
        wanted = self.setup.plan.generations - self.finished
        if wanted > 0:
            self.share = self.setup.seconds_left() / wanted
        return min(self.share, self.setup.seconds_left())

    def estimate_seconds_left(self) -> tuple[float | None, bool]:
        """The most the run may still take; where nothing bounds it an estimate, and then True; null before there is one.

        The estimate: each generation still wanted takes what the last one took.
        """
        left = self.setup.seconds_left()
        if left != float("inf"):
            return max(0.0, left), False
        if self.took is None:
            return None, True
        more = max(0, self.setup.plan.generations - self.finished - 1)
        return more * self.took + max(0.0, self.took - (self.setup.clock() - self.began)), True

    def has_been_metered(self, key: Key) -> bool:
        """Whether an earlier process of the variant asked the meter."""
        return any(block.key == key and "energy_mj" in block.start for block in self.blocks)

    def add_block(self, block: Block) -> None:
        self.blocks.append(block)
        self.sink.add_block(block)

    def fail_variant(self, task: Task, reason: str) -> None:
        self.lost.add(task.key)
        self.sink.fail_variant(task, reason)

    def report_progress(self, step: Step) -> None:
        self.sink.report_progress(step)
