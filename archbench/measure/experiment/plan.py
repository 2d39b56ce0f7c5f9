"""The plan of a run: each variant of its spec, and of the one it is compared with, replica by replica; and where results go.

Nothing is built, started or measured here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from archbench.errors import SpecError
from archbench.models.variant import FEATURE_BYTES, Variant
from archbench.runs.progress import RunProgress
from archbench.runs.records import Block, Key, Record, Side

if TYPE_CHECKING:  # whoever prices hands these in: what supervises a run does without the arithmetic
    from archbench.pricing.price import Cost
    from archbench.space.constraints import KeptVariants, PricedVariant


@dataclass(frozen=True)
class PlannedVariant:
    """One replica of one variant to measure. In a comparison `side` says of which spec it is.

    `pair` names what it is compared with: those of one pair are never in two groups. A worker holds `resting_bytes` of
    tensors while another runs and `running_bytes` while it runs itself; 0 where nothing is priced.
    """

    variant: Variant
    replica: int = 0
    side: Side = ""
    pair: str = ""
    cost: Cost | None = None
    resting_bytes: int = 0
    running_bytes: int = 0

    @property
    def key(self) -> Key:
        return self.variant.id, self.replica

    @property
    def title(self) -> str:
        """The variant's name as progress shows it."""
        return _name_replica(self.variant.name, self.replica)

    def open_record(self) -> Record:
        """The record as it stands before anything is measured."""
        return Record(
            id=self.variant.id,
            name=self.variant.name,
            status="not reached",
            axes=dict(self.variant.axes),
            exact=self.cost.as_json() if self.cost else None,
            reference=self.variant.reference,
            replica=self.replica,
            side=self.side,
            pair=self.pair,
            **self.variant.as_json(),
        )


def plan_variants(kept: KeptVariants, replicas: int, against: KeptVariants | None = None) -> tuple[PlannedVariant, ...]:
    """Every variant to measure, the spec's own first.

    The variants of `against` are named `NAME (base)` and paired by name, or with each other where either spec has but one; a
    pair is called as its new network is. A network of both specs is measured for both. Raises SpecError where nothing can be
    paired.
    """
    own = [_plan_replica(priced, replica) for priced in kept.priced for replica in range(replicas)]
    if against is None:
        return tuple(own)
    new_names = dict(_pair_names(kept.priced, against.priced))
    if not new_names:
        raise SpecError(
            "--against: no variant of the two specs has the same name "
            f"({_first_names(kept.priced)}; {_first_names(against.priced)}); "
            "let both vary along the same axes, or have one variant each"
        )
    shared = {priced.variant.id for priced in kept.priced}
    paired = set(new_names.values())
    new = [replace(planned, side="new", pair=_name_pair(planned, paired)) for planned in own]
    base = [
        replace(
            _plan_replica(_mark_as_base(priced), replica + replicas * (priced.variant.id in shared)),
            side="base",
            pair=_name_replica(new_names[name], replica) if name in new_names else "",
        )
        for priced in against.priced
        for name in [priced.variant.name]
        for replica in range(replicas)
    ]
    return (*new, *base)


def _plan_replica(priced: PricedVariant, replica: int) -> PlannedVariant:
    resting, running = planned_bytes(priced)
    return PlannedVariant(priced.variant, replica, cost=priced.cost, resting_bytes=resting, running_bytes=running)


def planned_bytes(priced: PricedVariant) -> tuple[int, int]:
    """(resting, running) tensor bytes to make room for; nothing is known of a hand-written module.

    Training keeps a gradient and a momentum beside each weight, and every map until the way back: about two for each
    convolution, its own and its norm's (R-50-FPN at 800 x 1344 holds 2.45 GB, traced; planned 2.50).
    """
    if priced.cost is None:
        return 0, 0
    weights, workload = priced.cost.weight_bytes, priced.variant.workload
    if workload.mode == "infer":
        return weights, priced.cost.peak_bytes
    return 3 * weights, 3 * weights + 2 * priced.cost.acts * FEATURE_BYTES[workload.precision]


def _pair_names(new: Sequence[PricedVariant], base: Sequence[PricedVariant]) -> Iterator[tuple[str, str]]:
    """The name of each base variant that has a partner, with the partner's."""
    if len(new) == len(base) == 1:
        yield base[0].variant.name, new[0].variant.name
        return
    known = {priced.variant.name for priced in base}
    yield from ((priced.variant.name, priced.variant.name) for priced in new if priced.variant.name in known)


def _name_pair(planned: PlannedVariant, paired: set[str]) -> str:
    return planned.title if planned.variant.name in paired else ""


def _name_replica(name: str, replica: int) -> str:
    return name + (f" (replica {replica})" if replica else "")


def _mark_as_base(priced: PricedVariant) -> PricedVariant:
    variant = priced.variant
    return replace(priced, variant=replace(variant, name=f"{variant.name} (base)", reference=False))


def _first_names(priced: Sequence[PricedVariant]) -> str:
    return ", ".join(one.variant.name for one in priced[:3]) + (" ..." if len(priced) > 3 else "")


class ResultSink(Protocol):
    """Where results go, each on disk before the call returns."""

    def add_block(self, block: Block) -> None: ...

    def fail_variant(self, planned: PlannedVariant, reason: str) -> None: ...

    def report_progress(self, step: RunProgress) -> None: ...
