"""Copying torchvision's weights into ours by name, so that equal outputs mean an equal network."""

from __future__ import annotations

import re

import torch
from torch import nn

# torchvision's module names -> ours, dots kept; ours has them flat with `__`.
BODY = [
    (r"^conv1$", "backbone.stem.conv1"),
    (r"^bn1$", "backbone.stem.norm1"),
    (r"^layer(\d)\.(\d+)\.conv(\d)$", lambda m: f"backbone.res{int(m[1]) + 1}.{m[2]}.conv{m[3]}"),
    (r"^layer(\d)\.(\d+)\.bn(\d)$", lambda m: f"backbone.res{int(m[1]) + 1}.{m[2]}.norm{m[3]}"),
    (r"^layer(\d)\.(\d+)\.downsample\.0$", lambda m: f"backbone.res{int(m[1]) + 1}.{m[2]}.shortcut.conv"),
    (r"^layer(\d)\.(\d+)\.downsample\.1$", lambda m: f"backbone.res{int(m[1]) + 1}.{m[2]}.shortcut.norm"),
    (r"^fc$", "head.fc"),
]


def randomise(module: nn.Module, seed: int = 0) -> None:
    """Give every norm statistics and affine of its own: at their initial values a missing norm could not be seen."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        for name, low, high in (
            ("weight", 0.5, 1.5),
            ("bias", -0.5, 0.5),
            ("running_mean", -0.5, 0.5),
            ("running_var", 0.5, 2.0),
        ):
            tensor = getattr(part, name, None)
            if isinstance(tensor, torch.Tensor) and tensor.dim() == 1 and not isinstance(part, (nn.Conv2d, nn.Linear)):
                with torch.no_grad():
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, generator=generator)
            if part.bias is not None:
                nn.init.uniform_(part.bias, -0.5, 0.5, generator=generator)


def body_name(name: str) -> str | None:
    """Our name of a torchvision ResNet's module; null for one without weights."""
    for pattern, ours in BODY:
        if found := re.match(pattern, name):
            return ours(found) if callable(ours) else ours
    return None


def fpn_name(name: str, levels: list[int]) -> str | None:
    """Our name of a torchvision FeaturePyramidNetwork's module (`inner_blocks.0.1` is a lateral's norm)."""
    if found := re.match(r"^(inner|layer)_blocks\.(\d)\.(\d)$", name):
        part = {"inner": "lateral", "layer": "output"}[found[1]] + ("_norm" if found[3] == "1" else "")
        return f"neck.p{levels[int(found[2])]}.{part}"
    if found := re.match(r"^extra_blocks\.(p[67])$", name):
        return f"top_block.{found[1]}.conv"
    return None


def copy_weights(source: nn.Module, ours: nn.Module, rename) -> int:
    """Copy every named weight of `source`; the number of modules copied. A shape that differs raises."""
    copied = 0
    for name, part in source.named_modules():
        own = dict(part.named_parameters(recurse=False)) | dict(part.named_buffers(recurse=False))
        target = rename(name)
        if not own or target is None:
            continue
        mine = getattr(ours, target.replace(".", "__"))
        with torch.no_grad():
            for key, value in own.items():
                if key != "num_batches_tracked":
                    tensor = getattr(mine, key)
                    assert tensor.shape == value.shape, (target, key, tensor.shape, value.shape)
                    tensor.copy_(value)
        copied += 1
    return copied


def assert_close(ours: torch.Tensor, theirs: torch.Tensor, name: str = "") -> None:
    """max|a - b| <= 1e-5 max|b|."""
    assert ours.shape == theirs.shape, (name, ours.shape, theirs.shape)
    difference = (ours - theirs).abs().max().item()
    assert difference <= 1e-5 * theirs.abs().max().item(), (name, difference, theirs.abs().max().item())
