"""From a spec to its variants: the grid of its axes, less what is excluded, plus what is included, each network once."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archbench import units
from archbench.design.config import Config, base_config, merged, split
from archbench.design.document import visible
from archbench.design.schema import WORKLOAD_IN_INPUT, WORKLOAD_IN_MEASURE, choice, section_model, validated
from archbench.design.spec import Spec, preset_spec
from archbench.design.variant import Module, Variant, Workload
from archbench.errors import SpecError
from archbench.models.detector import FAMILIES, Architecture

MAX_VARIANTS = 100_000

Assignment = Mapping[str, Any]  # dotted path -> value


@dataclass(frozen=True)
class Space:
    """The variants of a spec, and what became of the rest of the grid. `raw` counts included ones too."""

    variants: tuple[Variant, ...]
    raw: int
    excluded: int
    duplicates: int

    @property
    def reference(self) -> Variant:
        return next(variant for variant in self.variants if variant.reference)


def size(spec: Spec) -> int:
    """How many variants the axes and includes span, by multiplication alone."""
    return math.prod(len(axis.values) for axis in spec.axes) + len(spec.include)


def expand(spec: Spec) -> Space:
    """Every variant of a spec, checked to be a network that can be built; the reference is added if no axis gives it.

    Raises SpecError at the place of the axis or key that a variant fails on.
    """
    if (raw := size(spec)) > MAX_VARIANTS:
        raise SpecError(
            f"axes: {raw:,} variants are more than the {MAX_VARIANTS:,} of one spec; "
            "shorten the axes or split the spec",
            spec.place("axes"),
        )
    grid = [point for point in points(spec) if not excluded(point, spec)]
    candidates = [make(spec, point) for point in [*grid, *spec.include]]
    unique: dict[str, Variant] = {}
    for variant in candidates:
        unique.setdefault(variant.id, variant)
    reference = make(spec, spec.reference)
    kept = list(unique.values()) if reference.id in unique else [reference, *unique.values()]
    return Space(
        variants=tuple(replace(v, reference=v.id == reference.id) for v in _named(kept, spec.name)),
        raw=raw,
        excluded=raw - len(candidates),
        duplicates=len(candidates) - len(unique),
    )


def variants(spec: Spec) -> tuple[Variant, ...]:
    """Every variant of a spec; see `expand`."""
    return expand(spec).variants


def preset(name: str, overrides: Assignment | None = None) -> Variant:
    """A preset's variant, with dotted paths overridden: `preset("R-50-FPN", {"neck.channels": 128})`."""
    given = overrides or {}
    changes = ",".join(f"{path}={units.plain(value)}" for path, value in given.items())
    return replace(make(preset_spec(name), given), name=f"{name},{changes}" if changes else name)


def points(spec: Spec) -> Iterator[Assignment]:
    """The grid, the first axis slowest."""
    for values in itertools.product(*(axis.values for axis in spec.axes)):
        yield {axis.path: value for axis, value in zip(spec.axes, values, strict=True)}


def excluded(point: Assignment, spec: Spec) -> bool:
    """Whether some `exclude` agrees with the point in every path it names."""
    return any(all(point[path] == value for path, value in item.items()) for item in spec.exclude)


def make(spec: Spec, point: Assignment) -> Variant:
    """The variant at one point: base, the spec's own keys, the point, in that order."""
    try:
        return _make(spec, point)
    except SpecError as error:
        at = ", ".join(f"{path}: {visible(units.plain(value))}" for path, value in point.items())
        placed = spec.error(error.message)
        raise SpecError(f"{error.message} (in the variant {at})" if at else error.message, placed.place) from None


def _make(spec: Spec, point: Assignment) -> Variant:
    config = configured(spec, point)
    axes = {path: _value(config, path) for path in dict.fromkeys([*(axis.path for axis in spec.axes), *point])}
    known = validated(section_model("measure"), config.get("measure", {}), "measure", "measure")
    inputs = validated(section_model("input"), config.get("input", {}), "input", "input")
    workload = Workload(
        **{key: inputs[key] for key in WORKLOAD_IN_INPUT}, **{key: known[key] for key in WORKLOAD_IN_MEASURE}
    )
    if config.get("module"):
        return Variant("", Module(config["module"]), workload, axes)
    architecture = Architecture(**{family: choice(family, config.get(family, {})) for family in FAMILIES})
    variant = Variant("", architecture, workload, axes)
    assert variant.graph.nodes  # recording it is the check that its parts fit
    return variant


def configured(spec: Spec, point: Assignment) -> Config:
    """The sections of one point. An axis over `base` starts each variant from its own preset."""
    base = point.get("base", spec.base)
    changes: Config = {}
    for path, value in point.items():
        section, key = split(path)
        if section != "base":
            changes.setdefault(section, {}).update({key: value}) if key else changes.update({section: value})
    config = merged(merged(base_config(base, Path()), spec.overrides), changes)
    return config | {"base": base}


def _value(config: Config, path: str) -> Any:
    """What a dotted path is in a variant; null where its parts have no such knob."""
    section, key = split(path)
    if not key:
        return config.get(section)
    part = config.get(section, {})
    if section in FAMILIES and key != "type" and "type" in part:
        return part.get(key, FAMILIES[section][part["type"]].defaults.get(key))
    return part.get(key, getattr(Workload(), key, None))


def _named(variants: list[Variant], alone: str) -> list[Variant]:
    """Names from the axes: the last word of each path where that is enough, the part's family for its type.

    A variant of a spec without axes has the spec's name, `alone`.
    """
    paths = list(dict.fromkeys(path for variant in variants for path in variant.axes))
    labels = _labels(paths)
    named = [replace(variant, name=_name(variant, labels) or alone) for variant in variants]
    counts = Counter(variant.name for variant in named)
    return [v if counts[v.name] == 1 else replace(v, name=f"{v.name}#{v.id[:6]}") for v in named]


def _labels(paths: list[str]) -> dict[str, str]:
    short = {path: path.split(".")[0] if path.endswith(".type") else path.split(".")[-1] for path in paths}
    counts = Counter(short.values())
    return {path: label if counts[label] == 1 else path for path, label in short.items()}


def _name(variant: Variant, labels: Mapping[str, str]) -> str:
    if list(variant.axes) == ["base"]:  # a preset's own name says it all
        return str(variant.axes["base"])
    values = (f"{labels[path]}={_written(value)}" for path, value in variant.axes.items())
    return ",".join(values)


def _written(value: Any) -> str:
    return "-".join(units.plain(item) for item in value) if isinstance(value, list) else units.plain(value)
