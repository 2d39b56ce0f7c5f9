"""A whole space priced by columns: how many variants there are at each step, and the few worth a second look."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from archbench.design.expressions.parse import Expression, compile_expression
from archbench.design.lookup import load_spec
from archbench.design.spec.axes import list_nameable
from archbench.design.spec.spec import Spec
from archbench.design.variants import MANY, assign_names, expand, is_many, make_variant, varied_paths
from archbench.errors import SpecError
from archbench.models.variant import Variant
from archbench.pricing.price import Cost, price
from archbench.space.columns import evaluate_columns
from archbench.space.constraints import (
    ConstraintJudge,
    Funnel,
    NamedColumns,
    PricedChunk,
    PricedVariant,
    first_broken,
    keep_variants,
    make_funnel,
    price_all,
)
from archbench.space.costs import price_points
from archbench.space.grid import DesignSpace
from archbench.space.points import Array, PickedRows, Points, Rows, box_values, join_picked_rows
from archbench.space.samplers import sample_lists
from archbench.space.selection import LIMIT, describe_aims, find_front_of_columns, is_scored, make_aims, thin_front

HELD = 1 << 20  # rows that are held before they are held against each other

Keys = Sequence[Array]
Best = Callable[[Keys], Rows]  # of rows with these keys, the places of the best


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


class RowPicker:
    """Takes the rows of chunk after chunk, gives the best of all: only what may still be among them is held."""

    def __init__(self, best: Best) -> None:
        self._best = best
        self._held: list[PickedRows] = []
        self._room = HELD

    def add_rows(self, points: Points, rows: Rows, keys: Keys, at: Array) -> None:
        """Rows of a chunk, with their keys and their places among all rows of all chunks."""
        best = self._best(keys)
        self._held.append(PickedRows(points.take_rows(rows[best]), tuple(key[best] for key in keys), at[best]))
        if sum(len(part.at) for part in self._held) > self._room:
            self._room = HELD + 2 * len(self.find_best().at)

    def find_best(self) -> PickedRows:
        """The best so far, in the order they came."""
        joined = join_picked_rows(self._held)
        self._held = [joined.take_rows(self._best(joined.keys))]
        return self._held[0]


def choose_lowest(keys: Keys, limit: int) -> Rows:
    """The rows with the least of the first key, least first; of equals those that came first."""
    (values,) = keys
    if len(values) > limit:
        near = np.flatnonzero(values <= np.partition(values, limit - 1)[limit - 1])
        return np.asarray(near[np.argsort(values[near], kind="stable")][:limit])
    return np.argsort(values, kind="stable")


@dataclass(frozen=True)
class PricedSpace:
    """A space that was priced: its counts, its front and the rows that are chosen to be shown.

    reference     the reference's assignment, as the row that is it has it
    reference_at  its place among all rows, null where it is not one of them
    """

    funnel: Funnel
    front: PickedRows
    chosen: PickedRows
    reference: Mapping[str, Any]
    reference_at: int | None


def price_space(
    spec: Spec,
    query: SpaceQuery | None = None,
    sink: Callable[[PricedChunk], None] = lambda chunk: None,
    said: Callable[[int], None] = lambda rows: None,
) -> PricedSpace:
    """Price every point of a spec, chunk by chunk, in bounded memory.

    `sink` takes the chunks as they come, `said` hears how many points are done.
    """
    query = query or SpaceQuery()
    limit = query.limit or (spec.select.limit if spec.select else None) or LIMIT
    query.check_names(list_nameable(spec.axes))
    space, judge = DesignSpace(spec), ConstraintJudge(spec.constraints, query.where)
    scores, strangers = _find_scores(space, query.scores) if is_scored(spec.select) else (None, None)
    aims = make_aims(spec.select, scored=scores is not None)
    named_aims, directions = describe_aims(aims), [aim.direction for aim in aims]
    front = RowPicker(partial(find_front_of_columns, directions=directions))
    least = RowPicker(partial(choose_lowest, limit=limit))
    reference, reference_at, done, unscored = spec.reference, None, 0, 0
    for chunk in _price_chunks(space, judge, scores):
        points, rows = chunk.columns.points, np.flatnonzero(chunk.kept)
        scored = rows if scores is None else chunk.scored_rows(rows)  # others are neither better nor worse
        unscored += len(rows) - len(scored)
        keys = [chunk.take_rows(scored, chunk.columns[aim.metric]) for aim in aims]
        front.add_rows(points, scored, keys, chunk.number_rows(scored))
        if query.by is not None:
            least.add_rows(points, rows, [_order_by(query.by, chunk, rows)], chunk.number_rows(rows))
        sink(chunk)
        if 0 <= (row := space.reference_row - points.first) < chunk.there.size:
            reference = points.assignment(row)
            reference_at = int(chunk.number_rows(np.array(row))) if chunk.there.flat[row] else None
        said(done := done + chunk.there.size)
    on_front = front.find_best()
    thinned = thin_front(on_front.keys, directions, limit)
    chosen = on_front.take_rows(thinned) if query.by is None else least.find_best()
    spared = make_variant(spec, reference)
    funnel = replace(
        space.counts,
        refused=dict(judge.refused),
        elsewhere=judge.elsewhere,
        kept=judge.kept,
        spared=int(first_broken(PricedVariant(spared, price(spared)), spec.constraints) is not None),
        front=len(on_front.at),
        chosen=len(chosen.at),
        aims=named_aims,
        unscored=None if scores is None else unscored,
        strangers=strangers,
    )
    return PricedSpace(funnel, on_front, chosen, reference, reference_at)


def _price_chunks(space: DesignSpace, judge: ConstraintJudge, scores: Sequence[Array] | None) -> Iterator[PricedChunk]:
    """Every chunk of a space, priced and held against its constraints. `scores` are of its points, where any has one."""
    for number, points in enumerate(space.chunks()):
        known = price_points(points, partial(make_variant, space.spec))
        known |= {"score": scores[number]} if scores is not None else {}
        yield judge.judge(NamedColumns(space.spec, space.sections, points, known))


def _find_scores(
    space: DesignSpace, given: Mapping[str, float] | None
) -> tuple[list[Array] | None, tuple[str, ...] | None]:
    """The scores of every chunk's points, not a number where one has none, and the names and ids of no variant.

    Scores are given by name or id, which only a variant that is made has. Null where no point has a score.
    """
    if given is None:
        return None, None
    if (count := space.counts.variants) > MANY:
        raise SpecError(
            f"scores: a front over them looks each variant up by name and id, up to {MANY:,} of them, not {count:,}; "
            "let MACs stand for the score, `select: {minimize: [peak_bytes], maximize: [macs]}`, or shorten the axes",
            space.spec.place("scores"),
        )
    chunks = list(space.chunks())
    wanted = [np.broadcast_to(points.kept, points.shape) for points in chunks]
    made = [
        make_variant(space.spec, points.assignment(row))
        for points, mask in zip(chunks, wanted, strict=True)
        for row in np.flatnonzero(mask).tolist()
    ]
    variants = assign_names(made, space.spec)
    known = {text for variant in variants for text in (variant.id, variant.name)}
    found = iter([given.get(each.id, given.get(each.name, math.nan)) for each in variants])
    columns = [np.full(points.shape, math.nan) for points in chunks]
    for column, mask in zip(columns, wanted, strict=True):
        column[mask] = [next(found) for _ in range(int(mask.sum()))]
    strangers = tuple(text for text in given if text not in known)
    return (None if all(np.isnan(column).all() for column in columns) else columns), strangers


def _order_by(by: Expression, chunk: PricedChunk, rows: Rows) -> Array:
    """The numbers that an order goes by, at rows that are kept; what others have is not looked at."""
    values = chunk.take_rows(rows, evaluate_columns(by, chunk.columns, chunk.kept))
    if values.dtype == object:
        values = box_values(list(values), values.shape)
    if len(rows) and values.dtype.kind not in "if":
        raise SpecError(f"{by.text}: not a number, so rows have no order by it; name a metric", by.place)
    return values


def count_funnel(spec: Spec, scores: Mapping[str, float] | None = None) -> Funnel:
    """How many variants there are at each step, and on the front. `scores` are by name or id."""
    if "module" in (*spec.overrides, *varied_paths(spec)):  # which has no price, and no columns
        space = expand(spec, sample_lists)
        return make_funnel(space, keep_variants(price_all(space.variants), spec.constraints))
    return price_space(spec, SpaceQuery(scores=scores)).funnel


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
    points = space.chosen.points
    made: list[tuple[int | None, Variant]] = [
        (at, make_variant(spec, points.assignment(row))) for row, at in enumerate(space.chosen.at.tolist())
    ]
    if reference.id not in [variant.id for _, variant in made]:
        made.insert(0, (space.reference_at, reference))
    variants = assign_names([replace(v, reference=v.id == reference.id) for _, v in made], spec)
    return tuple(ShownVariant(at, PricedVariant(v, price(v))) for (at, _), v in zip(made, variants, strict=True))


def variants(spec: Spec | str | Path) -> tuple[Variant, ...]:
    """Every variant of a spec, in the order of its grid or of its draws. Raises SpecError as `expand`."""
    return expand(open_spec(spec), sample_lists).variants


@overload
def price_any(what: Variant) -> Cost: ...
@overload
def price_any(what: Spec | str | Path) -> tuple[PricedVariant, ...]: ...
def price_any(what: Variant | Spec | str | Path) -> Cost | tuple[PricedVariant, ...]:
    """The exact cost of a variant; of a spec, each variant that its constraints allow with its cost.

    Of a large spec, one that draws or one that selects they are those `archbench price` shows: its front or its selection.
    Raises SpecError with the place.
    """
    if isinstance(what, Variant):
        return price(what)
    spec = open_spec(what)
    if is_many(spec):
        return tuple(each.priced for each in make_shown_variants(spec, price_space(spec, SpaceQuery())))
    return keep_variants(price_all(expand(spec).variants), spec.constraints).priced


def open_spec(spec: Spec | str | Path) -> Spec:
    """The spec in a file or a preset's; one that was read already is itself. Raises SpecError."""
    return spec if isinstance(spec, Spec) else load_spec(str(spec), ())
