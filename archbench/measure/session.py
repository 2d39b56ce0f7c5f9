"""One network on one device, ready to be timed: built, checked against its price, warmed up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from archbench.design.schema import Quantity
from archbench.design.variant import Module, Variant, Workload, variant_from_json
from archbench.errors import CannotMeasure
from archbench.measure import timing
from archbench.measure.build import build
from archbench.measure.count import trace
from archbench.measure.devices import Device, open_device
from archbench.measure.energy import energy
from archbench.measure.engines import Prepared, Subject, prepare
from archbench.measure.memory import Memory, allocated, live_peak, live_training_peak
from archbench.measure.nvml import Nvml
from archbench.measure.outputs import Unusable, check_finite
from archbench.measure.trace import disagreements, trace_layers
from archbench.measure.user_code import load_factory
from archbench.pricing.price import layers

Beat = Callable[[], None] | None
TRAINED = "train: counts and priced bytes are of inference"


@dataclass(frozen=True)
class Counted:
    """A network with what was counted on it, and the tensor bytes alive at once in the workload's mode."""

    network: nn.Module
    traced: dict[str, int]
    uncounted: dict[str, int]
    live_bytes: int


class Session:
    """Holds a network's call and its device."""

    def __init__(self, counted: Counted, workload: Workload, device: Device) -> None:
        self.device, self.live_bytes = device, counted.live_bytes
        identity = device.identity()
        self.nvml = Nvml(identity.get("uuid"))
        self._cold: Mapping[str, int | None] | None = None  # what the allocator said of the first calls
        prepared = self._prepare(counted.network, workload)
        self.forward = prepared.forward
        self.facts: dict[str, Any] = {
            "traced": counted.traced,
            "uncounted": counted.uncounted,
            "device": identity,
            "engine": prepared.facts,
            "cold_ms": {} if prepared.compile_ms is None else {"compile": prepared.compile_ms},
            "quantities": ["step", "device"] if device.asynchronous else ["step"],
            "meter": self.nvml.energy_mj() is not None,
            "notes": [TRAINED] if workload.mode == "train" else [],
        }

    @classmethod
    def start(cls, request: Mapping[str, Any]) -> Session:
        """Build what the request describes. Raises where the device is missing or the price and the network disagree."""
        variant = variant_from_json(request["variant"])
        device = open_device(request["device"])
        device.configure(variant.workload)
        torch.manual_seed(request["seed"])
        if isinstance(variant.architecture, Module):
            counted = _hand_written(variant, device, request["plugins"])
        else:
            counted = _built(variant, device, request["seed"])
        return cls(counted, variant.workload, device)

    def _prepare(self, network: nn.Module, workload: Workload) -> Prepared:
        """The engine's call on the network and one batch, both in the workload's layout on the device."""
        layout = torch.channels_last if workload.memory_format == "channels_last" else torch.contiguous_format
        network = network.to(self.device.name).to(memory_format=layout)
        image = torch.randn(workload.batch, 3, workload.height, workload.width)
        image = image.to(self.device.name).contiguous(memory_format=layout)
        self.device.reset_peak()
        return prepare(Subject(network, image, self.device, workload), self._first_calls_made)

    def warm(self, beat: Beat = None) -> dict[str, Any]:
        """Call until steady, look at what came out, then the memory of one more call, where the device can say."""
        outputs: list[object] = []

        def forward_and_keep() -> None:
            outputs.clear()  # before the call: two sets of outputs are never alive
            outputs.append(self.forward())

        calls, steady = timing.warm_up(forward_and_keep, self.device, beat=beat)
        check_finite(outputs)
        outputs.clear()
        self._first_calls_made()
        return asdict(calls) | {"steady": steady, **self._memory()}

    def block(
        self, call_ns: int, quantity: Quantity = "request", *, optional: bool = False, beat: Beat = None
    ) -> dict[str, Any]:
        """One turn: calls timed as that quantity wants them, with what the device tells of just these calls.

        An `optional` quantity that this network does not have on this device is `refused` with the reason.
        """
        self.device.telemetry()  # shares of time are told since the last reading: a turn's begin with the turn
        try:
            calls = timing.block(self.forward, self.device, call_ns=call_ns, quantity=quantity, beat=beat)
        except CannotMeasure as error:
            if not optional:
                raise
            return {"refused": str(error)}
        return asdict(calls) | {"telemetry": self.device.telemetry()}

    def energy(self, call_ns: int, beat: Beat = None) -> dict[str, float | None]:
        """Millijoules of a call, null where there is no counter."""
        return energy(self.forward, self.device, self.nvml, call_ns=call_ns, beat=beat)

    def _first_calls_made(self) -> None:
        """Note the peak of the first calls, once: cuDNN's search is behind, nothing else has run."""
        if self._cold is None:
            self._cold = self.device.memory()

    def _memory(self) -> dict[str, Any]:
        """A pass of its own over one call; where there is no allocator to ask, the live bytes traced at the start stand."""
        if self.device.peak_bytes() is None:
            return {"memory_bytes": self.live_bytes, "memory_kind": "traced", "memory": asdict(Memory())}
        assert self._cold is not None
        memory = allocated(self.forward, self.device, self.nvml, cold=self._cold)
        return {"memory_bytes": memory.steady_bytes, "memory_kind": "measured", "memory": asdict(memory)}


def _built(variant: Variant, device: Device, seed: int) -> Counted:
    """The variant's network, after law 1 was proved on its meta twin, in inference whatever the mode."""
    workload = variant.workload
    twin = build(variant, device="meta")
    image = torch.empty(workload.batch, 3, workload.height, workload.width, device="meta")
    traced = trace_layers(twin, image)
    if wrong := disagreements(layers(variant), traced, workload.batch):
        raise Unusable(f"{len(wrong)} layers are not what was priced; {wrong[0]}")
    counts = {"macs": sum(layer.macs for layer in traced), "peak_bytes": live_peak(twin, image)}
    live_bytes = _live_bytes(twin, image, workload, device, counts["peak_bytes"])
    return Counted(build(variant, seed=seed), counts, {}, live_bytes)


def _hand_written(variant: Variant, device: Device, plugins: list[str]) -> Counted:
    """The user's own module, counted on one real batch."""
    assert isinstance(variant.architecture, Module)
    network = load_factory(variant.architecture.factory, plugins)().eval()
    workload = variant.workload
    image = torch.randn(workload.batch, 3, workload.height, workload.width)
    counted = trace(network, image)
    live_bytes = _live_bytes(network, image, workload, device, counted.peak_bytes)
    return Counted(network, counted.as_json(), counted.uncounted, live_bytes)


def _live_bytes(network: nn.Module, image: torch.Tensor, workload: Workload, device: Device, in_inference: int) -> int:
    """The peak in the workload's mode; a step of training is traced only where no allocator will tell."""
    if workload.mode == "train" and device.peak_bytes() is None:
        return live_training_peak(network, image)
    return in_inference
