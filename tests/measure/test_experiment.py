"""The experiment on a scripted clock: fresh processes, mirrored rounds, the budget, failures, going on."""

from collections import Counter
from dataclasses import replace

import pytest
from fakes import Lab
from networks import sized

from archbench.design.spec.schema import MeasurePlan
from archbench.measure.experiment.experiment import measure
from archbench.measure.experiment.generation import FirstStart
from archbench.measure.experiment.groups import PROCESS_BYTES, add_company, make_groups
from archbench.measure.experiment.plan import PlannedVariant
from archbench.measure.experiment.state import DisturbanceJudge, ExperimentSetup
from archbench.statistics.readings import whole_rounds
from archbench.statistics.summary import summarise_blocks

GIB = 1 << 30


class Sink:
    """Keeps what it is told."""

    def __init__(self):
        self.blocks, self.failures, self.said = [], {}, []

    def add_block(self, block):
        self.blocks.append(block)

    def fail_variant(self, planned, reason):
        self.failures[planned.key] = reason

    def report_progress(self, step):
        self.said.append(step)

    def steady(self, generation=None):
        return [b for b in self.blocks if b.phase == "steady" and generation in (None, b.generation)]


def planned_variants(count, *, reference=0, **sizes):
    found = []
    for index in range(count):
        variant = sized("R-18-FPN", 64, 64, {"neck.channels": 8 * (index + 1)})
        if index == reference:
            variant = type(variant)(**{**variant.__dict__, "reference": True})
        found.append(PlannedVariant(variant, **sizes))
    return found


def setup(lab, *, budget=None, memory=100 * GIB, stop=lambda: False, **plan):
    return ExperimentSetup(
        MeasurePlan(**plan), "cpu", memory, (), budget, stop=stop, clock=lab.clock, pause=lab.pause, worker=lab.worker
    )


def test_each_generation_starts_every_variant_afresh_and_runs_an_order_and_its_mirror():
    lab, sink, given = Lab(), Sink(), planned_variants(4)
    measure(given, setup(lab, generations=2), sink)
    assert Counter(verb for verb, _ in lab.log) == {"start": 8, "warm": 8, "block": 2 * 3 * 8}
    for generation in (1, 2):
        for number in (1, 2, 3):
            ids = [b.id for b in sink.steady(generation) if b.round == number]
            assert ids == ids[::-1]
            assert len(set(ids)) == 4
            assert [b.order for b in sink.steady(generation) if b.round == number] == list(range(8))
    assert {b.size for b in sink.steady()} == {8}


def test_orders_differ_between_rounds_and_are_the_same_for_the_same_seed():
    def orders(seed):
        lab, sink = Lab(), Sink()
        measure(planned_variants(6), setup(lab, generations=3, seed=seed), sink)
        return [tuple(b.id for b in sink.steady(g) if b.round == r) for g in (1, 2, 3) for r in (1, 2, 3)]

    assert orders(0) == orders(0) != orders(1)
    assert len(set(orders(0))) > 6


def test_every_variant_is_reached_once_before_any_is_repeated():
    lab, sink, given = Lab(), Sink(), planned_variants(5)
    measure(given, setup(lab, budget=60.0, generations=3), sink)
    first_half = [b.id for b in sink.steady()[:5]]
    assert sorted(first_half) == sorted(planned.variant.id for planned in given)


def test_a_generation_that_does_not_fit_the_budget_is_not_begun():
    """Nine variants of 4 s: 27 s of starts, 36 of warming up, 72 of a round: 135 s. 270 s buy two, 269 buy one."""
    for budget, expected in ((270.5, 2), (269.0, 1)):
        lab, sink, given = Lab(), Sink(), planned_variants(9)
        lab.call_s = {planned.variant.id: 4.0 for planned in given}
        measure(given, setup(lab, budget=budget, generations=3), sink)
        assert {b.generation for b in sink.steady()} == set(range(1, expected + 1))
        assert lab.now <= budget
        assert min(Counter(b.id for b in sink.steady()).values()) == 2 * expected


def test_rounds_go_on_while_the_generations_share_of_the_budget_lasts():
    lab, sink, given = Lab(start_s=0.5), Sink(), planned_variants(3)
    lab.call_s = {planned.variant.id: 1.0 for planned in given}
    measure(given, setup(lab, budget=90.0, generations=3), sink)
    assert {b.generation for b in sink.steady()} == {1, 2, 3}
    assert max(b.round for b in sink.steady()) == 4  # 30 s each: 1.5 of starts, 3 of warming up, rounds of 6
    assert lab.now <= 90


