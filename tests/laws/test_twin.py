"""Law 2: equal outputs to an independent network after copying weights: max|a - b| <= 1e-5 max|b|."""

from functools import partial

import pytest
import torch
import torchvision
from cases import quick_first
from networks import classifier, sized
from torch import nn
from torch.nn import functional
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7
from twins import assert_close, body_name, copy_weights, fpn_name, randomise

from archbench.measure.worker.build import build

BODIES = {
    "resnet18": {"depth": 18},
    "resnet34": {"depth": 34},
    "resnet50": {"depth": 50},
    "resnet101": {"depth": 101},
    "resnet152": {"depth": 152},
    "resnext50_32x4d": {"depth": 50, "groups": 32, "width_per_group": 4},
    "resnext101_32x8d": {"depth": 101, "groups": 32, "width_per_group": 8},
    "wide_resnet50_2": {"depth": 50, "width_per_group": 128},
    "wide_resnet101_2": {"depth": 101, "width_per_group": 128},
}
LEVELS = [2, 3, 4, 5]


def run(network, image):
    with torch.inference_mode():
        return network(image)


def stride_to_1x1(body):
    """torchvision's bottlenecks with the stride in conv1: the original placement, MSRA's and maskrcnn-benchmark's."""
    for part in body.modules():
        if isinstance(part, torchvision.models.resnet.Bottleneck):
            part.conv1.stride, part.conv2.stride = part.conv2.stride, (1, 1)
    return body


@pytest.mark.parametrize("name", quick_first([*BODIES], 3))
def test_a_classifier_is_torchvisions(name):
    theirs = getattr(torchvision.models, name)(weights=None).eval()
    randomise(theirs)
    ours = build(classifier(BODIES[name], height=97, width=131))
    assert copy_weights(theirs, ours, body_name) == sum(
        1 for m in theirs.modules() if list(m.parameters(recurse=False))
    )
    image = torch.randn(2, 3, 97, 131)
    assert_close(run(ours, image)["logits"], run(theirs, image))


def test_group_norm_is_torchvisions_with_group_norm():
    theirs = torchvision.models.resnet50(weights=None, norm_layer=partial(nn.GroupNorm, 32)).eval()
    randomise(theirs)
    ours = build(classifier({"depth": 50, "norm": "group"}, height=65, width=97))
    copy_weights(theirs, ours, body_name)
    image = torch.randn(1, 3, 65, 97)
    assert_close(run(ours, image)["logits"], run(theirs, image))


def test_no_norm_is_torchvisions_without():
    theirs = torchvision.models.resnet18(weights=None, norm_layer=lambda _: nn.Identity()).eval()
    randomise(theirs)
    ours = build(classifier({"depth": 18, "norm": "none"}, height=65, width=97))
    copy_weights(theirs, ours, body_name)
    image = torch.randn(1, 3, 65, 97)
    assert_close(run(ours, image)["logits"], run(theirs, image))


@pytest.mark.parametrize("name", ["resnet50", "resnext50_32x4d"])
def test_stride_in_the_1x1_is_torchvisions_with_the_strides_moved(name):
    theirs = stride_to_1x1(getattr(torchvision.models, name)(weights=None)).eval()
    randomise(theirs)
    ours = build(classifier(BODIES[name] | {"stride_in_1x1": True}, height=97, width=131))
    copy_weights(theirs, ours, body_name)
    image = torch.randn(1, 3, 97, 131)
    assert_close(run(ours, image)["logits"], run(theirs, image))


