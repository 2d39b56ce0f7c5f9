"""The sections of a spec as nested mappings: those of its base, with its own and those of `--set` written over them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from archbench.design.spec.axes import SECTIONS, WHOLE, split_path
from archbench.design.spec.schema import MODULE_PATTERN, SPEC_VERSION
from archbench.design.spec.yaml_file import parse_document, read_document
from archbench.errors import SpecError
from archbench.models.presets import PRESETS, Preset
from archbench.text import quote_key, quote_value, suggest_nearest, wrong_value

Config = dict[str, Any]  # parts, input and measure as mappings, the form every override is applied to

SETTINGS = ("sample", "select")  # of a sweep, not of a network: a base's are not taken over
KEYS = (
    *("archbench", "name", *WHOLE, *SECTIONS, "axes", "exclude", "include", "constraints", "reference", "scores"),
    *SETTINGS,
    "budgets",
)
MAX_BASES = 8  # a base of a base of a base is a habit; deeper is a mistake


def check_keys(data: Mapping[str, Any]) -> None:
    """Refuse an unknown top-level key, and a spec that does not say which language it is in."""
    for key in data:
        if key not in KEYS:
            raise SpecError(
                f"{quote_key(key)}: unknown key; a spec takes {', '.join(KEYS)}.{suggest_nearest(key, list(KEYS))}"
            )
    if data.get("archbench") != SPEC_VERSION or isinstance(data.get("archbench"), bool):
        given = quote_value(data["archbench"]) if "archbench" in data else "missing"
        raise SpecError(f"archbench: {given}; a spec begins with `archbench: {SPEC_VERSION}`")


def merge_sections(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> Config:
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
    """The sections a spec starts from: a preset's, another spec's, or nothing but an empty top block and head."""
    if base is None:
        return {"top_block": {"type": "none"}, "head": {"type": "none"}}
    if not isinstance(base, str):
        raise wrong_value("base", base, "is not a preset's name or a spec's path")
    if not base.endswith((".yaml", ".yml")):
        try:
            return {family: dict(part) for family, part in find_preset(base).parts.items()}
        except SpecError as error:
            raise SpecError(f"base: {error.message}") from None
    if depth >= MAX_BASES:
        raise SpecError(f"base: over {MAX_BASES} specs deep at {quote_value(base)}; does one name itself?")
    path = resolve_inside(folder, base, "base")
    data = read_document(path).data
    check_keys(data)
    return merge_sections(base_config(data.get("base"), path.parent, depth + 1), own_sections(data))


def find_preset(name: str) -> Preset:
    """The preset of that name. Raises SpecError with the nearest name."""
    if name not in PRESETS:
        known = list(PRESETS)
        raise SpecError(
            f"there is no preset {name!r}; `archbench list presets` names them." + suggest_nearest(name, known)
        )
    return PRESETS[name]


def resolve_inside(folder: Path, name: str, key: str) -> Path:
    """The path of a file that a spec names, which must not leave the spec's folder."""
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise wrong_value(key, name, f"is outside the spec's folder; move it below {folder}")
    return path


def own_sections(data: Mapping[str, Any]) -> Config:
    """The sections a spec writes itself. Knobs are checked when a variant is made; here, only that they are mappings."""
    config: Config = {}
    for section in SECTIONS:
        if section in data:
            if not isinstance(data[section], dict):
                raise wrong_value(section, data[section], f"is not a mapping; write {section}: {{key: value}}")
            config[section] = dict(data[section])
    if data.get("module") is not None:
        config["module"] = read_factory(data["module"])
    return config


def read_factory(module: Any) -> str:
    """The factory of a hand-written module, as `package.file:factory` names it."""
    if not isinstance(module, str) or not re.fullmatch(MODULE_PATTERN, module):
        raise wrong_value("module", module, "is not package.file:factory")
    return module


def apply_sets(data: Mapping[str, Any], sets: Iterable[str]) -> dict[str, Any]:
    """A spec's data with each `--set PATH=VALUE` written over it; a value is read as YAML."""
    result = dict(data)
    for text in sets:
        path, parsed = parse_set(text)
        if path in (data.get("axes") or {}):
            raise SpecError(f"--set {path}: it is an axis of the spec; take it out of axes first")
        section, key = _split_settable(path)
        result = merge_sections(result, {section: {key: parsed}}) if key else {**result, section: parsed}
    return result


def _split_settable(path: str) -> tuple[str, str]:
    """A path that `--set` may write as section and key: one that can vary, or a key of `sample` or `select`."""
    section, _, key = path.partition(".")
    return (section, key) if section in SETTINGS and key and "." not in key else split_path(path)


def parse_set(text: str) -> tuple[str, Any]:
    """The path and value of `PATH=VALUE`."""
    path, equals, value = text.partition("=")
    if not equals:
        raise SpecError(f"--set {quote_value(text)}: not PATH=VALUE")
    try:
        return path, parse_document(f"value: {value}", "").data["value"]
    except SpecError as error:
        raise SpecError(f"--set {quote_value(text)}: {error.message}") from None
