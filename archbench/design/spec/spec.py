"""A spec file as values: the base it starts from, the axes that vary it, what is refused, and how it is measured."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from archbench import units
from archbench.design.expressions.parse import Expression, compile_expression
from archbench.design.spec.axes import Axis, check_varies, list_nameable, parse_axes
from archbench.design.spec.config import (
    Config,
    apply_sets,
    base_config,
    check_keys,
    find_preset,
    merge_sections,
    own_sections,
    resolve_inside,
)
from archbench.design.spec.document import Document
from archbench.design.spec.schema import (
    SPEC_VERSION,
    WORKLOAD_IN_MEASURE,
    MeasurePlan,
    Sample,
    Select,
    budget_seconds,
    section_model,
    settings_model,
    validate_knobs,
)
from archbench.design.spec.yaml_file import parse_document, read_document
from archbench.errors import SpecError
from archbench.metrics import METRICS, SCALED, resolve_limit_metric
from archbench.models.presets import PRESETS
from archbench.text import quote_value, suggest_nearest, wrong_value

MAX_CONSTRAINTS = 1_000  # of one spec; which of them refused a row is 16 bits of it
DEVICE = re.compile(r"auto|cpu|none|cuda(:\d{1,3})?")


Exclusion = Mapping[str, Any] | Expression  # a partial match, or where an expression over the axes holds


@dataclass(frozen=True)
class Spec:
    """A spec, read and checked as far as it can be without recording a network. Nothing in it was run or imported."""

    name: str
    base: str | None
    overrides: Config
    axes: tuple[Axis, ...]
    exclude: tuple[Exclusion, ...]
    include: tuple[Mapping[str, Any], ...]
    constraints: tuple[Expression, ...]
    reference: Mapping[str, Any]
    scores: Path | None
    measure: MeasurePlan
    document: Document = field(repr=False)
    sets: frozenset[str] = frozenset()  # paths that the command line wrote
    sample: Sample | None = None
    select: Select | None = None
    budgets: Mapping[str, float] = field(default_factory=dict)  # metric -> the most a variant's may be, base units

    def place(self, path: str = "") -> str:
        """The place at which a dotted path is set: the command line, its axis, its key, or the start of the file."""
        return find_place(self.document, path, self.sets)

    def error(self, message: str) -> SpecError:
        """A SpecError that stands where the dotted path its message begins with is set."""
        return SpecError(message, self.place(first_path(message)))

    def as_json(self) -> dict[str, Any]:
        """The resolved spec, as a run keeps it."""
        settings = {"sample": self.sample, "select": self.select}
        return {
            "archbench": SPEC_VERSION,
            "name": self.name,
            "base": self.base,
            **self.overrides,
            "axes": self.document.data.get("axes", {}),
            "exclude": [item.text if isinstance(item, Expression) else dict(item) for item in self.exclude],
            "include": [dict(item) for item in self.include],
            "constraints": [constraint.text for constraint in self.constraints],
            "reference": dict(self.reference),
            "scores": str(self.scores) if self.scores else None,
            **{key: asdict(value) for key, value in settings.items() if value is not None},
            **({"budgets": dict(self.budgets)} if self.budgets else {}),
        }


def read_spec(path: str | Path, sets: Iterable[str] = ()) -> Spec:
    """The spec in a file, with `--set PATH=VALUE` texts applied. Raises SpecError with the place and the way out."""
    document, sets = read_document(path), tuple(sets)
    try:
        return _parse_spec(document, Path(path).parent, sets)
    except SpecError as error:
        written_on_line = frozenset(text.partition("=")[0] for text in sets)
        raise error.with_place(find_place(document, first_path(error.message), written_on_line)) from None


def first_path(message: str) -> str:
    """The dotted path that a message begins with."""
    return message.split(":")[0].split("[")[0]


def find_place(document: Document, path: str, sets: frozenset[str]) -> str:
    """The place at which a dotted path is set, see `Spec.place`."""
    if path in sets or path.startswith("--set"):
        return "command line"
    path = path.removeprefix("axes.")
    zipped = (keys for keys in document.positions if keys[:1] == ("axes",) and keys[2:] == ("zip", path))
    for keys in (("axes", path), *zipped, (path,), tuple(path.split("."))):
        if keys in document.positions:
            return document.place(keys)
    return document.place(tuple(path.split(".")))


def preset_spec(name: str, sets: Iterable[str] = ()) -> Spec:
    """A preset by name as a spec of one variant."""
    find_preset(name)
    document = parse_document(f"archbench: 1\nname: {name}\nbase: {name}\n", name)
    return _parse_spec(document, Path(), tuple(sets))


def _parse_spec(document: Document, folder: Path, sets: Sequence[str]) -> Spec:
    check_keys(document.data)
    data = apply_sets(document.data, sets)
    base, overrides = data.get("base"), own_sections(data)
    config = merge_sections(base_config(base, folder), overrides)
    axes = parse_axes(data.get("axes", {}), document)
    of_preset = base in PRESETS
    return Spec(
        name=_parse_name(data.get("name"), document),
        base=base if of_preset else None,
        overrides=overrides if of_preset else config,  # a base file is folded in
        axes=axes,
        exclude=_parse_exclusions(data.get("exclude", []), axes, document),
        include=_check_assignments("include", data.get("include", [])),
        constraints=_parse_constraints(data.get("constraints", []), axes, document),
        reference=_check_assignment("reference", data["reference"]) if data.get("reference") is not None else {},
        scores=_find_scores(data.get("scores"), folder),
        budgets=parse_budgets(data.get("budgets")),
        sample=_parse_sample(data.get("sample")),
        select=_parse_select(data.get("select")),
        measure=parse_measure_plan(config.get("measure", {})),
        document=document,
        sets=frozenset(text.partition("=")[0] for text in sets),
    )


def parse_measure_plan(section: Mapping[str, Any]) -> MeasurePlan:
    """The `measure` section, without what belongs to the workload."""
    known = validate_knobs(section_model("measure"), section, "measure", "measure")
    plan = MeasurePlan(**{name: value for name, value in known.items() if name not in WORKLOAD_IN_MEASURE})
    if not DEVICE.fullmatch(plan.device):
        raise wrong_value("measure.device", plan.device, "is not accepted; auto, cpu, cuda, cuda:N or none")
    budget_seconds(plan)
    return plan


def parse_budgets(given: Any) -> dict[str, float]:
    """The `budgets` of a spec: metric -> the most it may be, in base units. Raises SpecError beginning with the key."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise wrong_value("budgets", given, "is not a mapping; write budgets: {latency_ms: 30, peak_bytes: 2GiB}")
    budgets: dict[str, float] = {}
    for name, value in given.items():
        try:
            metric, scale = resolve_limit_metric(name)
        except SpecError as error:
            raise SpecError(f"budgets.{error.message}") from None
        if metric in budgets:
            raise SpecError(f"budgets.{name}: {metric} has a budget already; keep one")
        budgets[metric] = _parse_amount(name, metric, value) * scale
    return budgets


