"""The values each key of a spec may hold, by the parts' signatures: validation, and the JSON Schema for editors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Len
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from archbench import units
from archbench.errors import SpecError
from archbench.models.presets import PRESETS
from archbench.models.variant import FAMILIES, PartChoice, Workload
from archbench.text import quote_key, suggest_nearest, wrong_value

SPEC_VERSION = 1
WORKLOAD_IN_INPUT = ("batch", "height", "width")
WORKLOAD_IN_MEASURE = ("precision", "memory_format", "threads", "engine", "mode")

Quantity = Literal["request", "step", "device"]
Device = Annotated[str, "auto | cpu | cuda | cuda:N | none"]  # which of them it is, is `parse_measure_plan`'s to see


@dataclass(frozen=True)
class MeasurePlan:
    """How a run measures. Nothing here changes what a variant is.

    device       auto (CUDA where there is one), cpu, cuda, cuda:N, or none: price and store only
    budget       wall time of the whole run, starts of processes included: 90s, 4m30s; null: until `generations` are done
    quantity     what `latency_ms` is: request (one batch in, result ready), step (back to back), device (its own work)
    generations  fresh processes a variant, the unit an interval is made of: so many are wanted; with a budget more are
                 run while it lasts, until every interval is within `target`
    target       half-width of the 95 % intervals, as a share, at which a run with a budget stops early
    replicas     measure every variant this many times over, as if it were that many variants
    seed         of the initial weights, the input and the order of turns
    timeout      seconds one variant may take to start, or to run one block, before it is given up
    """

    device: Device = "auto"
    budget: str | int | float | None = None
    quantity: Quantity = "request"
    generations: Annotated[int, Ge(1), Le(1000)] = 3
    target: Annotated[float, Gt(0), Le(1)] = 0.01
    replicas: Annotated[int, Ge(1), Le(100)] = 1
    seed: Annotated[int, Ge(0), Le(2**32 - 1)] = 0
    timeout: Annotated[float, Ge(1), Le(86_400)] = 300.0


def budget_seconds(plan: MeasurePlan) -> float | None:
    """The budget in seconds, null where there is none."""
    if plan.budget is None:
        return None
    try:
        budget = units.parse_duration(str(plan.budget))
    except ValueError:
        budget = 0.0
    if not 0 < budget < 1e8:
        raise wrong_value("measure.budget", plan.budget, "is not a duration; write 90s, 4m30s or 1h")
    return budget


@dataclass(frozen=True)
class Sample:
    """Which points of the grid are taken.

    method  grid: the middles of even strata of every axis and every factor of a product, as many as `n` allows, or all
            without `n`; random: any, again and again; lhs: Latin hypercube, one in each of n strata of every axis and
            factor; sobol: a scrambled Sobol' sequence
    n       how many points are drawn; several may fall on one
    seed    of what is random in it
    """

    method: Literal["grid", "random", "lhs", "sobol"] = "random"
    n: Annotated[int, Ge(1), Le(4_000_000)] | None = None
    seed: Annotated[int, Ge(0), Le(2**32 - 1)] = 0


@dataclass(frozen=True)
class Select:
    """Which variants are kept: the Pareto front over metrics, thinned to `limit`. The reference stays whatever it costs.

    minimize  names of metrics that are better small; with maximize empty too, what a report's front is over
    maximize  names of metrics that are better large
    limit     how many are kept at most; null: 12
    """

    minimize: tuple[str, ...] = ()
    maximize: tuple[str, ...] = ()
    limit: Annotated[int, Ge(1), Le(100_000)] | None = None


OF_THE_RUN = tuple(field.name for field in fields(MeasurePlan))

SETTINGS: dict[str, tuple[type, dict[str, Any]]] = {  # with the fields whose form in a file is another
    "sample": (Sample, {}),
    "select": (Select, {"minimize": (list[str], []), "maximize": (list[str], [])}),
}


def defaults_of(kind: type, names: tuple[str, ...] | None = None) -> dict[str, tuple[Any, Any]]:
    """A dataclass's fields as (annotation, default), all or those named."""
    hints = get_type_hints(kind, include_extras=True)
    return {f.name: (hints[f.name], f.default) for f in fields(kind) if names is None or f.name in names}


def _make_model(name: str, members: Mapping[str, tuple[Any, Any]], doc: str = "") -> type[BaseModel]:
    config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    model: type[BaseModel] = create_model(name, __config__=config, __doc__=doc, **dict(members))  # type: ignore[call-overload]
    return model


