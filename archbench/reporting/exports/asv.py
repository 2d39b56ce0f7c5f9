"""Stored runs as a results tree of asv (version 2), which `asv publish`, `compare` and `show` read.

  benchmark   `SPEC.METRIC`, its parameters the spec's axes, its version the spec's digest
  result      seconds, bytes or a count; of a time the 99 % interval, quartiles and calls too, but no samples: with six a
              side asv's test can never find a difference, and without it goes by the intervals
  series      machine, GPU, driver, torch and precision are parameters of the file: filters of the page
Only what is better the smaller is exported: asv knows no other direction. A point that failed is null, with null
statistics; one that is no variant is NaN.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archbench import units
from archbench.errors import ResultsError, refuse_unwritable
from archbench.metrics import EXACT
from archbench.reporting.exports.asv_grid import AsvGrid, digest_spec, make_asv_grid
from archbench.runs.git import ask_git
from archbench.runs.records import Key
from archbench.runs.run import StoredRun
from archbench.runs.store import folder_name
from archbench.statistics.fit import CONFIDENCE, LOOKING, student_t
from archbench.statistics.summary import Summary
from archbench.statistics.verdicts import METRIC_QUANTITIES
from archbench.tables.run_table import RunTable, tabulate_run
from archbench.text import visible

COLUMNS = (
    *("result", "params", "version", "started_at", "duration"),
    *("stats_ci_99_a", "stats_ci_99_b", "stats_q_25", "stats_q_75", "stats_number", "stats_repeat"),
    *("samples", "profile"),
)
STATS = COLUMNS[5:11]
METRICS = (*EXACT, "memory_bytes", "latency_ms", "step_ms", "device_ms", "cold_ms")
COMMIT = re.compile(r"[0-9a-f]{40,64}")
MACHINES = ("x86_64", "aarch64", "arm64", "ppc64le", "AMD64")
TIMEOUT = 60.0  # of a benchmark, which nobody runs: the tree is read only

Point = Mapping[str, float | None]  # `result` and STATS of one variant


@dataclass(frozen=True)
class AsvFiles:
    """The files that one run adds to a tree: a machine, named results, and the benchmarks they are of."""

    machine: Mapping[str, Any]
    name: str
    results: Mapping[str, Any]
    benchmarks: Mapping[str, Mapping[str, Any]]


def write_asv_tree(runs: Sequence[StoredRun], tree: Path) -> tuple[Path, ...]:
    """Write the runs into the tree, beside what it holds; the files written. The newest run of a spec says what it is now.

    Raises ResultsError for a run whose commit is not known here, CannotMeasure where the tree cannot be written.
    """
    written: dict[Path, dict[str, Any]] = {}
    benchmarks = _read_json(tree / "benchmarks.json") or {"version": 2}
    for files in map(make_asv_files, sorted(runs, key=lambda run: int(run.manifest["created_ns"]))):
        folder = tree / str(files.machine["machine"])
        before = written.get(folder / files.name) or _read_json(folder / files.name) or {}
        merged = {**before.get("results", {}), **files.results["results"]}
        written[folder / files.name] = {**files.results, "results": merged}
        written[folder / "machine.json"] = dict(files.machine)
        benchmarks |= files.benchmarks
    written[tree / "benchmarks.json"] = benchmarks
    for path, content in written.items():
        _write_json(path, content)
    return tuple(written)


def make_asv_files(run: StoredRun) -> AsvFiles:
    """The files of one run as asv stores it."""
    environment = run.manifest["environment"]
    commit, tree = _parse_commit(environment.get("commit"), run.place)
    series = _describe_series(run) | {"tree": tree}
    machine = _machine_json(environment)
    grid = make_asv_grid([(_label_record(record.name, record.replica), record.axes) for record in run.records])
    rows = {name: _result_row(run, points, grid) for name, points in _list_benchmarks(tabulate_run(run))}
    device = folder_name(series["gpu"] or series["device"])
    env_name = f"archbench-{device}-{digest_spec(series)[:8]}"  # has no path in it, so it is stable
    results = {
        "commit_hash": commit,
        "env_name": env_name,
        "date": _read_commit_time(commit) * units.MS_PER_S,
        "params": {**{key: value for key, value in machine.items() if key != "version"}, **series},
        "python": series["python"],
        "requirements": {},
        "env_vars": {},
        "result_columns": list(COLUMNS),
        "results": rows,
        "durations": {},
        "version": 2,
    }
    benchmarks = {name: _benchmark_json(name, run, grid) for name in rows}
    return AsvFiles(machine, f"{commit[:8]}-{env_name}.json", results, benchmarks)


def _label_record(name: str, replica: int) -> str:
    return name + (f" (replica {replica})" if replica else "")


def _parse_commit(stored: Any, where: str) -> tuple[str, str]:
    """The commit that a run was made at, and whether files differed from it."""
    text = stored if isinstance(stored, str) else ""
    commit = text.removesuffix("+")
    if not COMMIT.fullmatch(commit):
        raise ResultsError(
            f"{visible(where, 200)}: made outside a git repository, and asv orders results by commit; run it in one"
        )
    return commit, "modified" if text.endswith("+") else "clean"


def _read_commit_time(commit: str) -> int:
    """When a commit was made, in seconds since the epoch: asv's page has the commits' own dates."""
    return int(ask_git(commit, "show", "--no-patch", "--format=%ct", commit).split()[-1])


def _machine_json(environment: Mapping[str, Any]) -> dict[str, Any]:
    """asv's machine.json; all its values are texts."""
    os = str(environment.get("os") or "")
    return {
        "machine": folder_name(str(environment.get("host") or "unknown")),
        "os": os.split("-")[0],
        "arch": next((each for each in MACHINES if each in os), ""),
        "cpu": str(environment.get("cpu") or ""),
        "num_cpu": str(environment.get("logical_cores") or ""),
        "ram": str(environment.get("memory_bytes") or ""),
        "version": 1,
    }


