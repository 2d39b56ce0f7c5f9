"""The columns of points as a program takes them: what is structure, and the rest as lanes of validated knobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from archbench.design.config import split
from archbench.design.points import UNSET, Column, Points
from archbench.design.schema import part_model, section_model, validated
from archbench.errors import SpecError
from archbench.models.detector import FAMILIES
from archbench.pricing.blocks import Array, Block
from archbench.pricing.lanes import Diverged, Draw, lanes

NOT_SET = ""


@dataclass(frozen=True)
class Table:
    """By code: the validated value, one array an element of a list; and which are not accepted, or not of this kind."""

    elements: tuple[Array, ...]
    listed: bool
    refused: Array


@dataclass(frozen=True)
class Numbers:
    """A knob by codes: each element's value by code, and the codes of a block."""

    codes: Array
    elements: tuple[Array, ...]
    listed: bool

    def knob(self, draw: Draw | None = None, *, endless: bool) -> Any:
        """As lanes, a list of them where it is a list."""
        given = [lanes(element[self.codes], draw, endless=endless) for element in self.elements]
        return given if self.listed else given[0]

    def on_axis(self, axis: int, axes: int) -> tuple[Numbers, Array]:
        """Each value in use once, along its own axis of a grid of so many; and where on it each of the codes is."""
        there = np.bincount(self.codes, minlength=1)
        used = np.flatnonzero(there)
        shape = [1] * (axes + 1)
        shape[axis] = len(used)
        return Numbers(used.reshape(shape), self.elements, self.listed), (np.cumsum(there > 0) - 1)[self.codes]


@dataclass(frozen=True)
class Varying:
    """One column, and what its values must have in common to be lanes of one recording."""

    column: Column
    tables: dict[tuple[str, str], Table] = field(default_factory=dict, repr=False)  # by kind and part, made when asked

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        return (*(kind(self.column.path, value) for value in self.column.values), NOT_SET)

    @cached_property
    def labels(self) -> Array:
        """The place of each code's kind among the kinds; UNSET, -1, finds the last."""
        distinct = list(dict.fromkeys(self.kinds))
        return np.array([distinct.index(each) for each in self.kinds])

    def structure(self, block: Block) -> Array:
        """The kinds in a block, as numbers."""
        return np.asarray(self.labels[block.codes(self.column)])

    def numbers(self, block: Block, part: str) -> Numbers | None:
        """The column's numbers in a block of one structure, validated as the part's; null where it has none.

        Raises Diverged where only some are accepted, SpecError where none is.
        """
        codes = block.codes(self.column)
        which = self.kinds[int(codes.flat[0])]
        if not which.startswith("number"):
            return None
        table = self._table(which, part)
        if (refused := table.refused[codes]).all():
            raise SpecError(f"{self.column.path}: not accepted")
        if refused.any():
            raise Diverged(refused)
        return Numbers(codes, table.elements, table.listed)

    def _table(self, which: str, part: str) -> Table:
        if (which, part) not in self.tables:
            self.tables[which, part] = _validated_table(self.column, self.kinds, which, part)
        return self.tables[which, part]


def knobs(block: Block, columns: Sequence[Varying], types: Mapping[str, str], *, endless: bool) -> dict[str, Any]:
    """By path, the numbers of a block of one structure, as lanes. `types`: of each section, which part it is."""
    found = {each.column.path: each.numbers(block, types.get(each.column.path.split(".")[0], "")) for each in columns}
    numbers = {path: each for path, each in found.items() if each is not None}
    if len(block.shape) != 1 or not numbers:
        return {path: each.knob(endless=endless) for path, each in numbers.items()}
    placed = [each.on_axis(axis, len(numbers)) for axis, each in enumerate(numbers.values())]
    draw = Draw([codes for _, codes in placed])
    return {path: each.knob(draw, endless=endless) for path, (each, _) in zip(numbers, placed, strict=True)}


def _validated_table(column: Column, kinds: Sequence[str], which: str, part: str) -> Table:
    section, key = split(column.path)
    model = part_model(section, part) if section in FAMILIES else section_model(section)
    refused = np.array([each != which for each in kinds])
    accepted: dict[int, Any] = {}
    for code in np.flatnonzero(~refused).tolist():
        try:
            accepted[code] = validated(model, {key: column.values[code]}, section, part)[key]
        except SpecError:
            refused[code] = True
    listed = any(isinstance(value, list) for value in accepted.values())
    rows = {code: value if listed else [value] for code, value in accepted.items()}
    width = max(map(len, rows.values()), default=0)
    floats = any(isinstance(item, float) for row in rows.values() for item in row)
    elements = np.zeros((width, len(kinds)), np.float64 if floats else np.int64)
    for code, row in rows.items():
        elements[:, code] = row
    return Table(tuple(elements), listed, refused)


def kind(path: str, value: Any) -> str:
    """What values share that can be lanes: being a number, or a list of so many; any other is of a kind of its own."""
    if "." in path and not path.endswith(".type"):
        if _is_number(value):
            return "number"
        if isinstance(value, list) and value and all(map(_is_number, value)):
            return f"numbers, {len(value)} of them"
    return f"the value {value!r}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_points(rows: Sequence[Mapping[str, Any]]) -> Points:
    """Assignments as columns, in one dimension."""
    paths = dict.fromkeys(path for row in rows for path in row)
    return Points((len(rows),), tuple(_column(path, rows) for path in paths))


def _column(path: str, rows: Sequence[Mapping[str, Any]]) -> Column:
    """Values are told apart as they are written: 1, 1.0 and true are three."""
    known: dict[str, int] = {}
    values: list[Any] = []
    codes = np.full(len(rows), UNSET, np.int32)
    for row, assignment in _given(path, rows):
        code = known.setdefault(repr(assignment), len(values))
        if code == len(values):
            values.append(assignment)
        codes[row] = code
    return Column(path, tuple(values), codes)


def _given(path: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Any]]:
    return ((row, assignment[path]) for row, assignment in enumerate(rows) if path in assignment)
