"""A worker without torch: its own loop, socket and limits, and in the place of a network one whose times are arithmetic.

Run as a worker is, with its end of the supervisor's socket. A hand-written network MODULE:NAME does what AT_ONCE says of NAME
when it is built, and FAULTS in its first call; any other computes well. Where `CUE` names a port, each request waits there
before it is answered.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from archbench.measure.worker import worker

CALLS = 6  # of a block
LAYER_NS = 50_000  # of a call, for each layer of a backbone's depth
CHANNEL_NS = 1_000  # for each channel of a neck
APART_NS = 500  # so much longer each call of a block takes than the one before, and a process than another


def _run_out_of_memory() -> None:
    raise MemoryError("tried to allocate 4 PiB")


def _give_nan() -> None:
    raise Unusable("its output is not finite (shape (1, 8, 62, 62), torch.float32)")


class Unusable(Exception):
    """Named as the worker's own, whose reason is the row's."""


def _start_a_child() -> None:
    """A process that does not hear TERM, its number in the file that `CHILD_IN` names."""
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; echo ready; sleep 600; :"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    Path(os.environ["CHILD_IN"]).write_text(str(child.pid))


AT_ONCE = {"has_a_child": _start_a_child, "hangs_at_once": signal.pause}  # while it is built
FAULTS: dict[str, Callable[[], object]] = {
    "hangs": signal.pause,
    "crashes": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stops": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "aborts": os.abort,
    "exits": lambda: os._exit(3),
    "hoards": _run_out_of_memory,
    "list_of_4_gib": lambda: [None] * (1 << 29),
    "nan": _give_nan,
}


class TimedNetwork:
    """What a worker holds, without a network: `warm` and `block` answer at once with times that follow from the variant."""

    def __init__(self, variant: Mapping[str, Any]) -> None:
        name = variant["architecture"].get("module", "").partition(":")[2]
        self.fault, self.steady = FAULTS.get(name), name != "never_steady"
        AT_ONCE.get(name, lambda: None)()
        depth = variant["architecture"].get("backbone", {}).get("depth", 10)
        channels = variant["architecture"].get("neck", {}).get("channels", 0)
        self.call_ns = LAYER_NS * depth + CHANNEL_NS * channels + APART_NS * (os.getpid() % 10)
        self.facts = {
            "device": {"device": "cpu", "threads": 1},
            "engine": {"name": "scripted"},
            "cold_ms": {"build": 2.0},
            "quantities": ["step"],
            "meter": False,
            "notes": [],
        }

    @classmethod
    def start(cls, request: Mapping[str, Any], clock: Callable[[], int]) -> TimedNetwork:
        wait_for_cue("start")
        return cls(request["variant"])

    def warm_up(self, beat: Callable[[], None]) -> dict[str, Any]:
        wait_for_cue("warm")
        if self.fault is not None:
            self.fault()
        while not self.steady:
            beat()
        counts = {"macs": 27, "peak_bytes": 1000}
        memory = {"memory_bytes": 1000, "memory_kind": "traced", "memory": {}}
        return self._calls(dropped=0) | {"steady": True, "traced": counts, "uncounted": {}, **memory}

    def time_block(self, call_ns: int, quantity: str, *, optional: bool, beat: Callable[[], None]) -> dict[str, Any]:
        wait_for_cue("block")
        return self._calls(dropped=1) | {"telemetry": {}}

    def _calls(self, dropped: int) -> dict[str, Any]:
        times = [self.call_ns + APART_NS * place for place in range(CALLS)]
        return {"wall_ns": times, "device_ns": times, "dropped": dropped}


def wait_for_cue(verb: str) -> None:
    """Say which request came, and go on once whoever listens there hangs up; at once where nobody does."""
    port = os.environ.get("CUE")
    if port is None:
        return
    try:
        with socket.create_connection(("127.0.0.1", int(port))) as line:
            line.sendall(verb.encode())
            line.shutdown(socket.SHUT_WR)
            line.recv(1)
    except OSError:
        return


def main() -> None:
    """Serve as the worker does, its builder and session replaced: what it would import of them is torch's."""
    session = ModuleType("archbench.measure.worker.timed_network")
    session.TimedNetwork = TimedNetwork  # type: ignore[attr-defined]
    sys.modules["archbench.measure.worker.build"] = ModuleType("archbench.measure.worker.build")
    sys.modules[session.__name__] = session
    worker.serve()


if __name__ == "__main__":
    main()
