"""asv with benches made from specs, and with a tree that archbench exported: its own commands read both."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from asv_runner.benchmarks._base import get_setup_cache_key
from commands import SCRIPTED_WORKER
from runs_on_disk import record
from stored_runs import STEADY, slower, stored

import archbench
from archbench.cli import exit_code_of
from archbench.errors import SpecError
from archbench.reporting.exports.asv_grid import digest_spec, format_class_name, make_asv_grid

pytestmark = pytest.mark.process

ROOT = Path(archbench.__file__).parent.parent
CONFIG = {
    "version": 1,
    "project": "tiny",
    "repo": ".",
    "branches": ["main"],
    "dvcs": "git",
    "environment_type": "existing",
    "launch_method": "spawn",
    "benchmark_dir": "benches",
    "env_dir": ".asv/env",
    "results_dir": ".asv/results",
    "html_dir": ".asv/html",
}
SPEC = """\
archbench: 1
name: NAME
base: R-18-FPN
input: {height: 64, width: 64}
axes: {neck.channels: [32, CHANNELS]}
reference: {neck.channels: 32}
measure: {device: DEVICE, generations: 1, threads: 1}
"""


def spec(name, channels, device="none"):
    return SPEC.replace("NAME", name).replace("CHANNELS", str(channels)).replace("DEVICE", device)


@pytest.fixture(scope="session")
def two_commits(tmp_path_factory):
    """A repository with an asv.conf.json and two commits on main."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "asv.conf.json").write_text(json.dumps(CONFIG))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        git("init", "-q", "-b", "main")
        return folder, [commit("first"), commit("second")]


@pytest.fixture
def repository(two_commits, tmp_path, monkeypatch):
    """A copy of its own of that repository; the hashes of its commits, the older first."""
    folder, hashes = two_commits
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # asv keeps its machine there
    return hashes


def git(*arguments):
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(message):
    git("-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-q", "--allow-empty", "-m", message)
    return git("rev-parse", "HEAD")


