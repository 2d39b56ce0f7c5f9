"""The process that holds one network: start, warm, block, energy, self-check. It alone imports torch.

Its argument is the number of its end of the supervisor's socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from archbench import units
from archbench.measure.supervisor import pipe

PR_SET_PDEATHSIG = 1  # linux/prctl.h
ASKED = {"warm": "warm_up", "block": "time_block", "energy": "measure_energy"}  # request -> method of the network
BEAT_SECONDS = 0.5  # at least, between signs of life; who times gives one a second
STARVED = ("out of memory", "can't allocate memory", "Cannot allocate memory", "bad_alloc")  # torch, the kernel, C++


def serve() -> None:
    """Serve until the supervisor closes its end."""
    _die_with_parent()
    end = socket.socket(fileno=int(sys.argv[1]))
    sys.stdout = sys.stderr  # what user code prints is not for the supervisor's caller
    handlers = _WorkerState(Heartbeat(end).send_beat)
    with contextlib.suppress(pipe.PipeClosed):
        while True:
            request = pipe.receive_message(end)
            pipe.send_message(end, answer_request(handlers, request))


def _die_with_parent() -> None:
    """Linux kills this process when its parent goes, however it goes."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


class Heartbeat:
    """Signs of life: numbered messages, sent by who calls between calls, and no more of them than one can hear.

    No thread sends them: it would take part in what is timed, and would go on living beside a call that hangs.
    """

    def __init__(self, end: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        self._end, self._clock = end, clock
        self._count, self._due = 0, clock()

    def send_beat(self) -> None:
        if self._clock() >= self._due:
            self._count, self._due = self._count + 1, self._clock() + BEAT_SECONDS
            pipe.send_message(self._end, {"beat": self._count})


def answer_request(handlers: _WorkerState, request: dict[str, Any]) -> dict[str, Any]:
    """The handler's reply, or the failure as a sentence: whatever a network does wrong costs its own row alone."""
    try:
        return {"ok": True, **handlers.answer(request)}
    except Exception as error:  # noqa: BLE001  (the border between a network's faults and the run)
        return {"ok": False, "reason": _describe_failure(error, handlers.memory_bytes)}


def _describe_failure(error: Exception, memory_bytes: int | None) -> str:
    name = type(error).__name__
    text = " ".join(str(error).split("\n")[0].split())
    if name == "OutOfMemoryError" or isinstance(error, MemoryError) or any(words in text for words in STARVED):
        limit = "" if memory_bytes is None else f" (it may take {units.format_mib(memory_bytes)} MiB)"
        return f"out of memory: {text or name}{limit}"
    return text if name in ("SpecError", "CannotMeasure", "Unusable") else f"{name}: {text}"


def limit_memory(memory_bytes: int) -> None:
    """From here on the process may map so much more to write into; asking for more is an error in it, and in it alone.

    Where the system does not say what is mapped already (only Linux does), nothing is limited.
    """
    with contextlib.suppress(FileNotFoundError):
        mapped = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = mapped + memory_bytes
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


class _WorkerState:
    """The network a worker process holds between requests, and how it answers them."""

    def __init__(self, beat: Callable[[], None], clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self.network: Any = None
        self.beat, self.clock = beat, clock
        self.memory_bytes: int | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in request.items() if name != "do"}
        if request["do"] == "start":
            return self._start_network(given)
        if request["do"] == "self-check":
            from archbench.measure.worker.self_checks import read_self_checks  # torch is in by now

            return dict(read_self_checks(self.network.forward, self.network.device))
        return dict(getattr(self.network, ASKED[request["do"]])(**given, beat=self.beat))

    def _start_network(self, request: dict[str, Any]) -> dict[str, Any]:
        """Import, then build. Of the imports torch and what builds count for `cold_ms`; what proves and counts does not."""
        began = self.clock()
        import_module("archbench.measure.worker.build")  # here torch comes in
        import_ms = (self.clock() - began) / units.NS_PER_MS
        from archbench.measure.worker.timed_network import TimedNetwork

        self.beat()
        if (memory_bytes := request["memory_bytes"]) is not None:
            self.memory_bytes = int(memory_bytes)
            limit_memory(self.memory_bytes)
        self.network = TimedNetwork.start(request, self.clock)
        facts: dict[str, Any] = self.network.facts
        facts["cold_ms"] = {"import": import_ms, **facts["cold_ms"]}
        return facts


if __name__ == "__main__":
    serve()
