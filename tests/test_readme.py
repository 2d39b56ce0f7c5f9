"""The commands and figures the README shows are what the program does."""

import json
import re
import shlex
from pathlib import Path

import pytest

import archbench
from archbench.cli import guarded
from archbench.design.space import preset
from archbench.metrics import METRICS
from archbench.pricing.price import price

ROOT = Path(archbench.__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = "\n".join(re.findall(r"^```\n(.+?)^```", README, flags=re.DOTALL | re.MULTILINE))
COMMANDS = re.findall(r"^archbench (.+?)\s*(?:#.*)?$", BLOCKS, flags=re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_shown_runs(command, tmp_path, monkeypatch, capsys):
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    assert guarded(shlex.split(command)) == 0
    assert capsys.readouterr().out


def test_there_are_commands_shown():
    assert len(COMMANDS) == 10


def test_the_spec_shown_is_one(tmp_path, capsys):
    text = re.search(r"```yaml\n(.+?)```", README, flags=re.DOTALL)[1]
    (tmp_path / "spec.yaml").write_text(text)
    (tmp_path / "map.csv").write_text('name,score\n"channels=128,top_block=maxpool",37.0\n')
    assert guarded(["price", str(tmp_path / "spec.yaml"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["variants"]
    assert [row["neck.channels"] for row in rows] == [64, 64, 128, 128, 128, 256, 256, 256, 320]


def test_the_figure_shown_is_the_price():
    shown = int(re.search(r"\.macs\s+# (\d+)", README)[1])
    assert shown == price(preset("R-50-FPN", {"neck.channels": 128})).macs


def test_the_table_shown_has_the_sweeps_exact_counts():
    cells = re.findall(r"channels=(\d+),top_block=(\w+)\s+.*?(\d+\.\d{3})\s", README)
    assert len(cells) == 9
    for channels, top, cell in cells:
        macs = price(preset("R-50-FPN", {"neck.channels": int(channels), "top_block.type": top})).macs
        assert f"{macs / 1e9:.3f}" == cell


def test_the_first_command_is_the_sweep_and_ci_runs_the_second():
    assert "pip install -e . && archbench run specs/fpn_sweep.yaml" in README
    second = "pip install -e '.[test]' && pytest"
    assert second in README
    assert second in (ROOT / ".ci" / "run").read_text()


def test_every_metric_has_its_line_in_the_table_of_columns():
    table = README.split("## What the columns mean")[1].split("\n## ")[0]
    told = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])}
    assert set(METRICS) - {"score"} <= told
