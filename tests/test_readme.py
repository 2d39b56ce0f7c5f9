"""What the README shows is what the program does: its commands, their output, its figures, its code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from commands import SCRIPTED

import archbench
from archbench.api import read_run
from archbench.design.spec.schema import MeasurePlan
from archbench.design.spec.spec import read_spec
from archbench.design.variants import expand, preset
from archbench.metrics import METRICS
from archbench.pricing.price import price

pytestmark = pytest.mark.process

ROOT = Path(archbench.__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
README = (ROOT / "README.md").read_text()
EXAMPLE = ROOT / "results" / "example"
FENCED = re.findall(r"^```(\w*)\n(.+?)^```", README, flags=re.DOTALL | re.MULTILINE)
INLINE = {
    span
    for span in re.findall(
        r"`([^`\n]+(?:\n[^`\n]+)?)`", re.sub(r"^```.+?^```", "", README, flags=re.DOTALL | re.MULTILINE)
    )
    if span.startswith(("archbench ", "python ", "pip ", "pytest ", "asv ", "bash "))
}
SWEEP = "archbench run specs/fpn_sweep.yaml"
STORED = "archbench report fpn_sweep/@latest -o results/example"
ENDS_WITH = {"archbench price my_sweep.yaml --set neck.chanels=128": 2}
# What is shown in a sentence, and how it is run here. What takes minutes is done for a small part.
IN_SENTENCES = {
    "archbench compare BASE NEW": f"archbench compare {EXAMPLE}/fpn_sweep/@latest {EXAMPLE}/fpn_sweep/@latest",
    "archbench export pytest-benchmark RUN": "archbench export pytest-benchmark fpn_sweep/@latest -o results/example",
    "python -m benches.experiments": "python -m benches.experiments --trials 0.002",
}
ELSEWHERE = {  # where it is run, or why not
    "pip install -e '.[test]' && pytest": ".ci/run",
    "pip install -e . && archbench run specs/fpn_sweep.yaml": "below, cut down; its whole outcome is in results/example",
    "archbench doctor": "tests/test_doctor_cli.py",
    "archbench export asv RUN...": "tests/test_asv.py: it needs the repository a run was made in",
    "archbench run new.yaml --against old.yaml": "tests/test_against.py",
    "archbench run SPEC --plugin package": "tests/test_cli.py",
    "python -m archbench": "tests/test_working_folder.py: it reads the folder",
    "asv run": "tests/test_asv.py: it needs commits",
}


def transcript(block):
    """Commands after a `$` with the lines that come out of each."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output.rstrip("\n").splitlines()


