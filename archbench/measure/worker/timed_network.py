"""One network on one device, ready to be timed: built, checked against its price, warmed up.

The order is that of the cost of entry, so that each piece of `cold_ms` does its own work and none of archbench's:
  build       the device opened, the network built once and put on it
  compile     by an engine that compiles, until its first result
  first call  of an engine that does not: the first of the warm-up
Proofs, counts and comparisons warm up a process, so each comes after the piece that it would falsify: the comparison with
eager and law 1 (traced on a meta twin, without a call of the network) after `compile`; the counts of a hand-written network,
which are real forward passes, after the warm-up. Three things cannot be ordered so. A lazy compiler works during its first
call, so that `compile` holds that call. A network with lazy parameters is built by a forward pass, so that its first call is
the second. And the packages that archbench counts with are imported before the build: a compiler finds triton there (0.2 s).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from archbench.design.spec.schema import Quantity
from archbench.errors import CannotMeasure
from archbench.measure.machine.nvml import Nvml
from archbench.measure.worker import timing
from archbench.measure.worker.build import build, load_factory
from archbench.measure.worker.count import find_disagreements, trace, trace_layers
from archbench.measure.worker.devices import Device, open_device
from archbench.measure.worker.energy import measure_energy
from archbench.measure.worker.engines import Subject, Unusable, check_finite, prepare_call
from archbench.measure.worker.memory import MemoryFigures, live_peak, live_training_peak, measure_memory
from archbench.models.variant import ModuleFactory, Variant, Workload, variant_from_json
from archbench.pricing.price import list_layers
from archbench.units import NS_PER_MS

Beat = Callable[[], None] | None
TRAINED = "train: counts and priced bytes are of inference"


@dataclass(frozen=True)
class NetworkCounts:
    """The counts of a network, and the tensor bytes alive at once in the workload's mode."""

    traced: dict[str, int]
    uncounted: dict[str, int]
    live_bytes: int


class TimedNetwork:
    """Holds a network's call and its device. `counted` is null until it is counted, once warm at the latest."""

    def __init__(self, subject: Subject, counted: NetworkCounts | None = None) -> None:
        self.subject, self.device, self.counted = subject, subject.device, counted
        identity = self.device.identity()
        self.nvml = Nvml(identity.get("uuid"))
        self._cold: Mapping[str, int | None] | None = None  # what the allocator said of the first calls
        self.device.reset_peak()
        prepared = prepare_call(subject, self._note_first_calls)
        self.forward = prepared.forward
        self.facts: dict[str, Any] = {
            "device": identity,
            "engine": prepared.facts,
            "cold_ms": {} if prepared.compile_ms is None else {"compile": prepared.compile_ms},
            "quantities": ["step", "device"] if self.device.asynchronous else ["step"],
            "meter": self.nvml.energy_mj() is not None,
            "notes": [TRAINED] if subject.workload.mode == "train" else [],
        }

    @classmethod
    def start(cls, request: Mapping[str, Any], clock: Callable[[], int] = time.perf_counter_ns) -> TimedNetwork:
        """Build what the request describes. Raises where the device is missing or the price and the network disagree."""
        variant = variant_from_json(request["variant"])
        began = clock()
        device = open_device(request["device"])
        device.configure(variant.workload)
        torch.manual_seed(request["seed"])
        network = _place_network(_build_network(variant, request), variant.workload, device)
        device.synchronize()
        build_ms = (clock() - began) / NS_PER_MS
        timed = cls(Subject(network, _make_input(variant.workload, device), device, variant.workload))
        timed.facts["cold_ms"] = {"build": build_ms, **timed.facts["cold_ms"]}
        if not isinstance(variant.architecture, ModuleFactory):
            timed.counted = _prove_counts(variant, device)
        return timed

    def warm_up(self, beat: Beat = None) -> dict[str, Any]:
        """Call until steady, look at what came out, then the memory of one more call, where the device can say.

        A hand-written network is counted last of all: counting calls it, and its first call is to be the first here.
        """
        outputs: list[object] = []

        def forward_and_keep() -> None:
            outputs.clear()  # before the call: two sets of outputs are never alive
            outputs.append(self.forward())

        calls, steady = timing.warm_up(forward_and_keep, self.device, beat=beat)
        check_finite(outputs)
        outputs.clear()
        self._note_first_calls()
        memory = self._measure_memory()
        if self.counted is None:
            if beat is not None:
                beat()
            self.counted = _count_network(self.subject)
        return asdict(calls) | {"steady": steady, **_describe_counts(memory, self.counted)}

    def time_block(
        self, call_ns: int, quantity: Quantity = "request", *, optional: bool = False, beat: Beat = None
    ) -> dict[str, Any]:
        """One turn: calls timed as that quantity wants them, with what the device tells of just these calls.

        An `optional` quantity that this network does not have on this device is `refused` with the reason.
        """
        self.device.telemetry()  # shares of time are told since the last reading: a turn's begin with the turn
        try:
            calls = timing.time_block(self.forward, self.device, call_ns=call_ns, quantity=quantity, beat=beat)
        except CannotMeasure as error:
            if not optional:
                raise
            return {"refused": str(error)}
        return asdict(calls) | {"telemetry": self.device.telemetry()}

    def measure_energy(self, call_ns: int, beat: Beat = None) -> dict[str, float | None]:
        """Millijoules of a call, null where there is no counter."""
        return measure_energy(self.forward, self.device, self.nvml, call_ns=call_ns, beat=beat)

    def _note_first_calls(self) -> None:
        """Note the peak of the first calls, once: cuDNN's search is behind, nothing else has run."""
        if self._cold is None:
            self._cold = self.device.memory()

    def _measure_memory(self) -> MemoryFigures:
        """A pass of its own over one call; all null where there is no allocator to ask."""
        if self.device.peak_bytes() is None:
            return MemoryFigures()
        assert self._cold is not None
        return measure_memory(self.forward, self.device, self.nvml, cold=self._cold)


