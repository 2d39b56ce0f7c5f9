"""NVML read through a recorded double of `pynvml`: what is asked of which handle, and null wherever it does not answer."""

import os
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from archbench.measure.machine.nvml import SLOWING, Nvml, same_experiment

GPU, SLICE, SIBLING, STRANGER = "GPU-1", "MIG-7", 11, 12
ME = os.getpid()


class NvmlDouble:
    """Answers for one GPU and one MIG slice of it, as a driver does; `unsupported` names what this card has not."""

    NVMLError = pynvml.NVMLError
    NVMLError_FunctionNotFound = pynvml.nvmlExceptionClass(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    NVML_ERROR_NOT_FOUND, NVML_ERROR_NOT_SUPPORTED = pynvml.NVML_ERROR_NOT_FOUND, pynvml.NVML_ERROR_NOT_SUPPORTED
    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = "sm", "memory", "on the die"
    DRIVER = 0x55  # idle, power cap, sync boost and hardware thermal slowdown at once

    def __init__(self, *, driver=True, unsupported=(), old=False, processes=()):
        self.driver, self.unsupported, self.old, self.processes = driver, unsupported, old, processes

    def nvmlInit(self):
        if not self.driver:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid not in (GPU, SLICE):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return uuid

    def nvmlDeviceIsMigDeviceHandle(self, handle):
        return handle == SLICE

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle):
        assert handle == SLICE
        return GPU

    def _of_a_gpu(self, question, handle, answer):
        if handle != GPU or question in self.unsupported:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return answer

    def nvmlDeviceGetClockInfo(self, handle, clock):
        return self._of_a_gpu("clock", handle, {"sm": 1410, "memory": 1593}[clock])

    def nvmlDeviceGetMaxClockInfo(self, handle, clock):
        return self._of_a_gpu("max clock", handle, {"sm": 1980}[clock])

    def nvmlDeviceGetTemperature(self, handle, sensor):
        assert sensor == "on the die"
        return self._of_a_gpu("temperature", handle, 64)

    def nvmlDeviceGetPowerUsage(self, handle):
        return self._of_a_gpu("power", handle, 312_500)

    def nvmlSystemGetDriverVersion(self):
        if not self.driver:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
        return "580.65.06"

    def nvmlDeviceGetEnforcedPowerLimit(self, handle):
        return self._of_a_gpu("power limit", handle, 700_000)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        return self._of_a_gpu("energy", handle, 987_654_321)

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle):
        if self.old:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        return self._of_a_gpu("reasons", handle, self.DRIVER)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):
        assert self.old, "asked by its old name though the driver knows the new one"
        return self._of_a_gpu("reasons", handle, self.DRIVER)

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        if "processes" in self.unsupported:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self.processes]


def nvml(uuid=GPU, **double):
    return Nvml(uuid, NvmlDouble(**double), is_kin=lambda pid: pid in (ME, SIBLING))


def test_telemetry_is_in_its_units():
    told = nvml(processes=[(ME, 100)]).telemetry()
    assert told == {
        "sm_mhz": 1410,
        "max_sm_mhz": 1980,
        "memory_mhz": 1593,
        "celsius": 64,
        "watts": 312.5,
        "throttle": 0x44,  # of 0x55, idle (0x01) and sync boost (0x10) slow nothing
        "foreign": 0,
    }


def test_the_reasons_that_slow_a_clock_are_those_of_nvml_h():
    """nvml.h: software power cap 0x04, hardware slowdown 0x08, software and hardware thermal 0x20 and 0x40, brake 0x80."""
    assert sorted(SLOWING) == [0x04, 0x08, 0x20, 0x40, 0x80]


@pytest.mark.parametrize(("uuid", "double"), [(GPU, {"driver": False}), ("GPU-9", {}), (None, {})])
def test_no_driver_no_such_gpu_no_uuid_are_null_and_never_zero(uuid, double):
    silent = nvml(uuid, processes=[(ME, 100)], **double)
    assert set(silent.telemetry().values()) == {None}
    assert silent.energy_mj() is None
    assert silent.process_bytes(ME) is None


@pytest.mark.parametrize(
    ("missing", "null"),
    [
        ("clock", {"sm_mhz", "memory_mhz"}),
        ("max clock", {"max_sm_mhz"}),
        ("temperature", {"celsius"}),
        ("power", {"watts"}),
        ("reasons", {"throttle"}),
        ("processes", {"foreign"}),
    ],
)
def test_what_a_card_lacks_is_null_by_itself(missing, null):
    told = nvml(unsupported=(missing,), processes=[(ME, 100)]).telemetry()
    assert {name for name, value in told.items() if value is None} == null