def test_a_generation_that_fits_with_fewer_rounds_is_run():
    """60 s for two. The first takes 28.5 in four rounds, and 3.6 more as it slows; in 27.9 the second has three."""
    lab, sink = Lab(start_s=0.5), Sink()
    keep = sink.add_block

    def slow_down(block):
        keep(block)
        lab.now += 0.6 if (block.generation, block.round) == (1, 4) else 0.0

    sink.add_block = slow_down
    measure(planned_variants(3), setup(lab, budget=60.0, generations=2), sink)
    assert [max(b.round for b in sink.steady(generation)) for generation in (1, 2)] == [4, 3]


def test_a_budget_that_is_spent_on_half_a_round_leaves_the_mirror_out():
    lab, sink, given = Lab(start_s=1.0), Sink(), planned_variants(4)
    lab.call_s = {planned.variant.id: 10.0 for planned in given}
    measure(given, setup(lab, budget=100.0, generations=3), sink)  # 4 + 40, and 56 s left for 40 or 80
    assert [b.size for b in sink.steady()] == [4] * 4
    assert len({b.id for b in sink.steady()}) == 4


def test_what_the_budget_does_not_reach_is_left_and_the_reference_is_reached_first():
    lab, sink, given = Lab(start_s=1.0), Sink(), planned_variants(4, reference=2)
    lab.call_s = {planned.variant.id: 10.0 for planned in given}
    measure(given, setup(lab, budget=58.0, generations=3), sink)
    assert [b.id for b in sink.steady()] == [given[2].variant.id]
    assert sink.failures == {}


@pytest.mark.parametrize("verb", ["start", "warm", "block"])
def test_a_worker_that_fails_costs_its_own_row_and_no_other(verb):
    lab, sink, given = Lab(), Sink(), planned_variants(3)
    lab.fails = {(given[1].variant.id, verb): "its process died of SIGSEGV"}
    measure(given, setup(lab, generations=2), sink)
    assert sink.failures == {given[1].key: "its process died of SIGSEGV"}
    counted = Counter(b.id for b in sink.steady())
    assert counted[given[0].variant.id] == counted[given[2].variant.id] == 2 * 3 * 2
    assert sum(1 for asked, identifier in lab.log if identifier == given[1].variant.id and asked == "start") == 1


def test_going_on_begins_a_new_generation_and_runs_only_those_still_wanted():
    lab, sink, given = Lab(), Sink(), planned_variants(3)
    measure(given, setup(lab, generations=3), sink)
    done = [b for b in sink.blocks if b.generation == 1]
    again, more = Lab(), Sink()
    measure(given, setup(again, generations=3), more, done)
    assert {b.generation for b in more.blocks} == {2, 3}
    nothing = Lab()
    measure(given, setup(nothing, generations=3), Sink(), sink.blocks)
    assert nothing.log == []


def test_an_interrupted_generation_without_a_whole_round_does_not_count():
    lab, sink, given = Lab(), Sink(), planned_variants(3)
    measure(given, setup(lab, generations=1), sink)
    torn = [b for b in sink.blocks if b.phase == "warm-up"] + sink.steady()[:4]
    more = Sink()
    measure(given, setup(Lab(), generations=1), more, torn)
    assert {b.generation for b in more.blocks} == {2}


def test_groups_fit_in_memory_and_share_the_reference():
    given = planned_variants(7, resting_bytes=GIB, running_bytes=3 * GIB)
    found = make_groups(given, 4 * (PROCESS_BYTES + GIB) + 3 * GIB)
    assert [len(group) for group in found] == [4, 4]
    assert all(group[0] == given[0] for group in found)
    assert sorted({planned.key for group in found for planned in group}) == sorted(planned.key for planned in given)


@pytest.mark.parametrize("reference", [0, 3, 4])
def test_no_two_blocks_of_a_run_in_several_groups_have_one_place(reference):
    sink, given = Sink(), planned_variants(5, reference=reference, resting_bytes=GIB, running_bytes=GIB)
    measure(given, setup(Lab(), memory=3 * (PROCESS_BYTES + GIB), generations=2), sink)
    assert {block.group for block in sink.blocks} == {0, 1}
    assert len({block.place for block in sink.blocks}) == len(sink.blocks)


