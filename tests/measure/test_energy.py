"""Energy of a call on a scripted clock: a meter that integrates power, a device that idles at 50 W. Nothing sleeps."""

from dataclasses import dataclass

import pytest
from fakes import FakeDevice

from archbench.measure.worker.energy import measure_energy

IDLE_W, EXTRA_W = 50, 250
WORK_NS = 10_000_000


@dataclass
class Plant:
    """A device, its meter and the waiting in between. A call takes 10 ms and 250 W more than idling does."""

    answers: bool = True
    dies_after: int = 1_000_000
    extra_w: int = EXTRA_W
    calls: int = 0
    asked: int = 0
    waited: float = 0.0

    def __post_init__(self):
        self.device = FakeDevice(launch_ns=0)

    def energy_mj(self):
        self.asked += 1
        if not self.answers or self.asked > self.dies_after:
            return None
        return round(self.device.host * IDLE_W / 1e6 + self.calls * WORK_NS * self.extra_w / 1e6)

    def wait(self, seconds):
        self.waited += seconds
        self.device.host += round(seconds * 1e9)

    def call(self):
        self.calls += 1
        self.device.launch(WORK_NS)

    def energy(self, call_ns=WORK_NS):
        return measure_energy(self.call, self.device, self, call_ns=call_ns, wait=self.wait)


def test_a_calls_energy_is_what_the_counter_rose_less_idling_by_the_calls():
    """250 W x 10 ms = 2,500 mJ, whatever idling takes."""
    told = Plant().energy()
    assert told["energy_mj"] == pytest.approx(2500, rel=1e-6)


def test_the_window_is_five_seconds_of_calls_at_least_waited_for_to_the_end():
    plant = Plant()
    told = plant.energy()
    assert 5.0 <= told["energy_s"] < 5.2
    assert plant.calls == told["energy_s"] / 0.01
    assert plant.device.host >= plant.device.busy_until


def test_calls_follow_one_another_without_waiting_a_tenth_of_a_second():
    plant = Plant()
    plant.energy()
    assert plant.device.trips[-12:] == ["synchronize", *["launch"] * 10, "synchronize"]


def test_a_call_longer_than_the_window_is_one_call():
    plant = Plant()
    plant.call = lambda: (setattr(plant, "calls", plant.calls + 1), plant.device.launch(6_000_000_000))
    assert plant.energy(call_ns=6_000_000_000)["energy_s"] == 6.0
    assert plant.calls == 1


def test_idling_is_measured_before_the_calls_and_after_the_device_came_to_rest():
    plant = Plant()
    plant.device.launch(3_000_000_000)  # somebody's work, still running
    assert plant.energy()["energy_mj"] == pytest.approx(2500, rel=1e-6)
    assert plant.waited == 3.0
    assert plant.device.trips[:2] == ["launch", "synchronize"]


def test_without_a_counter_nothing_is_called_and_nothing_waited_for():
    plant = Plant(answers=False)
    assert plant.energy() == {"energy_mj": None, "energy_s": None}
    assert (plant.calls, plant.waited) == (0, 0.0)


@pytest.mark.parametrize("asked", [1, 2, 3, 4])
def test_a_counter_that_stops_answering_gives_no_energy(asked):
    assert Plant(dies_after=asked).energy()["energy_mj"] is None


def test_a_counter_that_does_not_rise_over_idling_gives_no_energy():
    assert Plant(extra_w=0).energy()["energy_mj"] is None


def test_signs_of_life_are_given_between_bursts():
    plant, beats = Plant(), []
    measure_energy(
        plant.call, plant.device, plant, call_ns=WORK_NS, wait=plant.wait, beat=lambda: beats.append(plant.calls)
    )
    assert beats[:3] == [10, 20, 30]
