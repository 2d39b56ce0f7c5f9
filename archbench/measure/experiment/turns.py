"""The turns of a worker: it is warmed up, metered, asked for blocks; each reply is stored. Imports no torch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from archbench import units
from archbench.design.spec.schema import Quantity
from archbench.measure.experiment.plan import PlannedVariant
from archbench.measure.experiment.state import ExperimentSetup, ExperimentState
from archbench.measure.supervisor.worker_process import Worker, WorkerFailed
from archbench.runs.progress import Doing, RunProgress
from archbench.runs.records import Block, Phase

PAUSES_S = (1.0, 2.0, 4.0)  # before a disturbed block is taken again: bursts of a shared machine last seconds
TIMED = ("wall_ns", "device_ns", "dropped")  # of a warm-up, what its block keeps; the rest goes with the start
ENERGY_S = 8.0  # of idling and calls, for a counter that some GPUs move ten times a second


@dataclass
class RunningVariant:
    """A planned variant with its worker, what that found while starting, and how long a call and a turn take so far."""

    planned: PlannedVariant
    worker: Worker
    facts: dict[str, Any]
    call_ns: int = 0
    turn_s: float = 0.0


@dataclass
class GenerationTurns:
    """The requests to the workers of one generation, with the patience it has for disturbed blocks."""

    number: int  # of the generation
    setup: ExperimentSetup
    state: ExperimentState
    patience: float  # seconds that pauses and repeats may still take
    spare: float  # seconds that metering one variant may take

    def warm_up(self, running: RunningVariant, group: int) -> bool:
        """The first calls of a process, kept with what the process found while starting. False: lost, or no time left."""
        if self.setup.seconds_left() <= 0:
            return False
        self.report_doing("warming up", running.planned)
        reply = self._ask_worker(running, {"do": "warm"})
        if reply is None:
            return False
        found = {name: reply.pop(name) for name in list(reply) if name not in TIMED}
        start = running.facts | found | {"cold_ms": _cold_pieces(running.facts["cold_ms"], reply["wall_ns"][0])}
        start |= self._meter_energy(running, reply["wall_ns"][-1])
        self._add_block(running, reply, phase="warm-up", group=group, start=start)
        running.call_ns = reply["wall_ns"][-1]
        running.turn_s = running.call_ns / units.NS_PER_S
        return True

    def _meter_energy(self, running: RunningVariant, call_ns: int) -> dict[str, Any]:
        """The energy of a call, once a variant, where there is a meter and the generation can spare the seconds."""
        if not running.facts.get("meter") or self.state.has_meter_reading(running.planned.key) or self.spare < ENERGY_S:
            return {}
        self.report_doing("metering", running.planned)
        reply = self._ask_worker(running, {"do": "energy", "call_ns": call_ns}) or {}
        return {"energy_mj": reply.get("energy_mj")}

    def take_block(self, running: RunningVariant, quantity: Quantity, where: Mapping[str, Any]) -> None:
        """A block, and again while it is disturbed and there is patience."""
        self.report_doing("measuring", running.planned, where["round"])
        began = self.setup.clock()
        disturbed = self._take_once(running, quantity, 0, where)
        running.turn_s = self.setup.clock() - began
        for attempt, pause in enumerate(PAUSES_S, 1):
            needed = pause + running.turn_s
            if not disturbed or needed > min(self.patience, self.setup.seconds_left()):
                return
            self.patience -= needed
            self.setup.pause(pause)
            disturbed = self._take_once(running, quantity, attempt, where)

    def _take_once(self, running: RunningVariant, quantity: Quantity, attempt: int, where: Mapping[str, Any]) -> bool:
        """Take one block and keep it; whether it was disturbed."""
        optional = quantity != self.setup.plan.quantity
        request = {"do": "block", "call_ns": running.call_ns, "quantity": quantity, "optional": optional}
        reply = self._ask_worker(running, request)
        if reply is None:
            return False
        if "refused" in reply:
            self.state.refused.add((running.planned.key, quantity))
            return False
        reasons = self.state.judge.find_reasons(reply.get("telemetry", {}))
        self._add_block(running, reply, quantity=quantity, attempt=attempt, disturbed=reasons, **where)
        if quantity == self.setup.plan.quantity:
            running.call_ns = int(median(reply["wall_ns"]))
        return bool(reasons)

    def _ask_worker(self, running: RunningVariant, request: dict[str, Any]) -> dict[str, Any] | None:
        """The worker's reply; null where it failed, which loses the variant."""
        try:
            return running.worker.ask(request)
        except WorkerFailed as failure:
            self.state.fail_variant(running.planned, str(failure))
            return None

    def _add_block(
        self,
        running: RunningVariant,
        reply: Mapping[str, Any],
        *,
        phase: Phase = "steady",
        order: int = 0,
        round: int = 0,
        **where: Any,
    ) -> None:
        timed = {name: tuple(value) if isinstance(value, list) else value for name, value in reply.items()}
        identifier, replica = running.planned.key
        self.state.add_block(
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

    def report_doing(self, doing: Doing, planned: PlannedVariant, round: int = 0) -> None:
        """Tell whoever listens what is done to the variant, and how far the run is."""
        title, (seconds_left, estimated) = planned.title, self.state.estimate_seconds_left()
        widest = self.state.widest
        self.state.sink.report_progress(RunProgress(doing, title, self.number, round, widest, seconds_left, estimated))


def _cold_pieces(started: Mapping[str, float], first_ns: int) -> dict[str, float]:
    """The pieces of `cold_ms`, to the first result and no further: what compiled had it within `compile`."""
    return dict(started) if "compile" in started else {**started, "first call": first_ns / units.NS_PER_MS}
