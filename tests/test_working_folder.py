"""Nothing that lies in the working folder is imported unless `--plugin` names it, whatever it is called."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest
from networks import sized
from stored_runs import STEADY, stored

import archbench
from archbench.cli import archbench as command_line
from archbench.measure.supervisor.processes import own_environment
from archbench.measure.supervisor.worker_process import Worker, WorkerSetup

pytestmark = pytest.mark.process
PACKAGE = Path(archbench.__file__).parent
HASTY = """
from archbench.doctor import examine
from archbench.measure.experiment import generation
examine.QUICK_BUDGET_S, generation.PATIENCE_S = 1, 0.0
from archbench.cli import main
main()
"""  # what the console script does, on a machine that may be loaded
CONSOLE_SCRIPT = [sys.executable, "-P", "-c", HASTY]
INSTALLED = Path(sys.executable).with_name("archbench")  # the script itself, where there is one
LOOKED_FOR = {"archbench", "sitecustomize", "usercustomize", "tensorrt", "torch_xla", "opt_einsum"}  # also where absent
TAKEN = sorted(filter(str.isidentifier, LOOKED_FOR | sys.stdlib_module_names | packages_distributions().keys()))
HOSTILE = """
import posix  # built in: there also before `open` is

file = posix.open({place!r}, posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT)
posix.write(file, (__file__ + "\\n").encode())
raise SystemExit(9)
"""
SMALL = ["R-18-FPN", "--set", "input.height=64", "--set", "input.width=64", "--set", "measure.threads=1"]
RUN = ["run", *SMALL, "--quick", "--device", "cpu"]
COMMANDS = {
    "run": [RUN, ["run", *SMALL, "--device", "none"]],
    "price": [["price", "R-18-FPN"], ["price", "R-18-FPN", "--parquet", "priced.parquet"]],
    "check": [["check", "R-18-FPN"]],
    "show": [["show", "R-18-FPN", "R-50-FPN"]],
    "compare": [["compare", "sweep/@latest", "sweep/@latest"]],
    "list": [["list", "devices"], ["list", "runs"]],
    "report": [["report", "sweep/@latest", "--figures", "figures", "--format", "html"]],
    "export asv": [["export", "asv", "sweep/@latest"]],
    "export pytest-benchmark": [["export", "pytest-benchmark", "sweep/@latest"]],
    "doctor": [["doctor", "--quick", "--device", "cpu"]],
    "init": [["init"]],
    "schema": [["schema"]],
}
CODES = {"doctor": {0, 4}}  # of what does not end with 0 alone where nothing hostile is about: a busy machine may fail
STARTED = ["measure/worker/worker.py", "reporting/report.py"]  # by `run`, in this order
MODULE = "archbench: 1\nname: mine\nmodule: my_nets.nets:make\ninput: {height: 64, width: 64}\n"
MEASURED = "measure: {device: cpu, threads: 1, generations: 1}\n"
NETS = """
import csv, torch
from my_layers import layer

def make():
    return torch.nn.Sequential(layer())
"""


def names_of_commands(group=command_line, before=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from names_of_commands(command, (*before, name))
        else:
            yield " ".join((*before, name))


def make_hostile(folder):
    """A folder with a module of each name that Python, archbench or what it imports may look for; where they would say so."""
    place = folder.parent / "imported.txt"
    for name in TAKEN:
        (folder / f"{name}.py").write_text(HOSTILE.format(place=str(place)))
    return place


def run_in(folder, command, environment=os.environ):
    return subprocess.run(
        command, cwd=folder, env={**environment}, capture_output=True, text=True, check=False, timeout=600
    )


def git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A hostile folder in which a run lies, measured at a commit; and where its modules say that they were imported."""
    folder = tmp_path_factory.mktemp("hostile") / "work"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-q", "--allow-empty", "-m", "first")
    stored(folder / "results", {"A": STEADY}, environment={"commit": git(folder, "rev-parse", "HEAD")})
    return folder, make_hostile(folder)


@pytest.fixture
def imported(hostile):
    """The hostile modules that a test let in."""
    place = hostile[1]
    place.write_text("")
    return lambda: sorted({Path(line).stem for line in place.read_text().splitlines()})


@pytest.mark.slow
@pytest.mark.parametrize("name", [*names_of_commands()])
def test_no_command_imports_what_lies_in_the_working_folder(hostile, imported, name):
    for arguments in COMMANDS[name]:
        done = run_in(hostile[0], [*CONSOLE_SCRIPT, *arguments])
        assert imported() == []
        assert done.returncode in CODES.get(name, {0}), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED.is_file(), reason="archbench is not installed here")
