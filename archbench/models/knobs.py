"""The knobs' types, with the ranges a spec is held to, and the norms every part can choose from."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Len

from archbench.models.graph import Feature, apply_op, conv, relu
from archbench.models.ops import BatchNorm, FrozenNorm, GroupNorm, Op

Channels = Annotated[int, Ge(1), Le(65_536)]
Groups = Annotated[int, Ge(1), Le(65_536)]
Level = Annotated[int, Ge(0), Le(9)]  # whether the backbone gives it is the neck's to say
Levels = Annotated[list[Level], Len(1, 10)]
BlockCount = Annotated[int, Ge(1), Le(512)]
Depths = Annotated[list[BlockCount], Len(4, 4)]
Width = Annotated[float, Gt(0), Le(64)]
Epsilon = Annotated[float, Ge(0), Le(1)]
Norm = Literal["batch", "frozen", "group", "none"]


def apply_norm(x: Feature, norm: Norm, *, eps: float = 1e-5, name: str = "norm") -> Feature:
    """`x` through the norm of that name; `none` leaves it as it is."""
    if norm == "none":
        return x
    kinds: dict[str, Op] = {"batch": BatchNorm(eps), "frozen": FrozenNorm(eps), "group": GroupNorm(eps=eps)}
    return apply_op(kinds[norm], x, name=name)


def conv_norm_relu(x: Feature, out: int, kernel: int, *, norm: Norm, active: bool, name: str) -> Feature:
    """Convolution, norm, ReLU, the last two where asked; a bias where there is no norm to hold it."""
    y = conv(x, out, kernel, bias=norm == "none", name=name)
    y = apply_norm(y, norm, name=f"{name}_norm")
    return relu(y, name=f"{name}_relu") if active else y
