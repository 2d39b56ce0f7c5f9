"""The variants of a spec: the grid of its axes, less what is excluded, plus what is included, each network once."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archbench import units
from archbench.design.expressions.parse import Expression
from archbench.design.spec.axes import UNSET, Axis, AxisValue, Product, order_axes, split_path
from archbench.design.spec.config import Config, base_config, merge_sections, read_factory
from archbench.design.spec.schema import (
    WORKLOAD_IN_INPUT,
    WORKLOAD_IN_MEASURE,
    Sample,
    choose_part,
    section_model,
    validate_knobs,
)
from archbench.design.spec.spec import Spec, preset_spec
from archbench.errors import SpecError
from archbench.models.variant import FAMILIES, Architecture, ModuleFactory, Variant, Workload
from archbench.text import visible

MAX_VARIANTS = 100_000
MANY = 4096  # variants; up to here each is priced by itself

Assignment = Mapping[str, Any]  # dotted path -> value
Sampler = Callable[[Sequence[Axis], Sample], Sequence[Sequence[int]]]  # for each axis, the positions of the draws


@dataclass(frozen=True)
class Expansion:
    """The variants of a spec, with the counts of all that became none. `raw` counts included ones too.

    collapsed  draws of a sample that fell on a point drawn before
    """

    variants: tuple[Variant, ...]
    raw: int
    excluded: int
    duplicates: int
    collapsed: int = 0

    @property
    def reference(self) -> Variant:
        return next(variant for variant in self.variants if variant.reference)


def is_many(spec: Spec) -> bool:
    """Whether a spec is priced by columns and a few of its front stand for it: a large one, a drawn one, one that selects."""
    return count_raw(spec) > MANY or spec.sample is not None or spec.select is not None


def count_raw(spec: Spec) -> int:
    """The number of variants that axes and includes span, or that are drawn, by multiplication alone.

    Where an axis has a `when`, an upper bound: points at which it does not apply are counted once for each of its values.
    """
    drawn = spec.sample.n if spec.sample and spec.sample.method != "grid" else None
    return (drawn or math.prod(axis.size for axis in walked_axes(spec))) + len(spec.include)


def walked_axes(spec: Spec) -> tuple[Axis, ...]:
    """The axes whose grid is walked: the spec's, or fewer values of each where it is sampled by a grid."""
    sample = spec.sample
    return coarsen_axes(spec.axes, sample.n) if sample and sample.method == "grid" and sample.n else spec.axes


def check_size(spec: Spec, most: int) -> None:
    """Refuse a spec that spans more than `most`, at once and with the number."""
    if (raw := count_raw(spec)) > most:
        about = "up to " if any(axis.when for axis in spec.axes) else ""
        raise SpecError(
            f"axes: {about}{raw:,} variants are more than the {most:,} of one spec; sample them, "
            "`sample: {method: sobol, n: 1000}`, shorten the axes or split the spec",
            spec.place("sample" if spec.sample else "axes"),
        )


def expand(spec: Spec, draw: Sampler | None = None) -> Expansion:
    """Every variant of a spec, checked to be a network that can be built; the reference is added if no axis gives it.

    `draw` is asked only where the spec samples otherwise than by a grid, and may be left out elsewhere: it waits for numpy.
    Raises SpecError at the place of the axis or key that a variant fails on.
    """
    check_size(spec, MAX_VARIANTS)
    collapsed, grid = _walk_points(spec, draw)
    raw = collapsed + len(grid) + len(spec.include)
    candidates = [
        make_variant(spec, point) for point in [*(p for p in grid if not is_excluded(p, spec)), *spec.include]
    ]
    unique: dict[str, Variant] = {}
    for variant in candidates:
        unique.setdefault(variant.id, variant)
    reference = make_variant(spec, spec.reference)
    kept = list(unique.values()) if reference.id in unique else [reference, *unique.values()]
    return Expansion(
        variants=tuple(replace(v, reference=v.id == reference.id) for v in assign_names(kept, spec)),
        raw=raw,
        excluded=raw - collapsed - len(candidates),
        duplicates=len(candidates) - len(unique),
        collapsed=collapsed,
    )


def preset(name: str, overrides: Mapping[str, object] | None = None) -> Variant:
    """A preset's variant, with dotted paths overridden: `preset("R-50-FPN", {"neck.channels": 128})`."""
    given = overrides or {}
    changes = ",".join(f"{path}={units.format_plain(value)}" for path, value in given.items())
    return replace(make_variant(preset_spec(name), given), name=f"{name},{changes}" if changes else name)


