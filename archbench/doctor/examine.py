"""`archbench doctor`: what this machine can measure, and how well, found out by measuring. Imports no torch.

watch       what others do while nothing of ours runs
self-check  one worker reads its clocks and its allocator
A/A null    one network in the real experiment, as if it were two
diagnosis   all of it, with what would make it better
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archbench.design.spec.schema import MeasurePlan, budget_seconds
from archbench.design.spec.spec import parse_measure_plan
from archbench.design.variants import preset
from archbench.doctor.advice import advise
from archbench.doctor.checks import (
    Check,
    NullTest,
    check_hand_over,
    check_null_test,
    judge_self_checks,
    summarise_null_test,
)
from archbench.doctor.diagnosis import Diagnosis
from archbench.doctor.host import ROOT, Host, count_throttles, describe_gpu, describe_host
from archbench.errors import CannotMeasure, SpecError
from archbench.measure.experiment.experiment import measure
from archbench.measure.experiment.plan import PlannedVariant, plan_variants
from archbench.measure.experiment.state import ExperimentSetup
from archbench.measure.machine import environment
from archbench.measure.machine.linux import LostTime
from archbench.measure.supervisor.worker_process import Worker, WorkerFailed, WorkerSetup
from archbench.models.variant import Variant
from archbench.runs.progress import RunProgress
from archbench.runs.records import Block
from archbench.space.constraints import KeptVariants, price_all

# A call of some 10 ms: long beside a clock's step, short beside a drift. On a GPU it must be the GPU that takes it.
ON_CPU = ("R-18-FPN", 128, 128)
ON_CUDA = ("R-50-FPN", 800, 1333)

BUDGET_S = 75  # of the A/A null: five generations on two cores (seen: 10 to 14 s each, 25 on busy ones)
GENERATIONS = 5
QUICK_BUDGET_S = 40
QUICK_GENERATIONS = 2
TIMEOUT_S = 120.0

Say = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Surroundings:
    """The surroundings of a diagnosis: where the machine's files are, how time passes, what a worker is."""

    root: Path = ROOT
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    worker: Callable[..., Worker] = Worker


@dataclass
class _Findings:
    """The findings so far; a finding that a failure prevented stays as it is here."""

    device: str
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the worker
    checks: tuple[Check, ...] = ()
    blocks: Sequence[Block] = ()
    null_test: NullTest | None = None
    reason: str | None = None


class _MemorySink:
    """The experiment's sink, in memory: nothing of a diagnosis is stored but the diagnosis."""

    def __init__(self, say: Say) -> None:
        self.blocks: list[Block] = []
        self.failures: list[str] = []
        self._say = say

    def add_block(self, block: Block) -> None:
        self.blocks.append(block)

    def fail_variant(self, planned: PlannedVariant, reason: str) -> None:
        self.failures.append(reason)

    def report_progress(self, step: RunProgress) -> None:
        self._say(f"A/A null: {step.place}", step.seconds_left)


def plan_diagnosis(device: str, *, quick: bool) -> MeasurePlan:
    """The plan a diagnosis measures by. Raises SpecError for a device that is none."""
    if device == "none":
        raise SpecError("--device none: nothing to examine; take auto, cpu, cuda or cuda:N")
    return parse_measure_plan(
        {
            "device": device,
            "replicas": 2,
            "generations": QUICK_GENERATIONS if quick else GENERATIONS,
            "budget": QUICK_BUDGET_S if quick else BUDGET_S,
            "timeout": TIMEOUT_S,
        }
    )


def examine(plan: MeasurePlan, say: Say, around: Surroundings | None = None) -> Diagnosis:
    """Find out what the plan's device can measure. A fault of the device is in the diagnosis, never raised."""
    around = around or Surroundings()
    began = around.clock()
    say("watching what else runs", None)
    seen = describe_host(around.root, around.pause)
    lost, throttles = LostTime(around.root / "proc"), count_throttles(around.root)
    found = _Findings(plan.device)
    try:
        found.device = environment.resolve_device(plan.device)
        say("self-checks", None)
        found.facts, found.checks = run_self_checks(found.device, plan, around)
        found.blocks, found.null_test = run_null_test(found.device, plan, say, around)
    except (CannotMeasure, WorkerFailed) as failure:
        found.reason = str(failure)
    after = count_throttles(around.root)
    throttles = None if throttles is None or after is None else after - throttles
    seen = replace(seen, steal=lost.since_last()["steal"], throttles=throttles)
    return make_diagnosis(found, seen, around.clock() - began)


