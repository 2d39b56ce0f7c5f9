"""Devices behind one small protocol. Timing knows only the protocol; only `CudaDevice` touches `torch.cuda`."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch

from archbench.design.variant import Workload
from archbench.errors import CannotMeasure

AMP = {"amp_fp16": torch.float16, "amp_bf16": torch.bfloat16}


class Device(Protocol):
    """Clocks, marks, memory, flags and identity of one device. Times are integers in nanoseconds."""

    name: str  # as torch spells it: cpu, cuda:0

    def now_ns(self) -> int:
        """The host's monotonic clock."""

    def synchronize(self) -> None:
        """Return once everything asked of the device is done."""

    def new_mark(self) -> Any:
        """A mark to record later, made beforehand so that making it is not timed."""

    def record(self, mark: Any) -> None:
        """Put the mark in the device's queue, behind what was asked so far."""

    def elapsed_ns(self, start: Any, end: Any) -> int:
        """Device time between two recorded marks; only after `synchronize`."""

    def reset_peak(self) -> None:
        """Start counting the most memory in use from here."""

    def peak_bytes(self) -> int | None:
        """The most memory in use since `reset_peak`, by the allocator; null where there is no such counter."""

    def autocast(self, workload: Workload) -> AbstractContextManager[Any]:
        """The context a forward pass of that workload runs in."""

    def configure(self, workload: Workload) -> None:
        """Set the process's flags for the workload. Raises CannotMeasure for a precision the device has not."""

    def identity(self) -> dict[str, Any]:
        """What it is and how it is set: name, versions, threads, flags."""

    def telemetry(self) -> dict[str, float | None]:
        """Clock, temperature and power now; null where unknown."""


class CpuDevice:
    """The host. A mark is the process's CPU time, so `elapsed_ns` is the work done over all threads."""

    name = "cpu"

    def now_ns(self) -> int:
        return time.perf_counter_ns()

    def synchronize(self) -> None:
        """The CPU is done when a call returns."""

    def new_mark(self) -> list[int]:
        return []

    def record(self, mark: list[int]) -> None:
        mark[:] = [time.process_time_ns()]

    def elapsed_ns(self, start: list[int], end: list[int]) -> int:
        return end[0] - start[0]

    def reset_peak(self) -> None:
        """There is no allocator to ask."""

    def peak_bytes(self) -> None:
        return None

    def autocast(self, workload: Workload) -> AbstractContextManager[Any]:
        dtype = AMP.get(workload.precision)
        return nullcontext() if dtype is None else torch.autocast("cpu", dtype=dtype)

    def configure(self, workload: Workload) -> None:
        if workload.precision == "tf32":
            raise CannotMeasure("measure.precision: tf32 is a mode of CUDA tensor cores; take fp32 on the cpu")
        if workload.threads is not None:
            torch.set_num_threads(workload.threads)

    def identity(self) -> dict[str, Any]:
        return {
            "device": "cpu",
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "mkldnn": torch.backends.mkldnn.is_available(),
            "capability": torch.backends.cpu.get_cpu_capability(),
        }

    def telemetry(self) -> dict[str, float | None]:
        return {}


class CudaDevice:
    """One GPU by index, timed with CUDA events on the current stream."""

    def __init__(self, index: int = 0) -> None:
        if not torch.cuda.is_available():
            raise CannotMeasure("measure.device: cuda is not available to torch here; take cpu, or none to price only")
        if index >= torch.cuda.device_count():
            raise CannotMeasure(f"measure.device: cuda:{index} is not there; torch sees {torch.cuda.device_count()}")
        self.index, self.name = index, f"cuda:{index}"
        torch.cuda.set_device(index)

    def now_ns(self) -> int:
        return time.perf_counter_ns()

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.index)

    def new_mark(self) -> torch.cuda.Event:
        return torch.cuda.Event(enable_timing=True)

    def record(self, mark: torch.cuda.Event) -> None:
        mark.record(torch.cuda.current_stream(self.index))

    def elapsed_ns(self, start: torch.cuda.Event, end: torch.cuda.Event) -> int:
        return round(start.elapsed_time(end) * 1e6)

    def reset_peak(self) -> None:
        torch.cuda.reset_peak_memory_stats(self.index)

    def peak_bytes(self) -> int | None:
        return int(torch.cuda.max_memory_allocated(self.index))

    def autocast(self, workload: Workload) -> AbstractContextManager[Any]:
        dtype = AMP.get(workload.precision)
        return nullcontext() if dtype is None else torch.autocast("cuda", dtype=dtype)

    def configure(self, workload: Workload) -> None:
        """tf32 on or off for both families, never as torch happens to default (convolutions on, matmul off)."""
        allowed = workload.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed
        torch.backends.cudnn.benchmark = True
        if workload.threads is not None:
            torch.set_num_threads(workload.threads)

    def identity(self) -> dict[str, Any]:
        properties = torch.cuda.get_device_properties(self.index)
        return {
            "device": properties.name,
            "uuid": str(getattr(properties, "uuid", "")) or None,
            "sms": properties.multi_processor_count,
            "memory_bytes": properties.total_memory,
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "tf32": torch.backends.cudnn.allow_tf32,
        }

    def telemetry(self) -> dict[str, float | None]:
        """NVML through torch; null where it does not answer."""
        return {
            "sm_mhz": _asked(torch.cuda.clock_rate, self.index),
            "celsius": _asked(torch.cuda.temperature, self.index),
            "watts": _thousandth(_asked(torch.cuda.power_draw, self.index)),
        }


def _asked(question: Any, index: int) -> float | None:
    try:
        return float(question(index))
    except (RuntimeError, ModuleNotFoundError, OSError):  # NVML missing, unsupported on this card, or its driver gone
        return None


def _thousandth(value: float | None) -> float | None:
    return None if value is None else value / 1000


def open_device(name: str) -> Device:
    """The device of that name. Raises CannotMeasure where it is not."""
    if name == "cpu":
        return CpuDevice()
    return CudaDevice(int(name.partition(":")[2] or 0))
