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

from collections.abc import Iterable, Sequence

from archbench.measure.experiment.budget import FirstStart
from archbench.measure.experiment.generation import Generation
from archbench.measure.experiment.groups import drop_too_large
from archbench.measure.experiment.setup import ExperimentSetup, ResultSink
from archbench.measure.experiment.state import ExperimentState
from archbench.measure.experiment.task import Task
from archbench.runs.records import Block, Key


def measure(
    tasks: Sequence[Task],
    setup: ExperimentSetup,
    sink: ResultSink,
    done: Iterable[Block] = (),
    failed: frozenset[Key] = frozenset(),
) -> FirstStart:
    """Measure all tasks, going on from the blocks already on disk and without the variants that failed before.

    Tells what starting them the first time took.

    An interrupted generation with a whole round counts as a shorter one. Failures go to the sink; none is raised.
    """
    history = ExperimentState(setup, sink, list(done), set(failed))
    alive = list(drop_too_large(tasks, setup, history))
    starting = FirstStart(len(alive), 0, 0.0)
    least = 0.0  # what a generation of one round takes
    for number in history.number_generations(alive):
        if least >= setup.seconds_left():
            break
        fresh = Generation(number, setup, history, history.due, history.seconds_for_next())
        fresh.measure_groups()
        starting = starting if starting.started else fresh.first_start
        least = fresh.least
        alive[:] = [task for task in alive if task.key not in history.lost]
    return starting