def _walk_points(spec: Spec, draw: Sampler | None) -> tuple[int, list[Assignment]]:
    """The points of the grid, the first axis slowest, or those drawn, each once; first, how many draws fell on another's."""
    axes = walked_axes(spec)
    order = order_axes(axes)
    if spec.sample and spec.sample.method != "grid":
        assert draw is not None
        drawn = zip(*draw(axes, spec.sample), strict=True)
        rows = [apply_conditions(axes, order, row) for row in drawn] or [()]
    else:
        grid = itertools.product(*(range(len(axis.values)) for axis in axes))
        pairs = ((row, apply_conditions(axes, order, row)) for row in grid)
        rows = [at for row, at in pairs if not any(row[i] for i, position in enumerate(at) if position == UNSET)]
    distinct = dict.fromkeys(rows)
    return len(rows) - len(distinct), [assign_values(axes, row) for row in distinct]


def apply_conditions(axes: Sequence[Axis], order: Sequence[int], positions: Sequence[int]) -> tuple[int, ...]:
    """Positions with UNSET where an axis's `when` does not hold: its paths are null to the others. `order`: `order_axes`."""
    given = list(positions)
    values: dict[str, Any] = {path: None for axis in axes for path in axis.paths}
    for index in order:
        axis = axes[index]
        if axis.when is None or axis.when.holds(values):
            values |= zip(axis.paths, axis.values[given[index]], strict=True)
        else:
            given[index] = UNSET
    return tuple(given)


def assign_values(axes: Sequence[Axis], positions: Sequence[int]) -> dict[str, Any]:
    """The paths that positions set, with their values."""
    return {
        path: value
        for axis, position in zip(axes, positions, strict=True)
        if position != UNSET
        for path, value in zip(axis.paths, axis.values[position], strict=True)
    }


def coarsen_axes(axes: Sequence[Axis], count: int) -> tuple[Axis, ...]:
    """A coarser grid of `count` points at most: the middles of even strata of every axis, and of every factor of a product."""
    steps = _choose_sizes([size for axis in axes for size in axis.radices], count)
    return tuple(
        replace(axis, values=_coarsen_values(axis.values, [steps.pop(0) for _ in axis.radices])) for axis in axes
    )


def _choose_sizes(sizes: Sequence[int], count: int) -> list[int]:
    """The number of values kept of each axis, `count` combinations at most: the poorest is refined first."""
    kept = [1] * len(sizes)
    growing = {index for index, size in enumerate(sizes) if size > 1}
    while growing:
        index = min(growing, key=lambda index: (kept[index], index))
        if math.prod(kept) // kept[index] * (kept[index] + 1) > count:
            growing.discard(index)
        else:
            kept[index] += 1
            growing -= {index} if kept[index] == sizes[index] else set()
    return kept


def _coarsen_values(values: Sequence[AxisValue], steps: Sequence[int]) -> Sequence[AxisValue]:
    if isinstance(values, Product):
        return Product(tuple(_take_middles(factor, kept) for factor, kept in zip(values.factors, steps, strict=True)))
    return _take_middles(values, steps[0])