def test_a_network_larger_than_memory_is_refused_with_the_figures_and_never_started():
    lab, sink = Lab(), Sink()
    given = [
        *planned_variants(1),
        PlannedVariant(sized("R-50-FPN", 64, 64), resting_bytes=GIB, running_bytes=300 * GIB),
    ]
    measure(given, setup(lab, generations=1), sink)
    assert list(sink.failures) == [given[1].key]
    assert "MiB is to be had" in sink.failures[given[1].key]
    assert ("start", given[1].variant.id) not in lab.log


def test_a_warm_up_block_keeps_what_the_process_found():
    sink = Sink()
    measure(planned_variants(1), setup(Lab(), generations=1), sink)
    first = sink.blocks[0]
    assert (first.phase, first.start["memory_bytes"], first.start["steady"]) == ("warm-up", 5, True)
    assert first.start["cold_ms"] == {"import": 1.0, "build": 2.0, "first call": 1000.0}


def test_a_pair_is_never_parted_by_memory():
    given = [
        replace(planned, pair=f"p{place // 2}") for place, planned in enumerate(planned_variants(6, resting_bytes=GIB))
    ]
    found = make_groups(given, 3 * (PROCESS_BYTES + GIB))
    assert [len(group) for group in found] == [2, 3, 3]  # the reference's own pair, then the reference with each other
    for group in found:
        pairs = Counter(planned.pair for planned in group)
        assert pairs["p0"] in (1, 2)
        assert all(count == 2 for pair, count in pairs.items() if pair != "p0")


THROTTLED, CALM = {"throttle": 8.0}, {"throttle": 0.0}


def test_a_disturbed_block_is_kept_and_taken_again_after_pauses_that_grow():
    lab, sink, given = Lab(), Sink(), planned_variants(2)
    lab.telemetry = {given[1].variant.id: [THROTTLED, THROTTLED, CALM]}
    measure(given, setup(lab, generations=1), sink)
    first = [b for b in sink.steady() if b.id == given[1].variant.id and b.round == 1]
    assert [(b.attempt, bool(b.disturbed)) for b in first[:3]] == [(0, True), (1, True), (2, False)]
    assert len({b.order for b in first[:3]}) == 1
    assert first[0].disturbed == ("the clock was throttled",)
    assert lab.paused == [1.0, 2.0]
    assert {b.attempt for b in sink.steady() if b.id == given[0].variant.id} == {0}


def test_a_block_is_taken_again_three_times_at_most_and_the_run_goes_on():
    lab, sink, given = Lab(call_s={}), Sink(), planned_variants(2)
    lab.call_s = {planned.variant.id: 0.01 for planned in given}
    lab.telemetry = {given[0].variant.id: [THROTTLED] * 4 + [CALM] * 99}
    measure(given, setup(lab, generations=1), sink)
    attempts = Counter(b.attempt for b in sink.steady() if b.id == given[0].variant.id)
    assert attempts == {0: 6, 1: 1, 2: 1, 3: 1}
    assert lab.paused == [1.0, 2.0, 4.0]


def test_a_machine_that_is_always_disturbed_is_measured_as_it_is():
    """Twenty seconds of patience a generation: two turns of 1 + 2 + 4 s and one of 1 + 2, then no more."""
    lab, sink, given = Lab(), Sink(), planned_variants(2)
    lab.call_s = {planned.variant.id: 0.01 for planned in given}
    lab.telemetry = {planned.variant.id: [THROTTLED] * 99 for planned in given}
    measure(given, setup(lab, generations=1), sink)
    assert lab.paused == [1.0, 2.0, 4.0, 1.0, 2.0, 4.0, 1.0, 2.0, 1.0, 1.0]
    assert len({(b.round, b.order) for b in sink.steady()}) == 12
    assert all(b.disturbed for b in sink.steady())


def test_a_slow_clock_is_slow_by_the_others_and_a_fast_one_is_no_fault():
    hygiene = DisturbanceJudge()
    assert [bool(hygiene.find_reasons({"sm_mhz": mhz})) for mhz in (1400, 1410, 1400, 1200, 1500, 1260)] == [
        False,
        False,
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("telemetry", "reason"),
    [
        ({"lost": 0.11}, "11.0% of its time was lost to others"),
        ({"foreign": 1.0}, "another process was on the device"),
        ({"throttle": 4.0}, "the clock was throttled"),
        ({"lost": 0.10, "foreign": 0.0, "throttle": 0.0}, None),
        ({"lost": None, "sm_mhz": None, "throttle": None}, None),
        ({}, None),
    ],
)
def test_what_disturbs_a_block(telemetry, reason):
    assert DisturbanceJudge().find_reasons(telemetry) == (() if reason is None else (reason,))