def _parse_amount(name: str, metric: str, value: Any) -> float:
    """A budget's amount, a number over 0; bytes may be a text like 2GiB."""
    number = value
    if isinstance(value, str) and metric.endswith("_bytes"):
        with suppress(ValueError):
            number = units.parse_size(value)
    if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) and number > 0:
        return number
    takes = "a number over 0" + (", or one with KiB, MiB or GiB" if metric.endswith("_bytes") else "")
    raise wrong_value(f"budgets.{name}", value, f"is not accepted; it takes {takes}")


def _parse_name(name: Any, document: Document) -> str:
    if name is None:
        return Path(document.path).stem
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise wrong_value("name", name, "is not a name of 1 to 200 characters")
    return name


def _parse_exclusions(given: Any, axes: Sequence[Axis], document: Document) -> tuple[Exclusion, ...]:
    if not isinstance(given, list):
        raise wrong_value("exclude", given, "is not a list of {path: value} or expressions")
    return tuple(
        _parse_exclusion(item, axes, document.place(("exclude", position)))
        if isinstance(item, str)
        else _check_match(item, axes)
        for position, item in enumerate(given)
    )


def _parse_exclusion(text: str, axes: Sequence[Axis], place: str) -> Expression:
    """An expression over the axes' values, whose every name is an axis."""
    expression = compile_expression(text, place)
    paths = [path for axis in axes for path in axis.paths]
    for name in expression.names:
        if name not in paths:
            raise SpecError(f"exclude: {text}: {_describe_no_axis(name, paths)}", place)
    return expression


