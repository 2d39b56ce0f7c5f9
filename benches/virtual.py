"""The real experiment on the noise machine: archbench's own turns, repeats, warm-ups and stopping rule, in virtual time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archbench.design.spec.schema import MeasurePlan
from archbench.measure.experiment.experiment import measure
from archbench.measure.experiment.plan import PlannedVariant
from archbench.measure.experiment.state import ExperimentSetup
from archbench.measure.worker import timing
from archbench.models.variant import ModuleFactory, Variant, Workload
from archbench.runs.progress import RunProgress
from archbench.runs.records import Block
from archbench.units import NS_PER_S
from benches.noise import Machine, Noise
from benches.peers import PROCESS_S

PLENTY = 1 << 40


@dataclass
class Laboratory:
    """A noise machine, what each variant's call really takes on it, and the blocks that came of it."""

    machine: Machine
    call_s: Mapping[str, float]  # by variant id
    measuring_s: float = float("inf")  # the run ends once blocks, repeats and pauses took so long
    spent_s: float = 0.0
    kept_s: float = 0.0  # up to the last block that was kept
    blocks: list[Block] = field(default_factory=list)
    holder: object = None  # the process that had the device last

    def add_block(self, block: Block) -> None:
        """Keep what was measured in time; a pause or a block that was begun just before may end after it."""
        if self.spent_s <= self.measuring_s:
            self.blocks.append(block)
            self.kept_s = self.spent_s

    def fail_variant(self, planned: PlannedVariant, reason: str) -> None:
        raise AssertionError(reason)

    def report_progress(self, step: RunProgress) -> None:
        pass

    def pause(self, seconds: float) -> None:
        self.spent_s += seconds
        self.machine.idle(seconds)

    def setup(self, plan: MeasurePlan, deadline: float | None) -> ExperimentSetup:
        return ExperimentSetup(
            plan,
            "virtual",
            PLENTY,
            deadline=deadline,
            stop=lambda: self.spent_s >= self.measuring_s,
            clock=lambda: self.machine.now,
            pause=self.pause,
            worker=lambda variant, setup, *, timeout: Process(self, variant),
        )


class Process:
    """A worker and its device: the supervisor's protocol above, timing's below."""

    name = "virtual"
    asynchronous = False

    def __init__(self, laboratory: Laboratory, variant: Variant) -> None:
        laboratory.machine.idle(PROCESS_S)
        self.laboratory, self.machine = laboratory, laboratory.machine
        self.call_s = laboratory.call_s[variant.id] * laboratory.machine.new_process()

    def start(self) -> dict[str, Any]:
        return {"cold_ms": {}}

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if request["do"] == "warm":
            calls, steady = timing.warm_up(self.forward, self)
            return vars(calls) | {"steady": steady, "memory_bytes": None, "memory_kind": None, "memory": {}}
        began, worked = self.machine.now, self.machine.cpu_s
        calls = timing.time_block(self.forward, self, call_ns=request["call_ns"])
        took = self.machine.now - began
        self.laboratory.spent_s += took
        lost = 1.0 - (self.machine.cpu_s - worked) / took
        return vars(calls) | {"telemetry": {"throttle": float(self.machine.throttled), "lost": lost}}

    def close(self) -> None:
        pass

    def forward(self) -> None:
        new, self.laboratory.holder = self.laboratory.holder is not self, self
        self.machine.call(self.call_s * (1.0 + self.machine.noise.hand_over * new))

    def now_ns(self) -> int:
        return int(self.machine.now * NS_PER_S)

    def synchronize(self) -> None:
        pass

    def new_mark(self) -> list[int]:
        return []

    def record(self, mark: list[int]) -> None:
        mark[:] = [int(self.machine.cpu_s * NS_PER_S)]

    def elapsed_ns(self, start: list[int], end: list[int]) -> int:
        return end[0] - start[0]


def variants(count: int) -> list[Variant]:
    """So many variants, the first the reference."""
    return [Variant(f"v{k}", ModuleFactory(f"virtual:v{k}"), Workload(), reference=k == 0) for k in range(count)]


def experiment(
    noise: Noise,
    seed: int,
    call_s: Sequence[float],
    plan: MeasurePlan,
    *,
    measuring_s: float = float("inf"),
    budget_s: float | None = None,
    pairs: Mapping[int, str] | None = None,
) -> tuple[Laboratory, list[PlannedVariant]]:
    """Measure variants whose calls really take `call_s`; the laboratory with every block, and the plan in that order."""
    found = CACHE[len(call_s)] = CACHE.get(len(call_s)) or variants(len(call_s))
    truth = {variant.id: seconds for variant, seconds in zip(found, call_s, strict=True)}
    laboratory = Laboratory(Machine(noise, seed), truth, measuring_s)
    planned = [PlannedVariant(variant, pair=(pairs or {}).get(place, "")) for place, variant in enumerate(found)]
    measure(planned, laboratory.setup(plan, budget_s), laboratory)
    return laboratory, planned


CACHE: dict[int, list[Variant]] = {}
