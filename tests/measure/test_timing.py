"""Timing on a scripted device: what is timed, what is waited for, how long a block is. Nothing here takes real time.

Each test is given the module it tests, so that `test_mutations.py` can hand it a broken one.
"""

from itertools import pairwise

import pytest
from fakes import FakeDevice, NotReady, OutOfMemoryError

import archbench.measure.worker.timing
from archbench.errors import CannotMeasure

MS = 1_000_000


@pytest.fixture
def timing():
    return archbench.measure.worker.timing


def network(device, work_ns, kernels=10):
    """A forward pass of that many launches."""

    def forward():
        for _ in range(kernels):
            device.launch(work_ns // kernels)

    return forward


def test_a_request_takes_until_the_result_is_ready(timing):
    """Launches and work overlap: the first launch, then the longer of the two."""
    for launch_ns, work_ns in [(10_000, 5 * MS), (10_000, 20_000), (1_000, MS), (50_000, 200_000)]:
        device = FakeDevice(launch_ns)
        wall, on_device = timing.time_request(network(device, work_ns), device)
        assert wall == launch_ns + max(work_ns, 9 * launch_ns + work_ns // 10)
        assert on_device == wall  # the marks lie around the whole pass, gaps included


def test_a_request_begins_with_the_device_idle(timing):
    device = FakeDevice()
    network(device, 7 * MS)()  # asked for before, not yet done
    wall, _ = timing.time_request(network(device, MS), device)
    assert wall == 10_000 + MS
    assert device.trips[-14:] == ["synchronize", "record", *["launch"] * 10, "record", "synchronize"]


def test_a_request_with_a_cold_cache_pays_for_the_cache_and_not_for_its_flushing(timing):
    device = FakeDevice(cold_ns=400_000)
    assert timing.time_request(network(device, MS), device)[0] == 10_000 + MS
    assert timing.time_request(network(device, MS), device, cold_cache=True) == (10_000 + MS + 400_000,) * 2
    cold = timing.time_block(network(device, MS), device, call_ns=MS, cold_cache=True)
    assert set(cold.wall_ns) == {10_000 + MS + 400_000}


def test_the_result_of_a_request_is_let_go_before_the_next_call(timing):
    device = FakeDevice(capacity=100)
    timing.time_calls(lambda: device.allocate(60), device, at_least=3, for_ns=0)
    assert device.peak == 60


def test_a_result_is_let_go_outside_the_timed_region(timing):
    device = FakeDevice()

    class SlowToFree:
        def __del__(self):
            device.host += 5 * MS

    def forward():
        device.launch(MS)
        return SlowToFree()

    assert timing.time_request(forward, device)[0] == 10_000 + MS


def test_a_block_of_fast_calls_drops_the_hand_over_and_lasts_50_ms_and_5_calls(timing):
    device = FakeDevice()
    took = timing.time_block(network(device, 20 * MS), device, call_ns=20 * MS)
    assert (len(took.wall_ns), took.dropped) == (1 + 5, 1)
    short = timing.time_block(network(device, MS), device, call_ns=MS)
    assert sum(short.counted_ns) >= 50 * MS > sum(short.counted_ns[:-1])


def test_the_hand_over_call_is_kept_but_does_not_count(timing):
    device = FakeDevice()
    slow_first = iter([30 * MS])

    def forward():
        device.launch(next(slow_first, 10 * MS))

    took = timing.time_block(forward, device, call_ns=10 * MS)
    assert took.wall_ns[0] == 30_010_000
    assert set(took.counted_ns) == {10_010_000}


def test_a_block_of_a_slow_network_is_one_call_and_drops_none_whatever_the_quantity(timing):
    for quantity in ("request", "step", "device"):
        for device in (FakeDevice(), FakeDevice(asynchronous=False), FakeDevice(graphs=True)):
            took = timing.time_block(network(device, 1000 * MS), device, call_ns=1000 * MS, quantity=quantity)
            assert (len(took.wall_ns), took.dropped) == (1, 0)
            assert device.trips.count("launch") == 10
            assert took.device_ns[0] == pytest.approx(1000 * MS, rel=2e-4)


# Steps


def test_a_step_of_a_device_bound_network_is_the_devices_work(timing):
    device = FakeDevice()
    assert timing.time_step(network(device, 10 * MS), device, 5) == (10 * MS, 10 * MS)


def test_a_step_of_a_host_bound_network_is_the_hosts_time_however_the_queue_is_filled(timing):
    """Ten launches of 10 us with 1 us of work each: 100 us a call, of which the device works 10."""
    device = FakeDevice()
    assert timing.time_step(network(device, 10_000), device, 500) == (100_000, 100_000)
    took = timing.time_block(network(device, 10_000), device, call_ns=101_000, quantity="step")
    assert set(took.counted_ns) == {100_000}


def test_calls_overlap_in_a_step_as_they_do_not_in_requests(timing):
    """100 launches of 10 us with next to no work, then 900 us: a request is 1.9 ms, back to back the host's 1.01 ms."""
    device = FakeDevice()

    def forward():
        for _ in range(100):
            device.launch(0)
        device.launch(900_000)

    assert timing.time_request(forward, device)[0] == 1_010_000 + 900_000
    assert timing.time_step(forward, device, 50) == (1_010_000, 1_010_000)


def test_a_stretch_waits_for_the_device_before_and_after_and_never_inside(timing):
    device = FakeDevice()
    timing.time_step(lambda: device.launch(MS), device, 3)
    assert device.trips == ["synchronize", "launch", "record", *["launch"] * 3, "record", "synchronize"]


def test_a_step_block_is_three_stretches_of_50_ms_and_5_calls_after_a_hand_over(timing):
    for work, calls in ((MS, 50), (30 * MS, 5), (7 * MS, 8)):
        device = FakeDevice()
        took = timing.time_block(network(device, work), device, call_ns=work, quantity="step")
        assert (len(took.wall_ns), took.dropped) == (1 + 3, 1)
        assert device.trips.count("launch") == 10 * (2 + 3 * (1 + calls))
        assert set(took.counted_ns) == {work}


def test_a_slow_hand_over_makes_no_stretch_short(timing):
    device, first = FakeDevice(), iter([40 * MS] * 2)
    took = timing.time_block(lambda: device.launch(next(first, MS)), device, call_ns=MS, quantity="step")
    assert took.wall_ns[0] == 40 * MS
    assert set(took.counted_ns) == {MS}
    assert device.trips.count("launch") == 2 + 3 * (1 + 50)


def test_a_stretch_is_50_ms_however_much_faster_steps_are_than_requests(timing):
    """Requests of 1.91 ms that follow one another in 1.01 ms."""
    device = FakeDevice()

    def forward():
        for _ in range(100):
            device.launch(0)
        device.launch(900_000)

    timing.time_block(forward, device, call_ns=1_910_000, quantity="step")
    assert device.trips.count("launch") == 101 * (2 + 3 * (1 + 50))


def test_no_two_results_of_a_stretch_are_alive_together(timing):
    device = FakeDevice(capacity=100)

    def forward():
        kept = device.allocate(60)
        device.launch(MS)
        return kept

    timing.time_step(forward, device, 10)
    assert device.peak == 60


def test_a_step_where_calls_return_done_is_the_hosts_clock_over_the_calls(timing):
    device = FakeDevice(asynchronous=False)
    wall, on_device = timing.time_step(network(device, MS), device, 5)
    assert wall == on_device == 10 * 10_000 + MS
    assert device.trips.count("launch") == 5 * 10  # nothing to fill


def test_a_step_on_the_cpu_is_the_hosts_clock_and_not_its_cpu_time(timing):
    """Two threads at work all the time: twice as much CPU time as the clock shows."""

    class TwoThreads(FakeDevice):
        def elapsed_ns(self, start, end):
            return 2 * super().elapsed_ns(start, end)

    device = TwoThreads(asynchronous=False)
    assert timing.time_step(lambda: device.launch(MS), device, 5) == (1_010_000, 2_020_000)


# The device's own work


def test_the_devices_own_work_is_a_replayed_graphs_where_there_are_graphs(timing):
    """However long the host takes to ask for the kernels one by one."""
    for work in (10_000, MS, 20 * MS):
        device = FakeDevice(launch_ns=50_000, graphs=True)
        took = timing.time_block(network(device, work), device, call_ns=500_000 + work, quantity="device")
        assert set(took.device_ns[took.dropped :]) == {work}
        assert took.dropped == 1
        assert device.trips.count("capture") == 1
        assert "launch" not in device.trips


def test_the_devices_own_work_is_asked_for_behind_a_filled_queue_where_there_are_none(timing):
    for work in (10_000, MS, 20 * MS):
        device = FakeDevice(launch_ns=50_000)
        took = timing.time_block(network(device, work), device, call_ns=500_000 + work, quantity="device")
        assert set(took.device_ns[took.dropped :]) == {work}
        assert len(took.device_ns) >= 1 + 5


def test_a_device_block_lasts_50_ms_and_5_calls_in_3_stretches(timing):
    for graphs in (True, False):
        device = FakeDevice(graphs=graphs)
        began = device.host
        took = timing.time_block(network(device, 10_000), device, call_ns=MS, quantity="device")
        assert device.host - began >= 50 * MS
        assert len(took.device_ns) >= 1 + 3
        long = timing.time_block(network(device, 400 * MS), device, call_ns=400 * MS, quantity="device")
        assert len(long.device_ns) == 1 + (3 if graphs else 5)


def test_marks_are_too_coarse_for_one_tiny_replay_and_not_for_many(timing):
    """Three kernels of 700 ns, and marks that tick every 500 ns."""
    device = FakeDevice(launch_ns=5_000, graphs=True, resolution_ns=500)
    took = timing.time_block(network(device, 2_100, 3), device, call_ns=20_000, quantity="device")
    assert all(abs(ns - 2_100) <= 20 for ns in took.device_ns[took.dropped :])


def test_a_device_that_ran_dry_is_asked_again_behind_a_longer_fill(timing):
    """Every seventh call the host is late by 3 ms: behind a fill of twice the usual it would show."""
    device, number = FakeDevice(), [0]

    def forward():
        number[0] += 1
        for _ in range(10):
            device.launch(20_000)
            device.host += 300_000 if number[0] % 7 == 0 else 0

    took = timing.time_block(forward, device, call_ns=300_000, quantity="device")
    assert number[0] > 7
    assert set(took.device_ns[took.dropped :]) == {200_000}


def test_a_host_that_became_slow_is_given_a_longer_fill(timing):
    """From the eighth call on it needs ten times as long to ask."""
    device, number = FakeDevice(), [0]

    def forward():
        number[0] += 1
        for _ in range(10):
            device.launch(20_000)
            device.host += 90_000 if number[0] >= 8 else 0

    took = timing.time_block(forward, device, call_ns=300_000, quantity="device")
    assert number[0] > 8
    assert set(took.device_ns[took.dropped :]) == {200_000}


def test_a_network_that_waits_inside_has_no_device_time_to_report(timing):
    for graphs in (True, False):
        device = FakeDevice(graphs=graphs)

        def forward(device=device):
            device.launch(MS)
            device.synchronize()  # reads a value, say
            device.launch(MS)

        with pytest.raises(
            CannotMeasure, match=r"measure.quantity: device: the network waits .*; take request or step"
        ):
            timing.time_block(forward, device, call_ns=2 * MS, quantity="device")


def test_a_network_that_asks_for_more_than_a_queue_holds_has_a_device_time_only_as_a_graph(timing):
    def block(device):
        return timing.time_block(network(device, 100_000, 100), device, call_ns=MS, quantity="device")

    with pytest.raises(CannotMeasure):
        block(FakeDevice(depth=64))
    took = block(FakeDevice(depth=64, graphs=True))
    assert set(took.device_ns[took.dropped :]) == {100_000}


def test_the_devices_own_work_with_a_cold_cache_pays_at_every_call(timing):
    for graphs in (True, False):
        device = FakeDevice(graphs=graphs, cold_ns=400_000)
        took = timing.time_block(network(device, MS), device, call_ns=MS, quantity="device", cold_cache=True)
        assert set(took.device_ns[took.dropped :]) == {MS + 400_000}


def test_where_calls_return_done_the_devices_own_work_is_that_of_requests(timing):
    device = FakeDevice(asynchronous=False)
    took = timing.time_block(network(device, 10 * MS), device, call_ns=10 * MS, quantity="device")
    assert took == timing.time_block(network(device, 10 * MS), device, call_ns=10 * MS)
    assert "fill" not in device.trips


# Warming up


def test_warm_up_goes_on_until_three_medians_agree(timing):
    device, times = FakeDevice(), iter([50 * MS] * 6 + [20 * MS] * 5 + [15 * MS] * 5)
    taken, steady = timing.warm_up(lambda: device.launch(next(times, 10 * MS)), device)
    assert steady
    assert len(taken.wall_ns) == 2 + 5 * 6  # two calls, three falling blocks, three that agree
    assert taken.wall_ns[-1] == 10_010_000


def test_warm_up_waits_out_a_boost_that_fades(timing):
    """A clock 25 % above its rest, fading over 0.4 s: blocks of some 50 ms then differ by 3 %."""
    device = FakeDevice(speed=lambda now: 1 + 0.25 * max(0.0, 1 - now / (400 * MS)))
    taken, steady = timing.warm_up(lambda: device.launch(10 * MS), device)
    assert steady
    assert set(taken.wall_ns[-10:]) == {10_010_000}


def test_a_network_that_never_settles_is_not_steady(timing):
    device, step = FakeDevice(), [0]

    def forward():
        step[0] += 1
        device.launch(int(10 * MS * 1.05 ** (step[0] // 5)))

    assert timing.warm_up(forward, device)[1] is False


@pytest.mark.parametrize(("asynchronous", "calls"), [(False, 1), (True, 2)])
def test_the_first_call_of_a_slow_network_is_its_warm_up_and_on_a_gpu_the_second(timing, asynchronous, calls):
    device = FakeDevice(asynchronous=asynchronous)
    taken, steady = timing.warm_up(network(device, 4000 * MS), device)
    assert steady
    assert len(taken.wall_ns) == calls


def test_a_gpus_slow_first_call_makes_no_slow_network(timing):
    """Two seconds of loading kernels and searching for the fastest, then 10 ms a call."""
    device, times = FakeDevice(), iter([2000 * MS])
    taken, steady = timing.warm_up(lambda: device.launch(next(times, 10 * MS)), device)
    assert steady
    assert taken.wall_ns[-1] < 11 * MS
    assert len(taken.wall_ns) >= 2 + 5 * 3


# Signs of life


def test_signs_of_life_come_once_a_second_and_are_not_in_the_times(timing):
    """Each takes the host 7 ms, which no call of 300 ms may show."""
    for quantity, least in (("request", 1), ("step", 2), ("device", 1)):
        device, beats = FakeDevice(), []

        def beat(device=device, beats=beats):
            beats.append(device.host)
            device.host += 7 * MS

        took = timing.time_block(network(device, 300 * MS), device, call_ns=300 * MS, quantity=quantity, beat=beat)
        assert len(beats) >= least
        assert all(later - sooner >= 1000 * MS for sooner, later in pairwise(beats))
        work = 300 * MS + (10_000 if quantity == "request" else 0)
        assert {*(took.device_ns if quantity == "device" else took.wall_ns)[took.dropped :]} == {work}


def test_a_warm_up_gives_signs_of_life_across_its_blocks(timing):
    device, beats, step = FakeDevice(), [], [0]

    def forward():
        step[0] += 1
        device.launch(int(20 * MS * 1.05 ** (step[0] // 5)))

    timing.warm_up(forward, device, beat=lambda: beats.append(device.host))
    assert len(beats) == 3  # of 3 s


def test_reading_a_mark_too_early_is_an_error():
    device = FakeDevice()
    start, end = device.new_mark(), device.new_mark()
    device.record(start)
    device.launch(MS)
    device.record(end)
    with pytest.raises(NotReady, match="not ready"):
        device.elapsed_ns(start, end)


def test_a_call_that_runs_out_of_memory_says_so_whatever_the_quantity(timing):
    for quantity in ("request", "step", "device"):
        device = FakeDevice(capacity=100, graphs=True)
        with pytest.raises(OutOfMemoryError, match="tried to allocate 101 of 100 bytes"):
            timing.time_block(lambda d=device: d.allocate(101), device, call_ns=MS, quantity=quantity)
