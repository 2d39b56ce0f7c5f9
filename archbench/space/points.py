"""Many assignments at once, column by column: what millions of variants are before any of them is one.

Points have a shape. A grid's is one dimension an axis, and a column's codes have length one along every axis but its own:
three million points are a few hundred numbers until somebody needs them row by row. Drawn points have one dimension.
Rows are numbered in C order, the first axis slowest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.design.spec.axes import UNSET as UNSET  # the code of a point that leaves the path as the base has it
from archbench.pricing.lanes import INT64_MAX
from archbench.pricing.lanes import Array as Array

Codes = NDArray[np.int32]
Key = NDArray[np.int64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

ALL = np.ones((), bool)


def box_values(values: Sequence[Any], shape: tuple[int, ...]) -> Array:
    """Plain values as an array: bool, int64 or float64 where they are all of that kind, else objects."""
    kinds = set(map(type, values))
    if kinds == {bool}:
        return np.array(values, bool).reshape(shape)
    if kinds == {float}:
        return np.array(values, np.float64).reshape(shape)
    if kinds == {int} and min(values) >= -INT64_MAX and max(values) <= INT64_MAX:
        return np.array(values, np.int64).reshape(shape)
    objects = np.empty(len(values), object)
    for position, value in enumerate(values):  # numpy would make a dimension of a list
        objects[position] = value
    return objects.reshape(shape)


def take_at(table: Array, places: NDArray[Any]) -> Array:
    """The table's entries at those places, an array of their shape: a list at a single place stays one entry."""
    return np.asarray(table[places, ...])


