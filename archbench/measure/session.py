"""One network on one device, ready to be timed: built, checked against its price, warmed up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from archbench.design.variant import Module, Variant, variant_from_json
from archbench.measure import timing
from archbench.measure.build import build
from archbench.measure.count import trace
from archbench.measure.devices import Device, open_device
from archbench.measure.memory import live_peak
from archbench.measure.trace import disagreements, trace_layers
from archbench.measure.user_code import load_factory
from archbench.pricing.price import layers


class Unusable(Exception):
    """The network runs, and its time is not to be reported: its price is not what it does, or it gives no numbers."""


class Session:
    """Holds the network, its input and its device."""

    def __init__(self, network: nn.Module, variant: Variant, device: Device, facts: dict[str, Any]) -> None:
        self.variant, self.device, self.facts = variant, device, facts
        workload = variant.workload
        layout = torch.channels_last if workload.memory_format == "channels_last" else torch.contiguous_format
        self.network = network.to(device.name).to(memory_format=layout)
        image = torch.randn(workload.batch, 3, workload.height, workload.width)
        self.image = image.to(device.name).contiguous(memory_format=layout)

    @classmethod
    def start(cls, request: Mapping[str, Any]) -> Session:
        """Build what the request describes. Raises where the device is missing or the price and the network disagree."""
        variant = variant_from_json(request["variant"])
        device = open_device(request["device"])
        device.configure(variant.workload)
        torch.manual_seed(request["seed"])
        if isinstance(variant.architecture, Module):
            network, facts = _hand_written(variant, request["plugins"])
        else:
            network, facts = _built(variant, request["seed"])
        return cls(network, variant, device, facts | {"device": device.identity()})

    def forward(self) -> object:
        with torch.inference_mode(), self.device.autocast(self.variant.workload):
            return self.network(self.image)

    def warm(self) -> dict[str, Any]:
        """Call until steady, look at what came out, then the memory of one more call, where the device can say."""
        outputs: list[object] = []

        def forward_and_keep() -> None:
            outputs[:] = [self.forward()]

        calls, steady = timing.warm_up(forward_and_keep, self.device)
        check_finite(outputs)
        outputs.clear()
        return asdict(calls) | {"steady": steady, **self._memory()}

    def block(self, call_ns: int) -> dict[str, Any]:
        calls = timing.block(self.forward, self.device, call_ns=call_ns)
        return asdict(calls) | {"telemetry": self.device.telemetry()}

    def _memory(self) -> dict[str, Any]:
        """The allocator's peak over one call, in a pass of its own; on the CPU the live bytes traced at the start stand."""
        self.device.reset_peak()
        if self.device.peak_bytes() is None:
            return {"memory_bytes": self.facts["traced"]["peak_bytes"], "memory_kind": "traced"}
        self.forward()
        self.device.synchronize()
        return {"memory_bytes": self.device.peak_bytes(), "memory_kind": "measured"}


def check_finite(outputs: object) -> None:
    """Raises Unusable where an output holds a NaN or an infinity: its time would be of something else."""
    for leaf in tree_leaves(outputs):
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and not bool(torch.isfinite(leaf).all()):
            raise Unusable(f"its output is not finite (shape {tuple(leaf.shape)}, {leaf.dtype})")


def _built(variant: Variant, seed: int) -> tuple[nn.Module, dict[str, Any]]:
    """The variant's network, after law 1 was proved on its meta twin."""
    workload = variant.workload
    twin = build(variant, device="meta")
    image = torch.empty(workload.batch, 3, workload.height, workload.width, device="meta")
    traced = trace_layers(twin, image)
    if wrong := disagreements(layers(variant), traced, workload.batch):
        raise Unusable(f"{len(wrong)} layers are not what was priced; {wrong[0]}")
    counts = {"macs": sum(layer.macs for layer in traced), "peak_bytes": live_peak(twin, image)}
    return build(variant, seed=seed), {"traced": counts, "uncounted": {}}


def _hand_written(variant: Variant, plugins: list[str]) -> tuple[nn.Module, dict[str, Any]]:
    """The user's own module, counted on one real batch."""
    assert isinstance(variant.architecture, Module)
    network = load_factory(variant.architecture.factory, plugins)().eval()
    workload = variant.workload
    counted = trace(network, torch.randn(workload.batch, 3, workload.height, workload.width))
    return network, {"traced": counted.as_json(), "uncounted": counted.uncounted}
