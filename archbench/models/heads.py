"""Heads: none for a detector's backbone, a classifier to reproduce published ImageNet figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from annotated_types import Ge, Le

from archbench.errors import SpecError
from archbench.models.graph import Features
from archbench.models.ops import global_average_pool, linear
from archbench.registry import Registry

heads: Registry[Callable[..., Features]] = Registry("head")


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
