"""The programs that follow a backbone: necks make a pyramid of its c-maps, top blocks add coarser levels, heads read it.

A head is none for a detector's backbone, or a classifier, which reproduces published ImageNet figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len

from archbench.errors import SpecError
from archbench.models.graph import Feature, Features, scope
from archbench.models.ops import (
    Channels,
    Norm,
    add,
    conv,
    conv_norm_relu,
    global_average_pool,
    linear,
    max_pool,
    relu,
    scale,
    upsample_to,
)
from archbench.registry import Registry

Level = Annotated[int, Ge(0), Le(9)]  # whether the backbone gives it is the neck's to say
Levels = Annotated[list[Level], Len(1, 10)]

necks: Registry[Callable[..., Features]] = Registry("neck")
top_blocks: Registry[Callable[..., Features]] = Registry("top_block")
heads: Registry[Callable[..., Features]] = Registry("head")


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


def find_coarsest(pyramid: Features) -> tuple[int, Feature]:
    """The pyramid's last level and its map; a top block on bare c-maps is refused."""
    levels = sorted(int(name[1:]) for name in pyramid if name.startswith("p"))
    if not levels:
        raise SpecError("top_block.type: a top block needs a pyramid; take neck.type: fpn, or top_block.type: none")
    return levels[-1], pyramid[f"p{levels[-1]}"]


@top_blocks.register("none")
def no_top_block(features: Features, pyramid: Features) -> Features:
    """Nothing added."""
    return {}


@top_blocks.register("maxpool")
def maxpool(features: Features, pyramid: Features) -> Features:
    """Every second pixel of the coarsest level (Lin et al. 2017, section 4.1): P6 for the RPN, no weights."""
    level, top = find_coarsest(pyramid)
    name = f"p{level + 1}"
    with scope(top, name):
        return {name: max_pool(top, 1, 2)}


@top_blocks.register("p6p7")
def p6p7(features: Features, pyramid: Features, *, source: Literal["c5", "p5"] = "c5") -> Features:
    """RetinaNet's two levels (Lin et al. 2017b): a 3x3 at stride 2 from `source`, ReLU, another 3x3 at stride 2.

    source  c5 or p5, said and never inferred from channel counts; both have the pyramid's channels on their outputs
    """
    _, top = find_coarsest(pyramid)
    given = features | pyramid
    if source not in given:
        raise SpecError(
            f"top_block.source: {source} is not there: neck.levels end at {max(pyramid)[1:]}; let them reach 5"
        )
    with scope(top, "p6"):
        p6 = conv(given[source], top.channels, 3, 2, bias=True)
    with scope(top, "p7"):
        p7 = conv(relu(p6), top.channels, 3, 2, bias=True)
    return {"p6": p6, "p7": p7}


@heads.register("none")
def no_head(features: Features) -> Features:
    """The features themselves."""
    return features


@heads.register("classifier")
def classifier(features: Features, *, classes: Annotated[int, Ge(1), Le(1_000_000)] = 1000) -> Features:
    """The mean of a backbone's one c-map through one linear layer, as in He et al. 2015, table 1."""
    if len(features) != 1 or not min(features).startswith("c"):
        raise SpecError(
            "head.type: a classifier reads one map of a backbone; take neck: {type: none, levels: [5]} "
            "and top_block: {type: none}"
        )
    (only,) = features.values()
    return {"logits": linear(global_average_pool(only), classes)}