@pytest.mark.parametrize("arguments", [["--version"], ["run", *SMALL, "--device", "none"]], ids=["version", "run"])
def test_the_installed_script_imports_nothing_of_it_either(hostile, imported, arguments):
    done = run_in(hostile[0], [str(INSTALLED), *arguments])
    assert (imported(), done.returncode) == ([], 0), done.stderr


@pytest.mark.slow
def test_what_a_compiler_starts_imports_nothing_of_it_either(hostile, imported):
    """torch asks processors what they can in processes of its own, begun with `python -c`. Of a network: stem and res2."""
    shallow = ["--set", "neck.type=none", "--set", "neck.levels=[2]", "--set", "top_block.type=none"]
    done = run_in(hostile[0], [*CONSOLE_SCRIPT, *RUN, *shallow, "--set", "measure.engine=compile"])
    assert (imported(), done.returncode) == ([], 0), done.stderr


def test_hostile_modules_are_noticed_where_python_itself_imports_them(hostile, imported):
    """`python -m archbench` reads the folder: Python's own rule, and here the proof that the traps work."""
    assert run_in(hostile[0], [sys.executable, "-m", "archbench", "--version"]).returncode == 9
    assert imported() != []


@pytest.mark.slow
@pytest.mark.parametrize("path", [None, f"{PACKAGE.parent}{os.pathsep}", "."])
def test_a_worker_is_kept_from_the_folder_though_pythonpath_names_it(hostile, imported, monkeypatch, path):
    monkeypatch.chdir(hostile[0])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
    with Worker(sized("R-18-FPN", 64, 64), WorkerSetup("cpu", 0), timeout=300.0) as worker:
        worker.start()
    assert imported() == []


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("", ""),
        (":", ""),
        (".:./:sub/..", ""),
        (":/opt/lib:", "/opt/lib"),
        ("sub:..:/opt/lib:nowhere", "sub:..:/opt/lib:nowhere"),
    ],
)
def test_of_pythonpath_the_entries_that_mean_the_working_folder_go(tmp_path, monkeypatch, given, left):
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", given)
    assert own_environment()["PYTHONPATH"] == left
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert own_environment()["PYTHONPATH"] == str(tmp_path), "named by its place it was meant"


@pytest.mark.slow
@pytest.mark.parametrize("plugin", ["my_nets", "my_nets.nets"])
def test_a_plugin_comes_from_the_folder_with_what_it_imports_and_hides_nothing_installed(tmp_path, plugin):
    folder = tmp_path / "work"
    (folder / "my_nets").mkdir(parents=True)
    place = make_hostile(folder)
    (folder / "spec.yaml").write_text(MODULE + MEASURED)
    (folder / "my_nets" / "__init__.py").touch()
    (folder / "my_nets" / "nets.py").write_text(NETS)
    (folder / "my_layers.py").write_text("import torch\ndef layer():\n    return torch.nn.Conv2d(3, 8, 3)\n")
    done = run_in(folder, [*CONSOLE_SCRIPT, "run", "spec.yaml", "--plugin", plugin, "--json"])
    assert done.returncode == 0, done.stderr
    assert not place.exists()
    (row,) = json.loads(done.stdout)["variants"]
    assert (row["status"], row["macs"]) == ("measured", 8 * 27 * 62 * 62)


@pytest.mark.slow
def test_a_plugin_of_the_folder_goes_before_an_installed_one_of_its_name(tmp_path):
    """The code that is measured is the code whose digest is stored: both look in the working folder first."""
    for root, width in ((tmp_path / "installed", 4), (tmp_path / "work", 8)):
        root.mkdir()
        (root / "my_nets").mkdir()
        (root / "my_nets" / "nets.py").write_text(f"import torch\ndef make(): return torch.nn.Conv2d(3, {width}, 3)\n")
        (root / "my_nets" / "__init__.py").touch()
    (tmp_path / "work" / "spec.yaml").write_text(MODULE + MEASURED)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'installed'}:{PACKAGE.parent}"}
    command = [*CONSOLE_SCRIPT, "run", "spec.yaml", "--plugin", "my_nets", "--json"]
    done = run_in(tmp_path / "work", command, environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["variants"][0]["macs"] == 8 * 27 * 62 * 62


@pytest.mark.slow
def test_a_checkout_that_is_not_installed_starts_its_own_processes(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "archbench", ignore=shutil.ignore_patterns("__pycache__"))
    for process in STARTED:
        file = tmp_path / "archbench" / process
        says = f"import sys\nwith open({str(tmp_path / 'started.txt')!r}, 'a') as file:\n    print({process!r}, file=file)\n"
        file.write_text(file.read_text().replace("import sys\n", says, 1))
    with (tmp_path / "archbench" / "measure" / "experiment" / "generation.py").open("a") as file:
        file.write("\nPATIENCE_S = 0.0\n")
    done = run_in(tmp_path, [sys.executable, "-m", "archbench", *RUN])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "started.txt").read_text().split() == STARTED
