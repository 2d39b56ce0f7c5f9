"""`archbench` as a process that can be signalled, and what must hold of its results however it ended."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import psutil

NETS = """
import os, signal, time, torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8, fault=None):
        super().__init__()
        self.conv, self.fault, self.calls = nn.Conv2d(3, width, 3), fault, 0
    def forward(self, x):
        self.calls += 1
        if self.fault and self.calls > 8:  # past what counting takes
            self.fault()
        return self.conv(x)

class Nan(Net):
    def forward(self, x):
        return self.conv(x) * float("nan")

def hangs(): return Net(fault=lambda: time.sleep(600))
def crashes(): return Net(fault=lambda: os.kill(os.getpid(), signal.SIGSEGV))
def hoards(): return Net(fault=lambda: torch.ones(1 << 50))
def nan(): return Nan()
"""


REAL = (sys.executable, str(Path(__file__).with_name("run_archbench.py")))  # python -m archbench
SCRIPTED = (*REAL, "--scripted")  # its workers need no torch
SCRIPTED_WORKER = (sys.executable, str(Path(__file__).with_name("scripted_worker.py")))


@cache
def time_limit(program: tuple[str, ...] = REAL) -> int:
    """Seconds in which a worker here has answered any request, and not many more: seven times what its imports take."""
    imports = "import torch" if program == REAL else "import archbench.measure.worker.worker"
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", imports], check=True)
    least = 20 if program == REAL else 5
    return max(least, math.ceil(7 * (time.monotonic() - began)))


def write_plugin(folder: Path) -> None:
    """`nets.py`, with one factory for each way a network goes wrong."""
    (folder / "nets.py").write_text(NETS)


def start(
    folder: Path,
    *arguments: str,
    program: Sequence[str] = SCRIPTED,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """The command as a shell on a terminal starts it."""
    return subprocess.Popen(
        [*program, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


def lines(folder: Path, name: str, file: str, results: str = "results") -> list[bytes]:
    """The whole lines of a file of the only run; what a killed write left at the end is none."""
    found = list(folder.glob(f"{results}/{name}/*/{file}"))
    assert len(found) <= 1, "two runs of one spec"
    return found[0].read_bytes().split(b"\n")[:-1] if found else []


def records(folder: Path, name: str, results: str = "results") -> list[dict]:
    return [json.loads(line) for line in lines(folder, name, "records.jsonl", results)]


def announced(out: str) -> set[str]:
    """The ids of `done ID NAME` and `failed ID NAME`."""
    return {line.split()[1] for line in out.splitlines() if line.startswith(("done ", "failed "))}


def block_key(line: bytes) -> tuple[object, ...]:
    names = ("id", "replica", "generation", "group", "round", "order", "attempt", "phase", "quantity")
    block = json.loads(line)
    return tuple(block[name] for name in names)


def assert_ended_well(
    folder: Path,
    name: str,
    command: Sequence[str],
    names: set[str],
    *,
    code: int = 0,
    results: str = "results",
    program: Sequence[str] = SCRIPTED,
) -> None:
    """No worker is left; the same command ends the work with `code`, keeps what there was, doubles nothing, has all names."""
    assert orphans(folder) == []
    before = {file: lines(folder, name, file, results) for file in ("samples.jsonl", "records.jsonl")}
    again = subprocess.run(
        [*program, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert again.returncode == code, again.stderr
    for file, kept in before.items():
        assert lines(folder, name, file, results)[: len(kept)] == kept, f"{file} changed behind us"
    blocks = lines(folder, name, "samples.jsonl", results)
    assert len({block_key(line) for line in blocks}) == len(blocks), "a block was measured twice"
    found = records(folder, name, results)
    assert sorted(record["name"] for record in found) == sorted(names)
    assert orphans(folder) == []
    (run,) = folder.glob(f"{results}/{name}/*")
    litter = {path.name for path in run.iterdir()} - {
        "run.json",
        "records.jsonl",
        "samples.jsonl",
        "table.csv",
        "report.md",
        "report.html",
    }
    assert litter == set()


def orphans(folder: Path) -> list[psutil.Process]:
    """Processes that were started in this folder and still are."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found
