"""The commands from outside: what they print, where, and the code they exit with."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pynvml
import pytest
from fakes import FakeNvml

import archbench
from archbench import exits
from archbench.cli import exit_code_of
from archbench.comparison.of_run import Outcome
from archbench.design.lookup import load_spec
from archbench.measure.supervisor.interruption import Interrupted, StopRequest
from archbench.metrics import EXACT
from archbench.statistics.verdicts import Word

ROOT = Path(archbench.__file__).parent.parent
SPEC = """\
archbench: 1
name: sweep
base: R-18-FPN
input: {height: 64, width: 96}
axes: {neck.channels: [64, 256], top_block.type: [none, maxpool]}
constraints: [params < 13_774_017 or neck.channels == 256]
"""
FAULTS = """
import os, torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
    def forward(self, x):
        return {"p2": self.conv(x)}
class Dies(Net):
    def forward(self, x):
        os.kill(os.getpid(), 9) if x.device.type != "meta" else None
def good(): return Net()
def dies(): return Dies()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text(SPEC.replace("13_774_017", "13774017"))
    return tmp_path


def said(capsys, *arguments, code=0):
    """stdout and stderr of a command that exits with `code`."""
    assert exit_code_of(arguments) == code, capsys.readouterr().err
    return capsys.readouterr()


def test_price_json_has_every_exact_metric_as_an_integer_under_its_name(folder, capsys):
    rows = json.loads(said(capsys, "price", "spec.yaml", "--json").out)["variants"]
    assert [row["name"] for row in rows][:2] == ["channels=64,top_block=none", "channels=64,top_block=maxpool"]
    for row in rows:
        assert all(type(row[metric]) is int for metric in EXACT)
        assert row["kind"]["macs"] == "exact"
        assert row["latency_ms"] is None if "latency_ms" in row else True
        assert len(row["id"]) == 16
        assert row["neck.channels"] in (64, 256)


def test_price_takes_a_preset(capsys):
    (row,) = json.loads(said(capsys, "price", "R-50-FPN", "--set", "input.width=1344", "--json").out)["variants"]
    assert (row["params"], row["macs"]) == (26_799_296, 143_526_297_600)


def test_check_counts_what_each_rule_took(folder, capsys):
    Path("spec.yaml").write_text(
        SPEC.replace("params < 13_774_017 or neck.channels == 256", "neck.channels == 256")
        + "exclude: [{neck.channels: 64, top_block.type: none}]\n"
    )
    counts = json.loads(said(capsys, "check", "spec.yaml", "--json").out)
    steps = {"raw": 4, "excluded": 1, "duplicates": 0, "refused": {"neck.channels == 256": 1}, "variants": 2}
    assert {step: counts[step] for step in steps} == steps
    assert "1 refused by neck.channels == 256" in said(capsys, "check", "spec.yaml").out


def test_the_reference_stays_though_a_constraint_refuses_it(folder, capsys):
    rows = json.loads(said(capsys, "price", "spec.yaml", "--json").out)["variants"]
    Path("spec.yaml").write_text(
        Path("spec.yaml").read_text().replace("params < 13774017 or neck.channels == 256", "neck.channels < 65")
    )
    fewer = json.loads(said(capsys, "price", "spec.yaml", "--json").out)["variants"]
    assert len(rows) == 4
    assert [row["name"] for row in fewer] == [
        "channels=64,top_block=none",
        "channels=64,top_block=maxpool",
        "channels=256,top_block=maxpool",
    ]


def test_a_report_that_cannot_be_written_is_one_line_and_the_run_is_kept(folder, capsys):
    run = Path(json.loads(said(capsys, "run", "spec.yaml", "--device", "none", "--json").out)["run"])
    (run / "report.html").unlink()
    (run / "report.html").mkdir()  # a file cannot take its place
    err = said(capsys, "run", "spec.yaml", "--device", "none", code=4).err
    assert err.splitlines()[-1].startswith(f"archbench: {run}: cannot be written (")
    assert len(archbench.read_run(run).records) == 4


@pytest.mark.process
def test_device_none_prices_and_stores_and_the_report_can_be_had_again(folder, capsys):
    first = said(capsys, "run", "spec.yaml", "--device", "none", "--json")
    found = json.loads(first.out)
    assert {row["status"] for row in found["variants"]} == {"priced"}
    assert first.err.count("done ") == 4
    run = Path(found["run"])
    assert sorted(path.name for path in run.iterdir() if not path.name.startswith(".")) == [
        "records.jsonl",
        "report.html",
        "report.md",
        "run.json",
        "table.csv",
    ]
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    for name in ("table.csv", "report.md", "report.html"):
        (run / name).unlink()
    for text in (str(run), "sweep/@latest", "@latest", run.name):
        again = json.loads(said(capsys, "report", text, "--json").out)
        assert again["variants"] == found["variants"]
        assert [record["id"] for record in again["records"]] == [row["id"] for row in found["variants"]]
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


