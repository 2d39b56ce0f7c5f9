"""`archbench compare` from outside: its sides, its exit codes, and what it says to whom."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from runs_on_disk import COUNTS, record
from stored_runs import STEADY, slower, stored

import archbench
from archbench.cli import exit_code_of
from archbench.comparison.cases import judgement_suite
from archbench.comparison.stored import compare
from archbench.reporting import ci

WILD = "x\n::error::y\r\n##[error]z<&>\"'|`\x1b[31m\u202e%0A\ud800"
ROOT = Path(archbench.__file__).parent.parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys, *arguments, code=0):
    assert exit_code_of(["compare", *map(str, arguments)]) == code, capsys.readouterr().err
    return capsys.readouterr()


def paths(*runs):
    return [run.path for run in runs]


def test_a_run_with_itself_is_equivalent_and_exit_0(folder, capsys):
    run = stored(folder / "results", {"A": STEADY, "B": slower(2)})
    for text in (run.path, "@latest", "sweep/@latest", run.path.name, run.path / "run.json"):
        assert "new against base: 2 equivalent" in said(capsys, text, "@latest").out


def test_a_regression_is_exit_3_and_named_on_stdout_in_junit_and_in_the_annotation(folder, capsys, monkeypatch):
    base = stored(folder, {"A": STEADY, "B": STEADY})
    new = stored(folder, {"A": STEADY[::-1], "B": slower(1.05)})
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    out = said(capsys, *paths(base, new), "--github", "--junit", "j.xml", code=3).out
    (error,) = [line for line in out.splitlines() if line.startswith("::error")]
    assert error.startswith("::error title=regressed::B: latency ms 10.00 to 10.50, 1.050x, 95 %25 ")
    assert "| B | regressed |" in out
    assert "| B | regressed |" in (folder / "summary.md").read_text()
    cases = {case.get("name"): case for case in ET.parse("j.xml").iter("testcase")}
    assert cases["A"].find("failure") is None
    assert "latency ms 10.00 to 10.50" in cases["B"].find("failure").get("message")
    suite = ET.parse("j.xml").find("testsuite")
    assert [suite.get(name) for name in ("name", "tests", "failures", "errors")] == ["sweep", "2", "1", "0"]
    assert "regressed: B: latency ms 10.00 to 10.50" in said(capsys, *paths(base, new), code=3).out


def test_what_cannot_be_told_is_exit_4_an_error_in_junit_and_a_warning(folder, capsys):
    base, new = stored(folder, {"A": STEADY, "B": STEADY}), stored(folder, {"A": [9.0], "C": STEADY})
    printed = said(capsys, *paths(base, new), "--github", "--junit", "j.xml", code=4)
    warnings = [line for line in printed.out.splitlines() if line.startswith("::warning")]
    assert len(warnings) == 2
    assert warnings[0].startswith("::warning title=inconclusive::A: ")
    assert warnings[1] == "::warning title=removed::B: only in the base, so it cannot be told"
    assert "no summary is written" in printed.err
    cases = {case.get("name"): [child.tag for child in case] for case in ET.parse("j.xml").iter("testcase")}
    assert cases == {"A": ["error"], "B": ["error"], "C": ["skipped"]}


def test_what_is_too_noisy_to_tell_is_exit_4_and_named_everywhere(folder, capsys):
    """Half as much again from one generation to the next: means of logs apart by less than their scatter."""
    base = stored(folder, {"A": STEADY, "B": [10.0, 14.0, 9.0]})
    new = stored(folder, {"A": STEADY[::-1], "B": [9.0, 15.0, 10.0]})
    out = said(capsys, *paths(base, new), "--github", "--junit", "j.xml", code=4).out
    (warning,) = [line for line in out.splitlines() if line.startswith("::warning")]
    assert warning.startswith("::warning title=inconclusive::B: latency ms ")
    assert warning.endswith(": the interval is too wide to tell")
    assert {case.get("name"): [child.tag for child in case] for case in ET.parse("j.xml").iter("testcase")} == {
        "A": [],
        "B": ["error"],
    }
    assert "inconclusive: B: latency ms " in said(capsys, *paths(base, new), code=4).out


def test_added_and_removed_networks_are_named_and_one_under_another_name_is_pointed_at(folder, capsys):
    base, new = (
        stored(
            folder, {}, records=[record(i, name=n, status="priced") for i, n in sides], environment={"device": "none"}
        )
        for sides in ((("A", "kept"), ("B", "gone"), ("C", "same")), (("A", "kept"), ("D", "fresh"), ("E", "same")))
    )
    out = said(capsys, *paths(base, new), code=4).out
    assert "new against base: 2 removed, 1 equivalent, 2 added" in out
    assert "only in the base, so it cannot be told: gone, same" in out
    assert "only in the new run: fresh, same" in out
    assert "another network now, under the same name: same\n" in out
    assert "`archbench run SPEC --against BASE` measures both" in out


def test_nothing_in_common_is_exit_4_everywhere(folder, capsys):
    runs = paths(stored(folder, {"A": STEADY}), stored(folder, {"B": STEADY}))
    out = said(capsys, *runs, "--github", "--junit", "j.xml", code=4).out
    assert "::warning title=inconclusive::the comparison: no network is in both" in out
    assert {case.get("name"): case[0].tag for case in ET.parse("j.xml").iter("testcase")} == {
        "A": "error",
        "B": "skipped",
        "the comparison": "error",
    }


def test_another_machine_is_exit_2_with_the_way_to_insist(folder, capsys):
    runs = paths(stored(folder, {"A": STEADY}), stored(folder, {"A": STEADY}, environment={"host": "other"}))
    assert "host lab, then other" in said(capsys, *runs, code=2).err
    assert "insist with --across" in said(capsys, *runs, code=2).err
    assert "1 equivalent" in said(capsys, *runs, "--across").out


def test_fail_on_is_the_gate_and_a_bad_one_is_exit_2_with_its_place(folder, capsys):
    runs = paths(stored(folder, {"A": STEADY}), stored(folder, {"A": slower(1.05)}))
    said(capsys, *runs, "--fail-on", "latency_ms > 10%")
    said(capsys, *runs, "--fail-on", "latency_ms > 3%, params > 0", code=3)
    said(capsys, *runs, "--fail-on", "params > 0")
    assert said(capsys, *runs, "--fail-on", "params > 0, latency > 3%", code=2).err.startswith(
        "--fail-on:13: latency: is no"
    )


def test_json_has_verdicts_beside_the_new_runs_rows(folder, capsys):
    runs = paths(stored(folder, {"A": STEADY}), stored(folder, {"A": slower(1.05), "B": STEADY}))
    found = json.loads(said(capsys, *runs, "--json", "--github", code=3).out)
    assert (found["base"], found["new"], found["verdict"]) == (str(runs[0]), str(runs[1]), "regressed")
    assert [(row["name"], row["id"], row["verdict"]) for row in found["verdicts"]] == [
        ("A", "A", "regressed"),
        ("B", "B", "added"),
    ]
    assert found["verdicts"][0]["metrics"]["latency_ms"]["limit"] == "latency_ms > 3%"
    assert [row["name"] for row in found["variants"]] == ["A", "B"]


@pytest.mark.parametrize("form", ["terminal", "markdown", "csv", "latex"])
def test_every_format_prints_the_verdicts(folder, capsys, form):
    run = stored(folder, {"A": STEADY}).path
    assert "equivalent" in said(capsys, run, run, "--format", form).out


def test_github_prints_no_csv_whose_lines_begin_with_names(folder, capsys):
    run = stored(folder, {"A": STEADY}).path
    assert "prints markdown or JSON" in said(capsys, run, run, "--github", "--format", "csv", code=2).err


def test_no_line_for_github_begins_with_a_name_and_none_can_steer_it(folder, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    wild = [record("A", name=WILD, status="priced"), record("B", name="::set-env::", status="priced")]
    worse = [record(each.id, name=each.name, status="priced", exact=COUNTS | {"params": 10**9}) for each in wild]
    base, new = (stored(folder, {}, records=each, environment={"device": "none"}) for each in (wild, worse))
    printed = said(capsys, *paths(base, new), "--github", "--junit", "j.xml", code=3)
    for line in printed.out.splitlines():
        assert line == "" or line.startswith(("::error title=", "::notice title=", "| ", "- ")), line
        assert "##[" not in line
    assert len([line for line in printed.out.splitlines() if line.startswith("::")]) == 3
    assert "\x1b" not in printed.out
    names = [case.get("name") for case in ET.parse("j.xml").iter("testcase")]
    assert names[1] == "::set-env::"
    assert "##[" not in (folder / "summary.md").read_text()


def rising(folder, count, worse, *, name="v{}"):
    """Two priced runs of so many networks, the last so many of which have more parameters in the second."""
    names = [name.format(number) for number in range(count)]
    counts = [COUNTS | {"params": 10**9} if number >= count - worse else COUNTS for number in range(count)]
    return [
        stored(
            folder,
            {},
            records=[record(each, status="priced", exact=own) for each, own in zip(names, side, strict=True)],
            environment={"device": "none"},
        )
        for side in ([COUNTS] * count, counts)
    ]


def test_annotations_are_as_many_as_github_shows(folder):
    suite = judgement_suite(compare(*rising(folder, 30, 30)).judgement)
    errors = [line for line in ci.format_annotations([suite]) if line.startswith("::error")]
    assert len(errors) == 10
    assert errors[-1].endswith("and 21 more; the output names each")
    exactly = judgement_suite(compare(*rising(folder, 10, 10)).judgement)
    assert [line.split("::")[2][:2] for line in ci.format_annotations([exactly])[:10]] == [
        f"v{n}" for n in range(0, 10)
    ]


@pytest.mark.parametrize(
    ("form", "count", "worse"), [("terminal", 900, 100), ("terminal", 700, 600), ("csv", 900, 100)]
)
def test_of_very_many_each_that_regressed_is_named_on_stdout_and_before_all_others(folder, capsys, form, count, worse):
    out = said(capsys, *paths(*rising(folder, count, worse)), "--format", form, code=3).out
    named = set(re.findall(r"\bv\d+\b", out))
    assert {f"v{number}" for number in range(count - worse, count)} <= named
    if form == "csv":
        words = [line.split(",")[1] for line in out.splitlines()[1:]]
        assert words == ["regressed"] * worse + ["equivalent"] * (count - worse)


def test_what_the_annotation_leaves_out_the_log_and_the_summary_name_though_a_comment_would_not_take_it(
    folder, capsys, monkeypatch
):
    """Names of 200 characters: 900 rows are 200 kB, three comments."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    runs = paths(*rising(folder, 900, 100, name="v{:03} " + "w" * 200))
    out = said(capsys, *runs, "--github", code=3).out
    assert "and 91 more; the output names each" in out
    for text in (out, Path("summary.md").read_text()):
        rows = [line for line in text.splitlines() if line.startswith("| v")]
        assert [row[2:6] for row in rows[:100]] == [f"v{number}" for number in range(800, 900)]
        assert len(rows) == 900
    short = said(capsys, *runs, "--format", "markdown", code=3).out
    assert len(short) <= 65_536
    assert [line[2:6] for line in short.splitlines() if line.startswith("| v")][:100] == [
        f"v{n}" for n in range(800, 900)
    ]


