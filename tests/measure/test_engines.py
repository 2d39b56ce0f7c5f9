"""Engines: each gives eager's outputs or is refused before it is timed; what training does; what an engine may not run."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from cases import quick_first
from fakes import FakeDevice
from networks import sized
from torch import nn

from archbench.cli import exit_code_of
from archbench.errors import CannotMeasure
from archbench.measure.experiment import generation
from archbench.measure.worker import engines
from archbench.measure.worker.build import build
from archbench.measure.worker.devices import CpuDevice
from archbench.measure.worker.engines import (
    ENGINES,
    TOLERANCE,
    Engine,
    Subject,
    Unusable,
    check_agreement,
    output_distance,
    prepare_call,
    training_step,
)
from archbench.measure.worker.timed_network import TimedNetwork
from archbench.models.variant import ModuleFactory, Variant, Workload

SMALL = {"input.height": 32, "input.width": 32, "measure.threads": 1}


def subject(engine="eager", name="R-18-FPN", device=None, **workload):
    variant = sized(name, 32, 32)
    given = replace(variant.workload, engine=engine, threads=1, **workload)
    torch.manual_seed(5)
    return Subject(build(variant, seed=3), torch.randn(given.batch, 3, 32, 32), device or CpuDevice(), given)


def reference(one):
    with torch.inference_mode():
        return list(one.network(one.image).values())


# --- what engines compute ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", quick_first(["R-18-FPN", "R-50-FPN-RETINANET", "resnext50_32x4d_fpn"], 1))
def test_onnx_runtime_gives_the_networks_outputs_in_their_order(name):
    one = subject("onnxruntime", name)
    for given, wanted in zip(prepare_call(one).forward(), reference(one), strict=True):
        torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_compiled_network_gives_the_networks_outputs():
    one = subject("compile")
    prepared = prepare_call(one)
    for given, wanted in zip(prepared.forward().values(), reference(one), strict=True):
        torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-5)
    assert prepared.compile_ms > 0


def test_a_cuda_graph_is_the_device_replaying_the_eager_pass():
    device = FakeDevice(graphs=True)
    one = subject("cuda_graph", device=device)
    prepared = prepare_call(one)
    assert device.trips.count("capture") == 1
    device.trips.clear()
    torch.testing.assert_close(list(prepared.forward().values()), reference(one), rtol=0, atol=0)
    assert device.trips == ["replay"]


def test_eager_is_neither_called_nor_compared_before_it_is_timed():
    calls = []

    class Network(nn.Module):
        def forward(self, x):
            calls.append(x)
            return x

    prepared = prepare_call(replace(subject(), network=Network()))
    assert (calls, prepared.compile_ms) == ([], None)


def test_compiling_lasts_until_the_first_result_and_not_until_the_comparison(monkeypatch):
    device = FakeDevice(launch_ns=0)

    def lazy(one):
        """It compiles for 4 ms while its first call runs, as inductor does."""
        return lambda: device.launch(4_000_000)

    class Network(nn.Module):
        def forward(self, x):
            device.launch(900_000_000)

    monkeypatch.setitem(ENGINES, "compile", Engine(lazy))
    seen = []
    prepared = prepare_call(
        replace(subject("compile", device=device), network=Network()), lambda: seen.append(device.host)
    )
    assert (prepared.compile_ms, seen) == (4.0, [4_000_000])


# --- agreement -----------------------------------------------------------------------------------------------------------

EXPORTED_OTHERWISE = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
    def forward(self, x):
        y = self.conv(x)
        return {"p2": y, "p3": y * 1.01 if torch.compiler.is_compiling() else y}
def net(): return Net()
def nan(): return nn.Sequential(nn.Conv2d(3, 8, 3), Nan())
class Nan(nn.Module):
    def forward(self, x):
        return x * float("nan")
"""


def request(workload, factory, plugin):
    variant = Variant("", ModuleFactory(f"otherwise:{factory}"), workload)
    return {"variant": variant.as_json(), "device": "cpu", "seed": 0, "plugins": [str(plugin)]}


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "otherwise.py"
    path.write_text(EXPORTED_OTHERWISE)
    yield path
    sys.modules.pop("otherwise", None)


