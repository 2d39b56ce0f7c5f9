"""How long something may take, in steps of a plain loop here and now: no test is judged by seconds, which a machine may lack."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

MILLION_S = (
    0.02  # a million steps, as seen on the machine of 2026; elsewhere, or under a tracer, they take what they take
)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """The block takes no more of the processor than so many seconds' steps of a loop do, before it or after."""
    before, began = _loop(), time.process_time()
    yield
    took = time.process_time() - began
    million_s = max(before, _loop())
    assert took / million_s < seconds / MILLION_S, (
        f"{took:.2f} s, where a million steps of a loop take {million_s:.3f} s"
    )


def _loop() -> float:
    began, total = time.process_time(), 0
    for step in range(1_000_000):
        total += step & 3
    return time.process_time() - began
