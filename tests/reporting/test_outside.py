"""A reference that the constraints refuse: measured and shown to compare with, and never what is recommended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pages import Page

from archbench.cli import exit_code_of

SPEC = """\
archbench: 1
name: tight
base: R-18-FPN
input: {height: 64, width: 64}
axes: {neck.channels: [64, 128, 256]}
constraints: [gmacs <= 0.3]
measure: {device: none}
"""  # R-18-FPN has 256 channels and 0.356 G


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tight.yaml").write_text(SPEC)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *command: str) -> dict[str, Any]:
    assert exit_code_of([*command, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("command", [("price",), ("price", "--top", "9"), ("run",)], ids=" ".join)
def test_it_is_on_no_front_and_said_to_be_outside(capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    found = told(capsys, command[0], "tight.yaml", *command[1:])
    rows = {row["name"]: row for row in found["variants"]}
    assert {name for name, row in rows.items() if row["pareto"]} == {"channels=64", "channels=128"}
    assert [name for name, row in rows.items() if row["outside"]] == ["channels=256"]
    assert rows["channels=256"]["reference"]
    assert "the reference is outside the constraints: here to compare with, on no front" in found["caption"]
    assert "of 3 variants 0 excluded, 0 the same network, 1 refused by constraints" in found["caption"]


def test_the_page_decides_among_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["run", "tight.yaml", "--quiet"]) == 0
    assert exit_code_of(["report", "tight/@latest", "--format", "html"]) == 0
    text = capsys.readouterr().out
    page = Page(text)
    assert "Which of 2 variants of R-18-FPN" in text
    assert page.answers["Worth a look"].startswith("2 variants are on the line")
    assert "channels=256" not in page.answers["Worth a look"]
    assert page.answers["Nothing was measured"].endswith("Least MACs: channels=64, 0.163 G.")


def test_a_reference_within_the_constraints_is_as_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    Path("loose.yaml").write_text(SPEC.replace("0.3", "0.4"))
    rows = told(capsys, "price", "loose.yaml")["variants"]
    assert all(row["pareto"] for row in rows)
    assert not any("outside" in row for row in rows)


@pytest.mark.parametrize("command", ["price", "check"])
def test_a_constraint_that_judges_nothing_hand_written_says_so(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    Path("mine.yaml").write_text("archbench: 1\nname: mine\nmodule: nets:make\nconstraints: [gmacs < 0.001]\n")
    assert exit_code_of([command, "mine.yaml"]) == 0
    assert "1 hand-written and held to no constraint, having no price" in capsys.readouterr().out
