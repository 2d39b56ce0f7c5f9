"""One network on a terminal or as plain data: layer by layer, and each stage's and level's share of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from archbench import units
from archbench.models.variant import Variant
from archbench.pricing.price import Layer, list_layers, price, share_by_group
from archbench.text import visible


def layers_json(variant: Variant) -> dict[str, Any]:
    """Layers, shares and totals as plain data."""
    rows = list_layers(variant)
    return {
        "name": variant.name,
        "id": variant.id,
        **variant.as_json(),
        "exact": price(variant).as_json(),
        "layers": [{**asdict(row), "shape": list(row.shape), "group": row.group} for row in rows],
        "shares": [asdict(share) for share in share_by_group(rows)],
    }


def print_layers(variant: Variant, console: Console) -> None:
    """Print every layer that computes or stores something, then the shares, then the totals."""
    rows = list_layers(variant)
    console.print(_build_layer_grid(variant, rows))
    console.print(_build_share_grid(rows))
    cost = price(variant)
    console.print(
        f"{units.format_count(cost.params)} parameters, {units.format_count(cost.macs)} MACs, "
        f"{units.format_count(cost.kernels)} kernels, peak {units.format_mib(cost.peak_bytes)} MiB"
    )


def _build_layer_grid(variant: Variant, rows: Sequence[Layer]) -> Grid:
    workload = variant.workload
    size = f"{workload.batch} x 3 x {workload.height} x {workload.width}"
    grid = open_grid(
        escape(f"{visible(variant.name)}  {size}"), ("layer", "op"), ("output", "params", "MACs G", "acts M")
    )
    for group, members in groupby(rows, lambda row: row.group):
        open_section(grid, group)
        for row in members:
            shape = " x ".join(map(str, row.shape))
            counts = units.format_count(row.params), units.format_giga(row.macs), units.format_mega(row.acts)
            grid.add_row(row.name.removeprefix(f"{group}."), row.op, shape, *counts)
    return grid


def open_grid(title: str, words: Sequence[str], numbers: Sequence[str]) -> Grid:
    """A grid of no rows yet: columns of words, which are folded, then columns of numbers, which are not."""
    grid = Grid(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in words:
        grid.add_column(heading, overflow="fold")
    for heading in numbers:
        grid.add_column(heading, justify="right", no_wrap=True)
    return grid


def open_section(grid: Grid, group: str) -> None:
    """Begin the rows of a stage or level, so that a layer's name is short enough for 80 columns."""
    grid.add_section()
    grid.add_row(f"[bold]{group}")


def _build_share_grid(rows: Sequence[Layer]) -> Grid:
    grid = open_grid("where the cost is", ("stage or level",), ("params M", "share", "MACs G", "share"))
    for share in share_by_group(rows):
        grid.add_row(
            share.group,
            units.format_mega(share.params),
            units.format_percent(share.params_share),
            units.format_giga(share.macs),
            units.format_percent(share.macs_share),
        )
    return grid