@cache
def part_model(family: str, part: str) -> type[BaseModel]:
    """The pydantic model of one part's knobs, from its signature."""
    registered = FAMILIES[family][part]
    members = {name: (knob.annotation, knob.default) for name, knob in registered.knobs.items()}
    return _make_model(f"{family}_{part}", members, registered.doc)


@cache
def section_model(section: str) -> type[BaseModel]:
    """The pydantic model of `input` or `measure`."""
    if section == "input":
        return _make_model("input", defaults_of(Workload, WORKLOAD_IN_INPUT), "One batch of images.")
    members = defaults_of(MeasurePlan) | defaults_of(Workload, WORKLOAD_IN_MEASURE)
    return _make_model("measure", members, "How, and how long, variants are measured.")


@cache
def settings_model(key: str) -> type[BaseModel]:
    """The pydantic model of `sample` or `select`."""
    kind, members = SETTINGS[key]
    return _make_model(key, defaults_of(kind) | members, (kind.__doc__ or "").split("\n")[0])


@cache
def knob_paths() -> tuple[str, ...]:
    """Every dotted path that the parts of some variant have, and the whole workload under `input`."""
    parts = (
        f"{family}.{key}"
        for family, registered in FAMILIES.items()
        for key in ("type", *(knob for part in registered.values() for knob in part.knobs))
    )
    workload = (f"input.{key}" for key in (*WORKLOAD_IN_INPUT, *WORKLOAD_IN_MEASURE))
    return tuple(dict.fromkeys([*parts, *workload]))


def choose_part(family: str, given: Mapping[str, Any]) -> PartChoice:
    """A part with every knob validated and filled in. Raises SpecError beginning with the dotted key."""
    if "type" not in given:
        raise SpecError(f"{family}.type: missing; say which: {', '.join(FAMILIES[family])}")
    if not isinstance(given["type"], str):
        raise wrong_value(f"{family}.type", given["type"], f"is not a word; take one of {', '.join(FAMILIES[family])}")
    part = FAMILIES[family][given["type"]]
    knobs = {name: value for name, value in given.items() if name != "type"}
    return PartChoice(part.name, validate_knobs(part_model(family, part.name), knobs, family, part.name))


def validate_knobs(model: type[BaseModel], given: Mapping[str, Any], where: str, whose: str) -> dict[str, Any]:
    """The knobs with defaults filled in. Raises SpecError for the first key that is unknown or not acceptable."""
    known = list(model.model_fields)
    for key in given:
        if key not in known:
            takes = f"takes {', '.join(known)}" if known else "takes no keys"
            raise SpecError(
                f"{where}.{quote_key(key)}: unknown key; {whose} {takes}.{suggest_nearest(str(key), known)}"
            )
    try:
        return model.model_validate(dict(given)).model_dump()
    except ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        takes = describe_type(model.model_fields[key].rebuild_annotation())
        raise wrong_value(f"{where}.{key}", given[key], f"is not accepted; it takes {takes}") from None


NOT_ACCEPTED = object()


def validate_values(model: type[BaseModel], key: str, values: Sequence[Any]) -> list[Any]:
    """Each of many values of one knob as `validate_knobs` has it; NOT_ACCEPTED where it would raise."""
    if key not in model.model_fields:
        return [NOT_ACCEPTED] * len(values)
    try:
        return _validate_list(model, key, list(values))
    except ValidationError as error:
        refused = {int(detail["loc"][1]) for detail in error.errors(include_url=False, include_input=False)}
    rest = iter(_validate_list(model, key, [value for place, value in enumerate(values) if place not in refused]))
    return [NOT_ACCEPTED if place in refused else next(rest) for place in range(len(values))]


def _validate_list(model: type[BaseModel], key: str, values: list[Any]) -> list[Any]:
    return list(dict(_lists_of(model, key).model_validate({"values": values}))["values"])


@cache
def _lists_of(model: type[BaseModel], key: str) -> type[BaseModel]:
    """A model of a list of one knob's values."""
    annotation = model.model_fields[key].rebuild_annotation()
    return _make_model(f"{model.__name__}_{key}", {"values": (list[annotation], ...)})  # type: ignore[valid-type]