def _describe_series(run: StoredRun) -> dict[str, str]:
    """The facts that tell a run's series from another's of the same machine."""
    environment = run.manifest["environment"]
    gpu, versions = environment.get("gpu"), environment.get("versions")
    precisions = {str(record.workload.get("precision", "fp32")) for record in run.records}
    return {
        "device": str(environment["device"]).partition(":")[0],
        "gpu": str(gpu.get("name")) if isinstance(gpu, Mapping) else "",
        "driver": str(environment.get("driver") or ""),
        "torch": str(versions.get("torch") or "") if isinstance(versions, Mapping) else "",
        "python": str(environment.get("python") or ""),
        "precision": precisions.pop() if len(precisions) == 1 else "several",
    }


def _list_benchmarks(run: RunTable) -> Iterator[tuple[str, list[Point]]]:
    """Every metric that a variant has, with a point a record."""
    spec, rows = folder_name(run.stored_run.name), list(zip(run.table.rows, run.stored_run.records, strict=True))
    for metric in METRICS:
        if any(row[metric] is not None for row, _ in rows):
            timed = _timed_points(run, metric)
            yield f"{spec}.{metric}", [_make_point(row[metric], metric) | timed.get(r.key, {}) for row, r in rows]


def _make_point(value: float | None, metric: str) -> dict[str, float | None]:
    """A number in asv's units: seconds for milliseconds."""
    scaled = value if value is None or not metric.endswith("_ms") else value / units.MS_PER_S
    return {"result": scaled, **dict.fromkeys(STATS)}


def _timed_points(run: RunTable, metric: str) -> dict[Key, dict[str, float | None]]:
    """The statistics of each variant whose time has an interval."""
    if metric != "latency_ms" and metric not in METRIC_QUANTITIES:
        return {}
    found = run.times.by_quantity[METRIC_QUANTITIES.get(metric, run.times.quantity)]
    looked = run.times.looked
    return {key: _make_stats(each, looked=looked) for key, each in found.items() if each.half_width is not None}


def _make_stats(summary: Summary, *, looked: bool) -> dict[str, float | None]:
    """The six statistics of asv: the interval is widened from its own confidence to 99 %."""
    assert summary.half_width is not None
    wider = student_t(summary.df, 0.99) / student_t(summary.df, LOOKING if looked else CONFIDENCE)
    factor = math.exp(math.log1p(summary.half_width) * wider)
    middle = summary.median_ms / units.MS_PER_S
    return {
        "stats_ci_99_a": middle / factor,
        "stats_ci_99_b": middle * factor,
        "stats_q_25": summary.q25_ms / units.MS_PER_S,
        "stats_q_75": summary.q75_ms / units.MS_PER_S,
        "stats_number": 1,
        "stats_repeat": summary.calls,
    }


def _result_row(run: StoredRun, points: Sequence[Point], grid: AsvGrid) -> list[Any]:
    """A benchmark's row of results, the product of its parameters in order; columns at the end that say nothing are left out."""
    result: list[Any] = [math.nan] * grid.size
    stats: dict[str, list[Any]] = {name: [None] * grid.size for name in STATS}
    for place, point in zip(grid.places, points, strict=True):
        result[place] = point["result"]
        for name in STATS:
            stats[name][place] = point[name]
    begun = int(run.manifest["created_ns"]) // units.NS_PER_MS
    row = [result, _format_params(grid), _spec_version(run), begun, None, *stats.values()]
    timed = any(value is not None for values in stats.values() for value in values)
    return row if timed else row[:4]


def _format_params(grid: AsvGrid) -> list[list[str]]:
    return [[repr(value) for value in values] for values in grid.values]


def _spec_version(run: StoredRun) -> str:
    return digest_spec(run.manifest["spec"])


def _benchmark_json(name: str, run: StoredRun, grid: AsvGrid) -> dict[str, Any]:
    """The benchmark as asv's benchmarks.json has it."""
    metric = name.rpartition(".")[2]
    unit = "seconds" if metric.endswith("_ms") else "bytes" if metric.endswith("_bytes") else "count"
    return {
        "name": name,
        "type": "track",
        "unit": unit,
        "params": _format_params(grid),
        "param_names": list(grid.names),
        "version": _spec_version(run),
        "code": json.dumps(run.manifest["spec"], indent=2),
        "timeout": TIMEOUT,
    }


def _read_json(path: Path) -> dict[str, Any] | None:
    """A file of the tree as it is; null where there is none, or can be none. Raises ResultsError where it is damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{visible(str(path), 200)}: not a file of asv's ({error}); move it away") from error
    if not isinstance(found, dict) or not isinstance(found.get("results", {}), dict):
        raise ResultsError(f"{visible(str(path), 200)}: not a file of asv's; move it away")
    return found


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file of the tree; the NaN of asv's own JSON is in no other."""
    with refuse_unwritable(visible(str(path), 200)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
