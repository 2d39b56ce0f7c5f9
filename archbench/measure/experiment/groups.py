"""Who is measured with whom: those who are compared, as many as fit in memory together. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archbench import units
from archbench.measure.experiment.setup import ExperimentSetup, ResultSink
from archbench.measure.experiment.task import Task

PROCESS_BYTES = (
    600 << 20
)  # a worker beside its network: interpreter, torch, its library's scratch (seen: 350 to 500 MiB)
ACTIVATION_SLACK = 1.5  # a device holds more than the live tensors: scratch, rounding, a caching allocator


def drop_too_large(tasks: Sequence[Task], setup: ExperimentSetup, sink: ResultSink) -> Iterable[Task]:
    """The tasks that fit in memory by themselves; the others fail with the figures, and nothing is allocated."""
    for task in tasks:
        if (needed := process_bytes(task)) > setup.memory_bytes:
            had = units.format_mib(setup.memory_bytes)
            sink.fail_variant(task, f"needs about {units.format_mib(needed)} MiB and {had} MiB is to be had")
        else:
            yield task


def process_bytes(task: Task) -> int:
    features = task.peak_bytes - task.weight_bytes
    return PROCESS_BYTES + task.weight_bytes + int(ACTIVATION_SLACK * features)


def add_company(owing: Sequence[Task], tasks: Sequence[Task]) -> list[Task]:
    """Those who owe a generation, the reference they are compared with and their partners, in the order of `tasks`."""
    pairs = {task.pair for task in owing} - {""}
    wanted = {task.key for task in owing}
    return [task for task in tasks if task.key in wanted or task.variant.reference or task.pair in pairs]


def make_groups(tasks: Sequence[Task], memory_bytes: int, *, caching: bool = False) -> list[list[Task]]:
    """Tasks in groups that fit in memory, the reference in each once: all of a group wait, one runs.

    Those who wait hold their weights; on a `caching` device all they ever took, since its allocator gives nothing back. A
    pair stays together; a unit that does not fit beside the reference is a group without it, compared with nobody else.
    Wherever the reference stands in the list, its own unit is placed first; each group is in the order of the list.
    """
    units = _inseparable(tasks)
    shared = [task for task in tasks if task.variant.reference][:1]
    own = [unit for unit in units if shared and shared[0] in unit]
    found, alone = [*own] or [[]], []
    for unit in units:
        if unit in own:
            continue
        if not _fits_together([*shared, *unit], memory_bytes, caching=caching):
            alone.append(unit)
        elif _fits_together([*found[-1], *unit], memory_bytes, caching=caching):
            found[-1] = [*found[-1], *unit]
        else:
            found.append([*shared, *unit])
    place = {task.key: number for number, task in enumerate(task for unit in units for task in unit)}
    return [sorted(group, key=lambda task: place[task.key]) for group in (*found, *alone) if group]


def _inseparable(tasks: Sequence[Task]) -> list[list[Task]]:
    """Pairs, and single tasks, in their order."""
    found: dict[object, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.pair or task.key, []).append(task)
    return list(found.values())


def _fits_together(group: Sequence[Task], memory_bytes: int, *, caching: bool) -> bool:
    if caching:
        return sum(map(process_bytes, group)) <= memory_bytes
    waiting = sum(PROCESS_BYTES + member.weight_bytes for member in group)
    running = max(process_bytes(member) - PROCESS_BYTES - member.weight_bytes for member in group)
    return waiting + running <= memory_bytes
