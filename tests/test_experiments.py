"""What the experiment and its statistics are worth on the noise machine: a part of the trials of `benches/experiments.py`.

The bounds are the promise less three standard errors of so many trials, so that a seed is no luck.
"""

import math
from collections import Counter
from functools import partial
from statistics import fmean

import pytest

from benches.experiments import GATE_S, THREE, coverage, gate, ranking

pytestmark = pytest.mark.statistics

RANKINGS, RUNS, GATES = 100, 250, 250


def slack(share, count):
    """Three standard errors of a share of `count` trials."""
    return 3 * math.sqrt(share * (1 - share) / count)


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "least"), [("quiet", 0.999), ("drift", 0.97), ("cloud", 0.90)])
def test_twelve_variants_one_percent_apart_are_ranked(noise, least, trials):
    """At 1 s of measuring a variant under drift and quiet, at 3 s under cloud."""
    assert fmean(trials(partial(ranking, noise), RANKINGS)) >= least


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["quiet", "drift", "cloud"])
def test_intervals_hold_the_truth_as_often_as_they_say_though_the_run_stops_by_them(noise, trials):
    runs = trials(partial(coverage, noise, truth=THREE), RUNS)
    held, count = sum(run[0] for run in runs), sum(run[1] for run in runs)
    assert count == 2 * RUNS, "a run without intervals"
    assert 0.93 - slack(0.93, count) <= held / count <= 0.99 + slack(0.99, count)
    if noise == "cloud":
        assert len({run[2] for run in runs}) > 1, "the stopping rule never chose"


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["quiet", "drift", "cloud"])
def test_the_gate_does_not_cry_wolf(noise, trials):
    words = Counter(word for word, _ in trials(partial(gate, 1.0, noise), GATES))
    assert words["regressed"] + words["improved"] <= (0.01 + slack(0.01, GATES)) * GATES


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "least"), [("quiet", 0.95), ("drift", 0.95), ("cloud", 0.90)])
def test_the_gate_finds_three_percent_within_a_minute(noise, least, trials):
    verdicts = trials(partial(gate, 1.03, noise), GATES)
    found = sum(word == "regressed" for word, _ in verdicts) / GATES
    assert found >= least - slack(least, GATES)
    assert max(seconds for _, seconds in verdicts) <= GATE_S


def test_trials_are_the_same_for_the_same_seed():
    assert [gate(1.03, "cloud", 4), coverage("drift", 4), ranking("cloud", 4)] == [
        gate(1.03, "cloud", 4),
        coverage("drift", 4),
        ranking("cloud", 4),
    ]
