"""The cost of a network by its parts: stem, stages, FPN levels, top block and head, stacked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archbench import units
from archbench.design.spec.schema import WORKLOAD_IN_INPUT, choose_part, section_model, validate_knobs
from archbench.errors import SpecError
from archbench.metrics import METRICS
from archbench.models.variant import FAMILIES, Architecture, Variant, Workload
from archbench.pricing.price import GroupShare, list_layers, share_by_group
from archbench.reporting.page.charts import WIDTH, Chart, Layer, compose_layers, make_layer, shorten
from archbench.reporting.page.drawing import INK, NECK, RAMP, REST, TOP
from archbench.reporting.page.word_tables import format_metric
from archbench.runs.records import Record
from archbench.text import visible

BAR, LINE, LEGEND = 24, 14, 90  # pixels of a bar, of a line of its name above it, of what is below them all
ALONG, MOST_LINES = 70, 3  # characters that a line of a name has room for; lines of one
LONGEST, LONGEST_LABEL = 200, 10_000  # characters of a name that is pointed at; of one before it is cut into lines
FAMILY_COLORS = {"backbone": RAMP[1:], "neck": NECK, "top_block": TOP, "head": REST}
PARTS = {"macs": ("macs_share", "MACs"), "params": ("params_share", "parameters")}


@dataclass(frozen=True)
class CostBreakdown:
    """The shares of one network, in execution order, levels by name."""

    id: str
    name: str
    shares: tuple[GroupShare, ...]


def break_down_cost(record: Record) -> CostBreakdown | None:
    """The record's network priced again, layer by layer.

    Null for a hand-written module, and where the sum is not what the record has: then this archbench is not that one.
    """
    try:
        rows = list_layers(_parse_variant(record))
    except (SpecError, TypeError, ValueError):  # the latter two: no architecture of ours at all
        return None
    if record.exact is None or sum(row.macs for row in rows) != record.exact.get("macs"):
        return None
    return CostBreakdown(record.id, record.name, share_by_group(rows))


def _parse_variant(record: Record) -> Variant:
    """The variant that a record names, checked like a spec: a file is data, not to be trusted."""
    if record.architecture.keys() != FAMILIES.keys():
        raise SpecError("not an architecture of parts")
    parts = {family: choose_part(family, dict(record.architecture[family])) for family in FAMILIES}
    given = {key: record.workload.get(key) for key in WORKLOAD_IN_INPUT}
    inputs = validate_knobs(section_model("input"), given, "input", "input")
    return Variant("", Architecture(**parts), Workload(**{key: inputs[key] for key in WORKLOAD_IN_INPUT}))


def draw_breakdowns(found: Sequence[CostBreakdown]) -> list[Chart]:
    """Charts of MACs and of parameters by group, a bar a network: its replicas cost the same."""
    each_once = list({each.id: each for each in found}.values())
    if not each_once:
        return []
    said = "priced layer by layer; a stage or level is what its name begins with in archbench show"
    return [
        Chart(f"where_{metric}", f"Where the {word} are", said, _draw_bars(each_once, metric))
        for metric, (_, word) in PARTS.items()
    ]


def _draw_bars(found: Sequence[CostBreakdown], metric: str) -> dict[str, Any]:
    groups = list(dict.fromkeys(share.group for each in found for share in each.shares if getattr(share, metric)))
    values = [
        _bar_value(each, share, metric, groups) for each in found for share in each.shares if share.group in groups
    ]
    lines = [wrap_label(label) for label in shorten_names([each.name for each in found])]
    most = max(map(len, lines))
    y: Layer = {"field": "id", "type": "nominal", "axis": None, "sort": [each.id for each in found]}
    x: Layer = {"field": "amount", "type": "quantitative", "stack": True, "title": METRICS[metric].title}
    x["axis"] = {"grid": False}
    color: Layer = {"field": "group", "type": "nominal", "title": None}
    color["scale"] = {"domain": [_short_group(group) for group in groups], "range": assign_colors(groups)}
    order = {"field": "place", "type": "quantitative"}
    encoding = {"y": y, "x": x, "color": color, "description": {"field": "said"}, "order": order}
    bars = make_layer(values, "bar", encoding, height=BAR - 8, yOffset=most * LINE / 2)
    height = BAR + LINE * most
    return compose_layers([bars, *_name_layers(found, lines, y, height)], height=LEGEND + height * len(found))


def _name_layers(found: Sequence[CostBreakdown], lines: Sequence[list[str]], y: Layer, height: int) -> list[Layer]:
    """The names, each line a mark of its own, the last right above its bar."""
    most = max(map(len, lines))
    padded = [[""] * (most - len(own)) + own for own in lines]
    style = {"align": "left", "baseline": "middle", "fontSize": 12, "color": INK, "limit": WIDTH}
    encoding = {"y": y, "x": {"field": "start", "type": "quantitative"}, "text": {"field": "text"}}
    layers = []
    for place in range(most):
        texts = ((each.id, own[place]) for each, own in zip(found, padded, strict=True))
        values = [{"id": own, "start": 0, "text": text} for own, text in texts if text]
        offset = LINE * (place + 0.5) - height / 2 + 2
        layers.append(make_layer(values, "text", encoding, **style, dy=offset, aria=False))
    return layers


def shorten_names(names: Sequence[str]) -> list[str]:
    """The names without the parts that all of them have, where that leaves each its own."""
    parts = [name.split(",") for name in names]
    common = set(parts[0]).intersection(*parts) if len(names) > 1 else set()
    found = [",".join(part for part in own if part not in common) for own in parts]
    return found if all(found) and len(set(found)) == len(set(names)) else list(names)


def wrap_label(label: str) -> list[str]:
    """The label in at most MOST_LINES lines that end at a comma where they can; what is longer is cut."""
    shown = visible(label, LONGEST_LABEL)
    lines = _split_lines(shown)
    return lines if len(lines) <= MOST_LINES else _split_lines(shorten(shown, 2 * ALONG))


def _split_lines(text: str) -> list[str]:
    lines = [""]
    for part in re.findall(rf"[^,]{{1,{ALONG - 1}}},?|,", text):
        if len(lines[-1]) + len(part) > ALONG:
            lines.append("")
        lines[-1] += part
    return lines


def _bar_value(each: CostBreakdown, share: GroupShare, metric: str, groups: Sequence[str]) -> dict[str, Any]:
    amount = getattr(share, metric)
    part, word = PARTS[metric]
    return {
        "id": each.id,
        "group": _short_group(share.group),
        "place": groups.index(share.group),
        "amount": amount / METRICS[metric].scale,
        "said": f"{visible(each.name, LONGEST)}, {share.group}: {word} {format_metric(amount, metric)}, "
        f"{units.format_percent(getattr(share, part))}",
    }


def assign_colors(groups: Sequence[str]) -> list[str]:
    """A colour a group, a family in the shades of one."""
    seen: dict[str, int] = {}
    found = []
    for group in groups:
        family = group.split(".")[0]
        place = seen[family] = seen.get(family, -1) + 1
        shades = FAMILY_COLORS.get(family, REST)
        found.append(shades[place % len(shades)])
    return found


def _short_group(group: str) -> str:
    """`res3`, `p4`: as people say it; a level of the neck and one of the top block never share a name."""
    return group.partition(".")[2] or group
