"""One worker process from the outside: started, asked, given up, killed. Imports no torch."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archbench.measure.supervisor import pipe
from archbench.measure.supervisor.processes import own_command, own_environment
from archbench.models.variant import Variant

TERM_SECONDS = 5.0
STDERR_LINE = 200  # of what a dying worker said, this much goes into its row
PROGRAM = own_command("archbench.measure.worker.worker")  # takes its end of the socket
BEATS_MISSED = 3  # silent for so many times its longest silence so far, a worker no longer calls


class WorkerFailed(Exception):
    """The worker could not do what it was asked; the message is the row's reason."""


@dataclass(frozen=True)
class WorkerSetup:
    """The setup all workers of a run share: a device, a seed, plugins, and so many bytes of the host beside torch itself."""

    device: str
    seed: int
    plugins: tuple[str, ...] = ()
    memory_bytes: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "device": self.device,
            "seed": self.seed,
            "plugins": list(self.plugins),
            "memory_bytes": self.memory_bytes,
        }


class Worker:
    """A spawned process in a group of its own, so that a terminal's Ctrl-C is not for it.

    Used as a context manager, it is never left behind. `timeout` is of each request; `cache` is where compiled code goes.
    """

    def __init__(self, variant: Variant, setup: WorkerSetup, *, timeout: float, cache: Path | None = None) -> None:
        self.variant, self.setup, self.timeout = variant, setup, timeout
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the worker)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*PROGRAM, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
                pass_fds=(theirs.fileno(),),
                process_group=0,
                env=worker_environment(variant.workload.threads, cache),
            )
        self._end = ours

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def start(self) -> dict[str, Any]:
        """Build and check the network; the facts of the process."""
        return self.ask({"do": "start", "variant": self.variant.as_json(), **self.setup.as_json()})

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request and its reply. Raises WorkerFailed with the reason, after which the worker is gone."""
        try:
            reply = self._exchange(request)
        except pipe.PipeClosed:
            raise WorkerFailed(self._describe_death()) from None
        if not reply.pop("ok"):
            self.close()
            raise WorkerFailed(reply["reason"])
        return reply

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        """The first message after the request that is no sign of life. Raises WorkerFailed at the time limit."""
        pipe.send_message(self._end, request)
        began = heard = time.monotonic()
        longest = 1.0  # s between two signs of life: they come once a second, or once a call where that takes longer
        while True:
            try:
                message = pipe.receive_message(self._end, began + self.timeout - time.monotonic())
            except pipe.PipeTimeout:
                silent, starting = time.monotonic() - heard, request["do"] == "start"
                late = (
                    _describe_late_start(self.timeout) if starting else _describe_overdue(self.timeout, silent, longest)
                )
                self.close()
                raise WorkerFailed(late) from None
            if "beat" not in message:
                return message
            longest, heard = max(longest, time.monotonic() - heard), time.monotonic()

    @property
    def is_running(self) -> bool:
        """Whether the process has not been seen to end."""
        return self._process.returncode is None

    def kill(self) -> None:
        """End the process at once; `close` still has to tidy up."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process and everything it started: TERM, and KILL for what is still there, after five seconds at most."""
        self._end.close()
        for number in (signal.SIGTERM, signal.SIGKILL):  # both always: what the process started may outlive the first
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
                os.killpg(self._process.pid, signal.SIGCONT)  # a stopped process does not hear that it shall end
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(TERM_SECONDS)
        self._stderr.close()

    def _describe_death(self) -> str:
        """The reason of a process that died, with the last line it wrote."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(TERM_SECONDS)
        code = self._process.poll()
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        said = f": {lines[-1][:STDERR_LINE]}" if lines else ""
        self.close()
        if code is None:
            return f"its process closed its pipe and did not end{said}"
        if code < 0:
            hint = " (out of memory?)" if code == -signal.SIGKILL else ""
            starved = "out of memory: " if "bad_alloc" in said else ""  # C++, in a thread that nobody guards
            return f"{starved}its process died of {signal.Signals(-code).name}{hint}{said}"
        return f"its process ended with code {code}{said}"


def _describe_late_start(limit: float) -> str:
    """The reason of a worker that has made no timed call at its time limit; it gives no signs of life until then."""
    return f"not started in {limit:g} s: import, build, compile and checks take longer, or hang; raise measure.timeout"


def _describe_overdue(limit: float, silent: float, longest: float) -> str:
    """The reason of a worker at its time limit that was `silent` s then, and had never been for over `longest` s before."""
    if silent <= min(BEATS_MISSED * longest, limit / 2):
        return f"not done in {limit:g} s though it was still calling; raise measure.timeout"
    way_out = "raise measure.timeout if one call takes so long"
    return f"no answer in {limit:g} s and no sign of life for {silent:.0f} s; {way_out}"


def worker_environment(threads: int | None, cache: Path | None = None) -> dict[str, str]:
    """Waiting workers must burn nothing: OpenMP threads sleep between parallel regions instead of spinning.

    Code compiled for the run goes into `cache`, so that what an earlier run compiled makes no start look warm.
    """
    environment = own_environment() | {"OMP_WAIT_POLICY": "passive"}
    environment |= {"TORCHINDUCTOR_CACHE_DIR": str(cache.absolute())} if cache else {}
    return environment | ({"OMP_NUM_THREADS": str(threads)} if threads else {})


class Crew:
    """The workers of one run, which can be ended together, and the folder they share for compiled code.

    A context manager: nothing of either is left. What a killed run left in the folder is not used again.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._workers: list[Worker] = []

    def hire(self, variant: Variant, setup: WorkerSetup, *, timeout: float) -> Worker:
        worker = Worker(variant, setup, timeout=timeout, cache=self._cache)
        self._workers = [*(other for other in self._workers if other.is_running), worker]
        return worker

    def kill(self) -> None:
        """End all of them at once, so that nobody goes on waiting for one."""
        for worker in self._workers:
            worker.kill()

    def __enter__(self) -> Crew:
        shutil.rmtree(self._cache, ignore_errors=True)
        return self

    def __exit__(self, *failure: object) -> None:
        self.kill()
        for worker in self._workers:
            worker.close()
        shutil.rmtree(self._cache, ignore_errors=True)
