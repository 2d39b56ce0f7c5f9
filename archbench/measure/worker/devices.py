"""Devices behind one small protocol. Timing knows only the protocol; only `CudaDevice` touches `torch.cuda`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch

from archbench.errors import CannotMeasure
from archbench.measure.machine.linux import LostTime
from archbench.measure.machine.nvml import Nvml
from archbench.models.variant import Workload

Forward = Callable[[], object]

AMP = {"amp_fp16": torch.float16, "amp_bf16": torch.bfloat16}
MEMORY = {  # our name -> torch's, of the caching allocator's statistics
    "allocated": "allocated_bytes.all.peak",
    "reserved": "reserved_bytes.all.peak",
    "requested": "requested_bytes.all.peak",
    "retries": "num_alloc_retries",
}
CAPTURE_WARM_UPS = 3  # on a side stream before a capture, as torch's notes on CUDA graphs ask for
FASTEST_KHZ = 3_000_000  # where torch does not tell a GPU's clock: faster than any, so that no fill is too short
CACHES = 2  # a flush writes this many times the last-level cache
CPU_CACHE_BYTES = 256 << 20  # no fewer bytes than any host's last-level cache in common use


class Device(Protocol):
    """Clocks, marks, memory, flags and identity of one device. Times are integers in nanoseconds."""

    name: str  # as torch spells it: cpu, cuda:0
    asynchronous: bool  # whether a call returns before its work is done

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

    def has_reached(self, mark: Any) -> bool:
        """Whether the device has come to the recorded mark, without waiting for it."""

    def fill_queue(self, ns: int) -> None:
        """Keep the device busy for about so long, and return at once; nothing where calls return done."""

    def flush_cache(self) -> None:
        """Ask the device to write more than its last cache holds, so that the next call finds nothing of its own there."""

    def capture(self, forward: Forward) -> Forward | None:
        """A call that replays what `forward` asks of the device, as one graph; null where the device has no graphs.

        It returns `forward`'s result, written anew. Raises RuntimeError where the call cannot be captured.
        """

    def reset_peak(self) -> None:
        """Start counting the most memory in use from here."""

    def peak_bytes(self) -> int | None:
        """The most memory in use since `reset_peak`, by the allocator; null where there is no such counter."""

    def memory(self) -> dict[str, int | None]:
        """Since `reset_peak`: peak bytes `allocated`, `reserved`, `requested`, and the allocator's `retries`; else null."""

    def autocast(self, workload: Workload) -> AbstractContextManager[Any]:
        """The context a forward pass of that workload runs in."""

    def configure(self, workload: Workload) -> None:
        """Set the process's flags for the workload. Raises CannotMeasure for a precision the device has not."""

    def identity(self) -> dict[str, Any]:
        """The device as it is and is set: name, versions, threads, flags."""

    def telemetry(self) -> dict[str, float | None]:
        """Figures of what disturbs or slows the device, by name; shares are since this was last asked; null where unknown."""


class CpuDevice:
    """The host. A mark is the process's CPU time, so `elapsed_ns` is the work done over all threads."""

    name = "cpu"
    asynchronous = False

    def __init__(self, lost: LostTime | None = None) -> None:
        self.lost = lost or LostTime()
        self.workload = Workload()

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

    def has_reached(self, mark: list[int]) -> bool:
        return bool(mark)

    def fill_queue(self, ns: int) -> None:
        """There is no queue."""

    def flush_cache(self) -> None:
        torch.ones(CPU_CACHE_BYTES, dtype=torch.uint8)

    def capture(self, forward: Forward) -> None:
        return None

    def reset_peak(self) -> None:
        """There is no allocator to ask."""

    def peak_bytes(self) -> None:
        return None

    def memory(self) -> dict[str, int | None]:
        return dict.fromkeys(MEMORY)

    def autocast(self, workload: Workload) -> AbstractContextManager[Any]:
        return _autocast("cpu", workload)

    def configure(self, workload: Workload) -> None:
        if workload.precision == "tf32":
            raise CannotMeasure("measure.precision: tf32 is a mode of CUDA tensor cores; take fp32 on the cpu")
        self.workload = workload
        if workload.threads is not None:
            torch.set_num_threads(workload.threads)

    def identity(self) -> dict[str, Any]:
        return {
            "device": "cpu",
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "mkldnn": torch.backends.mkldnn.is_available(),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "flags": _torch_flags(self.workload) | {"fp32": torch.get_float32_matmul_precision()},
        }

    def telemetry(self) -> dict[str, float | None]:
        return self.lost.since_last()


