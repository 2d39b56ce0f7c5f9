"""A sweep of twenty variants of which four go wrong, each in its way, and a real one of seven; what supervising costs."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import REAL, SCRIPTED, announced, assert_ended_well, records, time_limit, write_plugin

NAME = "faulty"
WIDTHS = [16 * (index + 1) for index in range(16)]  # 16 to 256
REAL_WIDTHS = [16, 128, 256]
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
axes: {{neck.channels: WIDTHS}}
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
    """A finished sweep: how it was started, what it measured, its folder, and what it said."""

    program: tuple[str, ...]
    widths: list[int]
    folder: Path
    done: subprocess.CompletedProcess[str]

    @property
    def spent(self):
        """Seconds of CPU time of the command's own and of its workers', and whether it imported torch."""
        return json.loads(self.done.stderr.splitlines()[-1])


def run_sweep(folder, program, widths):
    write_plugin(folder)
    spec = SPEC.replace("LIMIT", str(time_limit(program))).replace("WIDTHS", str(widths))
    (folder / "spec.yaml").write_text(spec)
    interpreter, script, *options = program
    command = [interpreter, "-c", WEIGHED.replace("RUN_ARCHBENCH", repr(script)), *options, *COMMAND]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1200, check=False)
    return Sweep(program, widths, folder, done)


@pytest.fixture(scope="module")
def scripted(tmp_path_factory):
    return run_sweep(tmp_path_factory.mktemp("scripted"), SCRIPTED, WIDTHS)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return run_sweep(tmp_path_factory.mktemp("real"), REAL, REAL_WIDTHS)


@pytest.fixture(params=["scripted", pytest.param("real", marks=pytest.mark.slow)])
def sweep(request):
    return request.getfixturevalue(request.param)


def test_all_others_are_measured_and_four_rows_say_why_not(sweep):
    assert sweep.done.returncode == 1, sweep.done.stderr
    found = records(sweep.folder, NAME)
    failed = {record["name"]: record["reason"] for record in found if record["status"] == "failed"}
    assert len(found) == len(sweep.widths) + 4
    assert len(failed) == 4
    for name, reason in failed.items():
        expected = next(said for fault, said in FAULTS.items() if fault in name)
        assert reason.startswith(expected.replace("LIMIT", str(time_limit(sweep.program))))
    measured = [record for record in found if record["status"] == "measured"]
    assert sorted(record["axes"]["neck.channels"] for record in measured) == sweep.widths
    assert announced(sweep.done.stdout) == {record["id"] for record in found}


def test_a_sweep_is_supervised_without_torch(sweep):
    assert not sweep.spent["torch"]


@pytest.mark.slow
def test_supervising_twenty_takes_under_2_percent_of_the_cpu_time(scripted, real):
    """Of twenty workers that take what the real ones took, as many of which were ended early."""
    own = max(scripted.spent["own"], real.spent["own"])
    workers = real.spent["workers"] / len(records(real.folder, NAME)) * 20
    assert own < 0.02 * (own + workers), (scripted.spent, real.spent)


def test_the_same_command_measures_nothing_twice(sweep):
    (samples,) = sweep.folder.glob(f"results/{NAME}/*/samples.jsonl")
    before = samples.read_bytes()
    names = {record["name"] for record in records(sweep.folder, NAME)}
    assert_ended_well(sweep.folder, NAME, COMMAND, names, code=1, program=sweep.program)
    assert samples.read_bytes() == before
