"""User code by its bytes: what was edited is another network, and another run."""

import json
from pathlib import Path

import pytest

from archbench.cli import exit_code_of
from archbench.measure.supervisor.plugins import code_digests

SPEC = "archbench: 1\nname: mine\nmodule: nets:make\ninput: {height: 64, width: 64}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plugin_is_the_files_behind_its_name():
    Path("nets.py").write_text("def make(): ...")
    alone = code_digests(["nets.py"])
    assert list(alone) == ["nets"]
    assert code_digests(["nets"]) == alone, "a module is found as a worker finds it"
    Path("nets.py").write_text("def make(): ....")
    assert code_digests(["nets"]) != alone


def test_a_package_is_all_its_files_wherever_they_are_below_it_and_by_their_names():
    inner = Path("pkg", "inner")
    inner.mkdir(parents=True)
    Path("pkg", "__init__.py").touch()
    (inner / "block.py").write_text("x = 1")
    before = code_digests(["pkg"])
    assert code_digests(["pkg.inner"]) == before, "the whole package may be imported"
    (inner / "notes.txt").write_text("no code")
    assert code_digests(["pkg"]) == before
    (inner / "block.py").rename(inner / "other.py")
    renamed = code_digests(["pkg"])
    assert renamed != before
    (inner / "other.py").write_text("x = 2")
    assert code_digests(["pkg"]) not in (before, renamed)


def test_what_is_not_there_and_what_is_no_code_has_no_digest_of_its_own():
    assert code_digests(["no_such_package", "sys"]) == {}
    assert list(code_digests(["nowhere.py"])) == ["nowhere"]


@pytest.mark.process
def test_code_that_was_edited_makes_another_run(capsys):
    Path("spec.yaml").write_text(SPEC)
    runs = []
    for code in ("def make(): ...", "def make(): ...", "def make(): pass"):
        Path("nets.py").write_text(code)
        assert exit_code_of(["run", "spec.yaml", "--plugin", "nets.py", "--device", "none", "--json"]) == 0
        runs.append(json.loads(capsys.readouterr().out)["run"])
    assert runs[0] == runs[1] != runs[2]
