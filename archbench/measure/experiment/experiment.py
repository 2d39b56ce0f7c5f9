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

from archbench.measure.experiment.generation import FirstStart, Generation
from archbench.measure.experiment.groups import drop_too_large
from archbench.measure.experiment.plan import PlannedVariant, ResultSink
from archbench.measure.experiment.state import ExperimentSetup, ExperimentState
from archbench.runs.records import Block, Key


def measure(
    plan: Sequence[PlannedVariant],
    setup: ExperimentSetup,
    sink: ResultSink,
    done: Iterable[Block] = (),
    failed: frozenset[Key] = frozenset(),
) -> FirstStart:
    """Measure all planned variants, going on from the blocks on disk and without the variants that failed before.

    Returns what starting them the first time took. An interrupted generation with a whole round counts as a shorter one.
    Failures go to the sink; none is raised.
    """
    state = ExperimentState(setup, sink, list(done), set(failed))
    alive = list(drop_too_large(plan, setup.memory_bytes, state))
    first_start = FirstStart(len(alive), 0, 0.0)
    least = 0.0  # seconds that a generation of one round takes
    for number in state.number_generations(alive):
        if least >= setup.seconds_left():
            break
        generation = Generation(number, setup, state, state.due, state.seconds_for_next())
        started = generation.measure_groups()
        first_start = first_start if first_start.started else started
        least = generation.least
        alive[:] = [planned for planned in alive if planned.key not in state.lost]
    return first_start
