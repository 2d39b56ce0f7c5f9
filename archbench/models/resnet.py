"""ResNet, ResNeXt and wide ResNet (He et al. 2015, Xie et al. 2016, Zagoruyko & Komodakis 2016), written once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Len

from archbench.errors import SpecError
from archbench.models.graph import Feature, Features, repeat, scope
from archbench.models.ops import Channels, Epsilon, Groups, Norm, add, apply_norm, conv, max_pool, relu
from archbench.registry import UNREAD, Registry, Resolvers

backbones: Registry[Callable[..., Features]] = Registry("backbone")

Depth = Literal[18, 34, 50, 101, 152]
BlockName = Literal["basic", "bottleneck"]
BlockCount = Annotated[int, Ge(1), Le(512)]
Depths = Annotated[list[BlockCount], Len(4, 4)]
Width = Annotated[float, Gt(0), Le(64)]

NAMED_DEPTHS: dict[int, tuple[BlockName, tuple[int, ...]]] = {  # He et al. 2015, table 1
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
PLANES = (64, 128, 256, 512)  # the 3x3's channels in stages 2 to 5, before width, groups and width_per_group
EXPANSION = 4  # a bottleneck's output channels for one plane
LEVELS = (2, 3, 4, 5)


@dataclass(frozen=True)
class BlockStyle:
    """The style is what all blocks of one network have in common."""

    groups: int
    width_per_group: int
    stride_in_1x1: bool
    norm: Callable[..., Feature]

    def conv_norm(self, x: Feature, out: int, kernel: int, stride: int = 1, *, groups: int = 1, number: int) -> Feature:
        y = conv(x, out, kernel, stride, groups=groups, name=f"conv{number}")
        return self.norm(y, name=f"norm{number}")

    def shortcut(self, x: Feature, out: int, stride: int) -> Feature:
        """The input itself, or its projection wherever stride or channels change."""
        if stride == 1 and x.channels == out:
            return x
        with scope(x, "shortcut"):
            return self.norm(conv(x, out, 1, stride), name="norm")


def basic(x: Feature, planes: int, stride: int, *, block: BlockStyle) -> Feature:
    """3x3, 3x3, plus the input (He et al. 2015, fig. 5 left)."""
    y = relu(block.conv_norm(x, planes, 3, stride, number=1), name="relu1")
    y = block.conv_norm(y, planes, 3, number=2)
    return relu(add(y, block.shortcut(x, planes, stride)), name="relu2")


def bottleneck(x: Feature, planes: int, stride: int, *, block: BlockStyle) -> Feature:
    """1x1 reduce, 3x3, 1x1 expand, plus the input (fig. 5 right); the stride is in the 3x3 unless asked otherwise."""
    width = planes * block.width_per_group // 64 * block.groups
    if width < 1:
        raise SpecError(f"backbone.width_per_group: {block.width_per_group} leaves no channels of {planes} planes")
    first, second = (stride, 1) if block.stride_in_1x1 else (1, stride)
    y = relu(block.conv_norm(x, width, 1, first, number=1), name="relu1")
    y = relu(block.conv_norm(y, width, 3, second, groups=block.groups, number=2), name="relu2")
    y = block.conv_norm(y, EXPANSION * planes, 1, number=3)
    return relu(add(y, block.shortcut(x, EXPANSION * planes, stride)), name="relu3")


BLOCKS: dict[str, Callable[..., Feature]] = {"basic": basic, "bottleneck": bottleneck}


def widen_channels(channels: int, width: float) -> int:
    """`channels` times `width`: the nearest multiple of 8, at least 8 and never under 90 %; exactly `channels` at 1."""
    wanted = channels * width
    nearest = math.floor(wanted + 4) // 8 * 8
    nearest += (8 - nearest) * (nearest < 8)  # sums, not branches: a width that is many stays one recording
    rounded = nearest + 8 * (nearest < 0.9 * wanted)
    return channels + (rounded - channels) * (width != 1)


def _resolve_block(depth: int, block: BlockName | None) -> BlockName:
    return block or NAMED_DEPTHS[depth][0]


def _resolve_planes(last_level: int, width: float) -> list[int]:
    return [widen_channels(planes, width) for planes in PLANES[: last_level - 1]]


def _resolve_width_per_group(last_level: int, width: float, width_per_group: int) -> int:
    """The least value that leaves every stage its bottlenecks' width: under 64 planes, several round down to one."""
    planes = _resolve_planes(last_level, width)
    return max((-(-(each * width_per_group // 64) * 64 // each) for each in planes), default=width_per_group)


def _resolve_stride_in_1x1(last_level: int, depth: int, block: BlockName | None, *, stride_in_1x1: bool) -> bool:
    """A basic block has no 1x1 to put the stride in, and the first stage alone has no stride: neither makes a difference."""
    return stride_in_1x1 and _resolve_block(depth, block) != "basic" and last_level > 2


RESOLVERS: Resolvers = {  # shorthands make no difference once they are written out; of stages, those that are built
    "depth": lambda: UNREAD,
    "width": lambda: UNREAD,
    "block": _resolve_block,
    "depths": lambda last_level, depth, depths: list(depths or NAMED_DEPTHS[depth][1])[: last_level - 1],
    "planes": _resolve_planes,
    "stem_channels": lambda stem_channels, width: widen_channels(stem_channels, width),
    "width_per_group": _resolve_width_per_group,
    "stride_in_1x1": _resolve_stride_in_1x1,
    "norm_eps": lambda norm, norm_eps: UNREAD if norm == "none" else norm_eps + 0.0,  # -0.0 is 0.0
}


@backbones.register("resnet", resolvers=RESOLVERS)
def resnet(
    image: Feature,
    last_level: int,
    *,
    depth: Depth = 50,
    block: BlockName | None = None,
    depths: Depths | None = None,
    width: Width = 1.0,
    stem_channels: Channels = 64,
    groups: Groups = 1,
    width_per_group: Channels = 64,
    stride_in_1x1: bool = False,
    norm: Norm = "batch",
    norm_eps: Epsilon = 1e-5,
) -> Features:
    """A ResNet's c2 to c5, at strides 4 to 32; stages past the last that is read are not built.

    depth           18, 34, 50, 101 or 152: shorthand for `block` and `depths`, either of which overrides its half
    block           basic or bottleneck
    depths          blocks in each of the four stages
    width           multiplies stem_channels and the stages' planes, to the nearest multiple of 8, never under 90 %
    groups          of the 3x3 (ResNeXt); bottlenecks only
    width_per_group 64 is ResNet's own; 128 with one group is the wide ResNet; bottlenecks only
    stride_in_1x1   a bottleneck's stride in its first 1x1 (MSRA, maskrcnn-benchmark), not in its 3x3 (torchvision)
    norm            batch, frozen, group (32 groups) or none
    """
    kind, counts = NAMED_DEPTHS[depth]
    kind, counts = block or kind, tuple(depths or counts)
    if kind == "basic" and (groups != 1 or width_per_group != 64):
        raise SpecError(
            f"backbone.groups: basic blocks take groups 1 and width_per_group 64, not {groups} and "
            f"{width_per_group}; use block: bottleneck"
        )
    shared = BlockStyle(groups, width_per_group, stride_in_1x1, partial(apply_norm, norm=norm, eps=norm_eps))
    build = partial(BLOCKS[kind], block=shared)
    x = stem(image, widen_channels(stem_channels, width), shared)
    features = {}
    for level, planes, count in zip(LEVELS, PLANES, counts, strict=True):
        if level > last_level:
            break
        with scope(x, f"res{level}"):
            x = stage(x, build, widen_channels(planes, width), count, stride=1 if level == 2 else 2)
        features[f"c{level}"] = x
    return features


def stem(image: Feature, channels: int, block: BlockStyle) -> Feature:
    """7x7 at stride 2 and a 3x3 max pool at stride 2 (He et al. 2015, table 1)."""
    with scope(image, "stem"):
        return max_pool(relu(block.conv_norm(image, channels, 7, 2, number=1), name="relu1"), 3, 2, 1)


def stage(x: Feature, build: Callable[..., Feature], planes: int, count: int, *, stride: int) -> Feature:
    """One block that may change stride and channels, then `count - 1` that keep both."""
    with scope(x, "0"):
        x = build(x, planes, stride)
    return repeat(count - 1, lambda y: build(y, planes, 1), x, first=1)
