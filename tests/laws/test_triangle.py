"""Law 1: price == trace(build), layer by layer: shape, parameters, MACs; and every total, integers, exact."""

import pytest
import torch
from cases import quick_first
from networks import random_variant, sized

from archbench.measure.worker.build import build
from archbench.measure.worker.count import find_disagreements, trace, trace_layers
from archbench.models.presets import PRESETS
from archbench.pricing.price import list_layers, price


def image_of(variant, device):
    workload = variant.workload
    return torch.randn(workload.batch, 3, workload.height, workload.width, device=device)


def unfilled(variant):
    """The built network in real memory; what lies there is read by no count."""
    return build(variant, device="meta").to_empty(device="cpu")


def totals(counted):
    return dict(counted.as_json())


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_does_what_it_is_priced_at_layer_by_layer(name):
    variant = sized(name, 800, 1333)
    network = build(variant, device="meta")
    assert find_disagreements(list_layers(variant), trace_layers(network, image_of(variant, "meta")), 1) == []


@pytest.mark.parametrize("name", quick_first([*PRESETS], quick=6))
def test_every_presets_peak_bytes_at_800_x_1333_is_the_live_storage_peak_on_meta(name):
    variant = sized(name, 800, 1333)
    counted = trace(build(variant, device="meta"), image_of(variant, "meta"), fvcore=False)
    assert counted.peak_bytes == price(variant).peak_bytes


@pytest.mark.parametrize("name", quick_first([*PRESETS], quick=3))
def test_every_presets_totals_are_what_torch_and_fvcore_count_on_real_tensors(name):
    variant = sized(name, 65, 97)
    exact = price(variant).as_json()
    counted = totals(trace(unfilled(variant), image_of(variant, "cpu")))
    assert counted == {metric: exact[metric] for metric in counted}
    assert set(exact) - set(counted) == {"kernels"}


@pytest.mark.parametrize("seed", quick_first(range(200), quick=40))
def test_a_random_network_does_what_it_is_priced_at(seed):
    variant = random_variant(seed)
    network, image = build(variant, device="meta"), image_of(variant, "meta")
    assert find_disagreements(list_layers(variant), trace_layers(network, image), variant.workload.batch) == []
    counted, exact = totals(trace(network, image, fvcore=False)), price(variant).as_json()
    assert counted == {metric: exact[metric] for metric in counted}


@pytest.mark.parametrize("seed", quick_first(range(1000, 1030), quick=6))
def test_a_random_network_on_real_tensors_is_counted_as_priced_by_fvcore_too(seed):
    variant = random_variant(seed)
    exact, counted = price(variant).as_json(), totals(trace(unfilled(variant), image_of(variant, "cpu")))
    assert counted == {metric: exact[metric] for metric in counted}


def test_random_networks_cover_every_part_and_knob():
    seen = {}
    for seed in range(200):
        for family, part in random_variant(seed).architecture.as_json().items():
            for knob, value in part.items():
                seen.setdefault(f"{family}.{knob}", set()).add(str(value))
    assert seen["neck.type"] == {"none", "fpn"}
    assert seen["top_block.type"] == {"none", "maxpool", "p6p7"}
    assert seen["head.type"] == {"none", "classifier"}
    assert seen["backbone.norm"] == {"batch", "frozen", "group", "none"}
    assert {digit for depths in seen["backbone.depths"] for digit in depths if digit.isdigit()} == {"1", "2", "3"}
    sizes = [(v.workload.height % 2, v.workload.width % 2) for v in map(random_variant, range(200))]
    assert set(sizes) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert {knob for knob, values in seen.items() if len(values) < 2} <= {
        "backbone.type",
        "backbone.depth",
        "head.classes",
    }


def test_a_layer_priced_otherwise_is_named():
    variant, other = sized("R-50-FPN", 64, 64), sized("R-50-FPN", 64, 64, {"neck.channels": 128})
    wrong = find_disagreements(
        list_layers(other), trace_layers(build(variant, device="meta"), image_of(variant, "meta")), 1
    )
    assert len(wrong) > 4
    assert wrong[0].startswith(
        "neck.p5.lateral: priced ((1, 128, 2, 2), 262272, 1048576), traced ((1, 256, 2, 2), 524544"
    )


def test_kernels_are_the_ops_that_write_when_the_network_runs():
    """Counted by hand for ResNet-18 with batch norm: stem 4; 8 blocks of conv bn relu conv bn add relu; 3 projections of 2."""
    variant = sized("R-18-FPN", 64, 64, {"neck.type": "none", "neck.levels": [5], "top_block.type": "none"})
    assert price(variant).kernels == 4 + 8 * 7 + 3 * 2
