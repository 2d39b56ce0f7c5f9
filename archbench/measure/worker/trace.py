"""Law 1 on one built network: what it does, layer by layer, against what was priced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.utils.flop_counter import FlopCounterMode

from archbench.pricing.price import Layer


@dataclass(frozen=True)
class TracedLayer:
    """One node as it ran: the shape of its output (batch first), its own parameters, its multiply-accumulates."""

    name: str
    shape: tuple[int, ...]
    params: int
    macs: int


class _LayerTracer(fx.Interpreter):
    """Runs a graph module node by node and reads the flop counter after each."""

    def __init__(self, module: fx.GraphModule, counter: FlopCounterMode) -> None:
        super().__init__(module)
        self.counter, self.layers = counter, list[TracedLayer]()

    def run_node(self, n: fx.Node) -> Any:
        before = self.counter.get_total_flops()
        value = super().run_node(n)
        if n.op.startswith("call_"):
            own = self.fetch_attr(n.target).parameters() if n.op == "call_module" else ()
            macs = (self.counter.get_total_flops() - before) // 2
            self.layers.append(TracedLayer(n.name, tuple(value.shape), sum(p.numel() for p in own), macs))
        return value


def trace_layers(network: fx.GraphModule, image: torch.Tensor) -> tuple[TracedLayer, ...]:
    """Every node of a built network in execution order, counted by torch.utils.flop_counter. Meta tensors will do."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        tracer = _LayerTracer(network, counter)
        tracer.run(image)
    return tuple(tracer.layers)


def find_disagreements(priced: tuple[Layer, ...], traced: tuple[TracedLayer, ...], batch: int) -> list[str]:
    """Law 1, layer by layer: a sentence for every layer whose shape, parameters or MACs were priced otherwise."""
    if len(priced) != len(traced):
        return [f"{len(priced)} layers were priced and {len(traced)} ran"]
    return [
        f"{price.name}: priced {_layer_facts(price, batch)}, traced {(trace.shape, trace.params, trace.macs)}"
        for price, trace in zip(priced, traced, strict=True)
        if _layer_facts(price, batch) != (_pad_shape(trace.shape), trace.params, trace.macs)
    ]


def _layer_facts(layer: Layer, batch: int) -> tuple[tuple[int, ...], int, int]:
    return (batch, *layer.shape), layer.params, layer.macs


def _pad_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A vector per image has one pixel."""
    return (*shape, 1, 1) if len(shape) == 2 else shape
