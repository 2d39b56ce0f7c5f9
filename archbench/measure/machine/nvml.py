"""The only reader of NVML: which GPUs the NVIDIA driver knows, and the clocks, heat, power and processes of one. No torch.

No driver, a card that lacks a sensor or fell off the bus, a query the driver is too old for or does not allow: null, each
query for itself, and never 0. Nothing that NVML refuses is raised.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import psutil
import pynvml  # type: ignore[import-untyped]

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


@dataclass(frozen=True)
class Card:
    """One GPU, or a slice of one, as its driver describes it; null what the driver does not say."""

    name: str | None = None
    uuid: str | None = None
    free_bytes: int | None = None
    persistence: bool | None = None  # whether the driver stays loaded when nobody uses the GPU
    lost: bool = False  # it fell off the bus


@dataclass(frozen=True)
class DriverReport:
    """The NVIDIA driver that answers here: its version, and its GPUs by NVML's number; null what it does not say."""

    version: str | None
    cards: tuple[Card, ...] | None


class Guard:
    """Puts questions to NVML: a refusal is null, and is kept where it says that the GPU is lost."""

    def __init__(self, library: Any = pynvml) -> None:
        self._library, self.lost = library, False

    def ask(self, question: Question) -> Any:
        try:
            return question()
        except UnicodeError:  # a name in another encoding, or one that is asked for in none
            return None
        except self._library.NVMLError as refusal:
            self.lost |= refusal.value == pynvml.NVML_ERROR_GPU_IS_LOST
            return None


def read_driver() -> DriverReport | None:
    """The driver and all its GPUs; null where no driver answers."""
    with _open_nvml() as alive:
        if not alive:
            return None
        guard = Guard()
        version = guard.ask(lambda: str(pynvml.nvmlSystemGetDriverVersion()))
        count = guard.ask(lambda: pynvml.nvmlDeviceGetCount())
        return DriverReport(version, None if count is None else tuple(map(_read_number, range(count))))


def read_card(uuid: str) -> Card:
    """The GPU or slice of that UUID, as NVML or CUDA spells it; all of it null where the driver does not know it."""
    with _open_nvml() as alive:
        guard = Guard()
        return _describe_card(_find_handle(uuid, guard, pynvml) if alive else None, guard)


@contextmanager
def _open_nvml() -> Iterator[bool]:
    """Whether NVML answers; it is shut down again."""
    guard = Guard()
    alive = guard.ask(lambda: pynvml.nvmlInit() or True) is not None
    try:
        yield alive
    finally:
        if alive:
            guard.ask(lambda: pynvml.nvmlShutdown())


def _read_number(index: int) -> Card:
    guard = Guard()
    return _describe_card(guard.ask(lambda: pynvml.nvmlDeviceGetHandleByIndex(index)), guard)


def _find_handle(uuid: str, guard: Guard, library: Any) -> Any:
    """The handle of that UUID, which CUDA tells without NVML's prefix; null where NVML knows no such GPU."""
    for name in [uuid] if uuid.startswith(PREFIXES) else [prefix + uuid for prefix in PREFIXES]:
        if (handle := guard.ask(partial(library.nvmlDeviceGetHandleByUUID, name))) is not None:
            return handle
    return None


def _describe_card(handle: Any, guard: Guard) -> Card:
    if handle is None:
        return Card(lost=guard.lost)
    name = guard.ask(lambda: str(pynvml.nvmlDeviceGetName(handle)))
    uuid = guard.ask(lambda: str(pynvml.nvmlDeviceGetUUID(handle)))
    free = guard.ask(lambda: int(pynvml.nvmlDeviceGetMemoryInfo(handle).free))
    persistence = guard.ask(lambda: bool(pynvml.nvmlDeviceGetPersistenceMode(handle)))
    return Card(name, uuid, free, persistence, guard.lost)