class TorchvisionTrunk(nn.Module):
    """torchvision's ResNet and FeaturePyramidNetwork, wired as its detectors wire them, with any levels and extra blocks."""

    def __init__(self, body, levels, channels, extra, norm_layer=None):
        super().__init__()
        self.levels = levels
        self.body = IntermediateLayerGetter(body, {f"layer{level - 1}": str(level) for level in levels})
        widths = [body.inplanes // 2 ** (5 - level) for level in levels]
        self.fpn = FeaturePyramidNetwork(widths, channels, extra_blocks=extra, norm_layer=norm_layer)

    def forward(self, image):
        out = list(self.fpn(self.body(image)).values())
        return {f"p{self.levels[0] + index}": value for index, value in enumerate(out)}


def trunk_pair(preset, body, overrides, levels, extra, height, width, norm_layer=None, channels=256):
    """Our preset and torchvision's trunk with the same weights."""
    theirs = TorchvisionTrunk(body, levels, channels, extra, norm_layer).eval()
    randomise(theirs)
    ours = build(sized(preset, height, width, overrides))
    copy_weights(theirs.body, ours, body_name)
    copied = copy_weights(theirs.fpn, ours, lambda name: fpn_name(name, levels))
    assert copied >= 2 * len(levels)
    return ours, theirs


def assert_same_maps(ours, theirs, height, width):
    image = torch.randn(1, 3, height, width)
    mine, other = run(ours, image), run(theirs, image)
    assert list(mine) == list(other)
    for name in other:
        assert_close(mine[name], other[name], name)


@pytest.mark.parametrize("size", [(64, 64), (97, 131), (127, 95)])
@pytest.mark.parametrize("depth", [18, 50])
def test_fpn_with_max_pool_is_torchvisions(depth, size):
    body = getattr(torchvision.models, f"resnet{depth}")(weights=None, norm_layer=FrozenBatchNorm2d)
    ours, theirs = trunk_pair(f"resnet{depth}_fpn", body, {}, LEVELS, LastLevelMaxPool(), *size)
    assert_same_maps(ours, theirs, *size)


@pytest.mark.slow
def test_resnet50_fpn_at_800_x_1333_is_torchvisions():
    body = torchvision.models.resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    ours, theirs = trunk_pair("resnet50_fpn", body, {}, LEVELS, LastLevelMaxPool(), 800, 1333)
    assert_same_maps(ours, theirs, 800, 1333)


@pytest.mark.parametrize(("source", "channels_in"), [("c5", 2048), ("p5", 256)])
def test_p6p7_is_torchvisions(source, channels_in):
    body = torchvision.models.resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    overrides = {"neck.levels": [3, 4, 5], "top_block.type": "p6p7", "top_block.source": source}
    ours, theirs = trunk_pair("resnet50_fpn", body, overrides, [3, 4, 5], LastLevelP6P7(channels_in, 256), 129, 193)
    assert_same_maps(ours, theirs, 129, 193)


def test_maskrcnn_benchmarks_retinanet_trunk_is_torchvisions_with_the_stride_moved_and_eps_0():
    body = stride_to_1x1(torchvision.models.resnet50(weights=None, norm_layer=partial(FrozenBatchNorm2d, eps=0.0)))
    ours, theirs = trunk_pair("R-50-FPN-RETINANET", body, {}, [3, 4, 5], LastLevelP6P7(2048, 256), 129, 193)
    assert_same_maps(ours, theirs, 129, 193)


def test_fpn_with_norm_is_torchvisions():
    body = torchvision.models.resnet18(weights=None, norm_layer=FrozenBatchNorm2d)
    overrides = {"neck.norm": "batch", "neck.channels": 128}
    ours, theirs = trunk_pair("resnet18_fpn", body, overrides, LEVELS, LastLevelMaxPool(), 97, 131, nn.BatchNorm2d, 128)
    assert_same_maps(ours, theirs, 97, 131)


@pytest.mark.parametrize(("level", "preset"), [(4, "R-50-C4"), (5, "R-50-C5")])
def test_a_c_map_is_torchvisions(level, preset):
    body = stride_to_1x1(
        torchvision.models.resnet50(weights=None, norm_layer=partial(FrozenBatchNorm2d, eps=0.0))
    ).eval()
    randomise(body)
    ours = build(sized(preset, 97, 131))
    theirs = IntermediateLayerGetter(body, {f"layer{level - 1}": f"c{level}"}).eval()
    copy_weights(theirs, ours, body_name)
    assert_same_maps(ours, theirs, 97, 131)


class HandWrittenFPN(nn.Module):
    """FPN over given maps with ReLU after both convolutions (maskrcnn-benchmark's USE_RELU) or averaging merges
    (detectron2's FUSE_TYPE), written from the papers' figures."""

    def __init__(self, widths, channels, *, relu, average):
        super().__init__()
        self.inner_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(width, channels, 1)) for width in widths)
        self.layer_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1)) for _ in widths)
        self.act = functional.relu if relu else (lambda x: x)
        self.average = average

    def forward(self, maps):
        merged, out = None, []
        for inner, layer, x in reversed(list(zip(self.inner_blocks, self.layer_blocks, maps, strict=True))):
            lateral = self.act(inner(x))
            if merged is None:
                merged = lateral
            else:
                merged = lateral + functional.interpolate(merged, size=x.shape[-2:], mode="nearest")
                merged = merged / 2 if self.average else merged
            out.append(self.act(layer(merged)))
        return out[::-1]


@pytest.mark.parametrize(("relu", "average"), [(True, False), (False, True), (True, True)])
def test_fpn_with_relu_or_average_is_the_hand_written_one(relu, average):
    resnet = torchvision.models.resnet18(weights=None, norm_layer=FrozenBatchNorm2d)
    body = IntermediateLayerGetter(resnet, {f"layer{level - 1}": str(level) for level in LEVELS}).eval()
    fpn = HandWrittenFPN([64, 128, 256, 512], 64, relu=relu, average=average).eval()
    randomise(body), randomise(fpn)
    knobs = {
        "neck.channels": 64,
        "neck.relu": relu,
        "neck.fuse": "average" if average else "sum",
        "top_block.type": "none",
    }
    ours = build(sized("resnet18_fpn", 97, 131, knobs))
    copy_weights(body, ours, body_name)
    copy_weights(fpn, ours, lambda name: fpn_name(name, LEVELS))
    image = torch.randn(1, 3, 97, 131)
    mine, theirs = run(ours, image), run(fpn, list(run(body, image).values()))
    for name, expected in zip(["p2", "p3", "p4", "p5"], theirs, strict=True):
        assert_close(mine[name], expected, name)