def jittered(share):
    """Calls of a tenth of a second that a fresh process makes longer or shorter by so much, in turn."""
    processes = iter(range(10_000))
    factor = {}

    def takes(identifier, blocks):
        if blocks == 0:
            factor[identifier] = 1 + share * (-1) ** next(processes)
        return 0.1 * factor[identifier]

    return takes


def test_with_a_budget_a_run_ends_once_its_intervals_are_narrow():
    lab, sink, given = Lab(start_s=0.1, takes=jittered(0.0)), Sink(), planned_variants(3)
    measure(given, setup(lab, budget=100.0, generations=3), sink)
    assert {b.generation for b in sink.steady()} == {1, 2, 3}
    assert lab.now < 40


def test_with_a_budget_a_run_whose_intervals_are_wide_goes_on_while_it_lasts():
    lab, sink, given = Lab(start_s=0.1, takes=jittered(0.2)), Sink(), planned_variants(3)
    measure(given, setup(lab, budget=100.0, generations=3), sink)
    assert len({b.generation for b in sink.steady()}) > 3
    assert 60 < lab.now <= 100


def test_a_first_look_is_one_generation_whatever_the_budget():
    lab, sink, given = Lab(start_s=0.1, takes=jittered(0.2)), Sink(), planned_variants(3)
    measure(given, setup(lab, budget=100.0, generations=1), sink)
    assert {b.generation for b in sink.steady()} == {1}


def test_two_variants_need_five_generations_before_their_interval_may_end_a_run():
    lab, sink, given = Lab(start_s=0.1, takes=jittered(0.0)), Sink(), planned_variants(2)
    measure(given, setup(lab, budget=1000.0, generations=2), sink)
    assert {b.generation for b in sink.steady()} == {1, 2, 3, 4, 5}


def widest(sink, generations, *, looked):
    blocks = [b for b in sink.blocks if b.generation <= generations]
    return max(each.half_width for each in summarise_blocks(blocks, None, looked=looked).values())


def test_the_precision_is_told_from_two_generations_on_and_is_the_tables():
    """Without a budget, where nothing stops by it, as with one whose rule waits for more degrees of freedom."""
    for budget in (None, 24.0):
        lab, sink, given = Lab(start_s=0.1, takes=jittered(0.2)), Sink(), planned_variants(2)
        measure(given, replace(setup(lab, budget=budget, generations=3), widened=budget is not None), sink)
        said = {(step.generation, step.round): step.widest for step in sink.said}  # the last of each round
        assert {said[1, number] for number in (0, 1, 2, 3)} == {None}
        assert said[2, 0] is said[2, 1] is None
        assert said[2, 2] is not None
        assert said[3, 0] == said[3, 1] == widest(sink, 2, looked=budget is not None)


def test_a_variant_without_an_interval_keeps_the_precision_from_being_told():
    """Two groups of one variant beside the reference: after the first the other has met one generation."""
    lab, sink, given = Lab(start_s=0.1, takes=jittered(0.2)), Sink(), planned_variants(3, resting_bytes=GIB)
    measure(given, setup(lab, memory=2 * (PROCESS_BYTES + GIB), generations=2), sink)
    second = [step.widest for step in sink.said if step.generation == 2]
    known = [precision is not None for precision in second]
    assert known.index(True) > len(known) / 2
    assert sorted(known) == known


def test_without_a_budget_the_time_left_is_what_the_last_generation_took_for_each_that_is_wanted():
    """Three variants: 9 s of starts, 3 of warming up, 3 rounds of 6: 30 s a generation, and three of them."""
    lab, sink = Lab(), Sink()
    measure(planned_variants(3), setup(lab, generations=3), sink)
    first = {number: next(s for s in sink.said if s.generation == number) for number in (1, 2, 3)}
    assert [(first[number].seconds_left, first[number].estimated) for number in (2, 3)] == [(60.0, True), (30.0, True)]
    assert first[1].seconds_left is None
    assert sink.said[-1].seconds_left == 1.0  # the last block is still to be taken


