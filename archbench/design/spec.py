"""A spec file as values: the base it starts from, the axes that vary it, what is refused, and how it is measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archbench import units
from archbench.design.document import Document, parse_document, read_document
from archbench.design.expressions import Expression, compile_expression
from archbench.design.schema import (
    MODULE_PATTERN,
    SPEC_VERSION,
    WORKLOAD_IN_MEASURE,
    MeasurePlan,
    section_model,
    shown,
    validated,
)
from archbench.errors import SpecError
from archbench.models.detector import FAMILIES
from archbench.models.presets import PRESETS, find_preset
from archbench.registry import nearest

Config = dict[str, Any]  # parts, input and measure as nested mappings, the form every override is applied to

SECTIONS = (*FAMILIES, "input", "measure")
KEYS = ("archbench", "name", "base", "module", *SECTIONS, "axes", "exclude", "include", "constraints", "reference", "scores")
MAX_BASES = 8  # a base of a base of a base is a habit; deeper is a mistake
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

    def place(self, path: str = "") -> str:
        """Where in the file a dotted path is set: its axis, its key, or the start."""
        for keys in (("axes", path), (path.split(".")[0], path), tuple(path.split(".")), ("axes",) if path else ()):
            if keys in self.document.marks:
                return self.document.place(keys)
        return self.document.place(tuple(path.split(".")))

    def error(self, message: str) -> SpecError:
        """A SpecError that stands where the dotted path its message begins with is set."""
        return SpecError(message, self.place(message.split(":")[0].split("[")[0]))

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
    document = read_document(path)
    try:
        return _read(document, Path(path).parent, sets)
    except SpecError as error:
        raise error.at(_place(document, error.message)) from None


def preset_spec(name: str, sets: Iterable[str] = ()) -> Spec:
    """A preset by name as a spec of one variant."""
    find_preset(name)
    return _read(parse_document(f"archbench: 1\nname: {name}\nbase: {name}\n", name), Path(), sets)


def _place(document: Document, message: str) -> str:
    path = message.split(":")[0]
    root = path.split("[")[0]
    for keys in (("axes", root.removeprefix("axes.")), (root,), tuple(root.split("."))):
        if keys in document.marks:
            return document.place(keys)
    return document.place(tuple(root.split(".")))


def _read(document: Document, folder: Path, sets: Iterable[str]) -> Spec:
    data = document.data
    check_keys(data)
    overrides = _overrides(data)
    for text in sets:
        _set(overrides, text, data)
    axes = _axes(data.get("axes", {}))
    base = data.get("base")
    config = merged(base_config(base, folder), overrides)
    overrides = _inherited(base, folder, overrides)
    return Spec(
        name=_name(data.get("name"), document),
        base=base if base in PRESETS else None,
        overrides=overrides,
        axes=axes,
        exclude=_assignments("exclude", data, axes, only_axes=True),
        include=_assignments("include", data, axes),
        constraints=_constraints(data.get("constraints", []), document),
        reference=_assignment("reference", data["reference"], axes) if data.get("reference") is not None else {},
        scores=_scores(data.get("scores"), folder),
        measure=measure_plan(config.get("measure", {})),
        document=document,
    )


def check_keys(data: Mapping[str, Any]) -> None:
    """Refuse an unknown top-level key, and a spec that does not say which language it is in."""
    for key in data:
        if key not in KEYS:
            raise SpecError(f"{shown(key).strip(chr(39))}: unknown key; a spec takes {', '.join(KEYS)}.{nearest(key, list(KEYS))}")
    if data.get("archbench") != SPEC_VERSION or isinstance(data.get("archbench"), bool):
        raise SpecError(f"archbench: {shown(data.get('archbench', 'missing'))}; a spec begins with `archbench: {SPEC_VERSION}`")


def merged(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> Config:
    """`config` with `overrides` over it, section by section; a new `type` drops the old type's keys."""
    result = {section: dict(value) if isinstance(value, Mapping) else value for section, value in config.items()}
    for section, given in overrides.items():
        if isinstance(given, Mapping):
            old = result.get(section) or {}
            changed = "type" in given and given["type"] != old.get("type")
            result[section] = {**({} if changed else old), **given}
        else:
            result[section] = given
    return result