def test_a_network_exported_as_another_is_refused_before_anything_is_timed(plugin, monkeypatch):
    """1 % off in one of its two outputs: a hundred times what fp32 explains."""
    monkeypatch.setattr("archbench.measure.worker.timing.warm_up", pytest.fail)
    with pytest.raises(
        Unusable, match=r"^onnxruntime's output\['p3'\] is not eager's: (9\.9|1\.0)e-0[23] of its largest"
    ):
        TimedNetwork.start(request(Workload(1, 32, 32, threads=1, engine="onnxruntime"), "net", plugin))


def test_an_output_that_is_not_finite_is_said_of_eager_first(plugin):
    with pytest.raises(Unusable, match=r"its output is not finite \(shape \(1, 8, 30, 30\)"):
        TimedNetwork.start(request(Workload(1, 32, 32, threads=1, engine="onnxruntime"), "nan", plugin))


@pytest.mark.parametrize("precision", TOLERANCE)
def test_agreement_is_within_the_precisions_rounding_and_no_wider(precision):
    eager = {"p2": torch.full((4,), 8.0), "p3": torch.tensor([1.0, 0.0, -2.0])}
    for share, agrees in ((0.9, True), (1.1, False)):
        given = [eager["p2"].clone(), eager["p3"].double() + torch.tensor([0, share * TOLERANCE[precision] * 2, 0])]
        if agrees:
            check_agreement(given, eager, engine="compile", precision=precision)
        else:
            with pytest.raises(Unusable, match=r"compile's output\['p3'\] is not eager's"):
                check_agreement(given, eager, engine="compile", precision=precision)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([torch.ones(2)], "compile gives 1 outputs where eager gives 2"),
        ([torch.ones(2), torch.ones(4)], r"compile's output\['b'\] has shape \(4,\), eager's \(3,\)"),
        ([torch.ones(2), torch.tensor([1.0, float("nan"), 1.0])], r"compile's output\['b'\] is not eager's: nan"),
    ],
)
def test_other_outputs_are_no_agreement(given, message):
    with pytest.raises(Unusable, match=message):
        check_agreement(given, {"a": torch.ones(2), "b": torch.ones(3)}, engine="compile", precision="amp_bf16")


def test_zeros_agree_with_zeros_alone():
    assert output_distance(torch.zeros(3), torch.zeros(3)) == 0.0
    assert output_distance(torch.full((3,), 1e-30), torch.zeros(3)) == float("inf")
    assert output_distance(torch.zeros(0), torch.zeros(0)) == 0.0


def test_what_rounding_explains_follows_from_the_formats():
    """Units in the last place: 24, 11 and 8 bits; 26 = 2 x 13 for R-152-FPN's depth; sqrt(512 x 3 x 3) = 67.9 terms."""
    assert [round(TOLERANCE[name], 6) for name in ("fp32", "amp_fp16", "tf32", "amp_bf16")] == [
        round(26 * 68 / 16_777_216, 6),
        round(26 / 2048, 6),
        round(26 / 2048, 6),
        round(26 / 256, 6),
    ]


# --- what an engine does not run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "workload", "message"),
    [
        (
            "onnxruntime",
            {"mode": "train"},
            "onnxruntime does not train; take one of eager, compile, or measure.mode: infer",
        ),
        (
            "cuda_graph",
            {"mode": "train"},
            "cuda_graph does not train; take one of eager, compile, or measure.mode: infer",
        ),
        ("cuda_graph", {}, "cuda_graph needs a CUDA device; take eager or compile on the cpu"),
        (
            "onnxruntime",
            {"precision": "amp_bf16"},
            "measure.precision: amp_bf16 is not what .* take fp32, or engine: eager",
        ),
        ("onnxruntime", {"memory_format": "channels_last"}, "channels_last is not what .* take contiguous, or engine"),
    ],
)
def test_what_an_engine_cannot_run_is_refused_with_the_way_out(engine, workload, message):
    with pytest.raises(CannotMeasure, match=message):
        prepare_call(subject(engine, **workload))


