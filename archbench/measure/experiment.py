"""The experiment: every variant in its own fresh process, taking turns in rounds, generation after generation.

  generation  fresh processes for all variants: the unit of replication
  round       a random order of the variants and its mirror, one block a turn, so that a drift meets all alike
  group       as many variants as fit in memory together; groups share the reference
Nothing is measured while another process starts or runs. Imports no torch.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

from archbench import units
from archbench.design.schema import MeasurePlan
from archbench.design.variant import Variant
from archbench.measure.supervisor import Job, Worker, WorkerFailed
from archbench.reporting.records import Block, Key, Phase
from archbench.reporting.stats import whole_rounds

STARTS_AT_ONCE = 2  # importing torch is one thread's work; more at once only queue for the disk and memory bus
MOST_ROUNDS = 10  # within one generation more rounds sharpen nothing that a fresh process would not sharpen more
ROUNDS_WITHOUT_BUDGET = 3
PROCESS_BYTES = (
    600 << 20
)  # a worker beside its network: interpreter, torch, its library's scratch (seen: 350 to 500 MiB)
ACTIVATION_SLACK = 1.5  # a device holds more than the live tensors: scratch, rounding, a caching allocator


@dataclass(frozen=True)
class Task:
    """One variant to measure, once per replica. `peak_bytes` and `weight_bytes` are priced; null for a module."""

    variant: Variant
    replica: int = 0
    weight_bytes: int = 0
    peak_bytes: int = 0

    @property
    def key(self) -> Key:
        return self.variant.id, self.replica

    @property
    def title(self) -> str:
        return self.variant.name + (f" (replica {self.replica})" if self.replica else "")


class Sink(Protocol):
    """Where results go, each on disk before the call returns."""

    def block(self, block: Block) -> None: ...

    def failed(self, task: Task, reason: str) -> None: ...

    def progress(self, text: str, seconds_left: float | None) -> None: ...


@dataclass(frozen=True)
class Setup:
    """What all workers of a run share, and until when (on `clock`) it may go on; null: until it is done."""

    plan: MeasurePlan
    device: str
    memory_bytes: int  # what all workers together may take
    plugins: tuple[str, ...] = ()
    deadline: float | None = None
    clock: Callable[[], float] = time.monotonic
    worker: Callable[..., Worker] = Worker

    def left(self) -> float:
        return float("inf") if self.deadline is None else self.deadline - self.clock()


def measure(
    tasks: Sequence[Task], setup: Setup, sink: Sink, done: Iterable[Block] = (), failed: frozenset[Key] = frozenset()
) -> None:
    """Measure all tasks, going on from the blocks already on disk and without the variants that failed before.

    An interrupted generation with a whole round counts as a shorter one. Failures go to the sink; none is raised.
    """
    blocks = list(done)
    finished = len({block.generation for block in whole_rounds(blocks, failed)})
    generation = 1 + max((block.generation for block in blocks), default=0)
    alive = list(_affordable(tasks, setup, sink))
    least = 0.0  # what a generation of one round takes
    while alive and finished < setup.plan.generations and (not finished or least < setup.left()):
        slot = setup.left() / (setup.plan.generations - finished)
        fresh = _Generation(generation, setup, sink, slot)
        alive = fresh.run(alive)
        least, finished, generation = fresh.least, finished + 1, generation + 1


def _affordable(tasks: Sequence[Task], setup: Setup, sink: Sink) -> Iterable[Task]:
    """The tasks that fit in memory by themselves; the others fail with the figures, and nothing is allocated."""
    for task in tasks:
        if (needed := _running_bytes(task)) > setup.memory_bytes:
            sink.failed(
                task, f"needs about {units.mib(needed)} MiB and {units.mib(setup.memory_bytes)} MiB is to be had"
            )
        else:
            yield task


def _running_bytes(task: Task) -> int:
    features = task.peak_bytes - task.weight_bytes
    return PROCESS_BYTES + task.weight_bytes + int(ACTIVATION_SLACK * features)


def groups(tasks: Sequence[Task], memory_bytes: int) -> list[list[Task]]:
    """Tasks in groups that fit in memory: all wait with their weights, one runs. Later groups begin with the reference."""
    reference = [task for task in tasks if task.variant.reference][:1]
    found: list[list[Task]] = [[]]
    for task in tasks:
        group = [*found[-1], task]
        waiting = sum(PROCESS_BYTES + member.weight_bytes for member in group)
        running = max(_running_bytes(member) - PROCESS_BYTES - member.weight_bytes for member in group)
        if waiting + running > memory_bytes and len(found[-1]) > len(reference):
            found.append([member for member in reference if member != task])
        found[-1].append(task)
    return found


@dataclass
class _Seat:
    """A task with its worker, what that found while starting, and how long a call and a turn take as seen so far."""

    task: Task
    worker: Worker
    facts: dict[str, Any]
    call_ns: int = 0
    turn_s: float = 0.0


@dataclass
class _Generation:
    """Fresh processes for every task, group by group, and rounds among each group until its share of time is used."""

    number: int
    setup: Setup
    sink: Sink
    slot: float  # seconds this generation may take
    lost: set[Key] = field(default_factory=set)
    least: float = 0.0  # seconds it took to start, warm up and run one round of each group

    def run(self, tasks: Sequence[Task]) -> list[Task]:
        """Measure; the tasks that are still to be measured in the next generation."""
        parts = groups(tasks, self.setup.memory_bytes)
        for index, group in enumerate(parts):
            began = self.setup.clock()
            with ExitStack() as stack:
                seats = self._start([task for task in group if task.key not in self.lost], stack)
                seats = [seat for seat in seats if self._warm(seat, index)]
                self._rounds(seats, index, began, began + self.slot / len(parts))
        return [task for task in tasks if task.key not in self.lost]

    def _start(self, tasks: Sequence[Task], stack: ExitStack) -> list[_Seat]:
        """Workers with their networks built, two starting at a time; those that fail are lost.

        The processes are made by this thread: Linux ends them with the thread that made them, and the pool's end first.
        """
        workers = [self._worker(task, stack) for task in tasks]
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            outcomes = list(pool.map(self._try_start, tasks, workers))
        for task, outcome in zip(tasks, outcomes, strict=True):
            if isinstance(outcome, WorkerFailed):
                self._lose(task, str(outcome))
        return [outcome for outcome in outcomes if isinstance(outcome, _Seat)]

    def _worker(self, task: Task, stack: ExitStack) -> Worker:
        job = Job(task.variant, self.setup.device, self.setup.plan.seed, self.setup.plugins)
        worker = self.setup.worker(job, timeout=self.setup.plan.timeout)
        stack.callback(worker.close)
        return worker

    def _try_start(self, task: Task, worker: Worker) -> _Seat | WorkerFailed | None:
        """A seat, the failure, or null where the time is over."""
        if self.setup.left() <= 0:
            return None
        self._say(f"starting {task.title}")
        try:
            return _Seat(task, worker, worker.start())
        except WorkerFailed as failure:
            return failure

    def _warm(self, seat: _Seat, group: int) -> bool:
        """The first calls of a process, kept with what the process found while starting. False: lost, or no time left."""
        if self.setup.left() <= 0:
            return False
        self._say(f"warming up {seat.task.title}")
        reply = self._ask(seat, {"do": "warm"})
        if reply is None:
            return False
        start = seat.facts | {name: reply.pop(name) for name in ("steady", "memory_bytes", "memory_kind")}
        start["cold_ms"] = start["cold_ms"] | {"first call": reply["wall_ns"][0] / units.NS_PER_MS}
        self._keep(seat, reply, phase="warm-up", group=group, start=start)
        seat.call_ns = reply["wall_ns"][-1]
        seat.turn_s = seat.call_ns / units.NS_PER_S
        return True

    def _rounds(self, seats: list[_Seat], group: int, began: float, end: float) -> None:
        """One round that fits the whole run, then more while they fit this group's share."""
        most = ROUNDS_WITHOUT_BUDGET if self.setup.deadline is None else MOST_ROUNDS
        for number in range(1, most + 1):
            seats = [seat for seat in seats if seat.task.key not in self.lost]
            if number > 1 and self.setup.clock() + 2 * sum(seat.turn_s for seat in seats) > end:
                return
            order = self._order(seats, number)
            for place, seat in enumerate(order):
                if seat.task.key not in self.lost:
                    self._turn(seat, place, {"round": number, "group": group, "size": len(order)})
            self.least += self.setup.clock() - began if number == 1 else 0.0

    def _order(self, seats: Sequence[_Seat], number: int) -> list[_Seat]:
        """A random order and its mirror; what does not fit the time left is planned shorter, the reference kept first."""
        shuffled = sorted(seats, key=lambda seat: not seat.task.variant.reference)
        while shuffled and sum(seat.turn_s for seat in shuffled) > self.setup.left():
            shuffled.pop()
        random.Random(f"{self.setup.plan.seed}/{self.number}/{number}").shuffle(shuffled)
        fits = 2 * sum(seat.turn_s for seat in shuffled) <= self.setup.left()
        return shuffled + shuffled[::-1] if fits else shuffled

    def _turn(self, seat: _Seat, place: int, where: Mapping[str, int]) -> None:
        self._say(f"generation {self.number}, round {where['round']}: {seat.task.title}")
        began = self.setup.clock()
        reply = self._ask(seat, {"do": "block", "call_ns": seat.call_ns})
        if reply is not None:
            self._keep(seat, reply, order=place, **where)
            seat.call_ns = int(median(reply["wall_ns"]))
            seat.turn_s = self.setup.clock() - began

    def _ask(self, seat: _Seat, request: dict[str, Any]) -> dict[str, Any] | None:
        """The worker's reply; null where it failed, which loses the task."""
        try:
            return seat.worker.ask(request)
        except WorkerFailed as failure:
            self._lose(seat.task, str(failure))
            return None

    def _keep(
        self,
        seat: _Seat,
        reply: Mapping[str, Any],
        *,
        phase: Phase = "steady",
        order: int = 0,
        round: int = 0,
        **where: Any,
    ) -> None:
        timed = {name: tuple(value) if isinstance(value, list) else value for name, value in reply.items()}
        identifier, replica = seat.task.key
        self.sink.block(
            Block(
                id=identifier,
                replica=replica,
                generation=self.number,
                round=round,
                order=order,
                phase=phase,
                started=time.time(),
                **timed,
                **where,
            )
        )

    def _lose(self, task: Task, reason: str) -> None:
        self.lost.add(task.key)
        self.sink.failed(task, reason)

    def _say(self, text: str) -> None:
        left = self.setup.left()
        self.sink.progress(text, None if left == float("inf") else max(0.0, left))