class Nvml:
    """One GPU by UUID, as NVML or CUDA spells it. Of a MIG slice, clocks and heat are the whole GPU's, processes its own."""

    def __init__(self, uuid: str | None, library: Any = pynvml, is_kin: Callable[[int], bool] | None = None) -> None:
        self._library, self._is_kin = library, is_kin or same_experiment
        self._asked = Guard(library).ask
        self._handle = None if uuid is None else self._asked(lambda: self._open_handle(uuid))

    def telemetry(self) -> dict[str, float | None]:
        """Clocks in MHz, degrees Celsius, watts, the reasons that slow it as a bit mask, other compute processes on it."""
        ask, of = self._library, self._board_handle
        return {
            "sm_mhz": self._asked(lambda: ask.nvmlDeviceGetClockInfo(of(), ask.NVML_CLOCK_SM)),
            "max_sm_mhz": self._asked(lambda: ask.nvmlDeviceGetMaxClockInfo(of(), ask.NVML_CLOCK_SM)),
            "memory_mhz": self._asked(lambda: ask.nvmlDeviceGetClockInfo(of(), ask.NVML_CLOCK_MEM)),
            "celsius": self._asked(lambda: ask.nvmlDeviceGetTemperature(of(), ask.NVML_TEMPERATURE_GPU)),
            "watts": self._asked(lambda: ask.nvmlDeviceGetPowerUsage(self._require_whole()) / MW_PER_W),
            "throttle": self._asked(lambda: self._clock_reasons() & sum(SLOWING)),
            "foreign": self._count_foreign(),
        }

    def identity(self) -> dict[str, str | float | bool | None]:
        """The driver's version, the power limit in force in watts, and whether this is a MIG slice."""
        ask = self._library
        return {
            "driver": self._asked(lambda: str(ask.nvmlSystemGetDriverVersion())),
            "power_limit_watts": self._asked(
                lambda: ask.nvmlDeviceGetEnforcedPowerLimit(self._require_whole()) / MW_PER_W
            ),
            "mig": None if self._handle is None else self._is_slice,
        }

    def energy_mj(self) -> int | None:
        """Millijoules since the driver was loaded; null of a MIG slice, whose share of the board's nobody knows."""
        found: int | None = self._asked(
            lambda: int(self._library.nvmlDeviceGetTotalEnergyConsumption(self._require_whole()))
        )
        return found

    def process_bytes(self, pid: int) -> int | None:
        """Device memory the process holds, its context included. Listed twice it is one process: the larger, not the sum."""
        held = [entry.usedGpuMemory for entry in self._list_processes() or () if entry.pid == pid]
        return max((size for size in held if size is not None), default=None)

    def _count_foreign(self) -> int | None:
        """Processes that are not of this experiment; null where the driver numbers them otherwise than we do.

        In a container NVML may list the host's process ids: then even this process is not among them.
        """
        pids = {entry.pid for entry in self._list_processes() or ()}
        return len([pid for pid in pids if not self._is_kin(pid)]) if os.getpid() in pids else None

    def _list_processes(self) -> list[Any] | None:
        found: list[Any] | None = self._asked(
            lambda: self._library.nvmlDeviceGetComputeRunningProcesses(self._require_handle())
        )
        return found

    def _clock_reasons(self) -> int:
        """By its name since driver 535; before, the same mask had another."""
        try:
            return int(self._library.nvmlDeviceGetCurrentClocksEventReasons(self._board_handle()))
        except self._library.NVMLError_FunctionNotFound:
            return int(self._library.nvmlDeviceGetCurrentClocksThrottleReasons(self._board_handle()))

    def _open_handle(self, uuid: str) -> Any:
        """The handle of that UUID, for as long as the process lives. Raises the library's error where no driver answers."""
        self._library.nvmlInit()
        return _find_handle(uuid, Guard(self._library), self._library)

    @cached_property
    def _is_slice(self) -> bool:
        return bool(self._asked(lambda: self._library.nvmlDeviceIsMigDeviceHandle(self._require_handle())))

    def _require_handle(self) -> Any:
        if self._handle is None:
            raise self._library.NVMLError(self._library.NVML_ERROR_NOT_FOUND)
        return self._handle

    def _board_handle(self) -> Any:
        """The GPU a slice is cut from: only it has clocks and a temperature."""
        handle = self._require_handle()
        return self._library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle) if self._is_slice else handle

    def _require_whole(self) -> Any:
        """The GPU, where all of it is ours: power and energy are metered for the board."""
        if self._is_slice:
            raise self._library.NVMLError(self._library.NVML_ERROR_NOT_SUPPORTED)
        return self._require_handle()


def same_experiment(pid: int) -> bool:
    """Whether the process is this one or another worker of the same supervisor, waiting for its turn."""
    if pid == os.getpid():
        return True
    try:
        return psutil.Process(pid).ppid() == os.getppid()
    except psutil.Error:
        return False
