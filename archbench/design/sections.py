"""What the sections of many points are, each resolved once for every combination of the paths that it reads.

A backbone does not change with the input's height, nor a neck with the backbone: three million points are a few thousand
combinations of one section or another. Two points are one network where all their sections resolve to the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.design.config import SECTIONS, Config, split
from archbench.design.points import LARGEST, UNSET, Array, Codes, Column, boxed
from archbench.design.schema import WORKLOAD_IN_INPUT, WORKLOAD_IN_MEASURE, choice, part_model, section_model, validated
from archbench.design.space import configured
from archbench.design.spec import Spec
from archbench.errors import SpecError
from archbench.models.detector import FAMILIES, Choice, resolved_part

REFUSED = -1  # the identity of a combination that is no network

Combination = Mapping[str, Any]  # the paths that are set, with their values


@dataclass(frozen=True)
class Resolved:
    """One combination of one section: which it is among the distinct, and every knob it has, defaults included."""

    identity: int
    knobs: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Section:
    """One section of a spec, and what its combinations were found to be."""

    spec: Spec
    name: str
    identities: dict[str, int] = field(default_factory=dict)
    known: dict[tuple[int, ...], Resolved] = field(default_factory=dict)
    tables: dict[int, tuple[Any, ...]] = field(default_factory=dict)  # what `known` knows by its id, so that it stays
    frames: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    checked: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)

    def reads(self, path: str) -> bool:
        """Whether a path can change what the section is: its own keys, what it starts from, and the levels it is built to."""
        section, _ = split(path)
        if section in ("base", "module", self.name):
            return True
        trims = self.name in FAMILIES and any(part.resolve for part in FAMILIES[self.name].values())
        return trims and path in ("neck.type", "neck.levels")

    def has(self, key: str) -> bool:
        """Whether some variant can have a knob of that name here."""
        if self.name in FAMILIES:
            return key == "type" or any(key in part.knobs for part in FAMILIES[self.name].values())
        return key in {"input": WORKLOAD_IN_INPUT, "measure": WORKLOAD_IN_MEASURE}.get(self.name, ())

    def resolve(self, columns: Sequence[Column]) -> tuple[Codes, list[Resolved]]:
        """Which of the listed combinations each point has, in the shape of the columns that are read."""
        read = [column for column in columns if self.reads(column.path)]
        key, _ = combined([(column.codes, len(column.values)) for column in read])
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        rows = [np.broadcast_to(column.codes, key.shape).ravel()[first].tolist() for column in read]
        self.tables |= {id(column.values): column.values for column in read}
        tables = tuple(id(column.values) for column in read)
        found = [self._known(tables, read, codes) for codes in (zip(*rows, strict=True) if read else [()])]
        return inverse.reshape(key.shape).astype(np.int32), found

    def identity(self, columns: Sequence[Column]) -> Codes:
        """The identity of each point's section, REFUSED where it is none."""
        places, found = self.resolve(columns)
        return np.array([resolved.identity for resolved in found], np.int32)[places]

    def values(self, columns: Sequence[Column], key: str) -> Array:
        """One knob of each point's section, defaults included; null where its part has none of that name."""
        places, found = self.resolve(columns)
        return np.asarray(boxed([resolved.knobs.get(key) for resolved in found], (-1,))[places])

    def _known(self, tables: tuple[int, ...], read: Sequence[Column], codes: tuple[int, ...]) -> Resolved:
        place = tables + codes
        if place not in self.known:
            pairs = zip(read, codes, strict=True)
            point = {column.path: column.values[code] for column, code in pairs if code != UNSET}
            try:
                self.known[place] = self._resolved(point)
            except SpecError:  # told by the variant that has it, if one is asked for
                self.known[place] = Resolved(REFUSED)
        return self.known[place]

    def _resolved(self, point: Combination) -> Resolved:
        frame = self._frame(point)
        if frame.get("module") and self.name in FAMILIES:
            return Resolved(self._identity("a hand-written module"))
        if self.name == "module":
            return Resolved(self._identity(str(frame.get("module"))))
        knobs = self._knobs(point, frame)
        if self.name in FAMILIES:
            part = Choice(frame["type"], knobs)
            content = resolved_part(self.name, part, self._last_level(point))
            return Resolved(self._identity(_canonical(content)), part.as_json())
        kept = WORKLOAD_IN_INPUT if self.name == "input" else WORKLOAD_IN_MEASURE
        knobs = {key: knobs[key] for key in kept}
        return Resolved(self._identity(_canonical(knobs)), knobs)

    def _identity(self, content: str) -> int:
        return self.identities.setdefault(content, len(self.identities))

    def _own(self, point: Combination) -> Iterator[tuple[str, Any]]:
        """The knobs that the point itself sets, the type apart."""
        prefix = f"{self.name}."
        return (
            (path[len(prefix) :], value)
            for path, value in point.items()
            if path.startswith(prefix) and path != f"{prefix}type"
        )

    def _frame(self, point: Combination) -> dict[str, Any]:
        """`module`, the section's `type`, and `fixed`: every knob as it is before the point sets its own."""
        leading = {path: value for path, value in point.items() if path in ("base", "module", f"{self.name}.type")}
        own = tuple(key for key, _ in self._own(point))
        place = (repr(leading), own)
        if place not in self.frames:
            config = configured(self.spec, leading)
            self.frames[place] = {"module": config.get("module"), **self._fixed(config, own)}
        return self.frames[place]

    def _fixed(self, config: Config, own: Iterable[str]) -> dict[str, Any]:
        if self.name == "module":
            return {}
        given = {key: value for key, value in config.get(self.name, {}).items() if key not in own}
        if self.name in FAMILIES and not config.get("module"):
            part = choice(self.name, given)
            return {"type": part.type, "fixed": part.knobs}
        if self.name in FAMILIES:
            return {}
        return {"fixed": validated(section_model(self.name), given, self.name, self.name)}

    def _knobs(self, point: Combination, frame: Mapping[str, Any]) -> dict[str, Any]:
        """Every knob. A value is checked once for each type it is given to: no check of one reads another."""
        knobs = dict(frame["fixed"])
        for key, value in self._own(point):
            place = (frame.get("type"), key, repr(value))
            if place not in self.checked:
                part = frame.get("type")
                model = part_model(self.name, part) if part else section_model(self.name)
                self.checked[place] = validated(model, {key: value}, self.name, part or self.name)[key]
            knobs[key] = self.checked[place]
        return knobs

    def _last_level(self, point: Combination) -> int:
        """The coarsest level that the neck of a point reads."""
        told = {path: value for path, value in point.items() if path in ("base", "neck.type", "neck.levels")}
        place = repr(told)
        if place not in self.levels:
            neck = choice("neck", configured(self.spec, told).get("neck", {}))
            self.levels[place] = max(neck.knobs["levels"])
        return self.levels[place]


def sections_of(spec: Spec) -> dict[str, Section]:
    """Every section that a network's identity is made of."""
    return {name: Section(spec, name) for name in (*SECTIONS, "module")}


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def combined(parts: Sequence[tuple[NDArray[Any], int]]) -> tuple[NDArray[np.int64], int]:
    """Codes from UNSET to their size as one number, equal where all of them are; and a number above all of those."""
    key, bound = np.zeros((), np.int64), 1
    for codes, size in parts:
        if bound * (size + 1) > LARGEST:  # as many as there are points, at most
            distinct, key = np.unique(key, return_inverse=True)
            key, bound = key.reshape(np.shape(key)), distinct.size
        key = key * (size + 1) + (codes + 1)
        bound *= size + 1
    return np.asarray(key, np.int64), bound
