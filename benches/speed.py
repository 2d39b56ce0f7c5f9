"""How long archbench keeps people waiting: import, expand, price, record, build; and that against its peers.

Nothing heavy is imported at the top: asv imports this file for every bench.
"""

import resource
import statistics
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

SPECS = Path(__file__).parent.parent / "specs"
NAMES = ["R-18-FPN", "R-50-FPN", "R-152-FPN"]


def seconds(function, repeats):
    """The fastest of `repeats` calls."""
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - began)
    return best


START = {
    "import": "import archbench",
    "help": "from archbench.cli import exit_code_of; exit_code_of(['--help'])",
    "price": f"from archbench.cli import exit_code_of; exit_code_of(['price', {str(SPECS / 'fpn_sweep.yaml')!r}])",
}


def process(statement):
    subprocess.run([sys.executable, "-c", statement], check=True, stdout=subprocess.DEVNULL)


class Start:
    """Whole processes, from their start to their end."""

    timeout = 120
    params = [list(START)]
    param_names = ["command"]

    def time_process(self, command):
        process(START[command])

    def track_ratio_to_importing_torch(self, command):
        """Below 1: done before a tool that needs torch has begun."""
        return seconds(lambda: process(START[command]), 3) / seconds(lambda: process("import torch"), 3)


SUPERVISOR = "import archbench.measure.experiment.experiment, archbench.measure.experiment.recorder"
DEPENDENCIES = "import click, numpy, pydantic, psutil"
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"  # in KiB on Linux


def cpu_seconds(statement):
    """User and system time of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process(statement)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Supervisor:
    """Importing what supervises a run, which waits beside every worker while it is timed."""

    timeout = 120

    def track_cpu_over_its_dependencies(self):
        """At most 2.2: it draws, prices and judges nothing. The median of ten pairs."""
        return statistics.median(cpu_seconds(SUPERVISOR) / cpu_seconds(DEPENDENCIES) for _ in range(10))

    def track_peak_mib(self):
        """At most 48."""
        done = subprocess.run([sys.executable, "-c", f"{SUPERVISOR}; {PEAK}"], check=True, capture_output=True)
        return int(done.stdout) / 1024


class Spec:
    """A spec file to its variants."""

    params = [["fpn_sweep", "resnet_depth_width", "presets"]]
    param_names = ["spec"]

    def setup(self, spec):
        self.path = SPECS / f"{spec}.yaml"
        self.read = import_module("archbench.design.spec.spec").read_spec
        self.expand = import_module("archbench.design.variants").expand

    def time_expand(self, spec):
        self.expand(self.read(self.path))


class Network:
    """One network recorded, priced, built."""

    params = [NAMES]
    param_names = ["preset"]
    timeout = 120

    def setup(self, preset):
        self.variant = import_module("archbench.design.variants").preset(preset)
        self.record = import_module("archbench.models.variant").record_network
        self.cost = import_module("archbench.pricing.price").price
        assert self.variant.graph.nodes

    def time_record(self, preset):
        self.record(self.variant.architecture, 800, 1333)

    def time_price(self, preset):
        self.cost(self.variant)


class Build:
    """The torch module of one network."""

    params = [NAMES]
    param_names = ["preset"]
    timeout = 300

    def setup(self, preset):
        self.variant = import_module("archbench.design.variants").preset(preset)
        self.build = import_module("archbench.measure.worker.build").build

    def time_build_on_meta(self, preset):
        self.build(self.variant, device="meta")

    def time_build(self, preset):
        self.build(self.variant)


class AgainstPeers:
    """The same counts from fvcore and from torch's counter, in the same run: how many times longer each takes."""

    timeout = 600

    def setup(self):
        preset = import_module("archbench.design.variants").preset
        small = preset("R-50-FPN", {"input.height": 256, "input.width": 320})
        torch = import_module("torch")
        self.count = import_module("archbench.measure.worker.count")
        self.module = import_module("archbench.measure.worker.build").build(small)
        self.image = torch.randn(1, 3, 256, 320)
        cost = import_module("archbench.pricing.price").price
        self.ours = seconds(lambda: cost(preset("R-50-FPN", {"input.height": 256, "input.width": 320})), 5)

    def track_fvcore_over_price(self):
        return seconds(lambda: self.count.fvcore_counts(self.module, self.image), 2) / self.ours

    def track_flop_counter_over_price(self):
        return seconds(lambda: self.count.trace(self.module, self.image, fvcore=False), 2) / self.ours
