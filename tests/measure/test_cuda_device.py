"""CudaDevice against a recorded double of `torch.cuda`, and, where there is a GPU, its properties (never its times)."""

import pytest
import torch
from networks import sized

from archbench.design.variant import Workload
from archbench.errors import CannotMeasure
from archbench.measure.build import build
from archbench.measure.devices import CudaDevice, open_device
from archbench.measure.timing import request
from archbench.pricing.price import price


class CudaDouble:
    """Stands in for `torch.cuda`: notes each call in order, and finishes work only when asked to wait."""

    def __init__(self, devices=2):
        self.calls, self.devices, self.now = [], devices, 0.0
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

            def elapsed_time(self, end):
                assert double.calls[-1].startswith("synchronize"), "read before the device was done"
                return end.at - self.at

        self.Event = Event

    def is_available(self):
        return self.devices > 0

    def device_count(self):
        return self.devices

    def set_device(self, index):
        self.calls.append(f"set_device {index}")

    def synchronize(self, index):
        self.calls.append(f"synchronize {index}")

    def current_stream(self, index):
        return f"stream of {index}"

    def reset_peak_memory_stats(self, index):
        self.calls.append(f"reset {index}")

    def max_memory_allocated(self, index):
        self.calls.append(f"peak {index}")
        return 123


@pytest.fixture
def cuda(monkeypatch):
    double = CudaDouble()
    monkeypatch.setattr(torch, "cuda", double)
    return double


def test_a_request_waits_records_runs_records_waits_on_the_one_device_and_its_stream(cuda):
    device = open_device("cuda:1")
    cuda.calls.clear()
    wall, on_device = request(lambda: cuda.calls.append("forward"), device)
    assert cuda.calls == [
        "event",
        "event",
        "synchronize 1",
        "record on stream of 1",
        "forward",
        "record on stream of 1",
        "synchronize 1",
    ]
    assert on_device == 1_000_000  # one millisecond between the marks
    assert wall > 0


def test_the_device_is_made_current_so_that_work_goes_to_it(cuda):
    open_device("cuda:1")
    assert cuda.calls == ["set_device 1"]
    assert open_device("cuda").name == "cuda:0"


def test_peak_memory_is_the_allocators_of_that_device(cuda):
    device = open_device("cuda:1")
    device.reset_peak()
    assert device.peak_bytes() == 123
    assert cuda.calls[-2:] == ["reset 1", "peak 1"]


@pytest.mark.parametrize(("name", "message"), [("cuda:2", "cuda:2 is not there; torch sees 2")])
def test_a_gpu_that_is_not_there_is_said(cuda, name, message):
    with pytest.raises(CannotMeasure, match=message):
        open_device(name)


def test_cuda_without_a_driver_is_said(cuda):
    cuda.devices = 0
    with pytest.raises(CannotMeasure, match="cuda is not available to torch here"):
        open_device("cuda:0")


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True), ("amp_fp16", False)])
def test_tf32_is_said_for_both_families_and_never_left_as_torch_has_it(precision, allowed):
    """torch's default lets convolutions use tf32 and matrix products not."""
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [flag.allow_tf32 for flag in flags], torch.backends.cudnn.benchmark
    try:
        object.__new__(CudaDevice).configure(Workload(precision=precision))
        assert [flag.allow_tf32 for flag in flags] == [allowed, allowed]
    finally:
        for flag, value in zip(flags, before[0], strict=True):
            flag.allow_tf32 = value
        torch.backends.cudnn.benchmark = before[1]


@pytest.mark.parametrize(("precision", "dtype"), [("amp_fp16", torch.float16), ("amp_bf16", torch.bfloat16)])
def test_amp_is_autocast_to_its_dtype(precision, dtype):
    context = object.__new__(CudaDevice).autocast(Workload(precision=precision))
    assert (context.device, context.fast_dtype) == ("cuda", dtype) or not torch.cuda.is_available()


pytest_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.cuda
@pytest_gpu
def test_more_work_takes_longer_on_the_device_and_events_lie_within_the_host_clock():
    device = CudaDevice()
    small, large = torch.randn(256, 256, device="cuda"), torch.randn(8192, 8192, device="cuda")
    for matrix in (small, large):
        request(lambda m=matrix: m @ m, device)
    walls = {}
    for name, matrix in (("small", small), ("large", large)):
        wall, on_device = request(lambda m=matrix: m @ m, device)
        assert on_device <= wall
        walls[name] = on_device
    assert walls["large"] > walls["small"]


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
    device = CudaDevice()
    assert device.identity()["sms"] > 0
    assert set(device.telemetry()) == {"sm_mhz", "celsius", "watts"}
