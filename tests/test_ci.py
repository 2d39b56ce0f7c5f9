"""The workflows are YAML that GitHub takes, their commands are ones that work, and the gate they hold says no when it should."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cases import quick_first
from stored_runs import STEADY, stored

import archbench
from archbench.cli import exit_code_of

ROOT = Path(archbench.__file__).parent.parent
WORKFLOWS = {path.name: path.read_text() for path in sorted((ROOT / ".github" / "workflows").iterdir())}
BASELINE = ROOT / "results" / "baseline"
PRICE = "archbench run specs/fpn_sweep.yaml --device none -o build/gate"
COMPARE = (
    "archbench compare results/baseline/fpn_sweep/@latest build/gate/fpn_sweep/@latest --github --junit build/gate.xml"
)
LINT = ["ruff check .", "ruff format --check .", "mypy"]

ELSEWHERE = {  # what only a runner does: installs, a GPU, a network; and why each is right all the same
    "pip install -e '.[lint]'",
    "pip install -e '.[asv]'",
    "pip install -e '.[test]'",
    "pip install -e .",
    'python3 -m venv .venv && echo "$VIRTUAL_ENV/bin" >> "$GITHUB_PATH"',
    "bash tests/on_gpu.sh build/on_gpu",
    "archbench run specs/presets.yaml --device cuda -o build/results",
    "archbench run specs/fpn_sweep.yaml --against build/before/specs/fpn_sweep.yaml --device cuda -o build/paired",
}
TESTED = {  # here, or in the file named
    *LINT,
    PRICE,
    COMPARE,
    ".ci/run",  # tests/test_readme.py: it is README's command, the one that runs this
    "asv check --python=same",  # tests/test_benches.py
    "asv publish",  # tests/test_asv.py
    "archbench export asv build/results/*/*",
    "archbench doctor --quick --output build/doctor.json",  # tests/test_doctor_cli.py
    "mkdir -p build/before && git archive HEAD~1 specs | tar -x -C build/before",
}


def steps():
    for name, text in WORKFLOWS.items():
        for job in yaml.load(text, yaml.BaseLoader)["jobs"].values():
            yield from ((name, step) for step in job["steps"])


def commands():
    return [step["run"] for _, step in steps() if "run" in step]


def test_the_workflows_are_whole():
    for text in WORKFLOWS.values():
        workflow = yaml.load(text, yaml.BaseLoader)
        assert {"name", "on", "permissions", "jobs"} <= workflow.keys()
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"].isdecimal()
            assert all(("run" in step) != ("uses" in step) for step in job["steps"])
    assert set(WORKFLOWS) == {"ci.yml", "gpu.yml", "publish.yml"}


def test_every_command_is_known_to_a_test_or_only_a_runners():
    push = [command for command in commands() if command.startswith("cd .asv/results && git add -A")]
    assert len(push) == 1
    assert set(commands()) - set(push) == TESTED | ELSEWHERE


def test_pull_requests_get_no_right_to_write_and_no_runner_of_ours():
    on_requests = [text for text in WORKFLOWS.values() if "pull_request" in yaml.load(text, yaml.BaseLoader)["on"]]
    assert on_requests == [WORKFLOWS["ci.yml"]]
    assert yaml.load(WORKFLOWS["ci.yml"], yaml.BaseLoader)["permissions"] == {"contents": "read"}
    assert "self-hosted" not in WORKFLOWS["ci.yml"]


def test_no_command_holds_text_that_a_stranger_writes():
    """What stands in `${{ }}` is pasted into the shell: titles and branch names must not."""
    pasted = {found for command in commands() for found in re.findall(r"\$\{\{\s*(.+?)\s*\}\}", command)}
    assert pasted == {"github.event.workflow_run.head_sha"}


def test_installs_name_extras_that_are():
    extras = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    named = {extra for command in commands() for extra in re.findall(r"pip install -e '\.\[(\w+)\]'", command)}
    assert named <= set(extras)


def test_the_publisher_downloads_what_the_gpu_job_uploads():
    (given,) = [
        step["with"] for name, step in steps() if name == "gpu.yml" and "upload-artifact" in step.get("uses", "")
    ]
    (taken,) = [step["with"] for _, step in steps() if "download-artifact" in step.get("uses", "")]
    assert (given["name"], given["path"]) == (taken["name"], taken["path"]) == ("runs", "build/")
    assert "-o build/results" in " ".join(commands())


def test_what_a_gate_refuses_reaches_the_history_all_the_same():
    """The run that is kept is made before the comparison, whatever failed before it; a red job is published too."""
    gpu = [step for name, step in steps() if name == "gpu.yml"]
    runs = [step.get("run", "") for step in gpu]
    (keeps,) = [place for place, command in enumerate(runs) if command.endswith("-o build/results")]
    (compares,) = [place for place, command in enumerate(runs) if "--against" in command]
    assert keeps < compares
    assert gpu[keeps]["if"] == gpu[compares]["if"] == "${{ !cancelled() }}"
    assert gpu[-1]["if"] == "always()"
    (publish,) = yaml.load(WORKFLOWS["publish.yml"], yaml.BaseLoader)["jobs"].values()
    assert publish["if"] == """contains(fromJSON('["success", "failure"]'), github.event.workflow_run.conclusion)"""


@pytest.mark.process
@pytest.mark.parametrize("command", quick_first(LINT, 2))
def test_the_linters_are_content(command):
    tool, *arguments = shlex.split(command)
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f"{tool} is not installed: it is of the extra `lint`")
    done = subprocess.run(
        [sys.executable, "-m", tool, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """What the gate's job has of a checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    shutil.copytree(ROOT / "specs", "specs")
    shutil.copytree(BASELINE, "results/baseline")
    return tmp_path


