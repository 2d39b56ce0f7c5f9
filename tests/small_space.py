"""A space small enough to go through one by one: a spec to add to, read, and each of its variants priced by itself."""

from __future__ import annotations

from pathlib import Path

from archbench.design.spec.spec import Spec, read_spec
from archbench.design.variants import expand
from archbench.space.constraints import PricedVariant, price_all
from archbench.space.samplers import sample_lists

SELECT = "select: {minimize: [acts, peak_bytes], maximize: [macs], limit: 6}\n"
SMALL = f"""\
archbench: 1
name: small
base: R-18-FPN
input: {{height: 64, width: 96}}
{SELECT}axes:
  backbone.depths: {{product: [[1, 2], [2, 3], [2], [1, 2]]}}
  backbone.width: [0.5, 0.75, 1.0]
  neck.channels: [64, 192, 256]
"""  # more axes, and then more keys, may follow


def written(text: str, folder: Path) -> Spec:
    """The spec of that text."""
    path = folder / "small.yaml"
    path.write_text(text)
    return read_spec(path)


def one_by_one(spec: Spec) -> list[PricedVariant]:
    """Every variant, expanded and priced alone: what its columns are held against."""
    return price_all(expand(spec, sample_lists).variants)
