"""Real worker processes: what they answer, and how each way of dying becomes one sentence."""

import os
import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from cues import PROMPT_S
from networks import sized

from archbench.design.variant import Module, Variant, Workload
from archbench.measure import pipe
from archbench.measure.supervisor import Crew, Job, Worker, WorkerFailed, _overdue, worker_environment
from archbench.measure.worker import Pulse
from archbench.pricing.price import price

FAULTS = """
import os, signal, subprocess, time, torch
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
def stops(): return Later(lambda: os.kill(os.getpid(), signal.SIGSTOP))
def aborts(): return Later(os.abort)
def killed(): return Later(lambda: os.kill(os.getpid(), signal.SIGKILL))
def memory(): return Later(lambda: torch.empty(1 << 50))
def tensor_of_4_gib(): return Later(lambda: torch.ones(1 << 30))
def list_of_4_gib(): return Later(lambda: [None] * (1 << 29))

def never_steady():
    from archbench.measure import timing
    timing.STEADY_WITHIN, timing.WARM_UP_NS = -1, 1 << 62
    return Net()

def has_a_child():
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; echo ready; sleep 600; :"], stdout=subprocess.PIPE)
    child.stdout.readline()
    with open(os.environ["CHILD_IN"], "w") as file:
        file.write(str(child.pid))
    return Net()
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "faults.py"
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
    assert warm["traced"] == {"macs": cost.macs, "peak_bytes": cost.peak_bytes}
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
    _, warm, _ = work(Job(hand_written("says"), "cpu", 0, (plugin,)))
    assert warm["traced"]["macs"] == 8 * 3 * 3 * 3 * 30 * 30
    assert warm["traced"]["params"] == 8 * 3 * 9 + 8
    assert warm["traced"]["fvcore_flops"] == warm["traced"]["macs"]
    assert warm["steady"] in (True, False)


SENTENCES = {
    "segfault": "its process died of SIGSEGV",
    "aborts": "its process died of SIGABRT",
    "killed": "its process died of SIGKILL (out of memory?)",
    "exits": "its process ended with code 3",
    "nan": "its output is not finite (shape (1, 8, 30, 30), torch.float32)",
    "raises": "ValueError: no such",
    "memory": "out of memory: ",
}
GREEDY = ("tensor_of_4_gib", "list_of_4_gib")


@pytest.fixture(scope="module")
def failures(plugin):
    """What is said of each faulty network: workers two at a time, since they spend their time importing torch."""

    def failure(fault):
        memory = 1 << 30 if fault in GREEDY else None
        with pytest.raises(WorkerFailed) as failed:
            work(Job(hand_written(fault), "cpu", 0, (plugin,), memory_bytes=memory))
        return str(failed.value)

    faults = (*SENTENCES, *GREEDY)
    with ThreadPoolExecutor(2) as pool:  # a worker dies with the thread that made it, which sees it to its end
        return dict(zip(faults, pool.map(failure, faults), strict=True))


@pytest.mark.parametrize("fault", SENTENCES)
def test_a_fault_is_one_sentence(failures, fault):
    assert failures[fault].startswith(SENTENCES[fault])
    assert "\n" not in failures[fault]


@pytest.mark.parametrize("fault", GREEDY)
def test_a_network_that_takes_more_than_it_may_is_out_of_memory_and_says_how_much_it_might(failures, fault):
    assert re.match(r"^out of memory: .*\(it may take 1024\.0 MiB\)$", failures[fault])


def test_a_network_within_its_memory_does_not_notice_the_limit(plugin):
    work(Job(hand_written("good"), "cpu", 0, (plugin,), memory_bytes=256 << 20))


@pytest.mark.parametrize("fault", ["hangs", "stops"])
def test_a_hang_ends_at_the_timeout_and_leaves_no_process(plugin, fault):
    with Worker(Job(hand_written(fault), "cpu", 0, (plugin,)), timeout=120.0) as worker:
        worker.start()
        worker.timeout = 1.0
        with pytest.raises(WorkerFailed, match=r"no answer in 1 s and no sign of life for 1 s; raise measure.timeout"):
            worker.ask({"do": "warm"})
        assert not psutil.pid_exists(worker._process.pid)


def test_a_worker_that_is_only_slow_is_told_from_one_that_hangs(plugin):
    with Worker(Job(hand_written("never_steady"), "cpu", 0, (plugin,)), timeout=120.0) as worker:
        worker.start()
        worker.timeout = 5.0
        with pytest.raises(WorkerFailed, match=r"^not done in 5 s though it was still calling; raise measure.timeout$"):
            worker.ask({"do": "warm"})


def test_a_worker_that_does_not_start_in_time_is_not_said_to_have_called(plugin):
    """Nothing imports torch in a hundredth of a second."""
    said = r"^not started in 0\.01 s: import, build, compile and checks take longer, or hang; raise measure\.timeout$"
    with (
        Worker(Job(hand_written("good"), "cpu", 0, (plugin,)), timeout=0.01) as worker,
        pytest.raises(WorkerFailed, match=said),
    ):
        worker.start()


@pytest.mark.parametrize(
    ("silent", "longest", "said"),
    [
        (1, 1, "not done in 300 s"),
        (3, 1, "not done in 300 s"),
        (4, 1, "no answer in 300 s and no sign of life for 4 s"),
        (40, 15, "not done in 300 s"),  # calls of 15 s
        (299, 120, "no answer in 300 s and no sign of life for 299 s"),
    ],
)
def test_silence_is_judged_by_the_longest_before_it(silent, longest, said):
    assert _overdue(300, silent, longest).startswith(said)


def test_signs_of_life_are_numbered_and_at_most_two_a_second():
    left, right = socket.socketpair()
    now = iter([0.0, 0.0, 0.0, 0.25, 0.49, 0.5, 0.5, 0.75, 7.0, 7.0])
    pulse = Pulse(left, clock=lambda: next(now))
    for _ in range(6):  # at 0, 0.25, 0.49, 0.5, 0.75 and 7 s
        pulse.beat()
    left.close()
    assert [pipe.receive(right, 1) for _ in range(3)] == [{"beat": 1}, {"beat": 2}, {"beat": 3}]
    with pytest.raises(pipe.Closed):
        pipe.receive(right, 1)
    assert list(now) == []


def test_what_a_network_started_ends_with_its_worker_though_it_does_not_want_to(plugin, tmp_path, monkeypatch):
    monkeypatch.setenv("CHILD_IN", str(tmp_path / "child"))
    with Worker(Job(hand_written("has_a_child"), "cpu", 0, (plugin,)), timeout=120.0) as worker:
        worker.start()
        child = psutil.Process(int((tmp_path / "child").read_text()))
        assert child.is_running()
    assert psutil.wait_procs([child], timeout=PROMPT_S)[1] == []


def test_a_worker_is_out_of_reach_of_the_terminals_interrupt(plugin):
    with Worker(Job(hand_written("good"), "cpu", 0, (plugin,)), timeout=120.0) as worker:
        assert os.getpgid(worker._process.pid) == worker._process.pid != os.getpgid(0)


def test_a_worker_needs_no_home_and_no_locale(plugin, monkeypatch):
    for name in ("HOME", "LANG", "USER", "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C")
    assert work(Job(hand_written("good"), "cpu", 0, (plugin,)))[2]["wall_ns"]


def test_a_crew_that_is_killed_keeps_nobody_waiting(plugin, tmp_path):
    with Crew(tmp_path / "compiled") as crew:
        worker = crew.hire(Job(hand_written("hangs"), "cpu", 0, (plugin,)), timeout=120.0)
        worker.start()
        killer = threading.Timer(0.5, crew.kill)
        killer.start()
        with pytest.raises(WorkerFailed, match="died of SIGKILL"):
            worker.ask({"do": "warm"})
        killer.join()


def test_a_crew_leaves_no_worker_and_no_compiled_code_and_finds_none(plugin, tmp_path):
    compiled = tmp_path / "compiled"
    compiled.mkdir()
    (compiled / "of_a_killed_run.so").touch()
    with Crew(compiled) as crew:
        assert not compiled.exists()
        worker = crew.hire(Job(hand_written("good"), "cpu", 0, (plugin,)), timeout=120.0)
        compiled.mkdir()
    assert not compiled.exists()
    assert not psutil.pid_exists(worker._process.pid)


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


def test_code_is_compiled_into_the_runs_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert worker_environment(None, Path("run/.compiled"))["TORCHINDUCTOR_CACHE_DIR"] == f"{tmp_path}/run/.compiled"


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
        "worker = Worker(Job(sized('R-18-FPN', 64, 64), 'cpu', 0), timeout=120.0)\n"
        "worker.start(); print(worker._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(__file__))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -9
    try:
        orphan = psutil.Process(int(done.stdout))
        psutil.wait_procs([orphan], timeout=PROMPT_S)
        assert orphan.status() == psutil.STATUS_ZOMBIE  # dead, and its new parent has not looked yet
    except psutil.NoSuchProcess:
        pass
