"""A built module counted as it runs: any module in all, by torch's counter and fvcore's, and a graph's layer by layer.

What neither counter knows is in the result. Law 1 holds a graph's layers against their price.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from archbench.measure.worker.memory import live_peak
from archbench.pricing.price import Layer

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore's import scripts a function, which torch deprecates
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis


@dataclass(frozen=True)
class Trace:
    """The counts of one forward pass of any module. `uncounted` maps each op without a formula to its calls."""

    params: int
    weight_bytes: int
    macs: int
    peak_bytes: int
    fvcore_flops: int | None
    acts: int | None
    uncounted: dict[str, int]

    def as_json(self) -> dict[str, int]:
        """By the metrics' names, those that were counted."""
        counts = {
            "params": self.params,
            "weight_bytes": self.weight_bytes,
            "macs": self.macs,
            "flops": 2 * self.macs,
            "fvcore_flops": self.fvcore_flops,
            "acts": self.acts,
            "peak_bytes": self.peak_bytes,
        }
        return {name: value for name, value in counts.items() if value is not None}


class _OpCounter(TorchDispatchMode):
    """Counts calls of ops for which torch.utils.flop_counter has no formula and which are no views."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func.overloadpacket
        if packet not in flop_registry and not func.is_view:
            self.calls[str(packet)] += 1
        return func(*args, **(kwargs or {}))


def trace(module: nn.Module, image: torch.Tensor, *, fvcore: bool = True) -> Trace:
    """Count any module on one batch: MACs by torch's counter, flops and activations by fvcore.

    fvcore traces with jit and so needs a real image (`fvcore=False` on meta). Nothing that was not counted is dropped:
    `uncounted` has it.
    """
    module.eval()
    with FlopCounterMode(display=False) as counter, _OpCounter() as ops, torch.no_grad():
        module(image)
    uncounted = dict(ops.calls)
    flops = acts = None
    if fvcore:
        flops, acts, unsupported = fvcore_counts(module, image)
        uncounted |= unsupported
    return Trace(
        params=sum(p.numel() for p in module.parameters()),
        weight_bytes=sum(t.nbytes for t in [*module.parameters(), *module.buffers()]),
        macs=counter.get_total_flops() // 2,
        peak_bytes=live_peak(module, image),
        fvcore_flops=flops,
        acts=acts,
        uncounted=uncounted,
    )


def fvcore_counts(module: nn.Module, image: torch.Tensor) -> tuple[int, int, dict[str, int]]:
    """fvcore's totals and the ops it has no handle for, with their calls."""
    with _quiet_logger("fvcore.nn.jit_analysis"), torch.no_grad():
        flops = FlopCountAnalysis(module, image).tracer_warnings("none")
        acts = ActivationCountAnalysis(module, image).tracer_warnings("none")
        return int(flops.total()), int(acts.total()), {f"fvcore {op}": n for op, n in flops.unsupported_ops().items()}


@contextmanager
def _quiet_logger(logger: str) -> Iterator[None]:
    """fvcore logs what it skipped; it is in the result here."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


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
