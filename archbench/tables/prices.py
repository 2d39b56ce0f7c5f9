"""The table of exact costs alone, which `archbench price` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archbench.design.spec.spec import Spec
from archbench.design.variants import expand
from archbench.runs.records import Record
from archbench.runs.scores import spec_scores
from archbench.space.constraints import PricedVariant, keep_variants, make_funnel, price_all
from archbench.statistics.times import RunTimes
from archbench.tables.captions import funnel_lines
from archbench.tables.table import SpaceFront, Table, build_table

UNPRICED = "a hand-written module is counted when it is run, not priced"


def tabulate_prices(spec: Spec) -> Table:
    """The table of every variant that the constraints of a spec leave, priced one by one."""
    space = expand(spec)
    kept = keep_variants(price_all(space.variants), spec.constraints)
    funnel = make_funnel(space, kept)
    return build_price_table(
        kept.priced,
        title=spec.name,
        scores=spec_scores(spec),
        notes=funnel_lines(funnel.as_json()),
        spared=funnel.spared > 0,
    )


def build_price_table(
    priced: Sequence[PricedVariant],
    *,
    title: str,
    scores: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
    found: SpaceFront | None = None,
    spared: bool = False,
) -> Table:
    """The table of priced variants; a hand-written module's metrics are null and its row says why.

    `notes` end the caption; `found` is the front of the whole space these are some of, see `tables.table.build_table`.
    """
    records = [priced_record(item) for item in priced]
    reference = next((item.key for item in records if item.reference), None)
    return build_table(
        records, RunTimes(), reference=reference, scores=scores, title=title, notes=notes, found=found, spared=spared
    )


def priced_record(item: PricedVariant) -> Record:
    """A priced variant as a record."""
    variant, cost = item.variant, item.cost
    return Record(
        id=variant.id,
        name=variant.name,
        status="priced",
        axes=dict(variant.axes),
        reference=variant.reference,
        exact=cost.as_json() if cost else None,
        reason=None if cost else UNPRICED,
        **variant.as_json(),
    )
