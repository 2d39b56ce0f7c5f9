"""A network's complexity the way pycls counts it: a fold in Python over the layers of one network at a time.

Written for ResNets with a frozen norm and an FPN, so that what archbench does for all at once can be timed against it.
Each step takes the complexity so far (map height and width, MACs, parameters, activations) and gives that with a layer more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Complexity = dict[str, int]

PLANES = (64, 128, 256, 512)


def conv(
    cx: Complexity, w_in: int, w_out: int, k: int, stride: int = 1, groups: int = 1, bias: bool = False
) -> Complexity:
    h, w = (cx["h"] - 1) // stride + 1, (cx["w"] - 1) // stride + 1
    weights = k * k * w_in * w_out // groups
    return {
        "h": h,
        "w": w,
        "macs": cx["macs"] + weights * h * w,
        "params": cx["params"] + weights + (w_out if bias else 0),
        "acts": cx["acts"] + w_out * h * w,
    }


def pool(cx: Complexity, stride: int) -> Complexity:
    return {**cx, "h": (cx["h"] - 1) // stride + 1, "w": (cx["w"] - 1) // stride + 1}


def block(cx: Complexity, w_in: int, planes: int, stride: int, knobs: Mapping[str, Any]) -> Complexity:
    """A basic block or a bottleneck with its stride in the 1x1, and its projection where the shape changes."""
    basic = knobs["block"] == "basic"
    w_out = planes if basic else 4 * planes
    shortcut = cx
    if basic:
        cx = conv(cx, w_in, planes, 3, stride)
        cx = conv(cx, planes, planes, 3)
    else:
        width = planes * knobs["width_per_group"] // 64 * knobs["groups"]
        cx = conv(cx, w_in, width, 1, stride)
        cx = conv(cx, width, width, 3, groups=knobs["groups"])
        cx = conv(cx, width, w_out, 1)
    if stride != 1 or w_in != w_out:
        cx = conv({**cx, "h": shortcut["h"], "w": shortcut["w"]}, w_in, w_out, 1, stride)
    return cx


def widened(channels: int, width: float) -> int:
    return channels if width == 1 else max(8, int(channels * width + 4) // 8 * 8)


def fold(knobs: Mapping[str, Any]) -> Complexity:
    """MACs, parameters and activations of one network: the axes of specs/detector_space.yaml, by their last words."""
    w = widened(knobs["stem_channels"], knobs["width"])
    cx = {"h": knobs["height"], "w": knobs["input_width"], "macs": 0, "params": 0, "acts": 0}
    cx = pool(conv(cx, 3, w, 7, 2), 2)
    maps = []
    for stage, (depth, planes) in enumerate(zip(knobs["depths"], PLANES, strict=True)):
        planes = widened(planes, knobs["width"])
        for place in range(depth):
            cx = block(cx, w, planes, 2 if stage and not place else 1, knobs)
            w = planes if knobs["block"] == "basic" else 4 * planes
        maps.append((w, cx["h"], cx["w"]))
    channels = knobs["channels"]
    for w_map, h, width in maps:
        cx = conv({**cx, "h": h, "w": width}, w_map, channels, 1, bias=True)
        cx = conv(cx, channels, channels, 3, bias=True)
    if knobs["top_block"] == "p6p7":
        cx = {**cx, "h": maps[-1][1], "w": maps[-1][2]}
        cx = conv(cx, w if knobs["source"] == "c5" else channels, channels, 3, 2, bias=True)
        cx = conv(cx, channels, channels, 3, 2, bias=True)
    return cx
