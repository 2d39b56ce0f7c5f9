"""The method itself, module by module: what a bug in it would break first. `mutants.py` hands these tests broken modules."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace

import pytest
from fakes import Lab
from runs_on_disk import block, whole_round
from test_experiment import Sink, planned_variants

from archbench.design.spec.schema import MeasurePlan
from archbench.measure.experiment import experiment as the_experiment
from archbench.measure.experiment import state as the_state
from archbench.measure.experiment.state import ExperimentSetup
from archbench.statistics import fit as the_fit
from archbench.statistics import readings as the_readings
from archbench.statistics import summary as the_stats
from archbench.statistics import verdicts as the_verdicts
from archbench.statistics.summary import summarise_blocks

A, B = ("A", 0), ("B", 0)
THROTTLED = {"throttle": 8.0}


@pytest.fixture
def experiment():
    return the_experiment


@pytest.fixture
def state():
    return the_state


@pytest.fixture
def fit():
    return the_fit


@pytest.fixture
def readings():
    return the_readings


@pytest.fixture
def stats():
    return the_stats


@pytest.fixture
def verdicts():
    return the_verdicts


def ran(experiment, *, lab=None, count=4, budget=None, **plan):
    """The sink of an experiment on a scripted clock."""
    lab, sink = lab or Lab(), Sink()
    setup = ExperimentSetup(
        MeasurePlan(**plan), "cpu", 1 << 40, (), budget, clock=lab.clock, pause=lab.pause, worker=lab.worker
    )
    experiment.measure(planned_variants(count), setup, sink)
    return sink


def test_every_round_is_an_order_of_its_own_and_its_mirror(experiment):
    sink = ran(experiment, generations=3)
    orders = [[b.id for b in sink.steady(g) if b.round == r] for g in (1, 2, 3) for r in (1, 2, 3)]
    assert all(order == order[::-1] and len(order) == 8 for order in orders)
    assert len({tuple(order) for order in orders}) > 4


def test_every_generation_is_of_fresh_processes(experiment):
    lab = Lab()
    ran(experiment, lab=lab, generations=3)
    assert Counter(verb for verb, _ in lab.log)["start"] == 3 * 4


def test_a_warm_up_is_kept_and_is_no_steady_block(experiment):
    sink = ran(experiment, generations=1)
    assert Counter(b.phase for b in sink.blocks) == {"warm-up": 4, "steady": 24}


def test_the_first_call_is_the_first_and_what_compiled_had_it_already(experiment):
    for started, cold in (
        ({"import": 1.0, "build": 2.0}, {"import": 1.0, "build": 2.0, "first call": 9100.0}),
        ({"import": 1.0, "build": 2.0, "compile": 4.0}, {"import": 1.0, "build": 2.0, "compile": 4.0}),
    ):
        lab = Lab(takes=lambda *_: 0.1, first_s=9.0, cold_ms=started)
        sink = ran(experiment, lab=lab, generations=1)
        assert [b.start["cold_ms"] for b in sink.blocks if b.phase == "warm-up"] == [cold] * 4


def test_the_rounds_of_other_quantities_are_random_orders_too(experiment):
    lab = Lab(takes=lambda *_: 0.1, quantities=("step", "device"))
    sink = ran(experiment, lab=lab, count=6, generations=3)
    orders = [
        tuple(b.id for b in sink.steady(generation) if b.quantity == quantity)
        for generation in (1, 2, 3)
        for quantity in ("step", "device")
    ]
    assert all(sorted(order) == sorted(planned.variant.id for planned in planned_variants(6)) for order in orders)
    assert len(set(orders)) == 6  # of 720


def test_a_disturbed_block_stays_in_the_data_beside_its_repeats(experiment):
    lab = Lab(telemetry={planned_variants(4)[1].variant.id: [THROTTLED] * 2 + [{}] * 9})
    sink = ran(experiment, lab=lab, generations=1)
    assert [b.attempt for b in sink.steady() if b.disturbed] == [0, 1]
    assert lab.paused == [1.0, 2.0]


def test_a_machine_disturbed_throughout_is_not_waited_for_without_end(experiment):
    lab = Lab(telemetry={planned.variant.id: [THROTTLED] * 500 for planned in planned_variants(4)})
    sink = ran(experiment, lab=lab, generations=1)
    assert sum(lab.paused) <= 20
    assert len({(b.round, b.order) for b in sink.steady()}) == 24


def test_a_run_ends_within_its_budget_and_not_before_its_intervals_are_narrow(experiment):
    """Processes a third apart: no interval is narrow, so the budget is what ends it; equal ones end it at once."""
    factor = iter((1.0, 1.3) * 500)
    bias = {}

    def uneven(identifier, blocks):
        bias[identifier] = next(factor) if blocks == 0 else bias[identifier]
        return 0.1 * bias[identifier]

    for takes, generations in ((uneven, range(5, 99)), (lambda *_: 0.1, range(3, 4))):
        lab = Lab(start_s=0.1, takes=takes)
        sink = ran(experiment, lab=lab, count=3, budget=100.0, generations=3)
        assert len({b.generation for b in sink.steady()}) in generations
        assert lab.now <= 100.0


def test_the_precision_that_ends_a_run_is_the_widest_not_the_narrowest(state):
    """A and B agree with themselves to the digit and C does not: with residuals pooled all have one width, but by its cells
    a variant that failed once in three generations has a wider one."""
    lab = Lab(takes=lambda identifier, blocks: 0.1)
    kept = state.ExperimentState(
        ExperimentSetup(MeasurePlan(target=0.05), "cpu", 1, deadline=1.0, clock=lab.clock, worker=lab.worker),
        Sink(),
        [
            each
            for g, ms in enumerate((10.0, 10.5, 10.2, 10.1, 10.3, 10.0), 1)
            for each in whole_round("ABCCBA" if g < 3 else "ABBA", {"A": 10, "B": ms, "C": 10.6 - g / 10}, generation=g)
        ],
        set(),
    )
    kept._find_due([SimpleNamespace(key=A), SimpleNamespace(key=B)])
    widths = [each.half_width for each in summarise_blocks(kept.blocks, None, looked=True).values()]
    assert max(widths) > 1.2 * min(widths)
    assert kept.widest == max(widths)


def test_a_clock_is_slow_by_the_runs_median_and_lost_time_by_a_tenth(state):
    judge = state.DisturbanceJudge()
    assert [bool(judge.find_reasons({"sm_mhz": mhz})) for mhz in (1000, 1000, 910, 850, 1500, 1000)] == [
        *(0, 0, 0, 1, 0, 0)
    ]
    assert [bool(judge.find_reasons({"lost": share})) for share in (0.05, 0.10, 0.15)] == [0, 0, 1]
    assert judge.find_reasons({"throttle": 4.0})
    assert judge.find_reasons({"foreign": 2.0})
    assert not judge.find_reasons({"throttle": None, "foreign": None, "lost": None, "sm_mhz": None})


def test_a_clock_that_stays_slow_stays_disturbed(state):
    """By the whole run's clocks: a median of the latest few would take throttling that lasts for usual."""
    judge = state.DisturbanceJudge()
    told = [bool(judge.find_reasons({"sm_mhz": mhz})) for mhz in [1000] * 20 + [850] * 15]
    assert told == [False] * 20 + [True] * 15


