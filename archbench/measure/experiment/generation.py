"""One generation: fresh processes for all, group by group, and rounds among each group. Imports no torch."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from archbench.design.spec.schema import Quantity
from archbench.measure.experiment.budget import FirstStart
from archbench.measure.experiment.groups import make_groups
from archbench.measure.experiment.setup import ExperimentSetup
from archbench.measure.experiment.state import ExperimentState
from archbench.measure.experiment.task import Task
from archbench.measure.experiment.turns import GenerationTurns, Seat
from archbench.measure.supervisor.pace import SLOW_NS
from archbench.measure.supervisor.worker_process import Job, Worker, WorkerFailed
from archbench.runs.records import Key

STARTS_AT_ONCE = 2  # importing torch is one thread's work; more at once only queue for the disk and memory bus
MOST_ROUNDS = 10  # within one generation more rounds sharpen nothing that a fresh process would not sharpen more
ROUNDS_WITHOUT_BUDGET = 3
PATIENCE_S = 20.0  # that pauses and repeats of one generation may take in all, or a quarter of its share of a budget


@dataclass
class Generation:
    """Fresh processes for every task, group by group, and rounds among each group until its share of time is used."""

    number: int
    setup: ExperimentSetup
    history: ExperimentState
    tasks: Sequence[Task]
    slot: float  # seconds this generation may take
    least: float = 0.0  # seconds it took to start, warm up and run one round of each group
    started: set[Key] = field(default_factory=set)
    starting_s: float = 0.0  # seconds until these were warm
    turns: GenerationTurns = field(init=False)

    def __post_init__(self) -> None:
        patience, spare = min(PATIENCE_S, self.slot / 4), self.slot / 4 / max(1, len(self.tasks))
        self.turns = GenerationTurns(self.number, self.setup, self.history, patience, spare)

    def measure_groups(self) -> None:
        """Start, warm up and measure them all, group by group; who fails is told to the history."""
        parts = make_groups(self.tasks, self.setup.memory_bytes, caching=self.setup.device.startswith("cuda"))
        for index, group in enumerate(parts):
            began = self.setup.clock()
            with ExitStack() as stack:
                seats = self._start_workers([task for task in group if task.key not in self.history.lost], stack)
                seats = [seat for seat in seats if self.turns.warm_up(seat, index)]
                self.starting_s += self.setup.clock() - began
                rounds = self._run_rounds(seats, index, began, began + self.slot / len(parts))
                self._measure_other_quantities(seats, index, rounds)

    @property
    def first_start(self) -> FirstStart:
        return FirstStart(len(self.tasks), len(self.started), self.starting_s)

    def _start_workers(self, tasks: Sequence[Task], stack: ExitStack) -> list[Seat]:
        """Workers with their networks built, two starting at a time; those that fail are lost.

        The processes are made by this thread: Linux ends them with the thread that made them, and the pool's end first.
        """
        workers = [self._hire_worker(task, stack) for task in tasks]
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            outcomes = list(pool.map(self._try_start, tasks, workers))
        self.started |= {task.key for task, outcome in zip(tasks, outcomes, strict=True) if outcome is not None}
        for task, outcome in zip(tasks, outcomes, strict=True):
            if isinstance(outcome, WorkerFailed):
                self.history.fail_variant(task, str(outcome))
        return [outcome for outcome in outcomes if isinstance(outcome, Seat)]

    def _hire_worker(self, task: Task, stack: ExitStack) -> Worker:
        memory = self.setup.memory_bytes if self.setup.device == "cpu" else None
        job = Job(task.variant, self.setup.device, self.setup.plan.seed, self.setup.plugins, memory)
        worker = self.setup.worker(job, timeout=self.setup.plan.timeout)
        stack.callback(worker.close)
        return worker

    def _try_start(self, task: Task, worker: Worker) -> Seat | WorkerFailed | None:
        """A seat, the failure, or null where the time is over."""
        if self.setup.seconds_left() <= 0:
            return None
        self.turns.report_doing("starting", task)
        try:
            return Seat(task, worker, worker.start())
        except WorkerFailed as failure:
            return failure

    def _run_rounds(self, seats: list[Seat], group: int, began: float, end: float) -> int:
        """One round that fits the whole run, then more while they fit this group's share; how many there were."""
        most = ROUNDS_WITHOUT_BUDGET if self.setup.deadline is None else MOST_ROUNDS
        for number in range(1, most + 1):
            seats = self._without_lost(seats)
            if number > 1 and self.setup.clock() + 2 * sum(seat.turn_s for seat in seats) > end:
                return number - 1
            self._run_round(self._plan_order(seats, number), {"round": number, "group": group})
            if number == 1:
                self.least += self.setup.clock() - began
                self.history.note_first_round()
        return most

    def _run_round(self, order: Sequence[Seat], where: Mapping[str, Any], quantity: Quantity | None = None) -> None:
        """One block a turn, in that order. A run that is to end ends here, with the round torn."""
        for place, seat in enumerate(order):
            if seat.task.key not in self.history.lost and not self.setup.stop():
                where_in_it = {"order": place, "size": len(order), **where}
                self.turns.take_block(seat, quantity or self.setup.plan.quantity, where_in_it)

    def _measure_other_quantities(self, seats: list[Seat], group: int, rounds: int) -> None:
        """One round for each quantity the device tells apart and the plan did not ask for, where it fits the time left.

        A round in which a network turned out not to have the quantity is torn, and run again without it.
        """
        seats = [seat for seat in self._without_lost(seats) if seat.call_ns < SLOW_NS]
        told = list(dict.fromkeys(each for seat in seats for each in seat.facts.get("quantities", ())))
        pending = [quantity for quantity in told if quantity != self.setup.plan.quantity]
        while pending:
            quantity, rounds, before = pending.pop(0), rounds + 1, len(self.history.refused)
            order = [seat for seat in self._without_lost(seats) if self._has_quantity(seat, quantity)]
            if order and sum(seat.turn_s for seat in order) <= self.setup.seconds_left():
                self._run_round(self._shuffle_order(order, rounds), {"round": rounds, "group": group}, quantity)
            if len(self.history.refused) > before:
                pending.insert(0, quantity)

    def _has_quantity(self, seat: Seat, quantity: Quantity) -> bool:
        return quantity in seat.facts["quantities"] and (seat.task.key, quantity) not in self.history.refused

    def _without_lost(self, seats: Iterable[Seat]) -> list[Seat]:
        return [seat for seat in seats if seat.task.key not in self.history.lost]

    def _plan_order(self, seats: Sequence[Seat], number: int) -> list[Seat]:
        """A random order and its mirror; what does not fit the time left is planned shorter, the reference kept first."""
        fitting = sorted(seats, key=lambda seat: not seat.task.variant.reference)
        while fitting and sum(seat.turn_s for seat in fitting) > self.setup.seconds_left():
            fitting.pop()
        shuffled = self._shuffle_order(fitting, number)
        fits = 2 * sum(seat.turn_s for seat in shuffled) <= self.setup.seconds_left()
        return shuffled + shuffled[::-1] if fits else shuffled

    def _shuffle_order(self, seats: Sequence[Seat], number: int) -> list[Seat]:
        shuffled = list(seats)
        random.Random(f"{self.setup.plan.seed}/{self.number}/{number}").shuffle(shuffled)
        return shuffled
