"""One network, layer by layer, and each stage's and level's share of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from archbench import units
from archbench.models.variant import Variant
from archbench.pricing.price import Layer, list_layers, price
from archbench.text import visible


@dataclass(frozen=True)
class GroupShare:
    """A stage's or level's part of the whole. The shares are of one."""

    group: str
    params: int
    macs: int
    acts: int
    params_share: float
    macs_share: float


def share_by_group(rows: Sequence[Layer]) -> tuple[GroupShare, ...]:
    """Totals by stage (`backbone.res3`) and by FPN level (`neck.p4`), in execution order."""
    params, macs = sum(row.params for row in rows), sum(row.macs for row in rows)
    groups: dict[str, list[Layer]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return tuple(
        GroupShare(
            group,
            own := sum(r.params for r in members),
            work := sum(r.macs for r in members),
            sum(r.acts for r in members),
            own / params if params else 0.0,
            work / macs if macs else 0.0,
        )
        for group, members in sorted(groups.items(), key=lambda item: _group_order(item[0], rows))
    )


def _group_order(group: str, rows: Sequence[Layer]) -> tuple[int, str]:
    """Families in execution order; levels of a family by name, since a pyramid is built from its coarsest."""
    families = list(dict.fromkeys(row.group.split(".")[0] for row in rows))
    order = group.removeprefix("backbone.stem")  # the stem before res2
    return families.index(group.split(".")[0]), order


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
    """A section a stage or level, so that a layer's name is short enough for 80 columns."""
    workload = variant.workload
    size = f"{workload.batch} x 3 x {workload.height} x {workload.width}"
    grid = Grid(title=escape(f"{visible(variant.name)}  {size}"), title_justify="left", box=SIMPLE_HEAD)
    for heading in ("layer", "op"):
        grid.add_column(heading, overflow="fold")
    for heading in ("output", "params", "MACs G", "acts M"):
        grid.add_column(heading, justify="right", no_wrap=True)
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            grid.add_section()
            grid.add_row(f"[bold]{group}")
        shape = " x ".join(str(n) for n in row.shape)
        counts = units.format_count(row.params), units.format_giga(row.macs), units.format_mega(row.acts)
        grid.add_row(row.name.removeprefix(f"{group}."), row.op, shape, *counts)
    return grid


def _build_share_grid(rows: Sequence[Layer]) -> Grid:
    grid = Grid(title="where the cost is", title_justify="left", box=SIMPLE_HEAD)
    grid.add_column("stage or level")
    for heading in ("params M", "share", "MACs G", "share"):
        grid.add_column(heading, justify="right")
    for share in share_by_group(rows):
        grid.add_row(
            share.group,
            units.format_mega(share.params),
            units.format_percent(share.params_share),
            units.format_giga(share.macs),
            units.format_percent(share.macs_share),
        )
    return grid
