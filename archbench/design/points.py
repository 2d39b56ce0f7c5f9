"""Many assignments at once, column by column: what millions of variants are before any of them is one.

Points have a shape. A grid's is one dimension an axis, and a column's codes have length one along every axis but its own:
three million points are a few hundred numbers until somebody needs them row by row. Drawn points have one dimension.
Rows are numbered in C order, the first axis slowest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]

UNSET = -1  # the code of a point that leaves the path as the base has it


@dataclass(frozen=True)
class Column:
    """One dotted path: its distinct values, and for each point the place of its own among them."""

    path: str
    values: tuple[Any, ...]
    codes: Codes  # broadcasts to the points' shape


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