@pytest.mark.process
def test_the_same_command_goes_on_with_the_same_run_and_new_begins_another(folder, capsys):
    def run(*more):
        return json.loads(said(capsys, "run", "spec.yaml", "--device", "none", "--json", *more).out)["run"]

    first = run()
    assert run() == first
    assert run("--new") != first
    assert len(json.loads(said(capsys, "list", "runs", "--json").out)["runs"]) == 2


@pytest.mark.process
def test_a_changed_spec_is_another_run(folder, capsys):
    said(capsys, "run", "spec.yaml", "--device", "none", "--quiet")
    said(capsys, "run", "spec.yaml", "--device", "none", "--quiet", "--set", "backbone.norm=batch")
    assert len(list(Path("results/sweep").iterdir())) == 2


@pytest.mark.parametrize(
    ("form", "begins"), [("terminal", "sweep"), ("markdown", "## sweep"), ("csv", "name,"), ("json", "{")]
)
def test_price_prints_every_format(folder, capsys, form, begins):
    assert said(capsys, "price", "spec.yaml", "--format", form).out.lstrip().startswith(begins)


def test_scores_join_by_name_and_set_the_front(folder, capsys):
    Path("scores.csv").write_text(
        'name,score\n"channels=64,top_block=none",36.5\n"channels=256,top_block=maxpool",37.9\n'
    )
    Path("spec.yaml").write_text(Path("spec.yaml").read_text() + "scores: scores.csv\n")
    rows = json.loads(said(capsys, "price", "spec.yaml", "--json").out)["variants"]
    assert [row["score"] for row in rows] == [36.5, None, None, 37.9]
    assert [row["pareto"] for row in rows] == [True, None, None, True]


def test_a_module_is_priced_null_with_the_reason(folder, capsys):
    Path("spec.yaml").write_text("archbench: 1\nname: mine\nmodule: my_net:good\n")
    (row,) = json.loads(said(capsys, "price", "spec.yaml", "--json").out)["variants"]
    assert row["macs"] is None
    assert "not priced" in row["reason"]


def test_show_sums_to_the_whole(capsys):
    found = json.loads(said(capsys, "show", "R-50-FPN", "--json").out)
    assert (
        sum(layer["macs"] for layer in found["layers"])
        == found["exact"]["macs"]
        == sum(s["macs"] for s in found["shares"])
    )
    assert [share["group"] for share in found["shares"]] == [
        "backbone.stem",
        "backbone.res2",
        "backbone.res3",
        "backbone.res4",
        "backbone.res5",
        "neck.p2",
        "neck.p3",
        "neck.p4",
        "neck.p5",
        "top_block.p6",
    ]
    assert abs(sum(share["macs_share"] for share in found["shares"]) - 1) < 1e-12
    assert "lateral" in said(capsys, "show", "R-50-FPN").out


def test_list_presets_tells_the_two_resnet_50s_apart(capsys):
    found = {
        row["preset"]: row["classifier_macs"]
        for row in json.loads(said(capsys, "list", "presets", "--json").out)["presets"]
    }
    assert (found["R-50-FPN"], found["resnet50_fpn"]) == (3_857_973_248, 4_089_184_256)
    assert "3.858" in said(capsys, "list", "presets").out


def test_list_parts_shows_each_knob_with_its_default(capsys):
    parts = json.loads(said(capsys, "list", "parts", "--json").out)["parts"]
    fpn = next(part for part in parts if part["part"] == "fpn")
    assert fpn["knobs"] == {"channels": 256, "levels": [2, 3, 4, 5], "norm": "none", "relu": False, "fuse": "sum"}


def test_list_devices_has_the_cpu(capsys):
    assert json.loads(said(capsys, "list", "devices", "--json").out)["devices"][0]["device"] == "cpu"


def test_init_writes_a_spec_that_runs(folder, capsys):
    assert "wrote first.yaml; next: archbench price first.yaml" in said(capsys, "init", "first.yaml").out
    assert len(json.loads(said(capsys, "price", "first.yaml", "--json").out)["variants"]) == 6


def test_cuda_where_there_is_none_is_exit_4(folder, capsys):
    if json.loads(said(capsys, "list", "devices", "--json").out)["devices"][1:]:
        pytest.skip("there is a GPU here")
    assert "no NVIDIA driver answers; take cpu" in said(capsys, "run", "spec.yaml", "--device", "cuda", code=4).err
    assert not Path("results").exists()


