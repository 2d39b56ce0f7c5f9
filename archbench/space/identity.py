"""The identity of many points' networks, section by section and trait by trait, as numbers.

A trait is what a knob of a part comes to once every shorthand is written out. It is worked out once for all points that agree
in what it reads: a backbone does not change with the input's height, nor its stem with its depths, so three million points
are a few thousand combinations. Two points are one network where the numbers of all traits are the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from archbench.design.spec.axes import SECTIONS, split_path
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
from archbench.models.variant import FAMILIES
from archbench.registry import LAST_LEVEL
from archbench.space.points import (
    UNSET,
    Array,
    CodedColumn,
    Codes,
    Points,
    ValueNumbering,
    box_values,
    find_distinct_rows,
    take_at,
)

REFUSED = -1  # the number of what is no network
# Combinations of the knobs that one trait reads: a GiB of their texts, and as many as are drawn at most.
MAX_COMBINATIONS = 1 << 22
AT_ONCE = 1 << 16  # combinations whose knobs are Python's own objects at a time
WORKLOAD = {"input": WORKLOAD_IN_INPUT, "measure": WORKLOAD_IN_MEASURE}  # the keys that a network's workload is made of
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode

KnobRows = Sequence[tuple[Any, ...]]  # combinations of the values of some knobs
Reads = Mapping[str, tuple[str, ...]]  # a trait -> the knobs it hangs on


@dataclass(frozen=True)
class Frame:
    """One section of all variants that differ in nothing but knobs of that section: its part and its other knobs.

    module  the section's text where the network is hand-written and has no parts
    part    for a section without parts its own name; null where the other knobs are no part
    fixed   every knob of the part, validated; a varied one has its default here
    given   the values that the spec and its base give the varied knobs, not yet validated
    """

    section: str
    module: str | None = None
    part: str | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    last_level: int = 0

    def trait_texts(self, keys: Sequence[str], rows: KnobRows, *, trait: str) -> Iterator[str | None]:
        """A trait as text for each combination of these knobs; null where one of the values is not accepted.

        A knob at its default is written as the default, however it was spelt, since an id leaves it out. A knob of another part
        is empty.
        """
        if trait == "type":
            yield from [self.part or self.module] * len(rows)
            return
        part = FAMILIES[self.section][self.part] if self.part and self.section in FAMILIES else None
        known = self.part is not None and trait in _reads_of(self.section, self.part)
        default = part.defaults.get(trait, NOT_ACCEPTED) if part else NOT_ACCEPTED
        knobs = {**self.fixed, LAST_LEVEL: self.last_level}
        for row in rows:
            if NOT_ACCEPTED in row or not known:
                yield None if NOT_ACCEPTED in row else ""
                continue
            knobs.update(zip(keys, row, strict=True))
            value = part.resolve_knob(trait, knobs) if part else knobs[trait]
            value = default if value == default else value
            yield repr(value) if type(value) in (int, float, str, bool) else CANONICAL(value)

    def knob_values(self, keys: Sequence[str], rows: KnobRows, *, knob: str) -> Sequence[Any]:
        """One knob for each combination of knobs: the first of them where it varies, else the frame's own."""
        if keys:
            return [None if value is NOT_ACCEPTED else value for (value,) in rows]
        return [self.part if knob == "type" else self.fixed.get(knob)] * len(rows)

    def validate_knob(self, key: str, values: Sequence[Any]) -> list[Any]:
        """Values of a varied knob, validated; NOT_ACCEPTED where one is not, or the part has no such knob."""
        if self.part is None:
            return list(values)
        model = part_model(self.section, self.part) if self.section in FAMILIES else section_model(self.section)
        return validate_values(model, key, values)


