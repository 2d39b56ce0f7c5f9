"""Memory: live bytes of a step of training, and an allocator's figures gathered in a pass of their own."""

from dataclasses import replace

import pytest
import torch
from fakes import FakeDevice
from networks import sized
from torch import nn

from archbench.measure.worker.build import build
from archbench.measure.worker.devices import CpuDevice
from archbench.measure.worker.engines import Subject
from archbench.measure.worker.memory import MemoryFigures, live_peak, live_training_peak, measure_memory
from archbench.measure.worker.timed_network import NetworkCounts, TimedNetwork
from archbench.models.variant import Workload
from archbench.pricing.price import price

FLOAT = 4
MIB = 1 << 20


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_training_holds_weights_gradients_and_momentum_at_once(device):
    """A 1 x 1 convolution of 512 to 512 channels on one pixel. The backward pass ends with the weight, its gradient, its
    momentum, the image, the output, the output's gradient, which it was made from, and the loss: a scalar and the 0-dim
    tensor it was stacked from."""
    weight, pixel, scalar = 512 * 512 * FLOAT, 512 * FLOAT, FLOAT
    network = nn.Conv2d(512, 512, 1, bias=False, device=device)
    peak = live_training_peak(network, torch.ones(1, 512, 1, 1, device=device))
    assert peak - 3 * weight - 3 * pixel in (scalar, 2 * scalar)


A_LARGE_ONE = pytest.param("R-50-FPN", "group", marks=pytest.mark.slow)


@pytest.mark.parametrize(("name", "norm"), [("R-18-FPN", "frozen"), ("R-18-FPN", "batch"), A_LARGE_ONE])
def test_a_meta_twin_trains_in_the_bytes_a_real_network_does(name, norm):
    variant = sized(name, 64, 96, {"backbone.norm": norm, "backbone.norm_eps": 1e-5}, batch=2)
    peaks = {
        device: live_training_peak(build(variant, device=device), torch.zeros(2, 3, 64, 96, device=device))
        for device in ("meta", "cpu")
    }
    assert peaks["meta"] == peaks["cpu"] > price(variant).peak_bytes


def test_tracing_a_step_leaves_the_network_as_it_was():
    network = nn.Conv2d(3, 8, 3).eval()
    before = network.weight.clone()
    live_training_peak(network, torch.randn(1, 3, 8, 8))
    assert not network.training
    assert network.weight.grad is None
    assert torch.equal(network.weight, before)


def test_inference_is_traced_as_before():
    variant = sized("R-18-FPN", 64, 96)
    twin = build(variant, device="meta")
    assert live_peak(twin, torch.empty(1, 3, 64, 96, device="meta")) == price(variant).peak_bytes


# --- a device with an allocator ------------------------------------------------------------------------------------------


class Driver:
    """NVML's answer for this process."""

    def __init__(self, held):
        self.held = held

    def process_bytes(self, pid):
        return self.held


class Network(nn.Module):
    """Takes 100 MiB of scratch in its first call, as cuDNN's search does, and 10 MiB in every other."""

    def __init__(self, device, first=100 * MIB, work_ns=2_000_000_000):
        super().__init__()
        self.device, self.scratch, self.work_ns = device, iter([first]), work_ns

    def forward(self, x):
        held = self.device.allocate(next(self.scratch, 10 * MIB))
        self.device.launch(self.work_ns)
        return held


def session(device, **network):
    subject = Subject(Network(device, **network), torch.zeros(1, 3, 8, 8), device, Workload(1, 8, 8))
    return TimedNetwork(subject, NetworkCounts({"peak_bytes": 7}, {}, live_bytes=7))


def test_the_first_calls_peak_and_the_steady_one_are_told_apart():
    told = session(FakeDevice(name="cpu", capacity=1 << 30)).warm_up()
    assert (told["memory_bytes"], told["memory_kind"]) == (10 * MIB, "measured")
    assert told["memory"]["steady_bytes"] == 10 * MIB
    assert told["memory"]["cold_bytes"] == 100 * MIB
    assert told["memory"]["context_bytes"] is None  # no driver told of this process


def test_no_pass_over_memory_lies_among_the_timed_calls():
    device = FakeDevice(name="cpu", capacity=1 << 30)
    one = session(device)
    one.warm_up()
    device.trips.clear()
    one.time_block(call_ns=2_000_000_000)
    assert "reset_peak" not in device.trips


def test_two_sets_of_outputs_are_never_alive():
    """The network gives out its 10 MiB; a warm-up that kept them while it calls again would hold 20."""
    one = session(FakeDevice(name="cpu", capacity=1 << 30), first=10 * MIB, work_ns=10_000_000)
    assert one.warm_up()["memory"]["cold_bytes"] == 10 * MIB


def test_what_the_driver_holds_beside_the_allocator_is_the_context():
    device = FakeDevice(capacity=1 << 30)
    told = measure_memory(lambda: device.allocate(MIB), device, Driver(500 * MIB), cold={"allocated": 3, "retries": 2})
    assert told == MemoryFigures(MIB, 3, MIB, MIB, 500 * MIB - MIB, retries=2)


def test_a_driver_that_does_not_tell_leaves_the_context_null():
    device = FakeDevice(capacity=1 << 30)
    told = measure_memory(lambda: device.allocate(MIB), device, Driver(None), cold={"allocated": 3, "retries": 0})
    assert replace(told, context_bytes=0) == MemoryFigures(MIB, 3, MIB, MIB, 0, retries=0)
    assert told.context_bytes is None


def test_where_no_allocator_tells_the_traced_bytes_stand_and_the_rest_is_null():
    told = session(FakeDevice(name="cpu")).warm_up()
    assert (told["memory_bytes"], told["memory_kind"]) == (7, "traced")
    assert set(told["memory"].values()) == {None}


def test_a_cpus_training_is_traced_through_its_step():
    variant = sized("R-18-FPN", 32, 32, {"measure.mode": "train", "measure.threads": 1})
    given = {"variant": variant.as_json(), "device": "cpu", "seed": 0, "plugins": []}
    one = TimedNetwork.start(given)
    twin = build(variant, device="meta")
    assert one.counted.live_bytes == live_training_peak(twin, torch.empty(1, 3, 32, 32, device="meta"))
    assert one.counted.traced["peak_bytes"] == price(variant).peak_bytes < one.counted.live_bytes


def test_what_a_device_can_measure_beside_requests_is_said():
    assert session(FakeDevice(name="cpu")).facts["quantities"] == ["step", "device"]
    assert session(FakeDevice(name="cpu", asynchronous=False)).facts["quantities"] == ["step"]
    assert CpuDevice.asynchronous is False


@pytest.mark.parametrize(("quantity", "waits", "fills"), [("request", 1, 0), ("step", 0, 0), ("device", 1, 1)])
def test_a_block_is_timed_as_its_quantity_wants_it(quantity, waits, fills):
    """Back-to-back calls are waited for together; without graphs the device's own work is one call behind a fill."""
    device = FakeDevice(name="cpu", launch_ns=1000)
    told = session(device, work_ns=10_000_000).time_block(call_ns=10_000_000, quantity=quantity)
    assert (device.trips.count("synchronize") == 2 * device.trips.count("launch")) == waits
    assert ("fill" in device.trips) == fills
    assert len(told["wall_ns"]) == len(told["device_ns"]) > told["dropped"]