NVML_FAULTS = {
    "hidden": ({}, "-1"),
    "a shortened UUID that is nobody's": ({}, "GPU-ffff"),
    "one is lost": ({("nvmlDeviceGetHandleByIndex", 1): pynvml.NVML_ERROR_GPU_IS_LOST}, "1"),
    "nothing is supported": (dict.fromkeys(vars(FakeNvml), pynvml.NVML_ERROR_NOT_SUPPORTED), None),
}


@pytest.mark.process
@pytest.mark.parametrize(("refuses", "shown"), NVML_FAULTS.values(), ids=NVML_FAULTS)
def test_an_nvml_that_refuses_ends_no_command_that_can_go_on_without_it(folder, capsys, monkeypatch, refuses, shown):
    FakeNvml(refuses=refuses).stand_in(monkeypatch)
    if shown is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert json.loads(said(capsys, "run", "spec.yaml", "--device", "none", "--json").out)["variants"]
    assert json.loads(said(capsys, "list", "devices", "--json").out)["devices"][0]["device"] == "cpu"
    for command in (["run", "spec.yaml"], ["doctor", "--json"]):
        told = said(capsys, *command, "--device", "cuda:0", code=4)
        assert "take " in told.err + told.out


@pytest.mark.process
def test_a_results_folder_that_cannot_be_written_is_exit_4(folder, capsys):
    Path("results").write_text("a file")
    assert "-o" in said(capsys, "run", "spec.yaml", "--device", "none", code=4).err


def test_a_run_that_is_not_there_is_exit_2(folder, capsys):
    assert "archbench: " in said(capsys, "report", "nothing", code=2).err


@pytest.mark.process
def test_a_run_whose_budget_ends_before_a_round_says_what_to_give_and_the_next_takes_it_back(folder, capsys):
    """A budget that is over before any process starts: 10 s x 4 networks x 3 generations x 1.5 = 180 s are enough."""
    told = "was over before a network was started: no round was reached; give more: --set measure.budget=3m00s"
    command = ["run", "spec.yaml", "--device", "cpu", "--set", "measure.budget=0.001"]
    found = said(capsys, *command, code=1)
    assert told in found.err
    assert told in " ".join(found.out.split())
    (header,) = Path("results").glob("sweep/*/run.json")
    assert told in json.loads(header.read_text())["starved"]
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted):
            archbench.run(load_spec("spec.yaml", ["measure.device=cpu"]), stop=stop)
    assert json.loads(header.read_text())["starved"] is None


def test_a_bug_of_ours_is_exit_70_with_its_traceback_in_a_file(folder, capsys, monkeypatch):
    monkeypatch.setattr("archbench.tables.prices.expand", lambda spec: 1 / 0)
    err = said(capsys, "price", "spec.yaml", code=70).err
    assert "a bug of ours (ZeroDivisionError)" in err
    log = Path(err.strip().rsplit(" ", 1)[1])
    assert "ZeroDivisionError" in log.read_text()
    log.unlink()


def test_every_word_a_gate_or_a_run_comes_to_has_its_code_and_another_is_no_success():
    words = {*get_args(Word), *get_args(Outcome)}
    assert {word: exits.code_of(word) for word in words} == {
        "done": 0,
        "equivalent": 0,
        "improved": 0,
        "failed": 1,
        "regressed": 3,
        "inconclusive": 4,
    }
    with pytest.raises(KeyError):
        exits.code_of("unheard of")


@pytest.mark.process
@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "@latest", "--figures", ""],
        ["compare", "@latest", "@latest", "--junit", ""],
        ["price", "spec.yaml", "--parquet", ""],
    ],
)
def test_an_empty_name_of_a_file_or_folder_is_refused(folder, capsys, arguments):
    said(capsys, "run", "spec.yaml", "--device", "none", "--quiet")
    before = sorted(folder.iterdir())
    assert "is empty; name a file or folder" in said(capsys, *arguments, code=2).err
    assert sorted(folder.iterdir()) == before


@pytest.mark.process
def test_a_closed_stdout_is_no_traceback(folder):
    code = "from archbench.cli import main; import sys; sys.argv = ['archbench', 'list', 'presets', '--json']; main()"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    err = process.stderr.read()
    process.wait()
    process.stderr.close()
    assert b"Traceback" not in err


