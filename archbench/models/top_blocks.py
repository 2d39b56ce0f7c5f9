"""Top blocks: levels coarser than the backbone's last, added to a pyramid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from archbench.errors import SpecError
from archbench.models.graph import Feature, Features, scope
from archbench.models.ops import conv, max_pool, relu
from archbench.registry import Registry

top_blocks: Registry[Callable[..., Features]] = Registry("top_block")


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
