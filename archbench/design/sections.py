"""What the sections of many points are, each resolved once for every combination of the paths that it reads.

A backbone does not change with the input's height, nor a neck with the backbone: three million points are a few thousand
combinations of one section or another. Two points are one network where all their sections resolve to the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.design.config import SECTIONS, Config, split
from archbench.design.points import LARGEST, UNSET, Array, Codes, Column, at, boxed
from archbench.design.schema import WORKLOAD_IN_INPUT, WORKLOAD_IN_MEASURE, choice, part_model, section_model, validated
from archbench.design.space import configured
from archbench.design.spec import Spec
from archbench.errors import SpecError
from archbench.models.detector import FAMILIES, Choice, resolved_part

REFUSED = -1  # the identity of a combination that is no network

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True)
class Resolved:
    """One combination of one section: which it is among the distinct, and every knob it has, defaults included."""

    identity: int
    knobs: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Frame:
    """What combinations share that differ in their own knobs alone: the type, and every knob as it is before those."""

    module: str | None
    type: str | None
    fixed: Mapping[str, Any]
    last_level: int
    checked: dict[tuple[int, int], Any] = field(default_factory=dict)  # a column's place and code: the value, validated


@dataclass(frozen=True)
class _Read:
    """The columns a section reads: those that give its frame, and by their place the knobs of its own."""

    columns: Sequence[Column]
    tables: tuple[int, ...]  # what tells one set of columns' codes from another's
    leading: tuple[int, ...]
    own: tuple[tuple[int, str], ...]


@dataclass
class Section:
    """One section of a spec, and what its combinations were found to be."""

    spec: Spec
    name: str
    identities: dict[str, int] = field(default_factory=dict)
    known: dict[tuple[int, ...], Resolved] = field(default_factory=dict)
    frames: dict[tuple[Any, ...], _Frame] = field(default_factory=dict)
    tables: dict[int, tuple[Any, ...]] = field(default_factory=dict)  # known by their ids, so they must stay

    def reads(self, path: str) -> bool:
        """Whether a path can change what the section is: its own keys, what it starts from, and the levels it is built to."""
        section, _ = split(path)
        if section in ("base", "module", self.name):
            return True
        return self._is_trimmed and path in ("neck.type", "neck.levels")

    @property
    def _is_trimmed(self) -> bool:
        """Whether what a part is hangs on the coarsest level that the neck reads."""
        return self.name in FAMILIES and any(part.resolve for part in FAMILIES[self.name].values())

    def has(self, key: str) -> bool:
        """Whether some variant can have a knob of that name here."""
        if self.name in FAMILIES:
            return key == "type" or any(key in part.knobs for part in FAMILIES[self.name].values())
        return key in {"input": WORKLOAD_IN_INPUT, "measure": WORKLOAD_IN_MEASURE}.get(self.name, ())

    def resolve(self, columns: Sequence[Column]) -> tuple[Codes, list[Resolved]]:
        """Which of the listed combinations each point has, in the shape of the columns that are read."""
        read = self._read(columns)
        key, _ = combined([(column.codes, len(column.values)) for column in read.columns])
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        rows = [np.broadcast_to(column.codes, key.shape).ravel()[first].tolist() for column in read.columns]
        found = [self._known(read, codes) for codes in (zip(*rows, strict=True) if rows else [()])]
        return inverse.reshape(key.shape).astype(np.int32), found

    def identity(self, columns: Sequence[Column]) -> Codes:
        """The identity of each point's section, REFUSED where it is none."""
        places, found = self.resolve(columns)
        return np.array([resolved.identity for resolved in found], np.int32)[places]

    def values(self, columns: Sequence[Column], key: str) -> Array:
        """One knob of each point's section, defaults included; null where its part has none of that name."""
        places, found = self.resolve(columns)
        return at(boxed([resolved.knobs.get(key) for resolved in found], (-1,)), places)

    def _read(self, columns: Sequence[Column]) -> _Read:
        read = [column for column in columns if self.reads(column.path)]
        self.tables |= {id(column.values): column.values for column in read}
        paths = [split(column.path) for column in read]
        own = tuple(
            (place, key)
            for place, (section, key) in enumerate(paths)
            if section == self.name and key not in ("", "type")
        )
        leading = tuple(place for place in range(len(read)) if place not in dict(own))
        return _Read(read, tuple(id(column.values) for column in read), leading, own)

    def _known(self, read: _Read, codes: tuple[int, ...]) -> Resolved:
        place = read.tables + codes
        if place not in self.known:
            try:
                self.known[place] = self._resolved(read, codes)
            except SpecError:  # told by the variant that has it, if one is asked for
                self.known[place] = Resolved(REFUSED)
        return self.known[place]

    def _resolved(self, read: _Read, codes: tuple[int, ...]) -> Resolved:
        frame = self._frame(read, codes)
        if self.name == "module":
            return Resolved(self._identity(str(frame.module)))
        if frame.module and self.name in FAMILIES:
            return Resolved(self._identity("a hand-written module"))
        knobs = self._knobs(read, codes, frame)
        if frame.type is not None:
            content = resolved_part(self.name, Choice(frame.type, knobs), frame.last_level)
            return Resolved(self._identity(CANONICAL(content)), {"type": frame.type, **knobs})
        kept = {key: knobs[key] for key in (WORKLOAD_IN_INPUT if self.name == "input" else WORKLOAD_IN_MEASURE)}
        return Resolved(self._identity(CANONICAL(kept)), kept)

    def _identity(self, content: str) -> int:
        return self.identities.setdefault(content, len(self.identities))

    def _frame(self, read: _Read, codes: tuple[int, ...]) -> _Frame:
        """The frame of one combination. SpecError as `choice`, where what is fixed is no part."""
        unset = tuple(codes[place] == UNSET for place, _ in read.own)
        place = (read.tables, tuple(codes[place] for place in read.leading), unset)
        if place not in self.frames:
            own = [key for (_, key), gone in zip(read.own, unset, strict=True) if not gone]
            pairs = ((read.columns[place], codes[place]) for place in read.leading)
            leading = {column.path: column.values[code] for column, code in pairs if code != UNSET}
            self.frames[place] = self._made_frame(configured(self.spec, leading), own)
        return self.frames[place]

    def _made_frame(self, config: Config, own: Sequence[str]) -> _Frame:
        module = config.get("module")
        if self.name == "module" or (module and self.name in FAMILIES):
            return _Frame(module, None, {}, 0)
        given = {key: value for key, value in config.get(self.name, {}).items() if key not in own}
        if self.name in FAMILIES:
            part = choice(self.name, given)
            level = max(choice("neck", config.get("neck", {})).knobs["levels"]) if self._is_trimmed else 0
            return _Frame(module, part.type, part.knobs, level)
        return _Frame(module, None, validated(section_model(self.name), given, self.name, self.name), 0)

    def _knobs(self, read: _Read, codes: tuple[int, ...], frame: _Frame) -> dict[str, Any]:
        """Every knob. A value is checked once for each frame it is given to: no check of one knob reads another."""
        knobs = dict(frame.fixed)
        for place, key in read.own:
            code = codes[place]
            if code != UNSET:
                if (place, code) not in frame.checked:
                    model = part_model(self.name, frame.type) if frame.type else section_model(self.name)
                    given = {key: read.columns[place].values[code]}
                    frame.checked[place, code] = validated(model, given, self.name, frame.type or self.name)[key]
                knobs[key] = frame.checked[place, code]
        return knobs


def sections_of(spec: Spec) -> dict[str, Section]:
    """Every section that a network's identity is made of."""
    return {name: Section(spec, name) for name in (*SECTIONS, "module")}


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
