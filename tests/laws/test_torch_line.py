"""Law 4: no torch outside `measure/worker/`, seen in the source and in a fresh process."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import archbench

PACKAGE = Path(archbench.__file__).parent
TORCH = {"torch", "torchvision", "fvcore", "triton"}
ROOMS = [
    "errors",
    "units",
    "text",
    "metrics",
    "registry",
    "models",
    "design",
    "pricing",
    "estimate",
    "space",
    "runs",
    "statistics",
    "tables",
    "comparison",
    "reporting",
    "measure",
    "doctor",
    "pipeline",
    "api",
    "exits",
    "cli",
]
SIBLINGS = {("reporting", "measure"), ("measure", "reporting")}  # neither imports the other
TORCH_ROOM = PACKAGE / "measure" / "worker"


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_keep_to_the_house(path):
    for name in imported(path):
        parts = name.split(".")
        if parts[0] in TORCH:
            assert TORCH_ROOM in path.parents, f"{path.name} imports {name}"
        if parts[0] == "archbench" and len(parts) > 1 and room(path) in ROOMS and path.stem != "__init__":
            assert ROOMS.index(parts[1]) <= ROOMS.index(room(path)), f"{path.name}: {name} points right"
            assert (room(path), parts[1]) not in SIBLINGS, f"{path.name}: {name} is of the sibling room"


@pytest.mark.parametrize(
    "path",
    [p for p in modules() if room(p) not in ("cli", "__init__") and TORCH_ROOM not in p.parents],
    ids=lambda p: p.stem,
)
def test_only_the_door_imports_inside_functions(path):
    for outer in ast.walk(ast.parse(path.read_text())):
        if isinstance(outer, ast.FunctionDef):
            assert not [n for n in ast.walk(outer) if isinstance(n, (ast.Import, ast.ImportFrom))], path.name


@pytest.mark.process
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["price", "specs/fpn_sweep.yaml"],
        ["check", "specs/fpn_sweep.yaml"],
        ["show", "R-50-FPN"],
        ["list", "presets"],
        ["schema"],
        ["list", "runs"],
    ],
    ids=" ".join,
)
def test_a_command_that_needs_no_torch_imports_none(arguments):
    code = (
        "import sys; from archbench.cli import exit_code_of; code = exit_code_of(sys.argv[1:]); "
        "heavy = {'torch', 'torchvision', 'fvcore', 'pandas'} & set(sys.modules); "
        "sys.exit(code or (f'imported {heavy}' if heavy else 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_the_supervisor_of_a_run_imports_no_torch():
    code = "import sys, archbench.pipeline; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.process
def test_importing_the_package_imports_next_to_nothing():
    code = "import sys, archbench; sys.exit(bool({'torch', 'pandas', 'numpy', 'click', 'pydantic', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


HEAVY = ("pandas", "scipy", "jinja2", "vl_convert", "duckdb", "rich", "torch", "archbench.reporting")


def loaded(code, heavy=HEAVY):
    """The heavy modules that are loaded once a fresh process has run this code."""
    asked = f"{code}\nimport sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    return ast.literal_eval(done.stdout)


NOT_OF_A_RUN = ("yaml", "archbench.space", "archbench.pricing", "archbench.tables", "archbench.comparison")


def test_what_supervises_a_run_reads_no_spec_prices_and_judges_nothing():
    code = "import archbench.measure.experiment.experiment, archbench.measure.experiment.recorder"
    assert loaded(code, NOT_OF_A_RUN) == []


@pytest.mark.parametrize("module", ["experiment", "recorder"])
def test_what_supervises_a_run_draws_and_writes_nothing(module):
    assert loaded(f"import archbench.measure.experiment.{module}") == []


def test_the_pipeline_loads_nothing_that_draws_before_a_run_is_measured():
    assert set(loaded("import archbench.pipeline")) <= {"scipy"}  # its name alone, until a spec samples


def test_comparing_two_stored_runs_draws_nothing():
    run = PACKAGE.parent / "results" / "example" / "fpn_sweep"
    code = f"import archbench; assert archbench.compare('{run}/@latest', '{run}/@latest').word == 'equivalent'"
    assert loaded(code) == []