def test_a_summary_is_never_more_bytes_than_github_takes(folder, monkeypatch):
    """A name of 300 characters of three bytes each, two thousand times: 1.8 MB."""
    suite = judgement_suite(compare(*rising(folder, 2000, 5, name="v{:04} " + "網" * 300)).judgement)
    assert ci.write_step_summary([suite], {"GITHUB_STEP_SUMMARY": "summary.md"})
    text = Path("summary.md").read_bytes()
    assert 500_000 < len(text) < 1 << 20
    assert all(f"| v{number} " in text.decode() for number in range(1995, 2000))


def test_a_summary_or_junit_file_that_cannot_be_written_is_exit_4(folder, capsys, monkeypatch):
    run = stored(folder, {"A": STEADY}).path
    assert "j.xml: cannot be written" in said(capsys, run, run, "--junit", "nowhere/j.xml", code=4).err
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "nowhere" / "s.md"))
    assert "GITHUB_STEP_SUMMARY: cannot be written" in said(capsys, run, run, "--github", code=4).err


@pytest.fixture
def repository(folder):
    """Results committed twice: A at first, then A slower and a second folder of runs."""
    git("init", "-q", "-b", "main")
    stored(folder / "results", {"A": STEADY})
    commit("first")
    git("tag", "v1")
    stored(folder / "results", {"A": slower(1.1)})
    stored(folder / "results" / "baseline", {"A": slower(1.2)})
    commit("second")
    return folder


