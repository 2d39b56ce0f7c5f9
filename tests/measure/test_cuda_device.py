"""CudaDevice against a recorded double of `torch.cuda`, and, where there is a GPU, its properties (never its times).

The contract tests are given the module they test, so that `test_mutations.py` can hand them a broken one.
"""

from contextlib import contextmanager
from statistics import median
from unittest.mock import patch

import pytest
import torch
from networks import sized

import archbench.measure.worker.devices
from archbench.errors import CannotMeasure
from archbench.measure.worker.build import build
from archbench.measure.worker.devices import CudaDevice, open_device
from archbench.measure.worker.timing import time_block, time_queued_calls, time_request, time_step, warm_up
from archbench.models.variant import Workload
from archbench.pricing.price import price

MS = 1_000_000


class Properties:
    """Of a GPU as torch tells them."""

    name = "NVIDIA Double"
    uuid = "11111111-2222-3333-4444-555555555555"
    multi_processor_count = 132
    L2_cache_size = 50 << 20
    total_memory = 80 << 30
    clock_rate = 1_980_000  # kHz


class CudaDouble:
    """Stands in for `torch.cuda`: notes each call in order, and finishes work only when asked to wait."""

    def __init__(self, devices=2):
        self.calls, self.devices, self.now, self.waited = [], devices, 0.0, 0.0
        self.index, self.streams, self.properties = 0, ["stream of {}"], Properties
        double = self

        class Event:
            def __init__(self, enable_timing=False):
                assert enable_timing, "an event without timing has no elapsed time"
                double.calls.append("event")
                self.at = None

            def record(self, stream):
                double.calls.append(f"record on {stream}")
                double.now += 1.0
                self.at = double.now

            def query(self):
                double.calls.append("query")
                return self.at <= double.waited

            def elapsed_time(self, end):
                assert end.at <= double.waited, "read before the device was done"
                return end.at - self.at

        class Stream:
            def __init__(self, index):
                double.calls.append(f"side stream of {index}")

            def __str__(self):
                return "side"

            def wait_stream(self, other):
                double.calls.append(f"side waits for {other}")

        class CUDAGraph:
            def replay(self):
                double.calls.append("replay")

        self.Event, self.Stream, self.CUDAGraph = Event, Stream, CUDAGraph

    def is_available(self):
        return self.devices > 0

    def device_count(self):
        return self.devices

    def set_device(self, index):
        self.index = index
        self.calls.append(f"set_device {index}")

    def synchronize(self, index):
        self.calls.append(f"synchronize {index}")
        self.waited = self.now

    def current_stream(self, index):
        return Current(self, self.streams[-1].format(index))

    @contextmanager
    def stream(self, stream):
        self.calls.append(f"on {stream}")
        self.streams.append(str(stream))
        yield
        self.streams.pop()
        self.calls.append(f"off {stream}")

    @contextmanager
    def graph(self, graph):
        """As torch 2.14 does it: the stream is left only where the capture ends well."""
        assert isinstance(graph, self.CUDAGraph)
        self.calls.append("capture")
        self.streams.append("capturing stream")
        yield
        self.streams.pop()
        self.calls.append("captured")

    def set_stream(self, stream):
        self.calls.append(f"back to {stream}")
        self.streams = [str(stream)]

    def _sleep(self, cycles):
        """Goes where torch sends work that is told no stream: the current one of the device made current."""
        self.calls.append(f"sleep {cycles} on {self.current_stream(self.index)}")

    def get_device_properties(self, index):
        return self.properties

    def reset_peak_memory_stats(self, index):
        self.calls.append(f"reset {index}")

    def reset_accumulated_memory_stats(self, index):
        self.calls.append(f"reset accumulated {index}")

    def max_memory_allocated(self, index):
        self.calls.append(f"peak {index}")
        return 123

    def memory_stats(self, index):
        """What torch 2.14 names, among much else; each value its own."""
        self.calls.append(f"statistics {index}")
        kinds = ["allocated_bytes", "reserved_bytes", "requested_bytes", "active_bytes"]
        told = {f"{kind}.all.{what}": 10 * n + m for n, kind in enumerate(kinds) for m, what in enumerate(WHATS)}
        return told | {"num_alloc_retries": 7, "num_ooms": 8}


