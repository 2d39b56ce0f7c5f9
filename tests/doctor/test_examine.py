"""The doctor on a scripted device and with workers without processes, on a machine that hides everything."""

import subprocess
import sys
from dataclasses import replace
from statistics import stdev

import pynvml
import pytest
from fakes import FakeDevice, FakeNvml, FakeWorker, Lab
from runs_on_disk import block, warm_up

from archbench.doctor import checks
from archbench.doctor.advice import advise
from archbench.doctor.checks import Check, NullTest, summarise_null_test
from archbench.doctor.diagnosis import Advice, Diagnosis, anonymise, diagnosis_as_json
from archbench.doctor.examine import Surroundings, examine, plan_diagnosis, probe_variant
from archbench.doctor.host import BusyProcesses, Gpu, Host, describe_gpu
from archbench.errors import SpecError
from archbench.measure.worker.self_checks import CALLS, KNOWN_BYTES, REPEATS, read_allocator, read_clock, time_stretches

GIB = 1 << 30


# Self-checks


def readings(device, forward):
    return {
        "clock": {"step_ns": 50, "back": 0, "cost_ns": 55.0},
        "stretches": time_stretches(forward, device),
        "allocator": None,
    }


def checks_of(found, threads=2, *, cpu=False):
    return {check.name: check for check in checks.judge_self_checks(found, threads, cpu=cpu)}


def test_a_device_that_waits_is_linear_and_its_marks_agree_with_the_host():
    device = FakeDevice(launch_ns=10_000)
    found = checks_of(readings(device, lambda: device.launch(5_000_000)))
    assert found["linearity"].passed
    assert found["linearity"].figure < 0.003  # the first launch, 10 us in 5 ms, is all that is not a multiple
    assert found["events"].passed
    assert found["events"].figure == pytest.approx(1.0, abs=0.002)


def test_stretches_of_1_2_4_and_8_calls_come_in_both_directions():
    device = FakeDevice()
    order = [each["calls"] for each in time_stretches(lambda: device.launch(1), device)]
    assert len(order) == len(CALLS) * REPEATS
    assert order[:8] == [8, 4, 2, 1, 1, 2, 4, 8]


def test_a_device_that_is_not_waited_for_has_marks_that_disagree_with_the_host():
    """The host sees the launches alone, linear as they are; the device 500 times as much."""

    class Hasty(FakeDevice):
        def synchronize(self):
            self.trips.append("no wait")

        def elapsed_ns(self, start, end):
            return end.at - start.at

    device = Hasty(launch_ns=10_000)
    found = checks_of(readings(device, lambda: device.launch(5_000_000)))
    assert found["linearity"].passed
    assert found["events"].passed is False


def test_answers_from_a_cache_are_not_linear():
    device = FakeDevice()

    def cached():
        device.launch(5_000_000 if device.trips[-1] == "record" else 1_000)

    assert checks_of(readings(device, cached))["linearity"].passed is False


@pytest.mark.parametrize(
    ("single_call", "passed"),
    [([10, 10, 10], True), ([11, 11, 11], True), ([13, 13, 13], False), ([13, 4, 25], None)],
    ids=["on the line", "near", "off", "off, and scattered as far"],
)
def test_only_what_noise_does_not_explain_is_off_the_line(single_call, passed):
    """8 calls at 10 a call weigh 64 times what one call does: the line's slope is within 1 % of 10."""
    found = [{"calls": 1, "wall_ns": wall} for wall in single_call]
    found += [{"calls": calls, "wall_ns": 10 * calls} for calls in (2, 4, 8)] * 3
    check = checks.check_linearity(found)
    assert check.passed is passed
    assert check.figure == pytest.approx(sorted(single_call)[1] / 10 - 1, abs=0.01)


@pytest.mark.parametrize(
    ("marked_share", "passed"), [(1.9, True), (0.5, True), (2.09, True), (2.2, False), (0.0, False)]
)
def test_cpu_time_is_at_most_what_all_threads_could_use(marked_share, passed):
    found = [{"calls": n, "wall_ns": n * 1000, "marked_ns": int(n * 1000 * marked_share)} for n in CALLS]
    check = checks.check_cpu_time(found, threads=2)
    assert (check.passed, check.figure) == (passed, pytest.approx(marked_share))


