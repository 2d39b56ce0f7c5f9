"""How many variants there are at each step, from a spec's axes to the few that are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from archbench.design.spec.spec import Spec
from archbench.design.variants import Space, size
from archbench.space.constraints import KeptVariants

MANY = 4096  # variants; up to here each is priced by itself, without waiting for numpy


@dataclass(frozen=True)
class Funnel:
    """The counts of each step. Where no front was asked for its fields are null.

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


def is_many(spec: Spec) -> bool:
    """Whether a spec is priced by columns and a few of its front stand for it: a large one, a drawn one, one that selects."""
    return size(spec) > MANY or spec.sample is not None or spec.select is not None


def funnel_of(space: Space, kept: KeptVariants) -> Funnel:
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
