"""What a network gave out, looked at before its time is believed: finite, and the same from every engine."""

from __future__ import annotations

import torch
from torch.utils._pytree import keystr, tree_flatten_with_path, tree_leaves

# How far two engines' outputs may lie apart, as a share of the output's largest magnitude: what rounding explains.
# A layer's rounding is one unit of its format (2^-11 and 2^-8 of half precisions and of tf32, which accumulate in fp32)
# or, in fp32, what the sum of up to 4608 products (512 channels, 3 x 3) accumulates: 68 = sqrt(4608) units of 2^-24.
# Layers round independently, so it grows with the square root of their number: 13 for the 155 convolutions of R-152-FPN;
# twice that, since both engines round. A wrong or missing operation is off by a share near one.
GROWTH = 2 * 13
TOLERANCE = {
    "fp32": GROWTH * 68 * 2**-24,  # 1.1e-4; ONNX Runtime, inductor and eager were seen 2e-6 apart on three networks
    "tf32": GROWTH * 2**-11,
    "amp_fp16": GROWTH * 2**-11,
    "amp_bf16": GROWTH * 2**-8,
}


class Unusable(Exception):
    """The network runs, and its time is not to be reported: its price is not what it does, or it gives no numbers."""


def check_finite(outputs: object) -> None:
    """Raises Unusable where an output holds a NaN or an infinity: its time would be of something else."""
    for leaf in tree_leaves(outputs):
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and not bool(torch.isfinite(leaf).all()):
            raise Unusable(f"its output is not finite (shape {tuple(leaf.shape)}, {leaf.dtype})")


def check_agreement(outputs: object, eager: object, *, engine: str, precision: str) -> None:
    """Raises Unusable with the figures where an engine computes something else than eager. Outputs go by eager's names."""
    expected = [(keystr(path), leaf) for path, leaf in tree_flatten_with_path(eager)[0] if _is_tensor(leaf)]
    given = [leaf for leaf in tree_leaves(outputs) if _is_tensor(leaf)]
    if len(given) != len(expected):
        raise Unusable(f"{engine} gives {len(given)} outputs where eager gives {len(expected)}")
    for (name, wanted), leaf in zip(expected, given, strict=True):
        if leaf.shape != wanted.shape:
            raise Unusable(f"{engine}'s output{name} has shape {tuple(leaf.shape)}, eager's {tuple(wanted.shape)}")
        if not (apart := output_distance(leaf, wanted)) <= TOLERANCE[precision]:  # a NaN is no agreement either
            raise Unusable(
                f"{engine}'s output{name} is not eager's: {apart:.1e} of its largest magnitude apart, where rounding in "
                f"{precision} explains {TOLERANCE[precision]:.1e}; take measure.engine: eager"
            )


def output_distance(given: torch.Tensor, wanted: torch.Tensor) -> float:
    """The largest difference as a share of the largest magnitude wanted; all zeros are met by zeros alone."""
    if not wanted.numel():
        return 0.0
    wanted = wanted.detach().double()
    apart = (given.detach().to(wanted.device).double() - wanted).abs().max().item()
    return apart / scale if (scale := wanted.abs().max().item()) else (0.0 if apart == 0 else float("inf"))


def _is_tensor(leaf: object) -> bool:
    return isinstance(leaf, torch.Tensor)