WHATS = ("current", "peak", "allocated", "freed")


class Current:
    """A current stream: its name, and what waits for what."""

    def __init__(self, double, name):
        self.double, self.name = double, name

    def __str__(self):
        return self.name

    def wait_stream(self, other):
        self.double.calls.append(f"{self.name} waits for {other}")


@contextmanager
def cuda_double(devices=2):
    double = CudaDouble(devices)
    with patch.object(torch, "cuda", double):
        yield double


@contextmanager
def opened(devices, name="cuda:1", **given):
    """The device and the double's notes, emptied."""
    with cuda_double() as cuda:
        device = devices.open_device(name) if not given else devices.CudaDevice(1, **given)
        cuda.calls.clear()
        yield device, cuda


@pytest.fixture
def devices():
    return archbench.measure.worker.devices


def test_a_request_waits_records_runs_records_waits_on_the_one_device_and_its_stream(devices):
    with opened(devices) as (device, cuda):
        wall, on_device = time_request(lambda: cuda.calls.append("forward"), device)
    assert cuda.calls == [
        "event",
        "event",
        "synchronize 1",
        "record on stream of 1",
        "forward",
        "record on stream of 1",
        "synchronize 1",
    ]
    assert on_device == MS  # one millisecond between the marks
    assert wall > 0


def test_a_step_fills_the_queue_with_a_call_and_waits_once_at_its_end(devices):
    with opened(devices) as (device, cuda):
        period, on_device = time_step(lambda: cuda.calls.append("forward"), device, 4)
    assert cuda.calls == [
        "event",
        "event",
        "synchronize 1",
        "forward",
        "record on stream of 1",
        *["forward"] * 4,
        "record on stream of 1",
        "synchronize 1",
    ]
    assert period == on_device == MS // 4