def test_onnx_runtime_is_refused_on_a_gpu():
    with pytest.raises(CannotMeasure, match=r"measure.device: cuda:0 is not what .* take cpu, or engine: eager"):
        prepare_call(subject("onnxruntime", device=FakeDevice(name="cuda:0")))


@pytest.mark.parametrize("package", ["onnxruntime", "onnxscript"])
def test_a_package_that_is_not_there_says_what_to_type(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CannotMeasure, match=rf"needs the package .*{package}.*; pip install archbench\[onnx\]"):
        prepare_call(subject("onnxruntime"))


# --- how onnx runtime is set ---------------------------------------------------------------------------------------------


def test_onnx_runtime_has_the_workloads_threads_and_parks_them_between_calls():
    session = engines._onnx_session(pytest.importorskip("onnxruntime"), subject("onnxruntime"))
    options = session.get_session_options()
    assert options.intra_op_num_threads == 1
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_an_engines_facts_are_the_versions_that_decide_its_speed():
    facts = prepare_call(subject("onnxruntime")).facts
    assert facts["name"] == "onnxruntime"
    assert facts["onnxruntime"] == pytest.importorskip("onnxruntime").__version__
    assert prepare_call(subject()).facts == {"name": "eager", "torch": version("torch")}


COMPILES = """
import json
from archbench.models.variant import ModuleFactory, Variant, Workload
from archbench.measure.supervisor.worker_process import Worker, WorkerSetup
variant = Variant("", ModuleFactory("otherwise:small"), Workload(1, 32, 32, threads=1, engine="compile"))
with Worker(variant, WorkerSetup("cpu", 0, ({plugin!r},)), timeout=300.0) as worker:
    print(json.dumps(worker.start()))
"""


@pytest.mark.process
@pytest.mark.slow
def test_the_first_generation_compiles_and_says_so_and_the_next_finds_it_compiled(tmp_path):
    plugin = tmp_path / "otherwise.py"
    plugin.write_text("from torch import nn\ndef small(): return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())\n")
    environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    code = COMPILES.format(plugin=str(plugin))
    first, second = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(2)
    )
    assert (first["engine"]["cache"], second["engine"]["cache"]) == ("cold", "warm")
    assert list(first["cold_ms"]) == ["import", "build", "compile"]
    assert all(ms > 0 for ms in first["cold_ms"].values())


# --- training ------------------------------------------------------------------------------------------------------------


def one_by_one(weight, image):
    network = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(network.weight, weight)
    return network, training_step(network, network, image, torch.enable_grad)


def test_a_step_goes_back_through_the_sum_of_the_outputs_means_of_squares():
    """y = w x, loss = mean(w^2 x^2): 0.25 * 7.5 with w = 0.5 and x = 1, 2, 3, 4; its slope is 2 w mean(x^2) = 7.5."""
    network, step = one_by_one(0.5, torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 2, 2))
    assert step()["loss"].item() == 0.25 * 7.5
    assert network.weight.grad.item() == 7.5
    step()
    assert network.weight.grad.item() == 7.5  # let go before each step, not added up


def test_every_output_has_its_part_in_the_loss():
    network = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(network.weight, 1.0)
    step = training_step(
        network, lambda x: {"a": network(x), "b": [2 * network(x)]}, torch.ones(1, 1, 2, 2), torch.enable_grad
    )
    assert step()["loss"].item() == 1.0 + 4.0


def test_a_step_moves_no_weight_and_updates_them_all(monkeypatch):
    """The optimizer runs, with momentum, at a rate of nought: step after step is the same work on the same numbers."""
    made = []
    real = torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: (made.append(self), real(self))[1])
    one = subject(mode="train")
    before = [p.clone() for p in one.network.parameters()]
    forward = prepare_call(one).forward
    forward(), forward()
    assert all(torch.equal(p, q) for p, q in zip(one.network.parameters(), before, strict=True))
    momenta = [made[0].state[p]["momentum_buffer"] for p in one.network.parameters()]
    assert [m.shape for m in momenta] == [p.shape for p in before]
    torch.testing.assert_close(momenta[0], 1.9 * next(one.network.parameters()).grad)  # g, then 0.9 g + g
    assert len(made) == 2