def test_an_energy_counter_a_card_lacks_is_null():
    assert nvml().energy_mj() == 987_654_321
    assert nvml(unsupported=("energy",)).energy_mj() is None


def test_an_older_driver_is_asked_by_the_older_name():
    assert nvml(old=True).telemetry()["throttle"] == 0x44


def test_cudas_bare_uuid_finds_the_gpu_and_the_slice():
    assert nvml("1").telemetry()["sm_mhz"] == 1410
    assert nvml("7", processes=[(ME, 5)]).process_bytes(ME) == 5


def test_a_slice_has_the_gpus_clock_and_heat_and_no_power_of_its_own():
    cut = nvml(SLICE, processes=[(ME, 100)])
    told = cut.telemetry()
    assert (told["sm_mhz"], told["celsius"], told["throttle"], told["foreign"]) == (1410, 64, 0x44, 0)
    assert told["watts"] is None
    assert cut.energy_mj() is None


def test_a_process_listed_twice_holds_its_memory_once():
    listed = nvml(processes=[(ME, 300), (STRANGER, 900), (ME, 500), (ME, None)])
    assert listed.process_bytes(ME) == 500
    assert listed.process_bytes(99) is None
    assert nvml(processes=[(ME, None)]).process_bytes(ME) is None


def test_foreign_counts_processes_once_and_leaves_out_this_experiments():
    told = nvml(processes=[(ME, 1), (SIBLING, 1), (STRANGER, 1), (STRANGER, 1), (13, None)]).telemetry()
    assert told["foreign"] == 2


def test_foreign_is_null_where_the_driver_numbers_processes_otherwise():
    """A container's own ids are not the host's: this process, which is there, is not in the list."""
    assert nvml(processes=[(STRANGER, 1)]).telemetry()["foreign"] is None
    assert nvml(processes=[]).telemetry()["foreign"] is None


@pytest.mark.process
def test_kin_are_this_process_and_its_parents_other_children():
    child = "import os; from archbench.measure.machine.nvml import same_experiment as s; print(s(os.getpid()), s(os.getppid()))"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
    assert not same_experiment(1)
    waiting = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)"
    asks = (
        f"{waiting}; c = 'from archbench.measure.machine.nvml import same_experiment as s; print(s(%d))' % p.pid; "
        "subprocess.run([sys.executable, '-c', c], check=True); p.communicate(b'go')"
    )
    assert subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout == "True\n"


def test_a_process_that_is_gone_is_no_kin():
    free = next(pid for pid in range(2_000_000, 2_100_000) if not psutil.pid_exists(pid))
    assert not same_experiment(free)


def test_this_machines_driver_answers_or_is_null():
    """The real library, whatever this machine has: nothing raises."""
    told = Nvml("GPU-00000000-0000-0000-0000-000000000000").telemetry()
    assert set(told.values()) == {None}


def test_identity_names_the_driver_the_power_limit_and_whether_it_is_a_slice():
    assert Nvml(GPU, NvmlDouble()).identity() == {"driver": "580.65.06", "power_limit_watts": 700.0, "mig": False}
    assert Nvml(SLICE, NvmlDouble()).identity() == {"driver": "580.65.06", "power_limit_watts": None, "mig": True}
    nothing = {"driver": None, "power_limit_watts": None, "mig": None}
    assert Nvml(GPU, NvmlDouble(driver=False)).identity() == nothing


@pytest.mark.parametrize("function", [name for name in vars(NvmlDouble) if name.startswith("nvml")])
def test_no_error_of_any_function_is_raised(function):
    for kind in [value for name, value in vars(pynvml).items() if name.startswith("NVML_ERROR_")]:

        def refuse(*asked, kind=kind):
            raise pynvml.NVMLError(kind)

        double = NvmlDouble(old=True, processes=[(ME, 100)])
        setattr(double, function, refuse)
        for uuid in (GPU, SLICE, "1"):
            silent = Nvml(uuid, double)
            assert len(silent.telemetry()) == 7
            assert set(silent.identity()) == {"driver", "power_limit_watts", "mig"}
            silent.energy_mj()
            silent.process_bytes(ME)