class CudaDevice:
    """One GPU by index, timed with CUDA events on the current stream. Its driver is asked what torch does not know."""

    asynchronous = True

    def __init__(self, index: int = 0, driver: Callable[[str | None], Nvml] = Nvml) -> None:
        if not torch.cuda.is_available():
            raise CannotMeasure("measure.device: cuda is not available to torch here; take cpu, or none to price only")
        if index >= torch.cuda.device_count():
            raise CannotMeasure(f"measure.device: cuda:{index} is not there; torch sees {torch.cuda.device_count()}")
        self.index, self.name = index, f"cuda:{index}"
        self.workload = Workload()
        self._replays: dict[Forward, Forward] = {}
        self._scratch: torch.Tensor | None = None
        torch.cuda.set_device(index)
        self.uuid = str(getattr(torch.cuda.get_device_properties(index), "uuid", "")) or None
        self.driver = driver(self.uuid)

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

    def has_reached(self, mark: torch.cuda.Event) -> bool:
        return bool(mark.query())

    def fill_queue(self, ns: int) -> None:
        """A kernel that counts the GPU's clock, on the current stream: longer than asked where the clock is slower."""
        khz = int(getattr(torch.cuda.get_device_properties(self.index), "clock_rate", 0)) or FASTEST_KHZ
        torch.cuda._sleep(round(ns * khz / 1e6))

    def flush_cache(self) -> None:
        if self._scratch is None:
            cache_bytes = torch.cuda.get_device_properties(self.index).L2_cache_size
            self._scratch = torch.empty(CACHES * cache_bytes, dtype=torch.uint8, device=self.name)
        self._scratch.zero_()

    def capture(self, forward: Forward) -> Forward:
        """Once for each `forward`: its graph keeps memory of its own for as long as this device object lives."""
        if forward not in self._replays:
            self._replays[forward] = self._capture_graph(forward)
        return self._replays[forward]

    def _capture_graph(self, forward: Forward) -> Forward:
        """Warmed up on a side stream, so that nothing is allocated, tuned or loaded for the first time while capturing."""
        current, side = torch.cuda.current_stream(self.index), torch.cuda.Stream(self.index)
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(CAPTURE_WARM_UPS):
                forward()
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                result = forward()
        finally:
            torch.cuda.set_stream(current)  # a capture that fails leaves torch on the stream it was made on

        def replay() -> object:
            graph.replay()
            return result

        return replay

    def reset_peak(self) -> None:
        torch.cuda.reset_peak_memory_stats(self.index)
        torch.cuda.reset_accumulated_memory_stats(self.index)  # of these the retries

    def peak_bytes(self) -> int | None:
        return int(torch.cuda.max_memory_allocated(self.index))

    def memory(self) -> dict[str, int | None]:
        told = torch.cuda.memory_stats(self.index)
        return {ours: told.get(theirs) for ours, theirs in MEMORY.items()}

    def autocast(self, workload: Workload) -> AbstractContextManager[Any]:
        return _autocast("cuda", workload)

    def configure(self, workload: Workload) -> None:
        """tf32 on or off for both families, never as torch happens to default (convolutions on, matmul off)."""
        self.workload = workload
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
            "uuid": self.uuid,
            "sms": properties.multi_processor_count,
            "l2_bytes": getattr(properties, "L2_cache_size", None),
            "memory_bytes": properties.total_memory,
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "tf32": torch.backends.cudnn.allow_tf32,
            "flags": _torch_flags(self.workload) | {"fp32": "tf32" if torch.backends.cudnn.allow_tf32 else "ieee"},
            **self.driver.identity(),
        }

    def telemetry(self) -> dict[str, float | None]:
        return self.driver.telemetry()


def _autocast(kind: str, workload: Workload) -> AbstractContextManager[Any]:
    dtype = AMP.get(workload.precision)
    return nullcontext() if dtype is None else torch.autocast(kind, dtype=dtype)


def _torch_flags(workload: Workload) -> dict[str, Any]:
    """The flags torch is set to for the workload, as torch says itself where it can."""
    dtype = AMP.get(workload.precision)
    return {
        "autocast": None if dtype is None else str(dtype).removeprefix("torch."),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "memory_format": workload.memory_format,
        "threads": torch.get_num_threads(),
    }


def open_device(name: str) -> Device:
    """The device of that name. Raises CannotMeasure where it is not."""
    if name == "cpu":
        return CpuDevice()
    return CudaDevice(int(name.partition(":")[2] or 0))