def test_a_round_that_was_torn_does_not_count_and_a_repeat_replaces_what_was_disturbed(readings):
    whole, torn = whole_round("ABBA", {"A": 1, "B": 2}), whole_round("ABBA", {"A": 5, "B": 6}, round=2)[:3]
    assert list(readings.whole_rounds(whole + torn)) == whole
    spoiled = [
        block("A", 9, size=2, disturbed=("x",)),
        block("A", 1, size=2, attempt=1),
        block("A", 1, order=1, size=2),
    ]
    assert [b.wall_ns for b in readings.whole_rounds(spoiled)] == [(1_000_000,), (1_000_000,)]
    unlucky = [block("A", 1, size=1), block("A", 9, size=1, attempt=1, disturbed=("x",))]
    assert [b.wall_ns for b in readings.whole_rounds(unlucky)] == [(1_000_000,)]


def cell(readings, blocks):
    return {
        key[0]: math.exp(value)
        for (key, _), value in readings.make_cells(readings.make_reading(b, b.counted_ns) for b in blocks).items()
    }


def test_disturbed_samples_are_left_out_only_while_others_remain(readings):
    calm = whole_round("ABBA", {"A": 10, "B": 20}) + whole_round("BAAB", {"A": 10, "B": 20}, round=2)
    spoiled = [block("A", 99, size=4, disturbed=("x",)), *calm[1:]]
    assert cell(readings, spoiled) == {"A": pytest.approx(10), "B": pytest.approx(20)}
    all_of_a = [
        each if each.id == "B" else block("A", 30, round=each.round, order=each.order, disturbed=("x",))
        for each in calm
    ]
    assert cell(readings, all_of_a) == {"A": pytest.approx(30), "B": pytest.approx(20)}