def test_names_with_control_characters_are_printed_inert(folder, capsys):
    Path("spec.yaml").write_text(
        'archbench: 1\nname: "x\\e[31mred\\u202e"\nbase: R-18-FPN\naxes: {neck.norm: [batch, none]}\n'
    )
    out = said(capsys, "price", "spec.yaml").out
    assert "\x1b[31m" not in out
    assert "\u202e" not in out


@pytest.mark.process
@pytest.mark.slow
def test_a_real_run_measures_keeps_and_reports_each_variant_and_a_failure_has_its_row(folder, capsys):
    """One network of ours, one hand-written, one that is killed when it runs."""
    Path("my_net.py").write_text(FAULTS)
    Path("spec.yaml").write_text(
        "archbench: 1\nname: real\nbase: R-18-FPN\ninput: {height: 64, width: 64}\n"
        "axes: {module: ['my_net:good', 'my_net:dies']}\n"
        "measure: {generations: 2, threads: 1}\n"
    )
    printed = said(capsys, "run", "spec.yaml", "--device", "cpu", "--plugin", "my_net.py", "--json", code=1)
    found = json.loads(printed.out)
    rows = {row["name"]: row for row in found["variants"]}
    good, dies, ours = (
        rows["module=my_net:good"],
        rows["module=my_net:dies"],
        next(r for r in found["variants"] if r["reference"]),
    )
    assert (good["status"], dies["status"], ours["status"]) == ("measured", "failed", "measured")
    assert "SIGKILL" in dies["reason"]
    assert dies["latency_ms"] is None
    assert good["macs"] == 8 * 27 * 62 * 62
    assert good["kind"]["macs"] == "traced"
    assert ours["kind"] == ours["kind"] | {"macs": "exact", "latency_ms": "measured"}
    for row in (good, ours):
        assert 0 < row["q25_ms"] <= row["latency_ms"] <= row["q75_ms"]
        assert row["generations"] == 2
        assert row["half_width"] > 0
    assert good["ratio"] < 1 == ours["ratio"]
    assert {line.split()[0] for line in printed.err.splitlines() if line.startswith(("done", "failed"))} == {
        "done",
        "failed",
    }
    frame = archbench.read_run(found["run"]).table()
    assert str(frame["macs"].dtype) == "Int64"
    assert len(frame) == 3
    samples = Path(found["run"], "samples.jsonl").read_bytes()
    assert (
        json.loads(said(capsys, "run", "spec.yaml", "--device", "cpu", "--plugin", "my_net.py", "--json", code=1).out)
        == found
    )
    assert Path(found["run"], "samples.jsonl").read_bytes() == samples


def test_python_has_what_the_command_line_has(folder):
    spec = archbench.read_spec("spec.yaml")
    variants = archbench.variants(spec)
    assert archbench.price(variants[0]).macs > 0
    assert archbench.preset("R-50-FPN", {"neck.channels": 128}).name == "R-50-FPN,neck.channels=128"
    module = archbench.build(archbench.preset("R-18-FPN", {"input.height": 64, "input.width": 64}))
    assert archbench.trace(module, __import__("torch").randn(1, 3, 64, 64)).params == 13_774_016
    assert callable(archbench.run)
    with pytest.raises(archbench.SpecError, match="no preset"):
        archbench.preset("R-51-FPN")
    with pytest.raises(AttributeError, match="nothing"):
        archbench.nothing  # noqa: B018


@pytest.fixture(params=["module: my_net:make", "axes: {module: [null, 'my_net:make']}"], ids=["alone", "an axis"])
def hand_written(folder, request):
    """The name of the variant that is a hand-written module, of a spec that has no other, or one beside it."""
    Path("spec.yaml").write_text(f"archbench: 1\nname: mine\nbase: R-18-FPN\n{request.param}\n")
    return "module=my_net:make" if "axes" in request.param else "mine"


def test_a_hand_written_module_is_counted_and_listed_though_it_has_no_price(hand_written, capsys):
    assert said(capsys, "check", "spec.yaml").out.startswith("mine: ")
    assert json.loads(said(capsys, "check", "spec.yaml", "--json").out)["variants"] >= 1
    rows = json.loads(said(capsys, "price", "spec.yaml", "--json").out)["variants"]
    assert [row["macs"] for row in rows if row["name"] == hand_written] == [None]


@pytest.mark.parametrize("verb", ["price --where macs>3", "price --top 1", "price --parquet x", "show"])
def test_what_needs_the_price_of_a_hand_written_module_is_refused(hand_written, capsys, verb):
    command, *options = verb.split()
    names = [hand_written] if command == "show" else []
    printed = said(capsys, command, "spec.yaml", *names, *options, code=2)
    assert printed.err == "archbench: module: my_net:make is hand-written; it is traced when it is run, not priced\n"