def base_config(base: Any, folder: Path, depth: int = 0) -> Config:
    """What a spec starts from: a preset's parts, another spec's parts, or nothing but empty top block and head."""
    if base is None:
        return {"top_block": {"type": "none"}, "head": {"type": "none"}}
    if not isinstance(base, str):
        raise SpecError(f"base: {shown(base)} is not a preset's name or a spec's path")
    if not base.endswith((".yaml", ".yml")):
        try:
            return {family: dict(part) for family, part in find_preset(base).parts.items()}
        except SpecError as error:
            raise SpecError(f"base: {error.message}") from None
    if depth >= MAX_BASES:
        raise SpecError(f"base: over {MAX_BASES} specs deep at {shown(base)}; does one name itself?")
    path = inside(folder, base, "base")
    data = read_document(path).data
    check_keys(data)
    return merged(base_config(data.get("base"), path.parent, depth + 1), _overrides(data))


def _inherited(base: Any, folder: Path, overrides: Config) -> Config:
    """Overrides that stand on a preset alone: those of a base file are folded in."""
    return overrides if base is None or base in PRESETS else merged(base_config(base, folder), overrides)


def inside(folder: Path, name: str, key: str) -> Path:
    """A path a spec names, which must not leave the spec's folder."""
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise SpecError(f"{key}: {shown(name)} is outside the spec's folder; move it below {folder}")
    return path


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


def _overrides(data: Mapping[str, Any]) -> Config:
    """The sections a spec writes itself. Knobs are checked when a variant is made; here, only that they are mappings."""
    config: Config = {}
    for section in SECTIONS:
        if section in data:
            if not isinstance(data[section], dict):
                raise SpecError(f"{section}: {shown(data[section])} is not a mapping; write {section}: {{key: value}}")
            config[section] = dict(data[section])
    if data.get("module") is not None:
        if not isinstance(data["module"], str) or not re.fullmatch(MODULE_PATTERN, data["module"]):
            raise SpecError(f"module: {shown(data['module'])} is not package.file:factory")
        config["module"] = data["module"]
    return config


def _set(config: Config, text: str, data: Mapping[str, Any]) -> None:
    """Apply one `--set neck.channels=128`; its value is read as YAML."""
    path, equals, value = text.partition("=")
    if not equals:
        raise SpecError(f"--set {shown(text)}: not PATH=VALUE", "command line")
    if path in (data.get("axes") or {}):
        raise SpecError(f"--set {path}: it is an axis of the spec; take it out of axes first", "command line")
    section, key = split(path)
    try:
        parsed = parse_document(f"value: {value}", "command line").data["value"]
    except SpecError as error:
        raise SpecError(f"--set {shown(text)}: {error.message}", "command line") from None
    config.update(merged(config, {section: {key: parsed} if key else parsed}))


def split(path: str) -> tuple[str, str]:
    """A dotted path as section and key; SpecError unless it names one that can vary."""
    section, _, key = path.partition(".")
    if path in ("base", "module"):
        return path, ""
    if section not in SECTIONS or not key or "." in key:
        example = "neck.channels" if section not in SECTIONS else f"{section}.KEY"
        raise SpecError(f"{shown(path).strip(chr(39))}: not a path of a spec; write it like {example}."
                        + nearest(section, list(SECTIONS)))
    return section, key


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


def _assignments(key: str, data: Mapping[str, Any], axes: Sequence[Axis], *, only_axes: bool = False
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
            raise SpecError(f"{key}: {path} is not an axis; there are {', '.join(values) or 'none'}.{nearest(path, list(values))}")
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
