"""`run --against`: both specs in one experiment, pair by pair, and what is said of it."""

import json
import signal
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from commands import SCRIPTED_WORKER
from runs_on_disk import COUNTS, record, warm_up, whole_round
from stored_runs import STEADY, stored

from archbench import exits
from archbench.api import Run, read_run
from archbench.api import run as run_spec
from archbench.cli import exit_code_of
from archbench.comparison.cases import judgement_suite
from archbench.comparison.gate import LATENCY, Finding, parse_limits
from archbench.comparison.judgement import Judgement, NetworkJudgement
from archbench.comparison.of_run import judge_run
from archbench.design.lookup import GATE_GENERATIONS
from archbench.design.spec.spec import preset_spec, read_spec
from archbench.design.variants import expand
from archbench.errors import ResultsError, SpecError
from archbench.measure.experiment import generation
from archbench.measure.experiment.plan import plan_variants
from archbench.measure.supervisor import worker_process
from archbench.measure.supervisor.interruption import Interrupted, StopRequest
from archbench.runs.run import read_folder
from archbench.runs.store import RunFolder
from archbench.space.constraints import keep_variants, price_all
from archbench.statistics.verdicts import Contrast, judge_contrasts

SPEC = """\
archbench: 1
name: NAME
base: BASE
input: {height: 64, width: 64}
axes: {neck.channels: CHANNELS}
measure: {device: cpu, threads: 1}
"""


def write(folder, name, base, channels):
    path = folder / f"{name}.yaml"
    path.write_text(SPEC.replace("NAME", name).replace("BASE", base).replace("CHANNELS", channels))
    return path


def kept(spec):
    return keep_variants(price_all(expand(spec).variants), spec.constraints)


@pytest.fixture
def two(tmp_path):
    new = write(tmp_path, "new", "R-34-FPN", "[32, 256]")
    base = write(tmp_path, "base", "R-18-FPN", "[32, 64, 256]")
    return read_spec(new), read_spec(base)


def test_variants_of_a_name_are_a_pair_and_the_others_are_measured_alone(two):
    planned = plan_variants(kept(two[0]), 1, kept(two[1]))
    assert [(each.variant.name, each.side, each.pair) for each in planned] == [
        ("channels=32", "new", "channels=32"),
        ("channels=256", "new", "channels=256"),
        ("channels=32 (base)", "base", "channels=32"),
        ("channels=64 (base)", "base", ""),
        ("channels=256 (base)", "base", "channels=256"),
    ]
    assert [each.variant.reference for each in planned] == [False, True, False, False, False]
    assert len({each.key for each in planned}) == 5


def test_a_spec_against_itself_is_measured_twice_under_keys_of_their_own(two):
    planned = plan_variants(kept(two[0]), 2, kept(two[0]))
    assert len({each.key for each in planned}) == len(planned) == 2 * 2 * 2
    assert [each.pair for each in planned if each.side == "new"] == [
        "channels=32",
        "channels=32 (replica 1)",
        "channels=256",
        "channels=256 (replica 1)",
    ]
    assert sorted({each.pair for each in planned if each.side == "base"}) == sorted(
        {each.pair for each in planned if each.side == "new"}
    )


def test_two_networks_alone_are_a_pair_whatever_their_names_and_called_as_the_new_one_is():
    small = [preset_spec(name, ["input.height=64", "input.width=64"]) for name in ("R-34-FPN", "R-18-FPN")]
    planned = plan_variants(kept(small[0]), 1, kept(small[1]))
    assert [(each.variant.name, each.pair) for each in planned] == [
        ("R-34-FPN", "R-34-FPN"),
        ("R-18-FPN (base)", "R-34-FPN"),
    ]


