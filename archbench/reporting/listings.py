"""What there is to choose from: parts, presets, stored runs."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from archbench import units
from archbench.design.document import visible
from archbench.design.space import preset
from archbench.models.detector import FAMILIES
from archbench.models.presets import FROZEN_NOTE, PRESETS
from archbench.pricing.price import price
from archbench.reporting.records import as_json
from archbench.reporting.store import runs as stored_runs

# The same trunk as a classifier, so that a preset can be told by the figure people know (ResNet-50: 3.858 or 4.089 G).
AS_CLASSIFIER = {
    "neck.type": "none",
    "top_block.type": "none",
    "head.type": "classifier",
    "input.height": 224,
    "input.width": 224,
}

NOTES = {"presets": f"every preset: {FROZEN_NOTE}. classifier: its body with 1000 classes at 224 x 224."}


def parts() -> list[dict[str, Any]]:
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


def presets() -> list[dict[str, Any]]:
    """Every preset with its parameters, its MACs at 800 x 1333, and its body's as a classifier at 224 x 224."""
    found = []
    for each in PRESETS.values():
        cost, classifier = price(preset(each.name)), price(preset(each.name, AS_CLASSIFIER))
        found.append(
            {
                "preset": each.name,
                "lineage": each.lineage,
                "params": cost.params,
                "macs": cost.macs,
                "classifier_macs": classifier.macs,
                "doc": each.doc,
            }
        )
    return found


def runs(results: Path) -> list[dict[str, Any]]:
    """Every stored run with all its records, newest last."""
    return [
        {
            "run": str(folder.path),
            "name": folder.header.get("name"),
            "planned": len(folder.header.get("planned", [])),
            "records": [as_json(record) for record in folder.records()],
        }
        for folder in stored_runs(results)
    ]


def show(what: str, found: list[dict[str, Any]], console: Console) -> None:
    """Print a listing as a table, its note below."""
    if not found:
        console.print(f"no {what} here")
        return
    grid = Grid()
    for heading in found[0]:
        grid.add_column(heading, justify="right" if heading.endswith(("params", "macs")) else "left", overflow="fold")
    for row in found:
        grid.add_row(*(escape(_written(key, value)) for key, value in row.items()))
    console.print(grid)
    if what in NOTES:
        console.print(NOTES[what])


def _written(key: str, value: Any) -> str:
    if key.endswith("macs"):
        return f"{units.giga(value)} G"
    if key == "params":
        return f"{units.mega(value)} M"
    if key == "knobs":
        return ", ".join(f"{name}: {units.plain(default)}" for name, default in value.items()) or "-"
    if key == "records":
        return f"{len(value)}"
    return visible(units.plain(value), 200)