@dataclass
class Section:
    """One section of a spec over all of its points. `varied` are the knobs of its own that some point sets."""

    spec: Spec
    name: str
    varied: tuple[str, ...]
    numbers: dict[str, dict[str | None, int]] = field(default_factory=dict)  # trait -> its text -> its number
    frames: dict[str, Frame] = field(default_factory=dict)  # by the paths that lead to it

    @cached_property
    def traits(self) -> dict[str, tuple[str, ...]]:
        """The part's type and every trait of the parts, with the varied knobs that each hangs on in one part or another."""
        found: dict[str, tuple[str, ...]] = {"type": ()}
        for reads in _reads_of_parts(self.name):
            for trait, keys in reads.items():
                own = (*found.get(trait, ()), *(key for key in keys if key in self.varied))
                found[trait] = tuple(dict.fromkeys(own))
        read = {key for keys in found.values() for key in keys}
        return found | {key: (key,) for key in self.varied if key not in read}  # no part's: refused where it is set

    def number_traits(self, columns: Sequence[CodedColumn]) -> dict[str, Codes]:
        """By trait, its number at each point, REFUSED where it is none; each as broad as the axes it hangs on."""
        view, found = _SectionView(self, columns), {}
        for trait, keys in self.traits.items():
            texts, places = view.work_out(keys, partial(Frame.trait_texts, trait=trait))
            numbers = self.numbers.setdefault(trait, {None: REFUSED})
            table = [numbers.setdefault(text, len(numbers) - 1) for text in texts]
            found[trait] = take_at(np.array(table, np.int32), places)
        return found

    def find_frame(self, leading: Mapping[str, Any]) -> Frame:
        """The frame of the points that set these paths, beside varied knobs of the section's own."""
        key = repr(leading)
        if key not in self.frames:
            try:
                self.frames[key] = _make_frame(self.name, self.varied, configure_point(self.spec, leading))
            except SpecError:  # said by the variant that has it, if one is asked for
                self.frames[key] = Frame(self.name)
        return self.frames[key]

    def knob_values(self, columns: Sequence[CodedColumn], key: str) -> Array:
        """One knob of each point's section, defaults included; null where its part has none of that name."""
        keys = (key,) if key in self.varied else ()
        values, places = _SectionView(self, columns).work_out(keys, partial(Frame.knob_values, knob=key))
        return take_at(box_values(values, (-1,)), places)


WorkOut = Callable[[Frame, Sequence[str], KnobRows], Iterable[Any]]


class _SectionView:
    """The columns of some points that change a section: knobs of its own by their keys, and those that lead to a frame."""

    def __init__(self, section: Section, columns: Sequence[CodedColumn]) -> None:
        self._section = section
        self._own = {key: column for column in columns if (key := _own_key(section.name, column.path))}
        self._leading = [c for c in columns if not _own_key(section.name, c.path) and _leads_to(section.name, c.path)]

    @cached_property
    def _frames(self) -> tuple[list[Frame], Codes]:
        """The distinct frames, and the number among them of each point's."""
        codes, places = self._combine_columns(self._leading, [])
        numbering, numbers = ValueNumbering(), []
        for row in zip(*codes, strict=True) if codes else [()]:
            pairs = zip(self._leading, row, strict=True)
            paths = {column.path: column.values[code] for column, code in pairs if code != UNSET}
            numbers.append(numbering.number(self._section.find_frame(paths)))
        return list(numbering.values), take_at(np.array(numbers, np.int32), places)

    def work_out(self, keys: Sequence[str], function: WorkOut) -> tuple[list[Any], Codes]:
        """A function of every combination that there is of a frame and these knobs; and the combination of each point."""
        frames, which = self._frames
        nowhere = np.full(1, UNSET, np.int32)
        knobs = [self._own.get(key, CodedColumn(key, (), nowhere)) for key in keys]
        (at_frame, *at_knobs), places = self._combine_columns([CodedColumn("", frames, which), *knobs], keys)
        found: list[Any] = [None] * len(at_frame)
        for number, frame in enumerate(frames):
            rows = np.flatnonzero(at_frame == number)
            for some in np.split(rows, range(AT_ONCE, len(rows), AT_ONCE)):
                values = [
                    _knob_at(frame, knob, key, at[some]) for knob, key, at in zip(knobs, keys, at_knobs, strict=True)
                ]
                combinations = list(zip(*values, strict=True)) if keys else [()] * len(some)
                for row, result in zip(some.tolist(), function(frame, keys, combinations), strict=True):
                    found[row] = result
        return found, places

    def _combine_columns(self, columns: Sequence[CodedColumn], keys: Sequence[str]) -> tuple[list[Codes], Codes]:
        """Distinct combinations of columns. SpecError for more than can be worked out, before any is."""
        size = math.prod(np.broadcast_shapes(*(column.codes.shape for column in columns)))
        if size > MAX_COMBINATIONS:
            paths = [column.path for column in (*self._leading, *(self._own[key] for key in keys if key in self._own))]
            raise SpecError(
                f"axes: {', '.join(paths)} are read together, and their {size:,} combinations are more than the "
                f"{MAX_COMBINATIONS:,} that can be compared; sample them, `sample: {{method: sobol, n: 1000}}`, or "
                "shorten the axes",
                self._section.spec.place("axes"),
            )
        return find_distinct_rows([(column.codes, len(column.values)) for column in columns])