def test_specs_without_a_name_in_common_are_refused(tmp_path):
    one = read_spec(write(tmp_path, "one", "R-18-FPN", "[32, 256]"))
    other = read_spec(write(tmp_path, "other", "R-18-FPN", "[48, 64]"))
    other = replace(other, reference={"neck.channels": 48})
    with pytest.raises(SpecError, match=r"--against: no variant of the two specs has the same name \(channels=32"):
        plan_variants(kept(one), 1, kept(other))


def compared(tmp_path, ratio, *, generations=3, new=None, base=None, alone="new", third=None, **given):
    """A stored comparison in which the new variant takes `ratio` times its base's time, give or take a thousandth.

    `new`, `base` and `third` are what their records say beside, `given` what run.json does; the third, C, has no partner.
    """
    header = {
        "against": {"name": "base"},
        "spec": {},
        "plan": {"quantity": "request"},
        "budget_s": None,
        "scores": None,
        "space": {"raw": 1, "excluded": 0, "duplicates": 0, "refused": {}},
        "environment": {"device": "cpu", "cpu": "c", "cores": 2, "gpus": [], "versions": {"torch": "2"}},
    }
    sides = [
        record("N", side="new", pair="x", reference=True, **(new or {})),
        record("B", side="base", pair="x", **(base or {})),
        record("C", side=alone, **(third or {})),
    ]
    planned = [{**each.__dict__, "status": "not reached"} for each in sides]
    folder = RunFolder.create(tmp_path, "new against base", header | {"planned": planned} | given)
    for each in sides:
        folder.append_record(each)
    for g in range(1, generations + 1):
        for block in warm_up("NBC", generation=g):
            folder.append_block(block)
        ms = {"B": 10.0, "N": 10.0 * ratio * (1 + g % 2 * 0.001), "C": 5.0}
        for block in whole_round("NBCCBN", ms, generation=g):
            folder.append_block(block)
    return Run(judge_run(read_folder(folder)))


@pytest.mark.parametrize(
    ("ratio", "word", "code"), [(1.0, "equivalent", 0), (1.1, "regressed", 3), (0.9, "improved", 0)]
)
def test_a_comparison_ends_with_its_verdict_and_the_gates_code(tmp_path, ratio, word, code):
    run = compared(tmp_path, ratio)
    assert {name: verdict.word for name, verdict in run.verdicts.items()} == {"x": word}
    assert run.verdicts["x"].latency.paired
    assert exits.code_of(run.judged.outcome) == code


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        ("latency_ms > 10%", 0),
        ("latency_ms > 3%", 3),
        ("latency_ms > 0.7", 0),  # 0.5 ms more than 10
        ("latency_ms > 0.3ms", 3),
        ("params > 0", 3),
        ("params > 1", 0),
        ("params > 1, latency_ms > 10%", 0),
        ("macs > 0, params > 1, latency_ms > 3%", 3),
        ("device_ms > 10%", 0),  # on a CPU the processor's time of the same calls
        ("device_ms > 3%", 3),
        ("step_ms > 10%", 4),  # nobody measured steps
        ("memory_bytes > 0", 4),  # nor memory
    ],
)
def test_limits_judge_counts_to_the_digit_and_times_pair_by_pair(tmp_path, fail_on, code):
    """5 % slower, with one parameter more."""
    run = compared(tmp_path, 1.05, new={"exact": COUNTS | {"params": COUNTS["params"] + 1}}, fail_on=fail_on)
    assert exits.code_of(run.judged.outcome) == code
    assert all(finding.verdict.paired for finding in run.verdicts["x"].findings if finding.verdict)
    assert f"limits: {fail_on}; " in run.judged.verdict_table.caption[1]


def test_a_latency_that_no_limit_names_is_told_and_decides_nothing(tmp_path):
    run = compared(tmp_path, 1.1, fail_on="params > 0")
    row = run.judged.verdict_table.rows[0]
    assert (row["verdict"], row["ratio"], row["paired"]) == ("equivalent", pytest.approx(1.1, rel=0.001), True)
    assert exits.code_of(run.judged.outcome) == 0


