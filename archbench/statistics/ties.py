"""Whose latency was compared with whose, and which of those could be equally fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from archbench.runs.records import Key

NO_INTERVAL = "no interval"
NO_SESSION = "no session in common"


@dataclass(frozen=True)
class Ties:
    """What the fit can say of two variants: nothing, that they are told apart, or that they could be equal.

    `groups`: of each variant that has an interval a number, the same for those that sessions in common, or a chain of
    them, link. Only two of one number are compared.
    `close`: whether the interval of the ratio of two holds 1, by their places in `groups`; pair by pair, none corrected
    for the others.
    """

    groups: Mapping[Key, int] = field(default_factory=dict)
    close: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), bool))

    def of(self, key: Key) -> frozenset[Key]:
        """The others that a variant cannot be told from."""
        if key not in self.groups:
            return frozenset()
        row = self.close[list(self.groups).index(key)]
        return frozenset(other for other, near in zip(self.groups, row, strict=True) if near and other != key)

    def untold(self, one: Key, other: Key) -> str | None:
        """Why two were not compared; null where they were."""
        if one not in self.groups or other not in self.groups:
            return NO_INTERVAL
        return None if self.groups[one] == self.groups[other] else NO_SESSION