def asv(*arguments, code=0):
    done = subprocess.run([sys.executable, "-m", "asv", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def write_benches(folder, **specs):
    """The benches as they are, over these specs."""
    (folder / "benches").mkdir()
    (folder / "benches" / "__init__.py").touch()
    shutil.copy(ROOT / "benches" / "specs.py", folder / "benches")
    (folder / "specs").mkdir(exist_ok=True)
    for name, text in specs.items():
        (folder / "specs" / f"{name}.yaml").write_text(text)


def imported(folder):
    """The benches of a folder, as asv imports them."""
    found = spec_from_file_location("benches_of_a_test", folder / "benches" / "specs.py")
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_each_spec_is_a_class_with_its_axes_as_parameters_and_its_digest_as_version():
    found = {name: made for name, made in vars(imported(ROOT)).items() if hasattr(made, "track_macs")}
    small = {"fpn_sweep", "presets", "resnet_depth_width"}
    assert {path.stem for path in (ROOT / "specs").glob("*.yaml")} == {*small, "detector_space"}
    assert set(found) == {format_class_name(name) for name in small}, "millions of points are no bench"
    assert found["FpnSweep"].params == [[64, 128, 256], ["none", "maxpool", "p6p7"]]
    assert found["FpnSweep"].param_names == ["neck.channels", "top_block.type"]
    assert len({made.version for made in found.values()}) == len(found)


def test_a_changed_spec_is_another_version_and_a_comment_is_none(tmp_path):
    write_benches(tmp_path)
    versions = []
    for text in (spec("a", 64), "# a comment\n" + spec("a", 64), spec("a", 128)):
        (tmp_path / "specs" / "a.yaml").write_text(text)
        versions.append(imported(tmp_path).A.version)
    assert versions[0] == versions[1] != versions[2]


def test_each_class_has_a_cache_of_its_own(tmp_path):
    """By asv's own key, the module and line of `setup_cache`."""
    write_benches(tmp_path, a=spec("a", 64), b=spec("b", 64))
    made = imported(tmp_path)
    one, other = (get_setup_cache_key(each().setup_cache) for each in (made.A, made.B))
    assert one != other


def test_two_specs_whose_names_make_one_class_are_refused_by_both_their_files(tmp_path):
    write_benches(tmp_path, one=spec("fpn_sweep", 64), two=spec("fpn-sweep", 64))
    with pytest.raises(SpecError, match=r"two\.yaml: its name makes the class FpnSweep.*one\.yaml"):
        imported(tmp_path)


def test_importing_the_benches_imports_no_torch():
    heavy = {"torch", "torchvision", "fvcore", "pandas"}
    code = f"import sys, benches.specs; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_two_specs_of_one_grid_have_their_own_numbers(tmp_path):
    """The trap of a shared cache: both have a point 32, of a plain network and of one with batch norm."""
    write_benches(tmp_path, a=spec("a", 64), b=spec("b", 64) + "backbone: {norm: batch}\n")
    made = imported(tmp_path)
    one, other = (each().track_params(each().setup_cache(), 32) for each in (made.A, made.B))
    assert other - one == 9600  # the affine of ResNet-18's batch norms: torchvision's 11,689,512 less its convs and fc


def test_what_a_constraint_refuses_or_was_not_measured_is_not_there_and_what_failed_is_an_error(tmp_path):
    write_benches(tmp_path, a=spec("a", 64) + "constraints: [neck.channels < 64]\n")
    bench = imported(tmp_path).A()
    rows = bench.setup_cache()
    assert bench.track_macs(rows, 32) > 0
    assert math.isnan(bench.track_latency(rows, 32)), "not measured"
    assert math.isnan(bench.track_macs(rows, 64)), "refused"
    rows[repr((32,))] |= {"status": "failed", "reason": "killed"}
    with pytest.raises(RuntimeError, match=r"^killed$"):
        bench.track_macs(rows, 32)


OTHER = f"""\
from archbench.measure.supervisor import worker_process
worker_process.PROGRAM = {SCRIPTED_WORKER}
def track_other():
    return 1
"""


@pytest.fixture(scope="module")
def after_runs(two_commits, tmp_path_factory):
    """The repository after an export and `asv run` on both its commits; its folder and hashes."""
    folder, hashes = two_commits
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patched.chdir(shutil.copytree(folder, tmp_path_factory.mktemp("runs"), dirs_exist_ok=True))
        write_benches(Path(), tiny=spec("tiny", 64, "cpu").replace("32", "64").replace("[64, 64]", "[64]"))
        Path("benches/__init__.py").write_text(OTHER)
        asv("machine", "--yes", "--machine", "lab")
        asv("check", "--python=same")
        exported(Path(), hashes)
        for each in hashes:
            asv("run", "--python=same", "--quick", "--set-commit-hash", each, "-m", "lab")
        yield hashes


@pytest.mark.slow
def test_asv_runs_the_benches_on_two_commits_and_compares_them(after_runs):
    out = asv("compare", *after_runs, "-m", "lab")
    for method in ("track_latency", "track_memory", "track_peak", "track_macs", "track_params"):
        assert f"specs.Tiny.{method}(64)" in out
    assert "specs.Tiny.track_params [lab/" in asv("show", after_runs[1], "-m", "lab")


@pytest.mark.slow
def test_what_asv_run_forgets_of_an_export_is_there_again_after_another(after_runs):
    assert "sweep.latency_ms" not in listed(), "asv keeps them now: say no more of exporting again"
    assert exit_code_of(["export", "asv", *map(str, Path("results/sweep").iterdir())]) == 0
    asv("publish")
    assert Path(".asv/html/index.html").is_file()
    assert {"track_other", "specs.Tiny.track_latency", "sweep.latency_ms"} <= {*listed()} & {*published()["benchmarks"]}


def listed():
    return json.loads(Path(".asv/results/benchmarks.json").read_text())


def published():
    return json.loads(Path(".asv/html/index.json").read_text())


def exported(tmp_path, repository, *arguments):
    """A run at each commit, the second with one network 20 % slower and one failed, as a tree."""
    failed = record("C", status="failed", reason="killed", axes={"neck.channels": 96}, exact=None)
    runs = []
    for each, factor in zip(repository, (1.0, 1.2), strict=True):
        records = [
            record("A", axes={"neck.channels": 32}, reference=True),
            record("B", axes={"neck.channels": 64}),
            failed,
        ]
        environment = {
            "commit": each,
            "device": "cuda:0",
            "gpu": {"name": "NVIDIA H100", "uuid": "GPU-1"},
            "driver": "550.1",
        }
        times = {"A": STEADY, "B": slower(2 * factor)}
        runs.append(stored(tmp_path / "results", times, records=records, environment=environment))
    assert exit_code_of(["export", "asv", *(str(run.path) for run in runs), *arguments]) == 0
    return runs


def rows(commit_hash):
    (path,) = Path(".asv/results/lab").glob(f"{commit_hash[:8]}-*.json")
    return json.loads(path.read_text())


def test_an_exported_row_has_seconds_its_interval_and_no_samples(repository, tmp_path):
    run = exported(tmp_path, repository)[0]
    row = dict(zip(COLUMNS, rows(repository[0])["results"]["sweep.latency_ms"], strict=False))
    assert row["result"] == [pytest.approx(0.01), pytest.approx(0.02), None]
    assert row["params"] == [["32", "64", "96"]]
    low, high = row["stats_ci_99_a"], row["stats_ci_99_b"]
    width = run.judged.table.rows[0]["half_width"]
    assert high[0] / row["result"][0] - 1 > width, "99 % is wider than 95 %"
    assert high[0] / 0.01 == pytest.approx(0.01 / low[0])
    for name in COLUMNS[5:11]:
        assert row[name][2] is None, "a failed point has no statistics"
    assert (row["stats_number"][:2], row["stats_repeat"][:2]) == ([1, 1], [16, 16])
    assert "samples" not in row


COLUMNS = (
    *("result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b"),
    *("stats_q_25", "stats_q_75", "stats_number", "stats_repeat", "samples", "profile"),
)


def test_the_processors_time_of_a_cpu_has_the_interval_it_has_in_the_table(repository, tmp_path):
    """A CPU's plan asks for requests alone; its device time is of their blocks, and so is its interval."""
    times = {"A": STEADY, "B": STEADY[::-1]}
    run = stored(tmp_path / "results", times, environment={"commit": repository[0]})
    assert exit_code_of(["export", "asv", str(run.path)]) == 0
    row = dict(zip(COLUMNS, rows(repository[0])["results"]["sweep.device_ms"], strict=False))
    width = run.judged.table.rows[0]["device_half_width"]
    assert width > 1e-4
    assert row["stats_ci_99_b"][0] / row["result"][0] - 1 > width
    assert row["result"][0] / row["stats_ci_99_a"][0] - 1 > width


def test_gpu_driver_torch_and_precision_are_the_files_parameters(repository, tmp_path):
    exported(tmp_path, repository)
    found = rows(repository[0])
    assert found["params"] == {
        "machine": "lab",
        "os": "Linux",
        "arch": "x86_64",
        "cpu": "a cpu",
        "num_cpu": "4",
        "ram": str(8 << 30),
        "device": "cuda",
        "gpu": "NVIDIA H100",
        "driver": "550.1",
        "torch": "2.14.1",
        "python": "3.11.2",
        "precision": "fp32",
        "tree": "clean",
    }
    assert found["commit_hash"] == repository[0]
    assert found["date"] == 1000 * int(git("show", "-s", "--format=%ct", repository[0]))


def test_the_name_of_the_environment_is_the_same_wherever_the_interpreter_is(repository, tmp_path):
    exported(tmp_path, repository)
    assert rows(repository[0])["env_name"] == rows(repository[1])["env_name"]
    assert sys.executable.split("/")[1] not in rows(repository[0])["env_name"]


def test_exporting_again_changes_nothing_and_other_benchmarks_stay(repository, tmp_path):
    Path(".asv/results").mkdir(parents=True)
    Path(".asv/results/benchmarks.json").write_text('{"version": 2, "other.time_x": {"name": "other.time_x"}}')
    exported(tmp_path, repository)
    before = {path: path.read_bytes() for path in Path(".asv").rglob("*.json")}
    assert exit_code_of(["export", "asv", *map(str, (tmp_path / "results" / "sweep").iterdir())]) == 0
    assert {path: path.read_bytes() for path in Path(".asv").rglob("*.json")} == before
    known = json.loads(Path(".asv/results/benchmarks.json").read_text())
    assert {"other.time_x", "sweep.latency_ms", "sweep.macs"} <= set(known)


def test_only_what_is_better_smaller_is_exported(repository, tmp_path):
    exported(tmp_path, repository)
    names = {name.split(".")[1] for name in rows(repository[0])["results"]}
    assert {"latency_ms", "macs", "peak_bytes"} <= names
    assert not names & {"throughput", "score", "rank", "half_width", "pareto"}


@pytest.mark.parametrize(("commit", "why"), [(None, "outside a git repository"), ("f" * 40, "not to be read from git")])
def test_a_run_of_no_commit_here_is_exit_2(repository, tmp_path, capsys, commit, why):
    run = stored(tmp_path / "results", {"A": STEADY}, environment={"commit": commit})
    assert exit_code_of(["export", "asv", str(run.path)]) == 2
    assert why in capsys.readouterr().err
    assert not Path(".asv").exists()


def test_a_tree_with_uncommitted_changes_is_another_series(repository, tmp_path):
    run = stored(tmp_path / "results", {"A": STEADY}, environment={"commit": repository[0] + "+"})
    assert exit_code_of(["export", "asv", str(run.path)]) == 0
    assert rows(repository[0])["params"]["tree"] == "modified"


def test_a_damaged_file_of_the_tree_is_named_and_left(repository, tmp_path, capsys):
    Path(".asv/results").mkdir(parents=True)
    Path(".asv/results/benchmarks.json").write_text("{torn")
    run = stored(tmp_path / "results", {"A": STEADY}, environment={"commit": repository[0]})
    assert exit_code_of(["export", "asv", str(run.path)]) == 2
    assert "benchmarks.json: not a file of asv's" in capsys.readouterr().err
    assert Path(".asv/results/benchmarks.json").read_text() == "{torn"


def test_a_tree_that_cannot_be_is_a_folder_that_cannot_be_used(repository, tmp_path, capsys):
    run = stored(tmp_path / "results", {"A": STEADY}, environment={"commit": repository[0]})
    (tmp_path / "file").write_text("mine")
    for output in ("file", "file/below"):
        assert exit_code_of(["export", "asv", str(run.path), "--output", output]) == 4
        assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.slow
def test_asv_publishes_compares_and_shows_an_exported_tree(repository, tmp_path):
    exported(tmp_path, repository)
    (tmp_path / "benches").mkdir()
    (tmp_path / "benches" / "__init__.py").touch()
    out = asv("compare", *repository, "--factor", "1.1", "-m", "lab")
    (slow,) = [line for line in out.splitlines() if "sweep.latency_ms(64)" in line]
    assert slow.split()[1] == "+", out  # significant, by the intervals
    assert "1.20" in slow
    (same,) = [line for line in out.splitlines() if "sweep.latency_ms(32)" in line]
    assert same.split()[1] != "+", out
    shown = asv("show", repository[1], "-m", "lab")
    assert "10.0±0.01ms" in shown
    assert "1/3 failed" in shown
    asv("publish")
    index = published()
    assert {"sweep.latency_ms", "sweep.macs"} <= set(index["benchmarks"])
    assert index["params"]["gpu"] == ["NVIDIA H100"]
    assert index["params"]["precision"] == ["fp32"]
    assert len(index["revision_to_hash"]) >= 2


def test_a_product_of_axes_is_asvs_grid_the_last_fastest():
    points = [
        ("a", {"x": 1, "y": "p"}),
        ("b", {"x": 1, "y": "q"}),
        ("c", {"x": 2, "y": "p"}),
        ("d", {"x": 2, "y": "q"}),
    ]
    grid = make_asv_grid(points)
    assert (grid.names, grid.values, grid.places) == (("x", "y"), ((1, 2), ("p", "q")), (0, 1, 2, 3))
    holed = make_asv_grid(points[:3])
    assert (holed.size, holed.places) == (4, (0, 1, 2))


def test_what_is_no_grid_goes_by_names():
    for points in (
        [("only", {})],
        [(str(number), {"x": number, "y": number}) for number in range(5)],  # 25 points for 5
        [("a", {"x": 1}), ("b", {"x": 1})],  # two of one point
    ):
        grid = make_asv_grid(points)
        assert (grid.names, grid.values) == (("variant",), (tuple(name for name, _ in points),))


def test_a_product_beyond_all_memory_goes_by_names():
    """Sixteen variants that differ in all of forty paths: 16^40 points."""
    points = [(str(number), {f"axis{path}": number for path in range(40)}) for number in range(16)]
    grid = make_asv_grid(points)
    assert (grid.names, grid.size) == (("variant",), 16)


def test_lists_are_values_like_others():
    grid = make_asv_grid([("a", {"x": [1, 2]}), ("b", {"x": [1, 3]})])
    assert grid.values == (([1, 2], [1, 3]),)


@pytest.mark.parametrize(
    ("name", "made"), [("fpn_sweep", "FpnSweep"), ("3 nets", "Spec3Nets"), ("../x", "X"), ("", "Spec"), ("ß", "Spec")]
)
def test_a_spec_has_a_class_name(name, made):
    assert format_class_name(name) == made


def test_a_digest_is_of_what_is_said_not_of_its_order():
    assert digest_spec({"a": 1, "b": 2}) == digest_spec({"b": 2, "a": 1}) != digest_spec({"a": 1, "b": 3})
    assert not math.isnan(len(digest_spec({})))