def _take_middles(values: Sequence[Any], steps: int) -> tuple[Any, ...]:
    return tuple(values[(2 * step + 1) * len(values) // (2 * steps)] for step in range(steps))


def is_excluded(point: Assignment, spec: Spec) -> bool:
    """Whether some `exclude` agrees with the point in all its paths, or holds there; an axis that is unset is null."""
    unset = {path: None for axis in spec.axes for path in axis.paths}
    return any(
        item.holds({**unset, **point})
        if isinstance(item, Expression)
        else all(path in point and point[path] == value for path, value in item.items())
        for item in spec.exclude
    )


def make_variant(spec: Spec, point: Assignment) -> Variant:
    """The variant at one point: base, the spec's own keys, the point, in that order."""
    try:
        return _record_variant(spec, point)
    except SpecError as error:
        at = ", ".join(f"{path}: {visible(units.format_plain(value))}" for path, value in point.items())
        placed = spec.error(error.message)
        raise SpecError(f"{error.message} (in the variant {at})" if at else error.message, placed.place) from None


def _record_variant(spec: Spec, point: Assignment) -> Variant:
    config = configure_point(spec, point)
    paths = dict.fromkeys([*(path for axis in spec.axes for path in axis.paths), *point])
    axes = {path: _find_value(config, path) for path in paths}
    known = validate_knobs(section_model("measure"), config.get("measure", {}), "measure", "measure")
    inputs = validate_knobs(section_model("input"), config.get("input", {}), "input", "input")
    workload = Workload(
        **{key: inputs[key] for key in WORKLOAD_IN_INPUT}, **{key: known[key] for key in WORKLOAD_IN_MEASURE}
    )
    if config.get("module"):
        return Variant("", ModuleFactory(read_factory(config["module"])), workload, axes)
    architecture = Architecture(**{family: choose_part(family, config.get(family, {})) for family in FAMILIES})
    variant = Variant("", architecture, workload, axes)
    assert variant.graph.nodes  # recording it is the check that its parts fit
    return variant


def configure_point(spec: Spec, point: Assignment) -> Config:
    """The sections of one point. An axis over `base` starts each variant from its own preset."""
    base = point.get("base", spec.base)
    changes: Config = {}
    for path, value in point.items():
        section, key = split_path(path)
        if section != "base":
            changes.setdefault(section, {}).update({key: value}) if key else changes.update({section: value})
    config = merge_sections(merge_sections(base_config(base, Path(spec.document.path).parent), spec.overrides), changes)
    return config | {"base": base}


def _find_value(config: Config, path: str) -> Any:
    """The value of a dotted path in a variant; null where its parts have no such knob."""
    section, key = split_path(path)
    if not key:
        return config.get(section)
    part = config.get(section, {})
    if section in FAMILIES and key != "type" and "type" in part:
        return part.get(key, FAMILIES[section][part["type"]].defaults.get(key))
    return part.get(key, getattr(Workload(), key, None))


def varied_paths(spec: Spec) -> tuple[str, ...]:
    """Every dotted path that some variant of a spec sets: its table has them as columns, its names are made of them."""
    along = (path for axis in spec.axes for path in axis.paths)
    return tuple(dict.fromkeys([*along, *(path for given in (*spec.include, spec.reference) for path in given)]))


def assign_names(variants: list[Variant], spec: Spec) -> list[Variant]:
    """The variants with names from the axes: a path's last word where that is enough, the part's family for its type.

    The word for a path hangs on the whole spec, so a variant is called the same among few as among all. A path that only
    an include or the reference sets is in their names alone. A variant that sets nothing has the spec's name.
    """
    groups = _group_paths(varied_paths(spec), spec)
    named = [replace(variant, name=_make_name(variant, groups) or spec.name) for variant in variants]
    counts = Counter(variant.name for variant in named)
    return [v if counts[v.name] == 1 else replace(v, name=f"{v.name}#{v.id[:6]}") for v in named]


def _group_paths(paths: Sequence[str], spec: Spec) -> list[tuple[str, Sequence[str], bool]]:
    """Labels with the paths each stands for, and whether the axis of these has a `when`: a named zip's are together."""
    labels = _shorten_paths(paths)
    owners = {path: axis for axis in spec.axes for path in axis.paths}
    groups: list[tuple[str, Sequence[str], bool]] = []
    for path in paths:
        axis = owners.get(path)
        if axis is None or not axis.name:
            groups.append((labels[path], (path,), axis is not None and axis.when is not None))
        elif path == axis.paths[0]:
            groups.append((axis.name, axis.paths, axis.when is not None))
    return groups


def _shorten_paths(paths: Sequence[str]) -> dict[str, str]:
    short = {path: path.split(".")[0] if path.endswith(".type") else path.split(".")[-1] for path in paths}
    counts = Counter(short.values())
    return {path: label if counts[label] == 1 else path for path, label in short.items()}


def _make_name(variant: Variant, groups: Sequence[tuple[str, Sequence[str], bool]]) -> str:
    if list(variant.axes) == ["base"]:  # a preset's own name says it all
        return str(variant.axes["base"])
    words = []
    for label, paths, may_be_unset in groups:
        values = [variant.axes.get(path) for path in paths]
        unset = may_be_unset and all(value is None for value in values)
        if not unset and any(path in variant.axes for path in paths):
            words.append(f"{label}={'/'.join(map(_format_axis_value, values))}")
    return ",".join(words)


def _format_axis_value(value: Any) -> str:
    return (
        "-".join(units.format_plain(item) for item in value) if isinstance(value, list) else units.format_plain(value)
    )
