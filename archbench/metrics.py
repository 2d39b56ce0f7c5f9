"""Every metric once: its name, label, unit, better direction and how it is written. Formats and tables read this list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archbench import units
from archbench.errors import SpecError
from archbench.text import quote_key, suggest_nearest

Kind = Literal["exact", "traced", "measured", "estimated"]
Direction = Literal["min", "max"]


@dataclass(frozen=True)
class Metric:
    """One quantity. `label` carries the unit of the written form; stored values are in base units (counts, bytes, ms).

    `scale` is how many base units that unit has, for charts, whose axes have numbers of their own.
    """

    name: str
    label: str
    doc: str
    direction: Direction = "min"
    format: units.Format = units.format_count
    exact: bool = True
    scale: float = 1

    @property
    def title(self) -> str:
        """The label as an axis of a chart has it: `MACs (G)`."""
        quantity, _, unit = self.label.rpartition(" ")
        return f"{quantity} ({unit})" if quantity else self.label


def _measured_metric(
    name: str,
    label: str,
    doc: str,
    write: units.Format = units.format_count,
    *,
    direction: Direction = "min",
    scale: float = 1,
) -> Metric:
    return Metric(name, label, doc, direction, write, exact=False, scale=scale)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "params",
            "params M",
            "parameters, batch-norm affine included, buffers not",
            format=units.format_mega,
            scale=units.MEGA,
        ),
        Metric(
            "weight_bytes",
            "weights MiB",
            "parameters and buffers at their dtypes",
            format=units.format_mib,
            scale=units.MIB,
        ),
        Metric(
            "macs",
            "MACs G",
            "multiply-accumulates of conv and linear, whole batch",
            format=units.format_giga,
            scale=units.GIGA,
        ),
        Metric("flops", "FLOPs G", "2 x MACs", format=units.format_giga, scale=units.GIGA),
        Metric(
            "fvcore_flops",
            "fvcore G",
            "what fvcore.nn.FlopCountAnalysis totals",
            format=units.format_giga,
            scale=units.GIGA,
        ),
        Metric(
            "acts",
            "acts M",
            "output elements of conv and linear layers, whole batch",
            format=units.format_mega,
            scale=units.MEGA,
        ),
        Metric("kernels", "kernels", "graph nodes that write a tensor in eager inference"),
        Metric(
            "peak_bytes",
            "peak MiB",
            "weights, buffers and the most feature bytes alive at once",
            format=units.format_mib,
            scale=units.MIB,
        ),
        _measured_metric(
            "latency_ms",
            "latency ms",
            "one forward pass, batch in to result ready, steady state, or the quantity the spec asks for; the median",
            units.format_milliseconds,
        ),
        _measured_metric(
            "half_width", "± 95%", "of the 95 % interval over fresh processes, a share of it", units.format_half_width
        ),
        _measured_metric("rank", "rank", "1 the fastest; those that cannot be told from the first of a rank share it"),
        _measured_metric(
            "step_ms", "step ms", "a call among others back to back; the median", units.format_milliseconds
        ),
        _measured_metric("step_half_width", "step ±95%", "of step_ms, as half_width", units.format_half_width),
        _measured_metric(
            "device_ms",
            "device ms",
            "the device's own work for a call, no gap inside; on the CPU its time over all threads; the median",
            units.format_milliseconds,
        ),
        _measured_metric("device_half_width", "device ±95%", "of device_ms, as half_width", units.format_half_width),
        _measured_metric(
            "host_bound",
            "host bound",
            "step_ms over 1.1 x device_ms: the device waits for the host; null on the CPU, which is both",
            units.format_mark,
        ),
        _measured_metric(
            "throughput",
            "throughput img/s",
            "images a second: 1000 x batch / step_ms; on a CPU where no step was measured latency_ms is taken for it",
            units.format_rate,
            direction="max",
        ),
        _measured_metric(
            "cold_ms",
            "cold ms",
            "the first process to its first result: import, build, compile or else first call; one of a kind, so no interval",
            units.format_milliseconds,
        ),
        _measured_metric(
            "energy_mj",
            "energy mJ",
            "of a call, by the board's meter, what it draws idle taken off",
            units.format_millijoules,
        ),
        _measured_metric(
            "memory_bytes",
            "memory MiB",
            "peak seen on the device (CPU: live tensor bytes, traced)",
            units.format_mib,
            scale=units.MIB,
        ),
        Metric(
            "score", "score", "the user's own accuracy column", direction="max", format=lambda v: f"{v:g}", exact=False
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

TIMED = ("latency_ms", "step_ms", "device_ms")  # judged by their intervals
LIMITED = (*EXACT, "memory_bytes", *TIMED)  # what there is one number of, less of which is better


def resolve_limit_metric(name: str) -> tuple[str, float]:
    """The metric a limit names and how many of its base units one of the named ones is: `gmacs` is macs, 1e9.

    Raises SpecError for a name that is none, or of a metric that has neither an exact value nor an interval.
    """
    metric, scale = SCALED.get(name, (name, 1.0))
    if metric in LIMITED:
        return metric, scale
    known = [*LIMITED, *SCALED]
    why = "has no interval to judge it by" if name in METRICS else "is no metric"
    raise SpecError(f"{quote_key(name)}: {why}; a limit takes {', '.join(known)}.{suggest_nearest(name, known)}")
