"""The real CPU: what it answers, and blocks of every quantity on a small network. Properties, never times."""

import pytest
import torch

from archbench.errors import CannotMeasure
from archbench.measure.worker.devices import CpuDevice
from archbench.measure.worker.timing import time_block
from archbench.models.variant import Workload

SMALL = torch.nn.Conv2d(3, 8, 3)
IMAGE = torch.zeros(1, 3, 32, 32)


def forward():
    with torch.inference_mode():
        return SMALL(IMAGE)


@pytest.mark.parametrize("quantity", ["request", "step", "device"])
def test_every_quantity_can_be_had_on_the_cpu(quantity):
    took = time_block(forward, CpuDevice(), call_ns=100_000, quantity=quantity)
    assert took.dropped == 1
    assert len(took.wall_ns) == len(took.device_ns) >= 1 + (3 if quantity == "step" else 5)
    assert all(ns > 0 for ns in took.wall_ns)


def test_calls_return_done_and_there_is_no_queue_to_fill_nor_a_graph():
    device = CpuDevice()
    assert not device.asynchronous
    assert device.capture(forward) is None
    device.fill_queue(10**15)  # eleven days, were there a queue


def test_memory_is_null_where_there_is_no_allocator_to_ask():
    assert CpuDevice().memory() == {"allocated": None, "reserved": None, "requested": None, "retries": None}
    assert CpuDevice().peak_bytes() is None


def test_telemetry_is_what_others_took_each_time_since_it_was_last_asked():
    class Lost:
        shares = iter([0.25, None])

        def since_last(self):
            return {"lost": next(self.shares), "steal": 0.0}

    device = CpuDevice(Lost())
    assert device.telemetry() == {"lost": 0.25, "steal": 0.0}
    assert device.telemetry() == {"lost": None, "steal": 0.0}
    assert CpuDevice().telemetry().keys() == {"lost", "steal"}


def test_identity_says_how_torch_is_set():
    device = CpuDevice()
    device.configure(Workload(precision="amp_bf16", memory_format="channels_last"))
    flags = device.identity()["flags"]
    assert (flags["autocast"], flags["memory_format"]) == ("bfloat16", "channels_last")
    assert (flags["threads"], flags["fp32"]) == (torch.get_num_threads(), torch.get_float32_matmul_precision())


def test_tf32_is_refused_with_the_way_out():
    with pytest.raises(CannotMeasure, match="take fp32 on the cpu"):
        CpuDevice().configure(Workload(precision="tf32"))