class Ticking:
    """A clock that moves by `step` every `reads` readings."""

    def __init__(self, step, reads=1):
        self.step, self.reads, self.asked = step, reads, 0

    def now_ns(self):
        self.asked += 1
        return self.asked // self.reads * self.step


@pytest.mark.parametrize(
    ("ticking", "step", "passed"),
    [
        (Ticking(40), 40, True),
        (Ticking(1_000, 20), 1_000, True),
        (Ticking(15_600_000, 5_000), 15_600_000, False),
        (Ticking(0), None, False),
        (Ticking(-40), None, False),
    ],
    ids=["fine", "coarse", "a tick of 15.6 ms", "stands", "backwards"],
)
def test_the_clock_is_known_by_its_smallest_step(ticking, step, passed):
    check = checks.check_clock(read_clock(ticking))
    assert (check.figure, check.passed) == (step, passed)


class Counting:
    """An allocator's counter; `counts` is what it makes of each byte."""

    def __init__(self, counts):
        self.counts, self.bytes, self.peak = counts, 1000, 10**12

    def reset_peak(self):
        self.peak = self.bytes

    def peak_bytes(self):
        return int(self.peak)

    def allocate(self, size):
        self.bytes += size * self.counts
        self.peak = max(self.peak, self.bytes)


@pytest.mark.parametrize(("counts", "passed"), [(1, True), (0, False), (0.5, False), (2, False)])
def test_a_known_tensor_adds_its_bytes_to_the_peak(counts, passed):
    device = Counting(counts)
    check = checks.check_allocator(read_allocator(device, device.allocate))
    assert (check.figure, check.passed) == (KNOWN_BYTES * counts, passed)


def test_a_device_without_a_counter_has_no_allocator_to_check():
    check = checks.check_allocator(read_allocator(FakeDevice(), lambda size: None))
    assert (check.passed, check.figure) == (None, None)


def turns(*of):
    """Blocks of milliseconds by replica, in the order of turns."""
    return [replace(block("a", ms, order=place, dropped=1), replica=replica) for place, (replica, ms) in enumerate(of)]


def test_a_hand_over_is_the_first_call_after_another_process():
    """B's second turn follows its own: its first call is no hand-over."""
    found = turns((0, [99, 10, 10, 10]), (1, [15, 10, 10, 10]), (1, [90, 10, 10, 10]), (0, [13, 10, 10, 10]))
    check = checks.check_hand_over(found)
    assert (check.figure, check.passed) == (pytest.approx(1.4), True)


def test_a_second_call_that_is_slow_too_is_told():
    check = checks.check_hand_over(turns((0, [10] * 5), (1, [15, 13, 10, 10, 10])))
    assert check.passed is False
    assert not check.gate


def test_slow_calls_have_no_hand_over_to_look_at():
    assert checks.check_hand_over([block("a", 4000.0), block("b", 4000.0)]).passed is None


# The A/A null


def twice(*generations):
    """Blocks of one network as two replicas: for each generation, the milliseconds of replica 0's and 1's rounds."""
    found = []
    for generation, (first, second) in enumerate(generations, 1):
        for replica in (0, 1):
            found += [replace(each, replica=replica) for each in warm_up("a", generation=generation)]
        for number, pair in enumerate(zip(first, second, strict=True), 1):
            found += [
                replace(block("a", ms, generation=generation, round=number, order=replica, size=2), replica=replica)
                for replica, ms in enumerate(pair)
            ]
    return found


def test_the_null_compares_a_network_with_itself():
    found = summarise_null_test(twice(([10], [11]), ([10], [10]), ([10], [10])), "R-18", 30.0)
    assert found.ratio == pytest.approx(1.1 ** (1 / 3))
    assert found.covers
    assert found.interval[0] * found.interval[1] == pytest.approx(found.ratio**2)
    assert (found.generations, found.blocks, found.network, found.seconds) == (3, 6, "R-18", 30.0)