def git(*arguments):
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def commit(message):
    git("add", "-A")
    git("-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-q", "-m", message)


@pytest.mark.process
def test_a_side_may_be_a_revision_of_the_results_folder(repository, capsys):
    assert "1 equivalent" in said(capsys, "git:HEAD", "@latest").out
    assert "latency ms 10.00 to 11.00" in said(capsys, "git:v1", "git:main", code=3).out
    assert "latency ms 12.00 to 11.00" not in said(capsys, "git:main:baseline/sweep/@latest", "@latest").out
    first = json.loads(said(capsys, "git:main:baseline/sweep/@latest", "@latest", "--json").out)
    assert first["verdicts"][0]["metrics"]["latency_ms"]["base"] == pytest.approx(12.0)
    for text in ("git:main~1:sweep/@latest", "git:v1:results/sweep/@latest", "git:v1:@latest"):
        assert "latency ms 10.00 to 11.00" in said(capsys, text, "git:main", code=3).out
    (old,) = (path for path in (repository / "results" / "sweep").iterdir() if in_v1(path))
    assert said(capsys, f"git:v1:{old.name}", f"git:v1:sweep/{old.name}").out


def in_v1(path):
    listed = subprocess.run(["git", "ls-tree", "-r", "--name-only", "v1"], check=True, capture_output=True, text=True)
    return path.name in listed.stdout


