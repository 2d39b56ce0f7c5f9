"""What an experiment is given beside its tasks: what its workers share, and where its results go. Imports no torch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from archbench.design.spec.schema import MeasurePlan
from archbench.measure.experiment.task import Task
from archbench.measure.supervisor.worker_process import Worker
from archbench.runs.progress import Step
from archbench.runs.records import Block


class ResultSink(Protocol):
    """Where results go, each on disk before the call returns."""

    def add_block(self, block: Block) -> None: ...

    def fail_variant(self, task: Task, reason: str) -> None: ...

    def report_progress(self, step: Step) -> None: ...


@dataclass(frozen=True)
class ExperimentSetup:
    """What all workers of a run share, and until when (on `clock`) it may go on; null: until it is done."""

    plan: MeasurePlan
    device: str
    memory_bytes: int  # what all workers together may take
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
