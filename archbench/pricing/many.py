"""Many variants priced by one recording each structure: the model's program run on lanes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from archbench.design.variant import Module, Variant
from archbench.models.detector import FAMILIES, Architecture, Choice, record_network
from archbench.pricing.lanes import Diverged, Lanes
from archbench.pricing.price import Cost, add_up

Knob = tuple[str, str]  # family or `input`, name


def price_many(variants: Sequence[Variant]) -> list[Cost]:
    """The exact cost of each variant, equal to `price` of it. Hand-written modules are refused as there."""
    costs: dict[int, Cost] = {}
    alike: dict[str, list[int]] = {}
    for index, variant in enumerate(variants):
        alike.setdefault(_structure(variant), []).append(index)
    for indices in alike.values():
        costs |= zip(indices, _price_alike([variants[index] for index in indices]), strict=True)
    return [costs[index] for index in range(len(variants))]


def _structure(variant: Variant) -> str:
    """What must be equal for variants to share a recording until they diverge: all but the whole-number knobs."""
    kept = {key: value for key, value in _knobs(variant).items() if not _is_lane(value)}
    return repr((sorted(kept.items(), key=repr), variant.workload.feature_bytes))


def _knobs(variant: Variant) -> dict[Knob, Any]:
    assert not isinstance(variant.architecture, Module), "a hand-written module has no price"
    knobs = {
        (family, name): value for family, part in variant.architecture.as_json().items() for name, value in part.items()
    }
    return knobs | {("input", side): getattr(variant.workload, side) for side in ("batch", "height", "width")}


def _is_lane(value: Any) -> bool:
    return type(value) is int


def _price_alike(variants: Sequence[Variant]) -> list[Cost]:
    """Price variants of one structure; where the program branches between them, each half by itself."""
    try:
        return _price_lanes(variants)
    except Diverged as split:
        costs: dict[int, Cost] = {}
        for mask in (split.mask, ~split.mask):
            lanes = [int(lane) for lane in np.flatnonzero(mask)]
            costs |= zip(lanes, _price_alike([variants[lane] for lane in lanes]), strict=True)
        return [costs[lane] for lane in range(len(variants))]


def _price_lanes(variants: Sequence[Variant]) -> list[Cost]:
    knobs = _stacked(_knobs(variant) for variant in variants)
    parts = {
        family: {name: value for (of, name), value in knobs.items() if of == family} for family in (*FAMILIES, "input")
    }
    sizes = parts.pop("input")
    architecture = Architecture(**{family: Choice(part.pop("type"), part) for family, part in parts.items()})
    graph = record_network(architecture, sizes["height"], sizes["width"])
    total = asdict(add_up(graph, sizes["batch"], variants[0].workload.feature_bytes))
    columns = {name: np.broadcast_to(np.asarray(value, dtype=object), len(variants)) for name, value in total.items()}
    return [Cost(**{f.name: int(columns[f.name][lane]) for f in fields(Cost)}) for lane in range(len(variants))]


def _stacked(rows: Iterable[dict[Knob, Any]]) -> dict[Knob, Any]:
    """One mapping of many: a whole number that differs between rows is lanes, all else is as in the first row."""
    listed = list(rows)
    return {
        key: Lanes([row[key] for row in listed])
        if _is_lane(value) and any(row[key] != value for row in listed)
        else value
        for key, value in listed[0].items()
    }
