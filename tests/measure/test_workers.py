"""Real worker processes: what they answer, and how each way of dying becomes one sentence."""

import os
import socket
import subprocess
import sys
import threading

import psutil
import pytest
from networks import sized

from archbench.design.variant import Module, Variant, Workload
from archbench.measure import pipe
from archbench.measure.supervisor import Job, Worker, WorkerFailed, worker_environment
from archbench.pricing.price import price

FAULTS = """
import os, signal, time, torch
from torch import nn

class Net(nn.Module):
    def __init__(self, fault=None):
        super().__init__()
        self.conv, self.fault = nn.Conv2d(3, 8, 3), fault
    def forward(self, x):
        if self.fault:
            self.fault()
        return self.conv(x)

class Nan(Net):
    def forward(self, x):
        return self.conv(x) * float("nan")

def good(): return Net()
def nan(): return Nan()
def raises(): raise ValueError("no such\\nweights")
def says(): print("a word on stdout"); return Net()

class Later(Net):
    calls = 0
    def forward(self, x):
        Later.calls += 1
        if Later.calls > int(os.environ.get("FAULT_AFTER", "8")):
            self.fault()
        return self.conv(x)

def segfault(): return Later(lambda: os.kill(os.getpid(), signal.SIGSEGV))
def exits(): return Later(lambda: os._exit(3))
def hangs(): return Later(lambda: time.sleep(600))
def memory(): return Later(lambda: torch.empty(1 << 50))
"""


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "faults.py"
    path.write_text(FAULTS)
    return str(path)


def hand_written(name):
    return Variant(name, Module(f"faults:{name}"), Workload(1, 32, 32))


def work(job, timeout=120.0):
    """Start, warm and time one block; the replies."""
    with Worker(job, timeout=timeout) as worker:
        return worker.start(), worker.ask({"do": "warm"}), worker.ask({"do": "block", "call_ns": 1_000_000})


@pytest.fixture(scope="module")
def replies():
    variant = sized("R-18-FPN", 64, 96)
    return variant, *work(Job(variant, "cpu", seed=1))


def test_a_worker_counts_what_was_priced(replies):
    variant, facts, warm, _ = replies
    cost = price(variant)
    assert facts["traced"] == {"macs": cost.macs, "peak_bytes": cost.peak_bytes}
    assert (warm["memory_bytes"], warm["memory_kind"]) == (cost.peak_bytes, "traced")
    assert set(facts["cold_ms"]) == {"import", "build"}
    assert facts["device"]["device"] == "cpu"


def test_a_worker_answers_with_raw_times(replies):
    _, _, warm, block = replies
    assert len(warm["wall_ns"]) > 15
    assert block["dropped"] == 1
    assert len(block["wall_ns"]) == len(block["device_ns"]) >= 6
    assert all(isinstance(ns, int) and ns > 0 for ns in block["wall_ns"])


def test_a_hand_written_module_is_counted_and_measured(plugin):
    facts, warm, _ = work(Job(hand_written("says"), "cpu", 0, (plugin,)))
    assert facts["traced"]["macs"] == 8 * 3 * 3 * 3 * 30 * 30
    assert facts["traced"]["params"] == 8 * 3 * 9 + 8
    assert facts["traced"]["fvcore_flops"] == facts["traced"]["macs"]
    assert warm["steady"] in (True, False)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("segfault", "its process died of SIGSEGV"),
        ("exits", "its process ended with code 3"),
        ("nan", "its output is not finite (shape (1, 8, 30, 30), torch.float32)"),
        ("raises", "ValueError: no such"),
        ("memory", "out of memory: "),
    ],
)
def test_a_fault_is_one_sentence(plugin, fault, reason):
    with pytest.raises(WorkerFailed) as failure:
        work(Job(hand_written(fault), "cpu", 0, (plugin,)))
    assert str(failure.value).startswith(reason)
    assert "\n" not in str(failure.value)


def test_a_hang_ends_at_the_timeout_and_leaves_no_process(plugin):
    with Worker(Job(hand_written("hangs"), "cpu", 0, (plugin,)), timeout=60.0) as worker:
        worker.start()
        worker.timeout = 1.0
        with pytest.raises(WorkerFailed, match=r"no answer in 1 s; raise measure.timeout"):
            worker.ask({"do": "warm"})
        assert worker._process.poll() is not None


def test_a_module_without_its_plugin_is_refused_in_the_worker_too(plugin):
    with pytest.raises(WorkerFailed, match="needs --plugin faults"):
        work(Job(hand_written("good"), "cpu", 0, ()))


def test_a_device_that_is_not_there_is_said(plugin):
    with pytest.raises(WorkerFailed, match=r"cuda is not available|is not there"):
        work(Job(sized("R-18-FPN", 64, 64), "cuda:63", 0))


def test_tf32_on_the_cpu_is_refused():
    with pytest.raises(WorkerFailed, match="tf32 is a mode of CUDA"):
        work(Job(sized("R-18-FPN", 64, 64, {"measure.precision": "tf32"}), "cpu", 0))


def test_bf16_autocast_and_channels_last_run_on_the_cpu():
    given = {"measure.precision": "amp_bf16", "measure.memory_format": "channels_last", "measure.threads": 1}
    facts, _, block = work(Job(sized("R-18-FPN", 64, 64, given), "cpu", 0))
    assert facts["device"]["threads"] == 1
    assert block["wall_ns"]


def test_waiting_workers_do_not_spin():
    assert worker_environment(None)["OMP_WAIT_POLICY"] == "passive"
    assert worker_environment(3)["OMP_NUM_THREADS"] == "3"


def test_messages_survive_the_pipe_in_pieces():
    left, right = socket.socketpair()
    message = {"wall_ns": list(range(200_000)), "name": "ü"}
    sender = threading.Thread(target=pipe.send, args=(left, message))
    sender.start()
    assert pipe.receive(right, 10) == message
    sender.join()


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02[]", b"\x00\x00\x00\x03{]}", b"\x00"])
def test_what_is_no_message_closes_the_pipe(raw):
    left, right = socket.socketpair()
    left.sendall(raw)
    left.close()
    with pytest.raises(pipe.Closed):
        pipe.receive(right, 1)


def test_a_silent_pipe_is_late():
    left, right = socket.socketpair()
    with pytest.raises(pipe.Late):
        pipe.receive(right, 0.01)
    left.close()


def test_a_worker_dies_with_its_parent():
    code = (
        "import os, sys; from networks import sized; from archbench.measure.supervisor import Job, Worker\n"
        "worker = Worker(Job(sized('R-18-FPN', 64, 64), 'cpu', 0), timeout=60.0)\n"
        "worker.start(); print(worker._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(__file__))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -9
    try:
        orphan = psutil.Process(int(done.stdout))
        psutil.wait_procs([orphan], timeout=10)
        assert orphan.status() == psutil.STATUS_ZOMBIE  # dead, and its new parent has not looked yet
    except psutil.NoSuchProcess:
        pass
