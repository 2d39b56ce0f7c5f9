"""Variants for tests: presets with overrides, and random ones over every part and knob."""

from __future__ import annotations

import random
from typing import Any

from archbench.design.variants import preset
from archbench.errors import SpecError
from archbench.models.variant import Variant

CLASSIFIER = {"neck.type": "none", "neck.levels": [5], "top_block.type": "none", "head.type": "classifier"}
IMAGENET = {"input.height": 224, "input.width": 224}


def sized(name: str, height: int, width: int, overrides: dict[str, Any] | None = None, batch: int = 1) -> Variant:
    """A preset at an input size."""
    given = {"input.height": height, "input.width": width, "input.batch": batch, **(overrides or {})}
    return preset(name, given)


def classifier(knobs: dict[str, Any], **inputs: int) -> Variant:
    """A ResNet with batch norm and torchvision's stride, as a 1000-class classifier, at 224 x 224 unless said."""
    body = {"backbone.norm": "batch", "backbone.norm_eps": 1e-5, "backbone.stride_in_1x1": False}
    given = {f"backbone.{name}": value for name, value in knobs.items()}
    sizes = {f"input.{name}": value for name, value in inputs.items()}
    return preset("R-50-FPN", body | given | CLASSIFIER | IMAGENET | sizes)


def random_variant(seed: int) -> Variant:
    """One network over all parts and knobs, small and at an odd size; the same for the same seed."""
    draw = random.Random(seed)
    while True:
        try:
            return preset("R-50-FPN", _overrides(draw))
        except SpecError:  # parts that do not fit together; another draw of the same stream will
            continue


def _overrides(draw: random.Random) -> dict[str, Any]:
    return {
        **_backbone(draw),
        **_neck(draw),
        **_ends(draw),
        "input.height": draw.randrange(32, 200),
        "input.width": draw.randrange(32, 200),
        "input.batch": draw.choice([1, 1, 2, 3]),
    }


def _backbone(draw: random.Random) -> dict[str, Any]:
    block = draw.choice(["basic", "bottleneck"])
    knobs: dict[str, Any] = {
        "block": block,
        "depths": [draw.randrange(1, 4) for _ in range(4)],
        "width": draw.choice([0.25, 0.35, 0.5, 0.75, 1.0, 1.5]),
        "stem_channels": draw.choice([16, 32, 48, 64]),
        "stride_in_1x1": draw.random() < 0.5,
        "norm": draw.choice(["batch", "frozen", "group", "none"]),
        "norm_eps": draw.choice([0.0, 1e-5, 1e-3]),
    }
    if block == "bottleneck":
        knobs |= {"groups": draw.choice([1, 1, 2, 4, 32]), "width_per_group": draw.choice([4, 8, 64, 128])}
    return {f"backbone.{name}": value for name, value in knobs.items()}


def _neck(draw: random.Random) -> dict[str, Any]:
    levels = draw.choice([[2, 3, 4, 5], [3, 4, 5], [2, 3, 4], [3, 5], [4], [5]])
    if draw.random() < 0.25:
        return {"neck.type": "none", "neck.levels": levels}
    return {
        "neck.channels": draw.choice([32, 64, 96, 256]),
        "neck.levels": levels,
        "neck.relu": draw.random() < 0.4,
        "neck.norm": draw.choice(["none", "batch", "frozen", "group"]),
        "neck.fuse": draw.choice(["sum", "average"]),
    }


def _ends(draw: random.Random) -> dict[str, Any]:
    top = draw.choice(["none", "maxpool", "p6p7"])
    ends: dict[str, Any] = {"top_block.type": top, "head.type": draw.choice(["none", "none", "none", "classifier"])}
    if top == "p6p7":
        ends["top_block.source"] = draw.choice(["c5", "p5"])
    return ends
