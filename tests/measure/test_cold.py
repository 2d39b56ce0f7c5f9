"""The cost of entry, piece by piece on scripted clocks. `mutants.py` hands these tests broken modules."""

import sys
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType

import pytest
import torch
from fakes import FakeDevice
from networks import sized
from torch import nn

from archbench.measure.worker import timed_network
from archbench.measure.worker import worker as the_worker
from archbench.measure.worker.engines import ENGINES, Engine
from archbench.models.variant import ModuleFactory, Variant, Workload

MS, S = 1_000_000, 1_000_000_000


@pytest.fixture
def session():
    return timed_network


@pytest.fixture
def worker():
    return the_worker


class Slow(nn.Module):
    """Its construction takes 700 ms of the device's clock, its first forward pass 3 s, every other 20 ms."""

    def __init__(self, device, conv=None):
        super().__init__()
        self.device, self.conv, self.calls = device, conv or nn.Conv2d(3, 8, 3), 0
        device.host += 700 * MS

    def forward(self, x):
        self.calls += 1
        self.device.host += 3 * S if self.calls == 1 else 20 * MS
        return self.conv(x)


@contextmanager
def hand_written(factory):
    """The request for a network that the module `scripted` makes."""
    module = ModuleType("scripted")
    module.net = factory
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "scripted", module)
        variant = Variant("", ModuleFactory("scripted:net"), Workload(1, 32, 32))
        yield {"variant": variant.as_json(), "device": "cpu", "seed": 0, "plugins": ["scripted"]}


def host():
    return FakeDevice(name="cpu", asynchronous=False, launch_ns=0)


@contextmanager
def on(device, session):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(session, "open_device", lambda name: device)
        yield patched


def lasting(device, took, events, function):
    """The function itself, on the clock and in the log."""

    def timed(*args, **kwargs):
        device.host += took
        events.append(function.__name__)
        return function(*args, **kwargs)

    return timed


def compiler(device, events):
    """An engine that works for 40 ms in its first call, as inductor does, and gives eager's outputs."""

    def forward(one):
        def call():
            if "compile" not in events:
                device.host += 40 * MS
                events.append("compile")
            with torch.inference_mode():
                return type(one.network).forward(one.network, one.image)

        return call

    return Engine(forward)


def test_the_first_call_of_a_hand_written_network_is_made_in_the_warm_up_and_counted_after(session):
    device = host()
    with on(device, session), hand_written(lambda: Slow(device)) as request:
        one = session.TimedNetwork.start(request, device.now_ns)
        assert one.facts["cold_ms"] == {"build": 700.0}
        assert one.subject.network.calls == 0
        warm = one.warm_up()
    assert warm["wall_ns"] == (3 * S,)
    assert warm["traced"]["macs"] == 8 * 3 * 9 * 30 * 30


def test_the_proof_of_a_built_network_is_no_part_of_its_build_and_makes_nothing_warm_for_its_compiler(session):
    """Each building takes 100 ms, of the twin too; law 1 takes 5 s."""
    device, events = host(), []
    variant = sized("R-18-FPN", 32, 32)
    variant = replace(variant, workload=replace(variant.workload, engine="compile"))
    request = {"variant": variant.as_json(), "device": "cpu", "seed": 0, "plugins": []}
    with on(device, session) as patched:
        patched.setitem(ENGINES, "compile", compiler(device, events))
        patched.setattr(session, "build", lasting(device, 100 * MS, events, session.build))
        patched.setattr(session, "trace_layers", lasting(device, 5 * S, events, session.trace_layers))
        one = session.TimedNetwork.start(request, device.now_ns)
    assert one.facts["cold_ms"] == {"build": 100.0, "compile": 40.0}
    assert events == ["build", "compile", "build", "trace_layers"]


def test_the_comparison_with_eager_is_no_part_of_build_or_compile(session):
    device = host()
    with on(device, session) as patched, hand_written(lambda: Slow(device, nn.Identity())) as request:
        patched.setitem(ENGINES, "compile", Engine(lambda one: lambda: (device.launch(40 * MS), one.image)[1]))
        request["variant"]["workload"]["engine"] = "compile"
        one = session.TimedNetwork.start(request, device.now_ns)
    assert one.subject.network.calls == 1  # eager's own first pass: 3 s
    assert one.facts["cold_ms"] == {"build": 700.0, "compile": 40.0}


def test_a_network_with_lazy_parameters_is_built_by_a_forward_pass(session):
    device = host()
    with on(device, session), hand_written(lambda: Slow(device, nn.LazyConv2d(8, 3))) as request:
        one = session.TimedNetwork.start(request, device.now_ns)
    assert one.facts["cold_ms"] == {"build": 3700.0}


def test_import_and_build_are_each_its_own_and_what_archbench_imports_to_count_with_is_neither(worker):
    """5 s for torch, 1 s for what counts, 700 ms for the network."""
    clock = iter([0, 5 * S, 6 * S, 6 * S + 700 * MS])
    handlers = worker._WorkerState(lambda: None, lambda: next(clock))
    with hand_written(lambda: nn.Conv2d(3, 8, 3)) as request:
        facts = handlers.answer({"do": "start", "memory_bytes": None, **request})
    assert facts["cold_ms"] == {"import": 5000.0, "build": 700.0}
    assert list(clock) == []


class Watched(FakeDevice):
    """What others do is told once, as shares since it was last asked."""

    foreign = 0.0

    def telemetry(self):
        told, self.foreign = self.foreign, 0.0
        return {"foreign": told}


def test_what_others_did_before_a_turn_is_not_the_turns(session):
    device = Watched(name="cpu", asynchronous=False)
    network = nn.Identity()
    one = session.TimedNetwork(session.Subject(network, torch.zeros(1, 3, 8, 8), device, Workload(1, 8, 8)))
    one.forward = lambda: device.launch(20 * MS)
    device.foreign = 1.0  # in another's turn
    assert one.time_block(call_ns=20 * MS)["telemetry"] == {"foreign": 0.0}
