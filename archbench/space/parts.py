"""One section of many variants, as far as they agree: its part, its fixed knobs, and what it makes of those that vary."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from archbench.design.spec.config import Config
from archbench.design.spec.schema import (
    NOT_ACCEPTED,
    WORKLOAD_IN_INPUT,
    WORKLOAD_IN_MEASURE,
    choose_part,
    part_model,
    section_model,
    validate_knobs,
    validate_values,
)
from archbench.design.spec.spec import Spec
from archbench.design.variants import configure_point
from archbench.errors import SpecError
from archbench.models.detector import FAMILIES
from archbench.registry import LAST_LEVEL

KEPT = {
    "input": WORKLOAD_IN_INPUT,
    "measure": WORKLOAD_IN_MEASURE,
}  # what of a section without parts a network is made of
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode

ABSENT = object()  # an outcome of other parts

Rows = Sequence[tuple[Any, ...]]  # values of some knobs
Reads = Mapping[str, tuple[str, ...]]  # an outcome -> the knobs it hangs on


@dataclass(frozen=True)
class Item:
    """In the place of an item of a list: whatever does more than pass it on ends in TypeError."""

    place: int

    def __eq__(self, other: object) -> bool:
        raise TypeError("an item is looked at")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("an item is looked at")


class Passed(list[Item]):
    """A list of items that stand for those of many lists."""


@dataclass(frozen=True)
class Frame:
    """What variants share that differ in varied knobs of the section's own.

    part   of a section without parts its own name; null for a hand-written module, and where what is fixed is no part
    fixed  every knob there is, validated; of the varied ones the default
    given  what the spec and its base say of the varied ones, not yet validated
    """

    section: str
    module: str | None = None
    part: str | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    last_level: int = 0

    @property
    def reads(self) -> Reads:
        """The outcomes that this part has."""
        if self.part is None:
            return {}
        return FAMILIES[self.section][self.part].reads if self.section in FAMILIES else _kept(self.section)

    def rest(self, varying: Sequence[str]) -> str | None:
        """The content of every outcome that does not vary; null where it is no part."""
        if self.part is None:
            return self.module
        fixed = [name for name in self.reads if name not in varying]
        return CANONICAL([self.part, *((name, next(self.contents(name, (), [()]))) for name in fixed)])

    def contents(self, outcome: str, keys: Sequence[str], knobs: Rows) -> Iterator[str | None]:
        """What an outcome comes to, for values of these knobs; null where one of them is not accepted.

        It is the default where it makes no difference, as an id leaves it out then; nothing, where the part has it not.
        """
        default = self._defaults.get(outcome, NOT_ACCEPTED)
        for value in self._values(outcome, keys, knobs):
            yield written(default if value == default else value)

    def items(self, outcome: str, keys: Sequence[str], knobs: Rows) -> Iterator[tuple[str | Item, ...] | None]:
        """The same item by item, where it is a list. An `Item` among a list's stands for any, and must not be looked at."""
        for value in self._values(outcome, keys, knobs):
            if isinstance(value, list | tuple):
                yield ("a list", *(item if isinstance(item, Item) else str(written(item)) for item in value))
            else:
                yield None if (text := written(value)) is None else (f"not a list: {text}",)

    def _values(self, outcome: str, keys: Sequence[str], knobs: Rows) -> Iterator[Any]:
        given = {**self.fixed, LAST_LEVEL: self.last_level}
        for values in knobs:
            if NOT_ACCEPTED in values:
                yield NOT_ACCEPTED
            elif outcome not in self.reads:
                yield ABSENT
            else:
                given.update(zip(keys, values, strict=True))
                part = FAMILIES[self.section][str(self.part)] if self.section in FAMILIES else None
                yield part.resolve_knob(outcome, given) if part else given[outcome]

    @property
    def _defaults(self) -> Mapping[str, Any]:
        has_parts = self.part is not None and self.section in FAMILIES
        return FAMILIES[self.section][str(self.part)].defaults if has_parts else {}

    def knob(self, key: str, values: Sequence[Any]) -> list[Any]:
        """Values of a varied knob, validated; NOT_ACCEPTED where one is not, or the part has no such knob."""
        if self.part is None or any(isinstance(value, Passed) for value in values):
            return list(values)
        return validate_values(self._model, key, values)

    def unset(self, key: str) -> Any:
        """A knob of its own that a point leaves as it is; null where the part has none of that name."""
        return self.knob(key, [self.given[key]])[0] if key in self.given else self.fixed.get(key)

    @property
    def _model(self) -> type[BaseModel]:
        return part_model(self.section, str(self.part)) if self.section in FAMILIES else section_model(self.section)


def frame_of(spec: Spec, section: str, varied: Sequence[str], leading: Mapping[str, Any]) -> Frame:
    """The frame of the points that set these paths, beside varied knobs of the section's own."""
    try:
        return _frame(section, varied, configure_point(spec, leading))
    except SpecError:  # told by the variant that has it, if one is asked for
        return Frame(section)


def _frame(section: str, varied: Sequence[str], config: Config) -> Frame:
    module = config.get("module")
    if section == "module":
        return Frame(section, f"module {module}")
    if module and section in FAMILIES:
        return Frame(section, "a hand-written module")
    own = config.get(section, {})
    given = {key: value for key, value in own.items() if key in varied}
    rest = {key: value for key, value in own.items() if key not in varied}
    if section not in FAMILIES:
        known = validate_knobs(section_model(section), rest, section, section)
        return Frame(section, None, section, {key: known[key] for key in KEPT[section]}, given)
    part = choose_part(section, rest)
    return Frame(section, None, part.type, part.knobs, given, _last_level(config) if is_trimmed(section) else 0)


def _last_level(config: Config) -> int:
    """The coarsest level that the neck reads, whatever else it has."""
    neck = {key: value for key, value in config.get("neck", {}).items() if key in ("type", "levels")}
    return int(max(choose_part("neck", neck).knobs["levels"]))


def reads_of_parts(section: str) -> list[Reads]:
    """The outcomes of every part that a section can have."""
    if section in FAMILIES:
        return [part.reads for part in FAMILIES[section].values()]
    return [_kept(section)]


def is_trimmed(section: str) -> bool:
    """Whether what a part is hangs on the coarsest level that the neck reads."""
    return any(LAST_LEVEL in keys for reads in reads_of_parts(section) for keys in reads.values())


def _kept(section: str) -> Reads:
    return {key: (key,) for key in KEPT.get(section, ())}


def written(value: Any) -> str | None:
    """A plain value as text, equal where canonical JSON is; null for what is not accepted."""
    if value is NOT_ACCEPTED:
        return None
    return "" if value is ABSENT else repr(value) if type(value) in (int, float, str, bool) else CANONICAL(value)
