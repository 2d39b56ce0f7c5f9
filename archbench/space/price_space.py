"""A whole space priced by columns: how many variants there are at each step, and the few worth a second look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from archbench.design.expressions.parse import Expression, compile_expression
from archbench.design.spec.spec import Spec
from archbench.design.spec.variables import list_nameable
from archbench.design.variants import assign_names, expand, make_variant, varied_paths
from archbench.errors import SpecError
from archbench.models.variant import Variant
from archbench.space.columns import evaluate_columns
from archbench.space.constraints import (
    ConstraintJudge,
    Funnel,
    NamedColumns,
    PricedChunk,
    PricedVariant,
    first_broken,
    funnel_of,
    keep_variants,
    nameable_values,
    price_all,
)
from archbench.space.costs import price_points
from archbench.space.grid import DesignSpace
from archbench.space.points import box_values
from archbench.space.reference import ReferenceFinder
from archbench.space.samplers import sample_lists
from archbench.space.scores import Scored
from archbench.space.selection import LIMIT, Aim, aims_of, describe_aims, find_front_of_columns, is_scored, thin_front
from archbench.space.top_k import Keys, PickedRows, RowPicker, choose_lowest


@dataclass(frozen=True)
class SpaceQuery:
    """Which rows of a space are looked at, and which of them are shown.

    where  looks only at rows where it is true
    by     shows the rows with the least of it; null: those that stand for the front
    limit  shows no more than so many; null: as the spec's select says, else LIMIT

    `scores` are those of the spec's file, by name or id; null: it names none.
    """

    where: Expression | None = None
    by: Expression | None = None
    limit: int | None = None
    scores: Mapping[str, float] | None = None

    @classmethod
    def parse(cls, where: str | None, by: str | None, limit: int | None) -> SpaceQuery:
        """As a command line writes them. Raises SpecError with the option."""
        given = {"where": where, "by": by}
        found = {name: compile_expression(text, f"--{name}") for name, text in given.items() if text is not None}
        return cls(found.get("where"), found.get("by"), limit)

    def check_names(self, known: Sequence[str]) -> None:
        """Refuse a name that is none of those known. Raises SpecError with the option."""
        for expression in (self.where, self.by):
            if expression is not None:
                expression.check_names(known)


@dataclass(frozen=True)
class ChosenRow:
    """One row that is shown: its place among all rows, and its assignment."""

    at: int
    point: Mapping[str, Any]


@dataclass(frozen=True)
class PricedSpace:
    """What became of a space.

    reference     the reference's assignment, as the row that is it has it
    reference_at  its place among all rows, null where it is not one of them
    """

    funnel: Funnel
    aims: tuple[Aim, ...]
    front: PickedRows
    chosen: tuple[ChosenRow, ...]
    reference: Mapping[str, Any]
    reference_at: int | None


class ChunkSink(Protocol):
    """Takes priced chunks as they come. Rows are counted through: those of the first chunk, those of the second, ..."""

    def add(self, chunk: PricedChunk) -> None: ...


def price_space(
    spec: Spec,
    asked: SpaceQuery | None = None,
    sink: ChunkSink | None = None,
    said: Callable[[int], None] = lambda rows: None,
) -> PricedSpace:
    """Price every point of a spec, chunk by chunk, in bounded memory. `said` hears how many points are done."""
    asked = asked or SpaceQuery()
    limit = asked.limit or (spec.select.limit if spec.select else None) or LIMIT
    asked.check_names(list_nameable(spec.axes))
    span, judge = DesignSpace(spec), ConstraintJudge(spec.constraints, asked.where)
    scored = Scored(span, asked.scores) if asked.scores is not None and is_scored(spec.select) else None
    aims = aims_of(spec.select, scored=bool(scored))
    reference = ReferenceFinder(span)
    front, least = _Front(aims), RowPicker(partial(choose_lowest, limit=limit))
    for first, chunk in _numbered(_priced(span, judge, scored or None, said)):
        rows = np.flatnonzero(chunk.kept)
        at = first + np.searchsorted(chunk.rows, rows)
        reference.look(first, chunk)
        front.add(chunk, rows, at)
        if asked.by is not None:
            least.add(chunk.columns.points, rows, [_numbers(asked.by, chunk, rows)], at)
        if sink is not None:
            sink.add(chunk)
    on_front = front.picker.best()
    shown = on_front.take(_thinned(on_front, aims, limit)) if asked.by is None else least.best()
    funnel = replace(
        _funnel(span, judge, reference),
        front=len(on_front.at),
        chosen=len(shown.at),
        aims=describe_aims(aims),
        unscored=front.unscored if scored else None,
        strangers=scored.strangers if scored is not None else None,
    )
    return PricedSpace(funnel, aims, on_front, _chosen(shown), reference.point, reference.at)


class _Front:
    """The front of all rows so far. Over the score it is of those that have one: others are neither better nor worse."""

    def __init__(self, aims: Sequence[Aim]) -> None:
        self.picker, self.unscored = RowPicker(partial(_on_front, aims=aims)), 0
        self._metrics = [aim.metric for aim in aims]

    def add(self, chunk: PricedChunk, rows: NDArray[Any], at: NDArray[np.int64]) -> None:
        """Rows of a chunk that are kept, with their places among all rows."""
        if "score" in self._metrics:
            scored = ~np.isnan(chunk.at(rows, chunk.columns["score"]))
            self.unscored += len(rows) - int(scored.sum())
            rows, at = rows[scored], at[scored]
        keys = [chunk.at(rows, chunk.columns[metric]) for metric in self._metrics]
        self.picker.add(chunk.columns.points, rows, keys, at)


def count_funnel(spec: Spec, scores: Mapping[str, float] | None = None) -> Funnel:
    """How many variants there are at each step, and on the front. `scores` are by name or id."""
    if "module" in (*spec.overrides, *varied_paths(spec)):  # which has no price, and no columns
        space = expand(spec, sample_lists)
        return funnel_of(space, keep_variants(price_all(space.variants), spec.constraints))
    return price_space(spec, SpaceQuery(scores=scores)).funnel


def _priced(
    span: DesignSpace, judge: ConstraintJudge, scored: Scored | None, said: Callable[[int], None]
) -> Iterator[PricedChunk]:
    done = 0
    for points, scores in zip(span.chunks(), scored or repeat(None), strict=False):
        costs = price_points(points, partial(make_variant, span.spec))
        known = costs if scores is None else {**costs, "score": scores}
        yield judge.judge(NamedColumns(span, points, known))
        said(done := done + points.size)


def _numbered(chunks: Iterator[PricedChunk]) -> Iterator[tuple[int, PricedChunk]]:
    """Each chunk with the number of its first row."""
    first = 0
    for chunk in chunks:
        yield first, chunk
        first += len(chunk.rows)


def _on_front(keys: Keys, aims: Sequence[Aim]) -> NDArray[Any]:
    return find_front_of_columns(keys, [aim.direction for aim in aims])


def _thinned(front: PickedRows, aims: Sequence[Aim], limit: int) -> NDArray[Any]:
    return thin_front(front.keys, [aim.direction for aim in aims], limit)


def _numbers(by: Expression, chunk: PricedChunk, rows: NDArray[Any]) -> NDArray[Any]:
    """What an order goes by, at rows that are kept; what others have is not looked at."""
    values = chunk.at(rows, evaluate_columns(by, chunk.columns, chunk.kept))
    if values.dtype == object:
        values = box_values(list(values), values.shape)
    if len(rows) and values.dtype.kind not in "if":
        raise SpecError(f"{by.text}: not a number, so rows have no order by it; name a metric", by.place)
    return values


def _chosen(shown: PickedRows) -> tuple[ChosenRow, ...]:
    return tuple(ChosenRow(at, shown.points.assignment(row)) for row, at in enumerate(shown.at.tolist()))


def _funnel(span: DesignSpace, judge: ConstraintJudge, reference: ReferenceFinder) -> Funnel:
    spec, counts = span.spec, span.counts
    (kept_anyway,) = price_all([make_variant(spec, reference.point)])
    return Funnel(
        raw=counts.raw,
        excluded=counts.excluded,
        duplicates=counts.duplicates,
        collapsed_draws=counts.collapsed_draws,
        refused=dict(judge.refused),
        elsewhere=judge.elsewhere,
        kept=judge.kept,
        spared=int(first_broken(nameable_values(kept_anyway), spec.constraints) is not None),
    )


@dataclass(frozen=True)
class ShownVariant:
    """A row that is shown as a variant of its own, with its place among all rows; null for a reference that is none."""

    at: int | None
    priced: PricedVariant


def price_shown(
    spec: Spec, asked: SpaceQuery, said: Callable[[int], None]
) -> tuple[PricedSpace, tuple[ShownVariant, ...]]:
    """Price a space, and the rows of it that are asked for."""
    space = price_space(spec, asked, said=said)
    return space, make_shown_variants(spec, space)


def make_shown_variants(spec: Spec, space: PricedSpace) -> tuple[ShownVariant, ...]:
    """The chosen rows as variants with names, ids and prices; the reference first where it is none of them."""
    reference = make_variant(spec, space.reference)
    made: list[tuple[int | None, Variant]] = [(chosen.at, make_variant(spec, chosen.point)) for chosen in space.chosen]
    if reference.id not in [variant.id for _, variant in made]:
        made.insert(0, (space.reference_at, reference))
    variants = assign_names([replace(v, reference=v.id == reference.id) for _, v in made], spec)
    return tuple(ShownVariant(at, item) for (at, _), item in zip(made, price_all(variants), strict=True))
