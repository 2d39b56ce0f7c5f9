"""A record as a row of the comparison table: its counts, its measured numbers, and the kind of each number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from archbench.metrics import EXACT, Kind
from archbench.runs.records import Record
from archbench.statistics.times import RunTimes

if TYPE_CHECKING:  # summaries come from numpy, which pricing does without
    from archbench.statistics.summary import Summary

Row = dict[str, Any]
MEASURED = (
    *("latency_ms", "q25_ms", "q75_ms", "ratio"),
    *("step_ms", "device_ms", "host_bound", "throughput", "cold_ms", "energy_mj"),
)


def make_row(record: Record, times: RunTimes, scores: Mapping[str, float]) -> Row:
    exact, traced = record.exact or {}, record.traced or {}
    counts = {name: exact.get(name, traced.get(name)) for name in EXACT}
    kinds: dict[str, Kind] = {
        name: "exact" if name in exact else "traced" for name in EXACT if counts[name] is not None
    }
    measured = _latency_fields(times.latencies.get(record.key)) | _beside_fields(record, times)
    kinds |= {name: "measured" for name in MEASURED if measured[name] is not None}
    if record.memory_bytes is not None and record.memory_kind is not None:
        kinds["memory_bytes"] = record.memory_kind
    return {
        **record.axes,
        "name": record.name,
        "id": record.id,
        "replica": record.replica,
        **({"side": record.side} if record.side else {}),
        "reference": record.reference,
        **counts,
        **measured,
        "memory_bytes": record.memory_bytes,
        **{memory_name(name): value for name, value in record.memory.items()},
        "pareto": None,
        "score": scores.get(record.id, scores.get(record.name)),
        "status": record.status,
        "reason": record.reason,
        "warnings": list(record.warnings),
        "kind": kinds,
    }


def _latency_fields(summary: Summary | None) -> Row:
    return {
        "latency_ms": summary and summary.median_ms,
        "q25_ms": summary and summary.q25_ms,
        "q75_ms": summary and summary.q75_ms,
        "half_width": summary and summary.half_width,
        "ratio": summary and summary.ratio,
        "ratio_half_width": summary and summary.ratio_half_width,
        "rank": summary and summary.rank,
        "calls": summary and summary.calls,
        "generations": summary and summary.generations,
    }


def _beside_fields(record: Record, times: RunTimes) -> Row:
    """The measured numbers beside the latency. Where the latency is a step's or the device's, it has that name too."""
    step, device = times.summary_of(record.key, "step"), times.summary_of(record.key, "device")
    batch = record.workload.get("batch")
    return {
        "step_ms": step and step.median_ms,
        "step_half_width": step and step.half_width,
        "device_ms": device and device.median_ms,
        "device_half_width": device and device.half_width,
        "host_bound": times.is_host_bound(record.key),
        "throughput": times.throughput(record.key, batch if isinstance(batch, int) else None),
        "cold_ms": sum(record.cold_ms.values()) if record.cold_ms else None,
        "energy_mj": record.energy_mj,
    }


def memory_name(name: str) -> str:
    """The key of a device's own memory figure: no other column begins so."""
    return f"memory.{name}"


def add_macs_ratios(rows: Iterable[Row], base: Record | None) -> None:
    whole = ((base.exact or base.traced or {}) if base else {}).get("macs")
    for row in rows:
        if whole and row["macs"] is not None:
            row["ratio"] = row["macs"] / whole
            row["kind"]["ratio"] = row["kind"]["macs"]
