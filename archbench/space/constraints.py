"""Which variants are kept: exact prices held against a spec's constraints before anything is built, and counted step by step.

A few variants are priced one by one and held against the constraints as plain values; the points of a space chunk by chunk, as
columns. Both count what is refused by the first constraint that is not met.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from archbench.design.expressions.parse import Expression
from archbench.design.spec.axes import list_nameable
from archbench.design.spec.schema import knob_paths
from archbench.design.spec.spec import Spec
from archbench.design.variants import Expansion
from archbench.errors import SpecError
from archbench.metrics import SCALED
from archbench.models.variant import ModuleFactory, Variant
from archbench.pricing.price import Cost, price
from archbench.space.columns import evaluate_mask
from archbench.space.identity import WORKLOAD, Section
from archbench.space.points import UNSET, Array, CodedColumn, Mask, Points, Rows, number_values


@dataclass(frozen=True)
class Funnel:
    """The counts of each step from a spec's axes to the few that are measured. Where no front was asked for its fields are null.

    raw              spanned by the axes and includes, or drawn
    excluded         by `exclude`
    duplicates       the same network as another
    collapsed_draws  of those drawn, the ones on a point drawn before
    elsewhere        not looked at, by the command's `--where`
    refused          for each constraint, those it was the first to refuse
    kept             within the constraints
    spared           1 where the reference is refused: it stays whatever it costs
    unjudged         of those kept, hand-written and so without a price that a constraint could judge
    front            of these on the Pareto front, which is over what `aims` says
    chosen           of these taken to be measured, or shown
    unscored         of those kept the ones without a score, which cannot be on a front over it; null: it is over none
    strangers        names and ids with a score that no variant has; null: nobody looked
    """

    raw: int
    excluded: int
    duplicates: int
    refused: Mapping[str, int]
    kept: int
    spared: int = 0
    unjudged: int = 0
    collapsed_draws: int = 0
    elsewhere: int = 0
    front: int | None = None
    chosen: int | None = None
    aims: str | None = None
    unscored: int | None = None
    strangers: Sequence[str] | None = None

    @property
    def variants(self) -> int:
        """All that may be measured."""
        return self.kept + self.spared

    def as_json(self) -> dict[str, Any]:
        """Every count; what was not asked for is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class PricedVariant:
    """A variant with its exact cost; null for a hand-written module, which only a run can count."""

    variant: Variant
    cost: Cost | None


@dataclass(frozen=True)
class KeptVariants:
    """The variants that constraints leave. `refused` counts, for each constraint's text, those it was the first to refuse."""

    priced: tuple[PricedVariant, ...]
    refused: Mapping[str, int] = field(default_factory=dict)


def price_all(variants: Iterable[Variant]) -> list[PricedVariant]:
    """Each variant with its exact cost."""
    return [PricedVariant(v, None if isinstance(v.architecture, ModuleFactory) else price(v)) for v in variants]


def keep_variants(priced: Sequence[PricedVariant], constraints: Sequence[Expression]) -> KeptVariants:
    """The variants no constraint refuses. The reference stays whatever it costs: the others are compared with it."""
    refused: Counter[str] = Counter({constraint.text: 0 for constraint in constraints})
    kept = []
    for item in priced:
        judged = constraints and item.cost is not None
        broken = first_broken(item, constraints) if judged else None
        if broken is not None:
            refused[broken.text] += 1
        if broken is None or item.variant.reference:
            kept.append(item)
    return KeptVariants(tuple(kept), dict(refused))


def first_broken(item: PricedVariant, constraints: Sequence[Expression]) -> Expression | None:
    """The first constraint that a variant does not meet. SpecError for one that is neither true nor false."""
    values = nameable_values(item)
    for constraint in constraints:
        met = constraint.evaluate(values)
        if not isinstance(met, bool):
            raise SpecError(
                f"constraints: {constraint.text} is {met}, neither true nor false; compare it with something",
                constraint.place,
            )
        if not met:
            return constraint
    return None


def nameable_values(item: PricedVariant) -> dict[str, Any]:
    """Every name a constraint may use, of one variant: metrics, their scaled forms, axes and paths; null: it has no such."""
    assert item.cost is not None
    exact = item.cost.as_json()
    scaled = {name: exact[metric] / divisor for name, (metric, divisor) in SCALED.items()}
    parts = item.variant.architecture.as_json() | {"input": item.variant.as_json()["workload"]}
    paths = {f"{section}.{key}": value for section, part in parts.items() for key, value in part.items()}
    return {**dict.fromkeys(knob_paths()), **item.variant.axes, **paths, **scaled, **exact}


