"""A process and its requests: warmed up, metered, taken a turn with; each reply is kept. Imports no torch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from archbench import units
from archbench.design.spec.schema import Quantity
from archbench.measure.experiment.setup import ExperimentSetup
from archbench.measure.experiment.state import ExperimentState
from archbench.measure.experiment.task import Task
from archbench.measure.supervisor.worker_process import Worker, WorkerFailed
from archbench.runs.progress import Doing, Step
from archbench.runs.records import Block, Phase

PAUSES_S = (1.0, 2.0, 4.0)  # before a disturbed block is taken again: bursts of a shared machine last seconds
TIMED = ("wall_ns", "device_ns", "dropped")  # of a warm-up, what its block keeps; the rest goes with the start
ENERGY_S = 8.0  # of idling and calls, for a counter that some GPUs move ten times a second


@dataclass
class Seat:
    """A task with its worker, what that found while starting, and how long a call and a turn take as seen so far."""

    task: Task
    worker: Worker
    facts: dict[str, Any]
    call_ns: int = 0
    turn_s: float = 0.0


@dataclass
class GenerationTurns:
    """What is asked of the workers of one generation."""

    number: int  # of the generation
    setup: ExperimentSetup
    history: ExperimentState
    patience: float  # seconds that pauses and repeats may still take
    spare: float  # seconds that metering one variant may take

    def warm_up(self, seat: Seat, group: int) -> bool:
        """The first calls of a process, kept with what the process found while starting. False: lost, or no time left."""
        if self.setup.seconds_left() <= 0:
            return False
        self.report_doing("warming up", seat.task)
        reply = self._ask_worker(seat, {"do": "warm"})
        if reply is None:
            return False
        found = {name: reply.pop(name) for name in list(reply) if name not in TIMED}
        start = seat.facts | found | {"cold_ms": _cold_pieces(seat.facts["cold_ms"], reply["wall_ns"][0])}
        start |= self._meter_energy(seat, reply["wall_ns"][-1])
        self._add_block(seat, reply, phase="warm-up", group=group, start=start)
        seat.call_ns = reply["wall_ns"][-1]
        seat.turn_s = seat.call_ns / units.NS_PER_S
        return True

    def _meter_energy(self, seat: Seat, call_ns: int) -> dict[str, Any]:
        """The energy of a call, once a variant, where there is a meter and the generation can spare the seconds."""
        if not seat.facts.get("meter") or self.history.has_been_metered(seat.task.key) or self.spare < ENERGY_S:
            return {}
        self.report_doing("metering", seat.task)
        reply = self._ask_worker(seat, {"do": "energy", "call_ns": call_ns}) or {}
        return {"energy_mj": reply.get("energy_mj")}

    def take_block(self, seat: Seat, quantity: Quantity, where: Mapping[str, Any]) -> None:
        """A block, and again while it is disturbed and there is patience."""
        self.report_doing("measuring", seat.task, where["round"])
        began = self.setup.clock()
        disturbed = self._take_once(seat, quantity, 0, where)
        seat.turn_s = self.setup.clock() - began
        for attempt, pause in enumerate(PAUSES_S, 1):
            needed = pause + seat.turn_s
            if not disturbed or needed > min(self.patience, self.setup.seconds_left()):
                return
            self.patience -= needed
            self.setup.pause(pause)
            disturbed = self._take_once(seat, quantity, attempt, where)

    def _take_once(self, seat: Seat, quantity: Quantity, attempt: int, where: Mapping[str, Any]) -> bool:
        """Take one block and keep it; whether it was disturbed."""
        optional = quantity != self.setup.plan.quantity
        request = {"do": "block", "call_ns": seat.call_ns, "quantity": quantity, "optional": optional}
        reply = self._ask_worker(seat, request)
        if reply is None:
            return False
        if "refused" in reply:
            self.history.refused.add((seat.task.key, quantity))
            return False
        reasons = self.history.judge.find_reasons(reply.get("telemetry", {}))
        self._add_block(seat, reply, quantity=quantity, attempt=attempt, disturbed=reasons, **where)
        if quantity == self.setup.plan.quantity:
            seat.call_ns = int(median(reply["wall_ns"]))
        return bool(reasons)

    def _ask_worker(self, seat: Seat, request: dict[str, Any]) -> dict[str, Any] | None:
        """The worker's reply; null where it failed, which loses the task."""
        try:
            return seat.worker.ask(request)
        except WorkerFailed as failure:
            self.history.fail_variant(seat.task, str(failure))
            return None

    def _add_block(
        self,
        seat: Seat,
        reply: Mapping[str, Any],
        *,
        phase: Phase = "steady",
        order: int = 0,
        round: int = 0,
        **where: Any,
    ) -> None:
        timed = {name: tuple(value) if isinstance(value, list) else value for name, value in reply.items()}
        identifier, replica = seat.task.key
        self.history.add_block(
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

    def report_doing(self, doing: Doing, task: Task, round: int = 0) -> None:
        seconds_left, estimated = self.history.estimate_seconds_left()
        precision = self.history.widest
        self.history.report_progress(Step(doing, task.title, self.number, round, precision, seconds_left, estimated))


def _cold_pieces(started: Mapping[str, float], first_ns: int) -> dict[str, float]:
    """The pieces of `cold_ms`, to the first result and no further: what compiled had it within `compile`."""
    return dict(started) if "compile" in started else {**started, "first call": first_ns / units.NS_PER_MS}
