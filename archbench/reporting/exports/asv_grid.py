"""A spec's variants as the parameters of an asv benchmark: its axes where they are a grid, else their names.

asv runs and stores the full product of its parameters. Imports nothing heavy: asv imports `benches/` for every bench.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_BLANKS = 2  # a product may be this many times the variants; beyond it is mostly holes
ALONE = "variant"

Labelled = Sequence[tuple[str, Mapping[str, Any]]]  # name, dotted path -> value


@dataclass(frozen=True)
class AsvGrid:
    """The parameters of a benchmark and their values, and the position of each variant in their product, the last fastest."""

    names: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    places: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(map(len, self.values))

    @property
    def points(self) -> list[tuple[Any, ...]]:
        return list(itertools.product(*self.values))


def make_asv_grid(variants: Labelled) -> AsvGrid:
    """The grid that holds every variant: of the axes, where each point is one variant and few are none; else of names."""
    paths = tuple(dict.fromkeys(path for _, axes in variants for path in axes))
    values = tuple(_distinct_values([axes.get(path) for _, axes in variants]) for path in paths)
    sizes = [len(own) for own in values]
    at = [tuple(own.index(axes.get(path)) for path, own in zip(paths, values, strict=True)) for _, axes in variants]
    if not paths or len(set(at)) < len(at) or math.prod(sizes) > MOST_BLANKS * len(at):
        names = tuple(name for name, _ in variants)
        return AsvGrid((ALONE,), (names,), tuple(range(len(names))))
    places = {point: place for place, point in enumerate(itertools.product(*map(range, sizes)))}
    return AsvGrid(paths, values, tuple(places[point] for point in at))


def _distinct_values(values: Sequence[Any]) -> tuple[Any, ...]:
    """The values without repetition, in the order first seen; lists cannot be hashed."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return tuple(found)


def digest_spec(content: Mapping[str, Any]) -> str:
    """A digest of all that a spec says, not of how it is written: a changed spec is another benchmark."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def format_class_name(name: str) -> str:
    """The name of a class for a spec's: FpnSweep for fpn_sweep. It has letters and digits alone and begins with a letter."""
    words = "".join(letter if letter.isalnum() and letter.isascii() else " " for letter in name).split()
    joined = "".join(word[0].upper() + word[1:] for word in words) or "Spec"
    return joined if joined[0].isalpha() else f"Spec{joined}"
