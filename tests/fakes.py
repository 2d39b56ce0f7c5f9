"""A device with a scripted clock, workers without processes and a driver without GPUs: tests that wait for none of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace

import pynvml

from archbench.measure.supervisor.worker_process import WorkerFailed

FLUSH_NS = 300_000  # what writing a cache's worth takes the fake device


class NotReady(RuntimeError):
    """What reading a mark too early raises."""


class OutOfMemoryError(RuntimeError):
    """Named as torch names it: that name is what a row's reason is made from."""


class Mark:
    """A recorded mark knows the moment the device comes to it; a new one none."""

    at: int | None = None


@dataclass
class FakeDevice:
    """A host clock and a device that works behind it, in virtual nanoseconds. Nothing sleeps; the same asked, the same told.

    A launch keeps the host for `launch_ns`, and the device does the work in the order asked. The queue holds `depth`
    items: the host waits where it is full. Work takes longer while `speed(t)` is under one (a throttled clock), and
    `cold_ns` longer when it is the first after a flush. `trips` notes what was asked, in order.
    """

    launch_ns: int = 10_000
    name: str = "fake"
    depth: int = 1024
    asynchronous: bool = True
    graphs: bool = False
    cold_ns: int = 0
    resolution_ns: int = 1  # 500 for CUDA's events
    capacity: int | None = None  # bytes of memory; null: no allocator to ask
    speed: Callable[[int], float] = lambda _: 1.0
    host: int = 0
    busy_until: int = 0
    trips: list[str] = field(default_factory=list)
    queue: deque = field(default_factory=deque)  # when each item that was asked for will be done
    captured: list[int] | None = None  # the work of the graph being captured
    cold: bool = False
    allocated: int = 0
    peak: int = 0
    answers: dict[str, float | None] = field(default_factory=dict)  # what telemetry says

    def now_ns(self):
        return self.host

    def synchronize(self):
        if self.captured is not None:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.trips.append("synchronize")
        self.host = max(self.host, self.busy_until)

    def new_mark(self):
        return Mark()

    def record(self, mark):
        self.trips.append("record")
        self._enqueue(0)
        mark.at = self.busy_until

    def elapsed_ns(self, start, end):
        if start.at is None or end.at is None:
            raise RuntimeError("a mark was never recorded")
        if self.host < max(start.at, end.at):
            raise NotReady("device not ready")
        return (end.at // self.resolution_ns - start.at // self.resolution_ns) * self.resolution_ns

    def has_reached(self, mark):
        return mark.at is not None and self.host >= mark.at

    def fill_queue(self, ns):
        self.trips.append("fill")
        if self.asynchronous:
            self._enqueue(ns)

    def flush_cache(self):
        self.trips.append("flush")
        self._ask(FLUSH_NS)
        self.cold = True

    def capture(self, forward):
        """The launches of one call as one: no gap between them, one launch's time of the host."""
        if not self.graphs:
            return None
        self.trips.append("capture")
        self.captured = work = []
        try:
            result = forward()
        finally:
            self.captured = None

        def replay():
            self.trips.append("replay")
            self._ask(sum(work))
            return result

        return replay

    def reset_peak(self):
        self.trips.append("reset_peak")
        self.peak = self.allocated

    def peak_bytes(self):
        return None if self.capacity is None else self.peak

    def memory(self):
        told = None if self.capacity is None else self.peak
        return {
            "allocated": told,
            "reserved": told,
            "requested": told,
            "retries": None if self.capacity is None else 0,
        }

    def autocast(self, workload):
        return nullcontext()

    def configure(self, workload):
        self.trips.append("configure")

    def identity(self):
        return {"device": "fake"}

    def telemetry(self):
        return dict(self.answers)

    def launch(self, work_ns):
        """Ask the device for work; only the launch keeps the host. Under capture the work is noted and not done."""
        if self.captured is not None:
            self.captured.append(work_ns)
            return
        self.trips.append("launch")
        self._ask(work_ns)

    def allocate(self, size):
        """Memory that is given back when what this returns is let go."""
        if self.capacity is not None and self.allocated + size > self.capacity:
            raise OutOfMemoryError(f"out of memory: tried to allocate {size} of {self.capacity} bytes")
        return Allocation(self, size)

    def _ask(self, work_ns):
        self.host += self.launch_ns
        self._enqueue(work_ns + (self.cold_ns if self.cold else 0))
        self.cold = False
        if not self.asynchronous:
            self.host = self.busy_until

    def _enqueue(self, work_ns):
        while self.queue and self.queue[0] <= self.host:
            self.queue.popleft()
        if len(self.queue) >= self.depth:
            self.host = self.queue.popleft()
        began = max(self.host, self.busy_until)
        self.busy_until = began + round(work_ns / self.speed(began))
        self.queue.append(self.busy_until)


class Allocation:
    """A tensor's memory."""

    def __init__(self, device, size):
        self.device, self.size = device, size
        device.allocated += size
        device.peak = max(device.peak, device.allocated)

    def __del__(self):
        self.device.allocated -= self.size


@dataclass
class FakeNvml:
    """NVML on a machine with these GPUs, by UUID, in the place of the functions of `pynvml`.

    `refuses` has the code of an error by what raises it: a function, or a function asked of the GPU of a number.
    """

    uuids: tuple[str, ...] = ("GPU-0a1b", "GPU-0a2c")
    free: tuple[int, ...] = (10 * 10**9, 20 * 10**9)
    slices: int = 0  # the last of them are slices of others, found by their UUID only
    persistence: int = 0
    refuses: dict[str | tuple[str, int], int] = field(default_factory=dict)
    sessions: int = 0  # that were opened and not closed
    asked: set[str] = field(default_factory=set)

    def stand_in(self, monkeypatch):
        """Answer in the place of every function of pynvml: one that is not here is asked by nobody."""
        for name in [name for name in dir(pynvml) if name.startswith("nvml") and callable(getattr(pynvml, name))]:
            monkeypatch.setattr(pynvml, name, getattr(self, name, None))

    @property
    def _count(self):
        return len(self.uuids) - self.slices

    def _answer(self, name, handle, answer):
        self.asked.add(name)
        assert name == "nvmlInit" or self.sessions, "asked before NVML is initialised or after it is shut down"
        for asked in (name, (name, handle)):
            if asked in self.refuses:
                raise pynvml.NVMLError(self.refuses[asked])
        return answer

    def nvmlInit(self):
        self._answer("nvmlInit", None, None)
        self.sessions += 1

    def nvmlShutdown(self):
        self._answer("nvmlShutdown", None, None)
        self.sessions -= 1

    def nvmlSystemGetDriverVersion(self):
        return self._answer("nvmlSystemGetDriverVersion", None, "580.1")

    def nvmlDeviceGetCount(self):
        return self._answer("nvmlDeviceGetCount", None, self._count)

    def nvmlDeviceGetHandleByIndex(self, index):
        if not 0 <= index < self._count:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return self._answer("nvmlDeviceGetHandleByIndex", index, index)

    def nvmlDeviceGetHandleByUUID(self, uuid):
        """Only by the whole UUID, as NVML does."""
        if uuid not in self.uuids:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        index = self.uuids.index(uuid)
        return self._answer("nvmlDeviceGetHandleByUUID", index, index)

    def nvmlDeviceGetName(self, handle):
        return self._answer("nvmlDeviceGetName", handle, f"GPU number {handle}")

    def nvmlDeviceGetUUID(self, handle):
        return self._answer("nvmlDeviceGetUUID", handle, self.uuids[handle])

    def nvmlDeviceGetMemoryInfo(self, handle):
        return self._answer("nvmlDeviceGetMemoryInfo", handle, SimpleNamespace(free=self.free[handle]))

    def nvmlDeviceGetPersistenceMode(self, handle):
        return self._answer("nvmlDeviceGetPersistenceMode", handle, self.persistence)


@dataclass
class Lab:
    """A clock that fake workers move on, and what each variant's call takes. Scripts say who fails and when."""

    call_s: dict[str, float] = field(default_factory=dict)  # by variant id
    start_s: float = 3.0
    now: float = 0.0
    fails: dict[tuple[str, str], str] = field(default_factory=dict)  # (variant id, request) -> reason
    log: list[tuple[str, str]] = field(default_factory=list)
    running: int = 0
    quantities: tuple[str, ...] = ()  # what the device tells besides requests
    telemetry: dict[str, list[dict[str, float]]] = field(default_factory=dict)  # by variant id: of its next blocks
    takes: Callable[[str, int], float] | None = None  # seconds of a call, by variant id and how many the process made
    refuses: set[tuple[str, str]] = field(default_factory=set)  # (variant id, quantity)
    energy_mj: float | None = None  # of a call, where there is a meter
    paused: list[float] = field(default_factory=list)
    first_s: float = 0.0  # that a process's first call takes beyond its others
    cold_ms: dict[str, float] = field(default_factory=lambda: {"import": 1.0, "build": 2.0})  # what starting took

    def pause(self, seconds):
        self.paused.append(seconds)
        self.now += seconds

    def clock(self):
        return self.now

    def worker(self, variant, setup, *, timeout):
        return FakeWorker(self, variant.id)


class FakeWorker:
    """Answers start, warm and block at once, on the lab's clock."""

    def __init__(self, lab, identifier):
        self.lab, self.id, self.closed, self.blocks = lab, identifier, False, 0

    def start(self):
        self.lab.now += self.lab.start_s
        facts = {"traced": {"macs": 1}, "uncounted": {}, "cold_ms": dict(self.lab.cold_ms)}
        told = {"quantities": list(self.lab.quantities), "meter": self.lab.energy_mj is not None}
        return self._reply("start", facts | told)

    def ask(self, request):
        assert not self.closed
        assert self.lab.running == 0, "two workers run at once"
        self.lab.running += 1
        took = self.lab.takes(self.id, self.blocks) if self.lab.takes else self.lab.call_s.get(self.id, 1.0)
        self.lab.now += took
        self.lab.running -= 1
        timed = {"wall_ns": [int(took * 1e9)], "device_ns": [int(took * 1e9)], "dropped": 0}
        if request["do"] == "warm":
            if self.lab.first_s:
                self.lab.now += self.lab.first_s
                timed = {
                    name: [int((took + self.lab.first_s) * 1e9), int(took * 1e9)] for name in ("wall_ns", "device_ns")
                }
            return self._reply(
                "warm",
                {"dropped": 0} | timed | {"steady": True, "memory_bytes": 5, "memory_kind": "traced", "memory": {}},
            )
        if request["do"] == "energy":
            return self._reply("energy", {"energy_mj": self.lab.energy_mj, "energy_s": 5.0})
        if (self.id, request.get("quantity")) in self.lab.refuses:
            assert request["optional"]
            return self._reply("refused", {"refused": "it waits inside a call"})
        self.blocks += 1
        told = self.lab.telemetry.get(self.id)
        return self._reply("block", timed | {"telemetry": told.pop(0) if told else {}})

    def _reply(self, verb, reply):
        self.lab.log.append((verb, self.id))
        if reason := self.lab.fails.get((self.id, verb)):
            raise WorkerFailed(reason)
        return reply

    def close(self):
        self.closed = True