def describe_type(annotation: Any) -> str:
    """The values that a knob's type accepts, in words: `a whole number from 1 to 512`, `sum or average`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return f"{describe_type(arguments[0])}{_describe_limits(arguments[1:])}"
    if origin is Literal:
        return _join_alternatives([str(item) for item in arguments])
    if origin in (Union, UnionType):
        return _join_alternatives([describe_type(item) for item in arguments])
    if origin is list:
        item = describe_type(arguments[0]).removeprefix("a ")
        return "a list of " + re.sub("(number|word)", r"\1s", item, count=1)
    return WORDS[annotation]


WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a word",
    bool: "true or false",
    type(None): "null",
}


def _join_alternatives(items: list[str]) -> str:
    return " or ".join([", ".join(items[:-1]), items[-1]] if items[1:] else items)


def _describe_limits(metadata: tuple[Any, ...]) -> str:
    """Ranges and lengths of an annotated type, in words."""
    low = next((f" from {item.ge}" for item in metadata if isinstance(item, Ge)), "")
    low = next((f" over {item.gt}" for item in metadata if isinstance(item, Gt)), low)
    high = next((f" to {item.le}" for item in metadata if isinstance(item, Le)), "")
    lengths = [item for item in metadata if isinstance(item, Len)]
    exact = lengths and lengths[0].min_length == lengths[0].max_length
    return low + high + (f", {lengths[0].min_length} of them" if exact else "")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a spec file, for editors. Cross-key rules (a level a backbone lacks) stay with `check`."""
    assignment = {"type": "object", "minProperties": 1, "description": "dotted path: value"}
    sections = {name: section_model(name).model_json_schema() for name in ("input", "measure")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archbench spec",
        "type": "object",
        "required": ["archbench"],
        "additionalProperties": False,
        "properties": {
            "archbench": {"const": SPEC_VERSION, "description": "version of the spec language"},
            "name": {"type": "string", "maxLength": 200},
            "base": {"type": "string", "description": "a preset or a spec's path", "examples": list(PRESETS)},
            "module": {
                "type": "string",
                "pattern": MODULE_PATTERN,
                "description": "a hand-written nn.Module's factory",
            },
            **{family: _family_schema(family) for family in FAMILIES},
            **sections,
            "axes": {"type": "object", "additionalProperties": _axis_schema()},
            "exclude": {"type": "array", "items": {"anyOf": [assignment, EXPRESSION]}},
            "include": {"type": "array", "items": assignment},
            "constraints": {"type": "array", "items": EXPRESSION},
            **{key: settings_model(key).model_json_schema() for key in SETTINGS},
            "budgets": {
                "type": "object",
                "additionalProperties": {"type": ["number", "string"]},
                "description": "metric: the most a variant's may be",
                "examples": [{"latency_ms": 30, "peak_bytes": "2GiB"}],
            },
            "reference": assignment,
            "scores": {"type": "string", "description": "a CSV: name or id, score"},
        },
    }


EXPRESSION = {"type": "string", "description": "an expression: gmacs <= 180 and neck.channels > 64"}


def _axis_schema() -> dict[str, Any]:
    """The forms of an axis. `when` may stand beside each but the plain list."""
    values = {"type": "array", "minItems": 1}
    numbers = {"type": "array", "items": {"type": "number"}}
    forms: dict[str, dict[str, Any]] = {
        "values": values | {"description": "the values this dotted path takes"},
        "range": numbers | {"minItems": 3, "maxItems": 3, "description": "from, to (included), step"},
        "log2": numbers | {"minItems": 2, "maxItems": 2, "description": "the first and the last power of two"},
        "product": values | {"items": values, "description": "a list of one value from each list"},
        "zip": {"type": "object", "minProperties": 1, "additionalProperties": values, "description": "path: values"},
    }
    when = {"when": EXPRESSION}
    alternatives = [
        {
            "type": "object",
            "required": [form],
            "properties": {form: schema, **when} | ({"name": {"type": "string"}} if form == "zip" else {}),
            "additionalProperties": False,
        }
        for form, schema in forms.items()
    ]
    return {"anyOf": [forms["values"], *alternatives]}


MODULE_PATTERN = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


def _family_schema(family: str) -> dict[str, Any]:
    """One alternative a part; `type` may be left to the base."""
    alternatives = []
    for name in FAMILIES[family]:
        schema = part_model(family, name).model_json_schema()
        schema["properties"] = {"type": {"const": name}, **schema.get("properties", {})}
        alternatives.append(schema)
    return {"anyOf": alternatives, "description": f"{family}: {', '.join(FAMILIES[family])}"}