def _describe_counts(memory: MemoryFigures, counted: NetworkCounts) -> dict[str, Any]:
    """Counts and memory for the record: without an allocator to ask, the memory is the live bytes that the trace counted."""
    measured = memory.steady_bytes is not None
    return {
        "traced": counted.traced,
        "uncounted": counted.uncounted,
        "memory_bytes": memory.steady_bytes if measured else counted.live_bytes,
        "memory_kind": "measured" if measured else "traced",
        "memory": asdict(memory),
    }


def _build_network(variant: Variant, request: Mapping[str, Any]) -> nn.Module:
    """The network in evaluation mode on the host: built, or the user's own."""
    if not isinstance(variant.architecture, ModuleFactory):
        return build(variant, seed=request["seed"])
    network = load_factory(variant.architecture.factory, request["plugins"])().eval()
    if any(is_lazy(parameter) for parameter in network.parameters()):
        with torch.no_grad():
            network(_make_image(variant.workload))
    return network


def _place_network(network: nn.Module, workload: Workload, device: Device) -> nn.Module:
    return network.to(device.name).to(memory_format=_memory_layout(workload))


def _make_image(workload: Workload) -> torch.Tensor:
    return torch.randn(workload.batch, 3, workload.height, workload.width)


def _make_input(workload: Workload, device: Device) -> torch.Tensor:
    return _make_image(workload).to(device.name).contiguous(memory_format=_memory_layout(workload))


def _memory_layout(workload: Workload) -> torch.memory_format:
    return torch.channels_last if workload.memory_format == "channels_last" else torch.contiguous_format


def _prove_counts(variant: Variant, device: Device) -> NetworkCounts:
    """The counts of the variant's meta twin, in inference whatever the mode. Raises Unusable where law 1 does not hold."""
    workload = variant.workload
    twin = build(variant, device="meta")
    image = torch.empty(workload.batch, 3, workload.height, workload.width, device="meta")
    traced = trace_layers(twin, image)
    if wrong := find_disagreements(list_layers(variant), traced, workload.batch):
        raise Unusable(f"{len(wrong)} layers are not what was priced; {wrong[0]}")
    counts = {"macs": sum(layer.macs for layer in traced), "peak_bytes": live_peak(twin, image)}
    return NetworkCounts(counts, {}, _live_bytes(Subject(twin, image, device, workload), counts["peak_bytes"]))


def _count_network(subject: Subject) -> NetworkCounts:
    """The counts of a network as it stands on its device, left in the mode it was in."""
    mode = subject.network.training
    counted = trace(subject.network, subject.image)
    live_bytes = _live_bytes(subject, counted.peak_bytes)
    subject.network.train(mode)
    return NetworkCounts(counted.as_json(), counted.uncounted, live_bytes)


def _live_bytes(subject: Subject, in_inference: int) -> int:
    """The peak in the workload's mode; a step of training is traced only where no allocator will tell."""
    if subject.workload.mode == "train" and subject.device.peak_bytes() is None:
        return live_training_peak(subject.network, subject.image)
    return in_inference
