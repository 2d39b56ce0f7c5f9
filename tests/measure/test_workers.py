"""Worker processes: what they answer, and how each way of dying becomes one sentence.

Where the network does not matter they are scripted: a worker's own loop, socket and limits, without torch.
"""

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from commands import SCRIPTED_WORKER
from cues import PROMPT_S, Cues
from networks import sized

from archbench.measure.supervisor import pipe, worker_process
from archbench.measure.supervisor.worker_process import (
    Crew,
    Worker,
    WorkerFailed,
    WorkerSetup,
    _describe_overdue,
    worker_environment,
)
from archbench.measure.worker import worker as the_worker
from archbench.measure.worker.worker import Heartbeat
from archbench.models.variant import ModuleFactory, Variant, Workload
from archbench.pricing.price import price

pytestmark = pytest.mark.process

NETS = """
import torch
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

class Later(Net):
    calls = 0
    def forward(self, x):
        self.calls += 1
        if self.calls > 8:
            self.fault()
        return self.conv(x)

def good(): return Net()
def nan(): return Nan()
def raises(): raise ValueError("no such\\nweights")
def says(): print("a word on stdout"); return Net()
def tensor_of_4_pib(): return Later(lambda: torch.empty(1 << 50))
def tensor_of_4_gib(): return Later(lambda: torch.ones(1 << 30))
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "nets.py"
    path.write_text(NETS)
    yield str(path)
    sys.modules.pop("nets", None)


@pytest.fixture
def scripted(monkeypatch):
    """Workers are scripted: each does what the name of its network says."""
    monkeypatch.setattr(worker_process, "PROGRAM", SCRIPTED_WORKER)


def hand_written(name):
    return Variant(name, ModuleFactory(f"nets:{name}"), Workload(1, 32, 32))


def hired(name, timeout=120.0, **given):
    return Worker(hand_written(name), WorkerSetup("cpu", 0, **given), timeout=timeout)


def work(worker):
    """Start, warm and time one block; the replies."""
    with worker:
        return worker.start(), worker.ask({"do": "warm"}), worker.ask({"do": "block", "call_ns": 1_000_000})


def failure(worker):
    """What is said of a network that goes wrong."""
    with pytest.raises(WorkerFailed) as failed:
        work(worker)
    return str(failed.value)


# --- two real workers ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def replies():
    variant = sized("R-18-FPN", 64, 96)
    return variant, *work(Worker(variant, WorkerSetup("cpu", seed=1), timeout=120.0))


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


@pytest.fixture(scope="module")
def bare(plugin):
    """What is said by and of networks of a user's: one within its memory, then one that is not, without a home or a locale."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("HOME", "LANG", "USER", "LOGNAME"):
            patched.delenv(name, raising=False)
        patched.setenv("LC_ALL", "C")
        with hired("says", plugins=(plugin,), memory_bytes=1 << 30) as worker:
            worker.start()
            warm, block = worker.ask({"do": "warm"}), worker.ask({"do": "block", "call_ns": 1_000_000})
            worker.variant = hand_written("tensor_of_4_gib")
            worker.start()
            with pytest.raises(WorkerFailed) as failed:
                worker.ask({"do": "warm"})
    return warm, block, str(failed.value)


def test_a_hand_written_module_is_counted_and_measured(bare):
    warm, block, _ = bare
    assert warm["traced"]["macs"] == 8 * 3 * 3 * 3 * 30 * 30
    assert warm["traced"]["params"] == 8 * 3 * 9 + 8
    assert warm["traced"]["fvcore_flops"] == warm["traced"]["macs"]
    assert warm["steady"] in (True, False)
    assert block["wall_ns"], "a worker needs no home, no locale, and does not notice a limit it is within"


OVER = r"^out of memory: .*\(it may take 1024\.0 MiB\)$"


def test_a_network_that_takes_more_than_it_may_is_out_of_memory_and_says_how_much_it_might(bare):
    assert re.match(OVER, bare[2])


# --- what a worker answers, in this process ------------------------------------------------------------------------------


