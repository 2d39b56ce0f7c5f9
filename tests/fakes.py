"""A device with a scripted clock, and workers without processes: timing and the experiment without waiting for either."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field

from archbench.measure.supervisor import WorkerFailed


@dataclass
class FakeDevice:
    """A host clock and a device queue. A launch takes `launch_ns` of the host; the work itself runs behind it.

    Reading a mark before the device reached it raises, as CUDA's event does.
    """

    launch_ns: int = 10_000
    name: str = "fake"
    host: int = 0
    busy_until: int = 0
    trips: list[str] = field(default_factory=list)

    def now_ns(self):
        return self.host

    def synchronize(self):
        self.trips.append("synchronize")
        self.host = max(self.host, self.busy_until)

    def new_mark(self):
        return []

    def record(self, mark):
        self.trips.append("record")
        mark[:] = [max(self.host, self.busy_until)]

    def elapsed_ns(self, start, end):
        if self.host < end[0]:
            raise RuntimeError("device not ready")
        return end[0] - start[0]

    def reset_peak(self):
        self.trips.append("reset_peak")

    def peak_bytes(self):
        return None

    def autocast(self, workload):
        return nullcontext()

    def configure(self, workload):
        self.trips.append("configure")

    def identity(self):
        return {"device": "fake"}

    def telemetry(self):
        return {}

    def launch(self, work_ns):
        """Ask the device for work; only the launch keeps the host."""
        self.trips.append("launch")
        self.host += self.launch_ns
        self.busy_until = max(self.host, self.busy_until) + work_ns


@dataclass
class Lab:
    """A clock that fake workers move on, and what each variant's call takes. Scripts say who fails and when."""

    call_s: dict[str, float] = field(default_factory=dict)  # by variant id
    start_s: float = 3.0
    now: float = 0.0
    fails: dict[tuple[str, str], str] = field(default_factory=dict)  # (variant id, request) -> reason
    log: list[tuple[str, str]] = field(default_factory=list)
    running: int = 0

    def clock(self):
        return self.now

    def worker(self, job, *, timeout):
        return FakeWorker(self, job.variant.id)


class FakeWorker:
    """Answers start, warm and block at once, on the lab's clock."""

    def __init__(self, lab, identifier):
        self.lab, self.id, self.closed, self.blocks = lab, identifier, False, 0

    def start(self):
        self.lab.now += self.lab.start_s
        return self._reply("start", {"traced": {"macs": 1}, "uncounted": {}, "cold_ms": {"import": 1.0, "build": 2.0}})

    def ask(self, request):
        assert not self.closed
        assert self.lab.running == 0, "two workers run at once"
        self.lab.running += 1
        took = self.lab.call_s.get(self.id, 1.0)
        self.lab.now += took
        self.lab.running -= 1
        timed = {"wall_ns": [int(took * 1e9)], "device_ns": [int(took * 1e9)], "dropped": 0}
        if request["do"] == "warm":
            return self._reply("warm", timed | {"steady": True, "memory_bytes": 5, "memory_kind": "traced"})
        self.blocks += 1
        return self._reply("block", timed | {"telemetry": {}})

    def _reply(self, verb, reply):
        self.lab.log.append((verb, self.id))
        if reason := self.lab.fails.get((self.id, verb)):
            raise WorkerFailed(reason)
        return reply

    def close(self):
        self.closed = True