def test_a_generation_that_takes_longer_than_the_last_is_nearly_over_and_never_less():
    lab, sink = Lab(takes=lambda identifier, blocks: 1.0 if lab.now < 30 else 5.0), Sink()
    measure(planned_variants(3), setup(lab, generations=2), sink)
    assert sink.said[-1].seconds_left == 0.0


def test_with_a_budget_the_time_left_is_the_most_it_may_still_take():
    lab, sink = Lab(), Sink()
    measure(planned_variants(3), setup(lab, budget=100.0, generations=3), sink)
    assert (sink.said[0].seconds_left, sink.said[0].estimated) == (100.0, False)
    assert not any(step.estimated for step in sink.said)


def test_what_starting_took_is_told_of_the_first_generation():
    """Four variants: 3 s to start each and 1 to warm up. In 7 s two or three are begun, and none is warm."""
    whole = measure(planned_variants(4), setup(Lab(), generations=2), Sink())
    assert whole == FirstStart(4, 4, 16.0)
    torn = measure(planned_variants(4), setup(Lab(), budget=7.0), Sink())
    assert torn.networks == 4
    assert (torn.started, torn.seconds) in {(3, 9.0), (4, 12.0)}
    assert measure(planned_variants(4), setup(Lab(), budget=0.0), Sink()) == FirstStart(4, 0, 0.0)


def test_without_a_budget_the_wanted_generations_are_all():
    lab, sink, given = Lab(takes=jittered(0.2)), Sink(), planned_variants(3)
    measure(given, setup(lab, generations=3), sink)
    assert {b.generation for b in sink.steady()} == {1, 2, 3}


def test_the_other_quantities_the_device_tells_have_a_round_each():
    lab, sink, given = Lab(quantities=("step", "device")), Sink(), planned_variants(3)
    lab.call_s = {planned.variant.id: 0.1 for planned in given}
    measure(given, setup(lab, generations=2), sink)
    for generation in (1, 2):
        by = Counter(b.quantity for b in sink.steady(generation))
        assert by == {"request": 3 * 6, "step": 3, "device": 3}
        rounds = {b.quantity: b.round for b in sink.steady(generation)}
        assert (rounds["step"], rounds["device"]) == (4, 5)
        assert {b.size for b in sink.steady(generation) if b.quantity != "request"} == {3}


def test_a_plan_for_steps_measures_steps_in_its_rounds_and_requests_only_if_the_device_tells():
    lab, sink, given = Lab(quantities=("step",)), Sink(), planned_variants(2)
    lab.call_s = {planned.variant.id: 0.1 for planned in given}
    measure(given, setup(lab, generations=1, quantity="step"), sink)
    assert Counter(b.quantity for b in sink.steady()) == {"step": 12}


def test_calls_of_a_second_are_not_made_for_a_second_quantity():
    lab, sink, given = Lab(quantities=("step",)), Sink(), planned_variants(2)
    measure(given, setup(lab, generations=1), sink)
    assert {b.quantity for b in sink.steady()} == {"request"}


def test_a_run_that_is_stopped_ends_at_the_next_block_wherever_it_stands():
    for when in (0.5, 4.0, 8.5, 11.5):  # starting, warming up, in the first round, in a later one
        lab, sink, given = Lab(start_s=1.0), Sink(), planned_variants(3)
        measure(given, setup(lab, stop=lambda lab=lab, when=when: lab.now >= when), sink)
        assert lab.now <= when + 1.0
        assert sink.failures == {}


def test_a_quantity_that_a_network_does_not_have_is_missing_for_it_alone():
    lab, sink, given = Lab(quantities=("device",)), Sink(), planned_variants(3)
    lab.call_s = {planned.variant.id: 0.1 for planned in given}
    lab.refuses = {(given[1].variant.id, "device")}
    measure(given, setup(lab, generations=2), sink)
    assert sink.failures == {}
    counted = [b for b in whole_rounds(sink.blocks) if b.quantity == "device"]
    assert Counter((b.id, b.generation) for b in counted) == {
        (given[place].variant.id, generation): 1 for place in (0, 2) for generation in (1, 2)
    }
    assert sum(verb == "refused" for verb, _ in lab.log) == 1


def test_energy_is_metered_once_a_variant_and_kept_with_its_start():
    lab, sink = Lab(energy_mj=250.0), Sink()
    measure(planned_variants(2), setup(lab, generations=2), sink)
    assert [b.start.get("energy_mj") for b in sink.blocks if b.phase == "warm-up"] == [250.0, 250.0, None, None]
    assert sum(verb == "energy" for verb, _ in lab.log) == 2