def test_a_null_that_differs_every_time_misses_1():
    found = summarise_null_test(twice(([10], [11]), ([10], [11.01]), ([10], [10.99])), "R-18", 30.0)
    assert found.covers is False
    assert checks.check_null_test(found).passed is False


def test_one_generation_tells_nothing():
    found = summarise_null_test(twice(([10, 10], [11, 11])), "R-18", 30.0)
    assert (found.half_width, found.interval, found.covers, found.between_processes) == (None, None, None, None)
    assert checks.check_null_test(found).passed is None


def test_a_null_with_one_replica_alone_is_none():
    assert summarise_null_test(twice(([10], [10]))[:1], "R-18", 30.0) is None
    assert summarise_null_test([], "R-18", 30.0) is None


def test_the_null_is_of_requests_and_tells_what_others_took():
    found = twice(([10], [10]), ([10], [10]))
    requests = [replace(each, telemetry={"lost": 0.2}) if each.phase == "steady" else each for each in found]
    steps = [
        replace(each, quantity="step", round=2, wall_ns=(1,), telemetry={"lost": 0.9})
        for each in found
        if each.phase == "steady"
    ]
    told = summarise_null_test([*requests, *steps], "R-18", 30.0)
    assert (told.blocks, told.lost, told.between_rounds) == (4, 0.2, None)
    assert told.ratio == pytest.approx(1)


def test_spreads_are_told_apart():
    """What a generation's processes share is no spread between them; a process's own rounds are another matter."""
    e = 2.718281828459045
    found = summarise_null_test(
        twice(([10, 10], [10 * e**0.02, 10 * e**0.02]), ([20, 20 * e**0.04], [20 * e**0.02, 20 * e**0.02])), "R", 9.0
    )
    # twins differ by -0.02 in the first generation, by 0.02 - 0.02 in the second
    assert found.between_processes == pytest.approx(stdev([-0.02, 0.0]) / 2**0.5, rel=1e-4)
    # one process of four lies 0.02 to either side of its mean: 2 * 0.02**2 over 4 degrees of freedom
    assert found.between_rounds == pytest.approx((2 * 0.02**2 / 4) ** 0.5, rel=1e-4)


# The GPU


def on_gpu(**telemetry):
    return block("a", 1.0, telemetry=telemetry)


def test_a_gpu_is_what_its_blocks_saw_at_the_worst(monkeypatch):
    blocks = [
        on_gpu(sm_mhz=1980.0, max_sm_mhz=1980.0, throttle=0.0, foreign=0.0, celsius=50.0, watts=None),
        on_gpu(sm_mhz=1410.0, max_sm_mhz=1980.0, throttle=float(0x44), foreign=2.0, celsius=71.0, watts=600.0),
    ]
    library = FakeNvml(("GPU-77",))
    library.stand_in(monkeypatch)
    found = describe_gpu({"device": "H100", "uuid": "77", "power_limit_watts": 700.0}, blocks)
    assert found == Gpu(
        "H100", 1410.0, 1980.0, 1980.0, 71.0, 600.0, 700.0, ("power cap", "hardware thermal slowdown"), False, 2
    )
    assert library.sessions == 0


@pytest.mark.parametrize(
    "library",
    [FakeNvml(("GPU-77",), refuses={"nvmlInit": pynvml.NVML_ERROR_LIBRARY_NOT_FOUND}), FakeNvml(("GPU-77",))],
    ids=["no driver", "no such GPU"],
)
def test_a_gpu_nobody_knows_is_null(monkeypatch, library):
    library.stand_in(monkeypatch)
    assert describe_gpu({"device": "H100", "uuid": "78"}, []) == Gpu("H100")
    assert library.sessions == 0


# What would make it better

CALM = Host("Chip", 4, 4, 4, None, False, "performance", 3000.0, 3000.0, False, 0, 0.1, 0.0, 64 * GIB, 60 * GIB, 0, 0)
GOOD = NullTest("R-18", 5, 50, 0, 60.0, 1.001, 0.01, 0.002, 0.002)
SOUND = Diagnosis(
    taken="2026-01-01T00:00:00Z",
    device="cuda:1",
    reason=None,
    checks=(Check("clock", True, 50.0, "ns", "a step"),),
    null_test=GOOD,
    host=CALM,
    gpu=Gpu("H100", 1970.0, 1980.0, 1980.0, 60.0, 600.0, 700.0, (), True, 0),
    threads=4,
    versions={"torch": "2.9"},
    extras={"onnxruntime": "1.23", "compiler": "g++"},
    flags={"CUDA_LAUNCH_BLOCKING": "0"},
)


