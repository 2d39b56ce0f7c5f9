"""`run --against`: both specs in one experiment, pair by pair, and what is said of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from runs_on_disk import record, warm_up, whole_round
from stored_runs import STEADY, stored

from archbench import exits
from archbench.cli import GATE_GENERATIONS, guarded
from archbench.design.space import expand
from archbench.design.spec import preset_spec, read_spec
from archbench.errors import SpecError
from archbench.measure.plan import plan_all
from archbench.pricing.constraints import keep, price_all
from archbench.reporting.comparison import Judgement
from archbench.reporting.gate import LATENCY, Finding, Judged
from archbench.reporting.outcome import outcome
from archbench.reporting.runs import Run, read_run
from archbench.reporting.store import RunFolder
from archbench.reporting.verdicts import Contrast, judge

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
    return keep(price_all(expand(spec).variants), spec.constraints)


@pytest.fixture
def two(tmp_path):
    new = write(tmp_path, "new", "R-34-FPN", "[32, 256]")
    base = write(tmp_path, "base", "R-18-FPN", "[32, 64, 256]")
    return read_spec(new), read_spec(base)


def test_variants_of_a_name_are_a_pair_and_the_others_are_measured_alone(two):
    planned = plan_all(kept(two[0]), 1, kept(two[1]))
    assert [(each.item.variant.name, each.side, each.pair) for each in planned] == [
        ("channels=32", "new", "channels=32"),
        ("channels=256", "new", "channels=256"),
        ("channels=32 (base)", "base", "channels=32"),
        ("channels=64 (base)", "base", ""),
        ("channels=256 (base)", "base", "channels=256"),
    ]
    assert [each.item.variant.reference for each in planned] == [False, True, False, False, False]
    assert len({each.key for each in planned}) == 5


def test_a_spec_against_itself_is_measured_twice_under_keys_of_their_own(two):
    planned = plan_all(kept(two[0]), 2, kept(two[0]))
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


def test_two_networks_alone_are_a_pair_whatever_their_names():
    small = [preset_spec(name, ["input.height=64", "input.width=64"]) for name in ("R-34-FPN", "R-18-FPN")]
    planned = plan_all(kept(small[0]), 1, kept(small[1]))
    assert [(each.item.variant.name, each.pair) for each in planned] == [
        ("R-34-FPN", "R-18-FPN"),
        ("R-18-FPN (base)", "R-18-FPN"),
    ]


def test_specs_without_a_name_in_common_are_refused(tmp_path):
    one = read_spec(write(tmp_path, "one", "R-18-FPN", "[32, 256]"))
    other = read_spec(write(tmp_path, "other", "R-18-FPN", "[48, 64]"))
    other = replace(other, reference={"neck.channels": 48})
    with pytest.raises(SpecError, match=r"--against: no variant of the two specs has the same name \(channels=32"):
        plan_all(kept(one), 1, kept(other))


def compared(tmp_path, ratio, *, generations=3, new=None, base=None, **given):
    """A stored comparison in which the new variant takes `ratio` times its base's time, give or take a thousandth.

    `new` and `base` are what their records say beside, `given` what run.json does.
    """
    header = {
        "against": {"name": "base"},
        "plan": {"quantity": "request"},
        "budget_s": None,
        "scores": None,
        "space": {"raw": 1, "excluded": 0, "duplicates": 0, "refused": {}},
        "environment": {"device": "cpu", "cpu": "c", "cores": 2, "gpus": [], "versions": {"torch": "2"}},
    }
    sides = [
        record("N", side="new", pair="x", reference=True, **(new or {})),
        record("B", side="base", pair="x", **(base or {})),
        record("C", side="base"),
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
    return Run(folder)


@pytest.mark.parametrize(
    ("ratio", "word", "code"), [(1.0, "equivalent", 0), (1.1, "regressed", 3), (0.9, "improved", 0)]
)
def test_a_comparison_ends_with_its_verdict_and_the_gates_code(tmp_path, ratio, word, code):
    run = compared(tmp_path, ratio)
    assert {name: verdict.word for name, verdict in run.verdicts.items()} == {"x": word}
    assert run.verdicts["x"].latency.paired
    assert exits.code(outcome(run)) == code


def test_what_cannot_be_told_is_not_passed(tmp_path):
    assert exits.code(outcome(compared(tmp_path, 1.0, generations=1))) == 4


def test_the_files_and_the_json_of_a_comparison_have_its_verdicts(tmp_path, capsys):
    run = compared(tmp_path, 1.1)
    assert guarded(["report", str(run.folder.path), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["verdict"], row["paired"]) for row in told["verdicts"]] == [("x", "regressed", True)]
    assert told["verdicts"][0]["ratio"] == pytest.approx(1.1, rel=0.001)
    assert [row["name"] for row in told["variants"]] == ["N", "B", "C"]
    report = (run.folder.path / "report.md").read_text()
    assert "1 regressed" in report
    assert "only in the base: C" in report


def test_a_run_of_one_spec_has_no_verdicts(tmp_path):
    run = stored(tmp_path, {"A": STEADY, "B": STEADY})
    assert (run.judgement, run.verdicts, run.verdict_view) == (None, {}, None)


def test_a_failed_side_leaves_its_pair_untold(tmp_path):
    run = compared(tmp_path, 1.0, base={"status": "failed", "reason": "died"})
    assert (run.verdicts["x"].word, run.verdicts["x"].latency.why) == ("inconclusive", "base failed: died")
    assert "inconclusive: x: latency" in "; ".join(run.verdict_view.caption)


def test_the_verdicts_caption_counts_them_and_names_the_limits():
    contrasts = {name: Contrast(ratio, 0.001, 7, 8, 0.0, True) for name, ratio in (("a", 0.0), ("b", 0.0), ("c", 0.2))}
    judged = tuple(
        Judged(name, name, (Finding(LATENCY, told.word, 1.0, 1.0, told),)) for name, told in judge(contrasts).items()
    )
    caption = Judgement("sweep", (LATENCY,), judged, paired=True, alone=("only in the base: d",)).view.caption
    assert caption[:2] == (
        "new against base: 1 regressed, 2 equivalent",
        "limits: latency_ms > 3%; equivalent is within them either way",
    )
    assert caption[2].startswith("paired: both took turns in one experiment")
    assert caption[-1] == "only in the base: d"


@pytest.mark.slow
def test_a_small_network_against_a_larger_one_for_real(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "new", "R-50-FPN", "[32]"), write(tmp_path, "base", "R-18-FPN", "[32]")
    command = ["run", "new.yaml", "--against", "base.yaml", "--set", "measure.generations=2", "--json"]
    for name in ("new.yaml", "base.yaml"):
        Path(name).write_text(Path(name).read_text() + "reference: {neck.channels: 32}\n")
    assert guarded(command) in (3, 4)  # slower; on a crowded machine two generations may not tell
    told = json.loads(capsys.readouterr().out)
    assert told["verdicts"][0]["ratio"] > 1
    run = read_run(told["run"])
    assert run.folder.header["name"] == "new against base"
    before = (run.folder.path / "samples.jsonl").read_bytes()
    guarded(command)
    assert (run.folder.path / "samples.jsonl").read_bytes() == before


def test_a_gate_asks_for_eight_generations_unless_the_spec_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "new", "R-34-FPN", "[32]"), write(tmp_path, "base", "R-18-FPN", "[32]")
    for sets, wanted in (([], GATE_GENERATIONS), (["--set", "measure.generations=5"], 5)):
        command = ["run", "new.yaml", "--against", "base.yaml", "--device", "none", "--json", *sets]
        assert guarded(command) == 4  # nothing measured: nothing told
        told = json.loads(capsys.readouterr().out)
        assert read_run(told["run"]).folder.header["plan"]["generations"] == wanted
