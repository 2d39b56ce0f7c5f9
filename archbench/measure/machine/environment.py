"""The environment of a run: host, GPUs, driver, versions, flags, commit; and the devices a run can name. Imports no torch."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from archbench.errors import CannotMeasure, ResultsError
from archbench.measure.machine.linux import read_memory_left
from archbench.measure.machine.nvml import Card, DriverReport, read_card, read_driver
from archbench.runs.git import ask_git
from archbench.text import visible

PACKAGES = ("archbench", "torch", "torchvision", "fvcore", "numpy", "onnxruntime")
VISIBLE = "CUDA_VISIBLE_DEVICES"
FLAGS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    VISIBLE,
    "PYTORCH_CUDA_ALLOC_CONF",
    "CUDA_LAUNCH_BLOCKING",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_MAX_CPU_ISA",
)


def capture_environment(device: str) -> dict[str, Any]:
    """The environment of a run on `device`. What cannot be found out is null."""
    driver = read_driver()
    card = _pick_card(device, driver)
    return {
        "host": platform.node(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": [_identify(each) for each in (driver and driver.cards) or ()],
        "gpu": _identify(card) if card and card.name else None,
        "driver": driver and driver.version,
        "versions": {package: package_version(package) for package in PACKAGES},
        "flags": {name: os.environ[name] for name in FLAGS if name in os.environ},
        "commit": _find_commit(),
        "device": device,
    }


def resolve_device(asked: str) -> str:
    """`auto` as the first GPU that is there and not lost, else cpu; `cuda` as cuda:0.

    Raises CannotMeasure for a GPU that is not there. One of which the driver does not say is left for torch to find.
    """
    if asked != "auto" and not asked.startswith("cuda"):
        return asked
    driver = read_driver()
    shown = _list_shown(driver)
    if asked == "auto":
        return next((f"cuda:{index}" for index, card in enumerate(shown or ()) if not card.lost), "cpu")
    if driver is None:
        raise CannotMeasure(
            f"measure.device: {asked} is asked for and no NVIDIA driver answers; take cpu, or none to price only"
        )
    if shown is not None:
        _check_present(asked, shown, driver.cards or ())
    return "cuda:0" if asked == "cuda" else asked


def available_bytes(device: str, root: Path = Path("/")) -> int:
    """Memory that workers on `device` may take together: 80 % of what is free, so that nothing is pushed out.

    On the host that is the least of what the machine has and what a container's limit leaves; `root`: of the file system.
    So it is on a GPU that does not say what it has: it may share the host's.
    """
    card = _pick_card(device, read_driver())
    if card is not None and card.free_bytes is not None:
        return int(0.8 * card.free_bytes)
    free, left = psutil.virtual_memory().available, read_memory_left(root)
    return int(0.8 * (free if left is None else min(free, left)))


def _check_present(asked: str, shown: Sequence[Card], known: Sequence[Card]) -> None:
    """Raise CannotMeasure for a GPU that its driver does not know, that CUDA_VISIBLE_DEVICES hides, or that is lost."""
    index = _parse_index(asked)
    if index < len(shown) and not shown[index].lost:
        return
    if index < len(shown):
        what = "is lost, its driver says; restart the machine, or"
    elif VISIBLE in os.environ:
        what = f"is not there; {VISIBLE}={visible(os.environ[VISIBLE])} shows {len(shown)} of {len(known)};"
    else:
        what = f"is not there; the driver knows {len(known)};"
    others = [f"cuda:{number}" for number, card in enumerate(shown) if not card.lost]
    raise CannotMeasure(f"measure.device: {asked} {what} take {', '.join([*others, 'cpu, or none to price only'])}")


def _parse_index(device: str) -> int:
    return int(device.partition(":")[2] or 0)


def _pick_card(device: str, driver: DriverReport | None) -> Card | None:
    """The GPU that torch calls `device`; null on the CPU, and where nobody says."""
    shown = _list_shown(driver) if device.startswith("cuda") else None
    return None if shown is None else next(iter(shown[_parse_index(device) :]), None)


def _identify(card: Card) -> dict[str, Any]:
    return {"name": card.name, "uuid": card.uuid}


def _list_shown(driver: DriverReport | None) -> tuple[Card, ...] | None:
    """The GPUs as torch numbers them: those that CUDA_VISIBLE_DEVICES names, up to the first that is not there.

    Null where the driver does not say. One that is named twice hides all, as CUDA has it.
    """
    if driver is None or driver.cards is None:
        return None
    if VISIBLE not in os.environ:
        return driver.cards
    found: list[Card] = []
    for name in os.environ[VISIBLE].split(","):
        if (card := _find_card(name.strip(), driver.cards)) is None:
            break
        if any(card is other for other in found):
            return ()
        found.append(card)
    return tuple(found)


def _find_card(name: str, cards: Sequence[Card]) -> Card | None:
    """The GPU that CUDA finds by a number, a UUID or the beginning of one; null for none, and where several begin so.

    One that the driver is kept from telling of may be there, and is taken at its word.
    """
    if number := re.match(r"[+-]?[0-9]{1,9}", name):  # as C's strtoul reads it: 1gpu is 1
        return cards[int(number[0])] if 0 <= int(number[0]) < len(cards) else None
    if name.startswith("MIG-"):
        return read_card(name)
    if not name.startswith("GPU-"):
        return None
    found = [card for card in cards if card.uuid is not None and card.uuid.startswith(name)]
    if not found and any(card.uuid is None for card in cards):
        return Card()
    return found[0] if len(found) == 1 else None


def _cpu_model() -> str | None:
    """Linux names it in /proc/cpuinfo; elsewhere what the platform knows."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def package_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _find_commit() -> str | None:
    """The commit of the folder the command runs in, `+` where files differ from it; null outside a repository."""
    try:
        head = ask_git("commit", "rev-parse", "HEAD").decode().strip()
        return head + ("+" if ask_git("commit", "status", "--porcelain", "--untracked-files=no") else "")
    except ResultsError:
        return None


def list_devices() -> list[dict[str, Any]]:
    """The devices a run can name here: the CPU, and the GPUs that NVML knows, CUDA_VISIBLE_DEVICES shows and are not lost."""
    driver = read_driver()
    version = driver and driver.version
    shown = enumerate(_list_shown(driver) or ())
    return [
        {"device": "cpu", "name": _cpu_model(), "driver": None},
        *({"device": f"cuda:{n}", "name": card.name, "driver": version} for n, card in shown if not card.lost),
    ]
