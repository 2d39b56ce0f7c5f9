"""What a run was measured on and with: host, GPUs, driver, versions, flags, commit. Imports no torch."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import pynvml

from archbench.errors import CannotMeasure
from archbench.measure.cgroup import memory_left

PACKAGES = ("archbench", "torch", "torchvision", "fvcore", "numpy", "onnxruntime")
FLAGS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "PYTORCH_CUDA_ALLOC_CONF",
    "CUDA_LAUNCH_BLOCKING",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_MAX_CPU_ISA",
)


def capture(device: str) -> dict[str, Any]:
    """The environment of a run on `device`. What cannot be found out is null."""
    gpus, driver = _gpus()
    return {
        "host": platform.node(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": gpus,
        "gpu": _gpu(device),
        "driver": driver,
        "versions": {package: _version(package) for package in PACKAGES},
        "flags": {name: os.environ[name] for name in FLAGS if name in os.environ},
        "commit": _commit(),
        "device": device,
    }


def resolve_device(asked: str) -> str:
    """`auto` as cuda:0 where NVML knows a GPU, else cpu; `cuda` as cuda:0. Raises CannotMeasure where there is no GPU."""
    gpus, _ = _gpus()
    if asked == "auto":
        return "cuda:0" if gpus else "cpu"
    if asked.startswith("cuda") and not gpus:
        raise CannotMeasure(
            f"measure.device: {asked} is asked for and no NVIDIA driver answers; take cpu, or none to price only"
        )
    return "cuda:0" if asked == "cuda" else asked


def available_bytes(device: str, root: Path = Path("/")) -> int:
    """Memory that workers on `device` may take together: 80 % of what is free, so that nothing is pushed out.

    On the host that is the least of what the machine has and what a container's limit leaves; `root`: of the file system.
    """
    free, left = psutil.virtual_memory().available, memory_left(root)
    free = free if left is None else min(free, left)
    if device.startswith("cuda"):
        with _nvml() as alive:
            if alive:
                free = int(pynvml.nvmlDeviceGetMemoryInfo(_handle(device)).free)
    return int(0.8 * free)


@contextmanager
def _nvml() -> Iterator[bool]:
    """Whether NVML answers; it is shut down again."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield False
        return
    try:
        yield True
    finally:
        pynvml.nvmlShutdown()


def _gpus() -> tuple[list[dict[str, Any]], str | None]:
    with _nvml() as alive:
        if not alive:
            return [], None
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        gpus = [{"name": pynvml.nvmlDeviceGetName(h), "uuid": pynvml.nvmlDeviceGetUUID(h)} for h in handles]
        return gpus, str(pynvml.nvmlSystemGetDriverVersion())


def _gpu(device: str) -> dict[str, Any] | None:
    """The GPU that torch calls `device`; null on the CPU."""
    with _nvml() as alive:
        if not alive or not device.startswith("cuda"):
            return None
        handle = _handle(device)
        return {"name": pynvml.nvmlDeviceGetName(handle), "uuid": pynvml.nvmlDeviceGetUUID(handle)}


def _handle(device: str) -> Any:
    """NVML's handle of what torch calls `cuda:N`: the Nth that CUDA_VISIBLE_DEVICES shows, by index or UUID."""
    index = int(device.partition(":")[2] or 0)
    shown = [each.strip() for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if each.strip()]
    name = shown[index] if index < len(shown) else str(index)
    if name.isdecimal():
        return pynvml.nvmlDeviceGetHandleByIndex(int(name))
    return pynvml.nvmlDeviceGetHandleByUUID(name)


def _cpu_model() -> str | None:
    """Linux names it in /proc/cpuinfo; elsewhere what the platform knows."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the folder the command runs in, `+` where files differ from it; null outside a repository."""
    head = _git("rev-parse", "HEAD")
    return None if head is None else head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def devices() -> list[dict[str, Any]]:
    """The devices a run can name here: the CPU, and the GPUs that NVML knows."""
    gpus, driver = _gpus()
    cpu = {"device": "cpu", "name": _cpu_model(), "driver": None}
    return [
        cpu,
        *({"device": f"cuda:{index}", "name": gpu["name"], "driver": driver} for index, gpu in enumerate(gpus)),
    ]
