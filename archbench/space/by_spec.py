"""From Python, a spec by its path, by a preset's name or as it was read: its variants, and what each costs."""

from __future__ import annotations

from pathlib import Path
from typing import overload

from archbench.design.lookup import load_spec
from archbench.design.spec.spec import Spec
from archbench.design.variants import expand
from archbench.models.variant import Variant
from archbench.pricing.price import Cost, price
from archbench.space.constraints import PricedVariant, is_many, keep_variants, price_all
from archbench.space.price_space import SpaceQuery, make_shown_variants, price_space
from archbench.space.samplers import sample_lists


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
