"""One thing to measure. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from archbench.models.variant import Variant
from archbench.runs.records import Key


@dataclass(frozen=True)
class Task:
    """One variant to measure, once per replica. `peak_bytes` and `weight_bytes` are priced; 0 for a module.

    Tasks of the same `pair` are compared with each other and so are never in different groups.
    """

    variant: Variant
    replica: int = 0
    weight_bytes: int = 0
    peak_bytes: int = 0
    pair: str = ""

    @property
    def key(self) -> Key:
        return self.variant.id, self.replica

    @property
    def title(self) -> str:
        return self.variant.name + (f" (replica {self.replica})" if self.replica else "")
