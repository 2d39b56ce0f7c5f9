"""The noise machine: a device in virtual time that drifts, throttles and is shared, and knows what a call really takes.

All but a call's own jitter and a process' own bias is shared by whoever runs at that moment: a method that measures one
variant after the other pays for it, one that takes turns does not. Nothing sleeps, and a seed gives the same machine.

  drift     an Ornstein-Uhlenbeck process on log time: standard deviation and time constant
  boost     a cold device is so much faster; heat follows the load with a time constant, and idling cools it
  burst     a slowdown at random moments (exponential gaps) for a while; telemetry tells: a throttled clock, or the share
            of its time that a process lost to others
  jitter    of each call, and now and then an outlier; the first call after a hand-over is slower
  bias      of each process: its memory's layout, the algorithm an autotuner took
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import numpy as np

SLICE_S = 0.025  # the shared state is held so long: a six-hundredth of the drift's time constant
DRAWN_AT_ONCE = 4096


@dataclass(frozen=True)
class Noise:
    """One kind of machine. Amplitudes are shares of a call's time; times are seconds."""

    name: str
    jitter: float
    drift: float = 0.0
    drift_s: float = 15.0
    boost: float = 0.0
    boost_s: float = 25.0
    burst: float = 0.0
    burst_s: float = 0.0
    gap_s: float = math.inf  # between bursts, on average
    throttles: bool = False  # a burst is a throttled clock; else another takes the processor
    bias: float = 0.0
    outlier: float = 0.005  # chance of a call that takes half as long again
    hand_over: float = 0.05


# The bursts of a throttled clock last 8 s and take a fifth of the time: what makes the peers' rules land where they were
# seen to land (`benches/peers.py`). Those of a shared machine are as a noisy neighbour's: 2 s every 6 s.
QUIET = Noise("quiet", jitter=0.005, outlier=0.0)
DRIFT = Noise(
    "drift", jitter=0.005, drift=0.012, boost=0.06, burst=0.08, burst_s=8.0, gap_s=32.0, throttles=True, bias=0.004
)
CLOUD = Noise("cloud", jitter=0.03, drift=0.03, burst=0.30, burst_s=2.0, gap_s=4.0, bias=0.008)
NOISES = {noise.name: noise for noise in (QUIET, DRIFT, CLOUD)}


@dataclass
class Machine:
    """One such machine: a clock in seconds, its hidden state, and calls that take what the state makes of them."""

    noise: Noise
    seed: int
    now: float = 0.0
    cpu_s: float = 0.0  # processor time of all calls so far: what others took is not in it
    _shared: float = 1.0  # factor on everybody's time, until `_held`
    _held: float = -1.0
    _seen: float = 0.0  # up to when drift and heat are told
    _drift: float = 0.0
    _heat: float = 0.0
    _burst: tuple[float, float] = (math.inf, math.inf)
    _jitter: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draw = random.Random(f"{self.noise.name}/{self.seed}")
        self._many = np.random.Generator(np.random.PCG64(self._draw.getrandbits(64)))
        self._drift = self._draw.gauss(0.0, self.noise.drift)
        if self.noise.burst:
            self._burst = (0.0, 0.0)
            self._next_burst()
            begin = self._draw.random() * (self._burst[1])  # the clock starts anywhere in a gap or a burst
            self._burst = (self._burst[0] - begin, self._burst[1] - begin)

    @property
    def bursting(self) -> bool:
        return self._burst[0] <= self.now < self._burst[1]

    @property
    def throttled(self) -> bool:
        return self.noise.throttles and self.bursting

    def new_process(self) -> float:
        """The factor on every call of a fresh process."""
        return math.exp(self._draw.gauss(0.0, self.noise.bias))

    def idle(self, seconds: float) -> None:
        """Let time pass without load: a process starts, or waits."""
        self._tell(load=1.0)
        self.now += seconds
        self._tell(load=0.0)
        self._held = -1.0

    def call(self, call_s: float) -> float:
        """The seconds one call takes that really takes `call_s`."""
        if self.now >= self._held:
            self._hold()
        alone = call_s * self._next_jitter()
        taken = alone * self._shared
        self.now += taken
        self.cpu_s += taken if self.noise.throttles or not self.bursting else taken / (1 + self.noise.burst)
        return taken

    def _hold(self) -> None:
        self._tell(load=1.0)
        self._held = self.now + SLICE_S
        if self.noise.burst:
            while self.now >= self._burst[1]:
                self._next_burst()
            begin, end = self._burst
            self._held = min(self._held, begin if self.now < begin else end)
        burst = self.noise.burst if self.bursting else 0.0
        self._shared = math.exp(self._drift + self.noise.boost * (self._heat - 1.0)) * (1.0 + burst)

    def _tell(self, *, load: float) -> None:
        """Bring drift and heat up to now; the time since they were last told had this load."""
        seconds, self._seen = self.now - self._seen, self.now
        if self.noise.drift and seconds:
            kept = math.exp(-seconds / self.noise.drift_s)
            self._drift = self._drift * kept + self._draw.gauss(0.0, self.noise.drift * math.sqrt(1 - kept * kept))
        if self.noise.boost and seconds:
            self._heat = load + (self._heat - load) * math.exp(-seconds / self.noise.boost_s)

    def _next_burst(self) -> None:
        begin = self._burst[1] + self._draw.expovariate(1 / self.noise.gap_s)
        self._burst = (begin, begin + self.noise.burst_s)

    def _next_jitter(self) -> float:
        if not self._jitter:
            factors = np.exp(self.noise.jitter * self._many.standard_normal(DRAWN_AT_ONCE))
            factors[self._many.random(DRAWN_AT_ONCE) < self.noise.outlier] *= 1.5
            self._jitter = factors.tolist()
        return self._jitter.pop()