class ValueNumbering:
    """One numbering of plain values by how they are written: 1, 1.0 and true are three values."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._values: list[Any] = []
        self._last: tuple[Sequence[Any], Codes] | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        return tuple(self._values)

    def number(self, value: Any) -> int:
        """The value's number, a new one where it has none."""
        number = self._numbers.setdefault(repr(value), len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number

    def number_column(self, column: CodedColumn) -> Codes:
        """A column's codes in this numbering; unset stays unset."""
        if self._last is None or self._last[0] is not column.values:  # chunks of one space share their values
            self._last = column.values, np.array([*map(self.number, column.values), UNSET], np.int32)
        return self._last[1][column.codes]


def number_values(array: Array) -> tuple[list[Any], Array]:
    """The distinct values of an array, and the place among them of each, in its shape."""
    if array.dtype != object:
        distinct, places = np.unique(array, return_inverse=True)
        return distinct.tolist(), places.reshape(array.shape)
    numbering = ValueNumbering()
    codes = np.array([numbering.number(value) for value in array.flat], np.int32)
    return list(numbering.values), codes.reshape(array.shape)


@dataclass(frozen=True)
class CodedColumn:
    """One dotted path: its distinct values, and for each point the place of its own among them."""

    path: str
    values: Sequence[Any]
    codes: Codes  # broadcasts to the points' shape

    def drop_unused(self) -> CodedColumn:
        """The same without the values that no point has."""
        used, codes = np.unique(self.codes, return_inverse=True)
        unset = int((used == UNSET).any())
        values = tuple(self.values[code] for code in used[unset:].tolist())
        return CodedColumn(self.path, values, (codes - unset).reshape(self.codes.shape).astype(np.int32))

    def value_array(self) -> Array:
        """Each code's value, in the codes' shape, as an expression takes it: numbers, or objects; null where it is unset."""
        unset = (self.codes == UNSET).any()
        table = box_values([*self.values, *([None] if unset else [])], (-1,))  # UNSET counts from the end
        return take_at(table, self.codes)


@dataclass(frozen=True)
class Points:
    """Assignments as columns. `kept` says which are wanted, and broadcasts; `first` is the first one's row in the space."""

    shape: tuple[int, ...]
    columns: tuple[CodedColumn, ...]
    kept: Mask = field(default_factory=lambda: ALL)
    first: int = 0

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def assignment(self, row: int) -> Mapping[str, Any]:
        """The dotted paths that one row sets, with their values."""
        at = np.unravel_index(row, self.shape)
        codes = [int(np.broadcast_to(column.codes, self.shape)[at]) for column in self.columns]
        return {c.path: c.values[code] for c, code in zip(self.columns, codes, strict=True) if code != UNSET}

    def take_rows(self, rows: NDArray[Any]) -> Points:
        """Some rows as points of one dimension."""
        at = np.unravel_index(rows, self.shape)
        columns = [CodedColumn(c.path, c.values, np.broadcast_to(c.codes, self.shape)[at]) for c in self.columns]
        return Points((len(rows),), tuple(c.drop_unused() if len(c.values) > len(rows) else c for c in columns))


def make_points(assignments: Sequence[Mapping[str, Any]]) -> Points:
    """Assignments of plain values as points of one dimension, one a row."""
    columns = []
    for path in dict.fromkeys(path for row in assignments for path in row):
        numbering = ValueNumbering()
        codes = [numbering.number(row[path]) if path in row else UNSET for row in assignments]
        columns.append(CodedColumn(path, numbering.values, np.array(codes, np.int32)))
    return Points((len(assignments),), tuple(columns))


@dataclass(frozen=True)
class PickedRows:
    """Rows out of many: their points (one dimension), the keys they were picked by, their places among all."""

    points: Points
    keys: tuple[Array, ...]
    at: Array

    def take_rows(self, rows: Rows) -> PickedRows:
        return PickedRows(self.points.take_rows(rows), tuple(key[rows] for key in self.keys), self.at[rows])


def join_picked_rows(parts: Sequence[PickedRows]) -> PickedRows:
    """Picked rows one after the other; a path is unset in those that do not have it."""
    columns = []
    for path in dict.fromkeys(column.path for part in parts for column in part.points.columns):
        numbering, codes = ValueNumbering(), []
        for part in parts:
            own = [column for column in part.points.columns if column.path == path]
            codes.append(numbering.number_column(own[0]) if own else np.full(part.points.shape, UNSET, np.int32))
        columns.append(CodedColumn(path, numbering.values, np.concatenate(codes)))
    keys = tuple(np.concatenate(each) for each in zip(*(part.keys for part in parts), strict=True))
    points = Points((sum(part.points.size for part in parts),), tuple(columns))
    return PickedRows(points, keys, np.concatenate([part.at for part in parts]))


def combine_codes(parts: Iterable[tuple[NDArray[Any], int]]) -> tuple[Key, int]:
    """Codes from -1 to below their size as one number, equal where all of them are; and a number above all of those."""
    key, bound = np.zeros(1, np.int64), 1
    for codes, size in sorted(parts, key=lambda part: part[0].size):  # broad arrays last, so that few are made
        if bound * (size + 1) > INT64_MAX:  # as many as there are points, at most
            distinct, key = np.unique(key, return_inverse=True)
            key, bound = key.reshape(np.shape(key)), distinct.size
        key = key * (size + 1) + (codes + 1)
        bound *= size + 1
    return np.asarray(key, np.int64), bound


def find_distinct_rows(parts: Sequence[tuple[NDArray[Any], int]]) -> tuple[list[Codes], Codes]:
    """The distinct combinations of codes from -1 to below their size; and of each place, in their common shape, which it has.

    A combination is a place in each of the arrays that come back, one for each part.
    """
    key, bound = combine_codes(parts)
    flat = key.reshape(-1)
    if bound > 4 * flat.size + 1024:  # rather a sort than a table of what is not there
        _, rows, which = np.unique(flat, return_index=True, return_inverse=True)
    else:
        row_of = np.full(bound, -1, np.intp)
        row_of[flat] = np.arange(flat.size)
        rows, which = row_of[row_of >= 0], (np.cumsum(row_of >= 0) - 1)[flat]
    found = [np.broadcast_to(codes, key.shape).reshape(-1)[rows] for codes, _ in parts]
    return found, which.reshape(key.shape).astype(np.int32)
