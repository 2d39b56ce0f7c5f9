"""The table of a priced space: the few rows that are shown, and what became of the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from archbench.design.spec.spec import Spec
from archbench.runs.scores import select_scores, spec_scores
from archbench.space.constraints import Funnel
from archbench.space.price_space import PricedSpace, ShownVariant, SpaceQuery
from archbench.tables.captions import funnel_lines
from archbench.tables.prices import build_price_table, priced_record
from archbench.tables.table import SpaceFront, Table

Said = Callable[[int], None]
Pricing = Callable[[Spec, SpaceQuery, Said], tuple[PricedSpace, tuple[ShownVariant, ...]]]


def tabulate_space(spec: Spec, asked: SpaceQuery, pricing: Pricing, said: Said) -> tuple[Table, Funnel]:
    """Price a space and show the rows asked for; `said` hears how many points are done."""
    asked = replace(asked, scores=spec_scores(spec))
    space, rows = pricing(spec, asked, said)
    return tabulate_shown(spec, space, rows, asked), space.funnel


def tabulate_shown(spec: Spec, space: PricedSpace, rows: tuple[ShownVariant, ...], asked: SpaceQuery) -> Table:
    """The rows shown, each marked where it is on the front of the whole space, and how many there were at each step."""
    on_front = set(space.front.at.tolist())
    ids = frozenset(row.priced.variant.id for row in rows if row.at in on_front)
    priced = [row.priced for row in rows]
    return build_price_table(
        priced,
        title=spec.name,
        scores=select_scores(asked.scores, map(priced_record, priced), space.funnel.strangers),
        notes=[*funnel_lines(space.funnel.as_json()), _describe_choice(space, asked)],
        found=SpaceFront(ids, str(space.funnel.aims)),
        spared=space.funnel.spared > 0,
    )


def _describe_choice(space: PricedSpace, asked: SpaceQuery) -> str:
    beside = "the reference beside them"
    if asked.by is not None:
        return f"shown: the {len(space.chosen.at):,} with the least {asked.by.text}, {beside}"
    return f"shown: {len(space.chosen.at):,} of the front, the least crowded, {beside}"