@pytest.mark.parametrize("fail_on", ["latency > 3%", "", "params", 3, ["params > 0"], "params > 0\x1b[31m"])
def test_a_stored_limit_is_data_not_to_be_trusted(tmp_path, fail_on):
    with pytest.raises(ResultsError, match="its fail_on is no limit"):
        compared(tmp_path, 1.0, fail_on=fail_on).judgement  # noqa: B018


def test_what_cannot_be_told_is_not_passed(tmp_path):
    assert exits.code_of(compared(tmp_path, 1.0, generations=1).judged.outcome) == 4


def test_the_files_and_the_json_of_a_comparison_have_its_verdicts(tmp_path, capsys):
    run = compared(tmp_path, 1.1)
    assert exit_code_of(["report", str(run.path), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["verdict"], row["paired"]) for row in told["verdicts"]] == [
        ("x", "regressed", True),
        ("C", "added", False),
    ]
    assert told["verdicts"][0]["ratio"] == pytest.approx(1.1, rel=0.001)
    assert [row["name"] for row in told["variants"]] == ["N", "B", "C"]
    report = (run.path / "report.md").read_text()
    assert "1 regressed" in report
    assert "only in the new spec: C" in report


def test_a_network_that_only_the_base_has_cannot_be_told_and_a_new_one_has_nothing_to_be_held_against(tmp_path, capsys):
    """Who drops the variant that got slower does not get past the gate: as in `compare`, that is 4."""
    assert exits.code_of(compared(tmp_path, 1.0, alone="new").judged.outcome) == 0
    run = compared(tmp_path, 1.0, alone="base")
    assert exits.code_of(run.judged.outcome) == 4
    assert exits.code_of(compared(tmp_path, 1.1, alone="base").judged.outcome) == 3
    assert [(row["name"], row["verdict"]) for row in run.judged.verdict_table.rows] == [
        ("C", "removed"),
        ("x", "equivalent"),
    ]
    assert "only in the base, so it cannot be told: C" in run.judged.verdict_table.caption
    cases = [(case.name, case.word, case.faults) for case in judgement_suite(run.judged.judgement).cases]
    assert cases[0] == ("C", "removed", ("only in the base, so it cannot be told",))
    died = compared(tmp_path, 1.0, alone="new", third={"status": "failed", "reason": "died"})
    assert exits.code_of(died.judged.outcome) == 1
    assert [(case.name, case.ends, case.faults) for case in judgement_suite(died.judged.judgement).cases] == [
        ("C", "untold", ("died",)),
        ("x", "passes", ()),
    ]


def test_a_run_of_one_spec_has_no_verdicts(tmp_path):
    run = stored(tmp_path, {"A": STEADY, "B": STEADY})
    assert (run.judged.judgement, run.verdicts, run.judged.verdict_table) == (None, {}, None)


def test_a_failed_side_leaves_its_pair_untold(tmp_path):
    run = compared(tmp_path, 1.0, base={"status": "failed", "reason": "died"})
    assert (run.verdicts["x"].word, run.verdicts["x"].latency.why) == ("inconclusive", "base failed: died")
    assert "inconclusive: x: base failed: died" in run.judged.verdict_table.caption


def test_the_verdicts_caption_counts_them_and_names_the_limits():
    contrasts = {name: Contrast(ratio, 0.001, 7, 8, 0.0, True) for name, ratio in (("a", 0.0), ("b", 0.0), ("c", 0.2))}
    judged = tuple(
        NetworkJudgement(name, name, (Finding(LATENCY, told.word, 1.0, 1.0, told),))
        for name, told in judge_contrasts(contrasts).items()
    )
    caption = Judgement("sweep", (LATENCY,), judged, (record("d"),), paired=True).table.caption
    assert caption[:2] == (
        "new against base: 1 regressed, 2 equivalent, 1 added",
        "limits: latency_ms > 3%; equivalent is within them either way",
    )
    assert caption[2].startswith("paired: both took turns in one experiment")
    assert caption[-1] == "only in the new spec: d"


