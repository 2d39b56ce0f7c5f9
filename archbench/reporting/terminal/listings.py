"""Listings of what there is to choose from: parts, presets, stored runs, devices."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table as Grid

from archbench import units
from archbench.design.variants import preset
from archbench.errors import ResultsError
from archbench.models.presets import FROZEN_NOTE, PRESETS, Preset
from archbench.models.variant import FAMILIES
from archbench.pricing.price import price
from archbench.runs.records import line_as_json
from archbench.runs.run import FoundRun, list_stored_runs
from archbench.text import visible

# The same trunk as a classifier, so that a preset can be told by the figure people know (ResNet-50: 3.858 or 4.089 G).
AS_CLASSIFIER = {
    "neck.type": "none",
    "neck.levels": [5],
    "top_block.type": "none",
    "head.type": "classifier",
    "input.height": 224,
    "input.width": 224,
}

COUNTS: dict[str, units.Format] = {
    "params": units.format_mega,
    "macs": units.format_giga,
    "classifier_macs": units.format_giga,
}
HEADINGS = {"stride_in": "stride in", "params": "params M", "macs": "MACs G", "classifier_macs": "classifier G"}
SECTIONS = ("lineage", "family")  # columns whose values rows are gathered under
NAMES = ("preset", "run", "name", "part", "device")  # columns that are searched for a name are not cut

NOTES = {
    "presets": f"every preset: {FROZEN_NOTE}. MACs at 800 x 1333; "
    "classifier: MACs of its body with 1000 classes at 224 x 224."
}


def list_parts() -> list[dict[str, Any]]:
    """Every registered part with its knobs and their defaults."""
    return [
        {
            "family": family,
            "part": part.name,
            "doc": part.doc,
            "knobs": {
                name: None if knob.default is inspect.Parameter.empty else knob.default
                for name, knob in part.knobs.items()
            },
        }
        for family, registry in FAMILIES.items()
        for part in registry.values()
    ]


def list_presets() -> list[dict[str, Any]]:
    """Every preset with its parameters, its MACs at 800 x 1333, and its body's as a classifier at 224 x 224."""
    return [_list_preset(each) for each in PRESETS.values()]


def _list_preset(named: Preset) -> dict[str, Any]:
    cost, classifier = price(preset(named.name)), price(preset(named.name, AS_CLASSIFIER))
    return {
        "preset": named.name,
        "lineage": named.lineage,
        "stride_in": "1x1" if named.parts["backbone"].get("stride_in_1x1") else "3x3",
        "params": cost.params,
        "macs": cost.macs,
        "classifier_macs": classifier.macs,
        "doc": named.doc,
    }


def list_runs(results: Path) -> list[dict[str, Any]]:
    """Every stored run with all its records, newest last; of one that is damaged why, and null for what it hides."""
    return [_list_run(found) for found in list_stored_runs(results)]


def _list_run(found: FoundRun) -> dict[str, Any]:
    row: dict[str, Any] = {"run": str(found.path), "name": None, "planned": None, "records": None, "damage": None}
    try:
        folder = found.require_run()
        row |= {"name": folder.manifest.get("name"), "planned": len(folder.manifest.get("planned", []))}
        return row | {"records": [line_as_json(record) for record in folder.records()]}
    except ResultsError as error:
        return row | {"damage": str(found.damage or error)}


def check_runs(found: list[dict[str, Any]]) -> None:
    """Raise ResultsError where a listed run is damaged: the listing has the others, and is not all there is."""
    if damage := [row["damage"] for row in found if row["damage"]]:
        count = f"{len(damage)} of {len(found)} runs {'is' if len(damage) == 1 else 'are'} damaged"
        raise ResultsError(f"{count}: {damage[0]}" + ("; and others" if len(damage) > 1 else ""))


def print_listing(what: str, found: list[dict[str, Any]], console: Console) -> None:
    """Print a listing as a table, its note below."""
    if not found:
        console.print(f"no {what} here")
        return
    keys = [key for key in found[0] if key not in SECTIONS and (key != "damage" or any(row[key] for row in found))]
    grid = Grid(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for key in keys:
        justify: JustifyMethod = "right" if key in COUNTS else "left"
        grid.add_column(HEADINGS.get(key, key), justify=justify, overflow="fold", no_wrap=key in NAMES)
    section = None
    for row in found:
        if (named := next((row[key] for key in SECTIONS if key in row), None)) != section:
            section = named
            grid.add_section()
            grid.add_row(f"[bold]{section}")
        grid.add_row(*(escape(_format_cell(key, row[key])) for key in keys))
    console.print(grid)
    if what in NOTES:
        console.print(NOTES[what])


def _format_cell(key: str, value: Any) -> str:
    if key in COUNTS:
        return COUNTS[key](value)
    if key == "knobs":
        return ", ".join(f"{name}: {units.format_plain(default)}" for name, default in value.items()) or units.MISSING
    if key == "records" and value is not None:
        return units.format_count(len(value))
    return units.MISSING if value is None else visible(units.format_plain(value), 200)
