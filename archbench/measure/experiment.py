"""The experiment: every variant in its own fresh process, taking turns in rounds, generation after generation.

  generation  fresh processes for all variants: the unit of replication
  round       a random order of the variants and its mirror, one block a turn, so that a drift meets all alike
  group       as many variants as fit in memory together; groups share the reference
  disturbed   a block during which the clock was throttled or others took the processor is kept and taken again, at most
              three times, after a pause that grows, while the generation's patience lasts
  stopping    at a generation's end: the wanted generations are done and every interval is narrow enough, or the budget is
              spent
Nothing is measured while another process starts or runs. Imports no torch.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from archbench import units
from archbench.design.schema import Quantity
from archbench.measure.groups import affordable, groups
from archbench.measure.history import History
from archbench.measure.pace import SLOW_NS
from archbench.measure.setup import Setup, Sink
from archbench.measure.supervisor import Job, Worker, WorkerFailed
from archbench.measure.task import Task
from archbench.reporting.records import Block, Key, Phase
from archbench.reporting.step import Doing, Step

STARTS_AT_ONCE = 2  # importing torch is one thread's work; more at once only queue for the disk and memory bus
MOST_ROUNDS = 10  # within one generation more rounds sharpen nothing that a fresh process would not sharpen more
ROUNDS_WITHOUT_BUDGET = 3
PAUSES_S = (1.0, 2.0, 4.0)  # before a disturbed block is taken again: bursts of a shared machine last seconds
PATIENCE_S = 20.0  # that pauses and repeats of one generation may take in all, or a quarter of its share of a budget
ENERGY_S = 8.0  # of idling and calls, for a counter that some GPUs move ten times a second


def measure(
    tasks: Sequence[Task], setup: Setup, sink: Sink, done: Iterable[Block] = (), failed: frozenset[Key] = frozenset()
) -> None:
    """Measure all tasks, going on from the blocks already on disk and without the variants that failed before.

    An interrupted generation with a whole round counts as a shorter one. Failures go to the sink; none is raised.
    """
    history = History(setup, sink, list(done), set(failed))
    alive = list(affordable(tasks, setup, history))
    least = 0.0  # what a generation of one round takes
    for number in history.generations(alive):
        if least >= setup.left():
            return
        fresh = _Generation(number, setup, history, history.slot())
        fresh.run(history.due)
        least = fresh.least
        alive[:] = [task for task in alive if task.key not in history.lost]


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
    sink: History
    slot: float  # seconds this generation may take
    least: float = 0.0  # seconds it took to start, warm up and run one round of each group
    size: int = 0  # tasks
    patience: float = 0.0  # seconds that pauses and repeats may still take

    def run(self, tasks: Sequence[Task]) -> None:
        """Start, warm up and measure them all, group by group; who fails is told to the sink."""
        parts = groups(tasks, self.setup.memory_bytes, caching=self.setup.device.startswith("cuda"))
        self.size = len(tasks)
        self.patience = min(PATIENCE_S, self.slot / 4)
        for index, group in enumerate(parts):
            began = self.setup.clock()
            with ExitStack() as stack:
                seats = self._start([task for task in group if task.key not in self.sink.lost], stack)
                seats = [seat for seat in seats if self._warm(seat, index)]
                rounds = self._rounds(seats, index, began, began + self.slot / len(parts))
                self._other_quantities(seats, index, rounds)

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
        memory = self.setup.memory_bytes if self.setup.device == "cpu" else None
        job = Job(task.variant, self.setup.device, self.setup.plan.seed, self.setup.plugins, memory)
        worker = self.setup.worker(job, timeout=self.setup.plan.timeout)
        stack.callback(worker.close)
        return worker

    def _try_start(self, task: Task, worker: Worker) -> _Seat | WorkerFailed | None:
        """A seat, the failure, or null where the time is over."""
        if self.setup.left() <= 0:
            return None
        self._say("starting", task)
        try:
            return _Seat(task, worker, worker.start())
        except WorkerFailed as failure:
            return failure

    def _warm(self, seat: _Seat, group: int) -> bool:
        """The first calls of a process, kept with what the process found while starting. False: lost, or no time left."""
        if self.setup.left() <= 0:
            return False
        self._say("warming up", seat.task)
        reply = self._ask(seat, {"do": "warm"})
        if reply is None:
            return False
        start = seat.facts | {name: reply.pop(name) for name in ("steady", "memory_bytes", "memory_kind", "memory")}
        start["cold_ms"] = start["cold_ms"] | {"first call": reply["wall_ns"][0] / units.NS_PER_MS}
        start |= self._energy(seat, reply["wall_ns"][-1])
        self._keep(seat, reply, phase="warm-up", group=group, start=start)
        seat.call_ns = reply["wall_ns"][-1]
        seat.turn_s = seat.call_ns / units.NS_PER_S
        return True

    def _energy(self, seat: _Seat, call_ns: int) -> dict[str, Any]:
        """The energy of a call, once a variant, where there is a meter and the generation can spare the seconds."""
        spare = self.slot / 4 / max(1, self.size)
        if not seat.facts.get("meter") or self.sink.metered(seat.task.key) or spare < ENERGY_S:
            return {}
        self._say("metering", seat.task)
        reply = self._ask(seat, {"do": "energy", "call_ns": call_ns}) or {}
        return {"energy_mj": reply.get("energy_mj")}

    def _rounds(self, seats: list[_Seat], group: int, began: float, end: float) -> int:
        """One round that fits the whole run, then more while they fit this group's share; how many there were."""
        most = ROUNDS_WITHOUT_BUDGET if self.setup.deadline is None else MOST_ROUNDS
        for number in range(1, most + 1):
            seats = self._alive(seats)
            if number > 1 and self.setup.clock() + 2 * sum(seat.turn_s for seat in seats) > end:
                return number - 1
            self._round(self._order(seats, number), {"round": number, "group": group})
            self.least += self.setup.clock() - began if number == 1 else 0.0
        return most

    def _round(self, order: Sequence[_Seat], where: Mapping[str, Any], quantity: Quantity | None = None) -> None:
        """One block a turn, in that order. A run that is to end ends here, with the round torn."""
        for place, seat in enumerate(order):
            if seat.task.key not in self.sink.lost and not self.setup.stop():
                self._turn(seat, quantity or self.setup.plan.quantity, {"order": place, "size": len(order), **where})

    def _other_quantities(self, seats: list[_Seat], group: int, rounds: int) -> None:
        """One round for each quantity the device tells apart and the plan did not ask for, where it fits the time left.

        A round in which a network turned out not to have the quantity is torn, and run again without it.
        """
        seats = [seat for seat in self._alive(seats) if seat.call_ns < SLOW_NS]
        told = list(dict.fromkeys(each for seat in seats for each in seat.facts.get("quantities", ())))
        pending = [quantity for quantity in told if quantity != self.setup.plan.quantity]
        while pending:
            quantity, rounds, before = pending.pop(0), rounds + 1, len(self.sink.refused)
            order = [seat for seat in self._alive(seats) if self._has(seat, quantity)]
            if order and sum(seat.turn_s for seat in order) <= self.setup.left():
                self._round(self._shuffled(order, rounds), {"round": rounds, "group": group}, quantity)
            if len(self.sink.refused) > before:
                pending.insert(0, quantity)

    def _has(self, seat: _Seat, quantity: Quantity) -> bool:
        return quantity in seat.facts["quantities"] and (seat.task.key, quantity) not in self.sink.refused

    def _alive(self, seats: Iterable[_Seat]) -> list[_Seat]:
        return [seat for seat in seats if seat.task.key not in self.sink.lost]

    def _order(self, seats: Sequence[_Seat], number: int) -> list[_Seat]:
        """A random order and its mirror; what does not fit the time left is planned shorter, the reference kept first."""
        fitting = sorted(seats, key=lambda seat: not seat.task.variant.reference)
        while fitting and sum(seat.turn_s for seat in fitting) > self.setup.left():
            fitting.pop()
        shuffled = self._shuffled(fitting, number)
        fits = 2 * sum(seat.turn_s for seat in shuffled) <= self.setup.left()
        return shuffled + shuffled[::-1] if fits else shuffled

    def _shuffled(self, seats: Sequence[_Seat], number: int) -> list[_Seat]:
        shuffled = list(seats)
        random.Random(f"{self.setup.plan.seed}/{self.number}/{number}").shuffle(shuffled)
        return shuffled

    def _turn(self, seat: _Seat, quantity: Quantity, where: Mapping[str, Any]) -> None:
        """A block, and again while it is disturbed and there is patience."""
        self._say("measuring", seat.task, where["round"])
        began = self.setup.clock()
        disturbed = self._block(seat, quantity, 0, where)
        seat.turn_s = self.setup.clock() - began
        for attempt, pause in enumerate(PAUSES_S, 1):
            needed = pause + seat.turn_s
            if not disturbed or needed > min(self.patience, self.setup.left()):
                return
            self.patience -= needed
            self.setup.pause(pause)
            disturbed = self._block(seat, quantity, attempt, where)

    def _block(self, seat: _Seat, quantity: Quantity, attempt: int, where: Mapping[str, Any]) -> bool:
        """Take one block and keep it; whether it was disturbed."""
        optional = quantity != self.setup.plan.quantity
        request = {"do": "block", "call_ns": seat.call_ns, "quantity": quantity, "optional": optional}
        reply = self._ask(seat, request)
        if reply is None:
            return False
        if "refused" in reply:
            self.sink.refused.add((seat.task.key, quantity))
            return False
        reasons = self.sink.hygiene.reasons(reply.get("telemetry", {}))
        self._keep(seat, reply, quantity=quantity, attempt=attempt, disturbed=reasons, **where)
        if quantity == self.setup.plan.quantity:
            seat.call_ns = int(median(reply["wall_ns"]))
        return bool(reasons)

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
        self.sink.failed(task, reason)

    def _say(self, doing: Doing, task: Task, round: int = 0) -> None:
        left = self.setup.left()
        seconds_left = None if left == float("inf") else max(0.0, left)
        self.sink.progress(Step(doing, task.title, self.number, round, self.sink.precision, seconds_left))
