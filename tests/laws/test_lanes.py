"""Law 3: price_many == [price], for every metric."""

import pytest
from networks import random_variant, sized

from archbench.models.detector import record_network
from archbench.models.presets import PRESETS
from archbench.pricing import many
from archbench.pricing.lanes import Diverged, Lanes
from archbench.pricing.many import price_many
from archbench.pricing.price import price


def test_random_networks_of_every_structure_cost_the_same_together_as_alone():
    variants = [random_variant(seed) for seed in range(300)]
    assert price_many(variants) == [price(variant) for variant in variants]


def test_presets_cost_the_same_together_as_alone():
    variants = [sized(name, side, side + 33) for name in PRESETS for side in (64, 97, 800)]
    assert price_many(variants) == [price(variant) for variant in variants]


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_whole_number_knobs_are_lanes_of_one_recording(norm, monkeypatch):
    """Sizes, batches and channels differ, nothing branches: recorded once."""
    recorded = []
    monkeypatch.setattr(many, "record_network", lambda *given: recorded.append(1) or record_network(*given))
    variants = [
        sized("R-50-FPN", 64 + 7 * i, 300 - 11 * i, {"neck.channels": 32 * (i + 1), "neck.norm": norm}, batch=1 + i % 3)
        for i in range(12)
    ]
    costs = price_many(variants)
    assert len(recorded) == 1
    assert costs == [price(variant) for variant in variants]


def test_counts_beyond_64_bits_are_exact():
    huge = {"neck.channels": 65_536, "backbone.stem_channels": 65_536, "backbone.width": 64.0}
    variants = [sized("R-50-FPN", 65_536, 65_536, huge, batch=batch) for batch in (65_535, 65_536)]
    costs = price_many(variants)
    assert costs == [price(variant) for variant in variants]
    assert min(cost.macs for cost in costs) > 2**64


def test_a_branch_between_lanes_says_which():
    with pytest.raises(Diverged) as split:
        bool(Lanes([1, 2, 3]) > 1)
    assert split.value.mask.tolist() == [False, True, True]
    assert bool(Lanes([2, 3]) > 1) is True
    assert list(range(Lanes([2, 2]))) == [0, 1]
