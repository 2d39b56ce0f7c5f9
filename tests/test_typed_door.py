"""The package's lazy names as a type checker sees them: each one, with its type."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import archbench

SCRIPT = """\
import archbench

spec = archbench.read_spec("spec.yaml")
reveal_type(spec)
reveal_type(spec.axes)
reveal_type(archbench.variants(spec))
reveal_type(archbench.variants("spec.yaml"))
variant = archbench.preset("R-50-FPN", {"neck.channels": 128})
reveal_type(variant)
reveal_type(variant.id)
reveal_type(archbench.preset)
reveal_type(archbench.price(variant))
reveal_type(archbench.price(variant).macs)
reveal_type(archbench.price(spec)[0].cost)
reveal_type(archbench.layers(variant)[0].macs)
reveal_type(archbench.build(variant))
reveal_type(archbench.build)
reveal_type(archbench.trace)
run = archbench.run(spec, results="results")
reveal_type(run)
reveal_type(archbench.run("spec.yaml", against="base.yaml"))
stored = archbench.read_run("results/sweep/@latest")
reveal_type(stored)
reveal_type(stored.table())
reveal_type(stored.records)
compared = archbench.compare(stored, "results/sweep/@latest")
reveal_type(compared)
reveal_type(compared.verdicts["channels=64"].word)
try:
    archbench.read_spec("other.yaml")
except archbench.SpecError as error:
    reveal_type(error)
    reveal_type(error.place)
"""


def twins():
    """The names that stand in the package's `if TYPE_CHECKING:`."""
    tree = ast.parse(Path(archbench.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {each.asname for node in block.body if isinstance(node, ast.ImportFrom) for each in node.names}
    assigned = {node.targets[0].id for node in block.body if isinstance(node, ast.Assign)}
    return (imported | assigned) - {None}


def test_every_public_name_has_a_twin_and_is_used_by_the_script():
    assert twins() == set(archbench.__all__)
    assert all(f"archbench.{name}" in SCRIPT for name in archbench.__all__)


@pytest.mark.process
def test_every_public_name_is_there():
    assert all(getattr(archbench, name) for name in archbench.__all__)
    assert set(archbench.__all__) <= set(dir(archbench))


@pytest.mark.slow
@pytest.mark.process
def test_a_strict_type_checker_sees_no_any(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    revealed = [line.partition("Revealed type is ")[2] for line in done.stdout.splitlines() if "Revealed" in line]
    assert done.returncode == 0, done.stdout
    assert len(revealed) == SCRIPT.count("reveal_type(")
    assert not [each for each in revealed if "Any" in each]