def test_a_ratio_is_of_geometric_means_with_the_rounds_taken_out(readings):
    """Ratios 1/2 and 2 average to 1, not to 5/4; and a round that was slow for one that missed it is nobody's gain."""
    turns = [
        block("A", 10, order=0, size=2), block("B", 20, order=1, size=2),
        block("A", 20, round=2, order=0, size=2), block("B", 10, round=2, order=1, size=2),
    ]  # fmt: skip
    both = cell(readings, turns)
    assert both["B"] / both["A"] == pytest.approx(1)
    missed = whole_round("ABBA", {"A": 10, "B": 20}) + whole_round("AA", {"A": 90}, round=2)
    assert cell(readings, missed)["B"] / cell(readings, missed)["A"] == pytest.approx(2)


def test_a_block_is_its_median_and_an_odd_one_is_trimmed(readings):
    assert cell(readings, [block("A", [10, 10, 500])])["A"] == pytest.approx(10)
    five = [block("A", ms, order=place) for place, ms in enumerate((10, 10, 10, 10, 700))]
    assert cell(readings, five)["A"] == pytest.approx(10)


def test_a_residual_is_pooled_over_its_degrees_of_freedom(fit):
    """Two variants in three sessions: residuals of d = B - A are +-(d - mean) / 2 each; df = 6 - 2 - 3 + 1 = 2."""
    logs = (0.1, 0.2, 0.6)
    values = {(key, (g, 0)): (d if key == B else 0.0) + g for g, d in enumerate(logs) for key in (A, B)}
    fitted = fit.fit_cells(values)
    squares = 2 * sum(((d - 0.3) / 2) ** 2 for d in logs)
    assert fitted.df == 2
    assert fitted.residual == pytest.approx(math.sqrt(squares / 2))
    assert fitted.ratio_variance(B, A) == pytest.approx(2 / 3)


def three_generations(ms=(10, 10.2, 10.1)):
    return [each for g, b in enumerate(ms, 1) for each in whole_round("ABBA", {"A": 5, "B": b}, generation=g)]


def test_a_summary_counts_steady_calls_after_the_hand_over_and_has_no_interval_without_generations(stats):
    found = stats.summarise_blocks([block("A", [900, 1, 2, 3], dropped=1, size=1)], None)[A]
    assert (found.calls, found.median_ms, found.half_width) == (3, 2, None)
    assert stats.summarise_blocks(three_generations(), A, failed=frozenset({B})).keys() == {A}
    groups = [each for g in (0, 1) for each in whole_round("AB", {"A": 5, "B": 10 + g}, group=g)]
    assert (
        stats.summarise_blocks(groups, A)[B].half_width is None
    )  # two groups of one generation are the same processes' day


def test_an_interval_that_was_looked_at_is_wider_and_a_tie_is_a_tie(stats):
    fixed, looked = (stats.summarise_blocks(three_generations(), A, looked=each)[B] for each in (False, True))
    assert looked.half_width > 1.2 * fixed.half_width
    assert (fixed.ratio, fixed.rank) == (pytest.approx(2.0199, abs=1e-3), 2)
    equal = [e for g, b in enumerate((5.1, 4.9, 5.0), 1) for e in whole_round("ABBA", {"A": 5, "B": b}, generation=g)]
    assert {each.rank for each in stats.summarise_blocks(equal, A).values()} == {1}


def test_a_verdict_needs_generations_calm_blocks_and_more_than_chance(verdicts):
    def word(log_ratio, error, disturbed=0.0):
        contrast = verdicts.Contrast(log_ratio, error, 7, 8, disturbed, True)
        return verdicts.judge_contrasts({"x": contrast})["x"].word

    assert [word(0.05, 0.01), word(-0.05, 0.01), word(0.0, 0.005), word(0.0, 0.05)] == [
        "regressed",
        "improved",
        "equivalent",
        "inconclusive",
    ]
    assert word(0.025, 0.01) == "inconclusive"  # p is .04: chance, one time in twenty-five
    assert word(0.05, 0.01, disturbed=0.3) == "inconclusive"
    assert verdicts.judge_contrasts({"x": paired(verdicts, three_generations()[:4])})["x"].word == "inconclusive"


def paired(verdicts, blocks):
    counted = verdicts.choose_blocks("latency_ms", blocks, failed=frozenset(), latency="request", synchronous=False)
    return verdicts.contrast_pair(counted, A, B)


def test_a_pair_is_compared_generation_by_generation(verdicts):
    """Both drift by a tenth and more between generations; their ratio does not."""
    drifting = [each for g in (1, 2, 3) for each in whole_round("ABBA", {"A": 10 * g, "B": 10.5 * g}, generation=g)]
    found = paired(verdicts, drifting)
    assert found.error == pytest.approx(0, abs=1e-9)
    assert found.log_ratio == pytest.approx(math.log(1.05), rel=1e-6)
