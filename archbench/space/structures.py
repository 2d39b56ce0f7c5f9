"""The columns of points as a program takes them: what is structure, and the rest as lanes of validated knobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from archbench.design.spec.config import split_path
from archbench.design.spec.schema import NOT_ACCEPTED, part_model, section_model, validate_values
from archbench.errors import SpecError
from archbench.models.variant import FAMILIES
from archbench.pricing.lanes import Diverged, SampledLanes, make_lanes
from archbench.space.blocks import Array, SubGrid
from archbench.space.points import CodedColumn

NOT_SET = ""


@dataclass(frozen=True)
class KnobValues:
    """By code: the validated value, one array an element of a list; and which are not accepted, or not of this kind."""

    elements: tuple[Array, ...]
    listed: bool
    refused: Array


@dataclass(frozen=True)
class KnobNumbers:
    """A knob by codes: each element's value by code, and the codes of a block."""

    codes: Array
    elements: tuple[Array, ...]
    listed: bool

    def knob(self, draw: SampledLanes | None = None, *, endless: bool) -> Any:
        """As lanes, a list of them where it is a list."""
        given = [make_lanes(element[self.codes], draw, endless=endless) for element in self.elements]
        return given if self.listed else given[0]

    def on_axis(self, axis: int, axes: int) -> tuple[KnobNumbers, Array]:
        """Each value in use once, along its own axis of a grid of so many; and where on it each of the codes is."""
        there = np.bincount(self.codes, minlength=1)
        used = np.flatnonzero(there)
        shape = [1] * (axes + 1)
        shape[axis] = len(used)
        return KnobNumbers(used.reshape(shape), self.elements, self.listed), (np.cumsum(there > 0) - 1)[self.codes]


@dataclass(frozen=True)
class VaryingKnob:
    """One column, and what its values must have in common to be lanes of one recording."""

    column: CodedColumn
    tables: dict[tuple[int, str], KnobValues] = field(
        default_factory=dict, repr=False
    )  # by kind and part, made when asked

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of values there are, the last that of a point that leaves the path as it is."""
        return (*dict.fromkeys(self._kinds), NOT_SET)

    @cached_property
    def labels(self) -> Array:
        """The place of each code's kind among the kinds; UNSET, -1, finds the last."""
        places = {each: place for place, each in enumerate(self.kinds)}
        if len(self.kinds) == 2:
            return np.array([0] * len(self.column.values) + [1])
        return np.array([*(places[each] for each in self._kinds), len(places) - 1])

    @cached_property
    def _kinds(self) -> list[str]:
        """The kind of each value; only one where all are of it."""
        found = [lane_kind(self.column.path, value) for value in self.column.values]
        return found if len(set(found)) > 1 else found[:1]

    def structure(self, block: SubGrid) -> Array:
        """The kinds in a block, as numbers."""
        return np.asarray(self.labels[block.codes(self.column)])

    def numbers(self, block: SubGrid, part: str) -> KnobNumbers | None:
        """The column's numbers in a block of one structure, validated as the part's; null where it has none.

        Raises Diverged where only some are accepted, SpecError where none is.
        """
        codes = block.codes(self.column)
        label = int(self.labels[codes.flat[0]])
        if not self.kinds[label].startswith("number"):
            return None
        table = self._table(label, part)
        if (refused := table.refused[codes]).all():
            raise SpecError(f"{self.column.path}: not accepted")
        if refused.any():
            raise Diverged(refused)
        return KnobNumbers(codes, table.elements, table.listed)

    def _table(self, label: int, part: str) -> KnobValues:
        if (label, part) not in self.tables:
            self.tables[label, part] = _validated_table(self.column, self.labels != label, part)
        return self.tables[label, part]


def make_knobs(
    block: SubGrid, columns: Sequence[VaryingKnob], types: Mapping[str, str], *, endless: bool
) -> dict[str, Any]:
    """By path, the numbers of a block of one structure, as lanes. `types`: of each section, which part it is."""
    found = {each.column.path: each.numbers(block, types.get(each.column.path.split(".")[0], "")) for each in columns}
    numbers = {path: each for path, each in found.items() if each is not None}
    if len(block.shape) != 1 or not numbers:
        return {path: each.knob(endless=endless) for path, each in numbers.items()}
    placed = [each.on_axis(axis, len(numbers)) for axis, each in enumerate(numbers.values())]
    draw = SampledLanes([codes for _, codes in placed])
    return {path: each.knob(draw, endless=endless) for path, (each, _) in zip(numbers, placed, strict=True)}


def _validated_table(column: CodedColumn, refused: Array, part: str) -> KnobValues:
    """The table of a column's values but for those that are refused already, as not of the kind."""
    section, key = split_path(column.path)
    model = part_model(section, part) if section in FAMILIES else section_model(section)
    codes = np.flatnonzero(~refused).tolist()
    found = zip(codes, validate_values(model, key, [column.values[code] for code in codes]), strict=True)
    accepted = {code: value for code, value in found if value is not NOT_ACCEPTED}
    refused = refused.copy()
    refused[[code for code in codes if code not in accepted]] = True
    listed = any(isinstance(value, list) for value in accepted.values())
    rows = {code: value if listed else [value] for code, value in accepted.items()}
    width = max(map(len, rows.values()), default=0)
    elements = np.zeros((width, len(refused)), _number_type(item for row in rows.values() for item in row))
    for code, row in rows.items():
        elements[:, code] = row
    return KnobValues(tuple(elements), listed, refused)


def _number_type(items: Iterable[Any]) -> type[np.float64] | type[np.int64]:
    return np.float64 if any(isinstance(item, float) for item in items) else np.int64


def lane_kind(path: str, value: Any) -> str:
    """What values share that can be lanes: being a number, or a list of so many; any other is of a kind of its own."""
    if "." in path and not path.endswith(".type"):
        if _is_number(value):
            return "number"
        if isinstance(value, list) and value and all(map(_is_number, value)):
            return f"numbers, {len(value)} of them"
    return f"the value {value!r}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
