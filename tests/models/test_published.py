"""Our counts are the published ones. Each expected figure names its source; torchvision's are read from its own metadata."""

import fvcore.nn
import pytest
import torch
import torchvision
from networks import classifier, sized
from torchvision.models import detection, get_model_weights

from archbench.pricing.price import price

CLASSIFIERS = {
    "resnet18": {"depth": 18},
    "resnet34": {"depth": 34},
    "resnet50": {"depth": 50},
    "resnet101": {"depth": 101},
    "resnet152": {"depth": 152},
    "resnext50_32x4d": {"depth": 50, "groups": 32, "width_per_group": 4},
    "resnext101_32x8d": {"depth": 101, "groups": 32, "width_per_group": 8},
    "resnext101_64x4d": {"depth": 101, "groups": 64, "width_per_group": 4},
    "wide_resnet50_2": {"depth": 50, "width_per_group": 128},
    "wide_resnet101_2": {"depth": 101, "width_per_group": 128},
}

# A detector's heads by hand, at 800 x 800. P2 to P7 have sides 200, 100, 50, 25, 13, 7.
RPN_PIXELS = 200**2 + 100**2 + 50**2 + 25**2 + 13**2  # P2 to P6
RPN_HEAD = RPN_PIXELS * 256 * (256 * 3 * 3 + 3 + 3 * 4)  # 3x3, then objectness and boxes of 3 anchors
BOX_HEAD = 1000 * (256 * 7 * 7 * 1024 + 1024 * 1024 + 1024 * 91 + 1024 * 4 * 91)  # 1000 proposals, 91 classes
DENSE_PIXELS = 100**2 + 50**2 + 25**2 + 13**2 + 7**2  # P3 to P7
RETINA_HEAD = DENSE_PIXELS * 256 * 3 * 3 * (8 * 256 + 9 * 91 + 9 * 4)  # two towers of four 3x3, 9 anchors, 91 classes
FCOS_HEAD = DENSE_PIXELS * 256 * 3 * 3 * (8 * 256 + 91 + 4 + 1)  # classes, box, centre-ness
RPN_PARAMS = 256 * (256 * 9 + 1) + 3 * (256 + 1) + 12 * (256 + 1)
BOX_PARAMS = 1024 * (256 * 49 + 1) + 1024 * (1024 + 1) + 91 * (1024 + 1) + 4 * 91 * (1024 + 1)


def published(weights):
    """torchvision's `_ops` (thousands of millions of multiply-adds, three decimals) and `num_params`."""
    return weights.meta["_ops"], weights.meta["num_params"]


def giga(macs):
    return round(macs / 1e9, 3)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_has_torchvisions_published_parameters_and_operations(name):
    cost = price(classifier(CLASSIFIERS[name]))
    for weights in get_model_weights(name):
        size = weights.transforms.keywords["crop_size"]
        assert size == 224
        assert (giga(cost.macs), cost.params) == published(weights)


def test_every_resnet_torchvision_publishes_is_among_them():
    names = [
        n
        for n in torchvision.models.list_models(torchvision.models)
        if n.startswith(("resnet", "resnext", "wide_resnet"))
    ]
    assert sorted(names) == sorted(CLASSIFIERS)


def test_faster_rcnns_total_is_our_trunk_and_its_heads():
    """torchvision 0.29 faster_rcnn.py: 134.38 and 41,755,286 for 800 x 800; v1.5 stride, frozen norm."""
    cost = price(sized("resnet50_fpn", 800, 800))
    assert cost.macs == 88_381_440_000
    total = giga(cost.macs + RPN_HEAD + BOX_HEAD), cost.params + RPN_PARAMS + BOX_PARAMS
    assert total == published(detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1)


def test_retinanets_total_is_our_trunk_and_its_head():
    """torchvision 0.29 retinanet.py: 151.54; P6 from P5."""
    cost = price(sized("resnet50_fpn", 800, 800, RETINA | {"top_block.source": "p5"}))
    assert cost.macs == 62_295_621_632
    assert giga(cost.macs + RETINA_HEAD) == published(detection.RetinaNet_ResNet50_FPN_Weights.COCO_V1)[0]
    params = cost.params + 8 * 256 * (256 * 9 + 1) + 9 * (91 + 4) * (256 * 9 + 1)
    assert params == published(detection.RetinaNet_ResNet50_FPN_Weights.COCO_V1)[1]


def test_retinanet_v2s_total_is_our_trunk_with_p6_from_c5():
    """torchvision 0.29 retinanet.py: 152.238; the difference to v1 is P6's input alone, 9 * (2048 - 256) * 256 * 13 * 13."""
    cost = price(sized("resnet50_fpn", 800, 800, RETINA | {"top_block.source": "c5"}))
    assert giga(cost.macs + RETINA_HEAD) == published(detection.RetinaNet_ResNet50_FPN_V2_Weights.COCO_V1)[0]


