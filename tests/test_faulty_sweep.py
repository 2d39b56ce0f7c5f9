"""A sweep of twenty variants of which four go wrong, each in its way; and what supervising it costs."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import REAL, SCRIPTED, announced, assert_ended_well, records, time_limit, write_plugin

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
WEIGHED = """
import json, resource, runpy, sys
sys.argv[0] = RUN_ARCHBENCH
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    spent = [sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps(dict(own=spent[0], workers=spent[1], torch="torch" in sys.modules)), file=sys.stderr)
"""

pytestmark = pytest.mark.process


@dataclass(frozen=True)
class Sweep:
    """A finished sweep: how it was started, its folder, and what it said."""

    program: tuple[str, ...]
    folder: Path
    done: subprocess.CompletedProcess[str]


A_REAL_ONE = pytest.param(REAL, marks=pytest.mark.slow, id="real")


@pytest.fixture(scope="module", params=[pytest.param(SCRIPTED, id="scripted"), A_REAL_ONE])
def sweep(request, tmp_path_factory):
    return swept(tmp_path_factory.mktemp("sweep"), request.param)


def swept(folder, program):
    write_plugin(folder)
    (folder / "spec.yaml").write_text(SPEC.replace("LIMIT", str(time_limit(program))))
    interpreter, script, *options = program
    command = [interpreter, "-c", WEIGHED.replace("RUN_ARCHBENCH", repr(script)), *options, *COMMAND]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1200, check=False)
    return Sweep(program, folder, done)


def test_sixteen_are_measured_and_four_rows_say_why_not(sweep):
    assert sweep.done.returncode == 1, sweep.done.stderr
    found = records(sweep.folder, NAME)
    failed = {record["name"]: record["reason"] for record in found if record["status"] == "failed"}
    assert len(found) == 20
    assert len(failed) == 4
    for name, reason in failed.items():
        expected = next(said for fault, said in FAULTS.items() if fault in name)
        assert reason.startswith(expected.replace("LIMIT", str(time_limit(sweep.program))))
    measured = [record for record in found if record["status"] == "measured"]
    assert sorted(record["axes"]["neck.channels"] for record in measured) == WIDTHS
    assert announced(sweep.done.stdout) == {record["id"] for record in found}


def test_a_sweep_is_supervised_without_torch(sweep):
    assert not json.loads(sweep.done.stderr.splitlines()[-1])["torch"]


@pytest.mark.parametrize("sweep", [A_REAL_ONE], indirect=True)
def test_supervising_takes_under_2_percent_of_the_cpu_time(sweep):
    spent = json.loads(sweep.done.stderr.splitlines()[-1])
    assert spent["own"] < 0.02 * (spent["own"] + spent["workers"]), spent


def test_the_same_command_measures_nothing_twice(sweep):
    (samples,) = sweep.folder.glob(f"results/{NAME}/*/samples.jsonl")
    before = samples.read_bytes()
    names = {record["name"] for record in records(sweep.folder, NAME)}
    assert_ended_well(sweep.folder, NAME, COMMAND, names, code=1, program=sweep.program)
    assert samples.read_bytes() == before
