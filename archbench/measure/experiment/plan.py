"""What a run sets out to measure: every variant of its spec, and of the one it is compared with, replica by replica."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from archbench.errors import SpecError
from archbench.measure.experiment.task import Task
from archbench.runs.records import Key, Record, Side
from archbench.space.constraints import KeptVariants, PricedVariant


@dataclass(frozen=True)
class PlannedVariant:
    """One (variant, replica). In a comparison `side` says whose it is, and `pair` names what it is compared with."""

    item: PricedVariant
    replica: int = 0
    side: Side = ""
    pair: str = ""

    @property
    def key(self) -> Key:
        return self.item.variant.id, self.replica

    def open_record(self) -> Record:
        """As it stands before anything is measured."""
        variant, cost = self.item.variant, self.item.cost
        return Record(
            id=variant.id,
            name=variant.name,
            status="not reached",
            axes=dict(variant.axes),
            exact=cost.as_json() if cost else None,
            reference=variant.reference,
            replica=self.replica,
            side=self.side,
            pair=self.pair,
            **variant.as_json(),
        )

    def task(self) -> Task:
        weights, peak = planned_bytes(self.item)
        return Task(self.item.variant, self.replica, weights, peak, self.pair)


def planned_bytes(item: PricedVariant) -> tuple[int, int]:
    """(resting, running) tensor bytes to make room for; nothing is known of a hand-written module.

    Training keeps a gradient and a momentum beside each weight, and every map until the way back: about two for each
    convolution, its own and its norm's (R-50-FPN at 800 x 1344 holds 2.45 GB, traced; planned 2.50).
    """
    if item.cost is None:
        return 0, 0
    weights, workload = item.cost.weight_bytes, item.variant.workload
    if workload.mode == "infer":
        return weights, item.cost.peak_bytes
    return 3 * weights, 3 * weights + 2 * item.cost.acts * workload.feature_bytes


def plan_variants(kept: KeptVariants, replicas: int, against: KeptVariants | None = None) -> tuple[PlannedVariant, ...]:
    """Everything to measure, the spec's own variants first.

    Those of `against` are named `NAME (base)` and paired by name, or with each other where either spec has but one; a pair
    is called as its new network is. A network that is in both is measured for both. Raises SpecError where nothing can be paired.
    """
    own = [PlannedVariant(item, replica) for item in kept.priced for replica in range(replicas)]
    if against is None:
        return tuple(own)
    called = {base: new for new, base in _find_pairs(kept.priced, against.priced)}
    if not called:
        raise SpecError(
            f"--against: no variant of the two specs has the same name "
            f"({_first_names(kept.priced)}; {_first_names(against.priced)}); "
            "let both vary along the same axes, or have one variant each"
        )
    shared = {item.variant.id for item in kept.priced}
    paired = {name: name for name in called.values()}
    new = [replace(each, side="new", pair=_name_pair(paired.get(each.item.variant.name), each.replica)) for each in own]
    base = [
        PlannedVariant(
            _mark_as_base(item), replica + replicas * (item.variant.id in shared), "base", _name_pair(name, replica)
        )
        for item in against.priced
        for name in [called.get(item.variant.name)]
        for replica in range(replicas)
    ]
    return (*new, *base)


def _find_pairs(new: Sequence[PricedVariant], base: Sequence[PricedVariant]) -> Iterator[tuple[str, str]]:
    """The names of new variants, each with its base's."""
    if len(new) == len(base) == 1:
        yield new[0].variant.name, base[0].variant.name
        return
    known = {item.variant.name for item in base}
    yield from ((item.variant.name, item.variant.name) for item in new if item.variant.name in known)


def _name_pair(name: str | None, replica: int) -> str:
    return "" if name is None else name + (f" (replica {replica})" if replica else "")


def _mark_as_base(item: PricedVariant) -> PricedVariant:
    variant = item.variant
    return replace(item, variant=replace(variant, name=f"{variant.name} (base)", reference=False))


def _first_names(items: Sequence[PricedVariant]) -> str:
    return ", ".join(item.variant.name for item in items[:3]) + (" ..." if len(items) > 3 else "")
