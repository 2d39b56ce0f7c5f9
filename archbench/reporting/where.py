"""Where the cost of a network is: its stem, stages, FPN levels, top block and head, stacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archbench import units
from archbench.design.document import visible
from archbench.design.schema import WORKLOAD_IN_INPUT, choice, section_model, validated
from archbench.design.variant import Variant, Workload
from archbench.errors import SpecError
from archbench.metrics import METRICS
from archbench.models.detector import FAMILIES, Architecture
from archbench.pricing.price import layers
from archbench.reporting.charts import LONGEST, WIDTH, Chart, Layer, compose, shown
from archbench.reporting.layers import Share, shares
from archbench.reporting.palette import INK, NECK, RAMP, REST, TOP
from archbench.reporting.records import Record

BAR, LEGEND = 38, 90  # pixels of a bar with its name above it; of what is below them all
FAMILY_COLORS = {"backbone": RAMP[1:], "neck": NECK, "top_block": TOP, "head": REST}
PARTS = {"macs": ("macs_share", "MACs"), "params": ("params_share", "parameters")}


@dataclass(frozen=True)
class Breakdown:
    """One network's shares, in execution order, levels by name."""

    name: str
    shares: tuple[Share, ...]


def breakdown(record: Record) -> Breakdown | None:
    """The record's network priced again, layer by layer.

    Null for a hand-written module, and where the sum is not what the record has: then this archbench is not that one.
    """
    try:
        rows = layers(_variant(record))
    except (SpecError, TypeError, ValueError):  # the latter two: no architecture of ours at all
        return None
    if record.exact is None or sum(row.macs for row in rows) != record.exact.get("macs"):
        return None
    return Breakdown(record.name, shares(rows))


def _variant(record: Record) -> Variant:
    """What the record says it is, checked like a spec: a file is data, not to be trusted."""
    if record.architecture.keys() != FAMILIES.keys():
        raise SpecError("not an architecture of parts")
    parts = {family: choice(family, dict(record.architecture[family])) for family in FAMILIES}
    given = {key: record.workload.get(key) for key in WORKLOAD_IN_INPUT}
    inputs = validated(section_model("input"), given, "input", "input")
    return Variant("", Architecture(**parts), Workload(**{key: inputs[key] for key in WORKLOAD_IN_INPUT}))


def charts(found: Sequence[Breakdown]) -> list[Chart]:
    """MACs and parameters by group, a bar a network."""
    if not found:
        return []
    said = "priced layer by layer; a stage or level is what its name begins with in archbench show"
    return [
        Chart(f"where_{metric}", f"Where the {word} are", said, _bars(found, metric))
        for metric, (_, word) in PARTS.items()
    ]


def _bars(found: Sequence[Breakdown], metric: str) -> dict[str, Any]:
    groups = list(dict.fromkeys(share.group for each in found for share in each.shares if getattr(share, metric)))
    values = [_value(each, share, metric, groups) for each in found for share in each.shares if share.group in groups]
    names = list(dict.fromkeys(value["name"] for value in values))
    colors = colored(groups)
    y = {"field": "name", "type": "nominal", "axis": None, "sort": names}
    x = {
        "field": "amount",
        "type": "quantitative",
        "stack": True,
        "title": METRICS[metric].title,
        "axis": {"grid": False},
    }
    color = {
        **{"field": "group", "type": "nominal", "title": None},
        "scale": {"domain": [_short(group) for group in groups], "range": colors},
    }
    bars: Layer = {
        "data": {"values": values},
        "mark": {"type": "bar", "height": {"band": 0.42}, "yOffset": 8},
        "encoding": {
            **{"y": y, "x": x, "color": color, "description": {"field": "said"}},
            "order": {"field": "place", "type": "quantitative"},
        },
    }
    written: Layer = {
        "data": {"values": [{"name": name, "start": 0} for name in names]},
        "mark": {
            "type": "text",
            "align": "left",
            "dy": -7,
            "fontSize": 12,
            "color": INK,
            "limit": WIDTH,
            "aria": False,
        },
        "encoding": {"y": y, "x": {"field": "start", "type": "quantitative"}, "text": {"field": "name"}},
    }
    return compose([bars, written], height=LEGEND + BAR * len(names))


def _value(each: Breakdown, share: Share, metric: str, groups: Sequence[str]) -> dict[str, Any]:
    amount = getattr(share, metric)
    part, word = PARTS[metric]
    return {
        "name": visible(each.name, LONGEST),
        "group": _short(share.group),
        "place": groups.index(share.group),
        "amount": amount / METRICS[metric].scale,
        "said": f"{visible(each.name, LONGEST)}, {share.group}: {word} {shown(amount, metric)}, "
        f"{units.percent(getattr(share, part))}",
    }


def colored(groups: Sequence[str]) -> list[str]:
    """A colour a group, a family in the shades of one."""
    seen: dict[str, int] = {}
    found = []
    for group in groups:
        family = group.split(".")[0]
        place = seen[family] = seen.get(family, -1) + 1
        shades = FAMILY_COLORS.get(family, REST)
        found.append(shades[place % len(shades)])
    return found


def _short(group: str) -> str:
    """`res3`, `p4`: as people say it; a level of the neck and one of the top block never share a name."""
    return group.partition(".")[2] or group
