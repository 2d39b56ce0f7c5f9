"""Law 3: price_many == [price], for every metric."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from columns import costs_of, drawn, grid, price_many
from networks import CLASSIFIER, sized
from parts import PARTS, fitting, grid_of, has, variants_of_all

import archbench.space.costs
from archbench.design.variants import preset
from archbench.errors import SpecError
from archbench.models.presets import PRESETS
from archbench.models.variant import Precision, record_network
from archbench.pricing.lanes import Diverged, integer_lanes
from archbench.pricing.price import price
from archbench.space.costs import price_points


@pytest.fixture(scope="module")
def variants():
    """Random variants, a thousand at least of each part."""
    return variants_of_all(1000)


@pytest.fixture(scope="module")
def alone(variants):
    """Each of them with its cost by itself."""
    return [(variant, price(replace(variant))) for variant in variants]  # a copy's graph goes with the copy


@pytest.mark.slow
@pytest.mark.parametrize(("family", "part"), PARTS)
def test_a_thousand_variants_of_each_part_cost_the_same_together_as_alone(family, part, alone):
    variants, costs = zip(*(each for each in alone if has(each[0], family, part)), strict=True)
    assert len(variants) >= 1000
    assert price_many(variants) == list(costs)


@pytest.mark.parametrize(("family", "part"), PARTS)
def test_a_grid_of_each_part_costs_what_its_points_cost_as_do_points_drawn_from_it(family, part):
    """Seven axes of two values; points whose parts do not fit together are not kept."""
    base, axes = grid_of(family, part, axes=7)
    known = {}  # a drawn point is one of the grid's

    def cost_alone(assignment):
        key = repr(sorted(assignment.items()))
        if key not in known:
            variant = fitting(base | assignment)
            known[key] = price(variant) if variant else None
        return known[key]

    for points, least in ((grid(axes), 8), (drawn(axes, 300), 16)):
        alone = [cost_alone(points.assignment(row)) for row in range(points.size)]
        kept = np.array([cost is not None for cost in alone]).reshape(points.shape)
        counts = price_points(replace(points, kept=kept), lambda assignment: preset("R-50-FPN", base | assignment))
        rows = [row for row, cost in enumerate(alone) if cost]
        assert len(rows) > least
        assert costs_of(counts, points.shape, rows) == [alone[row] for row in rows]


def test_the_variants_of_the_law_are_of_every_precision_and_repeat_some_blocks_0_times(variants):
    assert {variant.workload.precision for variant in variants} == set(get_args(Precision))
    assert {variant.workload.batch for variant in variants} == {1, 2, 3}
    assert any(variant.workload.height % 2 and variant.workload.width % 2 for variant in variants)
    bodies = [variant.architecture.backbone.knobs for variant in variants]
    assert {body["norm"] for body in bodies} == {"batch", "frozen", "group", "none"}
    assert {min(body["depths"]) for body in bodies} >= {1, 2}  # the first of a stage, and then so many less one


def test_presets_cost_the_same_together_as_alone():
    variants = [sized(name, side, side + 33) for name in PRESETS for side in (64, 97, 800)]
    assert price_many(variants) == [price(variant) for variant in variants]


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_whole_number_knobs_are_lanes_of_one_recording(norm, monkeypatch):
    """Sizes, batches and channels differ, nothing branches: recorded once."""
    recorded = []
    monkeypatch.setattr(
        archbench.space.costs,
        "record_network",
        lambda *given, **how: recorded.append(1) or record_network(*given, **how),
    )
    variants = [
        sized("R-50-FPN", 64 + 7 * i, 300 - 11 * i, {"neck.channels": 32 * (i + 1), "neck.norm": norm}, batch=1 + i % 3)
        for i in range(12)
    ]
    costs = price_many(variants)
    assert len(recorded) == 1
    assert costs == [price(variant) for variant in variants]


WIDE = {"backbone.width": 64.0, "backbone.norm": "none", "backbone.depths": [512] * 4}
TOO_MUCH = {
    "params": WIDE | {"backbone.width_per_group": 65_536, "backbone.groups": 2},
    "weight_bytes": WIDE | {"backbone.width_per_group": 65_536},
    "macs": {"input.height": 65_536, "input.width": 65_536, "neck.channels": 65_536},
    # Found by search: 5,255 bytes of weights below the limit, and 2 GB of features; every other count is well within
    "peak_bytes": WIDE
    | CLASSIFIER
    | {"backbone.width_per_group": 65_185, "backbone.depths": [4, 4, 2, 229], "head.classes": 363_230}
    | {"input.height": 32, "input.width": 32},
}


def test_counts_that_64_bits_hold_though_their_bounds_do_not_are_exact():
    """Of the bounds' product no lane has both factors: the largest batch comes with the smallest picture."""
    variants = [sized("R-50-FPN", 64 << i, 64 << i, batch=65_536 >> i) for i in range(11)]
    assert price_many(variants) == [price(variant) for variant in variants]


@pytest.mark.parametrize("metric", TOO_MUCH)
def test_a_count_that_64_bits_do_not_hold_is_refused_alone_and_together(metric):
    huge = sized("R-50-FPN", 64, 64, TOO_MUCH[metric])
    with pytest.raises(
        SpecError, match=rf"^{metric}: [0-9,]+ is over 9,223,372,036,854,775,807, .*in the variant"
    ) as alone:
        price(huge)
    with pytest.raises(SpecError) as together:
        price_many([sized("R-50-FPN", 64, 64), huge])
    assert together.value.message == alone.value.message


def test_a_branch_between_lanes_says_which():
    three = integer_lanes(np.array([1, 2, 3]))
    with pytest.raises(Diverged) as split:
        bool(three > 1)
    assert split.value.key.tolist() == [False, True, True]
    assert bool(integer_lanes(np.array([2, 3])) > 1) is True
    assert list(range(integer_lanes(np.array([2, 2])))) == [0, 1]