def test_the_devices_own_work_is_asked_for_behind_a_kernel_that_sleeps_on_the_same_stream(devices):
    with opened(devices) as (device, cuda):
        taken = time_queued_calls(lambda: cuda.calls.append("forward"), device, 2, 5 * MS)
    assert cuda.calls == [
        "event",
        "event",
        "synchronize 1",
        "sleep 9900000 on stream of 1",  # 5 ms of 1,980,000 kHz
        "record on stream of 1",
        "forward",
        "forward",
        "record on stream of 1",
        "query",
        "synchronize 1",
    ]
    assert (taken.device_ns, taken.dry) == (MS // 2, False)


def test_a_mark_that_was_reached_says_the_queue_ran_dry(devices):
    with opened(devices) as (device, cuda):
        taken = time_queued_calls(lambda: cuda.synchronize(1), device, 1, 0)
    assert taken.dry


def test_a_gpu_whose_clock_torch_does_not_tell_is_taken_for_a_fast_one(devices):
    with opened(devices) as (device, cuda):
        cuda.properties = object()
        device.fill_queue(MS)
    assert cuda.calls == ["sleep 3000000 on stream of 1"]


CAPTURE = [
    "side stream of 1",
    "side waits for stream of 1",
    "on side",
    *["forward on side"] * 3,
    "off side",
    "stream of 1 waits for side",
    "capture",
    "forward on capturing stream",
    "captured",
    "back to stream of 1",
]


def test_a_graph_is_captured_once_after_warming_up_on_a_side_stream_and_replayed(devices):
    with opened(devices) as (device, cuda):

        def forward():
            cuda.calls.append(f"forward on {cuda.current_stream(cuda.index)}")
            return "result"

        replay = device.capture(forward)
        assert cuda.calls == CAPTURE
        cuda.calls.clear()
        assert replay() == "result"
        assert device.capture(forward) is replay
        assert cuda.calls == ["replay"]


def test_a_capture_that_fails_says_so_and_leaves_its_stream(devices):
    with opened(devices) as (device, cuda):

        def reads_a_value():
            if "capture" in cuda.calls:
                raise RuntimeError("operation not permitted when stream is capturing")

        with pytest.raises(RuntimeError, match="not permitted"):
            device.capture(reads_a_value)
        assert str(cuda.current_stream(1)) == "stream of 1"


def test_a_device_block_replays_between_its_marks(devices):
    """The block ends by the host's clock, which the double does not hold: a call of 20 ms is waited for."""
    with opened(devices) as (device, cuda):
        clock = [0]
        device.now_ns = lambda: clock.__setitem__(0, clock[0] + 20 * MS) or clock[0]
        took = time_block(lambda: None, device, call_ns=20 * MS, quantity="device")
    replays = [len(part) for part in "".join("r" if c == "replay" else "|" for c in cuda.calls).split("|") if part]
    assert replays == [1, 50, 50, 50]  # one hand-over; 50 of 1 ms, as the marks have it, in each stretch
    assert took.dropped == 1
    assert set(took.device_ns[1:]) == {MS // 50}


def test_the_device_is_made_current_so_that_work_goes_to_it(devices):
    with cuda_double() as cuda:
        devices.open_device("cuda:1")
        assert cuda.calls == ["set_device 1"]
        assert devices.open_device("cuda").name == "cuda:0"


def test_peak_memory_is_the_allocators_of_that_device(devices):
    with opened(devices) as (device, cuda):
        device.reset_peak()
        assert device.peak_bytes() == 123
        assert cuda.calls == ["reset 1", "reset accumulated 1", "peak 1"]


def test_memory_is_the_peaks_of_what_was_allocated_reserved_and_requested_and_the_retries(devices):
    with opened(devices) as (device, cuda):
        assert device.memory() == {"allocated": 1, "reserved": 11, "requested": 21, "retries": 7}
        assert cuda.calls == ["statistics 1"]


def test_memory_that_this_torch_does_not_count_is_null(devices):
    with opened(devices) as (device, cuda):
        cuda.memory_stats = lambda index: {"allocated_bytes.all.peak": 5}
        assert device.memory() == {"allocated": 5, "reserved": None, "requested": None, "retries": None}


def test_a_flush_writes_twice_the_cache_and_keeps_its_buffer(devices):
    class Buffer:
        def zero_(self):
            cuda.calls.append("zero")

    def empty(size, *, dtype, device):
        cuda.calls.append(f"{size} of {dtype} on {device}")
        return Buffer()

    with opened(devices) as (device, cuda), patch.object(torch, "empty", empty):
        device.flush_cache()
        device.flush_cache()
    assert cuda.calls == [f"{100 << 20} of torch.uint8 on cuda:1", "zero", "zero"]


class Driver:
    """Answers for the GPU it was made for."""

    def __init__(self, uuid):
        self.uuid = uuid

    def telemetry(self):
        return {"sm_mhz": 1755.0, "foreign": None}

    def identity(self):
        return {"driver": f"of {self.uuid}", "power_limit_watts": 700.0, "mig": False}


def test_telemetry_is_what_the_driver_says_of_that_gpu(devices):
    with opened(devices, driver=Driver) as (device, _):
        assert device.telemetry() == {"sm_mhz": 1755.0, "foreign": None}
        assert device.driver.uuid == Properties.uuid


def test_telemetry_without_a_driver_is_null_and_never_0(devices):
    with opened(devices) as (device, _):
        told = device.telemetry()
        assert {"sm_mhz", "max_sm_mhz", "memory_mhz", "celsius", "watts", "throttle", "foreign"} <= told.keys()
        assert torch.cuda.is_available() or set(told.values()) == {None}


def test_identity_names_the_gpu_its_cache_and_how_torch_is_set(devices):
    with (
        opened(devices, driver=Driver) as (device, _),
        flags_kept(),
        patch.object(torch.backends.cudnn, "version", lambda: 91002),
    ):
        device.configure(Workload(precision="amp_bf16", memory_format="channels_last"))
        identity = device.identity()
    assert (identity["device"], identity["cudnn"]) == ("NVIDIA Double", 91002)
    assert (identity["sms"], identity["l2_bytes"]) == (132, 50 << 20)
    assert (identity["driver"], identity["power_limit_watts"], identity["mig"]) == (
        f"of {Properties.uuid}",
        700.0,
        False,
    )
    assert identity["flags"] == {
        "autocast": "bfloat16",
        "cudnn_benchmark": True,
        "fp32": "ieee",
        "memory_format": "channels_last",
        "threads": torch.get_num_threads(),
    }


def test_a_gpu_that_is_not_there_is_said(devices):
    with cuda_double(), pytest.raises(CannotMeasure, match="cuda:2 is not there; torch sees 2"):
        devices.open_device("cuda:2")


def test_cuda_without_a_driver_is_said(devices):
    with cuda_double(0), pytest.raises(CannotMeasure, match="cuda is not available to torch here"):
        devices.open_device("cuda:0")


@contextmanager
def flags_kept():
    """torch's flags as they were before."""
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [flag.allow_tf32 for flag in flags], torch.backends.cudnn.benchmark
    try:
        yield flags
    finally:
        for flag, value in zip(flags, before[0], strict=True):
            flag.allow_tf32 = value
        torch.backends.cudnn.benchmark = before[1]


def test_tf32_is_said_for_both_families_and_never_left_as_torch_has_it(devices):
    """torch's default lets convolutions use tf32 and matrix products not."""
    for precision, allowed in [("fp32", False), ("tf32", True), ("amp_fp16", False)]:
        with flags_kept() as flags:
            object.__new__(devices.CudaDevice).configure(Workload(precision=precision))
            assert [flag.allow_tf32 for flag in flags] == [allowed, allowed]
            assert torch.backends.cudnn.benchmark is True


@pytest.mark.parametrize(("precision", "dtype"), [("amp_fp16", torch.float16), ("amp_bf16", torch.bfloat16)])
def test_amp_is_autocast_to_its_dtype(precision, dtype, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "autocast", lambda device, dtype: asked.append((device, dtype)) or "the context")
    assert object.__new__(CudaDevice).autocast(Workload(precision=precision)) == "the context"
    assert asked == [("cuda", dtype)]


pytest_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def small_network():
    """A device configured for it, a network and its call, warmed up."""
    device, variant = CudaDevice(), sized("R-18-FPN", 256, 256)
    device.configure(variant.workload)
    network = build(variant).to(device.name)
    image = torch.randn(1, 3, 256, 256, device=device.name)

    def forward():
        with torch.inference_mode():
            return network(image)

    warm_up(forward, device)
    return device, forward


@pytest.mark.cuda
@pytest_gpu
def test_more_work_takes_longer_on_the_device_and_events_lie_within_the_host_clock():
    device = CudaDevice()
    small, large = torch.randn(256, 256, device="cuda"), torch.randn(8192, 8192, device="cuda")
    for matrix in (small, large):
        time_request(lambda m=matrix: m @ m, device)
    walls = {}
    for name, matrix in (("small", small), ("large", large)):
        wall, on_device = time_request(lambda m=matrix: m @ m, device)
        assert on_device <= wall
        walls[name] = on_device
    assert walls["large"] > walls["small"]


@pytest.mark.cuda
@pytest_gpu
def test_the_device_works_no_longer_than_a_step_and_a_step_takes_no_longer_than_a_request():
    """Medians, with a tenth for a machine that others use."""
    device, forward = small_network()
    request_ns = median(time_block(forward, device, call_ns=5 * MS).counted_ns)
    step_ns = median(time_block(forward, device, call_ns=5 * MS, quantity="step").counted_ns)
    took = time_block(forward, device, call_ns=5 * MS, quantity="device")
    device_ns = median(took.device_ns[took.dropped :])
    assert 0 < device_ns <= 1.1 * step_ns
    assert step_ns <= 1.1 * request_ns


@pytest.mark.cuda
@pytest_gpu
def test_a_replay_gives_what_the_call_gives_also_of_an_input_that_changed():
    device, variant = CudaDevice(), sized("R-18-FPN", 64, 64)
    network, image = build(variant).to(device.name), torch.randn(1, 3, 64, 64, device=device.name)

    def forward():
        with torch.inference_mode():
            return network(image)

    replay = device.capture(forward)
    for _ in range(2):
        expected, seen = forward(), replay()
        device.synchronize()
        assert seen.keys() == expected.keys()
        for name in expected:
            torch.testing.assert_close(seen[name], expected[name], rtol=1e-3, atol=1e-3)
        image.normal_()


@pytest.mark.cuda
@pytest_gpu
def test_a_call_that_waits_cannot_be_captured_and_the_device_goes_on():
    device, forward = small_network()

    def reads_a_value():
        return float(forward()["p2"].sum())

    before = torch.cuda.current_stream()
    with pytest.raises(CannotMeasure, match="the network waits"):
        time_block(reads_a_value, device, call_ns=5 * MS, quantity="device")
    assert torch.cuda.current_stream() == before
    assert time_block(forward, device, call_ns=5 * MS).counted_ns


@pytest.mark.cuda
@pytest_gpu
def test_a_filled_queue_is_not_reached_at_once_and_is_in_the_end():
    device, mark = CudaDevice(), CudaDevice().new_mark()
    device.synchronize()
    device.fill_queue(200 * MS)
    device.record(mark)
    assert not device.has_reached(mark)
    device.synchronize()
    assert device.has_reached(mark)


@pytest.mark.cuda
@pytest_gpu
def test_a_fill_is_as_long_as_asked_or_longer():
    device = CudaDevice()
    start, end = device.new_mark(), device.new_mark()
    device.synchronize()
    device.record(start)
    device.fill_queue(50 * MS)
    device.record(end)
    device.synchronize()
    assert device.elapsed_ns(start, end) >= 0.9 * 50 * MS


@pytest.mark.cuda
@pytest_gpu
def test_memory_tells_a_known_tensor():
    device = CudaDevice()
    device.reset_peak()
    before = device.peak_bytes()
    tensor = torch.empty(64 << 20, dtype=torch.uint8, device=device.name)
    told = device.memory()
    assert told["allocated"] == device.peak_bytes() == before + (64 << 20)
    assert told["reserved"] >= told["allocated"] >= told["requested"] >= 64 << 20
    assert told["retries"] == 0
    del tensor


@pytest.mark.cuda
@pytest_gpu
@pytest.mark.parametrize("name", ["R-50-FPN", "R-50-FPN-RETINANET"])
def test_the_allocators_peak_is_never_under_the_price(name):
    device, variant = CudaDevice(), sized(name, 320, 416)
    device.configure(variant.workload)
    network = build(variant).to(device.name)
    image = torch.randn(1, 3, 320, 416, device=device.name)
    device.reset_peak()
    with torch.inference_mode():
        network(image)
    device.synchronize()
    assert device.peak_bytes() >= price(variant).peak_bytes


@pytest.mark.cuda
@pytest_gpu
def test_identity_and_telemetry_answer():
    device = open_device("cuda:0")
    identity, told = device.identity(), device.telemetry()
    assert identity["sms"] > 0
    assert identity["l2_bytes"] > 0
    assert all(value is None or isinstance(value, int | float) for value in told.values())
    assert told["sm_mhz"] > 0
    assert told["celsius"] > 0


@pytest.mark.cuda
@pytest_gpu
def test_a_flushed_cache_is_not_in_the_times():
    """A flush of twice the cache takes longer than a product of two small matrices, which a request may not show."""
    device, small = CudaDevice(), torch.randn(64, 64, device="cuda")
    for cold in (False, True):
        time_request(lambda: small @ small, device, cold_cache=cold)
    start, end = device.new_mark(), device.new_mark()
    device.record(start)
    for _ in range(20):
        device.flush_cache()
    device.record(end)
    device.synchronize()
    took = [time_request(lambda: small @ small, device, cold_cache=True)[1] for _ in range(20)]
    assert min(took) < device.elapsed_ns(start, end)
