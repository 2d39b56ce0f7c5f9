"""An integer that is many: one lane a variant, so that one recording of a network prices all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Diverged(Exception):
    """A model function branched on a value that differs between lanes; `mask` says which lanes go the first way."""

    def __init__(self, mask: np.ndarray[Any, Any]) -> None:
        self.mask = mask


class Lanes(np.ndarray[Any, Any]):
    """Python integers, one a lane: exact however large. A branch or a loop over lanes that differ raises Diverged."""

    def __new__(cls, values: Sequence[int]) -> Lanes:
        return np.asarray(values, dtype=object).view(cls)

    def __bool__(self) -> bool:
        mask = np.asarray(self, dtype=bool)
        if mask.all() or not mask.any():
            return bool(mask.flat[0])
        raise Diverged(mask)

    def __index__(self) -> int:
        values = np.asarray(self)
        same = values == values.flat[0]
        if same.all():
            return int(values.flat[0])
        raise Diverged(same)

    __int__ = __index__

    def __hash__(self) -> int:  # type: ignore[override]  # an array has none; lanes that agree are one number
        return hash(self.__index__())