def _knob_at(frame: Frame, knob: CodedColumn, key: str, codes: Codes) -> list[Any]:
    """A knob's values, validated, at some codes of its column; unset it is null where the part has none of that name."""
    used, places = np.unique(codes, return_inverse=True)
    table = frame.validate_knob(key, [knob.values[code] for code in used.tolist() if code != UNSET])
    if UNSET in used:
        unset = frame.validate_knob(key, [frame.given[key]])[0] if key in frame.given else frame.fixed.get(key)
        table = [unset, *table]
    return [table[place] for place in places.tolist()]


def make_sections(spec: Spec, columns: Sequence[CodedColumn]) -> dict[str, Section]:
    """Every section that a network's identity is made of, where points have these columns."""
    return {
        name: Section(spec, name, tuple(dict.fromkeys(key for c in columns if (key := _own_key(name, c.path)))))
        for name in (*SECTIONS, "module")
    }


def number_sections(sections: Iterable[Section], grid: Points, extras: Points) -> Iterator[tuple[Codes, Codes, int]]:
    """Of every trait its numbers in the grid and in the extras, and how many there are."""
    for section in sections:
        numbers, extra_numbers = (section.number_traits(points.columns) for points in (grid, extras))
        for trait, codes in numbers.items():
            yield codes, np.broadcast_to(extra_numbers[trait], extras.shape), len(section.numbers[trait]) - 1


def _own_key(section: str, path: str) -> str:
    """The knob of a section that a path names; none for its type, and for a path of another section."""
    home, key = split_path(path)
    return key if home == section and key != "type" else ""


def _leads_to(section: str, path: str) -> bool:
    """Whether a path can change a section's frame: its type, the base, and the levels that it is built to."""
    trimmed = path in ("neck.type", "neck.levels") and depends_on_last_level(section)
    return trimmed or split_path(path)[0] in ("base", "module", section)


def _make_frame(section: str, varied: Sequence[str], config: Config) -> Frame:
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
        return Frame(section, None, section, {key: known[key] for key in WORKLOAD[section]}, given)
    last_level = _last_level(config) if depends_on_last_level(section) else 0
    part = choose_part(section, rest)
    return Frame(section, None, part.type, part.knobs, given, last_level)


def _last_level(config: Config) -> int:
    """The coarsest level that the neck reads, whatever else it has."""
    neck = {key: value for key, value in config.get("neck", {}).items() if key in ("type", "levels")}
    return int(max(choose_part("neck", neck).knobs["levels"]))


def depends_on_last_level(section: str) -> bool:
    """Whether a trait of some part hangs on the coarsest level that the neck reads."""
    return any(LAST_LEVEL in keys for reads in _reads_of_parts(section) for keys in reads.values())


def _reads_of_parts(section: str) -> list[Reads]:
    """The traits of every part that a section can have."""
    return [_reads_of(section, part) for part in FAMILIES.get(section, (section,))]


def _reads_of(section: str, part: str) -> Reads:
    """The traits of one part; of a section without parts each key that a workload is made of."""
    if section in FAMILIES:
        return FAMILIES[section][part].reads
    return {key: (key,) for key in WORKLOAD.get(section, ())}
