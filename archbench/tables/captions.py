"""The caption of a table: lines on what its numbers are, how sure they are, and which rows to distrust."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archbench import units
from archbench.design.spec.schema import Quantity
from archbench.metrics import METRICS, Direction
from archbench.runs.records import Record
from archbench.statistics.times import HOST_BOUND, RunTimes

if TYPE_CHECKING:
    from archbench.statistics.summary import Summary

Rows = Sequence[Mapping[str, Any]]
CONTEXT = "the fastest, ranks, front and charts' lines are of the new networks; their bases stand beside them"
PRICED_ALONE = "nothing was measured: priced alone, on no device"
FRONT = "* is on the Pareto front"
NAMED = 4  # names a caption spells out before it counts the rest

MEANING: dict[Quantity, str] = {
    "request": "one call at a time, batch in to result ready",
    "step": "calls back to back",
    "device": "the device's own work, no gap inside",
}
FITTED = "latencies, by one fit that takes out what a generation has in common; not the quotient of two medians"
PROCESSOR_TIME = "the processor's time of a call, over all threads"


def reference_line(base: Record | None, *, measured: bool, spared: bool = False) -> list[str]:
    if base is None:
        return ["no reference: ratios are null"]
    of = FITTED if measured else "MACs, nothing was measured"
    outside = ["the reference is outside the constraints: here to compare with, on no front"] if spared else []
    return [f"R is the reference, {base.name}; ratio: of {of}", *outside]


def latency_lines(times: RunTimes) -> list[str]:
    """Lines that say what latency is, how often it was taken, how its interval was made and how wide it came out."""
    found = list(times.latencies.values())
    if not found:
        return []
    return [f"latency: {_describe_median(found, times)}; {_describe_widest(found)}", *_estimator_line(found, times)]


def disturbed_line(times: RunTimes) -> list[str]:
    """A line with how many counted blocks stayed disturbed."""
    found = list(times.latencies.values())
    disturbed, blocks = sum(each.disturbed for each in found), sum(each.blocks for each in found)
    return [f"{disturbed} of {blocks} counted blocks were disturbed each time they were taken"] if disturbed else []


def _describe_median(found: Sequence[Summary], times: RunTimes) -> str:
    """The calls that latency is the median of; an entry of a step or of the device may be a mean of several calls."""
    counts, generations = (
        [each.calls for each in found],
        _format_range([each.generations for each in found], "generation"),
    )
    if times.quantity == "request":
        return f"median of {_format_range(counts, 'call')} in {generations}"
    said = f"median {times.quantity} ({_describe_quantity(times.quantity, times)})"
    return f"{said} of {_format_range(counts, 'sample')} in {generations}"


def _describe_widest(found: Sequence[Summary]) -> str:
    widths = [each.half_width for each in found if each.half_width is not None]
    if not widths:
        return "no interval: one needs two generations or more"
    without = f"; {len(found) - len(widths)} have none, measured in one generation" if len(widths) < len(found) else ""
    return f"the widest interval is {units.format_half_width(max(widths))}{without}"


def target_line(times: RunTimes) -> list[str]:
    """A line that says that the run ended with wider intervals than were wanted."""
    widths = [each.half_width for each in times.latencies.values() if each.half_width is not None]
    if times.target is None or not widths or max(widths) <= times.target:
        return []
    wanted, widest = units.format_half_width(times.target), units.format_half_width(max(widths))
    return [f"intervals of {wanted} were wanted, the widest is {widest}: the budget was over first"]


def _estimator_line(found: Sequence[Summary], times: RunTimes) -> list[str]:
    """A line that says how ± was made, which is the same for all that have one."""
    made = dict.fromkeys(each.estimator for each in found if each.half_width is not None)
    looks = ", widened for the looks of the stopping rule" if times.looked else ""
    return [f"±: {estimator}{looks}" for estimator in made]


def beside_lines(times: RunTimes) -> list[str]:
    """A line for each other quantity: what it is, and how sure."""
    return [
        f"{quantity}: {_describe_quantity(quantity, times)}; {_describe_widest(list(found.values()))}"
        for quantity, found in times.by_quantity.items()
        if found and quantity != times.quantity
    ]


def _describe_quantity(quantity: Quantity, times: RunTimes) -> str:
    return PROCESSOR_TIME if quantity == "device" and times.synchronous else MEANING[quantity]


def rank_line(rows: Rows) -> list[str]:
    counts = Counter(row["rank"] for row in rows if row["rank"] is not None)
    tied = any(count > 1 for count in counts.values())
    return ["rank: = marks a tie: the 95 % interval of its ratio to the first of that rank holds 1"] if tied else []


def unranked_line(rows: Rows) -> list[str]:
    """A line that says why there are no ranks though there are intervals."""
    sure = [row for row in rows if row["half_width"] is not None]
    if not sure or any(row["rank"] is not None for row in sure):
        return []
    return ["no ranks: some variants share no session with the others, by no chain, and were not compared with them"]


def host_bound_line(rows: Rows) -> list[str]:
    if not any(row["host_bound"] for row in rows):
        return []
    return [f"host-bound (a step over {HOST_BOUND} x the device's own work): it gets no faster with fewer MACs"]


def memory_line(records: Iterable[Record]) -> list[str]:
    kinds = {record.memory_kind for record in records if record.memory_bytes is not None}
    return ["memory: live tensor bytes, traced; not what the process takes"] if kinds == {"traced"} else []


def front_line(rows: Rows, axes: Mapping[str, Sequence[Direction]]) -> list[str]:
    if not any(row["pareto"] for row in rows):
        return []
    least = [METRICS[name].label.rsplit(" ", 1)[0] for name, sides in axes.items() if "min" in sides]
    most = next(name for name, sides in axes.items() if "max" in sides)
    gain = METRICS[most].label if most == "score" else "MACs (for capacity: there are no scores)"
    both = (
        "; MACs being cost and gain, only equal MACs compare" if len(axes["macs"] if most == "macs" else ()) > 1 else ""
    )
    return [f"{FRONT}: least {' and '.join(least)}, most {gain}{both}"]


def found_front_line(rows: Rows, over: str) -> list[str]:
    return [f"{FRONT} of all that were priced: {over}"] if any(row["pareto"] for row in rows) else []


def funnel_lines(counts: Mapping[str, Any]) -> list[str]:
    """Lines with how many variants there were at each step, as the manifest counts them; none where none was left out."""
    refused = sum(counts["refused"].values())
    steps = [f"{counts['excluded']:,} excluded", f"{counts['duplicates']:,} the same network"]
    if counts.get("collapsed_draws"):
        steps.append(f"{counts['collapsed_draws']:,} drawn twice")
    if counts.get("elsewhere"):
        steps.append(f"{counts['elsewhere']:,} outside --where")
    steps.append(f"{refused:,} refused by constraints")
    if counts.get("unjudged"):
        steps.append(_unjudged_step(counts))
    front = [] if counts.get("front") is None else [front_step(counts)]
    kinds = ("excluded", "duplicates", "collapsed_draws", "elsewhere", "unjudged")
    left_out = any(counts.get(kind) for kind in kinds) or refused
    return [f"of {counts['raw']:,} variants {', '.join(steps)}", *front] if left_out or front else []


def counted_lines(name: str, counts: Mapping[str, Any]) -> list[str]:
    """The lines of `check`: how many variants a spec has, and what became of the others at each step."""
    lines = [
        f"{name}: {_format_range([counts['variants']], 'variant')} of {counts['raw']:,} raw, the reference included"
    ]
    lines += [f"  {counts['excluded']:,} excluded, {counts['duplicates']:,} the same network as another"]
    if counts["collapsed_draws"]:
        lines += [f"  {counts['collapsed_draws']:,} drawn where another was"]
    lines += [f"  {refused:,} refused by {constraint}" for constraint, refused in counts["refused"].items()]
    if counts.get("unjudged"):
        lines += [f"  {_unjudged_step(counts)}"]
    if counts.get("front") is not None:
        lines += [f"  {counts['front']:,} on the Pareto front: {counts['aims']}{_unscored_part(counts)}"]
    if counts.get("strangers"):
        lines += [f"  scores of no variant: {_name_some(counts['strangers'])}"]
    return lines


def _unjudged_step(counts: Mapping[str, Any]) -> str:
    return f"{counts['unjudged']:,} hand-written and held to no constraint, having no price"


def front_step(counts: Mapping[str, Any]) -> str:
    return f"of the {counts['kept']:,} left {counts['front']:,} are on the Pareto front of {counts['aims']}" + (
        _unscored_part(counts)
    )


def _unscored_part(counts: Mapping[str, Any]) -> str:
    """The part of a step on variants without a score, which no front over the score can have."""
    return f"; {counts['unscored']:,} have no score and cannot be on it" if counts.get("unscored") else ""


def score_lines(records: Iterable[Record], scores: Mapping[str, float] | None) -> list[str]:
    known = {text for record in records for text in (record.id, record.name)}
    strangers = [name for name in scores or {} if name not in known]
    return [f"scores of no row here: {_name_some(strangers)}"] if strangers else []


def status_lines(records: Sequence[Record], rows: Rows) -> list[str]:
    """Lines with how many variants have no result, or none any more."""
    counts = Counter(record.status for record in records)
    said = []
    if counts["failed"]:
        said.append(f"{counts['failed']} of {len(records)} failed")
    if counts["not reached"]:
        shown = any(row["status"] == "not reached" and row["latency_ms"] is not None for row in rows)
        so_far = ": what is shown of them is of the rounds so far" if shown else ""
        said.append(f"{counts['not reached']} of {len(records)} not reached{so_far}")
    return said + lost_lines(rows)


def lost_lines(rows: Rows) -> list[str]:
    """A line on variants whose samples are gone: a record is `measured` only once they are on disk."""
    lost = [row["name"] for row in rows if row["status"] == "measured" and row["latency_ms"] is None]
    if not lost:
        return []
    return [f"{len(lost)} measured without a sample to be found: samples.jsonl was lost or cut ({_name_some(lost)})"]


def warning_lines(records: Iterable[Record]) -> list[str]:
    """A line for each warning, with the variants it is about."""
    about: dict[str, list[str]] = {}
    for record in records:
        for warning in record.warnings:
            about.setdefault(warning, []).append(record.name)
    return [f"{warning} ({_name_some(names)})" for warning, names in about.items()]


def _name_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _format_range(values: Sequence[int], noun: str) -> str:
    low, high = min(values), max(values)
    return (f"{low:,}" if low == high else f"{low:,} to {high:,}") + f" {noun}" + ("" if high == 1 else "s")


def run_lines(manifest: Mapping[str, Any], *, untimed: bool = False) -> list[str]:
    """Lines on a whole run: where it was measured, and what was left out on the way.

    `untimed`: nothing was measured, though it may have been tried.
    """
    environment, space = manifest["environment"], manifest["space"]
    measured = environment["device"] != "none"
    on = f"measured on {describe_machine(environment)}" if measured else PRICED_ALONE
    lines = [f"nothing was {on}" if measured and untimed else on]
    lines += funnel_lines(space)
    if space.get("front") is not None:
        lines.append(
            f"{space['chosen']:,} of the front, the least crowded, are here beside the reference; "
            f"the other {space['kept'] - space['chosen']:,} within the constraints were never measured"
        )
    if manifest.get("against") is not None:
        lines.append(CONTEXT)
    if measured and manifest["budget_s"] is not None:
        lines.append(f"budget {units.format_duration(manifest['budget_s'])}")
    if manifest.get("starved") is not None:
        lines.append(manifest["starved"])
    return lines


def describe_machine(environment: Mapping[str, Any]) -> str:
    """Device, processor and torch in a few words."""
    gpu = environment.get("gpu")
    name = gpu["name"] if isinstance(gpu, dict) else environment["cpu"]
    return f"{environment['device']} ({name}, {environment['cores']} cores), torch {environment['versions']['torch']}"
