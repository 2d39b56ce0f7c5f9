"""How others time a network, as rules on the noise machine: what each calls, in which order, and which number it keeps.

Each measures one network after the other. The rules are those of the sources named; the network's calls are the machine's.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import fmean, median, pstdev

from benches.noise import Machine, Noise

Rule = Callable[[Machine, float], float]

CALL_S = 0.01  # of the fastest of the networks that are ranked
PROCESS_S = 3.0  # a fresh process: interpreter, torch, the network


def timm(machine: Machine, call_s: float) -> float:
    """pytorch-image-models' benchmark.py: 10 calls to warm up, the mean of 40."""
    _calls(machine, call_s, 10)
    return fmean(_calls(machine, call_s, 40))


def torch_timer(machine: Machine, call_s: float) -> float:
    """torch.utils.benchmark's `blocked_autorange(min_run_time=1)`: blocks of at least 1 ms for a second, their median."""
    _calls(machine, call_s, 2)
    return median(_until(machine, call_s, 1.0))


def pytest_benchmark(machine: Machine, call_s: float) -> float:
    """pytest-benchmark: rounds for a second  after one to calibrate; the minimum, by which it sorts."""
    _calls(machine, call_s, 1)
    return min(_until(machine, call_s, 1.0))


def nvbench(machine: Machine, call_s: float) -> float:
    """nvbench's stdrel: half a second at least, until the samples' relative deviation is under 0.5 % or has stopped changing
    (its last 64 values, one every eight calls, agree within 5 %), 15 s at most; the mean."""
    _calls(machine, call_s, 1)
    began, count, total, squares, deviations = machine.now, 0, 0.0, 0.0, list[float]()
    while machine.now - began < 15.0:
        taken = machine.call(call_s) / call_s
        count, total, squares = count + 1, total + taken, squares + taken * taken
        if count % 8:
            continue
        deviations.append(math.sqrt(max(0.0, squares / count - (total / count) ** 2)) * count / total)
        last = deviations[-64:]
        settled = len(last) == 64 and pstdev(last) < 0.05 * fmean(last)
        if machine.now - began >= 0.5 and (deviations[-1] < 0.005 or settled):
            break
    return call_s * total / count


# Whether each network has a process of its own: timm's bulk runner starts one a model, the others run in one.
PEERS: dict[str, tuple[Rule, float]] = {
    "timm's loop": (timm, PROCESS_S),
    "torch.utils.benchmark": (torch_timer, PROCESS_S),
    "nvbench's rule": (nvbench, 0.0),
    "pytest-benchmark's minimum": (pytest_benchmark, 0.0),
}


def ranking(peer: str, noise: Noise, truth: Sequence[float], seed: int) -> float:
    """Kendall's tau of the peer's figures against the truth, the networks taken one after the other in a random order."""
    rule, start_s = PEERS[peer]
    machine, order, found = Machine(noise, seed), list(range(len(truth))), [0.0] * len(truth)
    random.Random(seed).shuffle(order)
    for place in order:
        machine.idle(start_s)
        found[place] = rule(machine, truth[place] * machine.new_process())
    return kendall(found, truth)


def kendall(found: Sequence[float], truth: Sequence[float]) -> float:
    """Kendall's tau: pairs in the order of the truth less pairs against it, as a share of all. A tie is neither."""
    pairs = list(combinations(range(len(truth)), 2))
    return sum(_sign(found[i] - found[j]) * _sign(truth[i] - truth[j]) for i, j in pairs) / len(pairs)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _calls(machine: Machine, call_s: float, count: int) -> list[float]:
    return [machine.call(call_s) for _ in range(count)]


def _until(machine: Machine, call_s: float, seconds: float) -> list[float]:
    end, taken = machine.now + seconds, list[float]()
    while machine.now < end:
        taken.append(machine.call(call_s))
    return taken
