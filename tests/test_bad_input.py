"""Bad input: exit 2, one line, the place, what is accepted, what to do; nothing built, nothing written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archbench.cli import exit_code_of

HEAD = "archbench: 1\nbase: R-50-FPN\n"
THOUSAND = ", ".join(str(n) for n in range(64, 1064))

REFUSED = {
    "neck: {chanels: 128}": "spec.yaml:3:8: neck.chanels: unknown key; fpn takes channels, levels, norm, relu, fuse. Did you mean channels?",
    "axes: {neck.chanels: [64]}": "spec.yaml:3:8: neck.chanels: unknown key; fpn takes channels",
    "neck: {channels: abc}": "spec.yaml:3:8: neck.channels: 'abc' is not accepted; it takes a whole number from 1 to 65536",
    'neck: {channels: "50"}': "neck.channels: '50' is not accepted; it takes a whole number",
    "neck: {channels: 50.5}": "neck.channels: 50.5 is not accepted",
    "neck: {channels: true}": "neck.channels: True is not accepted",
    "neck: {channels: -1}": "neck.channels: -1 is not accepted; it takes a whole number from 1 to 65536",
    "neck: {channels: 1e3}": "neck.channels: 1000.0 is not accepted",
    "neck: {channels: .nan}": "spec.yaml:3:18: .nan:",
    "neck: {channels: 1000000000000000000000000000000}": "over 30 digits",
    "neck:\n  channels: 3\n  channels: 4": "spec.yaml:5:3: channels: a duplicate key, on lines 4 and 5",
    "neck: {type: fpm}": "neck.type: there is no neck 'fpm'; there are none, fpn. Did you mean fpn?",
    "neck: 256": "spec.yaml:3:1: neck: 256 is not a mapping",
    "neck: {type: [fpn]}": "neck.type: ['fpn'] is not a word; take one of none, fpn",
    "neck: {levels: [1, 2]}": "neck.levels: 1 is not a level of this backbone; it gives 2, 3, 4, 5",
    "neck: {levels: [5, 4]}": "neck.levels: [5, 4] is not in rising order",
    "neck: {levels: [3, 3]}": "neck.levels: [3, 3] is not in rising order without repeats",
    "neck: {norm: group, channels: 72}": "neck.norm: group has 32 groups, which do not divide 72 channels",
    "top_block: {type: p6p7}\nneck: {levels: [2, 3]}": "top_block.source: c5 is not there: neck.levels end at 3",
    "neck: {type: none}": "top_block.type: a top block needs a pyramid",
    "head: {type: classifier}": "head.type: a classifier reads one map of a backbone",
    "backbone: {depth: 77}": "backbone.depth: 77 is not accepted; it takes 18, 34, 50, 101 or 152",
    "backbone: {depths: [3, 4, 6]}": "backbone.depths: [3, 4, 6] is not accepted; it takes a list of whole numbers from 1 to 512, 4 of them",
    "backbone: {depth: 18, groups: 2}": "backbone.groups: basic blocks take groups 1",
    "backbone: {width_per_group: 1, width: 0.1}": "backbone.width_per_group: 1 leaves no channels",
    "backbone: {width: .inf}": "write a finite number, or quote it",
    "input: {height: 0}": "spec.yaml:3:9: input.height: 0 is not accepted; it takes a whole number from 1 to 65536",
    "input: {height: 16}": "input.height: 16 is under 32, the stride of c5: its map would shrink to nothing; give at least 32",
    "inputs: {height: 64}": "spec.yaml:3:1: inputs: unknown key; a spec takes",
    "neck: {\u0441hannels: 64}": "neck.\\u0441hannels: unknown key; fpn takes channels, levels, norm, relu, fuse. Did you mean channels?",
    "neck: {'channels ': 64}": "neck.channels\\u0020: unknown key",
    "_target_: os.system": "_target_: unknown key",
    "extends: ${env}": "extends: unknown key",
    "axes: {neck.channels: []}": "axes.neck.channels: [] is not a list of at least one value",
    "axes: {neck.channels: }": "axes.neck.channels: None is not a list",
    "axes: {neck.channels: 64}": "axes.neck.channels: 64 is not a list",
    "axes: {neck.channels: [64, 64]}": "spec.yaml:3:8: axes.neck.channels: 64 is there twice",
    "axes: {backbone.width: [1, 1.0]}": "axes.backbone.width: 1.0 is there twice",
    "axes: {neck.channels: [64, abc]}": "axes.neck.channels: numbers and words are mixed",
    "axes: {channels: [64]}": "channels: not a path of a spec; write it like neck.channels",
    "axes: {measure.seed: [0, 1], neck.channels: [64]}": "spec.yaml:3:8: measure.seed: of the whole run, the same for every "
    "variant; write it under measure:, or `--set measure.seed=VALUE`. Of measure precision, memory_format, threads, engine, "
    "mode can vary",
    "axes: {both: {zip: {measure.budget: [1m, 2m], neck.channels: [64, 32]}}}": "spec.yaml:3:21: measure.budget: of the whole run",
    "include: [{measure.seed: 1}]": "measure.seed: of the whole run",
    "reference: {measure.replicas: 2}": "measure.replicas: of the whole run",
    "axes: {nek.channels: [64]}": "nek.channels: not a path of a spec; write it like neck.channels. Did you mean neck?",
    "axes: [neck.channels]": "axes: ['neck.channels'] is not a mapping",
    "exclude: [{neck.channels: 64}]": "exclude: neck.channels is not an axis",
    "axes: {neck.channels: [64]}\nexclude: [{neck.channels: 65}]": "exclude: neck.channels is never 65; it takes [64]",
    "include: [3]": "include: 3 is not {path: value}",
    "constraints: [gmacs <=]": "spec.yaml:3:15: gmacs <=: not an expression at column 9",
    "constraints: [gmcs <= 3]": "there is no gmcs here",
    "constraints: [gmacs]": "neither true nor false",
    "constraints: [\"__import__('os')\"]": "spec.yaml:3:15:",
    'constraints: ["().__class__"]': "spec.yaml:3:15:",
    "constraints: [9**9**9 > 1]": "spec.yaml:3:15:",
    "constraints: gmacs < 3": "constraints: 'gmacs < 3' is not a list",
    "axes: {neck.channels: [64]}\nexclude: [9**9**9 > 1]": "spec.yaml:4:11: 9**9**9 > 1: the exponent 9**9 is not allowed at column 4",
    "axes: {neck.channels: [64]}\nexclude: [\"open('x')\"]": "spec.yaml:4:11: open('x'): calling open is not allowed at column 1",
    "axes: {neck.channels: [64]}\nexclude: ['().__class__ == 1']": "spec.yaml:4:11: ().__class__ == 1: the attribute .__class__ is not allowed",
    "axes: {neck.channels: [64]}\nexclude: ["
    + "-" * 2**19
    + "1]": "an expression of over 1,000 characters; shorten it",
    "axes: {neck.channels: {values: [64], when: input.batch ** 99 > 1}, input.batch: [1]}": "spec.yaml:3:38: input.batch ** 99 > 1: the exponent 99 is not allowed",
    "axes: {neck.channels: {values: [64], when: __class__}}": "__class__: __class__ is not an axis",
    "axes: {neck.channels: {range: [0, 1e300, 1e-300]}}": "values are more than the 100,000 of one axis; widen the step",
    "axes: {module: [5]}": "module: 5 is not package.file:factory",
    "sample: {method: lhs}": "sample.n: missing; say how many points are drawn",
    "select: {minimize: [mac]}": "select.minimize: there is no metric 'mac'",
    "measure: {budget: soon}": "measure.budget: 'soon' is not a duration; write 90s, 4m30s or 1h",
    "measure: {budget: -3}": "measure.budget: -3 is not a duration",
    "measure: {device: tpu}": "measure.device: 'tpu' is not accepted; auto, cpu, cuda, cuda:N or none",
    "measure: {precision: int4}": "measure.precision: 'int4' is not accepted; it takes fp32, tf32, amp_fp16 or amp_bf16",
    "module: os.system": "module: 'os.system' is not package.file:factory",
    "scores: ../scores.csv": "scores: '../scores.csv' is outside the spec's folder",
    "name: ''": "name: '' is not a name of 1 to 200 characters",
    "reference: {neck.channels: 1.5}": "neck.channels: 1.5 is not accepted",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refuse(capsys, *arguments):
    """The one line a command refuses with; nothing on stdout."""
    assert exit_code_of(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err.strip()


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40].replace("\n", " "))
def test_bad_specs_are_refused_in_one_line_with_the_place(text, folder, capsys):
    Path("spec.yaml").write_text(HEAD + text + "\n")
    for command in ("check", "price") if text.startswith("constraints") else ("check", "price", "show"):
        assert REFUSED[text] in refuse(capsys, command, "spec.yaml")
    assert os.listdir(folder) == ["spec.yaml"]


@pytest.mark.parametrize(("command", "most"), [("check", "20,000,000"), ("price", "20,000,000"), ("show", "100,000")])
def test_a_trillion_variants_are_more_than_a_command_takes(command, most, folder, capsys):
    """One variant is looked up among those that are made one by one; a space is counted and priced by columns."""
    paths = ("neck.channels", "input.batch", "input.height", "input.width")
    Path("spec.yaml").write_text(HEAD + "axes:\n" + "".join(f"  {path}: [{THOUSAND}]\n" for path in paths))
    said = f"spec.yaml:3:1: axes: 1,000,000,000,000 variants are more than the {most} of one spec"
    assert said in refuse(capsys, command, "spec.yaml")
    assert os.listdir(folder) == ["spec.yaml"]


@pytest.mark.parametrize("text", list(REFUSED)[::6], ids=lambda text: text[:40].replace("\n", " "))
def test_run_refuses_them_too_and_touches_nothing_on_disk(text, folder, capsys):
    Path("spec.yaml").write_text(HEAD + text + "\n")
    assert REFUSED[text] in refuse(capsys, "run", "spec.yaml")
    assert os.listdir(folder) == ["spec.yaml"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "spec.yaml: the file is empty"),
        (b"\xff\xfe\x00\x01binary\x00", "spec.yaml:1: not UTF-8 text"),
        (b"archbench: 1\n\x00", "is not text; remove it"),
        (b"[1, 2]", "the top level is a list"),
        (b"archbench: 2\n", "archbench: 2; a spec begins with `archbench: 1`"),
        (b"archbench: true\n", "archbench: True; a spec begins with"),
        (b"name: x\n", "archbench: missing; a spec begins with `archbench: 1`"),
        (b"archbench: 1\nbase: R-51-FPN\n", "spec.yaml:2:1: base: there is no preset 'R-51-FPN'"),
        (b"archbench: 1\nbase: ../other.yaml\n", "base: '../other.yaml' is outside the spec's folder"),
        (b"archbench: 1\nbase: spec.yaml\n", "specs deep"),
        (b"archbench: 1\n", "backbone.type: missing; say which: resnet"),
        (b"archbench: 1\nbase: &a R-50-FPN\n", "anchor"),
        (b"a: " + b"[" * 50_000, "nested deeper than 32"),
    ],
)
def test_bad_files_are_refused(content, message, folder, capsys):
    Path("spec.yaml").write_bytes(content)
    assert message in refuse(capsys, "check", "spec.yaml")


def test_what_is_no_file_is_said_at_once(folder, capsys):
    os.mkfifo("pipe")
    assert "no such file" in refuse(capsys, "check", "missing.yaml")
    assert "neither a file nor a preset. Did you mean R-50-FPN?" in refuse(capsys, "price", "R-50-FNP")
    assert "not a regular file" in refuse(capsys, "check", ".")
    assert "not a regular file" in refuse(capsys, "check", "pipe")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("neck.channels", "not PATH=VALUE"),
        ("neck.chanels=3", "neck.chanels: unknown key"),
        ("neck.channels=[", "--set 'neck.channels=[': not YAML"),
        ("top=3", "top: not a path of a spec"),
    ],
)
def test_a_bad_set_is_refused(given, message, folder, capsys):
    Path("spec.yaml").write_text(HEAD)
    assert message in refuse(capsys, "check", "spec.yaml", "--set", given)


def test_a_set_over_an_axis_is_refused(folder, capsys):
    Path("spec.yaml").write_text(HEAD + "axes: {neck.channels: [64, 128]}\n")
    assert "neck.channels: it is an axis" in refuse(capsys, "check", "spec.yaml", "--set", "neck.channels=3")


def test_a_bad_variant_of_many_is_named(folder, capsys):
    Path("spec.yaml").write_text(HEAD + "axes:\n  neck.norm: [none, group]\n  neck.channels: [64, 72]\n")
    line = refuse(capsys, "check", "spec.yaml")
    assert line.startswith("spec.yaml:4:3: neck.norm: group has 32 groups")
    assert line.endswith("(in the variant neck.norm: group, neck.channels: 72)")


def test_user_code_runs_only_when_the_command_says_so(folder, capsys):
    Path("evil.py").write_text("open('was_imported', 'w')\ndef net(): pass\n")
    Path("spec.yaml").write_text(HEAD + "module: evil:net\n")
    assert "module: evil:net is your own code" in refuse(capsys, "run", "spec.yaml")
    assert exit_code_of(["price", "spec.yaml"]) == 0
    assert not Path("was_imported").exists()


def test_init_does_not_overwrite(folder, capsys):
    Path("spec.yaml").write_text("mine")
    assert "spec.yaml: it is there already" in refuse(capsys, "init", "spec.yaml")
    assert Path("spec.yaml").read_text() == "mine"


def test_a_name_that_is_not_in_the_spec_is_refused_with_the_nearest(capsys):
    assert "there is no variant 'R-50-FPM'" in refuse(capsys, "show", "R-50-FPN", "R-50-FPM")


@pytest.mark.process
def test_a_word_click_does_not_know_is_exit_2():
    done = subprocess.run([sys.executable, "-m", "archbench", "prise"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No such command 'prise'" in done.stderr