def test_fcos_total_is_our_trunk_and_its_head():
    """torchvision 0.29 fcos.py: 128.207; P6 from P5."""
    cost = price(sized("resnet50_fpn", 800, 800, RETINA | {"top_block.source": "p5"}))
    assert giga(cost.macs + FCOS_HEAD) == published(detection.FCOS_ResNet50_FPN_Weights.COCO_V1)[0]


RETINA = {"neck.levels": [3, 4, 5], "top_block.type": "p6p7"}


def test_maskrcnn_benchmarks_r50_fpn_has_26_799_296_parameters_frozen_and_26_852_416_with_batch_norm():
    """torchvision's resnet_fpn_backbone: 41,755,286 less the heads'; 53,120 batch-norm affine parameters in ResNet-50."""
    assert price(sized("R-50-FPN", 800, 1333)).params == 41_755_286 - RPN_PARAMS - BOX_PARAMS == 26_799_296
    assert price(sized("R-50-FPN", 800, 1333, {"backbone.norm": "batch"})).params == 26_799_296 + 53_120


@pytest.mark.parametrize(
    ("knobs", "flops", "params", "acts"),
    [  # pycls dev/model_complexity.json @5719de64, configs/dds_baselines: flops with the classifier's bias, acts with max pool
        ({"depth": 50}, 4_089_185_256, 25_557_032, 11_315_688),
        ({"depth": 101}, 7_801_406_440, 44_549_160, 16_433_640),
        ({"depth": 152}, 11_513_627_624, 60_192_808, 22_755_816),
        ({"depth": 101, "groups": 32, "width_per_group": 4}, 7_969_997_800, 44_177_704, 21_426_152),
    ],
)
def test_counts_are_pycls_to_the_last_digit(knobs, flops, params, acts):
    cost = price(classifier(knobs))
    fc_bias, max_pool = 1000, 64 * 56 * 56
    assert (cost.macs + fc_bias, cost.params, cost.acts + max_pool) == (flops, params, acts)


@pytest.mark.parametrize(
    ("depth", "macs"),
    [(50, 3_857_973_248), (101, 7_570_194_432), (152, 11_282_415_616)],
)
def test_stride_in_the_1x1_has_the_resnet_papers_operations(depth, macs):
    """He et al. 2015, table 1: 3.8, 7.6 and 11.3 x 10^9 multiply-adds, cut to one decimal (7.570 is rounded there)."""
    paper = {50: 3.8, 101: 7.6, 152: 11.3}[depth]
    cost = price(classifier({"depth": depth, "stride_in_1x1": True}))
    assert cost.macs == macs
    assert abs(macs / 1e9 - paper) < 0.1


@pytest.mark.parametrize(
    ("depth", "size", "gmacs", "macts"),
    [  # timm results/benchmark-infer-amp-nchw-pt240-cu124-rtx4090.csv @aa4b5850: fvcore in evaluation, two decimals
        (18, 160, 0.93, 1.27),
        (18, 224, 1.82, 2.48),
        (18, 288, 3.01, 4.11),
        (34, 160, 1.87, 1.91),
        (34, 224, 3.67, 3.74),
        (50, 160, 2.1, 5.67),
        (50, 176, 2.62, None),
    ],
)
def test_fvcore_flops_and_activations_are_timms_published(depth, size, gmacs, macts):
    cost = price(classifier({"depth": depth}, height=size, width=size))
    assert round(cost.fvcore_flops / 1e9, 2) == gmacs
    assert macts is None or round(cost.acts / 1e6, 2) == macts


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext50_32x4d"])
def test_fvcores_own_total_on_torchvisions_model_is_our_price(name):
    module = getattr(torchvision.models, name)(weights=None).eval()
    image = torch.randn(1, 3, 224, 224)
    flops = fvcore.nn.FlopCountAnalysis(module, image).unsupported_ops_warnings(False).tracer_warnings("none")
    acts = fvcore.nn.ActivationCountAnalysis(module, image).unsupported_ops_warnings(False).tracer_warnings("none")
    cost = price(classifier(CLASSIFIERS[name]))
    assert (flops.total(), acts.total()) == (cost.fvcore_flops, cost.acts)


def test_r50_fpns_features_peak_at_241_920_000_bytes_at_800_x_1344():
    """By hand: res2's first block holds its input (64 channels), conv3's and the projection's outputs (256 each) and their
    sum (256), at 200 x 336: the image and 4 maps at the addition; 3 x 800 x 1344 + (3 * 256) * 200 * 336 floats."""
    cost = price(sized("R-50-FPN", 800, 1344))
    assert cost.peak_bytes - cost.weight_bytes == 241_920_000
