"""The list of all metrics: name, label, unit, better direction, format. Tables and formats read it."""

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

    `scale` is the number of base units in that unit, for charts, whose axes have numbers of their own.
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


Unit = tuple[units.Format, float]  # how a value is written in it, and how many base units it has

COUNT: Unit = (units.format_count, 1)
MEGA: Unit = (units.format_mega, units.MEGA)
GIGA: Unit = (units.format_giga, units.GIGA)
MIB: Unit = (units.format_mib, units.MIB)
FOUR_DIGITS: Unit = (units.format_milliseconds, 1)
HALF_WIDTH: Unit = (units.format_half_width, 1)


def _exact_metric(name: str, label: str, doc: str, unit: Unit = COUNT) -> Metric:
    return Metric(name, label, doc, format=unit[0], scale=unit[1])


def _measured_metric(name: str, label: str, doc: str, unit: Unit = COUNT, *, direction: Direction = "min") -> Metric:
    return Metric(name, label, doc, direction, unit[0], exact=False, scale=unit[1])


LISTED = (
    _exact_metric("params", "params M", "parameters, batch-norm affine included, buffers not", MEGA),
    _exact_metric("weight_bytes", "weights MiB", "parameters and buffers at their dtypes", MIB),
    _exact_metric("macs", "MACs G", "multiply-accumulates of conv and linear, whole batch", GIGA),
    _exact_metric("flops", "FLOPs G", "2 x MACs", GIGA),
    _exact_metric("fvcore_flops", "fvcore G", "what fvcore.nn.FlopCountAnalysis totals", GIGA),
    _exact_metric("acts", "acts M", "output elements of conv and linear layers, whole batch", MEGA),
    _exact_metric("kernels", "kernels", "graph nodes that write a tensor in eager inference"),
    _exact_metric("peak_bytes", "peak MiB", "weights, buffers and the most feature bytes alive at once", MIB),
    _measured_metric(
        "latency_ms",
        "latency ms",
        "one forward pass, batch in to result ready, steady state, or the quantity the spec asks for; the median",
        FOUR_DIGITS,
    ),
    _measured_metric("half_width", "± 95%", "of the 95 % interval over fresh processes, a share of it", HALF_WIDTH),
    _measured_metric("rank", "rank", "1 the fastest; those that cannot be told from the first of a rank share it"),
    _measured_metric("step_ms", "step ms", "a call among others back to back; the median", FOUR_DIGITS),
    _measured_metric("step_half_width", "step ±95%", "of step_ms, as half_width", HALF_WIDTH),
    _measured_metric(
        "device_ms",
        "device ms",
        "the device's own work for a call, no gap inside; on the CPU its time over all threads; the median",
        FOUR_DIGITS,
    ),
    _measured_metric("device_half_width", "device ±95%", "of device_ms, as half_width", HALF_WIDTH),
    _measured_metric(
        "host_bound",
        "host bound",
        "step_ms over 1.1 x device_ms: the device waits for the host; null on the CPU, which is both",
        (units.format_mark, 1),
    ),
    _measured_metric(
        "throughput",
        "throughput img/s",
        "images a second: 1000 x batch / step_ms; on a CPU where no step was measured latency_ms is taken for it",
        FOUR_DIGITS,
        direction="max",
    ),
    _measured_metric(
        "cold_ms",
        "cold ms",
        "the first process to its first result: import, build, compile or else first call; one of a kind, so no interval",
        FOUR_DIGITS,
    ),
    _measured_metric(
        "energy_mj",
        "energy mJ",
        "of a call, by the board's meter, what it draws idle taken off",
        FOUR_DIGITS,
    ),
    _measured_metric("memory_bytes", "memory MiB", "peak seen on the device (CPU: live tensor bytes, traced)", MIB),
    _measured_metric("score", "score", "the user's own accuracy column", (lambda v: f"{v:g}", 1), direction="max"),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in LISTED}

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