@pytest.mark.process
def test_a_large_network_against_a_smaller_one_is_measured_once_and_judged_by_each_limit(tmp_path, monkeypatch, capsys):
    """Scripted workers take 50 us a layer and 1 us a channel: 2,532 and 932, and 5 more for one process than another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_process, "PROGRAM", SCRIPTED_WORKER)
    monkeypatch.setattr(generation, "PATIENCE_S", 0.0)
    write(tmp_path, "new", "R-50-FPN", "[32]"), write(tmp_path, "base", "R-18-FPN", "[32]")
    command = ["run", "new.yaml", "--against", "base.yaml", "--set", "measure.generations=2", "--json"]
    for name in ("new.yaml", "base.yaml"):
        Path(name).write_text(Path(name).read_text() + "reference: {neck.channels: 32}\n")
    assert exit_code_of(command) in (3, 4)  # slower; two generations may not tell
    told = json.loads(capsys.readouterr().out)
    assert told["verdicts"][0]["ratio"] == pytest.approx(2532 / 932, rel=0.01)
    run = read_run(told["run"])
    assert run.stored_run.manifest["name"] == "new against base"
    before = (run.path / "samples.jsonl").read_bytes()
    for limit, codes in (("latency_ms > 0.01ms", {3, 4}), ("latency_ms > 99999%", {0})):
        assert exit_code_of([*command, "--fail-on", limit]) in codes
        assert json.loads(capsys.readouterr().out)["run"] == told["run"]
        assert exit_code_of(["report", told["run"], "--json"]) in codes
        capsys.readouterr()
    assert (run.path / "samples.jsonl").read_bytes() == before


@pytest.mark.process
def test_a_gate_asks_for_eight_generations_unless_the_spec_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "new", "R-34-FPN", "[32]"), write(tmp_path, "base", "R-18-FPN", "[32]")
    for sets, wanted in (([], GATE_GENERATIONS), (["--set", "measure.generations=5"], 5)):
        command = ["run", "new.yaml", "--against", "base.yaml", "--device", "none", "--json", *sets]
        assert exit_code_of(command) == 4  # nothing measured: nothing told
        told = json.loads(capsys.readouterr().out)
        assert read_run(told["run"]).stored_run.manifest["plan"]["generations"] == wanted


@pytest.fixture
def priced(tmp_path, monkeypatch, capsys):
    """R-34 against R-18, priced alone: a command that ends with `code`, and what it says in JSON."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "new", "R-34-FPN", "[32, 256]"), write(tmp_path, "base", "R-18-FPN", "[32, 256]")

    def said(*more, code):
        command = ["run", "new.yaml", "--against", "base.yaml", "--device", "none", "--json", *more]
        assert exit_code_of(command) == code, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return said


def test_a_junit_file_that_cannot_be_is_refused_before_anything_is_measured(priced, capsys):
    assert exit_code_of(["run", "new.yaml", "--against", "base.yaml", "--junit", "nowhere/j.xml"]) == 4
    said = capsys.readouterr().err
    assert said == "archbench: --junit nowhere/j.xml: its folder cannot be written; name a file in one that can\n"
    assert not Path("results").exists()


@pytest.mark.process
@pytest.mark.slow
def test_other_limits_judge_the_same_run_again_and_the_report_tells_the_last(priced, capsys):
    """R-34 has 21.3 M parameters in its body where R-18 has 11.2 M: twice as many at most, with an FPN on either."""
    runs = set()
    for more, code, word in (
        ([], 4, "inconclusive"),
        (["--fail-on", "params > 0, macs > 0"], 3, "regressed"),
        (["--fail-on", "params > 100%"], 0, "equivalent"),
        (["--fail-on", "params > 100%, latency_ms > 5%"], 4, "inconclusive"),
    ):
        told = priced(*more, code=code)
        assert {row["verdict"] for row in told["verdicts"]} == {word}
        assert exit_code_of(["report", told["run"], "--json"]) == code
        assert json.loads(capsys.readouterr().out)["verdicts"] == told["verdicts"]
        written = Path(told["run"], "report.md").read_text().replace("\\", "")
        assert f"limits: {more[1] if more else 'latency_ms > 3%'}; " in written
        runs.add(told["run"])
    assert len(runs) == 1


