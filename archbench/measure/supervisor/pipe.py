"""Messages between the supervisor and its workers: JSON behind its length, over a socket. No pickle, nothing unbounded."""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

from archbench.units import NS_PER_S

SLOW_NS = (
    NS_PER_S  # a call this long is its own warm-up and block (seen: its first is no slower than its second), and too
)
# dear to be made for a second quantity; both sides of the pipe go by it
LENGTH = struct.Struct(">I")
MOST_BYTES = 16 << 20


class PipeClosed(Exception):
    """The other end is gone."""


class PipeTimeout(Exception):
    """No whole message came in time."""


def send_message(end: socket.socket, message: dict[str, Any]) -> None:
    """Write one message whole. Raises Closed."""
    body = json.dumps(message, allow_nan=False).encode()
    assert len(body) <= MOST_BYTES
    try:
        end.sendall(LENGTH.pack(len(body)) + body)
    except OSError as error:
        raise PipeClosed from error


def receive_message(end: socket.socket, seconds: float | None = None) -> dict[str, Any]:
    """The next message. Raises Late after `seconds`, Closed at the end or at something that is no message."""
    deadline = None if seconds is None else time.monotonic() + seconds
    (length,) = LENGTH.unpack(_receive_exactly(end, LENGTH.size, deadline))
    if length > MOST_BYTES:
        raise PipeClosed
    try:
        message = json.loads(_receive_exactly(end, length, deadline))
    except ValueError as error:
        raise PipeClosed from error
    if not isinstance(message, dict):
        raise PipeClosed
    return message


def _receive_exactly(end: socket.socket, size: int, deadline: float | None) -> bytes:
    data = b""
    while len(data) < size:
        end.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
        try:
            piece = end.recv(size - len(data))
        except TimeoutError as error:
            raise PipeTimeout from error
        except OSError as error:
            raise PipeClosed from error
        if not piece:
            raise PipeClosed
        data += piece
    return data