def make_funnel(space: Expansion, kept: KeptVariants) -> Funnel:
    """The steps of a spec whose variants are all there."""
    within = len(space.variants) - sum(kept.refused.values())
    return Funnel(
        raw=space.raw,
        excluded=space.excluded,
        duplicates=space.duplicates,
        collapsed_draws=space.collapsed,
        refused=dict(kept.refused),
        kept=within,
        spared=len(kept.priced) - within,
        unjudged=sum(item.cost is None for item in kept.priced) if kept.refused else 0,
    )


@dataclass(frozen=True, eq=False)
class NamedColumns(Mapping[str, Array]):
    """Every name a constraint may use, of all points of a chunk, made when it is asked for.

    Every array broadcasts to the points' shape. A path is null where a point's parts have no such knob. `sections` are those
    of the spec.
    """

    spec: Spec
    sections: Mapping[str, Section]
    points: Points
    costs: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        if name in self.costs:
            return self.costs[name]
        if name in SCALED:
            metric, divisor = SCALED[name]
            return np.asarray(self.costs[metric] / divisor)
        if name in knob_paths():
            return self._knob_values(name)
        if any(name in axis.paths for axis in self.spec.axes):  # of `measure`, or a path without a key
            return self.column(name).value_array()
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from list_nameable(self.spec.axes)

    def __len__(self) -> int:
        return len(list_nameable(self.spec.axes))

    def column(self, path: str) -> CodedColumn:
        """A path as every point has it: as it sets it, or else as the base and the part's defaults do."""
        unset = CodedColumn(path, (), np.full(1, UNSET, np.int32))
        own = next((column for column in self.points.columns if column.path == path), unset)
        if own.codes.min(initial=0) != UNSET:
            return own
        if path in ("base", "module"):  # paths without a key
            value = self.spec.base if path == "base" else self.spec.overrides.get("module")
            return CodedColumn(path, (*own.values, value), np.where(own.codes == UNSET, len(own.values), own.codes))
        values, codes = number_values(self._knob_values(path).astype(object))
        return CodedColumn(path, tuple(values), codes)

    def _knob_values(self, path: str) -> Array:
        """A knob or a workload's key of each point, defaults included. A constraint finds the whole workload under `input`."""
        section, _, key = path.partition(".")
        home = "measure" if section == "input" and key in WORKLOAD["measure"] else section
        return self.sections[home].knob_values(self.points.columns, key)


@dataclass(frozen=True)
class PricedChunk:
    """Some points with their prices. Arrays have the points' shape; rows are places in their C order.

    there    the rows that are looked at: neither excluded, nor a duplicate, nor elsewhere
    rows     the places of these rows
    refused  for each of them the constraint that was the first to refuse it, -1 where none did
    kept     the rows that no constraint refuses
    first    how many rows of earlier chunks were looked at
    """

    columns: NamedColumns
    there: Mask
    rows: Rows
    refused: Array
    kept: Mask
    first: int = 0

    def number_rows(self, rows: Rows) -> Array:
        """The numbers of some rows among all of the space that are looked at."""
        return np.asarray(self.first + np.searchsorted(self.rows, rows))

    def scored_rows(self, rows: Rows) -> Rows:
        """The rows, of these, that have a score."""
        return rows[~np.isnan(self.take_rows(rows, self.columns["score"]))]

    def take_rows(self, rows: Rows, values: Array) -> Array:
        """An array that broadcasts to the points, at some rows."""
        broad = np.broadcast_to(values, self.there.shape).reshape(-1)
        return broad if len(rows) == len(broad) else broad[rows]


@dataclass
class ConstraintJudge:
    """Holds chunks against the constraints, and adds up how many rows each was the first to refuse.

    `rows` counts those that are looked at, `elsewhere` those that `where`, where there is one, leaves out.
    """

    constraints: Sequence[Expression]
    where: Expression | None = None
    refused: Counter[str] = field(default_factory=Counter)
    elsewhere: int = 0
    kept: int = 0
    rows: int = 0

    def judge(self, columns: NamedColumns) -> PricedChunk:
        """The chunk with the rows that are looked at, each refused by a constraint or by none."""
        there = np.broadcast_to(columns.points.kept, columns.points.shape)
        if self.where is not None:
            inside = there & evaluate_mask(self.where, columns, there)
            self.elsewhere += int(there.sum()) - int(inside.sum())
            there = inside
        refused = self._refuse_rows(columns, there)
        chunk = PricedChunk(columns, there, np.flatnonzero(there), refused, there & (refused < 0), self.rows)
        self.kept += int(chunk.kept.sum())
        self.rows += len(chunk.rows)
        return chunk

    def _refuse_rows(self, columns: NamedColumns, there: Mask) -> Array:
        refused, left = np.full(there.shape, -1, dtype=np.int16), there
        for place, constraint in enumerate(self.constraints):
            met = left & evaluate_mask(constraint, columns, left)
            refused[left & ~met] = place
            self.refused[constraint.text] += int(left.sum()) - int(met.sum())
            left = met
        return refused
