"""Timing on a scripted device: what is timed, what is waited for, how long a block is. Nothing here takes real time."""

import pytest
from fakes import FakeDevice

from archbench.measure.timing import BLOCK_CALLS, BLOCK_NS, block, calls, request, warm_up


def network(device, work_ns, kernels=10):
    """A forward pass of that many launches."""

    def forward():
        for _ in range(kernels):
            device.launch(work_ns // kernels)

    return forward


@pytest.mark.parametrize(
    ("launch_ns", "work_ns"), [(10_000, 5_000_000), (10_000, 20_000), (1_000, 1_000_000), (50_000, 200_000)]
)
def test_a_request_takes_until_the_result_is_ready(launch_ns, work_ns):
    """Launches and work overlap: the first launch, then the longer of the two."""
    device = FakeDevice(launch_ns)
    wall, on_device = request(network(device, work_ns), device)
    assert wall == launch_ns + max(work_ns, 9 * launch_ns + work_ns // 10)
    assert on_device == wall  # the marks lie around the whole pass, gaps included


def test_a_request_begins_with_the_device_idle():
    device = FakeDevice()
    network(device, 7_000_000)()  # asked for before, not yet done
    wall, _ = request(network(device, 1_000_000), device)
    assert wall == 10_000 + 1_000_000
    assert device.trips[-14:] == ["synchronize", "record", *["launch"] * 10, "record", "synchronize"]


def test_the_result_is_let_go_before_the_clock_of_the_next_call():
    device, alive = FakeDevice(), []

    class Result:
        def __init__(self):
            alive.append(self.__class__)
            assert len(alive) == 1

        def __del__(self):
            alive.pop()

    calls(Result, device, at_least=3, for_ns=0)


def test_a_block_of_fast_calls_drops_the_hand_over_and_lasts_50_ms_and_5_calls():
    device = FakeDevice()
    took = block(network(device, 20_000_000), device, call_ns=20_000_000)
    assert (len(took.wall_ns), took.dropped) == (1 + BLOCK_CALLS, 1)
    short = block(network(device, 1_000_000), device, call_ns=1_000_000)
    assert sum(short.counted_ns) >= BLOCK_NS > sum(short.counted_ns[:-1])


def test_the_hand_over_call_is_kept_but_does_not_count():
    device = FakeDevice()
    slow_first = iter([30_000_000])

    def forward():
        device.launch(next(slow_first, 10_000_000))

    took = block(forward, device, call_ns=10_000_000)
    assert took.wall_ns[0] == 30_010_000
    assert set(took.counted_ns) == {10_010_000}


def test_a_block_of_a_slow_network_is_one_call_and_drops_none():
    device = FakeDevice()
    took = block(network(device, 4_000_000_000), device, call_ns=4_000_000_000)
    assert (len(took.wall_ns), took.dropped) == (1, 0)


def test_warm_up_goes_on_until_three_medians_agree():
    device, times = FakeDevice(), iter([50_000_000] * 5 + [20_000_000] * 5 + [15_000_000] * 5)
    taken, steady = warm_up(lambda: device.launch(next(times, 10_000_000)), device)
    assert steady
    assert len(taken.wall_ns) == 1 + 5 * 6  # the first call, three falling blocks, three that agree
    assert taken.wall_ns[-1] == 10_010_000


def test_a_network_that_never_settles_is_not_steady():
    device, step = FakeDevice(), [0]

    def forward():
        step[0] += 1
        device.launch(int(10_000_000 * 1.05 ** (step[0] // 5)))

    assert warm_up(forward, device)[1] is False


def test_the_first_call_of_a_slow_network_is_its_warm_up():
    device = FakeDevice()
    taken, steady = warm_up(network(device, 4_000_000_000), device)
    assert steady
    assert len(taken.wall_ns) == 1


def test_reading_a_mark_too_early_is_an_error():
    device = FakeDevice()
    start, end = device.new_mark(), device.new_mark()
    device.record(start)
    device.launch(1_000_000)
    device.record(end)
    with pytest.raises(RuntimeError, match="not ready"):
        device.elapsed_ns(start, end)
