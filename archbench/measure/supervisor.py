"""One worker process from the outside: started, asked, given up, killed. Imports no torch."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from archbench.design.variant import Variant
from archbench.measure import pipe

TERM_SECONDS = 5.0
STDERR_LINE = 200  # of what a dying worker said, this much goes into its row


class WorkerFailed(Exception):
    """The worker could not do what it was asked; the message is the row's reason."""


@dataclass(frozen=True)
class Job:
    """What a worker is asked to hold: a variant, on a device, from a seed."""

    variant: Variant
    device: str
    seed: int
    plugins: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "variant": self.variant.as_json(),
            "device": self.device,
            "seed": self.seed,
            "plugins": list(self.plugins),
        }


class Worker:
    """A spawned process in a group of its own. Used as a context manager, it is never left behind."""

    def __init__(self, job: Job, *, timeout: float) -> None:
        self.job, self.timeout = job, timeout
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the worker)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "archbench.measure.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
                pass_fds=(theirs.fileno(),),
                process_group=0,
                env=worker_environment(job.variant.workload.threads),
            )
        self._end = ours

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> dict[str, Any]:
        """Build and check the network; the facts of the process."""
        return self.ask({"do": "start", **self.job.as_json()})

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request and its reply. Raises WorkerFailed with the reason, after which the worker is gone."""
        try:
            pipe.send(self._end, request)
            reply = pipe.receive(self._end, self.timeout)
        except pipe.Late:
            self.close()
            raise WorkerFailed(f"no answer in {self.timeout:g} s; raise measure.timeout if it is only slow") from None
        except pipe.Closed:
            raise WorkerFailed(self._epitaph()) from None
        if not reply.pop("ok"):
            self.close()
            raise WorkerFailed(reply["reason"])
        return reply

    def close(self) -> None:
        """End the process and everything it started: TERM, and KILL for what is still there after five seconds."""
        self._end.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(TERM_SECONDS)
                break
        self._stderr.close()

    def _epitaph(self) -> str:
        """How the process died, with the last line it wrote."""
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
            return f"its process died of {signal.Signals(-code).name}{hint}{said}"
        return f"its process ended with code {code}{said}"


def worker_environment(threads: int | None) -> dict[str, str]:
    """Waiting workers must burn nothing: OpenMP threads sleep between parallel regions instead of spinning."""
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    return environment | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
