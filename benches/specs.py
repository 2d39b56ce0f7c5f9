"""A bench for each spec in `specs/`, made when asv imports this file: nothing to write when a spec is added.

  parameters   the spec's axes, or its variants' names where they are no grid
  version      the spec's digest, so that a changed spec is never compared with old results
  one run      of the whole spec, in `setup_cache`; each `track_*` looks its number up
A space of more than MOST variants has none: asv starts a process for each point of each method. Two specs whose names
make one class are refused.
asv keys `setup_cache` by module and line: each class has its own copy of the function, in a module of its own, else all
would share the first spec's run. Nothing heavy is imported at the top: asv imports this file for every bench.
"""

import math
import sys
import tempfile
import types
from importlib import import_module
from pathlib import Path

SPECS = Path(__file__).parent.parent / "specs"
HOUR = 3600
MOST = 200
TRACKED = {  # method -> metric, unit, base units in one of it; asv takes less for better and writes only these units
    "track_latency": ("latency_ms", "seconds", 1000),
    "track_memory": ("memory_bytes", "bytes", 1),
    "track_peak": ("peak_bytes", "bytes", 1),
    "track_macs": ("macs", "MACs", 1),
    "track_params": ("params", "parameters", 1),
}


def run_spec(self):
    """The points of the grid that a run had a row for, each with it: a constraint or a selection leaves others out."""
    spec = import_module("archbench.design.spec.spec").read_spec(self.path)
    with tempfile.TemporaryDirectory() as folder:
        rows = import_module("archbench.api").run(spec, folder).judged.table.rows
    by_name = {row["name"]: row for row in rows}
    return {repr(point): by_name[name] for point, name in self.variants if name in by_name}


def tracker(metric, unit, scale):
    """A method that looks a metric up: NaN (not there) where nothing was measured, an error (failed) where it failed."""

    def track(self, rows, *point):
        row = rows.get(repr(point))
        if row is not None and row["status"] == "failed":
            raise RuntimeError(row["reason"])
        value = row and row[metric]
        return math.nan if value is None else value / scale

    track.unit = unit
    return track


def own_setup_cache(name):
    """`run_spec` as a function of its own, in a module of its own."""
    module = types.ModuleType(f"{__name__}.{name}")
    sys.modules[module.__name__] = module
    copy = types.FunctionType(run_spec.__code__, globals(), "setup_cache")
    copy.__module__, copy.timeout = module.__name__, HOUR
    return copy


def bench(path):
    """The class of one spec file."""
    spec = import_module("archbench.design.spec.spec").read_spec(path)
    variants = import_module("archbench.design.variants").expand(spec).variants
    asv = import_module("archbench.reporting.exports.asv_grid")
    grid = asv.make_asv_grid([(variant.name, variant.axes) for variant in variants])
    name, points = asv.format_class_name(spec.name), grid.points
    members = {
        "path": path,
        "variants": [(points[place], variant.name) for place, variant in zip(grid.places, variants, strict=True)],
        "params": [list(values) for values in grid.values],
        "param_names": list(grid.names),
        "version": asv.digest_spec(spec.as_json()),
        "timeout": HOUR,
        "setup_cache": own_setup_cache(name),
        **{method: tracker(*tracked) for method, tracked in TRACKED.items()},
    }
    return type(name, (), members)


def benches(folder):
    """A class for each spec of a folder that is small enough. Raises SpecError for two whose names make one class."""
    count_raw = import_module("archbench.design.variants").count_raw
    read = import_module("archbench.design.spec.spec").read_spec
    small = [path for path in sorted(folder.glob("*.yaml")) if count_raw(read(path)) <= MOST]
    found = {}
    for made in map(bench, small):
        if (other := found.setdefault(made.__name__, made)) is not made:
            raise import_module("archbench.errors").SpecError(
                f"{made.path}: its name makes the class {made.__name__}, as that of {other.path} does; "
                "asv keeps one of a name. Rename one of the two"
            )
    return found


globals().update(benches(SPECS))
