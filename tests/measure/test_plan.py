"""What a run makes room for."""

import pytest
from networks import sized

from archbench.measure.experiment.plan import planned_bytes
from archbench.space.constraints import PricedVariant, price_all

SEEN_TRAINING = 2_446_977_544  # live bytes of a training step of R-50-FPN at 800 x 1344, traced on meta


def test_inference_takes_what_is_priced():
    (item,) = price_all([sized("R-50-FPN", 800, 1344)])
    assert planned_bytes(item) == (item.cost.weight_bytes, item.cost.peak_bytes)


def test_training_is_planned_for_what_it_holds_and_little_more():
    (item,) = price_all([sized("R-50-FPN", 800, 1344, {"measure.mode": "train"})])
    assert SEEN_TRAINING <= planned_bytes(item)[1] <= 1.1 * SEEN_TRAINING


@pytest.mark.parametrize("mode", ["infer", "train"])
def test_a_hand_written_module_is_planned_for_nothing(mode):
    assert planned_bytes(PricedVariant(sized("R-18-FPN", 64, 64, {"measure.mode": mode}), None)) == (0, 0)