def answered(variant, *requests, device="cpu", plugins=()):
    """The last of a worker's answers to its start and to what it is asked then."""
    handlers = the_worker._WorkerState(lambda: None)
    setup = WorkerSetup(device, 0, tuple(plugins))
    start = {"do": "start", "variant": variant.as_json(), **setup.as_json()}
    for request in (start, *requests):
        reply = the_worker.answer_request(handlers, request)
    return reply


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("nan", "its output is not finite (shape (1, 8, 30, 30), torch.float32)"),
        ("raises", "ValueError: no such"),
        ("tensor_of_4_pib", "out of memory: "),
    ],
)
def test_what_goes_wrong_with_a_network_is_one_sentence(plugin, network, said):
    reply = answered(hand_written(network), *([{"do": "warm"}] * (network != "raises")), plugins=[plugin])
    assert not reply["ok"]
    assert reply["reason"].startswith(said)
    assert "\n" not in reply["reason"]


def test_a_module_without_its_plugin_is_refused_in_the_worker_too():
    assert "needs --plugin nets" in answered(hand_written("good"))["reason"]


def test_a_device_that_is_not_there_is_said():
    said = answered(sized("R-18-FPN", 64, 64), device="cuda:63")["reason"]
    assert "cuda is not available" in said or "is not there" in said


def test_tf32_on_the_cpu_is_refused():
    said = answered(sized("R-18-FPN", 64, 64, {"measure.precision": "tf32"}))["reason"]
    assert "tf32 is a mode of CUDA" in said


def test_bf16_autocast_and_channels_last_run_on_the_cpu():
    given = {"measure.precision": "amp_bf16", "measure.memory_format": "channels_last", "measure.threads": 1}
    variant = sized("R-18-FPN", 64, 64, given)
    assert answered(variant)["device"]["threads"] == 1
    assert answered(variant, {"do": "warm"}, {"do": "block", "call_ns": 1_000_000})["wall_ns"]


# --- how a worker ends ---------------------------------------------------------------------------------------------------

SENTENCES = {
    "crashes": "its process died of SIGSEGV",
    "aborts": "its process died of SIGABRT",
    "killed": "its process died of SIGKILL (out of memory?)",
    "exits": "its process ended with code 3",
}


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("fault", SENTENCES)
def test_a_fault_is_one_sentence(fault):
    said = failure(hired(fault))
    assert said.startswith(SENTENCES[fault])
    assert "\n" not in said


@pytest.mark.usefixtures("scripted")
def test_a_list_that_takes_more_than_it_may_is_out_of_memory_too():
    assert re.match(OVER, failure(hired("list_of_4_gib", memory_bytes=1 << 30)))


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("fault", ["hangs", "stops"])
def test_a_hang_ends_at_the_timeout_and_leaves_no_process(fault):
    with hired(fault) as worker:
        worker.start()
        worker.timeout = 1.0
        with pytest.raises(
            WorkerFailed, match=r"no answer in 1 s and no sign of life for \d+ s; raise measure.timeout"
        ):
            worker.ask({"do": "warm"})
        assert not psutil.pid_exists(worker._process.pid)


@pytest.mark.usefixtures("scripted")
def test_a_worker_that_is_only_slow_is_told_from_one_that_hangs():
    with hired("never_steady") as worker:
        worker.start()
        worker.timeout = 5.0
        with pytest.raises(WorkerFailed, match=r"^not done in 5 s though it was still calling; raise measure.timeout$"):
            worker.ask({"do": "warm"})


@pytest.mark.usefixtures("scripted")
def test_a_worker_that_does_not_start_in_time_is_not_said_to_have_called():
    said = r"^not started in 0\.01 s: import, build, compile and checks take longer, or hang; raise measure\.timeout$"
    with hired("hangs_at_once", timeout=0.01) as worker, pytest.raises(WorkerFailed, match=said):
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
    assert _describe_overdue(300, silent, longest).startswith(said)


