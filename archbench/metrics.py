"""Every metric once: its name, label, unit, better direction and how it is written. Formats and tables read this list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archbench import units

Kind = Literal["exact", "traced", "measured", "estimated"]
Direction = Literal["min", "max"]


@dataclass(frozen=True)
class Metric:
    """One quantity. `label` carries the unit of the written form; stored values are in base units (counts, bytes, ms)."""

    name: str
    label: str
    doc: str
    direction: Direction = "min"
    write: units.Format = units.count
    exact: bool = True


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("params", "params M", "parameters, batch-norm affine included, buffers not", write=units.mega),
        Metric("weight_bytes", "weights MiB", "parameters and buffers at their dtypes", write=units.mib),
        Metric("macs", "MACs G", "multiply-accumulates of conv and linear, whole batch", write=units.giga),
        Metric("flops", "FLOPs G", "2 x MACs", write=units.giga),
        Metric("fvcore_flops", "fvcore G", "what fvcore.nn.FlopCountAnalysis totals", write=units.giga),
        Metric("acts", "acts M", "output elements of conv and linear layers, whole batch", write=units.mega),
        Metric("kernels", "kernels", "graph nodes that write a tensor in eager inference"),
        Metric("peak_bytes", "peak MiB", "weights, buffers and the most feature bytes alive at once", write=units.mib),
        Metric(
            "latency_ms",
            "latency ms",
            "one forward pass, batch in to result ready, steady state; the median",
            write=units.milliseconds,
            exact=False,
        ),
        Metric(
            "memory_bytes",
            "memory MiB",
            "peak seen on the device (CPU: live tensor bytes, traced)",
            write=units.mib,
            exact=False,
        ),
        Metric(
            "score", "score", "the user's own accuracy column", direction="max", write=lambda v: f"{v:g}", exact=False
        ),
    )
}

EXACT: tuple[str, ...] = tuple(name for name, metric in METRICS.items() if metric.exact)

# Scaled forms an expression may use: name -> (metric, divisor).
SCALED: dict[str, tuple[str, float]] = {
    "gmacs": ("macs", 1e9),
    "gflops": ("flops", 1e9),
    "mparams": ("params", 1e6),
    "macts": ("acts", 1e6),
    "weight_mib": ("weight_bytes", units.MIB),
    "peak_gib": ("peak_bytes", units.GIB),
}
