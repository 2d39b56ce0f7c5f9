"""Presets are the names people know, with the parts each builds: a preset is the part of a spec below `base:`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Parts = Mapping[str, Mapping[str, Any]]

FROZEN_NOTE = "frozen norm as one F.batch_norm on four buffers, within 1e-6 of the mul-and-add form"


@dataclass(frozen=True)
class Preset:
    name: str
    lineage: str
    doc: str
    parts: Parts


def _trunk_parts(backbone: Mapping[str, Any], neck: Mapping[str, Any], top_block: str = "none", **knobs: Any) -> Parts:
    return {
        "backbone": {"type": "resnet", "norm": "frozen", **backbone},
        "neck": neck,
        "top_block": {"type": top_block, **knobs},
        "head": {"type": "none"},
    }


def _fpn_neck(levels: list[int]) -> dict[str, Any]:
    return {"type": "fpn", "channels": 256, "levels": levels}


def _maskrcnn_benchmark_presets() -> dict[str, Preset]:
    """The names of modeling/backbone/*.py and config/defaults.py: STRIDE_IN_1X1, a frozen norm without eps, USE_C5."""
    presets = {}

    def add_preset(name: str, depth: int, neck: Mapping[str, Any], doc: str, *top: Any, **knobs: Any) -> None:
        body = {"depth": depth, "stride_in_1x1": True, "norm_eps": 0.0}
        presets[name] = Preset(name, "maskrcnn-benchmark", doc, _trunk_parts(body, neck, *top, **knobs))

    for depth in (18, 34, 50, 101, 152):
        add_preset(f"R-{depth}-FPN", depth, _fpn_neck([2, 3, 4, 5]), "P2-P6, P6 pooled", "maxpool")
    for depth in (50, 101):
        add_preset(f"R-{depth}-C4", depth, {"type": "none", "levels": [4]}, "C4 alone")
        add_preset(f"R-{depth}-C5", depth, {"type": "none", "levels": [5]}, "C5 alone, stride 32")
        add_preset(f"R-{depth}-FPN-RETINANET", depth, _fpn_neck([3, 4, 5]), "P3-P7, P6 from C5", "p6p7", source="c5")
    return presets


TORCHVISION_BODIES: dict[str, dict[str, Any]] = {
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


def _torchvision_presets() -> dict[str, Preset]:
    """The names of models/detection/backbone_utils.py, resnet_fpn_backbone: frozen norm with eps 1e-5, LastLevelMaxPool."""
    doc = "P2-P6, P6 pooled"
    neck = _fpn_neck([2, 3, 4, 5])
    return {
        f"{body}_fpn": Preset(f"{body}_fpn", "torchvision", doc, _trunk_parts(knobs, neck, "maxpool"))
        for body, knobs in TORCHVISION_BODIES.items()
    }


PRESETS: dict[str, Preset] = _maskrcnn_benchmark_presets() | _torchvision_presets()
