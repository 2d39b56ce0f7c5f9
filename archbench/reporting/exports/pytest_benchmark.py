"""A stored run as a JSON file of pytest-benchmark, for `pytest-benchmark compare`: a benchmark a variant, a round a call."""

from __future__ import annotations

import json
import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archbench import __version__, units
from archbench.errors import ResultsError, refuse_unwritable
from archbench.runs.records import Record
from archbench.runs.run import StoredRun
from archbench.statistics.readings import choose_counted, make_reading, whole_rounds
from archbench.text import visible

FENCE = 1.5  # interquartile ranges, Tukey's


def write_pytest_benchmark(run: StoredRun, path: Path) -> None:
    """Write the run into a file. Raises ResultsError where nothing was measured, CannotMeasure where it cannot be written."""
    content = benchmark_json(run)
    with refuse_unwritable(visible(str(path), 200)):
        path.write_text(json.dumps(content, allow_nan=False, indent=1) + "\n", encoding="utf-8")


def benchmark_json(run: StoredRun) -> dict[str, Any]:
    """The content of the file. Variants without a counted call are left out: the format has no way to say why."""
    calls = list_call_seconds(run)
    if not calls:
        raise ResultsError(f"{visible(run.place, 200)}: nothing was measured, so there is nothing to export")
    header, environment = run.manifest, run.manifest["environment"]
    begun = datetime.fromtimestamp(header["created_ns"] / units.NS_PER_S, UTC).isoformat()
    return {
        "machine_info": _machine_json(environment),
        "commit_info": _commit_json(environment, begun),
        "benchmarks": [_variant_json(run, record, calls[record.key]) for record in run.records if record.key in calls],
        "datetime": begun,
        "version": __version__,
    }


def list_call_seconds(run: StoredRun) -> dict[Any, list[float]]:
    """The calls behind each variant's latency, in seconds."""
    failed, quantity = run.failed_keys, run.quantity
    blocks = [each for each in whole_rounds(run.blocks, failed) if each.key not in failed and each.quantity == quantity]
    found: dict[Any, list[float]] = {}
    for told in choose_counted(
        make_reading(each, each.counted_ns) for each in blocks if min(each.counted_ns, default=0) > 0
    ):
        found.setdefault(told.key, []).extend(ns / units.NS_PER_S for ns in told.times_ns)
    return found


def _machine_json(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a machine that are the same between two runs that may be compared."""
    names = ("host", "os", "python", "cpu", "cores", "gpu", "driver", "device", "versions")
    return {"node": environment.get("host"), **{name: environment.get(name) for name in names}}


def _commit_json(environment: Mapping[str, Any], begun: str) -> dict[str, Any]:
    stored = environment.get("commit") or ""
    return {"id": stored.removesuffix("+"), "time": begun, "dirty": stored.endswith("+"), "project": "archbench"}


def _variant_json(run: StoredRun, record: Record, calls: Sequence[float]) -> dict[str, Any]:
    spec = run.name
    name = record.name + (f" (replica {record.replica})" if record.replica else "")
    return {
        "group": spec,
        "name": name,
        "fullname": f"{spec}::{name}",
        "params": dict(record.axes) or None,
        "param": name,
        "extra_info": {"id": record.id, **(record.exact or record.traced or {})},
        "options": {"disable_gc": False, "timer": "perf_counter", "min_rounds": len(calls), "warmup": False},
        "stats": summarise_calls(calls),
    }


def summarise_calls(calls: Sequence[float]) -> dict[str, Any]:
    """The statistics that pytest-benchmark derives from its rounds, defined as it does."""
    data = sorted(calls)
    q1, q3 = find_quartiles(data)
    mean, spread, fence = statistics.mean(data), statistics.stdev(data) if len(data) > 1 else 0, FENCE * (q3 - q1)
    far = sum(not mean - spread <= each <= mean + spread for each in data)
    out = sum(not q1 - fence <= each <= q3 + fence for each in data)
    return {
        "min": data[0],
        "max": data[-1],
        "mean": mean,
        "stddev": spread,
        "rounds": len(data),
        "median": statistics.median(data),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": out,
        "stddev_outliers": far,
        "outliers": f"{far};{out}",
        "ld15iqr": data[bisect_left(data, q1 - fence)],
        "hd15iqr": data[bisect_right(data, q3 + fence) - 1],
        "ops": len(data) / math.fsum(data),
        "total": math.fsum(data),
        "iterations": 1,
        "data": list(calls),
    }


def find_quartiles(data: Sequence[float]) -> tuple[float, float]:
    """The first and third quartile of sorted data: medians of its halves; of an odd number, between the two ways to halve it."""
    count = len(data)
    if count == 1:
        return data[0], data[0]
    if count % 2 == 0:
        return statistics.median(data[: count // 2]), statistics.median(data[count // 2 :])
    n = count // 4
    if count % 4 == 1:
        return 0.25 * data[n - 1] + 0.75 * data[n], 0.75 * data[3 * n] + 0.25 * data[3 * n + 1]
    return 0.75 * data[n] + 0.25 * data[n + 1], 0.25 * data[3 * n + 1] + 0.75 * data[3 * n + 2]
