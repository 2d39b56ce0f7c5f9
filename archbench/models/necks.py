"""Necks make of a backbone's c-maps the maps that a detector's heads read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len

from archbench.errors import SpecError
from archbench.models.graph import Feature, Features, scope
from archbench.models.ops import Channels, Norm, add, conv_norm_relu, scale, upsample_to
from archbench.registry import Registry

Level = Annotated[int, Ge(0), Le(9)]  # whether the backbone gives it is the neck's to say
Levels = Annotated[list[Level], Len(1, 10)]

necks: Registry[Callable[..., Features]] = Registry("neck")


def choose_levels(features: Features, levels: Sequence[int]) -> dict[int, Feature]:
    """The c-maps of those levels, fine to coarse. Levels out of order, or given twice, are refused."""
    if list(levels) != sorted(set(levels)):
        raise SpecError(f"neck.levels: {list(levels)} is not in rising order without repeats")
    return {level: features[f"c{level}"] for level in levels}


@necks.register("none")
def no_neck(features: Features, *, levels: Levels = [2, 3, 4, 5]) -> Features:  # noqa: B006  (never changed)
    """No neck: the backbone's own maps of those levels."""
    return {f"c{level}": feature for level, feature in choose_levels(features, levels).items()}


def _resolve_fuse(levels: Sequence[int], fuse: str) -> str:
    """`fuse` is its default where a single level leaves nothing to merge."""
    return fuse if len(levels) > 1 else "sum"


@necks.register("fpn", resolvers={"fuse": _resolve_fuse})
def fpn(
    features: Features,
    *,
    channels: Channels = 256,
    levels: Levels = [2, 3, 4, 5],  # noqa: B006
    norm: Norm = "none",
    relu: bool = False,
    fuse: Literal["sum", "average"] = "sum",
) -> Features:
    """Feature pyramid (Lin et al. 2017, fig. 3): 1x1 laterals, a top-down path, a 3x3 on every level.

    channels  of every level of the pyramid
    levels    of the backbone that it reads, and gives back as p2 to p5
    norm      after both convolutions, which then have no bias
    relu      after both convolutions (maskrcnn-benchmark's USE_RELU)
    fuse      sum, or average: half the sum, at each merge (detectron2's FUSE_TYPE)
    """
    coarser: Feature | None = None
    pyramid: Features = {}
    for level, feature in sorted(choose_levels(features, levels).items(), reverse=True):
        with scope(feature, f"p{level}"):
            merged = conv_norm_relu(feature, channels, 1, norm=norm, active=relu, name="lateral")
            if coarser is not None:
                merged = add(merged, upsample_to(coarser, merged), name="merge")
                merged = scale(merged, 0.5, name="halve") if fuse == "average" else merged
            pyramid[f"p{level}"] = conv_norm_relu(merged, channels, 3, norm=norm, active=relu, name="output")
        coarser = merged
    return dict(sorted(pyramid.items()))
