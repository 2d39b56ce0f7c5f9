"""Many assignments at once, column by column: what millions of variants are before any of them is one.

Points have a shape. A grid's is one dimension an axis, and a column's codes have length one along every axis but its own:
three million points are a few hundred numbers until somebody needs them row by row. Drawn points have one dimension.
Rows are numbered in C order, the first axis slowest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.design.spec.axes import UNSET as UNSET  # the code of a point that leaves the path as the base has it

Array = NDArray[Any]
Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]

LARGEST = 2**63 - 1


def boxed(values: Sequence[Any], shape: tuple[int, ...]) -> Array:
    """Plain values as an array: bool, int64 or float64 where they are all of that kind, else objects."""
    kinds = set(map(type, values))
    if kinds == {bool}:
        return np.array(values, bool).reshape(shape)
    if kinds == {float}:
        return np.array(values, np.float64).reshape(shape)
    if kinds == {int} and min(values) >= -LARGEST and max(values) <= LARGEST:
        return np.array(values, np.int64).reshape(shape)
    objects = np.empty(len(values), object)
    for position, value in enumerate(values):  # numpy would make a dimension of a list
        objects[position] = value
    return objects.reshape(shape)


def at(table: Array, places: NDArray[Any]) -> Array:
    """The table's entries at those places, an array of their shape: a list at a single place stays one entry."""
    return np.asarray(table[places, ...])


@dataclass(frozen=True, eq=False)
class Lists(Sequence[Any]):
    """Lists of one item of each factor, made when they are asked for; `positions` in their product, the first slowest."""

    factors: tuple[tuple[Any, ...], ...]
    positions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, code: Any) -> Any:
        position, items = int(self.positions[code]), []
        for factor in reversed(self.factors):
            position, digit = divmod(position, len(factor))
            items.append(factor[digit])
        return items[::-1]

    def digits(self) -> list[Codes]:
        """For each factor, which of its items every list has."""
        positions, found = self.positions, []
        for factor in reversed(self.factors):
            found.append((positions % len(factor)).astype(np.int32))
            positions = positions // len(factor)
        return found[::-1]

    def diagonal(self) -> list[list[Any]]:
        """As few lists as have every item of every factor: what is so of each item of these is so of all lists."""
        longest = max(map(len, self.factors))
        return [[factor[row % len(factor)] for factor in self.factors] for row in range(longest)]


@dataclass(frozen=True)
class Column:
    """One dotted path: its distinct values, and for each point the place of its own among them."""

    path: str
    values: Sequence[Any]
    codes: Codes  # broadcasts to the points' shape

    def trimmed(self) -> Column:
        """The same without the values that no point has."""
        used, codes = np.unique(self.codes, return_inverse=True)
        unset = int((used == UNSET).any())
        used = used[unset:]
        if isinstance(self.values, Lists):
            values: Sequence[Any] = Lists(self.values.factors, self.values.positions[used])
        else:
            values = tuple(self.values[code] for code in used.tolist())
        return Column(self.path, values, (codes - unset).reshape(self.codes.shape).astype(np.int32))

    def array(self) -> Array:
        """Each code's value, in the codes' shape, as an expression takes it: numbers, or objects; null where it is unset."""
        unset = (self.codes == UNSET).any()
        table = boxed([*self.values, *([None] if unset else [])], (-1,))  # UNSET counts from the end
        return at(table, self.codes)


@dataclass(frozen=True)
class Points:
    """Assignments as columns. `kept` says which are wanted; null: all."""

    shape: tuple[int, ...]
    columns: tuple[Column, ...]
    kept: Mask | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def assignment(self, row: int) -> Mapping[str, Any]:
        """The dotted paths that one row sets, with their values."""
        at = np.unravel_index(row, self.shape)
        codes = [int(np.broadcast_to(column.codes, self.shape)[at]) for column in self.columns]
        return {c.path: c.values[code] for c, code in zip(self.columns, codes, strict=True) if code != UNSET}