def _describe_no_axis(path: str, paths: Sequence[str]) -> str:
    return f"{path} is not an axis; there are {', '.join(paths) or 'none'}.{suggest_nearest(path, list(paths))}"


def _check_match(item: Any, axes: Sequence[Axis]) -> Mapping[str, Any]:
    owners = {path: axis for axis in axes for path in axis.paths}
    for path, value in _check_assignment("exclude", item).items():
        if path not in owners:
            raise SpecError(f"exclude: {_describe_no_axis(path, list(owners))}")
        if not owners[path].takes(path, value):
            values = owners[path].first_values(path)
            more = " and more" if len(values) < owners[path].size else ""
            raise SpecError(
                f"exclude: {path} is never {quote_value(value)}; it takes {units.format_plain(values)}{more}"
            )
    return dict(item)


def _check_assignments(key: str, items: Any) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(items, list):
        raise wrong_value(key, items, "is not a list of {path: value}")
    return tuple(_check_assignment(key, item) for item in items)


def _check_assignment(key: str, item: Any) -> Mapping[str, Any]:
    if not isinstance(item, dict) or not item:
        raise wrong_value(key, item, "is not {path: value}")
    for path in item:
        check_varies(path)
    return item


def _validate_settings(key: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        example = {
            "sample": "{method: sobol, n: 1000}",
            "select": "{minimize: [peak_bytes], maximize: [macs], limit: 12}",
        }[key]
        raise wrong_value(key, given, f"is not a mapping; write {key}: {example}")
    return validate_knobs(settings_model(key), given, key, key)


def _parse_sample(given: Any) -> Sample | None:
    if given is None:
        return None
    sample = Sample(**_validate_settings("sample", given))
    if sample.n is None and sample.method != "grid":
        raise SpecError(f"sample.n: missing; say how many points are drawn: {{method: {sample.method}, n: 1000}}")
    return sample


def _parse_select(given: Any) -> Select | None:
    """The metrics of a front, known and each once; without any, `limit` is of the front of a report."""
    if given is None:
        return None
    settings = _validate_settings("select", given)
    select = Select(tuple(settings["minimize"]), tuple(settings["maximize"]), settings["limit"])
    for key, names in (("minimize", select.minimize), ("maximize", select.maximize)):
        for name in names:
            if name in SCALED:
                raise SpecError(f"select.{key}: {name} is {SCALED[name][0]} on another scale; write {SCALED[name][0]}")
            if name not in METRICS:
                known = f"there are {', '.join(METRICS)}.{suggest_nearest(name, list(METRICS))}"
                raise SpecError(f"select.{key}: there is no metric {quote_value(name)}; {known}")
    both = [*select.minimize, *select.maximize]
    if twice := [name for name in both if both.count(name) > 1]:
        raise SpecError(f"select: {twice[0]} is there twice; name each metric once")
    return select


def _parse_constraints(given: Any, axes: Sequence[Axis], document: Document) -> tuple[Expression, ...]:
    """Expressions over the metrics and knobs of priced variants, whose every name some variant has."""
    if not isinstance(given, list):
        raise wrong_value("constraints", given, "is not a list of expressions")
    if len(given) > MAX_CONSTRAINTS:
        raise SpecError(
            f"constraints: {len(given):,} are more than the {MAX_CONSTRAINTS:,} of one spec; join some by `and`"
        )
    places = (document.place(("constraints", index)) for index in range(len(given)))
    found = tuple(compile_expression(text, place) for text, place in zip(given, places, strict=True))
    known = list_nameable(axes) if found else ()
    for expression in found:
        expression.check_names(known)
    return found


def _find_scores(name: Any, folder: Path) -> Path | None:
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        raise wrong_value("scores", name, "is not a file's name")
    return resolve_inside(folder, name, "scores")