@pytest.mark.process
def test_a_run_of_a_revision_is_called_as_it_was_asked_for(repository, capsys):
    for text, code in (("git:v1", 3), ("git:main:baseline/sweep/@latest", 0)):
        told = json.loads(said(capsys, text, "@latest", "--json", code=code).out)
        assert told["base"] == text
        assert Path(told["new"]).is_dir()


@pytest.mark.process
def test_damage_in_a_revision_is_named_by_its_place_in_the_repository(repository, capsys):
    (file,) = (path / "run.json" for path in (repository / "results" / "baseline" / "sweep").iterdir())
    file.write_text("{")
    commit("damage")
    line = said(capsys, "git:HEAD:baseline/sweep/@latest", "@latest", code=2).err
    assert line.startswith(f"archbench: git:HEAD:baseline/sweep/@latest: {file.relative_to(repository)}: damaged")
    assert "/archbench-" not in line


@pytest.mark.process
def test_reading_a_revision_touches_nothing_here(repository, capsys):
    (repository / "results" / "sweep" / "scratch").write_text("mine")
    before = sorted((path, path.stat().st_mtime_ns) for path in repository.rglob("*") if ".git" not in path.parts)
    said(capsys, "git:v1", "@latest", code=3)
    assert sorted((p, p.stat().st_mtime_ns) for p in repository.rglob("*") if ".git" not in p.parts) == before


@pytest.mark.process
def test_an_uncommitted_run_is_not_in_a_revision(repository, capsys):
    mine = stored(repository / "results", {"A": STEADY}).path.name
    assert "there is no such run" in said(capsys, f"git:HEAD:{mine}", "@latest", code=2).err