TRANSCRIPTS = [list(transcript(block)) for language, block in FENCED if language == "console"]
LISTED = [line.split("  #")[0].strip() for language, block in FENCED if not language for line in block.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What a reader has who cloned the repository: its specs and its stored runs."""
    found = tmp_path_factory.mktemp("tour")
    shutil.copytree(ROOT / "specs", found / "specs")
    shutil.copytree(EXAMPLE, found / "results" / "example")
    return found


def typed(command, folder, programs=PROGRAMS):
    """A command as a shell in 80 columns takes it: its exit code, and all it says."""
    roots = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    surroundings = {
        **os.environ,
        "PATH": os.pathsep.join([str(programs), str(PROGRAMS), os.environ["PATH"]]),
        "PYTHONPATH": roots,
        "COLUMNS": "80",
    }
    surroundings.pop("NO_COLOR", None)
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, [line.rstrip() for line in done.stdout.rstrip("\n").splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("block", TRANSCRIPTS, ids=lambda block: block[0][0][:40])
def test_a_transcript_is_what_a_shell_would_show(block, folder):
    for command, shown in block:
        code, said = typed(STORED if command == SWEEP else command, folder)
        assert code == ENDS_WITH.get(command, 0), said
        assert not shown or said == shown, command


def test_the_run_shown_is_of_the_spec_as_it_is():
    run = read_run("fpn_sweep/@latest", EXAMPLE)
    assert {record.id for record in run.records} == {
        v.id for v in expand(read_spec(ROOT / "specs" / "fpn_sweep.yaml")).variants
    }
    assert run.stored_run.is_complete
    assert all(row["half_width"] is not None for row in run.judged.table.rows)


def test_the_run_shown_runs_as_far_as_measuring(folder):
    """All nine; what measuring them says is in results/example, since it takes minutes."""
    code, said = typed(f"{SWEEP} --device none -o build", folder)
    assert code == 0
    assert sum(line.startswith("done ") for line in said) == 9


def test_the_run_shown_measures_and_prints_such_a_table(folder, tmp_path):
    """The very command, of that spec cut down to two small networks and two generations, its workers scripted."""
    smaller = {
        "base: R-50-FPN": "base: R-18-FPN",
        "height: 800, width: 1333": "height: 64, width: 64",
        "[64, 128, 256]": "[256]",
        "[none, maxpool, p6p7]": "[none, maxpool]",
        "device: auto": "device: cpu",
        "budget: 4m30s": "generations: 2",
    }
    text = (folder / "specs" / "fpn_sweep.yaml").read_text()
    for shown, cut in smaller.items():
        assert shown in text
        text = text.replace(shown, cut)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "fpn_sweep.yaml").write_text(text)
    (tmp_path / "archbench").write_text(f'#!/bin/sh\nexec {shlex.join(SCRIPTED)} "$@"\n')
    (tmp_path / "archbench").chmod(0o755)
    code, said = typed(SWEEP, tmp_path, programs=tmp_path)
    assert code == 0, said
    ((_, shown),) = [each for each in chain.from_iterable(TRANSCRIPTS) if each[0] == SWEEP]
    assert shown[2].split() == ["name", "G", "ms", "95%", "ratio", "rank"]
    (headings,) = [
        line.split() for line in said if line.split()[:1] == ["name"]
    ]  # what else has room hangs on the noise
    assert {"name", "ms", "95%"} <= {*headings}
    rows = [line for line in said if re.search(r"top_block=\w+ .* \d+\.?\d* +±\d+\.\d%", line)]
    assert len(rows) == 2, said
    assert [line for line in said if line.startswith("kept in results/fpn_sweep/")] == said[-1:]


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in LISTED if command not in ELSEWHERE])
def test_a_command_listed_runs(command, folder):
    code, said = typed(command, folder)
    assert code == 0, said
    assert said


@pytest.mark.slow
@pytest.mark.parametrize("command", IN_SENTENCES.values(), ids=IN_SENTENCES)
def test_a_command_in_a_sentence_runs(command, folder):
    code, said = typed(command, folder)
    assert code == 0, said
    assert said


def test_every_command_shown_is_run_by_a_test():
    inline = {" ".join(span.split()) for span in INLINE}
    assert inline - set(ELSEWHERE) == set(IN_SENTENCES)
    assert set(ELSEWHERE) <= inline | set(LISTED)
    assert len(list(chain.from_iterable(TRANSCRIPTS))) + len(LISTED) == 21


@pytest.mark.parametrize("picture", re.findall(r'(?:src|srcset)="([^"]+)"', README))
def test_the_pictures_are_there(picture):
    assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")
    assert (ROOT / picture).parent == EXAMPLE


def spec_of(index, folder):
    """A YAML block, made whole where the README shows a part of a spec."""
    text = [block for language, block in FENCED if language == "yaml"][index]
    (folder / "spec.yaml").write_text(
        text if text.startswith("archbench:") else f"archbench: 1\nbase: R-50-FPN\n{text}"
    )
    return folder / "spec.yaml"


def test_the_whole_spec_shown_means_what_it_says(tmp_path):
    (tmp_path / "map.csv").write_text('name,score\n"channels=128,top_block=maxpool",37.0\n')
    code, said = typed(f"archbench price {spec_of(0, tmp_path)} --json", tmp_path)
    rows = json.loads(said[0])["variants"]
    assert code == 0
    assert [row["neck.channels"] for row in rows] == [64, 64, 128, 128, 128, 256, 256, 256, 320]
    assert [row["neck.channels"] for row in rows if row["score"] == 37.0] == [128]


def test_the_axes_shown_are_drawn_and_their_front_is_kept(tmp_path):
    code, said = typed(f"archbench price {spec_of(1, tmp_path)} --json --quiet", tmp_path)
    found = json.loads(said[-1])
    assert code == 0
    assert len([row for row in found["variants"] if not row["reference"]]) == 12
    assert found["space"]["raw"] == 1000


def test_the_plan_shown_is_what_holds_without_it(tmp_path):
    plan = read_spec(spec_of(2, tmp_path)).measure
    assert plan == replace(MeasurePlan(), budget="3m")


@pytest.mark.slow
def test_the_python_shown_runs(folder):
    (code,) = (block for language, block in FENCED if language == "python" and block.startswith("import"))
    (folder / "shown.py").write_text(code + "\nprint(type(module).__name__)\n")
    assert typed("python shown.py", folder) == (0, ["Network"])


@pytest.mark.slow
def test_the_part_shown_is_priced_as_it_is_built(folder):
    """256 x 256 x 1 x 1 weights and 256 biases over P5, half of 25 x 42."""
    (code,) = (block for language, block in FENCED if language == "python" and block.startswith("@top_blocks"))
    (folder / "part.py").write_text(f"""\
import archbench
from archbench.models.pyramid import *
from archbench.models.graph import *
from archbench.models.ops import *

{code}
plain = archbench.preset("R-50-FPN", {{"top_block.type": "none"}})
variant = archbench.preset("R-50-FPN", {{"top_block.type": "p6", "top_block.kernel": 1}})
print(archbench.price(variant).params - archbench.price(plain).params)
print(archbench.price(variant).macs - archbench.price(plain).macs)
print(sum(each.numel() for each in archbench.build(variant).parameters()) - archbench.price(variant).params)
""")
    weights = 256 * 256
    assert typed("python part.py", folder) == (0, [str(weights + 256), str(weights * 13 * 21), "0"])


def test_the_figure_shown_is_the_price():
    shown = int(re.search(r"\.macs\s+# (\d+)", README)[1])
    assert shown == price(preset("R-50-FPN", {"neck.channels": 128})).macs


def test_the_first_command_is_the_sweep_and_ci_runs_the_second():
    assert LISTED[:2] == [
        "pip install -e . && archbench run specs/fpn_sweep.yaml",
        "pip install -e '.[test]' && pytest",
    ]
    assert LISTED[1] in (ROOT / ".ci" / "run").read_text()


def test_every_metric_has_its_line_in_the_table_of_columns():
    table = README.split("## What the columns mean")[1].split("\n## ")[0]
    told = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])}
    assert set(METRICS) - {"score"} <= told