def test_signs_of_life_are_numbered_and_at_most_two_a_second():
    left, right = socket.socketpair()
    now = iter([0.0, 0.0, 0.0, 0.25, 0.49, 0.5, 0.5, 0.75, 7.0, 7.0])
    pulse = Heartbeat(left, clock=lambda: next(now))
    for _ in range(6):  # at 0, 0.25, 0.49, 0.5, 0.75 and 7 s
        pulse.send_beat()
    left.close()
    assert [pipe.receive_message(right, 1) for _ in range(3)] == [{"beat": 1}, {"beat": 2}, {"beat": 3}]
    with pytest.raises(pipe.PipeClosed):
        pipe.receive_message(right, 1)
    assert list(now) == []


@pytest.mark.usefixtures("scripted")
def test_what_a_network_started_ends_with_its_worker_though_it_does_not_want_to(tmp_path, monkeypatch):
    monkeypatch.setenv("CHILD_IN", str(tmp_path / "child"))
    with hired("has_a_child") as worker:
        worker.start()
        child = psutil.Process(int((tmp_path / "child").read_text()))
        assert child.is_running()
    assert psutil.wait_procs([child], timeout=PROMPT_S)[1] == []


@pytest.mark.usefixtures("scripted")
def test_a_worker_is_out_of_reach_of_the_terminals_interrupt():
    with hired("good") as worker:
        assert os.getpgid(worker._process.pid) == worker._process.pid != os.getpgid(0)


@pytest.mark.usefixtures("scripted")
def test_a_crew_that_is_killed_keeps_nobody_waiting(tmp_path, monkeypatch):
    with Cues() as cues, Crew(tmp_path / "compiled") as crew:
        monkeypatch.setenv("CUE", cues.environment["CUE"])
        worker = crew.hire(hand_written("good"), WorkerSetup("cpu", 0), timeout=120.0)
        killer = threading.Thread(target=lambda: (cues.until("warm"), crew.kill()))
        killer.start()
        worker.start()
        with pytest.raises(WorkerFailed, match="died of SIGKILL"):
            worker.ask({"do": "warm"})
        killer.join()


@pytest.mark.usefixtures("scripted")
def test_a_crew_leaves_no_worker_and_no_compiled_code_and_finds_none(tmp_path):
    compiled = tmp_path / "compiled"
    compiled.mkdir()
    (compiled / "of_a_killed_run.so").touch()
    with Crew(compiled) as crew:
        assert not compiled.exists()
        worker = crew.hire(hand_written("good"), WorkerSetup("cpu", 0), timeout=120.0)
        compiled.mkdir()
    assert not compiled.exists()
    assert not psutil.pid_exists(worker._process.pid)


def test_waiting_workers_do_not_spin():
    assert worker_environment(None)["OMP_WAIT_POLICY"] == "passive"
    assert worker_environment(3)["OMP_NUM_THREADS"] == "3"


def test_code_is_compiled_into_the_runs_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert worker_environment(None, Path("run/.compiled"))["TORCHINDUCTOR_CACHE_DIR"] == f"{tmp_path}/run/.compiled"


def test_messages_survive_the_pipe_in_pieces():
    left, right = socket.socketpair()
    message = {"wall_ns": list(range(200_000)), "name": "ü"}
    sender = threading.Thread(target=pipe.send_message, args=(left, message))
    sender.start()
    assert pipe.receive_message(right, 10) == message
    sender.join()


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02[]", b"\x00\x00\x00\x03{]}", b"\x00"])
def test_what_is_no_message_closes_the_pipe(raw):
    left, right = socket.socketpair()
    left.sendall(raw)
    left.close()
    with pytest.raises(pipe.PipeClosed):
        pipe.receive_message(right, 1)


def test_a_silent_pipe_is_late():
    left, right = socket.socketpair()
    with pytest.raises(pipe.PipeTimeout):
        pipe.receive_message(right, 0.01)
    left.close()


def test_a_worker_dies_with_its_parent():
    code = (
        "import os; from commands import SCRIPTED_WORKER; from networks import sized\n"
        "from archbench.measure.supervisor import worker_process; worker_process.PROGRAM = SCRIPTED_WORKER\n"
        "worker = worker_process.Worker(sized('R-18-FPN', 64, 64), worker_process.WorkerSetup('cpu', 0), timeout=120.0)\n"
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
