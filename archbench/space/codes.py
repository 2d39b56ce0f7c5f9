"""Several codes of each point as one number, and the combinations of them that there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archbench.space.points import LARGEST

Key = NDArray[np.int64]


def combined(parts: Iterable[tuple[NDArray[Any], int]]) -> tuple[Key, int]:
    """Codes from -1 to below their size as one number, equal where all of them are; and a number above all of those."""
    key, bound = np.zeros(1, np.int64), 1
    for codes, size in parts:
        if bound * (size + 1) > LARGEST:  # as many as there are points, at most
            distinct, key = np.unique(key, return_inverse=True)
            key, bound = key.reshape(np.shape(key)), distinct.size
        key = key * (size + 1) + (codes + 1)
        bound *= size + 1
    return np.asarray(key, np.int64), bound


def distinct(key: Key, bound: int) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """A place, in C order, of each distinct number of a key; and which of them every place has, in the key's shape."""
    flat = key.reshape(-1)
    if bound > 4 * flat.size + 1024:  # rather a sort than a table of what is not there
        _, places, inverse = np.unique(flat, return_index=True, return_inverse=True)
        return places, inverse.reshape(key.shape).astype(np.int32)
    place = np.full(bound, -1, np.intp)
    place[flat] = np.arange(flat.size)
    there = place >= 0
    return place[there], (np.cumsum(there, dtype=np.int32) - 1)[key].astype(np.int32)
