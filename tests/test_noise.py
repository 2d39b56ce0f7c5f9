"""The noise machine is what it says, and under it the peers' rules land where they were seen to land."""

import math
from dataclasses import replace
from functools import partial
from statistics import fmean, median, stdev

import pytest

from benches.noise import CLOUD, DRIFT, NOISES, QUIET, Machine, Noise
from benches.peers import CALL_S, kendall, ranking

SILENT = Noise("silent", jitter=0.0, outlier=0.0)
TWELVE = [CALL_S * 1.01**place for place in range(12)]


def states(noise, seconds, seed=0, step=0.05):
    """What a call of one second would take, over a stretch of time under load."""
    machine, found = Machine(noise, seed), []
    while machine.now < seconds:
        found.append(math.log(machine.call(step) / step))
    return found


def test_a_silent_machine_takes_what_a_call_takes():
    machine = Machine(SILENT, 1)
    assert [machine.call(0.25) for _ in range(3)] == [0.25] * 3
    assert (machine.now, machine.cpu_s) == (0.75, 0.75)


@pytest.mark.parametrize("name", list(NOISES))
def test_the_same_seed_is_the_same_machine_and_another_is_another(name):
    def first(seed):
        machine = Machine(NOISES[name], seed)
        return [machine.new_process(), *(machine.call(0.01) for _ in range(50))]

    assert first(3) == first(3) != first(4)


def test_the_drift_has_its_deviation_and_forgets_with_its_time_constant():
    """An OU process of deviation s correlates exp(-t / tau) with itself t later. 20,000 s are over 600 independent values."""
    logs = states(replace(SILENT, drift=0.012, drift_s=15.0), 20_000)
    assert fmean(logs) == pytest.approx(0.0, abs=0.002)
    assert stdev(logs) == pytest.approx(0.012, rel=0.1)
    lag = round(15 / 0.05)
    product = fmean(a * b for a, b in zip(logs, logs[lag:], strict=False)) / fmean(a * a for a in logs)
    assert product == pytest.approx(math.exp(-1), abs=0.1)


def test_a_cold_machine_is_six_percent_faster_and_cools_when_it_idles():
    """Heat is 1 - exp(-t / 25) after t seconds of load; idling for ln 2 time constants halves it."""
    machine = Machine(replace(SILENT, boost=0.06, boost_s=25.0), 0)
    assert machine.call(0.001) == pytest.approx(0.001 * math.exp(-0.06))
    while machine.now < 500:
        hot = machine.call(0.01)
    assert hot == pytest.approx(0.01, rel=1e-4)
    machine.idle(25 * math.log(2))
    assert machine.call(0.001) == pytest.approx(0.001 * math.exp(-0.03), rel=1e-4)


@pytest.mark.parametrize(("noise", "share", "slower"), [(DRIFT, 8 / 40, 1.08), (CLOUD, 2 / 6, 1.30)])
def test_bursts_take_their_share_of_the_time_and_slow_by_their_factor(noise, share, slower):
    bursts = replace(noise, jitter=0.0, outlier=0.0, drift=0.0, boost=0.0)
    found = [math.exp(each) for each in states(bursts, 20_000)]
    inside = [each for each in found if each > 1.01]
    assert fmean(inside) == pytest.approx(slower, rel=0.005)
    wall = sum(inside) / sum(found)  # of the time that passed
    assert wall == pytest.approx(share, abs=0.03)


def test_what_others_took_is_no_processor_time_and_a_throttled_clock_is():
    for noise, expected in ((CLOUD, 1 / 1.3), (DRIFT, 1.0)):
        machine = Machine(replace(noise, jitter=0.0, outlier=0.0, drift=0.0, boost=0.0), 5)
        while not machine.bursting:
            machine.call(0.01)
        before = machine.cpu_s
        taken = machine.call(0.01)
        assert (machine.cpu_s - before) / taken == pytest.approx(expected)
        assert machine.throttled == noise.throttles


def test_a_process_has_a_bias_of_its_own():
    machine = Machine(CLOUD, 2)
    assert stdev(math.log(machine.new_process()) for _ in range(4000)) == pytest.approx(0.008, rel=0.05)
    assert median(Machine(QUIET, 2).new_process() for _ in range(5)) == 1.0


def test_kendalls_tau_of_known_orders():
    """One adjacent swap in four turns one of six pairs round: (5 - 1) / 6."""
    assert kendall([1, 2, 3, 4], [1, 2, 3, 4]) == 1
    assert kendall([4, 3, 2, 1], [1, 2, 3, 4]) == -1
    assert kendall([1, 3, 2, 4], [1, 2, 3, 4]) == pytest.approx(4 / 6)
    assert kendall([1, 1, 1], [1, 2, 3]) == 0


@pytest.mark.statistics
@pytest.mark.slow
@pytest.mark.parametrize(
    ("peer", "seen", "count"),
    [("timm's loop", 0.63, 500), ("torch.utils.benchmark", 0.68, 500), ("nvbench's rule", 0.56, 250)],
)
def test_under_drift_a_peers_rule_ranks_twelve_variants_as_badly_as_it_was_seen_to(peer, seen, count, trials):
    found = trials(partial(ranking, peer, DRIFT, TWELVE), count)
    assert fmean(found) == pytest.approx(seen, abs=0.1)