@pytest.mark.process
def test_a_run_that_was_stopped_is_judged_by_its_limits_all_the_same(two, tmp_path):
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted):
            run_spec(two[0], tmp_path / "results", against=two[1], limits=parse_limits("params > 0"), stop=stop)
    run = read_run("@latest", tmp_path / "results")
    assert [record.status for record in run.records] == ["not reached"] * 5
    assert exits.code_of(run.judged.outcome) == 3


@pytest.mark.process
def test_the_verdicts_of_a_run_are_told_to_junit_and_to_github_with_the_worse_network_named(
    priced, capsys, monkeypatch
):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    command = ["run", "new.yaml", "--against", "base.yaml", "--device", "none", "--quiet", "--fail-on", "params > 0"]
    assert exit_code_of([*command, "--github", "--junit", "j.xml"]) == 3
    printed = capsys.readouterr().out
    errors = [line for line in printed.splitlines() if line.startswith("::error")]
    assert [line.split(": ")[0] for line in errors] == [
        "::error title=regressed::channels=32",
        "::error title=regressed::channels=256",
    ]
    assert "| channels=256 | regressed |" in printed
    assert "| channels=256 | regressed |" in Path("summary.md").read_text()
    suite = ET.parse("j.xml").find("testsuite")
    assert [suite.get(name) for name in ("name", "tests", "failures")] == ["new against base", "2", "2"]
    assert priced("--fail-on", "params > 0", "--github", "--junit", "j.xml", code=3)["verdicts"]


def test_a_format_for_programs_is_one_document_with_all_that_it_can_hold(tmp_path, capsys):
    """Markdown is the very report.md, its tables apart; csv is the very table.csv, and what it lacks is told beside it."""
    run = compared(tmp_path, 1.1, spec={"budgets": {"macs": 50}})
    for form, name in (("markdown", "report.md"), ("csv", "table.csv")):
        assert exit_code_of(["report", str(run.path), "--format", form]) == 3
        printed = capsys.readouterr()
        assert printed.out == (run.path / name).read_text()
    assert printed.err.splitlines() == [
        "new against base: 1 regressed, 1 added; csv has one table, --format json all",
        "budgets (MACs G 0.000): all are within; csv has one table, --format json all",
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--fail-on", "params > 0"], "archbench: --fail-on tells of networks against their base; add --against BASE"),
        (
            ["--junit", "j.xml"],
            "archbench: --junit tells of networks against their base; add --against BASE, or hold",
        ),
        (["--against", "base.yaml", "--junit", ""], "'--junit': is empty"),
        (["--github"], "archbench: --github tells of"),
        (["--against", "base.yaml", "--fail-on", "latency > 3%"], "--fail-on:1: latency: is no metric"),
        (["--against", "base.yaml", "--github", "--format", "csv"], "--github prints markdown or JSON, not csv"),
    ],
)
def test_a_gate_that_could_never_be_told_is_refused_before_anything_is_measured(
    tmp_path, monkeypatch, capsys, more, said
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "new", "R-34-FPN", "[32]"), write(tmp_path, "base", "R-18-FPN", "[32]")
    assert exit_code_of(["run", "new.yaml", *more]) == 2
    assert said in capsys.readouterr().err
    assert not Path("results").exists()


def test_limits_without_a_base_are_refused_in_python_too(two, tmp_path):
    with pytest.raises(SpecError, match="give `against` too"):
        run_spec(two[0], tmp_path / "results", limits=parse_limits("params > 0"))
