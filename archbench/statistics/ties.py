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

    `components`: of each variant that has an interval a number, the same for those that sessions in common, or a chain of
    them, link. Only two of one number are compared.
    `close`: whether the interval of the ratio of two holds 1, by their places in `components`; pair by pair, none corrected
    for the others.
    """

    components: Mapping[Key, int] = field(default_factory=dict)
    close: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), bool))

    def ties_of(self, key: Key) -> frozenset[Key]:
        """The others that a variant cannot be told from."""
        if key not in self.components:
            return frozenset()
        row = self.close[list(self.components).index(key)]
        return frozenset(other for other, near in zip(self.components, row, strict=True) if near and other != key)

    def why_apart(self, one: Key, other: Key) -> str | None:
        """Why two were not compared; null where they were."""
        if one not in self.components or other not in self.components:
            return NO_INTERVAL
        return None if self.components[one] == self.components[other] else NO_SESSION
