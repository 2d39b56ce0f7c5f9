"""One generation: fresh processes for all, group by group, and rounds among each group. Imports no torch."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from archbench.design.spec.schema import Quantity
from archbench.measure.experiment.groups import make_groups
from archbench.measure.experiment.plan import PlannedVariant
from archbench.measure.experiment.state import ExperimentSetup, ExperimentState
from archbench.measure.experiment.turns import GenerationTurns, RunningVariant
from archbench.measure.supervisor.pipe import SLOW_NS
from archbench.measure.supervisor.worker_process import Worker, WorkerFailed, WorkerSetup
from archbench.runs.records import Key

STARTS_AT_ONCE = 2  # importing torch is one thread's work; more at once only queue for the disk and memory bus
MOST_ROUNDS = 10  # within one generation more rounds sharpen nothing that a fresh process would not sharpen more
ROUNDS_WITHOUT_BUDGET = 3
PATIENCE_S = 20.0  # that pauses and repeats of one generation may take in all, or a quarter of its share of a budget


@dataclass(frozen=True)
class FirstStart:
    """A command's first generation: networks that were to start, those that did, seconds until these were warm."""

    networks: int
    started: int
    seconds: float


@dataclass
class Generation:
    """Fresh processes for every planned variant, group by group, and rounds until a group's share is used."""

    number: int
    setup: ExperimentSetup
    state: ExperimentState
    plan: Sequence[PlannedVariant]
    slot: float  # seconds this generation may take
    least: float = 0.0  # seconds it took to start, warm up and run one round of each group
    started: set[Key] = field(default_factory=set)
    starting_s: float = 0.0  # seconds until these were warm
    turns: GenerationTurns = field(init=False)

    def __post_init__(self) -> None:
        patience, spare = min(PATIENCE_S, self.slot / 4), self.slot / 4 / max(1, len(self.plan))
        self.turns = GenerationTurns(self.number, self.setup, self.state, patience, spare)

    def measure_groups(self) -> FirstStart:
        """Start, warm up and measure them all, group by group, and say what starting took; the state is told who fails."""
        groups = make_groups(self.plan, self.setup.memory_bytes, caching=self.setup.device.startswith("cuda"))
        for number, group in enumerate(groups):
            began = self.setup.clock()
            with ExitStack() as stack:
                members = self._start_workers(
                    [planned for planned in group if planned.key not in self.state.lost], stack
                )
                members = [running for running in members if self.turns.warm_up(running, number)]
                self.starting_s += self.setup.clock() - began
                rounds = self._run_rounds(members, number, began, began + self.slot / len(groups))
                self._measure_other_quantities(members, number, rounds)
        return FirstStart(len(self.plan), len(self.started), self.starting_s)

    def _start_workers(self, group: Sequence[PlannedVariant], stack: ExitStack) -> list[RunningVariant]:
        """Workers with their networks built, two starting at a time; those that fail are lost.

        The processes are made by this thread: Linux ends them with the thread that made them, and the pool's end first.
        """
        workers = [self._hire_worker(planned, stack) for planned in group]
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            outcomes = list(pool.map(self._try_start, group, workers))
        for planned, outcome in zip(group, outcomes, strict=True):
            if outcome is not None:
                self.started.add(planned.key)
            if isinstance(outcome, WorkerFailed):
                self.state.fail_variant(planned, str(outcome))
        return [outcome for outcome in outcomes if isinstance(outcome, RunningVariant)]

    def _hire_worker(self, planned: PlannedVariant, stack: ExitStack) -> Worker:
        memory = self.setup.memory_bytes if self.setup.device == "cpu" else None
        setup = WorkerSetup(self.setup.device, self.setup.plan.seed, self.setup.plugins, memory)
        worker = self.setup.worker(planned.variant, setup, timeout=self.setup.plan.timeout)
        stack.callback(worker.close)
        return worker

    def _try_start(self, planned: PlannedVariant, worker: Worker) -> RunningVariant | WorkerFailed | None:
        """The variant with its running worker, the failure, or null where the time is over."""
        if self.setup.seconds_left() <= 0:
            return None
        self.turns.report_doing("starting", planned)
        try:
            return RunningVariant(planned, worker, worker.start())
        except WorkerFailed as failure:
            return failure

    def _run_rounds(self, members: list[RunningVariant], group: int, began: float, end: float) -> int:
        """One round that fits the whole run, then more while they fit this group's share; how many there were."""
        most = ROUNDS_WITHOUT_BUDGET if self.setup.deadline is None else MOST_ROUNDS
        for number in range(1, most + 1):
            members = self._without_lost(members)
            if number > 1 and self.setup.clock() + 2 * sum(running.turn_s for running in members) > end:
                return number - 1
            self._run_round(self._plan_order(members, number), {"round": number, "group": group})
            if number == 1:
                self.least += self.setup.clock() - began
                self.state.note_first_round()
        return most

    def _run_round(
        self, order: Sequence[RunningVariant], where: Mapping[str, Any], quantity: Quantity | None = None
    ) -> None:
        """One block a turn, in that order. A run that is to end ends here, with the round torn."""
        for place, running in enumerate(order):
            if running.planned.key not in self.state.lost and not self.setup.stop():
                where_in_it = {"order": place, "size": len(order), **where}
                self.turns.take_block(running, quantity or self.setup.plan.quantity, where_in_it)

    def _measure_other_quantities(self, members: list[RunningVariant], group: int, rounds: int) -> None:
        """One round for each quantity the device tells apart and the plan did not ask for, where it fits the time left.

        A round in which a network turned out not to have the quantity is torn, and run again without it.
        """
        members = [running for running in self._without_lost(members) if running.call_ns < SLOW_NS]
        known = dict.fromkeys(quantity for running in members for quantity in running.facts.get("quantities", ()))
        pending = [quantity for quantity in known if quantity != self.setup.plan.quantity]
        while pending:
            quantity, rounds, before = pending.pop(0), rounds + 1, len(self.state.refused)
            order = [running for running in self._without_lost(members) if self._has_quantity(running, quantity)]
            if order and sum(running.turn_s for running in order) <= self.setup.seconds_left():
                self._run_round(self._shuffle_order(order, rounds), {"round": rounds, "group": group}, quantity)
            if len(self.state.refused) > before:
                pending.insert(0, quantity)

    def _has_quantity(self, running: RunningVariant, quantity: Quantity) -> bool:
        return quantity in running.facts["quantities"] and (running.planned.key, quantity) not in self.state.refused

    def _without_lost(self, members: Iterable[RunningVariant]) -> list[RunningVariant]:
        return [running for running in members if running.planned.key not in self.state.lost]

    def _plan_order(self, members: Sequence[RunningVariant], number: int) -> list[RunningVariant]:
        """A random order and its mirror; what does not fit the time left is planned shorter, the reference kept first."""
        fitting = sorted(members, key=lambda running: not running.planned.variant.reference)
        while fitting and sum(running.turn_s for running in fitting) > self.setup.seconds_left():
            fitting.pop()
        shuffled = self._shuffle_order(fitting, number)
        fits = 2 * sum(running.turn_s for running in shuffled) <= self.setup.seconds_left()
        return shuffled + shuffled[::-1] if fits else shuffled

    def _shuffle_order(self, members: Sequence[RunningVariant], number: int) -> list[RunningVariant]:
        shuffled = list(members)
        random.Random(f"{self.setup.plan.seed}/{self.number}/{number}").shuffle(shuffled)
        return shuffled
