"""Where scripted workers wait before they answer, so that a test says at which moment of a run something happens."""

from __future__ import annotations

import os
import socket
from types import TracebackType

PROMPT_S = 120  # for what takes a second: a machine may be slow, a test that hangs shall end


class Cues:
    """Requests of scripted workers, one after the other; a context manager, at whose end nobody waits any more."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(PROMPT_S)
        self._held: socket.socket | None = None

    @property
    def environment(self) -> dict[str, str]:
        """This process's, with where its workers are to ask."""
        return {**os.environ, "CUE": str(self._server.getsockname()[1])}

    def until(self, verb: str, count: int = 1) -> None:
        """Let requests be answered until so many of that kind have come; the last one waits, and all after it."""
        while count:
            self.go_on()
            self._held, _ = self._server.accept()
            self._held.settimeout(PROMPT_S)
            asked = b"".join(iter(lambda: self._held.recv(16), b"")).decode()
            count -= asked == verb

    def go_on(self) -> None:
        """Let the request that waits be answered."""
        if self._held is not None:
            self._held.close()

    def close(self) -> None:
        """Let every request be answered from now on."""
        self.go_on()
        self._server.close()

    def __enter__(self) -> Cues:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
