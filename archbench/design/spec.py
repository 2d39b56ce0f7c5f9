"""A spec file as values: the base it starts from, the axes that vary it, what is refused, and how it is measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archbench import units
from archbench.design.config import (
    Config,
    base_config,
    check_keys,
    inside,
    is_preset,
    merged,
    split,
    with_sets,
    written,
)
from archbench.design.document import Document, parse_document, read_document
from archbench.design.expressions import Expression, compile_expression
from archbench.design.schema import (
    SPEC_VERSION,
    WORKLOAD_IN_MEASURE,
    MeasurePlan,
    section_model,
    shown,
    validated,
)
from archbench.errors import SpecError
from archbench.models.presets import find_preset
from archbench.registry import nearest

DEVICE = re.compile(r"auto|cpu|none|cuda(:\d{1,3})?")


@dataclass(frozen=True)
class Axis:
    """One dotted path and the values it takes."""

    path: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Spec:
    """A spec, read and checked as far as it can be without recording a network. Nothing in it was run or imported."""

    name: str
    base: str | None
    overrides: Config
    axes: tuple[Axis, ...]
    exclude: tuple[Mapping[str, Any], ...]
    include: tuple[Mapping[str, Any], ...]
    constraints: tuple[Expression, ...]
    reference: Mapping[str, Any]
    scores: Path | None
    measure: MeasurePlan
    document: Document = field(repr=False)
    sets: frozenset[str] = frozenset()  # paths that the command line wrote

    def place(self, path: str = "") -> str:
        """Where a dotted path is set: on the command line, in its axis, at its key, or at the start of the file."""
        return place(self.document, path, self.sets)

    def error(self, message: str) -> SpecError:
        """A SpecError that stands where the dotted path its message begins with is set."""
        return SpecError(message, self.place(subject(message)))

    def as_json(self) -> dict[str, Any]:
        """The resolved spec, as a run keeps it."""
        return {
            "archbench": SPEC_VERSION,
            "name": self.name,
            "base": self.base,
            **self.overrides,
            "axes": {axis.path: list(axis.values) for axis in self.axes},
            "exclude": [dict(item) for item in self.exclude],
            "include": [dict(item) for item in self.include],
            "constraints": [constraint.text for constraint in self.constraints],
            "reference": dict(self.reference),
            "scores": str(self.scores) if self.scores else None,
        }


def read_spec(path: str | Path, sets: Iterable[str] = ()) -> Spec:
    """The spec in a file, with `--set PATH=VALUE` texts applied. Raises SpecError with the place and the way out."""
    document, sets = read_document(path), tuple(sets)
    try:
        return _read(document, Path(path).parent, sets)
    except SpecError as error:
        written_on_line = frozenset(text.partition("=")[0] for text in sets)
        raise error.at(place(document, subject(error.message), written_on_line)) from None


def subject(message: str) -> str:
    """The dotted path that a message begins with."""
    return message.split(":")[0].split("[")[0]


def place(document: Document, path: str, sets: frozenset[str]) -> str:
    """Where a dotted path is set, see `Spec.place`."""
    if path in sets or path.startswith("--set"):
        return "command line"
    path = path.removeprefix("axes.")
    for keys in (("axes", path), (path,), tuple(path.split("."))):
        if keys in document.marks:
            return document.place(keys)
    return document.place(tuple(path.split(".")))


def preset_spec(name: str, sets: Iterable[str] = ()) -> Spec:
    """A preset by name as a spec of one variant."""
    find_preset(name)
    document = parse_document(f"archbench: 1\nname: {name}\nbase: {name}\n", name)
    return _read(document, Path(), tuple(sets))


def _read(document: Document, folder: Path, sets: Sequence[str]) -> Spec:
    check_keys(document.data)
    data = with_sets(document.data, sets)
    axes = _axes(data.get("axes", {}))
    base, overrides = data.get("base"), written(data)
    config = merged(base_config(base, folder), overrides)
    return Spec(
        name=_name(data.get("name"), document),
        base=base if is_preset(base) else None,
        overrides=overrides if is_preset(base) else config,  # a base file is folded in
        axes=axes,
        exclude=_assignments("exclude", data, axes, only_axes=True),
        include=_assignments("include", data, axes),
        constraints=_constraints(data.get("constraints", []), document),
        reference=_assignment("reference", data["reference"], axes) if data.get("reference") is not None else {},
        scores=_scores(data.get("scores"), folder),
        measure=measure_plan(config.get("measure", {})),
        document=document,
        sets=frozenset(text.partition("=")[0] for text in sets),
    )


def measure_plan(section: Mapping[str, Any]) -> MeasurePlan:
    """The `measure` section, without what belongs to the workload."""
    known = validated(section_model("measure"), section, "measure", "measure")
    plan = MeasurePlan(**{name: value for name, value in known.items() if name not in WORKLOAD_IN_MEASURE})
    if not DEVICE.fullmatch(plan.device):
        raise SpecError(f"measure.device: {shown(plan.device)} is not accepted; auto, cpu, cuda, cuda:N or none")
    budget_seconds(plan)
    return plan


def budget_seconds(plan: MeasurePlan) -> float | None:
    """The budget in seconds, null where there is none."""
    if plan.budget is None:
        return None
    try:
        budget = units.seconds(str(plan.budget))
    except ValueError:
        budget = 0.0
    if not 0 < budget < 1e8:
        raise SpecError(f"measure.budget: {shown(plan.budget)} is not a duration; write 90s, 4m30s or 1h")
    return budget


def _name(name: Any, document: Document) -> str:
    if name is None:
        return Path(document.path).stem
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise SpecError(f"name: {shown(name)} is not a name of 1 to 200 characters")
    return name


def _axes(given: Any) -> tuple[Axis, ...]:
    if not isinstance(given, dict):
        raise SpecError(f"axes: {shown(given)} is not a mapping; write axes: {{neck.channels: [128, 256]}}")
    return tuple(_axis(path, values) for path, values in given.items())


def _axis(path: str, values: Any) -> Axis:
    split(path)
    if not isinstance(values, list) or not values:
        raise SpecError(f"axes.{path}: {shown(values)} is not a list of at least one value")
    for index, value in enumerate(values):
        if isinstance(value, dict):
            raise SpecError(f"axes.{path}: {shown(value)} is not a value; give each knob an axis of its own")
        if any(value == other for other in values[:index]):
            raise SpecError(f"axes.{path}: {shown(value)} is there twice")
    kinds = {_kind(value) for value in values if value is not None}
    if len(kinds) > 1:
        raise SpecError(f"axes.{path}: {' and '.join(sorted(kinds))} are mixed; an axis holds one kind of value")
    return Axis(path, tuple(values))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth values"
    return {int: "numbers", float: "numbers", str: "words", list: "lists"}[type(value)]


def _assignments(
    key: str, data: Mapping[str, Any], axes: Sequence[Axis], *, only_axes: bool = False
) -> tuple[Mapping[str, Any], ...]:
    items = data.get(key, [])
    if not isinstance(items, list):
        raise SpecError(f"{key}: {shown(items)} is not a list of {{path: value}}")
    return tuple(_assignment(key, item, axes, only_axes=only_axes) for item in items)


def _assignment(key: str, item: Any, axes: Sequence[Axis], *, only_axes: bool = False) -> Mapping[str, Any]:
    if not isinstance(item, dict) or not item:
        raise SpecError(f"{key}: {shown(item)} is not {{path: value}}")
    values = {axis.path: axis.values for axis in axes}
    for path, value in item.items():
        split(path)
        if only_axes and path not in values:
            raise SpecError(
                f"{key}: {path} is not an axis; there are {', '.join(values) or 'none'}.{nearest(path, list(values))}"
            )
        if only_axes and value not in values[path]:
            raise SpecError(f"{key}: {path} is never {shown(value)}; it takes {units.plain(list(values[path]))}")
    return item


def _constraints(given: Any, document: Document) -> tuple[Expression, ...]:
    if not isinstance(given, list):
        raise SpecError(f"constraints: {shown(given)} is not a list of expressions")
    return tuple(compile_expression(text, document.place(("constraints", index))) for index, text in enumerate(given))


def _scores(name: Any, folder: Path) -> Path | None:
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        raise SpecError(f"scores: {shown(name)} is not a file's name")
    return inside(folder, name, "scores")
