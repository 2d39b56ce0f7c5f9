"""Constraints: expressions over exact metrics and the spec's own paths, checked on prices before anything is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archbench.design.expressions.parse import Expression
from archbench.design.spec.variables import knob_paths
from archbench.errors import SpecError
from archbench.metrics import SCALED
from archbench.models.variant import Module, Variant
from archbench.pricing.price import Cost, price


@dataclass(frozen=True)
class PricedVariant:
    """A variant with its exact cost; null for a hand-written module, which only a run can count."""

    variant: Variant
    cost: Cost | None


@dataclass(frozen=True)
class KeptVariants:
    """What the constraints leave. `refused` counts, for each constraint's text, the variants it refused first."""

    priced: tuple[PricedVariant, ...]
    refused: Mapping[str, int] = field(default_factory=dict)


def price_all(variants: Iterable[Variant]) -> list[PricedVariant]:
    """Each variant with its exact cost."""
    return [PricedVariant(v, None if isinstance(v.architecture, Module) else price(v)) for v in variants]


def keep_variants(priced: Sequence[PricedVariant], constraints: Sequence[Expression]) -> KeptVariants:
    """The variants no constraint refuses. The reference stays whatever it costs: the others are compared with it."""
    refused: Counter[str] = Counter({constraint.text: 0 for constraint in constraints})
    kept = []
    for item in priced:
        broken = None if item.cost is None else first_broken(nameable_values(item), constraints)
        if broken is not None:
            refused[broken.text] += 1
        if broken is None or item.variant.reference:
            kept.append(item)
    return KeptVariants(tuple(kept), dict(refused))


def first_broken(values: Mapping[str, Any], constraints: Sequence[Expression]) -> Expression | None:
    """The first constraint that is not met. SpecError for one that is neither true nor false."""
    for constraint in constraints:
        met = constraint.evaluate(values)
        if not isinstance(met, bool):
            raise SpecError(
                f"constraints: {constraint.text} is {met}, neither true nor false; compare it with something",
                constraint.place,
            )
        if not met:
            return constraint
    return None


def nameable_values(item: PricedVariant) -> dict[str, Any]:
    """What a constraint may name: metrics, their scaled forms, axes and every path (`neck.channels`); null: it has no such."""
    assert item.cost is not None
    exact = item.cost.as_json()
    scaled = {name: exact[metric] / divisor for name, (metric, divisor) in SCALED.items()}
    parts = item.variant.architecture.as_json() | {"input": item.variant.as_json()["workload"]}
    paths = {f"{section}.{key}": value for section, part in parts.items() for key, value in part.items()}
    return {**dict.fromkeys(knob_paths()), **item.variant.axes, **paths, **scaled, **exact}
