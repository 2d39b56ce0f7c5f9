"""A real sweep of twenty variants of which four go wrong, each in its way; and what supervising it costs."""

import json
import subprocess
import sys

import pytest
from commands import IMPATIENT, announced, assert_ended_well, records, time_limit, write_plugin

NAME = "faulty"
WIDTHS = [16 * (index + 1) for index in range(16)]  # 16 to 256
FAULTS = {
    "module=nets:hoards": "out of memory: ",
    "module=nets:crashes": "its process died of SIGSEGV",
    "module=nets:hangs": "no answer in LIMIT s and no sign of life for ",
    "module=nets:nan": "its output is not finite",
}
SPEC = f"""\
archbench: 1
name: {NAME}
base: R-18-FPN
input: {{height: 64, width: 64}}
axes: {{neck.channels: {WIDTHS}}}
include:
  - {{module: "nets:hoards"}}
  - {{module: "nets:crashes"}}
  - {{module: "nets:hangs"}}
  - {{module: "nets:nan"}}
measure: {{device: cpu, generations: 1, threads: 1, timeout: LIMIT}}
"""
COMMAND = ["run", "spec.yaml", "--plugin", "nets.py"]
WEIGHED = f"""{IMPATIENT}
import json, resource, sys
from archbench.cli import guarded
code = guarded(sys.argv[1:])
spent = [sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps(dict(own=spent[0], workers=spent[1], torch="torch" in sys.modules)), file=sys.stderr)
sys.exit(code)
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The folder, and the finished process."""
    folder = tmp_path_factory.mktemp("sweep")
    write_plugin(folder)
    (folder / "spec.yaml").write_text(SPEC.replace("LIMIT", str(time_limit())))
    command = [sys.executable, "-c", WEIGHED, *COMMAND]
    return folder, subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1200, check=False)


def test_sixteen_are_measured_and_four_rows_say_why_not(sweep):
    folder, done = sweep
    assert done.returncode == 1, done.stderr
    found = records(folder, NAME)
    failed = {record["name"]: record["reason"] for record in found if record["status"] == "failed"}
    assert len(found) == 20
    assert len(failed) == 4
    for name, reason in failed.items():
        expected = next(said for fault, said in FAULTS.items() if fault in name)
        assert reason.startswith(expected.replace("LIMIT", str(time_limit())))
    measured = [record for record in found if record["status"] == "measured"]
    assert sorted(record["axes"]["neck.channels"] for record in measured) == WIDTHS
    assert announced(done.stdout) == {record["id"] for record in found}


def test_supervising_takes_under_2_percent_of_the_cpu_time_and_no_torch(sweep):
    spent = json.loads(sweep[1].stderr.splitlines()[-1])
    assert not spent["torch"]
    assert spent["own"] < 0.02 * (spent["own"] + spent["workers"]), spent


def test_the_same_command_measures_nothing_twice(sweep):
    folder, _ = sweep
    (samples,) = folder.glob(f"results/{NAME}/*/samples.jsonl")
    before = samples.read_bytes()
    assert_ended_well(folder, NAME, COMMAND, {record["name"] for record in records(folder, NAME)}, code=1)
    assert samples.read_bytes() == before