def test_a_sound_machine_is_given_no_advice():
    assert advise(SOUND) == ()


@pytest.mark.parametrize(
    ("change", "says", "command"),
    [
        ({"governor": "powersave"}, "governor powersave", "sudo cpupower frequency-set -g performance"),
        ({"turbo": True}, "turbo lifts the clock", "sudo cpupower set --turbo-boost 0"),
        ({"throttles": 3}, "slowed 3 times for its heat", None),
        ({"steal": 0.03}, "3.0% of the CPU time", None),
        ({"busy": (BusyProcesses("chrome", 2, 1.5),)}, "close the 2 processes chrome: 1.5", None),
        ({"load": 2.0}, "the load was 2.0", None),
        ({"quota_cores": 2.5}, "4 threads for 2 cores of its cgroup's quota", "measure: {threads: 2}"),
        ({"quota_cores": 0.5}, "4 threads for 1 cores of its cgroup's quota", "measure: {threads: 1}"),
        ({"physical_cores": 2}, "4 threads for 2 physical cores", "measure: {threads: 2}"),
        ({"allowed_cores": 3}, "4 threads for 3 cores of this process's affinity", "measure: {threads: 3}"),
        ({"available_bytes": 4 * GIB}, "4.0 of 64.0 GiB", None),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_trouble_of_a_host_has_its_line(change, says, command):
    (advice,) = advise(replace(SOUND, host=replace(CALM, **change)))
    assert says in advice.text
    assert advice.command == command


@pytest.mark.parametrize(
    ("change", "says", "command"),
    [
        ({"persistence": False}, "unloads when idle", "sudo nvidia-smi -i 1 -pm 1"),
        ({"slowest_mhz": 1410.0}, "from 1410 to 1980 MHz", "sudo nvidia-smi -i 1 -lgc 1410,1410"),
        ({"throttle": ("power cap",)}, "held down: power cap", "nvidia-smi -i 1 -q -d PERFORMANCE"),
        ({"others": 2}, "2 other processes", "nvidia-smi"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_trouble_of_a_gpu_has_its_line(change, says, command):
    (advice,) = advise(replace(SOUND, gpu=replace(SOUND.gpu, **change)))
    assert says in advice.text
    assert advice.command == command


@pytest.mark.parametrize(
    ("change", "says", "command"),
    [
        ({"null_test": replace(GOOD, half_width=None)}, "two generations at least", "measure: {generations: 3}"),
        (
            {"null_test": replace(GOOD, half_width=0.06)},
            "about 4m00s",
            "measure: {budget: 4m00s}",
        ),  # (6 / 3)**2 minutes
        ({"null_test": replace(GOOD, half_width=3.0)}, "no budget will tell 3.0% apart", None),
        ({"null_test": replace(GOOD, lost=0.25)}, "25.0% of the network's time went to other processes", None),
        ({"flags": {"CUDA_LAUNCH_BLOCKING": "1"}}, "changes what is timed", "unset CUDA_LAUNCH_BLOCKING"),
        ({"extras": {"onnxruntime": None}}, "no measure: {engine: onnxruntime}", "pip install 'archbench[onnx]'"),
        ({"extras": {"compiler": None}}, "no measure: {engine: compile}", "sudo apt install g++"),
        ({"checks": (Check("clock", False, 1e7, "ns", "", remedy="mend it"),)}, "clock failed: mend it", None),
    ],
    ids=["no interval", "wide", "hopeless", "lost", "flag", "onnxruntime", "compiler", "failed check"],
)
def test_each_other_trouble_has_its_line(change, says, command):
    (advice,) = advise(replace(SOUND, **change))
    assert says in advice.text
    assert advice.command == command


# All of it


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/home/ann/x and /home/anne", "~/x and /home/anne"),
        ("/data/ann/x", "/data/USER/x"),
        ("planned", "planned"),
        ("ann", "USER"),
    ],
)
def test_who_ran_it_is_in_no_word_of_the_file(text, clean):
    assert anonymise({"a": [text, 1, None]}, {"/home/ann": "~", "ann": "USER"}) == {"a": [clean, 1, None]}


class Checked(FakeWorker):
    """Answers a self-check with what its lab says."""

    def start(self):
        return super().start() | {"device": {"device": "cpu", "threads": 2}}

    def ask(self, request):
        if request["do"] == "self-check":
            return self._reply("self-check", self.lab.readings)
        self.lab.call_s[self.id] = self.lab.noise[len(self.lab.log) % len(self.lab.noise)]
        return super().ask(request)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class Clinic(Lab):
    """A lab whose calls last a second and up to 1 % more or less, in a row that repeats out of step with the turns."""

    readings = None
    noise = (1.0, 1.01, 0.99, 1.004, 0.996, 1.002, 0.997)

    def worker(self, variant, setup, **given):
        return Checked(self, variant.id)


def sound_readings(step_ns=50):
    found = [{"calls": n, "wall_ns": n * 10**7, "marked_ns": 2 * n * 10**7} for n in CALLS]
    return {"clock": {"step_ns": step_ns, "back": 0, "cost_ns": 60.0}, "stretches": found, "allocator": None}


def examined(lab, root, device="cpu"):
    return examine(
        plan_diagnosis(device, quick=False),
        lambda text, left: None,
        Surroundings(root=root, pause=lambda seconds: None, clock=lab.clock, worker=lab.worker),
    )


@pytest.mark.process
def test_a_machine_whose_calls_vary_by_1_percent_can_measure(tmp_path):
    lab = Clinic(start_s=0.5)
    lab.readings = sound_readings()
    found = examined(lab, tmp_path)
    assert found.reason is None
    assert {check.name: check.passed for check in found.checks} == {
        "clock": True,
        "linearity": True,
        "cpu time": True,
        "allocator": None,
        "hand-over": None,
        "A/A null": True,
    }
    assert abs(found.null_test.ratio - 1) < 0.01
    assert 0 < found.null_test.half_width < 0.01
    assert 0 < found.null_test.between_rounds < 0.01
    assert found.null_test.generations >= 3
    assert (found.threads, found.device, found.gpu) == (2, "cpu", None)


@pytest.mark.process
def test_a_check_that_fails_is_why_nothing_can_be_measured(tmp_path):
    lab = Clinic(start_s=0.5)
    lab.readings = sound_readings(step_ns=15_600_000)
    assert examined(lab, tmp_path).reason.startswith("self-check clock failed; take a machine")


@pytest.mark.process
@pytest.mark.parametrize("verb", ["start", "warm", "self-check", "block"])
def test_a_worker_that_dies_is_why_nothing_can_be_measured(tmp_path, verb):
    lab = Clinic(start_s=0.5)
    lab.readings = sound_readings()
    lab.fails = {(probe_variant("cpu").id, verb): "its process died of SIGKILL"}
    found = examined(lab, tmp_path)
    assert "its process died of SIGKILL" in found.reason
    assert found.null_test is None
    assert len(found.checks) == (6 if verb == "block" else 0)


def test_none_is_no_device_to_examine():
    with pytest.raises(SpecError, match="take auto, cpu, cuda or cuda:N"):
        plan_diagnosis("none", quick=True)


@pytest.mark.process
def test_the_doctor_imports_no_torch():
    code = "import sys, archbench.doctor.examine, archbench.doctor.diagnosis; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_file_holds_the_interval_beside_what_it_is_made_of():
    found = diagnosis_as_json(replace(SOUND, advice=(Advice("a", "b"),)))
    assert next(iter(found)) == "schema"
    assert found["null_test"]["interval"] == [1.001 / 1.01, 1.001 * 1.01]
    assert found["null_test"]["covers"] is True
    assert found["advice"] == [{"text": "a", "command": "b"}]
