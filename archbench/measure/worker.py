"""The process that holds one network: start, warm, block, energy, self-check. It alone imports torch.

Run as `python -m archbench.measure.worker FD`, FD being its end of the supervisor's socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
from typing import Any

from archbench.measure import pipe

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Serve until the supervisor closes its end."""
    _die_with_parent()
    end = socket.socket(fileno=int(sys.argv[1]))
    sys.stdout = sys.stderr  # what user code prints is not for the supervisor's caller
    handlers = _Handlers()
    with contextlib.suppress(pipe.Closed):
        while True:
            request = pipe.receive(end)
            pipe.send(end, _answer(handlers, request))


def _die_with_parent() -> None:
    """Linux kills this process when its parent goes, however it goes."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def _answer(handlers: _Handlers, request: dict[str, Any]) -> dict[str, Any]:
    """The handler's reply, or the failure as a sentence: whatever a network does wrong costs its own row alone."""
    try:
        return {"ok": True, **handlers.handle(request)}
    except Exception as error:  # noqa: BLE001  (the border between a network's faults and the run)
        return {"ok": False, "reason": _reason(error)}


def _reason(error: Exception) -> str:
    name = type(error).__name__
    text = " ".join(str(error).split("\n")[0].split())
    if name == "OutOfMemoryError" or "out of memory" in text or "can't allocate memory" in text:
        return f"out of memory: {text}"
    return text if name in ("SpecError", "CannotMeasure", "Unusable") else f"{name}: {text}"


class _Handlers:
    """What the process holds between requests."""

    def __init__(self) -> None:
        self.session: Any = None

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "start":
            began = time.perf_counter_ns()
            from archbench.measure.session import Session  # here torch comes in: its cost is part of `cold_ms`

            imported = time.perf_counter_ns()
            self.session = Session.start(request)
            built = time.perf_counter_ns()
            facts = self.session.facts
            compiled = facts["cold_ms"]  # what the engine took of the time since the import
            build = (built - imported) / 1e6 - sum(compiled.values())
            facts["cold_ms"] = {"import": (imported - began) / 1e6, "build": build, **compiled}
            return facts
        if request["do"] == "warm":
            return dict(self.session.warm())
        if request["do"] == "self-check":
            from archbench.measure.self_checks import observe  # torch is in by now

            return observe(self.session.forward, self.session.device)
        assert request["do"] in ("block", "energy")
        given = {name: value for name, value in request.items() if name != "do"}
        return dict(getattr(self.session, request["do"])(**given))


if __name__ == "__main__":
    main()