def run(command):
    """A command of ours, as the job's shell would."""
    return exit_code_of(shlex.split(command)[1:])


@pytest.mark.process
def test_the_gate_passes_what_changes_no_cost(checkout, capsys):
    assert (run(PRICE), run(COMPARE)) == (0, 0)
    assert "::notice title=archbench compare::new against base: 9 equivalent" in capsys.readouterr().out
    assert "9 equivalent" in Path("summary.md").read_text()


@pytest.mark.process
def test_the_gate_stops_a_count_that_rose(checkout, capsys):
    (records,) = Path("results/baseline").glob("*/*/records.jsonl")
    first, rest = records.read_text().split("\n", 1)
    exact = json.loads(first)["exact"]
    records.write_text(first.replace(f'"params":{exact["params"]}', f'"params":{exact["params"] - 1}', 1) + "\n" + rest)
    assert (run(PRICE), run(COMPARE)) == (0, 3)
    out = capsys.readouterr().out
    assert "::error title=regressed::channels=64,top_block=none: params M" in out
    assert 'failures="1"' in Path("build/gate.xml").read_text()


@pytest.mark.process
def test_the_gate_does_not_pass_a_network_that_is_another_now(checkout, capsys):
    Path("specs/fpn_sweep.yaml").write_text(Path("specs/fpn_sweep.yaml").read_text().replace("64, 128", "64, 96"))
    assert (run(PRICE), run(COMPARE)) == (0, 4)
    assert "::warning title=removed::channels=128,top_block=none" in capsys.readouterr().out


@pytest.mark.process
def test_the_specs_of_the_commit_before_are_unpacked_beside(checkout):
    (line,) = [command for command in commands() if "git archive" in command]
    begin = "git init -q && git add specs && git -c user.name=T -c user.email=t@e.org commit -qm"
    subprocess.run(f"{begin} one && {begin} two --allow-empty && {line}", shell=True, check=True, capture_output=True)
    assert Path("build/before/specs/fpn_sweep.yaml").read_bytes() == Path("specs/fpn_sweep.yaml").read_bytes()


@pytest.mark.process
def test_the_publisher_exports_every_run_the_job_kept(checkout, monkeypatch):
    begin = "git init -q && git -c user.name=T -c user.email=t@e.org commit -q --allow-empty -m one"
    subprocess.run(begin, shell=True, check=True, capture_output=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    for name in ("presets", "fpn_sweep"):
        stored(Path("build/results"), {"A": STEADY}, name=name, environment={"commit": head})
    pattern = "archbench export asv build/results/*/*"
    assert pattern in commands()
    runs = sorted(str(path) for path in Path().glob(pattern.split()[-1]))
    assert exit_code_of(["export", "asv", *runs]) == 0
    (results,) = Path(".asv/results/lab").glob(f"{head[:8]}-*.json")
    assert {"presets.latency_ms", "fpn_sweep.latency_ms"} <= set(json.loads(results.read_text())["results"])


@pytest.mark.process
def test_the_baseline_is_priced_alone_and_git_keeps_it():
    (folder,) = BASELINE.glob("fpn_sweep/*")
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    assert len(records) == 9
    assert {record["status"] for record in records} == {"priced"}
    kept = subprocess.run(
        ["git", "check-ignore", "--quiet", str(folder / "run.json")], cwd=ROOT, check=False, capture_output=True
    )
    assert kept.returncode != 0


def shown(file):
    """The lines of a file's fenced blocks."""
    blocks = re.findall(r"^```\n(.+?)^```", (ROOT / file).read_text(), flags=re.DOTALL | re.MULTILINE)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]


@pytest.mark.process
def test_the_commands_of_the_results_readme_run(checkout):
    found = shown("results/README.md")
    assert found[0] == PRICE
    assert COMPARE.startswith(found[1])
    assert [run(line) for line in found] == [0, 0, 0]
    assert run(found[1]) == 0, "against the new baseline as well"


def test_the_commands_of_contributing_are_cis():
    assert shown("CONTRIBUTING.md") == [
        "pip install -e '.[test,lint]'",
        'pytest -m "not slow"',
        " && ".join(LINT),
    ]


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert (citation["version"], citation["license"]) == (archbench.__version__, "Apache-2.0")
    assert f"## {archbench.__version__}" in (ROOT / "CHANGELOG.md").read_text()