def test_energy_is_left_out_where_the_budget_cannot_spare_it():
    lab, sink = Lab(start_s=0.1, energy_mj=250.0), Sink()
    measure(planned_variants(2), setup(lab, generations=2, budget=60.0), sink)  # a quarter of 30 s is under 8 a variant
    assert "energy" not in {verb for verb, _ in lab.log}


def test_without_a_meter_nobody_is_asked_for_energy():
    lab, sink = Lab(), Sink()
    measure(planned_variants(1), setup(lab, generations=1), sink)
    assert "energy" not in {verb for verb, _ in lab.log}


def stopped_then_again(given, first, *, lab=None, **plan):
    """Blocks of a run that ends once `first(sink)` holds, and of the same command again."""
    before, after = Sink(), Sink()
    measure(given, setup(Lab(), stop=lambda: first(before), **plan), before)
    measure(given, setup(lab or Lab(), **plan), after, before.blocks)
    return before, after


def test_a_group_that_a_stopped_run_did_not_reach_is_measured_by_the_same_command():
    """Two groups of one generation, stopped as the second begins: it is measured, beside the reference, and no other."""
    given = planned_variants(3, resting_bytes=GIB)
    memory = 2 * (PROCESS_BYTES + GIB)
    first = whole_round_of(2)
    before, after = stopped_then_again(given, first, generations=1, memory=memory)
    assert {b.id for b in before.steady()} == {given[0].variant.id, given[1].variant.id}
    assert {b.id for b in after.steady()} == {given[0].variant.id, given[2].variant.id}


def whole_round_of(count):
    return lambda sink: len(list(whole_rounds(sink.blocks))) >= 3 * 2 * count


def test_what_a_small_budget_did_not_reach_a_larger_one_does():
    lab, sink, given = Lab(start_s=1.0), Sink(), planned_variants(4)
    lab.call_s = {planned.variant.id: 10.0 for planned in given}
    measure(given, setup(lab, budget=58.0, generations=1), sink)
    assert len({b.id for b in sink.steady()}) == 1
    more = Sink()
    measure(given, setup(Lab(call_s=lab.call_s), budget=1000.0, generations=1), more, sink.blocks)
    assert {b.id for b in more.steady()} == {planned.variant.id for planned in given}
    found = summarise_blocks([*sink.blocks, *more.blocks], given[0].key)
    assert all(found[planned.key].ratio is not None for planned in given)


def test_who_owes_a_generation_has_the_reference_and_its_partner_for_company():
    given = [
        replace(planned, pair=pair) for planned, pair in zip(planned_variants(5), ("", "x", "y", "y", "x"), strict=True)
    ]
    assert add_company([given[1]], given) == [given[0], given[1], given[4]]


def test_a_variant_whose_metering_was_missed_is_metered_by_the_same_command():
    given = planned_variants(2)
    before, after = stopped_then_again(
        given, lambda sink: len(sink.blocks) >= 1, lab=Lab(energy_mj=250.0), generations=1
    )
    assert [b.start.get("energy_mj") for b in after.blocks if b.phase == "warm-up"] == [250.0, 250.0]
    assert len(before.blocks) == 1


def test_a_variant_that_does_not_fit_beside_the_reference_is_a_group_without_it():
    small, large = planned_variants(2)
    given = [replace(small, resting_bytes=4 * GIB, running_bytes=4 * GIB), replace(large, resting_bytes=8 * GIB)]
    assert make_groups(given, 9 * GIB) == [[given[0]], [given[1]]]


def test_on_a_device_that_keeps_what_it_took_those_who_wait_count_in_full():
    given = planned_variants(3, resting_bytes=GIB, running_bytes=3 * GIB)  # 1 + 1.5 x 2 GiB each, running
    memory = 3 * (PROCESS_BYTES + GIB) + 3 * GIB
    assert [len(group) for group in make_groups(given, memory)] == [3]
    assert [len(group) for group in make_groups(given, memory, caching=True)] == [1, 1, 1]


def test_a_run_whose_intervals_are_not_widened_does_not_stop_by_them():
    lab, sink, given = Lab(start_s=0.1, takes=jittered(0.2)), Sink(), planned_variants(3)
    measure(given, replace(setup(lab, budget=100.0, generations=3), widened=False), sink)
    assert {b.generation for b in sink.steady()} == {1, 2, 3}
