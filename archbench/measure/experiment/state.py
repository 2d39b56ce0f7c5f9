"""The setup and the state of an experiment: what bounds it, everything measured so far, the stopping rule. Imports no torch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from archbench import units
from archbench.design.spec.schema import MeasurePlan, Quantity
from archbench.measure.experiment.groups import add_company
from archbench.measure.experiment.plan import PlannedVariant, ResultSink
from archbench.measure.supervisor.worker_process import Worker
from archbench.runs.records import Block, Key
from archbench.statistics.readings import whole_rounds
from archbench.statistics.summary import summarise_blocks

LEAST_DF = 4  # behind an interval that may end a run: with fewer it is too often narrow by luck
SLOW_CLOCK = 0.9  # of the run's median clock
LOST = 0.1  # of the time a process could have run


@dataclass
class DisturbanceJudge:
    """Judges the blocks of one run; it remembers the clocks it saw, since only the others tell which is slow."""

    clocks: list[float] = field(default_factory=list)

    def find_reasons(self, telemetry: Mapping[str, float | None]) -> tuple[str, ...]:
        """Why a block with this telemetry is disturbed; nothing where it is not, or where the device does not tell."""
        found = []
        if telemetry.get("throttle"):
            found.append("the clock was throttled")
        if slow := self._describe_slow_clock(telemetry.get("sm_mhz")):
            found.append(slow)
        if telemetry.get("foreign"):
            found.append("another process was on the device")
        lost = telemetry.get("lost")
        if lost is not None and lost > LOST:
            found.append(f"{units.format_percent(lost)} of its time was lost to others")
        return tuple(found)

    def _describe_slow_clock(self, mhz: float | None) -> str | None:
        if not mhz:
            return None
        self.clocks.append(mhz)
        usual = median(self.clocks)
        slow = f"the clock was at {units.format_percent(mhz / usual)} of the run's median"
        return slow if mhz < SLOW_CLOCK * usual else None


@dataclass(frozen=True)
class ExperimentSetup:
    """The bounds of a run, and until when (on `clock`) it may go on; null: until it is done."""

    plan: MeasurePlan
    device: str
    memory_bytes: int  # that all workers together may take
    plugins: tuple[str, ...] = ()
    deadline: float | None = None
    widened: bool = True  # the run's intervals are made for one that stops by them: it may
    stop: Callable[[], bool] = lambda: False  # somebody wants the run to end at the next block
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    worker: Callable[..., Worker] = Worker

    @property
    def stops_when_narrow(self) -> bool:
        """Whether the run goes on past the wanted generations until its intervals are narrow."""
        return self.deadline is not None and self.widened

    def seconds_left(self) -> float:
        """Seconds the run may still take."""
        if self.stop():
            return 0.0
        return float("inf") if self.deadline is None else self.deadline - self.clock()


@dataclass
class ExperimentState:
    """The state of an experiment: a sink that remembers every block, and the stopping rule."""

    setup: ExperimentSetup
    sink: ResultSink
    blocks: list[Block]
    lost: set[Key]
    judge: DisturbanceJudge = field(default_factory=DisturbanceJudge)
    refused: set[tuple[Key, Quantity]] = field(default_factory=set)  # quantities a network does not have here
    widest: float | None = None  # the widest interval, once every variant of this run has one
    df: int = 0  # degrees of freedom behind it
    finished: int = 0  # generations of the variant that has fewest
    due: list[PlannedVariant] = field(default_factory=list)  # of the next generation
    share: float = float("inf")
    alive: Sequence[PlannedVariant] = ()
    began: float = 0.0  # this generation, on the run's clock
    took: float | None = None  # seconds of the last one

    def number_generations(self, alive: list[PlannedVariant]) -> Iterator[int]:
        """The numbers of the generations to run: as many as each variant wants, then more until the intervals are narrow.

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

    def _find_due(self, alive: Sequence[PlannedVariant]) -> None:
        counted = {
            (block.key, block.generation)
            for block in whole_rounds(self.blocks, frozenset(self.lost))
            if block.quantity == self.setup.plan.quantity
        }
        done = Counter(key for key, _ in counted)
        self.finished = min(done[planned.key] for planned in alive)
        owing = [planned for planned in alive if done[planned.key] < self.setup.plan.generations]
        self.due = add_company(owing, alive) if owing else list(alive)
        self.widest, self.df = None, 0
        if self.finished > 1:
            self._find_widest()

    def _find_widest(self) -> None:
        """Find the widest interval, made as the table makes it; null while a variant of this run has none."""
        failed, quantity = frozenset(self.lost), self.setup.plan.quantity
        found = summarise_blocks(self.blocks, None, failed=failed, quantity=quantity, looked=self.setup.widened)
        widths = {key: summary.half_width for key, summary in found.items() if summary.half_width is not None}
        if all(planned.key in widths for planned in self.alive if planned.key not in self.lost):
            self.widest = max(widths.values(), default=None)
            self.df = min((found[key].df for key in widths), default=0)

    def _is_narrow_enough(self) -> bool:
        """Without a budget the wanted generations are, and a single one is a first look; else intervals under the target."""
        sure = self.df >= LEAST_DF
        within = sure and self.widest is not None and self.widest <= self.setup.plan.target
        return not self.setup.stops_when_narrow or self.setup.plan.generations == 1 or within

    def seconds_for_next(self) -> float:
        """Seconds the next generation may take: an equal share of what is left; beyond the wanted ones as much as these."""
        wanted = self.setup.plan.generations - self.finished
        if wanted > 0:
            self.share = self.setup.seconds_left() / wanted
        return min(self.share, self.setup.seconds_left())

    def note_first_round(self) -> None:
        """Called after each group's first round: the second generation's is the first to give an interval."""
        if self.finished == 1 and self.widest is None:
            self._find_widest()

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

    def has_meter_reading(self, key: Key) -> bool:
        """Whether an earlier process of the variant asked the meter."""
        return any(block.key == key and "energy_mj" in block.start for block in self.blocks)

    def add_block(self, block: Block) -> None:
        self.blocks.append(block)
        self.sink.add_block(block)

    def fail_variant(self, planned: PlannedVariant, reason: str) -> None:
        self.lost.add(planned.key)
        self.sink.fail_variant(planned, reason)
