"""Groups of variants that are measured together: who is compared with whom, and as many as fit in memory. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archbench import units
from archbench.measure.experiment.plan import PlannedVariant, ResultSink

PROCESS_BYTES = (
    600 << 20
)  # of a worker beside its network: interpreter, torch, its library's scratch (seen: 350 to 500 MiB)
ACTIVATION_SLACK = 1.5  # a device holds more than the live tensors: scratch, rounding, a caching allocator


def drop_too_large(plan: Sequence[PlannedVariant], memory_bytes: int, sink: ResultSink) -> Iterator[PlannedVariant]:
    """The variants that fit in memory by themselves; the others fail with the figures, and nothing is allocated."""
    for planned in plan:
        if (needed := process_bytes(planned)) > memory_bytes:
            had = units.format_mib(memory_bytes)
            sink.fail_variant(planned, f"needs about {units.format_mib(needed)} MiB and {had} MiB is to be had")
        else:
            yield planned


def process_bytes(planned: PlannedVariant) -> int:
    """Bytes the variant's whole process takes while it runs."""
    features = planned.running_bytes - planned.resting_bytes
    return PROCESS_BYTES + planned.resting_bytes + int(ACTIVATION_SLACK * features)


def add_company(owing: Sequence[PlannedVariant], plan: Sequence[PlannedVariant]) -> list[PlannedVariant]:
    """The variants that owe a generation, the reference they are compared with and their partners, in the plan's order."""
    pairs = {planned.pair for planned in owing} - {""}
    wanted = {planned.key for planned in owing}
    return [planned for planned in plan if planned.key in wanted or planned.variant.reference or planned.pair in pairs]


def make_groups(
    plan: Sequence[PlannedVariant], memory_bytes: int, *, caching: bool = False
) -> list[list[PlannedVariant]]:
    """Groups that fit in memory, the reference in each once: all of a group wait, one runs.

    A variant that waits holds its weights; on a `caching` device all it ever took, since its allocator gives nothing back. A
    pair stays together; one that does not fit beside the reference is a group without it, compared with nobody else.
    Wherever the reference stands in the plan, its own pair is placed first; each group is in the plan's order.
    """
    inseparable = _inseparable(plan)
    shared = [planned for planned in plan if planned.variant.reference][:1]
    own = [pair for pair in inseparable if shared and shared[0] in pair]
    found, alone = [*own] or [[]], []
    for pair in inseparable:
        if pair in own:
            continue
        if not _fits_together([*shared, *pair], memory_bytes, caching=caching):
            alone.append(pair)
        elif _fits_together([*found[-1], *pair], memory_bytes, caching=caching):
            found[-1] = [*found[-1], *pair]
        else:
            found.append([*shared, *pair])
    place = {planned.key: number for number, planned in enumerate(planned for pair in inseparable for planned in pair)}
    return [sorted(group, key=lambda planned: place[planned.key]) for group in (*found, *alone) if group]


def _inseparable(plan: Sequence[PlannedVariant]) -> list[list[PlannedVariant]]:
    """Pairs, and variants without one by themselves, in their order."""
    found: dict[object, list[PlannedVariant]] = {}
    for planned in plan:
        found.setdefault(planned.pair or planned.key, []).append(planned)
    return list(found.values())


def _fits_together(group: Sequence[PlannedVariant], memory_bytes: int, *, caching: bool) -> bool:
    if caching:
        return sum(map(process_bytes, group)) <= memory_bytes
    waiting = sum(PROCESS_BYTES + planned.resting_bytes for planned in group)
    running = max(process_bytes(planned) - PROCESS_BYTES - planned.resting_bytes for planned in group)
    return waiting + running <= memory_bytes