@pytest.mark.process
@pytest.mark.parametrize(
    ("side", "why"),
    [
        ("git:nowhere", "no such revision"),
        ("git:", "not a git revision"),
        ("git:--output=x", "not a git revision"),
        ("git:a b", "not a git revision"),
        ("git:v1:../results/sweep/@latest", "is a place in the results folder"),
        ("git:v1:/etc", "is a place in the results folder"),
        ("git:v1:sweep/nothing", "there is no such run"),
    ],
)
def test_a_revision_that_is_none_is_exit_2(repository, capsys, side, why):
    assert why in said(capsys, side, "@latest", code=2).err
    assert not Path("x").exists()


@pytest.mark.process
@pytest.mark.parametrize(
    ("here", "results"),
    [
        ("deeper", "../results"),
        ("results/sweep", ".."),
        ("results", "."),
        ("..", "{name}/results"),
        ("/", "{repository}/results"),
    ],
)
def test_the_revision_is_one_of_the_repository_the_results_are_in_wherever_it_is_asked(
    repository, capsys, monkeypatch, here, results
):
    (repository / "deeper").mkdir()
    monkeypatch.chdir(here)
    results = results.format(name=repository.name, repository=repository)
    for text in ("git:v1", "git:v1:sweep/@latest", "git:v1:results/sweep/@latest"):
        assert "latency ms 10.00 to 11.00" in said(capsys, text, "git:main", "-o", results, code=3).out


@pytest.mark.process
def test_results_that_are_not_here_now_are_still_in_the_revision(repository, capsys):
    shutil.rmtree("results")
    assert "latency ms 10.00 to 11.00" in said(capsys, "git:v1", "git:main", code=3).out


@pytest.mark.process
def test_results_in_no_repository_are_in_no_revision(repository, capsys):
    assert "not to be read from git" in said(capsys, "git:v1", "git:v1", "-o", "/nowhere", code=2).err


@pytest.mark.process
def test_a_committed_link_out_of_the_folder_is_not_followed(repository, capsys):
    os.symlink("/etc/passwd", repository / "results" / "sweep" / "link")
    commit("a link")
    assert "cannot be unpacked" in said(capsys, "git:HEAD", "@latest", code=2).err


@pytest.mark.process
def test_compare_needs_no_torch(folder):
    path = stored(folder, {"A": STEADY}).path
    code = "import sys; from archbench.cli import exit_code_of; exit_code_of(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "compare", path, path], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_python_compares_too(folder):
    base, new = stored(folder, {"A": STEADY}), stored(folder, {"A": slower(1.05)})
    assert archbench.compare(base.path, new).verdicts["A"].word == "regressed"


def test_show_takes_two_presets_or_two_names_of_a_spec(folder, capsys):
    spec = str(ROOT / "specs" / "fpn_sweep.yaml")
    for arguments, base, new in (
        (["R-50-FPN", "R-101-FPN"], "R-50-FPN", "R-101-FPN"),
        (
            [spec, "channels=64,top_block=none", "channels=256,top_block=none"],
            "channels=64,top_block=none",
            "channels=256,top_block=none",
        ),
        ([spec, "channels=64,top_block=none", "R-101-FPN"], "channels=64,top_block=none", "R-101-FPN"),
        (
            [spec, str(ROOT / "specs" / "resnet_depth_width.yaml")],
            "channels=256,top_block=maxpool",
            "depth=50,width=1.0",
        ),
    ):
        assert exit_code_of(["show", *arguments, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["base"]["name"], found["new"]["name"]) == (base, new)
        assert found["layers"]
    assert exit_code_of(["show", spec, "channels=64,top_block=none", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "channels=64,top_block=none"
    assert exit_code_of(["show", "R-50-FPN", "R-51-FPN"]) == 2
    assert "no variant 'R-51-FPN'" in capsys.readouterr().err
    assert exit_code_of(["show", "R-50-FPN", "a", "b", "c"]) == 2