def statistics(network):
    return {name: buffer.clone() for name, buffer in network.named_buffers()}


@pytest.mark.parametrize(("name", "moves"), [("R-18-FPN", False), ("batch", True)])
def test_frozen_norms_stay_frozen_and_batch_norms_learn_their_statistics(name, moves):
    variant = sized(
        "R-18-FPN", 64, 64, {"backbone.norm": "batch", "backbone.norm_eps": 1e-5} if name == "batch" else {}
    )
    network = build(variant)
    one = Subject(network, torch.randn(2, 3, 64, 64), CpuDevice(), replace(variant.workload, batch=2, mode="train"))
    before = statistics(network)
    prepare_call(one).forward()
    after = statistics(network)
    changed = [key for key in before if not torch.equal(before[key], after[key])]
    assert bool(changed) is moves
    assert network.training


def test_training_is_timed_with_the_loss_looked_at_and_inferences_counts_said_to_be_its(plugin):
    workload = Workload(1, 32, 32, threads=1, mode="train")
    session = TimedNetwork.start(request(workload, "net", plugin))
    assert session.facts["notes"] == ["train: counts and priced bytes are of inference"]
    warm = session.warm_up()
    assert warm["wall_ns"]
    assert warm["traced"]["macs"] == 8 * 3 * 9 * 30 * 30
    assert session.subject.network.training
    with pytest.raises(Unusable, match="its output is not finite"):
        TimedNetwork.start(request(workload, "nan", plugin)).warm_up()


@pytest.mark.slow
def test_a_compiled_step_has_eagers_loss_and_gradients():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    one = replace(subject("compile", mode="train", batch=2), network=network)
    told = {}
    for engine in ("compile", "eager"):
        step = prepare_call(replace(one, workload=replace(one.workload, engine=engine))).forward
        told[engine] = [step()["loss"], *(p.grad.clone() for p in network.parameters())]
    torch.testing.assert_close(told["compile"], told["eager"], rtol=1e-4, atol=1e-6)


# --- through the command -------------------------------------------------------------------------------------------------

SPEC = """\
archbench: 1
name: engines
base: R-18-FPN
input: {height: 32, width: 32}
axes: {measure.engine: [eager, onnxruntime], measure.mode: [infer, train]}
exclude: [{measure.engine: onnxruntime, measure.mode: train}]
measure: {device: cpu, threads: 1, generations: 1}
"""


def stored(run):
    return [json.loads(line) for line in (Path(run) / "records.jsonl").read_text().splitlines()]


@pytest.mark.process
@pytest.mark.slow
def test_engine_and_mode_are_axes_like_any_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(generation, "PATIENCE_S", 0.0)  # what is seen here needs no calm machine
    (tmp_path / "spec.yaml").write_text(SPEC)
    assert exit_code_of(["run", "spec.yaml", "--json"]) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    rows = {(row["measure.engine"], row["measure.mode"]): row for row in found["variants"]}
    assert set(rows) == {("eager", "infer"), ("onnxruntime", "infer"), ("eager", "train")}
    assert all(row["status"] == "measured" and row["latency_ms"] > 0 for row in rows.values())
    records = {tuple(record["axes"].values()): record for record in stored(found["run"])}
    assert list(records["onnxruntime", "infer"]["cold_ms"]) == ["import", "build", "compile"]
    assert list(records["eager", "infer"]["cold_ms"]) == ["import", "build", "first call"]
    assert "train: counts and priced bytes are of inference" in records["eager", "train"]["warnings"]
    assert not [text for text in records["eager", "infer"]["warnings"] if text.startswith("train:")]
    assert records["eager", "train"]["memory_bytes"] > 3 * records["eager", "infer"]["exact"]["weight_bytes"]
    assert exit_code_of(["report", found["run"], "--format", "markdown"]) == 0
    table = capsys.readouterr().out
    assert "onnxruntime" in table
    assert "eager" in table
