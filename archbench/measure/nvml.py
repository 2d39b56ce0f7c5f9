"""What the NVIDIA driver says of one GPU: clocks, heat, power, throttling, who else is there. Imports no torch.

No driver, a card that lacks a sensor, a query the driver is too old for: null, each query for itself, and never 0.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any

import psutil
import pynvml

# Of all reasons a clock is what it is, those that make it slower than the work asks for. Idle, a locked application clock
# and sync boost are a state somebody chose, not a disturbance.
SLOWING = {
    pynvml.nvmlClocksEventReasonSwPowerCap: "power cap",
    pynvml.nvmlClocksEventReasonHwSlowdown: "hardware slowdown",
    pynvml.nvmlClocksEventReasonSwThermalSlowdown: "software thermal slowdown",
    pynvml.nvmlClocksEventReasonHwThermalSlowdown: "hardware thermal slowdown",
    pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown: "hardware power brake",
}
PREFIXES = ("GPU-", "MIG-")  # NVML's names of a GPU and of a slice of one; CUDA tells the bare UUID for either
MW_PER_W = 1000

Question = Callable[[], Any]


class Nvml:
    """One GPU by UUID, as NVML or CUDA spells it. Of a MIG slice, clocks and heat are the whole GPU's, processes its own."""

    def __init__(self, uuid: str | None, library: Any = pynvml, is_kin: Callable[[int], bool] | None = None) -> None:
        self._library, self._is_kin = library, is_kin or same_experiment
        self._handle = None if uuid is None else self._asked(lambda: self._find(uuid))

    def telemetry(self) -> dict[str, float | None]:
        """Clocks in MHz, degrees Celsius, watts, the reasons that slow it as a bit mask, other compute processes on it."""
        ask, of = self._library, self._board
        return {
            "sm_mhz": self._asked(lambda: ask.nvmlDeviceGetClockInfo(of(), ask.NVML_CLOCK_SM)),
            "max_sm_mhz": self._asked(lambda: ask.nvmlDeviceGetMaxClockInfo(of(), ask.NVML_CLOCK_SM)),
            "memory_mhz": self._asked(lambda: ask.nvmlDeviceGetClockInfo(of(), ask.NVML_CLOCK_MEM)),
            "celsius": self._asked(lambda: ask.nvmlDeviceGetTemperature(of(), ask.NVML_TEMPERATURE_GPU)),
            "watts": self._asked(lambda: ask.nvmlDeviceGetPowerUsage(self._whole()) / MW_PER_W),
            "throttle": self._asked(lambda: self._clock_reasons() & sum(SLOWING)),
            "foreign": self._foreign(),
        }

    def identity(self) -> dict[str, str | float | bool | None]:
        """The driver's version, the power limit in force in watts, and whether this is a MIG slice."""
        ask = self._library
        return {
            "driver": self._asked(lambda: str(ask.nvmlSystemGetDriverVersion())),
            "power_limit_watts": self._asked(lambda: ask.nvmlDeviceGetEnforcedPowerLimit(self._whole()) / MW_PER_W),
            "mig": None if self._handle is None else self._is_slice,
        }

    def energy_mj(self) -> int | None:
        """Millijoules since the driver was loaded; null of a MIG slice, whose share of the board's nobody knows."""
        return self._asked(lambda: int(self._library.nvmlDeviceGetTotalEnergyConsumption(self._whole())))

    def process_bytes(self, pid: int) -> int | None:
        """Device memory the process holds, its context included. Listed twice it is one process: the larger, not the sum."""
        held = [entry.usedGpuMemory for entry in self._processes() or () if entry.pid == pid]
        return max((size for size in held if size is not None), default=None)

    def _foreign(self) -> int | None:
        """Processes that are not of this experiment; null where the driver numbers them otherwise than we do.

        In a container NVML may list the host's process ids: then even this process is not among them.
        """
        pids = {entry.pid for entry in self._processes() or ()}
        return len([pid for pid in pids if not self._is_kin(pid)]) if os.getpid() in pids else None

    def _processes(self) -> list[Any] | None:
        return self._asked(lambda: self._library.nvmlDeviceGetComputeRunningProcesses(self._required()))

    def _clock_reasons(self) -> int:
        """By its name since driver 535; before, the same mask had another."""
        try:
            return int(self._library.nvmlDeviceGetCurrentClocksEventReasons(self._board()))
        except self._library.NVMLError_FunctionNotFound:
            return int(self._library.nvmlDeviceGetCurrentClocksThrottleReasons(self._board()))

    def _find(self, uuid: str) -> Any:
        """The handle of that UUID. Raises the library's error where no driver answers or it knows no such GPU."""
        self._library.nvmlInit()
        for name in [uuid] if uuid.startswith(PREFIXES) else [prefix + uuid for prefix in PREFIXES]:
            if (handle := self._asked(lambda name=name: self._library.nvmlDeviceGetHandleByUUID(name))) is not None:
                return handle
        return None

    @cached_property
    def _is_slice(self) -> bool:
        return bool(self._asked(lambda: self._library.nvmlDeviceIsMigDeviceHandle(self._required())))

    def _required(self) -> Any:
        if self._handle is None:
            raise self._library.NVMLError(self._library.NVML_ERROR_NOT_FOUND)
        return self._handle

    def _board(self) -> Any:
        """The GPU a slice is cut from: only it has clocks and a temperature."""
        handle = self._required()
        return self._library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle) if self._is_slice else handle

    def _whole(self) -> Any:
        """The GPU, where all of it is ours: power and energy are metered for the board."""
        if self._is_slice:
            raise self._library.NVMLError(self._library.NVML_ERROR_NOT_SUPPORTED)
        return self._required()

    def _asked(self, question: Question) -> Any:
        try:
            return question()
        except self._library.NVMLError:
            return None


def same_experiment(pid: int) -> bool:
    """Whether the process is this one or another worker of the same supervisor, waiting for its turn."""
    if pid == os.getpid():
        return True
    try:
        return psutil.Process(pid).ppid() == os.getppid()
    except psutil.Error:
        return False