def probe_variant(device: str) -> Variant:
    """The network a device is examined with."""
    name, height, width = _probe_size(device)
    return replace(preset(name, {"input.height": height, "input.width": width}), name=name)


def _probe_size(device: str) -> tuple[str, int, int]:
    return ON_CPU if device == "cpu" else ON_CUDA


def run_self_checks(
    device: str, plan: MeasurePlan, around: Surroundings
) -> tuple[Mapping[str, Any], tuple[Check, ...]]:
    """A worker's facts from starting, and the checks of its own clocks and allocator. Raises WorkerFailed."""
    with around.worker(probe_variant(device), WorkerSetup(device, plan.seed), timeout=plan.timeout) as worker:
        facts = worker.start()
        worker.ask({"do": "warm"})
        readings = worker.ask({"do": "self-check"})
    return facts, judge_self_checks(readings, facts["device"].get("threads"), cpu=device == "cpu")


def run_null_test(device: str, plan: MeasurePlan, say: Say, around: Surroundings) -> tuple[Sequence[Block], NullTest]:
    """One network as two replicas in the real experiment: what differs between them is noise. Raises CannotMeasure."""
    budget, began = budget_seconds(plan), around.clock()
    twice = plan_variants(KeptVariants(tuple(price_all([probe_variant(device)]))), 2)
    deadline = None if budget is None else began + budget
    setup = ExperimentSetup(
        plan,
        device,
        environment.available_bytes(device),
        deadline=deadline,
        clock=around.clock,
        pause=around.pause,
        worker=around.worker,
    )
    kept = _MemorySink(say)
    measure(twice, setup, kept)
    if kept.failures:
        raise CannotMeasure(f"the A/A null failed: {kept.failures[0]}")
    name, height, width = _probe_size(device)
    null = summarise_null_test(kept.blocks, f"{name} at {height} x {width}", around.clock() - began)
    if null is None:
        raise CannotMeasure("the A/A null measured nothing in its budget: the machine is too slow or too busy")
    return kept.blocks, null


def make_diagnosis(found: _Findings, seen: Host, seconds: float) -> Diagnosis:
    """All that was found, with the reason where nothing can be measured, and the advice that applies."""
    identity = found.facts.get("device", {})
    checks = (*found.checks, check_hand_over(found.blocks), check_null_test(found.null_test))
    captured = environment.capture_environment(found.device)
    made = Diagnosis(
        taken=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        device=found.device,
        reason=found.reason or find_failure(checks),
        checks=checks if found.facts else (),
        null_test=found.null_test,
        host=seen,
        gpu=describe_gpu(identity, found.blocks) if identity and found.device != "cpu" else None,
        threads=identity.get("threads"),
        versions=find_versions(captured, identity),
        extras=find_extras(found.device),
        flags=captured["flags"],
        seconds=seconds,
    )
    return replace(made, advice=advise(made))


def find_failure(checks: Sequence[Check]) -> str | None:
    """Why nothing can be measured: the first check that failed and is a gate; null where all held."""
    for check in checks:
        if check.gate and check.passed is False:
            return f"self-check {check.name} failed; {check.remedy}"
    return None


def find_versions(captured: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, str | None]:
    """Of everything a time depends on: the system, the packages, the driver and what the device runs with."""
    of_device = {name: str(identity[name]) for name in ("cuda", "cudnn") if identity.get(name) is not None}
    return {
        "os": captured["os"],
        "python": captured["python"],
        **captured["versions"],
        "driver": captured["driver"],
        **of_device,
    }


def find_extras(device: str) -> dict[str, str | None]:
    """Optional parts that are here: packages by version, the compiler that torch.compile calls on the CPU by name."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    found = {
        "onnxruntime": environment.package_version("onnxruntime"),
        "compiler": Path(compiler).name if compiler else None,
    }
    return found if device == "cpu" else found | {"triton": environment.package_version("triton")}
